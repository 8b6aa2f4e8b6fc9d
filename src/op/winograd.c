// Launching cl/winograd.cl and the products between its two kernels.
#include "op/winograd.h"

#include <assert.h>

#include "op/matmul.h"

// What the rows and products of a part take: that much stays in the caches of CPUs, and
// gives a GPU enough to do. But there are so many rows that weights are not read for a
// few only. A caller that has few rows itself, for want of memory, has eight parts.
#define PART_BYTES      ((size_t)8 << 20)
#define PART_BYTES_GPU  ((size_t)32 << 20)
#define PART_ROWS       128
#define PARTS           8
#define PART_ROWS_LEAST 16

static size_t rows_of_part(struct tess_stage *stage, const struct tess_winograd *params)
{
    const struct tess_weight *weight = params->weight;
    bool cpu = tess_device_variant(tess_stage_device(stage)) == TESS_VARIANT_CPU;
    // Bytes of all products of one column of a row.
    size_t value = tess_weight_products(weight->layout) * sizeof(float),
           widest = weight->inputs > weight->outputs ? weight->inputs : weight->outputs,
           most = tess_arena_max_buffer(tess_stage_arena(stage)) / (value * widest),
           rows = (cpu ? PART_BYTES : PART_BYTES_GPU) /
                  (value * (weight->inputs + weight->outputs)) / PART_ROWS * PART_ROWS;
    if (rows < PART_ROWS)
        rows = PART_ROWS;
    if (rows > params->rows / PARTS)
        rows = params->rows / PARTS;
    if (rows < PART_ROWS_LEAST)
        rows = PART_ROWS_LEAST;
    if (rows > most)
        rows = most;
    return rows ? rows : 1;
}

static const char *defines_of(const struct tess_weight *weight)
{
    return weight->layout == TESS_WEIGHT_WINOGRAD_DOUBLED ? "-DDOUBLED=1" : "-DDOUBLED=0";
}

static enum tess_status launch_rows(struct tess_stage *stage,
                                    const struct tess_winograd *params,
                                    struct tess_mat rows, size_t row0, size_t count)
{
    size_t places = tess_weight_places(params->weight->layout);
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "winograd",
                              .kernel = "winograd_rows",
                              .defines = defines_of(params->weight),
                              .global = {rows.cols, places * places, count},
                              .whole_rows = true,
                              .cut = 2,
                              .flop = 5.0 * (double)rows.rows * (double)rows.cols,
                              .args = {TESS_SLICE(rows.data), TESS_SLICE(params->in.data),
                                       TESS_SLICE(params->index.data), TESS_U32ARG(row0),
                                       TESS_U32ARG(count), TESS_U32ARG(rows.cols)}});
}

static enum tess_status launch_sums(struct tess_stage *stage,
                                    const struct tess_winograd *params,
                                    struct tess_mat products, size_t row0, size_t count)
{
    struct tess_mat out = params->out;
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "winograd",
            .kernel = "winograd_sums",
            .defines = defines_of(params->weight),
            .global = {out.cols, 4, count},
            .whole_rows = true,
            .cut = 2,
            .flop = 5.0 * (double)products.rows * (double)out.cols,
            .args = {
                TESS_SLICE(out.data), TESS_SLICE(products.data),
                TESS_SLICE(params->bias ? params->bias->data : products.data),
                TESS_SLICE(params->residual ? params->residual->data : products.data),
                TESS_U32ARG(row0), TESS_U32ARG(count), TESS_U32ARG(out.cols),
                TESS_U32ARG(params->bias != NULL),
                TESS_U32ARG(params->residual != NULL)}});
}

enum tess_status tess_winograd(struct tess_stage *stage,
                               const struct tess_winograd *params)
{
    const struct tess_weight *weight = params->weight;
    size_t products = tess_weight_products(weight->layout),
           part = rows_of_part(stage, params);
    assert(products > 1);
    assert(params->in.cols == weight->inputs && params->out.cols == weight->outputs);
    for (size_t row0 = 0; row0 < params->rows; row0 += part) {
        size_t left = params->rows - row0, count = left < part ? left : part;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat rows, made;
        TESS_TRY(tess_mat_take(&rows, stage, products * count, weight->inputs, TESS_F32,
                               "rows of a convolution"));
        TESS_TRY(tess_mat_take(&made, stage, products * count, weight->outputs, TESS_F32,
                               "products of a convolution"));
        TESS_TRY(launch_rows(stage, params, rows, row0, count));
        TESS_TRY(tess_matmul(
            stage, &(struct tess_matmul){
                       .out = made, .in = rows, .weight = weight, .rows = count}));
        TESS_TRY(launch_sums(stage, params, made, row0, count));
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    return TESS_OK;
}
