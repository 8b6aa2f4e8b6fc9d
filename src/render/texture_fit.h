// A texture that looks like pictures of it, by gradient descent.
#ifndef TESS_TEXTURE_FIT_H
#define TESS_TEXTURE_FIT_H

#include "base/mesh.h"
#include "mem/stage.h"

// A pixel of a view that shows the surface: where on the texture, in 1/65536 of its side,
// the colour there, and how much it counts.
struct tess_fit_pixel {
    uint16_t u, v;
    uint8_t colour[3], weight;
};

struct tess_fit_view {
    struct tess_fit_pixel *pixels; // by the row of the upper texel that they lie on
    uint32_t *starts;              // [texture's size + 1]: the first one of each row
    uint64_t weight;               // of all
};

// coordinates [picture->width][picture->height]: TESS_WORDS_COORDINATES, for a
// texture of `size` x `size` texels. Pixels count that are more opaque than not, the less
// the more texels they cover. TESS_ERR_MEMORY. Clear with tess_fit_view_clear().
enum tess_status tess_fit_view_create(struct tess_fit_view *out, struct tess_env *env,
                                      const uint32_t *coordinates,
                                      const struct tess_picture *picture, uint32_t size);
void tess_fit_view_clear(struct tess_fit_view *view);

// Mean absolute difference of the views' pixels and what rgb [size][size][3] shows at
// their places, 0 to 1, by the pixels' weights. 0 without pixels.
double tess_fit_views_misfit(const struct tess_fit_view *views, size_t count,
                             const float *rgb, uint32_t size);

struct tess_fit_params {
    uint32_t size; // of the texture
    size_t steps;  // one view each, in an order that is always the same
    size_t view_count;
    const struct tess_fit_view *views;
};

// Change rgb [size][size][3] such that samples of it, bilinear, look like the views'
// pixels: least sum of absolute differences, plus 0.01 times the mean total variation.
// Adam, as the original takes it, from what `rgb` is. Stage "texture fitting"; statuses
// as tess_stage_run().
enum tess_status tess_texture_fit(float *rgb, struct tess_stage_report *report,
                                  struct tess_device *dev,
                                  const struct tess_budget *budget,
                                  const struct tess_fit_params *params);

// What it would need, with the smallest budget. params->views may be NULL: their pixels
// need no more memory, and are left out of the work.
enum tess_status tess_texture_fit_plan(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget,
                                       const struct tess_fit_params *params);

#endif
