// Small holes.
#ifndef TESS_FILL_HOLES_H
#define TESS_FILL_HOLES_H

#include "base/mesh.h"

// Close boundary loops of 3 to `max_edges` edges (at most TESS_HOLE_EDGES_MAX) by the
// triangles of least area, with the winding of the faces around. No vertex is added. A
// loop that passes a vertex twice is closed loop by loop; one whose triangulations all
// need an edge that is there already stays open. *filled is the number of loops closed.
// TESS_ERR_MEMORY.
#define TESS_HOLE_EDGES_MAX 1000
enum tess_status tess_mesh_fill_holes(struct tess_mesh *mesh, size_t *filled,
                                      struct tess_env *env, size_t max_edges);

#endif
