// tessella decode: a structured latent to meshes, splats and pictures.
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

bool cli_is_latent(const char *path)
{
    return cli_ends_with(path, ".safetensors") && !tess_asset_format(path);
}

static bool holds_texture(const char *path)
{
    return (cli_ends_with(path, ".glb") || cli_ends_with(path, ".obj")) &&
           tess_asset_format(path) == TESS_MESH;
}

static bool is_page(const char *path)
{
    return cli_ends_with(path, ".html");
}

// The texture of OUT.obj is OUT.png: no other output may be.
static int check_textures(const struct cli *cli)
{
    bool any = false;
    if (cli->fast_texture && cli->baking.steps)
        return cli_usage(cli,
                         "--texture-steps is for --texture-mode opt, and it is fast");
    for (size_t i = 0; i < cli->output_count; i++) {
        const char *path = cli->outputs[i];
        any = any || holds_texture(path) || is_page(path);
        for (size_t k = 0; k < cli->output_count && cli_ends_with(path, ".obj"); k++)
            if (cli_ends_with(cli->outputs[k], ".png") &&
                strlen(cli->outputs[k]) == strlen(path) &&
                strncmp(cli->outputs[k], path, strlen(path) - 4) == 0)
                return cli_usage(cli, "output '%s' is the texture of '%s'",
                                 cli->outputs[k], path);
    }
    return any ? -1
               : cli_usage(cli, "a texture goes into .glb or .html or beside .obj, and "
                                "no output is one");
}

int cli_choose(unsigned *out, const struct cli *cli, bool latents)
{
    bool pictures = false;
    int contradiction = cli_check_cleaning(cli);
    if (contradiction >= 0)
        return contradiction;
    *out = 0;
    for (size_t i = 0; i < cli->output_count; i++) {
        if (latents && cli_is_latent(cli->outputs[i]))
            continue;
        enum tess_representation format = tess_asset_format(cli->outputs[i]);
        if (!format && !cli_is_picture(cli->outputs[i]))
            return cli_usage(
                cli, "output '%s': unknown suffix, expected .png, .apng, %s%s",
                cli->outputs[i], latents ? ".safetensors, " : "", tess_asset_suffixes());
        *out |= is_page(cli->outputs[i]) ? 0 : format;
        pictures |= !format;
    }
    if (cli->texture) {
        int status = check_textures(cli);
        if (status >= 0)
            return status;
        *out |= TESS_SPLATS;
    }
    if (pictures && (!*out || cli->render.channel == TESS_CHANNEL_NORMAL))
        *out |= TESS_MESH;
    return -1;
}

void cli_choose_shown(unsigned *representations, const struct cli *cli,
                      const struct tess_model *model)
{
    unsigned all = tess_model_representations(model, cli->ctx);
    for (size_t i = 0; i < cli->output_count; i++) {
        const char *path = cli->outputs[i];
        if (is_page(path))
            *representations |= all & tess_asset_format(path);
        else if (cli->is_sheet && cli_is_picture(path))
            *representations |= all;
    }
}

// A picture that is drawn, and on its way into its file.
struct drawn {
    struct tess_image *image;
    struct tess_image_saving *saving;
};

// Sheets show the mesh that is written, other pictures the one that was decoded, as the
// original's do.
static int draw_pictures(struct drawn *drawn, struct cli *cli,
                         const struct tess_asset *decoded, const struct tess_asset *mesh)
{
    const struct cli_shown sheet[] = {{mesh, TESS_MESH},
                                      {decoded, TESS_SPLATS | TESS_RADIANCE}};
    const struct cli_shown plain = {decoded, ~0u};
    int status = EXIT_DONE;
    for (size_t i = 0; i < cli->output_count && status == EXIT_DONE; i++)
        if (cli_is_picture(cli->outputs[i]))
            status =
                cli_draw_pictures(&drawn[i].image, cli, cli->is_sheet ? sheet : &plain,
                                  cli->is_sheet ? 2 : 1, cli->outputs[i]);
    return status;
}

int cli_save_assets(struct cli *cli, const struct cli_assets *assets)
{
    for (size_t i = 0; i < cli->output_count; i++) {
        const char *path = cli->outputs[i];
        if (cli_is_picture(path) || cli_is_latent(path))
            continue;
        bool mesh = tess_asset_format(path) == TESS_MESH;
        const struct tess_asset *asset = !mesh                 ? assets->splats
                                         : holds_texture(path) ? assets->textured
                                                               : assets->mesh;
        enum tess_status status =
            is_page(path) ? tess_asset_save_page(assets->textured, assets->splats,
                                                 cli->ctx, path, &cli->saving)
                          : tess_asset_save_as(asset, cli->ctx, path, &cli->saving);
        if (status)
            return cli_fail(cli, status);
    }
    return EXIT_DONE;
}

// Whether an output has the mesh that clean-up is for.
static bool wants_clean(const struct cli *cli)
{
    for (size_t i = 0; i < cli->output_count && !cli->raw; i++)
        if (tess_asset_format(cli->outputs[i]) & TESS_MESH ||
            (cli->is_sheet && cli_is_picture(cli->outputs[i])))
            return true;
    return false;
}

struct tess_finish cli_finish(const struct cli *cli, unsigned representations)
{
    // What a picture shows that is not a sheet.
    unsigned first = representations & TESS_MESH     ? TESS_MESH
                     : representations & TESS_SPLATS ? TESS_SPLATS
                                                     : TESS_RADIANCE;
    bool pictures = false;
    for (size_t i = 0; i < cli->output_count; i++)
        pictures |= cli_is_picture(cli->outputs[i]);
    return (struct tess_finish){.clean = wants_clean(cli) ? &cli->cleaning : NULL,
                                .bake = cli->texture ? &cli->baking : NULL,
                                .picture = pictures ? &cli->render : NULL,
                                .drawn = cli->is_sheet ? representations : first};
}

int cli_check_cleaning(const struct cli *cli)
{
    if (cli->raw && cli->clean)
        return cli_usage(cli,
                         "%s: --raw leaves meshes as they are, so it does not go "
                         "with other options of clean-up",
                         cli->command);
    return -1;
}

static enum tess_status begin_pictures(struct drawn *drawn, const struct cli *cli)
{
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < cli->output_count && !status; i++)
        if (drawn[i].image)
            status = tess_image_save_begin(&drawn[i].saving, drawn[i].image, cli->ctx,
                                           cli->outputs[i]);
    return status;
}

// Without `keep` they are dropped. Returns the first failure.
static enum tess_status end_pictures(struct drawn *drawn, const struct cli *cli,
                                     bool keep)
{
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < cli->output_count; i++) {
        enum tess_status ended =
            tess_image_save_end(&drawn[i].saving, cli->ctx, keep && !status);
        status = status ? status : ended;
        tess_image_destroy(&drawn[i].image);
    }
    return status;
}

// What may fail for want of device memory comes first: then no file is left. Pictures are
// encoded while meshes and splats are written.
static int save_all(struct cli *cli, const struct tess_asset *decoded,
                    const struct cli_assets *assets)
{
    struct drawn *drawn = calloc(cli->output_count, sizeof *drawn);
    if (!drawn)
        return cli_fail(cli, TESS_ERR_MEMORY);
    int exit_status = draw_pictures(drawn, cli, decoded, assets->mesh);
    if (exit_status == EXIT_DONE) {
        enum tess_status status = begin_pictures(drawn, cli);
        exit_status = status ? cli_fail(cli, status) : cli_save_assets(cli, assets);
    }
    enum tess_status status = end_pictures(drawn, cli, exit_status == EXIT_DONE);
    free(drawn);
    return status ? cli_fail(cli, status) : exit_status;
}

static int save(struct cli *cli, struct tess_asset *asset)
{
    struct tess_asset *clean = NULL, *textured = NULL;
    enum tess_status status = TESS_OK;
    struct tess_mesh_view decoded;
    if (wants_clean(cli) && tess_asset_mesh(asset, &decoded))
        status = tess_asset_clean(&clean, cli->ctx, asset, &cli->cleaning);
    if (cli->texture && !status)
        status = tess_asset_bake(&textured, cli->ctx, clean ? clean : asset, asset,
                                 &cli->baking);
    const struct tess_asset *mesh = clean ? clean : asset;
    int exit_status =
        status ? cli_fail(cli, status)
               : save_all(cli, asset,
                          &(struct cli_assets){mesh, textured ? textured : mesh, asset});
    tess_asset_destroy(&clean);
    tess_asset_destroy(&textured);
    return exit_status;
}

// A line where a stage comes first, for all its runs.
static void print_stage(const struct tess_stage_report *stages, size_t count,
                        size_t which)
{
    const char *name = stages[which].name;
    for (size_t i = 0; i < which; i++)
        if (strcmp(stages[i].name, name) == 0)
            return;
    size_t runs = 0;
    double seconds = 0;
    for (size_t i = which; i < count; i++)
        if (strcmp(stages[i].name, name) == 0) {
            runs++;
            seconds += stages[i].seconds;
        }
    printf("stage    %-18s %8.3f s", name, seconds);
    if (runs > 1)
        printf(", %zu times", runs);
    putchar('\n');
}

void cli_summarise(struct cli *cli)
{
    struct tess_device_info info;
    const struct tess_stage_report *stages;
    size_t count;
    uint64_t peak;
    char budget[32], used[32];
    tess_context_device(cli->ctx, &info);
    tess_context_stages(cli->ctx, &stages, &count, &peak);
    cli_clear_progress(cli);
    printf("device   %s\n", info.name);
    printf("memory   %s of a budget of %s\n", cli_bytes(used, sizeof used, peak),
           cli_bytes(budget, sizeof budget, info.budget));
    for (size_t i = 0; i < count; i++)
        print_stage(stages, count, i);
}

int cli_decode_latent(struct cli *cli, struct tess_model *model,
                      const struct tess_latent *latent, unsigned representations)
{
    struct tess_asset *asset = NULL;
    struct tess_finish finish = cli_finish(cli, representations);
    enum tess_status status =
        tess_decode(&asset, cli->ctx, model, latent,
                    &(struct tess_decode_params){.representations = representations,
                                                 .finish = &finish,
                                                 .has_seed = cli->has_seed,
                                                 .seed = cli->seed});
    if (status)
        return cli_fail(cli, status);
    int exit_status = save(cli, asset);
    tess_asset_destroy(&asset);
    return exit_status;
}

int cli_decode(struct cli *cli)
{
    unsigned representations;
    int exit_status = cli_choose(&representations, cli, false);
    if (exit_status >= 0)
        return exit_status;
    exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    struct tess_model *model = NULL;
    struct tess_latent *latent = NULL;
    enum tess_status status = tess_latent_open(&latent, cli->ctx, cli->inputs[0]);
    if (!status)
        status = tess_model_open(&model, cli->ctx, cli_model_path(cli));
    if (!status)
        cli_choose_shown(&representations, cli, model);
    exit_status = status ? cli_fail(cli, status)
                         : cli_decode_latent(cli, model, latent, representations);
    if (exit_status == EXIT_DONE && !cli->quiet) {
        cli_summarise(cli);
        printf("voxels   %zu\n", tess_latent_voxels(latent));
        for (size_t i = 0; i < cli->output_count; i++)
            printf("wrote    %s\n", cli->outputs[i]);
    }
    tess_latent_destroy(&latent);
    tess_model_destroy(&model);
    return cli_close(cli, exit_status);
}
