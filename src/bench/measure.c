// Samples, medians, and operators that do not fit.
#include "bench/measure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define RUNS_MAX        1000 // in a sample
#define HALVINGS_MAX    6
#define NOISE_LANES     256 // work-items of a group on GPUs
#define NOISE_GROUPS    4096
#define NOISE_CPU_ITEMS 64

void tess_measure_size(struct tess_measure *measure, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(measure->rate->size, sizeof measure->rate->size, format, args);
    va_end(args);
}

void tess_measure_add(struct tess_measure *measure, double kernel_seconds,
                      double elapsed_seconds)
{
    if (measure->count == TESS_SAMPLES_MAX)
        return;
    measure->kernel_seconds[measure->count] = kernel_seconds;
    measure->elapsed_seconds[measure->count++] = elapsed_seconds;
}

// ---- inside stages ----

// Seconds of one of `runs` runs.
static enum tess_status time_runs(double *kernel, double *elapsed,
                                  struct tess_stage *stage, tess_measure_fn *run,
                                  void *user, size_t runs)
{
    struct tess_device *dev = tess_stage_device(stage);
    struct tess_arena *arena = tess_stage_arena(stage);
    TESS_TRY(tess_device_finish(dev));
    uint64_t before = tess_device_counters(dev)->kernel_ns;
    double start = tess_seconds_now();
    for (size_t i = 0; i < runs; i++) {
        size_t mark = tess_arena_mark(arena);
        TESS_TRY(run(stage, user));
        tess_arena_release(arena, mark);
    }
    TESS_TRY(tess_device_finish(dev));
    *elapsed = (tess_seconds_now() - start) / (double)runs;
    uint64_t ns = tess_device_counters(dev)->kernel_ns - before;
    *kernel = 1e-9 * (double)ns / (double)runs;
    return TESS_OK;
}

enum tess_status tess_measure_run(struct tess_stage *stage, struct tess_measure *measure,
                                  tess_measure_fn *run, void *user)
{
    // Long enough for clocks of GPUs to rise and for timers to tell.
    static const double least_seconds[] = {
        [TESS_BENCH_LONG] = 0.1, [TESS_BENCH_SHORT] = 0.03, [TESS_BENCH_TINY] = 0};
    struct tess_arena *arena = tess_stage_arena(stage);
    size_t mark = tess_arena_mark(arena);
    TESS_TRY(run(stage, user)); // drivers may compile here
    tess_arena_release(arena, mark);
    if (tess_device_dry(tess_stage_device(stage)))
        return TESS_OK;
    double kernel, elapsed;
    TESS_TRY(time_runs(&kernel, &elapsed, stage, run, user, 1));
    double least = least_seconds[measure->form];
    if (elapsed < least) {
        double runs = ceil(least / fmax(elapsed, 1e-6));
        TESS_TRY(time_runs(&kernel, &elapsed, stage, run, user,
                           runs < RUNS_MAX ? (size_t)runs : RUNS_MAX));
    }
    // A driver that does not tell leaves the host's clock.
    tess_measure_add(measure, kernel > 0 ? kernel : elapsed, elapsed);
    return TESS_OK;
}

enum tess_status tess_measure_stage(struct tess_measure *measure, tess_stage_fn *fn)
{
    struct tess_stage_report report;
    return tess_stage_run(&report, measure->ctx->device, &measure->ctx->budget,
                          measure->op->name, fn, measure);
}

enum tess_status tess_noise_take(struct tess_mat *out, struct tess_stage *stage,
                                 size_t rows, size_t cols)
{
    struct tess_device *dev = tess_stage_device(stage);
    bool cpu = tess_device_variant(dev) == TESS_VARIANT_CPU;
    size_t lanes = cpu ? 1 : NOISE_LANES,
           items = cpu ? NOISE_CPU_ITEMS : NOISE_GROUPS * NOISE_LANES;
    TESS_TRY(tess_mat_take(out, stage, rows, cols, TESS_F32, "noise"));
    return tess_launch(
        dev, &(struct tess_launch){.file = "bench",
                                   .kernel = "fill_noise",
                                   .defines = "-DCHAINS=4",
                                   .global = {items},
                                   .local = {lanes, 1, 1},
                                   .args = {TESS_SLICE(out->data), TESS_U32ARG(cols),
                                            TESS_U32ARG(items),
                                            TESS_U32ARG(out->rows * out->cols)}});
}

// ---- rounds ----

enum tess_status tess_measure_check(struct tess_context *ctx, enum tess_bench_form form,
                                    uint32_t samples, const char *done)
{
    if (samples > TESS_SAMPLES_MAX)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%u samples, expected at most %d",
                         samples, TESS_SAMPLES_MAX);
    if ((unsigned)form > TESS_BENCH_TINY)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "no such form of the benchmark: %d",
                         (int)form);
    if (tess_device_dry(ctx->device))
        return tess_fail(&ctx->env, TESS_ERR_DEVICE,
                         "a device that is only described cannot be %s", done);
    return TESS_OK;
}

static enum tess_status try_rows(struct tess_measure *measure)
{
    const struct tess_operator *op = measure->op;
    measure->rate->rows = measure->rows;
    TESS_TRY(op->prepare(measure));
    return op->sample(measure);
}

enum tess_status tess_measure_begin(struct tess_measure *measure)
{
    const struct tess_operator *op = measure->op;
    struct tess_bench_rate *rate = measure->rate;
    snprintf(rate->name, sizeof rate->name, "%s", op->name);
    snprintf(rate->unit, sizeof rate->unit, "%s", op->unit);
    rate->roof = op->roof;
    rate->on_host = op->on_host;
    measure->rows = op->rows[measure->form];
    enum tess_status status = try_rows(measure);
    for (int i = 0; i < HALVINGS_MAX && status == TESS_ERR_BUDGET && measure->rows > 1;
         i++) {
        op->clear(measure);
        measure->rows /= 2;
        status = try_rows(measure);
    }
    if (status == TESS_ERR_BUDGET) { // tell what was wished for
        op->clear(measure);
        measure->rows = rate->rows = op->rows[measure->form];
        TESS_TRY(op->prepare(measure));
        snprintf(rate->note, sizeof rate->note, "the budget of %zu KiB is too small",
                 measure->ctx->budget.device_bytes >> 10);
        return TESS_OK;
    }
    return status;
}

enum tess_status tess_measure_again(struct tess_measure *measure)
{
    TESS_TRY(tess_env_check(&measure->ctx->env));
    return *measure->rate->note ? TESS_OK : measure->op->sample(measure);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double tess_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2]
                     : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void tess_measure_end(struct tess_measure *measure)
{
    struct tess_bench_rate *rate = measure->rate;
    if (*rate->note || !measure->count)
        return;
    double elapsed = tess_median(measure->elapsed_seconds, measure->count);
    double kernel = tess_median(measure->kernel_seconds, measure->count);
    rate->samples = (uint32_t)measure->count;
    rate->elapsed_seconds = elapsed;
    rate->seconds = rate->on_host ? elapsed : kernel;
    rate->least_seconds =
        (rate->on_host ? measure->elapsed_seconds : measure->kernel_seconds)[0];
    rate->rate = rate->seconds > 0 ? rate->work / rate->seconds : 0;
}

void tess_measure_clear(struct tess_measure *measure)
{
    if (measure->op)
        measure->op->clear(measure);
}
