// out[r * out_mul + out_add] = gate * act(sum over taps t of in[index[r][t]] W[t] + bias)
//                              + residual
//
// Weights are packed (cl/weight.cl): W[panel][tap][k][32] with panels of 32 output
// columns, zero beyond the last; here are those of the columns [first, first + cols).
// Defines: TAPS 1 (no index: row r), 8 (taps of one octant, see below) or 27; WEIGHT_F16
// 0 or 1. An output is one chain of fma over taps, then k, so it does not depend on the
// shape of tiles or work-groups.
#include "common.clh"

#define COLS   32
#define NO_ROW 0xffffffffu

#if WEIGHT_F16
typedef half weight_t;
#else
typedef float weight_t;
#endif

#define ACT_NONE     0
#define ACT_GELU     1
#define ACT_SILU     2
#define ACT_GELU_ERF 3

#if TAPS > 1
// The column of the 27 neighbours that tap t reads. With 8 taps, `octant` is the child
// whose value is made: along an axis its parity p reads the parents at offsets p - 1 and
// p.
static inline u32 tap_column(u32 t, u32 octant)
{
#if TAPS == 8
    u32 x = (octant >> 2 & 1) + (t >> 2 & 1), y = (octant >> 1 & 1) + (t >> 1 & 1);
    return x * 9 + y * 3 + (octant & 1) + (t & 1);
#else
    return t;
#endif
}
#endif

#if TESS_CPU

// A work-item makes ROWS rows of PANELS panels, 8 x 32 outputs at a time in registers.
// DEPTH rows of a panel of half become float once for all of its rows.
#define ROWS   64
#define PANELS 4
#define DEPTH  128

// clang-format off
#if WEIGHT_F16
#define PANEL private const float *
#else
#define PANEL global const float *
#endif
// clang-format on

#define EACH_OF_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_OF_4(X) X(0) X(1) X(2) X(3)

// sums[place[r]] += in[from[r]][0 .. depth - 1] panel, for `count` rows. Beyond, the last
// one is made again.
#define DEFINE_ADD_PRODUCTS(NAME, EACH_ROW)                                              \
    static inline void NAME(private float *sums, global const float *in, PANEL panel,    \
                            private const u32 *from, private const u32 *place,           \
                            u32 count, u32 K, u32 depth)                                 \
    {                                                                                    \
        const u32 last = count - 1;                                                      \
        EACH_ROW(START)                                                                  \
        for (u32 k = 0; k < depth; k++) {                                                \
            const float16 w0 = vload16(0, panel + k * COLS);                             \
            const float16 w1 = vload16(1, panel + k * COLS);                             \
            EACH_ROW(STEP)                                                               \
        }                                                                                \
        EACH_ROW(KEEP)                                                                   \
    }
#define START(r)                                                                         \
    global const float *p##r = in + from[min((u32)r, last)] * (size_t)K;                 \
  private                                                                                \
    float *s##r = sums + place[min((u32)r, last)] * COLS;                                \
    float16 a##r = vload16(0, s##r), b##r = vload16(1, s##r);
#define STEP(r)                                                                          \
    {                                                                                    \
        const float16 x = p##r[k];                                                       \
        a##r = fma(x, w0, a##r);                                                         \
        b##r = fma(x, w1, b##r);                                                         \
    }
#define KEEP(r)                                                                          \
    vstore16(a##r, 0, s##r);                                                             \
    vstore16(b##r, 1, s##r);

DEFINE_ADD_PRODUCTS(add_products_of_8, EACH_OF_8)
DEFINE_ADD_PRODUCTS(add_products_of_4, EACH_OF_4)

static inline float16 activate(float16 x, u32 act)
{
    if (act == ACT_GELU_ERF)
        return 0.5f * x * (1.0f + erf(x * 0.70710678118654752f));
    return act == ACT_GELU ? tess_gelu_tanh16(x) : act == ACT_SILU ? tess_silu16(x) : x;
}

static inline void store_half_panel(global float *out, global const float *bias,
                                    global const float *gate,
                                    global const float *residual, float16 acc, u32 col,
                                    u32 N, u32 act, u32 has_bias, u32 has_gate,
                                    u32 has_residual)
{
    if (col + 16 <= N) {
        float16 x = acc;
        if (has_bias)
            x += vload16(0, bias + col);
        x = activate(x, act);
        if (has_gate)
            x *= vload16(0, gate + col);
        if (has_residual)
            x += vload16(0, residual + col);
        vstore16(x, 0, out + col);
        return;
    }
    float lanes[16];
    vstore16(acc, 0, lanes);
    float16 x = 0;
    float extra[16];
    for (u32 c = 0; c < 16; c++)
        extra[c] = has_bias && col + c < N ? bias[col + c] : 0.0f;
    x = activate(vload16(0, lanes) + vload16(0, extra), act);
    vstore16(x, 0, lanes);
    for (u32 c = 0; c < 16 && col + c < N; c++) {
        const float y = has_gate ? lanes[c] * gate[col + c] : lanes[c];
        out[col + c] = has_residual ? y + residual[col + c] : y;
    }
}

// The rows that have a neighbour at a tap: their places in the tile, and the neighbours.
// Adding products with zero for the others would change nothing.
static inline u32 list_rows(private u32 *from, private u32 *place,
                            global const u32 *index, size_t row0, u32 count, u32 tap,
                            u32 octant)
{
    u32 n = 0;
    for (u32 i = 0; i < count; i++) {
#if TAPS == 1
        from[n] = row0 + i;
#else
        from[n] = index[(row0 + i) * 27 + tap_column(tap, octant)];
        if (from[n] == NO_ROW)
            continue;
#endif
        place[n++] = i;
    }
    return n;
}

// sums += products of the listed rows and what is here of a panel.
static inline void add_products(private float *sums, global const float *in, PANEL panel,
                                private const u32 *from, private const u32 *place, u32 n,
                                u32 K, u32 depth)
{
    u32 i = 0;
    for (; i + 4 < n; i += 8)
        add_products_of_8(sums, in, panel, from + i, place + i, n - i, K, depth);
    if (i < n)
        add_products_of_4(sums, in, panel, from + i, place + i, n - i, K, depth);
}

// Work-items: (groups of PANELS panels, groups of ROWS rows).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
matmul(global float *out, global const float *in, global const weight_t *weight,
       global const float *bias, global const float *gate, global const float *residual,
       global const u32 *index, u32 rows, u32 K, u32 N, u32 first, u32 cols, u32 out_mul,
       u32 out_add, u32 residual_shift, u32 act, u32 has_bias, u32 has_gate,
       u32 has_residual, u32 octant)
{
    const u32 panels = (cols + COLS - 1) / COLS, panel0 = get_global_id(0) * PANELS;
    const u32 panel_count = min(panels - panel0, (u32)PANELS);
    const size_t row0 = get_global_id(1) * ROWS;
    const u32 count = min((u32)(rows - row0), (u32)ROWS);
    float sums[PANELS * ROWS * COLS] __attribute__((aligned(64)));
    u32 from[ROWS], place[ROWS];
#if WEIGHT_F16
    float converted[DEPTH * COLS] __attribute__((aligned(64)));
#endif
    for (u32 i = 0; i < panel_count; i++)
        for (u32 j = 0; j < count * COLS / 16; j++)
            vstore16((float16)0, j, sums + i * ROWS * COLS);
    for (u32 t = 0; t < TAPS; t++) {
        const u32 n = list_rows(from, place, index, row0, count, t, octant);
        for (u32 k0 = 0; n > 0 && k0 < K; k0 += DEPTH) {
            const u32 depth = min(K - k0, (u32)DEPTH);
            for (u32 i = 0; i < panel_count; i++) {
                global const weight_t *w =
                    weight + (((size_t)(panel0 + i) * TAPS + t) * K + k0) * COLS;
#if WEIGHT_F16
                for (u32 j = 0; j < depth * COLS / 16; j++)
                    vstore16(vload_half16(j, w), j, converted);
                add_products(sums + i * ROWS * COLS, in + k0, converted, from, place, n,
                             K, depth);
#else
                add_products(sums + i * ROWS * COLS, in + k0, w, from, place, n, K,
                             depth);
#endif
            }
        }
    }
    for (u32 i = 0; i < count; i++) {
        const size_t row = (row0 + i) * out_mul + out_add;
        global float *to = out + row * N;
        global const float *old = residual + (row >> residual_shift) * N;
        for (u32 c = 0; c < panel_count * COLS && panel0 * COLS + c < cols; c += 16)
            store_half_panel(to, bias, gate, old,
                             vload16(0, sums + (c / COLS * ROWS + i) * COLS + c % COLS),
                             first + panel0 * COLS + c, N, act, has_bias, has_gate,
                             has_residual);
    }
}

#else

// Tiles of 64 x 64 outputs by 16 x 16 work-items, 4 x 4 each, through local memory 16
// deep.
#define TILE  64
#define DEPTH 16

static inline float activate(float x, u32 act)
{
    if (act == ACT_GELU_ERF)
        return 0.5f * x * (1.0f + erf(x * 0.70710678118654752f));
    return act == ACT_GELU ? tess_gelu_tanh(x) : act == ACT_SILU ? tess_silu(x) : x;
}

static inline float4 load_weight4(global const weight_t *p)
{
#if WEIGHT_F16
    return vload_half4(0, p);
#else
    return vload4(0, p);
#endif
}

// Work-items: (columns / 4, rows / 4), in groups of 16 x 16.
kernel __attribute__((reqd_work_group_size(16, 16, 1))) void
matmul(global float *out, global const float *in, global const weight_t *weight,
       global const float *bias, global const float *gate, global const float *residual,
       global const u32 *index, u32 rows, u32 K, u32 N, u32 first, u32 cols, u32 out_mul,
       u32 out_add, u32 residual_shift, u32 act, u32 has_bias, u32 has_gate,
       u32 has_residual, u32 octant)
{
    local float tile_a[DEPTH][TILE + 4];
    local float tile_b[DEPTH][TILE];
    const u32 lx = get_local_id(0), ly = get_local_id(1), item = ly * 16 + lx;
    const size_t col0 = (get_global_id(0) / 16) * TILE,
                 row0 = (get_global_id(1) / 16) * TILE;
    const u32 panels = (cols + COLS - 1) / COLS;
    // What this item loads: 4 values along k of one row, 4 columns of one k.
    const u32 a_row = item / 4, a_k = item % 4 * 4;
    const u32 b_k = item / 16, b_col = item % 16 * 4;
    const size_t b_panel = (col0 + b_col) / COLS;
    float4 acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
    for (u32 t = 0; t < TAPS; t++) {
        u32 from = NO_ROW;
        if (row0 + a_row < rows)
#if TAPS == 1
            from = row0 + a_row;
#else
            from = index[(row0 + a_row) * 27 + tap_column(t, octant)];
#endif
        for (u32 k0 = 0; k0 < K; k0 += DEPTH) {
            for (u32 i = 0; i < 4; i++)
                tile_a[a_k + i][a_row] = from != NO_ROW && k0 + a_k + i < K
                                             ? in[(size_t)from * K + k0 + a_k + i]
                                             : 0.0f;
            float4 b = 0;
            if (b_panel < panels && k0 + b_k < K)
                b = load_weight4(weight + ((b_panel * TAPS + t) * K + k0 + b_k) * COLS +
                                 b_col % COLS);
            vstore4(b, 0, &tile_b[b_k][b_col]);
            barrier(CLK_LOCAL_MEM_FENCE);
            for (u32 k = 0; k < DEPTH; k++) {
                const float4 x = vload4(0, &tile_a[k][ly * 4]);
                const float4 w = vload4(0, &tile_b[k][lx * 4]);
                acc0 = fma((float4)x.s0, w, acc0);
                acc1 = fma((float4)x.s1, w, acc1);
                acc2 = fma((float4)x.s2, w, acc2);
                acc3 = fma((float4)x.s3, w, acc3);
            }
            barrier(CLK_LOCAL_MEM_FENCE);
        }
    }
    float results[4][4];
    vstore4(acc0, 0, results[0]);
    vstore4(acc1, 0, results[1]);
    vstore4(acc2, 0, results[2]);
    vstore4(acc3, 0, results[3]);
    for (u32 r = 0; r < 4; r++) {
        const size_t row = row0 + ly * 4 + r;
        if (row >= rows)
            break;
        const size_t to = row * out_mul + out_add;
        for (u32 c = 0; c < 4; c++) {
            const size_t col = first + col0 + lx * 4 + c;
            if (col >= first + cols)
                break;
            float x = results[r][c];
            if (has_bias)
                x += bias[col];
            x = activate(x, act);
            if (has_gate)
                x *= gate[col];
            if (has_residual)
                x += residual[(to >> residual_shift) * N + col];
            out[to * N + col] = x;
        }
    }
}

#endif
