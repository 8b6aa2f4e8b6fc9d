// What a device can do at best: copies, changes in place, and chains of multiply-adds. Of
// the chains several numbers are tried, since how many it takes to keep the units busy,
// and how many fit in registers, depends on the device.
#include "bench/measure.h"

#include <stdio.h>

#define LANES       256 // work-items of a group on GPUs
#define COPY_GROUPS 4096
#define COPY_ITEMS  64 // on CPUs
// Of multiply-adds: enough to fill a unit, and long enough to tell.
#define UNIT_ITEMS_CPU 64
#define UNIT_ITEMS_GPU 2048
#define ROUNDS_CPU     262144 // by all chains of a work-item
#define ROUNDS_GPU     65536
#define ROUNDS_TINY    16384

static bool on_cpu(const struct tess_measure *measure)
{
    return tess_device_variant(measure->ctx->device) == TESS_VARIANT_CPU;
}

static void nothing_to_clear(struct tess_measure *measure)
{
    (void)measure;
}

// ---- bytes ----

struct moving {
    const struct tess_measure *measure;
    struct tess_mat out, in; // the same: in place
};

static enum tess_status prepare_moving(struct tess_measure *measure)
{
    double bytes = (double)(measure->rows << 20);
    tess_measure_size(measure, "%zu MiB, fp32", measure->rows);
    measure->rate->work = measure->rate->bytes = 2 * bytes;
    return TESS_OK;
}

static void set_items(struct tess_launch *launch, size_t *items, bool cpu)
{
    *items = cpu ? COPY_ITEMS : COPY_GROUPS * LANES;
    launch->global[0] = *items;
    launch->local[0] = cpu ? 1 : LANES;
    launch->local[1] = launch->local[2] = 1;
}

static enum tess_status copy(struct tess_stage *stage, void *user)
{
    const struct moving *moving = user;
    size_t items, count = moving->in.rows * moving->in.cols / 4;
    struct tess_launch launch = {
        .file = "bench", .kernel = "copy_floats", .defines = "-DCHAINS=4"};
    set_items(&launch, &items, on_cpu(moving->measure));
    launch.args[0] = (struct tess_arg)TESS_SLICE(moving->out.data);
    launch.args[1] = (struct tess_arg)TESS_SLICE(moving->in.data);
    launch.args[2] = (struct tess_arg)TESS_U32ARG(items);
    launch.args[3] = (struct tess_arg)TESS_U32ARG(count);
    return tess_launch(tess_stage_device(stage), &launch);
}

static enum tess_status scale(struct tess_stage *stage, void *user)
{
    const struct moving *moving = user;
    size_t items, count = moving->in.rows * moving->in.cols / 4;
    struct tess_launch launch = {
        .file = "bench", .kernel = "scale_floats", .defines = "-DCHAINS=4"};
    set_items(&launch, &items, on_cpu(moving->measure));
    launch.args[0] = (struct tess_arg)TESS_SLICE(moving->in.data);
    launch.args[1] = (struct tess_arg)TESS_F32ARG(-1.0f);
    launch.args[2] = (struct tess_arg)TESS_U32ARG(items);
    launch.args[3] = (struct tess_arg)TESS_U32ARG(count);
    return tess_launch(tess_stage_device(stage), &launch);
}

static enum tess_status copy_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct moving moving = {.measure = measure};
    TESS_TRY(tess_noise_take(&moving.in, stage, measure->rows, 1 << 18));
    TESS_TRY(tess_noise_take(&moving.out, stage, measure->rows, 1 << 18));
    return tess_measure_run(stage, measure, copy, &moving);
}

static enum tess_status scale_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct moving moving = {.measure = measure};
    TESS_TRY(tess_noise_take(&moving.in, stage, measure->rows, 1 << 18));
    return tess_measure_run(stage, measure, scale, &moving);
}

static enum tess_status sample_copy(struct tess_measure *measure)
{
    return tess_measure_stage(measure, copy_stage);
}

static enum tess_status sample_scale(struct tess_measure *measure)
{
    return tess_measure_stage(measure, scale_stage);
}

// ---- multiply-adds ----

struct chains {
    struct tess_mat out;
    size_t count, items, rounds, lanes;
    double flop;
    char defines[32];
};

static void set_chains(struct chains *chains, const struct tess_measure *measure)
{
    bool cpu = on_cpu(measure);
    size_t rounds = measure->form == TESS_BENCH_TINY ? ROUNDS_TINY
                    : cpu                            ? ROUNDS_CPU
                                                     : ROUNDS_GPU;
    uint32_t units = tess_device_facts(measure->ctx->device)->compute_units;
    chains->count = measure->op->inputs;
    chains->items = (units ? units : 1) * (cpu ? UNIT_ITEMS_CPU : UNIT_ITEMS_GPU);
    chains->rounds = rounds / chains->count;
    chains->lanes = cpu ? 1 : LANES;
    chains->flop = 2.0 * (cpu ? 16 : 4) * (double)chains->count * (double)chains->items *
                   (double)chains->rounds;
    snprintf(chains->defines, sizeof chains->defines, "-DCHAINS=%zu", chains->count);
}

static enum tess_status prepare_chains(struct tess_measure *measure)
{
    struct chains chains;
    set_chains(&chains, measure);
    tess_measure_size(measure, "%zu chains of %s", chains.count,
                      on_cpu(measure) ? "float16" : "float4");
    measure->rate->rows = chains.items;
    measure->rate->work = measure->rate->flop = chains.flop;
    return TESS_OK;
}

static enum tess_status multiply_add(struct tess_stage *stage, void *user)
{
    const struct chains *chains = user;
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "bench",
                              .kernel = "multiply_add",
                              .defines = chains->defines,
                              .global = {chains->items},
                              .local = {chains->lanes, 1, 1},
                              .flop = chains->flop,
                              // Towards 1, so that no value gets large or tiny.
                              .args = {TESS_SLICE(chains->out.data),
                                       TESS_U32ARG(chains->rounds), TESS_F32ARG(0.875f),
                                       TESS_F32ARG(0.125f)}});
}

static enum tess_status chains_stage(struct tess_stage *stage, void *user)
{
    struct tess_measure *measure = user;
    struct chains chains;
    set_chains(&chains, measure);
    TESS_TRY(tess_mat_take(&chains.out, stage, chains.items, 1, TESS_F32, "chains"));
    return tess_measure_run(stage, measure, multiply_add, &chains);
}

static enum tess_status sample_chains(struct tess_measure *measure)
{
    return tess_measure_stage(measure, chains_stage);
}

#define MOVING(NAME, SAMPLE)                                                             \
    {                                                                                    \
        .name = NAME, .unit = "B", .rows = {256, 128, 1}, .prepare = prepare_moving,     \
        .sample = SAMPLE, .clear = nothing_to_clear                                      \
    }
#define CHAINS(COUNT)                                                                    \
    {                                                                                    \
        .name = "multiply-add", .unit = "FLOP", .rows = {1, 1, 1}, .inputs = COUNT,      \
        .prepare = prepare_chains, .sample = sample_chains, .clear = nothing_to_clear    \
    }

const struct tess_operator tess_roof_operators[] = {
    MOVING("copy", sample_copy),
    MOVING("scale in place", sample_scale),
    CHAINS(2),
    CHAINS(4),
    CHAINS(8),
    CHAINS(12),
};
const size_t tess_roof_operator_count =
    sizeof tess_roof_operators / sizeof *tess_roof_operators;
