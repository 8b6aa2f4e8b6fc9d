// Pictures of assets.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "io/output.h"
#include "io/png.h"
#include "pipeline/finish.h"
#include "pipeline/provenance.h"
#include "render/mesh.h"
#include "render/radiance.h"
#include "render/sheet.h"
#include "render/splat.h"

static void show_alpha(struct tess_picture *picture)
{
    size_t count = (size_t)picture->width * picture->height;
    for (size_t i = 0; i < count; i++) {
        uint8_t *pixel = picture->pixels + 4 * i;
        pixel[0] = pixel[1] = pixel[2] = pixel[3];
        pixel[3] = 255;
    }
}

// What is drawn of the asset. TESS_ERR_ARG.
static enum tess_status choose(enum tess_representation *out, struct tess_context *ctx,
                               const struct tess_asset *asset,
                               const struct tess_render_params *params)
{
    enum tess_representation which = params->representation;
    if (!which)
        which = asset->has_mesh     ? TESS_MESH
                : asset->has_splats ? TESS_SPLATS
                                    : TESS_RADIANCE;
    bool there = which == TESS_MESH     ? asset->has_mesh
                 : which == TESS_SPLATS ? asset->has_splats
                                        : asset->has_radiance;
    const char *name = which == TESS_MESH     ? "mesh"
                       : which == TESS_SPLATS ? "splat"
                                              : "radiance field";
    if (!there)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "there is no %s to draw", name);
    if (which != TESS_MESH && params->channel == TESS_CHANNEL_NORMAL)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "%ss have no normals to draw, expected another channel or a "
                         "mesh",
                         name);
    *out = which;
    return TESS_OK;
}

static enum tess_status draw(struct tess_picture *out, struct tess_context *ctx,
                             const struct tess_asset *asset,
                             const struct tess_render_params *params)
{
    enum tess_representation which = TESS_MESH;
    struct tess_stage_report report;
    TESS_TRY(choose(&which, ctx, asset, params));
    switch (which) {
    case TESS_MESH:
        TESS_TRY(tess_render_mesh(out, &report, ctx->device, &ctx->budget, &asset->mesh,
                                  &params->camera, params->size, params->supersampling,
                                  params->channel));
        break;
    case TESS_SPLATS:
        TESS_TRY(tess_render_splats(out, &report, ctx->device, &ctx->budget,
                                    &asset->splats, &params->camera, params->size,
                                    params->supersampling, params->channel));
        break;
    default:
        TESS_TRY(tess_render_radiance(out, &report, ctx->device, &ctx->budget,
                                      &asset->radiance, &params->camera, params->size,
                                      params->supersampling, params->channel));
    }
    enum tess_status status = tess_context_keep(ctx, &report);
    if (status)
        tess_picture_clear(out);
    else if (params->channel == TESS_CHANNEL_ALPHA)
        show_alpha(out);
    return status;
}

enum tess_status tess_render(struct tess_image **out, struct tess_context *ctx,
                             const struct tess_asset *asset,
                             const struct tess_render_params *params)
{
    static const struct tess_render_params defaults = {0};
    tess_context_begin(ctx);
    struct tess_image *image = NULL;
    TESS_TRY(tess_alloc(&image, &ctx->env, 1, sizeof *image, "a picture"));
    enum tess_status status =
        draw(&image->picture, ctx, asset, params ? params : &defaults);
    if (status) {
        tess_image_destroy(&image);
        return status;
    }
    *out = image;
    return TESS_OK;
}

enum tess_status tess_render_plan(struct tess_finish_plan *plan,
                                  enum tess_representation which,
                                  const struct tess_render_params *params)
{
    struct tess_device *dev = plan->ctx->device;
    struct tess_stage_report *report = &plan->reports[plan->count];
    const struct tess_budget *budget = &plan->ctx->budget;
    uint32_t size = params->size, supersampling = params->supersampling;
    if (which == TESS_MESH)
        return tess_finish_note(
            plan, tess_render_mesh_plan(report, dev, budget, size, supersampling));
    if (which == TESS_RADIANCE)
        return tess_finish_note(plan, tess_render_radiance_plan(report, dev, budget,
                                                                &plan->field, size,
                                                                supersampling));
    return tess_finish_note(
        plan,
        tess_render_splats_plan(report, dev, budget, plan->splats, size, supersampling));
}

enum tess_status tess_image_sheet(struct tess_image **out, struct tess_context *ctx,
                                  struct tess_image *const *images, size_t count,
                                  size_t columns)
{
    tess_context_begin(ctx);
    struct tess_image *sheet = NULL;
    const struct tess_picture **pictures = NULL;
    TESS_TRY(tess_alloc(&sheet, &ctx->env, 1, sizeof *sheet, "a picture"));
    enum tess_status status =
        tess_alloc(&pictures, &ctx->env, count, sizeof *pictures, "a picture");
    for (size_t i = 0; i < count && !status; i++)
        pictures[i] = &images[i]->picture;
    if (!status)
        status = tess_sheet_create(&sheet->picture, &ctx->env, pictures, count, columns);
    free(pictures);
    if (status) {
        tess_image_destroy(&sheet);
        return status;
    }
    *out = sheet;
    return TESS_OK;
}

void tess_image_pixels(const struct tess_image *image, uint32_t *width, uint32_t *height,
                       const uint8_t **pixels)
{
    *width = image->picture.width;
    *height = image->picture.height;
    *pixels = image->picture.pixels;
}

struct tess_image_saving {
    const struct tess_picture *picture;
    struct tess_output *output;
    struct tess_env env; // of the thread
    enum tess_status status;
    bool threaded;
    pthread_t thread;
    char path[]; // as the caller gave it
};

static void write_output(void *user, const void *data, size_t bytes)
{
    tess_output_write(user, data, bytes);
}

static void *encode(void *user)
{
    struct tess_image_saving *saving = user;
    saving->status = tess_png_encode(saving->picture, &saving->env, saving->path,
                                     write_output, saving->output);
    return NULL;
}

enum tess_status tess_image_save_begin(struct tess_image_saving **out,
                                       const struct tess_image *image,
                                       struct tess_context *ctx, const char *path)
{
    tess_context_begin(ctx);
    struct tess_image_saving *saving = NULL;
    TESS_TRY(tess_alloc(&saving, &ctx->env, 1, sizeof *saving + strlen(path) + 1,
                        "a picture"));
    strcpy(saving->path, path);
    saving->picture = &image->picture;
    enum tess_status status = tess_output_open(&saving->output, &ctx->env, path);
    if (status) {
        free(saving);
        return status;
    }
    saving->threaded = tess_thread_start(&saving->thread, encode, saving);
    if (!saving->threaded)
        encode(saving);
    *out = saving;
    return TESS_OK;
}

// The thread has ended.
static enum tess_status commit(struct tess_image_saving *saving, struct tess_context *ctx)
{
    if (saving->status)
        return tess_fail(&ctx->env, saving->status, "%s", saving->env.message);
    TESS_TRY(tess_output_commit(&saving->output, &ctx->env));
    return tess_provenance_file(ctx, TESS_FILE_OUTPUT, saving->path);
}

enum tess_status tess_image_save_end(struct tess_image_saving **saving,
                                     struct tess_context *ctx, bool keep)
{
    struct tess_image_saving *self = *saving;
    if (!self)
        return TESS_OK;
    *saving = NULL;
    if (self->threaded)
        pthread_join(self->thread, NULL);
    enum tess_status status = TESS_OK;
    if (keep) {
        tess_context_begin(ctx);
        status = commit(self, ctx);
    }
    tess_output_discard(&self->output);
    free(self);
    return status;
}

enum tess_status tess_image_save(const struct tess_image *image, struct tess_context *ctx,
                                 const char *path)
{
    struct tess_image_saving *saving = NULL;
    TESS_TRY(tess_image_save_begin(&saving, image, ctx, path));
    return tess_image_save_end(&saving, ctx, true);
}

void tess_image_destroy(struct tess_image **image)
{
    if (!*image)
        return;
    tess_picture_clear(&(*image)->picture);
    free((*image)->path);
    free(*image);
    *image = NULL;
}
