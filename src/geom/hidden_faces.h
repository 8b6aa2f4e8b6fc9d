// Faces that no view sees: inner walls and what floats inside.
#ifndef TESS_HIDDEN_FACES_H
#define TESS_HIDDEN_FACES_H

#include "base/mesh.h"

struct tess_hidden_params {
    double max_hole_area; // of a loop that removal may open; 0: 0.04, the original's
};

// Remove faces by the original's rule. visibility [faces] is the share of views that see
// a face. In each component faces seen often are outer ones and faces never seen inner
// ones; a minimum cut of edges, weighted by length, separates them. A connected piece on
// the inner side stays where its median visibility is above 1/4, or where its removal
// would open a hole that is too large. Nothing changes without inner faces.
//
// Nor does anything change if every face would have to go, which is so where views are
// too few or too coarse to see the mesh: then *spared is true. *removed is the number of
// faces that went. TESS_ERR_MEMORY, TESS_ERR_CANCELLED.
enum tess_status tess_mesh_remove_hidden(struct tess_mesh *mesh, size_t *removed,
                                         bool *spared, struct tess_env *env,
                                         const float *visibility,
                                         const struct tess_hidden_params *params);

#endif
