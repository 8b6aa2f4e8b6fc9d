// tessella clean, tessella convert: from a file of an asset to others.
#include "cli/cli.h"

// Returns an exit status.
static int open_clean(struct tess_asset **out, struct cli *cli)
{
    struct tess_asset *asset = NULL;
    struct tess_mesh_view mesh;
    enum tess_status status = tess_asset_open(&asset, cli->ctx, cli->inputs[0]);
    bool other = !status && !tess_asset_mesh(asset, &mesh);
    if (!status && !other)
        status = tess_asset_clean(out, cli->ctx, asset, &cli->cleaning);
    tess_asset_destroy(&asset);
    if (other)
        fprintf(stderr, "tessella: %s: no mesh is in it, expected one to clean\n",
                cli->inputs[0]);
    return other ? EXIT_INPUT : status ? cli_fail(cli, status) : EXIT_DONE;
}

static int open_plain(struct tess_asset **out, struct cli *cli)
{
    enum tess_status status = tess_asset_open(out, cli->ctx, cli->inputs[0]);
    return status ? cli_fail(cli, status) : EXIT_DONE;
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
    exit_status = (cli->clean ? open_clean : open_plain)(&asset, cli);
    if (exit_status == EXIT_DONE)
        exit_status = cli_save_assets(cli, &(struct cli_assets){asset, asset, asset});
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
