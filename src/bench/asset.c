// What one asset takes: the calls that any program makes, and what their reports say.
#include "bench/asset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/measure.h"
#include "bench/object.h"
#include "io/latent.h"

#define PICTURE_SIZE    512
#define PUBLISHED_SIDE  64
#define PUBLISHED_SHELL 10240 // voxels, as objects of the published model have
#define WARM_VOXELS     64
#define SEED            1

// That it works, in little time.
static const struct tess_clean_params brief_cleaning = {.views = 16, .view_size = 128};
static const struct tess_bake_params brief_baking = {
    .size = 256, .views = 8, .view_size = 128};

struct asset_run {
    struct tess_context *ctx;
    const struct tess_bench_params *params;
    struct tess_image *input; // prepared
    size_t voxels;
    uint32_t resolution; // of voxels along an axis
};

// ---- the picture ----

// A ball of one colour on nothing, lit from the upper left.
static void draw_ball(struct tess_picture *picture)
{
    double radius = 0.4 * PICTURE_SIZE, centre = 0.5 * PICTURE_SIZE;
    for (size_t i = 0; i < (size_t)PICTURE_SIZE * PICTURE_SIZE; i++) {
        double x = ((double)(i % PICTURE_SIZE) + 0.5 - centre) / radius;
        double y = ((double)(i / PICTURE_SIZE) + 0.5 - centre) / radius;
        double z2 = 1 - x * x - y * y;
        if (z2 < 0)
            continue;
        double light = 0.3 + 0.7 * fmax(0, (-x - y + sqrt(z2)) / sqrt(3.0));
        uint8_t *pixel = picture->pixels + 4 * i;
        pixel[0] = (uint8_t)(230 * light);
        pixel[1] = (uint8_t)(150 * light);
        pixel[2] = (uint8_t)(60 * light);
        pixel[3] = 255;
    }
}

static enum tess_status make_input(struct asset_run *run)
{
    struct tess_image *image = NULL;
    struct tess_env *env = &run->ctx->env;
    TESS_TRY(tess_alloc(&image, env, 1, sizeof *image, "a picture"));
    enum tess_status status =
        tess_picture_create(&image->picture, env, PICTURE_SIZE, PICTURE_SIZE);
    if (!status) {
        draw_ball(&image->picture);
        status = tess_image_prepare(&run->input, run->ctx, run->params->model, image,
                                    TESS_BACKGROUND_AUTO, NULL);
    }
    tess_image_destroy(&image);
    return status;
}

// ---- runs ----

static enum tess_status generate(struct asset_run *run,
                                 const struct tess_generate_params *params)
{
    struct tess_latent *latent = NULL;
    struct tess_asset *asset = NULL;
    struct tess_model *model = run->params->model;
    enum tess_status status =
        tess_generate(&latent, run->ctx, model, &run->input, 1, params);
    if (!status)
        status = tess_decode(&asset, run->ctx, model, latent, NULL);
    tess_asset_destroy(&asset);
    tess_latent_destroy(&latent);
    return status;
}

// What becomes of a decoded asset by default. Its shape is an object's: random weights
// make noise, which nobody cleans up.
static enum tess_status finish(struct asset_run *run, size_t voxels,
                               const struct tess_clean_params *cleaning,
                               const struct tess_bake_params *baking)
{
    struct tess_asset *asset = NULL, *clean = NULL, *textured = NULL;
    TESS_TRY(tess_bench_object(&asset, run->ctx, voxels, run->resolution));
    enum tess_status status = tess_asset_clean(&clean, run->ctx, asset, cleaning);
    if (!status)
        status = tess_asset_bake(&textured, run->ctx, clean, asset, baking);
    tess_asset_destroy(&asset);
    tess_asset_destroy(&clean);
    tess_asset_destroy(&textured);
    return status;
}

// All but the networks of the structure, for a few voxels. Its reports are forgotten.
static enum tess_status warm_up(struct asset_run *run)
{
    uint32_t side = run->resolution;
    size_t stages = run->ctx->stage_count, room = (size_t)side * side * side;
    size_t voxels = room < WARM_VOXELS ? room : WARM_VOXELS;
    struct tess_latent *shell = NULL;
    TESS_TRY(tess_latent_shell(&shell, &run->ctx->env, voxels, side, 1));
    enum tess_status status = generate(
        run, &(struct tess_generate_params){
                 .seed = SEED, .latent = {.steps = 1}, .structure_coords = shell});
    tess_latent_free(&shell);
    if (!status)
        status = finish(run, voxels, &brief_cleaning, &brief_baking);
    run->ctx->stage_count = stages;
    // What the encoder made is remembered; it is to run once more.
    struct tess_condition_memory *memory = &run->params->model->condition;
    free(memory->values);
    *memory = (struct tess_condition_memory){0};
    return status;
}

static void tell_stages(struct tess_bench_asset *out, const struct tess_context *ctx,
                        size_t first)
{
    for (size_t i = first; i < ctx->stage_count && out->stage_count < TESS_BENCH_STAGES;
         i++) {
        const struct tess_stage_report *report = &ctx->stages[i];
        struct tess_bench_stage *stage = &out->stages[out->stage_count++];
        snprintf(stage->name, sizeof stage->name, "%s", report->name);
        stage->seconds = report->seconds;
        stage->kernel_seconds = 1e-9 * (double)report->counters.kernel_ns;
        stage->flop = report->counters.flop;
        stage->peak_bytes = report->peak_bytes;
        if (report->peak_bytes > out->peak_bytes)
            out->peak_bytes = report->peak_bytes;
    }
}

static void tell_model(struct tess_bench_asset *out, const struct asset_run *run)
{
    const struct tess_model *model = run->params->model;
    const char *directory = tess_model_directory(model), *slash;
    // Its own name is enough: the way to it is nobody's business.
    slash = strrchr(directory, '/');
    snprintf(out->model, sizeof out->model, "%s",
             slash && slash[1] ? slash + 1 : directory);
    uint32_t structure = run->params->structure_steps, latent = run->params->latent_steps;
    out->structure_steps = structure ? structure : model->config.structure_sampler.steps;
    out->latent_steps = latent ? latent : model->config.latent_sampler.steps;
    out->voxels = run->voxels;
}

static enum tess_status measure(struct tess_bench_asset *out, struct asset_run *run)
{
    const struct tess_bench_params *params = run->params;
    const struct tess_flow *flow;
    TESS_TRY(tess_model_flow(&flow, params->model, run->ctx, true));
    uint32_t side = (uint32_t)tess_flow_config(flow)->resolution;
    run->resolution = side;
    // As many as objects have on a grid of this size, the square of the side by its area.
    run->voxels = params->voxels ? params->voxels
                                 : (size_t)side * side * PUBLISHED_SHELL /
                                       ((size_t)PUBLISHED_SIDE * PUBLISHED_SIDE);
    run->voxels = run->voxels ? run->voxels : 1;
    TESS_TRY(make_input(run));
    TESS_TRY(warm_up(run));
    size_t first = run->ctx->stage_count;
    double start = tess_seconds_now();
    unsigned representations =
        tess_model_representations(params->model, run->ctx) & (TESS_MESH | TESS_SPLATS);
    struct tess_finish after = {.clean = &(struct tess_clean_params){0},
                                .bake = &(struct tess_bake_params){0}};
    if (params->form == TESS_BENCH_TINY)
        after = (struct tess_finish){.clean = &brief_cleaning, .bake = &brief_baking};
    TESS_TRY(generate(run, &(struct tess_generate_params){
                               .representations = representations,
                               .finish = &after,
                               .seed = SEED,
                               .structure = {.steps = params->structure_steps},
                               .latent = {.steps = params->latent_steps},
                               .voxels = run->voxels}));
    out->seconds = tess_seconds_now() - start;
    TESS_TRY(finish(run, run->voxels, after.clean, after.bake));
    tell_stages(out, run->ctx, first);
    tell_model(out, run);
    return TESS_OK;
}

enum tess_status tess_bench_asset_run(struct tess_bench_asset *out,
                                      struct tess_context *ctx,
                                      const struct tess_bench_params *params)
{
    struct asset_run run = {.ctx = ctx, .params = params};
    struct tess_bench_asset asset = {0};
    enum tess_status status = measure(&asset, &run);
    tess_image_destroy(&run.input);
    if (!status)
        *out = asset;
    return status;
}
