// For the tests of networks: contexts, and checkpoints with random weights of any shape.
#ifndef RANDOM_CHECKPOINT_H
#define RANDOM_CHECKPOINT_H

#include "ops_common.h"

#include "io/safetensors.h"
#include "pipeline/context.h"

static inline struct tess_context *open_context(size_t memory)
{
    struct tess_context *ctx = NULL;
    char message[TESS_MESSAGE_MAX] = "";
    struct tess_context_params params = {.memory = memory};
    enum tess_status status = tess_context_create(&ctx, &params, message);
    if (status)
        fprintf(stderr, "# %s\n", message);
    assert_int_equal(status, TESS_OK);
    return ctx;
}

static inline void expect_ok(struct tess_context *ctx, enum tess_status status)
{
    if (status)
        fprintf(stderr, "# %s\n", tess_context_message(ctx));
    assert_int_equal(status, TESS_OK);
}

struct checkpoint {
    struct tess_file_tensor tensors[256];
    char names[256][128];
    size_t count;
    uint64_t seed;
};

static inline void add_tensor(struct checkpoint *c, const char *name, bool half,
                              double scale, double offset, int dims, const size_t *shape)
{
    struct tess_file_tensor *t = &c->tensors[c->count];
    snprintf(c->names[c->count], sizeof c->names[0], "%s", name);
    *t = (struct tess_file_tensor){
        .name = c->names[c->count++], .dtype = half ? TESS_F16 : TESS_F32, .dims = dims};
    size_t elements = 1;
    for (int i = 0; i < dims; i++)
        elements *= t->shape[i] = shape[i];
    float *values = malloc(elements * sizeof *values);
    uint16_t *halves = malloc(elements * sizeof *halves);
    for (size_t i = 0; i < elements; i++) {
        values[i] =
            (float)(offset + scale * ((double)ops_random(&c->seed) / (1u << 30) - 1));
        // Halves that are normal: sign, exponent and 10 bits are cut out of the float.
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        int exponent = (int)(bits >> 23 & 255) - 112;
        halves[i] = (uint16_t)(bits >> 16 & 0x8000);
        if (exponent > 0)
            halves[i] |= (uint16_t)((unsigned)exponent << 10 | (bits >> 13 & 1023));
    }
    t->data = half ? (void *)halves : values;
    free(half ? (void *)values : halves);
}

static inline void add_layer(struct checkpoint *c, const char *layer, bool half, size_t N,
                             int dims, const size_t *shape)
{
    char name[128];
    size_t fan_in = 1;
    for (int i = 1; i < dims; i++)
        fan_in *= shape[i];
    snprintf(name, sizeof name, "%s.weight", layer);
    add_tensor(c, name, half, sqrt(3.0 / (double)fan_in), 0, dims, shape);
    snprintf(name, sizeof name, "%s.bias", layer);
    add_tensor(c, name, half, 0.2, 0, 1, (const size_t[]){N});
}

static inline void add_linear(struct checkpoint *c, const char *layer, bool half,
                              size_t N, size_t K)
{
    add_layer(c, layer, half, N, 2, (const size_t[]){N, K});
}

static inline void add_prefixed(struct checkpoint *c, const char *block,
                                const char *layer, bool half, size_t N, size_t K)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", block, layer);
    add_linear(c, name, half, N, K);
}

static inline void add_norm(struct checkpoint *c, const char *layer, size_t C)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", layer);
    add_tensor(c, name, false, 0.3, 1, 1, (const size_t[]){C});
    snprintf(name, sizeof name, "%s.bias", layer);
    add_tensor(c, name, false, 0.3, 0, 1, (const size_t[]){C});
}

// PATH.safetensors; the tensors are gone then.
static inline void write_tensors(struct tess_context *ctx, struct checkpoint *c,
                                 const char *path)
{
    char file[600];
    snprintf(file, sizeof file, "%s.safetensors", path);
    expect_ok(ctx,
              tess_safetensors_write(&ctx->env, file, c->tensors, c->count, NULL, 0));
    for (size_t i = 0; i < c->count; i++)
        free((void *)(uintptr_t)c->tensors[i].data);
    c->count = 0;
}

static inline struct tess_safetensors *open_tensors(struct tess_context *ctx,
                                                    const char *path)
{
    struct tess_safetensors *file = NULL;
    char name[600];
    snprintf(name, sizeof name, "%s.safetensors", path);
    expect_ok(ctx, tess_safetensors_open(&file, &ctx->env, name));
    return file;
}

#endif
