// Blocks of transformers whose tokens all see each other: the flow models and the image
// encoder.
//
//   h += gate1 * to_out(attention(to_qkv(norm1(h))))
//   h += cross_out(attention(to_q(norm2(h)), condition))         where there is one
//   h += gate3 * mlp2(act(mlp0(norm3(h))))
//
// H heads, C channels. A sequence is M tokens that see each other; a run is a pass of a
// sequence under one condition. All runs go through a block before the next block, so
// that its weights are read once. Between two barriers lie the QKV of a run's tokens, and
// everything else for a tile of queries; keys pass by in parts.
#ifndef TESS_TRANSFORMER_H
#define TESS_TRANSFORMER_H

#include "mem/tensor.h"
#include "op/matmul.h"

#define TESS_SEQUENCES_MAX 8
#define TESS_RUNS_MAX      72 // nine of each sequence

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
    size_t channels, heads;
    struct tess_transformer_sequence {
        size_t tokens;
        struct tess_mat units, condition_units; // of attention
    } sequences[TESS_SEQUENCES_MAX];
    struct tess_transformer_run {
        size_t sequence, row0; // of its features
    } runs[TESS_RUNS_MAX];
    size_t run_count;
    size_t longest;               // tokens of the longest sequence
    struct tess_tensor *features; // h of each run, one after the other: [rows][C]
};

struct tess_transformer_params {
    size_t channels, heads;
    const size_t *tokens; // of each sequence
    size_t sequence_count;
    size_t rows;             // of the features: the most that runs have together
    size_t condition_tokens; // 0: no cross attention
};

// Features are undefined yet, and there is no run.
enum tess_status tess_transformer_create(struct tess_transformer *out,
                                         struct tess_stage *stage,
                                         const struct tess_transformer_params *params);
void tess_transformer_clear(struct tess_transformer *transformer);

// The runs of the next blocks: sequence[i] is that of run i.
void tess_transformer_set_runs(struct tess_transformer *transformer,
                               const size_t *sequence, size_t count);

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
