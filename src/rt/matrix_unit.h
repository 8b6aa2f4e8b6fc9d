// Matrix units: what a device may have, by what OpenCL says of it. Whether it works is
// tried by op/matrix_unit.h.
#ifndef TESS_RT_MATRIX_UNIT_H
#define TESS_RT_MATRIX_UNIT_H

#include "rt/device.h"

// As cl/matrix_unit.clh has them: UNIT is one less.
enum tess_matrix_unit {
    TESS_UNIT_NONE = 0,
    TESS_UNIT_PORTABLE, // the same work by ordinary instructions, for tests
    TESS_UNIT_NVIDIA,
    TESS_UNIT_INTEL,
    TESS_UNIT_AMD_MFMA,
    TESS_UNIT_AMD_WMMA,
    TESS_UNIT_COUNT
};

const char *tess_matrix_unit_name(enum tess_matrix_unit unit); // "none", "nvidia", ...
// Work-items of a sub-group.
size_t tess_matrix_unit_lanes(enum tess_matrix_unit unit);

// What the device should have.
enum tess_matrix_unit tess_matrix_unit_expected(const struct tess_device *dev);

// What products and attention use from now on; none when a device is opened.
enum tess_matrix_unit tess_device_unit(const struct tess_device *dev);
void tess_device_set_unit(struct tess_device *dev, enum tess_matrix_unit unit);

#endif
