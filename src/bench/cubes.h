// Inside src/bench: what a mesh decoder hands over, made of a formula.
#ifndef TESS_BENCH_CUBES_H
#define TESS_BENCH_CUBES_H

#include "base/mesh.h"

#define TESS_BENCH_CUBES 64 // of a voxel, 4 along an axis

// Columns that are not of distances are 0.
struct tess_bench_cubes {
    uint32_t resolution; // along an axis
    size_t count;
    int32_t *coords; // [count][3]
    float *feats;    // [count][TESS_FLEXICUBES_COLOUR_COLUMNS]
};

// A signed distance at a corner of cubes, below 0 inside.
typedef float tess_bench_field(const int32_t at[3], const void *user);

// The cubes of `voxels`, [count][3] on a grid of `resolution`. tess_bench_cubes_clear()
// frees them, and must be called after a failure, too.
enum tess_status tess_bench_cubes_create(struct tess_bench_cubes *out,
                                         struct tess_env *env, const int32_t *voxels,
                                         size_t count, uint32_t resolution,
                                         tess_bench_field *field, const void *user);
enum tess_status tess_bench_cubes_extract(struct tess_mesh *mesh, struct tess_env *env,
                                          const struct tess_bench_cubes *cubes);
void tess_bench_cubes_clear(struct tess_bench_cubes *cubes);

#endif
