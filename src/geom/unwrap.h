// Texture coordinates for any mesh.
#ifndef TESS_UNWRAP_H
#define TESS_UNWRAP_H

#include "base/mesh.h"

#define TESS_TEXTURE_SIZE_MIN 16
#define TESS_TEXTURE_SIZE_MAX 8192

struct tess_unwrap_params {
    uint32_t size;   // of the texture, texels per axis: a power of two
    uint32_t gutter; // a power of two of texels; 0: size / 256, less where the charts do
                     // not fit so
};

struct tess_unwrap_facts {
    size_t charts;
    uint32_t gutter;
    double texels_per_unit;
    double coverage; // of the square by faces
};

// A copy of `mesh` with texture coordinates, in which a vertex is there once for each
// chart that uses it; faces keep their order, vertices their positions, normals and
// attributes. Faces are cut into charts that lie flat (charts.h), all at one scale.
//
// No texel has its centre in two charts. The texture falls into squares of gutter x
// gutter texels of which each belongs to one chart at most, and those of two charts do
// not touch. So mip levels down to texels of that size mix no charts, and up to half of
// it no bilinear sample does.
//
// TESS_ERR_ARG: no faces, positions that are not finite, or more charts than fit; clear
// *out with tess_mesh_clear(). *facts (may be NULL).
enum tess_status tess_mesh_unwrap(struct tess_mesh *out, struct tess_unwrap_facts *facts,
                                  struct tess_env *env, const struct tess_mesh *mesh,
                                  const struct tess_unwrap_params *params);

#endif
