// Layer norm, and group norm over all rows of a tensor in two steps.
#ifndef TESS_NORM_H
#define TESS_NORM_H

#include "op/weight.h"

struct tess_layernorm {
    struct tess_mat out, in; // [rows][C]; may be the same
    float eps;
    const struct tess_slice *weight, *bias; // [C] both, or NULL both
    bool silu;
};

// out = (in - mean) / sqrt(var + eps) * weight + bias per row, biased variance; then SiLU
// if asked for. Modulation is a weight of 1 + scale and a bias.
enum tess_status tess_layernorm(struct tess_stage *stage,
                                const struct tess_layernorm *params);

// Bring the heads [H][D] that start at column `col` of each row of `x` to the length
// sqrt(D), times gamma [H][D], in place.
enum tess_status tess_normalise_heads(struct tess_stage *stage, struct tess_mat x,
                                      size_t col, size_t heads, size_t head_channels,
                                      const struct tess_slice *gamma);

// Statistics of a tensor that is seen tile by tile: mean and squared differences per
// channel and block of `block` rows, put together on the host in double. Host memory.
struct tess_group_stats {
    struct tess_stage *stage;
    size_t channels, rows, block;
    float *blocks; // [rows / block][channels][2]; NULL in a dry run
};

// `block` rows, where tiles but for the last are multiples of them: so blocks are the
// same whatever the tiles are.
enum tess_status tess_group_stats_create(struct tess_group_stats *out,
                                         struct tess_stage *stage, size_t rows,
                                         size_t channels, size_t block);
void tess_group_stats_clear(struct tess_group_stats *stats);

// Take rows [row0, row0 + in.rows) into account.
enum tess_status tess_group_stats_add(struct tess_group_stats *stats, struct tess_mat in,
                                      size_t row0);

// What silu(group norm(x)) is per channel: silu(x * scale + shift). Both [1][channels]
// matrices are taken as scratch. `weight` and `bias`: host arrays of `channels` values,
// F32.
enum tess_status tess_group_stats_finish(struct tess_mat *scale, struct tess_mat *shift,
                                         struct tess_group_stats *stats, size_t groups,
                                         float eps, const float *weight,
                                         const float *bias);

// x = silu(x * scale + shift), per channel, in place.
enum tess_status tess_scale_silu(struct tess_stage *stage, struct tess_mat x,
                                 struct tess_mat scale, struct tess_mat shift);

#endif
