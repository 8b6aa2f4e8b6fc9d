// Finding the shapes of kernels that are fastest on a device: one parameter after the
// other, for each operator that has any. A shape has to win by more than noise, against
// the best one so far, in turns with it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench.h"
#include "bench/measure.h"
#include "rt/tuning.h"

#define WIN      0.98 // of the best one's time, to take its place
#define HOPELESS 1.25 // times the best one's time in the first round: no more rounds

// What is tuned by which operator.
struct search {
    const struct tess_operator *operators;
    const size_t *operator_count;
    const char *name;
    enum tess_tuned first, last;
};

static const struct search searches[] = {
    {tess_dense_operators, &tess_dense_operator_count, "group norm, SiLU",
     TESS_TUNED_ELEMENT_COLUMNS, TESS_TUNED_ELEMENT_COLUMNS},
    {tess_dense_operators, &tess_dense_operator_count, "matrix product",
     TESS_TUNED_PRODUCT_ROWS, TESS_TUNED_PRODUCT_DEPTH},
    {tess_sparse_operators, &tess_sparse_operator_count, "sparse convolution",
     TESS_TUNED_CONVOLUTION_ROWS, TESS_TUNED_CONVOLUTION_DEPTH},
    {tess_dense_operators, &tess_dense_operator_count, "attention",
     TESS_TUNED_ATTENTION_QUERIES, TESS_TUNED_ATTENTION_DEPTH},
};
#define SEARCH_COUNT (sizeof searches / sizeof *searches)

struct tuner {
    struct tess_context *ctx;
    uint32_t samples;
    bool brief; // the tiny form: the largest value of each parameter only
    struct tess_measure measure;
    struct tess_bench_rate rate;
    struct tess_tuning best;
    double start; // of the whole
    size_t done, total;
    char comments[TESS_TUNED_COUNT][160];
};

static const struct tess_operator *find_operator(const struct search *search)
{
    size_t i = 0;
    while (strcmp(search->operators[i].name, search->name) != 0)
        i++;
    return &search->operators[i];
}

// Seconds of the operator with a table, once.
static enum tess_status time_with(double *seconds, struct tuner *t,
                                  const struct tess_tuning *tuning)
{
    TESS_TRY(tess_env_check(&t->ctx->env));
    tess_device_set_tuning(t->ctx->device, tuning);
    t->measure.count = 0;
    TESS_TRY(t->measure.op->sample(&t->measure));
    *seconds = t->measure.kernel_seconds[0];
    return TESS_OK;
}

// Medians of two tables, in turns. *second is 0 if the other one is hopeless.
static enum tess_status time_both(double *first, double *second, struct tuner *t,
                                  const struct tess_tuning *a,
                                  const struct tess_tuning *b)
{
    double times[2][TESS_SAMPLES_MAX];
    for (uint32_t i = 0; i < t->samples; i++) {
        TESS_TRY(time_with(&times[0][i], t, a));
        TESS_TRY(time_with(&times[1][i], t, b));
        if (i == 0 && times[1][0] > HOPELESS * times[0][0]) {
            *first = times[0][0];
            *second = 0;
            return TESS_OK;
        }
    }
    *first = tess_median(times[0], t->samples);
    *second = tess_median(times[1], t->samples);
    return TESS_OK;
}

static void tell_progress(struct tuner *t)
{
    tess_progress_tell(&t->ctx->env,
                       (struct tess_progress){.stage = "tuning",
                                              .done = t->done,
                                              .total = t->total,
                                              .elapsed = tess_seconds_now() - t->start});
}

// A device may refuse a shape: too many registers, a compiler that fails. Then it is not
// the fastest.
static enum tess_status try_value(struct tuner *t, enum tess_tuned parameter,
                                  uint32_t value)
{
    struct tess_env *env = &t->ctx->env;
    struct tess_device *dev = t->ctx->device;
    struct tess_tuning rival = t->best;
    double best = 0, other = 0, probe;
    rival.values[parameter] = value;
    t->done++;
    tell_progress(t);
    if (tess_tuning_local_bytes(&rival, tess_device_variant(dev)) >
        tess_device_facts(dev)->local_memory)
        return TESS_OK;
    enum tess_status status = time_with(&probe, t, &rival);
    if (status == TESS_ERR_DEVICE) {
        tess_log(env, TESS_LOG_INFO, "%s %u does not run here: %s",
                 tess_tuned_parameters[parameter].name, value, env->message);
        env->message[0] = '\0';
        return TESS_OK;
    }
    TESS_TRY(status);
    TESS_TRY(time_both(&best, &other, t, &t->best, &rival));
    tess_log(env, TESS_LOG_DEBUG, "%s %u: %.3f ms, best so far %.3f ms",
             tess_tuned_parameters[parameter].name, value,
             1e3 * (other > 0 ? other : probe), 1e3 * best);
    if (other > 0 && other < WIN * best)
        t->best = rival;
    return TESS_OK;
}

static enum tess_status try_parameters(struct tuner *t, const struct search *search)
{
    enum tess_variant variant = tess_device_variant(t->ctx->device);
    for (int p = (int)search->first; p <= (int)search->last; p++) {
        const uint32_t *values = tess_tuned_values((enum tess_tuned)p, variant);
        uint32_t before = t->best.values[p];
        for (int i = 0; values[i]; i++)
            if (values[i] != before && !(t->brief && values[i + 1]))
                TESS_TRY(try_value(t, (enum tess_tuned)p, values[i]));
    }
    return TESS_OK;
}

// The whole against the program's own table, which stays where nothing was gained.
static enum tess_status settle(struct tuner *t, const struct search *search,
                               const struct tess_tuning *own)
{
    double before = 0, after = 0;
    char rate[48], old_rate[48];
    TESS_TRY(time_both(&before, &after, t, own, &t->best));
    if (!(after > 0) || after >= WIN * before) {
        for (int p = (int)search->first; p <= (int)search->last; p++)
            t->best.values[p] = own->values[p];
        after = before;
    }
    const char *unit = t->rate.unit;
    tess_bench_rate_text(rate, sizeof rate, t->rate.work / after, unit);
    tess_bench_rate_text(old_rate, sizeof old_rate, t->rate.work / before, unit);
    snprintf(t->comments[search->first], sizeof t->comments[0],
             "%s: %s; program's own table: %s", search->name, rate, old_rate);
    return TESS_OK;
}

static enum tess_status run_search(struct tuner *t, const struct search *search,
                                   const struct tess_tuning *own)
{
    enum tess_status status = tess_measure_begin(&t->measure);
    if (!status && *t->rate.note)
        tess_log(&t->ctx->env, TESS_LOG_WARNING, "%s is not tuned: %s", search->name,
                 t->rate.note);
    else if (!status) {
        status = try_parameters(t, search);
        if (!status)
            status = settle(t, search, own);
    }
    tess_measure_clear(&t->measure);
    return status;
}

static size_t count_values(enum tess_variant variant, bool brief)
{
    size_t count = 0;
    for (size_t s = 0; s < SEARCH_COUNT; s++)
        for (int p = (int)searches[s].first; p <= (int)searches[s].last; p++)
            for (int i = 0; tess_tuned_values((enum tess_tuned)p, variant)[i]; i++)
                count += i == 1 || (i > 1 && !brief);
    return count;
}

static enum tess_status tune(struct tuner *t, const struct tess_tuning *own,
                             enum tess_bench_form form)
{
    for (size_t i = 0; i < SEARCH_COUNT; i++) {
        t->rate = (struct tess_bench_rate){.name = ""};
        t->measure = (struct tess_measure){.ctx = t->ctx,
                                           .op = find_operator(&searches[i]),
                                           .rate = &t->rate,
                                           .form = form};
        TESS_TRY(run_search(t, &searches[i], own));
    }
    return TESS_OK;
}

static enum tess_status keep(char **table, struct tuner *t)
{
    struct tess_device *dev = t->ctx->device;
    const char *comments[TESS_TUNED_COUNT];
    char *text = NULL;
    for (int i = 0; i < TESS_TUNED_COUNT; i++)
        comments[i] = t->comments[i];
    TESS_TRY(tess_tuning_print(&text, &t->ctx->env, &t->best, tess_device_facts(dev),
                               tess_device_variant(dev), comments));
    enum tess_status status = tess_tuning_store(dev, text);
    if (status) {
        free(text);
        return status;
    }
    *table = text;
    return TESS_OK;
}

enum tess_status tess_tune(char **table, struct tess_context *ctx,
                           const struct tess_tune_params *params)
{
    static const struct tess_tune_params defaults = {0};
    params = params ? params : &defaults;
    tess_context_begin(ctx);
    TESS_TRY(tess_measure_check(ctx, params->form, params->samples, "tuned"));
    TESS_TRY(tess_context_choose_unit(ctx));
    struct tess_tuning own = tess_tuning_default(tess_device_facts(ctx->device),
                                                 tess_device_variant(ctx->device)),
                       before = *tess_device_tuning(ctx->device);
    struct tuner t = {.ctx = ctx,
                      .samples = params->samples ? params->samples : 3,
                      .brief = params->form == TESS_BENCH_TINY,
                      .best = own,
                      .start = tess_seconds_now(),
                      .total = count_values(tess_device_variant(ctx->device),
                                            params->form == TESS_BENCH_TINY)};
    enum tess_status status = tune(&t, &own, params->form);
    if (!status)
        status = keep(table, &t);
    tess_device_set_tuning(ctx->device, status ? &before : &t.best);
    return status;
}
