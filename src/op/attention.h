// Multi-head attention inside runs of rows: windows.
#ifndef TESS_ATTENTION_H
#define TESS_ATTENTION_H

#include "mem/stage.h"

// Some queries of one run, and the keys of the whole run. Row numbers of the whole
// matrix.
struct tess_attention_unit {
    uint32_t query0, queries, key0, keys;
};

// How many queries a unit has at most: the device's kernel decides.
uint32_t tess_attention_queries(const struct tess_device *dev);

struct tess_attention_params {
    struct tess_mat out;      // [rows][H D]
    struct tess_mat qkv;      // [rows][3][H][D]
    struct tess_mat units;    // [any][4] U32
    size_t unit0, unit_count; // those to do; their runs lie in `qkv` as a whole
    size_t row0;              // the row number that qkv and out start at
    size_t heads, head_channels;
    double pairs; // of queries and keys, for counting FLOP
};

// out = softmax(q k^T / sqrt(D)) v
enum tess_status tess_attention(struct tess_stage *stage,
                                const struct tess_attention_params *params);

#endif
