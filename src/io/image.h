// Pictures of any usual format.
#ifndef TESS_IO_IMAGE_H
#define TESS_IO_IMAGE_H

#include "base/mesh.h"
#include "base/status.h"

// Read a PNG, JPEG, BMP, TGA or PNM picture of up to
// TESS_PICTURE_MAX_SIZE pixels per axis; the contents tell the format. Without alpha,
// alpha is 255. TESS_ERR_FILE with the path and what is wrong. Clear with
// tess_picture_clear().
enum tess_status tess_image_read(struct tess_picture *out, struct tess_env *env,
                                 const char *path);

// The same of `bytes` bytes in memory; `name` is for messages.
enum tess_status tess_image_decode(struct tess_picture *out, struct tess_env *env,
                                   const char *name, const uint8_t *data, size_t bytes);

#endif
