// Configurations of the flow models and of the structure decoder.
#include "model/flow_config.h"

#include <stdlib.h>
#include <string.h>

#include "io/json.h"

#define CHANNELS_MAX 16384

static enum tess_status read_heads(struct tess_flow_config *out, struct tess_json_at args)
{
    uint32_t width = 0;
    if (tess_json_present(tess_json_member(args, "num_heads"))) {
        TESS_TRY(tess_json_uint(&out->heads, args, "num_heads", 1, 1024));
    } else {
        TESS_TRY(tess_json_uint_or(&width, args, "num_head_channels", 1, 4096, 64));
        out->heads = out->channels / width;
    }
    if (out->heads == 0 || out->channels % out->heads)
        return tess_json_fail(args, "num_heads", "a divisor of model_channels, %u",
                              (unsigned)out->channels);
    return TESS_OK;
}

static enum tess_status read_io(struct tess_flow_config *out, struct tess_json_at args)
{
    float channels = 0;
    if (!out->sparse)
        return TESS_OK;
    if (out->patch_size != 2)
        return tess_json_fail(args, "patch_size", "2");
    TESS_TRY(tess_json_uint_or(&out->io_blocks, args, "num_io_res_blocks", 1, 64, 2));
    TESS_TRY(tess_json_floats(&channels, args, "io_block_channels", 1, 1, CHANNELS_MAX));
    out->io_channels = (uint32_t)channels;
    bool skip = true;
    TESS_TRY(tess_json_bool_or(&skip, args, "use_skip_connection", true));
    return skip ? TESS_OK : tess_json_fail(args, "use_skip_connection", "true");
}

static enum tess_status read_flow(struct tess_flow_config *out, struct tess_json_at root)
{
    const char *name, *mode;
    struct tess_json_at args;
    float ratio;
    bool share;
    TESS_TRY(tess_json_string(&name, root, "name"));
    out->sparse = strcmp(name, "SLatFlowModel") == 0;
    if (!out->sparse && strcmp(name, "SparseStructureFlowModel") != 0)
        return tess_json_fail(root, "name", "SLatFlowModel or SparseStructureFlowModel");
    TESS_TRY(tess_json_object(&args, root, "args"));
    TESS_TRY(tess_json_uint(&out->resolution, args, "resolution", 1, 1024));
    TESS_TRY(tess_json_uint(&out->in_channels, args, "in_channels", 1, CHANNELS_MAX));
    TESS_TRY(tess_json_uint(&out->out_channels, args, "out_channels", 1, CHANNELS_MAX));
    TESS_TRY(tess_json_uint(&out->channels, args, "model_channels", 1, CHANNELS_MAX));
    TESS_TRY(tess_json_uint(&out->cond_channels, args, "cond_channels", 1, CHANNELS_MAX));
    TESS_TRY(tess_json_uint(&out->blocks, args, "num_blocks", 1, 1024));
    TESS_TRY(read_heads(out, args));
    TESS_TRY(tess_json_float_or(&ratio, args, "mlp_ratio", 0.01, 64, 4));
    out->hidden = (uint32_t)((float)out->channels * ratio);
    TESS_TRY(tess_json_uint_or(&out->patch_size, args, "patch_size", 1, 64, 2));
    if (out->resolution % out->patch_size)
        return tess_json_fail(args, "patch_size", "a divisor of resolution");
    TESS_TRY(tess_json_string_or(&mode, args, "pe_mode", "ape"));
    if (strcmp(mode, "ape") != 0)
        return tess_json_fail(args, "pe_mode", "ape");
    TESS_TRY(tess_json_bool_or(&share, args, "share_mod", false));
    if (share)
        return tess_json_fail(args, "share_mod", "false");
    TESS_TRY(tess_json_bool_or(&out->qk_rms_norm, args, "qk_rms_norm", false));
    TESS_TRY(
        tess_json_bool_or(&out->qk_rms_norm_cross, args, "qk_rms_norm_cross", false));
    if (out->qk_rms_norm_cross)
        return tess_json_fail(args, "qk_rms_norm_cross", "false: no image model has it");
    return read_io(out, args);
}

enum tess_status tess_flow_config_read(struct tess_flow_config *out, struct tess_env *env,
                                       const char *path)
{
    struct tess_json *json = NULL;
    struct tess_flow_config config = {0};
    TESS_TRY(tess_json_read(&json, env, path));
    enum tess_status status = read_flow(&config, tess_json_root(json));
    tess_json_destroy(&json);
    if (!status)
        *out = config;
    return status;
}

static enum tess_status read_decoder(struct tess_structure_decoder_config *out,
                                     struct tess_json_at root)
{
    const char *name, *norm;
    struct tess_json_at args, list;
    uint32_t outputs;
    float channels[TESS_STRUCTURE_LEVELS];
    TESS_TRY(tess_json_string(&name, root, "name"));
    if (strcmp(name, "SparseStructureDecoder") != 0)
        return tess_json_fail(root, "name", "SparseStructureDecoder");
    TESS_TRY(tess_json_object(&args, root, "args"));
    TESS_TRY(tess_json_uint(&outputs, args, "out_channels", 1, 1));
    TESS_TRY(
        tess_json_uint(&out->latent_channels, args, "latent_channels", 1, CHANNELS_MAX));
    TESS_TRY(tess_json_uint(&out->res_blocks, args, "num_res_blocks", 1, 64));
    TESS_TRY(
        tess_json_uint_or(&out->middle_blocks, args, "num_res_blocks_middle", 0, 64, 2));
    TESS_TRY(tess_json_string_or(&norm, args, "norm_type", "layer"));
    if (strcmp(norm, "layer") != 0)
        return tess_json_fail(args, "norm_type", "layer");
    TESS_TRY(tess_json_array(&list, args, "channels", 1, TESS_STRUCTURE_LEVELS));
    out->levels = (uint32_t)tess_json_count(list);
    TESS_TRY(tess_json_floats(channels, args, "channels", out->levels, 1, CHANNELS_MAX));
    for (uint32_t i = 0; i < out->levels; i++)
        out->channels[i] = (uint32_t)channels[i];
    return TESS_OK;
}

enum tess_status
tess_structure_decoder_config_read(struct tess_structure_decoder_config *out,
                                   struct tess_env *env, const char *path)
{
    struct tess_json *json = NULL;
    struct tess_structure_decoder_config config = {0};
    TESS_TRY(tess_json_read(&json, env, path));
    enum tess_status status = read_decoder(&config, tess_json_root(json));
    tess_json_destroy(&json);
    if (!status)
        *out = config;
    return status;
}
