// The products of cl/matmul.cl with matrix units: inputs and weights are rounded to half,
// sums are float. Same arguments. What is beyond half's range becomes its largest number.
// An output is one chain of units over taps, then k, 16 at a time, zeros beyond K; it
// does not depend on other rows, so tiles do not change it.
// Defines: TAPS and WEIGHT_F16, as in cl/matmul.cl; UNIT, as in matrix_unit.clh.
#include "product.clh"

#include "matrix_unit.clh"

// A group makes 64 x 64 results, each of its sub-groups 32 x 32 of them by 2 x 2 units;
// Intel's, whose registers have no room for as many, 32 x 16 by 2 x 1.
#define TILE   64
#define DEPTH  32
#define PAIRS  (DEPTH / 2)
#define STRIDE (PAIRS + 4) // u32; the 4 keep rows out of each other's banks
#if UNIT == 2
#define WIDE 1 // units of a sub-group
#else
#define WIDE 2
#endif
#define HIGH   2
#define ACROSS (TILE / UNIT_SIZE / WIDE) // sub-groups
#define GROUPS (TILE / UNIT_SIZE / HIGH * ACROSS)
#define ITEMS  (GROUPS * UNIT_LANES)
#define PATCH  20 // floats of a row of sums in local memory

// Do X with each unit of a sub-group. It is written out, so that sums stay in registers;
// for the portable unit that would only keep compilers busy.
#if UNIT == 0
#define EACH_UNIT(X) _Pragma("unroll 1") for (u32 i = 0; i < HIGH * WIDE; i++) X(i)
#elif WIDE == 1
#define EACH_UNIT(X) X(0) X(1)
#else
#define EACH_UNIT(X) X(0) X(1) X(2) X(3)
#endif

// tile[r] = row `from` of the input, k0 to k0 + DEPTH; zeros for no row and beyond K.
static inline void load_inputs(local u32 *tile, global const float *in,
                               global const u32 *index, size_t row0, u32 rows, u32 K,
                               u32 k0, u32 tap, u32 item)
{
    for (u32 i = item; i < TILE * DEPTH / 4; i += ITEMS) {
        const u32 r = i / (DEPTH / 4), k = i % (DEPTH / 4) * 4;
        u32 from = NO_ROW;
        if (row0 + r < rows)
            from = tap_row(index, row0 + r, tap);
        float4 x = 0;
        if (from != NO_ROW)
            x = load_columns(in + (size_t)from * K, k0 + k, K);
        unit_put(tile + r * STRIDE + k / 2, x.lo);
        unit_put(tile + r * STRIDE + k / 2 + 1, x.hi);
    }
}

// tile[n] = column col0 + n of the weights, likewise.
static inline void load_weights(local u32 *tile, global const weight_t *weight,
                                size_t col0, u32 panels, u32 K, u32 k0, u32 tap, u32 item)
{
    for (u32 i = item; i < TILE / 4 * PAIRS; i += ITEMS) {
        const u32 n = i % (TILE / 4) * 4, k = i / (TILE / 4) * 2;
        const size_t panel = (col0 + n) / COLS;
        global const weight_t *from =
            weight + ((panel * TAPS + tap) * K + k0 + k) * COLS + n % COLS;
        float4 x = 0, y = 0;
        if (panel < panels && k0 + k < K)
            x = load_weight4(from);
        if (panel < panels && k0 + k + 1 < K)
            y = load_weight4(from + COLS);
        local u32 *to = tile + n * STRIDE + k / 2;
        unit_put(to, (float2)(x.s0, y.s0));
        unit_put(to + STRIDE, (float2)(x.s1, y.s1));
        unit_put(to + 2 * STRIDE, (float2)(x.s2, y.s2));
        unit_put(to + 3 * STRIDE, (float2)(x.s3, y.s3));
    }
}

// 16 x 16 sums of a sub-group become results, by way of its patch of local memory.
TESS_INLINE void finish(const private struct target *target, local float *patch,
                        const private unit_sums *sums, size_t row0, u32 col0, u32 lane)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    unit_store(patch, PATCH, sums, lane);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (u32 i = lane; i < UNIT_SIZE * UNIT_SIZE / 4; i += UNIT_LANES)
        store_results(target, vload4(0, patch + i / 4 * PATCH + i % 4 * 4), row0 + i / 4,
                      col0 + i % 4 * 4);
}

// Work-items: (ITEMS for each 64 columns, rows / 64, products), in groups of ITEMS.
kernel UNIT_ATTRIBUTE __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
matmul_fast(global float *out, global const float *in, global const weight_t *weight,
            global const float *bias, global const float *gate,
            global const float *residual, global const u32 *index, u32 rows, u32 K, u32 N,
            u32 first, u32 cols, u32 act, u32 has_bias, u32 has_gate, u32 has_residual)
{
    local u32 tiles[2 * TILE * STRIDE] __attribute__((aligned(16)));
    local u32 scratch[GROUPS * UNIT_SCRATCH];
    const u32 item = get_local_id(0), lane = item % UNIT_LANES, group = item / UNIT_LANES;
    const size_t col0 = get_global_id(0) / ITEMS * TILE, row0 = get_global_id(1) * TILE;
    const u32 panels = (cols + COLS - 1) / COLS;
    MOVE_TO_PRODUCT((size_t)panels * TAPS * K * COLS);
    // The first result of this sub-group, in the group's tile.
    const u32 row = group / ACROSS * HIGH * UNIT_SIZE,
              col = group % ACROSS * WIDE * UNIT_SIZE;
    local u32 *tile_a = tiles, *tile_b = tiles + TILE * STRIDE;
    local u32 *mine = scratch + group * UNIT_SCRATCH;
    unit_sums sums[HIGH * WIDE];
#define START(i) unit_clear(&sums[i]);
    EACH_UNIT(START)
    for (u32 t = 0; t < TAPS; t++)
        for (u32 k0 = 0; k0 < K; k0 += DEPTH) {
            load_inputs(tile_a, in, index, row0, rows, K, k0, t, item);
            load_weights(tile_b, weight, col0, panels, K, k0, t, item);
            barrier(CLK_LOCAL_MEM_FENCE);
            for (u32 k = 0; k < PAIRS; k += UNIT_SIZE / 2) {
                local const u32 *a = tile_a + row * STRIDE + k,
                                *b = tile_b + col * STRIDE + k;
#define ADD(i)                                                                           \
    unit_add(&sums[i], unit_load_left(a + i % HIGH * UNIT_SIZE * STRIDE, STRIDE, lane),  \
             unit_load_right(b + i / HIGH * UNIT_SIZE * STRIDE, STRIDE, lane), lane,     \
             mine);
                EACH_UNIT(ADD)
            }
            barrier(CLK_LOCAL_MEM_FENCE);
        }
    const struct target target = {out,          bias, gate,     residual, rows,        N,
                                  first + cols, act,  has_bias, has_gate, has_residual};
    local float *patch = (local float *)tiles + group * UNIT_SIZE * PATCH;
#define FINISH(i)                                                                        \
    finish(&target, patch, &sums[i], row0 + row + i % HIGH * UNIT_SIZE,                  \
           first + col0 + col + i / HIGH * UNIT_SIZE, lane);
    EACH_UNIT(FINISH)
}
