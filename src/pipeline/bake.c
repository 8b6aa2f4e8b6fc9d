// Textures from splats: the mesh gets texture coordinates, views from all around are
// drawn of the splats, and of the mesh for what is hidden, and each texel adds up what
// views show of it. That is the texture, or what its optimisation starts from.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "geom/texels.h"
#include "geom/unwrap.h"
#include "pipeline/finish.h"
#include "render/bake.h"
#include "render/mesh.h"
#include "render/splat.h"
#include "render/texture_fit.h"
#include "render/visibility.h"

// The original's.
#define SIZE      1024
#define VIEWS     100
#define VIEW_SIZE 1024

// The original takes five times as many, and starts from black.
#define STEPS 500

#define VIEWS_NAME "texture views"

#define VIEWS_MAX     10000
#define STEPS_MAX     100000
#define VIEW_SIZE_MIN 16
#define VIEW_SIZE_MAX 8192
// Views that are on the host at a time: stages take their memory anew for each batch,
// which with 8 views of 1024 x 1024 was a tenth of their time.
#define BATCH        25
#define BATCH_PIXELS ((size_t)BATCH << 20)

struct job {
    struct tess_context *ctx;
    const struct tess_asset *splats;
    struct tess_bake_params params; // zeros filled in
    struct tess_mesh mesh;          // with texture coordinates
    struct tess_texels texels;
    float *sums; // [texels][4]
    struct tess_bake_view views[BATCH];
    size_t drawn; // views so far
    double start; // seconds
    struct tess_stage_report drawing, baking;
    struct tess_fit_view *fit_views; // [views], of TESS_BAKE_OPTIMISED; else NULL
};

static size_t batch_of(const struct tess_bake_params *p)
{
    size_t pixels = (size_t)p->view_size * p->view_size, fit = BATCH_PIXELS / pixels;
    fit = fit < BATCH ? fit : BATCH;
    fit = fit < p->views ? fit : p->views;
    return fit ? fit : 1;
}

static bool is_power_of_two(uint32_t x)
{
    return x && !(x & (x - 1));
}

static enum tess_status check(struct tess_env *env, const struct tess_bake_params *p)
{
    if (!is_power_of_two(p->size) || p->size < TESS_TEXTURE_SIZE_MIN ||
        p->size > TESS_TEXTURE_SIZE_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "texture of %u texels: expected a power of two from %d to %d",
                         (unsigned)p->size, TESS_TEXTURE_SIZE_MIN, TESS_TEXTURE_SIZE_MAX);
    if ((unsigned)p->mode > TESS_BAKE_OPTIMISED || p->steps > STEPS_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "texture mode %d of %zu steps: expected 0 or 1, and at most %d",
                         (int)p->mode, p->steps, STEPS_MAX);
    if ((unsigned)p->format > TESS_TEXTURE_JPEG)
        return tess_fail(env, TESS_ERR_ARG, "texture format %d: expected 0 or 1",
                         (int)p->format);
    if (p->gutter && (!is_power_of_two(p->gutter) || p->gutter > p->size / 4))
        return tess_fail(env, TESS_ERR_ARG,
                         "gutter of %u texels: expected a power of two up to %u",
                         (unsigned)p->gutter, (unsigned)p->size / 4);
    if (p->views > VIEWS_MAX || p->view_size < VIEW_SIZE_MIN ||
        p->view_size > VIEW_SIZE_MAX)
        return tess_fail(
            env, TESS_ERR_ARG, "%zu views of %u pixels: expected at most %d of %d to %d",
            p->views, (unsigned)p->view_size, VIEWS_MAX, VIEW_SIZE_MIN, VIEW_SIZE_MAX);
    return TESS_OK;
}

static void fill_in(struct tess_bake_params *p)
{
    p->size = p->size ? p->size : SIZE;
    p->views = p->views ? p->views : VIEWS;
    p->view_size = p->view_size ? p->view_size : VIEW_SIZE;
    p->steps = p->steps ? p->steps : STEPS;
}

// ---- steps ----

static enum tess_status unwrap(struct job *job, const struct tess_mesh *mesh)
{
    struct tess_env *env = &job->ctx->env;
    struct tess_stage_report report = {.name = "unwrapping"};
    struct tess_unwrap_facts facts;
    double start = tess_seconds_now();
    TESS_TRY(tess_mesh_unwrap(
        &job->mesh, &facts, env, mesh,
        &(struct tess_unwrap_params){job->params.size, job->params.gutter}));
    TESS_TRY(tess_texels_create(&job->texels, env, &job->mesh, job->params.size));
    report.seconds = tess_seconds_now() - start;
    tess_log(env, TESS_LOG_DEBUG,
             "unwrapping: %zu charts, gutters of %u texels, %.0f%% of %u x %u covered",
             facts.charts, (unsigned)facts.gutter, 100 * facts.coverage,
             (unsigned)job->params.size, (unsigned)job->params.size);
    return tess_context_keep(job->ctx, &report);
}

static struct tess_camera camera_of(void *user, size_t view)
{
    const struct job *job = user;
    return job->views[view].camera;
}

static uint8_t *pixels_of(void *user, size_t view)
{
    const struct job *job = user;
    return job->views[view].picture.pixels;
}

// Of the splats, for `count` views.
static struct tess_splat_views splat_views(struct job *job, size_t count)
{
    return (struct tess_splat_views){.name = VIEWS_NAME,
                                     .count = count,
                                     .size = job->params.view_size,
                                     .supersampling = 1,
                                     .camera = camera_of,
                                     .pixels = pixels_of,
                                     .user = job};
}

static enum tess_status draw_splats(struct job *job, size_t count)
{
    struct tess_context *ctx = job->ctx;
    struct tess_splat_views views = splat_views(job, count);
    struct tess_stage_report report;
    TESS_TRY(tess_render_splat_views(&report, ctx->device, &ctx->budget,
                                     &job->splats->splats, &views));
    tess_stage_report_add(&job->drawing, &report);
    return TESS_OK;
}

static void *depths_of(void *user, size_t view)
{
    const struct job *job = user;
    return job->views[view].inverse_z;
}

static enum tess_status keep_for_fit(void *user, size_t view, const void *words)
{
    struct job *job = user;
    return tess_fit_view_create(&job->fit_views[job->drawn + view], &job->ctx->env, words,
                                &job->views[view].picture, job->params.size);
}

// Of the mesh, for `count` views.
static enum tess_status draw_words(struct job *job, size_t count, enum tess_words words)
{
    bool depths = words == TESS_WORDS_DEPTHS;
    struct tess_context *ctx = job->ctx;
    struct tess_stage_report report;
    TESS_TRY(
        tess_render_words(&report, ctx->device, &ctx->budget, &job->mesh,
                          &(struct tess_word_views){.name = VIEWS_NAME,
                                                    .words = words,
                                                    .count = count,
                                                    .size = job->params.view_size,
                                                    .camera = camera_of,
                                                    .words_of = depths ? depths_of : NULL,
                                                    .see = depths ? NULL : keep_for_fit,
                                                    .user = job}));
    tess_stage_report_add(&job->drawing, &report);
    return TESS_OK;
}

static enum tess_status add_batch(struct job *job)
{
    struct tess_context *ctx = job->ctx;
    struct tess_bake_points points = {job->texels.count,
                                      (size_t)job->params.size * job->params.size,
                                      job->texels.positions, job->texels.normals};
    struct tess_stage_report report;
    size_t count = job->params.views - job->drawn, batch = batch_of(&job->params);
    count = count < batch ? count : batch;
    for (size_t i = 0; i < count; i++)
        job->views[i].camera = tess_sphere_camera(job->drawn + i, job->params.views);
    TESS_TRY(draw_splats(job, count));
    TESS_TRY(draw_words(job, count, TESS_WORDS_DEPTHS));
    if (job->fit_views)
        TESS_TRY(draw_words(job, count, TESS_WORDS_COORDINATES));
    job->drawn += count;
    TESS_TRY(tess_bake_add(job->sums, &report, ctx->device, &ctx->budget, &points,
                           job->views, count, job->params.view_size));
    tess_stage_report_add(&job->baking, &report);
    return TESS_OK;
}

static enum tess_status add_all(struct job *job)
{
    struct tess_env *env = &job->ctx->env;
    tess_progress_fn *progress = env->progress;
    size_t pixels = (size_t)job->params.view_size * job->params.view_size;
    TESS_TRY(tess_alloc(&job->sums, env, job->texels.count, 4 * sizeof *job->sums,
                        "a texture"));
    for (size_t i = 0; i < batch_of(&job->params); i++) {
        TESS_TRY(
            tess_alloc(&job->views[i].inverse_z, env, pixels, sizeof(float), "a view"));
        TESS_TRY(tess_picture_create(&job->views[i].picture, env, job->params.view_size,
                                     job->params.view_size));
    }
    if (job->params.mode == TESS_BAKE_OPTIMISED)
        TESS_TRY(tess_alloc(&job->fit_views, env, job->params.views,
                            sizeof *job->fit_views, "views"));
    enum tess_status status = TESS_OK;
    while (job->drawn < job->params.views && !status) {
        env->progress = NULL; // of a single view
        status = add_batch(job);
        env->progress = progress;
        if (!status)
            tess_progress_tell(
                env, (struct tess_progress){.stage = "texture baking",
                                            .done = job->drawn,
                                            .total = job->params.views,
                                            .elapsed = tess_seconds_now() - job->start});
    }
    TESS_TRY(status);
    job->drawing.name = VIEWS_NAME;
    TESS_TRY(tess_context_keep(job->ctx, &job->drawing));
    return tess_context_keep(job->ctx, &job->baking);
}

// A texture with every texel filled.
struct texture {
    float *rgb;  // [size][size][3]
    bool *known; // [size][size]
};

static enum tess_status resolve(struct texture *out, struct job *job)
{
    struct tess_env *env = &job->ctx->env;
    size_t texels = (size_t)job->params.size * job->params.size;
    TESS_TRY(tess_alloc(&out->rgb, env, texels, 3 * sizeof *out->rgb, "a texture"));
    TESS_TRY(tess_alloc(&out->known, env, texels, sizeof *out->known, "a texture"));
    for (size_t i = 0; i < job->texels.count; i++) {
        const float *sum = job->sums + 4 * i;
        size_t at = job->texels.at[i];
        out->known[at] = sum[3] > 0;
        for (size_t k = 0; k < 3 && out->known[at]; k++)
            out->rgb[3 * at + k] = sum[k] / sum[3];
    }
    return tess_texels_fill(out->rgb, out->known, env, job->params.size);
}

// Of 255.
static double misfit(const struct texture *texture, const struct job *job)
{
    return 255 * tess_fit_views_misfit(job->fit_views, job->params.views, texture->rgb,
                                       job->params.size);
}

// Texels that faces cover become what fits the views, and gutters are filled again.
static enum tess_status fit(struct texture *texture, struct job *job)
{
    struct tess_context *ctx = job->ctx;
    struct tess_stage_report report;
    size_t texels = (size_t)job->params.size * job->params.size;
    double before = misfit(texture, job);
    TESS_TRY(tess_texture_fit(texture->rgb, &report, ctx->device, &ctx->budget,
                              &(struct tess_fit_params){.size = job->params.size,
                                                        .steps = job->params.steps,
                                                        .view_count = job->params.views,
                                                        .views = job->fit_views}));
    TESS_TRY(tess_context_keep(ctx, &report));
    tess_log(&ctx->env, TESS_LOG_INFO,
             "texture fitting: mean difference to the views %.2f, before it %.2f, of 255",
             misfit(texture, job), before);
    memset(texture->known, false, texels * sizeof *texture->known);
    for (size_t i = 0; i < job->texels.count; i++)
        texture->known[job->texels.at[i]] = true;
    return tess_texels_fill(texture->rgb, texture->known, &ctx->env, job->params.size);
}

static enum tess_status make_picture(struct tess_picture *out, struct job *job)
{
    uint32_t size = job->params.size;
    struct texture texture = {0};
    enum tess_status status = resolve(&texture, job);
    if (!status && job->fit_views)
        status = fit(&texture, job);
    if (!status)
        status = tess_picture_create(out, &job->ctx->env, size, size);
    for (size_t i = 0; i < 4 * (size_t)size * size && !status; i++) {
        float value = texture.rgb[i / 4 * 3 + (i % 4 < 3 ? i % 4 : 0)];
        out->pixels[i] =
            i % 4 == 3 ? 255 : (uint8_t)lrintf(255 * fmaxf(0, fminf(value, 1)));
    }
    free(texture.rgb);
    free(texture.known);
    return status;
}

// ---- the asset ----

static enum tess_status wrap(struct tess_asset **out, struct job *job,
                             const struct tess_asset *from)
{
    struct tess_env *env = &job->ctx->env;
    struct tess_asset *asset = NULL;
    TESS_TRY(tess_alloc(&asset, env, 1, sizeof *asset, "an asset"));
    enum tess_status status = tess_strdup(&asset->model, env, from->model);
    if (!status)
        status = make_picture(&asset->texture, job);
    if (status) {
        tess_asset_destroy(&asset);
        return status;
    }
    asset->has_mesh = true;
    asset->mesh = job->mesh;
    memset(&job->mesh, 0, sizeof job->mesh);
    asset->texture_format = job->params.format;
    asset->has_seed = from->has_seed;
    asset->seed = from->seed;
    *out = asset;
    return TESS_OK;
}

enum tess_status tess_asset_bake(struct tess_asset **out, struct tess_context *ctx,
                                 const struct tess_asset *mesh,
                                 const struct tess_asset *splats,
                                 const struct tess_bake_params *params)
{
    struct job job = {.ctx = ctx, .splats = splats, .start = tess_seconds_now()};
    tess_context_begin(ctx);
    if (!mesh->has_mesh)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "there is no mesh for a texture");
    if (!splats->has_splats)
        return tess_fail(&ctx->env, TESS_ERR_ARG,
                         "there are no splats to make a texture of");
    if (params)
        job.params = *params;
    fill_in(&job.params);
    TESS_TRY(check(&ctx->env, &job.params));
    enum tess_status status = unwrap(&job, &mesh->mesh);
    if (!status)
        status = add_all(&job);
    if (!status)
        status = wrap(out, &job, mesh);
    for (size_t i = 0; i < BATCH; i++) {
        free(job.views[i].inverse_z);
        tess_picture_clear(&job.views[i].picture);
    }
    for (size_t i = 0; i < job.params.views && job.fit_views; i++)
        tess_fit_view_clear(&job.fit_views[i]);
    free(job.fit_views);
    free(job.sums);
    tess_texels_clear(&job.texels);
    tess_mesh_clear(&job.mesh);
    return status;
}

// ---- plans ----

// One of the stages that are told as one, as in reports of runs.
static enum tess_status add_part(struct tess_stage_report *sum,
                                 struct tess_finish_plan *plan, enum tess_status status,
                                 const struct tess_stage_report *part)
{
    TESS_TRY(tess_floors_note(plan->floors, status, part));
    tess_stage_report_add(sum, part);
    if (part->floor_bytes > sum->floor_bytes)
        sum->floor_bytes = part->floor_bytes;
    return TESS_OK;
}

static enum tess_status plan_views(struct tess_finish_plan *plan,
                                   const struct tess_bake_params *p)
{
    struct tess_context *ctx = plan->ctx;
    struct tess_stage_report part, sum = {0};
    struct tess_word_views views = {.name = VIEWS_NAME,
                                    .words = TESS_WORDS_DEPTHS,
                                    .count = batch_of(p),
                                    .size = p->view_size};
    struct job job = {.params = *p};
    struct tess_splat_views pictures = splat_views(&job, views.count);
    enum tess_status status = tess_render_splat_views_plan(
        &part, ctx->device, &ctx->budget, plan->splats, &pictures);
    TESS_TRY(add_part(&sum, plan, status, &part));
    status = tess_render_words_plan(&part, ctx->device, &ctx->budget, &views);
    TESS_TRY(add_part(&sum, plan, status, &part));
    views.words = TESS_WORDS_COORDINATES;
    if (p->mode == TESS_BAKE_OPTIMISED) {
        status = tess_render_words_plan(&part, ctx->device, &ctx->budget, &views);
        TESS_TRY(add_part(&sum, plan, status, &part));
    }
    sum.name = VIEWS_NAME;
    plan->reports[plan->count++] = sum;
    return TESS_OK;
}

enum tess_status tess_asset_bake_plan(struct tess_finish_plan *plan,
                                      const struct tess_bake_params *params)
{
    struct tess_context *ctx = plan->ctx;
    struct tess_bake_params p = *params;
    fill_in(&p);
    TESS_TRY(check(&ctx->env, &p));
    TESS_TRY(plan_views(plan, &p));
    TESS_TRY(tess_finish_note(
        plan, tess_bake_plan(&plan->reports[plan->count], ctx->device, &ctx->budget,
                             (size_t)p.size * p.size, batch_of(&p), p.view_size)));
    if (p.mode != TESS_BAKE_OPTIMISED)
        return TESS_OK;
    return tess_finish_note(
        plan, tess_texture_fit_plan(
                  &plan->reports[plan->count], ctx->device, &ctx->budget,
                  &(struct tess_fit_params){
                      .size = p.size, .steps = p.steps, .view_count = p.views}));
}
