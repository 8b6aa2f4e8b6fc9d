// Assets: reading, writing, views.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "geom/weld.h"
#include "io/gltf.h"
#include "io/gltf_splats.h"
#include "io/mesh_read.h"
#include "io/obj.h"
#include "io/ply.h"
#include "io/radiance.h"
#include "io/splat_file.h"
#include "io/spz.h"
#include "io/stl.h"
#include "pipeline/asset_files.h"
#include "pipeline/placing.h"
#include "pipeline/provenance.h"

enum format {
    FORMAT_NONE,
    FORMAT_GLB,
    FORMAT_OBJ,
    FORMAT_STL,
    FORMAT_MESH_PLY,
    FORMAT_PLY,
    FORMAT_SPLAT,
    FORMAT_SPZ,
    FORMAT_SPLATS_GLB,
    FORMAT_RADIANCE,
    FORMAT_PAGE,
};

// The longer suffixes first.
static const struct {
    const char *suffix;
    enum format format;
    enum tess_representation holds;
} formats[] = {
    {".splats.glb", FORMAT_SPLATS_GLB, TESS_SPLATS},
    {".mesh.ply", FORMAT_MESH_PLY, TESS_MESH},
    {".glb", FORMAT_GLB, TESS_MESH},
    {".obj", FORMAT_OBJ, TESS_MESH},
    {".stl", FORMAT_STL, TESS_MESH},
    {".ply", FORMAT_PLY, TESS_SPLATS},
    {".splat", FORMAT_SPLAT, TESS_SPLATS},
    {".spz", FORMAT_SPZ, TESS_SPLATS},
    {".rf.safetensors", FORMAT_RADIANCE, TESS_RADIANCE},
    {".html", FORMAT_PAGE, TESS_MESH | TESS_SPLATS},
};
#define FORMAT_COUNT (sizeof formats / sizeof *formats)

const char *tess_asset_suffixes(void)
{
    return ".glb, .obj, .stl, .mesh.ply, .ply, .splat, .spz, .splats.glb, "
           ".rf.safetensors or .html";
}

// The entry of the table, or FORMAT_COUNT.
static size_t find_format(const char *path)
{
    size_t length = strlen(path), i = 0;
    for (; i < FORMAT_COUNT; i++) {
        size_t suffix = strlen(formats[i].suffix);
        if (length > suffix && strcasecmp(path + length - suffix, formats[i].suffix) == 0)
            break;
    }
    return i;
}

static enum format format_of(const char *path)
{
    size_t i = find_format(path);
    return i < FORMAT_COUNT ? formats[i].format : FORMAT_NONE;
}

enum tess_representation tess_asset_format(const char *path)
{
    size_t i = find_format(path);
    return i < FORMAT_COUNT ? formats[i].holds : 0;
}

const char *tess_asset_suffix(const char *path)
{
    size_t i = find_format(path);
    return i < FORMAT_COUNT ? path + strlen(path) - strlen(formats[i].suffix) : NULL;
}

bool tess_asset_mesh(const struct tess_asset *asset, struct tess_mesh_view *view)
{
    if (!asset->has_mesh)
        return false;
    const struct tess_mesh *mesh = &asset->mesh;
    *view = (struct tess_mesh_view){mesh->positions, mesh->normals,  mesh->attributes,
                                    mesh->indices,   mesh->vertices, mesh->faces,
                                    mesh->uvs};
    return true;
}

bool tess_asset_splats(const struct tess_asset *asset, struct tess_splats_view *view)
{
    if (!asset->has_splats)
        return false;
    const struct tess_splats *splats = &asset->splats;
    *view =
        (struct tess_splats_view){splats->positions, splats->scales,  splats->rotations,
                                  splats->opacities, splats->colours, splats->count};
    return true;
}

bool tess_asset_radiance(const struct tess_asset *asset, struct tess_radiance_view *view)
{
    if (!asset->has_radiance)
        return false;
    const struct tess_radiance *field = &asset->radiance;
    *view = (struct tess_radiance_view){field->coords,  field->vectors, field->densities,
                                        field->colours, field->voxels,  field->resolution,
                                        field->rank,    field->dim};
    return true;
}

// How the asset was made, for files with room for it. The texts are the asset's and
// seed[32]. Returns how many.
static size_t describe_origin(struct tess_metadata metadata[2], char seed[32],
                              const struct tess_asset *asset)
{
    size_t count = 0;
    if (*asset->model)
        metadata[count++] = (struct tess_metadata){"model", asset->model};
    snprintf(seed, 32, "%" PRIu64, asset->seed);
    if (asset->has_seed)
        metadata[count++] = (struct tess_metadata){"seed", seed};
    return count;
}

// For reports: the files beside a textured .obj.
static enum tess_status note_beside(struct tess_context *ctx, const char *path,
                                    const char *suffix)
{
    char *beside = NULL;
    TESS_TRY(tess_obj_beside(&beside, &ctx->env, path, suffix));
    enum tess_status status = tess_provenance_file(ctx, TESS_FILE_OUTPUT, beside);
    free(beside);
    return status;
}

static enum tess_status save_textured(const struct tess_asset *asset,
                                      struct tess_context *ctx, const char *path,
                                      enum format format)
{
    char seed[32];
    struct tess_metadata metadata[2];
    struct tess_texture_file texture = {0};
    size_t count = describe_origin(metadata, seed, asset);
    enum tess_status status = tess_texture_encode(&texture, &ctx->env, &asset->texture,
                                                  asset->texture_format, path);
    if (!status && format == FORMAT_OBJ) {
        status = tess_obj_write_textured(&asset->mesh, &texture, &ctx->env, path);
        if (!status)
            status = note_beside(ctx, path, ".mtl");
        if (!status)
            status = note_beside(ctx, path, texture.suffix);
    } else if (!status) {
        status = tess_gltf_write_look(&asset->mesh,
                                      &(struct tess_gltf_look){&texture, asset->unlit},
                                      &ctx->env, path, metadata, count);
    }
    tess_texture_file_clear(&texture);
    return status;
}

static enum tess_status save_mesh(const struct tess_asset *asset,
                                  struct tess_context *ctx, const char *path,
                                  enum format format)
{
    if (!asset->has_mesh)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "%s: this format holds a mesh, and there is "
                         "none",
                         path);
    if (asset->texture.pixels && (format == FORMAT_GLB || format == FORMAT_OBJ))
        return save_textured(asset, ctx, path, format);
    char seed[32];
    struct tess_metadata metadata[2];
    size_t count = describe_origin(metadata, seed, asset);
    switch (format) {
    case FORMAT_GLB:
        return tess_gltf_write_look(&asset->mesh,
                                    &(struct tess_gltf_look){NULL, asset->unlit},
                                    &ctx->env, path, metadata, count);
    case FORMAT_OBJ:
        return tess_obj_write(&asset->mesh, &ctx->env, path);
    case FORMAT_STL:
        return tess_stl_write(&asset->mesh, &ctx->env, path);
    default:
        return tess_ply_write_mesh(&asset->mesh, &ctx->env, path);
    }
}

static enum tess_status save_splats(const struct tess_asset *asset,
                                    struct tess_context *ctx, const char *path,
                                    enum format format)
{
    if (!asset->has_splats)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "%s: this format holds Gaussian splats, and there are none",
                         path);
    char seed[32];
    struct tess_metadata metadata[2];
    size_t count = describe_origin(metadata, seed, asset);
    switch (format) {
    case FORMAT_SPLATS_GLB:
        return tess_gltf_write_splats(&asset->splats, &ctx->env, path, metadata, count);
    case FORMAT_SPLAT:
        return tess_splat_file_write(&asset->splats, &ctx->env, path);
    case FORMAT_SPZ:
        return tess_spz_write(&asset->splats, &ctx->env, path);
    default:
        return tess_ply_write_splats(&asset->splats, &ctx->env, path);
    }
}

static enum tess_status save_radiance(const struct tess_asset *asset,
                                      struct tess_context *ctx, const char *path)
{
    if (!asset->has_radiance)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "%s: this format holds a radiance field, and there is none",
                         path);
    char seed[32];
    struct tess_metadata metadata[2];
    size_t count = describe_origin(metadata, seed, asset);
    return tess_radiance_write(&asset->radiance, &ctx->env, path, metadata, count);
}

enum tess_status tess_asset_write_glb(const struct tess_asset *asset,
                                      struct tess_context *ctx, const char *path)
{
    return save_mesh(asset, ctx, path, FORMAT_GLB);
}

enum tess_status tess_asset_write_spz(const struct tess_asset *asset,
                                      struct tess_context *ctx, const char *path)
{
    return save_splats(asset, ctx, path, FORMAT_SPZ);
}

static enum tess_status save(const struct tess_asset *asset, struct tess_context *ctx,
                             const char *path, enum format format)
{
    bool mesh = tess_asset_format(path) == TESS_MESH;
    if (format == FORMAT_PLY)
        mesh = !asset->has_splats;
    if (format == FORMAT_RADIANCE)
        return save_radiance(asset, ctx, path);
    return (mesh ? save_mesh : save_splats)(asset, ctx, path, format);
}

// Quarter turns around x, as of tess_asset_place(), that the writer of a format makes of
// our world, which has z up.
static int quarters_of(enum format format, bool splats)
{
    switch (format) {
    case FORMAT_STL:
    case FORMAT_MESH_PLY:
        return 0;
    case FORMAT_SPLAT:
        return 1;
    case FORMAT_PLY:
        return splats;
    default:
        return 3;
    }
}

static enum tess_status save_placed(const struct tess_asset *asset,
                                    struct tess_context *ctx, const char *path,
                                    enum format format,
                                    const struct tess_save_params *params)
{
    struct tess_asset written = *asset, placed;
    int wanted = params->up == TESS_UP_Y ? 3 : 0;
    int quarters = (wanted - quarters_of(format, asset->has_splats) + 4) % 4;
    double scale = params->scale > 0 ? params->scale : 1;
    written.unlit = params->unlit;
    if (params->up == TESS_UP_DEFAULT)
        quarters = 0;
    if (format == FORMAT_STL && params->millimetres > 0)
        scale *= params->millimetres;
    if ((quarters == 0 && scale == 1) || format == FORMAT_RADIANCE)
        return save(&written, ctx, path, format);
    enum tess_status status =
        tess_asset_place(&placed, &written, &ctx->env, quarters, scale);
    if (!status)
        status = save(&placed, ctx, path, format);
    tess_placed_clear(&placed);
    return status;
}

static bool in_range(double scale)
{
    return scale == 0 || (scale >= 1e-9 && scale <= 1e9);
}

enum tess_status tess_asset_save_as(const struct tess_asset *asset,
                                    struct tess_context *ctx, const char *path,
                                    const struct tess_save_params *params)
{
    static const struct tess_save_params defaults = {0};
    tess_context_begin(ctx);
    enum format format = format_of(path);
    params = params ? params : &defaults;
    if (format == FORMAT_NONE)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%s: unknown suffix, expected %s", path,
                         tess_asset_suffixes());
    if (!in_range(params->scale) || !in_range(params->millimetres) ||
        params->up > TESS_UP_Z)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "scale %g, %g mm, axis %d: expected 1e-9 to 1e9 and an axis",
                         params->scale, params->millimetres, (int)params->up);
    if (format == FORMAT_PAGE) // axes and size of a page are its own
        return tess_asset_save_page(asset, asset, ctx, path, params);
    TESS_TRY(save_placed(asset, ctx, path, format, params));
    return tess_provenance_file(ctx, TESS_FILE_OUTPUT, path);
}

enum tess_status tess_asset_save(const struct tess_asset *asset, struct tess_context *ctx,
                                 const char *path)
{
    return tess_asset_save_as(asset, ctx, path, NULL);
}

static enum tess_status read_mesh(struct tess_asset *asset, struct tess_context *ctx,
                                  const char *path, enum format format)
{
    size_t joined;
    TESS_TRY(tess_mesh_read(&asset->mesh, &ctx->env, path));
    if (format == FORMAT_STL)
        TESS_TRY(tess_mesh_weld(&asset->mesh, &joined, &ctx->env));
    asset->has_mesh = true;
    return asset->mesh.normals ? TESS_OK : tess_mesh_normals(&asset->mesh, &ctx->env);
}

static enum tess_status read_splats(struct tess_asset *asset, struct tess_context *ctx,
                                    const char *path, enum format format)
{
    struct tess_splats *splats = &asset->splats;
    switch (format) {
    case FORMAT_GLB:
    case FORMAT_SPLATS_GLB:
        TESS_TRY(tess_gltf_read_splats(splats, &ctx->env, path));
        break;
    case FORMAT_SPLAT:
        TESS_TRY(tess_splat_file_read(splats, &ctx->env, path));
        break;
    case FORMAT_SPZ:
        TESS_TRY(tess_spz_read(splats, &ctx->env, path));
        break;
    default:
        TESS_TRY(tess_ply_read_splats(splats, &ctx->env, path));
    }
    asset->has_splats = true;
    return TESS_OK;
}

static enum tess_status read_into(struct tess_asset *asset, struct tess_context *ctx,
                                  const char *path)
{
    TESS_TRY(tess_strdup(&asset->model, &ctx->env, ""));
    enum format format = format_of(path);
    bool mesh = tess_asset_format(path) == TESS_MESH;
    if (format == FORMAT_NONE || format == FORMAT_PAGE)
        return tess_fail(
            &ctx->env, TESS_ERR_FILE,
            "%s: not an asset that can be read, expected splats (.ply, "
            ".splat, .spz, .glb), a mesh (.glb, .obj, .ply, .stl) or a radiance "
            "field (.rf.safetensors)",
            path);
    if (format == FORMAT_RADIANCE) {
        TESS_TRY(tess_radiance_read(&asset->radiance, &ctx->env, path));
        asset->has_radiance = true;
        return TESS_OK;
    }
    if (format == FORMAT_PLY)
        TESS_TRY(tess_ply_has_faces(&mesh, &ctx->env, path));
    else if (format == FORMAT_GLB)
        mesh = !tess_gltf_has_splats(&ctx->env, path);
    return (mesh ? read_mesh : read_splats)(asset, ctx, path, format);
}

enum tess_status tess_asset_open(struct tess_asset **out, struct tess_context *ctx,
                                 const char *path)
{
    tess_context_begin(ctx);
    struct tess_asset *asset = NULL;
    TESS_TRY(tess_alloc(&asset, &ctx->env, 1, sizeof *asset, "an asset"));
    enum tess_status status = read_into(asset, ctx, path);
    if (!status)
        status = tess_provenance_file(ctx, TESS_FILE_INPUT, path);
    if (status) {
        tess_asset_destroy(&asset);
        return status;
    }
    *out = asset;
    return TESS_OK;
}

void tess_asset_destroy(struct tess_asset **asset)
{
    if (!*asset)
        return;
    tess_mesh_clear(&(*asset)->mesh);
    tess_picture_clear(&(*asset)->texture);
    tess_splats_clear(&(*asset)->splats);
    tess_radiance_clear(&(*asset)->radiance);
    free((*asset)->model);
    free(*asset);
    *asset = NULL;
}
