// Pictures of assets: one view, turntables as frames or as an animation, and sheets of
// everything that there is.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define ANIMATION_FRAMES 36
#define SHEET_VIEWS      4
#define LAYERS_MAX       (2 * CLI_ASSETS_MAX + 2)

// One way to show one of the assets.
struct layer {
    const struct tess_asset *asset;
    enum tess_representation representation; // 0: what the asset has first
    enum tess_channel channel;
};

struct drawing {
    struct cli *cli;
    struct layer layers[LAYERS_MAX];
    size_t count;
};

bool cli_is_animation(const char *path)
{
    return cli_ends_with(path, ".apng");
}

bool cli_is_picture(const char *path)
{
    return cli_ends_with(path, ".png") || cli_is_animation(path);
}

// ---- layers ----

static void add_layer(struct drawing *drawing, const struct tess_asset *asset,
                      enum tess_representation representation, enum tess_channel channel)
{
    if (drawing->count < LAYERS_MAX)
        drawing->layers[drawing->count++] =
            (struct layer){asset, representation, channel};
}

// A sheet shows each asset's mesh, its normals, its splats and its radiance field.
static void add_layers(struct drawing *drawing, const struct cli_shown *shown)
{
    const struct tess_asset *asset = shown->asset;
    enum tess_channel channel = drawing->cli->render.channel;
    struct tess_mesh_view mesh;
    struct tess_splats_view splats;
    struct tess_radiance_view field;
    if (shown->representations & TESS_MESH && tess_asset_mesh(asset, &mesh)) {
        add_layer(drawing, asset, TESS_MESH, channel);
        if (channel == TESS_CHANNEL_COLOUR || channel == TESS_CHANNEL_FLAT)
            add_layer(drawing, asset, TESS_MESH, TESS_CHANNEL_NORMAL);
    }
    if (channel == TESS_CHANNEL_NORMAL)
        return;
    if (shown->representations & TESS_SPLATS && tess_asset_splats(asset, &splats))
        add_layer(drawing, asset, TESS_SPLATS, channel);
    if (shown->representations & TESS_RADIANCE && tess_asset_radiance(asset, &field))
        add_layer(drawing, asset, TESS_RADIANCE, channel);
}

// A layer as it looks after `view` of `views` even steps around the object.
static enum tess_status draw_layer(struct tess_image **out, const struct drawing *drawing,
                                   size_t layer, size_t view, size_t views)
{
    struct tess_render_params params = drawing->cli->render;
    params.camera.yaw += 2 * (float)M_PI * (float)view / (float)views;
    params.representation = drawing->layers[layer].representation;
    params.channel = drawing->layers[layer].channel;
    return tess_render(out, drawing->cli->ctx, drawing->layers[layer].asset, &params);
}

// ---- sheets ----

static void destroy_images(struct tess_image **images, size_t count)
{
    for (size_t i = 0; images && i < count; i++)
        tess_image_destroy(&images[i]);
    free(images);
}

// Views `first` to `first` + `shown` - 1 of `views`: each layer's stand in a row, unless
// there is only one of them, in which the layers stand.
static enum tess_status draw_sheet(struct tess_image **out, const struct drawing *drawing,
                                   size_t first, size_t shown, size_t views)
{
    size_t count = drawing->count * shown;
    struct tess_image **images = calloc(count, sizeof *images);
    enum tess_status status = images ? TESS_OK : TESS_ERR_MEMORY;
    for (size_t i = 0; i < count && !status; i++)
        status = draw_layer(&images[i], drawing, i / shown, first + i % shown, views);
    if (!status)
        status = tess_image_sheet(out, drawing->cli->ctx, images, count,
                                  shown == 1 ? 0 : shown);
    destroy_images(images, count);
    return status;
}

static enum tess_status draw_all_views(struct tess_image **out,
                                       const struct drawing *drawing)
{
    const struct cli *cli = drawing->cli;
    size_t views = cli->turntable ? cli->turntable : cli->is_sheet ? SHEET_VIEWS : 1;
    return draw_sheet(out, drawing, 0, views, views);
}

// ---- turntables ----

// OUT.png, frame 7: OUT-007.png
static char *frame_path(const char *path, size_t frame)
{
    size_t length = strlen(path) + 24;
    char *text = malloc(length);
    if (text)
        snprintf(text, length, "%.*s-%03zu.png", (int)strlen(path) - 4, path, frame);
    return text;
}

static enum tess_status save_frames(const struct drawing *drawing, const char *path,
                                    struct tess_image *const *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *name = frame_path(path, i);
        enum tess_status status =
            name ? tess_image_save(frames[i], drawing->cli->ctx, name) : TESS_ERR_MEMORY;
        free(name);
        if (status)
            return status;
    }
    return TESS_OK;
}

// All is drawn before the first file is written.
static enum tess_status save_turntable(const struct drawing *drawing, const char *path)
{
    const struct cli *cli = drawing->cli;
    size_t count = cli->turntable;
    struct tess_image **frames = calloc(count, sizeof *frames), *sheet = NULL;
    enum tess_status status = frames ? TESS_OK : TESS_ERR_MEMORY;
    for (size_t i = 0; i < count && !status; i++)
        status = draw_layer(&frames[i], drawing, 0, i, count);
    if (!status)
        status = tess_image_sheet(&sheet, cli->ctx, frames, count,
                                  (size_t)ceil(sqrt((double)count)));
    if (!status)
        status = save_frames(drawing, path, frames, count);
    if (!status)
        status = tess_image_save(sheet, cli->ctx, path);
    tess_image_destroy(&sheet);
    destroy_images(frames, count);
    return status;
}

static enum tess_status save_animation(const struct drawing *drawing, const char *path)
{
    const struct cli *cli = drawing->cli;
    uint32_t count = cli->turntable ? cli->turntable : ANIMATION_FRAMES;
    struct tess_animation *animation = NULL;
    enum tess_status status =
        tess_animation_open(&animation, cli->ctx, path, count, cli->fps);
    for (size_t i = 0; i < count && !status; i++) {
        struct tess_image *frame = NULL;
        status = draw_sheet(&frame, drawing, i, 1, count);
        if (!status)
            status = tess_animation_add(animation, cli->ctx, frame);
        tess_image_destroy(&frame);
    }
    if (!status)
        status = tess_animation_finish(&animation, cli->ctx);
    tess_animation_destroy(&animation);
    return status;
}

static struct drawing drawing_of(struct cli *cli, const struct cli_shown *shown,
                                 size_t count)
{
    struct drawing drawing = {.cli = cli};
    for (size_t i = 0; i < count && cli->is_sheet; i++)
        add_layers(&drawing, &shown[i]);
    if (drawing.count == 0)
        add_layer(&drawing, shown[0].asset, 0, cli->render.channel);
    return drawing;
}

int cli_draw_pictures(struct tess_image **out, struct cli *cli,
                      const struct cli_shown *shown, size_t count, const char *path)
{
    struct drawing drawing = drawing_of(cli, shown, count);
    enum tess_status status = TESS_OK;
    if (cli_is_animation(path))
        status = save_animation(&drawing, path);
    else if (cli->turntable && !cli->is_sheet)
        status = save_turntable(&drawing, path);
    else
        status = draw_all_views(out, &drawing);
    return status ? cli_fail(cli, status) : EXIT_DONE;
}

int cli_save_pictures(struct cli *cli, const struct cli_shown *shown, size_t count,
                      const char *path)
{
    struct tess_image *image = NULL;
    int exit_status = cli_draw_pictures(&image, cli, shown, count, path);
    if (exit_status != EXIT_DONE || !image)
        return exit_status;
    enum tess_status status = tess_image_save(image, cli->ctx, path);
    tess_image_destroy(&image);
    return status ? cli_fail(cli, status) : EXIT_DONE;
}
