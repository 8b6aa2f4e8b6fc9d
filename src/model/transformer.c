// Transformer blocks over all tokens.
#include "model/transformer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "op/attention.h"
#include "op/layout.h"
#include "op/norm.h"

#define COMFORTABLE_ROWS 2048
// Keys that are brought together at a time, where they are not in place: a multiple of
// what attention asks for.
#define KEY_ROWS 1024

// A run at work.
struct run {
    const struct tess_transformer *transformer;
    const struct tess_transformer_block *block;
    size_t index, row0;
    const struct tess_transformer_sequence *sequence;
    struct tess_tensor *qkv; // [longest][3 C]
};

// ---- units ----

static enum tess_status upload_units(struct tess_mat *out, struct tess_stage *stage,
                                     size_t queries, size_t keys)
{
    uint32_t step = TESS_ATTENTION_QUERIES;
    size_t count = (queries + step - 1) / step;
    struct tess_attention_unit *units = NULL;
    TESS_TRY(tess_mat_take(out, stage, count, 4, TESS_U32, "units of attention"));
    TESS_TRY(tess_alloc(&units, tess_stage_env(stage), count, sizeof *units,
                        "units of attention"));
    for (size_t i = 0; i < count; i++) {
        size_t left = queries - i * step;
        units[i] =
            (struct tess_attention_unit){.query0 = (uint32_t)(i * step),
                                         .queries = left < step ? (uint32_t)left : step,
                                         .key0 = 0,
                                         .keys = (uint32_t)keys};
    }
    enum tess_status status = tess_mat_write(stage, *out, units);
    free(units);
    return status;
}

static enum tess_status prepare(struct tess_transformer *t,
                                const struct tess_transformer_params *params)
{
    TESS_TRY(tess_tensor_create(&t->features, t->stage,
                                &(struct tess_tensor_params){.rows = params->rows,
                                                             .cols = params->channels,
                                                             .dtype = TESS_F32,
                                                             .tag = "token features",
                                                             .may_spill = true}));
    for (size_t i = 0; i < params->sequence_count; i++) {
        struct tess_transformer_sequence *sequence = &t->sequences[i];
        size_t tokens = sequence->tokens = params->tokens[i];
        t->longest = tokens > t->longest ? tokens : t->longest;
        TESS_TRY(upload_units(&sequence->units, t->stage, tokens, tokens));
        if (params->condition_tokens)
            TESS_TRY(upload_units(&sequence->condition_units, t->stage, tokens,
                                  params->condition_tokens));
    }
    return TESS_OK;
}

enum tess_status tess_transformer_create(struct tess_transformer *out,
                                         struct tess_stage *stage,
                                         const struct tess_transformer_params *params)
{
    struct tess_transformer t = {
        .stage = stage, .channels = params->channels, .heads = params->heads};
    assert(params->sequence_count <= TESS_SEQUENCES_MAX);
    enum tess_status status = prepare(&t, params);
    if (status) {
        tess_transformer_clear(&t);
        return status;
    }
    *out = t;
    return TESS_OK;
}

void tess_transformer_clear(struct tess_transformer *transformer)
{
    tess_tensor_destroy(&transformer->features);
}

void tess_transformer_set_runs(struct tess_transformer *transformer,
                               const size_t *sequence, size_t count)
{
    size_t row0 = 0;
    assert(count <= TESS_RUNS_MAX);
    for (size_t i = 0; i < count; i++) {
        transformer->runs[i] = (struct tess_transformer_run){sequence[i], row0};
        row0 += transformer->sequences[sequence[i]].tokens;
    }
    assert(row0 <= tess_tensor_rows(transformer->features));
    transformer->run_count = count;
}

// ---- spans ----

static enum tess_status qkv_span(struct tess_stage *stage, void *user,
                                 struct tess_tile tile)
{
    const struct run *run = user;
    const struct tess_transformer *t = run->transformer;
    const struct tess_transformer_block *block = run->block;
    struct tess_mat x, u, qkv;
    TESS_TRY(tess_tensor_view(&x, stage, t->features, run->row0 + tile.row0, tile.rows));
    TESS_TRY(tess_mat_take(&u, stage, x.rows, x.cols, TESS_F32, "normalised features"));
    TESS_TRY(tess_tensor_make(&qkv, stage, run->qkv, tile.row0, tile.rows));
    TESS_TRY(tess_layernorm(stage, &(struct tess_layernorm){.out = u,
                                                            .in = x,
                                                            .eps = block->eps,
                                                            .weight = block->norm1_weight,
                                                            .bias = block->norm1_bias}));
    TESS_TRY(tess_matmul(stage, &(struct tess_matmul){.out = qkv,
                                                      .in = u,
                                                      .weight = block->qkv,
                                                      .bias = block->qkv_bias,
                                                      .rows = tile.rows}));
    size_t D = t->channels / t->heads;
    if (block->q_gamma)
        TESS_TRY(tess_normalise_heads(stage, qkv, 0, t->heads, D, block->q_gamma));
    if (block->k_gamma)
        TESS_TRY(
            tess_normalise_heads(stage, qkv, t->channels, t->heads, D, block->k_gamma));
    return tess_tensor_put_back(stage, run->qkv, qkv, tile.row0);
}

// Attention of some queries over the first `keys` rows of a tensor, part by part.
struct source {
    const struct tess_tensor *tensor;
    size_t keys, k_col, v_col;
};

// How many keys from `key` on are a part.
static size_t part_of(const struct source *source, size_t key)
{
    size_t left = source->keys - key, most = tess_tensor_in_place(source->tensor, key);
    if (most < KEY_ROWS)
        most = KEY_ROWS;
    return left <= most ? left : most - most % TESS_ATTENTION_KEYS;
}

static enum tess_status attend_part(struct tess_stage *stage, const struct source *source,
                                    struct tess_attention_params params, size_t key,
                                    size_t keys)
{
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    TESS_TRY(tess_tensor_view(&params.kv, stage, source->tensor, key, keys));
    params.k_col = source->k_col;
    params.v_col = source->v_col;
    params.key0 = key;
    params.pairs = (double)params.q.rows * (double)keys;
    params.first = key == 0;
    params.last = key + keys == source->keys;
    enum tess_status status = tess_attention(stage, &params);
    tess_arena_release(tess_stage_arena(stage), mark);
    return status;
}

static enum tess_status attend(struct tess_stage *stage, const struct tess_transformer *t,
                               struct tess_mat out, struct tess_mat q,
                               struct tess_mat units, const struct source *source,
                               struct tess_tile tile)
{
    uint32_t step = TESS_ATTENTION_QUERIES;
    struct tess_mat state;
    TESS_TRY(
        tess_mat_take(&state, stage, tile.rows, 2 * t->heads, TESS_F32, "attention"));
    for (size_t key = 0, keys; key < source->keys; key += keys) {
        keys = part_of(source, key);
        TESS_TRY(attend_part(stage, source,
                             (struct tess_attention_params){
                                 .out = out,
                                 .q = q,
                                 .units = units,
                                 .unit0 = tile.row0 / step,
                                 .unit_count = (tile.rows + step - 1) / step,
                                 .query0 = tile.row0,
                                 .heads = t->heads,
                                 .head_channels = t->channels / t->heads,
                                 .state = &state,
                             },
                             key, keys));
    }
    return TESS_OK;
}

// x += gate * W u + b
static enum tess_status add_product(struct tess_stage *stage, struct tess_mat x,
                                    struct tess_mat u, const struct tess_weight *weight,
                                    const struct tess_weight *bias,
                                    const struct tess_slice *gate)
{
    return tess_matmul(stage, &(struct tess_matmul){.out = x,
                                                    .in = u,
                                                    .weight = weight,
                                                    .bias = bias,
                                                    .gate = gate,
                                                    .residual = &x,
                                                    .rows = x.rows});
}

static enum tess_status self_attention(struct tess_stage *stage, const struct run *run,
                                       struct tess_mat x, struct tess_mat u,
                                       struct tess_tile tile)
{
    const struct tess_transformer *t = run->transformer;
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    struct source source = {.tensor = run->qkv,
                            .keys = run->sequence->tokens,
                            .k_col = t->channels,
                            .v_col = 2 * t->channels};
    struct tess_mat q;
    TESS_TRY(tess_tensor_view(&q, stage, run->qkv, tile.row0, tile.rows));
    TESS_TRY(attend(stage, t, u, q, run->sequence->units, &source, tile));
    tess_arena_release(tess_stage_arena(stage), mark);
    return add_product(stage, x, u, run->block->out, run->block->out_bias,
                       run->block->gate1);
}

static enum tess_status cross_attention(struct tess_stage *stage, const struct run *run,
                                        struct tess_mat x, struct tess_mat u,
                                        struct tess_tile tile)
{
    const struct tess_transformer *t = run->transformer;
    const struct tess_transformer_block *block = run->block;
    const struct tess_tensor *condition = block->condition[run->index];
    if (!condition)
        return tess_add_row(stage, x, *block->unconditional);
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    struct source source = {
        .tensor = condition, .keys = tess_tensor_rows(condition), .v_col = t->channels};
    struct tess_mat q;
    TESS_TRY(tess_mat_take(&q, stage, tile.rows, t->channels, TESS_F32, "queries"));
    TESS_TRY(tess_layernorm(stage, &(struct tess_layernorm){.out = u,
                                                            .in = x,
                                                            .eps = block->eps,
                                                            .weight = block->norm2_weight,
                                                            .bias = block->norm2_bias}));
    TESS_TRY(tess_matmul(stage, &(struct tess_matmul){.out = q,
                                                      .in = u,
                                                      .weight = block->to_q,
                                                      .bias = block->to_q_bias,
                                                      .rows = tile.rows}));
    TESS_TRY(attend(stage, t, u, q, run->sequence->condition_units, &source, tile));
    tess_arena_release(tess_stage_arena(stage), mark);
    return add_product(stage, x, u, block->cross_out, block->cross_out_bias, NULL);
}

static enum tess_status feed_forward(struct tess_stage *stage, const struct run *run,
                                     struct tess_mat x, struct tess_mat u)
{
    const struct tess_transformer_block *block = run->block;
    struct tess_mat hidden;
    TESS_TRY(tess_mat_take(&hidden, stage, x.rows, block->mlp0->outputs, TESS_F32,
                           "hidden layer"));
    TESS_TRY(tess_layernorm(stage, &(struct tess_layernorm){.out = u,
                                                            .in = x,
                                                            .eps = block->eps,
                                                            .weight = block->norm3_weight,
                                                            .bias = block->norm3_bias}));
    TESS_TRY(tess_matmul(stage, &(struct tess_matmul){.out = hidden,
                                                      .in = u,
                                                      .weight = block->mlp0,
                                                      .bias = block->mlp0_bias,
                                                      .activation = block->activation,
                                                      .rows = x.rows}));
    return add_product(stage, x, hidden, block->mlp2, block->mlp2_bias, block->gate3);
}

static enum tess_status block_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    const struct run *run = user;
    const struct tess_transformer *t = run->transformer;
    size_t row0 = run->row0 + tile.row0;
    struct tess_mat x, u;
    TESS_TRY(tess_tensor_view(&x, stage, t->features, row0, tile.rows));
    TESS_TRY(tess_mat_take(&u, stage, x.rows, x.cols, TESS_F32, "normalised features"));
    TESS_TRY(self_attention(stage, run, x, u, tile));
    if (run->block->to_q)
        TESS_TRY(cross_attention(stage, run, x, u, tile));
    TESS_TRY(feed_forward(stage, run, x, u));
    return tess_tensor_put_back(stage, t->features, x, row0);
}

static enum tess_status run_spans(struct run *run)
{
    struct tess_stage *stage = run->transformer->stage;
    struct tess_span span = {.name = "queries, keys and values",
                             .rows = run->sequence->tokens,
                             .comfortable = COMFORTABLE_ROWS,
                             .run = qkv_span,
                             .user = run};
    TESS_TRY(tess_span_run(stage, &span));
    span.name = "transformer block";
    span.row_align = TESS_ATTENTION_QUERIES;
    span.run = block_span;
    return tess_span_run(stage, &span);
}

enum tess_status tess_transformer_run(struct tess_transformer *transformer,
                                      const struct tess_transformer_block *block)
{
    struct run run = {.transformer = transformer, .block = block};
    TESS_TRY(
        tess_tensor_create(&run.qkv, transformer->stage,
                           &(struct tess_tensor_params){.rows = transformer->longest,
                                                        .cols = 3 * transformer->channels,
                                                        .dtype = TESS_F32,
                                                        .tag = "queries, keys and values",
                                                        .may_spill = true}));
    enum tess_status status = TESS_OK;
    for (; run.index < transformer->run_count && !status; run.index++) {
        run.row0 = transformer->runs[run.index].row0;
        run.sequence = &transformer->sequences[transformer->runs[run.index].sequence];
        status = run_spans(&run);
    }
    tess_tensor_destroy(&run.qkv);
    return status;
}

enum tess_status tess_transformer_unconditional(struct tess_mat *out,
                                                struct tess_stage *stage,
                                                const struct tess_weight *cross_out,
                                                const struct tess_weight *cross_out_bias,
                                                const float *value_bias)
{
    struct tess_mat value;
    TESS_TRY(tess_mat_take(out, stage, 1, cross_out->outputs, TESS_F32, "no condition"));
    TESS_TRY(
        tess_mat_take(&value, stage, 1, cross_out->inputs, TESS_F32, "no condition"));
    TESS_TRY(tess_mat_write(stage, value, value_bias));
    return tess_matmul(stage, &(struct tess_matmul){.out = *out,
                                                    .in = value,
                                                    .weight = cross_out,
                                                    .bias = cross_out_bias,
                                                    .rows = 1});
}
