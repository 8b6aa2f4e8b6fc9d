// Neighbour tables.
#include "op/neighbour.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "op/matmul.h"

// Open addressing with linear probing, at most half full.
struct hash {
    uint64_t *keys; // key + 1; 0: free
    uint32_t *rows;
    size_t mask;
};

static uint64_t key_of(int32_t x, int32_t y, int32_t z)
{
    return (uint64_t)x << 40 | (uint64_t)y << 20 | (uint64_t)z;
}

static size_t slot_of(const struct hash *hash, uint64_t key)
{
    // The upper bits of the product: those below 40 do not know x.
    size_t slot = (size_t)((key + 1) * 0x9E3779B97F4A7C15ull >> 40) & hash->mask;
    while (hash->keys[slot] && hash->keys[slot] != key + 1)
        slot = (slot + 1) & hash->mask;
    return slot;
}

static uint32_t find_row(const struct hash *hash, int32_t x, int32_t y, int32_t z)
{
    if (x < 0 || y < 0 || z < 0)
        return TESS_NO_ROW;
    size_t slot = slot_of(hash, key_of(x, y, z));
    return hash->keys[slot] ? hash->rows[slot] : TESS_NO_ROW;
}

static enum tess_status make_hash(struct hash *hash, struct tess_env *env,
                                  const int32_t *coords, size_t count)
{
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    hash->mask = size - 1;
    TESS_TRY(tess_alloc(&hash->keys, env, size, sizeof *hash->keys, "voxel hash"));
    TESS_TRY(tess_alloc(&hash->rows, env, size, sizeof *hash->rows, "voxel hash"));
    for (size_t i = 0; i < count; i++) {
        const int32_t *c = coords + 3 * i;
        uint64_t key = key_of(c[0], c[1], c[2]);
        size_t slot = slot_of(hash, key);
        hash->keys[slot] = key + 1;
        hash->rows[slot] = (uint32_t)i;
    }
    return TESS_OK;
}

enum tess_status tess_neighbours_find(uint32_t **table, struct tess_env *env,
                                      const int32_t *coords, size_t count)
{
    struct hash hash = {0};
    uint32_t *rows = NULL;
    enum tess_status status = make_hash(&hash, env, coords, count);
    if (!status)
        status = tess_alloc(&rows, env, count, 27 * sizeof *rows, "neighbours");
    for (size_t i = 0; i < count && !status; i++)
        for (int tap = 0; tap < 27; tap++)
            rows[27 * i + (size_t)tap] = find_row(&hash, coords[3 * i] + tap / 9 - 1,
                                                  coords[3 * i + 1] + tap / 3 % 3 - 1,
                                                  coords[3 * i + 2] + tap % 3 - 1);
    free(hash.keys);
    free(hash.rows);
    if (!status)
        *table = rows;
    return status;
}

enum tess_status tess_neighbours_subdivide(struct tess_mat *index,
                                           struct tess_stage *stage, struct tess_mat base,
                                           unsigned level)
{
    size_t rows = base.rows << (3 * level);
    TESS_TRY(tess_mat_take(index, stage, rows, 27, TESS_U32, "neighbours"));
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "neighbour",
                              .kernel = "subdivide_neighbours",
                              .global = {27, rows},
                              .whole_rows = true,
                              .cut = 1,
                              .args = {TESS_SLICE(index->data), TESS_SLICE(base.data),
                                       TESS_U32ARG(level), TESS_U32ARG(rows)}});
}

enum tess_status tess_neighbours_grid(struct tess_mat *index, struct tess_stage *stage,
                                      size_t resolution, size_t plane0, size_t planes,
                                      size_t here0, size_t here_planes)
{
    size_t rows = planes * resolution * resolution;
    TESS_TRY(tess_mat_take(index, stage, rows, 27, TESS_U32, "neighbours"));
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "neighbour",
                              .kernel = "grid_neighbours",
                              .global = {27, rows},
                              .whole_rows = true,
                              .cut = 1,
                              .args = {TESS_SLICE(index->data), TESS_U32ARG(rows),
                                       TESS_U32ARG(resolution), TESS_U32ARG(plane0),
                                       TESS_U32ARG(here0), TESS_U32ARG(here_planes)}});
}
