// Model directories and latents.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "pipeline/context.h"
#include "pipeline/places.h"

enum tess_status tess_model_open(struct tess_model **out, struct tess_context *ctx,
                                 const char *directory)
{
    tess_context_begin(ctx);
    struct tess_model *model = NULL;
    TESS_TRY(tess_alloc(&model, &ctx->env, 1, sizeof *model, "a model"));
    struct tess_place place = {0};
    enum tess_status status = tess_places_model(&place, &ctx->env, directory);
    model->directory = place.path;
    model->place = place.name;
    if (!status)
        status = tess_pipeline_config_read(&model->config, &ctx->env, model->directory);
    if (!status)
        status = tess_context_choose_unit(ctx);
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
    free(model->condition.values);
    model->condition.values = NULL;
    memset(model->fingerprints, 0, sizeof model->fingerprints);
    free(model->encoder_path);
    model->encoder_path = copy;
    model->encoder_place = copy ? "given" : NULL;
    tess_model_forget_parts(model);
    return TESS_OK;
}

void tess_model_destroy(struct tess_model **model)
{
    if (!*model)
        return;
    tess_model_forget_parts(*model);
    for (int i = 0; i < TESS_DECODER_COUNT; i++)
        tess_slat_decoder_close(&(*model)->decoders[i]);
    tess_image_encoder_close(&(*model)->encoder);
    tess_flow_close(&(*model)->flows[0]);
    tess_flow_close(&(*model)->flows[1]);
    tess_structure_decoder_close(&(*model)->structure_decoder);
    tess_pipeline_config_clear(&(*model)->config);
    free((*model)->directory);
    free((*model)->encoder_path);
    free((*model)->condition.values);
    free(*model);
    *model = NULL;
}

const char *tess_model_directory(const struct tess_model *model)
{
    return model->directory;
}

// ---- decoders ----

static const struct {
    const char *role;
    enum tess_slat_kind kind;
} decoder_roles[TESS_DECODER_COUNT] = {
    [TESS_DECODER_GAUSSIAN] = {"slat_decoder_gs", TESS_SLAT_GAUSSIAN},
    [TESS_DECODER_MESH] = {"slat_decoder_mesh", TESS_SLAT_MESH},
    [TESS_DECODER_RADIANCE] = {"slat_decoder_rf", TESS_SLAT_RADIANCE},
};

static const struct tess_pipeline_part *find_part(const struct tess_model *model,
                                                  const char *role)
{
    for (size_t i = 0; i < model->config.part_count; i++)
        if (strcmp(model->config.parts[i].role, role) == 0)
            return &model->config.parts[i];
    return NULL;
}

bool tess_model_has(const struct tess_model *model, enum tess_decoder decoder)
{
    return find_part(model, decoder_roles[decoder].role) != NULL;
}

// Both files of a part are there.
static bool part_is_there(const struct tess_pipeline_part *part, struct tess_env *env)
{
    static const char *const suffixes[] = {"json", "safetensors"};
    for (int i = 0; i < 2; i++) {
        char *path = NULL;
        if (tess_strf(&path, env, "%s.%s", part->path, suffixes[i]))
            return false;
        bool there = access(path, F_OK) == 0;
        free(path);
        if (!there)
            return false;
    }
    return true;
}

unsigned tess_model_representations(const struct tess_model *model,
                                    struct tess_context *ctx)
{
    static const enum tess_representation made[TESS_DECODER_COUNT] = {
        [TESS_DECODER_GAUSSIAN] = TESS_SPLATS,
        [TESS_DECODER_MESH] = TESS_MESH,
        [TESS_DECODER_RADIANCE] = TESS_RADIANCE,
    };
    unsigned representations = 0;
    for (int i = 0; i < TESS_DECODER_COUNT; i++) {
        const struct tess_pipeline_part *part = find_part(model, decoder_roles[i].role);
        if (part && part_is_there(part, &ctx->env))
            representations |= made[i];
    }
    return representations;
}

enum tess_status tess_model_decoder(const struct tess_slat_decoder **out,
                                    struct tess_model *model, struct tess_context *ctx,
                                    enum tess_decoder decoder)
{
    const char *role = decoder_roles[decoder].role;
    struct tess_slat_decoder **slot = &model->decoders[decoder];
    if (!*slot) {
        const struct tess_pipeline_part *part = find_part(model, role);
        if (!part)
            return tess_fail(
                &ctx->env, TESS_ERR_FILE,
                "%s/pipeline.json: field args.models.%s is missing, expected the "
                "path of a decoder",
                model->directory, role);
        TESS_TRY(tess_slat_decoder_open(slot, &ctx->env, part->path));
        if (tess_slat_decoder_config(*slot)->kind != decoder_roles[decoder].kind) {
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

// Where the image encoder is, unless that is known.
static enum tess_status find_encoder(struct tess_model *model, struct tess_env *env)
{
    struct tess_place place = {0};
    if (model->encoder_path)
        return TESS_OK;
    TESS_TRY(tess_places_encoder(&place, env, model->directory));
    model->encoder_path = place.path;
    model->encoder_place = place.name;
    return TESS_OK;
}

enum tess_status tess_model_encoder(const struct tess_image_encoder **out,
                                    struct tess_model *model, struct tess_context *ctx)
{
    if (!model->encoder) {
        TESS_TRY(find_encoder(model, &ctx->env));
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
