// Vertices at the same place.
#ifndef TESS_WELD_H
#define TESS_WELD_H

#include "base/mesh.h"

// Make one vertex of all that are at the same position, to the bit: the first of them,
// with its normal and attributes. Faces that use it twice then go, and so do split
// margins. Nothing changes if no face would be left. *joined is the number of vertices
// that went. TESS_ERR_MEMORY.
enum tess_status tess_mesh_weld(struct tess_mesh *mesh, size_t *joined,
                                struct tess_env *env);

#endif
