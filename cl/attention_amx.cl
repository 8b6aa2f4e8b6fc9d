// The attention of cl/attention.cl on CPUs with AMX, same arguments and state: products
// by tiles, of pieces of bfloat16 (cl/pieces.clh). Everything is made the other way
// round, so that queries are the columns and lie side by side in vectors:
//
//   scores [64 keys][queries] = keys [64][D] queries^T [D][queries]
//   sums [D][queries] += values^T [D][64] weights [64][queries]
//
// Tiles multiply beside other instructions, so the products of some queries are mixed
// with the exponentials of others. A query's results do not depend on the other queries:
// columns without one may hold anything. Defines: D; QUERIES, a multiple of 64, and HEADS
// that a work-item takes; AMX, LEFT_PIECES, RIGHT_PIECES (of the same number), as in
// amx.clh; MEMORY, bytes of local memory.
#include "common.clh"

#include "channels.clh"
#include "power.clh"

#define RIGHT local
#include "amx.clh"

#define BLOCK    64 // keys
#define UNIT     64 // queries of a unit at most
#define MERGED   (QUERIES / UNIT)
#define NEGATIVE -3.0e38f
#define PATCH    (32 * 32)

#define CHANNEL_BLOCKS PIECE_COUNT(D)
#define KEY_BLOCKS     (BLOCK / PIECE_DEPTH)
#define PANELS         (QUERIES / 32)
#define ROWS           (CHANNEL_BLOCKS * 32) // channels, in sums
#define PANEL_PIECES   (CHANNEL_BLOCKS * RIGHT_BLOCK)
#define WEIGHT_PIECES  2
#define WEIGHT_BLOCK   (WEIGHT_PIECES * 2 * PIECE_TILE)
#define WEIGHTS        (KEY_BLOCKS * WEIGHT_BLOCK) // of a panel
#define SLACK          8.0f                        // weights stay below 2^SLACK

// Floats of local memory: of all heads, then of each.
#define SCORES_AT  0
#define WEIGHTS_AT (SCORES_AT + 2 * BLOCK * 32)
#define HEADS_AT   (WEIGHTS_AT + WEIGHTS)
#define STATE_AT   0 // [QUERIES] maxima, then totals
#define SUMS_AT    (STATE_AT + 2 * QUERIES)
#define QUERIES_AT (SUMS_AT + PANELS * ROWS * 32)
#define KEYS_AT    (QUERIES_AT + PANELS * PANEL_PIECES / 2)
#define VALUES_AT  (KEYS_AT + BLOCK / 16 * CHANNEL_BLOCKS * LEFT_BLOCK / 2)
#define HEAD       (VALUES_AT + ROWS / 16 * KEY_BLOCKS * LEFT_BLOCK / 2)
#define END        (HEADS_AT + HEADS * HEAD)

#if 4 * END > MEMORY
#error "MEMORY is less than all this takes: amx_bytes() in op/attention.c"
#endif

// Channels of a head, which are to be read soon. Rows are far apart, so no hardware sees
// to it.
static inline void prefetch_row(global const float *row)
{
    for (u32 d = 0; d < D; d += 16)
        __builtin_prefetch(row + d, 0, 2);
}

// What a launch is about, but for its units.
struct attention {
    global float *out;
    global const float *q, *kv;
    global float2 *state;
    u32 query0, key0, key_rows, q_stride, q_col, kv_stride, k_col, v_col, H;
    u32 head, heads; // of the work-item
    float scale;
    bool first, last;
};

// 16 channels from 16 j on of 16 rows, of which there are `count`, the other way round.
static inline void load_transposed(private float16 *m, global const float *from,
                                   size_t stride, u32 count, u32 j)
{
    for (u32 r = 0; r < 16; r++)
        m[r] = j < WIDE ? load_columns(from + min(r, count - 1) * stride, j) : 0.0f;
    transpose16(m);
}

// Queries of 16 from `from` on, `count` of them, to a half of a panel, scaled.
static inline void load_queries(local ushort *panel, u32 side, global const float *from,
                                size_t stride, u32 count, float scale)
{
    for (u32 j = 0; j < 2 * CHANNEL_BLOCKS; j++) {
        float16 m[16];
        load_transposed(m, from, stride, count, j);
        local ushort *to =
            panel + j / 2 * RIGHT_BLOCK + side * PIECE_TILE + j % 2 * (PIECE_TILE / 2);
        for (u32 c = 0; c < 16; c += 2)
            put_pairs(to + c / 2 * 32, 2 * PIECE_TILE, m[c] * scale, m[c + 1] * scale);
    }
}

// Rows [i, end) of keys.
static inline void load_keys(local ushort *keys, global const float *from, size_t stride,
                             u32 i, u32 end)
{
    for (; i < end; i++)
        for (u32 b = 0; b < CHANNEL_BLOCKS; b++) {
            global const float *row = from + i * stride;
            const float16 x = load_columns(row, 2 * b),
                          y = 2 * b + 1 < WIDE ? load_columns(row, 2 * b + 1) : 0.0f;
            put_pairs(keys + (i / 16 * CHANNEL_BLOCKS + b) * LEFT_BLOCK +
                          i % 16 * PIECE_DEPTH,
                      PIECE_TILE, (float16)(x.even, y.even), (float16)(x.odd, y.odd));
        }
}

// Block b of `blocks` of values, of which there are `count` rows in all, the other way
// round; zeros beyond.
static inline void load_values(local ushort *values, global const float *from,
                               size_t stride, u32 count, u32 b, u32 blocks)
{
    for (u32 j = 0; j < 2 * CHANNEL_BLOCKS; j++) {
        float16 even[16], odd[16]; // rows
        for (u32 i = 0; i < 16; i++) {
            const u32 k = b * PIECE_DEPTH + 2 * i;
            even[i] = j < WIDE && k < count ? load_columns(from + k * stride, j) : 0.0f;
            odd[i] = j < WIDE && k + 1 < count ? load_columns(from + (k + 1) * stride, j)
                                               : 0.0f;
        }
        transpose16(even);
        transpose16(odd);
        local ushort *to = values + (j * blocks + b) * LEFT_BLOCK;
        for (u32 c = 0; c < 16; c++)
            put_pairs(to + c * PIECE_DEPTH, PIECE_TILE, even[c], odd[c]);
    }
}

// The weights that 32 queries give to a block of keys, some of them made at a time.
struct weighing {
    local const float *scores; // [keys][32], to the base 2
    local ushort *weights;     // pieces
    u32 pair, end;             // of keys: the next one, and behind the last
    float16 top0, top1;        // what weights are relative to, of either 16 queries
    float16 sum0, sum1;
};

// The largest of the scores of 16 queries, and `most`: a few at a time, which need not
// wait for each other.
static inline float16 largest(local const float *scores, u32 keys, float16 most)
{
    float16 m0 = most, m1 = most, m2 = most, m3 = most;
    u32 k = 0;
    for (; k + 4 <= keys; k += 4) {
        m0 = larger_float16(*(local const float16 *)(scores + k * 32), m0);
        m1 = larger_float16(*(local const float16 *)(scores + k * 32 + 32), m1);
        m2 = larger_float16(*(local const float16 *)(scores + k * 32 + 64), m2);
        m3 = larger_float16(*(local const float16 *)(scores + k * 32 + 96), m3);
    }
    for (; k < keys; k++)
        m0 = larger_float16(*(local const float16 *)(scores + k * 32), m0);
    return larger_float16(larger_float16(m0, m1), larger_float16(m2, m3));
}

// Makes the scores of a block ready: those behind `keys` weigh nothing. Weights are
// relative to the largest score of a query so far; as long as they stay below
// 2^SLACK to an earlier one, to that, so that sums are rarely scaled.
static inline struct weighing weigh_start(local float *scores, local ushort *weights,
                                          u32 keys, u32 blocks, local float16 *top,
                                          local float16 *total, local float16 *sums)
{
    for (u32 k = keys; k < blocks * PIECE_DEPTH; k++) {
        *(local float16 *)(scores + k * 32) = NEGATIVE;
        *(local float16 *)(scores + k * 32 + 16) = NEGATIVE;
    }
    const float16 old0 = top[0], old1 = top[1];
    const float16 most0 = largest(scores, keys, old0),
                  most1 = largest(scores + 16, keys, old1);
    top[0] = most0 > old0 + SLACK ? most0 : old0;
    top[1] = most1 > old1 + SLACK ? most1 : old1;
    if (any(top[0] != old0 || top[1] != old1)) {
        const float16 scale0 = power_float16(old0 - top[0]),
                      scale1 = power_float16(old1 - top[1]);
        total[0] *= scale0;
        total[1] *= scale1;
        for (u32 i = 0; i < 2 * ROWS; i += 2) {
            sums[i] *= scale0;
            sums[i + 1] *= scale1;
        }
    }
    return (struct weighing){scores, weights, 0,    blocks * PIECE_DEPTH / 2,
                             top[0], top[1],  0.0f, 0.0f};
}

// Two pieces of the weights of two keys: what is left out is at most 2^-17 of a weight,
// and of either sign. What the pieces are together, so that totals are of the same
// weights as sums.
static inline float16 put_weights(local ushort *to, float16 even, float16 odd)
{
    const uint16 even0 = (as_uint16(even) + 0x8000) & 0xffff0000,
                 odd0 = (as_uint16(odd) + 0x8000) & 0xffff0000;
    *(local uint16 *)to = even0 >> 16 | odd0;
    const uint16 even1 = (as_uint16(even - as_float16(even0)) + 0x8000) & 0xffff0000,
                 odd1 = (as_uint16(odd - as_float16(odd0)) + 0x8000) & 0xffff0000;
    *(local uint16 *)(to + 2 * PIECE_TILE) = even1 >> 16 | odd1;
    return (as_float16(even0) + as_float16(even1)) +
           (as_float16(odd0) + as_float16(odd1));
}

static inline float16 weigh_pair(local const float *scores, local ushort *weights,
                                 float16 top)
{
    const float16 even = power_float16(*(local const float16 *)scores - top),
                  odd = power_float16(*(local const float16 *)(scores + 32) - top);
    return put_weights(weights, even, odd);
}

// At most `count` more pairs of keys. Not always inline: LLVM 15 then crashes.
static inline void weigh(private struct weighing *w, u32 count)
{
    for (u32 i = 0; i < count && w->pair < w->end; i++, w->pair++) {
        local const float *scores = w->scores + w->pair * 2 * 32;
        local ushort *weights = w->weights + w->pair / (PIECE_DEPTH / 2) * WEIGHT_BLOCK +
                                w->pair % (PIECE_DEPTH / 2) * 32;
        w->sum0 += weigh_pair(scores, weights, w->top0);
        w->sum1 += weigh_pair(scores + 16, weights + PIECE_TILE, w->top1);
    }
}

// Pairs that are weighed beside each block of a product, so that a block's are all when
// the products of its queries are.
#define BESIDE ((8 + CHANNEL_BLOCKS - 1) / CHANNEL_BLOCKS)
#define WEIGH_BESIDE(step, steps)                                                        \
    weigh(w, BESIDE *((step) + 1) / steps - BESIDE * (step) / steps);

// Sums of 32 x 32, or what is added to them: rows [32 group, 32 group + 32) of the left
// factor times the right one, of so many pieces, over all its blocks.
TESS_INLINE void multiply(local float *sums, bool add, local const ushort *left,
                          local const ushort *right, u32 pieces, u32 group, u32 blocks,
                          private struct weighing *w)
{
    TILES(tiles);
    local const ushort *upper = left + group * 2 * blocks * LEFT_BLOCK,
                       *lower = upper + blocks * LEFT_BLOCK;
    if (add)
        tiles_load(tiles, sums);
    else
        tiles_clear(tiles);
    for (u32 b = 0; b < blocks; b++)
        tiles_add_beside(tiles, upper + b * LEFT_BLOCK, lower + b * LEFT_BLOCK,
                         right + b * pieces * 2 * PIECE_TILE, pieces, WEIGH_BESIDE);
    tiles_store(sums, tiles);
}

// What earlier launches left of 16 queries, `count` of them; or a start.
static inline void load_sums(local float *sums, local float *top, local float *total,
                             const private struct attention *a, u32 head, size_t row,
                             u32 count)
{
    for (u32 i = 0; i < 16; i++) {
        const float2 old = a->first ? (float2)(NEGATIVE, 0.0f)
                                    : a->state[(row + min(i, count - 1)) * a->H + head];
        top[i] = old.s0;
        total[i] = old.s1;
    }
    for (u32 j = 0; j < 2 * CHANNEL_BLOCKS; j++) {
        float16 m[16];
        for (u32 c = 0; c < 16; c++)
            m[c] = 0.0f;
        if (!a->first)
            load_transposed(m, a->out + row * a->H * D + head * D, a->H * D, count, j);
        for (u32 c = 0; c < 16; c++)
            *(local float16 *)(sums + (16 * j + c) * 32) = m[c];
    }
}

static inline void store_sums(local const float *sums, local const float *top,
                              local const float *total, const private struct attention *a,
                              u32 head, size_t row, u32 count)
{
    const float16 scale = a->last ? 1.0f / *(local const float16 *)total : 1.0f;
    for (u32 i = 0; i < count && !a->last; i++)
        a->state[(row + i) * a->H + head] = (float2)(top[i], total[i]);
    for (u32 j = 0; j < WIDE; j++) {
        float16 m[16];
        for (u32 c = 0; c < 16; c++)
            m[c] = *(local const float16 *)(sums + (16 * j + c) * 32) * scale;
        transpose16(m);
        for (u32 i = 0; i < 16; i++)
            if (i < count)
                store_columns(a->out + ((row + i) * a->H + head) * D, j, m[i]);
    }
}

// Local memory of a head, and of all.
struct workspace {
    local float *top, *total; // [QUERIES]
    local float *sums;        // [PANELS][ROWS][32]
    local ushort *queries, *keys, *values;
    local float *scores; // [2][BLOCK][32]
    local ushort *weights;
};

static inline struct workspace workspace_of(local float *memory, u32 head)
{
    local float *own = memory + HEADS_AT + head * HEAD;
    return (struct workspace){.top = own + STATE_AT,
                              .total = own + STATE_AT + QUERIES,
                              .sums = own + SUMS_AT,
                              .queries = (local ushort *)(own + QUERIES_AT),
                              .keys = (local ushort *)(own + KEYS_AT),
                              .values = (local ushort *)(own + VALUES_AT),
                              .scores = memory + SCORES_AT,
                              .weights = (local ushort *)(memory + WEIGHTS_AT)};
}

// A block of `here` keys, for `groups` panels of queries of each head: the products of
// one panel with values, and those of the next but one with keys, are made while the
// weights of the one between are. `ahead`: the keys of the next block, of which there are
// `next`.
static inline void attend_block(const private struct attention *a, local float *memory,
                                u32 groups, u32 here, global const float *ahead, u32 next)
{
    const u32 blocks = PIECE_COUNT(here), panels = a->heads * groups;
    struct workspace before = workspace_of(memory, 0), m = before;
    struct weighing w = {0};
    for (u32 b = 0; b < blocks; b++)
        multiply(m.scores + b * PATCH, false, m.keys, m.queries, RIGHT_PIECES, b,
                 CHANNEL_BLOCKS, &w);
    for (u32 t = 0; t <= panels; t++) {
        const u32 g = t % groups;
        const struct workspace after = workspace_of(memory, (t + 1) / groups);
        w = (struct weighing){0};
        if (t < panels) {
            global const float *rows = ahead + t / groups * D;
            for (u32 i = g * next / groups; i < (g + 1) * next / groups; i++) {
                prefetch_row(rows + i * a->kv_stride + a->k_col);
                prefetch_row(rows + i * a->kv_stride + a->v_col);
            }
            w = weigh_start(m.scores + t % 2 * BLOCK * 32, m.weights + t % 2 * WEIGHTS,
                            here, blocks, (local float16 *)(m.top + 32 * g),
                            (local float16 *)(m.total + 32 * g),
                            (local float16 *)(m.sums + g * ROWS * 32));
        }
        for (u32 b = 0; t + 1 < panels && b < blocks; b++)
            multiply(m.scores + ((t + 1) % 2 * BLOCK + b * 32) * 32, false, after.keys,
                     after.queries + (t + 1) % groups * PANEL_PIECES, RIGHT_PIECES, b,
                     CHANNEL_BLOCKS, &w);
        for (u32 c = 0; t > 0 && c < CHANNEL_BLOCKS; c++)
            multiply(before.sums + ((t - 1) % groups * ROWS + c * 32) * 32, true,
                     before.values, m.weights + (t - 1) % 2 * WEIGHTS, WEIGHT_PIECES, c,
                     blocks, &w);
        weigh(&w, w.end);
        if (t < panels) {
            local float16 *total = (local float16 *)(m.total + 32 * g);
            total[0] += w.sum0;
            total[1] += w.sum1;
        }
        before = m;
        m = after;
    }
}

// 16 queries of all heads.
static inline void load_16(const private struct attention *a, local float *memory, u32 i,
                           size_t row, u32 count)
{
    for (u32 h = 0; h < a->heads; h++) {
        const struct workspace m = workspace_of(memory, h);
        load_queries(m.queries + i / 2 * PANEL_PIECES, i % 2,
                     a->q + row * a->q_stride + a->q_col + (a->head + h) * D, a->q_stride,
                     count, a->scale * LOG2_E);
        load_sums(m.sums + i / 2 * ROWS * 32 + i % 2 * 16, m.top + 16 * i,
                  m.total + 16 * i, a, a->head + h, row, count);
    }
}

// A block of keys and values of all heads: some rows at a time, whose heads lie side by
// side in memory.
static inline void load_block(const private struct attention *a, local float *memory,
                              global const float *from, u32 count)
{
    const u32 blocks = PIECE_COUNT(count);
    for (u32 b = 0; b < blocks; b++) {
        const u32 first = b * PIECE_DEPTH, end = min(first + PIECE_DEPTH, count);
        for (u32 h = 0; h < a->heads; h++)
            load_keys(workspace_of(memory, h).keys, from + a->k_col + h * D, a->kv_stride,
                      first, end);
        for (u32 h = 0; h < a->heads; h++)
            load_values(workspace_of(memory, h).values, from + a->v_col + h * D,
                        a->kv_stride, count, b, blocks);
    }
}

static inline void attend(const private struct attention *a, local float *memory,
                          uint4 unit)
{
    const u32 row0 = unit.s0 - a->query0, count = unit.s1, halves = (count + 15) / 16;
    // The keys of the run that are here.
    const u32 start = max(unit.s2, a->key0) - a->key0;
    const u32 end = min(unit.s2 + unit.s3, a->key0 + a->key_rows) - a->key0;
    for (u32 i = 0; i < halves; i++)
        load_16(a, memory, i, row0 + 16 * i, min(count - 16 * i, 16u));
    for (u32 k = start; k < end; k += BLOCK) {
        const u32 here = min(end - k, (u32)BLOCK);
        global const float *from = a->kv + (size_t)k * a->kv_stride + a->head * D;
        load_block(a, memory, from, here);
        attend_block(a, memory, (halves + 1) / 2, here, from + BLOCK * a->kv_stride,
                     min(end - k - here, (u32)BLOCK));
    }
    for (u32 i = 0; i < halves; i++)
        for (u32 h = 0; h < a->heads; h++) {
            const struct workspace m = workspace_of(memory, h);
            store_sums(m.sums + i / 2 * ROWS * 32 + i % 2 * 16, m.top + 16 * i,
                       m.total + 16 * i, a, a->head + h, row0 + 16 * i,
                       min(count - 16 * i, 16u));
        }
}

// Units of one run that follow one another are done together, so that keys and values
// are brought once for all of them. Work-items: (groups of MERGED units, groups of HEADS
// heads), the other way round where there are several heads.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_amx(global float *out, global const float *q, global const float *kv,
              global const uint4 *units, global float2 *state, u32 unit0, u32 unit_count,
              u32 query0, u32 key0, u32 key_rows, u32 q_stride, u32 q_col, u32 kv_stride,
              u32 k_col, u32 v_col, u32 H, float scale, u32 first, u32 last)
{
    local float memory[MEMORY / 4] __attribute__((aligned(64)));
    const u32 head = get_global_id(HEADS > 1 ? 0 : 1) * HEADS,
              start = get_global_id(HEADS > 1 ? 1 : 0) * MERGED,
              end = min(start + MERGED, unit_count);
    const struct attention a = {
        out,   q,        kv,       state, query0,
        key0,  key_rows, q_stride, q_col, kv_stride,
        k_col, v_col,    H,        head,  min(H - head, (u32)HEADS),
        scale, first,    last};
    tiles_begin();
    for (u32 i = start; i < end;) {
        uint4 unit = units[unit0 + i++];
        while (i < end && all(units[unit0 + i].hi == unit.hi))
            unit.s1 += units[unit0 + i++].s1;
        attend(&a, memory, unit);
    }
    tiles_end();
}
