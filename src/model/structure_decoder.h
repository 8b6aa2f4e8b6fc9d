// The decoder of the sparse structure: a dense convolutional network from a grid of
// latents to logits of occupancy (Xiang et al. 2024, "Structured 3D Latents",
// section 3.3).
#ifndef TESS_STRUCTURE_DECODER_H
#define TESS_STRUCTURE_DECODER_H

#include "io/checkpoint.h"
#include "mem/stage.h"
#include "model/flow_config.h"

struct tess_structure_decoder;

// As tess_flow_open().
enum tess_status tess_structure_decoder_open(struct tess_structure_decoder **out,
                                             struct tess_env *env, const char *path);
void tess_structure_decoder_close(struct tess_structure_decoder **decoder);
const struct tess_structure_decoder_config *
tess_structure_decoder_config(const struct tess_structure_decoder *decoder);
uint64_t tess_structure_decoder_parameters(const struct tess_structure_decoder *decoder);
uint64_t tess_structure_decoder_bytes(const struct tess_structure_decoder *decoder);
const struct tess_checkpoint *
tess_structure_decoder_file(const struct tess_structure_decoder *decoder);

// What tess_structure_stage() is run on. Rows of a grid are in raster order, x slowest.
struct tess_structure_job {
    const struct tess_structure_decoder *decoder;
    const float *latents; // [resolution³][latent_channels]
    size_t resolution;    // of the latents
    tess_rows_fn *rows;   // called with logits [.][1], in order; the grid has
    void *user;           // 2^(levels - 1) times the resolution
};
tess_stage_fn tess_structure_stage;

#endif
