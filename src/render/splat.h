// Gaussian splats to pictures.
#ifndef TESS_SPLAT_H
#define TESS_SPLAT_H

#include "base/mesh.h"
#include "mem/stage.h"

// That are projected at most where they do not stay on the device: more need no more
// memory.
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
// size 0: 512; supersampling 0: 1; both per axis. Samples of a pixel are averaged. Clear
// *out with tess_picture_clear(). TESS_ERR_ARG: a size or supersampling beyond the
// largest; TESS_ERR_BUDGET with the smallest budget that works.
enum tess_status
tess_render_splats(struct tess_picture *out, struct tess_stage_report *report,
                   struct tess_device *dev, const struct tess_budget *budget,
                   const struct tess_splats *splats, const struct tess_camera *camera,
                   uint32_t size, uint32_t supersampling, enum tess_channel channel);

// Views of one size.
struct tess_splat_views {
    const char *name; // of the stage
    size_t count;
    uint32_t size, supersampling;
    enum tess_channel channel;
    struct tess_camera (*camera)(void *user, size_t view);
    // Where the pixels of a view come to; NULL: the picture is the callee's until see()
    // returns, which else may be NULL.
    uint8_t *(*pixels)(void *user, size_t view);
    enum tess_status (*see)(void *user, size_t view, const struct tess_picture *picture);
    void *user;
};

// Draw all views in one stage. Rules and statuses of tess_render_splats().
enum tess_status tess_render_splat_views(struct tess_stage_report *report,
                                         struct tess_device *dev,
                                         const struct tess_budget *budget,
                                         const struct tess_splats *splats,
                                         const struct tess_splat_views *views);

// What these would need for `count` splats, with the smallest budgets, which are the same
// for TESS_SPLATS_AT_A_TIME and more. Of `views` name, count and sizes are read.
enum tess_status tess_render_splats_plan(struct tess_stage_report *report,
                                         struct tess_device *dev,
                                         const struct tess_budget *budget, size_t count,
                                         uint32_t size, uint32_t supersampling);
enum tess_status tess_render_splat_views_plan(struct tess_stage_report *report,
                                              struct tess_device *dev,
                                              const struct tess_budget *budget,
                                              size_t count,
                                              const struct tess_splat_views *views);

#endif
