// Moving and joining rows: what is neither a product nor a norm.
#include "common.clh"

// x[row] += v, in place. Work-items: (C, rows).
kernel void add_row(global float *x, global const float *v, u32 rows, u32 C)
{
    const u32 c = get_global_id(0);
    const size_t row = get_global_id(1);
    if (c < C && row < rows)
        x[row * C + c] += v[c];
}

// x += y, in place. Work-items: (C, rows).
kernel void add(global float *x, global const float *y, u32 rows, u32 C)
{
    const u32 c = get_global_id(0);
    const size_t row = get_global_id(1);
    if (c < C && row < rows)
        x[row * C + c] += y[row * C + c];
}

// out[row][col0 + c] = in[row][c], rows of out are out_cols long. Work-items: (C, rows).
kernel void place_columns(global float *out, global const float *in, u32 rows, u32 C,
                          u32 out_cols, u32 col0)
{
    const u32 c = get_global_id(0);
    const size_t row = get_global_id(1);
    if (c < C && row < rows)
        out[row * out_cols + col0 + c] = in[row * C + c];
}

// out[row] = (sum of in[children[row][i]] over the children that exist) / (their number +
// 1); children [rows][8]. Work-items: (C, rows).
kernel void pool_children(global float *out, global const float *in,
                          global const u32 *children, u32 rows, u32 C)
{
    const u32 c = get_global_id(0);
    const size_t row = get_global_id(1);
    if (c >= C || row >= rows)
        return;
    float sum = 0;
    u32 count = 1;
    for (u32 i = 0; i < 8; i++) {
        const u32 child = children[row * 8 + i];
        if (child == NO_ROW)
            continue;
        sum += in[(size_t)child * C + c];
        count++;
    }
    out[row * C + c] = sum / (float)count;
}

// Pixel shuffle in 3D: in has planes of R x R rows with 8 C columns, column c * 8 + i * 4
// + j * 2
// + k of (x, y, z) goes to column c of (2 x + i, 2 y + j, 2 z + k). Work-items: (C, rows
// of out).
kernel void shuffle_octants(global float *out, global const float *in, u32 rows, u32 C,
                            u32 R)
{
    const u32 c = get_global_id(0), row = get_global_id(1);
    if (c >= C || row >= rows)
        return;
    const u32 z = row % (2 * R), y = row / (2 * R) % (2 * R), x = row / (4 * R * R);
    const size_t from = ((size_t)(x / 2) * R + y / 2) * R + z / 2;
    out[(size_t)row * C + c] =
        in[from * 8 * C + c * 8 + (x & 1) * 4 + (y & 1) * 2 + (z & 1)];
}
