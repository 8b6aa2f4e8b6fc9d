// out[r] = gate * act(sum over taps t of in[index[r][t]] W[t] + bias) + residual[r]
//
// Weights are packed (cl/weight.cl): W[panel][tap][k][32] with panels of 32 output
// columns, zero beyond the last; here are those of the columns [first, first + cols).
// Several products of the same shape, their factors and results one behind the other, are
// made along dimension 2. Defines: TAPS 1 (no index: row r) or 27; WEIGHT_F16 0 or 1;
// ROWS and PANELS (of 32 columns), the results that are made together, and DEPTH, the
// values along k that are brought at a time for them (rt/tuning.h). An output is one
// chain of fma over taps, then k, so it depends on none of the three.
#include "product.clh"

#if TESS_CPU

#include "cpu_tile.clh"
#include "fetch.clh"
#include "product_cpu.clh"

// A work-item makes ROWS rows of PANELS panels, a tile in registers at a time. Sums lie
// by columns of tiles, [PANELS * PARTS][ROWS][TILE_COLS]. DEPTH rows of a part of a
// panel, TILE_COLS wide, become float once for all rows. Each is used once, and no
// hardware knows which one is next: so the next panel is fetched beside the products.
#define LINE         (64 / sizeof(weight_t)) // weights of a line of the cache
#define PARTS        (COLS / TILE_COLS)      // of a panel
#define EACH_OF_4(X) X(0) X(1) X(2) X(3)
#if TILE_COLS == 32
#define RIGHT(X) X // half of a tile
#else
#define RIGHT(X)
#endif
#if WEIGHT_F16
#define PART        const private float *
#define PART_STRIDE TILE_COLS
#else
#define PART        global const float *
#define PART_STRIDE COLS
#endif

// sums[place[r]] += in[from[r]][0 .. depth - 1] part, for `count` rows. Beyond, the last
// one is made again.
#define DEFINE_ADD_PRODUCTS(NAME, EACH_ROW)                                              \
    static inline void NAME(private float *sums, global const float *in, PART part,      \
                            private const u32 *from, private const u32 *place,           \
                            u32 count, u32 K, u32 depth)                                 \
    {                                                                                    \
        const u32 last = count - 1;                                                      \
        EACH_ROW(START)                                                                  \
        for (u32 k = 0; k < depth; k++) {                                                \
            const float16 w0 = vload16(0, part + k * PART_STRIDE);                       \
            RIGHT(const float16 w1 = vload16(1, part + k * PART_STRIDE);)                \
            EACH_ROW(STEP)                                                               \
        }                                                                                \
        EACH_ROW(KEEP)                                                                   \
    }
#define START(r)                                                                         \
    global const float *p##r = in + from[min((u32)r, last)] * (size_t)K;                 \
  private                                                                                \
    float *s##r = sums + place[min((u32)r, last)] * TILE_COLS;                           \
    float16 a##r = vload16(0, s##r);                                                     \
    RIGHT(float16 b##r = vload16(1, s##r);)
#define STEP(r)                                                                          \
    {                                                                                    \
        const float16 x = p##r[k];                                                       \
        a##r = fma(x, w0, a##r);                                                         \
        RIGHT(b##r = fma(x, w1, b##r);)                                                  \
    }
#define KEEP(r)                                                                          \
    vstore16(a##r, 0, s##r);                                                             \
    RIGHT(vstore16(b##r, 1, s##r);)

DEFINE_ADD_PRODUCTS(add_products_of_all, EACH_ROW)
DEFINE_ADD_PRODUCTS(add_products_of_4, EACH_OF_4)

// Weights that are read next, as lines of the cache.
struct next {
    global const weight_t *weights;
    u32 lines;
};

// What is there of `depth` along k of a panel: the share that is fetched beside a part.
static inline struct next next_share(global const weight_t *weights, u32 depth, u32 part)
{
    const u32 lines = depth * COLS / LINE / PARTS;
    return (struct next){weights + part * lines * LINE, lines};
}

// sums += products of the listed rows and what is here of a part, and fetch some of
// `next` beside each tile. Of the last rows two tiles of 4 may fit better than one.
static inline void add_products(private float *sums, global const float *in, PART part,
                                private const u32 *from, private const u32 *place, u32 n,
                                u32 K, u32 depth, struct next next)
{
    const u32 each = next.lines * TILE_ROWS / n + 1;
    for (u32 i = 0; i < n;) {
        const u32 lines = min(next.lines, each);
        for (u32 j = 0; j < lines; j++)
            tess_fetch(next.weights + j * LINE);
        next.weights += lines * LINE;
        next.lines -= lines;
        const u32 left = n - i;
        if (left > 8 || (left > 4 && left <= TILE_ROWS)) {
            add_products_of_all(sums, in, part, from + i, place + i, left, K, depth);
            i += TILE_ROWS;
        } else {
            add_products_of_4(sums, in, part, from + i, place + i, left, K, depth);
            i += 4;
        }
    }
}

// Work-items: (groups of PANELS panels, groups of ROWS rows, products).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
matmul(global float *out, global const float *in, global const weight_t *weight,
       global const float *bias, global const float *gate, global const float *residual,
       global const u32 *index, u32 rows, u32 K, u32 N, u32 first, u32 cols, u32 act,
       u32 has_bias, u32 has_gate, u32 has_residual)
{
    const u32 panels = (cols + COLS - 1) / COLS, panel0 = get_global_id(0) * PANELS;
    MOVE_TO_PRODUCT((size_t)panels * TAPS * K * COLS);
    const u32 panel_count = min(panels - panel0, (u32)PANELS);
    const size_t row0 = get_global_id(1) * ROWS;
    const u32 count = min((u32)(rows - row0), (u32)ROWS);
    global const weight_t *first_panel = weight + (size_t)panel0 * TAPS * K * COLS;
    float sums[PANELS * ROWS * COLS] __attribute__((aligned(64)));
    u32 from[ROWS], place[ROWS];
#if WEIGHT_F16
    float converted[DEPTH * TILE_COLS] __attribute__((aligned(64)));
#endif
    for (u32 i = 0; i < panel_count * PARTS; i++)
        for (u32 j = 0; j < count * TILE_COLS / 16; j++)
            vstore16((float16)0, j, sums + i * ROWS * TILE_COLS);
    for (u32 t = 0; t < TAPS; t++) {
        const u32 n = list_rows(from, place, index, row0, count, t);
        for (u32 k0 = 0; n > 0 && k0 < K; k0 += DEPTH) {
            const u32 depth = min(K - k0, (u32)DEPTH), k = t * K + k0;
            for (u32 i = 0; i < panel_count * PARTS; i++) {
                const u32 panel = i / PARTS, part = i % PARTS, col = part * TILE_COLS;
                global const weight_t *w =
                    first_panel + ((size_t)panel * TAPS * K + k) * COLS;
                const struct next next =
                    panel + 1 < panel_count
                        ? next_share(w + (size_t)TAPS * K * COLS, depth, part)
                        : next_share(first_panel + (size_t)(k + depth) * COLS,
                                     min(TAPS * K - (k + depth), (u32)DEPTH), part);
#if WEIGHT_F16
                for (u32 j = 0; j < depth; j++)
                    for (u32 c = 0; c < TILE_COLS; c += 16)
                        vstore16(vload_half16(0, w + j * COLS + col + c), 0,
                                 converted + j * TILE_COLS + c);
                add_products(sums + i * ROWS * TILE_COLS, in + k0, converted, from, place,
                             n, K, depth, next);
#else
                add_products(sums + i * ROWS * TILE_COLS, in + k0, w + col, from, place,
                             n, K, depth, next);
#endif
            }
        }
    }
    for (u32 i = 0; i < count; i++) {
        const size_t start = (row0 + i) * N;
        for (u32 c = 0; c < panel_count * COLS && panel0 * COLS + c < cols; c += 16)
            store_half_panel(
                out + start, bias, gate, residual + start,
                vload16(0, sums + (c / TILE_COLS * ROWS + i) * TILE_COLS + c % TILE_COLS),
                first + panel0 * COLS + c, N, act, has_bias, has_gate, has_residual);
    }
}

#else

// Groups of 16 x 16 work-items make tiles of ROWS (64, 128) x PANELS * 32 (64, 128)
// results through local memory. A work-item has 4 x 4 of each 64 x 64. There is no array
// of a work-item, which compilers for GPUs would keep in memory.
#define COLUMNS     (PANELS * COLS)
#define ITEMS       256
#define A_STRIDE    (ROWS + 4) // the 4 keep writes out of each other's banks
#define EACH_ROW(X) X(0) X(1) X(2) X(3)

#if ROWS == 128
#define IF_128_ROWS(X) X
#else
#define IF_128_ROWS(X)
#endif
#if PANELS == 4
#define IF_128_COLUMNS(X) X
#else
#define IF_128_COLUMNS(X)
#endif

// Work-items: 16 for each COLUMNS columns, 16 for each ROWS rows, products; in groups of
// 16 x 16.
kernel __attribute__((reqd_work_group_size(16, 16, 1))) void
matmul(global float *out, global const float *in, global const weight_t *weight,
       global const float *bias, global const float *gate, global const float *residual,
       global const u32 *index, u32 rows, u32 K, u32 N, u32 first, u32 cols, u32 act,
       u32 has_bias, u32 has_gate, u32 has_residual)
{
    local float tile_a[DEPTH * A_STRIDE] __attribute__((aligned(16)));
    local float tile_b[DEPTH * COLUMNS] __attribute__((aligned(16)));
    const u32 lx = get_local_id(0), ly = get_local_id(1), item = ly * 16 + lx;
    const size_t col0 = (get_global_id(0) / 16) * COLUMNS,
                 row0 = (get_global_id(1) / 16) * ROWS;
    const u32 panels = (cols + COLS - 1) / COLS;
    MOVE_TO_PRODUCT((size_t)panels * TAPS * K * COLS);
// Sums of row i of 4: s has 64 x 64 results, t 64 columns further, u and v 64 rows.
#define START(i)                                                                         \
    float4 s##i = 0;                                                                     \
    IF_128_COLUMNS(float4 t##i = 0;)                                                     \
    IF_128_ROWS(float4 u##i = 0; IF_128_COLUMNS(float4 v##i = 0;))
    EACH_ROW(START)
    for (u32 t = 0; t < TAPS; t++)
        for (u32 k0 = 0; k0 < K; k0 += DEPTH) {
            // 4 values along k of a row; 4 columns of one k.
            for (u32 i = item; i < ROWS * DEPTH / 4; i += ITEMS) {
                const u32 r = i / (DEPTH / 4), k = i % (DEPTH / 4) * 4;
                u32 from = NO_ROW;
                if (row0 + r < rows)
                    from = tap_row(index, row0 + r, t);
                float4 a = 0;
                if (from != NO_ROW)
                    a = load_columns(in + (size_t)from * K, k0 + k, K);
                local float *to = tile_a + k * A_STRIDE + r;
                to[0] = a.s0;
                to[A_STRIDE] = a.s1;
                to[2 * A_STRIDE] = a.s2;
                to[3 * A_STRIDE] = a.s3;
            }
            for (u32 i = item; i < COLUMNS * DEPTH / 4; i += ITEMS) {
                const u32 k = i / (COLUMNS / 4), col = i % (COLUMNS / 4) * 4;
                const size_t panel = (col0 + col) / COLS;
                float4 b = 0;
                if (panel < panels && k0 + k < K)
                    b = load_weight4(weight + ((panel * TAPS + t) * K + k0 + k) * COLS +
                                     col % COLS);
                vstore4(b, 0, tile_b + k * COLUMNS + col);
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            for (u32 k = 0; k < DEPTH; k++) {
                const float4 x = vload4(ly, tile_a + k * A_STRIDE);
                const float4 w = vload4(lx, tile_b + k * COLUMNS);
                IF_128_COLUMNS(const float4 z = vload4(lx + 16, tile_b + k * COLUMNS);)
#define STEP(i)                                                                          \
    s##i = fma((float4)x.s##i, w, s##i);                                                 \
    IF_128_COLUMNS(t##i = fma((float4)x.s##i, z, t##i);)
                EACH_ROW(STEP)
#if ROWS == 128
                const float4 y = vload4(ly + 16, tile_a + k * A_STRIDE);
#define STEP_BELOW(i)                                                                    \
    u##i = fma((float4)y.s##i, w, u##i);                                                 \
    IF_128_COLUMNS(v##i = fma((float4)y.s##i, z, v##i);)
                EACH_ROW(STEP_BELOW)
#endif
            }
            barrier(CLK_LOCAL_MEM_FENCE);
        }
    const struct target target = {out,          bias, gate,     residual, rows,        N,
                                  first + cols, act,  has_bias, has_gate, has_residual};
    const u32 col = first + col0 + lx * 4;
#define FINISH(i)                                                                        \
    store_results(&target, s##i, row0 + ly * 4 + i, col);                                \
    IF_128_COLUMNS(store_results(&target, t##i, row0 + ly * 4 + i, col + 64);)           \
    IF_128_ROWS(                                                                         \
        store_results(&target, u##i, row0 + 64 + ly * 4 + i, col);                       \
        IF_128_COLUMNS(store_results(&target, v##i, row0 + 64 + ly * 4 + i, col + 64);))
    EACH_ROW(FINISH)
}

#endif
