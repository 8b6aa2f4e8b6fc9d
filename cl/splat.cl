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
#define AHEAD  6 // records fetched early

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

// The exponent of a sample less the one in the middle.
static inline lanes falloff_at(lanes dx, float dy, float A, float B, float C)
{
    return fma((lanes)(B * dy), dx, fma(A * dx, dx, (lanes)(C * dy * dy)));
}

// Blend into samples: their new T, and a weight for the colour. Returns not 0 for those
// that this finishes.
TESS_INLINE ilanes blend(lanes *weight, lanes *T, lanes falloff, float middle)
{
    const lanes exponent = falloff + middle;
    const ilanes touched = (falloff <= 0.0f) & (exponent >= EXPONENT_MIN);
    const lanes alpha = min((lanes)ALPHA_MAX, exp2_of(exponent));
    const lanes through = *T * (1.0f - alpha);
    const ilanes blended = touched & (through >= T_MIN);
    const ilanes ends = touched & ~blended & (*T > 0.0f);
    *weight = select((lanes)0.0f, alpha * *T, blended);
    *T = select(select(*T, -fabs(*T), touched), through, blended);
    return ends;
}

// Blend the lists of tiles into their states. Work-items: as in src/render/tiles.h.
#if TESS_CPU
// The rows of a tile that a splat reaches in one of its columns, with a quarter of a
// sample to spare on each side: the ellipse's highest and lowest points between two
// vertical lines are where it has them, or on the nearer line. The first one, and one
// beyond the last.
TESS_INLINE int2 reached_rows(global const float *r, float left, float top)
{
    const float high = r[0] - left + 0.25f, low = high - (TILE - 0.5f);
    const float up = clamp(r[9], low, high), down = clamp(-r[9], low, high);
    const float up_square = r[10] - r[11] * up * up;
    const float down_square = r[10] - r[11] * down * down;
    if (!(up_square >= 0.0f && down_square >= 0.0f))
        return 0;
    const float y = r[1] - top, slope = r[3] / (2.0f * r[4]);
    const float from = y + slope * up - sqrt(up_square) - 0.25f;
    const float to = y + slope * down + sqrt(down_square) + 0.25f;
    return (int2)((int)clamp(from + 1.0f, 0.0f, (float)TILE),
                  (int)clamp(to + 1.0f, 0.0f, (float)TILE));
}

// Bits of rows in which a sample is not finished.
static inline u32 open_rows(global const float *samples, int from, int end)
{
    u32 open = 0;
    for (int y = from; y < end; y++)
        open |= tess_any16(tess_load16(samples + (4 * y + 3) * TILE) > 0.0f) << y;
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

kernel void blend_splats(global float *state, global const float *records,
                         global const u32 *offsets, global const u32 *list, u32 cols,
                         u32 tile_row0, u32 first)
{
    const u32 col = get_global_id(0), row = get_global_id(1);
    const size_t tile = (size_t)row * cols + col;
    global float *samples = state + tile * STATE;
    if (first)
        clear_samples(samples);
    u32 i = offsets[tile];
    const u32 end = offsets[tile + 1];
    if (i == end)
        return;
    u32 open = open_rows(samples, 0, TILE);
    const float left = (float)(col * TILE), top = (float)((tile_row0 + row) * TILE);
    const float16 px =
        left + (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // Records are far apart: they are fetched early, and the rows of the next one are
    // found while one is blended.
    global const float *next = records + (size_t)list[i] * RECORD;
    int2 next_rows = reached_rows(next, left, top);
    while (i < end && open) {
        global const float *r = next;
        const int2 rows = next_rows;
        if (++i < end) {
            tess_fetch(records + (size_t)list[min(i + AHEAD, end - 1)] * RECORD, RECORD);
            next = records + (size_t)list[i] * RECORD;
            next_rows = reached_rows(next, left, top);
        }
        const float16 dx = r[0] - px;
        int16 finished = 0;
        for (int y = rows.x; y < rows.y; y++) {
            if (!(open >> y & 1))
                continue;
            global float *s = samples + 4 * y * TILE;
            const float16 falloff =
                falloff_at(dx, r[1] - (top + (float)y), r[2], r[3], r[4]);
            float16 weight, T = tess_load16(s + 3 * TILE);
            finished |= blend(&weight, &T, falloff, r[5]);
            add_colour(s, r[6], weight);
            add_colour(s + TILE, r[7], weight);
            add_colour(s + 2 * TILE, r[8], weight);
            tess_store16(T, s + 3 * TILE);
        }
        if (tess_any16(finished)) {
            const u32 met = ((1u << rows.y) - 1) & ~((1u << rows.x) - 1);
            open &= open_rows(samples, rows.x, rows.y) | ~met;
        }
    }
}
#else
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
        if (x % TILE)
            return;
        global u32 *to = (global u32 *)pixels + (size_t)y * width + x;
        const uint16 all = resolve16(sample_at(state, cols, x, y));
        if (x + TILE <= width) {
            vstore16(all, 0, to);
            return;
        }
        u32 lanes[TILE];
        vstore16(all, 0, lanes);
        for (u32 i = 0; x + i < width; i++)
            to[i] = lanes[i];
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
