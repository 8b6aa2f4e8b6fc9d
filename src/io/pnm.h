// PNM files: PGM and PPM pictures in binary.
#ifndef TESS_PNM_H
#define TESS_PNM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mesh.h"
#include "base/status.h"

// Read `bytes` bytes of a PGM (P5) or PPM (P6) file of one picture, samples of 8 or 16
// bits; it becomes 8-bit RGBA with alpha 255. `name` is the file's in messages.
// TESS_ERR_FILE: damaged, cut off, or larger than TESS_PICTURE_MAX_SIZE. Clear with
// tess_picture_clear().
enum tess_status tess_pnm_decode(struct tess_picture *out, struct tess_env *env,
                                 const char *name, const uint8_t *data, size_t bytes);

// Whether the bytes start as those of such a file do.
bool tess_pnm_check(const uint8_t *data, size_t bytes);

#endif
