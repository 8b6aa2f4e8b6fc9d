// Layer norm over columns, and group norm over all rows in two steps. Statistics are
// summed in an order that depends on the number of columns only.
#include "common.clh"

#if TESS_CPU
#define LANES 1
#else
#define LANES 64
#endif

#if !TESS_CPU
// The sum of one value per work-item of the group, in a tree; every work-item gets it.
static inline float group_sum(local float *tree, u32 lane, float x)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    tree[lane] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (u32 half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        if (lane < half_lanes)
            tree[lane] += tree[lane + half_lanes];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    return tree[0];
}
#endif

// out = act((in - mean) / sqrt(var + eps) * weight + bias), act SiLU or none, per row,
// biased variance. Work-items: (LANES, rows).
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
layernorm(global float *out, global const float *in, global const float *weight,
          global const float *bias, u32 C, float eps, u32 affine, u32 silu)
{
    const size_t row = get_global_id(1);
    global const float *x = in + row * C;
    global float *y = out + row * C;
#if TESS_CPU
    const u32 wide = C / 16 * 16, rest = wide;
    float16 sums = 0;
    for (u32 c = 0; c < wide; c += 16)
        sums += vload16(0, x + c);
    float sum = tess_sum16(sums);
    for (u32 c = wide; c < C; c++)
        sum += x[c];
    const float mean = sum / C;
    sums = 0;
    for (u32 c = 0; c < wide; c += 16) {
        const float16 d = vload16(0, x + c) - mean;
        sums = fma(d, d, sums);
    }
    float squares = tess_sum16(sums);
    for (u32 c = wide; c < C; c++)
        squares = fma(x[c] - mean, x[c] - mean, squares);
#else
    local float tree[LANES];
    const u32 lane = get_local_id(0), rest = lane;
    float sum = 0;
    for (u32 c = lane; c < C; c += LANES)
        sum += x[c];
    const float mean = group_sum(tree, lane, sum) / C;
    float squares = 0;
    for (u32 c = lane; c < C; c += LANES)
        squares = fma(x[c] - mean, x[c] - mean, squares);
    squares = group_sum(tree, lane, squares);
#endif
    const float scale = 1.0f / sqrt(squares / C + eps);
#if TESS_CPU
    for (u32 c = 0; c < wide; c += 16) {
        float16 v = (vload16(0, x + c) - mean) * scale;
        if (affine)
            v = fma(v, vload16(0, weight + c), vload16(0, bias + c));
        vstore16(silu ? tess_silu_float16(v) : v, 0, y + c);
    }
#endif
    for (u32 c = rest; c < C; c += LANES) {
        float v = (x[c] - mean) * scale;
        if (affine)
            v = fma(v, weight[c], bias[c]);
        y[c] = silu ? tess_silu_float(v) : v;
    }
}

// x = x / max(|x|, 1e-12) * gamma * sqrt(D), in place, for heads of D columns from column
// `col` on of rows of `stride`. Work-items: (H, rows).
kernel void normalise_heads(global float *x, global const float *gamma, u32 rows,
                            u32 stride, u32 col, u32 H, u32 D)
{
    const u32 h = get_global_id(0);
    const size_t row = get_global_id(1);
    if (h >= H || row >= rows)
        return;
    global float *head = x + row * stride + col + h * D;
    // Four sums, and not one: Intel's compiler for CPUs splits that in work-items that it
    // does not join to vectors.
    float4 sums = 0;
    u32 done = 0;
    for (; done + 4 <= D; done += 4) {
        const float4 v = vload4(0, head + done);
        sums = fma(v, v, sums);
    }
    float squares = sums.s0 + sums.s1 + (sums.s2 + sums.s3);
    for (; done < D; done++)
        squares = fma(head[done], head[done], squares);
    const float scale = sqrt((float)D) / fmax(sqrt(squares), 1e-12f);
    for (u32 d = 0; d < D; d++)
        head[d] = head[d] * scale * gamma[h * D + d];
}

// Mean and sum of squared differences from it, per channel, over blocks of `block` rows
// (the last may be shorter). Work-items: (C, blocks); on CPUs (1, blocks).
#define DEFINE_CHANNELS_STATS(NAME, T, LOAD)                                             \
    static inline void NAME(private T *mean, private T *squares, global const float *x,  \
                            u32 rows, u32 C)                                             \
    {                                                                                    \
        T sum = 0, sum_of_squares = 0;                                                   \
        for (u32 r = 0; r < rows; r++)                                                   \
            sum += LOAD(x + (size_t)r * C);                                              \
        const T middle = sum / (float)rows;                                              \
        for (u32 r = 0; r < rows; r++) {                                                 \
            const T d = LOAD(x + (size_t)r * C) - middle;                                \
            sum_of_squares = fma(d, d, sum_of_squares);                                  \
        }                                                                                \
        *mean = middle;                                                                  \
        *squares = sum_of_squares;                                                       \
    }
#define LOAD_1(p) (*(p))
DEFINE_CHANNELS_STATS(stats_of_1, float, LOAD_1)

#if TESS_CPU
#define LOAD_16(p) vload16(0, p)
DEFINE_CHANNELS_STATS(stats_of_16, float16, LOAD_16)

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
channel_stats(global float2 *stats, global const float *in, u32 rows, u32 C, u32 block)
{
    const size_t b = get_global_id(1), row0 = b * block;
    const u32 count = min((u32)(rows - row0), block);
    in += row0 * C;
    stats += b * C;
    u32 c = 0;
    for (; c + 16 <= C; c += 16) {
        float16 mean, squares;
        stats_of_16(&mean, &squares, in + c, count, C);
      private
        const float *means = (private const float *)&mean,
                    *sums = (private const float *)&squares;
        for (u32 i = 0; i < 16; i++)
            stats[c + i] = (float2)(means[i], sums[i]);
    }
    for (; c < C; c++) {
        float mean, squares;
        stats_of_1(&mean, &squares, in + c, count, C);
        stats[c] = (float2)(mean, squares);
    }
}
#else
kernel void channel_stats(global float2 *stats, global const float *in, u32 rows, u32 C,
                          u32 block)
{
    const u32 c = get_global_id(0);
    const size_t b = get_global_id(1), row0 = b * block;
    if (c >= C || row0 >= rows)
        return;
    float mean, squares;
    stats_of_1(&mean, &squares, in + row0 * C + c, min((u32)(rows - row0), block), C);
    stats[b * C + c] = (float2)(mean, squares);
}
#endif

// x = silu(x * scale + shift), per channel, in place. Work-items: (C, rows); on CPUs
// (1, rows).
#if TESS_CPU
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
scale_silu(global float *x, global const float *scale, global const float *shift,
           u32 rows, u32 C)
{
    x += get_global_id(1) * C;
    u32 c = 0;
    for (; c + 16 <= C; c += 16) {
        const float16 v =
            fma(vload16(0, x + c), vload16(0, scale + c), vload16(0, shift + c));
        vstore16(tess_silu_float16(v), 0, x + c);
    }
    for (; c < C; c++)
        x[c] = tess_silu_float(fma(x[c], scale[c], shift[c]));
}
#else
kernel void scale_silu(global float *x, global const float *scale,
                       global const float *shift, u32 rows, u32 C)
{
    const u32 c = get_global_id(0);
    const size_t row = get_global_id(1), i = row * C + c;
    if (c >= C || row >= rows)
        return;
    x[i] = tess_silu_float(fma(x[i], scale[c], shift[c]));
}
#endif
