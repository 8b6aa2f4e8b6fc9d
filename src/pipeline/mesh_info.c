// What a mesh is like.
#include <string.h>

#include "base/alloc.h"
#include "geom/topology.h"
#include "geom/weld.h"
#include "pipeline/context.h"

// Positions and faces only.
static enum tess_status copy_shape(struct tess_mesh *out, struct tess_env *env,
                                   const struct tess_mesh *mesh)
{
    TESS_TRY(tess_mesh_create(out, env, mesh->vertices, mesh->faces, false));
    memcpy(out->positions, mesh->positions, 3 * mesh->vertices * sizeof(float));
    memcpy(out->indices, mesh->indices, 3 * mesh->faces * sizeof(uint32_t));
    return TESS_OK;
}

static enum tess_status measure(struct tess_mesh_info *info, struct tess_env *env,
                                const struct tess_mesh *mesh)
{
    struct tess_mesh_facts facts;
    TESS_TRY(tess_mesh_measure(&facts, env, mesh));
    *info = (struct tess_mesh_info){.vertices = mesh->vertices,
                                    .faces = mesh->faces,
                                    .components = facts.components,
                                    .boundary_edges = facts.boundary_edges,
                                    .non_manifold_edges = facts.non_manifold_edges,
                                    .inconsistent_edges = facts.inconsistent_edges,
                                    .area = facts.area,
                                    .volume = facts.volume};
    memcpy(info->lower, facts.lower, sizeof info->lower);
    memcpy(info->upper, facts.upper, sizeof info->upper);
    return TESS_OK;
}

enum tess_status tess_asset_mesh_info(struct tess_mesh_info *info,
                                      const struct tess_asset *asset,
                                      struct tess_context *ctx, bool weld)
{
    struct tess_env *env = &ctx->env;
    tess_context_begin(ctx);
    if (!asset->has_mesh)
        return tess_fail(env, TESS_ERR_ARG, "there is no mesh to measure");
    if (!weld)
        return measure(info, env, &asset->mesh);
    struct tess_mesh welded = {0};
    size_t joined;
    TESS_TRY(copy_shape(&welded, env, &asset->mesh));
    enum tess_status status = tess_mesh_weld(&welded, &joined, env);
    if (!status)
        status = measure(info, env, &welded);
    tess_mesh_clear(&welded);
    return status;
}
