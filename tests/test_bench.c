// What benchmarks count, against counting one by one; medians, operators that do not fit,
// and the object that is finished. No OpenCL is needed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/object.h"
#include "op/neighbour.h"

static struct tess_context *open_context(void)
{
    struct tess_context *ctx = NULL;
    assert_int_equal(
        tess_context_create(&ctx, &(struct tess_context_params){.plan_only = true}, NULL),
        TESS_OK);
    return ctx;
}

static const struct tess_operator *find(const struct tess_operator *table, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    fail_msg("no operator %s", name);
    return NULL;
}

// ---- counting ----

static double prepared_flop(struct tess_context *ctx, const char *name, size_t rows)
{
    const struct tess_operator *op =
        find(tess_sparse_operators, tess_sparse_operator_count, name);
    struct tess_bench_rate rate = {0};
    struct tess_measure measure = {.ctx = ctx, .op = op, .rate = &rate, .rows = rows};
    assert_int_equal(op->prepare(&measure), TESS_OK);
    op->clear(&measure);
    assert_true(rate.work == rate.flop);
    return rate.flop;
}

static void test_windows_count_pairs_that_exist(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context();
    static const size_t sizes[] = {1, 77, 1500};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct tess_voxels voxels = {0};
        assert_int_equal(tess_bench_shell(&voxels, &ctx->env, sizes[s]), TESS_OK);
        double pairs = 0;
        for (size_t i = 0; i < sizes[s]; i++)
            for (size_t k = 0; k < sizes[s]; k++) {
                const int32_t *a = voxels.coords + 3 * i, *b = voxels.coords + 3 * k;
                pairs +=
                    a[0] / 8 == b[0] / 8 && a[1] / 8 == b[1] / 8 && a[2] / 8 == b[2] / 8;
            }
        tess_voxels_clear(&voxels);
        assert_true(prepared_flop(ctx, "windowed attention", sizes[s]) ==
                    4 * pairs * 12 * 64);
    }
    tess_context_destroy(&ctx);
}

// Whether a voxel of the grid that was subdivided twice exists.
static bool exists(const bool *grid, const int *at)
{
    const int R = TESS_BENCH_RESOLUTION;
    for (int axis = 0; axis < 3; axis++)
        if (at[axis] < 0 || at[axis] >= 4 * R)
            return false;
    return grid[(at[0] / 4 * R + at[1] / 4) * R + at[2] / 4];
}

static double count_neighbours(const struct tess_voxels *voxels, const bool *grid)
{
    double count = 0;
    for (size_t i = 0; i < 64 * voxels->count; i++)
        for (int tap = 0; tap < 27; tap++) {
            const int32_t *c = voxels->coords + 3 * (i / 64);
            int child = (int)(i % 64);
            int at[3] = {4 * c[0] + child / 16 + tap / 9 - 1,
                         4 * c[1] + child / 4 % 4 + tap / 3 % 3 - 1,
                         4 * c[2] + child % 4 + tap % 3 - 1};
            count += exists(grid, at);
        }
    return count;
}

static void test_convolutions_count_neighbours_that_exist(void **state)
{
    (void)state;
    const size_t R = TESS_BENCH_RESOLUTION;
    struct tess_context *ctx = open_context();
    static const size_t sizes[] = {1, 20, 700};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct tess_voxels voxels = {0};
        bool *grid = calloc(R * R * R, sizeof *grid);
        assert_int_equal(tess_bench_shell(&voxels, &ctx->env, sizes[s]), TESS_OK);
        for (size_t i = 0; i < sizes[s]; i++) {
            const int32_t *c = voxels.coords + 3 * i;
            grid[((size_t)c[0] * R + (size_t)c[1]) * R + (size_t)c[2]] = true;
        }
        double neighbours = count_neighbours(&voxels, grid);
        free(grid);
        tess_voxels_clear(&voxels);
        assert_true(prepared_flop(ctx, "sparse convolution", sizes[s]) ==
                    2 * neighbours * 96 * 96);
    }
    tess_context_destroy(&ctx);
}

// ---- samples ----

static enum tess_status prepare_rows(struct tess_measure *measure)
{
    tess_measure_size(measure, "%zu rows", measure->rows);
    measure->rate->work = (double)measure->rows;
    return TESS_OK;
}

static enum tess_status sample_up_to_ten(struct tess_measure *measure)
{
    static const double seconds[] = {4, 1, 3, 2};
    if (measure->rows > 10)
        return tess_fail(&measure->ctx->env, TESS_ERR_BUDGET, "too many rows");
    double taken = seconds[measure->count % 4];
    tess_measure_add(measure, taken, 10 * taken);
    return TESS_OK;
}

static void clear_nothing(struct tess_measure *measure)
{
    (void)measure;
}

static void test_medians_of_rows_that_fit(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context();
    struct tess_operator op = {.name = "rows",
                               .unit = "rows",
                               .rows = {100, 100, 100},
                               .prepare = prepare_rows,
                               .sample = sample_up_to_ten,
                               .clear = clear_nothing};
    for (int on_host = 0; on_host < 2; on_host++) {
        struct tess_bench_rate rate = {0};
        struct tess_measure measure = {.ctx = ctx, .op = &op, .rate = &rate};
        op.on_host = on_host;
        assert_int_equal(tess_measure_begin(&measure), TESS_OK);
        for (int i = 0; i < 3; i++)
            assert_int_equal(tess_measure_again(&measure), TESS_OK);
        tess_measure_end(&measure);
        assert_string_equal(rate.size, "6 rows");
        assert_string_equal(rate.note, "");
        assert_int_equal(rate.samples, 4);
        assert_true(rate.seconds == (on_host ? 25 : 2.5));
        assert_true(rate.least_seconds == (on_host ? 10 : 1));
        assert_true(rate.elapsed_seconds == 25);
        assert_true(rate.rate == 6 / rate.seconds);
    }
    tess_context_destroy(&ctx);
}

static void test_a_note_where_nothing_fits(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context();
    struct tess_operator op = {.name = "rows",
                               .unit = "rows",
                               .rows = {1 << 20, 1 << 20, 1 << 20},
                               .prepare = prepare_rows,
                               .sample = sample_up_to_ten,
                               .clear = clear_nothing};
    struct tess_bench_rate rate = {0};
    struct tess_measure measure = {.ctx = ctx, .op = &op, .rate = &rate};
    assert_int_equal(tess_measure_begin(&measure), TESS_OK);
    assert_int_equal(tess_measure_again(&measure), TESS_OK);
    tess_measure_end(&measure);
    assert_string_equal(rate.size, "1048576 rows");
    assert_non_null(strstr(rate.note, "too small"));
    assert_true(rate.seconds == 0 && rate.rate == 0 && rate.samples == 0);
    tess_context_destroy(&ctx);
}

// As decoded meshes are: an outer and an inner wall, each a closed torus.
static void test_an_object_is_a_hollow_ring(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context();
    struct tess_asset *asset = NULL;
    struct tess_mesh_info info;
    assert_int_equal(tess_bench_object(&asset, ctx, 1600, 32), TESS_OK);
    assert_int_equal(tess_asset_mesh_info(&info, asset, ctx, false), TESS_OK);
    assert_int_equal(info.components, 2);
    assert_int_equal(info.boundary_edges, 0);
    assert_int_equal(info.non_manifold_edges, 0);
    assert_int_equal(info.inconsistent_edges, 0);
    assert_int_equal(info.vertices, info.faces / 2); // V - E + F = 0 and 3 F = 2 E
    assert_true(info.faces > 60000 && info.faces < 90000);
    // Of a wall 0.6 voxels thick, with two sides.
    assert_true(fabs(info.volume / (0.5 * info.area * 0.6 / 32) - 1) < 0.05);
    assert_int_equal(asset->splats.count % TESS_BENCH_SPLATS, 0);
    for (size_t i = 0; i < 3 * asset->splats.count; i++)
        assert_true(asset->splats.positions[i] >= -0.5f &&
                    asset->splats.positions[i] <= 0.5f);
    tess_asset_destroy(&asset);
    tess_context_destroy(&ctx);
}

static void test_objects_have_as_many_voxels(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context();
    static const struct {
        size_t voxels;
        uint32_t resolution;
        double low, high; // of the voxels that were asked for
    } cases[] = {{10240, 64, 0.95, 1.05}, {1600, 32, 0.95, 1.05}, {100, 32, 0.9, 1.1},
                 {1, 64, 1, 8},           {1, 1, 1, 1},           {4096, 16, 0.05, 0.3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tess_asset *asset = NULL;
        assert_int_equal(
            tess_bench_object(&asset, ctx, cases[i].voxels, cases[i].resolution),
            TESS_OK);
        double share =
            (double)asset->splats.count / (double)(TESS_BENCH_SPLATS * cases[i].voxels);
        assert_true(asset->mesh.faces > 0);
        assert_true(share >= cases[i].low && share <= cases[i].high);
        tess_asset_destroy(&asset);
    }
    tess_context_destroy(&ctx);
}

static void test_bad_parameters(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context();
    struct tess_bench *bench = NULL;
    assert_int_equal(
        tess_bench_run(&bench, ctx, &(struct tess_bench_params){.samples = 33}),
        TESS_ERR_ARG);
    assert_int_equal(tess_bench_run(&bench, ctx, &(struct tess_bench_params){.form = 3}),
                     TESS_ERR_ARG);
    assert_int_equal(tess_bench_run(&bench, ctx, NULL), TESS_ERR_DEVICE);
    assert_null(bench);
    tess_bench_destroy(&bench);
    tess_context_destroy(&ctx);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_count_pairs_that_exist),
        cmocka_unit_test(test_convolutions_count_neighbours_that_exist),
        cmocka_unit_test(test_medians_of_rows_that_fit),
        cmocka_unit_test(test_a_note_where_nothing_fits),
        cmocka_unit_test(test_an_object_is_a_hollow_ring),
        cmocka_unit_test(test_objects_have_as_many_voxels),
        cmocka_unit_test(test_bad_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
