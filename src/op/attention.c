// Launching cl/attention.cl.
#include "op/attention.h"

#include <math.h>
#include <stdio.h>

// Of a unit.
#define CPU_QUERIES 64
#define GPU_QUERIES 64
#define CPU_MERGED  4  // units of a work-item
#define GPU_GROUP   16 // in both dimensions; a group has the queries of a unit

uint32_t tess_attention_queries(const struct tess_device *dev)
{
    return tess_device_variant(dev) == TESS_VARIANT_CPU ? CPU_QUERIES : GPU_QUERIES;
}

enum tess_status tess_attention(struct tess_stage *stage,
                                const struct tess_attention_params *params)
{
    struct tess_device *dev = tess_stage_device(stage);
    bool cpu = tess_device_variant(dev) == TESS_VARIANT_CPU, whole = !params->state;
    size_t group = cpu ? 1 : GPU_GROUP;
    char defines[32];
    snprintf(defines, sizeof defines, "-DD=%zu", params->head_channels);
    return tess_launch(
        dev, &(struct tess_launch){
                 .file = "attention",
                 .kernel = "attention",
                 .defines = defines,
                 .global = {cpu ? (params->unit_count + CPU_MERGED - 1) / CPU_MERGED
                                : params->unit_count * group,
                            params->heads * group},
                 .local = {group, group, 1},
                 .flop = 4.0 * params->pairs * (double)params->heads *
                         (double)params->head_channels,
                 .args = {TESS_SLICE(params->out.data), TESS_SLICE(params->q.data),
                          TESS_SLICE(params->kv.data), TESS_SLICE(params->units.data),
                          TESS_SLICE(whole ? params->out.data : params->state->data),
                          TESS_U32ARG(params->unit0), TESS_U32ARG(params->unit_count),
                          TESS_U32ARG(params->query0), TESS_U32ARG(params->key0),
                          TESS_U32ARG(params->kv.rows), TESS_U32ARG(params->q.cols),
                          TESS_U32ARG(params->q_col), TESS_U32ARG(params->kv.cols),
                          TESS_U32ARG(params->k_col), TESS_U32ARG(params->v_col),
                          TESS_U32ARG(params->heads),
                          TESS_F32ARG((float)(1 / sqrt((double)params->head_channels))),
                          TESS_U32ARG(whole || params->first),
                          TESS_U32ARG(whole || params->last)}});
}
