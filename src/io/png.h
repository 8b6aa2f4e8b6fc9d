// PNG files.
#ifndef TESS_PNG_H
#define TESS_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/mesh.h"
#include "base/status.h"

// Pixels per axis of the largest picture that is read.
#define TESS_PICTURE_MAX_SIZE 16384

// Takes the next `bytes` bytes of a file.
typedef void tess_png_sink(void *user, const void *data, size_t bytes);

// 8-bit RGBA without time stamps, so that equal pictures are equal files; piece by piece
// into `sink`. `path` is for messages. TESS_ERR_WRITE, TESS_ERR_MEMORY.
enum tess_status tess_png_encode(const struct tess_picture *picture, struct tess_env *env,
                                 const char *path, tess_png_sink *sink, void *user);

// The same without alpha: RGB.
enum tess_status tess_png_encode_opaque(const struct tess_picture *picture,
                                        struct tess_env *env, const char *path,
                                        tess_png_sink *sink, void *user);

// Read `bytes` bytes of a PNG file; any colour type becomes 8-bit RGBA, values as stored
// (gamma and colour profiles are ignored). `name` is the file's in messages.
// TESS_ERR_FILE: damaged, cut off, or larger than TESS_PICTURE_MAX_SIZE. Clear with
// tess_picture_clear().
enum tess_status tess_png_decode(struct tess_picture *out, struct tess_env *env,
                                 const char *name, const uint8_t *data, size_t bytes);

// Whether the bytes start as those of a PNG file do.
bool tess_png_check(const uint8_t *data, size_t bytes);

#endif
