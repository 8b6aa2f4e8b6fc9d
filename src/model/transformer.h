// Blocks of transformers whose tokens all see each other: the flow models and the image
// encoder.
//
//   h += gate1 * to_out(attention(to_qkv(norm1(h))))
//   h += cross_out(attention(to_q(norm2(h)), condition))         where there is one
//   h += gate3 * mlp2(act(mlp0(norm3(h))))
//
// M tokens of C channels, H heads. Several runs of M tokens go through a block together,
// so that its weights are read once: they share all but the condition. Between two
// barriers lie the QKV of all tokens, and everything else for a tile of queries; keys
// pass by in parts.
#ifndef TESS_TRANSFORMER_H
#define TESS_TRANSFORMER_H

#include "mem/tensor.h"
#include "op/matmul.h"

#define TESS_RUNS_MAX 9

// Parameters of one block, on the device. Slices of C floats may be NULL: no affine part,
// no gate.
struct tess_transformer_block {
    const struct tess_slice *norm1_weight, *norm1_bias;
    const struct tess_weight *qkv, *qkv_bias;
    const struct tess_slice *q_gamma, *k_gamma; // [H D], or NULL: no norm of heads
    const struct tess_weight *out, *out_bias;
    const struct tess_slice *gate1;
    // Cross attention; to_q NULL: none.
    const struct tess_slice *norm2_weight, *norm2_bias;
    const struct tess_weight *to_q, *to_q_bias, *cross_out, *cross_out_bias;
    // Of each run: keys and values of its condition [T][2 C], or NULL and what cross
    // attention over a condition of zeros makes of any query, [C].
    const struct tess_tensor *condition[TESS_RUNS_MAX];
    const struct tess_slice *unconditional;
    const struct tess_slice *norm3_weight, *norm3_bias;
    const struct tess_weight *mlp0, *mlp0_bias, *mlp2, *mlp2_bias;
    const struct tess_slice *gate3;
    enum tess_matmul_activation activation;
    float eps;
};

struct tess_transformer {
    struct tess_stage *stage;
    size_t tokens, channels, heads;
    size_t runs;                  // in use
    struct tess_tensor *features; // [runs_max * tokens][C]: h
    struct tess_tensor *qkv;      // [runs_max * tokens][3 C]
    struct tess_mat units, condition_units;
};

// `condition_tokens` 0: no cross attention. Features are undefined yet.
enum tess_status tess_transformer_create(struct tess_transformer *out,
                                         struct tess_stage *stage, size_t tokens,
                                         size_t channels, size_t heads, size_t runs_max,
                                         size_t condition_tokens);
void tess_transformer_clear(struct tess_transformer *transformer);

enum tess_status tess_transformer_run(struct tess_transformer *transformer,
                                      const struct tess_transformer_block *block);

// What cross attention over a condition of zeros makes of any query: the values are all
// the bias of their layer, so the weights do not matter. *out [C] = cross_out(value_bias)
// + its bias; is scratch.
enum tess_status tess_transformer_unconditional(struct tess_mat *out,
                                                struct tess_stage *stage,
                                                const struct tess_weight *cross_out,
                                                const struct tess_weight *cross_out_bias,
                                                const float *value_bias);

#endif
