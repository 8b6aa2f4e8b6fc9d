// .splat files: 32 bytes a splat, little-endian, no header, as the viewer
// antimatter15/splat defined them: position 3 f32, standard deviations 3 f32, colour and
// opacity 4 u8, rotation w x y z 4 u8 (128 is 0, 0 is -1). The axes are those of .ply, y
// down: (x, y, z) of ours is (x, -z, y) there.
#ifndef TESS_SPLAT_FILE_H
#define TESS_SPLAT_FILE_H

#include "base/mesh.h"
#include "base/status.h"

// Write splats, all values finite, in their order. Colours outside 0..1 are cut. Statuses
// as tess_output_commit().
enum tess_status tess_splat_file_write(const struct tess_splats *splats,
                                       struct tess_env *env, const char *path);

// Read splats back to our world. TESS_ERR_FILE names the splat and the field: sizes that
// are not a multiple of 32 bytes, no splats, positions that are not finite, deviations
// that are negative or not finite, rotations without direction. Clear with
// tess_splats_clear().
enum tess_status tess_splat_file_read(struct tess_splats *out, struct tess_env *env,
                                      const char *path);

#endif
