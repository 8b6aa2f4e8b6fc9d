// Operators over all rows of a matrix: products, attention of all to all, norms.
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/measure.h"
#include "bench/random.h"
#include "op/attention.h"
#include "op/matmul.h"
#include "op/norm.h"

// ---- products ----

struct product {
    struct tess_weight_block block;
    uint16_t *values; // of the weights, halves
    const struct tess_weight *weight;
    struct tess_mat out, in;
};

static enum tess_status prepare_product(struct tess_measure *measure)
{
    const struct tess_operator *op = measure->op;
    struct product *product = NULL;
    TESS_TRY(tess_alloc(&product, &measure->ctx->env, 1, sizeof *product, "a product"));
    measure->inputs = product;
    TESS_TRY(tess_random_halves(&product->values, &measure->ctx->env,
                                op->inputs * op->outputs));
    product->block.count = 1;
    product->block.items[0] =
        (struct tess_weight_source){.data = product->values,
                                    .dtype = TESS_F16,
                                    .layout = TESS_WEIGHT_MATRIX,
                                    .outputs = (uint32_t)op->outputs,
                                    .inputs = (uint32_t)op->inputs};
    tess_measure_size(measure, "%zu x %zu x %zu, fp16 weights", measure->rows, op->inputs,
                      op->outputs);
    double rows = (double)measure->rows, K = (double)op->inputs, N = (double)op->outputs;
    measure->rate->work = measure->rate->flop = 2 * rows * K * N;
    measure->rate->bytes = 4 * rows * (K + N) + 2 * K * N;
    return TESS_OK;
}

static void clear_product(struct tess_measure *measure)
{
    struct product *product = measure->inputs;
    if (product)
        free(product->values);
    free(product);
    measure->inputs = NULL;
}

static enum tess_status multiply(struct tess_stage *stage, void *user)
{
    const struct product *product = user;
    return tess_matmul(stage, &(struct tess_matmul){.out = product->out,
                                                    .in = product->in,
                                                    .weight = product->weight,
                                                    .rows = product->in.rows});
}

static enum tess_status product_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct product *product = measure->inputs;
    struct tess_weights *weights = NULL;
    TESS_TRY(tess_weights_create(&weights, stage, &product->block, 1, 1));
    enum tess_status status = tess_weights_use(&product->weight, weights, 0);
    if (!status)
        status = tess_noise_take(&product->in, stage, measure->rows, measure->op->inputs);
    if (!status)
        status = tess_mat_take(&product->out, stage, measure->rows, measure->op->outputs,
                               TESS_F32, "a product");
    if (!status)
        status = tess_measure_run(stage, measure, multiply, product);
    tess_weights_destroy(&weights);
    return status;
}

static enum tess_status sample_product(struct tess_measure *measure)
{
    return tess_measure_stage(measure, product_stage);
}

// ---- attention ----

// As the flow models do it where memory allows: tiles of queries, all keys.
#define QUERY_ROWS 2048

struct attention {
    size_t heads, D, C;
    struct tess_attention_unit *units; // of all queries
    size_t unit_count;
    uint32_t step; // queries of a unit
    struct tess_mat qkv, out, on_device;
};

static enum tess_status prepare_attention(struct tess_measure *measure)
{
    struct attention *a = NULL;
    size_t N = measure->rows;
    TESS_TRY(tess_alloc(&a, &measure->ctx->env, 1, sizeof *a, "attention"));
    measure->inputs = a;
    a->heads = measure->op->inputs;
    a->D = measure->op->outputs;
    a->C = a->heads * a->D;
    a->step = TESS_ATTENTION_QUERIES;
    a->unit_count = (N + a->step - 1) / a->step;
    TESS_TRY(tess_alloc(&a->units, &measure->ctx->env, a->unit_count, sizeof *a->units,
                        "units of attention"));
    for (size_t i = 0; i < a->unit_count; i++) {
        size_t query0 = i * a->step, left = N - query0;
        a->units[i] = (struct tess_attention_unit){
            .query0 = (uint32_t)query0,
            .queries = left < a->step ? (uint32_t)left : a->step,
            .keys = (uint32_t)N};
    }
    tess_measure_size(measure, "%zu tokens, %zu heads of %zu", N, a->heads, a->D);
    measure->rate->work = measure->rate->flop = 4 * (double)N * (double)N * (double)a->C;
    measure->rate->bytes = 16 * (double)N * (double)a->C;
    return TESS_OK;
}

static void clear_attention(struct tess_measure *measure)
{
    struct attention *a = measure->inputs;
    if (a)
        free(a->units);
    free(a);
    measure->inputs = NULL;
}

static enum tess_status attend_tile(struct tess_stage *stage, const struct attention *a,
                                    struct tess_tile tile)
{
    return tess_attention(stage, &(struct tess_attention_params){
                                     .out = tess_mat_rows(a->out, tile.row0, tile.rows),
                                     .q = tess_mat_rows(a->qkv, tile.row0, tile.rows),
                                     .kv = a->qkv,
                                     .k_col = a->C,
                                     .v_col = 2 * a->C,
                                     .units = a->on_device,
                                     .unit0 = tile.row0 / a->step,
                                     .unit_count = (tile.rows + a->step - 1) / a->step,
                                     .query0 = tile.row0,
                                     .heads = a->heads,
                                     .head_channels = a->D,
                                     .pairs = (double)tile.rows * (double)a->qkv.rows});
}

static enum tess_status attend(struct tess_stage *stage, void *user)
{
    const struct attention *a = user;
    for (size_t row = 0; row < a->qkv.rows; row += QUERY_ROWS) {
        size_t left = a->qkv.rows - row;
        TESS_TRY(attend_tile(
            stage, a, (struct tess_tile){row, left < QUERY_ROWS ? left : QUERY_ROWS}));
    }
    return TESS_OK;
}

static enum tess_status attention_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct attention *a = measure->inputs;
    size_t N = measure->rows;
    TESS_TRY(tess_noise_take(&a->qkv, stage, N, 3 * a->C));
    TESS_TRY(tess_mat_take(&a->out, stage, N, a->C, TESS_F32, "attention"));
    TESS_TRY(tess_mat_take(&a->on_device, stage, a->unit_count, 4, TESS_U32,
                           "units of attention"));
    TESS_TRY(tess_mat_write(stage, a->on_device, a->units));
    return tess_measure_run(stage, measure, attend, a);
}

static enum tess_status sample_attention(struct tess_measure *measure)
{
    return tess_measure_stage(measure, attention_stage);
}

// ---- norms ----

#define STATS_ROWS 256 // of a block of statistics, as in the mesh decoder
#define GROUPS     32
#define NORM_EPS   1e-5f

struct norm {
    struct tess_mat out, x;
    float *ones, *zeros; // [C]: weight and bias of a group norm
};

static void set_norm_size(struct tess_measure *measure, double flop, double bytes)
{
    double elements = (double)measure->rows * (double)measure->op->inputs;
    tess_measure_size(measure, "%zu x %zu", measure->rows, measure->op->inputs);
    measure->rate->flop = flop * elements;
    measure->rate->work = measure->rate->bytes = bytes * elements;
}

// Read once, written once.
static enum tess_status prepare_layernorm(struct tess_measure *measure)
{
    set_norm_size(measure, 8, 8);
    return TESS_OK;
}

static enum tess_status normalise(struct tess_stage *stage, void *user)
{
    const struct norm *norm = user;
    return tess_layernorm(stage, &(struct tess_layernorm){
                                     .out = norm->out, .in = norm->x, .eps = NORM_EPS});
}

static enum tess_status layernorm_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct norm norm = {0};
    TESS_TRY(tess_noise_take(&norm.x, stage, measure->rows, measure->op->inputs));
    TESS_TRY(tess_mat_take(&norm.out, stage, measure->rows, measure->op->inputs, TESS_F32,
                           "a norm"));
    return tess_measure_run(stage, measure, normalise, &norm);
}

static enum tess_status sample_layernorm(struct tess_measure *measure)
{
    return tess_measure_stage(measure, layernorm_stage);
}

static void clear_nothing(struct tess_measure *measure)
{
    (void)measure;
}

// Read for the statistics, read and written for the rest.
static enum tess_status prepare_groupnorm(struct tess_measure *measure)
{
    size_t C = measure->op->inputs;
    struct norm *norm = NULL;
    set_norm_size(measure, 12, 12);
    TESS_TRY(tess_alloc(&norm, &measure->ctx->env, 1, sizeof *norm, "a norm"));
    measure->inputs = norm;
    TESS_TRY(tess_alloc(&norm->ones, &measure->ctx->env, C, sizeof(float), "a norm"));
    TESS_TRY(tess_alloc(&norm->zeros, &measure->ctx->env, C, sizeof(float), "a norm"));
    for (size_t c = 0; c < C; c++)
        norm->ones[c] = 1;
    return TESS_OK;
}

static void clear_groupnorm(struct tess_measure *measure)
{
    struct norm *norm = measure->inputs;
    if (norm) {
        free(norm->ones);
        free(norm->zeros);
    }
    free(norm);
    measure->inputs = NULL;
}

static enum tess_status normalise_groups(struct tess_stage *stage, void *user)
{
    const struct norm *norm = user;
    struct tess_group_stats stats;
    struct tess_mat scale, shift;
    TESS_TRY(
        tess_group_stats_create(&stats, stage, norm->x.rows, norm->x.cols, STATS_ROWS));
    enum tess_status status = tess_group_stats_add(&stats, norm->x, 0);
    if (!status)
        status = tess_group_stats_finish(&scale, &shift, &stats, GROUPS, NORM_EPS,
                                         norm->ones, norm->zeros);
    tess_group_stats_clear(&stats);
    return status ? status : tess_scale_silu(stage, norm->x, scale, shift);
}

static enum tess_status groupnorm_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct norm *norm = measure->inputs;
    TESS_TRY(tess_noise_take(&norm->x, stage, measure->rows, measure->op->inputs));
    return tess_measure_run(stage, measure, normalise_groups, norm);
}

static enum tess_status sample_groupnorm(struct tess_measure *measure)
{
    return tess_measure_stage(measure, groupnorm_stage);
}

// ---- the table ----

#define PRODUCT(ROWS, INPUTS, OUTPUTS)                                                   \
    {                                                                                    \
        .name = "matrix product", .unit = "FLOP", .roof = TESS_ROOF_FMA,                 \
        .rows = {ROWS, ROWS, 64}, .inputs = INPUTS, .outputs = OUTPUTS,                  \
        .prepare = prepare_product, .sample = sample_product, .clear = clear_product     \
    }

const struct tess_operator tess_dense_operators[] = {
    PRODUCT(4096, 1024, 1024),
    PRODUCT(4096, 1024, 4096),
    {.name = "attention",
     .unit = "FLOP",
     .roof = TESS_ROOF_FMA,
     .rows = {4096, 4096, 200},
     .inputs = 16,
     .outputs = 64,
     .prepare = prepare_attention,
     .sample = sample_attention,
     .clear = clear_attention},
    {.name = "layer norm",
     .unit = "B",
     .roof = TESS_ROOF_BANDWIDTH,
     .rows = {65536, 16384, 256},
     .inputs = 1024,
     .prepare = prepare_layernorm,
     .sample = sample_layernorm,
     .clear = clear_nothing},
    {.name = "group norm, SiLU",
     .unit = "B",
     .roof = TESS_ROOF_BANDWIDTH,
     .rows = {655360, 163840, 2560},
     .inputs = 96,
     .prepare = prepare_groupnorm,
     .sample = sample_groupnorm,
     .clear = clear_groupnorm},
};
const size_t tess_dense_operator_count =
    sizeof tess_dense_operators / sizeof *tess_dense_operators;
