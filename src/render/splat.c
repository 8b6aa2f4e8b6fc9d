// Splats: projection, boxes and depth order on the device, lists of tiles on the host,
// blending on the device.
//
// In the original a splat is blended in all tiles that the square of 3 standard
// deviations of its longer axis touches. Most of that square is too transparent to count
// (alpha below 1/255): boxes have only those of these tiles that it can reach, which
// gives the same picture. cl/splat.cl has the records.
//
// Where there are many and the budget allows, records stay on the device, and so do the
// splats themselves for several views; else they come by in parts,
// each sorted on the device, which the host merges. Where records stay, a CPU needs no
// lists: there the order stays on the device, too, and rows of tiles look for their
// splats themselves. So nothing is waited for between views.
#include "render/splat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "op/sort.h"
#include "render/camera.h"
#include "render/tiles.h"

#define LANES         64  // of a group
#define WIDTH         16  // splats that a work-item projects on CPUs
#define PACKED        16  // numbers of a splat's row, as in cl/splat.cl
#define ROW_ALIGN     128 // splats: rows of every array start where buffers may
#define RECORD        12
#define CAMERA_FLOATS 17 // rotation, translation, focal length, tangent, samples; depth
#define UNSEEN        UINT32_MAX // key

enum { POSITIONS, SCALES, ROTATIONS, OPACITIES, COLOURS, ARRAYS };
static const size_t columns_of[ARRAYS] = {3, 3, 4, 1, 3};

// What the host has of a view. Arrays have room for all splats.
struct arranged {
    size_t part;                      // splats that were sorted together
    uint32_t *keys, *spare_keys;      // front to back, UNSEEN ones last
    uint32_t *order, *spare_order;    // numbers of splats with these keys
    uint32_t (*boxes)[2];             // by number, as cl/splat.cl tells
    float (*records)[RECORD];         // by number; NULL if they stay on the device
    struct tess_tile_box *tile_boxes; // in the order
    size_t seen;
};

struct job {
    const struct tess_splats *splats; // arrays may be NULL for a plan
    const struct tess_splat_views *views;
    uint32_t size, supersampling;
    // On the device, for all views.
    struct tess_mat camera, records, arrays[ARRAYS];
    bool keeps_records, keeps_arrays;
    // For strips.
    bool in_strips;
    struct tess_mat packed, columns, rows, pixels;
    struct arranged host;
};

// ---- projection ----

static const float *array_of(const struct tess_splats *splats, size_t array)
{
    const float *arrays[ARRAYS] = {splats->positions, splats->scales, splats->rotations,
                                   splats->opacities, splats->colours};
    return arrays[array];
}

// Rows of an array of splats.
static enum tess_status upload(struct tess_mat *out, struct tess_stage *stage,
                               const struct job *job, size_t array, struct tess_tile tile)
{
    const float *from = array_of(job->splats, array);
    size_t cols = columns_of[array];
    TESS_TRY(tess_mat_take(out, stage, tile.rows, cols, TESS_F32, "splats"));
    return tess_mat_write(stage, *out, from ? from + tile.row0 * cols : NULL);
}

static size_t padded(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

// Work-items of kernels that project.
static size_t projectors(struct tess_stage *stage, size_t count)
{
    bool wide = tess_device_variant(tess_stage_device(stage)) == TESS_VARIANT_CPU;
    return padded(wide ? (count + WIDTH - 1) / WIDTH : count);
}

static enum tess_status pack_tile(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct job *job = user;
    struct tess_mat to = tess_mat_rows(job->packed, tile.row0, tile.rows), from[ARRAYS];
    for (size_t i = 0; i < ARRAYS; i++)
        TESS_TRY(upload(&from[i], stage, job, i, tile));
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "splat",
                              .kernel = "pack_splats",
                              .global = {padded(tile.rows)},
                              .local = {LANES, 1, 1},
                              .args = {TESS_SLICE(to.data), TESS_SLICE(from[0].data),
                                       TESS_SLICE(from[1].data), TESS_SLICE(from[2].data),
                                       TESS_SLICE(from[3].data), TESS_SLICE(from[4].data),
                                       TESS_U32ARG(tile.rows)}});
}

static enum tess_status take_for_strips(struct tess_stage *stage, struct job *job)
{
    static const char *const tag = "splats in order";
    size_t count = job->splats->count;
    TESS_TRY(tess_mat_take(&job->packed, stage, count, PACKED, TESS_F32, "splats"));
    TESS_TRY(tess_mat_take(&job->records, stage, count, RECORD, TESS_F32, tag));
    TESS_TRY(tess_mat_take(&job->columns, stage, padded(count), 1, TESS_U32, tag));
    TESS_TRY(tess_mat_take(&job->rows, stage, padded(count), 1, TESS_U32, tag));
    TESS_TRY(
        tess_mat_take(&job->pixels, stage, job->size, 4 * job->size, TESS_U8, "pixels"));
    return tess_span_run(stage, &(struct tess_span){.name = "packing splats",
                                                    .rows = count,
                                                    .row_align = ROW_ALIGN,
                                                    .comfortable = TESS_SPLATS_AT_A_TIME,
                                                    .run = pack_tile,
                                                    .user = job});
}

// What all views share.
static enum tess_status take_for_all(struct tess_stage *stage, struct job *job)
{
    struct tess_tile all = {0, job->splats->count};
    bool wide = tess_device_variant(tess_stage_device(stage)) == TESS_VARIANT_CPU;
    // With fewer it could need less than the most frugal plan, which the floor is of.
    bool stays = all.rows > TESS_SPLATS_AT_A_TIME && tess_stage_resident(stage);
    TESS_TRY(tess_mat_take(&job->camera, stage, 1, CAMERA_FLOATS, TESS_F32, "a camera"));
    job->in_strips = stays && wide;
    job->keeps_records = stays && !wide;
    job->keeps_arrays = job->keeps_records && job->views->count > 1;
    if (job->in_strips)
        return take_for_strips(stage, job);
    if (job->keeps_records)
        TESS_TRY(tess_mat_take(&job->records, stage, all.rows, RECORD, TESS_F32,
                               "projected splats"));
    for (size_t i = 0; i < ARRAYS && job->keeps_arrays; i++)
        TESS_TRY(upload(&job->arrays[i], stage, job, i, all));
    return TESS_OK;
}

static enum tess_status project(struct tess_stage *stage, const struct job *job,
                                struct tess_mat records, struct tess_mat keys,
                                struct tess_mat boxes, const struct tess_mat *arrays)
{
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "splat",
            .kernel = "project_splats",
            .global = {projectors(stage, keys.rows)},
            .local = {LANES, 1, 1},
            .flop = 200.0 * (double)padded(keys.rows),
            .args = {TESS_SLICE(records.data), TESS_SLICE(keys.data),
                     TESS_SLICE(boxes.data), TESS_SLICE(arrays[POSITIONS].data),
                     TESS_SLICE(arrays[SCALES].data), TESS_SLICE(arrays[ROTATIONS].data),
                     TESS_SLICE(arrays[OPACITIES].data), TESS_SLICE(arrays[COLOURS].data),
                     TESS_SLICE(job->camera.data), TESS_U32ARG(keys.rows),
                     TESS_U32ARG(job->views->channel == TESS_CHANNEL_DEPTH)}});
}

static enum tess_status project_tile(struct tess_stage *stage, void *user,
                                     struct tess_tile tile)
{
    struct job *job = user;
    struct arranged *host = &job->host;
    struct tess_mat records, keys, places, boxes, arrays[ARRAYS];
    struct tess_device *dev = tess_stage_device(stage);
    bool dry = tess_device_dry(dev);
    for (size_t i = 0; i < ARRAYS; i++)
        if (job->keeps_arrays)
            arrays[i] = tess_mat_rows(job->arrays[i], tile.row0, tile.rows);
        else
            TESS_TRY(upload(&arrays[i], stage, job, i, tile));
    if (job->keeps_records)
        records = tess_mat_rows(job->records, tile.row0, tile.rows);
    else
        TESS_TRY(tess_mat_take(&records, stage, tile.rows, RECORD, TESS_F32,
                               "projected splats"));
    TESS_TRY(tess_mat_take(&keys, stage, tile.rows, 1, TESS_U32, "depths of splats"));
    TESS_TRY(tess_mat_take(&boxes, stage, tile.rows, 2, TESS_U32, "boxes of splats"));
    TESS_TRY(project(stage, job, records, keys, boxes, arrays));
    TESS_TRY(tess_sort(&places, stage, keys));
    host->part = tile.row0 == 0 ? tile.rows : host->part;
    if (!job->keeps_records)
        TESS_TRY(
            tess_slice_read(dev, records.data, dry ? NULL : host->records[tile.row0]));
    TESS_TRY(tess_slice_read(dev, keys.data, dry ? NULL : host->keys + tile.row0));
    TESS_TRY(tess_slice_read(dev, places.data, dry ? NULL : host->order + tile.row0));
    return tess_slice_read(dev, boxes.data, dry ? NULL : host->boxes[tile.row0]);
}

// All of them: sorted, and projected in order.
static enum tess_status project_all(struct tess_stage *stage, void *user,
                                    struct tess_tile tile)
{
    const struct job *job = user;
    struct tess_device *dev = tess_stage_device(stage);
    struct tess_mat keys, places;
    size_t count = job->splats->count;
    (void)tile;
    TESS_TRY(tess_mat_take(&keys, stage, count, 1, TESS_U32, "depths of splats"));
    TESS_TRY(tess_launch(dev, &(struct tess_launch){.file = "splat",
                                                    .kernel = "find_depths",
                                                    .global = {projectors(stage, count)},
                                                    .local = {LANES, 1, 1},
                                                    .flop = 6.0 * (double)count,
                                                    .args = {TESS_SLICE(keys.data),
                                                             TESS_SLICE(job->packed.data),
                                                             TESS_SLICE(job->camera.data),
                                                             TESS_U32ARG(count)}}));
    TESS_TRY(tess_sort(&places, stage, keys));
    return tess_launch(
        dev, &(struct tess_launch){
                 .file = "splat",
                 .kernel = "project_in_order",
                 .global = {projectors(stage, job->rows.rows)},
                 .local = {LANES, 1, 1},
                 .flop = 200.0 * (double)count,
                 .args = {TESS_SLICE(job->records.data), TESS_SLICE(job->columns.data),
                          TESS_SLICE(job->rows.data), TESS_SLICE(job->packed.data),
                          TESS_SLICE(places.data), TESS_SLICE(job->camera.data),
                          TESS_U32ARG(count),
                          TESS_U32ARG(job->views->channel == TESS_CHANNEL_DEPTH)}});
}

static enum tess_status set_camera(struct tess_stage *stage, const struct job *job,
                                   size_t view)
{
    float numbers[CAMERA_FLOATS] = {0};
    if (!tess_device_dry(tess_stage_device(stage))) {
        struct tess_camera camera = job->views->camera(job->views->user, view);
        struct tess_view seen;
        double front, slope;
        tess_camera_view(&seen, &camera);
        tess_camera_depth(&front, &slope, &seen);
        for (int i = 0; i < 3; i++) {
            for (int k = 0; k < 3; k++)
                numbers[3 * i + k] = (float)seen.rotation[i][k];
            numbers[9 + i] = (float)seen.translation[i];
        }
        uint32_t samples = job->size * job->supersampling;
        numbers[12] = (float)(seen.focal * samples);
        numbers[13] = (float)seen.tangent;
        numbers[14] = (float)samples;
        numbers[15] = (float)front;
        numbers[16] = (float)slope;
    }
    return tess_mat_write(stage, job->camera, numbers);
}

// ---- order ----

// Merge the sorted stretches [from, middle) and [middle, end) of keys and order into the
// spare ones, stably.
static void merge(struct arranged *host, size_t from, size_t middle, size_t end)
{
    size_t a = from, b = middle;
    for (size_t i = from; i < end; i++) {
        size_t next =
            b == end || (a < middle && host->keys[a] <= host->keys[b]) ? a++ : b++;
        host->spare_keys[i] = host->keys[next];
        host->spare_order[i] = host->order[next];
    }
}

static void swap(uint32_t **a, uint32_t **b)
{
    uint32_t *kept = *a;
    *a = *b;
    *b = kept;
}

// Make one sorted sequence of the parts.
static void merge_parts(struct arranged *host, size_t count)
{
    for (size_t width = host->part; width < count; width *= 2) {
        for (size_t from = 0; from < count; from += 2 * width) {
            size_t middle = count - from < width ? count : from + width;
            size_t end = count - middle < width ? count : middle + width;
            merge(host, from, middle, end);
        }
        swap(&host->keys, &host->spare_keys);
        swap(&host->order, &host->spare_order);
    }
}

static struct tess_tile_box box_of(const uint32_t box[2])
{
    return (struct tess_tile_box){.x0 = (uint16_t)box[0],
                                  .y0 = (uint16_t)box[1],
                                  .x1 = (uint16_t)(box[0] >> 16),
                                  .y1 = (uint16_t)(box[1] >> 16)};
}

static void arrange(struct arranged *host, size_t count)
{
    for (size_t i = host->part; i < count; i++) // places are those in a part
        host->order[i] += (uint32_t)(i - i % host->part);
    merge_parts(host, count);
    host->seen = 0;
    while (host->seen < count && host->keys[host->seen] != UNSEEN)
        host->seen++;
    for (size_t i = 0; i < host->seen; i++)
        host->tile_boxes[i] = box_of(host->boxes[host->order[i]]);
}

// Once, for all views.
static enum tess_status make_room(struct job *job, struct tess_env *env)
{
    static const char *const tag = "depths of splats";
    struct arranged *host = &job->host;
    size_t count = job->splats->count;
    uint32_t **arrays[] = {&host->keys, &host->spare_keys, &host->order,
                           &host->spare_order};
    if (host->keys)
        return TESS_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        TESS_TRY(tess_alloc(arrays[i], env, count, sizeof **arrays[i], tag));
    TESS_TRY(tess_alloc(&host->boxes, env, count, sizeof *host->boxes, tag));
    TESS_TRY(tess_alloc(&host->tile_boxes, env, count, sizeof *host->tile_boxes, tag));
    if (job->keeps_records)
        return TESS_OK;
    return tess_alloc(&host->records, env, count, sizeof *host->records,
                      "projected splats");
}

static void free_room(struct arranged *host)
{
    free(host->keys);
    free(host->spare_keys);
    free(host->order);
    free(host->spare_order);
    free(host->boxes);
    free(host->records);
    free(host->tile_boxes);
}

// ---- views ----

static void record(void *user, size_t index, union tess_word *out)
{
    const struct arranged *host = user;
    memcpy(out, host->records[host->order[index]], sizeof *host->records);
}

static struct tess_tiles describe(struct job *job)
{
    struct arranged *host = &job->host;
    return (struct tess_tiles){
        .name = job->views->name,
        .file = "splat",
        .raster = "blend_splats",
        .resolve = "resolve_splats",
        .flop = 40,
        .size = job->size,
        .supersampling = job->supersampling,
        .record_words = RECORD,
        .count = host->seen,
        .boxes = host->tile_boxes,
        .record = record,
        .user = host,
        .records = job->keeps_records ? job->records.data : (struct tess_slice){0},
        .places = host->order,
        .strips = {.kernel = job->in_strips ? "blend_strips" : NULL,
                   .records = job->records.data,
                   .columns = job->columns.data,
                   .rows = job->rows.data,
                   .count = job->splats->count,
                   .pixels = job->pixels}};
}

static enum tess_status begin(void *user, struct tess_stage *stage, size_t view,
                              struct tess_tiles *tiles)
{
    struct job *job = user;
    size_t count = job->splats->count;
    bool dry = tess_device_dry(tess_stage_device(stage));
    if (view == 0)
        TESS_TRY(take_for_all(stage, job));
    TESS_TRY(set_camera(stage, job, view));
    struct tess_span span = {.name = "splats", .user = job};
    if (job->in_strips) {
        span.rows = 1;
        span.run = project_all;
    } else {
        span.rows = count;
        span.row_align = ROW_ALIGN;
        span.comfortable = job->keeps_arrays ? 0 : TESS_SPLATS_AT_A_TIME;
        span.run = project_tile;
        if (!dry)
            TESS_TRY(make_room(job, tess_stage_env(stage)));
    }
    TESS_TRY(tess_span_run(stage, &span));
    if (!dry && !job->in_strips)
        arrange(&job->host, count);
    *tiles = describe(job);
    return TESS_OK;
}

static enum tess_status end(void *user, size_t view, const struct tess_picture *picture)
{
    const struct job *job = user;
    return job->views->see(job->views->user, view, picture);
}

static uint8_t *pixels_of(void *user, size_t view)
{
    const struct job *job = user;
    return job->views->pixels(job->views->user, view);
}

static enum tess_status make_job(struct job *out, struct tess_env *env,
                                 const struct tess_splats *splats,
                                 const struct tess_splat_views *views)
{
    *out = (struct job){.splats = splats,
                        .views = views,
                        .size = views->size,
                        .supersampling = views->supersampling};
    assert(splats->count <= UINT32_MAX);
    return tess_tiles_check(&out->size, &out->supersampling, 1, env);
}

static struct tess_tiles_views views_of(struct job *job)
{
    return (struct tess_tiles_views){.count = job->views->count,
                                     .begin = begin,
                                     .begins_on_device = true,
                                     .pixels = job->views->pixels ? pixels_of : NULL,
                                     .end = job->views->see ? end : NULL,
                                     .user = job};
}

enum tess_status tess_render_splat_views(struct tess_stage_report *report,
                                         struct tess_device *dev,
                                         const struct tess_budget *budget,
                                         const struct tess_splats *splats,
                                         const struct tess_splat_views *views)
{
    struct tess_env *env = tess_device_env(dev);
    struct job job;
    TESS_TRY(make_job(&job, env, splats, views));
    struct tess_tiles tiles = describe(&job);
    struct tess_tiles_views all = views_of(&job);
    enum tess_status status = tess_tiles_run_views(report, dev, budget, &tiles, &all);
    free_room(&job.host);
    return status;
}

enum tess_status tess_render_splat_views_plan(struct tess_stage_report *report,
                                              struct tess_device *dev,
                                              const struct tess_budget *budget,
                                              size_t count,
                                              const struct tess_splat_views *views)
{
    struct tess_splats splats = {.count = count};
    struct job job;
    TESS_TRY(make_job(&job, tess_device_env(dev), &splats, views));
    struct tess_tiles tiles = describe(&job);
    struct tess_tiles_views all = views_of(&job);
    return tess_tiles_plan_views(report, dev, budget, &tiles, &all);
}

// ---- a single view ----

#define NAME "splat drawing"

struct single {
    struct tess_camera camera;
    struct tess_env *env;
    struct tess_picture *out;
};

static struct tess_camera single_camera(void *user, size_t view)
{
    const struct single *single = user;
    (void)view;
    return single->camera;
}

static enum tess_status keep_single(void *user, size_t view,
                                    const struct tess_picture *picture)
{
    const struct single *single = user;
    (void)view;
    TESS_TRY(
        tess_picture_create(single->out, single->env, picture->width, picture->height));
    memcpy(single->out->pixels, picture->pixels,
           4 * (size_t)picture->width * picture->height);
    return TESS_OK;
}

enum tess_status
tess_render_splats(struct tess_picture *out, struct tess_stage_report *report,
                   struct tess_device *dev, const struct tess_budget *budget,
                   const struct tess_splats *splats, const struct tess_camera *camera,
                   uint32_t size, uint32_t supersampling, enum tess_channel channel)
{
    struct tess_picture picture = {0};
    struct single single = {*camera, tess_device_env(dev), &picture};
    struct tess_splat_views views = {.name = NAME,
                                     .count = 1,
                                     .size = size,
                                     .supersampling = supersampling,
                                     .channel = channel,
                                     .camera = single_camera,
                                     .see = keep_single,
                                     .user = &single};
    enum tess_status status =
        tess_render_splat_views(report, dev, budget, splats, &views);
    if (status)
        tess_picture_clear(&picture);
    else
        *out = picture;
    return status;
}

enum tess_status tess_render_splats_plan(struct tess_stage_report *report,
                                         struct tess_device *dev,
                                         const struct tess_budget *budget, size_t count,
                                         uint32_t size, uint32_t supersampling)
{
    struct tess_splat_views views = {
        .name = NAME, .count = 1, .size = size, .supersampling = supersampling};
    return tess_render_splat_views_plan(report, dev, budget, count, &views);
}
