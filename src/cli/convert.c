// tessella clean, tessella convert: from a file of an asset to others.
#include "cli/cli.h"

static enum tess_status open_clean(struct tess_asset **out, struct cli *cli)
{
    struct tess_asset *asset = NULL;
    enum tess_status status = tess_asset_open(&asset, cli->ctx, cli->inputs[0]);
    if (!status)
        status = tess_asset_clean(out, cli->ctx, asset, &cli->cleaning);
    tess_asset_destroy(&asset);
    return status;
}

static int convert(struct cli *cli)
{
    for (size_t i = 0; i < cli->output_count; i++)
        if (!tess_asset_format(cli->outputs[i]))
            return cli_usage(cli, "output '%s': unknown suffix, expected %s",
                             cli->outputs[i], tess_asset_suffixes());
    cli->described = !cli->clean; // no device is needed to copy
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    struct tess_asset *asset = NULL;
    enum tess_status status = cli->clean
                                  ? open_clean(&asset, cli)
                                  : tess_asset_open(&asset, cli->ctx, cli->inputs[0]);
    exit_status = status
                      ? cli_fail(cli, status)
                      : cli_save_assets(cli, &(struct cli_assets){asset, asset, asset});
    cli_clear_progress(cli);
    for (size_t i = 0; i < cli->output_count && !exit_status && !cli->quiet; i++)
        printf("wrote    %s\n", cli->outputs[i]);
    tess_asset_destroy(&asset);
    return cli_close(cli, exit_status);
}

int cli_clean(struct cli *cli)
{
    cli->clean = true;
    int contradiction = cli_check_cleaning(cli);
    if (contradiction >= 0)
        return contradiction;
    return convert(cli);
}

int cli_convert(struct cli *cli)
{
    cli->clean = false;
    return convert(cli);
}
