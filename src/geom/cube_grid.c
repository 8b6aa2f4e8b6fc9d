// Blocks, their bits and their neighbours.
#include "geom/cube_grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MAX_BLOCKS (1u << 26) // so that a cell fits in 32 bits

// ---------------------------------------------------------------------------------------------
// Masks
// ---------------------------------------------------------------------------------------------

#define LAST_X 0xffff000000000000u // bits with a coordinate of 3
#define LAST_Y 0xf000f000f000f000u
#define LAST_Z 0x8888888888888888u

static uint64_t block_key(uint32_t x, uint32_t y, uint32_t z)
{
    return (uint64_t)x << 32 | (uint64_t)y << 16 | z;
}

static unsigned popcount(uint64_t mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

void tess_cube_grid_spread(uint64_t out[TESS_CUBE_CORNERS], uint64_t cubes)
{
    out[0] = cubes;
    out[4] = (out[0] & LAST_Z) >> 3;
    out[0] |= (out[0] & ~LAST_Z) << 1;
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k += 4) {
        out[k | 2] = (out[k] & LAST_Y) >> 12;
        out[k] |= (out[k] & ~LAST_Y) << 4;
    }
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k += 2) {
        out[k | 1] = out[k] >> 48;
        out[k] |= out[k] << 16;
    }
}

// corner[k]: the cubes of block b whose corner k is inside.
static void gather_inside(uint64_t corner[TESS_CUBE_CORNERS],
                          const struct tess_cube_block *blocks, size_t b)
{
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++)
        corner[k] = blocks[blocks[b].next[k]].inside;
    for (unsigned k = 0; k < 4; k++)
        corner[k | 4] = (corner[k] >> 1 & ~LAST_Z) | (corner[k | 4] << 3 & LAST_Z);
    for (unsigned i = 0; i < 4; i++) {
        unsigned k = (i & 1) | (i & 2) << 1;
        corner[k | 2] = (corner[k] >> 4 & ~LAST_Y) | (corner[k | 2] << 12 & LAST_Y);
    }
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k += 2)
        corner[k | 1] = corner[k] >> 16 | corner[k | 1] << 48;
}

// The cubes of a block that lie inside the grid.
static uint64_t cubes_in_grid(const struct tess_cube_grid *grid, uint64_t key)
{
    static const uint64_t below[3][4] = {
        {0, 0xffff, 0xffffffff, 0xffffffffffff},
        {0, 0x000f000f000f000f, 0x00ff00ff00ff00ff, 0x0fff0fff0fff0fff},
        {0, 0x1111111111111111, 0x3333333333333333, 0x7777777777777777}};
    uint64_t mask = UINT64_MAX;
    for (unsigned axis = 0; axis < 3; axis++) {
        uint32_t first = (uint32_t)(key >> (32 - 16 * axis) & 0xffff) * 4;
        uint32_t left =
            grid->resolution - (first < grid->resolution ? first : grid->resolution);
        if (left < 4)
            mask &= below[axis][left];
    }
    return mask;
}

// ---------------------------------------------------------------------------------------------
// Blocks
// ---------------------------------------------------------------------------------------------

static size_t first_slot(const struct tess_cube_grid *grid, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15); // 2^64 / golden ratio
    return (size_t)(mixed >> 32 ^ mixed >> 12) & (grid->slot_count - 1);
}

// 0 if there is no such block.
static uint32_t find_block(const struct tess_cube_grid *grid, uint64_t key)
{
    size_t at = first_slot(grid, key);
    while (grid->slots[at].block && grid->slots[at].key != key)
        at = (at + 1) & (grid->slot_count - 1);
    return grid->slots[at].block;
}

static void place_block(struct tess_cube_grid *grid, uint64_t key, uint32_t block)
{
    size_t at = first_slot(grid, key);
    while (grid->slots[at].block)
        at = (at + 1) & (grid->slot_count - 1);
    grid->slots[at] = (struct tess_cube_slot){.key = key, .block = block};
}

static enum tess_status grow_slots(struct tess_cube_grid *grid)
{
    struct tess_cube_slot *slots = NULL;
    size_t count = grid->slot_count * 2;
    TESS_TRY(
        tess_alloc(&slots, grid->env, count, sizeof *slots, "the table of grid blocks"));
    free(grid->slots);
    grid->slots = slots;
    grid->slot_count = count;
    for (size_t b = 1; b < grid->block_count; b++)
        place_block(grid, grid->blocks[b].key, (uint32_t)b);
    return TESS_OK;
}

static enum tess_status find_or_add_block(uint32_t *out, struct tess_cube_grid *grid,
                                          uint64_t key)
{
    *out = find_block(grid, key);
    if (*out)
        return TESS_OK;
    if (grid->block_count == MAX_BLOCKS)
        return tess_fail(grid->env, TESS_ERR_MEMORY,
                         "the cubes lie in more than %u blocks of 4^3", MAX_BLOCKS);
    if (grid->block_count * 2 >= grid->slot_count)
        TESS_TRY(grow_slots(grid));
    TESS_TRY(tess_grow(&grid->blocks, &grid->block_capacity, grid->env,
                       grid->block_count + 1, sizeof *grid->blocks, "grid blocks"));
    *out = (uint32_t)grid->block_count++;
    grid->blocks[*out] = (struct tess_cube_block){.key = key};
    place_block(grid, key, *out);
    return TESS_OK;
}

static enum tess_status fail_twice(const struct tess_cube_grid *grid, size_t row,
                                   const int32_t *c)
{
    size_t first = 0;
    while (grid->cells[first] != grid->cells[row])
        first++;
    return tess_fail(grid->env, TESS_ERR_FILE,
                     "cubes %zu and %zu are both at (%d, %d, %d)", first, row, c[0], c[1],
                     c[2]);
}

// Blocks for the cubes, their bits, and the cell of each row.
static enum tess_status mark_cubes(struct tess_cube_grid *grid, const int32_t *coords)
{
    uint64_t last_key = UINT64_MAX;
    uint32_t b = 0;
    for (size_t row = 0; row < grid->cubes; row++) {
        const int32_t *c = coords + 3 * row;
        uint32_t x = (uint32_t)c[0], y = (uint32_t)c[1], z = (uint32_t)c[2];
        if (x >= grid->resolution || y >= grid->resolution || z >= grid->resolution)
            return tess_fail(grid->env, TESS_ERR_FILE,
                             "cube %zu at (%d, %d, %d) is outside the grid of %u^3", row,
                             c[0], c[1], c[2], grid->resolution);
        uint64_t key = block_key(x >> 2, y >> 2, z >> 2);
        if (key != last_key)
            TESS_TRY(find_or_add_block(&b, grid, key));
        last_key = key;
        unsigned bit = tess_cube_bit(x, y, z);
        grid->cells[row] = b << 6 | bit;
        if (grid->blocks[b].cubes >> bit & 1)
            return fail_twice(grid, row, c);
        grid->blocks[b].cubes |= UINT64_C(1) << bit;
    }
    return TESS_OK;
}

// Blocks for all cubes that share a lattice point with an active one: the surface may
// pass there.
static enum tess_status add_neighbours(struct tess_cube_grid *grid)
{
    static const uint64_t sides[3][3] = {{0x000000000000ffff, UINT64_MAX, LAST_X},
                                         {0x000f000f000f000f, UINT64_MAX, LAST_Y},
                                         {0x1111111111111111, UINT64_MAX, LAST_Z}};
    size_t count = grid->block_count;
    for (size_t b = 1; b < count; b++) {
        uint64_t key = grid->blocks[b].key, cubes = grid->blocks[b].cubes;
        uint64_t x = key >> 32, y = key >> 16 & 0xffff, z = key & 0xffff;
        for (unsigned i = 0; i < 27; i++) {
            unsigned dx = i / 9, dy = i / 3 % 3, dz = i % 3; // 1: the block itself
            if (!(cubes & sides[0][dx] & sides[1][dy] & sides[2][dz]) || x + dx == 0 ||
                y + dy == 0 || z + dz == 0)
                continue;
            uint32_t ignored;
            TESS_TRY(find_or_add_block(&ignored, grid,
                                       block_key((uint32_t)(x + dx - 1),
                                                 (uint32_t)(y + dy - 1),
                                                 (uint32_t)(z + dz - 1))));
        }
    }
    return TESS_OK;
}

static void link_blocks(struct tess_cube_grid *grid)
{
    for (size_t b = 1; b < grid->block_count; b++)
        for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++)
            grid->blocks[b].next[k] =
                k ? find_block(grid, grid->blocks[b].key +
                                         block_key(k & 1, k >> 1 & 1, k >> 2 & 1))
                  : (uint32_t)b;
}

// Mark the touched lattice points; number cubes and points.
static enum tess_status number_cells(struct tess_cube_grid *grid)
{
    struct tess_cube_block *blocks = grid->blocks;
    for (size_t b = 1; b < grid->block_count; b++) {
        uint64_t points[TESS_CUBE_CORNERS];
        tess_cube_grid_spread(points, blocks[b].cubes);
        for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++)
            if (points[k])
                blocks[blocks[b].next[k]].points |= points[k];
    }
    size_t cubes = 0, points = 0;
    for (size_t b = 1; b < grid->block_count; b++) {
        blocks[b].cube0 = (uint32_t)cubes;
        blocks[b].point0 = (uint32_t)points;
        cubes += popcount(blocks[b].cubes);
        points += popcount(blocks[b].points);
    }
    if (points >= TESS_CUBE_NONE)
        return tess_fail(grid->env, TESS_ERR_MEMORY,
                         "the cubes touch %zu lattice points, less than 2^32 - 1 fit",
                         points);
    grid->points = points;
    for (size_t row = 0; row < grid->cubes; row++) {
        const struct tess_cube_block *block = &blocks[grid->cells[row] >> 6];
        grid->rows[block->cube0 + tess_cube_rank(block->cubes, grid->cells[row] & 63)] =
            (uint32_t)row;
    }
    return TESS_OK;
}

// ---------------------------------------------------------------------------------------------
// Public functions
// ---------------------------------------------------------------------------------------------

enum tess_status tess_cube_grid_init(struct tess_cube_grid *grid, struct tess_env *env,
                                     uint32_t resolution, const int32_t *coords,
                                     size_t cubes)
{
    assert(resolution >= 1 && resolution <= TESS_CUBE_GRID_MAX_RESOLUTION);
    *grid = (struct tess_cube_grid){
        .env = env, .resolution = resolution, .cubes = cubes, .slot_count = 64};
    if (cubes >= TESS_CUBE_NONE)
        return tess_fail(env, TESS_ERR_MEMORY, "%zu cubes, less than 2^32 - 1 fit",
                         cubes);
    TESS_TRY(tess_alloc(&grid->cells, env, cubes, sizeof *grid->cells, "cubes"));
    TESS_TRY(tess_alloc(&grid->rows, env, cubes, sizeof *grid->rows, "cubes"));
    TESS_TRY(tess_alloc(&grid->slots, env, grid->slot_count, sizeof *grid->slots,
                        "the table of grid blocks"));
    TESS_TRY(tess_grow(&grid->blocks, &grid->block_capacity, env, 1, sizeof *grid->blocks,
                       "grid blocks"));
    grid->blocks[grid->block_count++] = (struct tess_cube_block){.key = UINT64_MAX};
    TESS_TRY(mark_cubes(grid, coords));
    TESS_TRY(add_neighbours(grid));
    link_blocks(grid);
    return number_cells(grid);
}

void tess_cube_grid_clear(struct tess_cube_grid *grid)
{
    free(grid->blocks);
    free(grid->slots);
    free(grid->cells);
    free(grid->rows);
    memset(grid, 0, sizeof *grid);
}

uint64_t tess_cube_grid_crossed(uint64_t corners[TESS_CUBE_CORNERS],
                                const struct tess_cube_grid *grid, size_t block)
{
    uint64_t any = 0, all = UINT64_MAX;
    gather_inside(corners, grid->blocks, block);
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++) {
        any |= corners[k];
        all &= corners[k];
    }
    return any & ~all & cubes_in_grid(grid, grid->blocks[block].key);
}
