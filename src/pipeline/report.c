// Reports and plans as JSON. The fields are described in docs/design.md.
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "pipeline/floors.h"
#include "pipeline/provenance.h"

static void add_number(cJSON *object, const char *key, double value)
{
    cJSON_AddNumberToObject(object, key, value);
}

static void add_kernels(cJSON *stage, const struct tess_counters *counters)
{
    cJSON *kernels = cJSON_AddArrayToObject(stage, "kernels");
    for (uint32_t i = 0; i < counters->kernel_count; i++) {
        const struct tess_kernel_times *times = &counters->kernels[i];
        cJSON *kernel = cJSON_CreateObject();
        cJSON_AddItemToArray(kernels, kernel);
        cJSON_AddStringToObject(kernel, "name", times->name);
        add_number(kernel, "launches", (double)times->launches);
        add_number(kernel, "seconds", (double)times->ns * 1e-9);
        add_number(kernel, "longest_seconds", (double)times->longest_ns * 1e-9);
    }
}

static cJSON *add_object(cJSON *parent, const char *key)
{
    return cJSON_AddObjectToObject(parent, key);
}

static void add_device(cJSON *root, const struct tess_context *ctx)
{
    const struct tess_device_info *info = tess_device_facts(ctx->device);
    cJSON *device = add_object(root, "device");
    cJSON_AddStringToObject(device, "name", info->name);
    cJSON_AddStringToObject(device, "platform", info->platform);
    cJSON_AddStringToObject(device, "version", info->version);
    cJSON_AddStringToObject(device, "driver", info->driver);
    add_number(device, "memory_bytes", (double)info->memory);
    cJSON_AddStringToObject(device, "tuning",
                            tess_tuning_name(tess_context_tuning(ctx, NULL)));
    cJSON_AddStringToObject(device, "precision", tess_precision_name(ctx->precision));
    cJSON_AddStringToObject(device, "matrix_unit", tess_context_matrix_unit(ctx));
    cJSON *budget = add_object(root, "budget");
    add_number(budget, "device_bytes", (double)ctx->budget.device_bytes);
    add_number(budget, "max_buffer_bytes", (double)ctx->budget.max_buffer);
}

static void add_spans(cJSON *stage, const struct tess_stage_report *report)
{
    cJSON *spans = cJSON_AddArrayToObject(stage, "spans");
    for (size_t i = 0; i < report->span_count; i++) {
        cJSON *span = cJSON_CreateObject();
        cJSON_AddItemToArray(spans, span);
        cJSON_AddStringToObject(span, "name", report->spans[i].name);
        add_number(span, "rows", (double)report->spans[i].rows);
        add_number(span, "tile_rows", (double)report->spans[i].tile);
        add_number(span, "runs", (double)report->spans[i].runs);
    }
}

static void add_stage(cJSON *stages, const struct tess_stage_report *report, bool ran)
{
    cJSON *stage = cJSON_CreateObject();
    cJSON_AddItemToArray(stages, stage);
    cJSON_AddStringToObject(stage, "name", report->name);
    add_number(stage, "peak_bytes", (double)report->peak_bytes);
    if (report->memory_only) {
        cJSON_AddTrueToObject(stage, "memory_only");
        add_number(stage, "smallest_budget_bytes", (double)report->floor_bytes);
        return;
    }
    add_number(stage, "flop", report->counters.flop);
    add_number(stage, "launches", (double)report->counters.launches);
    add_number(stage, "uploaded_bytes", (double)report->counters.uploaded);
    add_number(stage, "downloaded_bytes", (double)report->counters.downloaded);
    add_number(stage, "spilled_bytes", (double)report->spilled_bytes);
    add_number(stage, "spilled_tensors", (double)report->spilled_tensors);
    cJSON_AddBoolToObject(stage, "prefetch", report->prefetch);
    cJSON_AddBoolToObject(stage, "resident", report->resident);
    if (report->floor_bytes)
        add_number(stage, "smallest_budget_bytes", (double)report->floor_bytes);
    if (ran) {
        add_number(stage, "seconds", report->seconds);
        add_number(stage, "kernel_seconds", (double)report->counters.kernel_ns * 1e-9);
        add_number(stage, "longest_launch_seconds",
                   (double)report->counters.longest_ns * 1e-9);
        add_kernels(stage, &report->counters);
    } else if (report->seconds > 0) {
        add_number(stage, "estimated_seconds", report->seconds);
    }
    add_spans(stage, report);
}

static enum tess_status print(char **json, struct tess_context *ctx, cJSON *root)
{
    char *text = root ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text)
        return tess_fail(&ctx->env, TESS_ERR_MEMORY, "no host memory for a report");
    enum tess_status status = tess_strdup(json, &ctx->env, text);
    cJSON_free(text);
    return status;
}

enum tess_status tess_report_json(char **json, struct tess_context *ctx,
                                  const struct tess_stage_report *stages, size_t count)
{
    tess_context_begin(ctx);
    bool ran = !stages;
    uint64_t peak = 0, floor = 0;
    if (ran)
        tess_context_stages(ctx, &stages, &count, &peak);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "generator", "Tessella " TESS_VERSION);
    add_device(root, ctx);
    cJSON *array = cJSON_AddArrayToObject(root, "stages");
    for (size_t i = 0; i < count; i++) {
        add_stage(array, &stages[i], ran);
        peak = stages[i].peak_bytes > peak ? stages[i].peak_bytes : peak;
        floor = stages[i].floor_bytes > floor ? stages[i].floor_bytes : floor;
    }
    add_number(root, "peak_bytes", (double)peak);
    enum tess_status status = TESS_OK;
    if (ran)
        status = tess_provenance_add(root, ctx);
    else
        add_number(root, "smallest_budget_bytes", (double)floor);
    if (status) {
        cJSON_Delete(root);
        return status;
    }
    return print(json, ctx, root);
}

void tess_context_stages(const struct tess_context *ctx,
                         const struct tess_stage_report **stages, size_t *count,
                         uint64_t *peak_bytes)
{
    if (stages)
        *stages = ctx->stages;
    if (count)
        *count = ctx->stage_count;
    if (peak_bytes)
        *peak_bytes = tess_device_peak(ctx->device);
}

enum tess_status tess_plan(struct tess_stage_report **stages, size_t *count,
                           struct tess_context *ctx, struct tess_model *model,
                           const struct tess_latent *latent,
                           const struct tess_decode_params *params)
{
    tess_context_begin(ctx);
    struct tess_stage_report *reports = NULL;
    TESS_TRY(
        tess_alloc(&reports, &ctx->env, TESS_DECODE_STAGES, sizeof *reports, "a plan"));
    struct tess_floors floors = {.ctx = ctx};
    enum tess_status status = tess_decode_plan(reports, count, &floors, model, latent,
                                               tess_decode_choose(model, params),
                                               params ? params->finish : NULL, true);
    if (!status)
        status = tess_floors_verdict(&floors);
    if (status) {
        free(reports);
        return status;
    }
    *stages = reports;
    return TESS_OK;
}
