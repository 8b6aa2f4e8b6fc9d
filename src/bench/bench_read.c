// Results from files. What they say is not trusted: every field is checked, and rates
// have to be what work and seconds make of them.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"
#include "bench/bench_json.h"
#include "io/json.h"

#define NUMBER_MAX 1e30
#define BYTES_MAX  ((size_t)1 << 52)

static enum tess_status copy_text(char *out, size_t size, struct tess_json_at object,
                                  const char *key)
{
    const char *text;
    TESS_TRY(tess_json_string(&text, object, key));
    if (strlen(text) >= size)
        return tess_json_fail(object, key, "a text of at most %zu bytes", size - 1);
    snprintf(out, size, "%s", text);
    return TESS_OK;
}

// The same of a member that files of older versions do not have.
static enum tess_status copy_newer(char *out, size_t size, struct tess_json_at object,
                                   const char *key)
{
    return tess_json_present(tess_json_member(object, key))
               ? copy_text(out, size, object, key)
               : TESS_OK;
}

// *out: the place of the member's text among `words`.
static enum tess_status choose(unsigned *out, struct tess_json_at object, const char *key,
                               const char *const words[3])
{
    const char *text;
    TESS_TRY(tess_json_string(&text, object, key));
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return TESS_OK;
        }
    return tess_json_fail(object, key, "\"%s\", \"%s\" or \"%s\"", words[0], words[1],
                          words[2]);
}

static enum tess_status read_bytes(uint64_t *out, struct tess_json_at object,
                                   const char *key)
{
    size_t bytes;
    TESS_TRY(tess_json_size(&bytes, object, key, 0, BYTES_MAX));
    *out = bytes;
    return TESS_OK;
}

static enum tess_status read_device(struct tess_device_info *out,
                                    struct tess_json_at root)
{
    static const char *const types[3] = {"gpu", "cpu", "accelerator"};
    struct tess_json_at device;
    unsigned type;
    TESS_TRY(tess_json_object(&device, root, "device"));
    TESS_TRY(copy_text(out->name, sizeof out->name, device, "name"));
    TESS_TRY(copy_text(out->vendor, sizeof out->vendor, device, "vendor"));
    TESS_TRY(copy_text(out->platform, sizeof out->platform, device, "platform"));
    TESS_TRY(copy_text(out->version, sizeof out->version, device, "version"));
    TESS_TRY(copy_text(out->driver, sizeof out->driver, device, "driver"));
    TESS_TRY(choose(&type, device, "type", types));
    out->gpu = type == 0;
    out->cpu = type == 1;
    TESS_TRY(tess_json_uint(&out->compute_units, device, "compute_units", 0, UINT32_MAX));
    TESS_TRY(tess_json_uint(&out->clock_mhz, device, "clock_mhz", 0, UINT32_MAX));
    TESS_TRY(read_bytes(&out->memory, device, "memory_bytes"));
    TESS_TRY(read_bytes(&out->local_memory, device, "local_memory_bytes"));
    TESS_TRY(tess_json_bool(&out->host_memory, device, "host_memory"));
    TESS_TRY(tess_json_bool(&out->fp16, device, "fp16"));
    out->keeps_time = true; // files of older versions do not say
    if (!tess_json_present(tess_json_member(device, "keeps_time")))
        return TESS_OK;
    return tess_json_bool(&out->keeps_time, device, "keeps_time");
}

static enum tess_status read_host(struct tess_bench_result *out, struct tess_json_at root)
{
    struct tess_json_at host, budget;
    TESS_TRY(tess_json_object(&budget, root, "budget"));
    TESS_TRY(read_bytes(&out->budget_bytes, budget, "device_bytes"));
    TESS_TRY(read_bytes(&out->max_buffer_bytes, budget, "max_buffer_bytes"));
    TESS_TRY(tess_json_object(&host, root, "host"));
    TESS_TRY(copy_text(out->host_cpu, sizeof out->host_cpu, host, "cpu"));
    TESS_TRY(copy_text(out->host_system, sizeof out->host_system, host, "system"));
    return tess_json_uint(&out->host_cpus, host, "cpus", 0, UINT32_MAX);
}

static enum tess_status read_times(struct tess_bench_rate *out, struct tess_json_at at)
{
    TESS_TRY(tess_json_double(&out->seconds, at, "seconds", 0, NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->least_seconds, at, "least_seconds", 0, NUMBER_MAX));
    TESS_TRY(
        tess_json_double(&out->elapsed_seconds, at, "elapsed_seconds", 0, NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->rate, at, "rate", 0, NUMBER_MAX));
    TESS_TRY(tess_json_uint(&out->samples, at, "samples", 0, 1u << 20));
    if (tess_json_present(tess_json_member(at, "note")))
        return copy_text(out->note, sizeof out->note, at, "note");
    if (!(out->seconds > 0))
        return tess_json_fail(at, "seconds", "a number above 0, or a note");
    if (!(fabs(out->rate * out->seconds - out->work) <= 1e-6 * out->work))
        return tess_json_fail(at, "rate", "%g, which is work / seconds",
                              out->work / out->seconds);
    return TESS_OK;
}

static enum tess_status read_rate(struct tess_bench_rate *out, struct tess_json_at at,
                                  bool is_roof)
{
    static const char *const clocks[3] = {"kernels", "host", "host"};
    unsigned clock, roof = TESS_ROOF_NONE;
    TESS_TRY(copy_text(out->name, sizeof out->name, at, "name"));
    TESS_TRY(copy_text(out->size, sizeof out->size, at, "size"));
    TESS_TRY(copy_text(out->unit, sizeof out->unit, at, "unit"));
    TESS_TRY(read_bytes(&out->rows, at, "rows"));
    TESS_TRY(tess_json_double(&out->work, at, "work", 0, NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->flop, at, "flop", 0, NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->bytes, at, "bytes", 0, NUMBER_MAX));
    TESS_TRY(choose(&clock, at, "clock", clocks));
    out->on_host = clock != 0;
    TESS_TRY(read_times(out, at));
    if (is_roof)
        return TESS_OK;
    TESS_TRY(choose(&roof, at, "roof", tess_bench_roof_names));
    out->roof = (enum tess_bench_roof)roof;
    return tess_json_double(&out->share, at, "share", 0, NUMBER_MAX);
}

static enum tess_status read_rates(struct tess_bench_rate *out, size_t *count,
                                   struct tess_json_at root, const char *key, size_t max,
                                   bool are_roofs)
{
    struct tess_json_at array, *items = NULL;
    TESS_TRY(tess_json_array(&array, root, key, 1, max));
    *count = tess_json_count(array);
    TESS_TRY(tess_json_items(&items, array));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < *count && !status; i++)
        status = read_rate(&out[i], items[i], are_roofs);
    free(items);
    return status;
}

static enum tess_status read_stage(struct tess_bench_stage *out, struct tess_json_at at)
{
    TESS_TRY(copy_text(out->name, sizeof out->name, at, "name"));
    TESS_TRY(tess_json_double(&out->seconds, at, "seconds", 0, NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->kernel_seconds, at, "kernel_seconds", 0, NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->flop, at, "flop", 0, NUMBER_MAX));
    return read_bytes(&out->peak_bytes, at, "peak_bytes");
}

static enum tess_status read_asset(struct tess_bench_asset *out, struct tess_json_at root)
{
    struct tess_json_at asset, stages, *items = NULL;
    if (!tess_json_present(tess_json_member(root, "asset")))
        return TESS_OK;
    TESS_TRY(tess_json_object(&asset, root, "asset"));
    TESS_TRY(copy_text(out->model, sizeof out->model, asset, "model"));
    if (!*out->model)
        return tess_json_fail(asset, "model", "a name");
    TESS_TRY(read_bytes(&out->voxels, asset, "voxels"));
    TESS_TRY(
        tess_json_uint(&out->structure_steps, asset, "structure_steps", 1, UINT32_MAX));
    TESS_TRY(tess_json_uint(&out->latent_steps, asset, "latent_steps", 1, UINT32_MAX));
    TESS_TRY(tess_json_double(&out->seconds, asset, "seconds", 0, NUMBER_MAX));
    TESS_TRY(read_bytes(&out->peak_bytes, asset, "peak_bytes"));
    TESS_TRY(tess_json_array(&stages, asset, "stages", 1, TESS_BENCH_STAGES));
    out->stage_count = tess_json_count(stages);
    TESS_TRY(tess_json_items(&items, stages));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < out->stage_count && !status; i++)
        status = read_stage(&out->stages[i], items[i]);
    free(items);
    return status;
}

static enum tess_status read_result(struct tess_bench_result *out,
                                    struct tess_json_at root)
{
    const char *schema;
    unsigned form;
    TESS_TRY(tess_json_string(&schema, root, "schema"));
    if (strcmp(schema, TESS_BENCH_SCHEMA) != 0)
        return tess_json_fail(root, "schema", "\"%s\"", TESS_BENCH_SCHEMA);
    TESS_TRY(copy_text(out->generator, sizeof out->generator, root, "generator"));
    TESS_TRY(choose(&form, root, "form", tess_bench_forms));
    out->form = (enum tess_bench_form)form;
    TESS_TRY(read_device(&out->device, root));
    TESS_TRY(read_host(out, root));
    TESS_TRY(copy_newer(out->tuning, sizeof out->tuning, root, "tuning"));
    TESS_TRY(copy_newer(out->precision, sizeof out->precision, root, "precision"));
    TESS_TRY(copy_newer(out->matrix_unit, sizeof out->matrix_unit, root, "matrix_unit"));
    TESS_TRY(tess_json_double(&out->bandwidth, root, "bandwidth_bytes_per_second", 0,
                              NUMBER_MAX));
    TESS_TRY(tess_json_double(&out->fma, root, "fma_flop_per_second", 0, NUMBER_MAX));
    TESS_TRY(
        read_rates(out->roofs, &out->roof_count, root, "roofs", TESS_BENCH_ROOFS, true));
    TESS_TRY(read_rates(out->rates, &out->rate_count, root, "operators", TESS_BENCH_RATES,
                        false));
    TESS_TRY(read_asset(&out->asset, root));
    return read_bytes(&out->peak_bytes, root, "peak_bytes");
}

enum tess_status tess_bench_open(struct tess_bench **out, struct tess_context *ctx,
                                 const char *path)
{
    tess_context_begin(ctx);
    struct tess_json *json = NULL;
    struct tess_bench *bench = NULL;
    TESS_TRY(tess_json_read(&json, &ctx->env, path));
    enum tess_status status =
        tess_alloc(&bench, &ctx->env, 1, sizeof *bench, "a benchmark");
    if (!status)
        status = tess_strdup(&bench->path, &ctx->env, path);
    if (!status)
        status = read_result(&bench->result, tess_json_root(json));
    tess_json_destroy(&json);
    if (status) {
        tess_bench_destroy(&bench);
        return status;
    }
    *out = bench;
    return TESS_OK;
}
