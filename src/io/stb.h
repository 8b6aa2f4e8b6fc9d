// The part of stb_image that is used, compiled in io/stb.c.
#ifndef TESS_STB_H
#define TESS_STB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Decode JPEG, BMP or TGA to 8-bit RGBA, for free(). NULL with a static text in
// *reason.
uint8_t *tess_stb_decode(const uint8_t *data, size_t bytes, uint32_t *width,
                         uint32_t *height, const char **reason);

// Write RGBA pixels as a JPEG file without alpha, piece by piece into `sink`. False:
// without memory.
bool tess_stb_encode_jpeg(const uint8_t *pixels, uint32_t width, uint32_t height,
                          void (*sink)(void *user, const void *data, size_t bytes),
                          void *user);

#endif
