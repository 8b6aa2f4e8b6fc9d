// Normal noise against what PyTorch draws.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/noise.h"

// PyTorch's vector code approximates log, sin and cos: the largest difference over the
// 201600 numbers of eight runs is 4.8e-7.
static const double tolerance = 5e-7;

static uint64_t digest(const void *data, size_t bytes) // FNV-1a
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    return hash;
}

static void first_numbers(void **state)
{
    static const struct {
        uint64_t seed;
        double numbers[4];
    } cases[] = {
        {1, {-1.5255959, -0.7502318, -0.6539809, -1.6094848}},
        {42, {1.9269153, 1.4872841, 0.9007172, -2.105521}},
    };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tess_noise noise;
        float drawn[64];
        tess_noise_seed(&noise, cases[i].seed);
        tess_noise_normal(drawn, 64, &noise);
        for (int j = 0; j < 4; j++)
            assert_true(fabs(drawn[j] - cases[i].numbers[j]) < tolerance);
    }
}

struct number {
    size_t at;
    double value;
};

static void check(const float *drawn, const struct number *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(drawn[numbers[i].at] - numbers[i].value) < tolerance)) {
            print_error("number %zu is %.9g, expected %.9g\n", numbers[i].at,
                        (double)drawn[numbers[i].at], numbers[i].value);
            fail();
        }
}

// Both stages of a run with seed 1: the second draw goes on where the first ended, and is
// 8 more than a multiple of 16.
static void one_stream(void **state)
{
    static const struct number first[] = {
        {0, -1.5255959033966064},    {1, -0.7502318024635315},
        {7, -1.6090962886810303},    {8, -0.7121446132659912},
        {15, 0.46763551235198975},   {16, -0.6969724297523499},
        {2048, -0.2774145007133484}, {4079, 0.9907795190811157},
        {4088, -0.5402634143829346}, {4095, 1.8165494203567505},
    };
    static const struct number second[] = {
        {0, -1.9275197982788086},      {1, -0.22692041099071503},
        {8, 0.1886218935251236},       {15, -2.088465690612793},
        {7060, 0.5896785855293274},    {14103, -1.2602483034133911},
        {14104, -0.13169801235198975}, {14105, -0.46192196011543274},
        {14111, 0.8553006052970886},   {14112, -0.1496264636516571},
        {14119, 0.29355189204216003},
    };
    enum { FIRST = 4096, SECOND = 14120 };
    struct tess_noise noise;
    float *drawn = malloc((FIRST + SECOND) * sizeof *drawn);
    double sum = 0, size = 0;
    (void)state;
    assert_non_null(drawn);
    tess_noise_seed(&noise, 1);
    tess_noise_normal(drawn, FIRST, &noise);
    tess_noise_normal(drawn + FIRST, SECOND, &noise);
    check(drawn, first, sizeof first / sizeof *first);
    check(drawn + FIRST, second, sizeof second / sizeof *second);
    for (int i = FIRST; i < FIRST + SECOND; i++) {
        sum += drawn[i];
        size += fabs((double)drawn[i]);
    }
    assert_true(fabs(sum + 189.80750207355595) < 1e-3);
    assert_true(fabs(size - 11331.128193661774) < 1e-3);
    free(drawn);
}

// Fewer than 16: as torch prints them after manual_seed(0) and manual_seed(42).
static void few_numbers(void **state)
{
    static const double zero[] = {1.5410,  -0.2934, -2.1788, 0.5684,
                                  -1.0845, -1.3986, 0.4033,  0.8380};
    static const double answer[] = {0.3367,  0.1288, 0.2345,  0.2303, -1.1229,
                                    -0.1863, 2.2082, -0.6380, 0.4617};
    struct tess_noise noise;
    float drawn[9];
    (void)state;
    tess_noise_seed(&noise, 0);
    tess_noise_normal(drawn, 8, &noise);
    for (int i = 0; i < 8; i++)
        assert_true(fabs(drawn[i] - zero[i]) <= 0.5001e-4);
    // Pairs outlast a draw, so that draws of few do add up.
    tess_noise_seed(&noise, 42);
    tess_noise_normal(drawn, 1, &noise);
    tess_noise_normal(drawn + 1, 0, &noise);
    tess_noise_normal(drawn + 1, 5, &noise);
    tess_noise_normal(drawn + 6, 3, &noise);
    for (int i = 0; i < 9; i++)
        assert_true(fabs(drawn[i] - answer[i]) <= 0.5001e-4);
    // Seeding forgets the pair.
    tess_noise_seed(&noise, 0);
    tess_noise_normal(drawn, 1, &noise);
    assert_true(fabs(drawn[0] - zero[0]) <= 0.5001e-4);
}

static void seeds(void **state)
{
    struct tess_noise noise;
    float a[16], b[16];
    (void)state;
    tess_noise_seed(&noise, 5);
    tess_noise_normal(a, 16, &noise);
    tess_noise_seed(&noise, ((uint64_t)3 << 32) + 5); // the high half does not count
    tess_noise_normal(b, 16, &noise);
    assert_memory_equal(a, b, sizeof a);
    tess_noise_seed(&noise, 0xffffffff);
    tess_noise_normal(b, 16, &noise);
    assert_memory_not_equal(a, b, sizeof a);
    struct tess_noise copy = noise;
    tess_noise_normal(a, 16, &noise);
    tess_noise_normal(b, 16, &copy);
    assert_memory_equal(a, b, sizeof a);
}

static const uint64_t expected_digest = 0x88b1bf7f106e4a87u;

// The same bytes on every platform and from every compiler.
static void same_bytes(void **state)
{
    static const size_t sizes[] = {17, 16, 3, 31, 1, 100003, 5, 32};
    size_t total = 0;
    struct tess_noise noise;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        total += sizes[i];
    float *drawn = malloc(total * sizeof *drawn), *at = drawn;
    assert_non_null(drawn);
    tess_noise_seed(&noise, 2024);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++])
        tess_noise_normal(at, sizes[i], &noise);
    for (size_t i = 0; i < total; i++)
        assert_true(fabsf(drawn[i]) < 6);
    uint64_t hash = digest(drawn, total * sizeof *drawn);
    if (hash != expected_digest)
        print_error("digest %#llx\n", (unsigned long long)hash);
    assert_true(hash == expected_digest);
    free(drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_numbers), cmocka_unit_test(one_stream),
        cmocka_unit_test(few_numbers),   cmocka_unit_test(seeds),
        cmocka_unit_test(same_bytes),
    };
    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
