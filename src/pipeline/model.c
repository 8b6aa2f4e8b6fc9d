// Model directories and latents.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "pipeline/context.h"
#include "pipeline/places.h"

enum tess_status tess_model_open(struct tess_model **out, struct tess_context *ctx,
                                 const char *directory)
{
    tess_context_begin(ctx);
    struct tess_model *model = NULL;
    TESS_TRY(tess_alloc(&model, &ctx->env, 1, sizeof *model, "a model"));
    enum tess_status status = tess_places_model(&model->directory, &ctx->env, directory);
    if (!status)
        status = tess_pipeline_config_read(&model->config, &ctx->env, model->directory);
    if (status) {
        tess_model_destroy(&model);
        return status;
    }
    *out = model;
    return TESS_OK;
}

enum tess_status tess_model_set_encoder(struct tess_model *model,
                                        struct tess_context *ctx, const char *path)
{
    tess_context_begin(ctx);
    char *copy = NULL;
    if (path)
        TESS_TRY(tess_strdup(&copy, &ctx->env, path));
    tess_image_encoder_close(&model->encoder);
    free(model->encoder_path);
    model->encoder_path = copy;
    return TESS_OK;
}

static void destroy_parts(struct tess_model *model)
{
    for (size_t i = 0; model->parts && i < model->config.part_count; i++) {
        free((char *)(uintptr_t)model->parts[i].network);
        free((char *)(uintptr_t)model->parts[i].problem);
        free((char *)(uintptr_t)model->parts[i].summary);
    }
    free(model->parts);
    model->parts = NULL;
}

void tess_model_destroy(struct tess_model **model)
{
    if (!*model)
        return;
    destroy_parts(*model);
    for (int i = 0; i < TESS_DECODER_COUNT; i++)
        tess_slat_decoder_close(&(*model)->decoders[i]);
    tess_image_encoder_close(&(*model)->encoder);
    tess_flow_close(&(*model)->flows[0]);
    tess_flow_close(&(*model)->flows[1]);
    tess_structure_decoder_close(&(*model)->structure_decoder);
    tess_pipeline_config_clear(&(*model)->config);
    free((*model)->directory);
    free((*model)->encoder_path);
    free(*model);
    *model = NULL;
}

// ---- decoders ----

static const struct {
    enum tess_representation representation;
    const char *role;
    enum tess_slat_kind kind;
} decoder_roles[TESS_DECODER_COUNT] = {
    [TESS_DECODER_GAUSSIAN] = {TESS_SPLATS, "slat_decoder_gs", TESS_SLAT_GAUSSIAN},
    [TESS_DECODER_MESH] = {TESS_MESH, "slat_decoder_mesh", TESS_SLAT_MESH},
};

static const struct tess_pipeline_part *find_part(const struct tess_model *model,
                                                  const char *role)
{
    for (size_t i = 0; i < model->config.part_count; i++)
        if (strcmp(model->config.parts[i].role, role) == 0)
            return &model->config.parts[i];
    return NULL;
}

static int decoder_index(enum tess_representation representation)
{
    return representation == TESS_MESH ? TESS_DECODER_MESH : TESS_DECODER_GAUSSIAN;
}

bool tess_model_has(const struct tess_model *model,
                    enum tess_representation representation)
{
    return find_part(model, decoder_roles[decoder_index(representation)].role) != NULL;
}

enum tess_status tess_model_decoder(const struct tess_slat_decoder **out,
                                    struct tess_model *model, struct tess_context *ctx,
                                    enum tess_representation representation)
{
    int index = decoder_index(representation);
    const char *role = decoder_roles[index].role;
    struct tess_slat_decoder **slot = &model->decoders[index];
    if (!*slot) {
        const struct tess_pipeline_part *part = find_part(model, role);
        if (!part)
            return tess_fail(
                &ctx->env, TESS_ERR_FILE,
                "%s/pipeline.json: field args.models.%s is missing, expected the "
                "path of a decoder",
                model->directory, role);
        TESS_TRY(tess_slat_decoder_open(slot, &ctx->env, part->path));
        if (tess_slat_decoder_config(*slot)->kind != decoder_roles[index].kind) {
            tess_slat_decoder_close(slot);
            return tess_fail(&ctx->env, TESS_ERR_FILE,
                             "%s.json: field name is of another kind of decoder than %s",
                             part->path, role);
        }
    }
    *out = *slot;
    return TESS_OK;
}

// ---- the chain from a picture ----

static enum tess_status need_part(const char **path, struct tess_model *model,
                                  struct tess_context *ctx, const char *role)
{
    const struct tess_pipeline_part *part = find_part(model, role);
    if (!part)
        return tess_fail(
            &ctx->env, TESS_ERR_FILE,
            "%s/pipeline.json: field args.models.%s is missing, expected the "
            "path of a network",
            model->directory, role);
    *path = part->path;
    return TESS_OK;
}

enum tess_status tess_model_encoder(const struct tess_image_encoder **out,
                                    struct tess_model *model, struct tess_context *ctx)
{
    if (!model->encoder) {
        if (!model->encoder_path)
            TESS_TRY(
                tess_places_encoder(&model->encoder_path, &ctx->env, model->directory));
        TESS_TRY(
            tess_image_encoder_open(&model->encoder, &ctx->env, model->encoder_path));
    }
    *out = model->encoder;
    return TESS_OK;
}

enum tess_status tess_model_flow(const struct tess_flow **out, struct tess_model *model,
                                 struct tess_context *ctx, bool sparse)
{
    struct tess_flow **slot = &model->flows[sparse];
    if (!*slot) {
        const char *role = sparse ? "slat_flow_model" : "sparse_structure_flow_model";
        const char *path = NULL;
        TESS_TRY(need_part(&path, model, ctx, role));
        TESS_TRY(tess_flow_open(slot, &ctx->env, path));
        if (tess_flow_config(*slot)->sparse != sparse) {
            tess_flow_close(slot);
            return tess_fail(&ctx->env, TESS_ERR_FILE,
                             "%s.json: field name is of another kind of model than %s",
                             path, role);
        }
    }
    *out = *slot;
    return TESS_OK;
}

enum tess_status tess_model_structure_decoder(const struct tess_structure_decoder **out,
                                              struct tess_model *model,
                                              struct tess_context *ctx)
{
    if (!model->structure_decoder) {
        const char *path = NULL;
        TESS_TRY(need_part(&path, model, ctx, "sparse_structure_decoder"));
        TESS_TRY(tess_structure_decoder_open(&model->structure_decoder, &ctx->env, path));
    }
    *out = model->structure_decoder;
    return TESS_OK;
}

// ---- parts ----

static enum tess_status summarise(char **out, struct tess_env *env,
                                  const struct tess_slat_decoder_config *config)
{
    return tess_strf(
        out, env, "%u blocks, %u channels, %u heads, window %u, resolution %u",
        (unsigned)config->blocks, (unsigned)config->channels, (unsigned)config->heads,
        (unsigned)config->window_size, (unsigned)config->resolution);
}

static uint64_t file_bytes(struct tess_env *env, const char *path, const char *suffix)
{
    char *name = NULL;
    struct stat info;
    if (tess_strf(&name, env, "%s%s", path, suffix))
        return 0;
    uint64_t bytes = stat(name, &info) == 0 ? (uint64_t)info.st_size : 0;
    free(name);
    return bytes;
}

// A part whose network this version does not run: only that its files are there is looked
// at.
static enum tess_status describe_other(struct tess_model_part *part, struct tess_env *env,
                                       const char *path)
{
    part->state = TESS_PART_UNUSED;
    part->bytes = file_bytes(env, path, ".safetensors");
    return TESS_OK;
}

// What opening a part came to: files that are missing or bad are a state, not a failure.
static enum tess_status take_state(struct tess_model_part *part, struct tess_env *env,
                                   const char *path, enum tess_status opened)
{
    part->state = TESS_PART_READY;
    if (opened != TESS_ERR_FILE)
        return opened;
    bool there = file_bytes(env, path, ".json") && file_bytes(env, path, ".safetensors");
    part->state = there ? TESS_PART_BAD : TESS_PART_MISSING;
    return tess_strdup((char **)(uintptr_t)&part->problem, env, env->message);
}

static enum tess_status describe_decoder(struct tess_model_part *part,
                                         struct tess_env *env, const char *path)
{
    struct tess_slat_decoder *decoder = NULL;
    TESS_TRY(take_state(part, env, path, tess_slat_decoder_open(&decoder, env, path)));
    if (!decoder)
        return TESS_OK;
    part->parameters = tess_slat_decoder_parameters(decoder);
    part->bytes = tess_slat_decoder_bytes(decoder);
    part->resolution = tess_slat_decoder_config(decoder)->resolution;
    part->channels = tess_slat_decoder_config(decoder)->latent_channels;
    enum tess_status status = summarise((char **)(uintptr_t)&part->summary, env,
                                        tess_slat_decoder_config(decoder));
    tess_slat_decoder_close(&decoder);
    return status;
}

static enum tess_status describe_flow(struct tess_model_part *part, struct tess_env *env,
                                      const char *path)
{
    struct tess_flow *flow = NULL;
    TESS_TRY(take_state(part, env, path, tess_flow_open(&flow, env, path)));
    if (!flow)
        return TESS_OK;
    const struct tess_flow_config *config = tess_flow_config(flow);
    part->parameters = tess_flow_parameters(flow);
    part->bytes = tess_flow_bytes(flow);
    enum tess_status status =
        tess_strf((char **)(uintptr_t)&part->summary, env,
                  "%u blocks, %u channels, %u heads, resolution %u",
                  (unsigned)config->blocks, (unsigned)config->channels,
                  (unsigned)config->heads, (unsigned)config->resolution);
    tess_flow_close(&flow);
    return status;
}

static enum tess_status describe_structure_decoder(struct tess_model_part *part,
                                                   struct tess_env *env, const char *path)
{
    struct tess_structure_decoder *decoder = NULL;
    TESS_TRY(
        take_state(part, env, path, tess_structure_decoder_open(&decoder, env, path)));
    if (!decoder)
        return TESS_OK;
    const struct tess_structure_decoder_config *config =
        tess_structure_decoder_config(decoder);
    part->parameters = tess_structure_decoder_parameters(decoder);
    part->bytes = tess_structure_decoder_bytes(decoder);
    enum tess_status status =
        tess_strf((char **)(uintptr_t)&part->summary, env, "%u levels, %u to %u channels",
                  (unsigned)config->levels, (unsigned)config->channels[0],
                  (unsigned)config->channels[config->levels - 1]);
    tess_structure_decoder_close(&decoder);
    return status;
}

static bool decodes(const char *role)
{
    for (int i = 0; i < TESS_DECODER_COUNT; i++)
        if (strcmp(decoder_roles[i].role, role) == 0)
            return true;
    return false;
}

static enum tess_status describe_part(struct tess_model_part *part, struct tess_env *env,
                                      const struct tess_pipeline_part *config)
{
    char *json = NULL, *network = NULL;
    part->role = config->role;
    part->path = config->path;
    TESS_TRY(tess_strf(&json, env, "%s.json", config->path));
    if (tess_network_name_read(&network, env, json) != TESS_OK)
        network = NULL;
    free(json);
    part->network = network;
    enum tess_status status;
    if (decodes(config->role))
        status = describe_decoder(part, env, config->path);
    else if (strcmp(config->role, "sparse_structure_flow_model") == 0 ||
             strcmp(config->role, "slat_flow_model") == 0)
        status = describe_flow(part, env, config->path);
    else if (strcmp(config->role, "sparse_structure_decoder") == 0)
        status = describe_structure_decoder(part, env, config->path);
    else
        status = describe_other(part, env, config->path);
    const char **texts[] = {&part->network, &part->problem, &part->summary};
    for (size_t i = 0; i < 3 && !status; i++)
        if (!*texts[i])
            status = tess_strdup((char **)(uintptr_t)texts[i], env, "");
    return status;
}

enum tess_status tess_model_parts(struct tess_model *model, struct tess_context *ctx,
                                  const struct tess_model_part **parts, size_t *count)
{
    tess_context_begin(ctx);
    if (!model->parts) {
        TESS_TRY(tess_alloc(&model->parts, &ctx->env, model->config.part_count,
                            sizeof *model->parts, "a model's parts"));
        for (size_t i = 0; i < model->config.part_count; i++) {
            enum tess_status status =
                describe_part(&model->parts[i], &ctx->env, &model->config.parts[i]);
            if (status) {
                destroy_parts(model);
                return status;
            }
        }
        tess_context_begin(ctx);
    }
    *parts = model->parts;
    *count = model->config.part_count;
    return TESS_OK;
}

// ---- latents ----

enum tess_status tess_latent_open(struct tess_latent **out, struct tess_context *ctx,
                                  const char *path)
{
    tess_context_begin(ctx);
    return tess_latent_load(out, &ctx->env, path);
}

enum tess_status tess_latent_create_shell(struct tess_latent **out,
                                          struct tess_context *ctx, size_t voxels,
                                          uint32_t resolution, uint32_t channels)
{
    tess_context_begin(ctx);
    return tess_latent_shell(out, &ctx->env, voxels, resolution, channels);
}

size_t tess_latent_voxels(const struct tess_latent *latent)
{
    return latent->voxels;
}

void tess_latent_destroy(struct tess_latent **latent)
{
    tess_latent_free(latent);
}
