// What is timed as a whole, host and device: splats and meshes to pictures, and the
// extraction of meshes, which is the host's alone.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/measure.h"
#include "bench/random.h"
#include "geom/flexicubes.h"
#include "render/mesh.h"
#include "render/splat.h"

#define PICTURE_SIZE  512
#define MESH_SAMPLES  4  // per axis
#define VOXEL_SPLATS  32 // as published
#define CUBES         64 // of a voxel
#define CUBES_AXIS    4
#define RESOLUTION    (TESS_BENCH_RESOLUTION * CUBES_AXIS)
#define COLUMNS       TESS_FLEXICUBES_COLOUR_COLUMNS
#define GYROID_PERIOD 24 // cubes

static const struct tess_camera camera = {.yaw = 0.5f, .pitch = 0.35f};

// ---- splats ----

static void place_splat(struct tess_splats *splats, size_t i, const int32_t *voxel,
                        uint64_t *state)
{
    const float edge = 1.0f / TESS_BENCH_RESOLUTION;
    for (int axis = 0; axis < 3; axis++) {
        splats->positions[3 * i + axis] =
            ((float)voxel[axis] + tess_random_float(state)) * edge - 0.5f;
        splats->scales[3 * i + axis] = edge * (0.1f + 0.4f * tess_random_float(state));
        splats->colours[3 * i + axis] = tess_random_float(state);
    }
    splats->rotations[4 * i] = 1;
    splats->opacities[i] = 0.1f + 0.8f * tess_random_float(state);
}

static enum tess_status prepare_splats(struct tess_measure *measure)
{
    struct tess_env *env = &measure->ctx->env;
    struct tess_splats *splats = NULL;
    struct tess_voxels voxels = {0};
    size_t count = measure->rows * VOXEL_SPLATS;
    uint64_t state = 1;
    TESS_TRY(tess_alloc(&splats, env, 1, sizeof *splats, "splats"));
    measure->inputs = splats;
    TESS_TRY(tess_splats_create(splats, env, count));
    TESS_TRY(tess_bench_shell(&voxels, env, measure->rows));
    for (size_t i = 0; i < count; i++)
        place_splat(splats, i, voxels.coords + 3 * (i / VOXEL_SPLATS), &state);
    tess_voxels_clear(&voxels);
    tess_measure_size(measure, "%zu splats, %d x %d pixels", count, PICTURE_SIZE,
                      PICTURE_SIZE);
    measure->rate->rows = count;
    measure->rate->work = (double)count;
    return TESS_OK;
}

static void clear_splats(struct tess_measure *measure)
{
    if (measure->inputs)
        tess_splats_clear(measure->inputs);
    free(measure->inputs);
    measure->inputs = NULL;
}

static enum tess_status draw_splats(double *kernel, struct tess_measure *measure)
{
    struct tess_stage_report reports[TESS_RENDER_SPLATS_STAGES];
    struct tess_picture picture;
    TESS_TRY(tess_render_splats(&picture, reports, measure->ctx->device,
                                &measure->ctx->budget, measure->inputs, &camera,
                                PICTURE_SIZE, 1, TESS_CHANNEL_COLOUR));
    tess_picture_clear(&picture);
    *kernel =
        1e-9 * (double)(reports[0].counters.kernel_ns + reports[1].counters.kernel_ns);
    return TESS_OK;
}

// ---- meshes ----

struct cubes {
    size_t count;
    int32_t *coords; // [count][3]
    float *feats;    // [count][COLUMNS]
    struct tess_mesh mesh;
};

// A surface through all of space; below 0 inside.
static float gyroid(int32_t x, int32_t y, int32_t z)
{
    const double a = 2 * 3.14159265358979324 / GYROID_PERIOD;
    return (float)(sin(a * x) * cos(a * y) + sin(a * y) * cos(a * z) +
                   sin(a * z) * cos(a * x));
}

static void fill_cube(struct cubes *cubes, size_t i, const int32_t *voxel)
{
    int32_t *at = cubes->coords + 3 * i;
    for (size_t axis = 0, rest = i % CUBES; axis < 3; axis++, rest /= CUBES_AXIS)
        at[2 - axis] = voxel[2 - axis] * CUBES_AXIS + (int32_t)(rest % CUBES_AXIS);
    for (int corner = 0; corner < 8; corner++)
        cubes->feats[i * COLUMNS + (size_t)corner] = gyroid(
            at[0] + (corner & 1), at[1] + (corner >> 1 & 1), at[2] + (corner >> 2 & 1));
}

static enum tess_status make_cubes(struct cubes *cubes, struct tess_env *env,
                                   size_t voxels)
{
    struct tess_voxels shell = {0};
    cubes->count = voxels * CUBES;
    TESS_TRY(tess_alloc(&cubes->coords, env, cubes->count, 3 * sizeof(int32_t), "cubes"));
    TESS_TRY(
        tess_alloc(&cubes->feats, env, cubes->count, COLUMNS * sizeof(float), "cubes"));
    TESS_TRY(tess_bench_shell(&shell, env, voxels));
    for (size_t i = 0; i < cubes->count; i++)
        fill_cube(cubes, i, shell.coords + 3 * (i / CUBES));
    tess_voxels_clear(&shell);
    return TESS_OK;
}

static enum tess_status extract(struct tess_mesh *mesh, struct tess_env *env,
                                const struct cubes *cubes)
{
    struct tess_flexicubes *fc = NULL;
    TESS_TRY(tess_flexicubes_create(
        &fc, env,
        &(struct tess_flexicubes_params){.resolution = RESOLUTION, .use_colour = true},
        cubes->coords, cubes->count));
    enum tess_status status = tess_flexicubes_add(fc, 0, cubes->count, cubes->feats);
    if (!status)
        status = tess_flexicubes_extract(mesh, fc);
    tess_flexicubes_destroy(&fc);
    return status;
}

static enum tess_status prepare_extraction(struct tess_measure *measure)
{
    struct cubes *cubes = NULL;
    TESS_TRY(tess_alloc(&cubes, &measure->ctx->env, 1, sizeof *cubes, "cubes"));
    measure->inputs = cubes;
    TESS_TRY(make_cubes(cubes, &measure->ctx->env, measure->rows));
    tess_measure_size(measure, "%zu cubes", cubes->count);
    measure->rate->rows = cubes->count;
    measure->rate->work = (double)cubes->count;
    return TESS_OK;
}

// The mesh only, and how many faces it has.
static enum tess_status prepare_mesh(struct tess_measure *measure)
{
    struct cubes *cubes;
    TESS_TRY(prepare_extraction(measure));
    cubes = measure->inputs;
    TESS_TRY(extract(&cubes->mesh, &measure->ctx->env, cubes));
    free(cubes->feats);
    cubes->feats = NULL;
    TESS_TRY(tess_mesh_normals(&cubes->mesh, &measure->ctx->env));
    tess_measure_size(measure, "%zu faces, %d x %d pixels", cubes->mesh.faces,
                      PICTURE_SIZE, PICTURE_SIZE);
    measure->rate->rows = cubes->mesh.faces;
    measure->rate->work = (double)cubes->mesh.faces;
    return TESS_OK;
}

static void clear_cubes(struct tess_measure *measure)
{
    struct cubes *cubes = measure->inputs;
    if (cubes) {
        free(cubes->coords);
        free(cubes->feats);
        tess_mesh_clear(&cubes->mesh);
    }
    free(cubes);
    measure->inputs = NULL;
}

static enum tess_status draw_mesh(double *kernel, struct tess_measure *measure)
{
    const struct cubes *cubes = measure->inputs;
    struct tess_stage_report report;
    struct tess_picture picture;
    TESS_TRY(tess_render_mesh(&picture, &report, measure->ctx->device,
                              &measure->ctx->budget, &cubes->mesh, &camera, PICTURE_SIZE,
                              MESH_SAMPLES, TESS_CHANNEL_COLOUR));
    tess_picture_clear(&picture);
    *kernel = 1e-9 * (double)report.counters.kernel_ns;
    return TESS_OK;
}

static enum tess_status extract_again(double *kernel, struct tess_measure *measure)
{
    struct tess_mesh mesh = {0};
    TESS_TRY(extract(&mesh, &measure->ctx->env, measure->inputs));
    tess_mesh_clear(&mesh);
    *kernel = 0;
    return TESS_OK;
}

// ---- samples ----

static enum tess_status
sample_call(struct tess_measure *measure,
            enum tess_status (*call)(double *kernel, struct tess_measure *measure))
{
    double kernel;
    if (!measure->count) // drivers may compile here
        TESS_TRY(call(&kernel, measure));
    double start = tess_seconds_now();
    TESS_TRY(call(&kernel, measure));
    tess_measure_add(measure, kernel, tess_seconds_now() - start);
    return TESS_OK;
}

static enum tess_status sample_splats(struct tess_measure *measure)
{
    return sample_call(measure, draw_splats);
}

static enum tess_status sample_mesh(struct tess_measure *measure)
{
    return sample_call(measure, draw_mesh);
}

static enum tess_status sample_extraction(struct tess_measure *measure)
{
    return sample_call(measure, extract_again);
}

const struct tess_operator tess_drawing_operators[] = {
    {.name = "splat sorting, blending",
     .unit = "splats",
     .on_host = true,
     .rows = {25000, 5000, 100},
     .prepare = prepare_splats,
     .sample = sample_splats,
     .clear = clear_splats},
    {.name = "mesh drawing",
     .unit = "faces",
     .on_host = true,
     .rows = {10240, 1280, 20},
     .prepare = prepare_mesh,
     .sample = sample_mesh,
     .clear = clear_cubes},
    {.name = "mesh extraction",
     .unit = "cubes",
     .on_host = true,
     .rows = {10240, 1280, 20},
     .prepare = prepare_extraction,
     .sample = sample_extraction,
     .clear = clear_cubes},
};
const size_t tess_drawing_operator_count =
    sizeof tess_drawing_operators / sizeof *tess_drawing_operators;
