// Inside src/bench: words of the files.
#ifndef TESS_BENCH_JSON_H
#define TESS_BENCH_JSON_H

// Changes when a reader of the last version could not read a file any more.
#define TESS_BENCH_SCHEMA "tessella-bench-1"

extern const char *const tess_bench_forms[3];      // by enum tess_bench_form
extern const char *const tess_bench_roof_names[3]; // by enum tess_bench_roof

#endif
