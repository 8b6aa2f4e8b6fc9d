// Splats: projection on the device, depth order and boxes on the host, blending on the
// device.
//
// In the original a splat is blended in all tiles that the square of 3 standard
// deviations of its longer axis touches. Most of that square is too transparent to count
// (alpha below 1/255): splats are listed only in those of these tiles that they can
// reach, which gives the same picture.
#include "render/splat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/camera.h"
#include "render/tiles.h"

#define LANES  64 // of project_splats
#define RECORD 12
enum { X, Y, A, B, C, OPACITY, RED, GREEN, BLUE, DEPTH, RADIUS };
#define ROWS          DEPTH // what blending reads there
#define CAMERA_FLOATS 15 // rotation, translation, focal length, tangent, samples per axis

#define RADIX_BITS 11
#define RADIX      (1u << RADIX_BITS)

struct job {
    const struct tess_splats *splats; // arrays may be NULL for a plan
    float camera[CAMERA_FLOATS];
    struct tess_mat on_device;   // the camera
    float (*projected)[RECORD];  // [count]
    uint32_t *order;             // of the visible ones, front to back
    struct tess_tile_box *boxes; // in this order
    size_t visible;
    bool shows_depth;
    double front, slope; // of tess_camera_depth()
};

// ---- projection ----

static enum tess_status upload(struct tess_mat *out, struct tess_stage *stage,
                               const float *array, size_t cols, struct tess_tile tile)
{
    TESS_TRY(tess_mat_take(out, stage, tile.rows, cols, TESS_F32, "splats"));
    return tess_mat_write(stage, *out, array ? array + tile.row0 * cols : NULL);
}

static enum tess_status keep_projected(void *user, size_t row0, size_t rows,
                                       const void *data)
{
    struct job *job = user;
    memcpy(job->projected + row0, data, rows * sizeof *job->projected);
    return TESS_OK;
}

static enum tess_status project_tile(struct tess_stage *stage, void *user,
                                     struct tess_tile tile)
{
    struct job *job = user;
    const struct tess_splats *splats = job->splats;
    struct tess_mat out, positions, scales, rotations, opacities, colours;
    TESS_TRY(upload(&positions, stage, splats->positions, 3, tile));
    TESS_TRY(upload(&scales, stage, splats->scales, 3, tile));
    TESS_TRY(upload(&rotations, stage, splats->rotations, 4, tile));
    TESS_TRY(upload(&opacities, stage, splats->opacities, 1, tile));
    TESS_TRY(upload(&colours, stage, splats->colours, 3, tile));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, RECORD, TESS_F32, "projected splats"));
    size_t padded = (tile.rows + LANES - 1) / LANES * LANES;
    TESS_TRY(tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "splat",
            .kernel = "project_splats",
            .global = {padded},
            .local = {LANES, 1, 1},
            .flop = 200.0 * (double)padded,
            .args = {TESS_SLICE(out.data), TESS_SLICE(positions.data),
                     TESS_SLICE(scales.data), TESS_SLICE(rotations.data),
                     TESS_SLICE(opacities.data), TESS_SLICE(colours.data),
                     TESS_SLICE(job->on_device.data), TESS_U32ARG(tile.rows)}}));
    return tess_mat_deliver(stage, out, tile.row0, keep_projected, job);
}

static enum tess_status project(struct tess_stage *stage, void *user)
{
    struct job *job = user;
    TESS_TRY(
        tess_mat_take(&job->on_device, stage, 1, CAMERA_FLOATS, TESS_F32, "a camera"));
    TESS_TRY(tess_mat_write(stage, job->on_device, job->camera));
    return tess_span_run(stage, &(struct tess_span){.name = "splats",
                                                    .rows = job->splats->count,
                                                    .row_align = LANES,
                                                    .comfortable = TESS_SPLATS_AT_A_TIME,
                                                    .run = project_tile,
                                                    .user = job});
}

static void set_camera(struct job *job, const struct tess_camera *camera,
                       uint32_t samples)
{
    struct tess_view view;
    tess_camera_view(&view, camera);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            job->camera[3 * i + k] = (float)view.rotation[i][k];
        job->camera[9 + i] = (float)view.translation[i];
    }
    job->camera[12] = (float)(view.focal * samples);
    job->camera[13] = (float)view.tangent;
    job->camera[14] = (float)samples;
    tess_camera_depth(&job->front, &job->slope, &view);
}

// ---- boxes and order ----

// The offsets at which -(A x x + C y y) / 2 - B x y = -level has its extremes, or
// infinity.
static void reach(double *x, double *y, const float *splat, double level)
{
    double a = splat[A], b = splat[B], c = splat[C], det = a * c - b * b;
    bool ellipse = det > 0 && a > 0 && c > 0;
    *x = ellipse ? sqrt(2 * level * c / det) : INFINITY;
    *y = ellipse ? sqrt(2 * level * a / det) : INFINITY;
}

static uint16_t clamp_tile(double tile, uint32_t across)
{
    return (uint16_t)(tile < 0 ? 0 : tile > across ? across : tile);
}

// The tiles of a splat. Leaves in it how many rows it reaches. False: it leaves no trace.
static bool find_box(struct tess_tile_box *out, float *splat, uint32_t across)
{
    // Beyond where opacity * e^exponent is 1/255. The exponent is rounded when it is
    // computed, so the level gets 1% and the distances a sample more.
    double level = log(255.0 * splat[OPACITY]) * 1.01 + 0.01;
    if (!(splat[RADIUS] > 0) || !(level > 0))
        return false;
    double x, y;
    reach(&x, &y, splat, level);
    x = x * 1.01 + 1;
    y = y * 1.01 + 1;
    // The rule's own tiles, in its arithmetic.
    float r = splat[RADIUS];
    struct tess_tile_box rule = {
        clamp_tile((splat[X] - r) / TESS_TILE, across),
        clamp_tile((splat[Y] - r) / TESS_TILE, across),
        clamp_tile((splat[X] + r + (TESS_TILE - 1)) / TESS_TILE, across),
        clamp_tile((splat[Y] + r + (TESS_TILE - 1)) / TESS_TILE, across)};
    struct tess_tile_box reached = {clamp_tile((splat[X] - x) / TESS_TILE, across),
                                    clamp_tile((splat[Y] - y) / TESS_TILE, across),
                                    clamp_tile((splat[X] + x) / TESS_TILE + 1, across),
                                    clamp_tile((splat[Y] + y) / TESS_TILE + 1, across)};
    out->x0 = rule.x0 > reached.x0 ? rule.x0 : reached.x0;
    out->y0 = rule.y0 > reached.y0 ? rule.y0 : reached.y0;
    out->x1 = rule.x1 < reached.x1 ? rule.x1 : reached.x1;
    out->y1 = rule.y1 < reached.y1 ? rule.y1 : reached.y1;
    splat[ROWS] = (float)fmin(y, 1e9);
    return out->x0 < out->x1 && out->y0 < out->y1;
}

// Sort `order` by keys[order[i]], stably. `spare` has the same size; keys have 32 bits.
static void sort_by_key(uint32_t *order, uint32_t *spare, const uint32_t *keys,
                        size_t count)
{
    for (int shift = 0; shift < 33; shift += RADIX_BITS) {
        size_t starts[RADIX + 1] = {0};
        for (size_t i = 0; i < count; i++)
            starts[(keys[order[i]] >> shift) % RADIX + 1]++;
        for (size_t r = 0; r < RADIX; r++)
            starts[r + 1] += starts[r];
        for (size_t i = 0; i < count; i++)
            spare[starts[(keys[order[i]] >> shift) % RADIX]++] = order[i];
        memcpy(order, spare, count * sizeof *order);
    }
}

static enum tess_status arrange(struct job *job, struct tess_env *env, uint32_t across)
{
    size_t count = job->splats->count;
    struct tess_tile_box *boxes = NULL; // of splats by number
    uint32_t *keys = NULL, *spare = NULL;
    enum tess_status status =
        tess_alloc(&boxes, env, count, sizeof *boxes, "boxes of splats");
    if (!status)
        status = tess_alloc(&keys, env, count, sizeof *keys, "depths of splats");
    if (!status)
        status = tess_alloc(&spare, env, count, sizeof *spare, "depths of splats");
    if (!status)
        status =
            tess_alloc(&job->order, env, count, sizeof *job->order, "depths of splats");
    if (!status)
        status =
            tess_alloc(&job->boxes, env, count, sizeof *job->boxes, "boxes of splats");
    if (!status) {
        for (size_t i = 0; i < count; i++) {
            float *splat = job->projected[i];
            // Depths are positive: as whole numbers their bits have the same order.
            memcpy(&keys[i], &splat[DEPTH], sizeof keys[i]);
            if (job->shows_depth)
                splat[RED] = splat[GREEN] = splat[BLUE] = (float)fmin(
                    fmax(job->front - job->slope * (double)splat[DEPTH], 0), 1);
            if (find_box(&boxes[i], splat, across))
                job->order[job->visible++] = (uint32_t)i;
        }
        sort_by_key(job->order, spare, keys, job->visible);
        for (size_t i = 0; i < job->visible; i++)
            job->boxes[i] = boxes[job->order[i]];
    }
    free(boxes);
    free(keys);
    free(spare);
    return status;
}

static void record(void *user, size_t index, union tess_word *out)
{
    const struct job *job = user;
    memcpy(out, job->projected[job->order[index]], sizeof *job->projected);
}

static struct tess_tiles describe(struct job *job, uint32_t size, uint32_t supersampling)
{
    return (struct tess_tiles){.name = "splat blending",
                               .file = "splat",
                               .raster = "blend_splats",
                               .resolve = "resolve_splats",
                               .flop = 40,
                               .size = size,
                               .supersampling = supersampling,
                               .record_words = RECORD,
                               .count = job->visible,
                               .boxes = job->boxes,
                               .record = record,
                               .user = job};
}

enum tess_status tess_render_splats(struct tess_picture *out,
                                    struct tess_stage_report *reports,
                                    struct tess_device *dev, struct tess_budget *budget,
                                    const struct tess_splats *splats,
                                    const struct tess_camera *camera, uint32_t size,
                                    uint32_t supersampling, enum tess_channel channel)
{
    struct tess_env *env = tess_device_env(dev);
    assert(splats->count <= UINT32_MAX);
    TESS_TRY(tess_tiles_check(&size, &supersampling, 1, env));
    struct job job = {.splats = splats, .shows_depth = channel == TESS_CHANNEL_DEPTH};
    set_camera(&job, camera, size * supersampling);
    TESS_TRY(tess_alloc(&job.projected, env, splats->count, sizeof *job.projected,
                        "projected splats"));
    enum tess_status status =
        tess_stage_run(&reports[0], dev, budget, "splat projection", project, &job);
    if (!status)
        status = arrange(&job, env, tess_tiles_across(size, supersampling));
    if (!status) {
        struct tess_tiles tiles = describe(&job, size, supersampling);
        status = tess_tiles_run(out, &reports[1], dev, budget, &tiles);
    }
    free(job.projected);
    free(job.order);
    free(job.boxes);
    return status;
}

enum tess_status tess_render_splats_plan(struct tess_stage_report *reports,
                                         struct tess_device *dev,
                                         const struct tess_budget *budget, size_t count,
                                         uint32_t size, uint32_t supersampling)
{
    TESS_TRY(tess_tiles_check(&size, &supersampling, 1, tess_device_env(dev)));
    struct job job = {.splats = &(struct tess_splats){.count = count}};
    enum tess_status first = tess_stage_plan(&reports[0], dev, budget, "splat projection",
                                             project, &job, true);
    if (first && first != TESS_ERR_BUDGET)
        return first;
    // If both need more than the budget, the message is of blending, which needs most.
    struct tess_tiles tiles = describe(&job, size, supersampling);
    enum tess_status second = tess_tiles_plan(&reports[1], dev, budget, &tiles);
    return second ? second : first;
}
