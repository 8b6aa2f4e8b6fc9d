// Rows of chunked tensors in and out. Words are 32 bits; a group is a few rows of `words`
// in all.
#include "common.clh"

// Work-items of all kernels: a word of a group each, (words, count); on CPUs (1, count).
#if TESS_CPU
#define ITEMS __attribute__((reqd_work_group_size(1, 1, 1)))
static inline void move_group(global u32 *to, global const u32 *from, u32 words)
{
    u32 w = 0;
    for (; w + 16 <= words; w += 16)
        vstore16(vload16(0, from + w), 0, to + w);
    for (; w < words; w++)
        to[w] = from[w];
}
#else
#define ITEMS
static inline void move_group(global u32 *to, global const u32 *from, u32 words)
{
    const u32 w = get_global_id(0);
    if (w < words)
        to[w] = from[w];
}
#endif

// out[i] = chunk[ids[i] - group0] for the ids in [group0, group0 + groups); others stay.
kernel ITEMS void gather_groups(global u32 *out, global const u32 *chunk,
                                global const u32 *ids, u32 group0, u32 groups, u32 words,
                                u32 count)
{
    const size_t i = get_global_id(1);
    if (i >= count)
        return;
    const u32 group = ids[i] - group0;
    if (group < groups)
        move_group(out + i * words, chunk + (size_t)group * words, words);
}

// chunk[ids[i] - group0] = in[i] for the ids in [group0, group0 + groups).
kernel ITEMS void scatter_groups(global u32 *chunk, global const u32 *in,
                                 global const u32 *ids, u32 group0, u32 groups, u32 words,
                                 u32 count)
{
    const size_t i = get_global_id(1);
    if (i >= count)
        return;
    const u32 group = ids[i] - group0;
    if (group < groups)
        move_group(chunk + (size_t)group * words, in + i * words, words);
}

// out[out0 + i] = in[in0 + i] for `count` groups: rows that follow one another.
kernel ITEMS void copy_groups(global u32 *out, global const u32 *in, u32 out0, u32 in0,
                              u32 words, u32 count)
{
    const size_t i = get_global_id(1);
    if (i < count)
        move_group(out + (out0 + i) * words, in + (in0 + i) * words, words);
}
