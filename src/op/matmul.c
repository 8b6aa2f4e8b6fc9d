// Launching cl/matmul.cl.
#include "op/matmul.h"

#include <assert.h>

#define CPU_ROWS  64 // outputs of one work-item: 64 rows x 4 panels of 32 columns
#define CPU_COLS  128
#define GPU_TILE  64 // outputs of one group: 64 x 64 by 16 x 16 work-items
#define GPU_GROUP 16

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static const char *defines(const struct tess_weight *weight)
{
    bool half = weight->dtype == TESS_F16;
    switch (weight->layout) {
    case TESS_WEIGHT_CONV:
    case TESS_WEIGHT_CONV_DENSE:
        return half ? "-DTAPS=27 -DWEIGHT_F16=1" : "-DTAPS=27 -DWEIGHT_F16=0";
    case TESS_WEIGHT_CONV_UP:
        return "-DTAPS=8 -DWEIGHT_F16=0";
    default:
        return half ? "-DTAPS=1 -DWEIGHT_F16=1" : "-DTAPS=1 -DWEIGHT_F16=0";
    }
}

static size_t taps_of(enum tess_weight_layout layout)
{
    return layout == TESS_WEIGHT_CONV || layout == TESS_WEIGHT_CONV_DENSE ? 27
           : layout == TESS_WEIGHT_CONV_UP                                ? 8
                                                                          : 1;
}

// One launch: all rows, with the outputs of one part of the weights, and of one octant
// where there are eight.
static enum tess_status launch(struct tess_stage *stage, const struct tess_matmul *params,
                               size_t part, uint32_t octants, uint32_t octant)
{
    const struct tess_weight *weight = params->weight;
    const size_t N = weight->outputs, K = weight->inputs, rows = params->rows;
    const size_t first = part * weight->part_outputs,
                 cols =
                     N - first < weight->part_outputs ? N - first : weight->part_outputs;
    struct tess_slice packed = weight->parts[part];
    packed.bytes /= octants;
    packed.offset += octant * packed.bytes;
    struct tess_slice out = params->out.data, in = params->in.data;
    struct tess_device *dev = tess_stage_device(stage);
    bool cpu = tess_device_variant(dev) == TESS_VARIANT_CPU;
    double density = params->density > 0 ? params->density : 1;
    // Where an argument is not used, any buffer will do.
    return tess_launch(
        dev, &(struct tess_launch){
                 .file = "matmul",
                 .kernel = "matmul",
                 .defines = defines(weight),
                 .global = {cpu ? (cols + CPU_COLS - 1) / CPU_COLS
                                : round_up(cols, GPU_TILE) / (GPU_TILE / GPU_GROUP),
                            cpu ? (rows + CPU_ROWS - 1) / CPU_ROWS
                                : round_up(rows, GPU_TILE) / (GPU_TILE / GPU_GROUP)},
                 .local = {cpu ? 1 : GPU_GROUP, cpu ? 1 : GPU_GROUP, 1},
                 .cut = 1,
                 .flop = 2.0 * (double)rows * (double)cols * (double)K *
                         (double)taps_of(weight->layout) * density,
                 .args = {TESS_SLICE(out),
                          TESS_SLICE(in),
                          TESS_SLICE(packed),
                          TESS_SLICE(params->bias ? params->bias->data : in),
                          TESS_SLICE(params->gate ? *params->gate : in),
                          TESS_SLICE(params->residual ? params->residual->data : in),
                          TESS_SLICE(params->index ? params->index->data : in),
                          TESS_U32ARG(rows),
                          TESS_U32ARG(K),
                          TESS_U32ARG(N),
                          TESS_U32ARG(first),
                          TESS_U32ARG(cols),
                          TESS_U32ARG(octants),
                          TESS_U32ARG(octant),
                          TESS_U32ARG(params->residual_shift),
                          TESS_U32ARG(params->activation),
                          TESS_U32ARG(params->bias != NULL),
                          TESS_U32ARG(params->gate != NULL),
                          TESS_U32ARG(params->residual != NULL),
                          TESS_U32ARG(octant)}});
}

enum tess_status tess_matmul(struct tess_stage *stage, const struct tess_matmul *params)
{
    const struct tess_weight *weight = params->weight;
    assert(weight->layout != TESS_WEIGHT_VECTOR);
    assert(params->in.cols == weight->inputs && params->out.cols == weight->outputs);
    assert((taps_of(weight->layout) > 1) == (params->index != NULL));
    uint32_t octants = weight->layout == TESS_WEIGHT_CONV_UP ? 8 : 1;
    assert(params->out.rows >= params->rows * octants);
    for (size_t part = 0; part < weight->part_count; part++)
        for (uint32_t octant = 0; octant < octants; octant++)
            TESS_TRY(launch(stage, params, part, octants, octant));
    return TESS_OK;
}
