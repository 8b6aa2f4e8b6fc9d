// STL files. The world is ours (z up) as it is.
#ifndef TESS_STL_H
#define TESS_STL_H

#include "base/mesh.h"
#include "base/status.h"

// Write the triangles with z up and in world units as they are: the object is about 1
// across, and printing programs take that for millimetres. TESS_ERR_WRITE also if there
// are 2^32 triangles or more; else statuses as tess_output_commit().
enum tess_status tess_stl_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path);

// Read binary and text files; every triangle has its own three vertices. The mesh has no
// normals and no attributes: the file's may be wrong. TESS_ERR_FILE names line or
// triangle: sizes that do not fit the count, statements out of order, values that are not
// finite; files without triangles. Clear with tess_mesh_clear().
enum tess_status tess_stl_read(struct tess_mesh *out, struct tess_env *env,
                               const char *path);

#endif
