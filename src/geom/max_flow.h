// Which nodes a minimum cut leaves on the source's side.
#ifndef TESS_MAX_FLOW_H
#define TESS_MAX_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// An arc with the same capacity in both directions.
struct tess_flow_arc {
    uint32_t nodes[2];
    int64_t capacity;
};

// from_source and to_target [nodes] are the capacities of arcs between source and node
// and between node and target. at_source [nodes] becomes true for what the source still
// reaches when the flow is at its maximum: the smallest of the minimum cuts' source
// sides, so it does not depend on the order of arcs. *flow may be NULL. Capacities are
// not negative, and their sum is below 2^62. TESS_ERR_MEMORY, TESS_ERR_CANCELLED.
enum tess_status tess_max_flow(bool *at_source, int64_t *flow, struct tess_env *env,
                               size_t nodes, const int64_t *from_source,
                               const int64_t *to_target, const struct tess_flow_arc *arcs,
                               size_t arc_count);

#endif
