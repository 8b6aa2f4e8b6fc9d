// PLY files: Gaussian splats in the 3D Gaussian Splatting convention, and plain meshes.
//
// The convention: binary little-endian floats x y z nx ny nz f_dc_0..2 opacity scale_0..2
// rot_0..3, where opacity is a logit, scales are logarithms, rot is a quaternion w, x, y,
// z. The world of the file is ours turned by 90 degrees around x, as TRELLIS writes it:
// (x, y, z) becomes (x, -z, y), and rotations turn along.
#ifndef TESS_PLY_H
#define TESS_PLY_H

#include "base/mesh.h"
#include "base/status.h"

// Logits beyond this say no more than opacity 0 or 1 in single precision.
#define TESS_PLY_MAX_LOGIT 30

// Write splats, all values finite. Logits are kept in ±TESS_PLY_MAX_LOGIT, scales at or
// above the smallest normal float. Statuses as tess_output_commit().
enum tess_status tess_ply_write_splats(const struct tess_splats *splats,
                                       struct tess_env *env, const char *path);

// Read splats back to our world. Properties may come in any order and among others
// (f_rest_*, which are ignored). TESS_ERR_FILE names line, property or splat: text or
// big-endian files, a header that is not one, missing properties, no splats, values that
// are not finite, files cut off or too long. Clear with tess_splats_clear().
enum tess_status tess_ply_read_splats(struct tess_splats *out, struct tess_env *env,
                                      const char *path);

// Write a mesh: x y z, nx ny nz if it has normals, red green blue if it has colours, and
// triangles, binary, in our world as it is (z up). TESS_ERR_WRITE also if vertices pass
// 2^31; else statuses as tess_output_commit().
enum tess_status tess_ply_write_mesh(const struct tess_mesh *mesh, struct tess_env *env,
                                     const char *path);

// Read vertices and faces of a text or binary file of either byte order, in our world as
// it is (z up); polygons become fans around their first corner. Other elements and
// properties are passed over: the mesh has no normals and no attributes. TESS_ERR_FILE
// names line, property, vertex or face: a header that is not one, faces of fewer than
// three corners or with vertices that are not there, values that are not finite, files
// cut off, too long or without faces (such as splats). Clear with tess_mesh_clear().
enum tess_status tess_ply_read_mesh(struct tess_mesh *out, struct tess_env *env,
                                    const char *path);

// Whether the header declares faces, as those of meshes do and those of splats do not. On
// success *out is set also for what is no PLY file; the readers say what is wrong with
// it. TESS_ERR_FILE: the file cannot be opened.
enum tess_status tess_ply_has_faces(bool *out, struct tess_env *env, const char *path);

#endif
