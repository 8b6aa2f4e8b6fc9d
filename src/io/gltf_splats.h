// Gaussian splats in binary glTF files, by the extension KHR_gaussian_splatting as it was
// ratified in 2026: a primitive of points whose attributes are POSITION,
// KHR_gaussian_splatting:ROTATION (x y z w), :SCALE (standard deviations), :OPACITY
// (0..1) and :SH_DEGREE_0_COEF_0 (colours as in .ply); y is up. (Earlier drafts had
// logarithms of scales.) Viewers that do not know the extension show points with the
// colours of COLOR_0.
#ifndef TESS_GLTF_SPLATS_H
#define TESS_GLTF_SPLATS_H

#include "base/mesh.h"
#include "base/status.h"
#include "io/output.h"

#define TESS_GLTF_SPLATS "KHR_gaussian_splatting"

// Write splats, all values finite; rotations are brought to unit length, opacities into
// 0..1. `count` pairs of metadata become the asset's "extras". TESS_ERR_WRITE also if the
// file would pass 4 GiB; else statuses as tess_output_commit().
enum tess_status tess_gltf_write_splats(const struct tess_splats *splats,
                                        struct tess_env *env, const char *path,
                                        const struct tess_metadata *metadata,
                                        size_t count);

// Read all splats of the file's scene in our world, transforms applied; other primitives
// and spherical harmonics above degree 0 are passed over. TESS_ERR_FILE names the
// accessor or node: damaged files, files without splats, and what is not supported (other
// kernels, nodes that stretch or mirror, compression). Clear with tess_splats_clear().
enum tess_status tess_gltf_read_splats(struct tess_splats *out, struct tess_env *env,
                                       const char *path);

// Whether a primitive of the file has splats. False also for what is no GLB file; the
// readers say what is wrong with it.
bool tess_gltf_has_splats(struct tess_env *env, const char *path);

#endif
