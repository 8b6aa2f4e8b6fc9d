// Matrix products with packed weights: linear layers and, with an index, sparse
// convolutions.
//
//   out[r] = gate * act(W in[r] + bias) + residual[r]
//   out[r] = gate * act(sum over the taps t of W_t in[index[r][t]] + bias) + residual[r]
//
// Weights for op/winograd.h are several matrices, one for each of as many products of
// `rows` rows: in [products][rows][K], out [products][rows][N].
//
// Each output is one chain of fused multiply-adds over taps, then input columns, in fp32.
#ifndef TESS_MATMUL_H
#define TESS_MATMUL_H

#include "op/weight.h"

#define TESS_NO_ROW 0xffffffffu // in an index: no such neighbour

enum tess_matmul_activation {
    TESS_ACT_NONE,
    TESS_ACT_GELU_TANH,
    TESS_ACT_SILU,
    TESS_ACT_GELU_ERF
};

struct tess_matmul {
    struct tess_mat out; // [rows][N]
    struct tess_mat in;  // [any][K]
    const struct tess_weight *weight;
    const struct tess_weight *bias;  // NULL: none
    const struct tess_slice *gate;   // [N], a factor per column; NULL: none
    const struct tess_mat *residual; // NULL: none; may be `out`
    enum tess_matmul_activation activation;
    size_t rows;
    const struct tess_mat *index; // [rows][27] U32, for convolutions
    double density; // the share of neighbours that exist, for counting FLOP; 0: all
};

enum tess_status tess_matmul(struct tess_stage *stage, const struct tess_matmul *params);

// The most inputs of a weight that can be quantised.
size_t tess_matmul_quantised_inputs(const struct tess_device *dev);

#endif
