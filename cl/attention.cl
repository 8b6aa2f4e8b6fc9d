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
// Defines: D.
#include "common.clh"

#define BLOCK    64
#define NEGATIVE -3.0e38f

#if TESS_CPU

#define MERGED     4             // units that a work-item takes
#define QUERIES    (MERGED * 64) // of them
#define GROUP      8             // queries in registers
#define WIDE_BLOCK (BLOCK / 16)
#define WIDE       ((D + 15) / 16)

// 16 values from column 16 j of a row of D; zero beyond.
static inline float16 load_columns(global const float *row, u32 j)
{
#if D % 16 == 0
    return vload16(j, row);
#else
    if (16 * j + 16 <= D)
        return vload16(j, row);
    float lanes[16];
    for (u32 i = 0; i < 16; i++)
        lanes[i] = 16 * j + i < D ? row[16 * j + i] : 0.0f;
    return vload16(0, lanes);
#endif
}

static inline float max16(float16 x)
{
    float8 a = fmax(x.lo, x.hi);
    float4 b = fmax(a.lo, a.hi);
    float2 c = fmax(b.lo, b.hi);
    return fmax(c.lo, c.hi);
}

// m[i][j] = m[j][i]: four perfect shuffles of 16 rows of 16.
static inline void transpose16(private float16 *m)
{
    for (u32 round = 0; round < 4; round++) {
        float16 old[16];
        for (u32 i = 0; i < 16; i++)
            old[i] = m[i];
        for (u32 i = 0; i < 8; i++) {
            m[2 * i].even = old[i].lo;
            m[2 * i].odd = old[i + 8].lo;
            m[2 * i + 1].even = old[i].hi;
            m[2 * i + 1].odd = old[i + 8].hi;
        }
    }
}

// block[d][16 i ..] = column d of `count` rows of keys; beyond, the last row again.
static inline void load_keys(private float16 *block, global const float *keys,
                             size_t row_stride, u32 count)
{
    for (u32 i = 0; 16 * i < count; i++)
        for (u32 j = 0; j < WIDE; j++) {
            float16 m[16];
            for (u32 r = 0; r < 16; r++)
                m[r] = load_columns(keys + min(16 * i + r, count - 1) * row_stride, j);
            transpose16(m);
            for (u32 c = 0; c < 16 && 16 * j + c < D; c++)
                block[(16 * j + c) * WIDE_BLOCK + i] = m[c];
        }
}

// values[row][16 j ..] = `count` rows, side by side: where they lie, their distance may
// be one that caches take badly.
static inline void load_values(private float16 *values, global const float *from,
                               size_t row_stride, u32 count)
{
    for (u32 i = 0; i < count; i++)
        for (u32 j = 0; j < WIDE; j++)
            values[i * WIDE + j] = load_columns(from + i * row_stride, j);
}

#define EACH_QUERY(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

// sums[q][0 .. 31] += left[q][k] right[k][0 .. 31] over `count` k, for 8 q. Strides are
// of left in floats, else in vectors.
static inline void add_products(private float16 *sums, u32 sum_stride,
                                private const float *left, u32 left_stride,
                                private const float16 *right, u32 right_stride, u32 count)
{
#define START(q) float16 a##q = sums[q * sum_stride], b##q = sums[q * sum_stride + 1];
    EACH_QUERY(START)
#undef START
    for (u32 k = 0; k < count; k++) {
        const float16 v = right[k * right_stride], w = right[k * right_stride + 1];
#define STEP(q)                                                                          \
    {                                                                                    \
        const float16 x = left[q * left_stride + k];                                     \
        a##q = fma(x, v, a##q);                                                          \
        b##q = fma(x, w, b##q);                                                          \
    }
        EACH_QUERY(STEP)
#undef STEP
    }
#define FINISH(q)                                                                        \
    sums[q * sum_stride] = a##q;                                                         \
    sums[q * sum_stride + 1] = b##q;
    EACH_QUERY(FINISH)
#undef FINISH
}

// The same for 16 columns.
static inline void add_half_products(private float16 *sums, u32 sum_stride,
                                     private const float *left, u32 left_stride,
                                     private const float16 *right, u32 right_stride,
                                     u32 count)
{
#define START(q) float16 a##q = sums[q * sum_stride];
    EACH_QUERY(START)
#undef START
    for (u32 k = 0; k < count; k++) {
        const float16 v = right[k * right_stride];
#define STEP(q) a##q = fma((float16)left[q * left_stride + k], v, a##q);
        EACH_QUERY(STEP)
#undef STEP
    }
#define FINISH(q) sums[q * sum_stride] = a##q;
    EACH_QUERY(FINISH)
#undef FINISH
}

// Turn 8 rows of scores into weights; scales are what earlier sums are multiplied by.
static inline void weigh(private float16 *scores, u32 keys, private float *top,
                         private float *total, private float *scales)
{
    float next[GROUP];
    for (u32 q = 0; q < GROUP; q++) {
      private
        const float16 *s = scores + q * WIDE_BLOCK;
        for (u32 i = keys; i < BLOCK; i++)
            ((private float *)scores)[q * BLOCK + i] = NEGATIVE;
        next[q] = fmax(top[q], max16(fmax(fmax(s[0], s[1]), fmax(s[2], s[3]))));
        scales[q] = tess_exp_float(top[q] - next[q]);
        top[q] = next[q];
    }
    for (u32 q = 0; q < GROUP; q++) {
      private
        float16 *s = scores + q * WIDE_BLOCK;
        for (u32 i = 0; i < WIDE_BLOCK; i++)
            s[i] = tess_exp_float16(s[i] - next[q]);
        total[q] = fma(total[q], scales[q], tess_sum16((s[0] + s[1]) + (s[2] + s[3])));
    }
}

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
    const u32 filled = (count + GROUP - 1) / GROUP * GROUP;
    // The keys of the run that are here.
    const u32 start = max(unit.s2, a->key0) - a->key0;
    const u32 end = min(unit.s2 + unit.s3, a->key0 + a->key_rows) - a->key0;
    float queries[QUERIES * D], top[QUERIES], total[QUERIES];
    float scales[GROUP];
    float16 sums[QUERIES * WIDE], values[BLOCK * WIDE], block[D * WIDE_BLOCK];
    float16 scores[GROUP * WIDE_BLOCK];
    for (u32 i = 0; i < filled; i++) {
        const size_t row = row0 + min(i, count - 1);
        global const float *query = a->q + row * a->q_stride + a->q_col + head * D;
        for (u32 d = 0; d < D; d++)
            queries[i * D + d] = query[d] * a->scale;
        const float2 old = a->first ? (float2)(NEGATIVE, 0.0f) : a->state[row * H + head];
        top[i] = old.s0;
        total[i] = old.s1;
        for (u32 j = 0; j < WIDE; j++)
            sums[i * WIDE + j] = 0;
        if (!a->first)
            for (u32 j = 0; j < WIDE; j++)
                sums[i * WIDE + j] = load_columns(a->out + row * C + head * D, j);
    }
    for (u32 k = start; k < end; k += BLOCK) {
        const u32 here = min(end - k, (u32)BLOCK);
        global const float *from = a->kv + (size_t)k * a->kv_stride + head * D;
        load_keys(block, from + a->k_col, a->kv_stride, here);
        load_values(values, from + a->v_col, a->kv_stride, here);
        for (u32 g = 0; g < filled; g += GROUP) {
            for (u32 i = 0; i < GROUP * WIDE_BLOCK; i++)
                scores[i] = 0;
            add_products(scores, WIDE_BLOCK, queries + g * D, D, block, WIDE_BLOCK, D);
            if (here > 32)
                add_products(scores + 2, WIDE_BLOCK, queries + g * D, D, block + 2,
                             WIDE_BLOCK, D);
            weigh(scores, here, top + g, total + g, scales);
          private
            const float *weights = (private const float *)scores;
            for (u32 i = 0; i < GROUP * WIDE; i++)
                sums[g * WIDE + i] *= scales[i / WIDE];
            u32 j = 0;
            for (; j + 1 < WIDE; j += 2)
                add_products(sums + g * WIDE + j, WIDE, weights, BLOCK, values + j, WIDE,
                             here);
            if (j < WIDE)
                add_half_products(sums + g * WIDE + j, WIDE, weights, BLOCK, values + j,
                                  WIDE, here);
        }
    }
    for (u32 i = 0; i < count; i++) {
        global float *to = a->out + (size_t)(row0 + i) * C + head * D;
        if (!a->last)
            a->state[(size_t)(row0 + i) * H + head] = (float2)(top[i], total[i]);
        for (u32 j = 0; j < WIDE; j++) {
            const float16 s = sums[i * WIDE + j], y = a->last ? s / total[i] : s;
            if (16 * j + 16 <= D) {
                vstore16(y, j, to);
                continue;
            }
            float lanes[16];
            vstore16(y, 0, lanes);
            for (u32 d = 16 * j; d < D; d++)
                to[d] = lanes[d - 16 * j];
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

#define QUERIES 64
#define KEYS    16 // in local memory at a time
// Channels are gone through in steps that are written out, filled up with zeros. Mesa's
// llvmpipe leaves every loop once a work-item has been through 65,535 iterations of loops
// that are not unrolled, and says nothing: LP_MAX_TGSI_LOOP_ITERATIONS in
// src/gallium/auxiliary/gallivm/lp_limits.h. In loops over single channels that is less
// than 512 keys of 64.
#define STEPS   ((D + 15) / 16)
#define WIDTH   (STEPS * 16)
#define EACH_STEP(X)                                                                     \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

// query . key
static inline float score_key(private const float *query, local const float *key)
{
    float s = 0;
    for (u32 d = 0; d < WIDTH; d += 16) {
#define STEP(i) s = fma(query[d + i], key[d + i], s);
        EACH_STEP(STEP)
#undef STEP
    }
    return s;
}

// sums *= factor
static inline void scale_sums(private float *sums, float factor)
{
    for (u32 d = 0; d < WIDTH; d += 16) {
#define STEP(i) sums[d + i] *= factor;
        EACH_STEP(STEP)
#undef STEP
    }
}

// sums += weight value
static inline void add_value(private float *sums, float weight, local const float *value)
{
    for (u32 d = 0; d < WIDTH; d += 16) {
#define STEP(i) sums[d + i] = fma(weight, value[d + i], sums[d + i]);
        EACH_STEP(STEP)
#undef STEP
    }
}

// One work-item a query. Work-items: (units * 64, H), groups of 64.
kernel __attribute__((reqd_work_group_size(QUERIES, 1, 1))) void
attention(global float *out, global const float *q, global const float *kv,
          global const uint4 *units, global float2 *state, u32 unit0, u32 unit_count,
          u32 query0, u32 key0, u32 key_rows, u32 q_stride, u32 q_col, u32 kv_stride,
          u32 k_col, u32 v_col, u32 H, float scale, u32 first, u32 last)
{
    local float local_k[KEYS * WIDTH], local_v[KEYS * WIDTH];
    const u32 lane = get_local_id(0), head = get_global_id(1), C = H * D;
    const uint4 unit = units[unit0 + get_global_id(0) / QUERIES];
    const u32 count = unit.s1;
    const u32 start = max(unit.s2, key0) - key0;
    const u32 end = min(unit.s2 + unit.s3, key0 + key_rows) - key0;
    const size_t row = unit.s0 - query0 + min(lane, count - 1);
    float query[WIDTH], sums[WIDTH];
    for (u32 d = 0; d < WIDTH; d++) {
        query[d] = d < D ? q[row * q_stride + q_col + head * D + d] * scale : 0.0f;
        sums[d] = first || d >= D ? 0.0f : out[row * C + head * D + d];
    }
    const float2 old = first ? (float2)(NEGATIVE, 0.0f) : state[row * H + head];
    float top = old.s0, total = old.s1;
    for (u32 k = start; k < end; k += KEYS) {
        const u32 here = min(end - k, (u32)KEYS);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (u32 i = lane; i < here * WIDTH; i += QUERIES) {
            global const float *from =
                kv + (size_t)(k + i / WIDTH) * kv_stride + head * D + i % WIDTH;
            local_k[i] = i % WIDTH < D ? from[k_col] : 0.0f;
            local_v[i] = i % WIDTH < D ? from[v_col] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        float scores[KEYS], next = top;
        for (u32 j = 0; j < here; j++) {
            scores[j] = score_key(query, local_k + j * WIDTH);
            next = fmax(next, scores[j]);
        }
        const float shrink = tess_exp_float(top - next);
        total *= shrink;
        scale_sums(sums, shrink);
        for (u32 j = 0; j < here; j++) {
            const float p = tess_exp_float(scores[j] - next);
            total += p;
            add_value(sums, p, local_v + j * WIDTH);
        }
        top = next;
    }
    if (lane >= count)
        return;
    if (!last)
        state[row * H + head] = (float2)(top, total);
    for (u32 d = 0; d < D; d++)
        out[row * C + head * D + d] = last ? sums[d] / total : sums[d];
}

#endif
