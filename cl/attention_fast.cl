// The attention of cl/attention.cl with matrix units: queries, keys, values and weights
// are rounded to half, scores, sums and the softmax are float. Same arguments. A query's
// sums are chains of units over channels or keys, 16 at a time, zeros beyond D and the
// run; they do not depend on other queries, so tiles do not change them. Weights are
// added up before they are rounded. Defines: D, at most 128; UNIT, as in matrix_unit.clh.
#include "common.clh"

#include "matrix_unit.clh"

#define BLOCK    64
#define QUERIES  64
#define NEGATIVE -3.0e38f

// A sub-group has 16 queries and WIDE units of their sums. Of Intel's, whose registers
// have no room for all channels, several share 16 queries: at least two, so that there is
// a work-item for each query.
#define STEPS ((D + 15) / 16) // units along the channels
#if UNIT == 2 && D <= 32
#define WIDE   1
#define ACROSS 2
#elif UNIT == 2
#define WIDE   1
#define ACROSS STEPS
#else
#define WIDE   STEPS
#define ACROSS 1
#endif
#define GROUPS (QUERIES / UNIT_SIZE * ACROSS)
#define ITEMS  (GROUPS * UNIT_LANES)
#define PARTS  (ITEMS / QUERIES) // work-items that turn a query's scores into weights
#define KEYS   (BLOCK / PARTS)   // of each

// Rows in local memory, in u32 or float; 4 more keep them out of each other's banks.
#define D_STRIDE  (STEPS * 8 + 4)
#define K_STRIDE  (BLOCK / 2 + 4)
#define S_STRIDE  (BLOCK + 4)
#define PATCH     20
#define MAX(a, b) ((a) > (b) ? (a) : (b))

// Do X with each unit of a sub-group's sums, or of its scores. They are written out, so
// that sums stay in registers; for the portable unit that would only keep compilers busy.
#define TO_2(X) X(0) X(1)
#define TO_4(X) TO_2(X) X(2) X(3)
#define TO_6(X) TO_4(X) X(4) X(5)
#if UNIT == 0
#define EACH_SUM(X)   _Pragma("unroll 1") for (u32 i = 0; i < WIDE; i++) X(i)
#define EACH_SCORE(X) _Pragma("unroll 1") for (u32 i = 0; i < BLOCK / UNIT_SIZE; i++) X(i)
#elif UNIT == 2
#define EACH_SUM(X) X(0)
#else
#define EACH_SCORE(X) TO_4(X)
#if D <= 16
#define EACH_SUM(X) X(0)
#elif D <= 32
#define EACH_SUM(X) TO_2(X)
#elif D <= 48
#define EACH_SUM(X) TO_2(X) X(2)
#elif D <= 64
#define EACH_SUM(X) TO_4(X)
#elif D <= 80
#define EACH_SUM(X) TO_4(X) X(4)
#elif D <= 96
#define EACH_SUM(X) TO_6(X)
#elif D <= 112
#define EACH_SUM(X) TO_6(X) X(6)
#else
#define EACH_SUM(X) TO_6(X) X(6) X(7)
#endif
#endif

// Whether to do what may be left out. Compilers for CPUs make a kernel twice for each
// barrier behind a condition, so the portable unit, which has barriers, does all of it:
// there are zeros then.
#define NEEDED(condition) (UNIT == 0 || (condition))

// Channels [d, d + 4) of a head, which are at p; zeros beyond D, and for no row.
static inline float4 load_channels(global const float *p, u32 d, bool exists)
{
    if (!exists || d >= D)
        return 0;
    return tess_load_some(p, D - d, D % 4 == 0);
}

// tile[r] = the channels of row r of `count`, times `scale`.
static inline void load_rows(local u32 *tile, global const float *rows, size_t stride,
                             u32 count, float scale, u32 item)
{
    for (u32 i = item; i < 64 * STEPS * 4; i += ITEMS) {
        const u32 r = i / (STEPS * 4), d = i % (STEPS * 4) * 4;
        const float4 x = load_channels(rows + r * stride + d, d, r < count) * scale;
        unit_put(tile + r * D_STRIDE + d / 2, x.lo);
        unit_put(tile + r * D_STRIDE + d / 2 + 1, x.hi);
    }
}

// tile[d] = channel d of the `count` rows. Work-items that follow one another have two
// pieces of a row, which memory brings together, and rows that lie in other banks.
static inline void load_values(local u32 *tile, global const float *rows, size_t stride,
                               u32 count, u32 item)
{
    for (u32 i = item; i < STEPS * 4 * BLOCK / 2; i += ITEMS) {
        const u32 pair = i / 2 % (BLOCK / 2), row = 2 * pair;
        const u32 d = (i / BLOCK * 2 + i % 2) * 4;
        global const float *p = rows + row * stride + d;
        const float4 x = load_channels(p, d, row < count),
                     y = load_channels(p + stride, d, row + 1 < count);
        local u32 *to = tile + d * K_STRIDE + pair;
        unit_put(to, (float2)(x.s0, y.s0));
        unit_put(to + K_STRIDE, (float2)(x.s1, y.s1));
        unit_put(to + 2 * K_STRIDE, (float2)(x.s2, y.s2));
        unit_put(to + 3 * K_STRIDE, (float2)(x.s3, y.s3));
    }
}

// Scores of the sub-group's 16 queries, which `left` begins with, and the keys that are
// `here`; of `across` in ACROSS.
TESS_INLINE void make_scores(local float *scores, local const u32 *left,
                             local const u32 *keys, u32 here, u32 across, u32 lane,
                             local u32 *scratch)
{
#if UNIT != 2
    unit_sums s[BLOCK / UNIT_SIZE];
#define START(i) unit_clear(&s[i]);
    EACH_SCORE(START)
    for (u32 d = 0; d < STEPS * 8; d += 8) {
        const unit_factor a = unit_load_left(left + d, D_STRIDE, lane);
#define ADD(i)                                                                           \
    if (NEEDED(i * UNIT_SIZE < here))                                                    \
        unit_add(&s[i], a,                                                               \
                 unit_load_right(keys + i * UNIT_SIZE * D_STRIDE + d, D_STRIDE, lane),   \
                 lane, scratch);
        EACH_SCORE(ADD)
    }
#define KEEP(i) unit_store(scores + i * UNIT_SIZE, S_STRIDE, &s[i], lane);
    EACH_SCORE(KEEP)
#undef START
#undef ADD
#undef KEEP
#else
    for (u32 i = across * UNIT_SIZE; i < here; i += ACROSS * UNIT_SIZE) {
        unit_sums s;
        unit_clear(&s);
        for (u32 d = 0; d < STEPS * 8; d += 8)
            unit_add(&s, unit_load_left(left + d, D_STRIDE, lane),
                     unit_load_right(keys + i * D_STRIDE + d, D_STRIDE, lane), lane,
                     scratch);
        unit_store(scores + i, S_STRIDE, &s, lane);
    }
#endif
}

// The softmax of a group: numbers of each query.
struct queries {
    local float *tops, *totals; // the largest score so far, the sum of the weights
    local float *shrinks;       // what earlier sums are multiplied by
    local float *most, *more;   // [PARTS]: of the scores and weights of each work-item
};

// 4 scores from `key` on; NEGATIVE for keys that are not `here`.
static inline float4 load_scores(local const float *row, u32 key, u32 here)
{
    const float4 x = vload4(0, row + key);
    const int4 gone = (int4)(key, key + 1, key + 2, key + 3) >= (int4)(here);
    return select(x, (float4)NEGATIVE, gone);
}

static inline float max4(float4 x)
{
    return fmax(fmax(x.s0, x.s1), fmax(x.s2, x.s3));
}

// weights = e^(scores - the largest so far), rounded.
TESS_INLINE void weigh(const private struct queries *q, local u32 *weights,
                       local const float *scores, u32 here, u32 item)
{
    const u32 row = item / PARTS, key0 = item % PARTS * KEYS;
    const bool works = row < QUERIES;
    local const float *from = scores + row * S_STRIDE;
    float next = NEGATIVE, shrink = 0;
    if (works) {
        float4 most = NEGATIVE;
        for (u32 k = key0; k < key0 + KEYS; k += 4)
            most = fmax(most, load_scores(from, k, here));
        q->most[item] = max4(most);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (works) {
        const float top = q->tops[row];
        next = top;
        for (u32 i = 0; i < PARTS; i++)
            next = fmax(next, q->most[row * PARTS + i]);
        shrink = tess_exp_float(top - next);
        float4 more = 0;
        for (u32 k = key0; k < key0 + KEYS; k += 4) {
            const float4 x = tess_exp_float4(load_scores(from, k, here) - next);
            unit_put(weights + row * K_STRIDE + k / 2, x.lo);
            unit_put(weights + row * K_STRIDE + k / 2 + 1, x.hi);
            more += x;
        }
        q->more[item] = (more.s0 + more.s1) + (more.s2 + more.s3);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (works && item % PARTS == 0) {
        float more = q->more[item];
        for (u32 i = 1; i < PARTS; i++)
            more += q->more[item + i];
        q->totals[row] = fma(q->totals[row], shrink, more);
        q->shrinks[row] = shrink;
        q->tops[row] = next;
    }
}

// A sub-group's 16 queries in out: row 0 of `count`, the columns of a head.
struct target {
    global float *out;
    size_t C;
    u32 count;
};

// 16 channels from d on become sums, by way of the sub-group's patch of local memory.
TESS_INLINE void load_sums(private unit_sums *sums, const private struct target *target,
                           local float *patch, u32 d, u32 lane)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    for (u32 i = lane; i < UNIT_SIZE * UNIT_SIZE / 4; i += UNIT_LANES) {
        const u32 r = i / 4, channel = d + i % 4 * 4;
        vstore4(load_channels(target->out + r * target->C + channel, channel,
                              r < target->count),
                0, patch + r * PATCH + i % 4 * 4);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    unit_load(sums, patch, PATCH, lane);
}

// The opposite, divided by the totals of the queries if there are any.
TESS_INLINE void store_sums(const private struct target *target,
                            const private unit_sums *sums, local float *patch,
                            local const float *totals, bool last, u32 d, u32 lane)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    unit_store(patch, PATCH, sums, lane);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (u32 i = lane; i < UNIT_SIZE * UNIT_SIZE / 4; i += UNIT_LANES) {
        const u32 r = i / 4, channel = d + i % 4 * 4;
        const float4 x = vload4(0, patch + r * PATCH + i % 4 * 4);
        if (r < target->count && channel < D)
            tess_store_some(last ? x / totals[r] : x,
                            target->out + r * target->C + channel, D - channel,
                            D % 4 == 0);
    }
}

// Work-items: (ITEMS for each unit, H), in groups of ITEMS.
kernel UNIT_ATTRIBUTE __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
attention_fast(global float *out, global const float *q, global const float *kv,
               global const uint4 *units, global float2 *state, u32 unit0, u32 unit_count,
               u32 query0, u32 key0, u32 key_rows, u32 q_stride, u32 q_col, u32 kv_stride,
               u32 k_col, u32 v_col, u32 H, float scale, u32 first, u32 last)
{
    local u32 queries[QUERIES * D_STRIDE] __attribute__((aligned(16)));
    // Keys, then weights; scores, then values; before and after them, sums.
    local u32 tile_a[BLOCK * MAX(D_STRIDE, K_STRIDE)] __attribute__((aligned(16)));
    local float tile_b[MAX(MAX(QUERIES * S_STRIDE, STEPS * UNIT_SIZE * K_STRIDE),
                           GROUPS * UNIT_SIZE * PATCH)] __attribute__((aligned(16)));
    local float tops[QUERIES], totals[QUERIES], shrinks[QUERIES];
    local float most[QUERIES * PARTS], more[QUERIES * PARTS];
    local u32 scratch[GROUPS * UNIT_SCRATCH];
    const u32 item = get_local_id(0), lane = item % UNIT_LANES, group = item / UNIT_LANES;
    const u32 strip = group / ACROSS * UNIT_SIZE, across = group % ACROSS;
    const u32 head = get_global_id(1), C = H * D;
    const uint4 unit = units[unit0 + get_global_id(0) / ITEMS];
    const u32 row0 = unit.s0 - query0, count = unit.s1;
    const u32 start = max(unit.s2, key0) - key0;
    const u32 end = min(unit.s2 + unit.s3, key0 + key_rows) - key0;
    const struct queries numbers = {tops, totals, shrinks, most, more};
    const struct target target = {out + (size_t)(row0 + strip) * C + head * D, C,
                                  count > strip ? count - strip : 0};
    local float *patch = tile_b + group * UNIT_SIZE * PATCH;
    local u32 *mine = scratch + group * UNIT_SCRATCH;
    global float2 *states = state + (size_t)(row0 + item) * H + head;
    unit_sums sums[WIDE];
#define CHANNEL(i) ((across * WIDE + i) * UNIT_SIZE)
#define START(i)   unit_clear(&sums[i]);
    EACH_SUM(START)
    const struct target old = {target.out, C, first ? 0 : target.count};
#define LOAD(i) load_sums(&sums[i], &old, patch, CHANNEL(i), lane);
    if (NEEDED(!first)) {
        EACH_SUM(LOAD)
    }
    if (item < QUERIES) {
        float2 old = (float2)(NEGATIVE, 0.0f);
        if (!first && item < count)
            old = *states;
        tops[item] = old.s0;
        totals[item] = old.s1;
    }
    load_rows(queries, q + (size_t)row0 * q_stride + q_col + head * D, q_stride, count,
              scale, item);
    for (u32 k = start; k < end; k += BLOCK) {
        const u32 here = min(end - k, (u32)BLOCK);
        global const float *rows = kv + (size_t)k * kv_stride + head * D;
        load_rows(tile_a, rows + k_col, kv_stride, here, 1.0f, item);
        barrier(CLK_LOCAL_MEM_FENCE);
        make_scores(tile_b + strip * S_STRIDE, queries + strip * D_STRIDE, tile_a, here,
                    across, lane, mine);
        barrier(CLK_LOCAL_MEM_FENCE);
        weigh(&numbers, tile_a, tile_b, here, item);
        load_values((local u32 *)tile_b, rows + v_col, kv_stride, here, item);
        barrier(CLK_LOCAL_MEM_FENCE);
#define SCALE(i) unit_scale(&sums[i], shrinks + strip, lane);
        EACH_SUM(SCALE)
        for (u32 j = 0; 2 * j < here; j += UNIT_SIZE / 2) {
            const unit_factor a =
                unit_load_left(tile_a + strip * K_STRIDE + j, K_STRIDE, lane);
#define ADD(i)                                                                           \
    if (NEEDED(CHANNEL(i) < STEPS * UNIT_SIZE))                                          \
        unit_add(&sums[i], a,                                                            \
                 unit_load_right((local const u32 *)tile_b + CHANNEL(i) * K_STRIDE + j,  \
                                 K_STRIDE, lane),                                        \
                 lane, mine);
            EACH_SUM(ADD)
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#define FINISH(i)                                                                        \
    store_sums(&target, &sums[i], patch, totals + strip, last, CHANNEL(i), lane);
    EACH_SUM(FINISH)
    if (!last && item < count)
        *states = (float2)(tops[item], totals[item]);
}
