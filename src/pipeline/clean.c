// Clean-up of an asset's mesh, in the order of the original's export: fewer faces, what
// no view sees, holes. Before that come what simplification and the minimum cut rely on,
// vertices in common and one direction of faces; after it, what makes the result a
// manifold.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "geom/fill_holes.h"
#include "geom/hidden_faces.h"
#include "geom/simplify.h"
#include "geom/specks.h"
#include "geom/split.h"
#include "geom/weld.h"
#include "geom/wind.h"
#include "pipeline/finish.h"
#include "render/visibility.h"

// The original's.
#define SHARE      0.05 // of the faces stay
#define HOLE_EDGES 250  // at a share of 1; edges get longer as faces get fewer
#define VIEWS      1000
#define VIEW_SIZE  1024

#define FACES_MIN     4 // of the smallest closed mesh
#define VIEWS_MAX     10000
#define VIEW_SIZE_MAX 8192

struct job {
    struct tess_context *ctx;
    struct tess_mesh mesh;
    struct tess_clean_params params; // zeros filled in
};

static enum tess_status check(struct tess_env *env, const struct tess_clean_params *p)
{
    if (!(p->share >= 0 && p->share <= 1))
        return tess_fail(env, TESS_ERR_ARG,
                         "share of faces %g: expected above 0 and at most 1", p->share);
    if (!(p->max_hole_area >= 0))
        return tess_fail(env, TESS_ERR_ARG, "area of a hole %g: expected 0 or above",
                         p->max_hole_area);
    if (!(p->min_speck >= 0 && p->min_speck < 1))
        return tess_fail(env, TESS_ERR_ARG,
                         "share of a speck %g: expected 0 or above, and below 1",
                         p->min_speck);
    if (p->views > VIEWS_MAX || p->view_size > VIEW_SIZE_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "%zu views of %u pixels: expected at most %d of %d", p->views,
                         (unsigned)p->view_size, VIEWS_MAX, VIEW_SIZE_MAX);
    if (p->max_hole_edges > TESS_HOLE_EDGES_MAX)
        return tess_fail(env, TESS_ERR_ARG, "holes of %zu edges: expected at most %d",
                         p->max_hole_edges, TESS_HOLE_EDGES_MAX);
    return TESS_OK;
}

static void fill_in(struct tess_clean_params *p, size_t faces)
{
    p->share = p->share > 0 ? p->share : SHARE;
    if (!p->faces)
        p->faces = (size_t)fmax((double)faces * p->share, FACES_MIN);
    if (p->keep_faces || p->faces > faces)
        p->faces = faces;
    double left = faces ? (double)p->faces / (double)faces : 1;
    if (!p->max_hole_edges)
        p->max_hole_edges = (size_t)(HOLE_EDGES * sqrt(left));
    p->views = p->views ? p->views : VIEWS;
    p->view_size = p->view_size ? p->view_size : VIEW_SIZE;
}

static enum tess_status copy_mesh(struct tess_mesh *out, struct tess_env *env,
                                  const struct tess_mesh *mesh)
{
    TESS_TRY(tess_mesh_create(out, env, mesh->vertices, mesh->faces, mesh->attributes));
    memcpy(out->positions, mesh->positions, 3 * mesh->vertices * sizeof(float));
    memcpy(out->indices, mesh->indices, 3 * mesh->faces * sizeof(uint32_t));
    if (mesh->attributes)
        memcpy(out->attributes, mesh->attributes, 6 * mesh->vertices * sizeof(float));
    return TESS_OK;
}

// ---- steps ----

static enum tess_status simplify(struct job *job)
{
    struct tess_env *env = &job->ctx->env;
    const struct tess_clean_params *p = &job->params;
    size_t joined = 0, turned = 0, before = job->mesh.faces;
    if (!p->keep_seams)
        TESS_TRY(tess_mesh_weld(&job->mesh, &joined, env));
    if (!p->keep_winding)
        TESS_TRY(tess_mesh_wind(&job->mesh, &turned, env));
    TESS_TRY(tess_env_check(env));
    if (!p->keep_faces)
        TESS_TRY(tess_mesh_simplify(&job->mesh, env, p->faces));
    tess_log(env, TESS_LOG_DEBUG,
             "clean-up: %zu vertices joined, %zu faces turned, %zu of %zu faces left",
             joined, turned, job->mesh.faces, before);
    return tess_env_check(env);
}

static enum tess_status remove_hidden(struct job *job)
{
    struct tess_context *ctx = job->ctx;
    float *visibility = NULL;
    size_t removed = 0;
    bool spared = false;
    struct tess_stage_report report = {0};
    TESS_TRY(tess_alloc(&visibility, &ctx->env, job->mesh.faces, sizeof *visibility,
                        "visibility"));
    enum tess_status status =
        tess_mesh_visibility(visibility, &report, ctx->device, &ctx->budget, &job->mesh,
                             job->params.views, job->params.view_size);
    if (!status)
        status = tess_context_keep(ctx, &report);
    if (!status)
        status = tess_mesh_remove_hidden(
            &job->mesh, &removed, &spared, &ctx->env, visibility,
            &(struct tess_hidden_params){.max_hole_area = job->params.max_hole_area});
    if (!status)
        tess_log(&ctx->env, TESS_LOG_DEBUG, "clean-up: %zu hidden faces removed",
                 removed);
    if (spared)
        tess_log(&ctx->env, TESS_LOG_WARNING,
                 "clean-up: %zu views of %u pixels see too little of %zu faces to tell "
                 "which are hidden, so all stay (try more or larger views)",
                 job->params.views, (unsigned)job->params.view_size, job->mesh.faces);
    free(visibility);
    return status;
}

static enum tess_status repair(struct job *job)
{
    struct tess_env *env = &job->ctx->env;
    const struct tess_clean_params *p = &job->params;
    size_t removed = 0, filled = 0, added = 0;
    if (p->min_speck > 0)
        TESS_TRY(tess_mesh_remove_specks(&job->mesh, &removed, env, p->min_speck));
    if (!p->keep_holes)
        TESS_TRY(tess_mesh_fill_holes(&job->mesh, &filled, env, p->max_hole_edges));
    if (!p->keep_touching)
        TESS_TRY(tess_mesh_split(&job->mesh, &added, env));
    tess_log(
        env, TESS_LOG_DEBUG,
        "clean-up: %zu faces of specks removed, %zu holes closed, %zu vertices added",
        removed, filled, added);
    return tess_mesh_normals(&job->mesh, env);
}

static enum tess_status run(struct job *job)
{
    struct tess_stage_report report = {.name = "clean-up"};
    double start = tess_seconds_now();
    TESS_TRY(simplify(job));
    report.seconds = tess_seconds_now() - start;
    if (!job->params.keep_hidden)
        TESS_TRY(remove_hidden(job));
    start = tess_seconds_now();
    TESS_TRY(repair(job));
    report.seconds += tess_seconds_now() - start;
    return tess_context_keep(job->ctx, &report);
}

enum tess_status tess_asset_clean_plan(struct tess_finish_plan *plan,
                                       const struct tess_clean_params *params)
{
    struct tess_clean_params p = *params;
    TESS_TRY(check(&plan->ctx->env, &p));
    fill_in(&p, 0);
    if (p.keep_hidden)
        return TESS_OK;
    return tess_finish_note(
        plan, tess_mesh_visibility_plan(&plan->reports[plan->count], plan->ctx->device,
                                        &plan->ctx->budget, p.views, p.view_size));
}

// The mesh moves into the asset.
static enum tess_status wrap(struct tess_asset **out, struct tess_env *env,
                             struct tess_mesh *mesh, const struct tess_asset *from)
{
    struct tess_asset *asset = NULL;
    TESS_TRY(tess_alloc(&asset, env, 1, sizeof *asset, "an asset"));
    enum tess_status status = tess_strdup(&asset->model, env, from->model);
    if (status) {
        free(asset);
        return status;
    }
    asset->has_mesh = true;
    asset->mesh = *mesh;
    asset->has_seed = from->has_seed;
    asset->seed = from->seed;
    *out = asset;
    return TESS_OK;
}

enum tess_status tess_asset_clean(struct tess_asset **out, struct tess_context *ctx,
                                  const struct tess_asset *asset,
                                  const struct tess_clean_params *params)
{
    struct job job = {.ctx = ctx};
    tess_context_begin(ctx);
    if (!asset->has_mesh)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "there is no mesh to clean");
    if (params)
        job.params = *params;
    TESS_TRY(check(&ctx->env, &job.params));
    fill_in(&job.params, asset->mesh.faces);
    TESS_TRY(copy_mesh(&job.mesh, &ctx->env, &asset->mesh));
    enum tess_status status = run(&job);
    if (!status)
        status = wrap(out, &ctx->env, &job.mesh, asset);
    if (status)
        tess_mesh_clear(&job.mesh);
    return status;
}
