// Orders of voxels, windows and halos, without a device.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "model/voxels.h"
#include "op/matmul.h"

static struct tess_env env;

// Some voxels of a cube, in an order that means nothing.
static int32_t *make_coords(size_t *count, int32_t side)
{
    int32_t *coords = malloc((size_t)(side * side * side) * 3 * sizeof *coords);
    uint32_t seed = 7;
    *count = 0;
    for (int32_t i = 0; i < side * side * side; i++) {
        int32_t at = (int32_t)(((uint32_t)i * 7919u) % (uint32_t)(side * side * side));
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 30)
            continue;
        coords[3 * *count] = at / (side * side);
        coords[3 * *count + 1] = at / side % side;
        coords[3 * (*count)++ + 2] = at % side;
    }
    return coords;
}

static void orders_are_permutations(void **state)
{
    (void)state;
    size_t count;
    int32_t *coords = make_coords(&count, 11);
    struct tess_voxels voxels;
    assert_int_equal(tess_voxels_create(&voxels, &env, coords, count), TESS_OK);
    char *seen = calloc(count, 1);
    for (size_t i = 0; i < count; i++) {
        assert_true(voxels.source[i] < count && !seen[voxels.source[i]]);
        seen[voxels.source[i]] = 1;
        assert_memory_equal(voxels.coords + 3 * i, coords + 3 * voxels.source[i],
                            3 * sizeof *coords);
    }
    // Aligned cubes of 8 are runs of voxels: 2³ blocks follow one another.
    size_t runs = 0, blocks = 0;
    char *block_seen = calloc(6 * 6 * 6, 1);
    for (size_t i = 0; i < count; i++) {
        const int32_t *c = voxels.coords + 3 * i;
        int32_t block = c[0] / 2 * 36 + c[1] / 2 * 6 + c[2] / 2;
        const int32_t *p = i ? c - 3 : c;
        runs += i == 0 || block != p[0] / 2 * 36 + p[1] / 2 * 6 + p[2] / 2;
        blocks += !block_seen[block];
        block_seen[block] = 1;
    }
    assert_int_equal(runs, blocks);
    free(block_seen);
    free(seen);
    free(coords);
    tess_voxels_clear(&voxels);
}

static bool same_window(const int32_t *a, const int32_t *b, uint32_t size, uint32_t shift)
{
    for (int axis = 0; axis < 3 && size; axis++)
        if (((uint32_t)a[axis] + shift) / size != ((uint32_t)b[axis] + shift) / size)
            return false;
    return true;
}

static void check_windows(uint32_t size, uint32_t shift, uint32_t queries)
{
    size_t count;
    int32_t *coords = make_coords(&count, 9);
    struct tess_voxels voxels;
    struct tess_windows windows;
    assert_int_equal(tess_voxels_create(&voxels, &env, coords, count), TESS_OK);
    assert_int_equal(tess_windows_create(&windows, &env, &voxels, size, shift, queries),
                     TESS_OK);
    assert_int_equal(windows.cuts[windows.windows - 1], count);
    assert_int_equal(windows.unit_end[windows.windows - 1], windows.unit_count);
    size_t window = 0, start = 0, next_query = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t *a = voxels.coords + 3 * windows.order[i];
        const int32_t *first = voxels.coords + 3 * windows.order[start];
        assert_true(same_window(a, first, size, shift));
        if (i + 1 < windows.cuts[window])
            continue;
        if (i + 1 < count)
            assert_false(
                same_window(a, voxels.coords + 3 * windows.order[i + 1], size, shift));
        window++;
        start = i + 1;
    }
    assert_int_equal(window, windows.windows);
    // Units cover all queries once, each with the keys of its window.
    for (size_t u = 0; u < windows.unit_count; u++) {
        const struct tess_attention_unit *unit = &windows.units[u];
        assert_int_equal(unit->query0, next_query);
        assert_true(unit->queries >= 1 && unit->queries <= queries);
        assert_true(unit->query0 >= unit->key0 &&
                    unit->query0 + unit->queries <= unit->key0 + unit->keys);
        next_query += unit->queries;
    }
    assert_int_equal(next_query, count);
    // The units of a tile of whole windows.
    for (size_t a = 0; a < windows.windows; a += 3)
        for (size_t b = a; b < windows.windows; b += 2) {
            size_t unit0, units, row0 = a ? windows.cuts[a - 1] : 0;
            double pairs;
            tess_windows_units(&unit0, &units, &pairs, &windows, row0,
                               windows.cuts[b] - row0);
            assert_int_equal(windows.units[unit0].query0, row0);
            assert_int_equal(unit0 + units, windows.unit_end[b]);
        }
    free(coords);
    tess_windows_clear(&windows);
    tess_voxels_clear(&voxels);
}

static void windows_group_voxels(void **state)
{
    (void)state;
    check_windows(4, 0, 8);
    check_windows(4, 2, 8);
    check_windows(3, 1, 5);
    check_windows(8, 4, 64);
    check_windows(1, 0, 8);
    check_windows(0, 0, 8); // one window of all
}

static bool has_voxel(const int32_t *coords, size_t count, const int32_t *at)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(coords + 3 * i, at, 3 * sizeof *at) == 0)
            return true;
    return false;
}

static void halos_name_all_neighbours(void **state)
{
    (void)state;
    size_t count;
    int32_t *coords = make_coords(&count, 6);
    struct tess_voxels voxels;
    assert_int_equal(tess_voxels_create(&voxels, &env, coords, count), TESS_OK);
    assert_int_equal(tess_voxels_find_neighbours(&voxels, &env), TESS_OK);
    for (size_t row0 = 0; row0 < count; row0 += 13) {
        size_t rows = count - row0 < 13 ? count - row0 : 13;
        struct tess_halo halo;
        assert_int_equal(tess_halo_create(&halo, &env, &voxels, row0, rows), TESS_OK);
        for (size_t i = 0; i < rows; i++)
            assert_int_equal(halo.ids[i], row0 + i);
        for (size_t i = 0; i < halo.count; i++)
            for (size_t k = i + 1; k < halo.count; k++)
                assert_int_not_equal(halo.ids[i], halo.ids[k]);
        size_t present = 0;
        for (size_t i = 0; i < rows * 27; i++) {
            const int32_t *c = voxels.coords + 3 * (row0 + i / 27);
            int32_t tap = (int32_t)(i % 27),
                    at[3] = {c[0] + tap / 9 - 1, c[1] + tap / 3 % 3 - 1,
                             c[2] + tap % 3 - 1};
            if (!has_voxel(voxels.coords, count, at)) {
                assert_int_equal(halo.table[i], TESS_NO_ROW);
                continue;
            }
            assert_memory_equal(voxels.coords + 3 * halo.ids[halo.table[i]], at,
                                sizeof at);
            present++;
        }
        assert_true(present > rows && present < 27 * rows);
        assert_true(halo.density == (double)present / (27.0 * (double)rows));
        tess_halo_clear(&halo);
    }
    free(coords);
    tess_voxels_clear(&voxels);
}

// Tiles of several sizes, in turns, more than are kept: what is found is what is made.
static void seen_halos_are_the_same(void **state)
{
    (void)state;
    size_t count;
    int32_t *coords = make_coords(&count, 16);
    struct tess_voxels voxels;
    struct tess_halos halos = {0};
    assert_int_equal(tess_voxels_create(&voxels, &env, coords, count), TESS_OK);
    assert_int_equal(tess_voxels_find_neighbours(&voxels, &env), TESS_OK);
    static const size_t sizes[] = {40, 40, 64, 40, 7, 64};
    const struct tess_halo *first = NULL, *found;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (size_t row0 = 0; row0 < count; row0 += sizes[k]) {
            size_t rows = count - row0 < sizes[k] ? count - row0 : sizes[k];
            struct tess_halo halo;
            assert_int_equal(tess_halo_create(&halo, &env, &voxels, row0, rows), TESS_OK);
            assert_int_equal(tess_halos_find(&found, &halos, &env, &voxels, row0, rows),
                             TESS_OK);
            assert_true(found->rows == rows && found->count == halo.count &&
                        found->density == halo.density);
            assert_memory_equal(found->ids, halo.ids, halo.count * sizeof *halo.ids);
            assert_memory_equal(found->table, halo.table, 27 * rows * sizeof *halo.table);
            tess_halo_clear(&halo);
        }
    size_t seen = halos.count;
    assert_int_equal(tess_halos_find(&first, &halos, &env, &voxels, 0, 40), TESS_OK);
    assert_int_equal(tess_halos_find(&found, &halos, &env, &voxels, 0, 40), TESS_OK);
    assert_true(first == found && halos.count == seen);
    // Enough of them are forgotten.
    for (size_t row0 = 0; halos.count >= seen; row0 = (row0 + 1) % (count - 100))
        assert_int_equal(tess_halos_find(&found, &halos, &env, &voxels, row0, 100),
                         TESS_OK);
    assert_in_range(halos.bytes, 1, (size_t)1 << 20);
    tess_halos_clear(&halos);
    assert_true(halos.count == 0 && halos.bytes == 0 && !halos.seen);
    free(coords);
    tess_voxels_clear(&voxels);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_permutations),
        cmocka_unit_test(windows_group_voxels),
        cmocka_unit_test(halos_name_all_neighbours),
        cmocka_unit_test(seen_halos_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
