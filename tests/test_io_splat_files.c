// .splat and .spz: files against their definitions, round trips within what their numbers
// can hold, bad files.
#include "random_splats.h"

#include "io/splat_file.h"

enum { COUNT = 50, ROW = 32 };

static const double SH_DC = 0.28209479177387814;

static enum tess_status read_splat(struct tess_env *env, const char *path)
{
    struct tess_splats splats = {0};
    enum tess_status status = tess_splat_file_read(&splats, env, path);
    assert_true((status == TESS_OK) == (splats.positions != NULL));
    for (size_t i = 0; i < 3 * splats.count; i++) {
        assert_true(isfinite(splats.positions[i]) && isfinite(splats.colours[i]));
        assert_true(isfinite(splats.scales[i]) && splats.scales[i] >= 0);
    }
    tess_splats_clear(&splats);
    return status;
}

// ---- .splat ----

static void test_splat_bytes(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, 2);
    const float position[3] = {1, 2, 3}, scale[3] = {0.25f, 0.5f, 0},
                turned[3] = {1, -3, 2};
    memcpy(splats.positions + 3, position, sizeof position);
    memcpy(splats.scales + 3, scale, sizeof scale);
    // A quarter turn back around x, which the file's axes undo.
    const float rotation[4] = {(float)sqrt(0.5), (float)-sqrt(0.5), 0, 0};
    memcpy(splats.rotations + 4, rotation, sizeof rotation);
    const float colour[3] = {0, 5, (float)(-0.25 / SH_DC)};
    memcpy(splats.colours + 3, colour, sizeof colour);
    splats.opacities[1] = 0.4f;
    assert_int_equal(tess_splat_file_write(&splats, &tmp->env, tmp_path(tmp, "a.splat")),
                     TESS_OK);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.splat", &bytes);
    assert_int_equal(bytes, 2 * ROW);
    assert_memory_equal(data + ROW, turned, sizeof turned);
    assert_memory_equal(data + ROW + 12, scale, sizeof scale);
    const uint8_t rest[8] = {128, 255, 64, 102, 255, 128, 128, 128};
    assert_memory_equal(data + ROW + 24, rest, sizeof rest);
    free(data);
    tess_splats_clear(&splats);
}

static void test_splat_round_trip(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, COUNT), read = {0};
    for (size_t i = 0; i < 3 * COUNT; i++)
        splats.colours[i] *= 0.5f; // inside what a byte holds
    assert_int_equal(tess_splat_file_write(&splats, &tmp->env, tmp_path(tmp, "a.splat")),
                     TESS_OK);
    assert_int_equal(tess_splat_file_read(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(read.count, COUNT);
    assert_memory_equal(read.positions, splats.positions, COUNT * 12);
    assert_memory_equal(read.scales, splats.scales, COUNT * 12);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(fabsf(read.opacities[i] - splats.opacities[i]) <= 0.501f / 255);
        expect_rotation(read.rotations + 4 * i, splats.rotations + 4 * i, 0.03);
        for (int j = 0; j < 3; j++)
            assert_true(fabsf(read.colours[3 * i + j] - splats.colours[3 * i + j]) <=
                        0.501 / 255 / SH_DC);
    }
    // Written again, the same bytes.
    size_t bytes, again_bytes;
    assert_int_equal(tess_splat_file_write(&read, &tmp->env, tmp_path(tmp, "b.splat")),
                     TESS_OK);
    uint8_t *data = tmp_read(tmp, "a.splat", &bytes),
            *again = tmp_read(tmp, "b.splat", &again_bytes);
    assert_int_equal(bytes, again_bytes);
    for (size_t i = 0; i < bytes; i++) // normalised rotations may round the other way
        assert_true(i % ROW >= 28 ? abs(data[i] - again[i]) <= 1 : data[i] == again[i]);
    free(data);
    free(again);
    tess_splats_clear(&splats);
    tess_splats_clear(&read);
}

static void test_splat_bad(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, 3);
    assert_int_equal(tess_splat_file_write(&splats, &tmp->env, tmp_path(tmp, "a.splat")),
                     TESS_OK);
    tess_splats_clear(&splats);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.splat", &bytes);
    for (size_t length = 0; length <= bytes; length++) {
        enum tess_status status =
            read_splat(&tmp->env, tmp_write(tmp, "cut.splat", data, length));
        if (length && length % ROW == 0)
            assert_int_equal(status, TESS_OK);
        else
            tmp_expect(tmp, status, TESS_ERR_FILE, "cut.splat", "multiple of 32", NULL);
    }
    static const struct {
        size_t at;
        float value;
        const char *text;
    } cases[] = {
        {0, NAN, "splat 1: its position"},    {8, INFINITY, "splat 1: its position"},
        {12, -1, "splat 1: its scale"},       {20, NAN, "splat 1: its scale"},
        {16, INFINITY, "splat 1: its scale"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bad[3 * ROW];
        memcpy(bad, data, sizeof bad);
        memcpy(bad + ROW + cases[i].at, &cases[i].value, sizeof(float));
        tmp_expect(tmp, read_splat(&tmp->env, tmp_write(tmp, "x.splat", bad, sizeof bad)),
                   TESS_ERR_FILE, "x.splat", cases[i].text, NULL);
    }
    memset(data + 2 * ROW + 28, 128, 4);
    tmp_expect(tmp, read_splat(&tmp->env, tmp_write(tmp, "x.splat", data, bytes)),
               TESS_ERR_FILE, "splat 2: its rotation", NULL);
    for (int i = 0; i < 3000; i++) {
        data[tmp_random(tmp) % bytes] = (uint8_t)tmp_random(tmp);
        enum tess_status status =
            read_splat(&tmp->env, tmp_write(tmp, "x.splat", data, bytes));
        assert_true(status == TESS_OK || status == TESS_ERR_FILE);
    }
    free(data);
    tmp_expect(tmp, read_splat(&tmp->env, tmp_path(tmp, "absent.splat")), TESS_ERR_FILE,
               "absent.splat: No such file", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splat_bytes),
        cmocka_unit_test(test_splat_round_trip),
        cmocka_unit_test(test_splat_bad),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
