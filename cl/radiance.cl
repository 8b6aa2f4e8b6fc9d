// Radiance fields, in tiles of 16 x 16 samples: rays march through voxels, from front to
// back (base/mesh.h says what a field is).
//
// A voxel of rank R, padded to a multiple of 16 with zeros, and vectors of D: coordinates
// x y z; unused words up to 16; the vectors along x, y and z, [3][D][R]; densities [R];
// red, green and blue [3][R], times the constant of degree 0 spherical harmonics.
//
// Lengths are edges of voxels. Step n of a ray is at (n + 1/2) / (2 D) from the eye; a
// voxel takes those in [t0, t1) of the ray, so none is taken twice.
//
// The state of a sample of the picture is red, green, blue, which are sums of colour *
// weight, and the light that still comes through, T > 0. Once it is finished its T is
// negative.
#include "common.clh"
#include "tiles.clh"

#define HEAD 16

#define ALPHA_MAX 0.999f
#define T_MIN     1e-3f
#define LINEAR    10.0f // from here on softplus is its argument
#define TINY      1e-20f

#if TESS_CPU
#define RANKS 16
typedef float16 ranks;
#define LOAD(p) vload16(0, p)

static inline float sum_of(ranks v)
{
    return tess_sum16(v);
}
#else
#define RANKS   4
typedef float4 ranks;
#define LOAD(p) vload4(0, p)

static inline float sum_of(ranks v)
{
    const float2 c = v.lo + v.hi;
    return c.x + c.y;
}
#endif

struct field {
    u32 dim, rank;
    float step; // in the world
    u32 shows_depth;
    float front, slope; // of depth: what is shown at z = 0, and less per edge
};

// The part of [t0, t1] between two planes across an axis.
static inline void crop(float *t0, float *t1, float direction, float low, float high)
{
    const float inverse = 1.0f / (fabs(direction) < TINY ? TINY : direction);
    const float a = low * inverse, b = high * inverse;
    *t0 = fmax(*t0, fmin(a, b));
    *t1 = fmin(*t1, fmax(a, b));
}

// Two neighbours in a vector and the weight of the second: linear, beyond the ends too.
static inline global const float *between(float *weight, global const float *vector,
                                          float place, u32 dim, u32 rank)
{
    const float u = fma(place, (float)dim, -0.5f);
    const int i = clamp((int)u, 0, (int)dim - 2);
    *weight = u - (float)i;
    return vector + (size_t)i * rank;
}

// Red, green, blue and density before their activations, at a place in [0, 1]^3.
static inline float4 look_up(global const float *r, float3 place, u32 dim, u32 rank)
{
    float wx, wy, wz;
    const size_t axis = (size_t)dim * rank;
    global const float *vectors = r + HEAD, *density = vectors + 3 * axis;
    global const float *x = between(&wx, vectors, place.x, dim, rank);
    global const float *y = between(&wy, vectors + axis, place.y, dim, rank);
    global const float *z = between(&wz, vectors + 2 * axis, place.z, dim, rank);
    ranks red = 0.0f, green = 0.0f, blue = 0.0f, sigma = 0.0f;
    for (u32 i = 0; i < rank; i += RANKS) {
        const ranks x0 = LOAD(x + i), y0 = LOAD(y + i), z0 = LOAD(z + i);
        const ranks product = fma((ranks)wx, LOAD(x + rank + i) - x0, x0) *
                              fma((ranks)wy, LOAD(y + rank + i) - y0, y0) *
                              fma((ranks)wz, LOAD(z + rank + i) - z0, z0);
        sigma = fma(product, LOAD(density + i), sigma);
        red = fma(product, LOAD(density + rank + i), red);
        green = fma(product, LOAD(density + 2 * rank + i), green);
        blue = fma(product, LOAD(density + 3 * rank + i), blue);
    }
    return (float4)(sum_of(red), sum_of(green), sum_of(blue), sum_of(sigma));
}

// Let a step of the ray add to the state. Of what is not a number, fmin() and fmax() keep
// the other operand.
static inline void blend(float4 *state, float4 found, float z, const struct field *field)
{
    const float density = found.w;
    // One exponential for all four: of minus the colours, and of the density.
    const float4 e =
        tess_exp_float4((float4)(-found.x, -found.y, -found.z, fmin(density, LINEAR)));
    const float sigma = density > LINEAR ? density : log1p(e.w);
    const float alpha = fmin(1.0f - tess_exp_float(-sigma * field->step), ALPHA_MAX);
    float4 colour = fmin(fmax(1.0f / (1.0f + e), 0.0f), 1.0f);
    if (field->shows_depth)
        colour = clamp(fma(-field->slope, z, field->front), 0.0f, 1.0f);
    const float weight = alpha * state->w, through = state->w * (1.0f - alpha);
    state->x = fma(colour.x, weight, state->x);
    state->y = fma(colour.y, weight, state->y);
    state->z = fma(colour.z, weight, state->z);
    state->w = through < T_MIN ? -through : through;
}

// The steps of a ray in a voxel. `ray` is a unit vector; `along`, what it has of the
// camera's axis.
static inline void march(float4 *state, global const float *r, float3 eye, float3 ray,
                         float along, const struct field *field)
{
    const float3 corner = vload3(0, r);
    const float3 low = corner - eye, high = (corner + 1.0f) - eye;
    float t0 = 0.0f, t1 = INFINITY;
    crop(&t0, &t1, ray.x, low.x, high.x);
    crop(&t0, &t1, ray.y, low.y, high.y);
    crop(&t0, &t1, ray.z, low.z, high.z);
    const float per_edge = 2.0f * (float)field->dim;
    const float first = ceil(fma(t0, per_edge, -0.5f));
    const float end = ceil(fma(t1, per_edge, -0.5f));
    // A diagonal has less than 4 D + 1 steps. Rays that miss the voxel have t1 < t0.
    const int count = (int)clamp(end - first, 0.0f, 2.0f * per_edge + 1.0f);
    for (int k = 0; k < count && state->w > 0.0f; k++) {
        const float t = (first + (float)k + 0.5f) / per_edge;
        const float3 place =
            (float3)(fma(ray.x, t, -low.x), fma(ray.y, t, -low.y), fma(ray.z, t, -low.z));
        blend(state, look_up(r, place, field->dim, field->rank), t * along, field);
    }
}

// Draw the lists of tiles into their states. Eye and directions are in the axes of the
// grid: the ray through sample (x, y) of the picture runs along corner + x * right + y *
// down, which has 1 of the camera's axis. Work-items: as in src/render/tiles.h.
#if TESS_CPU
kernel
#else
kernel
    __attribute__((reqd_work_group_size(TILE, TILE, 1)))
#endif
    void
    draw_radiance(global float *state, global const float *records,
                  global const u32 *offsets, global const u32 *list, u32 cols,
                  u32 tile_row0, u32 first, float eye_x, float eye_y, float eye_z,
                  float corner_x, float corner_y, float corner_z, float right_x,
                  float right_y, float right_z, float down_x, float down_y, float down_z,
                  u32 dim, u32 rank, float step, u32 shows_depth, float front,
                  float slope)
{
    const struct field field = {dim, rank, step, shows_depth, front, slope};
    const float3 eye = (float3)(eye_x, eye_y, eye_z);
    const float3 corner = (float3)(corner_x, corner_y, corner_z);
    const float3 right = (float3)(right_x, right_y, right_z);
    const float3 down = (float3)(down_x, down_y, down_z);
    const size_t words = HEAD + (size_t)(3 * dim + 4) * rank;
#if TESS_CPU
    const u32 col = get_global_id(0), row = get_global_id(1);
    for (u32 sample = 0; sample < TILE * TILE; sample++) {
        const u32 lx = sample % TILE, ly = sample / TILE;
#else
    const u32 col = get_global_id(0) / TILE, row = get_global_id(1) / TILE;
    const u32 lx = get_local_id(0), ly = get_local_id(1);
    {
#endif
        const size_t tile = (size_t)row * cols + col;
        global float *s = state + tile * STATE + ly * 4 * TILE + lx;
        float4 sums = (float4)(0.0f, 0.0f, 0.0f, 1.0f);
        if (!first)
            sums = (float4)(s[0], s[TILE], s[2 * TILE], s[3 * TILE]);
        const float px = (float)(col * TILE + lx);
        const float py = (float)((tile_row0 + row) * TILE + ly);
        float3 ray = fma(down, (float3)py, fma(right, (float3)px, corner));
        const float along =
            1.0f / sqrt(fma(ray.x, ray.x, fma(ray.y, ray.y, ray.z * ray.z)));
        ray *= along;
        const u32 end = offsets[tile + 1];
        for (u32 i = offsets[tile]; i < end && sums.w > 0.0f; i++)
            march(&sums, records + list[i] * words, eye, ray, along, &field);
        s[0] = sums.x;
        s[TILE] = sums.y;
        s[2 * TILE] = sums.z;
        s[3 * TILE] = sums.w;
    }
}
