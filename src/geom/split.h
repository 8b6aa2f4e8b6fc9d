// Edges and vertices at which more than one surface meets.
#ifndef TESS_SPLIT_H
#define TESS_SPLIT_H

#include "base/mesh.h"

// Give each surface vertices of its own: where more than two faces meet at an edge, those
// that run along it in opposite directions are paired, the thinnest wedge of material
// between them first, and faces that hang together only at a vertex come apart. No
// position changes. Then no edge has more than two faces; faces left without a partner
// get a boundary. *added is the number of vertices added. TESS_ERR_MEMORY.
enum tess_status tess_mesh_split(struct tess_mesh *mesh, size_t *added,
                                 struct tess_env *env);

#endif
