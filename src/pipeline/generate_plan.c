// Plans of all stages from pictures to assets.
#include <stdlib.h>

#include "base/alloc.h"
#include "pipeline/finish.h"
#include "pipeline/generation.h"

static enum tess_status ignore_rows(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    (void)user, (void)row0, (void)rows, (void)data;
    return TESS_OK;
}

// ---- one stage each ----

static enum tess_status plan_stage(struct tess_stage_report *report,
                                   struct tess_generation *g, const char *name,
                                   tess_stage_fn *fn, void *user, bool want_floor)
{
    return tess_stage_plan(report, g->ctx->device, &g->ctx->budget, name, fn, user,
                           want_floor);
}

static enum tess_status plan_encoder(struct tess_stage_report *report,
                                     struct tess_generation *g, bool want_floor)
{
    size_t side = tess_image_encoder_sizes(g->encoder).picture;
    float *picture = NULL;
    TESS_TRY(tess_alloc(&picture, &g->ctx->env, side * side, 3 * sizeof *picture,
                        "a picture"));
    struct tess_image_encoder_job job = {
        .encoder = g->encoder, .picture = picture, .rows = ignore_rows};
    enum tess_status status = plan_stage(report, g, "image encoder",
                                         tess_image_encoder_stage, &job, want_floor);
    free(picture);
    return status;
}

enum tess_status tess_generation_plan_flow(struct tess_stage_report *report,
                                           struct tess_generation *g, bool features,
                                           const struct tess_flow_item *items,
                                           size_t count, bool want_floor)
{
    struct tess_sampler *sampler = NULL;
    TESS_TRY(tess_generation_sampler(&sampler, g, features, items, count));
    enum tess_status status = plan_stage(
        report, g, tess_flow_stage_name(features ? g->latent_flow : g->structure_flow),
        tess_flow_stage, tess_sampler_job(sampler), want_floor);
    tess_sampler_destroy(&sampler);
    return status;
}

// Latents [R³][channels] that nothing is read from.
static enum tess_status blank_structure(float **out, struct tess_generation *g)
{
    const struct tess_flow_config *config = tess_flow_config(g->structure_flow);
    size_t R = config->resolution;
    return tess_alloc(out, &g->ctx->env, R * R * R, config->in_channels * sizeof(float),
                      "noise");
}

static enum tess_status plan_structure_flow(struct tess_stage_report *report,
                                            struct tess_generation *g, bool want_floor)
{
    size_t R = tess_flow_config(g->structure_flow)->resolution;
    float *latents = NULL;
    TESS_TRY(blank_structure(&latents, g));
    enum tess_status status = tess_generation_plan_flow(
        report, g, false, &(struct tess_flow_item){.rows = R * R * R, .x = latents}, 1,
        want_floor);
    free(latents);
    return status;
}

static enum tess_status plan_structure_decoder(struct tess_stage_report *report,
                                               struct tess_generation *g, bool want_floor)
{
    float *latents = NULL;
    TESS_TRY(blank_structure(&latents, g));
    struct tess_structure_job job = {.decoder = g->structure_decoder,
                                     .latents = latents,
                                     .resolution =
                                         tess_flow_config(g->structure_flow)->resolution,
                                     .rows = ignore_rows};
    enum tess_status status = plan_stage(report, g, "structure decoder",
                                         tess_structure_stage, &job, want_floor);
    free(latents);
    return status;
}

static enum tess_status plan_latent_flow(struct tess_stage_report *report,
                                         struct tess_generation *g,
                                         const struct tess_latent *latent,
                                         bool want_floor)
{
    return tess_generation_plan_flow(
        report, g, true,
        &(struct tess_flow_item){latent->coords, latent->voxels, latent->feats}, 1,
        want_floor);
}

// ---- before and between ----

enum tess_status tess_generation_check_start(struct tess_generation *g)
{
    struct tess_floors floors = {.ctx = g->ctx};
    struct tess_stage_report report, after[TESS_DECODE_STAGES];
    size_t count = 0;
    TESS_TRY(tess_finish_plan(after, &count, &floors, g->model, 0,
                              g->params->representations, g->params->finish));
    TESS_TRY(tess_floors_note(&floors, plan_encoder(&report, g, false), &report));
    if (g->params->structure_coords)
        return tess_floors_verdict(&floors);
    TESS_TRY(tess_floors_note(&floors, plan_structure_flow(&report, g, false), &report));
    TESS_TRY(
        tess_floors_note(&floors, plan_structure_decoder(&report, g, false), &report));
    return tess_floors_verdict(&floors);
}

enum tess_status tess_generation_check_voxels(struct tess_generation *g,
                                              const struct tess_latent *latent)
{
    struct tess_floors floors = {.ctx = g->ctx};
    struct tess_stage_report reports[TESS_DECODE_STAGES];
    size_t count = 0;
    TESS_TRY(tess_floors_note(&floors, plan_latent_flow(&reports[0], g, latent, false),
                              &reports[0]));
    if (g->params->representations)
        TESS_TRY(tess_decode_plan(reports, &count, &floors, g->model, latent,
                                  g->params->representations, g->params->finish, false));
    return tess_floors_verdict(&floors);
}

// ---- the whole ----

static enum tess_status plan_all(struct tess_stage_report *reports, size_t *count,
                                 struct tess_generation *g,
                                 const struct tess_latent *latent)
{
    struct tess_floors floors = {.ctx = g->ctx};
    size_t n = 0, decoders = 0;
    TESS_TRY(tess_floors_note(&floors, plan_encoder(&reports[n], g, true), &reports[n]));
    n++;
    TESS_TRY(tess_floors_note(&floors, plan_structure_flow(&reports[n], g, true),
                              &reports[n]));
    n++;
    TESS_TRY(tess_floors_note(&floors, plan_structure_decoder(&reports[n], g, true),
                              &reports[n]));
    n++;
    TESS_TRY(tess_floors_note(&floors, plan_latent_flow(&reports[n], g, latent, true),
                              &reports[n]));
    n++;
    unsigned representations = tess_decode_choose(
        g->model,
        &(struct tess_decode_params){.representations = g->params->representations});
    TESS_TRY(tess_decode_plan(reports + n, &decoders, &floors, g->model, latent,
                              representations, g->params->finish, true));
    *count = n + decoders;
    return tess_floors_verdict(&floors);
}

enum tess_status tess_plan_generate(struct tess_stage_report **stages, size_t *count,
                                    struct tess_context *ctx, struct tess_model *model,
                                    const struct tess_latent *latent, size_t pictures,
                                    const struct tess_generate_params *params)
{
    static const struct tess_generate_params defaults = {0};
    tess_context_begin(ctx);
    if (pictures < 1 || pictures > TESS_CONDITIONS_MAX)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%zu pictures, expected 1 to %d",
                         pictures, TESS_CONDITIONS_MAX);
    struct tess_generation *g = NULL;
    struct tess_stage_report *reports = NULL;
    TESS_TRY(tess_alloc(&g, &ctx->env, 1, sizeof *g, "a plan"));
    g->ctx = ctx;
    g->model = model;
    g->params = params ? params : &defaults;
    g->condition_count = pictures;
    enum tess_status status = tess_alloc(&reports, &ctx->env, 4 + TESS_DECODE_STAGES,
                                         sizeof *reports, "a plan");
    if (!status)
        status = tess_generation_open(g);
    if (!status)
        status = plan_all(reports, count, g, latent);
    tess_generation_close(g);
    free(g);
    if (status) {
        free(reports);
        return status;
    }
    *stages = reports;
    return TESS_OK;
}
