// Wavefront OBJ files. They have y up: (x, y, z) of ours is (x, z, -y) there.
#ifndef TESS_OBJ_H
#define TESS_OBJ_H

#include "base/mesh.h"
#include "base/status.h"
#include "io/texture.h"

// Write "v x y z r g b" (colours as displayed, if the mesh has them), "vn" (if it has
// normals) and "f" with y up as the format's readers expect: (x, y, z) becomes (x, z,
// -y), as in GLB files. Statuses as tess_output_commit().
enum tess_status tess_obj_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path);

// The same with "vt" instead of colours, and two files beside it that appear with it or
// not at all: the material OUT.mtl (rough, not metallic), which names the texture, and
// the texture, OUT.png or OUT.jpg. OUT is `path` without its suffix.
enum tess_status tess_obj_write_textured(const struct tess_mesh *mesh,
                                         const struct tess_texture_file *texture,
                                         struct tess_env *env, const char *path);

// `path` with another suffix, for free().
enum tess_status tess_obj_beside(char **out, struct tess_env *env, const char *path,
                                 const char *suffix);

// Read vertices and faces, turned to our world (z up); polygons become fans around their
// first corner. Everything else in the file is passed over: the mesh has no normals and
// no attributes. TESS_ERR_FILE names the line: numbers that are none, faces of fewer than
// three corners or with vertices that are not there; files without faces. Clear with
// tess_mesh_clear().
enum tess_status tess_obj_read(struct tess_mesh *out, struct tess_env *env,
                               const char *path);

#endif
