// Coordinates of sparse voxels in files.
#include "io/coords.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MAX_VOXELS ((size_t)1 << 30) // more than the cube holds would have some twice

enum tess_status tess_coords_check_count(struct tess_env *env, const char *path,
                                         const struct tess_file_tensor *tensor)
{
    size_t N = tensor->shape[0];
    if (N == 0)
        return tess_fail(env, TESS_ERR_FILE, "%s: tensor coords has no voxel", path);
    if (N > MAX_VOXELS)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor coords has %zu voxels, expected at most %zu", path,
                         N, MAX_VOXELS);
    return TESS_OK;
}

static enum tess_status read_row(int32_t *out, struct tess_env *env, const char *path,
                                 const struct tess_file_tensor *tensor, size_t i,
                                 uint32_t resolution)
{
    int32_t row[4];
    memcpy(row, (const uint8_t *)tensor->data + sizeof row * i, sizeof row);
    if (row[0] != 0)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor coords row %zu is [%d,%d,%d,%d], expected batch 0",
                         path, i, row[0], row[1], row[2], row[3]);
    for (int j = 1; j < 4; j++)
        if (row[j] < 0 || (uint32_t)row[j] >= resolution)
            return tess_fail(env, TESS_ERR_FILE,
                             "%s: tensor coords row %zu is [%d,%d,%d,%d], expected "
                             "coordinates in 0..%u",
                             path, i, row[0], row[1], row[2], row[3],
                             (unsigned)resolution - 1);
    memcpy(out, row + 1, 3 * sizeof *out);
    return TESS_OK;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

// Sorts (voxel, row), each in 32 bits.
static enum tess_status check_distinct(const int32_t *coords, size_t voxels,
                                       struct tess_env *env, const char *path)
{
    uint64_t *keys = NULL;
    TESS_TRY(tess_alloc(&keys, env, voxels, sizeof *keys, "voxels"));
    for (size_t i = 0; i < voxels; i++) {
        const int32_t *c = coords + 3 * i;
        uint64_t voxel = (uint64_t)c[0] << 20 | (uint64_t)c[1] << 10 | (uint64_t)c[2];
        keys[i] = voxel << 32 | i;
    }
    qsort(keys, voxels, sizeof *keys, compare_keys);
    enum tess_status status = TESS_OK;
    for (size_t i = 1; i < voxels && !status; i++) {
        if (keys[i - 1] >> 32 != keys[i] >> 32)
            continue;
        size_t first = (uint32_t)keys[i - 1], second = (uint32_t)keys[i];
        const int32_t *c = coords + 3 * first;
        status = tess_fail(env, TESS_ERR_FILE,
                           "%s: tensor coords rows %zu and %zu are the same voxel "
                           "[%d,%d,%d], expected each once",
                           path, first, second, c[0], c[1], c[2]);
    }
    free(keys);
    return status;
}

enum tess_status tess_coords_read(int32_t *coords, struct tess_env *env, const char *path,
                                  const struct tess_file_tensor *tensor,
                                  uint32_t resolution)
{
    TESS_TRY(tess_coords_check_count(env, path, tensor));
    size_t voxels = tensor->shape[0];
    for (size_t i = 0; i < voxels; i++)
        TESS_TRY(read_row(coords + 3 * i, env, path, tensor, i, resolution));
    return check_distinct(coords, voxels, env, path);
}

enum tess_status tess_coords_tensor(struct tess_file_tensor *out, int32_t **rows,
                                    struct tess_env *env, const int32_t *coords,
                                    size_t voxels)
{
    TESS_TRY(tess_alloc(rows, env, voxels, 4 * sizeof **rows, "voxels"));
    for (size_t i = 0; i < voxels; i++)
        memcpy(*rows + 4 * i + 1, coords + 3 * i, 3 * sizeof **rows);
    *out = (struct tess_file_tensor){.name = "coords",
                                     .dtype = TESS_I32,
                                     .dims = 2,
                                     .shape = {voxels, 4},
                                     .data = *rows};
    return TESS_OK;
}
