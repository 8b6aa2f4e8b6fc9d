// Gaussian splats to pictures.
#ifndef TESS_SPLAT_H
#define TESS_SPLAT_H

#include "base/mesh.h"
#include "mem/stage.h"

#define TESS_RENDER_SPLATS_STAGES 2 // "splat projection", "splat blending"
// That are projected at most; more need no more memory.
#define TESS_SPLATS_AT_A_TIME 32768

// Render with the rules of the mip-splatting rasteriser that TRELLIS is published with,
// kernel size 0.1: the splats from front to back, light through them down to 1e-4.
//
// Over black the picture's bytes are what that rasteriser gives, cut to 8 bits (not
// rounded): exactly so where colour * alpha / 255 is rounded. The background is
// transparent; alpha is one less the light that comes through, rounded, but at least the
// brightest channel over black.
//
// `channel`: colours, or TESS_CHANNEL_DEPTH, where each splat has what
// tess_camera_depth() says of its centre for a colour.
//
// `reports` has TESS_RENDER_SPLATS_STAGES elements. size 0: 512; supersampling 0: 1; both
// per axis. Samples of a pixel are averaged. Clear *out with tess_picture_clear().
// TESS_ERR_ARG: a size or supersampling beyond the largest; TESS_ERR_BUDGET with the
// smallest budget that works.
enum tess_status tess_render_splats(struct tess_picture *out,
                                    struct tess_stage_report *reports,
                                    struct tess_device *dev, struct tess_budget *budget,
                                    const struct tess_splats *splats,
                                    const struct tess_camera *camera, uint32_t size,
                                    uint32_t supersampling, enum tess_channel channel);

// What it would need for `count` splats, with the smallest budgets.
enum tess_status tess_render_splats_plan(struct tess_stage_report *reports,
                                         struct tess_device *dev,
                                         const struct tess_budget *budget, size_t count,
                                         uint32_t size, uint32_t supersampling);

#endif
