// Assets as files have them: turned and scaled.
#ifndef TESS_PLACING_H
#define TESS_PLACING_H

#include "pipeline/context.h"

// Make `out` the asset turned by `quarters` times 90 degrees around x, each of which
// makes (x, -z, y) of (x, y, z), and scaled by `scale` about the origin. Arrays that stay
// as they are are the asset's own. TESS_ERR_WRITE if a number leaves single precision.
// Clear with tess_placed_clear(), also after a failure.
enum tess_status tess_asset_place(struct tess_asset *out, const struct tess_asset *asset,
                                  struct tess_env *env, int quarters, double scale);
void tess_placed_clear(struct tess_asset *placed);

#endif
