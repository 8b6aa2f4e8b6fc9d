// What views show of points on a surface, added up.
#ifndef TESS_BAKE_H
#define TESS_BAKE_H

#include "base/mesh.h"
#include "mem/stage.h"

struct tess_bake_points {
    size_t count;
    size_t capacity; // at least `count`: what memory is taken for, so that it can be told
                     // before the points are known
    const float *positions, *normals; // [count][3]
};

// What a camera sees, in pictures of size x size pixels.
struct tess_bake_view {
    struct tess_camera camera;
    struct tess_picture picture; // of what is baked
    float *inverse_z;            // [size][size], of the surface: TESS_WORDS_DEPTHS
};

// sums [count][4] += weight * (red, green, blue in 0..1, 1) for each view in turn that
// sees the point: not from behind, not with something before it. cl/bake.cl has the
// rules. The sums do not depend on how views are parted into calls. At most
// TESS_BAKE_VIEWS_MAX views. Stage "texture baking"; statuses as tess_stage_run().
#define TESS_BAKE_VIEWS_MAX 32
enum tess_status tess_bake_add(float *sums, struct tess_stage_report *report,
                               struct tess_device *dev, const struct tess_budget *budget,
                               const struct tess_bake_points *points,
                               const struct tess_bake_view *views, size_t view_count,
                               uint32_t size);

// What it would need, with the smallest budget.
enum tess_status tess_bake_plan(struct tess_stage_report *report, struct tess_device *dev,
                                const struct tess_budget *budget, size_t capacity,
                                size_t view_count, uint32_t size);

#endif
