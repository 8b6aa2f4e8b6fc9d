// From a picture to what the image encoder sees: the object on black in the middle of a
// square, as the original makes it, to the byte.
#ifndef TESS_PREPROCESS_H
#define TESS_PREPROCESS_H

#include "base/mesh.h"
#include "base/status.h"
#include "model/background.h"

// Longest side of a picture that has no alpha, in pixels; longer ones are made smaller.
#define TESS_PREPROCESS_MAX_OPAQUE 1024

struct tess_preprocess_params {
    uint32_t size; // pixels per side of the result, at least 1: what the encoder takes
    struct tess_background background; // of pictures without alpha; others ignore it
};

// *out becomes a picture of size x size pixels, alpha 255. A picture has alpha where any
// pixel's is not 255. `in` is not changed; `name` is the picture's in messages.
// TESS_ERR_FILE: nothing in it is opaque enough, the object is too small, or see
// tess_background_key(). Clear with tess_picture_clear().
enum tess_status tess_preprocess(struct tess_picture *out, struct tess_env *env,
                                 const struct tess_picture *in, const char *name,
                                 const struct tess_preprocess_params *params);

// dst[3][height][width] becomes the encoder's input: colours in 0..1 less the mean, over
// the standard deviation of ImageNet. Alpha is ignored.
void tess_preprocess_normalise(float *dst, const struct tess_picture *picture);

#endif
