// What is timed as a whole, host and device: splats and meshes to pictures, and the
// extraction of meshes, which is the host's alone.
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/cubes.h"
#include "bench/measure.h"
#include "bench/object.h"
#include "render/mesh.h"
#include "render/splat.h"

#define PICTURE_SIZE  512
#define MESH_SAMPLES  4  // per axis
#define GYROID_PERIOD 24 // cubes

static const struct tess_camera camera = {.yaw = 0.5f, .pitch = 0.35f};

// ---- splats ----

static enum tess_status prepare_splats(struct tess_measure *measure)
{
    struct tess_env *env = &measure->ctx->env;
    struct tess_splats *splats = NULL;
    struct tess_voxels voxels = {0};
    TESS_TRY(tess_alloc(&splats, env, 1, sizeof *splats, "splats"));
    measure->inputs = splats;
    TESS_TRY(tess_bench_shell(&voxels, env, measure->rows));
    enum tess_status status = tess_bench_splats(splats, env, voxels.coords, measure->rows,
                                                TESS_BENCH_RESOLUTION);
    tess_voxels_clear(&voxels);
    TESS_TRY(status);
    tess_measure_size(measure, "%zu splats, %d x %d pixels", splats->count, PICTURE_SIZE,
                      PICTURE_SIZE);
    measure->rate->rows = splats->count;
    measure->rate->work = (double)splats->count;
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
    struct tess_stage_report report;
    struct tess_picture picture;
    TESS_TRY(tess_render_splats(&picture, &report, measure->ctx->device,
                                &measure->ctx->budget, measure->inputs, &camera,
                                PICTURE_SIZE, 1, TESS_CHANNEL_COLOUR));
    tess_picture_clear(&picture);
    *kernel = 1e-9 * (double)report.counters.kernel_ns;
    return TESS_OK;
}

// ---- meshes ----

struct shown {
    struct tess_bench_cubes cubes;
    struct tess_mesh mesh;
};

// A surface through all of space.
static float gyroid(const int32_t at[3], const void *user)
{
    const double a = 2 * 3.14159265358979324 / GYROID_PERIOD;
    double x = a * at[0], y = a * at[1], z = a * at[2];
    (void)user;
    return (float)(sin(x) * cos(y) + sin(y) * cos(z) + sin(z) * cos(x));
}

static enum tess_status make_cubes(struct tess_bench_cubes *cubes, struct tess_env *env,
                                   size_t voxels)
{
    struct tess_voxels shell = {0};
    TESS_TRY(tess_bench_shell(&shell, env, voxels));
    enum tess_status status = tess_bench_cubes_create(
        cubes, env, shell.coords, voxels, TESS_BENCH_RESOLUTION, gyroid, NULL);
    tess_voxels_clear(&shell);
    return status;
}

static enum tess_status prepare_extraction(struct tess_measure *measure)
{
    struct shown *shown = NULL;
    TESS_TRY(tess_alloc(&shown, &measure->ctx->env, 1, sizeof *shown, "cubes"));
    measure->inputs = shown;
    TESS_TRY(make_cubes(&shown->cubes, &measure->ctx->env, measure->rows));
    tess_measure_size(measure, "%zu cubes", shown->cubes.count);
    measure->rate->rows = shown->cubes.count;
    measure->rate->work = (double)shown->cubes.count;
    return TESS_OK;
}

// The mesh only, and how many faces it has.
static enum tess_status prepare_mesh(struct tess_measure *measure)
{
    struct shown *shown;
    TESS_TRY(prepare_extraction(measure));
    shown = measure->inputs;
    TESS_TRY(tess_bench_cubes_extract(&shown->mesh, &measure->ctx->env, &shown->cubes));
    tess_bench_cubes_clear(&shown->cubes);
    TESS_TRY(tess_mesh_normals(&shown->mesh, &measure->ctx->env));
    tess_measure_size(measure, "%zu faces, %d x %d pixels", shown->mesh.faces,
                      PICTURE_SIZE, PICTURE_SIZE);
    measure->rate->rows = shown->mesh.faces;
    measure->rate->work = (double)shown->mesh.faces;
    return TESS_OK;
}

static void clear_shown(struct tess_measure *measure)
{
    struct shown *shown = measure->inputs;
    if (shown) {
        tess_bench_cubes_clear(&shown->cubes);
        tess_mesh_clear(&shown->mesh);
    }
    free(shown);
    measure->inputs = NULL;
}

static enum tess_status draw_mesh(double *kernel, struct tess_measure *measure)
{
    const struct shown *shown = measure->inputs;
    struct tess_stage_report report;
    struct tess_picture picture;
    TESS_TRY(tess_render_mesh(&picture, &report, measure->ctx->device,
                              &measure->ctx->budget, &shown->mesh, &camera, PICTURE_SIZE,
                              MESH_SAMPLES, TESS_CHANNEL_COLOUR));
    tess_picture_clear(&picture);
    *kernel = 1e-9 * (double)report.counters.kernel_ns;
    return TESS_OK;
}

static enum tess_status extract(double *kernel, struct tess_measure *measure)
{
    const struct shown *shown = measure->inputs;
    struct tess_mesh mesh = {0};
    TESS_TRY(tess_bench_cubes_extract(&mesh, &measure->ctx->env, &shown->cubes));
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
    return sample_call(measure, extract);
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
     .clear = clear_shown},
    {.name = "mesh extraction",
     .unit = "cubes",
     .on_host = true,
     .rows = {10240, 1280, 20},
     .prepare = prepare_extraction,
     .sample = sample_extraction,
     .clear = clear_shown},
};
const size_t tess_drawing_operator_count =
    sizeof tess_drawing_operators / sizeof *tess_drawing_operators;
