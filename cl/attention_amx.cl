// The attention of cl/attention.cl on CPUs with AMX, same arguments and state: products
// by tiles, of pieces of bfloat16 (cl/pieces.clh):
//
//   scores [queries][64 keys] = queries [queries][D] keys^T [D][64]
//   sums [queries][D] += weights [queries][64] values [64][D]
//
// Along what is summed, a value and the one 16 further make a pair. Then rows of queries,
// of values and of scores are where tiles want them, 16 values to a vector; keys alone
// have to be transposed.
//
// Tiles multiply beside other instructions, so the products of some queries are mixed
// with the exponentials of others. A query's results do not depend on the other queries:
// rows without one may hold anything. Defines: D; QUERIES, a multiple of 64, and HEADS
// that a work-item takes; AMX, LEFT_PIECES, RIGHT_PIECES (of the same number), as in
// amx.clh; MEMORY, bytes of local memory.
#include "common.clh"

#include "channels.clh"
#include "power.clh"

#include "fold.clh"

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
#define SUMS           (CHANNEL_BLOCKS * PATCH)          // of a panel
#define PANEL_PIECES   (2 * CHANNEL_BLOCKS * LEFT_BLOCK) // of queries
#define WEIGHT_PIECES  2
#define WEIGHT_BLOCK   (WEIGHT_PIECES * PIECE_TILE)
#define WEIGHTS        (2 * KEY_BLOCKS * WEIGHT_BLOCK) // of a panel
#define SLACK          8.0f                            // weights stay below 2^SLACK

// Floats of local memory: of all heads, then of each.
#define SCORES_AT  0
#define WEIGHTS_AT (SCORES_AT + 2 * KEY_BLOCKS * PATCH)
#define HEADS_AT   (WEIGHTS_AT + WEIGHTS)
#define STATE_AT   0 // [QUERIES] maxima, then totals
#define SUMS_AT    (STATE_AT + 2 * QUERIES)
#define QUERIES_AT (SUMS_AT + PANELS * SUMS)
#define KEYS_AT    (QUERIES_AT + PANELS * PANEL_PIECES / 2)
#define VALUES_AT  (KEYS_AT + KEY_BLOCKS * CHANNEL_BLOCKS * RIGHT_BLOCK / 2)
#define HEAD       (VALUES_AT + CHANNEL_BLOCKS * KEY_BLOCKS * RIGHT_BLOCK / 2)
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

static inline void prefetch_for_writing(global float *row)
{
    for (u32 d = 0; d < D; d += 16)
        __builtin_prefetch(row + d, FOR_WRITING);
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

// Queries of 16, `count` of them, to the left factor, scaled.
static inline void load_queries(local ushort *queries, global const float *row,
                                size_t stride, u32 count, float scale)
{
    for (u32 i = 0; i < count; i++, row += stride) {
        prefetch_row(row + 16 * stride);
        for (u32 b = 0; b < CHANNEL_BLOCKS; b++)
            put_pairs(queries + b * LEFT_BLOCK + i * PIECE_DEPTH, PIECE_TILE,
                      channels(row, 2 * b) * scale, channels(row, 2 * b + 1) * scale);
    }
}

// 16 keys, `count` of them, to a half of the right factor.
static inline void load_keys(local ushort *keys, global const float *from, size_t stride,
                             u32 count)
{
    for (u32 i = 16; i < 32; i++)
        prefetch_row(from + i * stride);
    for (u32 b = 0; b < CHANNEL_BLOCKS; b++) {
        float16 first[16], second[16]; // 16 channels each
#pragma unroll
        for (u32 i = 0; i < 16; i++) {
            global const float *row = from + min(i, count - 1) * stride;
            first[i] = channels(row, 2 * b);
            second[i] = channels(row, 2 * b + 1);
        }
        transpose16(first);
        transpose16(second);
#pragma unroll
        for (u32 c = 0; c < 16; c++)
            put_pairs(keys + b * RIGHT_BLOCK + c * 32, 2 * PIECE_TILE, first[c],
                      second[c]);
    }
}

// 32 values, `count` of them, to blocks of the right factor that are `step` apart; zeros
// beyond.
static inline void load_values(local ushort *values, u32 step, global const float *from,
                               size_t stride, u32 count)
{
    for (u32 i = 0; i < 16; i++, from += stride)
        for (u32 j = 0; j < WIDE; j++)
            put_pairs(values + j / 2 * step + j % 2 * PIECE_TILE + i * 32, 2 * PIECE_TILE,
                      i < count ? load_columns(from, j) : 0.0f,
                      i + 16 < count ? load_columns(from + 16 * stride, j) : 0.0f);
}

// Where 16 channels of a query stand in the sums of a panel.
static inline u32 sums_at(u32 query, u32 j)
{
    return j / 2 * PATCH + query * 32 + j % 2 * 16;
}

// The weights that 32 queries give to a block of keys, those of some queries at a time.
struct weighing {
    local float *scores;    // [block of 32 keys][32 queries][32 keys], to the base 2
    local ushort *weights;  // pieces
    local const float *top; // what weights are relative to
    u32 query, end;         // the next one, and behind the last
    u32 halves;             // of 16 keys
    u32 share;              // of queries, beside a block of a product
};

// The largest of the scores of 16 queries each, in blocks of 32 keys.
static inline float16 largest(local const float *scores, u32 blocks)
{
    float16 m[16];
#pragma unroll
    for (u32 i = 0; i < 16; i++)
        m[i] = larger_float16(load16(scores + i * 32), load16(scores + i * 32 + 16));
    for (u32 b = 1; b < blocks; b++) {
        scores += PATCH;
#pragma unroll
        for (u32 i = 0; i < 16; i++)
            m[i] = larger_float16(m[i], larger_float16(load16(scores + i * 32),
                                                       load16(scores + i * 32 + 16)));
    }
    return fold_largest(m);
}

// Scores behind the last of `keys` weigh nothing.
static inline void hide_scores(local float *scores, u32 queries, u32 keys)
{
    const int16 column = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const int left = (int)(keys % 32);
    scores += keys / 32 * PATCH;
    for (u32 i = 0; left && i < queries; i++, scores += 32) {
        store16(column < left ? load16(scores) : NEGATIVE, scores);
        store16(column < left - 16 ? load16(scores + 16) : NEGATIVE, scores + 16);
    }
}

// Weights of 16 queries, `count` of them, are relative to the largest score of a query so
// far; as long as they stay below 2^SLACK to an earlier one, to that, so that sums are
// rarely scaled.
static inline void raise_tops(local float *top, local float *total, local float *sums,
                              local const float *scores, u32 count, u32 blocks)
{
    const float16 most = largest(scores, blocks), old = load16(top),
                  now = most > old + SLACK ? most : old;
    if (!tess_any16(now != old))
        return;
    float scale[16];
    vstore16(power_float16(old - now), 0, scale);
    store16(now, top);
    for (u32 i = 0; i < count; i++) {
        total[i] *= scale[i];
        for (u32 j = 0; j < WIDE; j++)
            store16(load16(sums + sums_at(i, j)) * scale[i], sums + sums_at(i, j));
    }
}

// 17 bits of the weights of two groups of 16 keys, so at most 2^-17 of a weight is left
// out, of either sign: the first piece has the nearest eight, the second what is left, of
// either sign, too. Their sums, so that totals are of the same weights as sums.
static inline float16 put_weights(local ushort *to, float16 first, float16 second)
{
    const uint16 x = (as_uint16(first) + 0x40) & 0xffffff80,
                 y = (as_uint16(second) + 0x40) & 0xffffff80;
    const uint16 x0 = (x + 0x8000) & 0xffff0000, y0 = (y + 0x8000) & 0xffff0000;
    *(local uint16 *)to = pair_halves(x0, y0);
    *(local uint16 *)(to + PIECE_TILE) =
        pair_halves(as_uint16(as_float16(x) - as_float16(x0)),
                    as_uint16(as_float16(y) - as_float16(y0)));
    return as_float16(x) + as_float16(y);
}

static inline float16 weigh_16(local const float *scores, float below)
{
    return power_float16(load16(scores) + below);
}

// The weights of the next query. Their sums, in 16 parts, take the place of scores. Not
// inline: it is called in many places, each of which would be compiled.
__attribute__((noinline)) static void weigh_next(private struct weighing *w)
{
    const u32 i = w->query++, blocks = (w->halves + 1) / 2;
    const float below = -w->top[i];
    local float *scores = w->scores + i * 32;
    local ushort *weights =
        w->weights + i / 16 * blocks * WEIGHT_BLOCK + i % 16 * PIECE_DEPTH;
    float16 sum;
    // Without a loop where a block is whole: 3 % of the time of one long run.
    if (w->halves == 2 * KEY_BLOCKS) {
        sum = put_weights(weights, weigh_16(scores, below), weigh_16(scores + 16, below));
#pragma unroll
        for (u32 b = 1; b < KEY_BLOCKS; b++)
            sum += put_weights(weights + b * WEIGHT_BLOCK,
                               weigh_16(scores + b * PATCH, below),
                               weigh_16(scores + b * PATCH + 16, below));
    } else {
        sum = 0.0f;
        for (u32 b = 0; b < blocks; b++)
            sum += put_weights(
                weights + b * WEIGHT_BLOCK, weigh_16(scores + b * PATCH, below),
                2 * b + 1 < w->halves ? weigh_16(scores + b * PATCH + 16, below) : 0.0f);
    }
    store16(sum, scores);
}

// The weights of at most `count` more queries.
static inline void weigh(private struct weighing *w, u32 count)
{
    for (; count && w->query < w->end; count--)
        weigh_next(w);
}

// Weights that are made beside a step of a product: so many that a block's are all when
// the products of its queries are.
static inline void weigh_share(private struct weighing *w, u32 step, u32 steps)
{
    weigh(w, w->share * (step + 1) / steps - w->share * step / steps);
}

#define WEIGH_BESIDE(step, steps) weigh_share(w, step, steps);

// Sums of 32 x 32, or what is added to them: a panel of the left factor times one of the
// right, over all their blocks.
TESS_INLINE void multiply(local float *sums, bool add, local const ushort *left,
                          u32 left_pieces, local const ushort *right, u32 blocks,
                          private struct weighing *w)
{
    TILES(tiles);
    const u32 left_block = left_pieces * PIECE_TILE;
    local const ushort *lower = left + blocks * left_block;
    if (add)
        tiles_load(tiles, sums);
    else
        tiles_clear(tiles);
    for (u32 b = 0; b < blocks; b++)
        tiles_add_beside(tiles, left + b * left_block, lower + b * left_block,
                         left_pieces, right + b * RIGHT_BLOCK, RIGHT_PIECES,
                         WEIGH_BESIDE);
    tiles_store(sums, tiles);
}

// What earlier launches left of 16 queries, `count` of them; or a start, with sums that
// are still to be made.
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
    for (u32 i = 0; i < count && !a->first; i++)
        for (u32 j = 0; j < WIDE; j++)
            store16(load_columns(a->out + ((row + i) * a->H + head) * D, j),
                    sums + sums_at(i, j));
}

// `none`: no sums were made yet, since no key is here.
static inline void store_sums(local const float *sums, local const float *top,
                              local const float *total, const private struct attention *a,
                              u32 head, size_t row, u32 count, bool none)
{
    for (u32 i = 0; i < count; i++) {
        const float scale = a->last ? 1.0f / total[i] : 1.0f;
        if (!a->last)
            a->state[(row + i) * a->H + head] = (float2)(top[i], total[i]);
        for (u32 j = 0; j < WIDE; j++)
            store_columns(a->out + ((row + i) * a->H + head) * D, j,
                          none ? 0.0f : load16(sums + sums_at(i, j)) * scale);
    }
}

// Local memory of a head, and of all.
struct workspace {
    local float *top, *total; // [QUERIES]
    local float *sums;        // [PANELS][channels / 32][32 queries][32 channels]
    local ushort *queries, *keys, *values;
    local float *scores; // [2][KEY_BLOCKS][32 queries][32 keys]
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

// A block of keys, for the queries of each head.
struct block {
    u32 queries, keys;
    bool fresh; // the first: there are no sums to add to
    // The next block: where, and how many keys; none: where results go.
    global const float *ahead;
    u32 next;
    global float *out;
};

// Makes ready what the weights of a panel are made of.
static inline struct weighing weigh_start(const private struct workspace *m, u32 t, u32 g,
                                          const private struct block *block)
{
    const u32 queries = min(block->queries - 32 * g, 32u),
              halves = (block->keys + 15) / 16, blocks = (halves + 1) / 2,
              products = 2 * CHANNEL_BLOCKS * blocks; // beside which weights are made
    local float *scores = m->scores + t % 2 * KEY_BLOCKS * PATCH, *top = m->top + 32 * g,
                *total = m->total + 32 * g, *sums = m->sums + g * SUMS;
    hide_scores(scores, queries, block->keys);
    for (u32 i = 0; i < queries; i += 16)
        raise_tops(top + i, total + i, sums + sums_at(i, 0), scores + i * 32,
                   block->fresh ? 0 : min(queries - i, 16u), blocks);
    return (struct weighing){
        .scores = scores,
        .weights = m->weights + t % 2 * WEIGHTS,
        .top = top,
        .end = queries,
        .halves = halves,
        .share = (queries + products - 1) / products,
    };
}

// All weights are there: adds them up, 16 queries at a time.
static inline void weigh_end(local float *total, local const float *scores, u32 queries)
{
    for (u32 i = 0; i < queries; i += 16) {
        float16 m[16];
#pragma unroll
        for (u32 k = 0; k < 16; k++)
            m[k] = load16(scores + (i + k) * 32);
        store16(load16(total + i) + fold_sum(m), total + i);
    }
}

// The scores of a panel of queries.
static inline void multiply_keys(const private struct workspace *m, u32 t, u32 g,
                                 u32 blocks, private struct weighing *w)
{
    for (u32 b = 0; b < blocks; b++)
        multiply(m->scores + (t % 2 * KEY_BLOCKS + b) * PATCH, false,
                 m->queries + g * PANEL_PIECES, LEFT_PIECES,
                 m->keys + b * CHANNEL_BLOCKS * RIGHT_BLOCK, CHANNEL_BLOCKS, w);
}

// A panel's share of what is needed next.
static inline void fetch_next(const private struct attention *a,
                              const private struct block *block, u32 head, u32 g,
                              u32 groups)
{
    global const float *rows = block->ahead + head * D;
    for (u32 i = g * block->next / groups; i < (g + 1) * block->next / groups; i++) {
        prefetch_row(rows + i * a->kv_stride + a->k_col);
        prefetch_row(rows + i * a->kv_stride + a->v_col);
    }
    if (!block->next)
        for (u32 i = 32 * g; i < min(block->queries, 32 * g + 32); i++)
            prefetch_for_writing(block->out + ((size_t)i * a->H + head) * D);
}

// The products of one panel of queries with values, and those of the next but one with
// keys, are made while the weights of the one between are.
static inline void attend_block(const private struct attention *a, local float *memory,
                                const private struct block *block)
{
    const u32 blocks = PIECE_COUNT(block->keys), groups = (block->queries + 31) / 32,
              panels = a->heads * groups;
    struct workspace before = workspace_of(memory, 0), m = before;
    struct weighing w = {0};
    multiply_keys(&m, 0, 0, blocks, &w);
    for (u32 t = 0; t <= panels; t++) {
        const u32 g = t % groups;
        const struct workspace after = workspace_of(memory, (t + 1) / groups);
        w = (struct weighing){0};
        if (t < panels) {
            fetch_next(a, block, t / groups, g, groups);
            w = weigh_start(&m, t, g, block);
        }
        if (t + 1 < panels)
            multiply_keys(&after, t + 1, (t + 1) % groups, blocks, &w);
        for (u32 c = 0; t > 0 && c < CHANNEL_BLOCKS; c++)
            multiply(before.sums + (t - 1) % groups * SUMS + c * PATCH, !block->fresh,
                     m.weights + (t - 1) % 2 * WEIGHTS, WEIGHT_PIECES,
                     before.values + c * blocks * RIGHT_BLOCK, blocks, &w);
        weigh(&w, w.end);
        if (t < panels)
            weigh_end(m.total + 32 * g, w.scores, w.end);
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
        load_queries(m.queries + i * CHANNEL_BLOCKS * LEFT_BLOCK,
                     a->q + row * a->q_stride + a->q_col + (a->head + h) * D, a->q_stride,
                     count, a->scale * LOG2_E);
        load_sums(m.sums + i / 2 * SUMS + sums_at(i % 2 * 16, 0), m.top + 16 * i,
                  m.total + 16 * i, a, a->head + h, row, count);
    }
}

// A block of keys and values of all heads: some rows at a time, whose heads lie side by
// side in memory.
static inline void load_block(const private struct attention *a, local float *memory,
                              global const float *from, u32 count)
{
    const u32 blocks = PIECE_COUNT(count);
    for (u32 k = 0; k < count; k += 16)
        for (u32 h = 0; h < a->heads; h++)
            load_keys(workspace_of(memory, h).keys +
                          k / 32 * CHANNEL_BLOCKS * RIGHT_BLOCK + k / 16 % 2 * PIECE_TILE,
                      from + k * a->kv_stride + a->k_col + h * D, a->kv_stride,
                      min(count - k, 16u));
    for (u32 b = 0; b < blocks; b++)
        for (u32 h = 0; h < a->heads; h++)
            load_values(workspace_of(memory, h).values + b * RIGHT_BLOCK,
                        blocks * RIGHT_BLOCK,
                        from + b * 32 * a->kv_stride + a->v_col + h * D, a->kv_stride,
                        count - b * 32);
}

static inline void attend(const private struct attention *a, local float *memory,
                          uint4 unit)
{
    const u32 row0 = unit.s0 - a->query0, count = unit.s1;
    // The keys of the run that are here.
    const u32 start = max(unit.s2, a->key0) - a->key0;
    const u32 end = min(unit.s2 + unit.s3, a->key0 + a->key_rows) - a->key0;
    for (u32 i = 0; i < count; i += 16)
        load_16(a, memory, i / 16, row0 + i, min(count - i, 16u));
    for (u32 k = start; k < end; k += BLOCK) {
        global const float *from = a->kv + (size_t)k * a->kv_stride + a->head * D;
        const u32 here = min(end - k, (u32)BLOCK);
        const struct block block = {.queries = count,
                                    .keys = here,
                                    .fresh = a->first && k == start,
                                    .ahead = from + here * a->kv_stride,
                                    .next = min(end - k - here, (u32)BLOCK),
                                    .out = a->out + ((size_t)row0 * a->H + a->head) * D};
        load_block(a, memory, from, here);
        attend_block(a, memory, &block);
    }
    for (u32 i = 0; i < count; i += 16)
        for (u32 h = 0; h < a->heads; h++) {
            const struct workspace m = workspace_of(memory, h);
            store_sums(m.sums + i / 32 * SUMS + sums_at(i % 32, 0), m.top + i,
                       m.total + i, a, a->head + h, row0 + i, min(count - i, 16u),
                       a->first && start >= end);
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
