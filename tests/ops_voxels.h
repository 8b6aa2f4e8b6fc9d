// Sparse voxels for the tests of convolutions, and where their parts are.
#ifndef OPS_VOXELS_H
#define OPS_VOXELS_H

#include "ops_common.h"

#include "op/neighbour.h"

#define OPS_VOXELS_MOST 64

// A few voxels with their neighbours, some of them missing. coords [OPS_VOXELS_MOST][3].
static inline size_t ops_voxels(int32_t *coords, size_t most, uint64_t seed)
{
    size_t count = 0;
    for (int32_t i = 0; i < OPS_VOXELS_MOST && count < most; i++)
        if (ops_random(&seed) % 3) {
            coords[3 * count] = i / 16;
            coords[3 * count + 1] = i / 4 % 4;
            coords[3 * count + 2] = i % 4;
            count++;
        }
    return count;
}

// The row of the voxel at `at` on a grid that is subdivided `level` times, or -1.
static inline long ops_fine_row(const int32_t *coords, size_t count, unsigned level,
                                const int *at)
{
    for (size_t i = 0; i < count; i++) {
        bool same = true;
        for (int axis = 0; axis < 3; axis++)
            same = same && at[axis] >= 0 &&
                   at[axis] >> level == coords[3 * i + (size_t)axis];
        if (!same)
            continue;
        long row = (long)i;
        for (int l = (int)level - 1; l >= 0; l--)
            row =
                row * 8 + (at[0] >> l & 1) * 4 + (at[1] >> l & 1) * 2 + (at[2] >> l & 1);
        return row;
    }
    return -1;
}

// The rows around row `row` of that grid, or -1.
static inline void ops_fine_neighbours(long from[27], const int32_t *coords, size_t count,
                                       unsigned level, size_t row)
{
    int at[3];
    for (int axis = 0; axis < 3; axis++) {
        at[axis] = coords[3 * (row >> 3 * level) + (size_t)axis];
        for (int l = (int)level - 1; l >= 0; l--)
            at[axis] = at[axis] * 2 + (int)(row >> (3 * l + 2 - axis) & 1);
    }
    for (int tap = 0; tap < 27; tap++)
        from[tap] = ops_fine_row(
            coords, count, level,
            (int[]){at[0] + tap / 9 - 1, at[1] + tap / 3 % 3 - 1, at[2] + tap % 3 - 1});
}

#endif
