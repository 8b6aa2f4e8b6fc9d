// Results as JSON, described in docs/bench.md.
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"
#include "bench/bench_json.h"

const char *const tess_bench_forms[] = {
    [TESS_BENCH_LONG] = "long", [TESS_BENCH_SHORT] = "short", [TESS_BENCH_TINY] = "tiny"};
const char *const tess_bench_roof_names[] = {[TESS_ROOF_NONE] = "none",
                                             [TESS_ROOF_FMA] = "fma",
                                             [TESS_ROOF_BANDWIDTH] = "bandwidth"};

static void add_number(cJSON *object, const char *key, double value)
{
    cJSON_AddNumberToObject(object, key, value);
}

static void add_device(cJSON *root, const struct tess_bench_result *result)
{
    const struct tess_device_info *info = &result->device;
    cJSON *device = cJSON_AddObjectToObject(root, "device");
    cJSON_AddStringToObject(device, "name", info->name);
    cJSON_AddStringToObject(device, "vendor", info->vendor);
    cJSON_AddStringToObject(device, "platform", info->platform);
    cJSON_AddStringToObject(device, "version", info->version);
    cJSON_AddStringToObject(device, "driver", info->driver);
    cJSON_AddStringToObject(device, "type",
                            info->gpu   ? "gpu"
                            : info->cpu ? "cpu"
                                        : "accelerator");
    add_number(device, "compute_units", info->compute_units);
    add_number(device, "clock_mhz", info->clock_mhz);
    add_number(device, "memory_bytes", (double)info->memory);
    add_number(device, "local_memory_bytes", (double)info->local_memory);
    cJSON_AddBoolToObject(device, "host_memory", info->host_memory);
    cJSON_AddBoolToObject(device, "fp16", info->fp16);
    cJSON_AddBoolToObject(device, "keeps_time", info->keeps_time);
    const struct {
        const char *key, *value;
    } texts[] = {{"tuning", result->tuning},
                 {"precision", result->precision},
                 {"matrix_unit", result->matrix_unit}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i].value)
            cJSON_AddStringToObject(root, texts[i].key, texts[i].value);
    cJSON *budget = cJSON_AddObjectToObject(root, "budget");
    add_number(budget, "device_bytes", (double)result->budget_bytes);
    add_number(budget, "max_buffer_bytes", (double)result->max_buffer_bytes);
    cJSON *host = cJSON_AddObjectToObject(root, "host");
    cJSON_AddStringToObject(host, "cpu", result->host_cpu);
    cJSON_AddStringToObject(host, "system", result->host_system);
    add_number(host, "cpus", result->host_cpus);
}

static void add_rate(cJSON *array, const struct tess_bench_rate *rate, bool is_roof)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(array, object);
    cJSON_AddStringToObject(object, "name", rate->name);
    cJSON_AddStringToObject(object, "size", rate->size);
    cJSON_AddStringToObject(object, "unit", rate->unit);
    add_number(object, "rows", (double)rate->rows);
    add_number(object, "work", rate->work);
    add_number(object, "flop", rate->flop);
    add_number(object, "bytes", rate->bytes);
    cJSON_AddStringToObject(object, "clock", rate->on_host ? "host" : "kernels");
    add_number(object, "samples", rate->samples);
    add_number(object, "seconds", rate->seconds);
    add_number(object, "least_seconds", rate->least_seconds);
    add_number(object, "elapsed_seconds", rate->elapsed_seconds);
    add_number(object, "rate", rate->rate);
    if (!is_roof) {
        cJSON_AddStringToObject(object, "roof", tess_bench_roof_names[rate->roof]);
        add_number(object, "share", rate->share);
    }
    if (*rate->note)
        cJSON_AddStringToObject(object, "note", rate->note);
}

static void add_rates(cJSON *root, const char *key, const struct tess_bench_rate *rates,
                      size_t count, bool roofs)
{
    cJSON *array = cJSON_AddArrayToObject(root, key);
    for (size_t i = 0; i < count; i++)
        add_rate(array, &rates[i], roofs);
}

static void add_asset(cJSON *root, const struct tess_bench_asset *asset)
{
    if (!*asset->model)
        return;
    cJSON *object = cJSON_AddObjectToObject(root, "asset");
    cJSON_AddStringToObject(object, "model", asset->model);
    add_number(object, "voxels", (double)asset->voxels);
    add_number(object, "structure_steps", asset->structure_steps);
    add_number(object, "latent_steps", asset->latent_steps);
    add_number(object, "seconds", asset->seconds);
    add_number(object, "peak_bytes", (double)asset->peak_bytes);
    cJSON *stages = cJSON_AddArrayToObject(object, "stages");
    for (size_t i = 0; i < asset->stage_count; i++) {
        const struct tess_bench_stage *stage = &asset->stages[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(stages, item);
        cJSON_AddStringToObject(item, "name", stage->name);
        add_number(item, "seconds", stage->seconds);
        add_number(item, "kernel_seconds", stage->kernel_seconds);
        add_number(item, "flop", stage->flop);
        add_number(item, "peak_bytes", (double)stage->peak_bytes);
    }
}

static enum tess_status print(char **json, struct tess_context *ctx, cJSON *root)
{
    char *text = root ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text)
        return tess_fail(&ctx->env, TESS_ERR_MEMORY, "no host memory for a benchmark");
    enum tess_status status = tess_strdup(json, &ctx->env, text);
    cJSON_free(text);
    return status;
}

enum tess_status tess_bench_json(char **json, struct tess_context *ctx,
                                 const struct tess_bench *bench)
{
    const struct tess_bench_result *result = &bench->result;
    tess_context_begin(ctx);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "schema", TESS_BENCH_SCHEMA);
    cJSON_AddStringToObject(root, "generator", result->generator);
    cJSON_AddStringToObject(root, "form", tess_bench_forms[result->form]);
    add_device(root, result);
    add_number(root, "bandwidth_bytes_per_second", result->bandwidth);
    add_number(root, "fma_flop_per_second", result->fma);
    add_rates(root, "roofs", result->roofs, result->roof_count, true);
    add_rates(root, "operators", result->rates, result->rate_count, false);
    add_asset(root, &result->asset);
    add_number(root, "peak_bytes", (double)result->peak_bytes);
    return print(json, ctx, root);
}
