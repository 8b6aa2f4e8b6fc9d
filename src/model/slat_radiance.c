// The head of the radiance field decoder: out_layer(LN(h)), a row for each voxel.
#include "model/slat_parts.h"

#define COMFORTABLE_ROWS 4096

struct head {
    const struct tess_slat_job *job;
    const struct tess_tensor *features;
    const struct tess_weight *items;
};

static enum tess_status head_span(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    const struct head *head = user;
    struct tess_mat rows;
    TESS_TRY(
        tess_slat_out_rows(&rows, stage, head->job, head->features, head->items, tile));
    return tess_mat_deliver_later(stage, rows, tile.row0, head->job->rows,
                                  head->job->user);
}

enum tess_status tess_slat_radiance_head(struct tess_stage *stage,
                                         const struct tess_slat_job *job,
                                         const struct tess_tensor *features,
                                         struct tess_weights *weights)
{
    struct head head = {.job = job, .features = features};
    TESS_TRY(tess_weights_use(&head.items, weights, 1 + job->decoder->config.blocks));
    return tess_span_run(stage, &(struct tess_span){.name = "radiance head",
                                                    .rows = job->voxels.count,
                                                    .comfortable = COMFORTABLE_ROWS,
                                                    .run = head_span,
                                                    .user = &head});
}
