// Moving and joining rows: what is neither a product nor a norm. All F32.
#ifndef TESS_LAYOUT_H
#define TESS_LAYOUT_H

#include "mem/stage.h"

// x += y, of the same shape, in place.
enum tess_status tess_add(struct tess_stage *stage, struct tess_mat x, struct tess_mat y);

// x[row] += v [C], in place.
enum tess_status tess_add_row(struct tess_stage *stage, struct tess_mat x,
                              struct tess_slice v);

// Columns [col0, col0 + in.cols) of out = in.
enum tess_status tess_place_columns(struct tess_stage *stage, struct tess_mat out,
                                    struct tess_mat in, size_t col0);

// out[row] = sum of in[children[row][i]] over the children that are not TESS_NO_ROW,
// divided by their number plus one. children [rows][8] U32.
enum tess_status tess_pool_children(struct tess_stage *stage, struct tess_mat out,
                                    struct tess_mat in, struct tess_mat children);

// Pixel shuffle in 3D of whole planes: in [planes * R * R][8 C], out [8 planes * R *
// R][C].
enum tess_status tess_shuffle_octants(struct tess_stage *stage, struct tess_mat out,
                                      struct tess_mat in, size_t resolution);

#endif
