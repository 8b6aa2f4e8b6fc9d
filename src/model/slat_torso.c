// The torso of the structured latents' decoders.
//
//   h = input_layer(latent) + position embedding
//   block i: h += to_out(window attention_i(to_qkv(LN(h)))); h += mlp2(GELU(mlp0(LN(h))))
//
// Windows of even blocks are aligned to the grid, those of odd blocks are shifted by half
// a window. A block is one span: all of its work for some rows needs only the windows
// that these rows are.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/slat_parts.h"
#include "op/matmul.h"
#include "op/norm.h"
#include "op/position.h"

// Beyond this many rows a tile gains nothing on any device at hand.
#define COMFORTABLE_ROWS 2048
#define NORM_EPS         1e-6f

struct torso {
    const struct tess_slat_job *job;
    struct tess_tensor *features;
    const struct tess_weight *items; // of the block in use
    struct tess_mat positions;       // table for the input layer
    struct tess_mat units[2];
    size_t parity; // of the block: which windows
};

static enum tess_status input_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    struct torso *torso = user;
    const struct tess_slat_job *job = torso->job;
    const struct tess_latent *latent = job->latent;
    size_t channels = latent->channels, C = job->decoder->config.channels;
    struct tess_mat in, coords, out;
    TESS_TRY(tess_mat_take(&in, stage, tile.rows, channels, TESS_F32, "latent"));
    TESS_TRY(tess_mat_take(&coords, stage, tile.rows, 3, TESS_I32, "coordinates"));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, C, TESS_F32, "input layer"));
    float *rows = NULL;
    TESS_TRY(tess_alloc(&rows, tess_stage_env(stage), tile.rows, channels * sizeof *rows,
                        "latent"));
    for (size_t i = 0; i < tile.rows; i++)
        memcpy(rows + i * channels,
               latent->feats + job->voxels.source[tile.row0 + i] * channels,
               channels * sizeof *rows);
    enum tess_status status = tess_mat_write(stage, in, rows);
    free(rows);
    TESS_TRY(status);
    TESS_TRY(tess_mat_write(stage, coords, job->voxels.coords + 3 * tile.row0));
    TESS_TRY(tess_position_embed(stage, out, coords, torso->positions));
    TESS_TRY(tess_matmul(stage, &(struct tess_matmul){
                                    .out = out,
                                    .in = in,
                                    .weight = &torso->items[TESS_INPUT_WEIGHT],
                                    .bias = &torso->items[TESS_INPUT_BIAS],
                                    .residual = &out,
                                    .rows = tile.rows,
                                }));
    return tess_tensor_store(stage, torso->features, out, tile.row0);
}

// x += to_out(attention(to_qkv(LN(x))))
static enum tess_status attend(struct tess_stage *stage, const struct torso *torso,
                               struct tess_mat x, struct tess_mat u,
                               struct tess_tile tile)
{
    const struct tess_slat_decoder_config *config = &torso->job->decoder->config;
    size_t unit0, units, mark = tess_arena_mark(tess_stage_arena(stage));
    double pairs;
    tess_windows_units(&unit0, &units, &pairs, &torso->job->windows[torso->parity],
                       tile.row0, tile.rows);
    struct tess_mat qkv;
    TESS_TRY(
        tess_mat_take(&qkv, stage, tile.rows, 3 * config->channels, TESS_F32, "QKV"));
    TESS_TRY(tess_layernorm(
        stage, &(struct tess_layernorm){.out = u, .in = x, .eps = NORM_EPS}));
    TESS_TRY(
        tess_matmul(stage, &(struct tess_matmul){.out = qkv,
                                                 .in = u,
                                                 .weight = &torso->items[TESS_QKV_WEIGHT],
                                                 .bias = &torso->items[TESS_QKV_BIAS],
                                                 .rows = tile.rows}));
    TESS_TRY(tess_attention(stage, &(struct tess_attention_params){
                                       .out = u,
                                       .q = qkv,
                                       .kv = qkv,
                                       .k_col = config->channels,
                                       .v_col = 2 * config->channels,
                                       .units = torso->units[torso->parity],
                                       .unit0 = unit0,
                                       .unit_count = units,
                                       .query0 = tile.row0,
                                       .key0 = tile.row0,
                                       .heads = config->heads,
                                       .head_channels = config->channels / config->heads,
                                       .many_runs = true,
                                       .pairs = pairs,
                                   }));
    TESS_TRY(tess_matmul(
        stage, &(struct tess_matmul){.out = x,
                                     .in = u,
                                     .weight = &torso->items[TESS_PROJECT_WEIGHT],
                                     .bias = &torso->items[TESS_PROJECT_BIAS],
                                     .residual = &x,
                                     .rows = tile.rows}));
    tess_arena_release(tess_stage_arena(stage), mark);
    return TESS_OK;
}

// x += mlp2(GELU(mlp0(LN(x))))
static enum tess_status feed_forward(struct tess_stage *stage, const struct torso *torso,
                                     struct tess_mat x, struct tess_mat u)
{
    struct tess_mat hidden;
    TESS_TRY(tess_mat_take(&hidden, stage, x.rows, torso->job->decoder->config.hidden,
                           TESS_F32, "hidden layer"));
    TESS_TRY(tess_layernorm(
        stage, &(struct tess_layernorm){.out = u, .in = x, .eps = NORM_EPS}));
    TESS_TRY(tess_matmul(stage,
                         &(struct tess_matmul){.out = hidden,
                                               .in = u,
                                               .weight = &torso->items[TESS_MLP0_WEIGHT],
                                               .bias = &torso->items[TESS_MLP0_BIAS],
                                               .activation = TESS_ACT_GELU_TANH,
                                               .rows = x.rows}));
    return tess_matmul(stage,
                       &(struct tess_matmul){.out = x,
                                             .in = hidden,
                                             .weight = &torso->items[TESS_MLP2_WEIGHT],
                                             .bias = &torso->items[TESS_MLP2_BIAS],
                                             .residual = &x,
                                             .rows = x.rows});
}

static enum tess_status block_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    struct torso *torso = user;
    const uint32_t *ids = torso->job->windows[torso->parity].order + tile.row0;
    struct tess_mat x, u;
    TESS_TRY(tess_tensor_gather(&x, stage, torso->features, ids, tile.rows));
    TESS_TRY(tess_mat_take(&u, stage, x.rows, x.cols, TESS_F32, "normalised features"));
    TESS_TRY(attend(stage, torso, x, u, tile));
    TESS_TRY(feed_forward(stage, torso, x, u));
    return tess_tensor_scatter(stage, torso->features, x, ids, tile.rows);
}

static enum tess_status upload_units(struct tess_stage *stage, struct torso *torso)
{
    for (size_t parity = 0; parity < 2; parity++) {
        const struct tess_windows *windows = &torso->job->windows[parity];
        TESS_TRY(tess_mat_take(&torso->units[parity], stage, windows->unit_count, 4,
                               TESS_U32, "windows"));
        TESS_TRY(tess_mat_write(stage, torso->units[parity], windows->units));
    }
    return TESS_OK;
}

static enum tess_status run_torso(struct tess_stage *stage, struct torso *torso,
                                  struct tess_weights *weights)
{
    const struct tess_slat_job *job = torso->job;
    const struct tess_slat_decoder_config *config = &job->decoder->config;
    TESS_TRY(tess_position_table(&torso->positions, stage, config->resolution,
                                 config->channels));
    TESS_TRY(tess_weights_use(&torso->items, weights, 0));
    TESS_TRY(tess_span_run(stage, &(struct tess_span){.name = "input layer",
                                                      .rows = job->voxels.count,
                                                      .comfortable = COMFORTABLE_ROWS,
                                                      .run = input_span,
                                                      .user = torso}));
    TESS_TRY(upload_units(stage, torso));
    static const char *const names[] = {"torso block", "shifted torso block"};
    for (size_t block = 0; block < config->blocks; block++) {
        torso->parity = block % 2;
        const struct tess_windows *windows = &job->windows[torso->parity];
        TESS_TRY(tess_weights_use(&torso->items, weights, 1 + block));
        TESS_TRY(tess_span_run(stage, &(struct tess_span){.name = names[torso->parity],
                                                          .rows = job->voxels.count,
                                                          .cuts = windows->cuts,
                                                          .cut_count = windows->windows,
                                                          .comfortable = COMFORTABLE_ROWS,
                                                          .run = block_span,
                                                          .user = torso}));
    }
    return TESS_OK;
}

enum tess_status tess_slat_torso(struct tess_tensor **features, struct tess_stage *stage,
                                 const struct tess_slat_job *job,
                                 struct tess_weights *weights)
{
    struct torso torso = {.job = job};
    TESS_TRY(tess_tensor_create(
        &torso.features, stage,
        &(struct tess_tensor_params){.rows = job->voxels.count,
                                     .cols = job->decoder->config.channels,
                                     .dtype = TESS_F32,
                                     .tag = "torso features",
                                     .may_spill = true}));
    enum tess_status status = run_torso(stage, &torso, weights);
    if (status) {
        tess_tensor_destroy(&torso.features);
        return status;
    }
    *features = torso.features;
    return TESS_OK;
}
