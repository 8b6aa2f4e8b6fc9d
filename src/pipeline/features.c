// Features for occupied voxels.
#include "base/alloc.h"
#include "pipeline/generation.h"

static enum tess_status draw_noise(struct tess_generation *g,
                                   struct tess_seed_run *variant)
{
    struct tess_latent *latent = variant->latent;
    size_t C = latent->channels = tess_flow_config(g->latent_flow)->in_channels;
    const struct tess_file_tensor *given = NULL;
    if (g->noise_file && tess_safetensors_find(g->noise_file, "noise_slat"))
        TESS_TRY(tess_safetensors_require(&given, g->noise_file, &g->ctx->env,
                                          "noise_slat", 1u << TESS_F32, 2,
                                          (const size_t[]){latent->voxels, C}));
    TESS_TRY(tess_alloc(&latent->feats, &g->ctx->env, latent->voxels, C * sizeof(float),
                        "noise"));
    tess_noise_normal(latent->feats, latent->voxels * C, &variant->noise);
    if (given)
        tess_file_tensor_floats(latent->feats, given);
    return TESS_OK;
}

// Samples times std, plus mean.
static enum tess_status complete(struct tess_generation *g, struct tess_seed_run *variant)
{
    const struct tess_pipeline_config *config = &g->model->config;
    struct tess_latent *latent = variant->latent;
    for (size_t i = 0; i < latent->voxels * latent->channels; i++)
        latent->feats[i] = latent->feats[i] * config->std[i % latent->channels] +
                           config->mean[i % latent->channels];
    variant->state = TESS_VARIANT_DONE;
    return tess_generation_keep_latent(g, latent, variant->latent_name,
                                       variant->latent_key);
}

enum tess_status tess_generation_finish(struct tess_generation *g)
{
    struct tess_flow_item items[TESS_VARIANTS_MAX];
    const struct tess_latent *largest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < g->variant_count; i++) {
        struct tess_seed_run *variant = &g->variants[i];
        if (variant->state != TESS_VARIANT_PLACED)
            continue;
        TESS_TRY(draw_noise(g, variant));
        const struct tess_latent *latent = variant->latent;
        items[count++] =
            (struct tess_flow_item){latent->coords, latent->voxels, latent->feats};
        if (!largest || latent->voxels > largest->voxels)
            largest = latent;
    }
    if (!count)
        return TESS_OK;
    TESS_TRY(tess_generation_check_voxels(g, largest));
    TESS_TRY(tess_generation_sample(g, true, items, count));
    for (size_t i = 0; i < g->variant_count; i++)
        if (g->variants[i].state == TESS_VARIANT_PLACED)
            TESS_TRY(complete(g, &g->variants[i]));
    return TESS_OK;
}
