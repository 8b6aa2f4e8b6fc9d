// Crop and resize pictures to the byte as Pillow does with Lanczos windows, which is what
// the original networks were trained on.
#ifndef TESS_RESIZE_H
#define TESS_RESIZE_H

#include "base/mesh.h"
#include "base/status.h"

// A box of pixels that may leave the picture on any side.
struct tess_crop {
    int32_t x, y;
    uint32_t width, height; // at least 1
};

// *out becomes width x height pixels (at least 1 each) of what is in the box; outside of
// `in` everything is transparent black. Averages weigh colours by their alpha. A box of
// the wanted size is copied. TESS_ERR_MEMORY. Clear with tess_picture_clear().
enum tess_status tess_resize_crop(struct tess_picture *out, struct tess_env *env,
                                  const struct tess_picture *in, struct tess_crop crop,
                                  uint32_t width, uint32_t height);

#endif
