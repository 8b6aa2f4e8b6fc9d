// Numbers in ascending order, stably: by their digits of 8 bits from the lowest up. Of
// each block of BLOCK keys digits are counted; sums over those counts, by digit and then
// by block, are where each block's keys of a digit go; and there they are put in their
// order.
#include "common.clh"

#define DIGITS 256
#define BLOCK  4096 // src/op/sort.c has it, too

#define DIGIT(key, shift) ((key) >> (shift) & (DIGITS - 1))

// counts [DIGITS][blocks]. Work-items: (blocks) in groups of 1, or of DIGITS for each.
#if TESS_CPU
kernel void count_digits(global u32 *counts, global const u32 *keys, u32 count, u32 shift,
                         u32 blocks)
{
    const u32 block = get_global_id(0), end = min(count, (block + 1) * BLOCK);
    u32 found[DIGITS];
    for (u32 d = 0; d < DIGITS; d++)
        found[d] = 0;
    for (u32 i = block * BLOCK; i < end; i++)
        found[DIGIT(keys[i], shift)]++;
    for (u32 d = 0; d < DIGITS; d++)
        counts[d * blocks + block] = found[d];
}
#else
kernel __attribute__((reqd_work_group_size(DIGITS, 1, 1))) void
count_digits(global u32 *counts, global const u32 *keys, u32 count, u32 shift, u32 blocks)
{
    local u32 found[DIGITS];
    const u32 lane = get_local_id(0), block = get_global_id(0) / DIGITS;
    const u32 end = min(count, (block + 1) * BLOCK);
    found[lane] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (u32 i = block * BLOCK + lane; i < end; i += DIGITS)
        atomic_inc(&found[DIGIT(keys[i], shift)]);
    barrier(CLK_LOCAL_MEM_FENCE);
    counts[lane * blocks + block] = found[lane];
}
#endif

// Each count becomes the sum of those before it. Work-items: 1, or DIGITS in a group.
#if TESS_CPU
kernel void sum_counts(global u32 *counts, u32 blocks)
{
    u32 sum = 0;
    for (u32 i = 0; i < DIGITS * blocks; i++) {
        const u32 found = counts[i];
        counts[i] = sum;
        sum += found;
    }
}
#else
kernel __attribute__((reqd_work_group_size(DIGITS, 1, 1))) void
sum_counts(global u32 *counts, u32 blocks)
{
    local u32 sums[DIGITS];
    const u32 lane = get_local_id(0);
    global u32 *row = counts + lane * blocks;
    u32 own = 0;
    for (u32 b = 0; b < blocks; b++)
        own += row[b];
    sums[lane] = own;
    for (u32 step = 1; step < DIGITS; step *= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        const u32 before = lane >= step ? sums[lane - step] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        sums[lane] += before;
    }
    u32 sum = sums[lane] - own;
    for (u32 b = 0; b < blocks; b++) {
        const u32 found = row[b];
        row[b] = sum;
        sum += found;
    }
}
#endif

// keys_out, places_out [count]: the keys by this digit, and their places: at first those
// in `keys`, then what is in `places`. Work-items: as of count_digits().
#if TESS_CPU
kernel void move_keys(global u32 *keys_out, global u32 *places_out,
                      global const u32 *counts, global const u32 *keys,
                      global const u32 *places, u32 count, u32 shift, u32 blocks)
{
    const u32 block = get_global_id(0), end = min(count, (block + 1) * BLOCK);
    u32 to[DIGITS];
    for (u32 d = 0; d < DIGITS; d++)
        to[d] = counts[d * blocks + block];
    for (u32 i = block * BLOCK; i < end; i++) {
        const u32 key = keys[i], at = to[DIGIT(key, shift)]++;
        keys_out[at] = key;
        places_out[at] = shift ? places[i] : i;
    }
}
#else
// A group takes DIGITS keys at a time. Each looks for its like before it.
kernel __attribute__((reqd_work_group_size(DIGITS, 1, 1))) void
move_keys(global u32 *keys_out, global u32 *places_out, global const u32 *counts,
          global const u32 *keys, global const u32 *places, u32 count, u32 shift,
          u32 blocks)
{
    local u32 to[DIGITS];
    local u32 digits[DIGITS];
    const u32 lane = get_local_id(0), block = get_global_id(0) / DIGITS;
    const u32 end = min(count, (block + 1) * BLOCK);
    to[lane] = counts[lane * blocks + block];
    for (u32 start = block * BLOCK; start < end; start += DIGITS) {
        const u32 i = start + lane;
        const u32 key = i < end ? keys[i] : 0;
        const u32 digit = DIGIT(key, shift);
        digits[lane] = digit;
        barrier(CLK_LOCAL_MEM_FENCE);
        u32 before = 0, all = 0;
        if (i < end) {
            const u32 here = min((u32)DIGITS, end - start);
            for (u32 k = 0; k < here; k++) {
                const u32 alike = digits[k] == digit;
                all += alike;
                before += k < lane ? alike : 0;
            }
            const u32 at = to[digit] + before;
            keys_out[at] = key;
            places_out[at] = shift ? places[i] : i;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (i < end && before == 0)
            to[digit] += all;
    }
}
#endif
