// Launching cl/gaussian.cl.
#include "op/gaussian.h"

#include <math.h>

enum tess_status tess_gaussian_activate(struct tess_stage *stage, struct tess_mat out,
                                        struct tess_mat raw, struct tess_mat coords,
                                        struct tess_mat perturbation,
                                        struct tess_mat rates,
                                        const struct tess_gaussian_params *params)
{
    // Biases are given after the activation: undo it.
    float scaling = params->exponential ? logf(params->scaling_bias)
                                        : (float)log(expm1((double)params->scaling_bias));
    float opacity = logf(params->opacity_bias / (1 - params->opacity_bias));
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "gaussian",
            .kernel = "activate_gaussians",
            .global = {params->count, raw.rows},
            .cut = 1,
            .flop = 60.0 * (double)raw.rows * (double)params->count,
            .args = {TESS_SLICE(out.data), TESS_SLICE(raw.data), TESS_SLICE(coords.data),
                     TESS_SLICE(perturbation.data), TESS_SLICE(rates.data),
                     TESS_U32ARG(params->count), TESS_F32ARG((float)params->resolution),
                     TESS_F32ARG(params->voxel_size), TESS_F32ARG(scaling),
                     TESS_F32ARG(opacity), TESS_F32ARG(params->kernel_size),
                     TESS_U32ARG(params->exponential), TESS_U32ARG(raw.rows)}});
}
