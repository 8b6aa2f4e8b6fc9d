// Packs weights for cl/matmul.cl: panels of 32 output columns, [panel][tap][k][32]; or
// for cl/matmul_amx.cl, in two pieces of bfloat16, as cl/pieces.clh has them. Sources
// hold `outputs` x `taps` x K values as stored in files; only outputs [row0, row0 + rows)
// are there. Defines: SOURCE_F16, TARGET_F16 (0 or 1; a half source may go to a float
// target), TARGET_PIECES (0, 2 or 3;
// instead of TARGET_F16).
#include "weight_source.clh"

#define LEFT_PIECES 2 // for cut_pairs() to round pieces, as store_weight() does
#include "pieces.clh"

#if TARGET_PIECES
typedef ushort target_t;
#elif TARGET_F16
typedef half target_t;
#define STORE(x, p, i) vstore_half_rte(x, i, p)
#else
typedef float target_t;
#define STORE(x, p, i) ((p)[i] = (x))
#endif

// Column n of a panel at a tap and a k of K; `place` counts panels and taps.
static inline void store_weight(float x, global target_t *packed, size_t place, u32 k,
                                u32 K, size_t n)
{
#if TARGET_PIECES
    global ushort *to = packed + (place * PIECE_COUNT(K) + k / PIECE_DEPTH) *
                                     (TARGET_PIECES * 2 * PIECE_TILE);
    to += n % COLS / 16 * PIECE_TILE + n % 16 * 2;
    // Whoever has the last one of k fills the block up with zeros.
    for (u32 i = k % PIECE_DEPTH, end = k + 1 == K ? PIECE_DEPTH : i + 1; i < end; i++) {
        for (u32 piece = 0; piece < TARGET_PIECES; piece++) {
            const u32 bits = ROUND_PIECE(u32, as_uint(x));
            to[piece * 2 * PIECE_TILE + i % 16 * 32 + i / 16] = bits >> 16;
            x -= as_float(bits & 0xffff0000);
        }
        x = 0.0f;
    }
#else
    STORE(x, packed, (place * K + k) * COLS + n % COLS);
#endif
}

// Source [rows][taps][K], or [rows][K][taps] if `taps_last`, rows are outputs; `filled`
// rows are written: those, and with the last ones what their panel has left. Work-items:
// (filled, K * taps), so that neighbours write side by side.
kernel void pack(global target_t *packed, global const source_t *source, u32 row0,
                 u32 rows, u32 taps, u32 K, u32 filled, u32 taps_last)
{
    const u32 r = get_global_id(0), kt = get_global_id(1);
    if (kt >= taps * K || r >= filled)
        return;
    const u32 t = kt / K, k = kt % K;
    const size_t n = row0 + r;
    const size_t from = (size_t)r * taps * K + (taps_last ? k * taps + t : kt);
    const size_t place = n / COLS * taps + t;
#if SOURCE_F16 && TARGET_F16
    ((global ushort *)packed)[(place * K + k) * COLS + n % COLS] =
        r < rows ? ((global const ushort *)source)[from] : 0;
#else
    store_weight(r < rows ? LOAD(source, from) : 0.0f, packed, place, k, K, n);
#endif
}

// pack_panels() is as pack(), which makes the same, for whole panels that are not
// `taps_last`. Work-items: (16 columns, taps).
#if TESS_CPU && TARGET_PIECES
#include "transpose.clh"

DEFINE_LOAD_PAIRS(source_t, LOAD, LOAD16)

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
pack_panels(global target_t *packed, global const source_t *source, u32 row0, u32 rows,
            u32 taps, u32 K)
{
    const u32 r = 16 * get_global_id(0), t = get_global_id(1), blocks = PIECE_COUNT(K);
    const size_t n = row0 + r;
    global ushort *to = packed +
                        (n / COLS * taps + t) * blocks * TARGET_PIECES * 2 * PIECE_TILE +
                        n % COLS / 16 * PIECE_TILE;
    for (u32 b = 0; b < blocks; b++, to += TARGET_PIECES * 2 * PIECE_TILE) {
        float16 words[TARGET_PIECES][16];
        for (u32 c = 0; c < 16; c++) {
            float16 first = 0.0f, second = 0.0f;
            if (r + c < rows)
                load_pairs(&first, &second, source + ((size_t)(r + c) * taps + t) * K,
                           b * PIECE_DEPTH, K);
            for (u32 p = 0; p < TARGET_PIECES; p++)
                words[p][c] = as_float16(cut_pairs(&first, &second));
        }
        for (u32 p = 0; p < TARGET_PIECES; p++) {
            transpose16(words[p]);
            for (u32 i = 0; i < PIECE_DEPTH / 2; i++)
                vstore16(as_uint16(words[p][i]), 0,
                         (global u32 *)(to + p * 2 * PIECE_TILE + i * 32));
        }
    }
}

#elif TESS_CPU && SOURCE_F16 == TARGET_F16
#include "transpose.clh"

// Values as they are, halves in words.
#if SOURCE_F16
typedef ushort bits_t;
#define WIDEN(x)  as_float16(convert_uint16(x))
#define NARROW(x) convert_ushort16(as_uint16(x))
#else
typedef float bits_t;
#define WIDEN(x)  (x)
#define NARROW(x) (x)
#endif

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
pack_panels(global bits_t *packed, global const bits_t *source, u32 row0, u32 rows,
            u32 taps, u32 K)
{
    const u32 r = 16 * get_global_id(0), t = get_global_id(1);
    const u32 count = r < rows ? min(rows - r, 16u) : 0;
    const size_t n = row0 + r;
    source += ((size_t)r * taps + t) * K;
    packed += (n / COLS * taps + t) * K * COLS + n % COLS;
    u32 k = 0;
    for (; k + 16 <= K; k += 16) {
        float16 m[16];
        for (u32 c = 0; c < 16; c++)
            m[c] =
                c < count ? WIDEN(vload16(0, source + (size_t)c * taps * K + k)) : 0.0f;
        transpose16(m);
        for (u32 i = 0; i < 16; i++)
            vstore16(NARROW(m[i]), 0, packed + (size_t)(k + i) * COLS);
    }
    for (; k < K; k++)
        for (u32 c = 0; c < 16; c++)
            packed[(size_t)k * COLS + c] =
                c < count ? source[(size_t)c * taps * K + k] : (bits_t)0;
}
#endif

// Source [rows][columns], rows are k in [row0, row0 + rows): a matrix stored the other
// way round, of which `outputs` columns from `first` on are packed. `filled`: outputs
// rounded up to whole panels. Work-items: (filled, rows).
kernel void pack_transposed(global target_t *packed, global const source_t *source,
                            u32 row0, u32 rows, u32 outputs, u32 K, u32 filled, u32 first,
                            u32 columns)
{
    const u32 n = get_global_id(0), r = get_global_id(1);
    if (n >= filled || r >= rows)
        return;
    const float x = n < outputs ? LOAD(source, (size_t)r * columns + first + n) : 0.0f;
    store_weight(x, packed, n / COLS, row0 + r, K, n);
}

// Weights of product t, of `places` along an axis, for cl/winograd.cl: what they are
// times taps 0, 1 and 2 there.
static inline float3 winograd_shares(u32 t, u32 places)
{
    if (t == 0)
        return (float3)(1, 0, 0);
    if (t == places - 1)
        return (float3)(0, 0, 1);
    return places == 3 ? (float3)(1, 1, 1) : (float3)(0.5f, t == 1 ? 0.5f : -0.5f, 0.5f);
}

// For cl/winograd.cl: source [rows][27][K], packed [places^3][panel][K][32].
// Taps are written out: a loop over them took four times as long on a CPU. Work-items:
// (filled, K, places^3).
kernel void pack_winograd(global target_t *packed, global const source_t *source,
                          u32 row0, u32 rows, u32 outputs, u32 K, u32 filled, u32 places)
{
    const u32 r = get_global_id(0), k = get_global_id(1), t = get_global_id(2);
    if (k >= K || r >= filled)
        return;
    const u32 panels = (outputs + COLS - 1) / COLS;
    const size_t n = row0 + r;
    const float3 x = winograd_shares(t / (places * places), places),
                 y = winograd_shares(t / places % places, places),
                 z = winograd_shares(t % places, places);
    source += (size_t)r * 27 * K + k;
    float sum = 0;
#define ADD(tap, share)                                                                  \
    if ((share) != 0.0f)                                                                 \
        sum = fma(share, LOAD(source, (size_t)(tap)*K), sum);
#define ADD_LINE(tap, share)                                                             \
    ADD(tap, (share)*z.x) ADD((tap) + 1, (share)*z.y) ADD((tap) + 2, (share)*z.z)
#define ADD_PLANE(tap, share)                                                            \
    ADD_LINE(tap, (share)*y.x)                                                           \
    ADD_LINE((tap) + 3, (share)*y.y) ADD_LINE((tap) + 6, (share)*y.z)
    if (r < rows) {
        ADD_PLANE(0, x.x)
        ADD_PLANE(9, x.y)
        ADD_PLANE(18, x.z)
    }
    store_weight(sum, packed, t * panels + n / COLS, k, K, n);
}
