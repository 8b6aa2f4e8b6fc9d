// tessella render: splats or a mesh to a picture or a turntable.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

#define ANIMATION_FRAMES 36

static bool has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), end = strlen(suffix);
    return length > end && strcasecmp(path + length - end, suffix) == 0;
}

bool cli_is_animation(const char *path)
{
    return has_suffix(path, ".apng");
}

bool cli_is_picture(const char *path)
{
    return has_suffix(path, ".png") || cli_is_animation(path);
}

static int save_picture(struct cli *cli, const struct tess_asset *asset, const char *path)
{
    struct tess_image *image = NULL;
    enum tess_status status = tess_render(&image, cli->ctx, asset, &cli->render);
    if (!status)
        status = tess_image_save(image, cli->ctx, path);
    tess_image_destroy(&image);
    return status ? cli_fail(cli, status) : EXIT_DONE;
}

// OUT.png, frame 7: OUT-007.png
static char *frame_path(const char *path, size_t frame)
{
    size_t length = strlen(path) + 24;
    char *text = malloc(length);
    if (text)
        snprintf(text, length, "%.*s-%03zu.png", (int)strlen(path) - 4, path, frame);
    return text;
}

// The view after `frame` of `frames` even steps around the object.
static enum tess_status draw_frame(struct tess_image **out, const struct cli *cli,
                                   const struct tess_asset *asset, size_t frame,
                                   size_t frames)
{
    struct tess_render_params params = cli->render;
    params.camera.yaw += 2 * (float)M_PI * (float)frame / (float)frames;
    return tess_render(out, cli->ctx, asset, &params);
}

static enum tess_status draw_frames(const struct cli *cli, const struct tess_asset *asset,
                                    struct tess_image **frames)
{
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < cli->turntable && !status; i++)
        status = draw_frame(&frames[i], cli, asset, i, cli->turntable);
    return status;
}

static enum tess_status save_frames(struct cli *cli, const char *path,
                                    struct tess_image *const *frames)
{
    for (size_t i = 0; i < cli->turntable; i++) {
        char *name = frame_path(path, i);
        enum tess_status status =
            name ? tess_image_save(frames[i], cli->ctx, name) : TESS_ERR_MEMORY;
        free(name);
        if (status)
            return status;
    }
    return TESS_OK;
}

// All is drawn before the first file is written.
static int save_turntable(struct cli *cli, const struct tess_asset *asset,
                          const char *path)
{
    struct tess_image **frames = calloc(cli->turntable, sizeof *frames), *sheet = NULL;
    enum tess_status status = frames ? draw_frames(cli, asset, frames) : TESS_ERR_MEMORY;
    if (!status)
        status = tess_image_sheet(&sheet, cli->ctx, frames, cli->turntable,
                                  (size_t)ceil(sqrt(cli->turntable)));
    if (!status)
        status = save_frames(cli, path, frames);
    if (!status)
        status = tess_image_save(sheet, cli->ctx, path);
    tess_image_destroy(&sheet);
    for (size_t i = 0; frames && i < cli->turntable; i++)
        tess_image_destroy(&frames[i]);
    free(frames);
    return status ? cli_fail(cli, status) : EXIT_DONE;
}

static int save_animation(struct cli *cli, const struct tess_asset *asset,
                          const char *path)
{
    uint32_t count = cli->turntable ? cli->turntable : ANIMATION_FRAMES;
    struct tess_animation *animation = NULL;
    enum tess_status status =
        tess_animation_open(&animation, cli->ctx, path, count, cli->fps);
    for (size_t i = 0; i < count && !status; i++) {
        struct tess_image *image = NULL;
        status = draw_frame(&image, cli, asset, i, count);
        if (!status)
            status = tess_animation_add(animation, cli->ctx, image);
        tess_image_destroy(&image);
    }
    if (!status)
        status = tess_animation_finish(&animation, cli->ctx);
    tess_animation_destroy(&animation);
    return status ? cli_fail(cli, status) : EXIT_DONE;
}

int cli_save_pictures(struct cli *cli, const struct tess_asset *asset, const char *path)
{
    if (cli_is_animation(path))
        return save_animation(cli, asset, path);
    return (cli->turntable ? save_turntable : save_picture)(cli, asset, path);
}

int cli_render(struct cli *cli)
{
    for (size_t i = 0; i < cli->output_count; i++)
        if (!cli_is_picture(cli->outputs[i]))
            return cli_usage(cli, "output '%s': unknown suffix, expected .png or .apng",
                             cli->outputs[i]);
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    struct tess_asset *asset = NULL;
    enum tess_status status = tess_asset_open(&asset, cli->ctx, cli->inputs[0]);
    if (status)
        exit_status = cli_fail(cli, status);
    for (size_t i = 0; i < cli->output_count && !exit_status; i++) {
        exit_status = cli_save_pictures(cli, asset, cli->outputs[i]);
        if (!exit_status && !cli->quiet) {
            cli_clear_progress(cli);
            printf("wrote    %s\n", cli->outputs[i]);
        }
    }
    tess_asset_destroy(&asset);
    return cli_close(cli, exit_status);
}
