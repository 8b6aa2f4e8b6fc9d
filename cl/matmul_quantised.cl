// The products of cl/matmul.cl on CPUs where those of quantised factors are faster, which
// are less exact: rows and weights are as in cl/quantised.clh, sums of blocks along k are
// added up in float. An output does not depend on other rows.
//
// A work-item quantises its rows once for all its panels, and has a block of weights in
// the first cache while it serves CHUNK rows.
//
// Same arguments as cl/matmul.cl, then the rows and panels of a work-item. Defines: TAPS,
// as there; INTEGERS, as in cl/integer_tile.clh; MEMORY, bytes of local memory.
#define WEIGHT_F16 0 // of no meaning here
#include "product.clh"
#include "product_cpu.clh"

#include "fetch.clh"

#define NEAR  local
#define RIGHT global
#include "integer_tile.clh"

DEFINE_LOAD_PAIRS(float, FLOAT_AT, tess_load16_any)

#define ROWS_MAX     160 // of a work-item
#define CHUNK        64
#define VECTORS      (COLS / 16) // of a row of sums
#define FETCH_BLOCKS 4           // ahead of the results

// left[group of 16 rows][block] of the list's rows.
static inline void quantise_rows(local ushort *left, global const float *in,
                                 private const u32 *from, u32 n, u32 K)
{
    const u32 blocks = PIECE_COUNT(K);
    for (u32 i = 0; i < n; i++) {
        local ushort *to = left + (size_t)(i / 16) * blocks * QUANTISED_LEFT;
        for (u32 b = 0; b < blocks; b++, to += QUANTISED_LEFT) {
            float16 x, y;
            load_pairs(&x, &y, in + (size_t)from[i] * K, b * PIECE_DEPTH, K);
            float scale;
            ((local uint16 *)to)[i % 16] = quantise_row(&scale, x, y);
            ((local float *)(to + PIECE_TILE))[i % 16] = scale;
        }
    }
}

// What a work-item makes results of.
struct item {
    const private struct target *target;
    size_t row0;
    u32 count, col0; // rows; the first column
};

// Where results of 8 rows from the work-item's row i on go, and what is added to them, is
// brought: a row is far from the next one, so no hardware sees to it.
static inline void fetch_results(const private struct item *item, u32 i, u32 col)
{
    const private struct target *target = item->target;
    for (u32 end = min(i + 8, item->count); i < end; i++) {
        const size_t start = (item->row0 + i) * target->N;
        for (u32 c = col; c < min(col + COLS, target->end); c += 16) {
            tess_fetch_for_writing(target->out + start + c);
            if (target->has_residual)
                tess_fetch(target->residual + start + c);
        }
    }
}

// 32 columns of sums from `col` on become results.
static inline void finish_panel(const private struct item *item,
                                local const float16 *sums, u32 col)
{
    for (u32 i = 0; i < item->count; i++, sums += VECTORS)
        for (u32 c = 0; c < COLS; c += 16)
            finish(item->target, sums[c / 16], item->row0 + i, col + c,
                   item->target->act);
}

// made[n][COLS] = the list's rows times a panel, which begins at column `col`.
static inline void multiply(local float16 *made, local const ushort *left,
                            global const ushort *panel, u32 n, u32 blocks,
                            const private struct item *item, u32 col)
{
    for (u32 start = 0; start < n; start += CHUNK)
        for (u32 b = 0; b < blocks; b++)
            for (u32 i = start; i < min(n, start + CHUNK); i += 8) {
                if (TAPS == 1 && b + FETCH_BLOCKS == max(blocks, (u32)FETCH_BLOCKS))
                    fetch_results(item, i, col);
                multiply_tile(made + i * VECTORS, VECTORS, b == 0,
                              left + ((size_t)(i / 16) * blocks + b) * QUANTISED_LEFT,
                              i % 16, panel + (size_t)b * QUANTISED_RIGHT);
            }
}

// Weights of several products are not quantised. Work-items: (groups of item_panels
// panels, groups of item_rows rows).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
matmul_quantised(global float *out, global const float *in, global const ushort *weight,
                 global const float *bias, global const float *gate,
                 global const float *residual, global const u32 *index, u32 rows, u32 K,
                 u32 N, u32 first, u32 cols, u32 act, u32 has_bias, u32 has_gate,
                 u32 has_residual, u32 item_rows, u32 item_panels)
{
    local float16 memory[MEMORY / sizeof(float16)];
    const u32 panels = (cols + COLS - 1) / COLS, panel0 = get_global_id(0) * item_panels;
    const u32 panel_count = min(panels - panel0, item_panels), blocks = PIECE_COUNT(K);
    const struct target target = {out,          bias, gate,     residual, rows,        N,
                                  first + cols, act,  has_bias, has_gate, has_residual};
    const size_t row0 = get_global_id(1) * item_rows;
    const struct item item = {.target = &target,
                              .row0 = row0,
                              .count = min((u32)(rows - row0), item_rows),
                              .col0 = first + panel0 * COLS};
    // [rows][COLS] of a panel; of convolutions, then of every panel.
    const u32 panel_sums = item_rows * VECTORS,
              all_sums = TAPS > 1 ? panel_count * panel_sums : 0;
    local float16 *made = memory, *sums = made + panel_sums;
    local ushort *left = (local ushort *)(sums + all_sums);
    u32 from[ROWS_MAX], place[ROWS_MAX];
    for (u32 i = 0; i < all_sums; i++)
        sums[i] = 0.0f;
    for (u32 t = 0; t < TAPS; t++) {
        const u32 n = list_rows(from, place, index, row0, item.count, t);
        quantise_rows(left, in, from, n, K);
        for (u32 p = 0; p < panel_count; p++) {
            const u32 col = item.col0 + p * COLS;
            multiply(made, left,
                     weight +
                         ((size_t)(panel0 + p) * TAPS + t) * blocks * QUANTISED_RIGHT,
                     n, blocks, &item, col);
            if (TAPS == 1)
                finish_panel(&item, made, col);
            for (u32 i = 0; TAPS > 1 && i < n; i++)
                for (u32 c = 0; c < VECTORS; c++)
                    sums[p * panel_sums + place[i] * VECTORS + c] +=
                        made[i * VECTORS + c];
        }
    }
    for (u32 p = 0; TAPS > 1 && p < panel_count; p++)
        finish_panel(&item, sums + p * panel_sums, item.col0 + p * COLS);
}
