// Convolutions 3 x 3 x 3 of sparse voxels that come as whole blocks of 2 x 2 x 2, by
// minimal filtering: per block 64 products of rows where eight convolutions of 27 taps
// take 216, and 27 where all eight voxels of a block have the same value. cl/winograd.cl
// has the arithmetic and its source.
//
//   out[8 r + o] = sum over the taps t of W_t in[neighbour t of voxel (r, o)] + bias
//                  + residual[r]
//
// for octant o of block r, x in the highest bit. Missing voxels are zeros.
#ifndef TESS_WINOGRAD_H
#define TESS_WINOGRAD_H

#include "op/weight.h"

struct tess_winograd {
    struct tess_mat out; // [8 rows][N]
    struct tess_mat in;  // [8 blocks][K]; TESS_WEIGHT_WINOGRAD_DOUBLED: [blocks][K]
    const struct tess_weight *weight;
    const struct tess_weight *bias;  // NULL: none
    const struct tess_mat *residual; // [rows][N]; NULL: none
    size_t rows;
    struct tess_mat index; // [rows][27] U32: blocks of `in`, or TESS_NO_ROW
};

// Scratch is taken for some rows at a time and released.
enum tess_status tess_winograd(struct tess_stage *stage,
                               const struct tess_winograd *params);

#endif
