// tessella bench: this device in numbers, and models of random weights to measure with.
#include "cli/cli.h"

static int write_model(struct cli *cli)
{
    cli->described = true; // no device is needed to write files
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    uint64_t bytes = 0;
    char size[32];
    enum tess_status status = tess_model_synthesise(
        cli->ctx, cli->synthetic, cli->tiny ? TESS_MODEL_TINY : TESS_MODEL_FULL, &bytes);
    if (status)
        exit_status = cli_fail(cli, status);
    else if (!cli->quiet)
        printf("wrote    %s, %s\n", cli->synthetic, cli_bytes(size, sizeof size, bytes));
    return cli_close(cli, exit_status);
}

// ---- tables ----

// "12.3 GFLOP/s", "4.5 M splats/s"
static char *print_rate(char *text, size_t size, const struct tess_bench_rate *rate)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    double value = rate->rate;
    size_t prefix = 0;
    while (value >= 1000 && prefix < 5) {
        value /= 1000;
        prefix++;
    }
    bool symbol = rate->unit[0] >= 'A' && rate->unit[0] <= 'Z'; // "FLOP", "B": joined
    snprintf(text, size, "%.3g %s%s%s/s", value, prefixes[prefix], symbol ? "" : " ",
             rate->unit);
    return text;
}

static void print_row(const struct tess_bench_rate *rate)
{
    char speed[48];
    printf("%-24s %-46s ", rate->name, rate->size);
    if (*rate->note)
        printf("%s\n", rate->note);
    else if (rate->share > 0)
        printf("%15s %5.0f %% of %s\n", print_rate(speed, sizeof speed, rate),
               100 * rate->share,
               rate->roof == TESS_ROOF_FMA ? "multiply-add" : "bandwidth");
    else
        printf("%15s\n", print_rate(speed, sizeof speed, rate));
}

static void print_result(const struct tess_bench_result *result)
{
    char budget[32], peak[32];
    printf("device   %s, %s, driver %s, %u compute units at %u MHz\n",
           result->device.name, result->device.platform, result->device.driver,
           result->device.compute_units, result->device.clock_mhz);
    printf("budget   %s, peak %s\n",
           cli_bytes(budget, sizeof budget, result->budget_bytes),
           cli_bytes(peak, sizeof peak, result->peak_bytes));
    printf("host     %s, %u CPUs, %s\n\n", result->host_cpu, result->host_cpus,
           result->host_system);
    for (size_t i = 0; i < result->roof_count; i++)
        print_row(&result->roofs[i]);
    printf("\n");
    for (size_t i = 0; i < result->rate_count; i++)
        print_row(&result->rates[i]);
    printf("\nmedians of %u samples; shares are of the fastest copy, change or "
           "multiply-add\n",
           result->roofs[0].samples);
}

// ---- measuring ----

static int write_json(struct cli *cli, const struct tess_bench *bench)
{
    char *json = NULL;
    enum tess_status status = tess_bench_json(&json, cli->ctx, bench);
    int exit_status =
        status ? cli_fail(cli, status) : cli_write_text(cli, cli->json_file, json);
    tess_free(json);
    return exit_status;
}

static int measure(struct cli *cli)
{
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    struct tess_bench *bench = NULL;
    enum tess_status status =
        tess_bench_run(&bench, cli->ctx,
                       &(struct tess_bench_params){.form = cli->tiny    ? TESS_BENCH_TINY
                                                           : cli->brief ? TESS_BENCH_SHORT
                                                                        : TESS_BENCH_LONG,
                                                   .samples = cli->samples});
    cli_clear_progress(cli);
    if (status)
        exit_status = cli_fail(cli, status);
    if (!exit_status && !cli->quiet)
        print_result(tess_bench_result(bench));
    if (!exit_status && cli->json_file)
        exit_status = write_json(cli, bench);
    tess_bench_destroy(&bench);
    return cli_close(cli, exit_status);
}

int cli_bench(struct cli *cli)
{
    return cli->synthetic ? write_model(cli) : measure(cli);
}
