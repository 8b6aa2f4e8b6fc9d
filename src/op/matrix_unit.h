// Products by matrix units, where a device has one that works.
#ifndef TESS_OP_MATRIX_UNIT_H
#define TESS_OP_MATRIX_UNIT_H

#include "mem/stage.h"
#include "rt/matrix_unit.h"

// Have products and attention use the device's matrix unit from now on: one that keeps
// full precision, or with `fast` one that need not. A unit is tried first with a small
// product; one that does not compile, or whose result is wrong, is not used. The log
// tells what is used at level info. The environment's TESSELLA_MATRIX_UNIT names another
// one than expected: "none", "portable", ...
enum tess_status tess_matrix_unit_choose(struct tess_device *dev,
                                         const struct tess_budget *budget, bool fast);

#endif
