// Operators over all rows of a matrix: products, attention of all to all, norms.
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/measure.h"
#include "op/matmul.h"

// ---- products ----

struct product {
    struct tess_weight_block block;
    uint16_t *values; // of the weights, halves
    const struct tess_weight *weight;
    struct tess_mat out, in;
};

// Halves of random signs and sizes from 1/16 to 1/8.
static uint16_t random_half(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t bits = (uint32_t)(*state >> 40);
    return (uint16_t)((bits & 1) << 15 | 11u << 10 | (bits >> 1 & 0x3ff));
}

static enum tess_status prepare_product(struct tess_measure *measure)
{
    const struct tess_operator *op = measure->op;
    struct product *product = NULL;
    size_t count = op->inputs * op->outputs;
    uint64_t state = 1;
    TESS_TRY(tess_alloc(&product, &measure->ctx->env, 1, sizeof *product, "a product"));
    measure->inputs = product;
    TESS_TRY(tess_alloc(&product->values, &measure->ctx->env, count, sizeof(uint16_t),
                        "weights"));
    for (size_t i = 0; i < count; i++)
        product->values[i] = random_half(&state);
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

#define PRODUCT(ROWS, INPUTS, OUTPUTS)                                                   \
    {                                                                                    \
        .name = "matrix product", .unit = "FLOP", .roof = TESS_ROOF_FMA,                 \
        .rows = {ROWS, ROWS, 64}, .inputs = INPUTS, .outputs = OUTPUTS,                  \
        .prepare = prepare_product, .sample = sample_product, .clear = clear_product     \
    }

const struct tess_operator tess_dense_operators[] = {
    PRODUCT(4096, 1024, 1024),
    PRODUCT(4096, 1024, 4096),
};
const size_t tess_dense_operator_count =
    sizeof tess_dense_operators / sizeof *tess_dense_operators;
