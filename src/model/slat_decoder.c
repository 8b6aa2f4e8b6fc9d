// Opening decoders, and running them as a stage.
#include "model/slat_decoder.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/collector.h"
#include "model/slat_parts.h"
#include "op/matmul.h"
#include "op/norm.h"

#define GROUPS       32    // of the mesh decoder's norms
#define OUT_NORM_EPS 1e-5f // before the output layer

uint32_t tess_slat_out_columns(const struct tess_slat_decoder_config *config)
{
    switch (config->kind) {
    case TESS_SLAT_GAUSSIAN:
        return config->gaussian.gaussians * 14;
    case TESS_SLAT_MESH:
        return config->use_color ? 101 : 53;
    case TESS_SLAT_RADIANCE:
        return config->radiance.rank * (3 * config->radiance.dim + 4);
    }
    return 0;
}

// ---- opening ----

// A decoder whose tensors are being collected.
struct opener {
    struct tess_slat_decoder *decoder;
    struct tess_collector tensors;
};

static enum tess_status read_norm(struct tess_group_norm *out, struct opener *opener,
                                  const char *name, uint32_t channels)
{
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    TESS_TRY(tess_collect_values(&out->weight, &opener->tensors, full, 1,
                                 (const size_t[]){channels}));
    snprintf(full, sizeof full, "%s.bias", name);
    return tess_collect_values(&out->bias, &opener->tensors, full, 1,
                               (const size_t[]){channels});
}

static enum tess_status open_torso(struct opener *opener)
{
    const struct tess_slat_decoder_config *config = &opener->decoder->config;
    uint32_t C = config->channels;
    opener->tensors.block = opener->decoder->blocks;
    TESS_TRY(
        tess_collect_linear(&opener->tensors, "input_layer", C, config->latent_channels));
    for (uint32_t i = 0; i < config->blocks; i++) {
        opener->tensors.block++;
        snprintf(opener->tensors.prefix, sizeof opener->tensors.prefix, "blocks.%u.",
                 (unsigned)i);
        TESS_TRY(tess_collect_linear(&opener->tensors, "attn.to_qkv", 3 * C, C));
        TESS_TRY(tess_collect_linear(&opener->tensors, "attn.to_out", C, C));
        TESS_TRY(tess_collect_linear(&opener->tensors, "mlp.mlp.0", config->hidden, C));
        TESS_TRY(tess_collect_linear(&opener->tensors, "mlp.mlp.2", C, config->hidden));
    }
    opener->tensors.prefix[0] = '\0';
    return TESS_OK;
}

static enum tess_status open_linear_head(struct opener *opener)
{
    struct tess_slat_decoder *decoder = opener->decoder;
    const struct tess_slat_decoder_config *config = &decoder->config;
    if (config->kind == TESS_SLAT_GAUSSIAN && config->gaussian.perturb_offset)
        TESS_TRY(tess_collect(&decoder->perturbation, &opener->tensors,
                              "offset_perturbation", 1u << TESS_F32, 2,
                              (const size_t[]){config->gaussian.gaussians, 3}));
    opener->tensors.block++;
    return tess_collect_linear(&opener->tensors, "out_layer",
                               tess_slat_out_columns(config), config->channels);
}

static enum tess_status open_mesh_head(struct opener *opener)
{
    struct tess_slat_decoder *decoder = opener->decoder;
    const struct tess_slat_decoder_config *config = &decoder->config;
    uint32_t in = config->channels;
    if (config->channels % (8 * GROUPS) != 0)
        return tess_fail(
            opener->tensors.env, TESS_ERR_FILE,
            "%s: field args.model_channels is %u, expected a multiple of %d: a mesh "
            "decoder's norms have %d groups of channels / 8",
            tess_checkpoint_path(decoder->file), (unsigned)config->channels, 8 * GROUPS,
            GROUPS);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t out = config->channels / (i == 0 ? 4 : 8);
        snprintf(opener->tensors.prefix, sizeof opener->tensors.prefix, "upsample.%u.",
                 (unsigned)i);
        opener->tensors.block++;
        TESS_TRY(read_norm(&decoder->norms[2 * i], opener, "act_layers.0", in));
        TESS_TRY(tess_collect_conv(&opener->tensors, "out_layers.0.conv",
                                   TESS_WEIGHT_WINOGRAD_DOUBLED, out, in));
        opener->tensors.block++;
        TESS_TRY(read_norm(&decoder->norms[2 * i + 1], opener, "out_layers.1", out));
        TESS_TRY(tess_collect_conv(&opener->tensors, "out_layers.3.conv",
                                   TESS_WEIGHT_WINOGRAD, out, out));
        TESS_TRY(tess_collect_conv(&opener->tensors, "skip_connection.conv",
                                   TESS_WEIGHT_TRANSPOSED, out, in));
        in = out;
    }
    opener->tensors.prefix[0] = '\0';
    return tess_collect_linear(&opener->tensors, "out_layer",
                               tess_slat_out_columns(config), in);
}

static enum tess_status open_weights(struct tess_slat_decoder *decoder,
                                     struct tess_env *env)
{
    const struct tess_slat_decoder_config *config = &decoder->config;
    struct opener opener = {.decoder = decoder,
                            .tensors = {.env = env, .file = decoder->file}};
    decoder->block_count = 1 + config->blocks + (config->kind == TESS_SLAT_MESH ? 4 : 1);
    TESS_TRY(tess_alloc(&decoder->blocks, env, decoder->block_count,
                        sizeof *decoder->blocks, "weights"));
    enum tess_status status = open_torso(&opener);
    if (!status)
        status = config->kind == TESS_SLAT_MESH ? open_mesh_head(&opener)
                                                : open_linear_head(&opener);
    if (!status)
        status = tess_collector_refuse_surplus(&opener.tensors);
    decoder->parameters = opener.tensors.parameters;
    decoder->bytes = opener.tensors.bytes;
    tess_collector_clear(&opener.tensors);
    return status;
}

static enum tess_status open_files(struct tess_slat_decoder *decoder,
                                   struct tess_env *env, const char *path)
{
    char *name = NULL;
    TESS_TRY(tess_strf(&name, env, "%s.json", path));
    enum tess_status status = tess_slat_decoder_config_read(&decoder->config, env, name);
    const struct tess_slat_decoder_config *config = &decoder->config;
    if (!status && config->qk_rms_norm)
        status =
            tess_fail(env, TESS_ERR_FILE,
                      "%s: field args.qk_rms_norm is true, expected false: no published "
                      "decoder has it",
                      name);
    free(name);
    TESS_TRY(status);
    TESS_TRY(tess_strf(&name, env, "%s.safetensors", path));
    status = tess_checkpoint_open(&decoder->file, env, name);
    free(name);
    return status;
}

enum tess_status tess_slat_decoder_open(struct tess_slat_decoder **out,
                                        struct tess_env *env, const char *path)
{
    struct tess_slat_decoder *decoder = NULL;
    TESS_TRY(tess_alloc(&decoder, env, 1, sizeof *decoder, "a decoder"));
    enum tess_status status = open_files(decoder, env, path);
    if (!status)
        status = open_weights(decoder, env);
    if (status) {
        tess_slat_decoder_close(&decoder);
        return status;
    }
    *out = decoder;
    return TESS_OK;
}

void tess_slat_decoder_close(struct tess_slat_decoder **decoder)
{
    if (!*decoder)
        return;
    tess_checkpoint_close(&(*decoder)->file);
    for (size_t i = 0; i < 4; i++) {
        free((*decoder)->norms[i].weight);
        free((*decoder)->norms[i].bias);
    }
    free((*decoder)->blocks);
    free(*decoder);
    *decoder = NULL;
}

const struct tess_slat_decoder_config *
tess_slat_decoder_config(const struct tess_slat_decoder *decoder)
{
    return &decoder->config;
}

const char *tess_slat_decoder_path(const struct tess_slat_decoder *decoder)
{
    return tess_checkpoint_path(decoder->file);
}

uint64_t tess_slat_decoder_parameters(const struct tess_slat_decoder *decoder)
{
    return decoder->parameters;
}

uint64_t tess_slat_decoder_bytes(const struct tess_slat_decoder *decoder)
{
    return decoder->bytes;
}

enum tess_status tess_slat_decoder_check(const struct tess_slat_decoder *decoder,
                                         struct tess_env *env,
                                         const struct tess_latent *latent)
{
    const struct tess_slat_decoder_config *config = &decoder->config;
    const char *model = tess_checkpoint_path(decoder->file);
    if (latent->channels != config->latent_channels)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor feats has %zu channels, expected %u as %s takes",
                         latent->path, latent->channels,
                         (unsigned)config->latent_channels, model);
    for (size_t i = 0; i < 3 * latent->voxels; i++)
        if ((uint32_t)latent->coords[i] >= config->resolution)
            return tess_fail(
                env, TESS_ERR_FILE,
                "%s: tensor coords, row %zu has the coordinate %d, expected 0..%u "
                "as %s takes",
                latent->path, i / 3, (int)latent->coords[i],
                (unsigned)config->resolution - 1, model);
    return TESS_OK;
}

// ---- running ----

static enum tess_status prepare_job(struct tess_slat_job *job)
{
    struct tess_env *env = tess_device_env(job->dev);
    const struct tess_slat_decoder_config *config = &job->decoder->config;
    TESS_TRY(tess_slat_decoder_check(job->decoder, env, job->latent));
    TESS_TRY(
        tess_voxels_create(&job->voxels, env, job->latent->coords, job->latent->voxels));
    if (config->kind == TESS_SLAT_MESH) {
        TESS_TRY(tess_voxels_find_neighbours(&job->voxels, env));
        TESS_TRY(tess_alloc(&job->halos, env, 1, sizeof *job->halos, "a decoder's run"));
    }
    for (uint32_t parity = 0; parity < 2; parity++)
        TESS_TRY(tess_windows_create(
            &job->windows[parity], env, &job->voxels, config->window_size,
            parity * (config->window_size / 2), TESS_ATTENTION_QUERIES));
    return TESS_OK;
}

enum tess_status tess_slat_job_create(struct tess_slat_job **out, struct tess_device *dev,
                                      const struct tess_slat_decoder *decoder,
                                      const struct tess_latent *latent,
                                      tess_rows_fn *rows, void *user)
{
    struct tess_slat_job *job = NULL;
    TESS_TRY(tess_alloc(&job, tess_device_env(dev), 1, sizeof *job, "a decoder's run"));
    job->dev = dev;
    job->decoder = decoder;
    job->latent = latent;
    job->rows = rows;
    job->user = user;
    enum tess_status status = prepare_job(job);
    if (status) {
        tess_slat_job_destroy(&job);
        return status;
    }
    *out = job;
    return TESS_OK;
}

void tess_slat_job_want_raw(struct tess_slat_job *job, tess_rows_fn *raw)
{
    job->raw = raw;
}

void tess_slat_job_destroy(struct tess_slat_job **job)
{
    if (!*job)
        return;
    tess_voxels_clear(&(*job)->voxels);
    tess_windows_clear(&(*job)->windows[0]);
    tess_windows_clear(&(*job)->windows[1]);
    if ((*job)->halos)
        tess_halos_clear((*job)->halos);
    free((*job)->halos);
    free(*job);
    *job = NULL;
}

const uint32_t *tess_slat_job_source(const struct tess_slat_job *job)
{
    return job->voxels.source;
}

enum tess_status tess_slat_job_cubes(int32_t **coords, const struct tess_slat_job *job)
{
    size_t count = 64 * job->voxels.count;
    int32_t *cubes = NULL;
    TESS_TRY(
        tess_alloc(&cubes, tess_device_env(job->dev), count, 3 * sizeof *cubes, "cubes"));
    for (size_t i = 0; i < count; i++)
        for (size_t axis = 0; axis < 3; axis++) {
            // Octants of the first and of the second subdivision, x in the highest bit.
            int32_t first = i >> (5 - axis) & 1, second = i >> (2 - axis) & 1;
            cubes[3 * i + axis] =
                4 * job->voxels.coords[3 * (i / 64) + axis] + 2 * first + second;
        }
    *coords = cubes;
    return TESS_OK;
}

const char *tess_slat_stage_name(const struct tess_slat_decoder *decoder)
{
    static const char *const names[] = {[TESS_SLAT_GAUSSIAN] = "gaussian decoder",
                                        [TESS_SLAT_MESH] = "mesh decoder",
                                        [TESS_SLAT_RADIANCE] = "radiance decoder"};
    return names[decoder->config.kind];
}

enum tess_status tess_slat_out_rows(struct tess_mat *rows, struct tess_stage *stage,
                                    const struct tess_slat_job *job,
                                    const struct tess_tensor *features,
                                    const struct tess_weight *items,
                                    struct tess_tile tile)
{
    size_t columns = tess_slat_out_columns(&job->decoder->config);
    struct tess_mat x;
    TESS_TRY(tess_tensor_load(&x, stage, features, tile.row0, tile.rows));
    TESS_TRY(tess_mat_take(rows, stage, tile.rows, columns, TESS_F32, "output rows"));
    TESS_TRY(tess_layernorm(
        stage, &(struct tess_layernorm){.out = x, .in = x, .eps = OUT_NORM_EPS}));
    return tess_matmul(stage, &(struct tess_matmul){.out = *rows,
                                                    .in = x,
                                                    .weight = &items[TESS_OUT_WEIGHT],
                                                    .bias = &items[TESS_OUT_BIAS],
                                                    .rows = tile.rows});
}

static enum tess_status run_decoder(struct tess_stage *stage,
                                    const struct tess_slat_job *job,
                                    struct tess_weights *weights)
{
    struct tess_tensor *features = NULL;
    TESS_TRY(tess_slat_torso(&features, stage, job, weights));
    enum tess_status status = TESS_OK;
    switch (job->decoder->config.kind) {
    case TESS_SLAT_GAUSSIAN:
        status = tess_slat_gaussian_head(stage, job, features, weights);
        break;
    case TESS_SLAT_MESH:
        status = tess_slat_mesh_head(stage, job, &features, weights);
        break;
    case TESS_SLAT_RADIANCE:
        status = tess_slat_radiance_head(stage, job, features, weights);
        break;
    }
    tess_tensor_destroy(&features);
    return status;
}

enum tess_status tess_slat_decode_stage(struct tess_stage *stage, void *user)
{
    const struct tess_slat_job *job = user;
    struct tess_weights *weights = NULL;
    TESS_TRY(tess_weights_create(&weights, stage, job->decoder->blocks,
                                 job->decoder->block_count, 1));
    enum tess_status status = run_decoder(stage, job, weights);
    tess_weights_destroy(&weights);
    return status;
}
