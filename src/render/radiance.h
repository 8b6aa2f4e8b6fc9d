// Radiance fields to pictures.
#ifndef TESS_RENDER_RADIANCE_H
#define TESS_RENDER_RADIANCE_H

#include "base/mesh.h"
#include "mem/stage.h"

// Render with the rules of the renderer that TRELLIS is published with: along the ray
// through each sample, of length t from the eye, steps of 1 / (2 D) of a voxel's edge, in
// whose middles the field is looked up; of density s and step h, a = min(1 - exp(-s h),
// 0.999) of the light that came so far stops there; when less than 1e-3 comes through,
// the ray ends. Voxels with their centre nearer than 0.2 are left out. The original
// shifts each ray's steps by a random part of one; here it is a half.
//
// `channel`: colours, or TESS_CHANNEL_DEPTH, where each step has what tess_camera_depth()
// says of its depth for a colour.
//
// size 0: 512; supersampling 0: 4; both per axis. Samples of a pixel are averaged, and
// become bytes as those of splats do: over black the picture's are what the original's
// renderer gives, cut to 8 bits. Clear *out with tess_picture_clear(). TESS_ERR_ARG: a
// size or supersampling beyond the largest; TESS_ERR_BUDGET with the smallest budget that
// works.
enum tess_status tess_render_radiance(struct tess_picture *out,
                                      struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_radiance *field,
                                      const struct tess_camera *camera, uint32_t size,
                                      uint32_t supersampling, enum tess_channel channel);

// What it would need, with the smallest budget. That depends on the picture, and on rank
// and dim of the field, of which the rest may be missing.
enum tess_status tess_render_radiance_plan(struct tess_stage_report *report,
                                           struct tess_device *dev,
                                           const struct tess_budget *budget,
                                           const struct tess_radiance *field,
                                           uint32_t size, uint32_t supersampling);

#endif
