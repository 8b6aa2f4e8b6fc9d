// Binary glTF: what is written is as the format asks and reads back; foreign files with
// every layout that is read; files that lie.
#include "glb_tmp.h"

#include <math.h>

#include "io/gltf.h"
#include "io/json.h"

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_mesh mesh = {0};
    enum tess_status status = tess_gltf_read(&mesh, env, path);
    assert_true((status == TESS_OK) == (mesh.positions != NULL));
    for (size_t i = 0; i < 3 * mesh.faces; i++)
        assert_true(mesh.indices[i] < mesh.vertices);
    tess_mesh_clear(&mesh);
    return status;
}

// A tetrahedron with outward normals and colours.
static struct tess_mesh make_mesh(struct tmp *tmp)
{
    static const float positions[12] = {0, 0, 0, 0.5f, 0, 0, 0, 0.25f, 0, 0, 0, 0.125f};
    static const uint32_t faces[12] = {0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3};
    static const float colours[4][3] = {
        {1, 0, 0.5f}, {0.02f, 0.2f, 0.7f}, {0, 0, 0}, {1, 1, 1}};
    struct tess_mesh mesh = {0};
    assert_int_equal(tess_mesh_create(&mesh, &tmp->env, 4, 4, true), TESS_OK);
    memcpy(mesh.positions, positions, sizeof positions);
    memcpy(mesh.indices, faces, sizeof faces);
    for (int i = 0; i < 4; i++)
        memcpy(mesh.attributes + 6 * i, colours[i], sizeof colours[i]);
    assert_int_equal(tess_mesh_normals(&mesh, &tmp->env), TESS_OK);
    return mesh;
}

static void test_written(void **state)
{
    struct tmp *tmp = *state;
    const struct tess_metadata metadata[] = {{"model", "a \"b\""}, {"seed", "7"}};
    struct tess_mesh mesh = make_mesh(tmp);
    assert_int_equal(
        tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "a.glb"), metadata, 2), TESS_OK);
    tess_mesh_clear(&mesh);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.glb", &bytes);
    assert_memory_equal(data, "glTF\2\0\0\0", 8);
    assert_int_equal(tmp_word_at(data, 8), bytes);
    size_t json_bytes = tmp_word_at(data, 12);
    assert_int_equal(json_bytes % 4, 0);
    assert_memory_equal(data + 16, "JSON", 4);
    assert_memory_equal(data + 20 + json_bytes + 4, "BIN\0", 4);
    assert_int_equal(tmp_word_at(data, 20 + json_bytes), 4 * (12 + 12 + 12) + 4 * 8);
    struct tess_json *json = NULL;
    assert_int_equal(
        tess_json_parse(&json, &tmp->env, "a", (char *)data + 20, json_bytes), TESS_OK);
    struct tess_json_at root = tess_json_root(json), asset, extras, at, *items = NULL;
    const char *text;
    assert_int_equal(tess_json_object(&asset, root, "asset"), TESS_OK);
    assert_int_equal(tess_json_string(&text, asset, "version"), TESS_OK);
    assert_string_equal(text, "2.0");
    assert_int_equal(tess_json_string(&text, asset, "generator"), TESS_OK);
    assert_memory_equal(text, "Tessella ", 9);
    assert_int_equal(tess_json_object(&extras, asset, "extras"), TESS_OK);
    assert_int_equal(tess_json_string(&text, extras, "model"), TESS_OK);
    assert_string_equal(text, "a \"b\"");
    assert_int_equal(tess_json_array(&at, root, "accessors", 4, 4), TESS_OK);
    assert_int_equal(tess_json_items(&items, at), TESS_OK);
    float low[3], high[3];
    assert_int_equal(tess_json_floats(low, items[1], "min", 3, -1, 1), TESS_OK);
    assert_int_equal(tess_json_floats(high, items[1], "max", 3, -1, 1), TESS_OK);
    // (x, y, z) became (x, z, -y).
    assert_true(low[0] == 0 && low[1] == 0 && low[2] == -0.25f);
    assert_true(high[0] == 0.5f && high[1] == 0.125f && high[2] == 0);
    free(items);
    // The first colour: red and linear.
    const uint8_t *colours = data + 20 + json_bytes + 8 + 4 * 36;
    const uint16_t first[4] = {65535, 0, 14027, 65535}; // ((0.5 + 0.055) / 1.055)^2.4
    assert_memory_equal(colours, first, sizeof first);
    tess_json_destroy(&json);
    free(data);
}

static void test_round_trip(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_mesh(tmp), read = {0};
    assert_int_equal(tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "a.glb"), NULL, 0),
                     TESS_OK);
    assert_int_equal(tess_gltf_read(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(read.vertices, 4);
    assert_int_equal(read.faces, 4);
    assert_memory_equal(read.indices, mesh.indices, 48);
    for (int i = 0; i < 12; i++) {
        assert_true(read.positions[i] == mesh.positions[i]);
        assert_true(fabsf(read.normals[i] - mesh.normals[i]) < 1e-6f);
    }
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 3; j++)
            assert_true(fabsf(read.attributes[6 * i + j] - mesh.attributes[6 * i + j]) <
                        2e-4f);
    }
    tess_mesh_clear(&read);
    // Without normals and colours: smooth normals, white.
    free(mesh.normals);
    free(mesh.attributes);
    mesh.normals = mesh.attributes = NULL;
    assert_int_equal(tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "b.glb"), NULL, 0),
                     TESS_OK);
    assert_int_equal(tess_gltf_read(&read, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(tess_mesh_normals(&mesh, &tmp->env), TESS_OK);
    assert_memory_equal(read.normals, mesh.normals, 48);
    assert_true(read.attributes[0] == 1 && read.attributes[1] == 1);
    tess_mesh_clear(&read);
    tess_mesh_clear(&mesh);
}

static void test_empty(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    size_t bytes;
    assert_int_equal(tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "a.glb"), NULL, 0),
                     TESS_OK);
    uint8_t *data = tmp_read(tmp, "a.glb", &bytes);
    assert_int_equal(20 + tmp_word_at(data, 12), bytes); // no binary chunk
    assert_null(strstr((char *)data + 20, "mesh"));
    free(data);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "a.glb")), TESS_ERR_FILE,
               "a.glb: no triangles", NULL);
}

// Interleaved positions and byte colours, short indices, in a tree of transforms.
#define FOREIGN                                                                          \
    "{\"asset\":{\"version\":\"2.0\"},\"scene\":0,\"scenes\":[{\"nodes\":[1]}],"         \
    "\"nodes\":[{\"mesh\":0,\"scale\":[-2,2,2]},"                                        \
    "{\"children\":[0,2],\"translation\":[10,0,0]},"                                     \
    "{\"mesh\":1,\"matrix\":[0,0,-1,0,0,1,0,0,1,0,0,0,0,5,0,1]}],"                       \
    "\"materials\":[{\"pbrMetallicRoughness\":{\"baseColorFactor\":[0,1,1,1]}}],"        \
    "\"meshes\":[{\"primitives\":["                                                      \
    "{\"attributes\":{\"POSITION\":0,\"COLOR_0\":1},\"indices\":2,\"material\":0},"      \
    "{\"attributes\":{\"POSITION\":0},\"mode\":1}]},"                                    \
    "{\"primitives\":[{\"attributes\":{\"POSITION\":0,\"NORMAL\":3}}]}],"                \
    "\"accessors\":["                                                                    \
    "{\"bufferView\":0,\"componentType\":5126,\"count\":3,\"type\":\"VEC3\"},"           \
    "{\"bufferView\":0,\"byteOffset\":12,\"componentType\":5121,\"normalized\":true,"    \
    "\"count\":3,\"type\":\"VEC3\"},"                                                    \
    "{\"bufferView\":1,\"componentType\":5123,\"count\":3,\"type\":\"SCALAR\"},"         \
    "{\"bufferView\":2,\"componentType\":5126,\"count\":3,\"type\":\"VEC3\"}],"          \
    "\"bufferViews\":[{\"buffer\":0,\"byteLength\":48,\"byteStride\":16},"               \
    "{\"buffer\":0,\"byteOffset\":48,\"byteLength\":6},"                                 \
    "{\"buffer\":0,\"byteOffset\":56,\"byteLength\":36}],"                               \
    "\"buffers\":[{\"byteLength\":92}]}"

struct foreign {
    struct {
        float position[3];
        uint8_t colour[4];
    } rows[3];
    uint16_t indices[4];
    float normals[3][3];
};

static const struct foreign BINARY = {
    .rows = {{{0, 0, 0}, {255, 255, 0}}, {{1, 0, 0}, {0, 0, 0}}, {{0, 1, 0}, {0, 0, 0}}},
    .indices = {0, 1, 2},
    .normals = {{0, 0, 1}, {0, 0, 3}, {0, 0, 0}},
};

static void test_foreign(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    assert_int_equal(sizeof BINARY, 92);
    assert_int_equal(
        tess_gltf_read(&mesh, &tmp->env,
                       tmp_write_glb(tmp, "b.glb", FOREIGN, &BINARY, sizeof BINARY)),
        TESS_OK);
    assert_int_equal(mesh.vertices, 6);
    assert_int_equal(mesh.faces, 2);
    // Mirrored in x, twice as large, moved; the corners change places to keep the
    // outside.
    static const float positions[6][3] = {{10, 0, 0}, {8, 0, 0},  {10, 0, 2},
                                          {10, 0, 5}, {10, 1, 5}, {10, 0, 6}};
    static const uint32_t indices[6] = {0, 2, 1, 3, 4, 5};
    for (int i = 0; i < 18; i++)
        assert_true(fabsf(mesh.positions[i] - (&positions[0][0])[i]) < 1e-6f);
    assert_memory_equal(mesh.indices, indices, sizeof indices);
    // (0, 0, 1) there is (0, -1, 0) here; turned by the matrix it is (1, 0, 0).
    static const float normals[6][3] = {{0, -1, 0}, {0, -1, 0}, {0, -1, 0},
                                        {1, 0, 0},  {1, 0, 0},  {0, 0, 1}};
    for (int i = 0; i < 18; i++)
        assert_true(fabsf(mesh.normals[i] - (&normals[0][0])[i]) < 1e-6f);
    // Yellow times cyan; the other mesh has neither colours nor a material.
    assert_true(mesh.attributes[0] == 0 && mesh.attributes[1] == 1 &&
                mesh.attributes[2] == 0);
    assert_true(mesh.attributes[18] == 1 && mesh.attributes[20] == 1);
    tess_mesh_clear(&mesh);
}

static enum tess_status read_changed(struct tmp *tmp, const char *from, const char *to,
                                     const struct foreign *binary)
{
    return read_any(&tmp->env, tmp_write_changed_glb(tmp, "b.glb", FOREIGN, from, to,
                                                     binary, sizeof *binary));
}

static void test_bad_json(void **state)
{
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"\"scene\":0", "\"scene\":1", "field scene is 1, expected an integer in 0..0"},
        {"\"scenes\":[{\"nodes\":[1]}],", "", "field scenes is missing"},
        {"[{\"nodes\":[1]}]", "[3]", "field scenes[0] is 3, expected an object"},
        {"\"nodes\":[1]", "\"nodes\":[3]", "field scenes[0].nodes[0] is 3"},
        {"\"nodes\":[1]", "\"nodes\":[1,1]", "field scenes[0].nodes[0] is 1"},
        {"\"nodes\":[1]", "\"nodes\":[]", "no triangles"},
        {"\"children\":[0,2]", "\"children\":[0,1]", "field nodes[1].children[1] is 1"},
        {"\"children\":[0,2]", "\"children\":[0,-1]", "field nodes[1].children[1] is -1"},
        {"\"scale\":[-2,2,2]", "\"scale\":[-2,2]",
         "field nodes[0].scale is an array of 2"},
        {"\"scale\":[-2,2,2]", "\"scale\":[-2,2,\"\"]", "field nodes[0].scale[2] is"},
        {"\"translation\":[10,0,0]", "\"translation\":[1e30,0,0]",
         "field nodes[1].translation[0] is 1e+30"},
        {"\"mesh\":1", "\"mesh\":2", "field nodes[2].mesh is 2"},
        {"\"material\":0", "\"material\":1",
         "field meshes[0].primitives[0].material is 1"},
        {"[0,1,1,1]", "[0,1,1]",
         "field materials[0].pbrMetallicRoughness.baseColorFactor"},
        {"\"mode\":1", "\"mode\":5", "field meshes[0].primitives[1].mode is 5"},
        {"\"mode\":1", "\"mode\":7", "field meshes[0].primitives[1].mode is 7"},
        {"{\"POSITION\":0,", "{\"POSITIONS\":0,", "attributes.POSITION is missing"},
        {"\"POSITION\":0", "\"POSITION\":9", "attributes.POSITION is 9"},
        {"\"POSITION\":0", "\"POSITION\":2", "expected an accessor of VEC3 float"},
        {"\"COLOR_0\":1", "\"COLOR_0\":2",
         "attributes.COLOR_0 is 2, expected an accessor"},
        {"\"indices\":2", "\"indices\":0",
         "primitives[0].indices is 0, expected an accessor of SCALAR"},
        {"\"componentType\":5123", "\"componentType\":5122", "SCALAR unsigned integers"},
        {"\"componentType\":5126", "\"componentType\":5124",
         "field accessors[0].component"},
        {"\"componentType\":5126", "\"componentType\":1", "field accessors[0].component"},
        {"\"type\":\"VEC3\"", "\"type\":\"MAT4\"", "field accessors[0].type is \"MAT4\""},
        {"\"count\":3", "\"count\":4", "accessors[0].count is 4, expected at most 3"},
        {"\"count\":3", "\"count\":0", "accessors[0].count is 0"},
        {"\"count\":3", "\"count\":1e15", "accessors[0].count is"},
        {"\"count\":3,\"type\":\"SCALAR\"", "\"count\":2,\"type\":\"SCALAR\"",
         "primitives[0] is an object, expected a multiple of 3"},
        {"\"count\":3,\"type\":\"VEC3\"}]", "\"count\":2,\"type\":\"VEC3\"}]",
         "NORMAL is 3, expected an accessor of 3 elements"},
        {"\"normalized\":true,", "", "COLOR_0 is 1, expected an accessor"},
        {"\"bufferView\":0,\"comp", "\"comp", "field accessors[0].bufferView is missing"},
        {"\"bufferView\":0,\"comp", "\"sparse\":{},\"bufferView\":0,\"comp",
         "field accessors[0].sparse is an object"},
        {"\"bufferView\":1", "\"bufferView\":3", "field accessors[2].bufferView is 3"},
        {"\"byteOffset\":12", "\"byteOffset\":49", "field accessors[1].byteOffset is 49"},
        {"\"byteOffset\":12", "\"byteOffset\":14",
         "accessors[1].count is 3, expected at most 2"},
        {"\"byteLength\":48", "\"byteLength\":46",
         "accessors[1].count is 3, expected at most 2"},
        {"\"byteLength\":48", "\"byteLength\":93",
         "field bufferViews[0].byteLength is 93"},
        {"\"byteOffset\":48", "\"byteOffset\":93",
         "field bufferViews[1].byteOffset is 93"},
        {"\"byteStride\":16", "\"byteStride\":8", "field bufferViews[0].byteStride is 8"},
        {"\"byteStride\":16", "\"byteStride\":256",
         "field bufferViews[0].byteStride is 256"},
        {"\"buffer\":0", "\"buffer\":1", "field bufferViews[0].buffer is 1"},
        {"\"byteLength\":92", "\"byteLength\":93", "field buffers[0].byteLength is 93"},
        {"\"byteLength\":92", "\"byteLength\":92,\"uri\":\"a.bin\"", "external buffers"},
        {"\"scene\":0",
         "\"scene\":0,\"extensionsRequired\":[\"KHR_draco_mesh_compression\"]",
         "field extensionsRequired[0] is \"KHR_draco_mesh_compression\""},
        {"\"accessors\":[", "\"accessors\":3,\"x\":[", "field accessors is 3"},
        {"\"accessors\":[", "\"x\":[", "POSITION is 0, expected no index"},
        {"{\"asset\"", "[{\"asset\"", "not valid JSON"},
    };
    struct tmp *tmp = *state;
    assert_int_equal(read_changed(tmp, "\"asset\"", "\"asset\"", &BINARY), TESS_OK);
    assert_int_equal(read_changed(tmp, "\"scene\":0",
                                  "\"extensionsRequired\":[\"KHR_materials_unlit\"]",
                                  &BINARY),
                     TESS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tess_status status = read_changed(tmp, cases[i].from, cases[i].to, &BINARY);
        if (status != TESS_ERR_FILE)
            print_error("%s -> %s\n", cases[i].from, cases[i].to);
        tmp_expect(tmp, status, TESS_ERR_FILE, "b.glb: ", cases[i].text, NULL);
    }
}

static void test_bad_binary(void **state)
{
    struct tmp *tmp = *state;
    struct foreign binary = BINARY;
    binary.indices[1] = 3;
    tmp_expect(
        tmp, read_changed(tmp, "asset", "asset", &binary), TESS_ERR_FILE,
        "b.glb: field meshes[0].primitives[0].indices is 2, expected an accessor of "
        "values below 3, but element 1 is 3",
        NULL);
    binary = BINARY;
    binary.rows[2].position[1] = NAN;
    tmp_expect(tmp, read_changed(tmp, "asset", "asset", &binary), TESS_ERR_FILE,
               "attributes.POSITION is 0, expected an accessor of finite numbers, but "
               "element 2",
               NULL);
    binary = BINARY;
    binary.normals[1][1] = INFINITY;
    tmp_expect(tmp, read_changed(tmp, "asset", "asset", &binary), TESS_ERR_FILE,
               "attributes.NORMAL is 3, expected an accessor of finite numbers, but "
               "element 1",
               NULL);
}

static void test_bad_container(void **state)
{
    struct tmp *tmp = *state;
    size_t bytes;
    tmp_write_glb(tmp, "b.glb", FOREIGN, &BINARY, sizeof BINARY);
    uint8_t *data = tmp_read(tmp, "b.glb", &bytes);
    static const struct {
        size_t at;
        uint8_t value;
        const char *text;
    } cases[] = {
        {0, 'G', "not a binary glTF"}, {4, 1, "version 1, expected 2"},
        {8, 1, "its header says"},     {15, 1, "chunk 0"},
        {16, 'j', "chunk 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t old = data[cases[i].at];
        data[cases[i].at] = cases[i].value;
        tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "c.glb", data, bytes)),
                   TESS_ERR_FILE, "c.glb: ", cases[i].text, NULL);
        data[cases[i].at] = old;
    }
    size_t chunk = 20 + tmp_word_at(data, 12);
    data[chunk] = 255;
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "c.glb", data, bytes)),
               TESS_ERR_FILE, "c.glb: chunk 1 has 255 bytes", NULL);
    data[chunk] = 92;
    data[chunk + 4] = 'b';
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "c.glb", data, bytes)),
               TESS_ERR_FILE, "c.glb: chunk 1 is not BIN", NULL);
    free(data);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    tmp_write_glb(tmp, "b.glb", FOREIGN, &BINARY, sizeof BINARY);
    tmp_damage(tmp, "b.glb", read_any, 1, 4000);
}

// A texture comes back as the colours of vertices: at texels' centres exactly, between
// them mixed, and around the border from the other side.
static void test_texture(void **state)
{
    struct tmp *tmp = *state;
    static const float uvs[8] = {0.125f, 0.125f, 0.25f, 0.375f,
                                 0.625f, 0.875f, 0,     0.125f};
    static const float red[4] = {0, 0.5f, 40 / 255.0f, 0};
    static const float green[4] = {0, 60 / 255.0f, 180 / 255.0f, 0};
    struct tess_picture picture;
    assert_int_equal(tess_picture_create(&picture, &tmp->env, 4, 4), TESS_OK);
    for (size_t i = 0; i < 16; i++) {
        picture.pixels[4 * i + 1] = (uint8_t)(60 * (i / 4));
        picture.pixels[4 * i + 2] = 7;
        picture.pixels[4 * i + 3] = 255;
    }
    picture.pixels[4 * 4] = 255; // second row, first column
    picture.pixels[4 * 14] = 40; // fourth row, third column
    struct tess_mesh mesh = make_mesh(tmp), back = {0};
    mesh.uvs = calloc(8, sizeof *mesh.uvs);
    memcpy(mesh.uvs, uvs, sizeof uvs);
    for (int format = 0; format < 2; format++) {
        struct tess_texture_file texture;
        assert_int_equal(tess_texture_encode(&texture, &tmp->env, &picture,
                                             (enum tess_texture_format)format, "t.glb"),
                         TESS_OK);
        assert_int_equal(
            tess_gltf_write_look(&mesh, &(struct tess_gltf_look){.texture = &texture},
                                 &tmp->env, tmp_path(tmp, "t.glb"), NULL, 0),
            TESS_OK);
        assert_int_equal(tess_gltf_read(&back, &tmp->env, tmp_path(tmp, "t.glb")),
                         TESS_OK);
        assert_int_equal(back.vertices, 4);
        for (size_t i = 0; i < 4; i++) {
            const float *rgb = back.attributes + 6 * i;
            float slack = format == TESS_TEXTURE_JPEG ? 0.15f : 1e-5f;
            assert_float_equal(rgb[0], red[i], slack);
            assert_float_equal(rgb[1], green[i], slack);
            assert_float_equal(rgb[2], 7 / 255.0f, slack);
        }
        tess_mesh_clear(&back);
        // A picture that is none: the mesh is read without it.
        memset(texture.data, 'x', texture.bytes);
        assert_int_equal(
            tess_gltf_write_look(&mesh, &(struct tess_gltf_look){.texture = &texture},
                                 &tmp->env, tmp_path(tmp, "t.glb"), NULL, 0),
            TESS_OK);
        assert_int_equal(tess_gltf_read(&back, &tmp->env, tmp_path(tmp, "t.glb")),
                         TESS_OK);
        assert_float_equal(back.attributes[6], 1, 1e-6f);
        assert_string_equal(tmp->env.message, "");
        tess_mesh_clear(&back);
        tess_texture_file_clear(&texture);
    }
    tess_picture_clear(&picture);
    tess_mesh_clear(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),    cmocka_unit_test(test_texture),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_foreign),    cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_bad_binary), cmocka_unit_test(test_bad_container),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
