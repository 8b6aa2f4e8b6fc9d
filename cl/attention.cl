// softmax(q k^T / sqrt(D)) v inside runs of rows, in one pass with a running maximum
// (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al.
// 2022, FlashAttention).
//
// Queries lie in q [rows][q_stride] from column q_col on, as [H][D]; keys and values
// likewise in kv. out [rows][H][D]. A unit is (first query, queries, first key, keys):
// numbers of rows, less query0 and key0 of what is here. Keys may be seen in several
// launches: `first` starts, `last` finishes, and in between out holds sums and state
// [rows][H] (maximum, total). Keys are taken in blocks of 64 from a run's first one, and
// launches have to cut between blocks, so sums do not depend on how rows are tiled.
// Defines: D; QUERIES, a multiple of 64, that a work-item (CPU) or a group (GPU) takes;
// on CPUs QUANTISED, 0, or 1: less exact products (cl/attention_quantised.clh), and then
// INTEGERS, as in cl/integer_tile.clh; on GPUs DEPTH, the terms of sums that are brought
// at a time (rt/tuning.h). A query's sums are one chain each over channels or keys, so
// they depend on neither QUERIES nor DEPTH.
#include "common.clh"

#define BLOCK    64
#define UNIT     64 // queries of a unit at most
#define MERGED   (QUERIES / UNIT)
#define NEGATIVE -3.0e38f

#if TESS_CPU

#include "channels.clh"
#include "fetch.clh"
#include "power.clh"

#define WIDE_BLOCK (BLOCK / 16)

// Weights are made of 8 queries together. Room is for whole groups of 8 or of 24.
#define WEIGHED 8
#define HELD    ((QUERIES + 23) / 24 * 24)

// Rows [i, end) of keys and values are read next: far from each other, so no hardware
// sees to it.
static inline void fetch_rows(global const float *keys, global const float *values,
                              size_t row_stride, u32 i, u32 end)
{
    for (; i < end; i++)
        for (u32 d = 0; d < D; d += 16) {
            tess_fetch(keys + i * row_stride + d);
            tess_fetch(values + i * row_stride + d);
        }
}

DEFINE_POWER(float8, as_float8, as_int8)

// What OP makes of the 16 values of each of 8 vectors, in pairs as tess_sum16() has them.
#define DEFINE_EACH_OF_8(NAME, OP)                                                       \
    static inline float8 NAME(private const float16 *x)                                  \
    {                                                                                    \
        float8 a[8], b[4], c[2];                                                         \
        for (u32 i = 0; i < 8; i++)                                                      \
            a[i] = OP(x[i].lo, x[i].hi);                                                 \
        for (u32 i = 0; i < 4; i++)                                                      \
            b[i] = OP((float8)(a[2 * i].lo, a[2 * i + 1].lo),                            \
                      (float8)(a[2 * i].hi, a[2 * i + 1].hi));                           \
        for (u32 i = 0; i < 2; i++)                                                      \
            c[i] = OP((float8)(b[2 * i].s0145, b[2 * i + 1].s0145),                      \
                      (float8)(b[2 * i].s2367, b[2 * i + 1].s2367));                     \
        return OP((float8)(c[0].even, c[1].even), (float8)(c[0].odd, c[1].odd));         \
    }
#define SUM(x, y) ((x) + (y))
DEFINE_EACH_OF_8(sums_of_8, SUM)
DEFINE_EACH_OF_8(largest_of_8, larger_float8)

// NEGATIVE in place of the scores of 8 queries with keys that there are not.
static inline void hide_scores(private float16 *scores, u32 keys)
{
    for (u32 q = 0; keys < BLOCK && q < 8; q++)
        for (u32 i = keys; i < BLOCK; i++)
            ((private float *)scores)[q * BLOCK + i] = NEGATIVE;
}

// Of 8 queries each.
static inline float8 largest_scores(private const float16 *scores)
{
    float16 x[8];
    for (u32 q = 0; q < 8; q++) {
      private
        const float16 *s = scores + q * WIDE_BLOCK;
        x[q] = larger_float16(larger_float16(s[0], s[1]), larger_float16(s[2], s[3]));
    }
    return largest_of_8(x);
}

// Products: struct factors, what is multiplied; load_query(), load_keys(), load_values();
// score(); weigh(); add_values(). GROUP queries go through these three together, FILLED
// through products, and have SUM_WIDE vectors of sums each.
#if QUANTISED
#include "attention_quantised.clh"
#else
#include "attention_floats.clh"
#endif

// What a launch is about, but for its units.
struct attention {
    global float *out;
    global const float *q, *kv;
    global float2 *state;
    u32 query0, key0, key_rows, q_stride, q_col, kv_stride, k_col, v_col, H, head;
    float scale;
    bool first, last;
};

static inline void attend(const private struct attention *a, uint4 unit)
{
    const u32 head = a->head, H = a->H, C = H * D;
    const u32 row0 = unit.s0 - a->query0, count = unit.s1;
    const u32 filled = (count + FILLED - 1) / FILLED * FILLED;
    // The keys of the run that are here.
    const u32 start = max(unit.s2, a->key0) - a->key0;
    const u32 end = min(unit.s2 + unit.s3, a->key0 + a->key_rows) - a->key0;
    struct factors f;
    float top[HELD], total[HELD], scales[GROUP];
    float16 sums[HELD * SUM_WIDE], scores[GROUP * WIDE_BLOCK];
    for (u32 i = 0; i < filled; i++) {
        const size_t row = row0 + min(i, count - 1);
        load_query(&f, i, a->q + row * a->q_stride + a->q_col + head * D,
                   a->scale * LOG2_E);
        const float2 old = a->first ? (float2)(NEGATIVE, 0.0f) : a->state[row * H + head];
        top[i] = old.s0;
        total[i] = old.s1;
        for (u32 j = 0; j < SUM_WIDE; j++)
            sums[i * SUM_WIDE + j] = 0;
        if (!a->first)
            for (u32 j = 0; j < WIDE; j++)
                sums[i * SUM_WIDE + j] = load_columns(a->out + row * C + head * D, j);
    }
    for (u32 k = start; k < end; k += BLOCK) {
        const u32 here = min(end - k, (u32)BLOCK);
        global const float *from = a->kv + (size_t)k * a->kv_stride + head * D;
        load_keys(&f, from + a->k_col, a->kv_stride, here);
        load_values(&f, from + a->v_col, a->kv_stride, here);
        global const float *ahead = from + BLOCK * a->kv_stride;
        const u32 next = min(end - k - here, (u32)BLOCK);
        for (u32 g = 0; g < count; g += GROUP) {
            const u32 rows = min(count - g, (u32)GROUP);
            fetch_rows(ahead + a->k_col, ahead + a->v_col, a->kv_stride, next * g / count,
                       next * (g + rows) / count);
            score(scores, &f, g, rows, here);
            for (u32 r = 0; r < rows; r += WEIGHED) {
                hide_scores(scores + r * WIDE_BLOCK, here);
                weigh(&f, scores + r * WIDE_BLOCK, top + g + r, total + g + r,
                      scales + r);
            }
            add_values(sums + g * SUM_WIDE, scales, scores, &f, rows, here);
        }
    }
    for (u32 i = 0; i < count; i++) {
        global float *to = a->out + (size_t)(row0 + i) * C + head * D;
        if (!a->last)
            a->state[(size_t)(row0 + i) * H + head] = (float2)(top[i], total[i]);
        for (u32 j = 0; j < WIDE; j++) {
            const float16 s = sums[i * SUM_WIDE + j];
            store_columns(to, j, a->last ? s / total[i] : s);
        }
    }
}

// Units of one run that follow one another are done together, so that keys and values
// are brought once for all of them. Work-items: (groups of MERGED units, H).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
attention(global float *out, global const float *q, global const float *kv,
          global const uint4 *units, global float2 *state, u32 unit0, u32 unit_count,
          u32 query0, u32 key0, u32 key_rows, u32 q_stride, u32 q_col, u32 kv_stride,
          u32 k_col, u32 v_col, u32 H, float scale, u32 first, u32 last)
{
    const struct attention a = {
        out,      q,     kv,        state, query0, key0, key_rows,
        q_stride, q_col, kv_stride, k_col, v_col,  H,    get_global_id(1),
        scale,    first, last};
    const u32 start = get_global_id(0) * MERGED;
    const u32 end = min(start + MERGED, unit_count);
    for (u32 i = start; i < end;) {
        uint4 unit = units[unit0 + i++];
        while (i < end && all(units[unit0 + i].hi == unit.hi))
            unit.s1 += units[unit0 + i++].s1;
        attend(&a, unit);
    }
}

#else

// A group of 16 x 16 work-items takes 64 or 128 queries of a head. Scores of a block of
// keys, and sums of 64 channels, are products with 64 x 64 results, 4 x 4 in each
// work-item's registers, or two of these, through local memory 16 or 32 deep. There is no
// loop that indexes registers, and no array of a work-item, which compilers for GPUs
// would keep in memory.
//
// Mesa's llvmpipe leaves every loop once a work-item has been through 65,535 iterations,
// and says nothing: LP_MAX_TGSI_LOOP_ITERATIONS in
// src/gallium/auxiliary/gallivm/lp_limits.h. A block of keys takes at most 150 for 64
// channels.
#define CHANNELS 64 // of the result that are made at a time
#define PART     16 // sums end at a multiple of this many terms, the last ones zeros
// Of local tiles; the 4 keep writes out of each other's banks.
#define A_STRIDE (QUERIES + 4)
#define B_STRIDE (BLOCK + 4)

#if QUERIES == 128
#define IF_128(X) X
#else
#define IF_128(X)
#endif
#if DEPTH == 32
#define EACH_PART(X) X(0) X(1)
#else
#define EACH_PART(X) X(0)
#endif

// Results of a work-item for 64 queries: those of a query or key, or vectors over
// queries.
struct results {
    float4 r0, r1, r2, r3;
};

// For all queries of the group.
struct all_results {
    struct results low;
    IF_128(struct results high;)
};

static inline void clear(struct results *s)
{
    s->r0 = s->r1 = s->r2 = s->r3 = 0;
}

// s += x y^T
static inline void add_outer(struct results *s, float4 x, float4 y)
{
    s->r0 = fma((float4)x.s0, y, s->r0);
    s->r1 = fma((float4)x.s1, y, s->r1);
    s->r2 = fma((float4)x.s2, y, s->r2);
    s->r3 = fma((float4)x.s3, y, s->r3);
}

// A result for each of keys 4 lx on, of tile b, over queries 4 ly on of tile a. Compilers
// that unroll more take so many registers for it that few groups fit.
static inline void add_to_scores(struct all_results *s, local const float *a,
                                 local const float *b, u32 lx, u32 ly)
{
#pragma unroll 4
    for (u32 k = 0; k < PART; k++) {
        const float4 x = vload4(lx, b + k * B_STRIDE);
        add_outer(&s->low, x, vload4(ly, a + k * A_STRIDE));
        IF_128(add_outer(&s->high, x, vload4(ly + 16, a + k * A_STRIDE));)
    }
}

// A result for each of queries 4 ly on, of tile a, over channels 4 lx on of tile b.
static inline void add_to_sums(struct all_results *s, local const float *a,
                               local const float *b, u32 lx, u32 ly)
{
#pragma unroll 4
    for (u32 k = 0; k < PART; k++) {
        const float4 y = vload4(lx, b + k * B_STRIDE);
        add_outer(&s->low, vload4(ly, a + k * A_STRIDE), y);
        IF_128(add_outer(&s->high, vload4(ly + 16, a + k * A_STRIDE), y);)
    }
}

// Channels [d, d + 4) of a head, which are at p; zeros beyond D, and for no row.
static inline float4 load_channels(global const float *p, u32 d, bool exists)
{
    if (!exists || d >= D)
        return 0;
    return tess_load_some(p, D - d, D % 4 == 0);
}

static inline void store_channels(global float *p, u32 d, bool exists, float4 x)
{
    if (exists && d < D)
        tess_store_some(x, p, D - d, D % 4 == 0);
}

static inline float max4(float4 x)
{
    return fmax(fmax(x.s0, x.s1), fmax(x.s2, x.s3));
}

static inline float sum4(float4 x)
{
    return (x.s0 + x.s1) + (x.s2 + x.s3);
}

// Write 4 values of a row into a tile of columns, `stride` apart, the first being `to`.
static inline void put_transposed(local float *to, u32 stride, float4 x)
{
    to[0] = x.s0;
    to[stride] = x.s1;
    to[2 * stride] = x.s2;
    to[3 * stride] = x.s3;
}

// Scores of the queries and 64 keys, of which a work-item has those of queries 4 ly and
// keys 4 lx on: a result for each key, over the queries. `query` and `key` are channels
// item % 4 * 4 of those numbered item / 4.
static inline void make_scores(struct all_results *scores, local float *tile_a,
                               local float *tile_b, global const float *query,
                               size_t q_stride, u32 count, global const float *key,
                               bool has_key, float scale, u32 lx, u32 ly)
{
    const u32 item = ly * 16 + lx, row = item / 4, channel = item % 4 * 4;
    local float *to_a = tile_a + channel * A_STRIDE + row,
                *to_b = tile_b + channel * B_STRIDE + row;
    clear(&scores->low);
    IF_128(clear(&scores->high);)
    for (u32 d = 0; d < D; d += DEPTH) {
#define LOAD(p)                                                                          \
    const u32 d##p = d + p * PART;                                                       \
    const float4 x##p = load_channels(query + d##p, d##p + channel, row < count);        \
    IF_128(const float4 z##p = load_channels(query + UNIT * q_stride + d##p,             \
                                             d##p + channel, row + UNIT < count);)       \
    const float4 y##p = load_channels(key + d##p, d##p + channel, has_key);
        EACH_PART(LOAD)
        barrier(CLK_LOCAL_MEM_FENCE);
#define PUT(p)                                                                           \
    put_transposed(to_a + p * PART * A_STRIDE, A_STRIDE, x##p * scale);                  \
    IF_128(put_transposed(to_a + p * PART * A_STRIDE + UNIT, A_STRIDE, z##p * scale);)   \
    put_transposed(to_b + p * PART * B_STRIDE, B_STRIDE, y##p);
        EACH_PART(PUT)
        barrier(CLK_LOCAL_MEM_FENCE);
#define ADD(p)                                                                           \
    if (d##p < D)                                                                        \
        add_to_scores(scores, tile_a + p * PART * A_STRIDE,                              \
                      tile_b + p * PART * B_STRIDE, lx, ly);
        EACH_PART(ADD)
#undef LOAD
#undef PUT
#undef ADD
    }
}

// Leave a value of each of 4 queries, of 16 that the work-items with the same ly have.
static inline void put_lanes(local float *lanes, u32 lx, u32 ly, float4 x)
{
    local float *to = lanes + ly * 64 + lx;
    to[0] = x.s0;
    to[16] = x.s1;
    to[32] = x.s2;
    to[48] = x.s3;
}

// Scores turned into weights, of keys beyond `here` into zeros. Returns what earlier sums
// are multiplied by. `tops` are the largest scores so far; the sums of the weights are
// left in `quarters` [query][4]. The queries are those from 4 `place` on: ly, or 16
// further. Inlined, because PoCL 3.1 makes nonsense of a barrier in a function that it
// calls.
TESS_INLINE float4 weigh(struct results *s, local float *tops, local float *lanes,
                         local float *quarters, u32 lx, u32 ly, u32 place, u32 here)
{
    const u32 key = 4 * lx, item = ly * 16 + lx, quarter = place * 16 + lx;
    s->r0 = key < here ? s->r0 : (float4)NEGATIVE;
    s->r1 = key + 1 < here ? s->r1 : (float4)NEGATIVE;
    s->r2 = key + 2 < here ? s->r2 : (float4)NEGATIVE;
    s->r3 = key + 3 < here ? s->r3 : (float4)NEGATIVE;
    put_lanes(lanes, lx, ly, fmax(fmax(s->r0, s->r1), fmax(s->r2, s->r3)));
    barrier(CLK_LOCAL_MEM_FENCE);
    quarters[quarter] = max4(vload4(item, lanes));
    barrier(CLK_LOCAL_MEM_FENCE);
    local const float *mine = quarters + place * 16;
    const float4 top = vload4(place, tops);
    const float4 most = (float4)(max4(vload4(0, mine)), max4(vload4(1, mine)),
                                 max4(vload4(2, mine)), max4(vload4(3, mine)));
    const float4 next = fmax(top, most);
    s->r0 = tess_exp_float4(s->r0 - next);
    s->r1 = tess_exp_float4(s->r1 - next);
    s->r2 = tess_exp_float4(s->r2 - next);
    s->r3 = tess_exp_float4(s->r3 - next);
    put_lanes(lanes, lx, ly, (s->r0 + s->r1) + (s->r2 + s->r3));
    barrier(CLK_LOCAL_MEM_FENCE);
    quarters[quarter] = sum4(vload4(item, lanes));
    if (lx == 0)
        vstore4(next, place, tops);
    return tess_exp_float4(top - next);
}

// The weights of 4 keys, for 64 queries, into a tile of keys.
static inline void put_weights(local float *to, const struct results *weights, u32 ly)
{
    vstore4(weights->r0, ly, to);
    vstore4(weights->r1, ly, to + A_STRIDE);
    vstore4(weights->r2, ly, to + 2 * A_STRIDE);
    vstore4(weights->r3, ly, to + 3 * A_STRIDE);
}

// sums += weights values, of the `here` rows from `value` on: a result for each of
// queries 4 ly on, over the channels 4 lx on of those that are made. `channel` is the
// first of these in the head. `value` is that channel of row ly.
static inline void add_values(struct all_results *sums, const struct all_results *weights,
                              local float *tile_a, local float *tile_b,
                              global const float *value, size_t stride, u32 channel,
                              u32 lx, u32 ly, u32 here)
{
    for (u32 j = 0; j < here; j += DEPTH) {
#define LOAD(p)                                                                          \
    const u32 j##p = j + p * PART;                                                       \
    const float4 x##p = load_channels(value + j##p * stride, channel, j##p + ly < here);
        EACH_PART(LOAD)
        barrier(CLK_LOCAL_MEM_FENCE);
        if (4 * lx / DEPTH == j / DEPTH) { // it has the weights of these keys
            local float *to = tile_a + 4 * lx % DEPTH * A_STRIDE;
            put_weights(to, &weights->low, ly);
            IF_128(put_weights(to + UNIT, &weights->high, ly);)
        }
#define PUT(p) vstore4(x##p, lx, tile_b + (p * PART + ly) * B_STRIDE);
        EACH_PART(PUT)
        barrier(CLK_LOCAL_MEM_FENCE);
#define ADD(p)                                                                           \
    if (j##p < here)                                                                     \
        add_to_sums(sums, tile_a + p * PART * A_STRIDE, tile_b + p * PART * B_STRIDE,    \
                    lx, ly);
        EACH_PART(ADD)
#undef LOAD
#undef PUT
#undef ADD
    }
}

// totals = totals shrink + the sums of the weights, of queries 4 `place` on.
static inline void add_totals(local float *totals, float4 shrink,
                              local const float *quarters, u32 place)
{
    local const float *mine = quarters + place * 16;
    const float4 more = (float4)(sum4(vload4(0, mine)), sum4(vload4(1, mine)),
                                 sum4(vload4(2, mine)), sum4(vload4(3, mine)));
    vstore4(fma(vload4(place, totals), shrink, more), place, totals);
}

static inline void start_queries(local float *tops, local float *totals,
                                 global const float2 *state, u32 item, bool first)
{
    float2 old = (float2)(NEGATIVE, 0.0f);
    if (!first)
        old = *state;
    tops[item] = old.s0;
    totals[item] = old.s1;
}

// Channels of 4 rows, `C` apart, from the one with number `row` on. Those that are less
// than `count` exist.
static inline void load_sums(struct results *sums, global const float *from, size_t C,
                             u32 channel, u32 row, u32 count)
{
    sums->r0 = load_channels(from, channel, row < count);
    sums->r1 = load_channels(from + C, channel, row + 1 < count);
    sums->r2 = load_channels(from + 2 * C, channel, row + 2 < count);
    sums->r3 = load_channels(from + 3 * C, channel, row + 3 < count);
}

static inline void store_sums(global float *to, size_t C, u32 channel, u32 row, u32 count,
                              const struct results *sums, float4 total)
{
    store_channels(to, channel, row < count, sums->r0 / total.s0);
    store_channels(to + C, channel, row + 1 < count, sums->r1 / total.s1);
    store_channels(to + 2 * C, channel, row + 2 < count, sums->r2 / total.s2);
    store_channels(to + 3 * C, channel, row + 3 < count, sums->r3 / total.s3);
}

static inline void shrink_sums(struct results *sums, float4 shrink)
{
    sums->r0 *= shrink.s0;
    sums->r1 *= shrink.s1;
    sums->r2 *= shrink.s2;
    sums->r3 *= shrink.s3;
}

// With 128 queries, all units of a launch are of one run. Work-items: (16 for each MERGED
// units, 16 H), groups of 16 x 16.
kernel __attribute__((reqd_work_group_size(16, 16, 1))) void
attention(global float *out, global const float *q, global const float *kv,
          global const uint4 *units, global float2 *state, u32 unit0, u32 unit_count,
          u32 query0, u32 key0, u32 key_rows, u32 q_stride, u32 q_col, u32 kv_stride,
          u32 k_col, u32 v_col, u32 H, float scale, u32 first, u32 last)
{
    // Queries [d][query] and keys [d][key]; later weights [key][query] and values
    // [key][channel].
    local float tile_a[DEPTH * A_STRIDE] __attribute__((aligned(16)));
    local float tile_b[DEPTH * B_STRIDE] __attribute__((aligned(16)));
    local float lanes[UNIT * 16] __attribute__((aligned(16)));
    local float quarters[QUERIES * 4] __attribute__((aligned(16)));
    // The largest score of each query, and the sum of its weights.
    local float tops[QUERIES] __attribute__((aligned(16)));
    local float totals[QUERIES] __attribute__((aligned(16)));
    const u32 lx = get_local_id(0), ly = get_local_id(1), item = ly * 16 + lx;
    const u32 head = get_global_id(1) / 16, C = H * D;
    const u32 place = get_global_id(0) / 16 * MERGED;
    const uint4 unit = units[unit0 + place];
    const u32 row0 = unit.s0 - query0;
    u32 count = unit.s1;
    IF_128(if (place + 1 < unit_count) count += units[unit0 + place + 1].s1;)
    const u32 start = max(unit.s2, key0) - key0;
    const u32 end = min(unit.s2 + unit.s3, key0 + key_rows) - key0;
    // What this item brings to scores: 4 channels of a query and of a key.
    const u32 a_row = item / 4, a_d = item % 4 * 4;
    global const float *query =
        q + (size_t)(row0 + a_row) * q_stride + q_col + head * D + a_d;
    global float2 *states = state + (size_t)(row0 + item) * H + head;
    // `last` is at most 1, so this ends at D. But compilers that know that there is one
    // turn keep the addresses of the sums in
    // registers from start to end, for which Intel's Gen12 has no room.
    for (u32 column = 0; column < max((u32)D, last); column += CHANNELS) {
        const u32 channel = column + 4 * lx;
        global float *to = out + (size_t)(row0 + 4 * ly) * C + head * D + channel;
        struct all_results sums;
        load_sums(&sums.low, to, C, channel, 4 * ly, first ? 0 : count);
        IF_128(load_sums(&sums.high, to + UNIT * (size_t)C, C, channel, UNIT + 4 * ly,
                         first ? 0 : count);)
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < QUERIES)
            start_queries(tops, totals, states, item, first || item >= count);
        for (u32 k = start; k < end; k += BLOCK) {
            const u32 here = min(end - k, (u32)BLOCK);
            global const float *rows = kv + (size_t)k * kv_stride + head * D;
            struct all_results scores;
            make_scores(&scores, tile_a, tile_b, query, q_stride, count,
                        rows + (size_t)a_row * kv_stride + k_col + a_d, a_row < here,
                        scale, lx, ly);
            const float4 shrink =
                weigh(&scores.low, tops, lanes, quarters, lx, ly, ly, here);
            shrink_sums(&sums.low, shrink);
#if QUERIES == 128
            barrier(CLK_LOCAL_MEM_FENCE);
            const float4 shrink_high =
                weigh(&scores.high, tops, lanes, quarters, lx, ly, ly + 16, here);
            shrink_sums(&sums.high, shrink_high);
#endif
            add_values(&sums, &scores, tile_a, tile_b,
                       rows + (size_t)ly * kv_stride + v_col + channel, kv_stride,
                       channel, lx, ly, here);
            if (lx == 0) {
                add_totals(totals, shrink, quarters, ly);
                IF_128(add_totals(totals, shrink_high, quarters, ly + 16);)
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        store_sums(to, C, channel, 4 * ly, count, &sums.low,
                   last ? vload4(ly, totals) : (float4)1.0f);
        IF_128(store_sums(to + UNIT * (size_t)C, C, channel, UNIT + 4 * ly, count,
                          &sums.high, last ? vload4(ly + 16, totals) : (float4)1.0f);)
    }
    if (!last && item < count)
        *states = (float2)(tops[item], totals[item]);
}

#endif
