// Pictures made of tiles of 16 x 16 samples: things with a box, in a fixed order, are
// sorted into lists per tile; a kernel works through each tile's list and keeps the
// tile's state, 4 planes of floats; another kernel turns the states into pixels.
//
// Lists are cut wherever memory ends, and bands of tiles are made one after the other. A
// tile sees the same things in the same order however they are cut, so the picture is the
// same bytes.
//
// The kernels:
//   raster(state, records, offsets, list, cols, tile_row0, first, extra...)
//     Things list[offsets[t]] to list[offsets[t + 1] - 1] for tile t = row * cols + col,
//     where rows count from tile_row0. `first`: the tile's state is undefined yet.
//     Work-items: (cols, rows), or (16 cols, 16 rows) in groups of (16, 16) for
//     TESS_VARIANT_GPU.
//   resolve(pixels, state, cols, width, supersampling)
//     RGBA bytes. Work-items: (width padded to 64, rows of pixels), in groups of (64, 1).
//   state[tile][16 rows][4 planes][16 columns].
//
// Things that are in order on the device need no lists on CPUs, and bands are made by
//   strips(state, pixels, records, rows, columns, count, cols, tile_row0, tile_rows,
//   width,
//          pixel_rows, resolves)
//     `resolves`: the pixels are made, too; else the states. Work-items: (columns of
//     tiles / 64, rounded up, rows).
//
// Or, without the second one, words: a sample is a pixel, and the first kernel puts a
// word of 4 bytes for each into the picture itself. If all that is asked is which numbers
// occur, it marks them instead, where a byte for each is less than the words of the band.
//   raster(state, records, offsets, list, cols, tile_row0, first, last, out, width, rows,
//          marks, extra...)
//     `last`: with that launch the tile is done, and goes to `out`. `marks`: out[number]
//     = 1, bytes that are 0 before; else out[rows][width] words.
#ifndef TESS_TILES_H
#define TESS_TILES_H

#include "base/mesh.h"
#include "mem/stage.h"

#define TESS_TILE                 16         // samples, both axes
#define TESS_NO_WORD              UINT32_MAX // where there is no number
#define TESS_TILES_EXTRA          20
#define TESS_STRIP                64 // tiles
#define TESS_PICTURE_SIZE_DEFAULT 512
#define TESS_PICTURE_SIZE_MAX     8192
#define TESS_SUPERSAMPLING_MAX    8

// Columns x0 to x1 - 1 and rows y0 to y1 - 1 of tiles. Nothing if x0 >= x1 or y0 >= y1.
struct tess_tile_box {
    uint16_t x0, y0, x1, y1;
};

union tess_word {
    float f32;
    int32_t i32;
};

// Write the record of thing `index` for the kernel.
typedef void tess_record_fn(void *user, size_t index, union tess_word *record);

// Things in order on the device, with records: a kernel that goes through all of them for
// each row of tiles takes the place of lists.
struct tess_strips {
    const char *kernel; // NULL: there are none
    struct tess_slice records;
    struct tess_slice columns, rows; // what it takes of each
    size_t count;
    struct tess_mat pixels; // of a picture, outside of spans, so that they may still be
                            // on their way to the host when the next view has begun
};

struct tess_tiles {
    const char *name; // of the stage
    const char *file, *raster;
    const char *resolve_file; // NULL: the same file
    const char *resolve;      // NULL: words
    size_t numbers;           // that words may be, where only marks are asked for; else 0
    struct tess_arg extra[TESS_TILES_EXTRA]; // up to the first of kind TESS_ARG_NONE
    double flop;                             // per thing and sample
    uint32_t size;                           // pixels, both axes
    uint32_t supersampling;                  // per axis
    size_t record_words;
    size_t records_per_row; // of a band's tiles, that are on the device at once; 0: 2048
    size_t count;           // things
    const struct tess_tile_box *boxes; // [count], inside the picture
    tess_record_fn *record;
    void *user;
    // Or: records that are on the device, as the stage's memory, and which of them is
    // whose.
    struct tess_slice records; // no bytes: there are none
    const uint32_t *places;    // [count]
    // Or, for TESS_VARIANT_CPU: nothing of it on the host.
    struct tess_strips strips;
};

// 0 becomes the default. TESS_ERR_ARG: beyond the largest.
enum tess_status tess_tiles_check(uint32_t *size, uint32_t *supersampling,
                                  uint32_t default_supersampling, struct tess_env *env);

// Tiles along one axis.
uint32_t tess_tiles_across(uint32_t size, uint32_t supersampling);

// Make the picture. Clear it with tess_picture_clear(). Statuses as tess_stage_run().
enum tess_status tess_tiles_run(struct tess_picture *out,
                                struct tess_stage_report *report, struct tess_device *dev,
                                struct tess_budget *budget,
                                const struct tess_tiles *tiles);

// Views of one size, one after the other in one stage, so that memory is taken once.
struct tess_tiles_views {
    size_t count;
    // Describe view `view`; name and all sizes but `count` stay as they are. What it
    // takes of `stage` in the first view, outside of spans, stays for all. A dry run asks
    // for the first one only, unless it begins on the device. NULL in plans: it does
    // nothing.
    enum tess_status (*begin)(void *user, struct tess_stage *stage, size_t view,
                              struct tess_tiles *tiles);
    bool begins_on_device; // launches something, in dry runs too
    // Where the pixels of a view come to, 4 bytes each; NULL: where the stage has them.
    uint8_t *(*pixels)(void *user, size_t view);
    // What was asked for is there (NULL: that need not be told); the pixels are the
    // callee's until it returns. The next view may have begun. Never called in a dry run.
    enum tess_status (*end)(void *user, size_t view, const struct tess_picture *picture);
    // The same, if marks [numbers] are asked for: 1 for each number that occurs, else 0.
    enum tess_status (*mark)(void *user, size_t view, const uint8_t *marks);
    void *user;
};

// `tiles` describes what all views have in common. Statuses as tess_stage_run().
enum tess_status tess_tiles_run_views(struct tess_stage_report *report,
                                      struct tess_device *dev,
                                      const struct tess_budget *budget,
                                      const struct tess_tiles *tiles,
                                      const struct tess_tiles_views *views);

// What tess_tiles_run_views() needs, floor included.
enum tess_status tess_tiles_plan_views(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget,
                                       const struct tess_tiles *tiles,
                                       const struct tess_tiles_views *views);

// What tess_tiles_run() needs, floor included. Memory depends on the size, not on the
// things.
enum tess_status tess_tiles_plan(struct tess_stage_report *report,
                                 struct tess_device *dev,
                                 const struct tess_budget *budget,
                                 const struct tess_tiles *tiles);

#endif
