// The products of cl/matmul.cl on CPUs with AMX: rows and weights as pieces of bfloat16
// (cl/pieces.clh), of whose products those that matter are summed in float. With
// LEFT_PIECES 3 these are as many as float has room for, so that results are as near as
// those of cl/matmul.cl; with 2, relative errors of a term stay below 2^-14.
//
// An output is the sum, over taps and parts of k, of chains over PIECE_DEPTH of k at a
// time. It does not depend on other rows.
//
// Tiles multiply while other instructions run, if these are not far behind in the
// program: so a tile's results are made, and rows are split and fetched, beside the
// products of the next tile.
//
// Same arguments as cl/matmul.cl, then of a work-item rows, panels and the blocks of k
// that are a part. Defines: TAPS, as there; AMX, LEFT_PIECES, RIGHT_PIECES, as in
// amx.clh; MEMORY, bytes of local memory.
#define WEIGHT_F16 0 // of no meaning here
#include "product.clh"
#include "product_cpu.clh"

#define RIGHT global
#include "amx.clh"

DEFINE_LOAD_PAIRS(float, FLOAT_AT, tess_load16_any)

#define ROWS_MAX 160 // of a work-item
#define PATCH    (32 * COLS)

// left[group of 16 rows][block][piece][16][PIECE_DEPTH] of rows [i, end) of the list:
// blocks [first, first + blocks).
static inline void split_rows(local ushort *left, global const float *in,
                              private const u32 *from, u32 i, u32 end, u32 K, u32 first,
                              u32 blocks)
{
    for (; i < end; i++) {
        global const float *row = in + (size_t)from[i] * K;
        local ushort *to =
            left + (size_t)(i / 16) * blocks * LEFT_BLOCK + i % 16 * PIECE_DEPTH;
        for (u32 b = 0; b < blocks; b++, to += LEFT_BLOCK) {
            float16 x, y;
            load_pairs(&x, &y, row, (first + b) * PIECE_DEPTH, K);
            put_pairs(to, PIECE_TILE, x, y);
        }
    }
}

// A work-item.
struct item {
    const private struct target *target;
    global const float *in;
  private
    const u32 *from, *place; // of the list's rows
    local ushort *left;
    local float *patches; // [2][32][COLS]
    local float *sums;    // [panel][rows][COLS], where several chains are added up
    size_t row0;
    u32 K, rows, col0;
    bool several;
};

// A patch of 32 x 32 sums: rows [first, first + rows) of the list.
struct patch {
    u32 rows, first, panel, which; // of the patches
    bool last;                     // of several chains: the sums become results
};

// Half rows [i, end) of a patch are added to those of other chains, or become results.
TESS_INLINE void settle_some(const private struct item *item,
                             const private struct patch *patch, u32 i, u32 end, u32 act)
{
    local const float *from = item->patches + patch->which * PATCH;
    local float *panel = item->sums + patch->panel * item->rows * COLS;
  private
    const u32 *place = item->place;
    const u32 first = patch->first, col0 = item->col0 + patch->panel * COLS;
    const bool last = patch->last, several = item->several;
    for (end = min(end, 2 * patch->rows); i < end; i++) {
        const u32 row = first + i / 2, c = i % 2 * 16;
        local float *sums = panel + (TAPS > 1 ? place[row] : row) * COLS + c;
        float16 x = load16(from + 16 * i);
        if (several)
            x += load16(sums);
        if (last)
            finish(item->target, x, item->row0 + row, col0 + c, act);
        else
            store16(x, sums);
    }
}

// Each has the registers that its activation needs.
__attribute__((noinline)) static void settle_gelu(const private struct item *item,
                                                  const private struct patch *patch,
                                                  u32 i, u32 end)
{
    settle_some(item, patch, i, end, ACT_GELU);
}

__attribute__((noinline)) static void settle_any(const private struct item *item,
                                                 const private struct patch *patch, u32 i,
                                                 u32 end)
{
    settle_some(item, patch, i, end, item->target->act);
}

static inline void settle(const private struct item *item,
                          const private struct patch *patch, u32 i, u32 end)
{
    const u32 act = patch->last ? item->target->act : ACT_NONE;
    if (act == ACT_NONE)
        settle_some(item, patch, i, end, ACT_NONE);
    else if (act == ACT_GELU)
        settle_gelu(item, patch, i, end);
    else
        settle_any(item, patch, i, end);
}

// Half rows [i, end) of where a patch's results go, and of what is added to them, are
// brought: a row of theirs is far from the next one, so no hardware sees to it.
static inline void fetch_results(const private struct item *item,
                                 const private struct patch *patch, u32 i, u32 end)
{
    const private struct target *target = item->target;
    if (!patch->last)
        return;
    const size_t col = item->col0 + patch->panel * COLS;
    for (end = min(end, 2 * patch->rows); i < end; i++) {
        const size_t row = item->row0 + patch->first + i / 2;
        __builtin_prefetch(target->out + row * target->N + col + i % 2 * 16, FOR_WRITING);
        if (target->has_residual)
            __builtin_prefetch(target->residual + row * target->N + col + i % 2 * 16);
    }
}

// What is done beside the products of a patch: the one before settles, what this one will
// need is brought, and rows [split, split_end) of the list are split.
struct beside {
    struct patch patch, next;
    u32 split, split_end;
};

// Rows [i, i + 32) of the left factor, blocks [first, first + blocks), times a panel.
static inline void multiply(const private struct item *item, u32 i,
                            global const ushort *panel, u32 first, u32 blocks,
                            const private struct beside *beside)
{
    TILES(tiles);
    local const ushort *upper = item->left + (size_t)(i / 16) * blocks * LEFT_BLOCK,
                       *lower = upper + blocks * LEFT_BLOCK;
    const u32 halves = (64 + blocks - 1) / blocks, split = beside->split,
              end = beside->split_end, rows = (end - split + blocks - 1) / blocks;
    tiles_clear(tiles);
    for (u32 b = 0; b < blocks; b++) {
#define SHARE(step, steps)                                                               \
    if ((step) == 0) {                                                                   \
        settle(item, &beside->patch, halves *b, halves *(b + 1));                        \
        fetch_results(item, &beside->next, halves *b, halves *(b + 1));                  \
        split_rows(item->left, item->in, item->from, split + rows * b,                   \
                   min(split + rows * (b + 1), end), item->K, first, blocks);            \
    }
        tiles_add_beside(tiles, upper + b * LEFT_BLOCK, lower + b * LEFT_BLOCK,
                         LEFT_PIECES, panel + (size_t)b * RIGHT_BLOCK, RIGHT_PIECES,
                         SHARE);
    }
    tiles_store(item->patches + beside->next.which * PATCH, tiles);
}

// Work-items: (groups of item_panels panels, groups of item_rows rows, products).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
matmul_amx(global float *out, global const float *in, global const ushort *weight,
           global const float *bias, global const float *gate,
           global const float *residual, global const u32 *index, u32 rows, u32 K, u32 N,
           u32 first, u32 cols, u32 act, u32 has_bias, u32 has_gate, u32 has_residual,
           u32 item_rows, u32 item_panels, u32 item_blocks)
{
    local float memory[MEMORY / 4] __attribute__((aligned(64)));
    const u32 panels = (cols + COLS - 1) / COLS, panel0 = get_global_id(0) * item_panels;
    const u32 panel_count = min(panels - panel0, item_panels);
    const size_t row0 = get_global_id(1) * item_rows;
    const u32 count = min((u32)(rows - row0), item_rows), blocks = PIECE_COUNT(K);
    MOVE_TO_PRODUCT((size_t)panels * TAPS * blocks * RIGHT_BLOCK);
    const struct target target = {out,          bias, gate,     residual, rows,        N,
                                  first + cols, act,  has_bias, has_gate, has_residual};
    const bool several = TAPS > 1 || blocks > item_blocks;
    const u32 sum_count = several ? item_rows * item_panels * COLS : 0;
    u32 from[ROWS_MAX], place[ROWS_MAX];
    const struct item item = {.target = &target,
                              .in = in,
                              .from = from,
                              .place = place,
                              .left = (local ushort *)(memory + 2 * PATCH + sum_count),
                              .patches = memory,
                              .sums = memory + 2 * PATCH,
                              .row0 = row0,
                              .K = K,
                              .rows = item_rows,
                              .col0 = first + panel0 * COLS,
                              .several = several};
    struct beside beside = {.patch = {0}};
    tiles_begin();
    for (u32 i = 0; i < sum_count / 16; i++)
        store16(0.0f, item.sums + 16 * i);
    for (u32 t = 0; t < TAPS; t++) {
        const u32 n = list_rows(from, place, index, row0, count, t);
        for (u32 b = 0; b < blocks; b += item_blocks) {
            const u32 part = min(blocks - b, item_blocks);
            split_rows(item.left, in, from, 0, min(n, 32u), K, b, part);
            for (u32 p = 0; p < panel_count; p++) {
                global const ushort *panel =
                    weight +
                    (((size_t)(panel0 + p) * TAPS + t) * blocks + b) * RIGHT_BLOCK;
                for (u32 i = 0; i < n; i += 32) {
                    beside.next =
                        (struct patch){min(32u, n - i), i, p, 1 - beside.patch.which,
                                       TAPS == 1 && b + part == blocks};
                    beside.split = min(i + 32, n);
                    beside.split_end = p ? beside.split : min(i + 64, n);
                    multiply(&item, i, panel, b, part, &beside);
                    beside.patch = beside.next;
                }
            }
        }
        settle(&item, &beside.patch, 0, 64); // before the list changes
        beside.patch.rows = 0;
    }
    for (u32 p = 0; TAPS > 1 && p < panel_count; p++)
        for (u32 i = 0; i < 2 * count; i++)
            finish(&target, load16(item.sums + p * item_rows * COLS + 16 * i),
                   row0 + i / 2, item.col0 + p * COLS + i % 2 * 16, act);
    tiles_end();
}
