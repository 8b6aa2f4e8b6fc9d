// Inside src/model: what the files of the structured latents' decoders share.
#ifndef TESS_SLAT_PARTS_H
#define TESS_SLAT_PARTS_H

#include "mem/tensor.h"
#include "model/slat_decoder.h"
#include "model/voxels.h"
#include "op/weight.h"

// Group norm of the mesh decoder, kept as floats on the host.
struct tess_group_norm {
    float *weight, *bias; // [channels]
};

struct tess_slat_decoder {
    struct tess_slat_decoder_config config;
    struct tess_checkpoint *file;
    uint64_t parameters, bytes;
    // In order of use: the input layer, the torso's blocks, then the head's.
    struct tess_weight_block *blocks;
    size_t block_count;
    const struct tess_file_tensor *perturbation; // Gaussian decoder: [G][3]
    struct tess_group_norm norms[4];             // mesh decoder: before each convolution
};

struct tess_slat_job {
    struct tess_device *dev;
    const struct tess_slat_decoder *decoder;
    const struct tess_latent *latent;
    struct tess_voxels voxels;
    struct tess_windows windows[2]; // of even blocks, of odd blocks
    struct tess_halos *halos;       // of tiles of a mesh decoder's head; else NULL
    tess_rows_fn *rows, *raw;       // raw may be NULL
    void *user;
};

// Items of the torso's blocks of weights, in order.
enum { TESS_INPUT_WEIGHT, TESS_INPUT_BIAS };
enum {
    TESS_QKV_WEIGHT,
    TESS_QKV_BIAS,
    TESS_PROJECT_WEIGHT,
    TESS_PROJECT_BIAS,
    TESS_MLP0_WEIGHT,
    TESS_MLP0_BIAS,
    TESS_MLP2_WEIGHT,
    TESS_MLP2_BIAS
};

// Items of the heads' blocks. The mesh decoder's last convolution and its output layer
// are used together.
enum { TESS_OUT_WEIGHT, TESS_OUT_BIAS };
enum {
    TESS_CONV_WEIGHT,
    TESS_CONV_BIAS,
    TESS_SKIP_WEIGHT,
    TESS_SKIP_BIAS,
    TESS_LAST_WEIGHT,
    TESS_LAST_BIAS
};

// Columns of the output layer.
uint32_t tess_slat_out_columns(const struct tess_slat_decoder_config *config);

// *features [N][C] F32 = what the torso makes of the job's latent. Uses the first blocks
// of `weights`, 1 + config.blocks.
enum tess_status tess_slat_torso(struct tess_tensor **features, struct tess_stage *stage,
                                 const struct tess_slat_job *job,
                                 struct tess_weights *weights);

// The output layer of Gaussian and radiance field decoders: *rows [tile.rows][columns] =
// out_layer(LN(features)).
enum tess_status tess_slat_out_rows(struct tess_mat *rows, struct tess_stage *stage,
                                    const struct tess_slat_job *job,
                                    const struct tess_tensor *features,
                                    const struct tess_weight *items,
                                    struct tess_tile tile);

enum tess_status tess_slat_radiance_head(struct tess_stage *stage,
                                         const struct tess_slat_job *job,
                                         const struct tess_tensor *features,
                                         struct tess_weights *weights);
enum tess_status tess_slat_gaussian_head(struct tess_stage *stage,
                                         const struct tess_slat_job *job,
                                         const struct tess_tensor *features,
                                         struct tess_weights *weights);

// Takes `features` over and destroys it as soon as it is used up.
enum tess_status tess_slat_mesh_head(struct tess_stage *stage,
                                     const struct tess_slat_job *job,
                                     struct tess_tensor **features,
                                     struct tess_weights *weights);

#endif
