// Operators over the voxels of a shell: windowed attention and convolutions. Of pairs and
// neighbours only those that exist are counted.
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/measure.h"
#include "bench/random.h"
#include "io/latent.h"
#include "model/voxels.h"
#include "op/matmul.h"
#include "op/neighbour.h"
#include "op/winograd.h"

enum tess_status tess_bench_shell(struct tess_voxels *out, struct tess_env *env,
                                  size_t voxels)
{
    struct tess_latent *shell = NULL;
    TESS_TRY(tess_latent_shell(&shell, env, voxels, TESS_BENCH_RESOLUTION, 1));
    enum tess_status status = tess_voxels_create(out, env, shell->coords, shell->voxels);
    tess_latent_free(&shell);
    return status;
}

// ---- windowed attention ----

#define WINDOW 8

struct windowed {
    size_t heads, D, C;
    struct tess_windows windows;
    double pairs;
    struct tess_mat qkv, out, units;
};

static enum tess_status make_windows(struct windowed *w, struct tess_measure *measure)
{
    struct tess_voxels voxels = {0};
    TESS_TRY(tess_bench_shell(&voxels, &measure->ctx->env, measure->rows));
    enum tess_status status = tess_windows_create(
        &w->windows, &measure->ctx->env, &voxels, WINDOW, 0, TESS_ATTENTION_QUERIES);
    tess_voxels_clear(&voxels);
    return status;
}

static enum tess_status prepare_windowed(struct tess_measure *measure)
{
    struct windowed *w = NULL;
    TESS_TRY(tess_alloc(&w, &measure->ctx->env, 1, sizeof *w, "windows"));
    measure->inputs = w;
    w->heads = measure->op->inputs;
    w->D = measure->op->outputs;
    w->C = w->heads * w->D;
    TESS_TRY(make_windows(w, measure));
    size_t unit0, units;
    tess_windows_units(&unit0, &units, &w->pairs, &w->windows, 0, measure->rows);
    tess_measure_size(measure, "%zu voxels, %zu heads of %zu, windows of %d^3",
                      measure->rows, w->heads, w->D, WINDOW);
    measure->rate->work = measure->rate->flop = 4 * w->pairs * (double)w->C;
    measure->rate->bytes = 16 * (double)measure->rows * (double)w->C;
    return TESS_OK;
}

static void clear_windowed(struct tess_measure *measure)
{
    struct windowed *w = measure->inputs;
    if (w)
        tess_windows_clear(&w->windows);
    free(w);
    measure->inputs = NULL;
}

static enum tess_status attend(struct tess_stage *stage, void *user)
{
    const struct windowed *w = user;
    return tess_attention(
        stage, &(struct tess_attention_params){.out = w->out,
                                               .q = w->qkv,
                                               .kv = w->qkv,
                                               .k_col = w->C,
                                               .v_col = 2 * w->C,
                                               .units = w->units,
                                               .unit_count = w->windows.unit_count,
                                               .heads = w->heads,
                                               .head_channels = w->D,
                                               .many_runs = true,
                                               .pairs = w->pairs});
}

static enum tess_status windowed_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct windowed *w = measure->inputs;
    TESS_TRY(tess_noise_take(&w->qkv, stage, measure->rows, 3 * w->C));
    TESS_TRY(tess_mat_take(&w->out, stage, measure->rows, w->C, TESS_F32, "attention"));
    TESS_TRY(
        tess_mat_take(&w->units, stage, w->windows.unit_count, 4, TESS_U32, "windows"));
    TESS_TRY(tess_mat_write(stage, w->units, w->windows.units));
    return tess_measure_run(stage, measure, attend, w);
}

static enum tess_status sample_windowed(struct tess_measure *measure)
{
    return tess_measure_stage(measure, windowed_stage);
}

// ---- convolutions ----

// Voxels that were subdivided twice, as the last ones of the mesh decoder.
#define LEVEL    2
#define CHILDREN ((size_t)1 << 3 * LEVEL)

struct convolution {
    struct tess_voxels voxels;
    bool blocks;       // by op/winograd.h; else as voxels in any places
    double neighbours; // that exist, of all subdivided voxels
    uint16_t *values;  // of the weights, halves
    struct tess_weight_block block;
    const struct tess_weight *weight;
    struct tess_mat out, in, index;
};

// Along an axis the 4 children of a voxel have 12 neighbours: 10 among themselves, one in
// the voxel on either side.
double tess_bench_neighbours(const uint32_t *table, size_t voxels)
{
    static const double shares[] = {1, 10, 1};
    double count = 0;
    for (size_t i = 0; i < 27 * voxels; i++)
        if (table[i] != TESS_NO_ROW)
            count += shares[i % 27 / 9] * shares[i % 9 / 3] * shares[i % 3];
    return count;
}

static enum tess_status make_weights(struct convolution *c, struct tess_measure *measure)
{
    size_t inputs = measure->op->inputs, outputs = measure->op->outputs;
    TESS_TRY(tess_random_halves(&c->values, &measure->ctx->env, 27 * inputs * outputs));
    c->block.count = 1;
    c->block.items[0] = (struct tess_weight_source){
        .data = c->values,
        .dtype = TESS_F16,
        .layout = c->blocks ? TESS_WEIGHT_WINOGRAD : TESS_WEIGHT_CONV,
        .outputs = (uint32_t)outputs,
        .inputs = (uint32_t)inputs};
    return TESS_OK;
}

static enum tess_status prepare_any(struct tess_measure *measure, bool blocks)
{
    struct convolution *c = NULL;
    struct tess_env *env = &measure->ctx->env;
    TESS_TRY(tess_alloc(&c, env, 1, sizeof *c, "a convolution"));
    measure->inputs = c;
    c->blocks = blocks;
    TESS_TRY(tess_bench_shell(&c->voxels, env, measure->rows));
    TESS_TRY(tess_voxels_find_neighbours(&c->voxels, env));
    TESS_TRY(make_weights(c, measure));
    c->neighbours = tess_bench_neighbours(c->voxels.neighbours, measure->rows);
    size_t rows = measure->rows * CHILDREN;
    double K = (double)measure->op->inputs, N = (double)measure->op->outputs,
           products = blocks ? (double)rows / 8 *
                                   (double)tess_weight_products(TESS_WEIGHT_WINOGRAD)
                             : c->neighbours;
    tess_measure_size(measure, "%zu voxels, %.0f to %.0f channels, fp16 weights", rows, K,
                      N);
    measure->rate->rows = rows;
    measure->rate->work = measure->rate->flop = 2 * products * K * N;
    double table = 27 * (double)(blocks ? rows / 8 : rows);
    measure->rate->bytes = 4 * ((double)rows * (K + N) + table) + 2 * 27 * K * N;
    return TESS_OK;
}

static enum tess_status prepare_convolution(struct tess_measure *measure)
{
    return prepare_any(measure, false);
}

static enum tess_status prepare_blocks(struct tess_measure *measure)
{
    return prepare_any(measure, true);
}

static void clear_convolution(struct tess_measure *measure)
{
    struct convolution *c = measure->inputs;
    if (c) {
        tess_voxels_clear(&c->voxels);
        free(c->values);
    }
    free(c);
    measure->inputs = NULL;
}

static enum tess_status convolve(struct tess_stage *stage, void *user)
{
    const struct convolution *c = user;
    if (c->blocks)
        return tess_winograd(stage, &(struct tess_winograd){.out = c->out,
                                                            .in = c->in,
                                                            .weight = c->weight,
                                                            .rows = c->index.rows,
                                                            .index = c->index});
    return tess_matmul(
        stage,
        &(struct tess_matmul){.out = c->out,
                              .in = c->in,
                              .weight = c->weight,
                              .rows = c->in.rows,
                              .index = &c->index,
                              .density = c->neighbours / (27.0 * (double)c->in.rows)});
}

static enum tess_status take_voxels(struct tess_stage *stage, struct convolution *c,
                                    const struct tess_measure *measure)
{
    size_t rows = measure->rows * CHILDREN;
    struct tess_mat table;
    TESS_TRY(tess_mat_take(&table, stage, measure->rows, 27, TESS_U32, "neighbours"));
    TESS_TRY(tess_mat_write(stage, table, c->voxels.neighbours));
    TESS_TRY(tess_neighbours_subdivide(&c->index, stage, table,
                                       c->blocks ? LEVEL - 1 : LEVEL));
    TESS_TRY(tess_noise_take(&c->in, stage, rows, measure->op->inputs));
    return tess_mat_take(&c->out, stage, rows, measure->op->outputs, TESS_F32,
                         "a convolution");
}

static enum tess_status convolution_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct convolution *c = measure->inputs;
    struct tess_weights *weights = NULL;
    TESS_TRY(tess_weights_create(&weights, stage, &c->block, 1, 1));
    enum tess_status status = tess_weights_use(&c->weight, weights, 0);
    if (!status)
        status = take_voxels(stage, c, measure);
    if (!status)
        status = tess_measure_run(stage, measure, convolve, c);
    tess_weights_destroy(&weights);
    return status;
}

static enum tess_status sample_convolution(struct tess_measure *measure)
{
    return tess_measure_stage(measure, convolution_stage);
}

const struct tess_operator tess_sparse_operators[] = {
    {.name = "windowed attention",
     .unit = "FLOP",
     .roof = TESS_ROOF_FMA,
     .rows = {25000, 5000, 400},
     .inputs = 12,
     .outputs = 64,
     .prepare = prepare_windowed,
     .sample = sample_windowed,
     .clear = clear_windowed},
    {.name = "sparse convolution",
     .unit = "FLOP",
     .roof = TESS_ROOF_FMA,
     .rows = {10240, 1280, 20},
     .inputs = 96,
     .outputs = 96,
     .prepare = prepare_convolution,
     .sample = sample_convolution,
     .clear = clear_convolution},
    {.name = "block convolution",
     .unit = "FLOP",
     .roof = TESS_ROOF_FMA,
     .rows = {10240, 1280, 20},
     .inputs = 96,
     .outputs = 96,
     .prepare = prepare_blocks,
     .sample = sample_convolution,
     .clear = clear_convolution},
};
const size_t tess_sparse_operator_count =
    sizeof tess_sparse_operators / sizeof *tess_sparse_operators;
