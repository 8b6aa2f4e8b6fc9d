// Launches in many pieces make the same bytes as launches in one, count the same, and are
// told by kernel. Programs that dry launches name are taken from the cache ahead of their
// first launch.
#include "ops_common.h"

#include <dirent.h>
#include <unistd.h>

#include "op/layout.h"
#include "op/norm.h"
#include "rt/opencl.h"

#define ROWS       331
#define COLS       70
#define BOTH       (2 * COLS)
#define GROUP_ROWS 8 // of elements, as the program's own table has it

struct work {
    const float *x, *y;
    float *out; // [ROWS][BOTH]
};

// Kernels that count FLOP (layernorm) and kernels that do not (place_columns).
static enum tess_status run_work(struct tess_stage *stage, void *user)
{
    const struct work *w = user;
    struct tess_mat x = ops_upload(stage, ROWS, COLS, w->x),
                    y = ops_upload(stage, ROWS, COLS, w->y),
                    out = ops_take(stage, ROWS, BOTH);
    for (int i = 0; i < 2; i++) {
        TESS_TRY(tess_layernorm(
            stage, &(struct tess_layernorm){.out = x, .in = x, .eps = 1e-5f}));
        TESS_TRY(tess_add(stage, x, y));
    }
    TESS_TRY(tess_place_columns(stage, out, x, 0));
    TESS_TRY(tess_place_columns(stage, out, y, COLS));
    ops_download(stage, out, w->out);
    return TESS_OK;
}

static struct tess_counters run_with(struct work *work, enum tess_variant variant,
                                     uint64_t max_launch_ns)
{
    struct ops *ops = calloc(1, sizeof *ops);
    struct tess_stage_report report;
    assert_int_equal(
        tess_device_open(&ops->dev, &ops->env,
                         &(struct tess_device_params){.variant = variant,
                                                      .max_launch_ns = max_launch_ns}),
        TESS_OK);
    assert_int_equal(tess_budget_init(&ops->budget, ops->dev, 0, 0), TESS_OK);
    memset(work->out, 0xff, ROWS * BOTH * sizeof(float));
    assert_int_equal(
        tess_stage_run(&report, ops->dev, &ops->budget, "test", run_work, work), TESS_OK);
    // The names go with the device.
    static const char *const names[] = {"layernorm", "add", "place_columns"};
    uint64_t ns = 0, longest = 0;
    assert_int_equal(report.counters.kernel_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct tess_kernel_times *times = &report.counters.kernels[i];
        assert_string_equal(times->name, names[i]);
        assert_true(times->launches >= 2 && times->longest_ns <= times->ns);
        times->name = names[i];
        ns += times->ns;
        longest = times->longest_ns > longest ? times->longest_ns : longest;
    }
    assert_true(ns == report.counters.kernel_ns);
    assert_true(longest == report.counters.longest_ns);
    // No launch takes less, on any device, than tells it from a driver without a clock.
    assert_true(ns >= 100 * (uint64_t)report.counters.launches);
    ops_close(ops);
    return report.counters;
}

static void cut_launches(enum tess_variant variant)
{
    float *x = ops_floats(ROWS * COLS, 1), *y = ops_floats(ROWS * COLS, 2),
          *whole = malloc(ROWS * BOTH * sizeof *whole),
          *cut = malloc(ROWS * BOTH * sizeof *cut);
    struct work work = {x, y, whole};
    struct tess_counters in_one = run_with(&work, variant, 0);
    work.out = cut;
    struct tess_counters in_many = run_with(&work, variant, 1); // a group each
    assert_memory_equal(cut, whole, ROWS * BOTH * sizeof *cut);
    assert_true(in_one.launches == 6 && in_many.launches == 6);
    assert_true(in_one.flop == in_many.flop);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(in_one.kernels[i].launches == 2);
        assert_true(in_many.kernels[i].launches >= 2 * (ROWS / GROUP_ROWS));
    }
    free(x);
    free(y);
    free(whole);
    free(cut);
}
OPS_TEST(cut_launches)

// Cut files of a folder to half their length, or remove them and the folder.
static void damage_or_remove(const char *folder, bool damage)
{
    char path[600];
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(damage ? truncate(path, 700) : unlink(path), 0);
    }
    closedir(dir);
    if (!damage)
        assert_int_equal(rmdir(folder), 0);
}

// Whether the program of a kernel that the work launches was there some time before its
// launch; and what the work makes, with the launch after that.
static bool run_after(unsigned wait_ms, struct work *work, const char *cache_dir)
{
    struct ops *ops = calloc(1, sizeof *ops);
    struct tess_stage_report report;
    assert_int_equal(
        tess_device_open(&ops->dev, &ops->env,
                         &(struct tess_device_params){.cache_dir = cache_dir}),
        TESS_OK);
    assert_int_equal(tess_budget_init(&ops->budget, ops->dev, 0, 0), TESS_OK);
    tess_device_build_ahead(ops->dev);
    assert_int_equal(
        tess_stage_plan(&report, ops->dev, &ops->budget, "test", run_work, work, false),
        TESS_OK);
    usleep(1000 * wait_ms);
    cl_program program = tess_ahead_take(ops->dev->ahead, "layout", "");
    assert_null(tess_ahead_take(ops->dev->ahead, "layout", "")); // it is given away
    assert_null(tess_ahead_take(ops->dev->ahead, "layout", "-DNEVER_NAMED"));
    if (program)
        clReleaseProgram(program);
    memset(work->out, 0xff, ROWS * BOTH * sizeof(float));
    assert_int_equal(
        tess_stage_run(&report, ops->dev, &ops->budget, "test", run_work, work), TESS_OK);
    // What is never launched is no one's.
    tess_ahead_want(ops->dev->ahead, "layout", "-DNEVER_LAUNCHED");
    tess_ahead_want(ops->dev->ahead, "no such file", "");
    ops_close(ops);
    return program != NULL;
}

// The same with more and more time for the thread.
static bool run_ahead(struct work *work, const char *cache_dir)
{
    bool there = false;
    for (unsigned wait_ms = 1; wait_ms < 2000 && !there; wait_ms *= 4)
        there = run_after(wait_ms, work, cache_dir);
    return there;
}

static void test_ahead(void **state)
{
    (void)state;
    char folder[256];
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.200s/tess-cache-XXXXXX", root ? root : "/tmp");
    assert_non_null(mkdtemp(folder));
    float *x = ops_floats(ROWS * COLS, 1), *y = ops_floats(ROWS * COLS, 2),
          *first = malloc(ROWS * BOTH * sizeof *first),
          *other = malloc(ROWS * BOTH * sizeof *other);
    struct work work = {x, y, first};
    assert_false(run_after(300, &work, folder)); // nothing is cached
    work.out = other;
    assert_true(run_ahead(&work, folder));
    assert_memory_equal(other, first, ROWS * BOTH * sizeof *other);
    damage_or_remove(folder, true);
    assert_false(run_after(300, &work, folder));
    assert_memory_equal(other, first, ROWS * BOTH * sizeof *other);
    assert_true(run_ahead(&work, folder));
    assert_false(run_after(1, &work, "")); // no cache
    assert_memory_equal(other, first, ROWS * BOTH * sizeof *other);
    damage_or_remove(folder, false);
    free(x);
    free(y);
    free(first);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {OPS_BOTH(cut_launches),
                                       cmocka_unit_test(test_ahead)};
    return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
