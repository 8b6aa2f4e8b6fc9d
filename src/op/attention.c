// Launching cl/attention.cl.
#include "op/attention.h"

#include <math.h>
#include <stdio.h>

#include "rt/tuning.h"

#define GPU_GROUP 16 // in both dimensions

enum tess_status tess_attention(struct tess_stage *stage,
                                const struct tess_attention_params *params)
{
    struct tess_device *dev = tess_stage_device(stage);
    const struct tess_tuning *tuning = tess_device_tuning(dev);
    enum tess_variant variant = tess_device_variant(dev);
    bool whole = !params->state;
    uint32_t queries = tess_tuning_attention_queries(tuning, variant, params->many_runs);
    size_t group = variant == TESS_VARIANT_CPU ? 1 : GPU_GROUP,
           merged = queries / TESS_ATTENTION_QUERIES;
    char shape[64], defines[96];
    tess_tuning_attention_defines(shape, sizeof shape, tuning, variant, queries);
    snprintf(defines, sizeof defines, "-DD=%zu %s", params->head_channels, shape);
    return tess_launch(
        dev, &(struct tess_launch){
                 .file = "attention",
                 .kernel = "attention",
                 .defines = defines,
                 .global = {(params->unit_count + merged - 1) / merged * group,
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
