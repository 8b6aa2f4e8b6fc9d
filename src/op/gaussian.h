// From the rows of the Gaussian decoder to Gaussians.
#ifndef TESS_GAUSSIAN_H
#define TESS_GAUSSIAN_H

#include "mem/stage.h"

#define TESS_GAUSSIAN_FLOATS                                                             \
    14 // position 3, scale 3, rotation 4 (w, x, y, z), opacity, colour 3

struct tess_gaussian_params {
    size_t count;      // per voxel
    size_t resolution; // of the voxel grid
    float rates[5];    // what raw values are multiplied by: position, colour, scaling,
                       // rotation, opacity
    float voxel_size, scaling_bias, opacity_bias, kernel_size; // as in the configuration
    bool exponential; // scaling_activation "exp", else "softplus"
};

// out [rows][count * 14] F32 from raw [rows][14 * count], coords [rows][3] I32 and
// perturbation [count][3], which is the file's `offset_perturbation`.
enum tess_status tess_gaussian_activate(struct tess_stage *stage, struct tess_mat out,
                                        struct tess_mat raw, struct tess_mat coords,
                                        struct tess_mat perturbation,
                                        struct tess_mat rates,
                                        const struct tess_gaussian_params *params);

#endif
