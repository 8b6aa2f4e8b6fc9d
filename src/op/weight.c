// Uploading and packing weights.
#include "op/weight.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/fetch.h"

#define PANEL 32 // output columns, as in cl/matmul.cl
// A tensor is uploaded in parts of this size, or a row where that is more.
#define SLOT_BYTES (1u << 20)
// Blocks that are read from the disk before they are uploaded, which is a block before
// they are used.
#define FETCH_BLOCKS 3

struct slot {
    bool loaded;
    size_t index; // of the block
    struct tess_weight items[TESS_BLOCK_WEIGHTS];
    size_t pieces[TESS_BLOCK_WEIGHTS];
    size_t count;
};

struct tess_weights {
    struct tess_stage *stage;
    const struct tess_weight_block *blocks;
    size_t count;
    struct tess_ring *ring;
    size_t rounds; // that are left, with the one in progress
    bool resident;
    struct slot *slots; // all blocks if resident, else two
    size_t slot_count, current;
    struct tess_fetch *fetch; // NULL in dry runs
    size_t wanted;            // blocks that it was told of, of this round and the next
};

static size_t taps_of(enum tess_weight_layout layout)
{
    return layout == TESS_WEIGHT_CONV || layout == TESS_WEIGHT_CONV_DENSE ||
                   layout == TESS_WEIGHT_CONV_UP
               ? 27
               : 1;
}

static size_t panels_of(const struct tess_weight_source *source)
{
    return (source->outputs + PANEL - 1) / PANEL;
}

static enum tess_dtype packed_dtype(const struct tess_weight_source *source)
{
    return source->layout == TESS_WEIGHT_CONV_UP || source->layout == TESS_WEIGHT_VECTOR
               ? TESS_F32
               : source->dtype;
}

size_t tess_weight_bytes(const struct tess_weight_source *source)
{
    if (source->layout == TESS_WEIGHT_VECTOR)
        return source->outputs * sizeof(float);
    size_t taps = source->layout == TESS_WEIGHT_CONV_UP ? 64 : taps_of(source->layout);
    return panels_of(source) * PANEL * taps * source->inputs *
           tess_dtype_size(packed_dtype(source));
}

// Bytes of one row of the file's matrix, which is what parts are made of.
static size_t row_bytes(const struct tess_weight_source *source)
{
    size_t values = source->layout == TESS_WEIGHT_TRANSPOSED
                        ? source->outputs
                        : taps_of(source->layout) * source->inputs;
    return values * tess_dtype_size(source->dtype);
}

static size_t slot_bytes(const struct tess_weight_block *blocks, size_t count)
{
    size_t bytes = SLOT_BYTES;
    for (size_t b = 0; b < count; b++)
        for (size_t i = 0; i < blocks[b].count; i++) {
            const struct tess_weight_source *item = &blocks[b].items[i];
            if (item->layout != TESS_WEIGHT_VECTOR && row_bytes(item) > bytes)
                bytes = row_bytes(item);
        }
    return bytes;
}

static size_t file_rows(const struct tess_weight_source *source)
{
    return source->layout == TESS_WEIGHT_TRANSPOSED ? source->inputs : source->outputs;
}

// Have the blocks up to FETCH_BLOCKS behind `index` read from the disk.
static void fetch_ahead(struct tess_weights *weights, size_t index)
{
    // What stays on the device is read in the first round only.
    size_t rounds = weights->resident ? 1 : weights->rounds;
    while (weights->wanted <= index + FETCH_BLOCKS) {
        size_t next = weights->wanted++;
        if (next >= rounds * weights->count)
            continue;
        const struct tess_weight_block *block = &weights->blocks[next % weights->count];
        for (size_t i = 0; i < block->count; i++) {
            const struct tess_weight_source *item = &block->items[i];
            size_t bytes = item->layout == TESS_WEIGHT_VECTOR
                               ? item->outputs * tess_dtype_size(item->dtype)
                               : file_rows(item) * row_bytes(item);
            tess_fetch_want(weights->fetch, item->data, bytes);
        }
    }
}

enum tess_status tess_weights_create(struct tess_weights **out, struct tess_stage *stage,
                                     const struct tess_weight_block *blocks, size_t count,
                                     size_t rounds)
{
    struct tess_weights *weights = NULL;
    TESS_TRY(tess_alloc(&weights, tess_stage_env(stage), 1, sizeof *weights, "weights"));
    weights->stage = stage;
    weights->blocks = blocks;
    weights->count = count;
    weights->rounds = rounds;
    weights->resident = rounds > 1 && tess_stage_resident(stage);
    weights->slot_count = weights->resident ? count : 2;
    enum tess_status status =
        tess_alloc(&weights->slots, tess_stage_env(stage), weights->slot_count,
                   sizeof *weights->slots, "weights");
    if (!status)
        status = tess_ring_create(&weights->ring, stage, slot_bytes(blocks, count));
    if (status) {
        tess_weights_destroy(&weights);
        return status;
    }
    if (!tess_device_dry(tess_stage_device(stage)))
        weights->fetch = tess_fetch_create();
    fetch_ahead(weights, 0);
    *out = weights;
    return TESS_OK;
}

static void empty_slot(struct tess_weights *weights, struct slot *slot)
{
    for (size_t i = 0; i < slot->count; i++)
        tess_arena_give(tess_stage_arena(weights->stage), slot->pieces[i]);
    slot->count = 0;
    slot->loaded = false;
}

void tess_weights_destroy(struct tess_weights **weights)
{
    if (!*weights)
        return;
    for (size_t i = 0; (*weights)->slots && i < (*weights)->slot_count; i++)
        empty_slot(*weights, &(*weights)->slots[i]);
    free((*weights)->slots);
    tess_fetch_destroy(&(*weights)->fetch);
    tess_ring_destroy(&(*weights)->ring);
    free(*weights);
    *weights = NULL;
}

static enum tess_status upload_vector(struct tess_weights *weights,
                                      const struct tess_weight_source *source,
                                      struct tess_slice to)
{
    const unsigned char *bytes = source->data;
    float *values = NULL;
    TESS_TRY(tess_alloc(&values, tess_stage_env(weights->stage), source->outputs,
                        sizeof *values, "a vector of weights"));
    for (size_t i = 0; i < source->outputs; i++) {
        uint16_t bits;
        if (source->dtype == TESS_F32) {
            memcpy(&values[i], bytes + 4 * i, 4);
            continue;
        }
        memcpy(&bits, bytes + 2 * i, 2);
        values[i] = source->dtype == TESS_F16 ? tess_half_to_float(bits)
                                              : tess_bfloat_to_float(bits);
    }
    enum tess_status status =
        tess_slice_write_now(tess_stage_device(weights->stage), to, values);
    free(values);
    return status;
}

// Pack rows [row0, row0 + rows) of the file's matrix, which lie in `part`.
static enum tess_status launch_pack(struct tess_weights *weights,
                                    const struct tess_weight_source *source,
                                    struct tess_slice to, struct tess_slice part,
                                    size_t row0, size_t rows)
{
    bool from_half = source->dtype == TESS_F16,
         to_half = packed_dtype(source) == TESS_F16;
    struct tess_launch launch = {
        .file = "weight",
        .defines = from_half ? (to_half ? "-DSOURCE_F16=1 -DTARGET_F16=1"
                                        : "-DSOURCE_F16=1 -DTARGET_F16=0")
                             : "-DSOURCE_F16=0 -DTARGET_F16=0",
        .args = {TESS_SLICE(to), TESS_SLICE(part), TESS_U32ARG(row0), TESS_U32ARG(rows)},
    };
    // The part with the last rows fills its panel up with zeros.
    size_t filled =
        row0 + rows == source->outputs ? panels_of(source) * PANEL - row0 : rows;
    switch (source->layout) {
    case TESS_WEIGHT_TRANSPOSED:
        launch.kernel = "pack_transposed";
        launch.global[0] = panels_of(source) * PANEL;
        launch.global[1] = rows;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(source->outputs);
        filled = launch.global[0];
        break;
    case TESS_WEIGHT_CONV_UP:
        launch.kernel = "pack_folded";
        launch.global[0] = source->inputs;
        launch.global[1] = filled;
        launch.global[2] = 64;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(source->outputs);
        break;
    default:
        launch.kernel = "pack";
        launch.global[0] = taps_of(source->layout) * source->inputs;
        launch.global[1] = filled;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(taps_of(source->layout));
        break;
    }
    launch.args[5] = (struct tess_arg)TESS_U32ARG(source->inputs);
    launch.args[6] = (struct tess_arg)TESS_U32ARG(filled);
    if (source->layout == TESS_WEIGHT_CONV_DENSE || source->layout == TESS_WEIGHT_CONV ||
        source->layout == TESS_WEIGHT_MATRIX)
        launch.args[7] =
            (struct tess_arg)TESS_U32ARG(source->layout == TESS_WEIGHT_CONV_DENSE);
    return tess_launch(tess_stage_device(weights->stage), &launch);
}

static enum tess_status upload_matrix(struct tess_weights *weights,
                                      const struct tess_weight_source *source,
                                      struct tess_slice to)
{
    size_t total = file_rows(source), bytes = row_bytes(source),
           step = tess_ring_slot_bytes(weights->ring) / bytes;
    for (size_t row = 0; row < total; row += step) {
        size_t rows = total - row < step ? total - row : step;
        struct tess_slice part;
        TESS_TRY(tess_ring_stage(&part, weights->ring,
                                 (const unsigned char *)source->data + row * bytes,
                                 rows * bytes));
        TESS_TRY(launch_pack(weights, source, to, part, row, rows));
    }
    return TESS_OK;
}

static enum tess_status fill_slot(struct tess_weights *weights, struct slot *slot,
                                  size_t index)
{
    const struct tess_weight_block *block = &weights->blocks[index];
    empty_slot(weights, slot);
    for (size_t i = 0; i < block->count; i++) {
        const struct tess_weight_source *source = &block->items[i];
        slot->items[i] = (struct tess_weight){.dtype = packed_dtype(source),
                                              .layout = source->layout,
                                              .outputs = source->outputs,
                                              .inputs = source->inputs};
        TESS_TRY(tess_arena_take(&slot->items[i].data, &slot->pieces[i],
                                 tess_stage_arena(weights->stage),
                                 tess_weight_bytes(source), "weights"));
        slot->count++;
    }
    TESS_TRY(tess_ring_begin(weights->ring));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < block->count && !status; i++)
        status = (block->items[i].layout == TESS_WEIGHT_VECTOR
                      ? upload_vector
                      : upload_matrix)(weights, &block->items[i], slot->items[i].data);
    tess_ring_end(weights->ring);
    slot->loaded = !status;
    slot->index = index;
    return status;
}

static enum tess_status use_resident(const struct tess_weight **items,
                                     struct tess_weights *weights, size_t index)
{
    struct slot *slot = &weights->slots[index];
    if (!slot->loaded) {
        TESS_TRY(fill_slot(weights, slot, index));
        TESS_TRY(tess_ring_wait(weights->ring));
    }
    *items = slot->items;
    return TESS_OK;
}

enum tess_status tess_weights_use(const struct tess_weight **items,
                                  struct tess_weights *weights, size_t index)
{
    assert(index < weights->count);
    fetch_ahead(weights, index);
    if (weights->resident)
        return use_resident(items, weights, index);
    struct slot *other = &weights->slots[!weights->current];
    if (!other->loaded || other->index != index) {
        empty_slot(weights, &weights->slots[weights->current]);
        TESS_TRY(fill_slot(weights, other, index));
    }
    TESS_TRY(tess_ring_wait(weights->ring));
    weights->current = !weights->current;
    struct slot *next = &weights->slots[!weights->current];
    empty_slot(weights, next);
    if (index + 1 == weights->count) {
        weights->rounds--;
        weights->wanted -= weights->count;
    }
    size_t following = index + 1 < weights->count ? index + 1 : 0;
    if (weights->rounds && following != index && tess_stage_prefetch(weights->stage))
        TESS_TRY(fill_slot(weights, next, following));
    *items = weights->slots[weights->current].items;
    return TESS_OK;
}

void tess_weights_skip_round(struct tess_weights *weights)
{
    weights->rounds--;
}
