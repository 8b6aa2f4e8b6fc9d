// FlexiCubes (Shen et al. 2023): signed distances and weights on the active cubes of a
// grid to a triangle mesh, by dual marching cubes with learned positions. Sparse: host
// memory grows with the active cubes, the dense grid never exists, and the decoder's
// outputs pass through in pieces.
//
//   R          cubes per axis; R + 1 lattice points per axis fill [-0.5, 0.5]^3
//   M          active cubes
//   column     0..7 distance at the corners, 8..31 displacement [8][3], 32..52 weights
//              (12 edges, 8 corners, 1 for the diagonal), 53..100 colour [8][6]; all raw,
//              as the decoder writes them. Corners and edges as in flexicubes_tables.h.
//
// A lattice point has the mean of what the active cubes around it say. One that no active
// cube touches is outside (+1), undisplaced and mid-grey, and the surface is extracted
// there too: a solid given as a shell of cubes becomes a shell with an inner wall. Quads
// on the border of the grid, where an edge has fewer than four cubes, are dropped.
//
//   struct tess_flexicubes *fc = NULL;
//   tess_flexicubes_create(&fc, env, &params, coords, M);
//   for (each piece) tess_flexicubes_add(fc, row0, rows, feats);
//   tess_flexicubes_extract(&mesh, fc);
//   tess_flexicubes_destroy(&fc);
//
// One object belongs to one thread at a time.
#ifndef TESS_FLEXICUBES_H
#define TESS_FLEXICUBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mesh.h"
#include "base/status.h"

#define TESS_FLEXICUBES_COLUMNS        53    // without colour
#define TESS_FLEXICUBES_COLOUR_COLUMNS 101   // with colour
#define TESS_FLEXICUBES_MAX_RESOLUTION 65535 // as in cube_grid.h

struct tess_flexicubes;

struct tess_flexicubes_params {
    uint32_t resolution; // R, 1..TESS_FLEXICUBES_MAX_RESOLUTION
    bool use_colour;     // 101 columns instead of 53, and a mesh with attributes
};

// `coords` [M][3]: the distinct cubes, each coordinate in 0..R-1, in any order; near ones
// close together are faster. Not kept; may be NULL if M is 0. `env` must outlive the
// object. TESS_ERR_ARG: R out of range. TESS_ERR_FILE: a cube outside the grid or there
// twice; the message names its row. TESS_ERR_MEMORY. On failure *out is untouched.
enum tess_status tess_flexicubes_create(struct tess_flexicubes **out,
                                        struct tess_env *env,
                                        const struct tess_flexicubes_params *params,
                                        const int32_t *coords, size_t M);

// Take in the decoder's outputs `feats` [rows][columns] of cubes [row0, row0 + rows). The
// calls go through [0, M) once, ascending and without gaps; where it is cut makes no
// difference to the mesh. TESS_ERR_FILE: a value is NaN or infinite; the message names
// row and column. After a failure the object is good for nothing but destruction.
enum tess_status tess_flexicubes_add(struct tess_flexicubes *fc, size_t row0, size_t rows,
                                     const float *feats);

// Make the mesh, once all M cubes are in. Attributes (colour, normal map) only with
// colour; `split_margins` [faces / 2] always: faces 2i and 2i + 1 are quad i, cut along
// the diagonal with the larger product g of its two vertices' weights, and the margin is
// |g - g'| / max(g, g'). No surface at all is a mesh of 0 vertices and 0 faces. The order
// is that of the original implementation: vertices of cubes with one dual vertex first,
// then those with two, three, four, each in raster order (x slowest); quads from edges
// that start outside first, each in raster order. May be called again for the same mesh.
// TESS_ERR_MEMORY: *out is untouched; also if the mesh had 2^32 vertices or more. The
// caller clears *out with tess_mesh_clear().
enum tess_status tess_flexicubes_extract(struct tess_mesh *out,
                                         struct tess_flexicubes *fc);

// Accepts NULL and a pointer to NULL; sets it to NULL.
void tess_flexicubes_destroy(struct tess_flexicubes **fc);

#endif
