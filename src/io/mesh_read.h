// Triangle meshes from files of any of the formats.
#ifndef TESS_MESH_READ_H
#define TESS_MESH_READ_H

#include "base/mesh.h"
#include "base/status.h"

// Read a mesh in our world (z up) from .glb, .obj, .ply or .stl, as the name's suffix
// says, in letters of either case; of other names, as the file's first bytes say. See
// tess_gltf_read(), tess_obj_read(), tess_ply_read_mesh() and tess_stl_read() for what is
// read and refused. Normals and attributes may be NULL. Clear with tess_mesh_clear().
enum tess_status tess_mesh_read(struct tess_mesh *out, struct tess_env *env,
                                const char *path);

#endif
