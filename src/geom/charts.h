// A surface in pieces that lie flat.
#ifndef TESS_CHARTS_H
#define TESS_CHARTS_H

#include "base/mesh.h"

// A chart's faces hang together across edges, and their projections neither overlap nor
// are turned over.
struct tess_charts {
    size_t count;
    uint32_t *of_face; // [faces]
    double (*flat)[2]; // [3 faces]: each corner in its chart's plane, x to the right and
                       // y up as seen from outside, both from 0 on; the chart has the
                       // area there that its faces have
};

// Positions must be finite. TESS_ERR_MEMORY.
enum tess_status tess_charts_create(struct tess_charts *out, struct tess_env *env,
                                    const struct tess_mesh *mesh);
void tess_charts_clear(struct tess_charts *charts);

#endif
