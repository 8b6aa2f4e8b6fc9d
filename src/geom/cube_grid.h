// A sparse set of cubes in a grid of R^3, the lattice points at their corners, and which
// of these are inside a surface. The grid is cut into blocks of 4 x 4 x 4; a block holds
// a bit per cube and per lattice point, so that everything about neighbours is shifts of
// 64-bit masks, and the index of a cube or point is its block's first index plus the
// number of bits below its own. Memory: some 100 bytes a block, 8 bytes a cube.
//
//   block    found by its coordinates (those of its cubes >> 2) through a hash table;
//            block 0 is empty and stands for all blocks that are not there
//   bit      x * 16 + y * 4 + z, of the low two bits of each coordinate
//   cell     block * 64 + bit: one cube, or its corner 0, in 32 bits
//   corner   k lies at (k & 1, k >> 1 & 1, k >> 2 & 1) of the cube
#ifndef TESS_CUBE_GRID_H
#define TESS_CUBE_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define TESS_CUBE_CORNERS             8
#define TESS_CUBE_NONE                UINT32_MAX
#define TESS_CUBE_GRID_MAX_RESOLUTION 65535

struct tess_cube_block {
    uint64_t key;                     // block coordinates x, y, z, 16 bits each
    uint64_t cubes;                   // the cubes of the set
    uint64_t points;                  // lattice points that they touch
    uint64_t inside, wanted;          // of those, for the owner to set
    uint32_t cube0, point0;           // index of the first
    uint32_t next[TESS_CUBE_CORNERS]; // the blocks at +(k & 1, k >> 1 & 1, k >> 2 & 1)
};

struct tess_cube_slot {
    uint64_t key;
    uint32_t block; // 0: free
};

// Fields are read-only outside cube_grid.c, except for `inside` and `wanted`.
struct tess_cube_grid {
    struct tess_env *env;
    uint32_t resolution;  // R
    size_t cubes, points; // in the set; touched
    // Every block that has one of the cubes or a cube that shares a lattice point with
    // one.
    struct tess_cube_block *blocks;
    size_t block_count, block_capacity;
    struct tess_cube_slot *slots;
    size_t slot_count; // a power of two
    uint32_t *cells;   // [cubes] of each row, a row being a cube in the caller's order
    uint32_t *rows;    // [cubes] of each cube in block order
};

// `coords` [cubes][3], distinct, each in 0..R-1; R in 1..TESS_CUBE_GRID_MAX_RESOLUTION.
// TESS_ERR_FILE: a cube outside the grid or there twice, the message names its row;
// TESS_ERR_MEMORY. Free with tess_cube_grid_clear(), after a failure too.
enum tess_status tess_cube_grid_init(struct tess_cube_grid *grid, struct tess_env *env,
                                     uint32_t resolution, const int32_t *coords,
                                     size_t cubes);
void tess_cube_grid_clear(struct tess_cube_grid *grid);

// The cubes of the grid in a block, of the set or not, that have corners inside and
// outside; corners[k] gets the cubes whose corner k is inside.
uint64_t tess_cube_grid_crossed(uint64_t corners[TESS_CUBE_CORNERS],
                                const struct tess_cube_grid *grid, size_t block);

// The lattice points that cubes of a block touch: corners[k] gets those of the block's
// next[k].
void tess_cube_grid_spread(uint64_t corners[TESS_CUBE_CORNERS], uint64_t cubes);

static inline unsigned tess_cube_bit(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & 3) << 4 | (y & 3) << 2 | (z & 3);
}

// How many bits of `mask` lie below `bit`.
static inline uint32_t tess_cube_rank(uint64_t mask, unsigned bit)
{
    return mask == UINT64_MAX
               ? bit
               : (uint32_t)__builtin_popcountll(mask & ((UINT64_C(1) << bit) - 1));
}

// Index of the lattice point at corner k of a cell; TESS_CUBE_NONE if no cube of the set
// touches it.
static inline uint32_t tess_cube_grid_point(const struct tess_cube_grid *grid,
                                            uint32_t cell, unsigned k)
{
    unsigned x = (cell >> 4 & 3) + (k & 1), y = (cell >> 2 & 3) + (k >> 1 & 1);
    unsigned z = (cell & 3) + (k >> 2 & 1);
    unsigned after = x >> 2 | (y >> 2) << 1 | (z >> 2) << 2, bit = tess_cube_bit(x, y, z);
    const struct tess_cube_block *block = &grid->blocks[cell >> 6];
    if (after)
        block = &grid->blocks[block->next[after]];
    return block->points >> bit & 1 ? block->point0 + tess_cube_rank(block->points, bit)
                                    : TESS_CUBE_NONE;
}

// Row of a cell's cube; TESS_CUBE_NONE if it is not in the set.
static inline uint32_t tess_cube_grid_row(const struct tess_cube_grid *grid,
                                          uint32_t cell)
{
    const struct tess_cube_block *block = &grid->blocks[cell >> 6];
    return block->cubes >> (cell & 63) & 1
               ? grid->rows[block->cube0 + tess_cube_rank(block->cubes, cell & 63)]
               : TESS_CUBE_NONE;
}

#endif
