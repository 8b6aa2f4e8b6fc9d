// What a device can do at best, for benchmarks: moving bytes, and fused multiply-adds.
//
// CHAINS is how many chains of multiply-adds a work-item works on: each waits for itself
// only, so enough of them hide how long one takes, and too many do not fit in registers.
#include "common.clh"

#if TESS_CPU
typedef float16 chain;
#else
typedef float4 chain;
#endif

// The elements [first, end) of `count`, `step` apart, that one of `items` work-items has:
// on CPUs a stretch, on GPUs neighbours take neighbours. (A launch may be cut, so its own
// size says nothing.)
#if TESS_CPU
#define SHARE(items, count)                                                              \
    size_t each = ((count) + (items)-1) / (items), first = get_global_id(0) * each,      \
           end = min(first + each, (size_t)(count));                                     \
    const size_t step = 1;
#else
#define SHARE(items, count)                                                              \
    size_t first = get_global_id(0), end = (count);                                      \
    const size_t step = (items);
#endif

// out = in. `count` float4 each.
kernel void copy_floats(global float4 *out, global const float4 *in, u32 items, u32 count)
{
    SHARE(items, count)
    for (size_t i = first; i < end; i += step)
        out[i] = in[i];
}

// x = x * factor: the same lines are read and written.
kernel void scale_floats(global float4 *x, float factor, u32 items, u32 count)
{
    SHARE(items, count)
    for (size_t i = first; i < end; i += step)
        x[i] = x[i] * factor;
}

// out[i] in [-1, 1), from its place and `seed` (an integer hash: xor, shift, multiply).
kernel void fill_noise(global float *out, u32 seed, u32 items, u32 count)
{
    SHARE(items, count)
    for (size_t i = first; i < end; i += step) {
        u32 bits = ((u32)i ^ seed) * 0x9E3779B1u;
        bits = (bits ^ bits >> 15) * 0x85EBCA77u;
        bits ^= bits >> 13;
        out[i] = (float)(bits >> 8) * (1.0f / 8388608.0f) - 1.0f;
    }
}

// `rounds` multiply-adds in each chain. The result is stored so that the work is needed.
kernel void multiply_add(global float *out, u32 rounds, float factor, float addend)
{
    size_t item = get_global_id(0);
    chain a[CHAINS];
    const chain x = factor, y = addend;
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        a[i] = (chain)((float)item + (float)i);
    for (u32 round = 0; round < rounds; round++) {
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            a[i] = fma(a[i], x, y);
    }
    chain sum = a[0];
#pragma unroll
    for (int i = 1; i < CHAINS; i++)
        sum += a[i];
#if TESS_CPU
    float8 half_sum = sum.lo + sum.hi;
    float4 rest = half_sum.lo + half_sum.hi;
#else
    float4 rest = sum;
#endif
    out[item] = (rest.x + rest.y) + (rest.z + rest.w);
}
