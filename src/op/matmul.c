// Launching cl/matmul.cl.
#include "op/matmul.h"

#include <assert.h>
#include <stdio.h>

#include "rt/tuning.h"

#define PANEL     32 // columns
#define GPU_GROUP 16 // work-items of a group, along rows and along columns

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static size_t taps_of(enum tess_weight_layout layout)
{
    return layout == TESS_WEIGHT_CONV || layout == TESS_WEIGHT_CONV_DENSE ? 27
           : layout == TESS_WEIGHT_CONV_UP                                ? 8
                                                                          : 1;
}

// How the kernel is built, and what a work-item (CPU) or a group (GPU) of it makes.
struct shape {
    char defines[96];
    size_t rows, cols;
};

static struct shape shape_of(const struct tess_device *dev,
                             const struct tess_weight *weight)
{
    const struct tess_tuning *tuning = tess_device_tuning(dev);
    size_t taps = taps_of(weight->layout);
    bool conv = taps > 1;
    struct shape shape = {
        .rows =
            tuning->values[conv ? TESS_TUNED_CONVOLUTION_ROWS : TESS_TUNED_PRODUCT_ROWS],
        .cols = PANEL * tuning->values[conv ? TESS_TUNED_CONVOLUTION_PANELS
                                            : TESS_TUNED_PRODUCT_PANELS]};
    char tiles[64];
    tess_tuning_product_defines(tiles, sizeof tiles, tuning, conv);
    snprintf(shape.defines, sizeof shape.defines, "-DTAPS=%zu -DWEIGHT_F16=%d %s", taps,
             weight->dtype == TESS_F16, tiles);
    return shape;
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
    size_t group = tess_device_variant(dev) == TESS_VARIANT_CPU ? 1 : GPU_GROUP;
    struct shape shape = shape_of(dev, weight);
    double density = params->density > 0 ? params->density : 1;
    // Where an argument is not used, any buffer will do.
    return tess_launch(
        dev, &(struct tess_launch){
                 .file = "matmul",
                 .kernel = "matmul",
                 .defines = shape.defines,
                 .global = {divide_up(cols, shape.cols) * group,
                            divide_up(rows, shape.rows) * group},
                 .local = {group, group, 1},
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
