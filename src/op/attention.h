// Multi-head attention of queries over the keys of their run: windows, all rows, or
// another sequence. Scores are never stored; memory does not depend on the number of
// keys.
#ifndef TESS_ATTENTION_H
#define TESS_ATTENTION_H

#include "mem/stage.h"

// Some queries of one run, and the keys of the whole run. Row numbers of whole matrices.
struct tess_attention_unit {
    uint32_t query0, queries, key0, keys;
};

// How many queries a unit has at most.
#define TESS_ATTENTION_QUERIES 64

// Keys may be given in parts: each is a call, and a part ends at a multiple of this many
// keys from the run's first one.
#define TESS_ATTENTION_KEYS 64

struct tess_attention_params {
    struct tess_mat out; // [rows][H D]
    struct tess_mat q;   // [rows][any], queries [H][D] from column q_col on
    struct tess_mat kv;  // [keys][any], keys from k_col, values from v_col on
    size_t q_col, k_col, v_col;
    struct tess_mat units;        // [any][4] U32
    size_t unit0, unit_count;     // those to do
    size_t query0, key0;          // the row numbers that q (and out) and kv start at
    size_t heads, head_channels;  // H, D
    bool many_runs;               // else all units to do are of one run
    double pairs;                 // of queries and keys here, for counting FLOP
    const struct tess_mat *state; // [rows][2 H], between parts; NULL: all keys are here
    bool first, last;             // part, with a state
};

// out = softmax(q k^T / sqrt(D)) v
enum tess_status tess_attention(struct tess_stage *stage,
                                const struct tess_attention_params *params);

#endif
