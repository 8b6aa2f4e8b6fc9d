// .spz files: compressed Gaussian splats (Niantic's SPZ, versions 2 and 3). A gzip stream
// of a header of 16 bytes, then positions, opacities, colours, scales, rotations and
// spherical harmonics of all N splats, each kind in one piece:
//   header     u32 magic "NGSP", u32 version, u32 N, u8 degree of spherical harmonics,
//              u8 fractional bits of positions, u8 flags, u8 0
//   positions  [N][3] i24, fixed point
//   opacities  [N] u8
//   colours    [N][3] u8: 255 (0.5 + 0.15 f_dc)
//   scales     [N][3] u8: 16 (ln s + 10)
//   rotations  version 3: [N] u32, the index of the largest of x, y, z, w in the upper
//              two bits, the three others in ten each, sign and magnitude of 1 / sqrt(2);
//              version 2: [N][3] u8 of x, y, z, w positive
// y is up: (x, y, z) of ours is (x, z, -y) there, as in GLB files.
#ifndef TESS_SPZ_H
#define TESS_SPZ_H

#include "base/mesh.h"
#include "base/status.h"

#define TESS_SPZ_MAGIC 0x5053474e // "NGSP"

enum { TESS_SPZ_HEADER_BYTES = 16 };

// Write splats, all values finite, as version 3. Positions have as many fractional bits
// as the farthest splat leaves, at most 14; opacities, colours and scales outside what
// the format holds are cut. TESS_ERR_WRITE also for positions of 2^23 and more and for
// more than 2^32 - 1 splats; else statuses as tess_output_commit().
enum tess_status tess_spz_write(const struct tess_splats *splats, struct tess_env *env,
                                const char *path);

// Read splats of version 2 or 3 back to our world; spherical harmonics above degree 0 are
// passed over. TESS_ERR_FILE says what is wrong: no gzip stream, a damaged one, another
// version, counts that the file is too short for, bytes too few or too many. Clear with
// tess_splats_clear().
enum tess_status tess_spz_read(struct tess_splats *out, struct tess_env *env,
                               const char *path);

#endif
