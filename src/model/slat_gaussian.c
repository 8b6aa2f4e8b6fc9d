// The head of the Gaussian decoder: out_layer(LN(h)), then activations; G Gaussians a
// voxel.
#include <stdlib.h>

#include "model/slat_parts.h"
#include "op/gaussian.h"

#define COMFORTABLE_ROWS 4096

struct head {
    const struct tess_slat_job *job;
    const struct tess_tensor *features;
    const struct tess_weight *items;
    struct tess_mat perturbation, rates;
    struct tess_gaussian_params params;
};

static enum tess_status head_span(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct head *head = user;
    size_t columns = tess_slat_out_columns(&head->job->decoder->config);
    struct tess_mat raw, coords, out;
    TESS_TRY(
        tess_slat_out_rows(&raw, stage, head->job, head->features, head->items, tile));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, columns, TESS_F32, "Gaussians"));
    TESS_TRY(tess_mat_take(&coords, stage, tile.rows, 3, TESS_I32, "coordinates"));
    TESS_TRY(tess_mat_write(stage, coords, head->job->voxels.coords + 3 * tile.row0));
    if (head->job->raw)
        TESS_TRY(
            tess_mat_deliver(stage, raw, tile.row0, head->job->raw, head->job->user));
    TESS_TRY(tess_gaussian_activate(stage, out, raw, coords, head->perturbation,
                                    head->rates, &head->params));
    return tess_mat_deliver_later(stage, out, tile.row0, head->job->rows,
                                  head->job->user);
}

// The file's offsets, or zeros where the configuration has none.
static enum tess_status upload_perturbation(struct tess_stage *stage, struct head *head)
{
    const struct tess_slat_decoder *decoder = head->job->decoder;
    size_t count = decoder->config.gaussian.gaussians;
    TESS_TRY(tess_mat_take(&head->perturbation, stage, count, 3, TESS_F32, "offsets"));
    TESS_TRY(tess_slice_fill(tess_stage_device(stage), head->perturbation.data, 0));
    if (!decoder->perturbation)
        return TESS_OK;
    return tess_mat_write(stage, head->perturbation, decoder->perturbation->data);
}

enum tess_status tess_slat_gaussian_head(struct tess_stage *stage,
                                         const struct tess_slat_job *job,
                                         const struct tess_tensor *features,
                                         struct tess_weights *weights)
{
    const struct tess_slat_decoder_config *config = &job->decoder->config;
    const struct tess_gaussian_config *gaussian = &config->gaussian;
    struct head head = {
        .job = job,
        .features = features,
        .params = {.count = gaussian->gaussians,
                   .resolution = config->resolution,
                   .voxel_size = gaussian->voxel_size,
                   .scaling_bias = gaussian->scaling_bias,
                   .opacity_bias = gaussian->opacity_bias,
                   .kernel_size = gaussian->filter_3d,
                   .exponential = gaussian->scaling_activation == TESS_ACTIVATION_EXP}};
    float rates[5] = {gaussian->xyz_factor, gaussian->features_factor,
                      gaussian->scaling_factor, gaussian->rotation_factor,
                      gaussian->opacity_factor};
    TESS_TRY(upload_perturbation(stage, &head));
    TESS_TRY(tess_mat_take(&head.rates, stage, 1, 5, TESS_F32, "learning rates"));
    TESS_TRY(tess_mat_write(stage, head.rates, rates));
    TESS_TRY(tess_weights_use(&head.items, weights, 1 + config->blocks));
    return tess_span_run(stage, &(struct tess_span){.name = "gaussian head",
                                                    .rows = job->voxels.count,
                                                    .comfortable = COMFORTABLE_ROWS,
                                                    .run = head_span,
                                                    .user = &head});
}
