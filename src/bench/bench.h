// Inside src/bench: what the public handle holds.
#ifndef TESS_BENCH_H
#define TESS_BENCH_H

#include "pipeline/context.h"

struct tess_bench {
    struct tess_bench_result result;
};

#endif
