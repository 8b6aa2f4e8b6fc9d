// Opening flow models: every tensor of the file, in blocks in order of use.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/collector.h"
#include "model/flow_parts.h"

#define TIME_CHANNELS TESS_FLOW_TIME_CHANNELS

uint32_t tess_flow_patch_channels(const struct tess_flow_config *config,
                                  uint32_t channels)
{
    uint32_t p = config->sparse ? 1 : config->patch_size;
    return channels * p * p * p;
}

static enum tess_status open_block(struct tess_flow *flow, struct tess_collector *c,
                                   uint32_t index, size_t modulated)
{
    const struct tess_flow_config *config = &flow->config;
    uint32_t C = config->channels;
    struct tess_weight_block *main_block = c->block;
    const size_t gamma[2] = {config->heads, C / config->heads};
    snprintf(c->prefix, sizeof c->prefix, "blocks.%u.", (unsigned)index);
    TESS_TRY(tess_collect_norm(c, "norm2", C));
    TESS_TRY(tess_collect_linear(c, "self_attn.to_qkv", 3 * C, C));
    TESS_TRY(tess_collect_linear(c, "self_attn.to_out", C, C));
    TESS_TRY(tess_collect_linear(c, "cross_attn.to_q", C, C));
    TESS_TRY(tess_collect_linear(c, "cross_attn.to_out", C, C));
    TESS_TRY(tess_collect_linear(c, "mlp.mlp.0", config->hidden, C));
    TESS_TRY(tess_collect_linear(c, "mlp.mlp.2", C, config->hidden));
    if (config->qk_rms_norm) {
        TESS_TRY(tess_collect_vector(c, "self_attn.q_rms_norm.gamma", C, 2, gamma));
        TESS_TRY(tess_collect_vector(c, "self_attn.k_rms_norm.gamma", C, 2, gamma));
    }
    c->block = &flow->modulation[modulated];
    TESS_TRY(tess_collect_linear(c, "adaLN_modulation.1", 6 * C, C));
    c->block = &flow->condition[index];
    TESS_TRY(tess_collect_linear(c, "cross_attn.to_kv", 2 * C, config->cond_channels));
    // The bias again, as the values of a condition of zeros.
    const struct tess_file_tensor *bias =
        tess_checkpoint_find(flow->file, c->names[c->found - 1]);
    float *values = NULL;
    TESS_TRY(tess_alloc(&values, c->env, 2 * C, sizeof *values, "a bias"));
    tess_file_tensor_floats(values, bias);
    memmove(values, values + C, C * sizeof *values);
    flow->value_bias[index] = values;
    c->block = main_block;
    c->prefix[0] = '\0';
    return TESS_OK;
}

static enum tess_status open_res_block(struct tess_flow *flow, struct tess_collector *c,
                                       const char *name, size_t modulated,
                                       struct tess_res_block sizes)
{
    struct tess_weight_block *main_block = c->block;
    uint32_t in = sizes.inputs, out = sizes.outputs;
    snprintf(c->prefix, sizeof c->prefix, "%s.", name);
    TESS_TRY(tess_collect_norm(c, "norm1", in));
    TESS_TRY(tess_collect_conv(c, "conv1.conv", TESS_WEIGHT_CONV, out, in));
    TESS_TRY(tess_collect_conv(c, "conv2.conv", TESS_WEIGHT_CONV, out, out));
    if (in != out)
        TESS_TRY(tess_collect_linear(c, "skip_connection", out, in));
    c->block = &flow->modulation[modulated];
    TESS_TRY(tess_collect_linear(c, "emb_layers.1", 2 * out, flow->config.channels));
    c->block = main_block;
    c->prefix[0] = '\0';
    flow->res_blocks[flow->res_count++] = sizes;
    return TESS_OK;
}

static enum tess_status open_time(struct tess_flow *flow, struct tess_collector *c)
{
    size_t C = flow->config.channels;
    TESS_TRY(tess_collect_values(&flow->time_weight[0], c, "t_embedder.mlp.0.weight", 2,
                                 (const size_t[]){C, TIME_CHANNELS}));
    TESS_TRY(tess_collect_values(&flow->time_bias[0], c, "t_embedder.mlp.0.bias", 1,
                                 (const size_t[]){C}));
    TESS_TRY(tess_collect_values(&flow->time_weight[1], c, "t_embedder.mlp.2.weight", 2,
                                 (const size_t[]){C, C}));
    return tess_collect_values(&flow->time_bias[1], c, "t_embedder.mlp.2.bias", 1,
                               (const size_t[]){C});
}

static enum tess_status open_all(struct tess_flow *flow, struct tess_collector *c)
{
    const struct tess_flow_config *config = &flow->config;
    uint32_t C = config->channels, io = config->io_channels,
             first = config->sparse ? io : C;
    uint32_t io_blocks = config->io_blocks;
    size_t modulated = 0;
    char name[64];
    TESS_TRY(open_time(flow, c));
    if (!config->sparse) {
        size_t side = config->resolution / config->patch_size;
        TESS_TRY(tess_collect(&flow->positions, c, "pos_emb", 1u << TESS_F32, 2,
                              (const size_t[]){side * side * side, C}));
    }
    TESS_TRY(tess_collect_linear(c, "input_layer", first,
                                 tess_flow_patch_channels(config, config->in_channels)));
    for (uint32_t i = 0; i < io_blocks; i++) {
        bool down = i + 1 == io_blocks;
        c->block++;
        snprintf(name, sizeof name, "input_blocks.%u", (unsigned)i);
        TESS_TRY(open_res_block(flow, c, name, modulated++,
                                (struct tess_res_block){io, down ? C : io, down, false}));
    }
    for (uint32_t i = 0; i < config->blocks; i++) {
        c->block++;
        TESS_TRY(open_block(flow, c, i, modulated++));
    }
    for (uint32_t i = 0; i < io_blocks; i++) {
        c->block++;
        snprintf(name, sizeof name, "out_blocks.%u", (unsigned)i);
        TESS_TRY(
            open_res_block(flow, c, name, modulated++,
                           (struct tess_res_block){i ? 2 * io : 2 * C, io, false, !i}));
    }
    c->block++;
    TESS_TRY(tess_collect_linear(
        c, "out_layer", tess_flow_patch_channels(config, config->out_channels), first));
    return tess_collector_refuse_surplus(c);
}

static enum tess_status alloc_blocks(struct tess_flow *flow, struct tess_env *env)
{
    const struct tess_flow_config *config = &flow->config;
    size_t modulated = config->blocks + 2 * config->io_blocks;
    flow->modulation_count = modulated;
    flow->block_count = modulated + 2;
    TESS_TRY(tess_alloc(&flow->blocks, env, flow->block_count, sizeof *flow->blocks,
                        "weights"));
    TESS_TRY(tess_alloc(&flow->modulation, env, modulated, sizeof *flow->modulation,
                        "weights"));
    TESS_TRY(tess_alloc(&flow->condition, env, config->blocks, sizeof *flow->condition,
                        "weights"));
    TESS_TRY(tess_alloc(&flow->value_bias, env, config->blocks, sizeof *flow->value_bias,
                        "weights"));
    return tess_alloc(&flow->res_blocks, env, 2 * config->io_blocks,
                      sizeof *flow->res_blocks, "weights");
}

static enum tess_status open_into(struct tess_flow *flow, struct tess_env *env,
                                  const char *path)
{
    char *name = NULL;
    TESS_TRY(tess_strf(&name, env, "%s.json", path));
    enum tess_status status = tess_flow_config_read(&flow->config, env, name);
    free(name);
    TESS_TRY(status);
    TESS_TRY(tess_strf(&name, env, "%s.safetensors", path));
    status = tess_checkpoint_open(&flow->file, env, name);
    free(name);
    TESS_TRY(status);
    TESS_TRY(alloc_blocks(flow, env));
    struct tess_collector collector = {
        .env = env, .file = flow->file, .block = flow->blocks};
    status = open_all(flow, &collector);
    flow->parameters = collector.parameters;
    flow->bytes = collector.bytes;
    tess_collector_clear(&collector);
    return status;
}

enum tess_status tess_flow_open(struct tess_flow **out, struct tess_env *env,
                                const char *path)
{
    struct tess_flow *flow = NULL;
    TESS_TRY(tess_alloc(&flow, env, 1, sizeof *flow, "a flow model"));
    enum tess_status status = open_into(flow, env, path);
    if (status) {
        tess_flow_close(&flow);
        return status;
    }
    *out = flow;
    return TESS_OK;
}

void tess_flow_close(struct tess_flow **flow)
{
    struct tess_flow *f = *flow;
    if (!f)
        return;
    tess_checkpoint_close(&f->file);
    for (size_t i = 0; f->value_bias && i < f->config.blocks; i++)
        free(f->value_bias[i]);
    for (int i = 0; i < 2; i++) {
        free(f->time_weight[i]);
        free(f->time_bias[i]);
    }
    free(f->value_bias);
    free(f->blocks);
    free(f->modulation);
    free(f->condition);
    free(f->res_blocks);
    free(f);
    *flow = NULL;
}

const struct tess_flow_config *tess_flow_config(const struct tess_flow *flow)
{
    return &flow->config;
}

uint64_t tess_flow_parameters(const struct tess_flow *flow)
{
    return flow->parameters;
}

uint64_t tess_flow_bytes(const struct tess_flow *flow)
{
    return flow->bytes;
}

const struct tess_checkpoint *tess_flow_file(const struct tess_flow *flow)
{
    return flow->file;
}

const char *tess_flow_stage_name(const struct tess_flow *flow)
{
    return flow->config.sparse ? "latent flow" : "structure flow";
}
