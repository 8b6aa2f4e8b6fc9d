// The tensor `coords` of sparse voxels: I32 [N,4], rows of batch 0, x, y, z.
#ifndef TESS_COORDS_H
#define TESS_COORDS_H

#include <stdint.h>

#include "base/status.h"
#include "io/file_tensor.h"

// A voxel's number fits in 32 bits.
#define TESS_COORDS_MAX_RESOLUTION 1024

// Check the rows of `tensor`, I32 [N,4] of the file `path`, and write x, y, z into
// coords[N][3]. TESS_ERR_FILE: no row, or too many; another batch than 0; a coordinate
// outside 0..resolution - 1; a voxel twice.
enum tess_status tess_coords_read(int32_t *coords, struct tess_env *env, const char *path,
                                  const struct tess_file_tensor *tensor,
                                  uint32_t resolution);

// The number of rows is one that there can be. TESS_ERR_FILE.
enum tess_status tess_coords_check_count(struct tess_env *env, const char *path,
                                         const struct tess_file_tensor *tensor);

// The tensor of coords[voxels][3], to be written. *rows is for free() when it was.
enum tess_status tess_coords_tensor(struct tess_file_tensor *out, int32_t **rows,
                                    struct tess_env *env, const int32_t *coords,
                                    size_t voxels);

#endif
