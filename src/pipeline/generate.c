// Pictures to structured latents: image encoder, structure flow, structure decoder,
// latent flow.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/generation.h"
#include "pipeline/keep.h"
#include "pipeline/provenance.h"

// ---- networks ----

static enum tess_status check_sampler(const struct tess_generation *g,
                                      const struct tess_sampler_config *config,
                                      const struct tess_flow *flow)
{
    uint32_t channels = tess_image_encoder_sizes(g->encoder).channels;
    if (!config->present)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "%s/pipeline.json: a sampler's parameters are missing",
                         g->model->directory);
    if (tess_flow_config(flow)->cond_channels != channels)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "%s: the image encoder makes %u channels, %s takes %u",
                         g->model->directory, (unsigned)channels,
                         tess_flow_stage_name(flow),
                         (unsigned)tess_flow_config(flow)->cond_channels);
    return TESS_OK;
}

static enum tess_status check_networks(const struct tess_generation *g)
{
    const struct tess_pipeline_config *config = &g->model->config;
    uint32_t made = tess_flow_config(g->structure_flow)->in_channels;
    uint32_t taken = tess_structure_decoder_config(g->structure_decoder)->latent_channels;
    size_t features = tess_flow_config(g->latent_flow)->in_channels;
    if (made != taken)
        return tess_fail(
            &g->ctx->env, TESS_ERR_FILE,
            "%s: the structure flow makes %u channels, the structure decoder takes %u",
            g->model->directory, (unsigned)made, (unsigned)taken);
    if (config->latent_channels != features)
        return tess_fail(
            &g->ctx->env, TESS_ERR_FILE,
            "%s/pipeline.json: field args.slat_normalization has %zu channels, the "
            "latent flow model has %zu",
            g->model->directory, config->latent_channels, features);
    TESS_TRY(check_sampler(g, &config->structure_sampler, g->structure_flow));
    return check_sampler(g, &config->latent_sampler, g->latent_flow);
}

enum tess_status tess_generation_open(struct tess_generation *g)
{
    TESS_TRY(tess_model_encoder(&g->encoder, g->model, g->ctx));
    TESS_TRY(tess_model_flow(&g->structure_flow, g->model, g->ctx, false));
    TESS_TRY(tess_model_structure_decoder(&g->structure_decoder, g->model, g->ctx));
    TESS_TRY(tess_model_flow(&g->latent_flow, g->model, g->ctx, true));
    TESS_TRY(check_networks(g));
    struct tess_image_encoder_sizes sizes = tess_image_encoder_sizes(g->encoder);
    g->tokens = sizes.tokens;
    return tess_alloc(&g->conditions, &g->ctx->env, g->condition_count * g->tokens,
                      sizes.channels * sizeof(float), "conditions");
}

void tess_generation_close(struct tess_generation *g)
{
    for (size_t i = 0; i < g->variant_count; i++) {
        free(g->variants[i].structure);
        tess_latent_free(&g->variants[i].latent);
    }
    tess_safetensors_close(&g->noise_file);
    free(g->conditions);
}

// ---- the whole ----

static enum tess_status open_noise(struct tess_generation *g)
{
    const char *path = g->params->noise_path;
    if (!path)
        return TESS_OK;
    if (g->variant_count > 1)
        return tess_fail(&g->ctx->env, TESS_ERR_ARG,
                         "%s: noise from a file makes one variant, %zu seeds are given",
                         path, g->variant_count);
    TESS_TRY(tess_safetensors_open(&g->noise_file, &g->ctx->env, path));
    if (!tess_safetensors_find(g->noise_file, "noise_ss") &&
        !tess_safetensors_find(g->noise_file, "noise_slat"))
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "%s: no tensor noise_ss or noise_slat", path);
    return tess_provenance_file(g->ctx, TESS_FILE_INPUT, path);
}

static enum tess_status take_kept(struct tess_generation *g, bool *all)
{
    *all = true;
    for (size_t i = 0; i < g->variant_count; i++) {
        struct tess_seed_run *variant = &g->variants[i];
        TESS_TRY(tess_generation_take_latent(&variant->latent, g, variant->latent_name,
                                             variant->latent_key));
        if (variant->latent && !variant->latent->feats)
            return tess_fail(&g->ctx->env, TESS_ERR_FILE, "%s: tensor feats is missing",
                             variant->latent->path);
        if (variant->latent)
            variant->state = TESS_VARIANT_DONE;
        *all = *all && variant->latent;
    }
    return TESS_OK;
}

static enum tess_status run(struct tess_generation *g)
{
    bool all;
    if (g->params->keep_dir)
        TESS_TRY(tess_keep_prepare(g->ctx, g->params->keep_dir));
    TESS_TRY(open_noise(g));
    TESS_TRY(tess_generation_open(g));
    tess_generation_describe(g);
    TESS_TRY(tess_provenance_generation(g));
    TESS_TRY(take_kept(g, &all));
    if (all)
        return TESS_OK;
    TESS_TRY(tess_generation_check_start(g));
    TESS_TRY(tess_generation_encode(g));
    TESS_TRY(tess_generation_place(g));
    return tess_generation_finish(g);
}

// Latents to their places. Without any there is a failure.
static enum tess_status hand_out(struct tess_latent **out, struct tess_generation *g)
{
    size_t empty = 0;
    for (size_t i = 0; i < g->variant_count; i++)
        empty += g->variants[i].state == TESS_VARIANT_EMPTY;
    if (empty == g->variant_count)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "the structure came out empty: try another seed or picture");
    for (size_t i = 0; i < g->variant_count; i++) {
        struct tess_seed_run *variant = &g->variants[i];
        out[i] = variant->latent;
        variant->latent = NULL;
        if (!out[i])
            tess_log(&g->ctx->env, TESS_LOG_WARNING,
                     "seed %llu: the structure came out empty",
                     (unsigned long long)variant->seed);
    }
    return TESS_OK;
}

enum tess_status tess_generate_variants(struct tess_latent **out,
                                        struct tess_context *ctx,
                                        struct tess_model *model,
                                        struct tess_image *const *images, size_t count,
                                        const struct tess_generate_params *params,
                                        const uint64_t *seeds, size_t seed_count)
{
    static const struct tess_generate_params defaults = {0};
    tess_context_begin(ctx);
    if (count < 1 || count > TESS_CONDITIONS_MAX)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%zu pictures, expected 1 to %d", count,
                         TESS_CONDITIONS_MAX);
    if (seed_count < 1 || seed_count > TESS_VARIANTS_MAX)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%zu seeds, expected 1 to %d",
                         seed_count, TESS_VARIANTS_MAX);
    if (params)
        TESS_TRY(tess_decode_open(ctx, model, params->representations));
    struct tess_generation *g = NULL;
    TESS_TRY(tess_alloc(&g, &ctx->env, 1, sizeof *g, "a generation"));
    g->ctx = ctx;
    g->model = model;
    g->params = params ? params : &defaults;
    g->images = images;
    g->condition_count = count;
    g->variant_count = seed_count;
    for (size_t i = 0; i < seed_count; i++)
        g->variants[i].seed = seeds[i];
    enum tess_status status = run(g);
    if (!status)
        status = hand_out(out, g);
    tess_generation_close(g);
    free(g);
    return status;
}

enum tess_status tess_generate(struct tess_latent **out, struct tess_context *ctx,
                               struct tess_model *model, struct tess_image *const *images,
                               size_t count, const struct tess_generate_params *params)
{
    uint64_t seed = params ? params->seed : 0;
    return tess_generate_variants(out, ctx, model, images, count, params, &seed, 1);
}
