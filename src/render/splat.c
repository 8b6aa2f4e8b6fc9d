// Splats: projection and boxes on the device, depth order on the host, blending on the
// device.
//
// In the original a splat is blended in all tiles that the square of 3 standard
// deviations of its longer axis touches. Most of that square is too transparent to count
// (alpha below 1/255): boxes have only those of these tiles that it can reach, which
// gives the same picture. cl/splat.cl has the records.
#include "render/splat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/camera.h"
#include "render/tiles.h"

#define LANES     64 // of project_splats
#define RECORD    12
#define PROJECTED 16 // a record, then:
enum { DEPTH = RECORD, COLUMNS, ROWS };
#define CAMERA_FLOATS 17 // rotation, translation, focal length, tangent, samples; depth

#define RADIX_BITS 11
#define RADIX      (1u << RADIX_BITS)

struct job {
    const struct tess_splats *splats; // arrays may be NULL for a plan
    float camera[CAMERA_FLOATS];
    struct tess_mat on_device;        // the camera
    uint32_t (*projected)[PROJECTED]; // [count], bits of floats and boxes
    uint32_t *order;                  // of the visible ones, front to back
    struct tess_tile_box *boxes;      // in this order
    size_t visible;
    bool shows_depth;
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
    TESS_TRY(
        tess_mat_take(&out, stage, tile.rows, PROJECTED, TESS_F32, "projected splats"));
    size_t padded = (tile.rows + LANES - 1) / LANES * LANES;
    TESS_TRY(
        tess_launch(tess_stage_device(stage),
                    &(struct tess_launch){
                        .file = "splat",
                        .kernel = "project_splats",
                        .global = {padded},
                        .local = {LANES, 1, 1},
                        .flop = 200.0 * (double)padded,
                        .args = {TESS_SLICE(out.data), TESS_SLICE(positions.data),
                                 TESS_SLICE(scales.data), TESS_SLICE(rotations.data),
                                 TESS_SLICE(opacities.data), TESS_SLICE(colours.data),
                                 TESS_SLICE(job->on_device.data), TESS_U32ARG(tile.rows),
                                 TESS_U32ARG(job->shows_depth)}}));
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
    double front, slope;
    tess_camera_depth(&front, &slope, &view);
    job->camera[15] = (float)front;
    job->camera[16] = (float)slope;
}

// ---- order ----

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

static struct tess_tile_box box_of(const uint32_t projected[PROJECTED])
{
    uint32_t columns = projected[COLUMNS], rows = projected[ROWS];
    return (struct tess_tile_box){.x0 = (uint16_t)columns,
                                  .y0 = (uint16_t)rows,
                                  .x1 = (uint16_t)(columns >> 16),
                                  .y1 = (uint16_t)(rows >> 16)};
}

static enum tess_status arrange(struct job *job, struct tess_env *env)
{
    size_t count = job->splats->count;
    uint32_t *keys = NULL, *spare = NULL;
    enum tess_status status =
        tess_alloc(&keys, env, count, sizeof *keys, "depths of splats");
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
            // Depths are positive: as whole numbers their bits have the same order.
            keys[i] = job->projected[i][DEPTH];
            if (job->projected[i][COLUMNS])
                job->order[job->visible++] = (uint32_t)i;
        }
        sort_by_key(job->order, spare, keys, job->visible);
        for (size_t i = 0; i < job->visible; i++)
            job->boxes[i] = box_of(job->projected[job->order[i]]);
    }
    free(keys);
    free(spare);
    return status;
}

static void record(void *user, size_t index, union tess_word *out)
{
    const struct job *job = user;
    memcpy(out, job->projected[job->order[index]], RECORD * sizeof *out);
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
        status = arrange(&job, env);
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
