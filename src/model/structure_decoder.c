// The decoder of the sparse structure.
//
//   h = input_layer(z); middle blocks; then per level: blocks, and but for the last an
//   upsampling logits = conv(SiLU(LN(h))) block(x) = x +
//   conv2(SiLU(LN(conv1(SiLU(LN(x))))))
//
// Norms are per voxel, so tiles are planes of the grid, and a convolution sees one plane
// more on either side. Upsampling is a convolution to eight times the channels, then a
// pixel shuffle.
#include "model/structure_decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "mem/tensor.h"
#include "model/collector.h"
#include "op/layout.h"
#include "op/matmul.h"
#include "op/neighbour.h"
#include "op/norm.h"

#define NORM_EPS 1e-5f
// Voxels of a tile beyond which more gain nothing.
#define COMFORTABLE_VOXELS 16384

struct tess_structure_decoder {
    struct tess_structure_decoder_config config;
    struct tess_checkpoint *file;
    uint64_t parameters, bytes;
    struct tess_weight_block *blocks; // one for each convolution
    size_t block_count;
};

// Items: a convolution, and but for the first the norm before it.
enum { CONV_WEIGHT, CONV_BIAS, NORM_WEIGHT, NORM_BIAS };

// ---- opening ----

static enum tess_status open_conv(struct tess_collector *c, const char *conv,
                                  const char *norm, uint32_t outputs, uint32_t inputs)
{
    TESS_TRY(tess_collect_layer(c, conv, TESS_WEIGHT_CONV_DENSE, outputs, inputs, 5,
                                (const size_t[]){outputs, inputs, 3, 3, 3}));
    if (norm)
        TESS_TRY(tess_collect_norm(c, norm, inputs));
    c->block++;
    return TESS_OK;
}

static enum tess_status open_res_block(struct tess_collector *c, const char *name,
                                       uint32_t channels)
{
    snprintf(c->prefix, sizeof c->prefix, "%s.", name);
    TESS_TRY(open_conv(c, "conv1", "norm1", channels, channels));
    TESS_TRY(open_conv(c, "conv2", "norm2", channels, channels));
    c->prefix[0] = '\0';
    return TESS_OK;
}

static enum tess_status open_all(struct tess_structure_decoder *decoder,
                                 struct tess_collector *c)
{
    const struct tess_structure_decoder_config *config = &decoder->config;
    const uint32_t *channels = config->channels;
    char name[64];
    unsigned number = 0;
    TESS_TRY(open_conv(c, "input_layer", NULL, channels[0], config->latent_channels));
    for (uint32_t i = 0; i < config->middle_blocks; i++) {
        snprintf(name, sizeof name, "middle_block.%u", (unsigned)i);
        TESS_TRY(open_res_block(c, name, channels[0]));
    }
    for (uint32_t level = 0; level < config->levels; level++) {
        for (uint32_t i = 0; i < config->res_blocks; i++) {
            snprintf(name, sizeof name, "blocks.%u", number++);
            TESS_TRY(open_res_block(c, name, channels[level]));
        }
        if (level + 1 == config->levels)
            break;
        snprintf(name, sizeof name, "blocks.%u.conv", number++);
        TESS_TRY(open_conv(c, name, NULL, 8 * channels[level + 1], channels[level]));
    }
    TESS_TRY(open_conv(c, "out_layer.2", "out_layer.0", 1, channels[config->levels - 1]));
    return tess_collector_refuse_surplus(c);
}

static enum tess_status open_into(struct tess_structure_decoder *decoder,
                                  struct tess_env *env, const char *path)
{
    char *name = NULL;
    TESS_TRY(tess_strf(&name, env, "%s.json", path));
    enum tess_status status =
        tess_structure_decoder_config_read(&decoder->config, env, name);
    free(name);
    TESS_TRY(status);
    TESS_TRY(tess_strf(&name, env, "%s.safetensors", path));
    status = tess_checkpoint_open(&decoder->file, env, name);
    free(name);
    TESS_TRY(status);
    const struct tess_structure_decoder_config *config = &decoder->config;
    decoder->block_count = 2 + 2 * config->middle_blocks +
                           2 * config->levels * config->res_blocks + config->levels - 1;
    TESS_TRY(tess_alloc(&decoder->blocks, env, decoder->block_count + 1,
                        sizeof *decoder->blocks, "weights"));
    struct tess_collector collector = {
        .env = env, .file = decoder->file, .block = decoder->blocks};
    status = open_all(decoder, &collector);
    decoder->parameters = collector.parameters;
    decoder->bytes = collector.bytes;
    tess_collector_clear(&collector);
    return status;
}

enum tess_status tess_structure_decoder_open(struct tess_structure_decoder **out,
                                             struct tess_env *env, const char *path)
{
    struct tess_structure_decoder *decoder = NULL;
    TESS_TRY(tess_alloc(&decoder, env, 1, sizeof *decoder, "a structure decoder"));
    enum tess_status status = open_into(decoder, env, path);
    if (status) {
        tess_structure_decoder_close(&decoder);
        return status;
    }
    *out = decoder;
    return TESS_OK;
}

void tess_structure_decoder_close(struct tess_structure_decoder **decoder)
{
    if (!*decoder)
        return;
    tess_checkpoint_close(&(*decoder)->file);
    free((*decoder)->blocks);
    free(*decoder);
    *decoder = NULL;
}

const struct tess_structure_decoder_config *
tess_structure_decoder_config(const struct tess_structure_decoder *decoder)
{
    return &decoder->config;
}

uint64_t tess_structure_decoder_parameters(const struct tess_structure_decoder *decoder)
{
    return decoder->parameters;
}

uint64_t tess_structure_decoder_bytes(const struct tess_structure_decoder *decoder)
{
    return decoder->bytes;
}

const struct tess_checkpoint *
tess_structure_decoder_file(const struct tess_structure_decoder *decoder)
{
    return decoder->file;
}

// ---- running ----

struct exec {
    struct tess_stage *stage;
    const struct tess_structure_job *job;
    struct tess_weights *weights;
    const struct tess_weight *items;
    size_t block;
    size_t side; // of the grid at this level
    // Of the convolution at work: from, or the job's latents; to, or the caller.
    const struct tess_tensor *from, *residual;
    struct tess_tensor *to;
    bool shuffle;
};

// The planes that a convolution of [plane0, plane0 + planes) reads.
static void reach(size_t *first, size_t *count, const struct exec *exec, size_t plane0,
                  size_t planes)
{
    size_t end = plane0 + planes < exec->side ? plane0 + planes + 1 : exec->side;
    *first = plane0 ? plane0 - 1 : 0;
    *count = end - *first;
}

static enum tess_status load_planes(struct tess_mat *out, struct exec *exec, size_t first,
                                    size_t count)
{
    size_t plane = exec->side * exec->side;
    if (exec->from)
        return tess_tensor_load(out, exec->stage, exec->from, first * plane,
                                count * plane);
    size_t channels = exec->job->decoder->config.latent_channels;
    TESS_TRY(
        tess_mat_take(out, exec->stage, count * plane, channels, TESS_F32, "latents"));
    return tess_mat_write(exec->stage, *out,
                          exec->job->latents + first * plane * channels);
}

static enum tess_status finish_conv(struct exec *exec, struct tess_mat out,
                                    struct tess_tile tile)
{
    size_t plane = exec->side * exec->side;
    if (exec->shuffle) {
        struct tess_mat fine;
        TESS_TRY(tess_mat_take(&fine, exec->stage, 8 * out.rows, out.cols / 8, TESS_F32,
                               "upsampled features"));
        TESS_TRY(tess_shuffle_octants(exec->stage, fine, out, exec->side));
        return tess_tensor_store(exec->stage, exec->to, fine, 8 * tile.row0 * plane);
    }
    if (exec->to)
        return tess_tensor_store(exec->stage, exec->to, out, tile.row0 * plane);
    return tess_mat_deliver(exec->stage, out, tile.row0 * plane, exec->job->rows,
                            exec->job->user);
}

// Rows of the tile are planes.
static enum tess_status conv_span(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct exec *exec = user;
    const struct tess_weight *items = exec->items;
    size_t plane = exec->side * exec->side, first, count;
    struct tess_mat in, index, out, residual;
    reach(&first, &count, exec, tile.row0, tile.rows);
    TESS_TRY(load_planes(&in, exec, first, count));
    if (exec->block > 1 && !exec->shuffle)
        TESS_TRY(tess_layernorm(
            stage, &(struct tess_layernorm){.out = in,
                                            .in = in,
                                            .eps = NORM_EPS,
                                            .weight = &items[NORM_WEIGHT].data,
                                            .bias = &items[NORM_BIAS].data,
                                            .silu = true}));
    TESS_TRY(tess_neighbours_grid(&index, stage, exec->side, tile.row0, tile.rows, first,
                                  count));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows * plane, items[CONV_WEIGHT].outputs,
                           TESS_F32, "features"));
    if (exec->residual)
        TESS_TRY(tess_tensor_load(&residual, stage, exec->residual, tile.row0 * plane,
                                  tile.rows * plane));
    TESS_TRY(tess_matmul(stage, &(struct tess_matmul){
                                    .out = out,
                                    .in = in,
                                    .weight = &items[CONV_WEIGHT],
                                    .bias = &items[CONV_BIAS],
                                    .residual = exec->residual ? &residual : NULL,
                                    .rows = out.rows,
                                    .index = &index,
                                }));
    return finish_conv(exec, out, tile);
}

// The next convolution: from `from` (NULL: the latents) to *to, made here, or to the
// caller.
static enum tess_status run_conv(struct exec *exec, const struct tess_tensor *from,
                                 const struct tess_tensor *residual,
                                 struct tess_tensor **to, bool shuffle)
{
    static const char *const names[] = {"convolution at 1/1",  "convolution at 1/2",
                                        "convolution at 1/4",  "convolution at 1/8",
                                        "convolution at 1/16", "convolution at 1/32",
                                        "convolution at 1/64", "convolution at 1/128"};
    size_t plane = exec->side * exec->side, level = 0;
    TESS_TRY(tess_weights_use(&exec->items, exec->weights, exec->block++));
    uint32_t channels = exec->items[CONV_WEIGHT].outputs;
    if (to)
        TESS_TRY(tess_tensor_create(
            to, exec->stage,
            &(struct tess_tensor_params){.rows = (shuffle ? 8 : 1) * plane * exec->side,
                                         .cols = shuffle ? channels / 8 : channels,
                                         .dtype = TESS_F32,
                                         .tag = "grid features",
                                         .may_spill = true}));
    exec->from = from;
    exec->residual = residual;
    exec->to = to ? *to : NULL;
    exec->shuffle = shuffle;
    while (level < 7 && exec->job->resolution << level < exec->side)
        level++;
    size_t comfortable = COMFORTABLE_VOXELS / plane;
    return tess_span_run(
        exec->stage, &(struct tess_span){.name = shuffle ? "upsampling" : names[level],
                                         .rows = exec->side,
                                         .comfortable = comfortable ? comfortable : 1,
                                         .run = conv_span,
                                         .user = exec});
}

// *h = block(*h)
static enum tess_status run_res_block(struct exec *exec, struct tess_tensor **h)
{
    struct tess_tensor *u = NULL, *y = NULL;
    enum tess_status status = run_conv(exec, *h, NULL, &u, false);
    if (!status)
        status = run_conv(exec, u, *h, &y, false);
    tess_tensor_destroy(&u);
    tess_tensor_destroy(h);
    *h = y;
    return status;
}

static enum tess_status run_levels(struct exec *exec, struct tess_tensor **h)
{
    const struct tess_structure_decoder_config *config = &exec->job->decoder->config;
    TESS_TRY(run_conv(exec, NULL, NULL, h, false));
    for (uint32_t i = 0; i < config->middle_blocks; i++)
        TESS_TRY(run_res_block(exec, h));
    for (uint32_t level = 0; level < config->levels; level++) {
        for (uint32_t i = 0; i < config->res_blocks; i++)
            TESS_TRY(run_res_block(exec, h));
        if (level + 1 == config->levels)
            break;
        struct tess_tensor *fine = NULL;
        enum tess_status status = run_conv(exec, *h, NULL, &fine, true);
        tess_tensor_destroy(h);
        *h = fine;
        TESS_TRY(status);
        exec->side *= 2;
    }
    return run_conv(exec, *h, NULL, NULL, false);
}

enum tess_status tess_structure_stage(struct tess_stage *stage, void *user)
{
    const struct tess_structure_job *job = user;
    struct exec exec = {.stage = stage, .job = job, .side = job->resolution};
    struct tess_tensor *h = NULL;
    TESS_TRY(tess_weights_create(&exec.weights, stage, job->decoder->blocks,
                                 job->decoder->block_count, 1));
    enum tess_status status = run_levels(&exec, &h);
    tess_tensor_destroy(&h);
    tess_weights_destroy(&exec.weights);
    return status;
}
