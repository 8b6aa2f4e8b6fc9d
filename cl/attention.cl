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

#define QUERIES 8
#define WIDE    ((D + 15) / 16)

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

static inline float sum16(float16 x)
{
    float8 a = x.lo + x.hi;
    float4 b = a.lo + a.hi;
    float2 c = b.lo + b.hi;
    return c.lo + c.hi;
}

// keys[h][d][row] = k of kv[row]; the columns from `rows` to `stride` are zeroed.
// Work-items: (stride, H * D).
kernel void transpose_keys(global float *keys, global const float *kv, u32 rows,
                           u32 stride, u32 C, u32 kv_stride, u32 k_col)
{
    const size_t row = get_global_id(0), c = get_global_id(1);
    if (row >= stride || c >= C)
        return;
    keys[c * stride + row] = row < rows ? kv[row * kv_stride + k_col + c] : 0.0f;
}

#define EACH_QUERY(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

// scores[q][key] for 8 queries and 32 keys from `keys` on, which holds D rows of
// `stride`.
static inline void score_keys(private float *scores, private const float *queries,
                              global const float *keys, u32 stride)
{
#define START(q) float16 a##q = 0, b##q = 0;
    EACH_QUERY(START)
    for (u32 d = 0; d < D; d++) {
        const float16 k0 = vload16(0, keys + (size_t)d * stride);
        const float16 k1 = vload16(1, keys + (size_t)d * stride);
#define STEP(q)                                                                          \
    {                                                                                    \
        const float16 x = queries[q * D + d];                                            \
        a##q = fma(x, k0, a##q);                                                         \
        b##q = fma(x, k1, b##q);                                                         \
    }
        EACH_QUERY(STEP)
#undef STEP
    }
#define FINISH(q)                                                                        \
    vstore16(a##q, 0, scores + q * BLOCK);                                               \
    vstore16(b##q, 1, scores + q * BLOCK);
    EACH_QUERY(FINISH)
}

// Turn a row of scores into weights; *scale is what earlier sums are multiplied by.
static inline void weigh(private float *scores, u32 keys, private float *top,
                         private float *total, private float *scale)
{
    for (u32 i = keys; i < BLOCK; i++)
        scores[i] = NEGATIVE;
    float16 s0 = vload16(0, scores), s1 = vload16(1, scores), s2 = vload16(2, scores),
            s3 = vload16(3, scores);
    const float next = fmax(*top, max16(fmax(fmax(s0, s1), fmax(s2, s3))));
    s0 = tess_exp_float16(s0 - next);
    s1 = tess_exp_float16(s1 - next);
    s2 = tess_exp_float16(s2 - next);
    s3 = tess_exp_float16(s3 - next);
    vstore16(s0, 0, scores);
    vstore16(s1, 1, scores);
    vstore16(s2, 2, scores);
    vstore16(s3, 3, scores);
    *scale = tess_exp_float(*top - next);
    *total = fma(*total, *scale, sum16((s0 + s1) + (s2 + s3)));
    *top = next;
}

// sums[q][16 j ..] = sums * scale + weights v for 8 queries.
static inline void add_values(private float16 *sums, private const float *weights,
                              private const float *scales, global const float *values,
                              size_t row_stride, u32 keys, u32 j)
{
#define LOAD(q) float16 a##q = sums[q * WIDE] * scales[q];
    EACH_QUERY(LOAD)
    for (u32 key = 0; key < keys; key++) {
        const float16 v = load_columns(values + key * row_stride, j);
#define STEP(q) a##q = fma((float16)weights[q * BLOCK + key], v, a##q);
        EACH_QUERY(STEP)
#undef STEP
    }
#define KEEP(q) sums[q * WIDE] = a##q;
    EACH_QUERY(KEEP)
}

// Work-items: (units, H).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
attention(global float *out, global const float *q, global const float *kv,
          global const float *keys, global const uint4 *units, global float2 *state,
          u32 unit0, u32 query0, u32 key0, u32 key_rows, u32 stride, u32 q_stride,
          u32 q_col, u32 kv_stride, u32 k_col, u32 v_col, u32 H, float scale, u32 first,
          u32 last)
{
    const uint4 unit = units[unit0 + get_global_id(0)];
    const u32 head = get_global_id(1), C = H * D;
    const u32 row0 = unit.s0 - query0, count = unit.s1;
    // The keys of the run that are here.
    const u32 start = max(unit.s2, key0) - key0;
    const u32 end = min(unit.s2 + unit.s3, key0 + key_rows) - key0;
    float queries[QUERIES * D], scores[QUERIES * BLOCK];
    float top[QUERIES], total[QUERIES], scales[QUERIES];
    float16 sums[QUERIES * WIDE];
    for (u32 i = 0; i < QUERIES; i++) {
        const size_t row = row0 + min(i, count - 1);
        for (u32 d = 0; d < D; d++)
            queries[i * D + d] = q[row * q_stride + q_col + head * D + d] * scale;
        const float2 old = first ? (float2)(NEGATIVE, 0.0f) : state[row * H + head];
        top[i] = old.s0;
        total[i] = old.s1;
        for (u32 j = 0; j < WIDE; j++)
            sums[i * WIDE + j] = 0;
        if (!first)
            for (u32 j = 0; j < WIDE; j++)
                sums[i * WIDE + j] = load_columns(out + row * C + head * D, j);
    }
    for (u32 k = start; k < end; k += BLOCK) {
        const u32 here = min(end - k, (u32)BLOCK);
        global const float *block = keys + (size_t)head * D * stride + k;
        score_keys(scores, queries, block, stride);
        if (here > 32)
            score_keys(scores + 32, queries, block + 32, stride);
        for (u32 i = 0; i < QUERIES; i++)
            weigh(scores + i * BLOCK, here, &top[i], &total[i], &scales[i]);
        global const float *values = kv + (size_t)k * kv_stride + v_col + head * D;
        for (u32 j = 0; j < WIDE; j++)
            add_values(sums + j, scores, scales, values, kv_stride, here, j);
    }
    for (u32 i = 0; i < count; i++) {
        global float *to = out + (size_t)(row0 + i) * C + head * D;
        if (!last)
            state[(size_t)(row0 + i) * H + head] = (float2)(top[i], total[i]);
        for (u32 j = 0; j < WIDE; j++) {
            const float16 y = last ? sums[i * WIDE + j] / total[i] : sums[i * WIDE + j];
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

// One work-item a query. Work-items: (units * 64, H), groups of 64. `keys` and `stride`
// are not used.
kernel __attribute__((reqd_work_group_size(QUERIES, 1, 1))) void
attention(global float *out, global const float *q, global const float *kv,
          global const float *keys, global const uint4 *units, global float2 *state,
          u32 unit0, u32 query0, u32 key0, u32 key_rows, u32 stride, u32 q_stride,
          u32 q_col, u32 kv_stride, u32 k_col, u32 v_col, u32 H, float scale, u32 first,
          u32 last)
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
