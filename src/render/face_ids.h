// Which face of a mesh each pixel shows, and how many views see a face.
#ifndef TESS_FACE_IDS_H
#define TESS_FACE_IDS_H

#include "base/mesh.h"
#include "mem/stage.h"

#define TESS_NO_FACE_ID   UINT32_MAX
#define TESS_FACE_IDS_MAX (1u << 24) // faces

struct tess_face_painter; // a copy of the mesh in which each face has its number's colour

// TESS_ERR_ARG: more faces than TESS_FACE_IDS_MAX; TESS_ERR_MEMORY. `mesh` may go after
// that. Destroy takes NULL too.
enum tess_status tess_face_painter_create(struct tess_face_painter **out,
                                          struct tess_env *env,
                                          const struct tess_mesh *mesh);
void tess_face_painter_destroy(struct tess_face_painter **painter);

// ids [size][size]: the face at each pixel's centre, row 0 at the top, or
// TESS_NO_FACE_ID. Rules and statuses of tess_render_mesh(); size is not 0.
enum tess_status tess_face_painter_draw(uint32_t *ids, struct tess_stage_report *report,
                                        const struct tess_face_painter *painter,
                                        struct tess_device *dev,
                                        struct tess_budget *budget,
                                        const struct tess_camera *camera, uint32_t size);

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
