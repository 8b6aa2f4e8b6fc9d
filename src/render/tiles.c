// Lists of things per tile, and the stage that works through them.
//
// A band is a number of tile rows. Its things are taken in order, as many at a time as
// its buffers hold: a segment. The host sorts each segment into lists, stably, by
// counting.
//
// Launches and downloads are only queued: the host has the next segment ready, be it of
// the next view, before it waits for what the device made.
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
    size_t pixel_row0, pixel_rows; // in the picture
    size_t record_max, entry_max;
};

// A thing with its box in the band.
struct picked {
    uint32_t thing;
    struct tess_tile_box box;
};

// On the host.
struct segment {
    size_t tile_rows; // of the bands that it has room for
    size_t count, entries;
    struct picked *things; // [record_max]
    uint32_t *offsets;     // [tiles + 1]
    uint32_t *list;        // [entry_max]
    union tess_word *records;
};

// Pixels or marks of a band that are on their way.
struct due {
    bool any, marks;
    struct tess_read *read;
    size_t bytes;
    size_t view, row0, rows; // of pixels
    uint8_t *pixels;         // of the view
};

struct job {
    const struct tess_tiles *tiles;
    const struct tess_tiles_views *views; // NULL: one picture
    size_t view;
    uint32_t cols;        // tiles across
    uint32_t unit_tiles;  // rows of tiles of a unit
    uint32_t unit_pixels; // rows of pixels
    uint32_t units;
    struct tess_picture *picture; // NULL in plans
    uint8_t *marks;               // [numbers] of the view, of the bands so far
    struct segment segment;       // kept from band to band
    struct due due;
};

// On the device. Pixels are those of words.
struct buffers {
    struct tess_mat state, offsets, list, records, pixels;
    bool marks; // are what goes into `pixels`
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

static bool has_records(const struct tess_tiles *tiles)
{
    return tiles->records.bytes > 0;
}

static size_t band_tiles(const struct job *job, const struct band *band)
{
    return (size_t)job->cols * (band->y1 - band->y0);
}

// The box in the band, its rows from the band's first one. False: nothing is left.
static bool clip_box(struct tess_tile_box *out, const struct tess_tile_box *box,
                     const struct band *band)
{
    uint32_t y0 = box->y0 > band->y0 ? box->y0 : band->y0;
    uint32_t y1 = box->y1 < band->y1 ? box->y1 : band->y1;
    if (box->x0 >= box->x1 || y0 >= y1)
        return false;
    *out = (struct tess_tile_box){box->x0, (uint16_t)(y0 - band->y0), box->x1,
                                  (uint16_t)(y1 - band->y0)};
    return true;
}

// Take things from `cursor` on while they fit. Returns where the next segment starts.
static size_t pick_things(struct segment *segment, const struct job *job,
                          const struct band *band, size_t cursor)
{
    assert(job->tiles->count <= UINT32_MAX);
    segment->count = segment->entries = 0;
    for (; cursor < job->tiles->count; cursor++) {
        struct tess_tile_box box;
        if (!clip_box(&box, &job->tiles->boxes[cursor], band))
            continue;
        assert(box.x1 <= job->cols);
        size_t entries = (size_t)(box.x1 - box.x0) * (size_t)(box.y1 - box.y0);
        if (segment->count == band->record_max ||
            segment->entries + entries > band->entry_max)
            break;
        segment->things[segment->count++] = (struct picked){(uint32_t)cursor, box};
        segment->entries += entries;
    }
    return cursor;
}

// Count things in tiles, tile t at offsets[t + 1], and make their records.
static void count_things(struct segment *segment, const struct job *job)
{
    const struct tess_tiles *tiles = job->tiles;
    size_t cols = job->cols, words = tiles->record_words;
    for (size_t i = 0; i < segment->count; i++) {
        struct picked picked = segment->things[i];
        uint32_t *row = segment->offsets + picked.box.y0 * cols + 1;
        for (size_t y = picked.box.y0; y < picked.box.y1; y++, row += cols)
            for (size_t x = picked.box.x0; x < picked.box.x1; x++)
                row[x]++;
        if (!has_records(tiles))
            tiles->record(tiles->user, picked.thing, segment->records + i * words);
    }
}

// Put things into lists: offsets[t + 1] goes from where the list of tile t starts to
// where it ends, which is where the next one starts.
static void list_things(struct segment *segment, const struct job *job)
{
    const struct tess_tiles *tiles = job->tiles;
    size_t cols = job->cols;
    uint32_t *list = segment->list;
    for (size_t i = 0; i < segment->count; i++) {
        struct picked picked = segment->things[i];
        struct tess_tile_box box = picked.box;
        uint32_t place = has_records(tiles) ? tiles->places[picked.thing] : (uint32_t)i;
        uint32_t *row = segment->offsets + box.y0 * cols + 1;
        for (size_t y = box.y0; y < box.y1; y++, row += cols)
            for (size_t x = box.x0; x < box.x1; x++)
                list[row[x]++] = place;
    }
}

// Make lists and records of the things that were picked.
static void sort_things(struct segment *segment, const struct job *job,
                        const struct band *band)
{
    size_t total = band_tiles(job, band);
    memset(segment->offsets, 0, (total + 1) * sizeof *segment->offsets);
    count_things(segment, job);
    uint32_t sum = 0;
    for (size_t t = 1; t <= total; t++) {
        uint32_t count = segment->offsets[t];
        segment->offsets[t] = sum;
        sum += count;
    }
    list_things(segment, job);
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
    if (!status && !has_records(job->tiles))
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

static enum tess_status take_pixels(struct tess_mat *out, struct tess_stage *stage,
                                    const struct job *job, const struct band *band)
{
    return tess_mat_take(out, stage, band->pixel_rows, 4 * job->tiles->size, TESS_U8,
                         "pixels");
}

static enum tess_status take_state(struct tess_mat *out, struct tess_stage *stage,
                                   const struct job *job, const struct band *band)
{
    return tess_mat_take(out, stage, band_tiles(job, band), STATE_FLOATS, TESS_F32,
                         "samples of tiles");
}

static enum tess_status take_buffers(struct buffers *out, struct tess_stage *stage,
                                     const struct job *job, const struct band *band)
{
    size_t tiles = band_tiles(job, band);
    TESS_TRY(take_state(&out->state, stage, job, band));
    TESS_TRY(
        tess_mat_take(&out->offsets, stage, tiles + 1, 1, TESS_U32, "lists of tiles"));
    TESS_TRY(
        tess_mat_take(&out->list, stage, band->entry_max, 1, TESS_U32, "lists of tiles"));
    out->records.data = job->tiles->records;
    if (!has_records(job->tiles))
        TESS_TRY(tess_mat_take(&out->records, stage, band->record_max,
                               job->tiles->record_words, TESS_F32, "things in tiles"));
    if (job->tiles->resolve)
        return TESS_OK;
    TESS_TRY(take_pixels(&out->pixels, stage, job, band));
    size_t numbers = job->tiles->numbers;
    out->marks = numbers && numbers <= out->pixels.data.bytes;
    if (out->marks)
        out->pixels.data.bytes = numbers;
    return TESS_OK;
}

static enum tess_status upload(struct tess_stage *stage, const struct job *job,
                               const struct buffers *to)
{
    const struct segment *segment = &job->segment;
    TESS_TRY(tess_mat_write(stage, to->offsets, segment->offsets));
    if (segment->count == 0)
        return TESS_OK;
    TESS_TRY(tess_mat_write(stage, tess_mat_rows(to->list, 0, segment->entries),
                            segment->list));
    if (has_records(job->tiles))
        return TESS_OK;
    return tess_mat_write(stage, tess_mat_rows(to->records, 0, segment->count),
                          segment->records);
}

static enum tess_status raster(struct tess_stage *stage, const struct job *job,
                               const struct band *band, const struct buffers *on_device,
                               size_t entries, bool first, bool last)
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
        .args = {TESS_SLICE(on_device->state.data), TESS_SLICE(on_device->records.data),
                 TESS_SLICE(on_device->offsets.data), TESS_SLICE(on_device->list.data),
                 TESS_U32ARG(job->cols), TESS_U32ARG(band->y0), TESS_U32ARG(first)}};
    const struct tess_arg words[] = {
        TESS_U32ARG(last), TESS_SLICE(on_device->pixels.data), TESS_U32ARG(tiles->size),
        TESS_U32ARG(on_device->pixels.rows), TESS_U32ARG(on_device->marks)};
    size_t arg = 0;
    while (launch.args[arg].kind != TESS_ARG_NONE)
        arg++;
    for (size_t i = 0; !tiles->resolve && i < sizeof words / sizeof *words; i++)
        launch.args[arg++] = words[i];
    for (size_t i = 0; i < TESS_TILES_EXTRA && tiles->extra[i].kind; i++)
        launch.args[arg++] = tiles->extra[i];
    return tess_launch(dev, &launch);
}

// ---- what the device made ----

static void mark_words(uint8_t *marks, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (words[i] != TESS_NO_WORD)
            marks[words[i]] = 1;
}

// A band's words or marks, where the next ones come to as well.
static uint8_t *scratch(const struct job *job)
{
    return job->picture->pixels;
}

// Have what the device made of a band on its way to the host, before its memory is used
// again.
static enum tess_status send_for(struct tess_stage *stage, struct job *job,
                                 const struct band *band, const struct buffers *made)
{
    const struct tess_tiles *tiles = job->tiles;
    struct tess_device *dev = tess_stage_device(stage);
    struct due due = {.any = true,
                      .marks = made->marks,
                      .bytes = made->pixels.data.bytes,
                      .view = job->view,
                      .row0 = band->pixel_row0,
                      .rows = band->pixel_rows};
    const struct tess_tiles_views *views = job->views;
    uint8_t *to = NULL;
    if (!tess_device_dry(dev)) {
        due.pixels = views && views->pixels ? views->pixels(views->user, job->view)
                                            : job->picture->pixels;
        to = due.pixels + 4 * due.row0 * tiles->size;
        if (tiles->numbers)
            to = due.marks && due.row0 == 0 ? job->marks : scratch(job);
    }
    // Pixels that stay may be read while the next view begins.
    bool beside = tiles->strips.kernel != NULL;
    if (beside) {
        TESS_TRY(tess_device_order_after(dev, TESS_QUEUE_COMPUTE));
        tess_device_set_queue(dev, TESS_QUEUE_TRANSFER);
    }
    enum tess_status status =
        tess_slice_read_begin(&due.read, dev, made->pixels.data, to);
    tess_device_set_queue(dev, TESS_QUEUE_COMPUTE);
    job->due = due;
    return status;
}

static void take_marks(struct job *job, const struct due *due)
{
    const uint8_t *band = scratch(job);
    if (due->marks && due->row0 == 0)
        return;
    if (due->row0 == 0)
        memset(job->marks, 0, job->tiles->numbers);
    if (!due->marks)
        mark_words(job->marks, (const uint32_t *)band, due->bytes / 4);
    for (size_t i = 0; due->marks && i < job->tiles->numbers; i++)
        job->marks[i] |= band[i];
}

// Wait for what was sent for last, and pass on what is complete.
static enum tess_status settle(struct tess_stage *stage, struct job *job)
{
    const struct tess_tiles_views *views = job->views;
    struct due due = job->due;
    bool any = due.any && !tess_device_dry(tess_stage_device(stage));
    job->due = (struct due){.any = false};
    TESS_TRY(tess_read_end(&due.read));
    if (!any)
        return TESS_OK;
    if (job->tiles->numbers)
        take_marks(job, &due);
    if (!views || due.row0 + due.rows < job->tiles->size)
        return TESS_OK;
    if (job->tiles->numbers)
        return views->mark(views->user, due.view, job->marks);
    uint32_t size = job->tiles->size;
    struct tess_picture made = {size, size, due.pixels};
    return views->end ? views->end(views->user, due.view, &made) : TESS_OK;
}

// ---- bands ----

static enum tess_status run_segments(struct tess_stage *stage, struct job *job,
                                     const struct band *band,
                                     const struct buffers *on_device)
{
    struct segment *segment = &job->segment;
    struct tess_device *dev = tess_stage_device(stage);
    size_t cursor = 0;
    bool first = true, last;
    do {
        cursor = pick_things(segment, job, band, cursor);
        last = cursor == job->tiles->count;
        if (!tess_device_dry(dev))
            sort_things(segment, job, band);
        TESS_TRY(settle(stage, job));
        if (first && on_device->marks)
            TESS_TRY(tess_slice_fill(dev, on_device->pixels.data, 0));
        TESS_TRY(upload(stage, job, on_device));
        TESS_TRY(raster(stage, job, band, on_device, segment->entries, first, last));
        first = false;
    } while (!last);
    return TESS_OK;
}

static enum tess_status resolve(struct tess_stage *stage, const struct job *job,
                                struct tess_mat pixels, struct tess_mat state)
{
    const struct tess_tiles *tiles = job->tiles;
    size_t size = tiles->size, S = tiles->supersampling, rows = pixels.rows;
    size_t padded = (size + RESOLVE_LANES - 1) / RESOLVE_LANES * RESOLVE_LANES;
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = tiles->resolve_file ? tiles->resolve_file : tiles->file,
            .kernel = tiles->resolve,
            .global = {padded, rows},
            .local = {RESOLVE_LANES, 1, 1},
            .cut = 1,
            .flop = 8.0 * (double)(padded * rows * S * S),
            .args = {TESS_SLICE(pixels.data), TESS_SLICE(state.data),
                     TESS_U32ARG(job->cols), TESS_U32ARG(size), TESS_U32ARG(S)}});
}

// By lists.
static enum tess_status make_lists(struct buffers *out, struct tess_stage *stage,
                                   struct job *job, const struct band *band)
{
    TESS_TRY(take_buffers(out, stage, job, band));
    TESS_TRY(ready_segment(tess_stage_env(stage), job, band));
    TESS_TRY(run_segments(stage, job, band, out));
    if (!job->tiles->resolve)
        return TESS_OK;
    TESS_TRY(take_pixels(&out->pixels, stage, job, band));
    return resolve(stage, job, out->pixels, out->state);
}

static enum tess_status make_strips(struct buffers *out, struct tess_stage *stage,
                                    struct job *job, const struct band *band)
{
    const struct tess_tiles *tiles = job->tiles;
    const struct tess_strips *strips = &tiles->strips;
    size_t rows = band->y1 - band->y0;
    bool resolves = tiles->supersampling == 1;
    struct tess_device *dev = tess_stage_device(stage);
    TESS_TRY(take_state(&out->state, stage, job, band));
    out->pixels = tess_mat_rows(strips->pixels, 0, band->pixel_rows);
    TESS_TRY(settle(stage, job));
    TESS_TRY(tess_device_order_after(dev, TESS_QUEUE_TRANSFER));
    TESS_TRY(tess_launch(
        dev, &(struct tess_launch){
                 .file = tiles->file,
                 .kernel = strips->kernel,
                 .global = {(job->cols + TESS_STRIP - 1) / TESS_STRIP, rows},
                 .local = {1, 1, 1},
                 .cut = 1,
                 .args = {TESS_SLICE(out->state.data), TESS_SLICE(out->pixels.data),
                          TESS_SLICE(strips->records), TESS_SLICE(strips->rows),
                          TESS_SLICE(strips->columns), TESS_U32ARG(strips->count),
                          TESS_U32ARG(job->cols), TESS_U32ARG(band->y0),
                          TESS_U32ARG(rows), TESS_U32ARG(tiles->size),
                          TESS_U32ARG(band->pixel_rows), TESS_U32ARG(resolves)}}));
    return resolves ? TESS_OK : resolve(stage, job, out->pixels, out->state);
}

static enum tess_status make_band(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct job *job = user;
    size_t tile_rows = tile.rows * job->unit_tiles;
    struct band band = {
        .y0 = (uint32_t)(tile.row0 * job->unit_tiles),
        .y1 = (uint32_t)((tile.row0 + tile.rows) * job->unit_tiles),
        .pixel_row0 = tile.row0 * job->unit_pixels,
        .pixel_rows = tile.rows * job->unit_pixels,
        .record_max =
            tile_rows *
            (job->tiles->records_per_row ? job->tiles->records_per_row : RECORDS_PER_ROW),
        .entry_max =
            tile_rows * (job->cols > ENTRIES_PER_ROW ? job->cols : ENTRIES_PER_ROW),
    };
    if (band.pixel_rows > job->tiles->size - band.pixel_row0)
        band.pixel_rows = job->tiles->size - band.pixel_row0;
    struct buffers buffers = {.marks = false};
    if (job->tiles->strips.kernel)
        TESS_TRY(make_strips(&buffers, stage, job, &band));
    else
        TESS_TRY(make_lists(&buffers, stage, job, &band));
    return send_for(stage, job, &band, &buffers);
}

static enum tess_status make_bands(struct tess_stage *stage, struct job *job)
{
    size_t comfortable = COMFORTABLE_TILES / (job->cols * job->unit_tiles);
    return tess_span_run(stage,
                         &(struct tess_span){.name = "bands of tiles",
                                             .rows = job->units,
                                             .comfortable = comfortable ? comfortable : 1,
                                             .run = make_band,
                                             .user = job});
}

static enum tess_status make_picture(struct tess_stage *stage, void *user)
{
    struct job *job = user;
    job->due = (struct due){.any = false}; // of a dry run that did not fit
    TESS_TRY(make_bands(stage, job));
    return settle(stage, job);
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

// The stage has ended, and with it what was on its way.
static void free_job(struct job *job)
{
    (void)tess_read_end(&job->due.read);
    free_segment(&job->segment);
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
    job.picture = &picture;
    enum tess_status status =
        tess_stage_run(report, dev, budget, tiles->name, make_picture, &job);
    free_job(&job);
    if (status)
        tess_picture_clear(&picture);
    else
        *out = picture;
    return status;
}

struct views_job {
    struct job job;
    struct tess_tiles tiles; // of the view in progress
    struct tess_picture picture;
};

static enum tess_status make_views(struct tess_stage *stage, void *user)
{
    struct views_job *all = user;
    const struct tess_tiles_views *views = all->job.views;
    all->job.due = (struct due){.any = false};
    for (size_t view = 0; view < views->count; view++) {
        if (!tess_stage_begin_step(stage, view + 1, views->count, 0))
            continue;
        // Dry, which things there are counts only for the arithmetic, and the first
        // view's will do.
        bool begins = view == 0 || views->begins_on_device ||
                      !tess_device_dry(tess_stage_device(stage));
        if (views->begin && begins)
            TESS_TRY(views->begin(views->user, stage, view, &all->tiles));
        all->job.view = view;
        TESS_TRY(make_bands(stage, &all->job));
    }
    return settle(stage, &all->job);
}

enum tess_status tess_tiles_run_views(struct tess_stage_report *report,
                                      struct tess_device *dev,
                                      const struct tess_budget *budget,
                                      const struct tess_tiles *tiles,
                                      const struct tess_tiles_views *views)
{
    struct views_job all = {.job = make_job(tiles), .tiles = *tiles};
    struct tess_env *env = tess_device_env(dev);
    TESS_TRY(tess_picture_create(&all.picture, env, tiles->size, tiles->size));
    all.job.tiles = &all.tiles;
    all.job.views = views;
    all.job.picture = &all.picture;
    enum tess_status status =
        tess_alloc(&all.job.marks, env, tiles->numbers, 1, "marks of what is seen");
    if (!status)
        status = tess_stage_run(report, dev, budget, tiles->name, make_views, &all);
    free_job(&all.job);
    free(all.job.marks);
    tess_picture_clear(&all.picture);
    return status;
}

enum tess_status tess_tiles_plan_views(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget,
                                       const struct tess_tiles *tiles,
                                       const struct tess_tiles_views *views)
{
    struct views_job all = {.job = make_job(tiles), .tiles = *tiles};
    all.job.tiles = &all.tiles;
    all.job.views = views;
    enum tess_status status =
        tess_stage_plan(report, dev, budget, tiles->name, make_views, &all, true);
    free_job(&all.job);
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
    free_job(&job);
    return status;
}
