// The products of cl/matmul.cl on CPUs with AMX: rows and weights as pieces of bfloat16
// (cl/pieces.clh), of whose products those that matter are summed in float. With
// LEFT_PIECES 3 these are as many as float has room for, so that results are as near as
// those of cl/matmul.cl; with 2, relative errors of a term stay below 2^-14.
//
// An output is the sum, over taps and parts of k, of chains over PIECE_DEPTH of k at a
// time. It does not depend on other rows.
// Same arguments as cl/matmul.cl, then the rows and panels of a work-item. Defines: TAPS,
// as there; AMX, LEFT_PIECES, RIGHT_PIECES, as in amx.clh; MEMORY, bytes of local memory.
#define WEIGHT_F16 0 // of no meaning here
#include "product.clh"

// Results are read later than caches hold them: they go past them, where whole lines are
// written.
#define STORE_RESULTS(x, p, even)                                                        \
    if (even)                                                                            \
        __builtin_nontemporal_store(x, (global float16 *)(p));                           \
    else                                                                                 \
        vstore16(x, 0, p)
#include "product_cpu.clh"

#define RIGHT global
#include "amx.clh"

#define ROWS_MAX 512
#define PATCH    (32 * COLS)
#define PART     32 // blocks of k, of which pieces are kept at a time

// left[group of 16 rows][block][piece][16][PIECE_DEPTH]: blocks [first, first + blocks)
// of the listed rows.
static inline void split_rows(local ushort *left, global const float *in,
                              private const u32 *from, u32 n, u32 K, u32 first,
                              u32 blocks)
{
    for (u32 i = 0; i < n; i++) {
        global const float *row = in + (size_t)from[i] * K;
        local ushort *to = left + i / 16 * blocks * LEFT_BLOCK + i % 16 * PIECE_DEPTH;
        for (u32 b = 0; b < blocks; b++, to += LEFT_BLOCK) {
            const u32 k = (first + b) * PIECE_DEPTH;
            float16 x, y;
            if (k + PIECE_DEPTH <= K) {
                x = vload16(0, row + k);
                y = vload16(1, row + k);
            } else {
                float some[PIECE_DEPTH];
                for (u32 j = 0; j < PIECE_DEPTH; j++)
                    some[j] = k + j < K ? row[k + j] : 0.0f;
                x = vload16(0, some);
                y = vload16(1, some);
            }
            float16 even = (float16)(x.even, y.even), odd = (float16)(x.odd, y.odd);
            for (u32 p = 0; p < LEFT_PIECES; p++)
                *(local uint16 *)(to + p * PIECE_TILE) = cut_pairs(&even, &odd);
        }
    }
}

// 32 rows of sums become results.
static inline void finish(const private struct target *target, local const float *sums,
                          size_t row0, u32 rows, u32 col)
{
    for (u32 r = 0; r < rows; r++) {
        const size_t row = (row0 + r) * target->out_mul + target->out_add;
        for (u32 c = 0; c < COLS && col + c < target->end; c += 16)
            store_half_panel(
                target->out + row * target->N, target->bias, target->gate,
                target->residual + (row >> target->residual_shift) * target->N,
                vload16(0, sums + r * COLS + c), col + c, target->N, target->act,
                target->has_bias, target->has_gate, target->has_residual);
    }
}

// Work-items: (groups of item_panels panels, groups of item_rows rows).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
matmul_amx(global float *out, global const float *in, global const ushort *weight,
           global const float *bias, global const float *gate,
           global const float *residual, global const u32 *index, u32 rows, u32 K, u32 N,
           u32 first, u32 cols, u32 out_mul, u32 out_add, u32 residual_shift, u32 act,
           u32 has_bias, u32 has_gate, u32 has_residual, u32 octant, u32 item_rows,
           u32 item_panels)
{
    local float memory[MEMORY / 4] __attribute__((aligned(64)));
    const u32 panels = (cols + COLS - 1) / COLS, panel0 = get_global_id(0) * item_panels;
    const u32 panel_count = min(panels - panel0, item_panels);
    const size_t row0 = get_global_id(1) * item_rows;
    const u32 count = min((u32)(rows - row0), item_rows), blocks = PIECE_COUNT(K);
    const struct target target = {
        out,     bias,    gate,           residual, rows,     N,        first + cols,
        out_mul, out_add, residual_shift, act,      has_bias, has_gate, has_residual};
    // Where several chains are added up: [panel][row][COLS].
    const bool several = TAPS > 1 || blocks > PART;
    local float *patch = memory, *sums = memory + PATCH;
    local ushort *left =
        (local ushort *)(sums + (several ? item_rows * item_panels * COLS : 0));
    u32 from[ROWS_MAX], place[ROWS_MAX];
    tiles_begin();
    for (u32 i = 0; several && i < panel_count * item_rows * COLS / 16; i++)
        vstore16((float16)0.0f, i, sums);
    for (u32 t = 0; t < TAPS; t++) {
        const u32 n = list_rows(from, place, index, row0, count, t, octant);
        for (u32 b = 0; b < blocks; b += PART) {
            const u32 part = min(blocks - b, (u32)PART);
            split_rows(left, in, from, n, K, b, part);
            for (u32 p = 0; p < panel_count; p++) {
                global const ushort *panel =
                    weight +
                    (((size_t)(panel0 + p) * TAPS + t) * blocks + b) * RIGHT_BLOCK;
                for (u32 i = 0; i < n; i += 32) {
                    tiles_multiply(patch, left, panel, i / 32, part);
                    if (!several)
                        finish(&target, patch, row0 + i, min(32u, n - i),
                               first + (panel0 + p) * COLS);
                    for (u32 r = i; several && r < min(i + 32, n); r++) {
                        local float *to = sums + (p * item_rows + place[r]) * COLS;
                        vstore16(vload16(0, to) + vload16(2 * (r - i), patch), 0, to);
                        vstore16(vload16(1, to) + vload16(2 * (r - i) + 1, patch), 1, to);
                    }
                }
            }
        }
    }
    for (u32 p = 0; several && p < panel_count; p++)
        finish(&target, sums + p * item_rows * COLS, row0, count,
               first + (panel0 + p) * COLS);
    tiles_end();
}
