// Structure decoders and image encoders of any size against a plain reference; the same
// bytes in any budget.
#include "random_checkpoint.h"

#include "flow_reference.h"
#include "io_tmp.h"
#include "run_in_budgets.h"

// One network pass in fp32 against double: as the golden data's bound.
#define BOUND 1e-5

// ---- structure decoders ----

struct decoder_shape {
    size_t latent, resolution, res_blocks, middle_blocks, levels, channels[4];
    bool half;
};

static void add_dense_conv(struct checkpoint *c, const char *layer, bool half, size_t N,
                           size_t K)
{
    add_layer(c, layer, half, N, 5, (const size_t[]){N, K, 3, 3, 3});
}

static void add_dense_block(struct checkpoint *c, const char *block, bool half, size_t C)
{
    char name[96];
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(name, sizeof name, "%s.norm%u", block, i);
        add_norm(c, name, C);
        snprintf(name, sizeof name, "%s.conv%u", block, i);
        add_dense_conv(c, name, half, C, C);
    }
}

static void add_structure_decoder(struct checkpoint *c, const struct decoder_shape *s)
{
    char name[64];
    unsigned number = 0;
    add_dense_conv(c, "input_layer", false, s->channels[0], s->latent);
    for (unsigned i = 0; i < s->middle_blocks; i++) {
        snprintf(name, sizeof name, "middle_block.%u", i);
        add_dense_block(c, name, s->half, s->channels[0]);
    }
    for (size_t level = 0; level < s->levels; level++) {
        for (unsigned i = 0; i < s->res_blocks; i++) {
            snprintf(name, sizeof name, "blocks.%u", number++);
            add_dense_block(c, name, s->half, s->channels[level]);
        }
        if (level + 1 == s->levels)
            break;
        snprintf(name, sizeof name, "blocks.%u.conv", number++);
        add_dense_conv(c, name, s->half, 8 * s->channels[level + 1], s->channels[level]);
    }
    add_norm(c, "out_layer.0", s->channels[s->levels - 1]);
    add_dense_conv(c, "out_layer.2", false, 1, s->channels[s->levels - 1]);
}

static void write_structure_decoder(struct tmp *tmp, struct tess_context *ctx,
                                    const struct decoder_shape *s, char *path)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    char text[512], channels[96] = "";
    add_structure_decoder(c, s);
    for (size_t i = 0; i < s->levels; i++)
        snprintf(channels + strlen(channels), sizeof channels - strlen(channels),
                 i ? ", %zu" : "%zu", s->channels[i]);
    snprintf(text, sizeof text,
             "{\"name\": \"SparseStructureDecoder\", \"args\": {\"out_channels\": 1, "
             "\"latent_channels\": %zu, \"num_res_blocks\": %zu, "
             "\"num_res_blocks_middle\": %zu, \"channels\": [%s], \"norm_type\": "
             "\"layer\"}}",
             s->latent, s->res_blocks, s->middle_blocks, channels);
    tmp_write_text(tmp, "net.json", text);
    snprintf(path, 512, "%s/net", tmp->folder);
    write_tensors(ctx, c, path);
    free(c);
}

struct rows_sink {
    float *to;
    size_t columns, next;
};

static enum tess_status keep_rows(void *user, size_t row0, size_t rows, const void *data)
{
    struct rows_sink *sink = user;
    assert_int_equal(row0, sink->next); // in order
    sink->next += rows;
    memcpy(sink->to + row0 * sink->columns, data,
           rows * sink->columns * sizeof *sink->to);
    return TESS_OK;
}

static void run_structure(struct tess_context *ctx, const void *user, float *to,
                          size_t *floor)
{
    struct rows_sink sink = {to, 1, 0};
    struct tess_structure_job job = *(const struct tess_structure_job *)user;
    job.rows = keep_rows;
    job.user = &sink;
    run_stage(ctx, tess_structure_stage, &job, floor);
}

static void check_structure_decoder(struct tmp *tmp, const struct decoder_shape *s)
{
    struct tess_context *ctx = open_context(0);
    struct tess_structure_decoder *decoder = NULL;
    char path[512];
    write_structure_decoder(tmp, ctx, s, path);
    expect_ok(ctx, tess_structure_decoder_open(&decoder, &ctx->env, path));
    struct tess_safetensors *file = open_tensors(ctx, path);
    size_t R = s->resolution, side = R << (s->levels - 1);
    float *latents = ops_floats(R * R * R * s->latent, 31);
    struct tess_structure_job job = {
        .decoder = decoder, .latents = latents, .resolution = R};
    float *logits =
        run_in_budgets((struct work){run_structure, &job, side * side * side});
    double *input = ref_copy(latents, R * R * R * s->latent);
    double *reference =
        ref_structure_decoder(file, tess_structure_decoder_config(decoder), input, R);
    ops_expect(logits, reference, side * side * side, BOUND);
    free(input);
    free(reference);
    free(logits);
    free(latents);
    tess_safetensors_close(&file);
    tess_structure_decoder_close(&decoder);
    tess_context_destroy(&ctx);
}

static void structure_decoders_of_any_size(void **state)
{
    static const struct decoder_shape shapes[] = {
        {.latent = 3,
         .resolution = 3,
         .res_blocks = 1,
         .middle_blocks = 1,
         .levels = 2,
         .channels = {20, 9},
         .half = true},
        {.latent = 5,
         .resolution = 4,
         .res_blocks = 2,
         .middle_blocks = 0,
         .levels = 3,
         .channels = {33, 12, 7},
         .half = false},
        {.latent = 8,
         .resolution = 7,
         .res_blocks = 1,
         .middle_blocks = 2,
         .levels = 1,
         .channels = {17},
         .half = true},
        {.latent = 2,
         .resolution = 1,
         .res_blocks = 1,
         .middle_blocks = 1,
         .levels = 4,
         .channels = {8, 6, 5, 3},
         .half = true},
    };
    size_t count = asked_tiny() ? 1 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; i++)
        check_structure_decoder(*state, &shapes[i]);
}

// ---- image encoders ----

static void add_vector(struct checkpoint *c, const char *name, size_t rows, size_t C)
{
    add_tensor(c, name, false, 1, 0, 3, (const size_t[]){1, rows, C});
}

static void add_encoder(struct checkpoint *c, const struct ref_encoder *s, bool half)
{
    size_t C = s->channels;
    add_vector(c, "cls_token", 1, C);
    add_vector(c, "pos_embed", 1 + s->side * s->side, C);
    add_vector(c, "register_tokens", s->registers, C);
    add_layer(c, "patch_embed.proj", false, C, 4, (const size_t[]){C, 3, 14, 14});
    for (unsigned i = 0; i < s->depth; i++) {
        char block[64], name[96];
        snprintf(block, sizeof block, "blocks.%u", i);
        for (unsigned k = 1; k <= 2; k++) {
            snprintf(name, sizeof name, "%s.norm%u", block, k);
            add_norm(c, name, C);
            snprintf(name, sizeof name, "%s.ls%u.gamma", block, k);
            add_tensor(c, name, false, 0.5, 0.5, 1, (const size_t[]){C});
        }
        add_prefixed(c, block, "attn.qkv", half, 3 * C, C);
        add_prefixed(c, block, "attn.proj", half, C, C);
        add_prefixed(c, block, "mlp.fc1", half, s->hidden, C);
        add_prefixed(c, block, "mlp.fc2", half, C, s->hidden);
    }
    add_norm(c, "norm", C); // in the files, though it is not used
}

struct encoder_run {
    const struct tess_image_encoder *encoder;
    const float *picture;
    size_t size; // floats of all tokens
    size_t channels;
};

// Raw tokens and the condition use one user; both come tile by tile.
struct encoder_sink {
    struct rows_sink raw, condition;
};

static enum tess_status keep_raw(void *user, size_t row0, size_t rows, const void *data)
{
    return keep_rows(&((struct encoder_sink *)user)->raw, row0, rows, data);
}

static enum tess_status keep_condition(void *user, size_t row0, size_t rows,
                                       const void *data)
{
    return keep_rows(&((struct encoder_sink *)user)->condition, row0, rows, data);
}

static void run_encoder(struct tess_context *ctx, const void *user, float *to,
                        size_t *floor)
{
    const struct encoder_run *run = user;
    struct encoder_sink sink = {{to, run->channels, 0},
                                {to ? to + run->size : NULL, run->channels, 0}};
    struct tess_image_encoder_job job = {.encoder = run->encoder,
                                         .picture = run->picture,
                                         .raw = keep_raw,
                                         .rows = keep_condition,
                                         .user = &sink};
    run_stage(ctx, tess_image_encoder_stage, &job, floor);
}

static void check_encoder(struct tmp *tmp, struct ref_encoder s, bool half)
{
    struct tess_context *ctx = open_context(0);
    struct tess_image_encoder *encoder = NULL;
    struct checkpoint *c = calloc(1, sizeof *c);
    char path[512], name[600];
    add_encoder(c, &s, half);
    snprintf(path, sizeof path, "%s/net", tmp->folder);
    write_tensors(ctx, c, path);
    free(c);
    snprintf(name, sizeof name, "%s.safetensors", path);
    expect_ok(ctx, tess_image_encoder_open(&encoder, &ctx->env, name));
    s.file = open_tensors(ctx, path);
    struct tess_image_encoder_sizes sizes = tess_image_encoder_sizes(encoder);
    size_t rows = 1 + s.registers + s.side * s.side, count = rows * s.channels;
    assert_int_equal(sizes.picture, 14 * s.side);
    assert_int_equal(sizes.tokens, rows);
    assert_int_equal(sizes.registers, s.registers);
    assert_int_equal(sizes.depth, s.depth);
    float *picture = ops_floats(3 * sizes.picture * sizes.picture, 41);
    struct encoder_run run = {encoder, picture, count, s.channels};
    float *tokens = run_in_budgets((struct work){run_encoder, &run, 2 * count});
    double *input = ref_copy(picture, 3 * sizes.picture * sizes.picture);
    double *raw = ref_image_encoder(&s, input);
    double *condition = ref_layernorm(raw, rows, s.channels, 1e-5);
    ops_expect(tokens, raw, count, BOUND);
    ops_expect(tokens + count, condition, count, BOUND);
    free(input);
    free(raw);
    free(condition);
    free(tokens);
    free(picture);
    struct tess_safetensors *file = (struct tess_safetensors *)(uintptr_t)s.file;
    tess_safetensors_close(&file);
    tess_image_encoder_close(&encoder);
    tess_context_destroy(&ctx);
}

static void image_encoders_of_any_size(void **state)
{
    static const struct ref_encoder shapes[] = {
        {.side = 2, .channels = 64, .hidden = 90, .depth = 1, .registers = 1},
        {.side = 5, .channels = 128, .hidden = 200, .depth = 3, .registers = 4},
        {.side = 1, .channels = 192, .hidden = 33, .depth = 2, .registers = 7},
    };
    size_t count = asked_tiny() ? 1 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; i++)
        check_encoder(*state, shapes[i], i % 2 == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure_decoders_of_any_size),
        cmocka_unit_test(image_encoders_of_any_size),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
