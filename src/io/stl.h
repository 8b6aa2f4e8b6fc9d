// Binary STL files.
#ifndef TESS_STL_H
#define TESS_STL_H

#include "base/mesh.h"
#include "base/status.h"

// Write the triangles with z up and in world units as they are: the object is about 1
// across, and printing programs take that for millimetres. TESS_ERR_WRITE also if there
// are 2^32 triangles or more; else statuses as tess_output_commit().
enum tess_status tess_stl_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path);

#endif
