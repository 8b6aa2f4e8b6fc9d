// Contact sheets.
#ifndef TESS_SHEET_H
#define TESS_SHEET_H

#include "base/mesh.h"

// Put `count` > 0 pictures of one size side by side, `columns` in a row (0: all in one).
// Cells without a picture are transparent. Clear *out with tess_picture_clear().
// TESS_ERR_ARG: none, or of different sizes.
enum tess_status tess_sheet_create(struct tess_picture *out, struct tess_env *env,
                                   const struct tess_picture *const *pictures,
                                   size_t count, size_t columns);

#endif
