// Results as text: one with all that is known of it, several beside one another.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"

#define CELL 24 // columns of a result among several

static const char *roof_name(enum tess_bench_roof roof)
{
    return roof == TESS_ROOF_FMA ? "multiply-add" : "bandwidth";
}

static void print_device(FILE *to, const struct tess_bench *bench, const char *label)
{
    const struct tess_bench_result *result = &bench->result;
    const struct tess_device_info *device = &result->device;
    fprintf(to, "%-8s %s, %s, driver %s, %u compute units", label, device->name,
            device->platform, device->driver, device->compute_units);
    if (device->clock_mhz)
        fprintf(to, " at %u MHz", device->clock_mhz);
    if (!device->keeps_time)
        fprintf(to, ", which tells no times: by the host's clock, launch by launch");
    fprintf(to, "\n         budget %.1f MiB, peak %.1f MiB",
            (double)result->budget_bytes / (1 << 20),
            (double)result->peak_bytes / (1 << 20));
    if (*result->host_cpu)
        fprintf(to, "; host %s, %u CPUs, %s", result->host_cpu, result->host_cpus,
                result->host_system);
    fprintf(to, "%s%s\n", bench->path ? "; " : "", bench->path ? bench->path : "");
}

static void print_asset(FILE *to, const struct tess_bench_asset *asset)
{
    fprintf(to, "%s, %llu voxels, %u and %u steps: %.3g s, peak %.1f MiB", asset->model,
            (unsigned long long)asset->voxels, asset->structure_steps,
            asset->latent_steps, asset->seconds, (double)asset->peak_bytes / (1 << 20));
}

// ---- one ----

static void print_rate(FILE *to, const struct tess_bench_rate *rate)
{
    char speed[48];
    fprintf(to, "%-24s %-48s ", rate->name, rate->size);
    if (*rate->note)
        fprintf(to, "%s\n", rate->note);
    else if (rate->share > 0)
        fprintf(to, "%16s %5.0f %% of %s\n",
                tess_bench_rate_text(speed, sizeof speed, rate->rate, rate->unit),
                100 * rate->share, roof_name(rate->roof));
    else
        fprintf(to, "%16s\n",
                tess_bench_rate_text(speed, sizeof speed, rate->rate, rate->unit));
}

// Seconds of those of an asset's stages that are among `names`, which end with NULL.
static double seconds_of(const struct tess_bench_asset *asset, const char *const *names)
{
    double seconds = 0;
    for (; *names; names++)
        for (size_t i = 0; i < asset->stage_count; i++)
            if (strcmp(asset->stages[i].name, *names) == 0)
                seconds += asset->stages[i].seconds;
    return seconds;
}

// What follows decoding against the decoders; files of older versions do not have it.
static void print_finishing(FILE *to, const struct tess_bench_asset *asset)
{
    static const char *const decoders[] = {"gaussian decoder", "mesh decoder", NULL};
    static const char *const finishing[] = {
        "visibility", "clean-up", "unwrapping", "texture views", "texture baking", NULL};
    double decoding = seconds_of(asset, decoders), rest = seconds_of(asset, finishing);
    if (decoding > 0 && rest > 0)
        fprintf(to,
                "\nfinishing %.3f s: clean-up, unwrapping, baking; decoders %.3f s; "
                "%.2f of them\n",
                rest, decoding, rest / decoding);
}

static void print_stages(FILE *to, const struct tess_bench_result *result)
{
    fprintf(to, "\nasset    ");
    print_asset(to, &result->asset);
    fprintf(to, "\n\n");
    for (size_t i = 0; i < result->asset.stage_count; i++) {
        const struct tess_bench_stage *stage = &result->asset.stages[i];
        double speed = stage->seconds > 0 ? stage->flop / stage->seconds : 0;
        char rate[48];
        fprintf(to, "%-24s %10.3f s, %10.3f s in kernels, %8.1f MiB", stage->name,
                stage->seconds, stage->kernel_seconds,
                (double)stage->peak_bytes / (1 << 20));
        if (speed > 0)
            fprintf(to, " %16s", tess_bench_rate_text(rate, sizeof rate, speed, "FLOP"));
        fprintf(to, "\n");
    }
    print_finishing(to, &result->asset);
}

static void print_one(FILE *to, const struct tess_bench *bench)
{
    const struct tess_bench_result *result = &bench->result;
    char bandwidth[48], fma[48];
    print_device(to, bench, "device");
    fprintf(to, "\n");
    for (size_t i = 0; i < result->roof_count; i++)
        print_rate(to, &result->roofs[i]);
    fprintf(to, "\nroofs    bandwidth %s, multiply-add %s: of the fastest sample\n\n",
            tess_bench_rate_text(bandwidth, sizeof bandwidth, result->bandwidth, "B"),
            tess_bench_rate_text(fma, sizeof fma, result->fma, "FLOP"));
    for (size_t i = 0; i < result->rate_count; i++)
        print_rate(to, &result->rates[i]);
    if (*result->asset.model)
        print_stages(to, result);
}

// ---- several ----

static void print_cell(FILE *to, const struct tess_bench_rate *rate)
{
    char speed[48], cell[64];
    if (!rate || *rate->note)
        snprintf(cell, sizeof cell, "-");
    else if (rate->share > 0)
        snprintf(cell, sizeof cell, "%s %3.0f %%",
                 tess_bench_rate_text(speed, sizeof speed, rate->rate, rate->unit),
                 100 * rate->share);
    else
        snprintf(cell, sizeof cell, "%s      ",
                 tess_bench_rate_text(speed, sizeof speed, rate->rate, rate->unit));
    fprintf(to, " %*s", CELL, cell);
}

static void print_roofs(FILE *to, const struct tess_bench *const *benches, size_t count)
{
    static const char *const names[] = {"bandwidth", "multiply-add"};
    static const char *const units[] = {"B", "FLOP"};
    for (int roof = 0; roof < 2; roof++) {
        fprintf(to, "%-24s %-48s", names[roof], "the roof");
        for (size_t i = 0; i < count; i++) {
            const struct tess_bench_result *result = &benches[i]->result;
            print_cell(to, &(struct tess_bench_rate){
                               .rate = roof ? result->fma : result->bandwidth,
                               .unit = {units[roof][0], units[roof][1], roof ? 'O' : 0,
                                        roof ? 'P' : 0}});
        }
        fprintf(to, "\n");
    }
}

static void print_stage_rows(FILE *to, const struct tess_bench *const *benches,
                             size_t count)
{
    struct tess_bench_stage_row rows[TESS_BENCH_STAGES];
    size_t row_count = tess_bench_stage_rows(rows, benches, count);
    if (row_count)
        fprintf(to, "\n");
    for (size_t i = 0; i < row_count; i++) {
        fprintf(to, "%-24s %-48s", rows[i].name, "seconds for one asset");
        for (size_t b = 0; b < count; b++)
            if (rows[i].cells[b])
                fprintf(to, " %*.3f s      ", CELL - 8, rows[i].cells[b]->seconds);
            else
                fprintf(to, " %*s", CELL, "-");
        fprintf(to, "\n");
    }
}

static void print_several(FILE *to, const struct tess_bench *const *benches, size_t count,
                          const struct tess_bench_row *rows, size_t row_count)
{
    char label[2] = "A";
    for (size_t i = 0; i < count; i++, label[0]++) {
        print_device(to, benches[i], label);
        if (!*benches[i]->result.asset.model)
            continue;
        fprintf(to, "         asset of ");
        print_asset(to, &benches[i]->result.asset);
        fprintf(to, "\n");
    }
    fprintf(to, "\n%-73s", "");
    label[0] = 'A';
    for (size_t i = 0; i < count; i++, label[0]++)
        fprintf(to, " %*s", CELL - 6, label);
    fprintf(to, "\n");
    print_roofs(to, benches, count);
    for (size_t i = 0; i < row_count; i++) {
        fprintf(to, "%-24s %-48s", rows[i].first->name, rows[i].first->size);
        for (size_t b = 0; b < count; b++)
            print_cell(to, rows[i].cells[b]);
        fprintf(to, "\n");
    }
    print_stage_rows(to, benches, count);
    fprintf(to, "\nshares are of the result's own roof\n");
}

enum tess_status tess_bench_table(char **text, struct tess_context *ctx,
                                  const struct tess_bench *const *benches, size_t count)
{
    tess_context_begin(ctx);
    struct tess_bench_row *rows = NULL;
    size_t row_count = 0, bytes = 0;
    TESS_TRY(tess_bench_rows(&rows, &row_count, &ctx->env, benches, count));
    char *made = NULL;
    FILE *to = open_memstream(&made, &bytes);
    if (to && count == 1)
        print_one(to, benches[0]);
    else if (to)
        print_several(to, benches, count, rows, row_count);
    free(rows);
    if (!to || fclose(to) != 0) {
        free(made);
        return tess_fail(&ctx->env, TESS_ERR_MEMORY, "no host memory for a table");
    }
    *text = made;
    return TESS_OK;
}
