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
