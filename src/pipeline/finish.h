// Inside src/pipeline: plans of what is made of a decoded asset. What these stages do
// depends on the mesh, which is not there yet; their memory does not.
#ifndef TESS_FINISH_H
#define TESS_FINISH_H

#include "pipeline/floors.h"

struct tess_finish_plan {
    struct tess_context *ctx;
    struct tess_floors *floors;
    struct tess_stage_report *reports; // room for all
    size_t count;                      // so far
    size_t splats;
    struct tess_radiance field; // rank and dim; 0: there is none
};

// Note a stage's plan, which is in reports[count]: that counts then.
enum tess_status tess_finish_note(struct tess_finish_plan *plan, enum tess_status status);

// Append the stages of `finish` to reports[*count] on, for an asset of `representations`
// that `model` decodes from `voxels` voxels (0: not known yet). Statuses as
// tess_floors_note().
enum tess_status tess_finish_plan(struct tess_stage_report *reports, size_t *count,
                                  struct tess_floors *floors, struct tess_model *model,
                                  size_t voxels, unsigned representations,
                                  const struct tess_finish *finish);

// ---- clean.c, bake.c, picture.c ----

enum tess_status tess_asset_clean_plan(struct tess_finish_plan *plan,
                                       const struct tess_clean_params *params);
enum tess_status tess_asset_bake_plan(struct tess_finish_plan *plan,
                                      const struct tess_bake_params *params);
enum tess_status tess_render_plan(struct tess_finish_plan *plan,
                                  enum tess_representation which,
                                  const struct tess_render_params *params);

#endif
