// Small components.
#ifndef TESS_SPECKS_H
#define TESS_SPECKS_H

#include "base/mesh.h"

// Remove components, connected by edges, whose area is below `share` of the mesh's. The
// largest stays. *removed is the number of faces that went. TESS_ERR_MEMORY.
enum tess_status tess_mesh_remove_specks(struct tess_mesh *mesh, size_t *removed,
                                         struct tess_env *env, double share);

#endif
