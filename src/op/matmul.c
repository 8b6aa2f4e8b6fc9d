// Launching cl/matmul.cl, cl/matmul_fast.cl, cl/matmul_amx.cl and
// cl/matmul_quantised.cl.
#include "op/matmul.h"

#include <assert.h>
#include <stdio.h>

#include "rt/matrix_unit.h"
#include "rt/tuning.h"

#define PANEL        32 // columns
#define FAST_TILE    64 // results of a group with a matrix unit, along rows and columns
#define PRODUCT_ARGS 16 // of all kernels
#define GPU_GROUP    16 // work-items of a group, along rows and along columns

// Of cl/matmul_amx.cl and cl/matmul_quantised.cl. A work-item makes its rows ready once,
// so it takes many panels; and many rows, so that it reads weights seldom, if the second
// cache holds what they become and sums.
#define CPU_ROWS         32 // a multiple of what is multiplied at a time
#define CPU_ROWS_MAX     160
#define CPU_PANELS_MAX   128
#define CPU_PANELS_SUMS  32 // where sums are kept
#define CPU_PANELS_LEAST 8
#define CPU_ROW_SUMS     128           // bytes of a row's sums of a panel
#define CPU_DEPTH        32            // values of a row that are a block
#define AMX_MEMORY       (1088u << 10) // bytes for a work-item
#define AMX_PIECE_BYTES  64            // of a block
#define AMX_BLOCKS_ONCE  32            // of k; if there are more,
#define AMX_BLOCKS_PART  24            // are a part at most, and all about the same
#define QUANTISED_MEMORY (576u << 10)
#define QUANTISED_BYTES  (64 + 4) // of a block, with its scale
// What a work-item takes beside its products, in as many rows and panels more.
#define CPU_ROWS_COST   16
#define CPU_PANELS_COST 2

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static size_t taps_of(enum tess_weight_layout layout)
{
    return layout == TESS_WEIGHT_CONV || layout == TESS_WEIGHT_CONV_DENSE ? 27 : 1;
}

// Which kernel, how it is built, and what a work-item (CPU) or a group (GPU) of it makes.
struct shape {
    const char *kernel; // its file's name, too
    char defines[96];
    size_t rows, cols;
    size_t group[2]; // work-items, along columns and along rows
    bool sized;      // the kernel takes rows and panels as arguments,
    size_t blocks;   // and of k those that are a part, unless 0
};

// By the device's matrix unit.
static struct shape fast_shape(enum tess_matrix_unit unit,
                               const struct tess_weight *weight)
{
    struct shape shape = {
        .kernel = "matmul_fast",
        .rows = FAST_TILE,
        .cols = FAST_TILE,
        .group = {tess_matrix_unit_lanes(unit) * (unit == TESS_UNIT_INTEL ? 8 : 4), 1}};
    snprintf(shape.defines, sizeof shape.defines, "-DTAPS=%zu -DWEIGHT_F16=%d -DUNIT=%d",
             taps_of(weight->layout), weight->dtype == TESS_F16, (int)unit - 1);
    return shape;
}

static struct shape plain_shape(const struct tess_device *dev,
                                const struct tess_weight *weight)
{
    const struct tess_tuning *tuning = tess_device_tuning(dev);
    size_t taps = taps_of(weight->layout),
           group = tess_device_variant(dev) == TESS_VARIANT_CPU ? 1 : GPU_GROUP;
    bool conv = taps > 1;
    struct shape shape = {
        .kernel = "matmul",
        .rows =
            tuning->values[conv ? TESS_TUNED_CONVOLUTION_ROWS : TESS_TUNED_PRODUCT_ROWS],
        .cols = PANEL * tuning->values[conv ? TESS_TUNED_CONVOLUTION_PANELS
                                            : TESS_TUNED_PRODUCT_PANELS],
        .group = {group, group}};
    char tiles[64];
    tess_tuning_product_defines(tiles, sizeof tiles, tuning, conv);
    snprintf(shape.defines, sizeof shape.defines, "-DTAPS=%zu -DWEIGHT_F16=%d %s", taps,
             weight->dtype == TESS_F16, tiles);
    return shape;
}

// Bytes of local memory for a work-item, at most `most`.
static size_t memory_of(const struct tess_device *dev, size_t most)
{
    uint64_t memory = tess_device_facts(dev)->local_memory / 64 * 64;
    return memory < most ? (size_t)memory : most;
}

// Rows and panels of a work-item with which all units together are done first: at most
// `most` panels, and rows that take `bytes`, and `sums` for each panel, of `memory`.
static void cpu_share(struct shape *shape, size_t products, size_t rows, size_t panels,
                      size_t most, size_t units, size_t memory, size_t bytes, size_t sums)
{
    size_t least = SIZE_MAX;
    for (size_t p = divide_up(panels, divide_up(panels, most));; p = divide_up(p, 2)) {
        size_t fit = memory / (bytes + p * sums) / CPU_ROWS * CPU_ROWS;
        if (fit == 0 && p > CPU_PANELS_LEAST)
            continue;
        fit = fit < CPU_ROWS_MAX ? fit : CPU_ROWS_MAX;
        for (size_t r = fit > CPU_ROWS ? fit : CPU_ROWS; r > 0; r -= CPU_ROWS) {
            size_t items = divide_up(rows, r) * divide_up(panels, p) * products,
                   cost = divide_up(items, units) * (r + CPU_ROWS_COST) *
                          (p + CPU_PANELS_COST);
            if (cost < least) {
                least = cost;
                shape->rows = r;
                shape->cols = p * PANEL;
            }
        }
        if (p <= CPU_PANELS_LEAST)
            break;
    }
}

// For a launch of products of `rows` rows and `cols` columns. Which results a work-item
// makes changes none of them.
static struct shape amx_shape(const struct tess_device *dev,
                              const struct tess_weight *weight, size_t rows, size_t cols)
{
    enum tess_matrix_unit unit = tess_device_unit(dev);
    size_t taps = taps_of(weight->layout), memory = memory_of(dev, AMX_MEMORY),
           blocks = divide_up(weight->inputs, CPU_DEPTH);
    bool several = taps > 1 || blocks > AMX_BLOCKS_ONCE;
    size_t parts = blocks > AMX_BLOCKS_ONCE ? divide_up(blocks, AMX_BLOCKS_PART) : 1,
           part = divide_up(blocks, parts);
    struct shape shape = {
        .kernel = "matmul_amx", .group = {1, 1}, .sized = true, .blocks = part};
    cpu_share(&shape, tess_weight_products(weight->layout), rows, divide_up(cols, PANEL),
              several ? CPU_PANELS_SUMS : CPU_PANELS_MAX,
              tess_device_facts(dev)->compute_units, memory - 2 * CPU_ROWS * CPU_ROW_SUMS,
              AMX_PIECE_BYTES * tess_matrix_unit_pieces(unit) * part,
              several ? CPU_ROW_SUMS : 0);
    snprintf(shape.defines, sizeof shape.defines,
             "-DTAPS=%zu -DAMX=%d -DLEFT_PIECES=%u -DRIGHT_PIECES=%u -DMEMORY=%zu", taps,
             tess_matrix_unit_is_amx(unit), tess_matrix_unit_pieces(unit), weight->pieces,
             memory);
    return shape;
}

// Of which CPU_ROWS rows have room, with sums of a work-item's fewest panels.
size_t tess_matmul_quantised_inputs(const struct tess_device *dev)
{
    size_t row = memory_of(dev, QUANTISED_MEMORY) / CPU_ROWS,
           sums = (1 + CPU_PANELS_LEAST) * CPU_ROW_SUMS;
    return row > sums ? (row - sums) / QUANTISED_BYTES * CPU_DEPTH : 0;
}

// Likewise.
static struct shape quantised_shape(const struct tess_device *dev,
                                    const struct tess_weight *weight, size_t rows,
                                    size_t cols)
{
    size_t taps = taps_of(weight->layout), memory = memory_of(dev, QUANTISED_MEMORY);
    struct shape shape = {.kernel = "matmul_quantised", .group = {1, 1}, .sized = true};
    cpu_share(&shape, 1, rows, divide_up(cols, PANEL),
              taps > 1 ? CPU_PANELS_SUMS : CPU_PANELS_MAX,
              tess_device_facts(dev)->compute_units, memory,
              QUANTISED_BYTES * divide_up(weight->inputs, CPU_DEPTH) + CPU_ROW_SUMS,
              taps > 1 ? CPU_ROW_SUMS : 0);
    snprintf(shape.defines, sizeof shape.defines, "-DTAPS=%zu -DINTEGERS=%u -DMEMORY=%zu",
             taps, tess_matrix_unit_integers(tess_device_unit(dev)), memory);
    return shape;
}

static struct shape shape_of(const struct tess_device *dev,
                             const struct tess_weight *weight, size_t rows, size_t cols)
{
    enum tess_matrix_unit unit = tess_device_unit(dev);
    if (weight->factors == TESS_FACTORS_PIECES)
        return amx_shape(dev, weight, rows, cols);
    if (weight->factors == TESS_FACTORS_QUANTISED)
        return quantised_shape(dev, weight, rows, cols);
    return tess_matrix_unit_factors(unit) == TESS_FACTORS_HALVES
               ? fast_shape(unit, weight)
               : plain_shape(dev, weight);
}

// One launch: all rows, with the outputs of one part of the weights.
static enum tess_status launch(struct tess_stage *stage, const struct tess_matmul *params,
                               size_t part)
{
    const struct tess_weight *weight = params->weight;
    const size_t N = weight->outputs, K = weight->inputs, rows = params->rows;
    const size_t first = part * weight->part_outputs,
                 cols =
                     N - first < weight->part_outputs ? N - first : weight->part_outputs;
    struct tess_slice out = params->out.data, in = params->in.data;
    struct tess_device *dev = tess_stage_device(stage);
    struct shape shape = shape_of(dev, weight, rows, cols);
    size_t products = tess_weight_products(weight->layout);
    double density = params->density > 0 ? params->density : 1;
    // Where an argument is not used, any buffer will do.
    struct tess_launch launch = {
        .file = shape.kernel,
        .kernel = shape.kernel,
        .defines = shape.defines,
        .global = {divide_up(cols, shape.cols) * shape.group[0],
                   divide_up(rows, shape.rows) * shape.group[1], products},
        .local = {shape.group[0], shape.group[1], 1},
        .cut = 1,
        .flop = 2.0 * (double)rows * (double)cols * (double)K *
                (double)(taps_of(weight->layout) * products) * density,
        .args = {TESS_SLICE(out), TESS_SLICE(in), TESS_SLICE(weight->parts[part]),
                 TESS_SLICE(params->bias ? params->bias->data : in),
                 TESS_SLICE(params->gate ? *params->gate : in),
                 TESS_SLICE(params->residual ? params->residual->data : in),
                 TESS_SLICE(params->index ? params->index->data : in), TESS_U32ARG(rows),
                 TESS_U32ARG(K), TESS_U32ARG(N), TESS_U32ARG(first), TESS_U32ARG(cols),
                 TESS_U32ARG(params->activation), TESS_U32ARG(params->bias != NULL),
                 TESS_U32ARG(params->gate != NULL),
                 TESS_U32ARG(params->residual != NULL)}};
    if (shape.sized) {
        launch.args[PRODUCT_ARGS] = (struct tess_arg)TESS_U32ARG(shape.rows);
        launch.args[PRODUCT_ARGS + 1] = (struct tess_arg)TESS_U32ARG(shape.cols / PANEL);
    }
    if (shape.blocks)
        launch.args[PRODUCT_ARGS + 2] = (struct tess_arg)TESS_U32ARG(shape.blocks);
    return tess_launch(dev, &launch);
}

enum tess_status tess_matmul(struct tess_stage *stage, const struct tess_matmul *params)
{
    const struct tess_weight *weight = params->weight;
    assert(weight->layout != TESS_WEIGHT_VECTOR);
    assert(params->in.cols == weight->inputs && params->out.cols == weight->outputs);
    assert((taps_of(weight->layout) > 1) == (params->index != NULL));
    assert(params->out.rows >= params->rows * tess_weight_products(weight->layout));
    for (size_t part = 0; part < weight->part_count; part++)
        TESS_TRY(launch(stage, params, part));
    return TESS_OK;
}
