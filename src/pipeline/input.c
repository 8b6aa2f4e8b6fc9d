// What a run starts from: pictures, voxels of a mesh, latents.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/voxelise.h"
#include "io/image.h"
#include "io/mesh_read.h"
#include "model/preprocess.h"
#include "pipeline/context.h"
#include "pipeline/provenance.h"

// ---- pictures ----

enum tess_status tess_image_open(struct tess_image **out, struct tess_context *ctx,
                                 const char *path)
{
    tess_context_begin(ctx);
    struct tess_image *image = NULL;
    TESS_TRY(tess_alloc(&image, &ctx->env, 1, sizeof *image, "a picture"));
    enum tess_status status = tess_strdup(&image->path, &ctx->env, path);
    if (!status)
        status = tess_image_read(&image->picture, &ctx->env, path);
    if (!status)
        status = tess_provenance_file(ctx, TESS_FILE_INPUT, path);
    if (status) {
        tess_image_destroy(&image);
        return status;
    }
    *out = image;
    return TESS_OK;
}

enum tess_status tess_image_prepare(struct tess_image **out, struct tess_context *ctx,
                                    struct tess_model *model,
                                    const struct tess_image *image,
                                    enum tess_background_mode mode,
                                    const uint8_t background[3])
{
    tess_context_begin(ctx);
    const struct tess_image_encoder *encoder;
    TESS_TRY(tess_model_encoder(&encoder, model, ctx));
    struct tess_preprocess_params params = {
        .size = tess_image_encoder_sizes(encoder).picture, .background = {.mode = mode}};
    if (background)
        memcpy(params.background.colour, background, 3);
    struct tess_image *prepared = NULL;
    TESS_TRY(tess_alloc(&prepared, &ctx->env, 1, sizeof *prepared, "a picture"));
    enum tess_status status =
        tess_preprocess(&prepared->picture, &ctx->env, &image->picture,
                        image->path ? image->path : "the picture", &params);
    if (status) {
        tess_image_destroy(&prepared);
        return status;
    }
    *out = prepared;
    return TESS_OK;
}

// ---- voxels of a mesh ----

enum tess_status tess_structure_open(struct tess_latent **out, struct tess_context *ctx,
                                     struct tess_model *model, const char *path)
{
    tess_context_begin(ctx);
    const struct tess_flow *flow;
    struct tess_mesh mesh = {0};
    struct tess_latent *latent = NULL;
    int32_t *coords = NULL;
    size_t voxels = 0;
    TESS_TRY(tess_model_flow(&flow, model, ctx, true));
    TESS_TRY(tess_mesh_read(&mesh, &ctx->env, path));
    enum tess_status status = tess_voxelise(&coords, &voxels, &ctx->env, &mesh,
                                            tess_flow_config(flow)->resolution);
    tess_mesh_clear(&mesh);
    if (status)
        return tess_fail_within(&ctx->env, status, "%s: ", path);
    status = tess_latent_create(&latent, &ctx->env, voxels, path);
    if (!status) {
        memcpy(latent->coords, coords, voxels * 3 * sizeof *coords);
        status = tess_provenance_file(ctx, TESS_FILE_INPUT, path);
    }
    free(coords);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}

// ---- latents ----

enum tess_status tess_latent_open(struct tess_latent **out, struct tess_context *ctx,
                                  const char *path)
{
    tess_context_begin(ctx);
    struct tess_latent *latent = NULL;
    TESS_TRY(tess_latent_load(&latent, &ctx->env, path));
    enum tess_status status = tess_provenance_file(ctx, TESS_FILE_INPUT, path);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}

enum tess_status tess_latent_create_shell(struct tess_latent **out,
                                          struct tess_context *ctx, size_t voxels,
                                          uint32_t resolution, uint32_t channels)
{
    tess_context_begin(ctx);
    return tess_latent_shell(out, &ctx->env, voxels, resolution, channels);
}

size_t tess_latent_voxels(const struct tess_latent *latent)
{
    return latent->voxels;
}

void tess_latent_view(const struct tess_latent *latent, struct tess_latent_view *view)
{
    *view = (struct tess_latent_view){latent->coords, latent->feats, latent->voxels,
                                      latent->channels};
}

void tess_latent_destroy(struct tess_latent **latent)
{
    tess_latent_free(latent);
}

enum tess_status tess_latent_save(const struct tess_latent *latent,
                                  struct tess_context *ctx, const char *path)
{
    tess_context_begin(ctx);
    struct tess_file_tensor tensors[2];
    int32_t *coords = NULL;
    if (!latent->feats)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%s: the latent has no features", path);
    TESS_TRY(tess_latent_tensors(tensors, &coords, &ctx->env, latent));
    enum tess_status status =
        tess_safetensors_write(&ctx->env, path, tensors, 2, NULL, 0);
    free(coords);
    return status ? status : tess_provenance_file(ctx, TESS_FILE_OUTPUT, path);
}
