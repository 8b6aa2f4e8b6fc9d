// What the JSON files of a model directory say, checked: pipeline.json, and the networks
// that turn structured latents into 3D. Unknown fields are ignored, missing ones have the
// defaults of the published code where it has them. TESS_ERR_FILE names file, field,
// value and what was expected.
#ifndef TESS_CONFIG_H
#define TESS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum tess_slat_kind {
    TESS_SLAT_GAUSSIAN, // "SLatGaussianDecoder"
    TESS_SLAT_MESH,     // "SLatMeshDecoder"
    TESS_SLAT_RADIANCE, // "SLatRadianceFieldDecoder"
};

enum tess_attention_mode { TESS_ATTENTION_SWIN, TESS_ATTENTION_FULL };
enum tess_activation { TESS_ACTIVATION_SOFTPLUS, TESS_ACTIVATION_EXP };

// `representation_config` of a Gaussian decoder. The factors are those under "lr".
struct tess_gaussian_config {
    float xyz_factor, features_factor, opacity_factor, scaling_factor, rotation_factor;
    bool perturb_offset;
    float voxel_size;
    uint32_t gaussians;         // of a voxel: num_gaussians
    float filter_2d, filter_3d; // "2d_filter_kernel_size", "3d_filter_kernel_size"
    float scaling_bias, opacity_bias;
    enum tess_activation scaling_activation;
};

struct tess_radiance_config {
    uint32_t rank, dim;
};

struct tess_slat_decoder_config {
    enum tess_slat_kind kind;
    uint32_t resolution;
    uint32_t channels; // C: model_channels
    uint32_t latent_channels;
    uint32_t blocks;
    uint32_t heads;  // H, divides C
    uint32_t hidden; // of an MLP: (int)(C * mlp_ratio)
    enum tess_attention_mode attention;
    uint32_t window_size; // of TESS_ATTENTION_SWIN, else 0
    bool use_fp16;
    bool qk_rms_norm;
    struct tess_gaussian_config gaussian; // of TESS_SLAT_GAUSSIAN
    struct tess_radiance_config radiance; // of TESS_SLAT_RADIANCE
    bool use_color;                       // of TESS_SLAT_MESH
};

// Read ckpts/NAME.json of one of the three decoders.
enum tess_status tess_slat_decoder_config_read(struct tess_slat_decoder_config *out,
                                               struct tess_env *env, const char *path);

// The field "name" of a network's JSON, "SLatMeshDecoder" or any other. Free *out with
// free().
enum tess_status tess_network_name_read(char **out, struct tess_env *env,
                                        const char *path);

struct tess_sampler_config {
    bool present; // false: the file has none, the rest is zero
    char name[64];
    double sigma_min;
    uint32_t steps;
    double cfg_strength;
    double cfg_interval[2]; // in double precision, like the times it is compared with
    double rescale_t;
};

struct tess_pipeline_part {
    char *role;  // "slat_decoder_mesh"
    char *value; // as the file has it: "ckpts/slat_dec_mesh"
    char *path;  // without extension: `value` in the pipeline's folder, or `value` itself
                 // where only VALUE.json exists
};

struct tess_pipeline_config {
    char *name;             // "TrellisImageTo3DPipeline"
    char *image_cond_model; // "dinov2_vitl14_reg"; "" if absent
    struct tess_pipeline_part *parts;
    size_t part_count;
    // slat_normalization; 0 and NULL if absent.
    size_t latent_channels;
    float *mean, *std; // [latent_channels], std above 0
    struct tess_sampler_config structure_sampler, latent_sampler;
};

// Read DIRECTORY/pipeline.json. Clear with tess_pipeline_config_clear().
enum tess_status tess_pipeline_config_read(struct tess_pipeline_config *out,
                                           struct tess_env *env, const char *directory);

// Free what it holds and zero it.
void tess_pipeline_config_clear(struct tess_pipeline_config *config);

#endif
