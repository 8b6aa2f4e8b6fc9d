// Inside src/bench: one asset from a picture, stage by stage.
#ifndef TESS_BENCH_ASSET_H
#define TESS_BENCH_ASSET_H

#include "pipeline/context.h"

// From a picture that is drawn here to a mesh and splats. Before that a few voxels go
// through most networks, so that drivers have compiled. TESS_ERR_FILE if a network of the
// model is missing or bad.
enum tess_status tess_bench_asset_run(struct tess_bench_asset *out,
                                      struct tess_context *ctx,
                                      const struct tess_bench_params *params);

#endif
