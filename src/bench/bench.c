// Benchmarks of a device: its facts, its roofs, its operators.
#include "bench/bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/asset.h"
#include "bench/measure.h"

#define MEASURES_MAX (TESS_BENCH_ROOFS + TESS_BENCH_RATES)

static const uint32_t samples_of[] = {
    [TESS_BENCH_LONG] = 7, [TESS_BENCH_SHORT] = 5, [TESS_BENCH_TINY] = 2};

// ---- facts ----

static void read_cpu_name(char *out, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && !*out && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon)
            snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (file)
        fclose(file);
}

static void tell_facts(struct tess_bench_result *result, const struct tess_context *ctx)
{
    struct utsname system;
    snprintf(result->generator, sizeof result->generator, "Tessella %s", TESS_VERSION);
    tess_context_device(ctx, &result->device);
    snprintf(result->tuning, sizeof result->tuning, "%s",
             tess_tuning_name(tess_context_tuning(ctx, NULL)));
    snprintf(result->precision, sizeof result->precision, "%s",
             tess_precision_name(ctx->precision));
    snprintf(result->matrix_unit, sizeof result->matrix_unit, "%s",
             tess_context_matrix_unit(ctx));
    result->budget_bytes = ctx->budget.device_bytes;
    result->max_buffer_bytes = ctx->budget.max_buffer;
    read_cpu_name(result->host_cpu, sizeof result->host_cpu);
    if (uname(&system) == 0)
        snprintf(result->host_system, sizeof result->host_system, "%.24s %.32s, %.16s",
                 system.sysname, system.release, system.machine);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    result->host_cpus = cpus > 0 ? (uint32_t)cpus : 0;
}

// ---- measurements ----

struct measures {
    struct tess_measure items[MEASURES_MAX];
    size_t count;
};

static void add_measure(struct measures *measures, struct tess_context *ctx,
                        enum tess_bench_form form, const struct tess_operator *op,
                        struct tess_bench_rate *rate)
{
    assert(measures->count < MEASURES_MAX);
    measures->items[measures->count++] =
        (struct tess_measure){.ctx = ctx, .op = op, .form = form, .rate = rate};
}

static void add_all(struct measures *measures, struct tess_bench_result *result,
                    struct tess_context *ctx)
{
    const struct {
        const struct tess_operator *operators;
        size_t count;
    } tables[] = {{tess_dense_operators, tess_dense_operator_count},
                  {tess_sparse_operators, tess_sparse_operator_count},
                  {tess_drawing_operators, tess_drawing_operator_count}};
    for (size_t i = 0; i < tess_roof_operator_count; i++)
        add_measure(measures, ctx, result->form, &tess_roof_operators[i],
                    &result->roofs[result->roof_count++]);
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            add_measure(measures, ctx, result->form, &tables[t].operators[i],
                        &result->rates[result->rate_count++]);
}

static void tell_progress(struct tess_env *env, size_t done, size_t total, double start)
{
    tess_progress_tell(env,
                       (struct tess_progress){.stage = "operators",
                                              .done = done,
                                              .total = total,
                                              .elapsed = tess_seconds_now() - start});
}

static enum tess_status take_samples(struct measures *measures, struct tess_env *env,
                                     uint32_t samples)
{
    size_t total = samples * measures->count, done = 0;
    double start = tess_seconds_now();
    for (uint32_t round = 0; round < samples; round++)
        for (size_t i = 0; i < measures->count; i++) {
            struct tess_measure *measure = &measures->items[i];
            TESS_TRY((round ? tess_measure_again : tess_measure_begin)(measure));
            tell_progress(env, ++done, total, start);
        }
    return TESS_OK;
}

// A roof is what the device was seen to do at best.
static void set_shares(struct tess_bench_result *result)
{
    for (size_t i = 0; i < result->roof_count; i++) {
        const struct tess_bench_rate *roof = &result->roofs[i];
        double *best = strcmp(roof->unit, "B") == 0 ? &result->bandwidth : &result->fma;
        double rate = roof->least_seconds > 0 ? roof->work / roof->least_seconds : 0;
        *best = rate > *best ? rate : *best;
    }
    for (size_t i = 0; i < result->rate_count; i++) {
        struct tess_bench_rate *rate = &result->rates[i];
        double roof = rate->roof == TESS_ROOF_FMA         ? result->fma
                      : rate->roof == TESS_ROOF_BANDWIDTH ? result->bandwidth
                                                          : 0;
        rate->share = roof > 0 ? rate->rate / roof : 0;
    }
}

static enum tess_status measure_all(struct tess_bench_result *result,
                                    struct tess_context *ctx, uint32_t samples)
{
    struct measures *measures = NULL;
    TESS_TRY(tess_alloc(&measures, &ctx->env, 1, sizeof *measures, "measurements"));
    add_all(measures, result, ctx);
    enum tess_status status = take_samples(measures, &ctx->env, samples);
    for (size_t i = 0; i < measures->count; i++) {
        tess_measure_end(&measures->items[i]);
        tess_measure_clear(&measures->items[i]);
    }
    free(measures);
    set_shares(result);
    return status;
}

enum tess_status tess_bench_run(struct tess_bench **out, struct tess_context *ctx,
                                const struct tess_bench_params *params)
{
    static const struct tess_bench_params defaults = {0};
    params = params ? params : &defaults;
    tess_context_begin(ctx);
    TESS_TRY(tess_measure_check(ctx, params->form, params->samples, "measured"));
    TESS_TRY(tess_context_choose_unit(ctx));
    struct tess_bench *bench = NULL;
    TESS_TRY(tess_alloc(&bench, &ctx->env, 1, sizeof *bench, "a benchmark"));
    bench->result.form = params->form;
    tell_facts(&bench->result, ctx);
    enum tess_status status =
        measure_all(&bench->result, ctx,
                    params->samples ? params->samples : samples_of[params->form]);
    if (!status && params->model)
        status = tess_bench_asset_run(&bench->result.asset, ctx, params);
    if (status) {
        tess_bench_destroy(&bench);
        return status;
    }
    tess_context_stages(ctx, NULL, NULL, &bench->result.peak_bytes);
    *out = bench;
    return TESS_OK;
}

void tess_bench_destroy(struct tess_bench **bench)
{
    if (!*bench)
        return;
    free((*bench)->path);
    free(*bench);
    *bench = NULL;
}

const struct tess_bench_result *tess_bench_result(const struct tess_bench *bench)
{
    return &bench->result;
}
