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
#define AHEAD      6      // records fetched early
#define FAR_AHEAD  64     // splats in another order, likewise
#define LOOK_EVERY 16     // splats: to find finished rows takes some of one
#define ALL_ROWS   0xffff // bits
#define BLOCK      8      // tiles: of 4 KB each
#define BLOCKS     8      // of a strip
#define STRIP      (BLOCK * BLOCKS)
#define QUEUE      64 // splats
#define IN_ROW     64 // splats that are looked at together

#define NEAR         0.2f
#define FILTER       0.1f // variance that is added in both directions, samples^2
#define LEAST        1e-6f
#define ALPHA_MAX    0.99f
#define EXPONENT_MIN -7.99435344f // alpha 1/255
#define T_MIN        1e-4f
#define FAR_AWAY     1e9f // samples; positions and radii beyond are no picture's
#define LOG2_E       1.44269504f

// What is done at once: 16 splats or samples on CPUs, else one.
#if TESS_CPU
#define WIDTH 16
typedef float16 lanes;
typedef int16 ilanes;
typedef uint16 ulanes;
#define AS_LANES as_float16
#define AS_INTS  as_int16
#define AS_UINTS as_uint16
#define TO_UINTS convert_uint16
#else
#define WIDTH    1
typedef float lanes;
typedef int ilanes;
typedef uint ulanes;
#define AS_LANES as_float
#define AS_INTS  as_int
#define AS_UINTS as_uint
#define TO_UINTS convert_uint
#endif

// ---- projection ----

// A splat's numbers. PACKED of them, two unused, are side by side where splats are taken
// in another order than their own.
enum { POSITION = 0, SCALE = 3, ROTATION = 6, OPACITY = 10, COLOUR = 11, NUMBERS = 14 };
#define PACKED 16

struct projected {
    lanes record[RECORD];
    ulanes key;           // the larger the further away; all bits set if it is not seen
    ulanes columns, rows; // of tiles, first | end << 16; 0: it is not seen
};

// The tiles before `samples`, 0 to `across`.
static inline ulanes tile_at(lanes samples, u32 across)
{
    return TO_UINTS(clamp(samples / TILE, 0.0f, (float)across));
}

// The tiles that a splat at `at` reaches along an axis: first | end << 16. It is blended
// in those that `radius` touches, which is a rule; of these it leaves no trace beyond
// `reach`.
static inline ulanes tiles_between(lanes at, lanes radius, lanes reach, u32 across)
{
    const ulanes first = max(tile_at(at - radius, across), tile_at(at - reach, across));
    const ulanes end = min(tile_at(at + radius + (float)(TILE - 1), across),
                           tile_at(at + reach + (float)TILE, across));
    return select((ulanes)0, first | end << 16, first < end);
}

static inline lanes dot3(lanes ax, lanes ay, lanes az, lanes bx, lanes by, lanes bz)
{
    return fma(ax, bx, fma(ay, by, az * bz));
}

// Along an axis of the camera, 0 to 2, which is away from it.
static inline lanes seen_along(u32 axis, lanes x, lanes y, lanes z,
                               global const float *camera)
{
    global const float *row = camera + 3 * axis;
    return fma(row[0], x, fma(row[1], y, fma(row[2], z, (lanes)camera[9 + axis])));
}

// camera [17]: rotation rows, translation, focal length in samples, tangent of half the
// field of view, samples per axis; and how depth shows, as front - slope * z.
TESS_INLINE void project(struct projected *out, const lanes *splat,
                         global const float *camera, u32 shows_depth)
{
    const lanes *p = splat + POSITION, *s = splat + SCALE, *q = splat + ROTATION;
    const float focal = camera[12], edge = 1.3f * camera[13],
                half_size = 0.5f * camera[14];
    const lanes tx = seen_along(0, p[0], p[1], p[2], camera);
    const lanes ty = seen_along(1, p[0], p[1], p[2], camera);
    const lanes tz = seen_along(2, p[0], p[1], p[2], camera);
    const lanes u = clamp(tx / tz, -edge, edge), v = clamp(ty / tz, -edge, edge);

    // M = J R diag(s) (2 x 3), so that the covariance is M M^T.
    const lanes w = q[0], x = q[1], y = q[2], z = q[3];
    const lanes R[3][3] = {{1.0f - 2.0f * fma(y, y, z * z), 2.0f * fma(x, y, -(w * z)),
                            2.0f * fma(x, z, w * y)},
                           {2.0f * fma(x, y, w * z), 1.0f - 2.0f * fma(x, x, z * z),
                            2.0f * fma(y, z, -(w * x))},
                           {2.0f * fma(x, z, -(w * y)), 2.0f * fma(y, z, w * x),
                            1.0f - 2.0f * fma(x, x, y * y)}};
    const lanes k = focal / tz;
    lanes mx[3], my[3], m0[3], m1[3];
    for (int i = 0; i < 3; i++) {
        mx[i] = camera[i] - u * camera[6 + i];
        my[i] = camera[3 + i] - v * camera[6 + i];
    }
    for (int i = 0; i < 3; i++) {
        const lanes scale = k * s[i];
        m0[i] = scale * dot3(mx[0], mx[1], mx[2], R[0][i], R[1][i], R[2][i]);
        m1[i] = scale * dot3(my[0], my[1], my[2], R[0][i], R[1][i], R[2][i]);
    }
    const lanes xx = dot3(m0[0], m0[1], m0[2], m0[0], m0[1], m0[2]);
    const lanes xy = dot3(m0[0], m0[1], m0[2], m1[0], m1[1], m1[2]);
    const lanes yy = dot3(m1[0], m1[1], m1[2], m1[0], m1[1], m1[2]);
    // The determinant, as the sum of the squares of M's minors, loses nothing to
    // cancellation.
    const lanes n0 = fma(m0[0], m1[1], -(m0[1] * m1[0]));
    const lanes n1 = fma(m0[0], m1[2], -(m0[2] * m1[0]));
    const lanes n2 = fma(m0[1], m1[2], -(m0[2] * m1[1]));
    const lanes det0 = dot3(n0, n1, n2, n0, n1, n2);
    const lanes det1 = fma(FILTER, xx + yy, det0) + FILTER * FILTER;
    const lanes shrink =
        select((lanes)0.0f, sqrt(fmax(det0, 0.0f) / (det1 + LEAST) + LEAST),
               (det0 > LEAST) & (det1 > LEAST));

    // The larger eigenvalue; mid^2 - det is the square of half the difference plus xy^2.
    const lanes half_difference = 0.5f * (xx - yy);
    const lanes mid = 0.5f * (xx + yy) + FILTER;
    const lanes square = fma(half_difference, half_difference, xy * xy);
    const lanes radius = ceil(3.0f * sqrt(mid + sqrt(fmax(square, 0.1f))));
    const lanes px = fma(k, tx, (lanes)(half_size - 0.5f));
    const lanes py = fma(k, ty, (lanes)(half_size - 0.5f));

    // Alpha is 1/255 where the exponent, base e, is -level. The exponent is rounded when
    // it is computed, so the level gets 1% and distances a sample more.
    const lanes middle = log2(splat[OPACITY] * shrink);
    const lanes level = fma((middle - EXPONENT_MIN) / LOG2_E, (lanes)1.01f, (lanes)0.01f);
    const ilanes visible = (tz > NEAR) & (fabs(px) < FAR_AWAY) & (fabs(py) < FAR_AWAY) &
                           (radius > 0.0f) & (radius < FAR_AWAY) & (level > 0.0f);
    const lanes sx = xx + FILTER, sy = yy + FILTER; // variances; det1 is theirs
    const lanes reach_x = sqrt(2.0f * level * sx), reach_y = sqrt(2.0f * level * sy);
    const u32 across = ((u32)camera[14] + TILE - 1) / TILE;
    const ulanes columns =
        tiles_between(px, radius, fma(reach_x, (lanes)1.01f, (lanes)1.0f), across);
    const ulanes rows =
        tiles_between(py, radius, fma(reach_y, (lanes)1.01f, (lanes)1.0f), across);
    const lanes inverse = LOG2_E / det1;
    lanes *o = out->record;
    o[0] = px;
    o[1] = py;
    o[2] = -0.5f * sy * inverse;
    o[3] = xy * inverse;
    o[4] = -0.5f * sx * inverse;
    o[5] = middle;
    // Degree 0 spherical harmonics. The upper end only keeps infinity out.
    const lanes depth = clamp(fma(-camera[16], tz, (lanes)camera[15]), 0.0f, 1.0f);
    for (int i = 0; i < 3; i++) {
        const lanes shown =
            fma(splat[COLOUR + i], (lanes)0.28209479177387814f, (lanes)0.5f);
        o[6 + i] = shows_depth ? depth : fmin(fmax(shown, 0.0f), 1e6f);
    }
    o[9] = xy / sy * reach_y;
    o[10] = 2.0f * level * det1 / sx;
    o[11] = det1 / (sx * sx);
    const ilanes seen = visible & (columns != 0) & (rows != 0);
    // Bits of positive floats have their order.
    out->key = select((ulanes)~0u, AS_UINTS(tz), seen);
    out->columns = select((ulanes)0, columns, seen);
    out->rows = select((ulanes)0, rows, seen);
}

// `count` numbers of each of the splats whose rows of `stride` numbers are those of `at`.
TESS_INLINE void gather(lanes *out, global const float *from, u32 count, u32 stride,
                        const u32 *at)
{
    for (u32 k = 0; k < count; k++)
        for (u32 l = 0; l < WIDTH; l++)
            ((float *)(out + k))[l] = from[(size_t)at[l] * stride + k];
}

// The first `left` of them, at most WIDTH, as rows.
TESS_INLINE void put_records(global float *to, const struct projected *from, u32 left)
{
    for (u32 l = 0; l < min((u32)WIDTH, left); l++)
        for (u32 k = 0; k < RECORD; k++)
            to[l * RECORD + k] = ((const float *)(from->record + k))[l];
}

TESS_INLINE u32 lane_of(const ulanes *from, u32 l)
{
    return ((const u32 *)from)[l];
}

// For each splat its record, its key and its box, columns and rows.
// Work-items: (count / WIDTH, padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
project_splats(global float *records, global u32 *keys, global uint2 *boxes,
               global const float *positions, global const float *scales,
               global const float *rotations, global const float *opacities,
               global const float *colours, global const float *camera, u32 count,
               u32 shows_depth)
{
    const u32 first = get_global_id(0) * WIDTH;
    if (first >= count)
        return;
    lanes splat[NUMBERS];
    struct projected made;
    u32 at[WIDTH];
    for (u32 l = 0; l < WIDTH; l++)
        at[l] = min(first + l, count - 1);
    gather(splat + POSITION, positions, 3, 3, at);
    gather(splat + SCALE, scales, 3, 3, at);
    gather(splat + ROTATION, rotations, 4, 4, at);
    gather(splat + OPACITY, opacities, 1, 1, at);
    gather(splat + COLOUR, colours, 3, 3, at);
    project(&made, splat, camera, shows_depth);
    put_records(records + (size_t)first * RECORD, &made, count - first);
    for (u32 l = 0; l < WIDTH && first + l < count; l++) {
        keys[first + l] = lane_of(&made.key, l);
        boxes[first + l] = (uint2)(lane_of(&made.columns, l), lane_of(&made.rows, l));
    }
}

// ---- blending ----

// 2^x for x in [-126, 0.5], relative error below 3e-7; nothing sensible elsewhere. The
// sum with 1.5 * 2^23 ends in the whole number next to x, and the polynomial is the best
// one of degree 5 (7.5e-8) for the rest.
static inline lanes exp2_of(lanes x)
{
    const lanes sum = x + 12582912.0f;
    const lanes f = x - (sum - 12582912.0f);
    // In pairs: what waits for the result is what takes time.
    const lanes square = f * f;
    const lanes p01 = fma(f, (lanes)6.93146967e-1f, (lanes)1.0f);
    const lanes p23 = fma(f, (lanes)5.55071327e-2f, (lanes)2.40221197e-1f);
    const lanes p45 = fma(f, (lanes)1.3276472e-3f, (lanes)9.67554133e-3f);
    const lanes p = fma(fma(p45, square, p23), square, p01);
    return AS_LANES(AS_INTS(p) + (AS_INTS(sum) << 23));
}

// Blend into samples whose alpha is 2 to `exponent`, of a splat with `middle`: their new
// T, and a weight for the colour.
TESS_INLINE void blend(lanes *weight, lanes *T, lanes exponent, float middle)
{
    const ilanes touched = (exponent <= middle) & (exponent >= EXPONENT_MIN);
    const lanes taken = *T * min((lanes)ALPHA_MAX, exp2_of(exponent));
    const lanes through = *T - taken;
    const ilanes blended = touched & (through >= T_MIN);
    *weight = select((lanes)0.0f, taken, blended);
    *T = select(select(*T, -fabs(*T), touched), through, blended);
}

// Blend the lists of tiles into their states. Work-items: as in src/render/tiles.h.
#if TESS_CPU
// What a row of tiles shares of a splat, by rows of samples: B dy, and the exponent where
// dx is 0.
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
    return (struct by_rows){r[3] * dy, fma(r[4] * dy, dy, (float16)r[5])};
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
        const float16 exponent =
            fma((float16)across[y], dx, fma(square, dx, (float16)down[y]));
        float16 weight, T = tess_load16(s + 3 * TILE);
        blend(&weight, &T, exponent, middle);
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
        tess_fetch_record(records + (size_t)list[min(i + AHEAD, end - 1)] * RECORD,
                          RECORD);
        global const float *r = records + (size_t)list[i] * RECORD;
        const u32 rows = reached_rows(r, left, top).s0 & open;
        const struct by_rows by_rows = rows_of(r, top);
        blend_rows(samples, r, rows, &by_rows, left);
        if ((i - begin) % LOOK_EVERY == 0)
            open = open_rows(samples, open);
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
            const float dx = g.x - px, dy = g.y - py;
            const float exponent =
                fma(g.w * dy, dx, fma(g.z * dx, dx, fma(l.x * dy, dy, l.y)));
            float weight;
            blend(&weight, &T, exponent, l.y);
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

// For that, splats are sorted by depth before they are projected, whether they are seen
// or not, and projected in that order: so what is read of them often lies in order, too.

// Splats as rows. Work-items: (count padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
pack_splats(global float *packed, global const float *positions,
            global const float *scales, global const float *rotations,
            global const float *opacities, global const float *colours, u32 count)
{
    const size_t i = get_global_id(0);
    if (i >= count)
        return;
    global float *row = packed + i * PACKED;
    for (u32 k = 0; k < 3; k++) {
        row[POSITION + k] = positions[3 * i + k];
        row[SCALE + k] = scales[3 * i + k];
        row[COLOUR + k] = colours[3 * i + k];
    }
    for (u32 k = 0; k < 4; k++)
        row[ROTATION + k] = rotations[4 * i + k];
    row[OPACITY] = opacities[i];
}

// The keys that project() would make of those that are seen.
// Work-items: (count / WIDTH, padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
find_depths(global u32 *keys, global const float *packed, global const float *camera,
            u32 count)
{
    const u32 first = get_global_id(0) * WIDTH;
    if (first >= count)
        return;
    lanes position[3];
    u32 at[WIDTH];
    for (u32 l = 0; l < WIDTH; l++)
        at[l] = min(first + l, count - 1);
    gather(position, packed + POSITION, 3, PACKED, at);
    const ulanes key =
        AS_UINTS(seen_along(2, position[0], position[1], position[2], camera));
    for (u32 l = 0; l < WIDTH && first + l < count; l++)
        keys[first + l] = lane_of(&key, l);
}

// Records, columns and rows of tiles of splats in order. Beyond `count` rows are empty.
// Work-items: (rows / WIDTH, padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
project_in_order(global float *records, global u32 *columns, global u32 *rows,
                 global const float *packed, global const u32 *places,
                 global const float *camera, u32 count, u32 shows_depth)
{
    const u32 first = get_global_id(0) * WIDTH;
    if (first >= (count + IN_ROW - 1) / IN_ROW * IN_ROW)
        return;
    lanes splat[NUMBERS];
    struct projected made;
    u32 at[WIDTH];
    for (u32 l = 0; l < WIDTH; l++) {
        at[l] = places[min(first + l, count - 1)];
        tess_fetch_record(
            packed + (size_t)places[min(first + l + FAR_AHEAD, count - 1)] * PACKED, 1);
    }
    gather(splat, packed, NUMBERS, PACKED, at);
    project(&made, splat, camera, shows_depth);
    if (first < count)
        put_records(records + (size_t)first * RECORD, &made, count - first);
    for (u32 l = 0; l < WIDTH; l++) {
        const bool is_one = first + l < count;
        columns[first + l] = is_one ? lane_of(&made.columns, l) : 0;
        rows[first + l] = is_one ? lane_of(&made.rows, l) : 0;
    }
}

// A row of tiles, in blocks of BLOCK tiles whose samples fit into a core's first cache.
// Each block has a queue of splats that reach it, and is worked on when that is full.
struct strip {
    ulong open, begun; // bits of tiles: with a sample that is not finished, and reached
                       // by a splat
    u32 queued[BLOCKS];
    uint2 queue[BLOCKS][QUEUE]; // splats, and bits of tiles that they reach
    ushort8 open_rows[BLOCKS];  // bits, of tiles
    ushort met[BLOCKS * BLOCK]; // splats since rows were looked at
};

// Of IN_ROW splats, those with a box in this row of tiles.
static inline ulong in_row(global const u32 *rows, u32 row)
{
    ulong found = 0;
    for (u32 i = 0; i < IN_ROW / 16; i++) {
        const uint16 r = ((global const uint16 *)rows)[i];
        const int16 in = (r & 0xffffu) <= row & r >> 16 > row;
        // Of bytes that are 0 or 255, one bit each.
        const ulong2 bits = as_ulong2(convert_char16(in)) & (ulong2)0x8040201008040201UL;
        const ulong2 sums = bits * 0x0101010101010101UL >> 56;
        found |= (sums.x | sums.y << 8) << 16 * i;
    }
    return found;
}

// The bits of columns first | end << 16 in the tiles of a strip from column `col` on.
static inline ulong bits_of(u32 columns, u32 col)
{
    const u32 first = max(columns & 0xffff, col) - col;
    const u32 end = min(max(columns >> 16, col) - col, (u32)STRIP);
    return first < end ? (~0ul << first) & (~0ul >> (STRIP - end)) : 0;
}

// Bits of those of 8 that are not 0.
static inline u32 which_of(ushort8 x)
{
    const ulong bytes = as_ulong(convert_char8(x != (ushort8)0));
    return (u32)((bytes & 0x8040201008040201UL) * 0x0101010101010101UL >> 56);
}

// Blend a splat into rows of tile `t` of block `b`.
TESS_INLINE void blend_in_tile(struct strip *strip, global float *samples,
                               global const float *r, u32 b, u32 t, u32 rows,
                               const struct by_rows *by_rows, float left)
{
    const u32 at = b * BLOCK + t;
    if (!(strip->begun >> at & 1)) {
        strip->begun |= 1ul << at;
        clear_samples(samples);
    }
    blend_rows(samples, r, rows, by_rows, left);
    if (++strip->met[at] % LOOK_EVERY)
        return;
    ushort *open = (ushort *)&strip->open_rows[b] + t;
    *open = open_rows(samples, *open);
    if (!*open)
        strip->open &= ~(1ul << at);
}

// Blend what waits in the queue of block `b`, whose first tile is in column `col`: first
// all rows that are reached are found, as blending has branches that are hard to foresee.
static inline void work_off(struct strip *strip, global float *samples,
                            global const float *records, u32 b, u32 col, float top)
{
    const uint2 *queue = strip->queue[b];
    const u32 count = strip->queued[b];
    const float left = (float)(col * TILE);
    ushort8 reached[QUEUE];
    strip->queued[b] = 0;
    for (u32 i = 0; i < count; i++) {
        const ushort8 tiles = (ushort8)queue[i].y;
        const ushort8 in =
            as_ushort8((tiles & (ushort8)(1, 2, 4, 8, 16, 32, 64, 128)) != (ushort8)0);
        global const float *r = records + (size_t)queue[i].x * RECORD;
        reached[i] = convert_ushort8(reached_rows(r, left, top)) & in;
    }
    for (u32 i = 0; i < count; i++) {
        u32 tiles = which_of(reached[i] & strip->open_rows[b]);
        if (!tiles)
            continue;
        global const float *r = records + (size_t)queue[i].x * RECORD;
        const struct by_rows by_rows = rows_of(r, top);
        for (; tiles; tiles &= tiles - 1) {
            const u32 t = lowest_bit(tiles);
            const u32 rows = ((const ushort *)&reached[i])[t] &
                             ((const ushort *)&strip->open_rows[b])[t];
            blend_in_tile(strip, samples + (b * BLOCK + t) * STATE, r, b, t, rows,
                          &by_rows, left + (float)(t * TILE));
        }
    }
}

// Put a splat into the queues of the blocks that it reaches.
static inline void put(struct strip *strip, global float *samples,
                       global const float *records, u32 splat, u32 columns, u32 col0,
                       float top)
{
    const ulong tiles = bits_of(columns, col0);
    if (!(tiles & strip->open))
        return;
    tess_fetch_record(records + (size_t)splat * RECORD, RECORD);
    u32 b = popcount(~tiles & (tiles - 1)) / BLOCK;
    for (ulong rest = tiles >> b * BLOCK; rest; rest >>= BLOCK, b++) {
        strip->queue[b][strip->queued[b]++] = (uint2)(splat, rest & ((1 << BLOCK) - 1));
        if (strip->queued[b] == QUEUE)
            work_off(strip, samples, records, b, col0 + b * BLOCK, top);
    }
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

// Blend splats in their order, with records, columns and rows as project_in_order() makes
// them, into the samples of rows of tiles. `resolves`: of one sample a pixel, which
// become pixels.
// Work-items: (strips in a row of tiles, rows of tiles), of which the even ones come
// first: so whoever takes half of them gets half of what is in the middle.
kernel void blend_strips(global float *state, global u32 *pixels,
                         global const float *records, global const u32 *rows,
                         global const u32 *columns, u32 count, u32 cols, u32 tile_row0,
                         u32 tile_rows, u32 width, u32 pixel_rows, u32 resolves)
{
    const u32 at = get_global_id(1), even = (tile_rows + 1) / 2;
    const u32 row = at < even ? 2 * at : 2 * (at - even) + 1;
    const u32 col0 = get_global_id(0) * STRIP, tiles = min((u32)STRIP, cols - col0);
    const float top = (float)((tile_row0 + row) * TILE);
    global float *samples = state + ((size_t)row * cols + col0) * STATE;
    struct strip strip;
    strip.open = bits_of(cols << 16, col0);
    strip.begun = 0;
    for (u32 b = 0; b < BLOCKS; b++) {
        strip.queued[b] = 0;
        strip.open_rows[b] = ALL_ROWS;
    }
    for (u32 t = 0; t < STRIP; t++)
        strip.met[t] = 0;
    for (u32 i = 0; i < count; i += IN_ROW)
        for (ulong found = in_row(rows + i, tile_row0 + row); found; found &= found - 1) {
            const u32 splat = i + popcount(~found & (found - 1));
            put(&strip, samples, records, splat, columns[splat], col0, top);
        }
    for (u32 b = 0; b < BLOCKS; b++)
        work_off(&strip, samples, records, b, col0 + b * BLOCK, top);
    for (u32 t = 0; t < tiles && !resolves; t++)
        if (!(strip.begun >> t & 1))
            clear_samples(samples + t * STATE);
    if (resolves && row * TILE < pixel_rows)
        put_strip(pixels + (size_t)row * TILE * width, samples, &strip, tiles,
                  col0 * TILE, width, pixel_rows - row * TILE);
}
#endif
