// Launching cl/attention.cl.
#include "op/attention.h"

#include <math.h>
#include <stdio.h>

#define CPU_QUERIES 8
#define GPU_QUERIES 64

uint32_t tess_attention_queries(const struct tess_device *dev)
{
    return tess_device_variant(dev) == TESS_VARIANT_CPU ? CPU_QUERIES : GPU_QUERIES;
}

// The CPU's kernel wants keys [H D][rows], so that a vector holds 16 keys.
static enum tess_status transpose_keys(struct tess_mat *out, struct tess_stage *stage,
                                       const struct tess_attention_params *params,
                                       const char *defines)
{
    size_t channels = params->heads * params->head_channels, rows = params->kv.rows;
    size_t stride = rows + TESS_ATTENTION_KEYS; // blocks are read whole
    TESS_TRY(tess_mat_take(out, stage, channels, stride, TESS_F32, "transposed keys"));
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "attention",
            .kernel = "transpose_keys",
            .defines = defines,
            .global = {stride, channels},
            .args = {TESS_SLICE(out->data), TESS_SLICE(params->kv.data),
                     TESS_U32ARG(rows), TESS_U32ARG(stride), TESS_U32ARG(channels),
                     TESS_U32ARG(params->kv.cols), TESS_U32ARG(params->k_col)}});
}

enum tess_status tess_attention(struct tess_stage *stage,
                                const struct tess_attention_params *params)
{
    struct tess_device *dev = tess_stage_device(stage);
    bool cpu = tess_device_variant(dev) == TESS_VARIANT_CPU, whole = !params->state;
    char defines[32];
    snprintf(defines, sizeof defines, "-DD=%zu", params->head_channels);
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    struct tess_mat keys = params->kv;
    if (cpu)
        TESS_TRY(transpose_keys(&keys, stage, params, defines));
    TESS_TRY(tess_launch(
        dev, &(struct tess_launch){
                 .file = "attention",
                 .kernel = "attention",
                 .defines = defines,
                 .global = {params->unit_count * (cpu ? 1 : GPU_QUERIES), params->heads},
                 .local = {cpu ? 1 : GPU_QUERIES, 1, 1},
                 .flop = 4.0 * params->pairs * (double)params->heads *
                         (double)params->head_channels,
                 .args = {TESS_SLICE(params->out.data),
                          TESS_SLICE(params->q.data),
                          TESS_SLICE(params->kv.data),
                          TESS_SLICE(keys.data),
                          TESS_SLICE(params->units.data),
                          TESS_SLICE(whole ? params->out.data : params->state->data),
                          TESS_U32ARG(params->unit0),
                          TESS_U32ARG(params->query0),
                          TESS_U32ARG(params->key0),
                          TESS_U32ARG(params->kv.rows),
                          TESS_U32ARG(keys.cols),
                          TESS_U32ARG(params->q.cols),
                          TESS_U32ARG(params->q_col),
                          TESS_U32ARG(params->kv.cols),
                          TESS_U32ARG(params->k_col),
                          TESS_U32ARG(params->v_col),
                          TESS_U32ARG(params->heads),
                          TESS_F32ARG((float)(1 / sqrt((double)params->head_channels))),
                          TESS_U32ARG(whole || params->first),
                          TESS_U32ARG(whole || params->last)}}));
    tess_arena_release(tess_stage_arena(stage), mark);
    return TESS_OK;
}
