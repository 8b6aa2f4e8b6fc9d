// The parts of a model, as tess_model_parts() tells them: the networks that pipeline.json
// names, and the image encoder.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "pipeline/context.h"
#include "pipeline/published.h"

// Texts of a part are its own, but for role and places.
static enum tess_status own(const char **text, struct tess_env *env, const char *from)
{
    return tess_strdup((char **)(uintptr_t)text, env, from);
}

void tess_model_forget_parts(struct tess_model *model)
{
    for (size_t i = 0; model->parts && i < model->config.part_count + 1; i++) {
        const struct tess_model_part *part = &model->parts[i];
        const char *const texts[] = {part->path, part->network, part->problem,
                                     part->summary};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            free((char *)(uintptr_t)texts[k]);
    }
    free(model->parts);
    model->parts = NULL;
}

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
    return own(&part->problem, env, env->message);
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
    return strcmp(role, "slat_decoder_gs") == 0 || strcmp(role, "slat_decoder_mesh") == 0;
}

static enum tess_status describe_encoder(struct tess_model_part *part,
                                         struct tess_model *model,
                                         struct tess_context *ctx)
{
    struct tess_env *env = &ctx->env;
    const struct tess_image_encoder *encoder = NULL;
    struct stat info;
    enum tess_status opened = tess_model_encoder(&encoder, model, ctx);
    part->role = TESS_ENCODER_ROLE;
    part->place = model->encoder_path ? model->encoder_place : "";
    TESS_TRY(own(&part->path, env, model->encoder_path ? model->encoder_path : ""));
    if (!encoder) {
        if (opened != TESS_ERR_FILE)
            return opened;
        bool there = model->encoder_path && stat(model->encoder_path, &info) == 0;
        part->state = there ? TESS_PART_BAD : TESS_PART_MISSING;
        return own(&part->problem, env, env->message);
    }
    struct tess_image_encoder_sizes sizes = tess_image_encoder_sizes(encoder);
    part->state = TESS_PART_READY;
    part->parameters = sizes.parameters;
    part->bytes = sizes.bytes;
    TESS_TRY(own(&part->network, env, "DINOv2"));
    return tess_strf(
        (char **)(uintptr_t)&part->summary, env,
        "%u blocks, %u channels, %u heads, %u registers, pictures of %u x %u",
        (unsigned)sizes.depth, (unsigned)sizes.channels, (unsigned)sizes.heads,
        (unsigned)sizes.registers, (unsigned)sizes.picture, (unsigned)sizes.picture);
}

static enum tess_status describe_network(struct tess_model_part *part,
                                         struct tess_model *model, struct tess_env *env,
                                         const struct tess_pipeline_part *config)
{
    char *json = NULL, *network = NULL;
    size_t inside = strlen(model->directory);
    part->role = config->role;
    part->place = strncmp(config->path, model->directory, inside) == 0
                      ? model->place
                      : "named by pipeline.json";
    TESS_TRY(own(&part->path, env, config->path));
    TESS_TRY(tess_strf(&json, env, "%s.json", config->path));
    if (tess_network_name_read(&network, env, json) != TESS_OK)
        network = NULL;
    free(json);
    part->network = network;
    if (decodes(config->role))
        return describe_decoder(part, env, config->path);
    if (strcmp(config->role, "sparse_structure_flow_model") == 0 ||
        strcmp(config->role, "slat_flow_model") == 0)
        return describe_flow(part, env, config->path);
    if (strcmp(config->role, "sparse_structure_decoder") == 0)
        return describe_structure_decoder(part, env, config->path);
    return describe_other(part, env, config->path);
}

static enum tess_status complete(struct tess_model_part *part, struct tess_env *env)
{
    const char **texts[] = {&part->path, &part->network, &part->problem, &part->summary};
    part->sources = tess_published(&part->source_count, part->role);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!*texts[i])
            TESS_TRY(own(texts[i], env, ""));
    return TESS_OK;
}

static enum tess_status describe_all(struct tess_model *model, struct tess_context *ctx)
{
    for (size_t i = 0; i <= model->config.part_count; i++) {
        struct tess_model_part *part = &model->parts[i];
        if (i < model->config.part_count)
            TESS_TRY(describe_network(part, model, &ctx->env, &model->config.parts[i]));
        else
            TESS_TRY(describe_encoder(part, model, ctx));
        TESS_TRY(complete(part, &ctx->env));
    }
    return TESS_OK;
}

enum tess_status tess_model_parts(struct tess_model *model, struct tess_context *ctx,
                                  const struct tess_model_part **parts, size_t *count)
{
    tess_context_begin(ctx);
    if (!model->parts) {
        TESS_TRY(tess_alloc(&model->parts, &ctx->env, model->config.part_count + 1,
                            sizeof *model->parts, "a model's parts"));
        enum tess_status status = describe_all(model, ctx);
        if (status) {
            tess_model_forget_parts(model);
            return status;
        }
        tess_context_begin(ctx);
    }
    *parts = model->parts;
    *count = model->config.part_count + 1;
    return TESS_OK;
}
