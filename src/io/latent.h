// Structured latents: occupied voxels of a cube and a feature vector for each.
#ifndef TESS_LATENT_H
#define TESS_LATENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "io/coords.h"
#include "io/safetensors.h"

#define TESS_LATENT_MAX_RESOLUTION TESS_COORDS_MAX_RESOLUTION

struct tess_latent {
    size_t voxels, channels;
    int32_t *coords; // [voxels][3]: x, y, z, each in 0..1023; no voxel twice
    float *feats;    // [voxels][channels], finite; NULL: none
    char *path;      // where it came from; "the shell" if from no file
};

// Read a safetensors file with exactly `coords` I32 [N,4] (batch 0, x, y, z) and `feats`
// F32 [N,C]. TESS_ERR_FILE names the file and the tensor, row and values that are wrong.
enum tess_status tess_latent_load(struct tess_latent **out, struct tess_env *env,
                                  const char *path);

// The same from a file that is open. `feats` may be missing if `may_lack_feats`: then
// there are no channels.
enum tess_status tess_latent_read(struct tess_latent **out, struct tess_env *env,
                                  const struct tess_safetensors *file,
                                  bool may_lack_feats);

// A latent of `voxels` voxels and no features. Coordinates are zero yet.
enum tess_status tess_latent_create(struct tess_latent **out, struct tess_env *env,
                                    size_t voxels, const char *path);

// The tensors `coords` and, if there are features, `feats`, as they are read. *coords is
// for free() when the tensors were written.
enum tess_status tess_latent_tensors(struct tess_file_tensor tensors[2], int32_t **coords,
                                     struct tess_env *env,
                                     const struct tess_latent *latent);

// Exactly `voxels` voxels of a cube of resolution³: a torus around the z axis, hollow,
// one voxel thick and as large as it takes, thicker where the cube ends. Raster order,
// zero features. The same voxels for the same sizes. TESS_ERR_ARG if a size is 0, or
// beyond the cube's or a limit.
enum tess_status tess_latent_shell(struct tess_latent **out, struct tess_env *env,
                                   size_t voxels, uint32_t resolution, uint32_t channels);

// Accepts a pointer to NULL; sets it to NULL.
void tess_latent_free(struct tess_latent **latent);

#endif
