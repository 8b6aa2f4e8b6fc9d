// Neighbours of sparse voxels: tables of row numbers for convolutions 3 x 3 x 3.
#ifndef TESS_NEIGHBOUR_H
#define TESS_NEIGHBOUR_H

#include "mem/stage.h"

// On the host: table[i][27] = rows of the voxels around voxel i, TESS_NO_ROW where there
// is none; tap ((dx + 1) * 3 + dy + 1) * 3 + dz + 1. `coords` [count][3] are distinct and
// in 0..1023. Free *table with free().
enum tess_status tess_neighbours_find(uint32_t **table, struct tess_env *env,
                                      const int32_t *coords, size_t count);

// On the device: index [base.rows << 3 level][27], of voxels subdivided `level` times,
// from base [any][27]. Taken as scratch. Rows are (base row, octant, octant ...), x in
// the highest bit.
enum tess_status tess_neighbours_subdivide(struct tess_mat *index,
                                           struct tess_stage *stage, struct tess_mat base,
                                           unsigned level);

// On the device: index [planes * R * R][27] for the planes [plane0, plane0 + planes) of a
// full grid of R x R x R voxels in raster order, as rows of the planes [here0, here0 +
// here_planes). Taken as scratch.
enum tess_status tess_neighbours_grid(struct tess_mat *index, struct tess_stage *stage,
                                      size_t resolution, size_t plane0, size_t planes,
                                      size_t here0, size_t here_planes);

#endif
