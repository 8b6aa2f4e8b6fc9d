// Binary glTF 2.0 files (.glb). glTF has y up: (x, y, z) of ours is (x, z, -y) there. Its
// vertex colours are linear, ours are sRGB.
#ifndef TESS_GLTF_H
#define TESS_GLTF_H

#include <stdbool.h>

#include "base/mesh.h"
#include "base/status.h"
#include "io/output.h"
#include "io/texture.h"

// Write one mesh with normals and colours, if it has them, and a rough, non-metallic
// material. Normals are brought to unit length. `count` pairs of metadata become the
// asset's "extras". A mesh without faces becomes a valid file with an empty node.
// TESS_ERR_WRITE also if the file would pass 4 GiB; else statuses as
// tess_output_commit().
enum tess_status tess_gltf_write(const struct tess_mesh *mesh, struct tess_env *env,
                                 const char *path, const struct tess_metadata *metadata,
                                 size_t count);

struct tess_gltf_look {
    // Not NULL: the base colour, instead of vertex colours, which would darken it. The
    // mesh has texture coordinates.
    const struct tess_texture_file *texture;
    bool unlit; // KHR_materials_unlit: colours as they are, whatever the light
};

// The same with another look.
enum tess_status tess_gltf_write_look(const struct tess_mesh *mesh,
                                      const struct tess_gltf_look *look,
                                      struct tess_env *env, const char *path,
                                      const struct tess_metadata *metadata, size_t count);

// Read all triangles of the file's scene as one mesh in our world: transforms applied,
// normals present (made up where a part has none), attributes present: the vertex colours
// times the material's base colour and what its texture shows at the vertex, and the
// normals as a normal map. Textures that are not PNG or JPEG in the file are ignored,
// with a warning; skins and morph targets are ignored. TESS_ERR_FILE names the accessor,
// buffer view or node: damaged files, files without triangles, and what is not supported
// (strips and fans, other buffers than the file's own, sparse accessors, required
// extensions such as Draco). Clear with tess_mesh_clear().
enum tess_status tess_gltf_read(struct tess_mesh *out, struct tess_env *env,
                                const char *path);

#endif
