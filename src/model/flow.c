// Flow models as a stage.
//
// Exact shortcuts: the modulation of all steps is computed once, as it depends on the
// time only; keys and values of a condition once, as it stays; a condition of zeros needs
// no cross attention; and runs that differ only in the condition share a block's weights,
// and all up to the transformer.
#include "model/flow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/flow_parts.h"
#include "op/norm.h"
#include "op/position.h"

#define BLOCK_EPS        1e-6f
#define OUT_EPS          1e-5f
#define COMFORTABLE_ROWS 2048

// ---- what depends on the time only ----

struct modulation_sink {
    float *to;
    size_t width, stride;
};

static enum tess_status keep_modulation(void *user, size_t row0, size_t rows,
                                        const void *data)
{
    const struct modulation_sink *sink = user;
    for (size_t i = 0; i < rows; i++)
        memcpy(sink->to + (row0 + i) * sink->stride,
               (const float *)data + i * sink->width, sink->width * sizeof(float));
    return TESS_OK;
}

static enum tess_status modulate_all(struct tess_flow_exec *exec,
                                     struct tess_weights *weights, struct tess_mat emb)
{
    const struct tess_flow *flow = exec->job->flow;
    size_t steps = exec->job->params.step_count;
    for (size_t i = 0; i < flow->modulation_count; i++) {
        const struct tess_weight *items;
        struct tess_mat out;
        size_t mark;
        TESS_TRY(tess_weights_use(&items, weights, i));
        mark = tess_arena_mark(tess_stage_arena(exec->stage));
        TESS_TRY(tess_mat_take(&out, exec->stage, steps, items[0].outputs, TESS_F32,
                               "modulation"));
        TESS_TRY(tess_matmul(exec->stage, &(struct tess_matmul){.out = out,
                                                                .in = emb,
                                                                .weight = &items[0],
                                                                .bias = &items[1],
                                                                .rows = steps}));
        struct modulation_sink sink = {exec->modulation +
                                           i * steps * exec->modulation_width,
                                       out.cols, exec->modulation_width};
        TESS_TRY(tess_mat_deliver(exec->stage, out, 0, keep_modulation, &sink));
        tess_arena_release(tess_stage_arena(exec->stage), mark);
    }
    return TESS_OK;
}

static enum tess_status prepare_modulation(struct tess_flow_exec *exec)
{
    const struct tess_flow_job *job = exec->job;
    const struct tess_flow *flow = job->flow;
    struct tess_env *env = tess_device_env(job->dev);
    size_t steps = job->params.step_count, C = flow->config.channels;
    struct tess_weights *weights = NULL;
    struct tess_mat emb;
    exec->modulation_width = 6 * C;
    TESS_TRY(tess_alloc(&exec->modulation, env, flow->modulation_count * steps,
                        exec->modulation_width * sizeof(float), "modulation"));
    TESS_TRY(tess_mat_take(&emb, exec->stage, steps, C, TESS_F32, "times"));
    TESS_TRY(tess_mat_write(exec->stage, emb, job->times));
    TESS_TRY(tess_weights_create(&weights, exec->stage, flow->modulation,
                                 flow->modulation_count, 1));
    enum tess_status status = modulate_all(exec, weights, emb);
    tess_weights_destroy(&weights);
    return status;
}

enum tess_status tess_flow_modulate(struct tess_flow_exec *exec, size_t index,
                                    size_t count, size_t width, unsigned plus_one)
{
    const float *from =
        exec->modulation + (index * exec->job->params.step_count + exec->step_index) *
                               exec->modulation_width;
    float *values = NULL;
    TESS_TRY(tess_alloc(&values, tess_stage_env(exec->stage), width, sizeof *values,
                        "modulation"));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        struct tess_mat part = exec->vectors[i];
        for (size_t k = 0; k < width; k++)
            values[k] = from[i * width + k] + (plus_one >> i & 1 ? 1.0f : 0.0f);
        part.data.bytes = width * sizeof *values;
        status = tess_mat_write(exec->stage, part, values);
    }
    free(values);
    return status;
}

// ---- what depends on the condition only ----

struct kv_span {
    const float *condition; // [tokens][Cc]
    size_t channels;
    struct tess_tensor *kv;
    const struct tess_weight *items;
};

static enum tess_status kv_span(struct tess_stage *stage, void *user,
                                struct tess_tile tile)
{
    const struct kv_span *span = user;
    struct tess_mat in, out;
    TESS_TRY(tess_mat_take(&in, stage, tile.rows, span->channels, TESS_F32, "condition"));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, tess_tensor_cols(span->kv), TESS_F32,
                           "condition"));
    TESS_TRY(tess_mat_write(stage, in, span->condition + tile.row0 * span->channels));
    TESS_TRY(tess_matmul(stage, &(struct tess_matmul){.out = out,
                                                      .in = in,
                                                      .weight = &span->items[0],
                                                      .bias = &span->items[1],
                                                      .rows = tile.rows}));
    return tess_tensor_store(stage, span->kv, out, tile.row0);
}

static enum tess_status project_conditions(struct tess_flow_exec *exec,
                                           struct tess_weights *weights)
{
    const struct tess_flow_params *params = &exec->job->params;
    const struct tess_flow_config *config = &exec->job->flow->config;
    for (size_t block = 0; block < config->blocks; block++) {
        struct kv_span span = {.channels = config->cond_channels};
        TESS_TRY(tess_weights_use(&span.items, weights, block));
        for (size_t c = 0; c < params->condition_count; c++) {
            struct tess_tensor **kv = &exec->conditions[c * config->blocks + block];
            TESS_TRY(tess_tensor_create(
                kv, exec->stage,
                &(struct tess_tensor_params){.rows = params->condition_tokens,
                                             .cols = 2 * config->channels,
                                             .dtype = TESS_F32,
                                             .tag = "keys and values of the condition",
                                             .may_spill = true}));
            span.kv = *kv;
            span.condition =
                params->conditions + c * params->condition_tokens * config->cond_channels;
            TESS_TRY(tess_span_run(exec->stage,
                                   &(struct tess_span){.name = "condition",
                                                       .rows = params->condition_tokens,
                                                       .comfortable = COMFORTABLE_ROWS,
                                                       .run = kv_span,
                                                       .user = &span}));
        }
    }
    return TESS_OK;
}

static enum tess_status prepare_conditions(struct tess_flow_exec *exec)
{
    const struct tess_flow *flow = exec->job->flow;
    size_t blocks = flow->config.blocks, count = exec->job->params.condition_count;
    struct tess_weights *weights = NULL;
    TESS_TRY(tess_alloc(&exec->conditions, tess_stage_env(exec->stage), blocks * count,
                        sizeof(struct tess_tensor *), "conditions"));
    if (!count)
        return TESS_OK;
    TESS_TRY(tess_weights_create(&weights, exec->stage, flow->condition, blocks, 1));
    enum tess_status status = project_conditions(exec, weights);
    tess_weights_destroy(&weights);
    return status;
}

// ---- steps ----

const struct tess_flow_sample *tess_flow_sample_of(const struct tess_flow_exec *exec,
                                                   size_t run)
{
    return &exec->job->samples[exec->step->run[run].item];
}

enum tess_status tess_flow_next_block(struct tess_flow_exec *exec)
{
    return tess_weights_use(&exec->items, exec->weights, exec->block++);
}

struct dense_input {
    struct tess_flow_exec *exec;
    const struct tess_flow_sample *sample;
};

// h = input_layer(x) + positions, for all runs of a sample.
static enum tess_status dense_input_span(struct tess_stage *stage, void *user,
                                         struct tess_tile tile)
{
    const struct dense_input *input = user;
    struct tess_flow_exec *exec = input->exec;
    const struct tess_flow_job *job = exec->job;
    const struct tess_flow_config *config = &job->flow->config;
    size_t C = config->channels, p = config->patch_size, side = config->resolution / p;
    size_t Cin = tess_flow_patch_channels(config, config->in_channels);
    struct tess_mat in, out;
    float *rows = NULL;
    TESS_TRY(tess_mat_take(&in, stage, tile.rows, Cin, TESS_F32, "latents"));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, C, TESS_F32, "input layer"));
    TESS_TRY(tess_alloc(&rows, tess_stage_env(stage), tile.rows * Cin, sizeof *rows,
                        "latents"));
    // Column c p³ + (px p + py) p + pz of a token.
    for (size_t i = 0; i < tile.rows * Cin; i++) {
        size_t token = tile.row0 + i / Cin, column = i % Cin, part = column % (p * p * p);
        size_t x = token / (side * side) * p + part / (p * p);
        size_t y = token / side % side * p + part / p % p,
               z = token % side * p + part % p;
        size_t voxel = (x * config->resolution + y) * config->resolution + z;
        rows[i] =
            input->sample->item.x[voxel * config->in_channels + column / (p * p * p)];
    }
    enum tess_status status = tess_mat_write(stage, in, rows);
    free(rows);
    TESS_TRY(status);
    TESS_TRY(tess_mat_write(stage, out,
                            (const unsigned char *)job->flow->positions->data +
                                tile.row0 * C * sizeof(float)));
    TESS_TRY(tess_matmul(
        stage, &(struct tess_matmul){.out = out,
                                     .in = in,
                                     .weight = &exec->items[TESS_FLOW_IN_WEIGHT],
                                     .bias = &exec->items[TESS_FLOW_IN_BIAS],
                                     .residual = &out,
                                     .rows = tile.rows}));
    for (size_t run = 0; run < exec->step->runs; run++)
        if (tess_flow_sample_of(exec, run) == input->sample)
            TESS_TRY(tess_tensor_store(stage, exec->transformer.features, out,
                                       exec->transformer.runs[run].row0 + tile.row0));
    return TESS_OK;
}

static enum tess_status run_block(struct tess_flow_exec *exec, size_t index)
{
    const struct tess_flow *flow = exec->job->flow;
    const struct tess_flow_config *config = &flow->config;
    size_t C = config->channels;
    // shift, 1 + scale, gate of attention, then of the feed-forward layers
    TESS_TRY(
        tess_flow_modulate(exec, config->io_blocks + index, 6, C, 1u << 1 | 1u << 4));
    TESS_TRY(tess_flow_next_block(exec));
    const struct tess_weight *w = exec->items;
    size_t mark = tess_arena_mark(tess_stage_arena(exec->stage)); // after the weights
    struct tess_mat none;
    TESS_TRY(tess_transformer_unconditional(
        &none, exec->stage, &w[TESS_FLOW_CROSS_WEIGHT], &w[TESS_FLOW_CROSS_BIAS],
        flow->value_bias[index]));
    struct tess_transformer_block block = {
        .norm1_weight = &exec->vectors[1].data,
        .norm1_bias = &exec->vectors[0].data,
        .qkv = &w[TESS_FLOW_QKV_WEIGHT],
        .qkv_bias = &w[TESS_FLOW_QKV_BIAS],
        .q_gamma = config->qk_rms_norm ? &w[TESS_FLOW_Q_GAMMA].data : NULL,
        .k_gamma = config->qk_rms_norm ? &w[TESS_FLOW_K_GAMMA].data : NULL,
        .out = &w[TESS_FLOW_OUT_WEIGHT],
        .out_bias = &w[TESS_FLOW_OUT_BIAS],
        .gate1 = &exec->vectors[2].data,
        .norm2_weight = &w[TESS_FLOW_NORM2_WEIGHT].data,
        .norm2_bias = &w[TESS_FLOW_NORM2_BIAS].data,
        .to_q = &w[TESS_FLOW_Q_WEIGHT],
        .to_q_bias = &w[TESS_FLOW_Q_BIAS],
        .cross_out = &w[TESS_FLOW_CROSS_WEIGHT],
        .cross_out_bias = &w[TESS_FLOW_CROSS_BIAS],
        .unconditional = &none.data,
        .norm3_weight = &exec->vectors[4].data,
        .norm3_bias = &exec->vectors[3].data,
        .mlp0 = &w[TESS_FLOW_MLP0_WEIGHT],
        .mlp0_bias = &w[TESS_FLOW_MLP0_BIAS],
        .mlp2 = &w[TESS_FLOW_MLP2_WEIGHT],
        .mlp2_bias = &w[TESS_FLOW_MLP2_BIAS],
        .gate3 = &exec->vectors[5].data,
        .activation = TESS_ACT_GELU_TANH,
        .eps = BLOCK_EPS,
    };
    for (size_t run = 0; run < exec->step->runs; run++)
        if (exec->step->run[run].condition >= 0)
            block.condition[run] =
                exec->conditions[(size_t)exec->step->run[run].condition * config->blocks +
                                 index];
    TESS_TRY(tess_transformer_run(&exec->transformer, &block));
    tess_arena_release(tess_stage_arena(exec->stage), mark);
    return TESS_OK;
}

struct out_span {
    struct tess_flow_exec *exec;
    size_t run;
    const struct tess_tensor *from;
    size_t row0; // of the run in `from`
    size_t rows; // of the run
    float *to;   // [rows of the item][out_channels]
};

// The velocity in the order of the caller, who is called with the last rows of all.
static enum tess_status keep_velocity(void *user, size_t row0, size_t rows,
                                      const void *data)
{
    const struct out_span *span = user;
    const struct tess_flow_job *job = span->exec->job;
    const struct tess_flow_config *config = &job->flow->config;
    size_t Cout = config->out_channels, p = config->sparse ? 1 : config->patch_size;
    size_t side = config->resolution / p,
           width = tess_flow_patch_channels(config, (uint32_t)Cout);
    const float *from = data;
    for (size_t i = 0; i < rows * width; i++) {
        size_t token = row0 + i / width, column = i % width, part = column % (p * p * p);
        size_t row;
        if (config->sparse) {
            row = tess_flow_sample_of(span->exec, span->run)->fine.source[token];
        } else {
            size_t x = token / (side * side) * p + part / (p * p);
            size_t y = token / side % side * p + part / p % p;
            size_t z = token % side * p + part % p;
            row = (x * config->resolution + y) * config->resolution + z;
        }
        span->to[row * Cout + column / (p * p * p)] = from[i];
    }
    bool all = span->run + 1 == span->exec->step->runs && row0 + rows == span->rows;
    return all ? job->params.velocity(job->params.user, span->exec->step_index,
                                      span->exec->velocities)
               : TESS_OK;
}

static enum tess_status out_span(struct tess_stage *stage, void *user,
                                 struct tess_tile tile)
{
    struct out_span *span = user;
    const struct tess_weight *items = span->exec->items;
    struct tess_mat x, out;
    TESS_TRY(tess_tensor_load(&x, stage, span->from, span->row0 + tile.row0, tile.rows));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, items[TESS_FLOW_IN_WEIGHT].outputs,
                           TESS_F32, "velocity"));
    TESS_TRY(tess_layernorm(stage,
                            &(struct tess_layernorm){.out = x, .in = x, .eps = OUT_EPS}));
    TESS_TRY(
        tess_matmul(stage, &(struct tess_matmul){.out = out,
                                                 .in = x,
                                                 .weight = &items[TESS_FLOW_IN_WEIGHT],
                                                 .bias = &items[TESS_FLOW_IN_BIAS],
                                                 .rows = tile.rows}));
    return tess_mat_deliver(stage, out, tile.row0, keep_velocity, span);
}

// The output layer of each run, from where its features are: from[run], or the
// transformer's.
static enum tess_status run_output(struct tess_flow_exec *exec,
                                   struct tess_tensor *const *from)
{
    const struct tess_flow_job *job = exec->job;
    float *to = job->velocity;
    for (size_t run = 0; run < exec->step->runs; run++) {
        exec->velocities[run] = to;
        to += tess_flow_sample_of(exec, run)->item.rows * job->flow->config.out_channels;
    }
    for (size_t run = 0; run < exec->step->runs; run++) {
        const struct tess_flow_sample *sample = tess_flow_sample_of(exec, run);
        struct out_span span = {.exec = exec,
                                .run = run,
                                .from = from ? from[run] : exec->transformer.features,
                                .row0 = from ? 0 : exec->transformer.runs[run].row0,
                                .rows = from ? sample->fine.count : sample->tokens,
                                .to = job->velocity +
                                      (exec->velocities[run] - job->velocity)};
        TESS_TRY(tess_span_run(exec->stage,
                               &(struct tess_span){.name = "output layer",
                                                   .rows = span.rows,
                                                   .comfortable = COMFORTABLE_ROWS,
                                                   .run = out_span,
                                                   .user = &span}));
    }
    return TESS_OK;
}

static enum tess_status run_blocks(struct tess_flow_exec *exec)
{
    for (size_t i = 0; i < exec->job->flow->config.blocks; i++)
        TESS_TRY(run_block(exec, i));
    return TESS_OK;
}

static enum tess_status run_dense(struct tess_flow_exec *exec)
{
    const struct tess_flow_job *job = exec->job;
    TESS_TRY(tess_flow_next_block(exec));
    for (size_t i = 0; i < job->params.item_count; i++) {
        struct dense_input input = {exec, &job->samples[i]};
        TESS_TRY(tess_span_run(exec->stage,
                               &(struct tess_span){.name = "input layer",
                                                   .rows = input.sample->tokens,
                                                   .comfortable = COMFORTABLE_ROWS,
                                                   .run = dense_input_span,
                                                   .user = &input}));
    }
    TESS_TRY(run_blocks(exec));
    TESS_TRY(tess_flow_next_block(exec));
    return run_output(exec, NULL);
}

static enum tess_status run_sparse_with(struct tess_flow_exec *exec,
                                        struct tess_tensor **skips,
                                        struct tess_tensor **outs)
{
    TESS_TRY(tess_flow_run_inputs(exec, skips));
    TESS_TRY(run_blocks(exec));
    TESS_TRY(tess_flow_run_outputs(exec, skips, outs));
    TESS_TRY(tess_flow_next_block(exec));
    return run_output(exec, outs);
}

static enum tess_status run_sparse(struct tess_flow_exec *exec)
{
    struct tess_tensor **skips = NULL, *outs[TESS_RUNS_MAX] = {NULL};
    size_t count = exec->job->params.item_count * exec->job->flow->config.io_blocks;
    TESS_TRY(
        tess_alloc(&skips, tess_stage_env(exec->stage), count, sizeof *skips, "skips"));
    enum tess_status status = run_sparse_with(exec, skips, outs);
    for (size_t i = 0; i < count; i++)
        tess_tensor_destroy(&skips[i]);
    free(skips);
    for (size_t i = 0; i < TESS_RUNS_MAX; i++)
        tess_tensor_destroy(&outs[i]);
    return status;
}

// What the memory of a step depends on: its runs, and which have a condition.
static uint64_t kind_of(const struct tess_flow_step *step)
{
    uint64_t kind = step->runs;
    for (size_t run = 0; run < step->runs; run++)
        kind = kind * 31 + (uint64_t)step->run[run].item * 2 +
               (step->run[run].condition >= 0);
    return kind;
}

// The runs of step `index`.
static void begin_step(struct tess_flow_exec *exec, size_t index)
{
    size_t sequence[TESS_RUNS_MAX];
    exec->step = &exec->job->params.steps[index];
    exec->step_index = index;
    exec->block = 0;
    for (size_t run = 0; run < exec->step->runs; run++)
        sequence[run] = (size_t)exec->step->run[run].item;
    tess_transformer_set_runs(&exec->transformer, sequence, exec->step->runs);
}

static enum tess_status run_steps(struct tess_flow_exec *exec)
{
    const struct tess_flow_job *job = exec->job;
    const struct tess_flow_config *config = &job->flow->config;
    struct tess_stage *stage = exec->stage;
    for (size_t i = 0; i < 6; i++)
        TESS_TRY(tess_mat_take(&exec->vectors[i], stage, 1, config->channels, TESS_F32,
                               "modulation"));
    if (config->sparse)
        TESS_TRY(tess_position_table(&exec->positions, stage,
                                     (config->resolution + 1) / 2, config->channels));
    for (size_t s = 0; s < job->params.step_count; s++) {
        if (!tess_stage_begin_step(stage, s + 1, job->params.step_count,
                                   kind_of(&job->params.steps[s])))
        {
            tess_weights_skip_round(exec->weights);
            continue;
        }
        begin_step(exec, s);
        TESS_TRY(config->sparse ? run_sparse(exec) : run_dense(exec));
    }
    return TESS_OK;
}

static enum tess_status run_exec(struct tess_flow_exec *exec)
{
    const struct tess_flow_job *job = exec->job;
    const struct tess_flow *flow = job->flow;
    TESS_TRY(prepare_modulation(exec));
    TESS_TRY(prepare_conditions(exec));
    size_t tokens[TESS_SEQUENCES_MAX];
    for (size_t i = 0; i < job->params.item_count; i++)
        tokens[i] = job->samples[i].tokens;
    TESS_TRY(tess_transformer_create(
        &exec->transformer, exec->stage,
        &(struct tess_transformer_params){
            .channels = flow->config.channels,
            .heads = flow->config.heads,
            .tokens = tokens,
            .sequence_count = job->params.item_count,
            .rows = job->tokens_max,
            .condition_tokens =
                job->params.condition_count ? job->params.condition_tokens : 1}));
    TESS_TRY(tess_weights_create(&exec->weights, exec->stage, flow->blocks,
                                 flow->block_count, job->params.step_count));
    return run_steps(exec);
}

enum tess_status tess_flow_stage(struct tess_stage *stage, void *user)
{
    struct tess_flow_exec exec = {.stage = stage, .job = user};
    enum tess_status status = run_exec(&exec);
    size_t kept = exec.job->flow->config.blocks * exec.job->params.condition_count;
    for (size_t i = 0; exec.conditions && i < kept; i++)
        tess_tensor_destroy(&exec.conditions[i]);
    tess_weights_destroy(&exec.weights);
    tess_transformer_clear(&exec.transformer);
    free(exec.conditions);
    free(exec.modulation);
    return status;
}
