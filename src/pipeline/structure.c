// From noise to occupied voxels.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/generation.h"

// ---- noise ----

// [channels][R³], from the file if it has some. The stream goes on in either case: the
// features' noise comes after this.
static enum tess_status draw_planes(float **out, struct tess_generation *g,
                                    struct tess_seed_run *variant)
{
    const struct tess_flow_config *config = tess_flow_config(g->structure_flow);
    size_t R = config->resolution, C = config->in_channels, count = R * R * R * C;
    const struct tess_file_tensor *given = NULL;
    float *planes = NULL;
    if (g->noise_file && tess_safetensors_find(g->noise_file, "noise_ss"))
        TESS_TRY(tess_safetensors_require(&given, g->noise_file, &g->ctx->env, "noise_ss",
                                          1u << TESS_F32, 5,
                                          (const size_t[]){1, C, R, R, R}));
    TESS_TRY(tess_alloc(&planes, &g->ctx->env, count, sizeof *planes, "noise"));
    tess_noise_normal(planes, count, &variant->noise);
    if (given)
        tess_file_tensor_floats(planes, given);
    *out = planes;
    return TESS_OK;
}

static enum tess_status draw_noise(struct tess_generation *g,
                                   struct tess_seed_run *variant)
{
    const struct tess_flow_config *config = tess_flow_config(g->structure_flow);
    size_t R = config->resolution, rows = R * R * R, C = config->in_channels;
    float *planes = NULL;
    TESS_TRY(draw_planes(&planes, g, variant));
    enum tess_status status =
        tess_alloc(&variant->structure, &g->ctx->env, rows, C * sizeof(float), "noise");
    for (size_t i = 0; i < rows * C && !status; i++)
        variant->structure[i % rows * C + i / rows] = planes[i];
    free(planes);
    return status;
}

// ---- voxels ----

static enum tess_status keep_logits(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    memcpy((float *)user + row0, data, rows * sizeof(float));
    return TESS_OK;
}

// Coordinates of the logits above 0, in raster order.
static enum tess_status place_voxels(struct tess_generation *g,
                                     struct tess_seed_run *variant, const float *logits,
                                     size_t side)
{
    size_t count = 0, cells = side * side * side;
    for (size_t i = 0; i < cells; i++)
        count += logits[i] > 0;
    if (!count) {
        variant->state = TESS_VARIANT_EMPTY;
        return TESS_OK;
    }
    TESS_TRY(tess_latent_create(&variant->latent, &g->ctx->env, count,
                                "the generated latent"));
    int32_t *at = variant->latent->coords;
    for (size_t i = 0; i < cells; i++) {
        if (!(logits[i] > 0))
            continue;
        at[0] = (int32_t)(i / (side * side));
        at[1] = (int32_t)(i / side % side);
        at[2] = (int32_t)(i % side);
        at += 3;
    }
    variant->state = TESS_VARIANT_PLACED;
    return TESS_OK;
}

// The shell that plans are made for.
static enum tess_status place_shell(struct tess_generation *g,
                                    struct tess_seed_run *variant, size_t side)
{
    struct tess_latent *shell = NULL;
    TESS_TRY(
        tess_latent_shell(&shell, &g->ctx->env, g->params->voxels, (uint32_t)side, 1));
    enum tess_status status = tess_latent_create(&variant->latent, &g->ctx->env,
                                                 shell->voxels, "the generated latent");
    if (!status) {
        memcpy(variant->latent->coords, shell->coords,
               3 * shell->voxels * sizeof *shell->coords);
        variant->state = TESS_VARIANT_PLACED;
    }
    tess_latent_free(&shell);
    return status;
}

static enum tess_status take_voxels(struct tess_generation *g,
                                    struct tess_seed_run *variant, const float *logits,
                                    size_t side)
{
    TESS_TRY(g->params->voxels ? place_shell(g, variant, side)
                               : place_voxels(g, variant, logits, side));
    if (variant->state == TESS_VARIANT_EMPTY)
        return TESS_OK;
    return tess_generation_keep_latent(g, variant->latent, variant->structure_name,
                                       variant->structure_key);
}

static enum tess_status decode(struct tess_generation *g, struct tess_seed_run *variant)
{
    size_t R = tess_flow_config(g->structure_flow)->resolution;
    size_t side = R << (tess_structure_decoder_config(g->structure_decoder)->levels - 1);
    float *logits = NULL;
    TESS_TRY(tess_alloc(&logits, &g->ctx->env, side * side * side, sizeof *logits,
                        "logits of occupancy"));
    struct tess_structure_job job = {.decoder = g->structure_decoder,
                                     .latents = variant->structure,
                                     .resolution = R,
                                     .rows = keep_logits,
                                     .user = logits};
    enum tess_status status =
        tess_context_run(g->ctx, "structure decoder", tess_structure_stage, &job);
    if (!status)
        status = take_voxels(g, variant, logits, side);
    free(logits);
    return status;
}

// ---- all variants ----

// As the original's variants of a shape: the features' noise is the first that is drawn.
static enum tess_status take_given(struct tess_generation *g,
                                   struct tess_seed_run *variant)
{
    const struct tess_latent *given = g->params->structure_coords;
    TESS_TRY(tess_latent_create(&variant->latent, &g->ctx->env, given->voxels,
                                "the generated latent"));
    memcpy(variant->latent->coords, given->coords, given->voxels * 3 * sizeof(int32_t));
    variant->state = TESS_VARIANT_PLACED;
    return TESS_OK;
}

// Noise, and voxels that need no sampling.
static enum tess_status begin(struct tess_generation *g, struct tess_seed_run *variant)
{
    tess_noise_seed(&variant->noise, variant->seed);
    if (g->params->structure_coords)
        return take_given(g, variant);
    TESS_TRY(draw_noise(g, variant));
    TESS_TRY(tess_generation_take_latent(&variant->latent, g, variant->structure_name,
                                         variant->structure_key));
    if (variant->latent)
        variant->state = TESS_VARIANT_PLACED;
    return TESS_OK;
}

enum tess_status tess_generation_place(struct tess_generation *g)
{
    size_t R = tess_flow_config(g->structure_flow)->resolution, count = 0;
    struct tess_flow_item items[TESS_VARIANTS_MAX];
    for (size_t i = 0; i < g->variant_count; i++)
        if (g->variants[i].state == TESS_VARIANT_NEW)
            TESS_TRY(begin(g, &g->variants[i]));
    for (size_t i = 0; i < g->variant_count; i++)
        if (g->variants[i].state == TESS_VARIANT_NEW)
            items[count++] =
                (struct tess_flow_item){.rows = R * R * R, .x = g->variants[i].structure};
    TESS_TRY(tess_generation_sample(g, false, items, count));
    for (size_t i = 0; i < g->variant_count; i++)
        if (g->variants[i].state == TESS_VARIANT_NEW)
            TESS_TRY(decode(g, &g->variants[i]));
    return TESS_OK;
}
