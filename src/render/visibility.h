// How many views see a face of a mesh.
#ifndef TESS_VISIBILITY_H
#define TESS_VISIBILITY_H

#include "base/mesh.h"
#include "mem/stage.h"

// View `i` of `count` from all around, as the original spreads them (Hammersley points on
// the sphere), from radius 2 with a field of view of 40 degrees.
struct tess_camera tess_sphere_camera(size_t i, size_t count);

// visibility [faces]: the share of `views` views from all around, of size x size pixels,
// in which the face has a pixel. *report: all views together.
enum tess_status tess_mesh_visibility(float *visibility, struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_mesh *mesh, size_t views,
                                      uint32_t size);

// What it would need, with the smallest budget: the same for all meshes.
enum tess_status tess_mesh_visibility_plan(struct tess_stage_report *report,
                                           struct tess_device *dev,
                                           const struct tess_budget *budget, size_t views,
                                           uint32_t size);

#endif
