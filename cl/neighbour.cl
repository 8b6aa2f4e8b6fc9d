// Row numbers of the 27 neighbours of voxels that were subdivided `level` times, from
// those of the voxels they come from. A row at a level is (base row, octant of the first
// subdivision, of the second ...), 3 bits each, x in the highest bit; tap ((dx + 1) * 3 +
// dy + 1) * 3 + dz + 1.
#include "common.clh"

#define NO_ROW 0xffffffffu

// table [rows][27] from base [rows >> 3 level][27]. Work-items: (27, rows).
kernel void subdivide_neighbours(global u32 *table, global const u32 *base, u32 level,
                                 u32 rows)
{
    const u32 tap = get_global_id(0), row = get_global_id(1);
    if (tap >= 27 || row >= rows)
        return;
    const int size = 1 << level;
    int at[3] = {0, 0, 0};
    for (u32 l = 0; l < level; l++)
        for (u32 axis = 0; axis < 3; axis++)
            at[axis] |= (row >> (3 * l + 2 - axis) & 1) << l;
    at[0] += (int)(tap / 9) - 1;
    at[1] += (int)(tap / 3 % 3) - 1;
    at[2] += (int)(tap % 3) - 1;
    u32 base_tap = 0, code = 0;
    for (u32 axis = 0; axis < 3; axis++)
        base_tap = base_tap * 3 + (at[axis] < 0 ? 0 : at[axis] < size ? 1 : 2);
    for (int l = (int)level - 1; l >= 0; l--)
        for (u32 axis = 0; axis < 3; axis++)
            code = code << 1 | (at[axis] >> l & 1);
    const u32 from = base[(size_t)(row >> 3 * level) * 27 + base_tap];
    table[(size_t)row * 27 + tap] = from == NO_ROW ? NO_ROW : from << 3 * level | code;
}

// The same for a full grid of R x R x R voxels in raster order, of which planes [plane0,
// plane0 + planes) are here: table [rows][27] for the rows of planes first_plane on, as
// rows of what is here. Work-items: (27, rows).
kernel void grid_neighbours(global u32 *table, u32 rows, u32 R, u32 first_plane,
                            u32 plane0, u32 planes)
{
    const u32 tap = get_global_id(0), row = get_global_id(1);
    if (tap >= 27 || row >= rows)
        return;
    const u32 x = first_plane + row / (R * R) + tap / 9, y = row / R % R + tap / 3 % 3;
    const u32 z = row % R + tap % 3; // each one too many
    const bool here = x >= 1 && x <= R && y >= 1 && y <= R && z >= 1 && z <= R &&
                      x - 1 >= plane0 && x - 1 < plane0 + planes;
    table[(size_t)row * 27 + tap] =
        here ? ((x - 1 - plane0) * R + y - 1) * R + z - 1 : NO_ROW;
}
