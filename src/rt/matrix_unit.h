// Matrix units: what a device may have, by what OpenCL says of it. Whether it works is
// tried by op/matrix_unit.h.
#ifndef TESS_RT_MATRIX_UNIT_H
#define TESS_RT_MATRIX_UNIT_H

#include "rt/device.h"

// The first ones as cl/matrix_unit.clh has them, which round factors to half: UNIT is one
// less. Then AMX, by kernels of its own (cl/amx.clh), which split factors into pieces:
// with three of them results are as near as without a unit, with two nearer than with
// halves. Then products of whole numbers by instructions of other CPUs
// (cl/integer_tile.clh), for which factors are quantised, again nearer than halves.
// "Portable": the same work by ordinary instructions, for tests.
enum tess_matrix_unit {
    TESS_UNIT_NONE = 0,
    TESS_UNIT_PORTABLE,
    TESS_UNIT_NVIDIA,
    TESS_UNIT_INTEL,
    TESS_UNIT_AMD_MFMA,
    TESS_UNIT_AMD_WMMA,
    TESS_UNIT_AMX,
    TESS_UNIT_AMX_FAST,
    TESS_UNIT_AMX_PORTABLE,
    TESS_UNIT_AMX_FAST_PORTABLE,
    TESS_UNIT_AVX512_VNNI,
    TESS_UNIT_AVX_VNNI,
    TESS_UNIT_AVX2,
    TESS_UNIT_AVX_PORTABLE,
    TESS_UNIT_COUNT
};

// What becomes of factors.
enum tess_factors {
    TESS_FACTORS_PLAIN,     // nothing
    TESS_FACTORS_HALVES,    // fp16, in kernels of GPUs
    TESS_FACTORS_PIECES,    // some bfloat16 each, in kernels of CPUs
    TESS_FACTORS_QUANTISED, // whole numbers and scales, in kernels of CPUs
};

const char *tess_matrix_unit_name(enum tess_matrix_unit unit); // "none", "nvidia", ...
enum tess_factors tess_matrix_unit_factors(enum tess_matrix_unit unit);
// Pieces of a factor that is no half: 3 or 2; 0: no pieces.
unsigned tess_matrix_unit_pieces(enum tess_matrix_unit unit);
// AMX itself, not its portable form.
bool tess_matrix_unit_is_amx(enum tess_matrix_unit unit);
// Work-items of a sub-group.
size_t tess_matrix_unit_lanes(enum tess_matrix_unit unit);

// INTEGERS of cl/integer_tile.clh.
unsigned tess_matrix_unit_integers(enum tess_matrix_unit unit);
// Whether the CPU has these: without them instructions, not compilers, fail.
bool tess_device_has_integers(const struct tess_device *dev, enum tess_matrix_unit unit);

// What the device should have: at full precision, or for speed.
enum tess_matrix_unit tess_matrix_unit_expected(const struct tess_device *dev, bool fast);

// What products and attention use from now on; none when a device is opened.
enum tess_matrix_unit tess_device_unit(const struct tess_device *dev);
void tess_device_set_unit(struct tess_device *dev, enum tess_matrix_unit unit);

#endif
