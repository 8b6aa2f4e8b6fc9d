// Lists of things per tile, and the stage that works through them.
//
// A band is a number of tile rows. Its things are taken in order, as many at a time as
// its buffers hold: a segment. The host sorts each segment into lists, stably, by
// counting.
//
// Bands end on rows of pixels as well as on rows of tiles, so a unit of bands is lcm(16,
// S) rows of samples for a supersampling of S.
#include "render/tiles.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// Per tile row of a band. One thing may be in every tile of the band, so there are at
// least that many entries; beyond, more memory only saves launches.
#define RECORDS_PER_ROW 2048
#define ENTRIES_PER_ROW 4096
// Tiles of a band beyond which a launch gains nothing: some ten groups for each of the
// largest GPUs' compute units.
#define COMFORTABLE_TILES 4096
#define STATE_FLOATS      (4 * TESS_TILE * TESS_TILE)
#define RESOLVE_LANES     64

// Rows [y0, y1) of tiles, and how much fits into a segment.
struct band {
    uint32_t y0, y1;
    size_t record_max, entry_max;
};

// On the host.
struct segment {
    size_t tile_rows; // of the bands that it has room for
    size_t count, entries;
    size_t *things;    // [record_max]
    uint32_t *offsets; // [tiles + 1]
    uint32_t *list;    // [entry_max]
    union tess_word *records;
};

struct job {
    const struct tess_tiles *tiles;
    uint32_t cols;        // tiles across
    uint32_t unit_tiles;  // rows of tiles of a unit
    uint32_t unit_pixels; // rows of pixels
    uint32_t units;
    uint8_t *pixels;        // of the picture
    struct segment segment; // kept from band to band
};

// On the device.
struct buffers {
    struct tess_mat state, offsets, list, records;
};

uint32_t tess_tiles_across(uint32_t size, uint32_t supersampling)
{
    return (size * supersampling + TESS_TILE - 1) / TESS_TILE;
}

enum tess_status tess_tiles_check(uint32_t *size, uint32_t *supersampling,
                                  uint32_t default_supersampling, struct tess_env *env)
{
    if (*size > TESS_PICTURE_SIZE_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "pictures of %u pixels are beyond the largest, %d",
                         (unsigned)*size, TESS_PICTURE_SIZE_MAX);
    if (*supersampling > TESS_SUPERSAMPLING_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "supersampling of %u is beyond the largest, %d",
                         (unsigned)*supersampling, TESS_SUPERSAMPLING_MAX);
    *size = *size ? *size : TESS_PICTURE_SIZE_DEFAULT;
    *supersampling = *supersampling ? *supersampling : default_supersampling;
    return TESS_OK;
}

// ---- segments ----

static size_t band_tiles(const struct job *job, const struct band *band)
{
    return (size_t)job->cols * (band->y1 - band->y0);
}

// The box without the rows beyond the band. False: nothing is left.
static bool clip_box(struct tess_tile_box *out, const struct job *job,
                     const struct band *band, size_t thing)
{
    struct tess_tile_box box = job->tiles->boxes[thing];
    assert(box.x1 <= job->cols);
    if (box.y0 < band->y0)
        box.y0 = (uint16_t)band->y0;
    if (box.y1 > band->y1)
        box.y1 = (uint16_t)band->y1;
    *out = box;
    return box.x0 < box.x1 && box.y0 < box.y1;
}

// Take things from `cursor` on while they fit. Returns where the next segment starts.
static size_t pick_things(struct segment *segment, const struct job *job,
                          const struct band *band, size_t cursor)
{
    segment->count = segment->entries = 0;
    for (; cursor < job->tiles->count; cursor++) {
        struct tess_tile_box box;
        if (!clip_box(&box, job, band, cursor))
            continue;
        size_t entries = (size_t)(box.x1 - box.x0) * (size_t)(box.y1 - box.y0);
        if (segment->count == band->record_max ||
            segment->entries + entries > band->entry_max)
            break;
        segment->things[segment->count++] = cursor;
        segment->entries += entries;
    }
    return cursor;
}

// Make lists and records of the things that were picked. In the end offsets[t] is where
// the list of tile t starts.
static void sort_things(struct segment *segment, const struct job *job,
                        const struct band *band)
{
    const struct tess_tiles *tiles = job->tiles;
    size_t total = band_tiles(job, band);
    uint32_t *offsets = segment->offsets;
    memset(offsets, 0, (total + 1) * sizeof *offsets);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < segment->count; i++) {
            struct tess_tile_box box;
            clip_box(&box, job, band, segment->things[i]);
            for (size_t y = box.y0 - band->y0; y < box.y1 - band->y0; y++)
                for (size_t t = y * job->cols + box.x0; t < y * job->cols + box.x1; t++)
                    if (pass == 0)
                        offsets[t]++;
                    else
                        segment->list[offsets[t]++] = (uint32_t)i;
        }
        // Counts become starts; and ends, which are the next starts, become starts again.
        uint32_t sum = 0;
        for (size_t t = 0; t <= total; t++) {
            uint32_t value = offsets[t];
            offsets[t] = sum;
            sum = pass == 0 ? sum + value : value;
        }
    }
    for (size_t i = 0; i < segment->count; i++)
        tiles->record(tiles->user, segment->things[i],
                      segment->records + i * tiles->record_words);
}

static void free_segment(struct segment *segment)
{
    free(segment->things);
    free(segment->offsets);
    free(segment->list);
    free(segment->records);
    *segment = (struct segment){0};
}

// Have room for the band.
static enum tess_status ready_segment(struct tess_env *env, struct job *job,
                                      const struct band *band)
{
    struct segment segment = {.tile_rows = band->y1 - band->y0};
    if (job->segment.tile_rows >= segment.tile_rows)
        return TESS_OK;
    free_segment(&job->segment);
    enum tess_status status = tess_alloc(&segment.things, env, band->record_max,
                                         sizeof *segment.things, "lists of tiles");
    if (!status)
        status = tess_alloc(&segment.offsets, env, band_tiles(job, band) + 1,
                            sizeof *segment.offsets, "lists of tiles");
    if (!status)
        status = tess_alloc(&segment.list, env, band->entry_max, sizeof *segment.list,
                            "lists of tiles");
    if (!status)
        status =
            tess_alloc(&segment.records, env, band->record_max * job->tiles->record_words,
                       sizeof *segment.records, "lists of tiles");
    if (status)
        free_segment(&segment);
    else
        job->segment = segment;
    return status;
}

// ---- the stage ----

static enum tess_status take_buffers(struct buffers *out, struct tess_stage *stage,
                                     const struct job *job, const struct band *band)
{
    size_t tiles = band_tiles(job, band);
    TESS_TRY(tess_mat_take(&out->state, stage, tiles, STATE_FLOATS, TESS_F32,
                           "samples of tiles"));
    TESS_TRY(
        tess_mat_take(&out->offsets, stage, tiles + 1, 1, TESS_U32, "lists of tiles"));
    TESS_TRY(
        tess_mat_take(&out->list, stage, band->entry_max, 1, TESS_U32, "lists of tiles"));
    return tess_mat_take(&out->records, stage, band->record_max, job->tiles->record_words,
                         TESS_F32, "things in tiles");
}

static enum tess_status upload(struct tess_stage *stage, const struct buffers *to,
                               const struct segment *segment)
{
    TESS_TRY(tess_mat_write(stage, to->offsets, segment->offsets));
    if (segment->count == 0)
        return TESS_OK;
    TESS_TRY(tess_mat_write(stage, tess_mat_rows(to->list, 0, segment->entries),
                            segment->list));
    return tess_mat_write(stage, tess_mat_rows(to->records, 0, segment->count),
                          segment->records);
}

static enum tess_status raster(struct tess_stage *stage, const struct job *job,
                               const struct band *band, const struct buffers *in,
                               size_t entries, bool first)
{
    const struct tess_tiles *tiles = job->tiles;
    struct tess_device *dev = tess_stage_device(stage);
    size_t samples = tess_device_variant(dev) == TESS_VARIANT_CPU ? 1 : TESS_TILE;
    struct tess_launch launch = {
        .file = tiles->file,
        .kernel = tiles->raster,
        .global = {job->cols * samples, (band->y1 - band->y0) * samples},
        .local = {samples, samples, 1},
        .cut = 1,
        .flop = tiles->flop * (double)entries * TESS_TILE * TESS_TILE,
        .args = {TESS_SLICE(in->state.data), TESS_SLICE(in->records.data),
                 TESS_SLICE(in->offsets.data), TESS_SLICE(in->list.data),
                 TESS_U32ARG(job->cols), TESS_U32ARG(band->y0), TESS_U32ARG(first)}};
    size_t arg = 0;
    while (launch.args[arg].kind != TESS_ARG_NONE)
        arg++;
    for (size_t i = 0; i < TESS_TILES_EXTRA; i++)
        launch.args[arg + i] = tiles->extra[i];
    return tess_launch(dev, &launch);
}

static enum tess_status run_segments(struct tess_stage *stage, struct job *job,
                                     const struct band *band,
                                     const struct buffers *on_device)
{
    struct segment *segment = &job->segment;
    size_t cursor = 0;
    bool first = true;
    do {
        cursor = pick_things(segment, job, band, cursor);
        if (!tess_device_dry(tess_stage_device(stage)))
            sort_things(segment, job, band);
        TESS_TRY(upload(stage, on_device, segment));
        TESS_TRY(raster(stage, job, band, on_device, segment->entries, first));
        first = false;
    } while (cursor < job->tiles->count);
    return TESS_OK;
}

static enum tess_status keep_pixels(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    struct job *job = user;
    size_t row_bytes = (size_t)job->tiles->size * 4;
    memcpy(job->pixels + row0 * row_bytes, data, rows * row_bytes);
    return TESS_OK;
}

static enum tess_status resolve(struct tess_stage *stage, struct job *job,
                                struct tess_mat state, size_t row0, size_t rows)
{
    const struct tess_tiles *tiles = job->tiles;
    size_t size = tiles->size, S = tiles->supersampling;
    struct tess_mat pixels;
    TESS_TRY(tess_mat_take(&pixels, stage, rows, 4 * size, TESS_U8, "pixels"));
    size_t padded = (size + RESOLVE_LANES - 1) / RESOLVE_LANES * RESOLVE_LANES;
    TESS_TRY(tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = tiles->resolve_file ? tiles->resolve_file : tiles->file,
            .kernel = tiles->resolve,
            .global = {padded, rows},
            .local = {RESOLVE_LANES, 1, 1},
            .cut = 1,
            .flop = 8.0 * (double)(padded * rows * S * S),
            .args = {TESS_SLICE(pixels.data), TESS_SLICE(state.data),
                     TESS_U32ARG(job->cols), TESS_U32ARG(size), TESS_U32ARG(S)}}));
    return tess_mat_deliver(stage, pixels, row0, keep_pixels, job);
}

static enum tess_status make_band(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct job *job = user;
    size_t tile_rows = tile.rows * job->unit_tiles;
    struct band band = {
        .y0 = (uint32_t)(tile.row0 * job->unit_tiles),
        .y1 = (uint32_t)((tile.row0 + tile.rows) * job->unit_tiles),
        .record_max =
            tile_rows *
            (job->tiles->records_per_row ? job->tiles->records_per_row : RECORDS_PER_ROW),
        .entry_max =
            tile_rows * (job->cols > ENTRIES_PER_ROW ? job->cols : ENTRIES_PER_ROW),
    };
    struct buffers buffers;
    TESS_TRY(take_buffers(&buffers, stage, job, &band));
    TESS_TRY(ready_segment(tess_stage_env(stage), job, &band));
    TESS_TRY(run_segments(stage, job, &band, &buffers));
    size_t row0 = tile.row0 * job->unit_pixels;
    size_t rows = tile.rows * job->unit_pixels;
    if (rows > job->tiles->size - row0)
        rows = job->tiles->size - row0;
    return resolve(stage, job, buffers.state, row0, rows);
}

static enum tess_status make_picture(struct tess_stage *stage, void *user)
{
    struct job *job = user;
    size_t comfortable = COMFORTABLE_TILES / (job->cols * job->unit_tiles);
    return tess_span_run(stage,
                         &(struct tess_span){.name = "bands of tiles",
                                             .rows = job->units,
                                             .comfortable = comfortable ? comfortable : 1,
                                             .run = make_band,
                                             .user = job});
}

static struct job make_job(const struct tess_tiles *tiles)
{
    uint32_t S = tiles->supersampling, gcd = S, rest = TESS_TILE;
    while (rest) {
        uint32_t next = gcd % rest;
        gcd = rest;
        rest = next;
    }
    uint32_t unit_pixels = TESS_TILE / gcd;
    return (struct job){
        .tiles = tiles,
        .cols = tess_tiles_across(tiles->size, S),
        .unit_tiles = S / gcd,
        .unit_pixels = unit_pixels,
        .units = (tiles->size + unit_pixels - 1) / unit_pixels,
    };
}

enum tess_status tess_tiles_run(struct tess_picture *out,
                                struct tess_stage_report *report, struct tess_device *dev,
                                struct tess_budget *budget,
                                const struct tess_tiles *tiles)
{
    struct tess_picture picture;
    TESS_TRY(
        tess_picture_create(&picture, tess_device_env(dev), tiles->size, tiles->size));
    struct job job = make_job(tiles);
    job.pixels = picture.pixels;
    enum tess_status status =
        tess_stage_run(report, dev, budget, tiles->name, make_picture, &job);
    free_segment(&job.segment);
    if (status)
        tess_picture_clear(&picture);
    else
        *out = picture;
    return status;
}

struct views_job {
    struct job job;
    struct tess_tiles tiles; // of the view in progress
    const struct tess_tiles_views *views;
    struct tess_picture picture;
};

static enum tess_status make_views(struct tess_stage *stage, void *user)
{
    struct views_job *all = user;
    const struct tess_tiles_views *views = all->views;
    for (size_t view = 0; view < views->count; view++) {
        if (!tess_stage_begin_step(stage, view + 1, views->count, 0))
            continue;
        TESS_TRY(views->begin(views->user, view, &all->tiles));
        TESS_TRY(make_picture(stage, &all->job));
        if (!tess_device_dry(tess_stage_device(stage)))
            TESS_TRY(views->end(views->user, view, &all->picture));
    }
    return TESS_OK;
}

enum tess_status tess_tiles_run_views(struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_tiles *tiles,
                                      const struct tess_tiles_views *views)
{
    struct views_job all = {.job = make_job(tiles), .tiles = *tiles, .views = views};
    TESS_TRY(tess_picture_create(&all.picture, tess_device_env(dev), tiles->size,
                                 tiles->size));
    all.job.tiles = &all.tiles;
    all.job.pixels = all.picture.pixels;
    enum tess_status status =
        tess_stage_run(report, dev, budget, tiles->name, make_views, &all);
    free_segment(&all.job.segment);
    tess_picture_clear(&all.picture);
    return status;
}

static enum tess_status begin_empty(void *user, size_t view, struct tess_tiles *tiles)
{
    (void)user, (void)view, (void)tiles;
    return TESS_OK;
}

enum tess_status tess_tiles_plan_views(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget,
                                       const struct tess_tiles *tiles, size_t count)
{
    struct tess_tiles_views views = {.count = count, .begin = begin_empty};
    struct views_job all = {.job = make_job(tiles), .tiles = *tiles, .views = &views};
    all.job.tiles = &all.tiles;
    enum tess_status status =
        tess_stage_plan(report, dev, budget, tiles->name, make_views, &all, true);
    free_segment(&all.job.segment);
    return status;
}

enum tess_status tess_tiles_plan(struct tess_stage_report *report,
                                 struct tess_device *dev,
                                 const struct tess_budget *budget,
                                 const struct tess_tiles *tiles)
{
    struct job job = make_job(tiles);
    enum tess_status status =
        tess_stage_plan(report, dev, budget, tiles->name, make_picture, &job, true);
    free_segment(&job.segment);
    return status;
}
