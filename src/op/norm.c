// Launching cl/norm.cl, and putting group statistics together.
#include "op/norm.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

enum tess_status tess_layernorm(struct tess_stage *stage,
                                const struct tess_layernorm *params)
{
    struct tess_device *dev = tess_stage_device(stage);
    struct tess_mat in = params->in;
    size_t lanes = tess_device_variant(dev) == TESS_VARIANT_CPU ? 1 : 64;
    return tess_launch(
        dev,
        &(struct tess_launch){
            .file = "norm",
            .kernel = "layernorm",
            .global = {lanes, in.rows},
            .local = {lanes, 1, 1},
            .cut = 1,
            .flop = 8.0 * (double)in.rows * (double)in.cols,
            .args = {TESS_SLICE(params->out.data), TESS_SLICE(in.data),
                     TESS_SLICE(params->weight ? *params->weight : in.data),
                     TESS_SLICE(params->bias ? *params->bias : in.data),
                     TESS_U32ARG(in.cols), TESS_F32ARG(params->eps),
                     TESS_U32ARG(params->weight != NULL), TESS_U32ARG(params->silu)}});
}

enum tess_status tess_normalise_heads(struct tess_stage *stage, struct tess_mat x,
                                      size_t col, size_t heads, size_t head_channels,
                                      const struct tess_slice *gamma)
{
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "norm",
            .kernel = "normalise_heads",
            .global = {heads, x.rows},
            .cut = 1,
            .flop = 4.0 * (double)x.rows * (double)(heads * head_channels),
            .args = {TESS_SLICE(x.data), TESS_SLICE(*gamma), TESS_U32ARG(x.rows),
                     TESS_U32ARG(x.cols), TESS_U32ARG(col), TESS_U32ARG(heads),
                     TESS_U32ARG(head_channels)}});
}

static size_t block_count(const struct tess_group_stats *stats, size_t rows)
{
    return (rows + stats->block - 1) / stats->block;
}

enum tess_status tess_group_stats_create(struct tess_group_stats *out,
                                         struct tess_stage *stage, size_t rows,
                                         size_t channels, size_t block)
{
    struct tess_group_stats stats = {stage, channels, rows, block, NULL};
    if (!tess_device_dry(tess_stage_device(stage)))
        TESS_TRY(tess_alloc(&stats.blocks, tess_stage_env(stage),
                            block_count(&stats, rows) * channels, 2 * sizeof(float),
                            "statistics"));
    *out = stats;
    return TESS_OK;
}

void tess_group_stats_clear(struct tess_group_stats *stats)
{
    free(stats->blocks);
    stats->blocks = NULL;
}

static enum tess_status keep_blocks(void *user, size_t block0, size_t blocks,
                                    const void *data)
{
    struct tess_group_stats *stats = user;
    memcpy(stats->blocks + 2 * block0 * stats->channels, data,
           2 * blocks * stats->channels * sizeof(float));
    return TESS_OK;
}

enum tess_status tess_group_stats_add(struct tess_group_stats *stats, struct tess_mat in,
                                      size_t row0)
{
    assert(row0 % stats->block == 0 && in.cols == stats->channels);
    struct tess_stage *stage = stats->stage;
    size_t blocks = block_count(stats, in.rows);
    struct tess_mat partial;
    TESS_TRY(tess_mat_take(&partial, stage, blocks, 2 * in.cols, TESS_F32, "statistics"));
    TESS_TRY(tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "norm",
                              .kernel = "channel_stats",
                              .global = {in.cols, blocks},
                              .whole_rows = true,
                              .cut = 1,
                              .flop = 4.0 * (double)in.rows * (double)in.cols,
                              .args = {TESS_SLICE(partial.data), TESS_SLICE(in.data),
                                       TESS_U32ARG(in.rows), TESS_U32ARG(in.cols),
                                       TESS_U32ARG(stats->block)}}));
    return tess_mat_deliver_later(stage, partial, row0 / stats->block, keep_blocks,
                                  stats);
}

// Mean and variance over the channels [c0, c1) of all blocks (Chan, Golub and LeVeque
// 1979, "Updating formulae and a pairwise algorithm for computing sample variances").
static void combine(double *mean, double *variance, const struct tess_group_stats *stats,
                    size_t c0, size_t c1)
{
    double count = 0, m = 0, squares = 0;
    size_t blocks = block_count(stats, stats->rows);
    for (size_t b = 0; b < blocks; b++) {
        size_t left = stats->rows - b * stats->block;
        double n = (double)(left < stats->block ? left : stats->block);
        for (size_t c = c0; c < c1; c++) {
            const float *block = stats->blocks + 2 * (b * stats->channels + c);
            double delta = block[0] - m, total = count + n;
            squares += block[1] + delta * delta * count * n / total;
            m += delta * n / total;
            count = total;
        }
    }
    *mean = m;
    *variance = squares / count;
}

enum tess_status tess_group_stats_finish(struct tess_mat *scale, struct tess_mat *shift,
                                         struct tess_group_stats *stats, size_t groups,
                                         float eps, const float *weight,
                                         const float *bias)
{
    struct tess_stage *stage = stats->stage;
    size_t channels = stats->channels, width = channels / groups;
    assert(channels % groups == 0);
    TESS_TRY(tess_stage_deliver(stage));
    TESS_TRY(tess_mat_take(scale, stage, 1, channels, TESS_F32, "group norm"));
    TESS_TRY(tess_mat_take(shift, stage, 1, channels, TESS_F32, "group norm"));
    float *values = NULL;
    TESS_TRY(tess_alloc(&values, tess_stage_env(stage), 2 * channels, sizeof *values,
                        "group norm"));
    for (size_t c = 0; c < channels && stats->blocks; c += width) {
        double mean, variance;
        combine(&mean, &variance, stats, c, c + width);
        for (size_t i = c; i < c + width; i++) {
            double factor = weight[i] / sqrt(variance + eps);
            values[i] = (float)factor;
            values[channels + i] = (float)(bias[i] - mean * factor);
        }
    }
    enum tess_status status = tess_mat_write(stage, *scale, values);
    if (!status)
        status = tess_mat_write(stage, *shift, values + channels);
    free(values);
    return status;
}

enum tess_status tess_scale_silu(struct tess_stage *stage, struct tess_mat x,
                                 struct tess_mat scale, struct tess_mat shift)
{
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "norm",
                              .kernel = "scale_silu",
                              .global = {x.cols, x.rows},
                              .whole_rows = true,
                              .cut = 1,
                              .flop = 8.0 * (double)x.rows * (double)x.cols,
                              .args = {TESS_SLICE(x.data), TESS_SLICE(scale.data),
                                       TESS_SLICE(shift.data), TESS_U32ARG(x.rows),
                                       TESS_U32ARG(x.cols)}});
}
