// Absolute position embedding of integer coordinates (Vaswani et al. 2017, per axis).
#ifndef TESS_POSITION_H
#define TESS_POSITION_H

#include "mem/stage.h"

// For C channels, F = floor(floor(C / 3) / 2): sin(p w_i), then cos(p w_i), w_i =
// 10000^(-i / F), for x, then y, then z; the channels that remain are 0. *table
// [resolution][2 F] is taken as scratch: the values of one axis.
enum tess_status tess_position_table(struct tess_mat *table, struct tess_stage *stage,
                                     size_t resolution, size_t channels);

// out [rows][C] from coords [rows][3] I32, each below the table's resolution.
enum tess_status tess_position_embed(struct tess_stage *stage, struct tess_mat out,
                                     struct tess_mat coords, struct tess_mat table);

#endif
