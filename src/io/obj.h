// Wavefront OBJ files.
#ifndef TESS_OBJ_H
#define TESS_OBJ_H

#include "base/mesh.h"
#include "base/status.h"

// Write "v x y z r g b" (colours as displayed, if the mesh has them), "vn" (if it has
// normals) and "f" with y up as the format's readers expect: (x, y, z) becomes (x, z,
// -y), as in GLB files. Statuses as tess_output_commit().
enum tess_status tess_obj_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path);

#endif
