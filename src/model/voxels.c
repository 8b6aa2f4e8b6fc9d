// Orders of voxels.
#include "model/voxels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "op/matmul.h"
#include "op/neighbour.h"

#define SEEN_BYTES_MAX ((size_t)8 << 20) // of neighbours of tiles that were seen

struct keyed {
    uint64_t key;
    uint32_t row;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

// Bits of a coordinate below 1024, two zeros between each.
static uint64_t spread(int32_t coord)
{
    uint64_t bits = 0;
    for (int i = 0; i < 10; i++)
        bits |= (uint64_t)(coord >> i & 1) << 3 * i;
    return bits;
}

static uint64_t morton(const int32_t *coord)
{
    return spread(coord[0]) << 2 | spread(coord[1]) << 1 | spread(coord[2]);
}

enum tess_status tess_voxels_create(struct tess_voxels *out, struct tess_env *env,
                                    const int32_t *coords, size_t count)
{
    struct tess_voxels voxels = {.count = count};
    struct keyed *keys = NULL;
    enum tess_status status = tess_alloc(&keys, env, count, sizeof *keys, "voxel order");
    if (!status)
        status =
            tess_alloc(&voxels.coords, env, count, 3 * sizeof(int32_t), "voxel order");
    if (!status)
        status = tess_alloc(&voxels.source, env, count, sizeof(uint32_t), "voxel order");
    if (status) {
        free(keys);
        tess_voxels_clear(&voxels);
        return status;
    }
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct keyed){morton(coords + 3 * i), (uint32_t)i};
    qsort(keys, count, sizeof *keys, compare_keyed);
    for (size_t i = 0; i < count; i++) {
        voxels.source[i] = keys[i].row;
        memcpy(voxels.coords + 3 * i, coords + 3 * (size_t)keys[i].row,
               3 * sizeof(int32_t));
    }
    free(keys);
    *out = voxels;
    return TESS_OK;
}

enum tess_status tess_voxels_find_neighbours(struct tess_voxels *voxels,
                                             struct tess_env *env)
{
    if (voxels->neighbours)
        return TESS_OK;
    return tess_neighbours_find(&voxels->neighbours, env, voxels->coords, voxels->count);
}

void tess_voxels_clear(struct tess_voxels *voxels)
{
    free(voxels->coords);
    free(voxels->source);
    free(voxels->neighbours);
    memset(voxels, 0, sizeof *voxels);
}

static uint64_t window_key(const int32_t *coord, uint32_t size, uint32_t shift)
{
    uint64_t key = 0;
    for (int axis = 0; axis < 3 && size; axis++)
        key = key << 20 | ((uint32_t)coord[axis] + shift) / size;
    return key;
}

static enum tess_status alloc_windows(struct tess_windows *windows, struct tess_env *env,
                                      uint32_t queries)
{
    // A window has at most one unit that is not full.
    size_t units = windows->count / queries + windows->windows;
    TESS_TRY(
        tess_alloc(&windows->order, env, windows->count, sizeof(uint32_t), "windows"));
    TESS_TRY(
        tess_alloc(&windows->cuts, env, windows->windows, sizeof(uint32_t), "windows"));
    TESS_TRY(tess_alloc(&windows->unit_end, env, windows->windows, sizeof(uint32_t),
                        "windows"));
    return tess_alloc(&windows->units, env, units, sizeof *windows->units, "windows");
}

static void add_window(struct tess_windows *windows, size_t index, size_t start,
                       size_t end, uint32_t queries)
{
    for (size_t query = start; query < end; query += queries)
        windows->units[windows->unit_count++] = (struct tess_attention_unit){
            .query0 = (uint32_t)query,
            .queries = end - query < queries ? (uint32_t)(end - query) : queries,
            .key0 = (uint32_t)start,
            .keys = (uint32_t)(end - start),
        };
    windows->cuts[index] = (uint32_t)end;
    windows->unit_end[index] = (uint32_t)windows->unit_count;
}

enum tess_status tess_windows_create(struct tess_windows *out, struct tess_env *env,
                                     const struct tess_voxels *voxels, uint32_t size,
                                     uint32_t shift, uint32_t queries)
{
    size_t count = voxels->count;
    struct tess_windows windows = {.count = count};
    struct keyed *keys = NULL;
    TESS_TRY(tess_alloc(&keys, env, count, sizeof *keys, "windows"));
    for (size_t i = 0; i < count; i++)
        keys[i] =
            (struct keyed){window_key(voxels->coords + 3 * i, size, shift), (uint32_t)i};
    qsort(keys, count, sizeof *keys, compare_keyed);
    for (size_t i = 0; i < count; i++)
        windows.windows += i == 0 || keys[i].key != keys[i - 1].key;
    enum tess_status status = alloc_windows(&windows, env, queries);
    if (status) {
        free(keys);
        tess_windows_clear(&windows);
        return status;
    }
    size_t index = 0, start = 0;
    for (size_t i = 0; i < count; i++) {
        windows.order[i] = keys[i].row;
        if (i + 1 == count || keys[i + 1].key != keys[i].key) {
            add_window(&windows, index++, start, i + 1, queries);
            start = i + 1;
        }
    }
    free(keys);
    *out = windows;
    return TESS_OK;
}

void tess_windows_clear(struct tess_windows *windows)
{
    free(windows->order);
    free(windows->cuts);
    free(windows->unit_end);
    free(windows->units);
    memset(windows, 0, sizeof *windows);
}

// The window that ends at or first after `place`.
static size_t window_before(const struct tess_windows *windows, size_t place)
{
    size_t low = 0, high = windows->windows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (windows->cuts[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void tess_windows_units(size_t *unit0, size_t *units, double *pairs,
                        const struct tess_windows *windows, size_t row0, size_t rows)
{
    *unit0 = row0 ? windows->unit_end[window_before(windows, row0)] : 0;
    *units = windows->unit_end[window_before(windows, row0 + rows)] - *unit0;
    *pairs = 0;
    for (size_t i = *unit0; i < *unit0 + *units; i++)
        *pairs += (double)windows->units[i].queries * windows->units[i].keys;
}

enum tess_status tess_halo_create(struct tess_halo *out, struct tess_env *env,
                                  const struct tess_voxels *voxels, size_t row0,
                                  size_t rows)
{
    assert(voxels->neighbours);
    struct tess_halo halo = {.rows = rows};
    uint32_t *place = NULL; // of each voxel in ids, plus 1
    size_t capacity = 0, present = 0;
    enum tess_status status =
        tess_alloc(&place, env, voxels->count, sizeof *place, "a tile's neighbours");
    if (!status)
        status = tess_alloc(&halo.table, env, rows, 27 * sizeof(uint32_t),
                            "a tile's neighbours");
    if (!status)
        status = tess_grow(&halo.ids, &capacity, env, rows, sizeof(uint32_t),
                           "a tile's neighbours");
    for (size_t i = 0; i < rows && !status; i++) {
        halo.ids[i] = (uint32_t)(row0 + i);
        place[row0 + i] = (uint32_t)i + 1;
    }
    halo.count = rows;
    for (size_t i = 0; i < 27 * rows && !status; i++) {
        uint32_t voxel = voxels->neighbours[27 * row0 + i];
        halo.table[i] = TESS_NO_ROW;
        if (voxel == TESS_NO_ROW)
            continue;
        if (!place[voxel]) {
            status = tess_grow(&halo.ids, &capacity, env, halo.count + 1,
                               sizeof(uint32_t), "a tile's neighbours");
            if (status)
                break;
            halo.ids[halo.count++] = voxel;
            place[voxel] = (uint32_t)halo.count;
        }
        halo.table[i] = place[voxel] - 1;
        present++;
    }
    free(place);
    if (status) {
        tess_halo_clear(&halo);
        return status;
    }
    halo.density = (double)present / (27.0 * (double)rows);
    *out = halo;
    return TESS_OK;
}

void tess_halo_clear(struct tess_halo *halo)
{
    free(halo->ids);
    free(halo->table);
    memset(halo, 0, sizeof *halo);
}

enum tess_status tess_halos_find(const struct tess_halo **out, struct tess_halos *halos,
                                 struct tess_env *env, const struct tess_voxels *voxels,
                                 size_t row0, size_t rows)
{
    for (size_t i = 0; i < halos->count; i++)
        if (halos->seen[i].row0 == row0 && halos->seen[i].halo.rows == rows) {
            *out = &halos->seen[i].halo;
            return TESS_OK;
        }
    if (halos->bytes > SEEN_BYTES_MAX)
        tess_halos_clear(halos);
    TESS_TRY(tess_grow(&halos->seen, &halos->capacity, env, halos->count + 1,
                       sizeof *halos->seen, "tiles' neighbours"));
    struct tess_seen_halo *seen = &halos->seen[halos->count];
    seen->row0 = row0;
    TESS_TRY(tess_halo_create(&seen->halo, env, voxels, row0, rows));
    halos->bytes += (27 * rows + seen->halo.count) * sizeof(uint32_t);
    halos->count++;
    *out = &seen->halo;
    return TESS_OK;
}

void tess_halos_clear(struct tess_halos *halos)
{
    for (size_t i = 0; i < halos->count; i++)
        tess_halo_clear(&halos->seen[i].halo);
    free(halos->seen);
    *halos = (struct tess_halos){0};
}
