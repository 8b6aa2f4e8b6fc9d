// Radiance fields: voxels in the order in which rays meet them, and their boxes, on the
// host; marching on the device.
//
// Order: from one voxel to the next a ray moves by one along one axis, away from the
// voxel of the eye. So the sum of distances from that voxel along the axes grows by one
// with each step, and sorting by it is right for all rays at once.
#include "render/radiance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/camera.h"
#include "render/tiles.h"

#define NEAR         0.2
#define HEAD         16                   // words of a record before the vectors
#define LANES        16                   // ranks are padded to a multiple of it
#define C0           0.28209479177387814f // of degree 0 spherical harmonics
#define STEPS        2                    // along an edge, for each element of a vector
#define RECORD_BYTES (128 << 10) // for each tile row of a band, at least one record
#define RECORDS_MAX  2048

struct job {
    const struct tess_radiance *field; // arrays may be NULL for a plan
    enum tess_channel channel;
    struct tess_view view;
    double samples;              // across the picture
    uint32_t ranks;              // padded
    uint32_t *order;             // of the visible voxels, front to back
    struct tess_tile_box *boxes; // in this order
    size_t visible;
};

// ---- boxes and order ----

// A point in voxel edges from the grid's corner, as the camera sees it.
static void view_point(double out[3], const struct job *job, const double at[3])
{
    for (int i = 0; i < 3; i++) {
        out[i] = job->view.translation[i];
        for (int k = 0; k < 3; k++)
            out[i] += job->view.rotation[i][k] * (at[k] / job->field->resolution - 0.5);
    }
}

static uint16_t clamp_tile(double tile, double samples)
{
    double across = ceil(samples / TESS_TILE);
    return (uint16_t)(tile < 0 ? 0 : tile > across ? across : tile);
}

// Low and high samples in x and y that a voxel may reach: those of its corners, and one
// more for rounding. All, if it reaches behind the eye.
static void reach(double low[2], double high[2], const struct job *job, const int32_t *c)
{
    for (int k = 0; k < 2; k++) {
        low[k] = INFINITY;
        high[k] = -INFINITY;
    }
    for (int corner = 0; corner < 8; corner++) {
        double p[3];
        view_point(p, job,
                   (const double[]){c[0] + (corner & 1), c[1] + (corner >> 1 & 1),
                                    c[2] + (corner >> 2)});
        for (int k = 0; k < 2; k++) {
            double at =
                job->view.focal * job->samples * p[k] / p[2] + job->samples / 2 - 0.5;
            low[k] = p[2] > 1e-6 ? fmin(low[k], at - 1) : -INFINITY;
            high[k] = p[2] > 1e-6 ? fmax(high[k], at + 1) : INFINITY;
        }
        if (!(p[2] > 1e-6))
            return;
    }
}

// False: the voxel leaves no trace.
static bool find_box(struct tess_tile_box *box, const struct job *job, const int32_t *c)
{
    double centre[3], low[2], high[2];
    view_point(centre, job, (const double[]){c[0] + 0.5, c[1] + 0.5, c[2] + 0.5});
    if (!(centre[2] > NEAR))
        return false;
    reach(low, high, job, c);
    box->x0 = clamp_tile(floor(low[0] / TESS_TILE), job->samples);
    box->y0 = clamp_tile(floor(low[1] / TESS_TILE), job->samples);
    box->x1 = clamp_tile(floor(high[0] / TESS_TILE) + 1, job->samples);
    box->y1 = clamp_tile(floor(high[1] / TESS_TILE) + 1, job->samples);
    return box->x0 < box->x1 && box->y0 < box->y1;
}

// The voxel of the eye; one that is out of the grid is as good as the nearest beside it,
// because distances then grow alike.
static void eye_voxel(int32_t out[3], const struct job *job)
{
    double resolution = job->field->resolution;
    for (int k = 0; k < 3; k++)
        out[k] = (int32_t)fmin(fmax(floor((job->view.eye[k] + 0.5) * resolution), -1),
                               resolution);
}

static enum tess_status arrange(struct job *job, struct tess_env *env)
{
    const struct tess_radiance *field = job->field;
    size_t N = field->voxels, keys = 3 * (size_t)field->resolution + 4;
    size_t *starts = NULL;
    int32_t eye[3];
    eye_voxel(eye, job);
    enum tess_status status =
        tess_alloc(&job->order, env, N, sizeof *job->order, "an order of voxels");
    if (!status)
        status = tess_alloc(&job->boxes, env, N, sizeof *job->boxes, "boxes of voxels");
    if (!status)
        status = tess_alloc(&starts, env, keys + 1, sizeof *starts, "an order of voxels");
    // Sort by counting: how many have each distance, then where they start.
    for (int pass = 0; pass < 2 && !status; pass++) {
        for (size_t i = 0; i < N; i++) {
            const int32_t *c = field->coords + 3 * i;
            size_t key =
                (size_t)(abs(c[0] - eye[0]) + abs(c[1] - eye[1]) + abs(c[2] - eye[2]));
            if (pass == 0)
                starts[key + 1]++;
            else
                job->order[starts[key]++] = (uint32_t)i;
        }
        for (size_t k = 0; k < keys && pass == 0; k++)
            starts[k + 1] += starts[k];
    }
    for (size_t i = 0; i < N && !status; i++) {
        uint32_t voxel = job->order[i];
        if (find_box(&job->boxes[job->visible], job, field->coords + 3 * (size_t)voxel))
            job->order[job->visible++] = voxel;
    }
    free(starts);
    return status;
}

// ---- drawing ----

// As head of cl/radiance.cl says.
static void record(void *user, size_t index, union tess_word *out)
{
    const struct job *job = user;
    const struct tess_radiance *field = job->field;
    size_t voxel = job->order[index], R = field->rank, D = field->dim, P = job->ranks;
    const float *vectors = field->vectors + voxel * R * 3 * D;
    const float *colours = field->colours + voxel * R * 3;
    memset(out, 0, (HEAD + (3 * D + 4) * P) * sizeof *out);
    for (size_t k = 0; k < 3; k++)
        out[k].f32 = (float)field->coords[3 * voxel + k];
    union tess_word *to = out + HEAD, *last = to + 3 * D * P;
    for (size_t r = 0; r < R; r++) {
        for (size_t i = 0; i < 3 * D; i++)
            to[i * P + r].f32 = vectors[r * 3 * D + i];
        last[r].f32 = field->densities[voxel * R + r];
        for (size_t k = 0; k < 3; k++)
            last[(1 + k) * P + r].f32 = C0 * colours[3 * r + k];
    }
}

// Eye and rays in voxel edges from the grid's corner.
static void set_camera(struct tess_arg args[12], const struct job *job)
{
    const struct tess_view *view = &job->view;
    double size = 2 * view->tangent / job->samples; // of a sample, at depth 1
    for (int k = 0; k < 3; k++) {
        double right = size * view->rotation[0][k], down = size * view->rotation[1][k];
        double corner = view->rotation[2][k] + (0.5 - job->samples / 2) * (right + down);
        double eye = (view->eye[k] + 0.5) * job->field->resolution;
        const double values[4] = {eye, corner, right, down};
        for (int i = 0; i < 4; i++)
            args[3 * i + k] = (struct tess_arg)TESS_F32ARG((float)values[i]);
    }
}

static struct tess_tiles describe(struct job *job, uint32_t size, uint32_t supersampling)
{
    const struct tess_radiance *field = job->field;
    size_t words = HEAD + (3 * (size_t)field->dim + 4) * job->ranks;
    size_t records = RECORD_BYTES / (words * sizeof(float));
    struct tess_tiles tiles = {
        .name = "radiance drawing",
        .file = "radiance",
        .raster = "draw_radiance",
        .resolve_file = "splat",
        .resolve = "resolve_splats",
        // Of a tile's samples, those that a voxel covers and nothing hides.
        .flop = 4.0 * field->dim * job->ranks,
        .size = size,
        .supersampling = supersampling,
        .record_words = words,
        .records_per_row = records < 1             ? 1
                           : records > RECORDS_MAX ? RECORDS_MAX
                                                   : records,
        .count = job->visible,
        .boxes = job->boxes,
        .record = record,
        .user = job};
    double front, slope;
    tess_camera_depth(&front, &slope, &job->view);
    double edge = 1.0 / field->resolution;
    set_camera(tiles.extra, job);
    const struct tess_arg others[] = {
        TESS_U32ARG(field->dim),
        TESS_U32ARG(job->ranks),
        TESS_F32ARG((float)(edge / (STEPS * field->dim))),
        TESS_U32ARG(job->channel == TESS_CHANNEL_DEPTH),
        TESS_F32ARG((float)front),
        TESS_F32ARG((float)(slope * edge)),
    };
    memcpy(tiles.extra + 12, others, sizeof others);
    return tiles;
}

static struct job make_job(const struct tess_radiance *field,
                           const struct tess_camera *camera, double samples)
{
    struct job job = {.field = field,
                      .samples = samples,
                      .ranks = (field->rank + LANES - 1) / LANES * LANES};
    tess_camera_view(&job.view, camera);
    return job;
}

enum tess_status tess_render_radiance(struct tess_picture *out,
                                      struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_radiance *field,
                                      const struct tess_camera *camera, uint32_t size,
                                      uint32_t supersampling, enum tess_channel channel)
{
    struct tess_env *env = tess_device_env(dev);
    TESS_TRY(tess_tiles_check(&size, &supersampling, 4, env));
    struct job job = make_job(field, camera, (double)size * supersampling);
    job.channel = channel;
    enum tess_status status = arrange(&job, env);
    if (!status) {
        struct tess_tiles tiles = describe(&job, size, supersampling);
        status = tess_tiles_run(out, report, dev, budget, &tiles);
    }
    free(job.order);
    free(job.boxes);
    return status;
}

enum tess_status tess_render_radiance_plan(struct tess_stage_report *report,
                                           struct tess_device *dev,
                                           const struct tess_budget *budget,
                                           const struct tess_radiance *field,
                                           uint32_t size, uint32_t supersampling)
{
    TESS_TRY(tess_tiles_check(&size, &supersampling, 4, tess_device_env(dev)));
    struct job job =
        make_job(field, &(struct tess_camera){0}, (double)size * supersampling);
    struct tess_tiles tiles = describe(&job, size, supersampling);
    return tess_tiles_plan(report, dev, budget, &tiles);
}
