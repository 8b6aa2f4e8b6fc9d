// Inside src/bench: what the public handle holds, and what its pictures and tables share.
#ifndef TESS_BENCH_H
#define TESS_BENCH_H

#include "pipeline/context.h"

struct tess_bench {
    struct tess_bench_result result;
    char *path; // NULL: not from a file
};

#define TESS_BENCH_MAX 8 // results beside one another

// An operator of several results.
struct tess_bench_row {
    const struct tess_bench_rate *cells[TESS_BENCH_MAX]; // NULL: not in this result
    const struct tess_bench_rate *first;                 // of those that are there
    double fastest;                                      // rate of all
};

// All operators, each once. Free *rows with free(). TESS_ERR_ARG: not 1..TESS_BENCH_MAX
// results.
enum tess_status tess_bench_rows(struct tess_bench_row **rows, size_t *row_count,
                                 struct tess_env *env,
                                 const struct tess_bench *const *benches, size_t count);

// A stage of the assets of several results.
struct tess_bench_stage_row {
    const char *name;
    const struct tess_bench_stage *cells[TESS_BENCH_MAX]; // NULL: not in this result
};

// All stages, each once, into rows[TESS_BENCH_STAGES]; returns how many.
size_t tess_bench_stage_rows(struct tess_bench_stage_row *rows,
                             const struct tess_bench *const *benches, size_t count);

// "12.3 GFLOP/s", "4.5 M faces/s" into text[size]; returns text.
char *tess_bench_rate_text(char *text, size_t size, double rate, const char *unit);

#endif
