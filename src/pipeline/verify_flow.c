// tess_verify() of the chain from a picture to a latent: image encoder, flow models,
// samplers and structure decoder.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/image_encoder.h"
#include "model/sampler.h"
#include "model/structure_decoder.h"
#include "pipeline/verify.h"

// Of the published image encoder: what a condition has that the golden file leaves out.
#define PUBLISHED_TOKENS     1374
#define PUBLISHED_RESOLUTION 16 // of the structure's latents, likewise

static bool is_structure(const struct tess_verifier *v)
{
    return strncmp(v->file, "ss_", 3) == 0;
}

// [C][rows] and [rows][C], as grids of latents are stored and as networks take them.
static enum tess_status transpose(float **out, struct tess_verifier *v, const float *in,
                                  size_t rows, size_t cols)
{
    float *to = NULL;
    TESS_TRY(tess_alloc(&to, &v->ctx->env, rows * cols, sizeof *to, "golden data"));
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            to[c * rows + r] = in[r * cols + c];
    *out = to;
    return TESS_OK;
}

// ---- image encoder ----

struct tokens {
    float *raw, *condition;
    size_t channels;
};

static enum tess_status keep_raw(void *user, size_t row0, size_t rows, const void *data)
{
    const struct tokens *tokens = user;
    memcpy(tokens->raw + row0 * tokens->channels, data,
           rows * tokens->channels * sizeof(float));
    return TESS_OK;
}

static enum tess_status keep_condition(void *user, size_t row0, size_t rows,
                                       const void *data)
{
    const struct tokens *tokens = user;
    memcpy(tokens->condition + row0 * tokens->channels, data,
           rows * tokens->channels * sizeof(float));
    return TESS_OK;
}

static enum tess_status encode(struct tess_verifier *v,
                               const struct tess_image_encoder *encoder, float *picture)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f},
                       std[3] = {0.229f, 0.224f, 0.225f};
    struct tess_image_encoder_sizes sizes = tess_image_encoder_sizes(encoder);
    size_t pixels = (size_t)sizes.picture * sizes.picture, count = sizes.tokens;
    struct tokens tokens = {.channels = sizes.channels};
    for (size_t i = 0; i < 3 * pixels; i++)
        picture[i] = (picture[i] - mean[i / pixels]) / std[i / pixels];
    enum tess_status status = tess_alloc(&tokens.raw, &v->ctx->env, count,
                                         tokens.channels * sizeof(float), "tokens");
    if (!status)
        status = tess_alloc(&tokens.condition, &v->ctx->env, count,
                            tokens.channels * sizeof(float), "tokens");
    struct tess_image_encoder_job job = {.encoder = encoder,
                                         .picture = picture,
                                         .raw = keep_raw,
                                         .rows = keep_condition,
                                         .user = &tokens};
    if (!status)
        status =
            tess_context_run(v->ctx, "image encoder", tess_image_encoder_stage, &job);
    if (!status)
        status = tess_verify_compare(v, "x_prenorm", tokens.raw, count * tokens.channels,
                                     TESS_VERIFY_PASS_BOUND);
    if (!status)
        status = tess_verify_compare(v, "cond", tokens.condition, count * tokens.channels,
                                     TESS_VERIFY_PASS_BOUND);
    free(tokens.raw);
    free(tokens.condition);
    return status;
}

enum tess_status tess_verify_encoder(struct tess_verifier *v)
{
    struct tess_model *model;
    const struct tess_image_encoder *encoder;
    float *picture = NULL;
    TESS_TRY(tess_verify_model(&model, v));
    TESS_TRY(tess_model_encoder(&encoder, model, v->ctx));
    size_t size = tess_image_encoder_sizes(encoder).picture;
    TESS_TRY(tess_verify_floats(&picture, NULL, v, "image", 4,
                                (const size_t[]){1, 3, size, size}));
    enum tess_status status = encode(v, encoder, picture);
    free(picture);
    return status;
}

// ---- flow models ----

struct flow_input {
    const struct tess_flow *flow;
    float *x, *condition;
    int32_t *coords;
    size_t rows, tokens;
};

static void clear_input(struct flow_input *input)
{
    free(input->x);
    free(input->condition);
    free(input->coords);
}

// x (of the tensor `name`) in rows, coordinates where there are some, and the condition.
static enum tess_status read_input(struct flow_input *input, struct tess_verifier *v,
                                   const char *name)
{
    struct tess_model *model;
    TESS_TRY(tess_verify_model(&model, v));
    TESS_TRY(tess_model_flow(&input->flow, model, v->ctx, !is_structure(v)));
    const struct tess_flow_config *config = tess_flow_config(input->flow);
    size_t C = config->in_channels, R = config->resolution;
    bool synthetic = !tess_safetensors_find(v->golden, name);
    if (is_structure(v)) {
        float *planes = NULL;
        input->rows = R * R * R;
        TESS_TRY(synthetic ? tess_verify_noise(&planes, v, "full.ss_x", C * input->rows)
                           : tess_verify_floats(&planes, NULL, v, name, 5,
                                                (const size_t[]){1, C, R, R, R}));
        enum tess_status status = transpose(&input->x, v, planes, C, input->rows);
        free(planes);
        TESS_TRY(status);
    } else {
        TESS_TRY(tess_verify_coords(&input->coords, &input->rows, v, "coords"));
        TESS_TRY(synthetic
                     ? tess_verify_noise(&input->x, v, "full.slat_x", input->rows * C)
                     : tess_verify_floats(&input->x, NULL, v, name, 2,
                                          (const size_t[]){input->rows, C}));
    }
    if (!tess_safetensors_find(v->golden, "cond")) {
        input->tokens = PUBLISHED_TOKENS;
        return tess_verify_noise(&input->condition, v, "full.cond",
                                 input->tokens * config->cond_channels);
    }
    TESS_TRY(tess_verify_floats(&input->condition, NULL, v, "cond", 3,
                                (const size_t[]){1, 0, config->cond_channels}));
    input->tokens = tess_safetensors_find(v->golden, "cond")->shape[1];
    return TESS_OK;
}

// Rows as the golden file has them.
static enum tess_status compare_rows(struct tess_verifier *v, const char *name,
                                     const float *rows, size_t count, size_t channels,
                                     double bound)
{
    if (!is_structure(v))
        return tess_verify_compare(v, name, rows, count * channels, bound);
    float *planes = NULL;
    TESS_TRY(transpose(&planes, v, rows, count, channels));
    enum tess_status status =
        tess_verify_compare(v, name, planes, count * channels, bound);
    free(planes);
    return status;
}

struct step_sink {
    float *velocity;
    size_t count;
};

static enum tess_status keep_velocity(void *user, size_t step,
                                      const float *const *velocity)
{
    const struct step_sink *sink = user;
    (void)step;
    memcpy(sink->velocity, velocity[0], sink->count * sizeof **velocity);
    return TESS_OK;
}

static enum tess_status run_step(struct tess_verifier *v, const struct flow_input *input,
                                 float t)
{
    size_t channels = tess_flow_config(input->flow)->out_channels;
    struct tess_flow_step step = {.timestep = 1000 * t, .runs = 1};
    struct tess_flow_item item = {input->coords, input->rows, input->x};
    struct step_sink sink = {NULL, input->rows * channels};
    struct tess_flow_job *job = NULL;
    TESS_TRY(
        tess_alloc(&sink.velocity, &v->ctx->env, sink.count, sizeof(float), "velocity"));
    enum tess_status status =
        tess_flow_job_create(&job, v->ctx->device, input->flow,
                             &(struct tess_flow_params){.items = &item,
                                                        .item_count = 1,
                                                        .conditions = input->condition,
                                                        .condition_count = 1,
                                                        .condition_tokens = input->tokens,
                                                        .steps = &step,
                                                        .step_count = 1,
                                                        .velocity = keep_velocity,
                                                        .user = &sink});
    if (!status)
        status = tess_context_run(v->ctx, tess_flow_stage_name(input->flow),
                                  tess_flow_stage, job);
    tess_flow_job_destroy(&job);
    if (!status)
        status = compare_rows(v, "y", sink.velocity, input->rows, channels,
                              TESS_VERIFY_PASS_BOUND);
    free(sink.velocity);
    return status;
}

enum tess_status tess_verify_flow_step(struct tess_verifier *v)
{
    struct flow_input input = {0};
    float *t = NULL;
    enum tess_status status = read_input(&input, v, "x");
    if (!status)
        status = tess_verify_floats(&t, NULL, v, "t", 1, (const size_t[]){1});
    if (!status)
        status = run_step(v, &input, *t);
    free(t);
    clear_input(&input);
    return status;
}

// ---- samplers ----

// slat = samples * std + mean
static enum tess_status compare_latent(struct tess_verifier *v,
                                       const struct flow_input *input,
                                       const struct tess_pipeline_config *config)
{
    size_t channels = tess_flow_config(input->flow)->in_channels;
    if (!tess_safetensors_find(v->golden, "slat"))
        return TESS_OK;
    if (config->latent_channels != channels)
        return tess_fail(&v->ctx->env, TESS_ERR_FILE,
                         "%s: pipeline.json has slat_normalization for %zu channels, the "
                         "model has %zu",
                         v->directory, config->latent_channels, channels);
    for (size_t i = 0; i < input->rows * channels; i++)
        input->x[i] =
            input->x[i] * config->std[i % channels] + config->mean[i % channels];
    return tess_verify_compare(v, "slat", input->x, input->rows * channels,
                               TESS_VERIFY_SAMPLING_BOUND);
}

static enum tess_status run_sampler(struct tess_verifier *v,
                                    const struct flow_input *input,
                                    const struct tess_pipeline_config *config)
{
    const struct tess_sampler_config *sampler =
        is_structure(v) ? &config->structure_sampler : &config->latent_sampler;
    struct tess_flow_item item = {input->coords, input->rows, input->x};
    struct tess_sampler *run = NULL;
    if (!sampler->present)
        return tess_fail(&v->ctx->env, TESS_ERR_FILE,
                         "%s/model/pipeline.json: the sampler's parameters are missing",
                         v->directory);
    enum tess_status status =
        tess_sampler_create(&run, v->ctx->device, input->flow,
                            &(struct tess_sampler_params){
                                .schedule = {.steps = sampler->steps,
                                             .rescale_t = sampler->rescale_t,
                                             .guidance = sampler->cfg_strength,
                                             .interval = {sampler->cfg_interval[0],
                                                          sampler->cfg_interval[1]}},
                                .items = &item,
                                .item_count = 1,
                                .conditions = input->condition,
                                .condition_count = 1,
                                .condition_tokens = input->tokens});
    if (!status)
        status = tess_context_run(v->ctx, tess_flow_stage_name(input->flow),
                                  tess_flow_stage, tess_sampler_job(run));
    tess_sampler_destroy(&run);
    return status;
}

enum tess_status tess_verify_sampler(struct tess_verifier *v)
{
    struct flow_input input = {0};
    struct tess_model *model;
    TESS_TRY(tess_verify_model(&model, v));
    enum tess_status status = read_input(&input, v, "noise");
    if (!status)
        status = run_sampler(v, &input, &model->config);
    if (!status)
        status = compare_rows(v, "samples", input.x, input.rows,
                              tess_flow_config(input.flow)->in_channels,
                              TESS_VERIFY_SAMPLING_BOUND);
    if (!status && !is_structure(v))
        status = compare_latent(v, &input, &model->config);
    clear_input(&input);
    return status;
}

// ---- structure decoder ----

static enum tess_status keep_logits(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    memcpy((float *)user + row0, data, rows * sizeof(float));
    return TESS_OK;
}

static bool is_before(const int32_t a[3], const int32_t b[3])
{
    return a[0] != b[0] ? a[0] < b[0] : a[1] != b[1] ? a[1] < b[1] : a[2] < b[2];
}

// Voxels of logits above 0 that golden ones in raster order lack, and the other way
// round.
static size_t differing_voxels(const float *logits, size_t side, const int32_t *golden,
                               size_t count)
{
    size_t next = 0, wrong = 0;
    for (size_t i = 0; i < side * side * side; i++) {
        if (!(logits[i] > 0))
            continue;
        const int32_t at[3] = {(int32_t)(i / (side * side)), (int32_t)(i / side % side),
                               (int32_t)(i % side)};
        for (; next < count && is_before(golden + 3 * next, at); next++)
            wrong++;
        if (next < count && memcmp(golden + 3 * next, at, sizeof at) == 0)
            next++;
        else
            wrong++;
    }
    return wrong + count - next;
}

static enum tess_status compare_coords(struct tess_verifier *v, const float *logits,
                                       size_t side)
{
    int32_t *coords = NULL;
    size_t count;
    if (!tess_safetensors_find(v->golden, "coords"))
        return TESS_OK;
    TESS_TRY(tess_verify_coords(&coords, &count, v, "coords"));
    size_t wrong = differing_voxels(logits, side, coords, count);
    free(coords);
    char shape[64];
    snprintf(shape, sizeof shape, "[%zu,4]", count);
    tess_verify_tell(v, "coords", shape, (double)wrong, 0, wrong == 0,
                     "voxels that differ");
    return TESS_OK;
}

static enum tess_status decode_structure(struct tess_verifier *v,
                                         const struct tess_structure_decoder *decoder,
                                         const float *planes, size_t resolution)
{
    const struct tess_structure_decoder_config *config =
        tess_structure_decoder_config(decoder);
    size_t side = resolution << (config->levels - 1);
    float *latents = NULL, *logits = NULL;
    enum tess_status status = transpose(&latents, v, planes, config->latent_channels,
                                        resolution * resolution * resolution);
    if (!status)
        status = tess_alloc(&logits, &v->ctx->env, side * side * side, sizeof *logits,
                            "logits");
    struct tess_structure_job job = {.decoder = decoder,
                                     .latents = latents,
                                     .resolution = resolution,
                                     .rows = keep_logits,
                                     .user = logits};
    if (!status)
        status =
            tess_context_run(v->ctx, "structure decoder", tess_structure_stage, &job);
    if (!status)
        status = tess_verify_compare(v, "logits", logits, side * side * side,
                                     TESS_VERIFY_PASS_BOUND);
    if (!status)
        status = compare_coords(v, logits, side);
    free(latents);
    free(logits);
    return status;
}

enum tess_status tess_verify_structure(struct tess_verifier *v)
{
    struct tess_model *model;
    const struct tess_structure_decoder *decoder;
    float *planes = NULL;
    TESS_TRY(tess_verify_model(&model, v));
    TESS_TRY(tess_model_structure_decoder(&decoder, model, v->ctx));
    size_t C = tess_structure_decoder_config(decoder)->latent_channels;
    if (!tess_safetensors_find(v->golden, "z")) {
        size_t R = PUBLISHED_RESOLUTION;
        TESS_TRY(tess_verify_noise(&planes, v, "full.ss_x", C * R * R * R));
        enum tess_status synthetic = decode_structure(v, decoder, planes, R);
        free(planes);
        return synthetic;
    }
    TESS_TRY(
        tess_verify_floats(&planes, NULL, v, "z", 5, (const size_t[]){1, C, 0, 0, 0}));
    const size_t *shape = tess_safetensors_find(v->golden, "z")->shape;
    enum tess_status status =
        shape[3] == shape[2] && shape[4] == shape[2]
            ? decode_structure(v, decoder, planes, shape[2])
            : tess_fail(&v->ctx->env, TESS_ERR_FILE, "%s: tensor z is not a cube",
                        tess_safetensors_path(v->golden));
    free(planes);
    return status;
}
