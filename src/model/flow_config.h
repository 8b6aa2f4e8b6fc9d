// What the JSON files of the flow models and of the structure decoder say, checked. As
// model/config.h does for the decoders of structured latents.
#ifndef TESS_FLOW_CONFIG_H
#define TESS_FLOW_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct tess_flow_config {
    bool sparse; // "SLatFlowModel", else "SparseStructureFlowModel"
    uint32_t resolution, in_channels, out_channels;
    uint32_t channels, cond_channels; // C: model_channels
    uint32_t blocks, heads, hidden;   // hidden of an MLP: (int)(C * mlp_ratio)
    uint32_t patch_size;
    uint32_t io_blocks,
        io_channels; // sparse: residual blocks on either side, at full resolution
    bool qk_rms_norm, qk_rms_norm_cross;
};
enum tess_status tess_flow_config_read(struct tess_flow_config *out, struct tess_env *env,
                                       const char *path);

#define TESS_STRUCTURE_LEVELS 8

struct tess_structure_decoder_config {
    uint32_t latent_channels, res_blocks, middle_blocks;
    uint32_t levels, channels[TESS_STRUCTURE_LEVELS]; // from coarse to fine
};
enum tess_status
tess_structure_decoder_config_read(struct tess_structure_decoder_config *out,
                                   struct tess_env *env, const char *path);

#endif
