// The part of stb_image that is used, compiled in io/stb.c.
#ifndef TESS_STB_H
#define TESS_STB_H

#include <stddef.h>
#include <stdint.h>

// Decode JPEG, BMP, TGA or PNM to 8-bit RGBA, for free(). NULL with a static text in
// *reason.
uint8_t *tess_stb_decode(const uint8_t *data, size_t bytes, uint32_t *width,
                         uint32_t *height, const char **reason);

#endif
