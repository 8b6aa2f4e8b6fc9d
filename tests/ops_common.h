// For the operator tests: devices with either shape of kernels, stages that run one
// function, random data, and comparisons with references in double.
//
// TESS_TINY=1 and TESS_ONCE=1 leave out cases, see asked.h; TESS_VARIANT=gpu leaves only
// the kernels for GPUs. `--bench` in place of tests prints what the operators reach.
#ifndef OPS_COMMON_H
#define OPS_COMMON_H

// cmocka.h needs these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amx_emulator.h"
#include "asked.h"
#include "mem/stage.h"
#include "op/matrix_unit.h"
#include "op/weight.h"
#include "rt/tuning.h"

struct ops {
    struct tess_env env;
    struct tess_device *dev;
    struct tess_budget budget;
    enum tess_variant variant;
    struct tess_tuning tuning; // the device's own
};

static inline void ops_print_log(void *user, enum tess_log_level level, const char *text)
{
    (void)user, (void)level;
    fprintf(stderr, "# %s\n", text);
}

// TESS_VARIANT=gpu: the kernels for CPUs are not for this device.
static inline bool ops_unsuited(enum tess_variant variant)
{
    const char *only = getenv("TESS_VARIANT");
    return variant == TESS_VARIANT_CPU && only && strcmp(only, "gpu") == 0;
}

// Devices that no test has now, by variant: a program is made once for all tests. The
// cache is not for that, since PoCL compiles all kernels once more before it hands a
// program over.
static struct ops *ops_kept[TESS_VARIANT_GPU + 1];

static inline struct ops *ops_open(enum tess_variant variant)
{
    struct ops *ops = ops_kept[variant];
    enum tess_status status = TESS_OK;
    if (!ops) {
        ops = calloc(1, sizeof *ops);
        ops->variant = variant;
        ops->env.log = ops_print_log;
        status = tess_device_open(
            &ops->dev, &ops->env,
            &(struct tess_device_params){.variant = variant, .cache_dir = ""});
        if (!status)
            ops->tuning = *tess_device_tuning(ops->dev);
    }
    ops_kept[variant] = NULL;
    if (!status)
        status = tess_budget_init(&ops->budget, ops->dev, 0, 0);
    if (status)
        fprintf(stderr, "# %s\n", ops->env.message);
    assert_int_equal(status, TESS_OK);
    return ops;
}

// With products by a matrix unit; NULL: by none.
static inline struct ops *ops_open_unit(enum tess_variant variant, const char *unit,
                                        bool fast)
{
    struct ops *ops = ops_open(variant);
    if (!unit)
        return ops;
    assert_int_equal(setenv("TESSELLA_MATRIX_UNIT", unit, 1), 0);
    assert_int_equal(tess_matrix_unit_choose(ops->dev, &ops->budget, fast), TESS_OK);
    assert_string_equal(tess_matrix_unit_name(tess_device_unit(ops->dev)), unit);
    return ops;
}

static inline void ops_close(struct ops *ops)
{
    assert_int_equal(tess_device_used(ops->dev), 0);
    if (!ops_kept[ops->variant]) {
        tess_device_set_unit(ops->dev, TESS_UNIT_NONE);
        tess_device_set_tuning(ops->dev, &ops->tuning);
        ops_kept[ops->variant] = ops;
        return;
    }
    tess_device_close(&ops->dev);
    free(ops);
}

// Whether the CPU has the unit; it need not, of a portable one.
static inline bool ops_has_unit(const char *name, bool fast)
{
    struct ops *ops = ops_open(TESS_VARIANT_CPU);
    enum tess_matrix_unit there = tess_matrix_unit_expected(ops->dev, fast);
    bool has =
        strstr(name, "portable") || strcmp(tess_matrix_unit_name(there), name) == 0;
    for (int i = 0; fast && i < TESS_UNIT_COUNT; i++) {
        enum tess_matrix_unit unit = (enum tess_matrix_unit)i;
        has |= strcmp(tess_matrix_unit_name(unit), name) == 0 &&
               tess_matrix_unit_integers(unit) > 0 &&
               tess_device_has_integers(ops->dev, unit);
    }
    ops_close(ops);
    return has;
}

static inline void ops_run(struct ops *ops, tess_stage_fn *fn, void *user)
{
    struct tess_stage_report report;
    enum tess_status status =
        tess_stage_run(&report, ops->dev, &ops->budget, "test", fn, user);
    if (status)
        fprintf(stderr, "# %s\n", ops->env.message);
    assert_int_equal(status, TESS_OK);
}

// ---- random numbers: the same in every run ----

static inline uint32_t ops_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

static inline float *ops_floats(size_t count, uint64_t seed)
{
    float *values = malloc((count ? count : 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)ops_random(&seed) / (float)(1u << 30) - 1;
    return values;
}

// Halves in [-1, 1), and what they are as floats.
static inline uint16_t *ops_halves(float **floats, size_t count, uint64_t seed)
{
    uint16_t *halves = malloc(count * sizeof *halves);
    *floats = malloc(count * sizeof **floats);
    for (size_t i = 0; i < count; i++) {
        uint32_t r = ops_random(&seed);
        halves[i] = (uint16_t)((r & 1) << 15 | (r >> 1) % 0x3c00);
        (*floats)[i] = tess_half_to_float(halves[i]);
    }
    return halves;
}

// ---- inside stages ----

static inline struct tess_mat ops_take(struct tess_stage *stage, size_t rows, size_t cols)
{
    struct tess_mat mat;
    assert_int_equal(tess_mat_take(&mat, stage, rows, cols, TESS_F32, "test"), TESS_OK);
    // What no kernel writes stays NaN.
    assert_int_equal(tess_slice_fill(tess_stage_device(stage), mat.data, 0xff), TESS_OK);
    return mat;
}

static inline struct tess_mat ops_upload(struct tess_stage *stage, size_t rows,
                                         size_t cols, const void *values)
{
    struct tess_mat mat = ops_take(stage, rows, cols);
    if (rows && cols)
        assert_int_equal(tess_mat_write(stage, mat, values), TESS_OK);
    return mat;
}

static inline enum tess_status ops_copy(void *user, size_t row0, size_t rows,
                                        const void *data)
{
    (void)row0;
    struct {
        float *to;
        size_t cols;
    } *target = user;
    memcpy(target->to, data, rows * target->cols * sizeof(float));
    return TESS_OK;
}

static inline void ops_download(struct tess_stage *stage, struct tess_mat mat, void *to)
{
    struct {
        float *to;
        size_t cols;
    } target = {to, mat.cols};
    assert_int_equal(tess_mat_deliver(stage, mat, 0, ops_copy, &target), TESS_OK);
}

// ---- comparisons ----

// |a - b| / |b| over all; NaN if anything was not written.
static inline double ops_error(const float *a, const double *b, size_t count)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}

static inline void ops_expect(const float *a, const double *b, size_t count, double bound)
{
    double error = ops_error(a, b, count);
    if (!(error <= bound))
        fprintf(stderr, "# relative error %g, bound %g\n", error, bound);
    assert_true(error <= bound);
}

// ---- benchmarks ----

// Median time in kernels of `fn`, in seconds.
static inline double ops_time(struct ops *ops, tess_stage_fn *fn, void *user)
{
    double seconds[5];
    for (int i = -1; i < 5; i++) {
        struct tess_stage_report report;
        assert_int_equal(
            tess_stage_run(&report, ops->dev, &ops->budget, "bench", fn, user), TESS_OK);
        if (i >= 0)
            seconds[i] = (double)report.counters.kernel_ns * 1e-9;
    }
    for (int i = 0; i < 5; i++)
        for (int k = i + 1; k < 5; k++)
            if (seconds[k] < seconds[i]) {
                double t = seconds[i];
                seconds[i] = seconds[k];
                seconds[k] = t;
            }
    return seconds[2];
}

static inline void ops_print_rate(const char *what, double flop, double bytes,
                                  double seconds)
{
    printf("%-44s %9.3f ms %9.1f GFLOP/s %8.1f GB/s\n", what, seconds * 1e3,
           flop / seconds * 1e-9, bytes / seconds * 1e-9);
}

// `--bench` runs `bench`, a pattern the tests that it matches, nothing all tests.
#define OPS_MAIN(tests, bench)                                                           \
    int main(int argc, char **argv)                                                      \
    {                                                                                    \
        if (argc > 1 && strcmp(argv[1], "--bench") == 0) {                               \
            bench();                                                                     \
            return 0;                                                                    \
        }                                                                                \
        if (argc > 1)                                                                    \
            cmocka_set_test_filter(argv[1]);                                             \
        return cmocka_run_group_tests(tests, NULL, NULL);                                \
    }

// Every test runs with both shapes of kernels.
#define OPS_TEST(name)                                                                   \
    static void name##_cpu(void **state)                                                 \
    {                                                                                    \
        (void)state;                                                                     \
        if (ops_unsuited(TESS_VARIANT_CPU))                                              \
            skip();                                                                      \
        name(TESS_VARIANT_CPU);                                                          \
    }                                                                                    \
    static void name##_gpu(void **state)                                                 \
    {                                                                                    \
        (void)state;                                                                     \
        name(TESS_VARIANT_GPU);                                                          \
    }
#define OPS_BOTH(name) cmocka_unit_test(name##_cpu), cmocka_unit_test(name##_gpu)

// `run(most)` with `unit_name` and `tolerance`, of the file, set for each unit of CPUs.
// Factors in three pieces are as near as floats, with a tolerance of `full`; in two, or
// quantised, which are fast, nearer than halves. `most`: all that differs for kernels of
// which another unit does not test as much. `tiny`: the one unit of the smallest cases.
// Linked with amx_emulator.c, for CPUs without AMX.
#define OPS_UNITS(run, full, tiny)                                                       \
    static void run_with(const char *unit, bool fast, bool most)                         \
    {                                                                                    \
        if (ops_unsuited(TESS_VARIANT_CPU) || !ops_has_unit(unit, fast) ||               \
            (asked_tiny() && strcmp(unit, tiny) != 0))                                   \
            skip();                                                                      \
        unit_name = unit;                                                                \
        tolerance = !fast ? (full) : most ? 0x1p-12 : 0x1p-14;                           \
        run(most);                                                                       \
        unit_name = NULL;                                                                \
        tolerance = (full);                                                              \
    }                                                                                    \
    OPS_UNIT(test_pieces_portable, "amx-portable", false, true)                          \
    OPS_UNIT(test_pieces_fast_portable, "amx-portable-2", true, false)                   \
    OPS_UNIT(test_pieces_amx, "amx", false, true)                                        \
    OPS_UNIT(test_pieces_amx_fast, "amx-fast", true, false)                              \
    OPS_UNIT(test_quantised_portable, "avx-portable", true, true)                        \
    OPS_UNIT(test_quantised_avx512_vnni, "avx512-vnni", true, true)                      \
    OPS_UNIT(test_quantised_avx_vnni, "avx-vnni", true, true)                            \
    OPS_UNIT(test_quantised_avx2, "avx2", true, true)
#define OPS_UNIT(name, unit, fast, most)                                                 \
    static void name(void **state)                                                       \
    {                                                                                    \
        (void)state;                                                                     \
        run_with(unit, fast, most);                                                      \
    }
#define OPS_UNITS_TESTS                                                                  \
    cmocka_unit_test(test_pieces_portable), cmocka_unit_test(test_pieces_fast_portable), \
        cmocka_unit_test_setup_teardown(test_pieces_amx, amx_setup, amx_teardown),       \
        cmocka_unit_test_setup_teardown(test_pieces_amx_fast, amx_setup, amx_teardown),  \
        cmocka_unit_test(test_quantised_portable),                                       \
        cmocka_unit_test(test_quantised_avx512_vnni),                                    \
        cmocka_unit_test(test_quantised_avx_vnni), cmocka_unit_test(test_quantised_avx2)

#endif
