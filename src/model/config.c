// The JSON files of a model directory.
#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/json.h"

// Bounds on what can be meant. The largest published networks have 1280 channels, 28
// blocks, resolution 256; these leave room, and keep every product of two in 32 bits.
enum {
    MAX_CHANNELS = 16384,
    MAX_BLOCKS = 1024,
    MAX_RESOLUTION = 1024,
    MAX_MLP_RATIO = 64,
    MAX_GAUSSIANS = 1024,
    MAX_RANK = 1024,
    MAX_STEPS = 1000,
};

// The least of a number that has to be positive, and the most of one that is not a count.
static const double TINY = 1e-9, LARGE = 1e3;

// ---------------------------------------------------------------------------------------
// Decoders
// ---------------------------------------------------------------------------------------

static enum tess_status read_choice(int *out, struct tess_json_at object, const char *key,
                                    const char *const *choices, int count)
{
    const char *text;
    char list[256] = "";
    TESS_TRY(tess_json_string(&text, object, key));
    for (int i = 0; i < count; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return TESS_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s\"%s\"", i ? " or " : "",
                 choices[i]);
    }
    return tess_json_fail(object, key, "%s", list);
}

static enum tess_status read_gaussian(struct tess_gaussian_config *out,
                                      struct tess_json_at object)
{
    static const char *const activations[] = {"softplus", "exp"};
    struct tess_json_at lr;
    int activation = 0;
    TESS_TRY(tess_json_object(&lr, object, "lr"));
    TESS_TRY(tess_json_float(&out->xyz_factor, lr, "_xyz", -LARGE, LARGE));
    TESS_TRY(tess_json_float(&out->features_factor, lr, "_features_dc", -LARGE, LARGE));
    TESS_TRY(tess_json_float(&out->opacity_factor, lr, "_opacity", -LARGE, LARGE));
    TESS_TRY(tess_json_float(&out->scaling_factor, lr, "_scaling", -LARGE, LARGE));
    TESS_TRY(tess_json_float(&out->rotation_factor, lr, "_rotation", -LARGE, LARGE));
    TESS_TRY(tess_json_bool(&out->perturb_offset, object, "perturb_offset"));
    TESS_TRY(tess_json_float(&out->voxel_size, object, "voxel_size", TINY, LARGE));
    TESS_TRY(tess_json_uint(&out->gaussians, object, "num_gaussians", 1, MAX_GAUSSIANS));
    TESS_TRY(tess_json_float(&out->filter_2d, object, "2d_filter_kernel_size", 0, LARGE));
    TESS_TRY(tess_json_float(&out->filter_3d, object, "3d_filter_kernel_size", 0, LARGE));
    // Biases go through the inverses of softplus or exp, and of the sigmoid.
    TESS_TRY(tess_json_float(&out->scaling_bias, object, "scaling_bias", TINY, 10));
    TESS_TRY(tess_json_float(&out->opacity_bias, object, "opacity_bias", 1e-6, 1 - 1e-6));
    TESS_TRY(read_choice(&activation, object, "scaling_activation", activations, 2));
    out->scaling_activation = (enum tess_activation)activation;
    return TESS_OK;
}

static enum tess_status read_heads(struct tess_slat_decoder_config *out,
                                   struct tess_json_at args)
{
    if (tess_json_present(tess_json_member(args, "num_heads"))) {
        TESS_TRY(tess_json_uint(&out->heads, args, "num_heads", 1, out->channels));
        if (out->channels % out->heads)
            return tess_json_fail(args, "num_heads", "a divisor of model_channels, %u",
                                  out->channels);
        return TESS_OK;
    }
    uint32_t size;
    TESS_TRY(tess_json_uint_or(&size, args, "num_head_channels", 1, out->channels, 64));
    if (size > out->channels || out->channels % size)
        return tess_json_fail(args, "num_head_channels",
                              "a divisor of model_channels, %u (64 where it is missing)",
                              out->channels);
    out->heads = out->channels / size;
    return TESS_OK;
}

static enum tess_status read_attention(struct tess_slat_decoder_config *out,
                                       struct tess_json_at args)
{
    static const char *const modes[] = {"swin", "full"};
    static const char *const positions[] = {"ape"};
    int mode = TESS_ATTENTION_SWIN;
    if (tess_json_present(tess_json_member(args, "attn_mode")))
        TESS_TRY(read_choice(&mode, args, "attn_mode", modes, 2));
    out->attention = (enum tess_attention_mode)mode;
    if (out->attention == TESS_ATTENTION_SWIN)
        TESS_TRY(tess_json_uint_or(&out->window_size, args, "window_size", 1,
                                   MAX_RESOLUTION, 8));
    if (tess_json_present(tess_json_member(args, "pe_mode")))
        TESS_TRY(read_choice(&mode, args, "pe_mode", positions, 1));
    return TESS_OK;
}

static enum tess_status read_decoder(struct tess_slat_decoder_config *out,
                                     struct tess_json_at root)
{
    static const char *const kinds[] = {"SLatGaussianDecoder", "SLatMeshDecoder",
                                        "SLatRadianceFieldDecoder"};
    struct tess_json_at args, representation;
    int kind = 0;
    double ratio = 4;
    TESS_TRY(tess_json_object(&root, root, NULL));
    TESS_TRY(read_choice(&kind, root, "name", kinds, 3));
    out->kind = (enum tess_slat_kind)kind;
    TESS_TRY(tess_json_object(&args, root, "args"));
    TESS_TRY(tess_json_uint(&out->resolution, args, "resolution", 1, MAX_RESOLUTION));
    TESS_TRY(tess_json_uint(&out->channels, args, "model_channels", 1, MAX_CHANNELS));
    TESS_TRY(
        tess_json_uint(&out->latent_channels, args, "latent_channels", 1, MAX_CHANNELS));
    TESS_TRY(tess_json_uint(&out->blocks, args, "num_blocks", 1, MAX_BLOCKS));
    TESS_TRY(read_heads(out, args));
    if (tess_json_present(tess_json_member(args, "mlp_ratio")))
        TESS_TRY(tess_json_double(&ratio, args, "mlp_ratio", TINY, MAX_MLP_RATIO));
    out->hidden = (uint32_t)(out->channels * ratio);
    if (out->hidden == 0)
        return tess_json_fail(args, "mlp_ratio", "at least 1 / model_channels");
    TESS_TRY(read_attention(out, args));
    TESS_TRY(tess_json_bool_or(&out->use_fp16, args, "use_fp16", false));
    TESS_TRY(tess_json_bool_or(&out->qk_rms_norm, args, "qk_rms_norm", false));
    TESS_TRY(tess_json_object(&representation, args, "representation_config"));
    switch (out->kind) {
    case TESS_SLAT_GAUSSIAN:
        return read_gaussian(&out->gaussian, representation);
    case TESS_SLAT_MESH:
        return tess_json_bool_or(&out->use_color, representation, "use_color", false);
    case TESS_SLAT_RADIANCE:
        TESS_TRY(
            tess_json_uint(&out->radiance.rank, representation, "rank", 1, MAX_RANK));
        TESS_TRY(tess_json_uint(&out->radiance.dim, representation, "dim", 2, MAX_RANK));
        break;
    }
    return TESS_OK;
}

enum tess_status tess_slat_decoder_config_read(struct tess_slat_decoder_config *out,
                                               struct tess_env *env, const char *path)
{
    struct tess_json *json = NULL;
    struct tess_slat_decoder_config config = {0};
    TESS_TRY(tess_json_read(&json, env, path));
    enum tess_status status = read_decoder(&config, tess_json_root(json));
    tess_json_destroy(&json);
    if (!status)
        *out = config;
    return status;
}

enum tess_status tess_network_name_read(char **out, struct tess_env *env,
                                        const char *path)
{
    struct tess_json *json = NULL;
    const char *name;
    TESS_TRY(tess_json_read(&json, env, path));
    enum tess_status status = tess_json_string(&name, tess_json_root(json), "name");
    if (!status)
        status = tess_strdup(out, env, name);
    tess_json_destroy(&json);
    return status;
}

// ---------------------------------------------------------------------------------------
// Pipelines
// ---------------------------------------------------------------------------------------

// The published pipelines store what the samplers were tried with; the code's own
// defaults are for what is left out.
static enum tess_status read_sampler(struct tess_sampler_config *out,
                                     struct tess_json_at args, const char *key)
{
    struct tess_json_at sampler, inner = {args.json, NULL}, params = inner;
    const char *name;
    if (!tess_json_present(tess_json_member(args, key)))
        return TESS_OK;
    TESS_TRY(tess_json_object(&sampler, args, key));
    TESS_TRY(tess_json_string(&name, sampler, "name"));
    if (strlen(name) >= sizeof out->name)
        return tess_json_fail(sampler, "name", "fewer than %zu bytes", sizeof out->name);
    memcpy(out->name, name, strlen(name) + 1);
    if (tess_json_present(tess_json_member(sampler, "args")))
        TESS_TRY(tess_json_object(&inner, sampler, "args"));
    if (tess_json_present(tess_json_member(sampler, "params")))
        TESS_TRY(tess_json_object(&params, sampler, "params"));
    TESS_TRY(tess_json_double_or(&out->sigma_min, inner, "sigma_min", 0, 1, 1e-5));
    TESS_TRY(tess_json_uint_or(&out->steps, params, "steps", 1, MAX_STEPS, 50));
    TESS_TRY(tess_json_double_or(&out->cfg_strength, params, "cfg_strength", -LARGE,
                                 LARGE, 3));
    TESS_TRY(tess_json_double_or(&out->rescale_t, params, "rescale_t", TINY, LARGE, 1));
    out->cfg_interval[1] = 1;
    if (tess_json_present(tess_json_member(params, "cfg_interval")))
        TESS_TRY(tess_json_doubles(out->cfg_interval, params, "cfg_interval", 2, 0, 1));
    out->present = true;
    return TESS_OK;
}

static enum tess_status read_normalization(struct tess_pipeline_config *out,
                                           struct tess_env *env, struct tess_json_at args)
{
    struct tess_json_at object, mean;
    if (!tess_json_present(tess_json_member(args, "slat_normalization")))
        return TESS_OK;
    TESS_TRY(tess_json_object(&object, args, "slat_normalization"));
    TESS_TRY(tess_json_array(&mean, object, "mean", 1, MAX_CHANNELS));
    size_t C = tess_json_count(mean);
    TESS_TRY(tess_alloc(&out->mean, env, C, sizeof(float), "the latents' means"));
    TESS_TRY(tess_alloc(&out->std, env, C, sizeof(float), "the latents' deviations"));
    TESS_TRY(tess_json_floats(out->mean, object, "mean", C, -1e6, 1e6));
    TESS_TRY(tess_json_floats(out->std, object, "std", C, TINY, 1e6));
    out->latent_channels = C;
    return TESS_OK;
}

static enum tess_status resolve(struct tess_pipeline_part *part, struct tess_env *env,
                                const char *directory)
{
    char *inside = NULL, *outside = NULL;
    TESS_TRY(tess_strf(&part->path, env, "%s/%s", directory, part->value));
    enum tess_status status = tess_strf(&inside, env, "%s.json", part->path);
    if (!status)
        status = tess_strf(&outside, env, "%s.json", part->value);
    if (!status && access(inside, F_OK) != 0 && access(outside, F_OK) == 0) {
        free(part->path);
        part->path = NULL;
        status = tess_strdup(&part->path, env, part->value);
    }
    free(inside);
    free(outside);
    return status;
}

static enum tess_status read_part(struct tess_pipeline_part *part, struct tess_env *env,
                                  struct tess_json_at item, const char *directory)
{
    const char *value;
    TESS_TRY(tess_json_string(&value, item, NULL));
    if (!*value)
        return tess_json_fail(item, NULL, "the path of a model");
    TESS_TRY(tess_strdup(&part->role, env, tess_json_key(item)));
    TESS_TRY(tess_strdup(&part->value, env, value));
    return resolve(part, env, directory);
}

static enum tess_status read_pipeline(struct tess_pipeline_config *out,
                                      struct tess_env *env, struct tess_json_at root,
                                      const char *directory)
{
    struct tess_json_at args, models, *items = NULL;
    const char *text;
    TESS_TRY(tess_json_object(&root, root, NULL));
    TESS_TRY(tess_json_string(&text, root, "name"));
    TESS_TRY(tess_strdup(&out->name, env, text));
    TESS_TRY(tess_json_object(&args, root, "args"));
    TESS_TRY(tess_json_string_or(&text, args, "image_cond_model", ""));
    TESS_TRY(tess_strdup(&out->image_cond_model, env, text));
    TESS_TRY(read_normalization(out, env, args));
    TESS_TRY(read_sampler(&out->structure_sampler, args, "sparse_structure_sampler"));
    TESS_TRY(read_sampler(&out->latent_sampler, args, "slat_sampler"));
    TESS_TRY(tess_json_object(&models, args, "models"));
    size_t count = tess_json_count(models);
    TESS_TRY(tess_alloc(&out->parts, env, count, sizeof *out->parts, "a pipeline"));
    out->part_count = count;
    TESS_TRY(tess_json_items(&items, models));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = read_part(&out->parts[i], env, items[i], directory);
    free(items);
    return status;
}

enum tess_status tess_pipeline_config_read(struct tess_pipeline_config *out,
                                           struct tess_env *env, const char *directory)
{
    struct tess_pipeline_config config = {0};
    struct tess_json *json = NULL;
    char *path = NULL;
    TESS_TRY(tess_strf(&path, env, "%s/pipeline.json", directory));
    enum tess_status status = tess_json_read(&json, env, path);
    if (!status)
        status = read_pipeline(&config, env, tess_json_root(json), directory);
    tess_json_destroy(&json);
    free(path);
    if (status) {
        tess_pipeline_config_clear(&config);
        return status;
    }
    *out = config;
    return TESS_OK;
}

void tess_pipeline_config_clear(struct tess_pipeline_config *config)
{
    for (size_t i = 0; i < config->part_count; i++) {
        free(config->parts[i].role);
        free(config->parts[i].value);
        free(config->parts[i].path);
    }
    free(config->parts);
    free(config->name);
    free(config->image_cond_model);
    free(config->mean);
    free(config->std);
    *config = (struct tess_pipeline_config){0};
}
