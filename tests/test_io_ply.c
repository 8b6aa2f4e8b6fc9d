// PLY: the 3D Gaussian Splatting convention against its definition, round trips, bad
// files.
#include "random_splats.h"

#include "io/ply.h"

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_splats splats = {0};
    enum tess_status status = tess_ply_read_splats(&splats, env, path);
    assert_true((status == TESS_OK) == (splats.positions != NULL));
    tess_splats_clear(&splats);
    return status;
}

static const char HEADER[] =
    "ply\nformat binary_little_endian 1.0\nelement vertex 5\n"
    "property float x\nproperty float y\nproperty float z\n"
    "property float nx\nproperty float ny\nproperty float nz\n"
    "property float f_dc_0\nproperty float f_dc_1\nproperty float f_dc_2\n"
    "property float opacity\n"
    "property float scale_0\nproperty float scale_1\nproperty float scale_2\n"
    "property float rot_0\nproperty float rot_1\nproperty float rot_2\nproperty float "
    "rot_3\n"
    "end_header\n";

static void test_convention(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, 5);
    splats.opacities[0] = 0;
    splats.opacities[1] = 1;
    splats.scales[0] = 0;
    assert_int_equal(tess_ply_write_splats(&splats, &tmp->env, tmp_path(tmp, "a.ply")),
                     TESS_OK);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.ply", &bytes);
    assert_int_equal(bytes, strlen(HEADER) + 5 * 17 * 4);
    assert_memory_equal(data, HEADER, strlen(HEADER));
    for (size_t i = 0; i < 5; i++) {
        float row[17];
        memcpy(row, data + strlen(HEADER) + i * sizeof row, sizeof row);
        const float *p = splats.positions + 3 * i;
        assert_true(row[0] == p[0] && row[1] == -p[2] && row[2] == p[1]);
        assert_true(row[3] == 0 && row[4] == 0 && row[5] == 0);
        assert_memory_equal(row + 6, splats.colours + 3 * i, 12);
        double o = splats.opacities[i], logit = log(o / (1 - o));
        logit = fmin(fmax(logit, -TESS_PLY_MAX_LOGIT), TESS_PLY_MAX_LOGIT);
        assert_true(fabs(row[9] - logit) < 1e-5);
        for (int j = 0; j < 3; j++) {
            float s = splats.scales[3 * i + j];
            assert_true(isfinite(row[10 + j]));
            assert_true(s == 0 || fabs(row[10 + j] - log(s)) < 1e-5);
        }
        // R' = T R with T = [[1,0,0],[0,0,-1],[0,1,0]]
        double before[3][3], after[3][3];
        rotation_matrix(before, splats.rotations + 4 * i);
        rotation_matrix(after, row + 13);
        for (int j = 0; j < 3; j++) {
            assert_true(fabs(after[0][j] - before[0][j]) < 1e-6);
            assert_true(fabs(after[1][j] + before[2][j]) < 1e-6);
            assert_true(fabs(after[2][j] - before[1][j]) < 1e-6);
        }
        assert_true(fabs(row[13] * row[13] + row[14] * row[14] + row[15] * row[15] +
                         row[16] * row[16] - 1) < 1e-6);
    }
    free(data);
    tess_splats_clear(&splats);
}

static void test_round_trip(void **state)
{
    struct tmp *tmp = *state;
    enum { COUNT = 200 };
    struct tess_splats splats = make_splats(tmp, COUNT), read = {0};
    assert_int_equal(tess_ply_write_splats(&splats, &tmp->env, tmp_path(tmp, "a.ply")),
                     TESS_OK);
    assert_int_equal(tess_ply_read_splats(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(read.count, COUNT);
    assert_memory_equal(read.positions, splats.positions, COUNT * 12);
    assert_memory_equal(read.colours, splats.colours, COUNT * 12);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(fabsf(read.opacities[i] - splats.opacities[i]) < 1e-6f);
        for (int j = 0; j < 3; j++)
            assert_true(fabsf(read.scales[3 * i + j] / splats.scales[3 * i + j] - 1) <
                        2e-6f);
        for (int j = 0; j < 4; j++)
            assert_true(fabsf(read.rotations[4 * i + j] - splats.rotations[4 * i + j]) <
                        1e-6f);
    }
    tess_splats_clear(&splats);
    tess_splats_clear(&read);
}

// One splat whose properties are in another order, with others among them.
static void test_foreign_order(void **state)
{
    static const char header[] =
        "ply\r\nformat binary_little_endian 1.0\r\ncomment made elsewhere\r\n"
        "element camera 2\nproperty double fov\nproperty uchar kind\n"
        "element vertex 1\nproperty float rot_3\nproperty float rot_2\nproperty float "
        "rot_1\n"
        "property float rot_0\nproperty uchar label\nproperty float f_rest_0\n"
        "property double weight\nproperty float32 z\nproperty float y\nproperty float x\n"
        "property float scale_2\nproperty float scale_1\nproperty float scale_0\n"
        "property float opacity\nproperty float f_dc_2\nproperty float f_dc_1\n"
        "property float f_dc_0\nelement face 0\nproperty list uchar int vertex_indices\n"
        "end_header\n";
    struct tmp *tmp = *state;
    struct tess_splats splats = {0};
    uint8_t data[2048] = {0}, *row = data + strlen(header) + 2 * 9;
    memcpy(data, header, strlen(header));
    const float rotation[4] = {0, 0, 0, 2}; // z, y, x, w; not of unit length
    const float rest[10] = {3, 2, 1, 0, 0, 0, 0, 6, 5, 4};
    memcpy(row, rotation, sizeof rotation);
    memcpy(row + 16 + 1 + 4 + 8, rest, sizeof rest);
    size_t bytes = strlen(header) + 18 + 16 + 13 + 40;
    assert_int_equal(
        tess_ply_read_splats(&splats, &tmp->env, tmp_write(tmp, "b.ply", data, bytes)),
        TESS_OK);
    assert_int_equal(splats.count, 1);
    const float position[3] = {1, 3, -2}, colour[3] = {4, 5, 6}, scale[3] = {1, 1, 1};
    assert_memory_equal(splats.positions, position, sizeof position);
    assert_memory_equal(splats.colours, colour, sizeof colour);
    assert_memory_equal(splats.scales, scale, sizeof scale);
    assert_true(splats.opacities[0] == 0.5f);
    assert_true(fabs(splats.rotations[0] - sqrt(0.5)) < 1e-6);
    assert_true(fabs(splats.rotations[1] + sqrt(0.5)) < 1e-6);
    tess_splats_clear(&splats);
}

// Replace the first `from` in HEADER by `to`, and append `rows` splats of zeros but for
// one float.
static enum tess_status read_changed(struct tmp *tmp, const char *from, const char *to,
                                     size_t rows, int column, float value)
{
    uint8_t data[4096] = {0};
    char header[2048];
    const char *at = strstr(HEADER, from);
    assert_non_null(at);
    int length = snprintf(header, sizeof header, "%.*s%s%s", (int)(at - HEADER), HEADER,
                          to, at + strlen(from));
    memcpy(data, header, (size_t)length);
    for (size_t i = 0; i < rows; i++) {
        float row[17] = {[13] = 1};
        if (i == 3)
            row[column] = value;
        memcpy(data + length + i * sizeof row, row, sizeof row);
    }
    return read_any(&tmp->env,
                    tmp_write(tmp, "bad.ply", data, (size_t)length + rows * 68));
}

static void test_bad_files(void **state)
{
    static const struct {
        const char *from, *to;
        size_t rows;
        const char *text;
    } cases[] = {
        {"ply\n", "PLY\n", 5, "does not start with \"ply\""},
        {"ply\n", "plyx\n", 5, "line 1"},
        {"binary_little_endian", "ascii", 5, "line 2"},
        {"binary_little_endian", "binary_big_endian", 5, "big-endian"},
        {"1.0", "1.1", 5, "line 2"},
        {"vertex 5", "vertex", 5, "line 3"},
        {"vertex 5", "vertex -5", 5, "line 3"},
        {"vertex 5", "vertex 5x", 5, "line 3"},
        {"vertex 5", "vertex 99999999999999999999", 5, "line 3"},
        {"vertex 5", "vertex 999999999999999", 5, "too few for 999999999999999 splats"},
        {"vertex 5", "vertex 6", 5, "too few for 6 splats of 68 bytes"},
        {"vertex 5", "vertex 4", 5, "68 bytes after the last of 4 splats"},
        {"vertex 5", "vertex 0", 0, "no splats"},
        {"element vertex 5", "element other 5", 5, "no splats"},
        {"element vertex 5",
         "element other 999999999999999\nproperty double a\nelement vertex 5", 5,
         "too short"},
        {"element vertex 5",
         "element other 5\nproperty list uchar int a\nelement vertex 5", 5, "no list"},
        {"element vertex 5", "element vertex 5\nelement vertex 5", 5, "vertices once"},
        {"property float x", "property list uchar float x", 5, "line 4"},
        {"property float x", "property half x", 5, "line 4"},
        {"property float x", "property float", 5, "line 4"},
        {"property float x", "property double x", 5,
         "property x is double, expected float"},
        {"property float nx", "property float x", 5, "property x is there twice"},
        {"property float x\n", "", 5, "property x is missing"},
        {"property float opacity\n", "", 5, "property opacity is missing"},
        {"property float rot_3\n", "", 5, "property rot_3 is missing"},
        {"property float f_dc_0\n", "", 5, "property f_dc_0 is missing"},
        {"end_header\n", "nonsense\nend_header\n", 5, "line 21"},
        {"end_header\n", "", 5, "of the header: expected"},
    };
    struct tmp *tmp = *state;
    assert_int_equal(read_changed(tmp, "ply", "ply", 5, 0, 0), TESS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tmp_expect(tmp,
                   read_changed(tmp, cases[i].from, cases[i].to, cases[i].rows, 0, 0),
                   TESS_ERR_FILE, "bad.ply: ", cases[i].text, NULL);
    tmp_expect(tmp, read_changed(tmp, "ply", "ply", 5, 1, NAN), TESS_ERR_FILE,
               "bad.ply: splat 3: property y is nan", NULL);
    tmp_expect(tmp, read_changed(tmp, "ply", "ply", 5, 9, INFINITY), TESS_ERR_FILE,
               "bad.ply: splat 3: property opacity is inf", NULL);
    tmp_expect(tmp, read_changed(tmp, "ply", "ply", 5, 13, 0), TESS_ERR_FILE,
               "bad.ply: splat 3: ", "rot_* (0, 0, 0, 0)", NULL);
    tmp_expect(tmp, read_changed(tmp, "ply", "ply", 5, 11, 100), TESS_ERR_FILE,
               "bad.ply: splat 3: scale_* (0, 100, 0)", NULL);
    char line[600];
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = 0;
    tmp_expect(tmp, read_changed(tmp, "element vertex", line, 5, 0, 0), TESS_ERR_FILE,
               "bad.ply: line 3", "shorter", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "absent.ply")), TESS_ERR_FILE,
               "absent.ply: No such file", NULL);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, 3);
    assert_int_equal(tess_ply_write_splats(&splats, &tmp->env, tmp_path(tmp, "a.ply")),
                     TESS_OK);
    tess_splats_clear(&splats);
    tmp_damage(tmp, "a.ply", read_any, 1, 2000);
}

static void test_mesh(void **state)
{
    static const char header[] =
        "element vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        "property float nx\nproperty float ny\nproperty float nz\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n";
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    assert_int_equal(tess_mesh_create(&mesh, &tmp->env, 3, 1, true), TESS_OK);
    const float positions[9] = {0, 0, 0, 1, 0, 0, 0, 1, 0};
    memcpy(mesh.positions, positions, sizeof positions);
    const float colours[3] = {2, 0.5f, -1};
    memcpy(mesh.attributes + 6, colours, sizeof colours);
    const uint32_t face[3] = {0, 1, 2};
    memcpy(mesh.indices, face, sizeof face);
    assert_int_equal(tess_mesh_normals(&mesh, &tmp->env), TESS_OK);
    assert_int_equal(tess_ply_write_mesh(&mesh, &tmp->env, tmp_path(tmp, "mesh.ply")),
                     TESS_OK);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "mesh.ply", &bytes);
    const uint8_t *at = (uint8_t *)strstr((char *)data, header);
    assert_non_null(at);
    at += strlen(header);
    assert_int_equal(data + bytes - at, 3 * 27 + 13);
    const float second[6] = {1, 0, 0, 0, 0, 1};
    assert_memory_equal(at + 27, second, sizeof second);
    assert_memory_equal(at + 27 + 24, "\377\200\0", 3);
    assert_int_equal(at[81], 3);
    assert_memory_equal(at + 82, face, sizeof face);
    free(data);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "mesh.ply")), TESS_ERR_FILE,
               "property f_dc_0 is missing", NULL);
    tess_mesh_clear(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convention),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign_order), cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_mesh),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
