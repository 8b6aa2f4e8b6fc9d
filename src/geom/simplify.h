// Fewer faces.
#ifndef TESS_SIMPLIFY_H
#define TESS_SIMPLIFY_H

#include "base/mesh.h"

// Collapse edges by their quadric error until at most `faces` faces are left, or no edge
// may be collapsed any more. Vertices that stay keep position and attributes; normals are
// made anew if there were some. Topology is kept: boundaries stay boundaries, and what
// is closed stays closed, but for pieces that have become flat: no two faces have the
// same corners the other way round. Nothing changes if there are no more faces than that,
// or if none would be left. TESS_ERR_MEMORY.
enum tess_status tess_mesh_simplify(struct tess_mesh *mesh, struct tess_env *env,
                                    size_t faces);

#endif
