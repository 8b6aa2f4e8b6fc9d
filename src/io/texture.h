// Textures as files in memory.
#ifndef TESS_TEXTURE_H
#define TESS_TEXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mesh.h"

struct tess_texture_file {
    uint8_t *data;
    size_t bytes, capacity;
    const char *mime, *suffix; // "image/png", ".png"
};

// Make a file of the picture's red, green and blue, the same for the same picture. JPEG
// is of quality 95, colours at full resolution. `path` is for messages. TESS_ERR_MEMORY.
// Clear with tess_texture_file_clear().
enum tess_status tess_texture_encode(struct tess_texture_file *out, struct tess_env *env,
                                     const struct tess_picture *picture,
                                     enum tess_texture_format format, const char *path);
void tess_texture_file_clear(struct tess_texture_file *file);

#endif
