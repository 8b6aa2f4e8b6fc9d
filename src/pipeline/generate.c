// Pictures to structured latents: image encoder, structure flow, structure decoder,
// latent flow.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/voxelise.h"
#include "io/image.h"
#include "io/mesh_read.h"
#include "io/safetensors.h"
#include "model/noise.h"
#include "model/preprocess.h"
#include "model/sampler.h"
#include "pipeline/keep.h"

#define IMAGES_MAX 8

// ---- pictures ----

enum tess_status tess_image_open(struct tess_image **out, struct tess_context *ctx,
                                 const char *path)
{
    tess_context_begin(ctx);
    struct tess_image *image = NULL;
    TESS_TRY(tess_alloc(&image, &ctx->env, 1, sizeof *image, "a picture"));
    enum tess_status status = tess_strdup(&image->path, &ctx->env, path);
    if (!status)
        status = tess_image_read(&image->picture, &ctx->env, path);
    if (status) {
        tess_image_destroy(&image);
        return status;
    }
    *out = image;
    return TESS_OK;
}

enum tess_status tess_image_prepare(struct tess_image **out, struct tess_context *ctx,
                                    struct tess_model *model,
                                    const struct tess_image *image,
                                    enum tess_background_mode mode,
                                    const uint8_t background[3])
{
    tess_context_begin(ctx);
    const struct tess_image_encoder *encoder;
    TESS_TRY(tess_model_encoder(&encoder, model, ctx));
    struct tess_preprocess_params params = {
        .size = tess_image_encoder_sizes(encoder).picture, .background = {.mode = mode}};
    if (background)
        memcpy(params.background.colour, background, 3);
    struct tess_image *prepared = NULL;
    TESS_TRY(tess_alloc(&prepared, &ctx->env, 1, sizeof *prepared, "a picture"));
    enum tess_status status =
        tess_preprocess(&prepared->picture, &ctx->env, &image->picture,
                        image->path ? image->path : "the picture", &params);
    if (status) {
        tess_image_destroy(&prepared);
        return status;
    }
    *out = prepared;
    return TESS_OK;
}

// ---- conditions ----

struct condition_sink {
    float *to;
    size_t channels;
};

static enum tess_status keep_condition(void *user, size_t row0, size_t rows,
                                       const void *data)
{
    const struct condition_sink *sink = user;
    memcpy(sink->to + row0 * sink->channels, data, rows * sink->channels * sizeof(float));
    return TESS_OK;
}

static enum tess_status encode(float *to, struct tess_context *ctx,
                               const struct tess_image_encoder *encoder,
                               const struct tess_image *image)
{
    struct tess_image_encoder_sizes sizes = tess_image_encoder_sizes(encoder);
    struct condition_sink sink = {to, sizes.channels};
    float *picture = NULL;
    if (image->picture.width != sizes.picture || image->picture.height != sizes.picture)
        return tess_fail(
            &ctx->env, TESS_ERR_ARG,
            "the picture is %u x %u, the image encoder takes %u x %u: prepare "
            "it first",
            (unsigned)image->picture.width, (unsigned)image->picture.height,
            (unsigned)sizes.picture, (unsigned)sizes.picture);
    TESS_TRY(tess_alloc(&picture, &ctx->env, (size_t)sizes.picture * sizes.picture,
                        3 * sizeof *picture, "a picture"));
    tess_preprocess_normalise(picture, &image->picture);
    struct tess_image_encoder_job job = {
        .encoder = encoder, .picture = picture, .rows = keep_condition, .user = &sink};
    enum tess_status status =
        tess_context_run(ctx, "image encoder", tess_image_encoder_stage, &job);
    free(picture);
    return status;
}

// ---- samplers ----

// The networks, what they are given, and what came out so far.
struct generation {
    struct tess_context *ctx;
    struct tess_model *model;
    const struct tess_generate_params *params;
    const struct tess_image_encoder *encoder;
    const struct tess_flow *structure_flow, *latent_flow;
    const struct tess_structure_decoder *structure_decoder;
    struct tess_noise noise;
    float *conditions; // [condition_count][tokens][Cc]
    size_t condition_count, tokens;
    float *structure; // [R³][channels]
    struct tess_latent *latent;
    // What made each result, as text: one starts with the one before.
    char condition_key[512], structure_key[1024], latent_key[1536];
    char structure_name[64], latent_name[64]; // of kept files
};

static enum tess_status check_config(const struct generation *g,
                                     const struct tess_sampler_config *config,
                                     const struct tess_flow *flow)
{
    uint32_t channels = tess_image_encoder_sizes(g->encoder).channels;
    if (!config->present)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "%s/pipeline.json: a sampler's parameters are missing",
                         g->model->directory);
    if (tess_flow_config(flow)->cond_channels != channels)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "%s: the image encoder makes %u channels, %s takes %u",
                         g->model->directory, (unsigned)channels,
                         tess_flow_stage_name(flow),
                         (unsigned)tess_flow_config(flow)->cond_channels);
    return TESS_OK;
}

static struct tess_schedule schedule_of(const struct tess_sampler_config *config,
                                        const struct tess_sampling *asked)
{
    return (struct tess_schedule){
        .steps = asked->steps ? asked->steps : config->steps,
        .rescale_t = asked->rescale_t > 0 ? asked->rescale_t : config->rescale_t,
        .guidance = asked->guidance ? *asked->guidance : config->cfg_strength,
        .interval = {asked->interval ? asked->interval[0] : config->cfg_interval[0],
                     asked->interval ? asked->interval[1] : config->cfg_interval[1]}};
}

static enum tess_status sample(struct generation *g, const struct tess_flow *flow,
                               const struct tess_sampler_config *config,
                               const struct tess_sampling *asked, const int32_t *coords,
                               size_t rows, float *x)
{
    struct tess_sampler *sampler = NULL;
    struct tess_flow_item item = {coords, rows, x};
    TESS_TRY(check_config(g, config, flow));
    TESS_TRY(tess_sampler_create(
        &sampler, g->ctx->device, flow,
        &(struct tess_sampler_params){.schedule = schedule_of(config, asked),
                                      .multi = g->params->multi_diffusion
                                                   ? TESS_MULTI_DIFFUSION
                                                   : TESS_MULTI_STOCHASTIC,
                                      .items = &item,
                                      .item_count = 1,
                                      .conditions = g->conditions,
                                      .condition_count = g->condition_count,
                                      .condition_tokens = g->tokens,
                                      .guide_apart = g->params->guide_apart}));
    enum tess_status status = tess_context_run(
        g->ctx, tess_flow_stage_name(flow), tess_flow_stage, tess_sampler_job(sampler));
    tess_sampler_destroy(&sampler);
    return status;
}

// ---- the structure ----

// Noise is drawn as [channels][R³].
static enum tess_status draw_structure_noise(struct generation *g)
{
    const struct tess_flow_config *config = tess_flow_config(g->structure_flow);
    size_t R = config->resolution, rows = R * R * R, C = config->in_channels;
    float *planes = NULL;
    TESS_TRY(tess_alloc(&planes, &g->ctx->env, rows, C * sizeof *planes, "noise"));
    tess_noise_normal(planes, rows * C, &g->noise);
    enum tess_status status =
        tess_alloc(&g->structure, &g->ctx->env, rows, C * sizeof(float), "noise");
    for (size_t i = 0; i < rows * C && !status; i++)
        g->structure[i % rows * C + i / rows] = planes[i];
    free(planes);
    return status;
}

static enum tess_status sample_structure(struct generation *g)
{
    size_t R = tess_flow_config(g->structure_flow)->resolution;
    return sample(g, g->structure_flow, &g->model->config.structure_sampler,
                  &g->params->structure, NULL, R * R * R, g->structure);
}

static enum tess_status keep_logits(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    memcpy((float *)user + row0, data, rows * sizeof(float));
    return TESS_OK;
}

// Coordinates of the logits above 0, in raster order.
static enum tess_status take_voxels(struct generation *g, const float *logits,
                                    size_t side)
{
    struct tess_latent *latent = g->latent;
    size_t count = 0;
    for (size_t i = 0; i < side * side * side; i++)
        count += logits[i] > 0;
    if (!count)
        return tess_fail(&g->ctx->env, TESS_ERR_FILE,
                         "the structure came out empty: try another seed or picture");
    TESS_TRY(
        tess_alloc(&latent->coords, &g->ctx->env, count, 3 * sizeof(int32_t), "voxels"));
    for (size_t i = 0; i < side * side * side; i++) {
        if (!(logits[i] > 0))
            continue;
        int32_t *at = latent->coords + 3 * latent->voxels++;
        at[0] = (int32_t)(i / (side * side));
        at[1] = (int32_t)(i / side % side);
        at[2] = (int32_t)(i % side);
    }
    return TESS_OK;
}

static enum tess_status decode_structure(struct generation *g)
{
    size_t R = tess_flow_config(g->structure_flow)->resolution;
    size_t side = R << (tess_structure_decoder_config(g->structure_decoder)->levels - 1);
    float *logits = NULL;
    TESS_TRY(tess_alloc(&logits, &g->ctx->env, side * side * side, sizeof *logits,
                        "logits of occupancy"));
    struct tess_structure_job job = {.decoder = g->structure_decoder,
                                     .latents = g->structure,
                                     .resolution = R,
                                     .rows = keep_logits,
                                     .user = logits};
    enum tess_status status =
        tess_context_run(g->ctx, "structure decoder", tess_structure_stage, &job);
    if (!status)
        status = take_voxels(g, logits, side);
    free(logits);
    return status;
}

// ---- the latent ----

static enum tess_status sample_latent(struct generation *g)
{
    const struct tess_pipeline_config *config = &g->model->config;
    struct tess_latent *latent = g->latent;
    size_t C = latent->channels = tess_flow_config(g->latent_flow)->in_channels;
    if (config->latent_channels != C)
        return tess_fail(
            &g->ctx->env, TESS_ERR_FILE,
            "%s/pipeline.json: field args.slat_normalization has %zu channels, "
            "the latent flow model has %zu",
            g->model->directory, config->latent_channels, C);
    TESS_TRY(tess_alloc(&latent->feats, &g->ctx->env, latent->voxels, C * sizeof(float),
                        "noise"));
    tess_noise_normal(latent->feats, latent->voxels * C, &g->noise);
    TESS_TRY(sample(g, g->latent_flow, &config->latent_sampler, &g->params->latent,
                    latent->coords, latent->voxels, latent->feats));
    for (size_t i = 0; i < latent->voxels * C; i++)
        latent->feats[i] = latent->feats[i] * config->std[i % C] + config->mean[i % C];
    return TESS_OK;
}

// ---- networks ----

static enum tess_status open_networks(struct generation *g)
{
    TESS_TRY(tess_model_encoder(&g->encoder, g->model, g->ctx));
    TESS_TRY(tess_model_flow(&g->structure_flow, g->model, g->ctx, false));
    TESS_TRY(tess_model_structure_decoder(&g->structure_decoder, g->model, g->ctx));
    TESS_TRY(tess_model_flow(&g->latent_flow, g->model, g->ctx, true));
    uint32_t made = tess_flow_config(g->structure_flow)->in_channels;
    uint32_t taken = tess_structure_decoder_config(g->structure_decoder)->latent_channels;
    if (made != taken)
        return tess_fail(
            &g->ctx->env, TESS_ERR_FILE,
            "%s: the structure flow makes %u channels, the structure decoder "
            "takes %u",
            g->model->directory, (unsigned)made, (unsigned)taken);
    return TESS_OK;
}

// The tensors of a latent as files have them; without feats the first only. *coords is
// for free().
static enum tess_status describe_latent(struct tess_file_tensor tensors[2],
                                        int32_t **coords, struct tess_env *env,
                                        const struct tess_latent *latent)
{
    int32_t *rows = NULL;
    TESS_TRY(tess_alloc(&rows, env, latent->voxels, 4 * sizeof *rows, "a latent"));
    for (size_t i = 0; i < latent->voxels; i++)
        memcpy(rows + 4 * i + 1, latent->coords + 3 * i, 3 * sizeof *rows);
    tensors[0] = (struct tess_file_tensor){.name = "coords",
                                           .dtype = TESS_I32,
                                           .dims = 2,
                                           .shape = {latent->voxels, 4},
                                           .data = rows};
    tensors[1] = (struct tess_file_tensor){.name = "feats",
                                           .dtype = TESS_F32,
                                           .dims = 2,
                                           .shape = {latent->voxels, latent->channels},
                                           .data = latent->feats};
    *coords = rows;
    return TESS_OK;
}

// ---- kept results ----

static int describe_sampler(char *text, size_t size,
                            const struct tess_sampler_config *config,
                            const struct tess_sampling *asked, uint64_t bytes)
{
    struct tess_schedule schedule = schedule_of(config, asked);
    return snprintf(text, size,
                    " steps %u guidance %.17g interval %.17g,%.17g rescale %.17g "
                    "weights %llu",
                    (unsigned)schedule.steps, schedule.guidance, schedule.interval[0],
                    schedule.interval[1], schedule.rescale_t, (unsigned long long)bytes);
}

// The keys: whatever results depend on, but for the device, whose rounding they bear.
static void describe(struct generation *g, struct tess_image *const *images)
{
    const struct tess_generate_params *params = g->params;
    const struct tess_pipeline_config *config = &g->model->config;
    uint64_t hash = TESS_HASH_START;
    for (size_t i = 0; i < g->condition_count; i++) {
        const struct tess_picture *picture = &images[i]->picture;
        hash = tess_hash(hash, picture->pixels,
                         (size_t)picture->width * picture->height * 4);
    }
    snprintf(g->condition_key, sizeof g->condition_key,
             "condition 1; pictures %zu %016llx; encoder %llu; device %.128s",
             g->condition_count, (unsigned long long)hash,
             (unsigned long long)tess_image_encoder_sizes(g->encoder).bytes,
             tess_device_facts(g->ctx->device)->name);
    int used = snprintf(
        g->structure_key, sizeof g->structure_key,
        "%s; structure seed %llu "
        "multi %d decoder %llu",
        g->condition_key, (unsigned long long)params->seed, params->multi_diffusion,
        (unsigned long long)tess_structure_decoder_bytes(g->structure_decoder));
    describe_sampler(g->structure_key + used, sizeof g->structure_key - (size_t)used,
                     &config->structure_sampler, &params->structure,
                     tess_flow_bytes(g->structure_flow));
    used = snprintf(g->latent_key, sizeof g->latent_key, "%s; latent", g->structure_key);
    if (params->structure_coords)
        used += snprintf(g->latent_key + used, sizeof g->latent_key - (size_t)used,
                         " of %zu given voxels %016llx", params->structure_coords->voxels,
                         (unsigned long long)tess_hash(
                             TESS_HASH_START, params->structure_coords->coords,
                             params->structure_coords->voxels * 3 * sizeof(int32_t)));
    describe_sampler(g->latent_key + used, sizeof g->latent_key - (size_t)used,
                     &config->latent_sampler, &params->latent,
                     tess_flow_bytes(g->latent_flow));
    snprintf(g->structure_name, sizeof g->structure_name, "structure-%llu",
             (unsigned long long)params->seed);
    snprintf(g->latent_name, sizeof g->latent_name, "latent-%llu",
             (unsigned long long)params->seed);
}

static enum tess_status keep(struct generation *g, const char *name, const char *key,
                             const struct tess_file_tensor *tensors, size_t count)
{
    return g->params->keep_dir
               ? tess_keep_write(g->ctx, g->params->keep_dir, name, key, tensors, count)
               : TESS_OK;
}

static enum tess_status look_for(struct tess_safetensors **out, struct generation *g,
                                 const char *name, const char *key)
{
    *out = NULL;
    return g->params->from_dir
               ? tess_keep_open(out, g->ctx, g->params->from_dir, name, key)
               : TESS_OK;
}

static enum tess_status prepare_conditions(struct generation *g,
                                           struct tess_image *const *images)
{
    struct tess_safetensors *kept = NULL;
    const struct tess_file_tensor *tensor;
    size_t channels = tess_image_encoder_sizes(g->encoder).channels;
    size_t size = g->tokens * channels;
    struct tess_file_tensor cond = {.name = "cond",
                                    .dtype = TESS_F32,
                                    .dims = 3,
                                    .shape = {g->condition_count, g->tokens, channels}};
    TESS_TRY(tess_alloc(&g->conditions, &g->ctx->env, g->condition_count * size,
                        sizeof(float), "conditions"));
    TESS_TRY(look_for(&kept, g, "condition", g->condition_key));
    if (kept) {
        enum tess_status status = tess_safetensors_require(
            &tensor, kept, &g->ctx->env, "cond", 1u << TESS_F32, 3, cond.shape);
        if (!status)
            tess_file_tensor_floats(g->conditions, tensor);
        tess_safetensors_close(&kept);
        return status;
    }
    for (size_t i = 0; i < g->condition_count; i++)
        TESS_TRY(encode(g->conditions + i * size, g->ctx, g->encoder, images[i]));
    cond.data = g->conditions;
    return keep(g, "condition", g->condition_key, &cond, 1);
}

// Coordinates (and with `feats` the rest) of a kept latent.
static enum tess_status take_kept(struct generation *g, struct tess_safetensors *kept,
                                  bool feats)
{
    struct tess_env *env = &g->ctx->env;
    struct tess_latent *latent = g->latent;
    const struct tess_file_tensor *tensor;
    TESS_TRY(tess_safetensors_require(&tensor, kept, env, "coords", 1u << TESS_I32, 2,
                                      (const size_t[]){0, 4}));
    latent->voxels = tensor->shape[0];
    TESS_TRY(
        tess_alloc(&latent->coords, env, latent->voxels, 3 * sizeof(int32_t), "voxels"));
    for (size_t i = 0; i < latent->voxels; i++)
        memcpy(latent->coords + 3 * i,
               (const unsigned char *)tensor->data + (4 * i + 1) * sizeof(int32_t),
               3 * sizeof(int32_t));
    if (!feats)
        return TESS_OK;
    TESS_TRY(tess_safetensors_require(&tensor, kept, env, "feats", 1u << TESS_F32, 2,
                                      (const size_t[]){latent->voxels, 0}));
    latent->channels = tensor->shape[1];
    TESS_TRY(
        tess_alloc(&latent->feats, env, tensor->elements, sizeof(float), "a latent"));
    tess_file_tensor_floats(latent->feats, tensor);
    return TESS_OK;
}

static enum tess_status keep_latent(struct generation *g, const char *name,
                                    const char *key)
{
    struct tess_latent *latent = g->latent;
    struct tess_file_tensor tensors[2];
    int32_t *coords = NULL;
    if (!g->params->keep_dir)
        return TESS_OK;
    TESS_TRY(describe_latent(tensors, &coords, &g->ctx->env, latent));
    enum tess_status status = keep(g, name, key, tensors, latent->feats ? 2 : 1);
    free(coords);
    return status;
}

// ---- the whole ----

static enum tess_status make_structure(struct generation *g)
{
    const struct tess_latent *given = g->params->structure_coords;
    struct tess_safetensors *kept = NULL;
    if (given)
    { // as the original's variants: the latents' noise is the first that is drawn
        g->latent->voxels = given->voxels;
        TESS_TRY(tess_alloc(&g->latent->coords, &g->ctx->env, given->voxels,
                            3 * sizeof(int32_t), "voxels"));
        memcpy(g->latent->coords, given->coords, given->voxels * 3 * sizeof(int32_t));
        return TESS_OK;
    }
    TESS_TRY(look_for(&kept, g, g->structure_name, g->structure_key));
    TESS_TRY(
        draw_structure_noise(g)); // also when kept: the latents' noise comes after it
    if (kept) {
        enum tess_status status = take_kept(g, kept, false);
        tess_safetensors_close(&kept);
        return status;
    }
    TESS_TRY(sample_structure(g));
    TESS_TRY(decode_structure(g));
    return keep_latent(g, g->structure_name, g->structure_key);
}

static enum tess_status run(struct generation *g, struct tess_image *const *images)
{
    struct tess_safetensors *kept = NULL;
    TESS_TRY(open_networks(g));
    g->tokens = tess_image_encoder_sizes(g->encoder).tokens;
    describe(g, images);
    TESS_TRY(tess_alloc(&g->latent, &g->ctx->env, 1, sizeof *g->latent, "a latent"));
    TESS_TRY(tess_strdup(&g->latent->path, &g->ctx->env, "the generated latent"));
    TESS_TRY(look_for(&kept, g, g->latent_name, g->latent_key));
    if (kept) {
        enum tess_status status = take_kept(g, kept, true);
        tess_safetensors_close(&kept);
        return status;
    }
    TESS_TRY(prepare_conditions(g, images));
    tess_noise_seed(&g->noise, g->params->seed);
    TESS_TRY(make_structure(g));
    TESS_TRY(sample_latent(g));
    return keep_latent(g, g->latent_name, g->latent_key);
}

enum tess_status tess_generate(struct tess_latent **out, struct tess_context *ctx,
                               struct tess_model *model, struct tess_image *const *images,
                               size_t count, const struct tess_generate_params *params)
{
    static const struct tess_generate_params defaults = {0};
    tess_context_begin(ctx);
    if (count < 1 || count > IMAGES_MAX)
        return tess_fail(&ctx->env, TESS_ERR_ARG, "%zu pictures, expected 1 to %d", count,
                         IMAGES_MAX);
    struct generation g = {.ctx = ctx,
                           .model = model,
                           .params = params ? params : &defaults,
                           .condition_count = count};
    enum tess_status status = run(&g, images);
    free(g.conditions);
    free(g.structure);
    if (status) {
        tess_latent_free(&g.latent);
        return status;
    }
    *out = g.latent;
    return TESS_OK;
}

enum tess_status tess_latent_save(const struct tess_latent *latent,
                                  struct tess_context *ctx, const char *path)
{
    tess_context_begin(ctx);
    struct tess_file_tensor tensors[2];
    int32_t *coords = NULL;
    TESS_TRY(describe_latent(tensors, &coords, &ctx->env, latent));
    enum tess_status status =
        tess_safetensors_write(&ctx->env, path, tensors, 2, NULL, 0);
    free(coords);
    return status;
}

enum tess_status tess_structure_open(struct tess_latent **out, struct tess_context *ctx,
                                     struct tess_model *model, const char *path)
{
    tess_context_begin(ctx);
    const struct tess_flow *flow;
    struct tess_mesh mesh = {0};
    struct tess_latent *latent = NULL;
    TESS_TRY(tess_model_flow(&flow, model, ctx, true));
    TESS_TRY(tess_mesh_read(&mesh, &ctx->env, path));
    enum tess_status status = tess_alloc(&latent, &ctx->env, 1, sizeof *latent, "voxels");
    if (!status)
        status = tess_strdup(&latent->path, &ctx->env, path);
    if (!status) {
        status = tess_voxelise(&latent->coords, &latent->voxels, &ctx->env, &mesh,
                               tess_flow_config(flow)->resolution);
        if (status)
            tess_fail_within(&ctx->env, status, "%s: ", path);
    }
    tess_mesh_clear(&mesh);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}
