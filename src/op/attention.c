// Launching cl/attention.cl, cl/attention_fast.cl and cl/attention_amx.cl.
#include "op/attention.h"

#include <math.h>
#include <stdio.h>

#include "rt/matrix_unit.h"
#include "rt/tuning.h"

#define GPU_GROUP         16 // in both dimensions
#define AMX_HEADS         4  // of a work-item, in windows
#define AMX_QUERIES       1024
#define UNIT_CHANNELS_MAX 128 // of a head, that kernels of matrix units have room for

// Which kernel, how it is built, and the work-items of a group.
struct shape {
    const char *kernel; // its file's name, too
    char defines[112];
    size_t merged; // units of a group
    size_t heads;  // of a work-item; several: groups of them follow one another
    size_t group[2];
};

// Of cl/attention.cl on CPUs: what becomes of factors.
static void cpu_factors(char *text, size_t size, enum tess_matrix_unit unit)
{
    if (tess_matrix_unit_factors(unit) == TESS_FACTORS_QUANTISED)
        snprintf(text, size, " -DQUANTISED=1 -DINTEGERS=%u",
                 tess_matrix_unit_integers(unit));
    else
        snprintf(text, size, " -DQUANTISED=0");
}

static struct shape plain_shape(const struct tess_device *dev,
                                const struct tess_attention_params *params)
{
    const struct tess_tuning *tuning = tess_device_tuning(dev);
    enum tess_variant variant = tess_device_variant(dev);
    uint32_t queries = tess_tuning_attention_queries(tuning, variant, params->many_runs);
    size_t side = variant == TESS_VARIANT_CPU ? 1 : GPU_GROUP;
    struct shape shape = {.kernel = "attention",
                          .merged = queries / TESS_ATTENTION_QUERIES,
                          .heads = 1,
                          .group = {side, side}};
    char tiles[64], factors[32] = "";
    tess_tuning_attention_defines(tiles, sizeof tiles, tuning, variant, queries);
    if (variant == TESS_VARIANT_CPU)
        cpu_factors(factors, sizeof factors, tess_device_unit(dev));
    snprintf(shape.defines, sizeof shape.defines, "-DD=%zu %s%s", params->head_channels,
             tiles, factors);
    return shape;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

// As in cl/attention_fast.cl: sub-groups that share 16 queries.
static size_t fast_across(enum tess_matrix_unit unit, size_t D)
{
    return unit == TESS_UNIT_INTEL ? larger((D + 15) / 16, 2) : 1;
}

// As declared there.
static size_t fast_local_bytes(enum tess_matrix_unit unit, size_t D)
{
    size_t steps = (D + 15) / 16, channels = 8 * steps + 4, keys = 32 + 4,
           groups = 4 * fast_across(unit, D),
           parts = groups * tess_matrix_unit_lanes(unit) / 64,
           tile_b = larger(larger(64 * (64 + 4), 16 * steps * keys), groups * 16 * 20),
           scratch = groups * (unit == TESS_UNIT_PORTABLE ? 256 : 1);
    return 4 * (64 * channels + 64 * larger(channels, keys) + tile_b + 3 * 64 +
                2 * 64 * parts + scratch);
}

static bool is_fast(const struct tess_device *dev,
                    const struct tess_attention_params *params)
{
    enum tess_matrix_unit unit = tess_device_unit(dev);
    size_t D = params->head_channels;
    return tess_matrix_unit_factors(unit) == TESS_FACTORS_HALVES &&
           D <= UNIT_CHANNELS_MAX &&
           fast_local_bytes(unit, D) <= tess_device_facts(dev)->local_memory;
}

static struct shape fast_shape(enum tess_matrix_unit unit, size_t D)
{
    struct shape shape = {
        .kernel = "attention_fast",
        .merged = 1,
        .heads = 1,
        .group = {4 * fast_across(unit, D) * tess_matrix_unit_lanes(unit), 1}};
    snprintf(shape.defines, sizeof shape.defines, "-DD=%zu -DUNIT=%d", D, (int)unit - 1);
    return shape;
}

// Bytes of local memory that cl/attention_amx.cl takes, which does not compile with less.
static size_t amx_bytes(size_t D, size_t queries, size_t heads, size_t pieces)
{
    size_t piece = 16 * 32 * sizeof(uint16_t), tile = pieces * piece,
           channels = (D + 31) / 32, panels = queries / 32, row = 32 * sizeof(float);
    size_t all = 2 * 64 * row + 2 * 2 * 2 * 2 * piece, // scores, weights
        head = 2 * queries * sizeof(float) + panels * channels * (32 * row + 2 * tile) +
               4 * channels * tile + 2 * channels * 2 * tile; // keys, values
    return all + heads * head;
}

// Of a work-item of cl/attention_amx.cl: the more, the less often are keys split; but
// there should be work for all, and in windows several heads of the same rows, which lie
// side by side in memory.
static void amx_share(size_t *queries, size_t *heads, const struct tess_device *dev,
                      const struct tess_attention_params *params)
{
    size_t D = params->head_channels, units = params->unit_count * params->heads,
           items = units / (AMX_QUERIES / TESS_ATTENTION_QUERIES),
           pieces = tess_matrix_unit_pieces(tess_device_unit(dev)),
           memory = tess_device_facts(dev)->local_memory;
    bool many = D <= 64 && items >= 4 * tess_device_facts(dev)->compute_units;
    *queries = params->many_runs ? AMX_QUERIES / 4 : many ? AMX_QUERIES : AMX_QUERIES / 2;
    *heads = params->many_runs ? AMX_HEADS : 1;
    while (*heads > 1 && amx_bytes(D, *queries, *heads, pieces) > memory)
        *heads /= 2;
    while (*queries > TESS_ATTENTION_QUERIES &&
           amx_bytes(D, *queries, *heads, pieces) > memory)
        *queries /= 2;
}

static struct shape amx_shape(const struct tess_device *dev,
                              const struct tess_attention_params *params)
{
    enum tess_matrix_unit unit = tess_device_unit(dev);
    size_t queries, heads;
    amx_share(&queries, &heads, dev, params);
    unsigned pieces = tess_matrix_unit_pieces(unit);
    struct shape shape = {.kernel = "attention_amx",
                          .merged = queries / TESS_ATTENTION_QUERIES,
                          .heads = heads,
                          .group = {1, 1}};
    snprintf(shape.defines, sizeof shape.defines,
             "-DD=%zu -DQUERIES=%zu -DAMX=%d -DLEFT_PIECES=%u -DRIGHT_PIECES=%u "
             "-DHEADS=%zu -DMEMORY=%zu",
             params->head_channels, queries, tess_matrix_unit_is_amx(unit), pieces,
             pieces, heads, amx_bytes(params->head_channels, queries, heads, pieces));
    return shape;
}

static struct shape shape_of(const struct tess_device *dev,
                             const struct tess_attention_params *params)
{
    enum tess_matrix_unit unit = tess_device_unit(dev);
    size_t D = params->head_channels;
    if (tess_matrix_unit_factors(unit) == TESS_FACTORS_PIECES)
        return D <= UNIT_CHANNELS_MAX ? amx_shape(dev, params) : plain_shape(dev, params);
    return is_fast(dev, params) ? fast_shape(unit, D) : plain_shape(dev, params);
}

enum tess_status tess_attention(struct tess_stage *stage,
                                const struct tess_attention_params *params)
{
    struct tess_device *dev = tess_stage_device(stage);
    bool whole = !params->state;
    struct shape shape = shape_of(dev, params);
    size_t groups =
               (params->unit_count + shape.merged - 1) / shape.merged * shape.group[0],
           heads = (params->heads + shape.heads - 1) / shape.heads * shape.group[1];
    bool heads_first = shape.heads > 1;
    return tess_launch(
        dev, &(struct tess_launch){
                 .file = shape.kernel,
                 .kernel = shape.kernel,
                 .defines = shape.defines,
                 .global = {heads_first ? heads : groups, heads_first ? groups : heads},
                 .local = {shape.group[0], shape.group[1], 1},
                 .cut = heads_first,
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
