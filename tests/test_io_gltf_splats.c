// Gaussian splats in binary glTF: what is written is as KHR_gaussian_splatting asks and
// reads back; foreign files with every type and transform that is read; files that lie.
#include "glb_tmp.h"
#include "random_splats.h"

#include "io/gltf.h"
#include "io/gltf_splats.h"
#include "io/json.h"

enum { COUNT = 40 };

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_splats splats = {0};
    enum tess_status status = tess_gltf_read_splats(&splats, env, path);
    assert_true((status == TESS_OK) == (splats.positions != NULL));
    for (size_t i = 0; i < 3 * splats.count; i++) {
        assert_true(isfinite(splats.positions[i]) && isfinite(splats.colours[i]));
        assert_true(isfinite(splats.scales[i]) && splats.scales[i] >= 0);
    }
    for (size_t i = 0; i < 4 * splats.count; i++)
        assert_true(isfinite(splats.rotations[i]));
    tess_splats_clear(&splats);
    return status;
}

// The floats of an attribute in the binary chunk of a file that was written.
static const float *attribute(struct tess_json_at root, const uint8_t *binary,
                              const char *name, const char *type)
{
    struct tess_json_at primitive, primitives, meshes, list, accessor, view;
    struct tess_json_at *items;
    const char *shape;
    size_t index, offset;
    assert_int_equal(tess_json_array(&meshes, root, "meshes", 1, 1), TESS_OK);
    assert_int_equal(tess_json_items(&items, meshes), TESS_OK);
    assert_int_equal(tess_json_array(&primitives, items[0], "primitives", 1, 1), TESS_OK);
    free(items);
    assert_int_equal(tess_json_items(&items, primitives), TESS_OK);
    primitive = items[0];
    free(items);
    assert_int_equal(
        tess_json_size(&index, tess_json_member(primitive, "attributes"), name, 0, 100),
        TESS_OK);
    assert_int_equal(tess_json_array(&list, root, "accessors", 1, 100), TESS_OK);
    assert_int_equal(tess_json_items(&items, list), TESS_OK);
    accessor = items[index];
    free(items);
    assert_int_equal(tess_json_string(&shape, accessor, "type"), TESS_OK);
    assert_string_equal(shape, type);
    assert_int_equal(tess_json_size(&index, accessor, "bufferView", 0, 100), TESS_OK);
    assert_int_equal(tess_json_array(&list, root, "bufferViews", 1, 100), TESS_OK);
    assert_int_equal(tess_json_items(&items, list), TESS_OK);
    view = items[index];
    free(items);
    assert_int_equal(tess_json_size(&offset, view, "byteOffset", 0, SIZE_MAX), TESS_OK);
    return (const float *)(const void *)(binary + offset);
}

static void test_written(void **state)
{
    struct tmp *tmp = *state;
    const struct tess_metadata metadata[] = {{"model", "m"}, {"seed", "7"}};
    struct tess_splats splats = make_splats(tmp, COUNT);
    splats.opacities[0] = 1.0000001f;
    assert_int_equal(
        tess_gltf_write_splats(&splats, &tmp->env, tmp_path(tmp, "a.glb"), metadata, 2),
        TESS_OK);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.glb", &bytes);
    size_t json_bytes = tmp_word_at(data, 12);
    const uint8_t *binary = data + 28 + json_bytes;
    assert_int_equal(bytes, 28 + json_bytes + COUNT * 64);
    struct tess_json *json = NULL;
    assert_int_equal(
        tess_json_parse(&json, &tmp->env, "a", (char *)data + 20, json_bytes), TESS_OK);
    struct tess_json_at root = tess_json_root(json);
    const float *p = attribute(root, binary, "POSITION", "VEC3"),
                *q = attribute(root, binary, "KHR_gaussian_splatting:ROTATION", "VEC4"),
                *s = attribute(root, binary, "KHR_gaussian_splatting:SCALE", "VEC3"),
                *o = attribute(root, binary, "KHR_gaussian_splatting:OPACITY", "SCALAR"),
                *c = attribute(root, binary, "KHR_gaussian_splatting:SH_DEGREE_0_COEF_0",
                               "VEC3");
    const uint16_t *points =
        (const uint16_t *)(const void *)attribute(root, binary, "COLOR_0", "VEC4");
    assert_memory_equal(s, splats.scales, COUNT * 12);
    assert_memory_equal(c, splats.colours, COUNT * 12);
    assert_true(o[0] == 1);
    assert_memory_equal(o + 1, splats.opacities + 1, (COUNT - 1) * 4);
    for (size_t i = 0; i < COUNT; i++) {
        const float *ours = splats.positions + 3 * i;
        assert_true(p[3 * i] == ours[0] && p[3 * i + 1] == ours[2] &&
                    p[3 * i + 2] == -ours[1]);
        // R' = T R with T = [[1,0,0],[0,0,1],[0,-1,0]]
        const float wxyz[4] = {q[4 * i + 3], q[4 * i], q[4 * i + 1], q[4 * i + 2]};
        double before[3][3], after[3][3];
        rotation_matrix(before, splats.rotations + 4 * i);
        rotation_matrix(after, wxyz);
        for (int j = 0; j < 3; j++) {
            assert_true(fabs(after[0][j] - before[0][j]) < 1e-6);
            assert_true(fabs(after[1][j] - before[2][j]) < 1e-6);
            assert_true(fabs(after[2][j] + before[1][j]) < 1e-6);
        }
        for (int j = 0; j < 3; j++) {
            double v = 0.5 + TESS_SH_DC * (double)splats.colours[3 * i + (size_t)j];
            v = v > 0 ? v < 1 ? v : 1 : 0;
            v = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
            assert_true(fabs(points[4 * i + (size_t)j] / 65535.0 - v) < 1e-5);
        }
        assert_true(fabs(points[4 * i + 3] / 65535.0 - o[i]) < 1e-5);
    }
    assert_non_null(strstr((char *)data + 20, "\"extensionsUsed\":[\"KHR_gaussian_spl"));
    assert_non_null(strstr((char *)data + 20, "\"mode\":0"));
    assert_non_null(strstr((char *)data + 20,
                           "{\"KHR_gaussian_splatting\":{\"kernel\":\"ellipse\","
                           "\"colorSpace\":\"srgb_rec709_display\"}}"));
    assert_non_null(strstr((char *)data + 20, "\"extras\":{\"model\":\"m\""));
    tess_json_destroy(&json);
    free(data);
    tess_splats_clear(&splats);
}

static void test_round_trip(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats splats = make_splats(tmp, COUNT), read = {0};
    assert_int_equal(
        tess_gltf_write_splats(&splats, &tmp->env, tmp_path(tmp, "a.glb"), NULL, 0),
        TESS_OK);
    assert_true(tess_gltf_has_splats(&tmp->env, tmp->path));
    assert_int_equal(tess_gltf_read_splats(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(read.count, COUNT);
    assert_memory_equal(read.scales, splats.scales, COUNT * 12);
    assert_memory_equal(read.colours, splats.colours, COUNT * 12);
    assert_memory_equal(read.opacities, splats.opacities, COUNT * 4);
    for (size_t i = 0; i < COUNT; i++) {
        expect_rotation(read.rotations + 4 * i, splats.rotations + 4 * i, 1e-6);
        for (size_t j = 3 * i; j < 3 * i + 3; j++)
            assert_true(read.positions[j] == splats.positions[j]);
    }
    tess_splats_clear(&read);
    tess_splats_clear(&splats);
    // No splats at all are a file, which has none to read.
    assert_int_equal(
        tess_gltf_write_splats(&splats, &tmp->env, tmp_path(tmp, "none.glb"), NULL, 0),
        TESS_OK);
    assert_false(tess_gltf_has_splats(&tmp->env, tmp->path));
    tmp_expect(tmp, read_any(&tmp->env, tmp->path), TESS_ERR_FILE, "no splats", NULL);
    // Meshes have none, and splats are no mesh.
    struct tess_mesh mesh = {0};
    tmp_expect(tmp, tess_gltf_read(&mesh, &tmp->env, tmp_path(tmp, "a.glb")),
               TESS_ERR_FILE, "a.glb: no triangles in its scene", NULL);
    assert_false(tess_gltf_has_splats(&tmp->env, tmp_path(tmp, "absent.glb")));
    assert_false(
        tess_gltf_has_splats(&tmp->env, tmp_write_text(tmp, "text.glb", "text")));
}

// One splat in small types, once at the root and once below a node that turns, scales and
// moves.
static const char FOREIGN[] =
    "{\"asset\":{\"version\":\"2.0\"},\"extensionsUsed\":[\"KHR_gaussian_splatting\"],"
    "\"extensionsRequired\":[\"KHR_gaussian_splatting\"],"
    "\"scenes\":[{\"nodes\":[0,1]}],"
    "\"nodes\":[{\"mesh\":0},{\"children\":[2],\"scale\":[2,2,2],"
    "\"translation\":[1,2,3]},{\"mesh\":0,\"rotation\":[0,0.70710678,0,0.70710678]}],"
    "\"buffers\":[{\"byteLength\":64}],\"bufferViews\":["
    "{\"buffer\":0,\"byteLength\":12},{\"buffer\":0,\"byteOffset\":12,\"byteLength\":8},"
    "{\"buffer\":0,\"byteOffset\":20,\"byteLength\":6},"
    "{\"buffer\":0,\"byteOffset\":28,\"byteLength\":4},"
    "{\"buffer\":0,\"byteOffset\":32,\"byteLength\":12}],"
    "\"accessors\":["
    "{\"bufferView\":0,\"componentType\":5126,\"count\":1,\"type\":\"VEC3\"},"
    "{\"bufferView\":1,\"componentType\":5122,\"normalized\":true,\"count\":1,"
    "\"type\":\"VEC4\"},"
    "{\"bufferView\":2,\"componentType\":5123,\"count\":1,\"type\":\"VEC3\"},"
    "{\"bufferView\":3,\"componentType\":5121,\"normalized\":true,\"count\":1,"
    "\"type\":\"SCALAR\"},"
    "{\"bufferView\":4,\"componentType\":5126,\"count\":1,\"type\":\"VEC3\"}],"
    "\"meshes\":[{\"primitives\":["
    "{\"attributes\":{\"POSITION\":0}},"
    "{\"mode\":0,\"attributes\":{\"POSITION\":0,\"KHR_gaussian_splatting:ROTATION\":1,"
    "\"KHR_gaussian_splatting:SCALE\":2,\"KHR_gaussian_splatting:OPACITY\":3,"
    "\"KHR_gaussian_splatting:SH_DEGREE_0_COEF_0\":4},\"extensions\":"
    "{\"KHR_gaussian_splatting\":{\"kernel\":\"ellipse\","
    "\"colorSpace\":\"srgb_rec709_display\"}}}]}]}";

struct foreign {
    float position[3];
    int16_t rotation[4];
    uint16_t scale[3];
    uint8_t gap[2], opacity[4];
    float colour[3];
    uint8_t rest[20];
};

static const struct foreign BINARY = {.position = {1, 0, 0.25f},
                                      .rotation = {0, 0, 0, 32767},
                                      .scale = {1, 2, 3},
                                      .opacity = {51},
                                      .colour = {1, -1, 0.5f}};

static void test_foreign(void **state)
{
    struct tmp *tmp = *state;
    struct tess_splats read = {0};
    assert_int_equal(sizeof BINARY, 64);
    tmp_write_glb(tmp, "f.glb", FOREIGN, &BINARY, sizeof BINARY);
    assert_true(tess_gltf_has_splats(&tmp->env, tmp->path));
    enum tess_status status = tess_gltf_read_splats(&read, &tmp->env, tmp->path);
    if (status)
        print_error("%s\n", tmp->env.message);
    assert_int_equal(status, TESS_OK);
    assert_int_equal(read.count, 2);
    // The second: a quarter turn around y takes (1, 0, 0.25) to (0.25, 0, -1).
    const float positions[6] = {1, -0.25f, 0, 1.5f, -1, 2};
    const float scales[6] = {1, 2, 3, 2, 4, 6};
    for (int i = 0; i < 6; i++) {
        assert_true(fabsf(read.positions[i] - positions[i]) < 1e-6f);
        assert_true(fabsf(read.scales[i] / scales[i] - 1) < 1e-6f);
    }
    assert_true(fabsf(read.opacities[1] - 0.2f) < 1e-6f);
    assert_memory_equal(read.colours + 3, BINARY.colour, sizeof BINARY.colour);
    // From y up to z up is a quarter turn around x; before it comes the node's around y.
    const float h = (float)sqrt(0.5);
    expect_rotation(read.rotations, (const float[]){h, h, 0, 0}, 1e-6);
    expect_rotation(read.rotations + 4, (const float[]){0.5f, 0.5f, 0.5f, 0.5f}, 1e-6);
    tess_splats_clear(&read);
}

// The first `from` in FOREIGN replaced by `to`.
static enum tess_status read_changed(struct tmp *tmp, const char *from, const char *to,
                                     const struct foreign *binary)
{
    return read_any(&tmp->env, tmp_write_changed_glb(tmp, "f.glb", FOREIGN, from, to,
                                                     binary, sizeof *binary));
}

static void test_changed(void **state)
{
    static const struct {
        const char *from, *to, *text; // text NULL: it is read
    } cases[] = {
        {"\"scale\":[2,2,2]", "\"scale\":[2,2,2.1]", "stretches, shears or"},
        {"\"scale\":[2,2,2]", "\"scale\":[-2,2,2]", "or mirrors"},
        {"\"scale\":[2,2,2]", "\"scale\":[0,0,0]", "stretches, shears or"},
        {"\"scale\":[2,2,2]", "\"matrix\":[1,0,0,0,1,1,0,0,0,0,1,0,0,0,0,1]",
         "stretches, shears or"},
        {"\"scale\":[2,2,2]", "\"matrix\":[0,1,0,0,-1,0,0,0,0,0,1,0,0,0,0,1]", NULL},
        {"\"scale\":[2,2,2]", "\"matrix\":[-1,0,0,0,0,-1,0,0,0,0,1,0,0,0,0,1]", NULL},
        {"\"scale\":[2,2,2]", "\"matrix\":[-1,0,0,0,0,1,0,0,0,0,-1,0,0,0,0,1]", NULL},
        {"\"kernel\":\"ellipse\",", "", NULL},
        {"\"ellipse\"", "\"disc\"", "kernel"},
        {"srgb_rec709_display", "lin_rec709_display", NULL},
        {"srgb_rec709_display", "BT.709", "colorSpace"},
        {"\"mode\":0", "\"mode\":4", "mode"},
        {"\"mode\":0,", "", "mode"},
        {"\"KHR_gaussian_splatting:ROTATION\":1,", "", "ROTATION"},
        {"\"KHR_gaussian_splatting:SCALE\":2,", "", "SCALE"},
        {"\"KHR_gaussian_splatting:SCALE\":2,\"KHR_gaussian_splatting:OPACITY\":3,",
         "\"KHR_gaussian_splatting:SCALE\":2,", "OPACITY"},
        {"\"KHR_gaussian_splatting:ROTATION\":1", "\"KHR_gaussian_splatting:ROTATION\":0",
         "ROTATION"},
        {"\"KHR_gaussian_splatting:ROTATION\":1", "\"KHR_gaussian_splatting:ROTATION\":9",
         "ROTATION"},
        {"\"KHR_gaussian_splatting:SCALE\":2", "\"KHR_gaussian_splatting:SCALE\":1",
         "SCALE"},
        {"\"componentType\":5123", "\"componentType\":5122", "SCALE"},
        {"\"componentType\":5123", "\"normalized\":true,\"componentType\":5123", NULL},
        {"\"componentType\":5122", "\"componentType\":5120",
         "splat 0: its ROTATION is 0"},
        {"\"componentType\":5122", "\"componentType\":5123", "ROTATION"},
        {"\"componentType\":5121", "\"componentType\":5125", "OPACITY"},
        {"\"componentType\":5126", "\"componentType\":5121", "POSITION"},
        {"\"count\":1", "\"count\":2", "accessors"},
        {"\"count\":1", "\"count\":0", "accessors"},
        {"\"count\":1", "\"count\":1e12", "accessors"},
        {"\"extensions\":{\"KHR_gaussian_splatting\"", "\"extensions\":{\"OTHER\"",
         "no splats in its scene"},
        {"\"extensions\":{\"KHR_gaussian_splatting\":{", "\"extensions\":[{", "f.glb"},
        {"\"extensionsRequired\":[\"KHR_gaussian_splatting\"",
         "\"extensionsRequired\":[\"KHR_gaussian_splatting_compression_spz_2\"",
         "without this extension"},
        {"\"children\":[2]", "\"children\":[1]", "nodes"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tess_status status = read_changed(tmp, cases[i].from, cases[i].to, &BINARY);
        if (!cases[i].text && status)
            print_error("%s to %s: %s\n", cases[i].from, cases[i].to, tmp->env.message);
        if (cases[i].text)
            tmp_expect(tmp, status, TESS_ERR_FILE, "f.glb", cases[i].text, NULL);
        else
            assert_int_equal(status, TESS_OK);
    }
}

static void test_values(void **state)
{
    struct tmp *tmp = *state;
    struct foreign bad = BINARY;
    bad.position[1] = NAN;
    tmp_expect(tmp, read_changed(tmp, "{", "{", &bad), TESS_ERR_FILE, "splat 0",
               "POSITION is not finite", NULL);
    bad = BINARY;
    bad.colour[2] = INFINITY;
    tmp_expect(tmp, read_changed(tmp, "{", "{", &bad), TESS_ERR_FILE, "splat 0",
               "SH_DEGREE_0_COEF_0 is not finite", NULL);
    bad = BINARY;
    bad.rotation[0] = (int16_t)0x8100; // as bytes 0 and -127
    assert_int_equal(
        read_changed(tmp, "\"componentType\":5122", "\"componentType\":5120", &bad),
        TESS_OK);
    bad.rotation[0] = bad.rotation[3] = 0;
    tmp_expect(tmp, read_changed(tmp, "{", "{", &bad), TESS_ERR_FILE, "splat 0",
               "ROTATION is 0", NULL);
    // Floats where they may be: the colour's as opacity and as scale.
    bad = BINARY;
    tmp_expect(tmp,
               read_changed(tmp, "\"KHR_gaussian_splatting:SCALE\":2",
                            "\"KHR_gaussian_splatting:SCALE\":4", &bad),
               TESS_ERR_FILE, "SCALE is negative", NULL);
    bad.colour[1] = 1;
    assert_int_equal(read_changed(tmp, "\"KHR_gaussian_splatting:SCALE\":2",
                                  "\"KHR_gaussian_splatting:SCALE\":4", &bad),
                     TESS_OK);
    const char *from = "\"bufferView\":3,\"componentType\":5121,\"normalized\":true",
               *to = "\"bufferView\":4,\"componentType\":5126";
    assert_int_equal(read_changed(tmp, from, to, &bad), TESS_OK);
    bad.colour[0] = 1.5f;
    tmp_expect(tmp, read_changed(tmp, from, to, &bad), TESS_ERR_FILE,
               "OPACITY is not in 0..1", NULL);
}

static void test_linear_colours(void **state)
{
    struct tmp *tmp = *state;
    struct foreign grey = BINARY;
    struct tess_splats read = {0};
    char json[4096];
    const float linear[3] = {0, 0.214041f, 1}, display[3] = {0, 0.5f, 1};
    for (int i = 0; i < 3; i++)
        grey.colour[i] = (float)((linear[i] - 0.5) / TESS_SH_DC);
    const char *at = strstr(FOREIGN, "srgb_rec");
    snprintf(json, sizeof json, "%.*slin%s", (int)(at - FOREIGN), FOREIGN, at + 4);
    tmp_write_glb(tmp, "f.glb", json, &grey, sizeof grey);
    assert_int_equal(tess_gltf_read_splats(&read, &tmp->env, tmp->path), TESS_OK);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(0.5 + TESS_SH_DC * (double)read.colours[i] - display[i]) < 1e-4);
    tess_splats_clear(&read);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    tmp_write_glb(tmp, "f.glb", FOREIGN, &BINARY, sizeof BINARY);
    tmp_damage(tmp, "f.glb", read_any, 1, 1000);
    struct tess_splats splats = make_splats(tmp, 3);
    assert_int_equal(
        tess_gltf_write_splats(&splats, &tmp->env, tmp_path(tmp, "a.glb"), NULL, 0),
        TESS_OK);
    tess_splats_clear(&splats);
    tmp_damage(tmp, "a.glb", read_any, 1, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign), cmocka_unit_test(test_changed),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_linear_colours),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
