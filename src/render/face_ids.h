// Which face of a mesh each pixel shows, and how many views see a face.
#ifndef TESS_FACE_IDS_H
#define TESS_FACE_IDS_H

#include "base/mesh.h"
#include "mem/stage.h"
#include "render/mesh.h"

#define TESS_FACE_IDS_MAX (1u << 24) // faces

// A copy of the mesh in which each face has its number's colour, for tess_render_faces().
// TESS_ERR_ARG: more faces than TESS_FACE_IDS_MAX; TESS_ERR_MEMORY. Clear it with
// tess_mesh_clear().
enum tess_status tess_mesh_paint_faces(struct tess_mesh *out, struct tess_env *env,
                                       const struct tess_mesh *mesh);

// View `i` of `count` from all around, as the original spreads them (Hammersley points on
// the sphere), from radius 2 with a field of view of 40 degrees.
struct tess_camera tess_sphere_camera(size_t i, size_t count);

// visibility [faces]: the share of `views` views from all around, of size x size pixels,
// in which the face has a pixel. *report: all views together.
enum tess_status tess_mesh_visibility(float *visibility, struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_mesh *mesh, size_t views,
                                      uint32_t size);

#endif
