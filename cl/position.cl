// Absolute position embedding from a table of sines and cosines.
#include "common.clh"

// out[row] = (table[x], table[y], table[z], 0 ...): table [resolution][width], 3 width <=
// C. With `axes` 0 there are zeros only. Work-items: (C, rows).
kernel void embed_position(global float *out, global const int *coords,
                           global const float *table, u32 width, u32 C, u32 axes,
                           u32 rows)
{
    const u32 c = get_global_id(0);
    const size_t row = get_global_id(1);
    if (c >= C || row >= rows)
        return;
    const u32 axis = c / width;
    out[row * C + c] =
        axis < axes ? table[coords[row * 3 + axis] * width + c % width] : 0.0f;
}
