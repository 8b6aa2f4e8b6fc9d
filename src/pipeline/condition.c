// Pictures to what the flow models see of them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/preprocess.h"
#include "pipeline/generation.h"

struct sink {
    float *to;
    size_t channels;
};

static enum tess_status keep_rows(void *user, size_t row0, size_t rows, const void *data)
{
    const struct sink *sink = user;
    memcpy(sink->to + row0 * sink->channels, data, rows * sink->channels * sizeof(float));
    return TESS_OK;
}

static enum tess_status encode(float *to, struct tess_generation *g,
                               const struct tess_image *image)
{
    struct tess_image_encoder_sizes sizes = tess_image_encoder_sizes(g->encoder);
    struct sink sink = {to, sizes.channels};
    float *picture = NULL;
    if (image->picture.width != sizes.picture || image->picture.height != sizes.picture)
        return tess_fail(
            &g->ctx->env, TESS_ERR_ARG,
            "the picture is %u x %u, the image encoder takes %u x %u: prepare it first",
            (unsigned)image->picture.width, (unsigned)image->picture.height,
            (unsigned)sizes.picture, (unsigned)sizes.picture);
    TESS_TRY(tess_alloc(&picture, &g->ctx->env, (size_t)sizes.picture * sizes.picture,
                        3 * sizeof *picture, "a picture"));
    tess_preprocess_normalise(picture, &image->picture);
    struct tess_image_encoder_job job = {
        .encoder = g->encoder, .picture = picture, .rows = keep_rows, .user = &sink};
    enum tess_status status =
        tess_context_run(g->ctx, "image encoder", tess_image_encoder_stage, &job);
    free(picture);
    return status;
}

static enum tess_status take_kept(bool *found, struct tess_generation *g,
                                  const struct tess_file_tensor *wanted)
{
    struct tess_safetensors *kept = NULL;
    const struct tess_file_tensor *tensor;
    TESS_TRY(tess_generation_look_for(&kept, g, "condition", g->condition_key));
    *found = kept;
    if (!kept)
        return TESS_OK;
    enum tess_status status =
        tess_safetensors_require(&tensor, kept, &g->ctx->env, wanted->name,
                                 1u << TESS_F32, wanted->dims, wanted->shape);
    if (!status)
        tess_file_tensor_floats(g->conditions, tensor);
    for (size_t i = 0; !status && i < tensor->elements; i++)
        if (!isfinite(g->conditions[i]))
            status = tess_fail(&g->ctx->env, TESS_ERR_FILE,
                               "%s: tensor cond has %g at element %zu, expected finite "
                               "numbers",
                               tess_safetensors_path(kept), (double)g->conditions[i], i);
    tess_safetensors_close(&kept);
    return status;
}

// The model remembers the last conditions: bulk runs take one picture again and again.
static enum tess_status remember(struct tess_generation *g, size_t count)
{
    struct tess_condition_memory *memory = &g->model->condition;
    float *values = NULL;
    TESS_TRY(tess_alloc(&values, &g->ctx->env, count, sizeof *values, "conditions"));
    memcpy(values, g->conditions, count * sizeof *values);
    free(memory->values);
    memory->values = values;
    memcpy(memory->key, g->condition_key, sizeof memory->key);
    return TESS_OK;
}

enum tess_status tess_generation_encode(struct tess_generation *g)
{
    const struct tess_condition_memory *memory = &g->model->condition;
    size_t channels = tess_image_encoder_sizes(g->encoder).channels;
    size_t size = g->tokens * channels;
    struct tess_file_tensor cond = {.name = "cond",
                                    .dtype = TESS_F32,
                                    .dims = 3,
                                    .shape = {g->condition_count, g->tokens, channels},
                                    .data = g->conditions};
    bool found = false;
    TESS_TRY(take_kept(&found, g, &cond));
    if (found)
        return TESS_OK;
    if (memory->values && strcmp(memory->key, g->condition_key) == 0) {
        memcpy(g->conditions, memory->values, g->condition_count * size * sizeof(float));
    } else {
        for (size_t i = 0; i < g->condition_count; i++)
            TESS_TRY(encode(g->conditions + i * size, g, g->images[i]));
        TESS_TRY(remember(g, g->condition_count * size));
    }
    return tess_generation_keep(g, "condition", g->condition_key, &cond, 1);
}
