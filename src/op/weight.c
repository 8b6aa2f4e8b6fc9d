// Uploading and packing weights.
#include "op/weight.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/fetch.h"
#include "op/matmul.h"
#include "rt/matrix_unit.h"

#define PANEL       32 // output columns, as in cl/matmul.cl
#define PANEL_HALF  16
#define PIECE_DEPTH 32 // inputs, as in cl/pieces.clh
// A part of a matrix has at most this many bytes, and a quarter of the largest buffer; or
// one panel where that is more.
#define PART_BYTES (16u << 20)
// A tensor is uploaded in parts of this size, or a row where that is more.
#define SLOT_BYTES (1u << 20)
// Blocks that are read from the disk before they are uploaded, which is a block before
// they are used.
#define FETCH_BLOCKS 3

struct slot {
    bool loaded;
    size_t index; // of the block
    struct tess_weight items[TESS_BLOCK_WEIGHTS];
    size_t pieces[TESS_BLOCK_WEIGHTS * TESS_WEIGHT_PARTS];
    size_t piece_count;
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
    return layout == TESS_WEIGHT_MATRIX || layout == TESS_WEIGHT_TRANSPOSED ||
                   layout == TESS_WEIGHT_VECTOR
               ? 1
               : 27;
}

size_t tess_weight_places(enum tess_weight_layout layout)
{
    return layout == TESS_WEIGHT_WINOGRAD           ? 4
           : layout == TESS_WEIGHT_WINOGRAD_DOUBLED ? 3
                                                    : 1;
}

size_t tess_weight_products(enum tess_weight_layout layout)
{
    size_t places = tess_weight_places(layout);
    return places * places * places;
}

// Whether a row, of an output, is [taps][inputs].
static bool has_rows_of_taps(enum tess_weight_layout layout)
{
    return layout == TESS_WEIGHT_MATRIX || layout == TESS_WEIGHT_CONV;
}

static size_t panels_of(size_t outputs)
{
    return (outputs + PANEL - 1) / PANEL;
}

static enum tess_dtype packed_dtype(const struct tess_weight_source *source)
{
    return tess_weight_products(source->layout) > 1 ||
                   source->layout == TESS_WEIGHT_VECTOR
               ? TESS_F32
               : source->dtype;
}

static bool may_be_quantised(const struct tess_device *dev,
                             const struct tess_weight_source *source)
{
    return (has_rows_of_taps(source->layout) ||
            source->layout == TESS_WEIGHT_CONV_DENSE) &&
           source->inputs <= tess_matmul_quantised_inputs(dev);
}

// What becomes of a weight.
static enum tess_factors factors_of(const struct tess_weights *weights,
                                    const struct tess_weight_source *source)
{
    const struct tess_device *dev = tess_stage_device(weights->stage);
    enum tess_factors factors = tess_matrix_unit_factors(tess_device_unit(dev));
    if (source->layout == TESS_WEIGHT_VECTOR || factors == TESS_FACTORS_HALVES ||
        (factors == TESS_FACTORS_QUANTISED && !may_be_quantised(dev, source)))
        return TESS_FACTORS_PLAIN;
    return factors;
}

// Of a weight, 0: none. Two have all bits of a half.
static unsigned pieces_of(const struct tess_weights *weights,
                          const struct tess_weight_source *source)
{
    unsigned pieces =
        tess_matrix_unit_pieces(tess_device_unit(tess_stage_device(weights->stage)));
    if (factors_of(weights, source) != TESS_FACTORS_PIECES)
        return 0;
    return pieces == 3 && packed_dtype(source) == TESS_F16 ? 2 : pieces;
}

// Of inputs, where they are padded.
static size_t blocks_of(size_t inputs)
{
    return (inputs + PIECE_DEPTH - 1) / PIECE_DEPTH;
}

// Bytes of a panel's values along k, at a tap.
static size_t row_bytes_packed(const struct tess_weight *weight)
{
    size_t blocks = blocks_of(weight->inputs);
    switch (weight->factors) {
    case TESS_FACTORS_PIECES:
        return PANEL * blocks * PIECE_DEPTH * weight->pieces * sizeof(uint16_t);
    case TESS_FACTORS_QUANTISED:
        return PANEL * blocks * (PIECE_DEPTH * sizeof(int16_t) + sizeof(float));
    default:
        return PANEL * weight->inputs * tess_dtype_size(weight->dtype);
    }
}

static size_t panel_bytes(const struct tess_weight *weight)
{
    size_t products = tess_weight_products(weight->layout),
           matrices = products > 1 ? products : taps_of(weight->layout);
    return matrices * row_bytes_packed(weight);
}

// Outputs of a part: whole panels.
static size_t part_outputs(const struct tess_weight *weight, size_t max_buffer)
{
    size_t limit = max_buffer / 4 < PART_BYTES ? max_buffer / 4 : PART_BYTES,
           least =
               (panels_of(weight->outputs) + TESS_WEIGHT_PARTS - 1) / TESS_WEIGHT_PARTS,
           panels = limit / panel_bytes(weight);
    panels = panels > least ? panels : least;
    return (panels ? panels : 1) * PANEL;
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
    for (size_t i = 0; i < slot->piece_count; i++)
        tess_arena_give(tess_stage_arena(weights->stage), slot->pieces[i]);
    slot->piece_count = 0;
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

// Pack rows [row0, row0 + rows) of the file's matrix, which lie in `staged`, into a part
// of the weight.
static enum tess_status launch_pack(struct tess_weights *weights,
                                    const struct tess_weight_source *source,
                                    const struct tess_weight *to, size_t part,
                                    struct tess_slice staged, size_t row0, size_t rows)
{
    bool transposed = source->layout == TESS_WEIGHT_TRANSPOSED,
         quantised = to->factors == TESS_FACTORS_QUANTISED;
    size_t first = part * to->part_outputs, left = to->outputs - first,
           outputs = left < to->part_outputs ? left : to->part_outputs,
           here = transposed ? row0 : row0 - first; // rows of a transposed matrix are k
    char defines[64], target[48] = "";
    if (!quantised)
        snprintf(target, sizeof target, " -DTARGET_F16=%d -DTARGET_PIECES=%u",
                 to->dtype == TESS_F16 && !to->pieces, to->pieces);
    snprintf(defines, sizeof defines, "-DSOURCE_F16=%d%s", source->dtype == TESS_F16,
             target);
    struct tess_launch launch = {
        .file = quantised ? "weight_quantised" : "weight",
        .defines = defines,
        .args = {TESS_SLICE(to->parts[part]), TESS_SLICE(staged), TESS_U32ARG(here),
                 TESS_U32ARG(rows)},
    };
    // The rows that end the part fill its panel up with zeros.
    size_t filled = here + rows == outputs ? panels_of(outputs) * PANEL - here : rows;
    if (tess_device_variant(tess_stage_device(weights->stage)) == TESS_VARIANT_CPU &&
        has_rows_of_taps(source->layout) && here % PANEL == 0 && filled % PANEL == 0)
    {
        launch.kernel = "pack_panels";
        launch.global[0] = filled / PANEL_HALF;
        launch.global[1] = taps_of(source->layout);
        launch.local[0] = launch.local[1] = 1;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(taps_of(source->layout));
        launch.args[5] = (struct tess_arg)TESS_U32ARG(source->inputs);
        return tess_launch(tess_stage_device(weights->stage), &launch);
    }
    switch (source->layout) {
    case TESS_WEIGHT_TRANSPOSED:
        launch.kernel = "pack_transposed";
        launch.global[0] = filled = panels_of(outputs) * PANEL;
        launch.global[1] = rows;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(outputs);
        launch.args[7] = (struct tess_arg)TESS_U32ARG(first);
        launch.args[8] = (struct tess_arg)TESS_U32ARG(source->outputs);
        break;
    case TESS_WEIGHT_WINOGRAD:
    case TESS_WEIGHT_WINOGRAD_DOUBLED:
        launch.kernel = "pack_winograd";
        launch.global[0] = filled;
        launch.global[1] = source->inputs;
        launch.global[2] = tess_weight_products(source->layout);
        launch.cut = 1;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(outputs);
        launch.args[7] = (struct tess_arg)TESS_U32ARG(tess_weight_places(source->layout));
        break;
    default:
        launch.kernel = "pack";
        launch.global[0] = filled;
        launch.global[1] = taps_of(source->layout) *
                           (quantised ? blocks_of(source->inputs) : source->inputs);
        launch.cut = 1;
        launch.args[4] = (struct tess_arg)TESS_U32ARG(taps_of(source->layout));
        launch.args[7] =
            (struct tess_arg)TESS_U32ARG(source->layout == TESS_WEIGHT_CONV_DENSE);
        break;
    }
    launch.args[5] = (struct tess_arg)TESS_U32ARG(source->inputs);
    launch.args[6] = (struct tess_arg)TESS_U32ARG(filled);
    return tess_launch(tess_stage_device(weights->stage), &launch);
}

// Rows of a transposed matrix belong to all parts, those of the others to one.
static enum tess_status upload_matrix(struct tess_weights *weights,
                                      const struct tess_weight_source *source,
                                      const struct tess_weight *to)
{
    bool transposed = source->layout == TESS_WEIGHT_TRANSPOSED;
    size_t total = file_rows(source), bytes = row_bytes(source),
           step = tess_ring_slot_bytes(weights->ring) / bytes, rows;
    for (size_t row = 0; row < total; row += rows) {
        size_t end = transposed ? total : (row / to->part_outputs + 1) * to->part_outputs;
        end = end < total ? end : total;
        rows = end - row < step ? end - row : step;
        if (rows > PANEL && row + rows < end) // whole panels are packed faster
            rows = rows / PANEL * PANEL;
        struct tess_slice staged;
        TESS_TRY(tess_ring_stage(&staged, weights->ring,
                                 (const unsigned char *)source->data + row * bytes,
                                 rows * bytes));
        size_t from = transposed ? 0 : row / to->part_outputs;
        for (size_t p = from; p < (transposed ? to->part_count : from + 1); p++)
            TESS_TRY(launch_pack(weights, source, to, p, staged, row, rows));
    }
    return TESS_OK;
}

static enum tess_status take_piece(struct tess_slice *out, struct tess_weights *weights,
                                   struct slot *slot, size_t bytes)
{
    TESS_TRY(tess_arena_take(out, &slot->pieces[slot->piece_count],
                             tess_stage_arena(weights->stage), bytes, "weights"));
    slot->piece_count++;
    return TESS_OK;
}

static enum tess_status take_weight(struct tess_weight *out, struct tess_weights *weights,
                                    struct slot *slot,
                                    const struct tess_weight_source *source)
{
    *out = (struct tess_weight){.dtype = packed_dtype(source),
                                .layout = source->layout,
                                .factors = factors_of(weights, source),
                                .outputs = source->outputs,
                                .inputs = source->inputs,
                                .pieces = pieces_of(weights, source)};
    if (source->layout == TESS_WEIGHT_VECTOR)
        return take_piece(&out->data, weights, slot, source->outputs * sizeof(float));
    size_t step =
        part_outputs(out, tess_arena_max_buffer(tess_stage_arena(weights->stage)));
    out->part_outputs = (uint32_t)step;
    for (size_t first = 0; first < source->outputs; first += step) {
        size_t left = source->outputs - first;
        TESS_TRY(take_piece(&out->parts[out->part_count++], weights, slot,
                            panels_of(left < step ? left : step) * panel_bytes(out)));
    }
    return TESS_OK;
}

static enum tess_status fill_slot(struct tess_weights *weights, struct slot *slot,
                                  size_t index)
{
    const struct tess_weight_block *block = &weights->blocks[index];
    empty_slot(weights, slot);
    for (size_t i = 0; i < block->count; i++)
        TESS_TRY(take_weight(&slot->items[i], weights, slot, &block->items[i]));
    TESS_TRY(tess_ring_begin(weights->ring));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < block->count && !status; i++)
        status = block->items[i].layout == TESS_WEIGHT_VECTOR
                     ? upload_vector(weights, &block->items[i], slot->items[i].data)
                     : upload_matrix(weights, &block->items[i], &slot->items[i]);
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
