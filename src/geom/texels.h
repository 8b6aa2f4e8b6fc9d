// The texels of a mesh's texture.
#ifndef TESS_TEXELS_H
#define TESS_TEXELS_H

#include "base/mesh.h"

// Texels whose centres faces cover, row by row.
struct tess_texels {
    size_t count;
    uint32_t *at;     // [count]: row * size + column, ascending
    float *positions; // [count][3], of their centres
    float *normals;   // [count][3], of their faces, unit length
};

// `mesh` has texture coordinates, in 0..1. Of several faces at a texel the last one has
// it. TESS_ERR_MEMORY. Clear with tess_texels_clear().
enum tess_status tess_texels_create(struct tess_texels *out, struct tess_env *env,
                                    const struct tess_mesh *mesh, uint32_t size);
void tess_texels_clear(struct tess_texels *texels);

// Fill what has no colour: rgb [size][size][3], known [size][size]. Ring by ring, from
// what is known outwards, a texel gets the mean of its neighbours in earlier rings. So
// gutters get the colour of the nearest chart, and holes grow closed. Nothing changes
// where nothing is known. All of `known` becomes true else.
enum tess_status tess_texels_fill(float *rgb, bool *known, struct tess_env *env,
                                  uint32_t size);

#endif
