// Inside src/bench: weights that mean nothing.
#ifndef TESS_BENCH_RANDOM_H
#define TESS_BENCH_RANDOM_H

#include <stdint.h>

#include "base/status.h"

// In [0, 1), and the next state.
float tess_random_float(uint64_t *state);

// `count` halves of random signs and sizes from 1/16 to 1/8. Free *out with free().
enum tess_status tess_random_halves(uint16_t **out, struct tess_env *env, size_t count);

#endif
