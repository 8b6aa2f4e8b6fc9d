// What made a result, as text that is compared whole when the result is taken up again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "pipeline/generation.h"
#include "pipeline/keep.h"
#include "rt/matrix_unit.h"

// Of a network's weights. They are read whole only where a key goes into a file or comes
// from one; a model does that once.
static unsigned long long fingerprint(struct tess_generation *g,
                                      const struct tess_checkpoint *file)
{
    struct tess_fingerprint *known = g->model->fingerprints;
    size_t i = 0;
    if (!g->params->keep_dir && !g->params->from_dir)
        return 0;
    while (i < TESS_FINGERPRINTS - 1 && known[i].file && known[i].file != file)
        i++;
    if (known[i].file != file)
        known[i] = (struct tess_fingerprint){file, tess_checkpoint_fingerprint(file)};
    return known[i].value;
}

static void describe_sampler(char *text, size_t size,
                             const struct tess_sampler_config *config,
                             const struct tess_sampling *asked,
                             unsigned long long weights)
{
    struct tess_schedule schedule = tess_generation_schedule(config, asked);
    snprintf(
        text, size,
        " steps %u guidance %.17g interval %.17g,%.17g rescale %.17g weights %016llx",
        (unsigned)schedule.steps, schedule.guidance, schedule.interval[0],
        schedule.interval[1], schedule.rescale_t, weights);
}

static void describe_condition(struct tess_generation *g)
{
    uint64_t hash = TESS_HASH_START;
    for (size_t i = 0; i < g->condition_count; i++) {
        const struct tess_picture *picture = &g->images[i]->picture;
        hash = tess_hash(hash, picture->pixels,
                         (size_t)picture->width * picture->height * 4);
    }
    enum tess_matrix_unit unit = tess_device_unit(g->ctx->device);
    snprintf(g->condition_key, sizeof g->condition_key,
             "condition 2; pictures %zu %016llx; encoder %016llx; device %.128s%s%s",
             g->condition_count, (unsigned long long)hash,
             fingerprint(g, tess_image_encoder_file(g->encoder)),
             tess_device_facts(g->ctx->device)->name, unit ? ", unit " : "",
             unit ? tess_matrix_unit_name(unit) : "");
}

// " noise 0123456789abcdef" of the tensors of a noise file, else "".
static void describe_noise(char text[32], const struct tess_generation *g)
{
    static const char *const names[] = {"noise_ss", "noise_slat"};
    uint64_t hash = TESS_HASH_START;
    text[0] = '\0';
    if (!g->noise_file)
        return;
    for (int i = 0; i < 2; i++) {
        const struct tess_file_tensor *tensor =
            tess_safetensors_find(g->noise_file, names[i]);
        if (tensor)
            hash = tess_hash(hash, tensor->data, tensor->bytes);
    }
    snprintf(text, 32, " noise %016llx", (unsigned long long)hash);
}

static void describe_variant(struct tess_generation *g, struct tess_seed_run *variant)
{
    const struct tess_generate_params *params = g->params;
    const struct tess_pipeline_config *config = &g->model->config;
    const struct tess_latent *given = params->structure_coords;
    char noise[32];
    describe_noise(noise, g);
    size_t size = sizeof variant->structure_key;
    int used = snprintf(
        variant->structure_key, size,
        "%s; structure seed %llu%s multi %d voxels %zu decoder %016llx", g->condition_key,
        (unsigned long long)variant->seed, noise, params->multi_diffusion, params->voxels,
        fingerprint(g, tess_structure_decoder_file(g->structure_decoder)));
    describe_sampler(variant->structure_key + used, size - (size_t)used,
                     &config->structure_sampler, &params->structure,
                     fingerprint(g, tess_flow_file(g->structure_flow)));
    size = sizeof variant->latent_key;
    used = snprintf(variant->latent_key, size, "%s; latent", variant->structure_key);
    if (given)
        used +=
            snprintf(variant->latent_key + used, size - (size_t)used,
                     " of %zu given voxels %016llx", given->voxels,
                     (unsigned long long)tess_hash(TESS_HASH_START, given->coords,
                                                   given->voxels * 3 * sizeof(int32_t)));
    used +=
        snprintf(variant->latent_key + used, size - (size_t)used, " normalised %016llx",
                 (unsigned long long)tess_hash(
                     tess_hash(TESS_HASH_START, config->mean,
                               config->latent_channels * sizeof *config->mean),
                     config->std, config->latent_channels * sizeof *config->std));
    describe_sampler(variant->latent_key + used, size - (size_t)used,
                     &config->latent_sampler, &params->latent,
                     fingerprint(g, tess_flow_file(g->latent_flow)));
    snprintf(variant->structure_name, sizeof variant->structure_name, "structure-%llu",
             (unsigned long long)variant->seed);
    snprintf(variant->latent_name, sizeof variant->latent_name, "latent-%llu",
             (unsigned long long)variant->seed);
}

void tess_generation_describe(struct tess_generation *g)
{
    describe_condition(g);
    for (size_t i = 0; i < g->variant_count; i++)
        describe_variant(g, &g->variants[i]);
}

// ---- keeping and taking up ----

enum tess_status tess_generation_keep(struct tess_generation *g, const char *name,
                                      const char *key,
                                      const struct tess_file_tensor *tensors,
                                      size_t count)
{
    const char *dir = g->params->keep_dir;
    return dir ? tess_keep_write(g->ctx, dir, name, key, tensors, count) : TESS_OK;
}

enum tess_status tess_generation_keep_latent(struct tess_generation *g,
                                             const struct tess_latent *latent,
                                             const char *name, const char *key)
{
    struct tess_file_tensor tensors[2];
    int32_t *coords = NULL;
    if (!g->params->keep_dir)
        return TESS_OK;
    TESS_TRY(tess_latent_tensors(tensors, &coords, &g->ctx->env, latent));
    enum tess_status status =
        tess_generation_keep(g, name, key, tensors, latent->feats ? 2 : 1);
    free(coords);
    return status;
}

enum tess_status tess_generation_look_for(struct tess_safetensors **out,
                                          struct tess_generation *g, const char *name,
                                          const char *key)
{
    const char *dir = g->params->from_dir;
    *out = NULL;
    return dir ? tess_keep_open(out, g->ctx, dir, name, key) : TESS_OK;
}

// What the latent flow can have made.
static enum tess_status check_latent(struct tess_generation *g,
                                     const struct tess_latent *latent)
{
    const struct tess_flow_config *config = tess_flow_config(g->latent_flow);
    for (size_t i = 0; i < 3 * latent->voxels; i++)
        if (latent->coords[i] >= (int32_t)config->resolution)
            return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                             "%s: tensor coords row %zu has coordinate %d, expected "
                             "0..%u",
                             latent->path, i / 3, (int)latent->coords[i],
                             (unsigned)config->resolution - 1);
    if (latent->feats && latent->channels != config->in_channels)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "%s: tensor feats has %zu channels, expected %u", latent->path,
                         latent->channels, (unsigned)config->in_channels);
    return TESS_OK;
}

enum tess_status tess_generation_take_latent(struct tess_latent **out,
                                             struct tess_generation *g, const char *name,
                                             const char *key)
{
    struct tess_safetensors *kept = NULL;
    *out = NULL;
    TESS_TRY(tess_generation_look_for(&kept, g, name, key));
    if (!kept)
        return TESS_OK;
    struct tess_latent *latent = NULL;
    enum tess_status status = tess_latent_read(&latent, &g->ctx->env, kept, true);
    tess_safetensors_close(&kept);
    if (!status)
        status = check_latent(g, latent);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}
