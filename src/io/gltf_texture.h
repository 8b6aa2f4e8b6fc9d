// Inside src/io: the base colour textures of a binary glTF file, for its reader.
#ifndef TESS_GLTF_TEXTURE_H
#define TESS_GLTF_TEXTURE_H

#include "base/mesh.h"
#include "io/glb.h"

// Pictures that were read, each once. Zero at first; clear with
// tess_gltf_textures_clear().
struct tess_gltf_textures {
    struct tess_picture *pictures; // by image; no pixels: not read, or cannot be
    bool *tried;
    size_t count;
};

// Where the vertices of a primitive lie on a picture.
struct tess_gltf_texture {
    const struct tess_picture *picture; // NULL: there is no texture that can be read
    struct tess_glb_array uvs;
};

// The texture that a material's `pbr` names, for `vertices` vertices with `attributes`.
// Pictures outside the file or of other formats than PNG and JPEG leave *out empty;
// TESS_ERR_FILE is for indices and accessors that are wrong.
enum tess_status tess_gltf_texture_find(struct tess_gltf_texture *out,
                                        struct tess_gltf_textures *textures,
                                        const struct tess_glb *glb,
                                        struct tess_json_at pbr,
                                        struct tess_json_at attributes, size_t vertices);

// What the texture shows at a vertex, in 0..1, sRGB. Bilinear; the picture repeats.
void tess_gltf_texture_sample(float rgb[3], const struct tess_gltf_texture *texture,
                              size_t vertex);

void tess_gltf_textures_clear(struct tess_gltf_textures *textures);

#endif
