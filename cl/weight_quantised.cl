// Packs weights for cl/matmul_quantised.cl, on CPUs. Kernels and sources as in
// cl/weight.cl; define SOURCE_F16.
#include "weight_source.clh"

#include "quantised.clh"
#include "transpose.clh"

DEFINE_LOAD_PAIRS(source_t, LOAD, LOAD16)

// The block of a panel, which `place` counts along with taps.
static inline global ushort *block_at(global ushort *packed, size_t place, u32 K, u32 b)
{
    return packed + (place * PIECE_COUNT(K) + b) * QUANTISED_RIGHT;
}

// Work-items: (filled, taps * blocks of K).
kernel void pack(global ushort *packed, global const source_t *source, u32 row0, u32 rows,
                 u32 taps, u32 K, u32 filled, u32 taps_last)
{
    const u32 r = get_global_id(0), blocks = PIECE_COUNT(K),
              t = get_global_id(1) / blocks, b = get_global_id(1) % blocks;
    if (t >= taps || r >= filled)
        return;
    const size_t n = row0 + r;
    float values[PIECE_DEPTH];
    for (u32 i = 0; i < PIECE_DEPTH; i++) {
        const u32 k = b * PIECE_DEPTH + i;
        values[i] = r < rows && k < K
                        ? LOAD(source, (size_t)r * taps * K +
                                           (taps_last ? k * taps + t : t * K + k))
                        : 0.0f;
    }
    global ushort *to = block_at(packed, n / COLS * taps + t, K, b);
    float scale;
    u32 pairs[16];
    vstore16(quantise_row(&scale, vload16(0, values), vload16(1, values)), 0, pairs);
    for (u32 i = 0; i < 16; i++)
        ((global u32 *)to)[(n % COLS / 16 * 16 + i) * 16 + n % 16] = pairs[i];
    ((global float *)(to + 2 * PIECE_TILE))[n % COLS] = scale;
}

// Work-items: (16 columns, taps).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
pack_panels(global ushort *packed, global const source_t *source, u32 row0, u32 rows,
            u32 taps, u32 K)
{
    const u32 r = 16 * get_global_id(0), t = get_global_id(1);
    const size_t n = row0 + r;
    for (u32 b = 0; b < PIECE_COUNT(K); b++) {
        global ushort *to = block_at(packed, n / COLS * taps + t, K, b);
        float16 words[16];
        float scales[16];
        for (u32 c = 0; c < 16; c++) {
            float16 first = 0.0f, second = 0.0f;
            if (r + c < rows)
                load_pairs(&first, &second, source + ((size_t)(r + c) * taps + t) * K,
                           b * PIECE_DEPTH, K);
            words[c] = as_float16(quantise_row(scales + c, first, second));
        }
        transpose16(words);
        for (u32 i = 0; i < 16; i++)
            vstore16(as_uint16(words[i]), n % COLS / 16 * 16 + i, (global u32 *)to);
        vstore16(vload16(0, scales), n % COLS / 16,
                 (global float *)(to + 2 * PIECE_TILE));
    }
}
