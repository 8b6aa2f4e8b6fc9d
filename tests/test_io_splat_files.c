// .splat and .spz: files against their definitions, round trips within what their numbers
// can hold, bad files.
#include "random_splats.h"

#include <zlib.h>

#include "io/splat_file.h"
#include "io/spz.h"

enum { COUNT = 50, ROW = 32 };

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
    const float colour[3] = {0, 5, (float)(-0.25 / TESS_SH_DC)};
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
                        0.501 / 255 / TESS_SH_DC);
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

// ---- .spz ----

static enum tess_status read_spz(struct tess_env *env, const char *path)
{
    struct tess_splats splats = {0};
    enum tess_status status = tess_spz_read(&splats, env, path);
    assert_true((status == TESS_OK) == (splats.positions != NULL));
    for (size_t i = 0; i < 3 * splats.count; i++) {
        assert_true(isfinite(splats.positions[i]) && isfinite(splats.colours[i]));
        assert_true(isfinite(splats.scales[i]) && splats.scales[i] > 0);
    }
    for (size_t i = 0; i < splats.count; i++) {
        const float *q = splats.rotations + 4 * i;
        double length = 0;
        for (int j = 0; j < 4; j++)
            length += (double)q[j] * q[j];
        assert_true(fabs(length - 1) < 1e-6);
    }
    tess_splats_clear(&splats);
    return status;
}

static const char *write_spz(struct tmp *tmp, const char *name, const uint8_t *data,
                             size_t bytes)
{
    uint8_t packed[8192];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data,
                       .avail_in = (uInt)bytes,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, 0), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return tmp_write(tmp, name, packed, stream.total_out);
}

static size_t inflate_file(struct tmp *tmp, const char *name, uint8_t *out, size_t room)
{
    size_t bytes;
    uint8_t *data = tmp_read(tmp, name, &bytes);
    z_stream stream = {.next_in = data,
                       .avail_in = (uInt)bytes,
                       .next_out = out,
                       .avail_out = (uInt)room};
    assert_int_equal(inflateInit2(&stream, 31), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    free(data);
    return stream.total_out;
}

static void test_spz_bytes(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, 1);
    const float position[3] = {1, 0.5f, -100}; // y up: 1, -100, -0.5
    memcpy(splats.positions, position, sizeof position);
    const float scale[3] = {1, (float)exp(-5), (float)exp(-20)}, colour[3] = {0, 1, -9};
    memcpy(splats.scales, scale, sizeof scale);
    memcpy(splats.colours, colour, sizeof colour);
    splats.opacities[0] = 0.2f;
    // In the file's axes -0.5, 0.5, -0.5, 0.5 (w x y z), so the first of the largest is
    // x.
    const float h = (float)sqrt(0.5), rotation[4] = {-h, 0, -h, 0};
    memcpy(splats.rotations, rotation, sizeof rotation);
    assert_int_equal(tess_spz_write(&splats, &tmp->env, tmp_path(tmp, "a.spz")), TESS_OK);
    uint8_t data[256];
    assert_int_equal(inflate_file(tmp, "a.spz", data, sizeof data), 36);
    const uint8_t expected[32] = {'N', 'G',  'S',  'P', 3,   0,   0,    0,   1,  0, 0,
                                  0,   0,    14,   0,   0,   0,   0x40, 0,   0,  0, 0xe7,
                                  0,   0xe0, 0xff, 51,  128, 166, 0,    160, 80, 0};
    assert_memory_equal(data, expected, sizeof expected);
    uint32_t word;
    memcpy(&word, data + 32, sizeof word);
    int parts[3] = {word >> 20 & 1023, word >> 10 & 1023, word & 1023};
    int largest = (int)(word >> 30);
    for (int i = 0; i < 3; i++)
        assert_in_range(parts[i] & 511, 361, 362); // 0.5 sqrt(2) 511
    assert_int_equal(largest, 0);
    tess_splats_clear(&splats);
}

static void test_spz_round_trip(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, COUNT), read = {0};
    assert_int_equal(tess_spz_write(&splats, &tmp->env, tmp_path(tmp, "a.spz")), TESS_OK);
    assert_int_equal(tess_spz_read(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(read.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(fabsf(read.opacities[i] - splats.opacities[i]) <= 0.501f / 255);
        expect_rotation(read.rotations + 4 * i, splats.rotations + 4 * i, 0.006);
        for (size_t j = 3 * i; j < 3 * i + 3; j++) {
            assert_true(fabs(read.positions[j] - splats.positions[j]) <= ldexp(1, -15));
            assert_true(fabs(log(read.scales[j] / splats.scales[j])) <= 0.501 / 16);
            assert_true(fabs(read.colours[j] - splats.colours[j]) <= 0.501 / 255 / 0.15);
        }
    }
    // Farther away there are fewer bits, down to none.
    for (int bits = 0; bits <= 23; bits++) {
        struct tess_splats far = {0};
        splats.positions[4] = (float)-ldexp(0.99, bits);
        assert_int_equal(tess_spz_write(&splats, &tmp->env, tmp_path(tmp, "far.spz")),
                         TESS_OK);
        assert_int_equal(tess_spz_read(&far, &tmp->env, tmp->path), TESS_OK);
        assert_true(fabs(far.positions[4] - splats.positions[4]) <=
                    ldexp(1, bits < 9 ? -15 : bits - 24));
        tess_splats_clear(&far);
    }
    splats.positions[4] = 8388608;
    tmp_expect(tmp, tess_spz_write(&splats, &tmp->env, tmp_path(tmp, "never.spz")),
               TESS_ERR_WRITE, "never.spz", "coordinates below 8388607", NULL);
    assert_int_not_equal(access(tmp->path, F_OK), 0);
    tess_splats_clear(&splats);
    tess_splats_clear(&read);
}

// Many splats pass zlib in several parts.
static void test_spz_large(void **state)
{
    enum { MANY = 200000 };
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, MANY), read = {0};
    assert_int_equal(tess_spz_write(&splats, &tmp->env, tmp_path(tmp, "a.spz")), TESS_OK);
    assert_int_equal(tess_spz_read(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(read.count, MANY);
    for (size_t i = 0; i < 3 * MANY; i++)
        assert_true(fabs(read.positions[i] - splats.positions[i]) <= ldexp(1, -15));
    tess_splats_clear(&splats);
    tess_splats_clear(&read);
}

enum { V2_ROW = 19, V3_ROW = 20 };

// A stream of `count` splats of zeros but for positions of 1, as `version` has them.
static size_t make_stream(uint8_t *out, uint32_t version, uint32_t count, int degree)
{
    static const int rest[] = {0, 9, 24, 45, 72};
    const uint32_t head[3] = {TESS_SPZ_MAGIC, version, count};
    size_t row = version == 3 ? V3_ROW : V2_ROW;
    size_t bytes = 16 + count * (row + (size_t)rest[degree]);
    memset(out, 0, bytes);
    memcpy(out, head, sizeof head);
    out[12] = (uint8_t)degree;
    out[13] = 12;
    for (size_t i = 0; i < 3 * count; i++)
        out[16 + 3 * i + 1] = 16; // 4096
    return bytes;
}

static void test_spz_version_2(void **state)
{
    struct tmp *tmp = *state;
    uint8_t data[4096];
    struct tess_splats read = {0};
    size_t bytes = make_stream(data, 2, 2, 0), rotations = 16 + 2 * 16;
    memset(data + rotations, 128, 6);
    data[rotations + 3] = 255; // of the second: x = 1
    assert_int_equal(
        tess_spz_read(&read, &tmp->env, write_spz(tmp, "a.spz", data, bytes)), TESS_OK);
    const float position[3] = {1, -1, 1}, h = (float)sqrt(0.5);
    assert_memory_equal(read.positions, position, sizeof position);
    assert_true(fabs(read.scales[0] - exp(-10)) < 1e-9);
    assert_true(fabs(read.colours[0] + 0.5 / 0.15) < 1e-6 && read.opacities[0] == 0);
    expect_rotation(read.rotations, (const float[]){h, h, 0, 0}, 0.03);
    expect_rotation(read.rotations + 4, (const float[]){-h, h, 0, 0}, 0.03);
    tess_splats_clear(&read);
    // Spherical harmonics are passed over, how it was trained too.
    for (uint32_t version = 2; version <= 3; version++) {
        for (int degree = 0; degree <= 4; degree++) {
            bytes = make_stream(data, version, 3, degree);
            data[14] = 1;
            write_spz(tmp, "sh.spz", data, bytes);
            assert_int_equal(read_spz(&tmp->env, tmp->path), TESS_OK);
            write_spz(tmp, "sh.spz", data, bytes - 1);
            tmp_expect(tmp, read_spz(&tmp->env, tmp->path), TESS_ERR_FILE,
                       "sh.spz: the stream has less", NULL);
            data[bytes] = 0;
            write_spz(tmp, "sh.spz", data, bytes + 1);
            tmp_expect(tmp, read_spz(&tmp->env, tmp->path), TESS_ERR_FILE,
                       "sh.spz: the stream has more", NULL);
        }
    }
}

static void test_spz_bad(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *text;
    } cases[] = {
        {0, 'M', "does not start with \"NGSP\""},
        {4, 1, "version is not 2 or 3"},
        {4, 4, "version is not 2 or 3"},
        {8, 0, "no splats"},
        {8, 6, "less than"},
        {8, 4, "more than"},
        {11, 255, "too few for 4278190085 splats"},
        {12, 5, "degree above 4"},
        {12, 1, "less than"},
        {13, 24, "more than 23 fractional bits"},
        {14, 2, "extensions"},
    };
    struct tmp *tmp = *state;
    uint8_t data[1024], bad[1024];
    size_t bytes = make_stream(data, 3, 5, 0);
    assert_int_equal(read_spz(&tmp->env, write_spz(tmp, "x.spz", data, bytes)), TESS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bad, data, bytes);
        bad[cases[i].at] = cases[i].value;
        tmp_expect(tmp, read_spz(&tmp->env, write_spz(tmp, "x.spz", bad, bytes)),
                   TESS_ERR_FILE, "x.spz: ", cases[i].text, NULL);
    }
    for (size_t length = 0; length < bytes; length++)
        tmp_expect(tmp, read_spz(&tmp->env, write_spz(tmp, "x.spz", data, length)),
                   TESS_ERR_FILE, "x.spz: ", length < 16 ? "a header of 16" : "less than",
                   NULL);
    tmp_expect(tmp, read_spz(&tmp->env, tmp_write(tmp, "x.spz", data, bytes)),
               TESS_ERR_FILE, "x.spz: an SPZ file of version 4", NULL);
    tmp_expect(tmp, read_spz(&tmp->env, tmp_write_text(tmp, "x.spz", "ply\n")),
               TESS_ERR_FILE, "x.spz: not a gzip stream", NULL);
    // Bytes after the stream, which some programs take for another one.
    size_t packed_bytes;
    write_spz(tmp, "y.spz", data, bytes);
    uint8_t *packed = tmp_read(tmp, "y.spz", &packed_bytes);
    memcpy(bad, packed, packed_bytes);
    memcpy(bad + packed_bytes, "tail", 4);
    tmp_expect(tmp, read_spz(&tmp->env, tmp_write(tmp, "x.spz", bad, packed_bytes + 4)),
               TESS_ERR_FILE, "x.spz: 4 bytes after the gzip stream", NULL);
    // The checksum at the end of a gzip stream, then its length.
    for (size_t i = 1; i <= 8; i++) {
        memcpy(bad, packed, packed_bytes);
        bad[packed_bytes - i] ^= 1;
        tmp_expect(tmp, read_spz(&tmp->env, tmp_write(tmp, "x.spz", bad, packed_bytes)),
                   TESS_ERR_FILE, "x.spz: its gzip stream is damaged", NULL);
    }
    free(packed);
    tmp_expect(tmp, read_spz(&tmp->env, tmp_path(tmp, "absent.spz")), TESS_ERR_FILE,
               "absent.spz: No such file", NULL);
}

static void test_spz_damage(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, 5);
    assert_int_equal(tess_spz_write(&splats, &tmp->env, tmp_path(tmp, "a.spz")), TESS_OK);
    tess_splats_clear(&splats);
    tmp_damage(tmp, "a.spz", read_spz, 1, 2000);
    // Damage under a sum that is right.
    uint8_t data[256];
    size_t bytes = inflate_file(tmp, "a.spz", data, sizeof data);
    for (int i = 0; i < 2000; i++) {
        size_t at = tmp_random(tmp) % bytes;
        uint8_t old = data[at];
        data[at] = (uint8_t)tmp_random(tmp);
        enum tess_status status =
            read_spz(&tmp->env, write_spz(tmp, "x.spz", data, bytes));
        assert_true(status == TESS_OK || status == TESS_ERR_FILE);
        if (i % 2) // every other one stays
            data[at] = old;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splat_bytes),    cmocka_unit_test(test_splat_round_trip),
        cmocka_unit_test(test_splat_bad),      cmocka_unit_test(test_spz_bytes),
        cmocka_unit_test(test_spz_round_trip), cmocka_unit_test(test_spz_large),
        cmocka_unit_test(test_spz_version_2),  cmocka_unit_test(test_spz_bad),
        cmocka_unit_test(test_spz_damage),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
