// tessella bench: models of random weights to measure with.
#include "cli/cli.h"

int cli_bench(struct cli *cli)
{
    if (!cli->synthetic)
        return cli_usage(cli, "bench: expected --synthetic DIR");
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
