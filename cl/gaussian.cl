// From the rows of the Gaussian decoder to Gaussians.
//
// raw [rows][14 G]: position offset [G][3], colour [G][3], scaling [G][3], rotation
// [G][4], opacity [G]. out [rows][G][14]: position 3, scale 3, rotation 4 (w, x, y, z),
// opacity, colour 3.
#include "common.clh"

static inline float softplus(float x)
{
    return x > 20.0f ? x : log1p(exp(x));
}

// Work-items: (G, rows). `rates` holds the learning rates that the raw values are
// multiplied by: position, colour, scaling, rotation, opacity.
kernel void activate_gaussians(global float *out, global const float *raw,
                               global const int *coords, global const float *perturbation,
                               global const float *rates, u32 G, float resolution,
                               float voxel_size, float scaling_bias, float opacity_bias,
                               float kernel_size, u32 exponential, u32 rows)
{
    const u32 g = get_global_id(0);
    const size_t row = get_global_id(1);
    if (g >= G || row >= rows)
        return;
    global const float *r = raw + row * 14 * G;
    global float *o = out + (row * G + g) * 14;
    for (u32 i = 0; i < 3; i++) {
        const float offset = tanh(r[3 * g + i] * rates[0] + perturbation[3 * g + i]);
        const float centre = (coords[row * 3 + i] + 0.5f) / resolution;
        o[i] = centre + offset * 0.5f * voxel_size / resolution - 0.5f;
        o[11 + i] = r[3 * G + 3 * g + i] * rates[1];
        const float raw_scale = r[6 * G + 3 * g + i] * rates[2] + scaling_bias;
        const float s = exponential ? exp(raw_scale) : softplus(raw_scale);
        o[3 + i] = sqrt(s * s + kernel_size * kernel_size);
    }
    float4 q = vload4(0, r + 9 * G + 4 * g) * rates[3];
    q.s0 += 1.0f;
    q /= fmax(sqrt(dot(q, q)), 1e-12f);
    vstore4(q, 0, o + 6);
    o[10] = 1.0f / (1.0f + exp(-(r[13 * G + g] * rates[4] + opacity_bias)));
}
