// Contexts and devices.
#include "pipeline/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "op/matrix_unit.h"
#include "pipeline/provenance.h"
#include "rt/tuning.h"

#define DESCRIBED_MEMORY ((uint64_t)4 << 30)
#define DESCRIBED_BUFFER ((uint64_t)1 << 30)

const char *tess_version(void)
{
    return TESS_VERSION;
}

const char *tess_status_name(enum tess_status status)
{
    switch (status) {
    case TESS_OK:
        return "ok";
    case TESS_ERR_ARG:
        return "bad argument";
    case TESS_ERR_FILE:
        return "bad input file";
    case TESS_ERR_WRITE:
        return "cannot write";
    case TESS_ERR_DEVICE:
        return "device failure";
    case TESS_ERR_BUDGET:
        return "too little device memory";
    case TESS_ERR_MEMORY:
        return "too little host memory";
    case TESS_ERR_CANCELLED:
        return "cancelled";
    case TESS_ERR_MISMATCH:
        return "mismatch";
    case TESS_ERR_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}

void tess_context_begin(struct tess_context *ctx)
{
    ctx->env.message[0] = '\0';
}

static struct tess_device_info described(const struct tess_context_params *params)
{
    struct tess_device_info info = {
        .name = "described device",
        .vendor = "none",
        .platform = "none",
        .version = "none",
        .driver = "none",
        .gpu = true,
        .compute_units = 16,
        .clock_mhz = 1000,
        .memory = params->memory ? params->memory : DESCRIBED_MEMORY,
        .max_buffer = params->max_buffer ? params->max_buffer : DESCRIBED_BUFFER,
        .local_memory = 32 << 10,
        .alignment = 128,
    };
    info.budget = info.memory;
    return info;
}

// A described device has no table of its own.
static const char *tuning_of(const struct tess_context_params *params)
{
    const char *environment = getenv("TESSELLA_TUNING");
    if (params->tuning || params->plan_only)
        return params->tuning;
    return environment && *environment ? environment : NULL;
}

static enum tess_status open_context(struct tess_context *ctx,
                                     const struct tess_context_params *params)
{
    struct tess_device_info info = described(params);
    TESS_TRY(tess_device_open(&ctx->device, &ctx->env,
                              &(struct tess_device_params){
                                  .selector = params->device,
                                  .cache_dir = params->cache_dir,
                                  .kernel_dir = params->kernel_dir,
                                  .tuning = tuning_of(params),
                                  .described = params->plan_only ? &info : NULL,
                              }));
    TESS_TRY(
        tess_budget_init(&ctx->budget, ctx->device, params->memory, params->max_buffer));
    ctx->precision = params->precision;
    return TESS_OK;
}

enum tess_status tess_context_choose_unit(struct tess_context *ctx)
{
    if (ctx->unit_chosen)
        return TESS_OK;
    TESS_TRY(tess_matrix_unit_choose(ctx->device, &ctx->budget,
                                     ctx->precision == TESS_PRECISION_FAST));
    ctx->unit_chosen = true;
    return TESS_OK;
}

enum tess_status tess_context_create(struct tess_context **out,
                                     const struct tess_context_params *params,
                                     char *message)
{
    static const struct tess_context_params defaults = {0};
    if (!params)
        params = &defaults;
    struct tess_env env = {.log = params->log,
                           .log_user = params->log_user,
                           .log_level = params->log_level,
                           .progress = params->progress,
                           .progress_user = params->progress_user};
    struct tess_context *ctx = NULL;
    enum tess_status status = tess_alloc(&ctx, &env, 1, sizeof *ctx, "a context");
    if (status) {
        if (message)
            memcpy(message, env.message, TESS_MESSAGE_MAX);
        return status;
    }
    ctx->env = env;
    ctx->hash_files = params->hash_files;
    status = open_context(ctx, params);
    if (status) {
        if (message)
            memcpy(message, ctx->env.message, TESS_MESSAGE_MAX);
        tess_context_destroy(&ctx);
        return status;
    }
    *out = ctx;
    return TESS_OK;
}

void tess_context_destroy(struct tess_context **ctx)
{
    if (!*ctx)
        return;
    tess_device_close(&(*ctx)->device);
    tess_provenance_clear(*ctx);
    free((*ctx)->stages);
    free(*ctx);
    *ctx = NULL;
}

const char *tess_context_message(const struct tess_context *ctx)
{
    return ctx->env.message;
}

void tess_context_cancel(struct tess_context *ctx)
{
    tess_env_cancel(&ctx->env);
}

enum tess_status tess_device_list(struct tess_device_info **out, size_t *count,
                                  char *message)
{
    struct tess_env env = {0};
    enum tess_status status = tess_device_enumerate(out, count, &env);
    if (status && message)
        memcpy(message, env.message, TESS_MESSAGE_MAX);
    return status;
}

void tess_context_device(const struct tess_context *ctx, struct tess_device_info *info)
{
    *info = *tess_device_facts(ctx->device);
    info->budget = ctx->budget.device_bytes;
    info->max_buffer = ctx->budget.max_buffer;
}

const char *tess_precision_name(enum tess_precision precision)
{
    return precision == TESS_PRECISION_FAST ? "fast" : "full";
}

const char *tess_context_matrix_unit(const struct tess_context *ctx)
{
    return tess_matrix_unit_name(tess_device_unit(ctx->device));
}

const char *tess_tuning_name(enum tess_tuning_source source)
{
    static const char *const names[] = {[TESS_TUNING_OWN] = "own",
                                        [TESS_TUNING_STORED] = "stored",
                                        [TESS_TUNING_GIVEN] = "given"};
    return names[source];
}

enum tess_tuning_source tess_context_tuning(const struct tess_context *ctx,
                                            const char **path)
{
    if (path)
        *path = tess_device_tuning_path(ctx->device);
    return tess_device_tuning_source(ctx->device);
}

enum tess_tuning_source tess_stored_tuning(char *path, size_t size,
                                           const struct tess_device_info *info,
                                           const char *cache_dir)
{
    return tess_tuning_find(path, size, cache_dir, info);
}

void tess_free(void *memory)
{
    free(memory);
}

enum tess_status tess_context_keep(struct tess_context *ctx,
                                   const struct tess_stage_report *report)
{
    TESS_TRY(tess_grow(&ctx->stages, &ctx->stage_capacity, &ctx->env,
                       ctx->stage_count + 1, sizeof *ctx->stages, "reports"));
    ctx->stages[ctx->stage_count++] = *report;
    tess_log(&ctx->env, TESS_LOG_INFO, "%s: %.2f s, %.1f MiB, %.1f GFLOP", report->name,
             report->seconds, (double)report->peak_bytes / (1 << 20),
             report->counters.flop * 1e-9);
    return TESS_OK;
}

enum tess_status tess_context_run(struct tess_context *ctx, const char *name,
                                  tess_stage_fn *fn, void *user)
{
    struct tess_stage_report report;
    TESS_TRY(tess_stage_run(&report, ctx->device, &ctx->budget, name, fn, user));
    return tess_context_keep(ctx, &report);
}
