// What views show of points on a surface.
#include "common.clh"

#define LEAST_COSINE 0.1f
#define DEPTH_ERROR  0.003f // of the depth: a pixel's width at the usual distance, twice
#define UNSURE       0.05f  // weight where a neighbouring pixel shows something else

enum { ROTATION = 0, TRANSLATION = 9, FOCAL = 12, EYE = 13 };

// Add what one view shows of each point to its sums of weight * (red, green, blue, 1).
//
// A view is a picture of width x width pixels, RGBA, alpha not premultiplied, and 1/z of
// the surface at each pixel's centre, 0 for none. A point is sampled in the four pixels
// around it. A pixel counts if the depth there is that of the plane through the point
// across its normal: else something lies before it, or the surface ends. Pixels have
// weight as far as they are near and opaque; the view has the square of the cosine at
// which it sees the surface.
//
// camera [16]: rotation rows, translation, focal length in pixels, eye. Work-items:
// (count padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
add_view(global float4 *sums, global const float *positions, global const float *normals,
         global const uchar4 *pixels, global const float *depths,
         global const float *camera, u32 width, u32 count)
{
    const u32 i = get_global_id(0);
    if (i >= count)
        return;
    const float3 p = vload3(i, positions), n = vload3(i, normals);
    const float3 X = vload3(0, camera), Y = vload3(1, camera), Z = vload3(2, camera);
    const float3 t = vload3(0, camera + TRANSLATION), eye = vload3(0, camera + EYE) - p;
    const float view_x = fma(X.x, p.x, fma(X.y, p.y, fma(X.z, p.z, t.x)));
    const float view_y = fma(Y.x, p.x, fma(Y.y, p.y, fma(Y.z, p.z, t.y)));
    const float z = fma(Z.x, p.x, fma(Z.y, p.y, fma(Z.z, p.z, t.z)));
    const float distance = sqrt(fma(eye.x, eye.x, fma(eye.y, eye.y, eye.z * eye.z)));
    const float cosine = fma(n.x, eye.x, fma(n.y, eye.y, n.z * eye.z)) / distance;
    if (!(z > 0.0f && cosine >= LEAST_COSINE))
        return;
    const float focal = camera[FOCAL], middle = 0.5f * (float)width - 0.5f;
    const float x = fma(focal, view_x / z, middle), y = fma(focal, view_y / z, middle);
    if (!(x >= 0.0f && y >= 0.0f && x < (float)(width - 1) && y < (float)(width - 1)))
        return;
    const float left = floor(x), top = floor(y);
    // On the plane, 1/z is linear in the picture: its value here, and slopes per pixel.
    const float nx = fma(X.x, n.x, fma(X.y, n.y, X.z * n.z));
    const float ny = fma(Y.x, n.x, fma(Y.y, n.y, Y.z * n.z));
    const float scale = 1.0f / (focal * cosine * distance);
    const float slope_x = -nx * scale, slope_y = -ny * scale;
    float4 sum = 0.0f;
    bool sure = true;
    for (u32 tap = 0; tap < 4; tap++) {
        const float dx = left + (float)(tap & 1) - x, dy = top + (float)(tap >> 1) - y;
        const size_t at = (size_t)((u32)top + (tap >> 1)) * width + (u32)left + (tap & 1);
        const float expected = fma(slope_x, dx, fma(slope_y, dy, 1.0f / z));
        const float4 pixel = convert_float4(pixels[at]) * (1.0f / 255.0f);
        const bool good = fabs(depths[at] - expected) <= DEPTH_ERROR * expected;
        const float near = (1.0f - fabs(dx)) * (1.0f - fabs(dy));
        const float weight = good ? near * pixel.w : 0.0f;
        sure = sure && good;
        sum.x = fma(weight, pixel.x, sum.x);
        sum.y = fma(weight, pixel.y, sum.y);
        sum.z = fma(weight, pixel.z, sum.z);
        sum.w += weight;
    }
    const float weight = cosine * cosine * (sure ? 1.0f : UNSURE);
    sums[i] = fma((float4)weight, sum, sums[i]);
}

// ---- a texture that fits its views ----

#define ONE     256 // weights of texels in a bilinear sample add up to this
#define BETA1   0.5f
#define BETA2   0.9f
#define EPSILON 1e-8f

kernel void clear_words(global u32 *out, u32 rows, u32 cols)
{
    const u32 col = get_global_id(0), row = get_global_id(1);
    if (row < rows && col < cols)
        out[(size_t)row * cols + col] = 0;
}

// Of the two texels along an axis that a bilinear sample takes: the first one, and the
// second one's weight.
static inline u32 texel_before(u32 coordinate, u32 size, int *weight)
{
    const int x = (int)(coordinate * size) - 32768; // in 1/65536 texels, from a centre
    *weight = x < 0 ? 0 : (x & 65535) >> 8;
    return x < 0 ? 0 : (u32)(x >> 16);
}

// Add the gradient of each pixel's absolute error to the texels that its sample takes, of
// rows [row0, row0 + rows). In whole numbers, so that the order does not matter: weight
// of the texel * weight of the pixel * sign of the error.
//
// pixels [count]: u and v (16 bits each, of the texture's side); red, green, blue, weight
// (8 bits each). before: rows of the texture from before0 on, all that samples take.
// Work-items: (count padded to 64).
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
add_gradients(global int *gradients, global const uint2 *pixels,
              global const float *before, u32 size, u32 row0, u32 rows, u32 before0,
              u32 count)
{
    const u32 i = get_global_id(0);
    if (i >= count)
        return;
    const uint2 pixel = pixels[i];
    int right, low;
    const u32 x0 = texel_before(pixel.x & 65535, size, &right);
    const u32 y0 = texel_before(pixel.x >> 16, size, &low);
    const u32 x1 = min(x0 + 1, size - 1), y1 = min(y0 + 1, size - 1);
    const int weights[4] = {(ONE - right) * (ONE - low) / ONE, right * (ONE - low) / ONE,
                            (ONE - right) * low / ONE, right * low / ONE};
    const u32 columns[4] = {x0, x1, x0, x1}, lines[4] = {y0, y0, y1, y1};
    for (u32 k = 0; k < 3; k++) {
        float value = 0.0f;
        int whole = 0;
        for (u32 tap = 0; tap < 4; tap++) {
            const size_t at = ((size_t)(lines[tap] - before0) * size + columns[tap]) * 3;
            value = fma((float)weights[tap], before[at + k], value);
            whole += weights[tap];
        }
        const float seen = (float)(pixel.y >> (8 * k) & 255) * (1.0f / 255.0f);
        const float error = value / (float)whole - seen;
        const int step = (int)(pixel.y >> 24) * (error > 0.0f   ? 1
                                                 : error < 0.0f ? -1
                                                                : 0);
        for (u32 tap = 0; tap < 4 && step; tap++)
            if (lines[tap] >= row0 && lines[tap] < row0 + rows && weights[tap])
                atomic_add(gradients +
                               ((size_t)(lines[tap] - row0) * size + columns[tap]) * 3 +
                               k,
                           step * weights[tap]);
    }
}

static inline float sign_of(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}

// One step of Adam (Kingma and Ba 2015) for rows [row0, row0 + rows): after, and moments
// [rows][size][3][2], from before and the gradients. The gradient of the total variation
// is added: the sum of the signs of differences to neighbours. scale and variation: what
// gradients and signs are multiplied by. correct1, correct2: 1 / (1 - beta^step).
kernel void descend(global float *after, global float2 *moments,
                    global const float *before, global const int *gradients, u32 size,
                    u32 row0, u32 rows, u32 before0, float scale, float variation,
                    float rate, float correct1, float correct2)
{
    const u32 col = get_global_id(0), row = get_global_id(1), cols = 3 * size;
    if (row >= rows || col >= cols)
        return;
    const u32 y = row0 + row;
    global const float *old = before + (size_t)(y - before0) * cols + col;
    const size_t at = (size_t)row * cols + col;
    const float value = *old;
    float signs = 0.0f;
    if (col >= 3)
        signs += sign_of(value - old[-3]);
    if (col + 3 < cols)
        signs += sign_of(value - old[3]);
    if (y > 0)
        signs += sign_of(value - *(old - cols));
    if (y + 1 < size)
        signs += sign_of(value - old[cols]);
    const float gradient = fma((float)gradients[at], scale, variation * signs);
    const float2 moment = moments[at];
    const float first = fma(BETA1, moment.x, (1.0f - BETA1) * gradient);
    const float second = fma(BETA2, moment.y, (1.0f - BETA2) * gradient * gradient);
    moments[at] = (float2)(first, second);
    after[at] = value - rate * (first * correct1) / (sqrt(second * correct2) + EPSILON);
}
