// The image encoder.
//
//   x = patches of the picture through a linear layer, a class token before them, plus
//   positions; registers after the class token, without positions depth blocks: x += ls1
//   proj(attention(LN(x))); x += ls2 fc2(GELU(fc1(LN(x)))) condition = LN(x) without
//   weights
#include "model/image_encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/collector.h"
#include "model/transformer.h"
#include "op/norm.h"

#define PATCH            14
#define HEAD_CHANNELS    64
#define BLOCK_EPS        1e-6f
#define OUT_EPS          1e-5f
#define COMFORTABLE_ROWS 2048

struct tess_image_encoder {
    struct tess_checkpoint *file;
    struct tess_image_encoder_sizes sizes;
    struct tess_weight_block *blocks; // the patches' layer, then the transformer's
    float *class_token, *positions, *registers;
    // Of files that hold queries, keys and values apart: both parameters of each block's
    // layer, put together; else NULL.
    unsigned char **joined;
    tess_rename_fn *rename;
};

enum { PATCH_WEIGHT, PATCH_BIAS };
enum {
    NORM1_WEIGHT,
    NORM1_BIAS,
    QKV_WEIGHT,
    QKV_BIAS,
    PROJ_WEIGHT,
    PROJ_BIAS,
    SCALE1,
    NORM2_WEIGHT,
    NORM2_BIAS,
    FC1_WEIGHT,
    FC1_BIAS,
    FC2_WEIGHT,
    FC2_BIAS,
    SCALE2
};

// ---- names ----

// What Hugging Face calls the tensors, by the beginning of torch-hub's names.
static void rename_tensor(char *name, size_t size)
{
    static const struct {
        const char *from, *to;
    } whole[] =
        {
            {"cls_token", "embeddings.cls_token"},
            {"pos_embed", "embeddings.position_embeddings"},
            {"register_tokens", "embeddings.register_tokens"},
            {"mask_token", "embeddings.mask_token"},
            {"patch_embed.proj", "embeddings.patch_embeddings.projection"},
            {"norm.", "layernorm."},
        },
      inner[] = {
          {"attn.qkv.query", "attention.attention.query"},
          {"attn.qkv.key", "attention.attention.key"},
          {"attn.qkv.value", "attention.attention.value"},
          {"attn.proj", "attention.output.dense"},
          {"ls1.gamma", "layer_scale1.lambda1"},
          {"ls2.gamma", "layer_scale2.lambda1"},
      };
    char from[160];
    unsigned index;
    int at = 0;
    snprintf(from, sizeof from, "%s", name);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strncmp(from, whole[i].from, strlen(whole[i].from)) == 0)
            snprintf(name, size, "%s%s", whole[i].to, from + strlen(whole[i].from));
    if (sscanf(from, "blocks.%u.%n", &index, &at) != 1 || at == 0)
        return;
    const char *rest = from + at;
    snprintf(name, size, "encoder.layer.%u.%s", index, rest);
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (strncmp(rest, inner[i].from, strlen(inner[i].from)) == 0)
            snprintf(name, size, "encoder.layer.%u.%s%s", index, inner[i].to,
                     rest + strlen(inner[i].from));
}

static const char *file_name(char name[96], const struct tess_image_encoder *encoder,
                             const char *own)
{
    snprintf(name, 96, "%s", own);
    if (encoder->rename)
        encoder->rename(name, 96);
    return name;
}

// ---- opening ----

static enum tess_status find_sizes(struct tess_image_encoder *encoder,
                                   struct tess_env *env)
{
    struct tess_image_encoder_sizes *sizes = &encoder->sizes;
    const struct tess_file_tensor *positions, *registers;
    const char *path = tess_checkpoint_path(encoder->file);
    char name[96], own[64];
    if (tess_checkpoint_find(encoder->file, "embeddings.cls_token"))
        encoder->rename = rename_tensor;
    TESS_TRY(tess_checkpoint_require(&positions, encoder->file, env,
                                     file_name(name, encoder, "pos_embed"),
                                     TESS_COLLECT_FLOATS, 3, (const size_t[]){1, 0, 0}));
    TESS_TRY(tess_checkpoint_require(
        &registers, encoder->file, env, file_name(name, encoder, "register_tokens"),
        TESS_COLLECT_FLOATS, 3, (const size_t[]){1, 0, positions->shape[2]}));
    size_t patches = positions->shape[1] - 1;
    size_t side = (size_t)lround(sqrt((double)patches)), C = positions->shape[2];
    if (positions->shape[1] < 2 || side * side != patches || side > 1024 || C == 0 ||
        C > 16384 || C % HEAD_CHANNELS || registers->shape[1] > 1024)
        return tess_fail(
            env, TESS_ERR_FILE,
            "%s: the tensor of positions is [1,%zu,%zu], expected 1 more than a square "
            "number of rows, and a multiple of %d columns",
            path, positions->shape[1], C, HEAD_CHANNELS);
    sizes->picture = (uint32_t)(side * PATCH);
    sizes->channels = (uint32_t)C;
    sizes->heads = (uint32_t)C / HEAD_CHANNELS;
    sizes->registers = (uint32_t)registers->shape[1];
    sizes->tokens = 1 + sizes->registers + (uint32_t)patches;
    do
        snprintf(own, sizeof own, "blocks.%u.norm1.weight", (unsigned)sizes->depth);
    while (tess_checkpoint_find(encoder->file, file_name(name, encoder, own)) &&
           ++sizes->depth < 1024);
    if (sizes->depth == 0)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor %s is missing, expected F32 [%zu]", path, name, C);
    return TESS_OK;
}

// One parameter of the three layers below each other, at `to`.
static enum tess_status join_parameter(unsigned char *to, struct tess_collector *c,
                                       const char *parameter, uint32_t C, int dims)
{
    static const char *const names[] = {"query", "key", "value"};
    const size_t shape[] = {C, C};
    const struct tess_file_tensor *tensor = NULL;
    unsigned dtypes = TESS_COLLECT_MATRICES;
    char name[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "attn.qkv.%s.%s", names[i], parameter);
        TESS_TRY(tess_collect(&tensor, c, name, dtypes, dims, shape));
        memcpy(to + i * tensor->bytes, tensor->data, tensor->bytes);
        dtypes = 1u << tensor->dtype; // of all three
    }
    struct tess_file_tensor joined = {.data = to, .dtype = tensor->dtype};
    tess_collector_add(c, &joined, dims == 2 ? TESS_WEIGHT_MATRIX : TESS_WEIGHT_VECTOR,
                       3 * C, dims == 2 ? C : 1);
    return TESS_OK;
}

static enum tess_status open_joined(struct tess_collector *c, unsigned char **joined,
                                    uint32_t C)
{
    size_t bytes = 3 * (size_t)C * C * sizeof(float);
    TESS_TRY(tess_alloc(joined, c->env, bytes + 3 * C * sizeof(float), 1,
                        "weights of attention"));
    TESS_TRY(join_parameter(*joined, c, "weight", C, 2));
    return join_parameter(*joined + bytes, c, "bias", C, 1);
}

static enum tess_status open_block(struct tess_image_encoder *encoder,
                                   struct tess_collector *c, uint32_t index)
{
    uint32_t C = encoder->sizes.channels;
    const struct tess_file_tensor *fc1;
    char name[96], own[64];
    snprintf(own, sizeof own, "blocks.%u.mlp.fc1.weight", (unsigned)index);
    TESS_TRY(tess_checkpoint_require(&fc1, c->file, c->env, file_name(name, encoder, own),
                                     TESS_COLLECT_MATRICES, 2, (const size_t[]){0, C}));
    uint32_t hidden = (uint32_t)fc1->shape[0];
    snprintf(c->prefix, sizeof c->prefix, "blocks.%u.", (unsigned)index);
    TESS_TRY(tess_collect_norm(c, "norm1", C));
    if (c->rename)
        TESS_TRY(open_joined(c, &encoder->joined[index], C));
    else
        TESS_TRY(tess_collect_linear(c, "attn.qkv", 3 * C, C));
    TESS_TRY(tess_collect_linear(c, "attn.proj", C, C));
    TESS_TRY(tess_collect_vector(c, "ls1.gamma", C, 1, (const size_t[]){C}));
    TESS_TRY(tess_collect_norm(c, "norm2", C));
    TESS_TRY(tess_collect_linear(c, "mlp.fc1", hidden, C));
    TESS_TRY(tess_collect_linear(c, "mlp.fc2", C, hidden));
    TESS_TRY(tess_collect_vector(c, "ls2.gamma", C, 1, (const size_t[]){C}));
    c->prefix[0] = '\0';
    c->block++;
    return TESS_OK;
}

// Tensors that the file has and this use of the network has not.
static enum tess_status take_unused(const struct tess_image_encoder *encoder,
                                    struct tess_collector *c, size_t C)
{
    static const char *const names[] = {"norm.weight", "norm.bias"};
    const struct tess_file_tensor *tensor;
    char name[96];
    for (int i = 0; i < 2; i++)
        if (tess_checkpoint_find(c->file, file_name(name, encoder, names[i])))
            TESS_TRY(tess_collect(&tensor, c, names[i], TESS_COLLECT_FLOATS, 1,
                                  (const size_t[]){C}));
    if (tess_checkpoint_find(c->file, file_name(name, encoder, "mask_token")))
        TESS_TRY(tess_collect(&tensor, c, "mask_token", TESS_COLLECT_FLOATS, 2,
                              (const size_t[]){1, C}));
    return TESS_OK;
}

static enum tess_status open_all(struct tess_image_encoder *encoder,
                                 struct tess_collector *c)
{
    const struct tess_image_encoder_sizes *sizes = &encoder->sizes;
    size_t C = sizes->channels, patches = sizes->tokens - 1 - sizes->registers;
    TESS_TRY(tess_collect_values(&encoder->class_token, c, "cls_token", 3,
                                 (const size_t[]){1, 1, C}));
    TESS_TRY(tess_collect_values(&encoder->positions, c, "pos_embed", 3,
                                 (const size_t[]){1, 1 + patches, C}));
    TESS_TRY(tess_collect_values(&encoder->registers, c, "register_tokens", 3,
                                 (const size_t[]){1, sizes->registers, C}));
    TESS_TRY(tess_collect_layer(c, "patch_embed.proj", TESS_WEIGHT_MATRIX, (uint32_t)C,
                                3 * PATCH * PATCH, 4,
                                (const size_t[]){C, 3, PATCH, PATCH}));
    c->block++;
    for (uint32_t i = 0; i < sizes->depth; i++)
        TESS_TRY(open_block(encoder, c, i));
    TESS_TRY(take_unused(encoder, c, C));
    return tess_collector_refuse_surplus(c);
}

enum tess_status tess_image_encoder_open(struct tess_image_encoder **out,
                                         struct tess_env *env, const char *file)
{
    struct tess_image_encoder *encoder = NULL;
    TESS_TRY(tess_alloc(&encoder, env, 1, sizeof *encoder, "an image encoder"));
    enum tess_status status = tess_checkpoint_open(&encoder->file, env, file);
    if (!status)
        status = find_sizes(encoder, env);
    if (!status)
        status = tess_alloc(&encoder->blocks, env, encoder->sizes.depth + 2,
                            sizeof *encoder->blocks, "weights");
    if (!status)
        status = tess_alloc(&encoder->joined, env, encoder->sizes.depth,
                            sizeof *encoder->joined, "weights");
    if (!status) {
        struct tess_collector collector = {.env = env,
                                           .file = encoder->file,
                                           .block = encoder->blocks,
                                           .rename = encoder->rename};
        status = open_all(encoder, &collector);
        encoder->sizes.parameters = collector.parameters;
        encoder->sizes.bytes = collector.bytes;
        tess_collector_clear(&collector);
    }
    if (status) {
        tess_image_encoder_close(&encoder);
        return status;
    }
    *out = encoder;
    return TESS_OK;
}

void tess_image_encoder_close(struct tess_image_encoder **encoder)
{
    if (!*encoder)
        return;
    tess_checkpoint_close(&(*encoder)->file);
    for (uint32_t i = 0; (*encoder)->joined && i < (*encoder)->sizes.depth; i++)
        free((*encoder)->joined[i]);
    free((*encoder)->joined);
    free((*encoder)->blocks);
    free((*encoder)->class_token);
    free((*encoder)->positions);
    free((*encoder)->registers);
    free(*encoder);
    *encoder = NULL;
}

struct tess_image_encoder_sizes
tess_image_encoder_sizes(const struct tess_image_encoder *encoder)
{
    return encoder->sizes;
}

const struct tess_checkpoint *
tess_image_encoder_file(const struct tess_image_encoder *encoder)
{
    return encoder->file;
}

// ---- running ----

struct exec {
    const struct tess_image_encoder_job *job;
    const struct tess_weight *items;
    struct tess_transformer transformer;
};

// Class token and registers, as they are.
static enum tess_status store_extra_tokens(struct tess_stage *stage, struct exec *exec)
{
    const struct tess_image_encoder *encoder = exec->job->encoder;
    size_t C = encoder->sizes.channels, count = 1 + encoder->sizes.registers;
    struct tess_mat out;
    float *rows = NULL;
    TESS_TRY(tess_mat_take(&out, stage, count, C, TESS_F32, "tokens"));
    TESS_TRY(tess_alloc(&rows, tess_stage_env(stage), count, C * sizeof *rows, "tokens"));
    for (size_t c = 0; c < C; c++)
        rows[c] = encoder->class_token[c] + encoder->positions[c];
    memcpy(rows + C, encoder->registers, encoder->sizes.registers * C * sizeof *rows);
    enum tess_status status = tess_mat_write(stage, out, rows);
    free(rows);
    TESS_TRY(status);
    return tess_tensor_store(stage, exec->transformer.features, out, 0);
}

static enum tess_status patch_span(struct tess_stage *stage, void *user,
                                   struct tess_tile tile)
{
    struct exec *exec = user;
    const struct tess_image_encoder *encoder = exec->job->encoder;
    size_t C = encoder->sizes.channels, width = 3 * PATCH * PATCH;
    size_t size = encoder->sizes.picture, side = size / PATCH;
    struct tess_mat in, out;
    float *rows = NULL;
    TESS_TRY(tess_mat_take(&in, stage, tile.rows, width, TESS_F32, "patches"));
    TESS_TRY(tess_mat_take(&out, stage, tile.rows, C, TESS_F32, "patches"));
    TESS_TRY(tess_alloc(&rows, tess_stage_env(stage), tile.rows, width * sizeof *rows,
                        "patches"));
    for (size_t i = 0; i < tile.rows * width; i++) {
        size_t patch = tile.row0 + i / width, column = i % width;
        size_t y = patch / side * PATCH + column / PATCH % PATCH;
        size_t x = patch % side * PATCH + column % PATCH;
        rows[i] = exec->job->picture[(column / (PATCH * PATCH) * size + y) * size + x];
    }
    enum tess_status status = tess_mat_write(stage, in, rows);
    free(rows);
    TESS_TRY(status);
    TESS_TRY(tess_mat_write(stage, out, encoder->positions + (1 + tile.row0) * C));
    TESS_TRY(
        tess_matmul(stage, &(struct tess_matmul){.out = out,
                                                 .in = in,
                                                 .weight = &exec->items[PATCH_WEIGHT],
                                                 .bias = &exec->items[PATCH_BIAS],
                                                 .residual = &out,
                                                 .rows = tile.rows}));
    return tess_tensor_store(stage, exec->transformer.features, out,
                             1 + encoder->sizes.registers + tile.row0);
}

static enum tess_status out_span(struct tess_stage *stage, void *user,
                                 struct tess_tile tile)
{
    struct exec *exec = user;
    const struct tess_image_encoder_job *job = exec->job;
    struct tess_mat x;
    TESS_TRY(
        tess_tensor_load(&x, stage, exec->transformer.features, tile.row0, tile.rows));
    if (job->raw)
        TESS_TRY(tess_mat_deliver(stage, x, tile.row0, job->raw, job->user));
    TESS_TRY(tess_layernorm(stage,
                            &(struct tess_layernorm){.out = x, .in = x, .eps = OUT_EPS}));
    return tess_mat_deliver(stage, x, tile.row0, job->rows, job->user);
}

static enum tess_status run_block(struct exec *exec)
{
    const struct tess_weight *w = exec->items;
    return tess_transformer_run(
        &exec->transformer,
        &(struct tess_transformer_block){.norm1_weight = &w[NORM1_WEIGHT].data,
                                         .norm1_bias = &w[NORM1_BIAS].data,
                                         .qkv = &w[QKV_WEIGHT],
                                         .qkv_bias = &w[QKV_BIAS],
                                         .out = &w[PROJ_WEIGHT],
                                         .out_bias = &w[PROJ_BIAS],
                                         .gate1 = &w[SCALE1].data,
                                         .norm3_weight = &w[NORM2_WEIGHT].data,
                                         .norm3_bias = &w[NORM2_BIAS].data,
                                         .mlp0 = &w[FC1_WEIGHT],
                                         .mlp0_bias = &w[FC1_BIAS],
                                         .mlp2 = &w[FC2_WEIGHT],
                                         .mlp2_bias = &w[FC2_BIAS],
                                         .gate3 = &w[SCALE2].data,
                                         .activation = TESS_ACT_GELU_ERF,
                                         .eps = BLOCK_EPS});
}

static enum tess_status run(struct tess_stage *stage, struct exec *exec,
                            struct tess_weights *weights)
{
    const struct tess_image_encoder_sizes *sizes = &exec->job->encoder->sizes;
    TESS_TRY(store_extra_tokens(stage, exec));
    TESS_TRY(tess_weights_use(&exec->items, weights, 0));
    TESS_TRY(tess_span_run(
        stage, &(struct tess_span){.name = "patches",
                                   .rows = sizes->tokens - 1 - sizes->registers,
                                   .comfortable = COMFORTABLE_ROWS,
                                   .run = patch_span,
                                   .user = exec}));
    for (uint32_t i = 0; i < sizes->depth; i++) {
        TESS_TRY(tess_weights_use(&exec->items, weights, 1 + i));
        TESS_TRY(run_block(exec));
    }
    return tess_span_run(stage, &(struct tess_span){.name = "condition",
                                                    .rows = sizes->tokens,
                                                    .comfortable = COMFORTABLE_ROWS,
                                                    .run = out_span,
                                                    .user = exec});
}

enum tess_status tess_image_encoder_stage(struct tess_stage *stage, void *user)
{
    struct exec exec = {.job = user};
    const struct tess_image_encoder *encoder = exec.job->encoder;
    struct tess_weights *weights = NULL;
    size_t tokens = encoder->sizes.tokens;
    TESS_TRY(tess_transformer_create(
        &exec.transformer, stage,
        &(struct tess_transformer_params){.channels = encoder->sizes.channels,
                                          .heads = encoder->sizes.heads,
                                          .tokens = &tokens,
                                          .sequence_count = 1,
                                          .rows = tokens}));
    tess_transformer_set_runs(&exec.transformer, (const size_t[]){0}, 1);
    enum tess_status status = tess_weights_create(&weights, stage, encoder->blocks,
                                                  encoder->sizes.depth + 1, 1);
    if (!status)
        status = run(stage, &exec, weights);
    tess_weights_destroy(&weights);
    tess_transformer_clear(&exec.transformer);
    return status;
}
