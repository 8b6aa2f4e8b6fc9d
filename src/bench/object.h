// Inside src/bench: an object as decoders with trained weights make it. Random weights
// make no surface, only noise.
#ifndef TESS_BENCH_OBJECT_H
#define TESS_BENCH_OBJECT_H

#include "pipeline/context.h"

// TESS_BENCH_SPLATS for each of `voxels`, [count][3] on a grid of `resolution`, anywhere
// in it. tess_splats_clear() frees them, and must be called after a failure, too.
#define TESS_BENCH_SPLATS 32 // as published
enum tess_status tess_bench_splats(struct tess_splats *out, struct tess_env *env,
                                   const int32_t *voxels, size_t count,
                                   uint32_t resolution);

// A ring with a bumpy skin in about as many voxels, hollow as decoded meshes are: its
// mesh with an outer and an inner wall, and its splats. Where the grid is too small for
// that many voxels, it fills the grid. TESS_ERR_MEMORY.
enum tess_status tess_bench_object(struct tess_asset **out, struct tess_context *ctx,
                                   size_t voxels, uint32_t resolution);

#endif
