// Sorting on the device.
#ifndef TESS_SORT_H
#define TESS_SORT_H

#include "mem/stage.h"

// Put `keys` [n][1] of TESS_U32 into ascending order; places [n][1], taken as scratch,
// says where each was: n < 2^32 - 4096. Equal ones stay in their order.
enum tess_status tess_sort(struct tess_mat *places, struct tess_stage *stage,
                           struct tess_mat keys);

#endif
