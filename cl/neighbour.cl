// Row numbers of the 27 neighbours of voxels that were subdivided `level` times, from
// those of the voxels they come from. A row at a level is (base row, octant of the first
// subdivision, of the second ...), 3 bits each, x in the highest bit; tap ((dx + 1) * 3 +
// dy + 1) * 3 + dz + 1.
#include "common.clh"

// A place along an axis: which of three base voxels it is in, and the bits of its
// octants, three apart.
struct place {
    u32 voxel, bits;
};

// `at` is counted from the middle one's first place of 2^level.
static inline struct place place_at(int at, u32 level)
{
    u32 bits = 0;
    for (u32 l = 0; l < level; l++)
        bits |= (at >> l & 1) << 3 * l;
    return (struct place){at < 0 ? 0 : at < 1 << level ? 1 : 2, bits};
}

// Where a row is along an axis, in its base voxel.
static inline int place_of(u32 row, u32 level, u32 axis)
{
    int at = 0;
    for (u32 l = 0; l < level; l++)
        at |= (row >> (3 * l + 2 - axis) & 1) << l;
    return at;
}

static inline u32 row_at(global const u32 *base, struct place x, struct place y,
                         struct place z, u32 level)
{
    const u32 from = base[(x.voxel * 3 + y.voxel) * 3 + z.voxel];
    const u32 octants = x.bits << 2 | y.bits << 1 | z.bits;
    // NO_ROW has all bits. (With them set on one side only, LLVM 18 gives up, in PoCL 6.)
    return (from == NO_ROW ? NO_ROW : from << 3 * level) | octants;
}

// table [rows][27] from base [rows >> 3 level][27]. Work-items: (27, rows); on CPUs (1,
// rows).
#if TESS_CPU
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
subdivide_neighbours(global u32 *table, global const u32 *base, u32 level, u32 rows)
{
    const u32 row = get_global_id(1);
    struct place places[3][3]; // [axis][offset]
    base += (size_t)(row >> 3 * level) * 27;
    table += (size_t)row * 27;
    for (u32 axis = 0; axis < 3; axis++)
        for (int offset = 0; offset < 3; offset++)
            places[axis][offset] =
                place_at(place_of(row, level, axis) + offset - 1, level);
    for (u32 x = 0; x < 3; x++)
        for (u32 y = 0; y < 3; y++)
            for (u32 z = 0; z < 3; z++)
                *table++ = row_at(base, places[0][x], places[1][y], places[2][z], level);
}
#else
kernel void subdivide_neighbours(global u32 *table, global const u32 *base, u32 level,
                                 u32 rows)
{
    const u32 tap = get_global_id(0), row = get_global_id(1);
    if (tap >= 27 || row >= rows)
        return;
    const int x = place_of(row, level, 0) + (int)(tap / 9) - 1,
              y = place_of(row, level, 1) + (int)(tap / 3 % 3) - 1,
              z = place_of(row, level, 2) + (int)(tap % 3) - 1;
    table[(size_t)row * 27 + tap] =
        row_at(base + (size_t)(row >> 3 * level) * 27, place_at(x, level),
               place_at(y, level), place_at(z, level), level);
}
#endif

// A neighbour's row in a full grid of R x R x R voxels in raster order, of which the
// planes from plane0 on are here: at an offset of 0 to 2 along each axis, each one too
// many.
static inline u32 grid_row_at(u32 row, u32 R, u32 first_plane, u32 plane0, u32 planes,
                              u32 dx, u32 dy, u32 dz)
{
    const u32 x = first_plane + row / (R * R) + dx, y = row / R % R + dy,
              z = row % R + dz;
    const bool here = x >= 1 && x <= R && y >= 1 && y <= R && z >= 1 && z <= R &&
                      x - 1 >= plane0 && x - 1 < plane0 + planes;
    return here ? ((x - 1 - plane0) * R + y - 1) * R + z - 1 : NO_ROW;
}

// The same for such a grid: table [rows][27] for the rows of planes first_plane on, as
// rows of what is here. Work-items: (27, rows); on CPUs (1, rows).
#if TESS_CPU
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
grid_neighbours(global u32 *table, u32 rows, u32 R, u32 first_plane, u32 plane0,
                u32 planes)
{
    const u32 row = get_global_id(1);
    table += (size_t)row * 27;
    for (u32 x = 0; x < 3; x++)
        for (u32 y = 0; y < 3; y++)
            for (u32 z = 0; z < 3; z++)
                *table++ = grid_row_at(row, R, first_plane, plane0, planes, x, y, z);
}
#else
kernel void grid_neighbours(global u32 *table, u32 rows, u32 R, u32 first_plane,
                            u32 plane0, u32 planes)
{
    const u32 tap = get_global_id(0), row = get_global_id(1);
    if (tap < 27 && row < rows)
        table[(size_t)row * 27 + tap] = grid_row_at(row, R, first_plane, plane0, planes,
                                                    tap / 9, tap / 3 % 3, tap % 3);
}
#endif
