// Rows of chunked tensors in and out. Words are 32 bits; a group is a few rows of `words`
// in all.
#include "common.clh"

// out[i] = chunk[ids[i] - group0] for the ids in [group0, group0 + groups); others stay.
// Work-items: (words, count).
kernel void gather_groups(global u32 *out, global const u32 *chunk, global const u32 *ids,
                          u32 group0, u32 groups, u32 words, u32 count)
{
    size_t i = get_global_id(1), w = get_global_id(0);
    if (i >= count || w >= words)
        return;
    u32 group = ids[i] - group0;
    if (group < groups)
        out[i * words + w] = chunk[(size_t)group * words + w];
}

// chunk[ids[i] - group0] = in[i] for the ids in [group0, group0 + groups).
kernel void scatter_groups(global u32 *chunk, global const u32 *in, global const u32 *ids,
                           u32 group0, u32 groups, u32 words, u32 count)
{
    size_t i = get_global_id(1), w = get_global_id(0);
    if (i >= count || w >= words)
        return;
    u32 group = ids[i] - group0;
    if (group < groups)
        chunk[(size_t)group * words + w] = in[i * words + w];
}

// out[out0 + i] = in[in0 + i] for `count` groups: rows that follow one another.
kernel void copy_groups(global u32 *out, global const u32 *in, u32 out0, u32 in0,
                        u32 words, u32 count)
{
    size_t i = get_global_id(1), w = get_global_id(0);
    if (i < count && w < words)
        out[(out0 + i) * words + w] = in[(in0 + i) * words + w];
}
