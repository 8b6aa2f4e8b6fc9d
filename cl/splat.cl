// Gaussian splats: their projection, and their blending in tiles of 16 x 16 samples.
//
// What a splat leaves in the picture, 12 floats: position x, y in samples; conic A, B, C,
// so that the exponent at an offset (dx, dy) is -(A dx dx + C dy dy) / 2 - B dx dy;
// opacity; red, green, blue; then view depth and radius in samples (0: invisible) from
// the projection, of which the first is replaced by the rows that it reaches up and down
// before blending.
//
// The state of a sample is red, green, blue, which are sums of colour * weight, and the
// light that still comes through, T > 0. Once a sample is finished its T is negative.
#include "common.clh"
#include "tiles.clh"

#define RECORD 12
#define BATCH  (TILE * TILE)

#define NEAR      0.2f
#define FILTER    0.1f // variance that is added in both directions, samples^2
#define LEAST     1e-6f
#define ALPHA_MAX 0.99f
#define ALPHA_MIN (1.0f / 255.0f)
#define T_MIN     1e-4f
#define FAR_AWAY  1e9f // samples; positions and radii beyond are no picture's

// camera [15]: rotation rows, translation, focal length in samples, tangent of half the
// field of view, samples per axis. Work-items: (count padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
project_splats(global float *out, global const float *positions,
               global const float *scales, global const float *rotations,
               global const float *opacities, global const float *colours,
               global const float *camera, u32 count)
{
    const u32 i = get_global_id(0);
    if (i >= count)
        return;
    global float *o = out + (size_t)i * RECORD;
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

    const bool visible = tz > NEAR && fabs(px) < FAR_AWAY && fabs(py) < FAR_AWAY &&
                         radius < FAR_AWAY && opacities[i] * shrink > 0.0f;
    const float inverse = 1.0f / det1;
    o[0] = px;
    o[1] = py;
    o[2] = (yy + FILTER) * inverse;
    o[3] = -xy * inverse;
    o[4] = (xx + FILTER) * inverse;
    o[5] = opacities[i] * shrink;
    // Degree 0 spherical harmonics. The upper end only keeps infinity out.
    const float3 rgb = fmin(fmax(fma(c, 0.28209479177387814f, 0.5f), 0.0f), 1e6f);
    o[6] = rgb.x;
    o[7] = rgb.y;
    o[8] = rgb.z;
    o[9] = tz;
    o[10] = visible ? radius : 0.0f;
    o[11] = 0.0f;
}

#if TESS_CPU
typedef float16 lanes;
#define EXP tess_exp_float16
#else
typedef float lanes;
#define EXP tess_exp_float
#endif

// What is blended into a sample: a weight for the colour, and its new T.
#define WEIGH(weight, T, exponent, opacity)                                              \
    const lanes alpha = fmin((lanes)ALPHA_MAX, opacity * EXP(exponent));                 \
    const lanes through = T * (1.0f - alpha);                                            \
    const lanes touched = select(                                                        \
        (lanes)0.0f, alpha, (T > 0.0f) & (exponent <= 0.0f) & (alpha >= ALPHA_MIN));     \
    const lanes blended = select(touched, (lanes)0.0f, through < T_MIN);                 \
    const lanes weight = blended * T;                                                    \
    T = select(select(T, -T, touched > 0.0f), through, blended > 0.0f);

static inline lanes exponent_at(lanes dx, float dy, float A, float B, float C)
{
    return -fma(B * dy, dx, 0.5f * fma(A * dx, dx, (lanes)(C * dy * dy)));
}

// Blend the lists of tiles into their states. Work-items: as in src/render/tiles.h.
#if TESS_CPU
kernel void blend_splats(global float *state, global const float *records,
                         global const u32 *offsets, global const u32 *list, u32 cols,
                         u32 tile_row0, u32 first)
{
    const u32 col = get_global_id(0), row = get_global_id(1);
    const size_t tile = (size_t)row * cols + col;
    global float *samples = state + tile * STATE;
    const u32 end = offsets[tile + 1];
    if (!first && offsets[tile] == end)
        return;
    u32 open = 0; // rows, a bit each, in which a sample is not finished
    for (u32 y = 0; y < TILE; y++) {
        global float *s = samples + y * 4 * TILE;
        if (first) {
            vstore16((float16)0.0f, 0, s);
            vstore16((float16)0.0f, 1, s);
            vstore16((float16)0.0f, 2, s);
            vstore16((float16)1.0f, 3, s);
        }
        open |= any(vload16(3, s) > 0.0f) ? 1u << y : 0u;
    }
    const float16 px = (float)(col * TILE) +
                       (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const float top = (float)((tile_row0 + row) * TILE);
    for (u32 i = offsets[tile]; i < end && open; i++) {
        global const float *r = records + (size_t)list[i] * RECORD;
        const float16 dx = r[0] - px;
        const int from = (int)clamp(ceil(r[1] - r[9] - top), 0.0f, 16.0f);
        const int to = (int)clamp(floor(r[1] + r[9] - top), -1.0f, 15.0f);
        for (int y = from; y <= to; y++) {
            if (!(open >> y & 1))
                continue;
            global float *s = samples + y * 4 * TILE;
            const float16 exponent =
                exponent_at(dx, r[1] - (top + (float)y), r[2], r[3], r[4]);
            float16 T = vload16(3, s);
            WEIGH(weight, T, exponent, r[5])
            if (!any(touched > 0.0f))
                continue;
            vstore16(fma(r[6], weight, vload16(0, s)), 0, s);
            vstore16(fma(r[7], weight, vload16(1, s)), 1, s);
            vstore16(fma(r[8], weight, vload16(2, s)), 2, s);
            vstore16(T, 3, s);
            if (!any(T > 0.0f))
                open &= ~(1u << y);
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
            const float exponent = exponent_at(g.x - px, g.y - py, g.z, g.w, l.x);
            WEIGH(weight, T, exponent, l.y)
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
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
resolve_splats(global uchar4 *pixels, global const float *state, u32 cols, u32 width,
               u32 supersampling)
{
    const u32 x = get_global_id(0), y = get_global_id(1);
    if (x >= width)
        return;
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
