// Gaussian splats: their projection, and their blending in tiles of 16 x 16 samples.
//
// A record, 12 floats, is what a splat leaves in the picture: position x, y in samples;
// A, B, C and the exponent in its middle, so that its alpha at an offset (dx, dy) is 2 to
// the power of middle + A dx dx + B dx dy + C dy dy; red, green, blue; and, for the rows
// that it reaches in a tile: the offset dx at which it reaches furthest up, and H0, H1,
// so that it reaches sqrt(H0 - H1 dx dx) up and down from its middle line in a column at
// dx. The middle line is where dy = -B dx / (2 C).
//
// The state of a sample is red, green, blue, which are sums of colour * weight, and the
// light that still comes through, T > 0. Once a sample is finished its T is negative.
#include "common.clh"
#include "tiles.clh"

#define RECORD 12
#define BATCH  (TILE * TILE)

// On CPUs.
#define AHEAD      24     // records fetched early
#define LOOK_EVERY 16     // splats: to find finished rows takes some of one
#define ALL_ROWS   0xffff // bits
#define STRIP      64     // tiles: bits of a strip

#define NEAR         0.2f
#define FILTER       0.1f // variance that is added in both directions, samples^2
#define LEAST        1e-6f
#define ALPHA_MAX    0.99f
#define EXPONENT_MIN -7.99435344f // alpha 1/255
#define T_MIN        1e-4f
#define FAR_AWAY     1e9f // samples; positions and radii beyond are no picture's
#define LOG2_E       1.44269504f

// The number of a tile, 0 to `across`.
static inline u32 tile_at(float samples, u32 across)
{
    return (u32)clamp(samples / TILE, 0.0f, (float)across);
}

// The tiles that a splat at `at` reaches along an axis: first | end << 16. It is blended
// in those that `radius` touches, which is a rule; of these it leaves no trace beyond
// `reach`.
static inline u32 tiles_between(float at, float radius, float reach, u32 across)
{
    const u32 first = max(tile_at(at - radius, across), tile_at(at - reach, across));
    const u32 end = min(tile_at(at + radius + (TILE - 1), across),
                        tile_at(at + reach + TILE, across));
    return first < end ? first | end << 16 : 0;
}

// For each splat its record; a key, which is the larger the further away it is, and all
// bits set if it is not seen; and a box, empty then: first | end << 16 of columns and of
// rows of tiles.
//
// camera [17]: rotation rows, translation, focal length in samples, tangent of half the
// field of view, samples per axis; and how depth shows, as front - slope * z.
// Work-items: (count padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
project_splats(global float *records, global u32 *keys, global uint2 *boxes,
               global const float *positions, global const float *scales,
               global const float *rotations, global const float *opacities,
               global const float *colours, global const float *camera, u32 count,
               u32 shows_depth)
{
    const u32 i = get_global_id(0);
    if (i >= count)
        return;
    global float *o = records + (size_t)i * RECORD;
    const float3 p = vload3(i, positions), s = vload3(i, scales), c = vload3(i, colours);
    const float4 q = vload4(i, rotations);
    const float3 X = vload3(0, camera), Y = vload3(1, camera), Z = vload3(2, camera);
    const float focal = camera[12], edge = 1.3f * camera[13],
                half_size = 0.5f * camera[14];

    const float tx = fma(X.x, p.x, fma(X.y, p.y, fma(X.z, p.z, camera[9])));
    const float ty = fma(Y.x, p.x, fma(Y.y, p.y, fma(Y.z, p.z, camera[10])));
    const float tz = fma(Z.x, p.x, fma(Z.y, p.y, fma(Z.z, p.z, camera[11])));
    const float u = clamp(tx / tz, -edge, edge), v = clamp(ty / tz, -edge, edge);

    // Columns of the splat's rotation, times its scales.
    const float w = q.s0, x = q.s1, y = q.s2, z = q.s3;
    const float3 a0 = s.x * (float3)(1.0f - 2.0f * fma(y, y, z * z),
                                     2.0f * fma(x, y, w * z), 2.0f * fma(x, z, -(w * y)));
    const float3 a1 =
        s.y * (float3)(2.0f * fma(x, y, -(w * z)), 1.0f - 2.0f * fma(x, x, z * z),
                       2.0f * fma(y, z, w * x));
    const float3 a2 = s.z * (float3)(2.0f * fma(x, z, w * y), 2.0f * fma(y, z, -(w * x)),
                                     1.0f - 2.0f * fma(x, x, y * y));
    // M = J R diag(s) (2 x 3), so that the covariance is M M^T. Its determinant, as the
    // sum of the squares of M's minors, loses nothing to cancellation.
    const float3 mx = X - u * Z, my = Y - v * Z;
    const float k = focal / tz;
    const float m00 = k * dot(mx, a0), m01 = k * dot(mx, a1), m02 = k * dot(mx, a2);
    const float m10 = k * dot(my, a0), m11 = k * dot(my, a1), m12 = k * dot(my, a2);
    const float xx = fma(m00, m00, fma(m01, m01, m02 * m02));
    const float xy = fma(m00, m10, fma(m01, m11, m02 * m12));
    const float yy = fma(m10, m10, fma(m11, m11, m12 * m12));
    const float n0 = fma(m00, m11, -(m01 * m10)), n1 = fma(m00, m12, -(m02 * m10));
    const float n2 = fma(m01, m12, -(m02 * m11));
    const float det0 = fma(n0, n0, fma(n1, n1, n2 * n2));
    const float det1 = fma(FILTER, xx + yy, det0) + FILTER * FILTER;
    const float shrink =
        det0 > LEAST && det1 > LEAST ? sqrt(det0 / (det1 + LEAST) + LEAST) : 0.0f;

    // The larger eigenvalue; mid^2 - det is the square of half the difference plus xy^2.
    const float half_difference = 0.5f * (xx - yy);
    const float mid = 0.5f * (xx + yy) + FILTER;
    const float square = fma(half_difference, half_difference, xy * xy);
    const float radius = ceil(3.0f * sqrt(mid + sqrt(fmax(0.1f, square))));
    const float px = fma(k, tx, half_size - 0.5f), py = fma(k, ty, half_size - 0.5f);

    const float opacity = opacities[i] * shrink;
    // Alpha is 1/255 where the exponent, base e, is -level. The exponent is rounded when
    // it is computed, so the level gets 1% and distances a sample more.
    const float middle = log2(opacity);
    const float level = fma((middle - EXPONENT_MIN) / LOG2_E, 1.01f, 0.01f);
    const bool visible = tz > NEAR && fabs(px) < FAR_AWAY && fabs(py) < FAR_AWAY &&
                         radius > 0.0f && radius < FAR_AWAY && level > 0.0f;
    const float sx = xx + FILTER, sy = yy + FILTER; // variances; det1 is theirs
    const float reach_x = sqrt(2.0f * level * sx), reach_y = sqrt(2.0f * level * sy);
    const u32 across = ((u32)camera[14] + TILE - 1) / TILE;
    const u32 columns = tiles_between(px, radius, fma(reach_x, 1.01f, 1.0f), across);
    const u32 rows = tiles_between(py, radius, fma(reach_y, 1.01f, 1.0f), across);
    const float inverse = LOG2_E / det1;
    o[0] = px;
    o[1] = py;
    o[2] = -0.5f * sy * inverse;
    o[3] = xy * inverse;
    o[4] = -0.5f * sx * inverse;
    o[5] = middle;
    // Degree 0 spherical harmonics. The upper end only keeps infinity out.
    const float3 rgb = shows_depth
                           ? (float3)(clamp(fma(-camera[16], tz, camera[15]), 0.0f, 1.0f))
                           : fmin(fmax(fma(c, 0.28209479177387814f, 0.5f), 0.0f), 1e6f);
    o[6] = rgb.x;
    o[7] = rgb.y;
    o[8] = rgb.z;
    o[9] = xy / sy * reach_y;
    o[10] = 2.0f * level * det1 / sx;
    o[11] = det1 / (sx * sx);
    const bool seen = visible && columns && rows;
    keys[i] = seen ? as_uint(tz) : ~0u; // bits of positive floats have their order
    boxes[i] = seen ? (uint2)(columns, rows) : 0;
}

#if TESS_CPU
typedef float16 lanes;
typedef int16 ilanes;
#define AS_LANES as_float16
#define AS_INTS  as_int16
#else
typedef float lanes;
typedef int ilanes;
#define AS_LANES as_float
#define AS_INTS  as_int
#endif

// 2^x for x in [-126, 0.5], relative error below 3e-7; nothing sensible elsewhere. The
// sum with 1.5 * 2^23 ends in the whole number next to x, and the polynomial is the best
// one of degree 5 (7.5e-8) for the rest.
static inline lanes exp2_of(lanes x)
{
    const lanes sum = x + 12582912.0f;
    const lanes f = x - (sum - 12582912.0f);
    lanes p = fma(f, (lanes)1.3276472e-3f, (lanes)9.67554133e-3f);
    p = fma(p, f, (lanes)5.55071327e-2f);
    p = fma(p, f, (lanes)2.40221197e-1f);
    p = fma(p, f, (lanes)6.93146967e-1f);
    p = fma(p, f, (lanes)1.0f);
    return AS_LANES(AS_INTS(p) + (AS_INTS(sum) << 23));
}

// Blend into samples: their new T, and a weight for the colour.
TESS_INLINE void blend(lanes *weight, lanes *T, lanes falloff, float middle)
{
    const lanes exponent = falloff + middle;
    const ilanes touched = (falloff <= 0.0f) & (exponent >= EXPONENT_MIN);
    const lanes alpha = min((lanes)ALPHA_MAX, exp2_of(exponent));
    const lanes through = *T * (1.0f - alpha);
    const ilanes blended = touched & (through >= T_MIN);
    *weight = select((lanes)0.0f, alpha * *T, blended);
    *T = select(select(*T, -fabs(*T), touched), through, blended);
}

// Blend the lists of tiles into their states. Work-items: as in src/render/tiles.h.
#if TESS_CPU
// What a row of tiles shares of a splat, by rows of samples: B dy and C dy dy.
struct by_rows {
    float16 across, down;
};

// The columns or rows of a tile.
static inline float16 steps_from(float first)
{
    return first + (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

static inline struct by_rows rows_of(global const float *r, float top)
{
    const float16 dy = r[1] - steps_from(top);
    return (struct by_rows){r[3] * dy, r[4] * dy * dy};
}

// The rows of tiles that a splat reaches in one of their columns, with a quarter of a
// sample to spare on each side: the ellipse's highest and lowest points between two
// vertical lines are where it has them, or on the nearer line. Bits of rows; the tiles
// are those from `left` on.
TESS_INLINE uint8 reached_rows(global const float *r, float left, float top)
{
    const float8 lefts = left + (float)TILE * (float8)(0, 1, 2, 3, 4, 5, 6, 7);
    const float8 high = r[0] - lefts + 0.25f, low = high - (TILE - 0.5f);
    const float8 up = clamp((float8)r[9], low, high);
    const float8 down = clamp((float8)-r[9], low, high);
    const float8 up_square = r[10] - r[11] * up * up;
    const float8 down_square = r[10] - r[11] * down * down;
    const float y = r[1] - top, slope = r[3] / (2.0f * r[4]);
    const float8 from = y + slope * up - sqrt(max(up_square, 0.0f)) - 0.25f;
    const float8 to = y + slope * down + sqrt(max(down_square, 0.0f)) + 0.25f;
    const uint8 before = convert_uint8(clamp(from + 1.0f, 0.0f, (float)TILE));
    const uint8 end = convert_uint8(clamp(to + 1.0f, 0.0f, (float)TILE));
    const uint8 bits = ((uint8)1 << end) - ((uint8)1 << min(before, end));
    return select((uint8)0, bits, (up_square >= 0.0f) & (down_square >= 0.0f));
}

// The number of the lowest bit that is set.
static inline u32 lowest_bit(u32 bits)
{
    return popcount(~bits & (bits - 1));
}

// Bits of those rows in which a sample is not finished.
static inline u32 open_rows(global const float *samples, u32 rows)
{
    u32 open = 0;
    for (; rows; rows &= rows - 1) {
        const u32 y = lowest_bit(rows);
        open |= tess_any16(tess_load16(samples + (4 * y + 3) * TILE) > 0.0f) << y;
    }
    return open;
}

static inline void clear_samples(global float *samples)
{
    for (int y = 0; y < TILE; y++)
        for (int plane = 0; plane < 4; plane++)
            tess_store16(plane == 3 ? 1.0f : 0.0f, samples + (4 * y + plane) * TILE);
}

static inline void add_colour(global float *plane, float colour, float16 weight)
{
    tess_store16(fma((float16)colour, weight, tess_load16(plane)), plane);
}

// Blend a splat into rows of a tile.
TESS_INLINE void blend_rows(global float *samples, global const float *r, u32 rows,
                            const struct by_rows *by_rows, float left)
{
    const float16 dx = r[0] - steps_from(left), square = r[2] * dx;
    const float middle = r[5], red = r[6], green = r[7], blue = r[8];
    const float *across = (const float *)&by_rows->across;
    const float *down = (const float *)&by_rows->down;
    for (; rows; rows &= rows - 1) {
        const u32 y = lowest_bit(rows);
        global float *s = samples + 4 * y * TILE;
        const float16 falloff =
            fma((float16)across[y], dx, fma(square, dx, (float16)down[y]));
        float16 weight, T = tess_load16(s + 3 * TILE);
        blend(&weight, &T, falloff, middle);
        add_colour(s, red, weight);
        add_colour(s + TILE, green, weight);
        add_colour(s + 2 * TILE, blue, weight);
        tess_store16(T, s + 3 * TILE);
    }
}

kernel void blend_splats(global float *state, global const float *records,
                         global const u32 *offsets, global const u32 *list, u32 cols,
                         u32 tile_row0, u32 first)
{
    const u32 col = get_global_id(0), row = get_global_id(1);
    const size_t tile = (size_t)row * cols + col;
    global float *samples = state + tile * STATE;
    if (first)
        clear_samples(samples);
    const u32 begin = offsets[tile], end = offsets[tile + 1];
    const float left = (float)(col * TILE), top = (float)((tile_row0 + row) * TILE);
    u32 open = ALL_ROWS;
    for (u32 i = begin; i < end && open; i++) {
        tess_fetch(records + (size_t)list[min(i + AHEAD, end - 1)] * RECORD, RECORD);
        global const float *r = records + (size_t)list[i] * RECORD;
        const u32 rows = reached_rows(r, left, top).s0 & open;
        const struct by_rows by_rows = rows_of(r, top);
        blend_rows(samples, r, rows, &by_rows, left);
        if ((i - begin) % LOOK_EVERY == 0)
            open = open_rows(samples, open);
    }
}
#else
// The exponent of a sample less the one in the middle.
static inline float falloff_at(float dx, float dy, float A, float B, float C)
{
    return fma(B * dy, dx, fma(A * dx, dx, C * dy * dy));
}

kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void
blend_splats(global float *state, global const float *records, global const u32 *offsets,
             global const u32 *list, u32 cols, u32 tile_row0, u32 first)
{
    local float4 geometry[BATCH], look[BATCH];
    local float blue[BATCH];
    local u32 open;
    const u32 lx = get_local_id(0), ly = get_local_id(1), lane = ly * TILE + lx;
    const u32 row = get_global_id(1) / TILE;
    const size_t tile = (size_t)row * cols + get_global_id(0) / TILE;
    global float *s = state + tile * STATE + ly * 4 * TILE + lx;
    const float px = (float)get_global_id(0),
                py = (float)(tile_row0 * TILE + get_global_id(1));
    float red = 0.0f, green = 0.0f, blues = 0.0f, T = 1.0f;
    if (!first) {
        red = s[0];
        green = s[TILE];
        blues = s[2 * TILE];
        T = s[3 * TILE];
    }
    const u32 end = offsets[tile + 1];
    for (u32 start = offsets[tile]; start < end; start += BATCH) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane == 0)
            open = 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (T > 0.0f)
            atomic_or(&open, 1u);
        if (start + lane < end) {
            global const float *r = records + (size_t)list[start + lane] * RECORD;
            geometry[lane] = (float4)(r[0], r[1], r[2], r[3]);
            look[lane] = (float4)(r[4], r[5], r[6], r[7]);
            blue[lane] = r[8];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (!open)
            break;
        const u32 count = min((u32)BATCH, end - start);
        for (u32 i = 0; i < count && T > 0.0f; i++) {
            const float4 g = geometry[i], l = look[i];
            const float falloff = falloff_at(g.x - px, g.y - py, g.z, g.w, l.x);
            float weight;
            blend(&weight, &T, falloff, l.y);
            red = fma(l.z, weight, red);
            green = fma(l.w, weight, green);
            blues = fma(blue[i], weight, blues);
        }
    }
    s[0] = red;
    s[TILE] = green;
    s[2 * TILE] = blues;
    s[3 * TILE] = T;
}
#endif

// Samples to bytes: the mean of each pixel's samples. Colours over black are cut to whole
// levels, not rounded; alpha is at least the brightest of them, so that a colour brighter
// than 1 survives; and the colours are divided by alpha such that colour * alpha / 255,
// rounded, is what was cut.
#if TESS_CPU
// Numbers from 0 to 2^22, rounded.
static inline int16 rounded(float16 x)
{
    return as_int16(x + 12582912.0f) - as_int(12582912.0f);
}

// Of 16 samples that are pixels.
static inline uint16 resolve16(global const float *s)
{
    const int16 red = convert_int16(clamp(tess_load16(s), 0.0f, 1.0f) * 255.0f);
    const int16 green = convert_int16(clamp(tess_load16(s + TILE), 0.0f, 1.0f) * 255.0f);
    const int16 blue =
        convert_int16(clamp(tess_load16(s + 2 * TILE), 0.0f, 1.0f) * 255.0f);
    const float16 covered = 1.0f - fabs(tess_load16(s + 3 * TILE));
    const int16 alpha =
        max(rounded(clamp(covered, 0.0f, 1.0f) * 255.0f), max(red, max(green, blue)));
    // Where alpha is 0 so are the colours.
    const float16 scale = 255.0f / convert_float16(max(alpha, (int16)1));
    return as_uint16(rounded(convert_float16(red) * scale) |
                     rounded(convert_float16(green) * scale) << 8 |
                     rounded(convert_float16(blue) * scale) << 16 | alpha << 24);
}
#endif

kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
resolve_splats(global uchar4 *pixels, global const float *state, u32 cols, u32 width,
               u32 supersampling)
{
    const u32 x = get_global_id(0), y = get_global_id(1);
    if (x >= width)
        return;
#if TESS_CPU
    if (supersampling == 1) { // the first of 16 pixels does all of them
        if (x % TILE == 0)
            tess_put_row((global u32 *)pixels + (size_t)y * width + x,
                         resolve16(sample_at(state, cols, x, y)), width - x);
        return;
    }
#endif
    float4 sum = 0.0f;
    for (u32 j = 0; j < supersampling; j++)
        for (u32 i = 0; i < supersampling; i++) {
            global const float *s =
                sample_at(state, cols, x * supersampling + i, y * supersampling + j);
            sum += (float4)(s[0], s[TILE], s[2 * TILE], 1.0f - fabs(s[3 * TILE]));
        }
    const float4 mean =
        clamp(sum / (float)(supersampling * supersampling), 0.0f, 1.0f) * 255.0f;
    const float red = floor(mean.x), green = floor(mean.y), blue = floor(mean.z);
    const float alpha = fmax(rint(mean.w), fmax(red, fmax(green, blue)));
    const float scale = alpha > 0.0f ? 255.0f / alpha : 0.0f;
    pixels[(size_t)y * width + x] =
        (uchar4)(convert_uchar_sat(rint(red * scale)),
                 convert_uchar_sat(rint(green * scale)),
                 convert_uchar_sat(rint(blue * scale)), convert_uchar_sat(alpha));
}

#if TESS_CPU
// ---- strips ----

// Rows of tiles by themselves: each looks for its splats among all of them, which are in
// order and need no lists then, and its samples stay in a core's cache.

// A strip's tiles and what is known of them. Bits: those that have a sample that is not
// finished, and those that a splat has reached.
struct strip {
    ulong open, begun;
    u32 open_rows[STRIP];
    u32 met[STRIP]; // splats since rows were looked at
};

// Of 64 splats, those with a box in this row of tiles.
static inline ulong in_row(global const u32 *rows, u32 row)
{
    ulong found = 0;
    for (u32 i = 0; i < 4; i++) {
        const uint16 r = ((global const uint16 *)rows)[i];
        const int16 in = (r & 0xffffu) <= row & r >> 16 > row;
        // Of bytes that are 0 or 255, one bit each.
        const ulong2 bits = as_ulong2(convert_char16(in)) & (ulong2)0x8040201008040201UL;
        const ulong2 sums = bits * 0x0101010101010101UL >> 56;
        found |= (sums.x | sums.y << 8) << 16 * i;
    }
    return found;
}

// Blend a splat into tile `t` of a strip.
TESS_INLINE void blend_in_tile(struct strip *strip, global float *samples,
                               global const float *r, u32 t, u32 rows,
                               const struct by_rows *by_rows, float left)
{
    if (!(strip->begun >> t & 1)) {
        strip->begun |= 1ul << t;
        clear_samples(samples);
    }
    blend_rows(samples, r, rows, by_rows, left);
    if (++strip->met[t] % LOOK_EVERY)
        return;
    strip->open_rows[t] = open_rows(samples, strip->open_rows[t]);
    if (!strip->open_rows[t])
        strip->open &= ~(1ul << t);
}

// Blend a splat into the tiles of a strip from `first` to `end`, as seen from the strip.
TESS_INLINE void blend_in_strip(struct strip *strip, global float *samples,
                                global const float *r, u32 first, u32 end, float left,
                                float top)
{
    const struct by_rows by_rows = rows_of(r, top);
    for (u32 at = first; at < end; at += 8) {
        const uint8 reached = reached_rows(r, left + (float)(at * TILE), top);
        const u32 *rows = (const u32 *)&reached;
        for (u32 t = at; t < min(at + 8, end); t++) {
            const u32 here = rows[t - at] & strip->open_rows[t];
            if (here)
                blend_in_tile(strip, samples + t * STATE, r, t, here, &by_rows,
                              left + (float)(t * TILE));
        }
    }
}

// What blend_strips() takes: of splats in order, front to back, their boxes' rows and,
// beside their numbers, their columns. Work-items: (count padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
order_splats(global u32 *rows, global uint2 *things, global const uint2 *boxes,
             global const u32 *places, u32 count)
{
    const u32 i = get_global_id(0);
    rows[i] = 0;
    if (i >= count)
        return;
    const u32 place = places[i];
    rows[i] = boxes[place].y;
    things[i] = (uint2)(boxes[place].x, place);
}

// Splats whose records are on their way: of those of 64 that were found last, and AHEAD
// ones before.
#define RING (2 * STRIP)

struct reached {
    u32 first, end; // tiles of the strip
    u32 place;
};

// Put those of 64 splats from `i` on that reach tiles of the strip which are not finished
// behind what waits in the ring. Returns what was ever queued.
static inline u32 collect(struct reached *ring, u32 queued, const struct strip *strip,
                          global const float *records, global const u32 *rows,
                          global const uint2 *things, u32 i, u32 row, u32 col0)
{
    for (ulong found = in_row(rows + i, row); found; found &= found - 1) {
        const uint2 thing = things[i + popcount(~found & (found - 1))];
        const u32 first = max(thing.x & 0xffff, col0) - col0;
        const u32 end = min(max(thing.x >> 16, col0) - col0, (u32)STRIP);
        ring[queued % RING] = (struct reached){first, end, thing.y};
        if (first < end && strip->open & ~0ul << first & ~0ul >> (STRIP - end)) {
            tess_fetch(records + (size_t)thing.y * RECORD, RECORD);
            queued++;
        }
    }
    return queued;
}

// The pixels of a strip from column `x` on.
static inline void put_strip(global u32 *pixels, global const float *samples,
                             const struct strip *strip, u32 tiles, u32 x, u32 width,
                             u32 rows)
{
    for (u32 y = 0; y < min((u32)TILE, rows); y++)
        for (u32 t = 0; t < tiles; t++) {
            const bool begun = strip->begun >> t & 1;
            global const float *from = samples + t * STATE + 4 * y * TILE;
            const u32 left = x + t * TILE;
            tess_put_row(pixels + (size_t)y * width + left,
                         begun ? resolve16(from) : (uint16)0, width - left);
        }
}

// Blend splats, each with its row range in `rows` [count, padded to 64 by empty ones] and
// its columns and the place of its record in `things`, in their order, into the samples
// of rows of tiles. `resolves`: of one sample a pixel, which become pixels.
// Work-items: (strips in a row of tiles, rows of tiles), of which the even ones come
// first: so whoever takes half of them gets half of what is in the middle.
kernel void blend_strips(global float *state, global u32 *pixels,
                         global const float *records, global const u32 *rows,
                         global const uint2 *things, u32 count, u32 cols, u32 tile_row0,
                         u32 tile_rows, u32 width, u32 pixel_rows, u32 resolves)
{
    const u32 at = get_global_id(1), even = (tile_rows + 1) / 2;
    const u32 row = at < even ? 2 * at : 2 * (at - even) + 1;
    const u32 col0 = get_global_id(0) * STRIP, tiles = min((u32)STRIP, cols - col0);
    const float left = (float)(col0 * TILE), top = (float)((tile_row0 + row) * TILE);
    global float *samples = state + ((size_t)row * cols + col0) * STATE;
    struct reached ring[RING];
    u32 queued = 0, done = 0;
    struct strip strip;
    strip.open = ~0ul >> (STRIP - tiles);
    strip.begun = 0;
    for (u32 t = 0; t < tiles; t++) {
        strip.open_rows[t] = ALL_ROWS;
        strip.met[t] = 0;
    }
    for (u32 i = 0; i < count + STRIP && strip.open; i += STRIP) {
        if (i < count)
            queued = collect(ring, queued, &strip, records, rows, things, i,
                             tile_row0 + row, col0);
        for (; done + (i < count ? AHEAD : 0) < queued; done++) {
            const struct reached next = ring[done % RING];
            blend_in_strip(&strip, samples, records + (size_t)next.place * RECORD,
                           next.first, next.end, left, top);
        }
    }
    for (u32 t = 0; t < tiles && !resolves; t++)
        if (!(strip.begun >> t & 1))
            clear_samples(samples + t * STATE);
    if (resolves && row * TILE < pixel_rows)
        put_strip(pixels + (size_t)row * TILE * width, samples, &strip, tiles,
                  col0 * TILE, width, pixel_rows - row * TILE);
}
#endif
