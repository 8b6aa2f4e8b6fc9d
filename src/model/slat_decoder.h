// The networks that turn a structured latent into Gaussians, into the features of a mesh
// or into a radiance field (Xiang et al. 2024, "Structured 3D Latents", section 3.2): a
// torso of windowed transformer blocks, then a head. Weights are mapped from the
// published files.
//
// N voxels, C channels, H heads, G Gaussians of a voxel.
#ifndef TESS_SLAT_DECODER_H
#define TESS_SLAT_DECODER_H

#include "io/checkpoint.h"
#include "io/latent.h"
#include "mem/stage.h"
#include "model/config.h"

struct tess_slat_decoder;

// Open PATH.json and PATH.safetensors and check that every tensor is there with the right
// shape and dtype, and no other. TESS_ERR_FILE names file, tensor or field.
enum tess_status tess_slat_decoder_open(struct tess_slat_decoder **out,
                                        struct tess_env *env, const char *path);
void tess_slat_decoder_close(struct tess_slat_decoder **decoder);

const struct tess_slat_decoder_config *
tess_slat_decoder_config(const struct tess_slat_decoder *decoder);
// The file of its weights.
const char *tess_slat_decoder_path(const struct tess_slat_decoder *decoder);
// Of all tensors together.
uint64_t tess_slat_decoder_parameters(const struct tess_slat_decoder *decoder);
uint64_t tess_slat_decoder_bytes(const struct tess_slat_decoder *decoder);

// TESS_ERR_FILE unless the latent has the decoder's channels and lies in its grid.
enum tess_status tess_slat_decoder_check(const struct tess_slat_decoder *decoder,
                                         struct tess_env *env,
                                         const struct tess_latent *latent);

// A decoder and a latent, made ready: what tess_slat_decode_stage() is run on.
struct tess_slat_job;

// `rows` is called with the results, in order, but for dry runs:
//   Gaussian decoder: rows of voxels, [G][14] floats each (op/gaussian.h)
//   radiance field decoder: rows of voxels, for R ranks and vectors of D: [R][3][D] of
//   vectors, less 1, [R] of densities, [R][3] of colours (Gao et al. 2023, "Strivec")
//   mesh decoder: rows of cubes of the grid with 4 * resolution cubes an axis, 64 for
//   each voxel, [101] floats each ([53] without colour)
// Voxels are in the job's order: tess_slat_job_source() and tess_slat_job_cubes() tell
// which.
enum tess_status tess_slat_job_create(struct tess_slat_job **out, struct tess_device *dev,
                                      const struct tess_slat_decoder *decoder,
                                      const struct tess_latent *latent,
                                      tess_rows_fn *rows, void *user);
// Gaussian decoder: also call `raw` with the output layer's rows before any activation,
// [14 G] floats each, before the same rows go to `rows`.
void tess_slat_job_want_raw(struct tess_slat_job *job, tess_rows_fn *raw);
void tess_slat_job_destroy(struct tess_slat_job **job);

// [N]: the latent's row of each voxel.
const uint32_t *tess_slat_job_source(const struct tess_slat_job *job);
// Coordinates of the cubes of a mesh decoder: *coords [64 N][3]; free with free().
enum tess_status tess_slat_job_cubes(int32_t **coords, const struct tess_slat_job *job);

// The stage's function; `user` is the job.
tess_stage_fn tess_slat_decode_stage;
// "gaussian decoder", "mesh decoder", "radiance decoder"
const char *tess_slat_stage_name(const struct tess_slat_decoder *decoder);

#endif
