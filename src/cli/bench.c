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

// ---- results ----

#define RESULTS_MAX 8

static int write_json(struct cli *cli, const struct tess_bench *bench)
{
    char *json = NULL;
    enum tess_status status = tess_bench_json(&json, cli->ctx, bench);
    int exit_status =
        status ? cli_fail(cli, status) : cli_write_text(cli, cli->json_file, json);
    tess_free(json);
    return exit_status;
}

// What was asked for, of one result or several.
static int tell(struct cli *cli, const struct tess_bench *const *benches, size_t count)
{
    char *table = NULL;
    struct tess_image *picture = NULL;
    enum tess_status status = TESS_OK;
    if (!cli->quiet)
        status = tess_bench_table(&table, cli->ctx, benches, count);
    if (table)
        fputs(table, stdout);
    tess_free(table);
    if (!status && cli->picture)
        status = tess_bench_picture(&picture, cli->ctx, benches, count);
    if (picture)
        status = tess_image_save(picture, cli->ctx, cli->picture);
    tess_image_destroy(&picture);
    return status ? cli_fail(cli, status) : EXIT_DONE;
}

static enum tess_bench_form form_of(const struct cli *cli)
{
    return cli->tiny ? TESS_BENCH_TINY : cli->brief ? TESS_BENCH_SHORT : TESS_BENCH_LONG;
}

static enum tess_status run(struct tess_bench **bench, struct cli *cli)
{
    struct tess_model *model = NULL;
    enum tess_status status = TESS_OK;
    if (cli->model)
        status = tess_model_open(&model, cli->ctx, cli->model);
    if (!status && model && cli->encoder)
        status = tess_model_set_encoder(model, cli->ctx, cli->encoder);
    if (!status)
        status = tess_bench_run(
            bench, cli->ctx,
            &(struct tess_bench_params){.form = form_of(cli),
                                        .samples = cli->samples,
                                        .model = model,
                                        .voxels = cli->voxels,
                                        .structure_steps = cli->sampling[0].steps,
                                        .latent_steps = cli->sampling[1].steps});
    tess_model_destroy(&model);
    return status;
}

static int measure(struct cli *cli)
{
    struct tess_bench *bench = NULL;
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    enum tess_status status = run(&bench, cli);
    const struct tess_bench *measured = bench;
    cli_clear_progress(cli);
    exit_status = status ? cli_fail(cli, status) : tell(cli, &measured, 1);
    if (!exit_status && cli->json_file)
        exit_status = write_json(cli, bench);
    tess_bench_destroy(&bench);
    return cli_close(cli, exit_status);
}

// The table is stored by the library; here it is shown, and written for others.
static int tune(struct cli *cli)
{
    char *table = NULL;
    cli->tuning = "none"; // the search starts from the program's own
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    enum tess_status status = tess_tune(
        &table, cli->ctx,
        &(struct tess_tune_params){.form = form_of(cli), .samples = cli->samples});
    cli_clear_progress(cli);
    if (status)
        exit_status = cli_fail(cli, status);
    if (table && !cli->quiet)
        fputs(table, stdout);
    for (size_t i = 0; table && i < cli->output_count && !exit_status; i++)
        exit_status = cli_write_text(cli, cli->outputs[i], table);
    tess_free(table);
    return cli_close(cli, exit_status);
}

static int compare(struct cli *cli)
{
    struct tess_bench *benches[RESULTS_MAX] = {NULL};
    const struct tess_bench *read[RESULTS_MAX] = {NULL};
    cli->described = true; // no device is needed to read files
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    for (size_t i = 0; i < cli->input_count && !exit_status; i++) {
        enum tess_status status = tess_bench_open(&benches[i], cli->ctx, cli->inputs[i]);
        if (status)
            exit_status = cli_fail(cli, status);
        read[i] = benches[i];
    }
    if (!exit_status)
        exit_status = tell(cli, read, cli->input_count);
    for (size_t i = 0; i < RESULTS_MAX; i++)
        tess_bench_destroy(&benches[i]);
    return cli_close(cli, exit_status);
}

int cli_bench(struct cli *cli)
{
    if (cli->compare && !cli->input_count)
        return cli_usage(cli, "bench: expected files to compare");
    if (cli->compare && cli->json_file)
        return cli_usage(cli, "bench: --json is of measurements, not of --compare");
    if (cli->tune &&
        (cli->compare || cli->synthetic || cli->json_file || cli->picture || cli->model))
        return cli_usage(cli,
                         "bench: --tune goes with --short, --tiny, --samples and -o");
    if (cli->output_count && !cli->tune)
        return cli_usage(cli, "bench: -o is of --tune; --json FILE writes measurements");
    if (cli->input_count && !cli->compare)
        return cli_usage(cli, "bench: unexpected '%s' without --compare", cli->inputs[0]);
    if (cli->compare)
        return compare(cli);
    if (cli->tune)
        return tune(cli);
    return cli->synthetic ? write_model(cli) : measure(cli);
}
