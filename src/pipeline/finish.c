// Plans of clean-up, textures and pictures, in the order in which `decode` makes them.
#include "pipeline/finish.h"

#include "render/splat.h"

enum tess_status tess_finish_note(struct tess_finish_plan *plan, enum tess_status status)
{
    return tess_floors_note(plan->floors, status, &plan->reports[plan->count++]);
}

static enum tess_status measure(struct tess_finish_plan *plan, struct tess_model *model,
                                size_t voxels, unsigned representations)
{
    const struct tess_slat_decoder *decoder;
    plan->splats = TESS_SPLATS_AT_A_TIME; // or more
    if (representations & TESS_SPLATS && voxels) {
        TESS_TRY(tess_model_decoder(&decoder, model, plan->ctx, TESS_DECODER_GAUSSIAN));
        plan->splats = voxels * tess_slat_decoder_config(decoder)->gaussian.gaussians;
    }
    if (representations & TESS_RADIANCE) {
        TESS_TRY(tess_model_decoder(&decoder, model, plan->ctx, TESS_DECODER_RADIANCE));
        plan->field.rank = tess_slat_decoder_config(decoder)->radiance.rank;
        plan->field.dim = tess_slat_decoder_config(decoder)->radiance.dim;
    }
    return TESS_OK;
}

static enum tess_status plan_all(struct tess_finish_plan *plan, unsigned representations,
                                 const struct tess_finish *finish)
{
    static const enum tess_representation drawn[] = {TESS_MESH, TESS_SPLATS,
                                                     TESS_RADIANCE};
    bool mesh = representations & TESS_MESH;
    if (finish->clean && mesh)
        TESS_TRY(tess_asset_clean_plan(plan, finish->clean));
    if (finish->bake && mesh && representations & TESS_SPLATS)
        TESS_TRY(tess_asset_bake_plan(plan, finish->bake));
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn && finish->picture; i++)
        if (finish->drawn & representations & drawn[i])
            TESS_TRY(tess_render_plan(plan, drawn[i], finish->picture));
    return TESS_OK;
}

enum tess_status tess_finish_plan(struct tess_stage_report *reports, size_t *count,
                                  struct tess_floors *floors, struct tess_model *model,
                                  size_t voxels, unsigned representations,
                                  const struct tess_finish *finish)
{
    struct tess_finish_plan plan = {
        .ctx = floors->ctx, .floors = floors, .reports = reports, .count = *count};
    if (!finish)
        return TESS_OK;
    TESS_TRY(measure(&plan, model, voxels, representations));
    TESS_TRY(plan_all(&plan, representations, finish));
    for (; *count < plan.count; ++*count) {
        struct tess_stage_report *report = &reports[*count];
        report->memory_only = true;
        report->seconds = 0;
        report->counters = (struct tess_counters){0};
    }
    return TESS_OK;
}
