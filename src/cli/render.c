// tessella render: assets to pictures.
#include "cli/cli.h"

static enum tess_status open_assets(struct cli *cli, struct tess_asset **assets)
{
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < cli->input_count && !status; i++)
        status = tess_asset_open(&assets[i], cli->ctx, cli->inputs[i]);
    return status;
}

static int save_all(struct cli *cli, struct tess_asset *const *assets)
{
    int status = EXIT_DONE;
    struct cli_shown shown[CLI_ASSETS_MAX];
    for (size_t i = 0; i < cli->input_count; i++)
        shown[i] = (struct cli_shown){assets[i], ~0u};
    for (size_t i = 0; i < cli->output_count && !status; i++) {
        status = cli_save_pictures(cli, shown, cli->input_count, cli->outputs[i]);
        if (!status && !cli->quiet) {
            cli_clear_progress(cli);
            printf("wrote    %s\n", cli->outputs[i]);
        }
    }
    return status;
}

int cli_render(struct cli *cli)
{
    for (size_t i = 0; i < cli->output_count; i++)
        if (!cli_is_picture(cli->outputs[i]))
            return cli_usage(cli, "output '%s': unknown suffix, expected .png or .apng",
                             cli->outputs[i]);
    if (cli->input_count > 1 && !cli->is_sheet)
        return cli_usage(cli, "render: unexpected '%s', several are for --sheet",
                         cli->inputs[1]);
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    struct tess_asset *assets[CLI_ASSETS_MAX] = {NULL};
    enum tess_status status = open_assets(cli, assets);
    exit_status = status ? cli_fail(cli, status) : save_all(cli, assets);
    for (size_t i = 0; i < CLI_ASSETS_MAX; i++)
        tess_asset_destroy(&assets[i]);
    return cli_close(cli, exit_status);
}
