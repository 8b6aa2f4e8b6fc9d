// Radiance fields as safetensors, for N voxels, rank R and vectors of D:
//   coords      I32 [N,4]      batch 0, x, y, z; no voxel twice
//   trivec      F32 [N,R,3,D]  the vectors along x, y and z
//   density     F32 [N,R]
//   features_dc F32 [N,R,3]    colours
// and, as metadata, `resolution`: voxels along an axis of the unit cube. base/mesh.h says
// what they mean.
#ifndef TESS_IO_RADIANCE_H
#define TESS_IO_RADIANCE_H

#include "base/mesh.h"
#include "io/output.h"

// `metadata`: what is to be told besides the resolution. Statuses as
// tess_output_commit().
enum tess_status tess_radiance_write(const struct tess_radiance *field,
                                     struct tess_env *env, const char *path,
                                     const struct tess_metadata *metadata, size_t count);

// TESS_ERR_FILE names the file and the tensor or field that is wrong: surplus ones, other
// dtypes or shapes, no voxel, numbers that are not finite. Clear with
// tess_radiance_clear().
enum tess_status tess_radiance_read(struct tess_radiance *out, struct tess_env *env,
                                    const char *path);

#endif
