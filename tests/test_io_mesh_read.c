// Meshes from files: what is written reads back, other programs' forms read the same, and
// damage is refused by line or element.
#include "io_tmp.h"

#include <locale.h>
#include <math.h>

#include "base/mesh.h"
#include "io/gltf.h"
#include "io/mesh_read.h"
#include "io/obj.h"
#include "io/ply.h"
#include "io/stl.h"
#include "io/text.h"

// A tetrahedron whose coordinates need all nine digits.
static struct tess_mesh make_mesh(struct tmp *tmp)
{
    static const float positions[12] = {0.1f, 0,     0,      1.00000012f, 0, -1e-7f,
                                        0,    2.25f, 1e-38f, -3,          7, 16777215};
    static const uint32_t indices[12] = {0, 2, 1, 0, 1, 3, 1, 2, 3, 0, 3, 2};
    struct tess_mesh mesh = {0};
    assert_int_equal(tess_mesh_create(&mesh, &tmp->env, 4, 4, true), TESS_OK);
    memcpy(mesh.positions, positions, sizeof positions);
    memcpy(mesh.indices, indices, sizeof indices);
    assert_int_equal(tess_mesh_normals(&mesh, &tmp->env), TESS_OK);
    return mesh;
}

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_mesh mesh = {0};
    enum tess_status status = tess_mesh_read(&mesh, env, path);
    for (size_t i = 0; i < 3 * mesh.faces; i++)
        assert_true(mesh.indices[i] < mesh.vertices);
    for (size_t i = 0; i < 3 * mesh.vertices; i++)
        assert_true(isfinite(mesh.positions[i]));
    assert_true((status == TESS_OK) == (mesh.faces > 0));
    tess_mesh_clear(&mesh);
    return status;
}

// As tmp_damage(), but the damaged copies keep the suffix of `name`, and where `text` is
// true a file that is cut off may be whole.
static void damage(struct tmp *tmp, const char *name, bool text, int flips)
{
    size_t bytes;
    char damaged[64];
    snprintf(damaged, sizeof damaged, "damaged%s", strrchr(name, '.'));
    uint8_t *data = tmp_read(tmp, name, &bytes);
    assert_int_equal(read_any(&tmp->env, tmp->path), TESS_OK);
    for (size_t length = 0; length < bytes; length++) {
        enum tess_status status =
            read_any(&tmp->env, tmp_write(tmp, damaged, data, length));
        if (!text || status)
            tmp_expect(tmp, status, TESS_ERR_FILE, damaged, NULL);
    }
    for (int i = 0; i < flips; i++) {
        size_t at = tmp_random(tmp) % bytes;
        uint8_t old = data[at];
        data[at] = (uint8_t)tmp_random(tmp);
        enum tess_status status =
            read_any(&tmp->env, tmp_write(tmp, damaged, data, bytes));
        assert_true(status == TESS_OK || status == TESS_ERR_FILE);
        data[at] = old;
    }
    free(data);
}

// Whatever the format, the same corners in the same order.
static void check_mesh(struct tmp *tmp, const struct tess_mesh *expected,
                       const char *path)
{
    struct tess_mesh mesh = {0};
    enum tess_status status = tess_mesh_read(&mesh, &tmp->env, path);
    if (status)
        print_error("%s\n", tmp->env.message);
    assert_int_equal(status, TESS_OK);
    assert_int_equal(mesh.faces, expected->faces);
    for (size_t i = 0; i < 3 * mesh.faces; i++) {
        const float *p = mesh.positions + 3 * (size_t)mesh.indices[i],
                    *q = expected->positions + 3 * (size_t)expected->indices[i];
        assert_true(p[0] == q[0] && p[1] == q[1] && p[2] == q[2]);
    }
    tess_mesh_clear(&mesh);
}

static void test_round_trips(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_mesh(tmp);
    setlocale(LC_ALL, "de_DE.UTF-8"); // as in test_io_mesh_files.c
    assert_int_equal(tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "a.glb"), NULL, 0),
                     TESS_OK);
    check_mesh(tmp, &mesh, tmp->path);
    assert_int_equal(tess_obj_write(&mesh, &tmp->env, tmp_path(tmp, "a.OBJ")), TESS_OK);
    check_mesh(tmp, &mesh, tmp->path);
    assert_int_equal(tess_stl_write(&mesh, &tmp->env, tmp_path(tmp, "a.Stl")), TESS_OK);
    check_mesh(tmp, &mesh, tmp->path);
    assert_int_equal(tess_ply_write_mesh(&mesh, &tmp->env, tmp_path(tmp, "a.ply")),
                     TESS_OK);
    check_mesh(tmp, &mesh, tmp->path);
    // Other names, told apart by their first bytes.
    assert_int_equal(tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "b"), NULL, 0),
                     TESS_OK);
    check_mesh(tmp, &mesh, tmp->path);
    assert_int_equal(tess_ply_write_mesh(&mesh, &tmp->env, tmp_path(tmp, "c.mesh")),
                     TESS_OK);
    check_mesh(tmp, &mesh, tmp->path);
    setlocale(LC_ALL, "C");
    tess_mesh_clear(&mesh);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write_text(tmp, "x.txt", "v 1 2 3")),
               TESS_ERR_FILE, "x.txt: expected a mesh, .glb, .obj, .ply or .stl", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "absent")), TESS_ERR_FILE, "absent",
               NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "absent.obj")), TESS_ERR_FILE,
               "absent.obj", "No such file", NULL);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"0", true},
        {"-0.0", true},
        {"+1.5", true},
        {".5", true},
        {"5.", true},
        {"1e5", true},
        {"1E-05", true},
        {"1e+308", true},
        {"1.7976931348623157e308", true},
        {"5e-324", true},
        {"1e-400", true},
        {"123456789012345678901234567890", true},
        {"0e9999", true},
        {"0.000000000000000000000000000000001e33", true},
        {"", false},
        {".", false},
        {"-", false},
        {"1.2.3", false},
        {"1e", false},
        {"1e+", false},
        {"e5", false},
        {"nan", false},
        {"inf", false},
        {"0x10", false},
        {"1,5", false},
        {"1e309", false},
        {"--1", false},
        {"1e99999999", false},
        {"1e9999999999999999999", false},
        {"1 ", false},
        {"1d5", false},
    };
    struct tmp *tmp = *state;
    double value;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tess_word word = {cases[i].text, strlen(cases[i].text)};
        bool good = tess_word_number(&value, word);
        if (good != cases[i].good)
            print_error("%s\n", cases[i].text);
        assert_int_equal(good, cases[i].good);
        if (good) {
            double expected = strtod(cases[i].text, NULL);
            assert_true(fabs(value - expected) <= 5e-16 * fabs(expected));
            assert_int_equal(signbit(value) != 0, signbit(expected) != 0);
        }
    }
    // Any float with nine digits comes back.
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = tmp_random(tmp);
        float x;
        char text[32];
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        snprintf(text, sizeof text, "%.9g", (double)x);
        assert_true(tess_word_number(&value, (struct tess_word){text, strlen(text)}));
        assert_true((float)value == x);
    }
    int64_t integer;
    assert_true(tess_word_integer(&integer, (struct tess_word){"-12", 3}));
    assert_int_equal(integer, -12);
    assert_true(
        tess_word_integer(&integer, (struct tess_word){"999999999999999999", 18}));
    assert_false(
        tess_word_integer(&integer, (struct tess_word){"9999999999999999999", 19}));
    assert_false(tess_word_integer(&integer, (struct tess_word){"+", 1}));
    assert_false(tess_word_integer(&integer, (struct tess_word){"1.0", 3}));
}

// Vertices and corners of a file, as text.
static void expect_mesh(struct tmp *tmp, const char *path, const char *expected)
{
    struct tess_mesh mesh = {0};
    char text[1024];
    size_t used = 0;
    enum tess_status status = tess_mesh_read(&mesh, &tmp->env, path);
    if (status)
        print_error("%s\n", tmp->env.message);
    assert_int_equal(status, TESS_OK);
    assert_null(mesh.normals);
    assert_null(mesh.attributes);
    for (size_t i = 0; i < mesh.vertices; i++)
        used += (size_t)snprintf(
            text + used, sizeof text - used, "%g,%g,%g ", (double)mesh.positions[3 * i],
            (double)mesh.positions[3 * i + 1], (double)mesh.positions[3 * i + 2]);
    for (size_t i = 0; i < mesh.faces; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%u%u%u",
                                 i ? " " : "/ ", mesh.indices[3 * i],
                                 mesh.indices[3 * i + 1], mesh.indices[3 * i + 2]);
    assert_string_equal(text, expected);
    tess_mesh_clear(&mesh);
}

static void test_obj(void **state)
{
    struct tmp *tmp = *state;
    // (x, y, z) in the file is (x, -z, y).
    expect_mesh(tmp, tmp_write_text(tmp, "a.obj", "v 1 2 3\nv 4 5 6\nv 7 8 9\nf 1 2 3"),
                "1,-3,2 4,-6,5 7,-9,8 / 012");
    expect_mesh(tmp,
                tmp_write_text(tmp, "a.obj",
                               "# comment\r\nmtllib a b.mtl\r\no thing\r\n"
                               "f 4//1 2/7 3/1/2 1\r\n" // before its vertices
                               "v 1 0 0 1.0\r\nv 0 1 0 0.5 0.5 0.5\r\n\r\n"
                               "\tv  0  0 \\\r\n 1\r\nv 0 0 0\r\nvn 0 0 1\r\nvt 0 0\r\n"
                               "usemtl x\r\ns off\r\nf -4 -3\\\r\n -2\r\nf -1 +1 2\r\n"
                               "l 1 2\r\n"),
                "1,-0,0 0,-0,1 0,-1,0 0,-0,0 / 312 320 012 301");
}

static void test_bad_obj(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no faces, expected an OBJ file"},
        {"v 1 2 3\n", "no faces"},
        {"v 1 2\nv 0 0 0\nf 1 1 2", "line 1: expected a vertex of three finite numbers"},
        {"v 1 2 x\nf 1 1 1", "line 1: expected a vertex of three"},
        {"v 1 2 nan\nf 1 1 1", "line 1: expected a vertex of three"},
        {"v 1 2 1e39\nf 1 1 1", "line 1: expected a vertex of three finite"},
        {"v 1 2 1,5\nf 1 1 1", "line 1: expected a vertex of three"},
        {"v 1 2 3\n\nf 1 1\n", "line 3: expected a face of three corners or more"},
        {"v 1 2 3\nf\n", "line 2: expected a face of three"},
        {"v 1 2 3\nf 1 1 2",
         "line 2: corner 3 of the face is \"2\", expected a vertex of "
         "1, of which 1 come before"},
        {"v 1 2 3\nf 1 1 0", "corner 3 of the face is \"0\""},
        {"v 1 2 3\nf 1 1 -2", "corner 3 of the face is \"-2\""},
        {"f -1 1 1\nv 1 2 3", "line 1: corner 1 of the face is \"-1\", expected a vertex "
                              "of 1, of which 0"},
        {"v 1 2 3\nf 1 1 /1", "corner 3 of the face is \"/1\""},
        {"v 1 2 3\nf 1 1 1.0", "corner 3 of the face is \"1.0\""},
        {"v 1 2 3\nf 1 1 99999999999999999999", "corner 3 of the face is \"9999"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tmp_expect(tmp,
                   read_any(&tmp->env, tmp_write_text(tmp, "bad.obj", cases[i].text)),
                   TESS_ERR_FILE, "bad.obj: ", cases[i].message, NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.obj", "v 1\n\0\n", 6)),
               TESS_ERR_FILE, "bad.obj: line 2: expected text", NULL);
}

#define FACET                                                                            \
    "facet normal 0 0 1\n outer loop\n  vertex 1 2 3\n  vertex 4 5 6\n"                  \
    "  vertex 7 8 9e0\n endloop\nendfacet\n"

static void test_stl(void **state)
{
    struct tmp *tmp = *state;
    expect_mesh(tmp, tmp_write_text(tmp, "a.stl", "solid a b\n" FACET "endsolid a b\n"),
                "1,2,3 4,5,6 7,8,9 / 012");
    expect_mesh(tmp,
                tmp_write_text(tmp, "a.stl",
                               "SOLID\r\nFacet Normal nan nan nan\r\nOuter Loop\r\n"
                               "Vertex 0 0 0\r\n\r\nVERTEX 1 0 0\r\nvertex 0 1 0\r\n"
                               "EndLoop\r\nENDFACET\r\nENDSOLID\r\n"
                               "solid second\n" FACET "endsolid"),
                "0,0,0 1,0,0 0,1,0 1,2,3 4,5,6 7,8,9 / 012 345");
    // A binary file that starts like text.
    struct tess_mesh mesh = make_mesh(tmp);
    size_t bytes;
    assert_int_equal(tess_stl_write(&mesh, &tmp->env, tmp_path(tmp, "a.stl")), TESS_OK);
    uint8_t *data = tmp_read(tmp, "a.stl", &bytes);
    memcpy(data, "solid", 5);
    check_mesh(tmp, &mesh, tmp_write(tmp, "a.stl", data, bytes));
    const float infinite = INFINITY;
    memcpy(data + 84 + 50 + 12, &infinite, 4);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.stl", data, bytes)),
               TESS_ERR_FILE, "bad.stl: triangle 1: a corner is inf", NULL);
    memcpy(data, "other", 5);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.stl", data, bytes - 1)),
               TESS_ERR_FILE, "bad.stl: 283 bytes, an STL file of 4 triangles has 284",
               NULL);
    memset(data + 80, 255, 4);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.stl", data, bytes)),
               TESS_ERR_FILE, "an STL file of 4294967295 triangles has 214748364834",
               NULL);
    memset(data + 80, 0, 4);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.stl", data, 84)),
               TESS_ERR_FILE, "bad.stl: no triangles", NULL);
    free(data);
    tess_mesh_clear(&mesh);
}

static void test_bad_stl(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "0 bytes, expected an STL file of 84 bytes or more"},
        {"v 1 2 3", "7 bytes, expected an STL file"},
        {"solid\nendsolid\n", "no triangles"},
        {"solid\n" FACET,
         "line 8: expected endsolid after the last line; the file is cut"},
        {"solid\n" FACET "solid\n", "line 9: expected facet or endsolid"},
        {"solid\n" FACET "endsolid\n" FACET, "line 10: expected solid"},
        {"solid\nfacet\nvertex 1 2 3\n", "line 3: expected \"outer loop\""},
        {"solid\nfacet\nouter\n", "line 3: expected \"outer loop\""},
        {"solid\nfacet\nouter loop\nvertex 1 2\n", "line 4: expected a vertex of three"},
        {"solid\nfacet\nouter loop\nvertex 1 2 inf\n", "line 4: expected a vertex of"},
        {"solid\nfacet\nouter loop\nvertex 1 2 1e40\n", "line 4: expected a vertex of"},
        {"solid\nfacet\nouter loop\nvertex 1 2 3\nendloop", "line 5: expected vertex"},
        {"solid\nfacet\nouter loop\nvertex 1 2 3\nvertex 1 2 3\nvertex 1 2 3\n"
         "vertex 1 2 3\n",
         "line 7: expected endloop"},
        {"solid\nfacet\nouter loop\nvertex 1 2 3\nvertex 1 2 3\nvertex 1 2 3\n"
         "endloop\nendsolid\n",
         "line 8: expected endfacet"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tmp_expect(tmp,
                   read_any(&tmp->env, tmp_write_text(tmp, "bad.stl", cases[i].text)),
                   TESS_ERR_FILE, "bad.stl: ", cases[i].message, NULL);
}

#define PLY_TEXT "ply\nformat ascii 1.0\n"
#define PLY_XYZ  "property float x\nproperty float y\nproperty float z\n"
#define PLY_FACE "property list uchar int vertex_indices\n"
#define PLY_ONE                                                                          \
    PLY_TEXT "element vertex 3\n" PLY_XYZ "element face 1\n" PLY_FACE "end_header\n"

// A row of three elements: strips to skip, a square's vertices as (colour, double z, y,
// x, list), its faces as (flag, corners).
static size_t put_big(uint8_t *out, uint64_t bits, size_t bytes, bool little)
{
    for (size_t i = 0; i < bytes; i++)
        out[little ? i : bytes - 1 - i] = (uint8_t)(bits >> 8 * i);
    return bytes;
}

static void write_binary_ply(struct tmp *tmp, const char *name, bool little)
{
    uint8_t file[1024];
    size_t used = (size_t)snprintf(
        (char *)file, sizeof file,
        "ply\r\nformat binary_%s_endian 1.0\r\ncomment made by hand\r\nelement strip "
        "2\r\n"
        "property list ushort short values\r\nelement vertex 4\r\nproperty uchar red\r\n"
        "property double z\r\nproperty float y\r\nproperty float64 x\r\n"
        "property list int8 float32 extra\r\nelement face 2\r\nproperty char flag\r\n"
        "property list uint32 uint16 vertex_index\r\nend_header\r\n",
        little ? "little" : "big");
    for (size_t i = 0; i < 2; i++) {
        used += put_big(file + used, i + 1, 2, little);
        for (size_t j = 0; j <= i; j++)
            used += put_big(file + used, 0xffff, 2, little);
    }
    for (size_t i = 0; i < 4; i++) {
        double z = 0.5, x = (double)(i & 1);
        float y = (float)(i >> 1), more = 7;
        uint64_t bits;
        uint32_t low;
        file[used++] = 9;
        memcpy(&bits, &z, 8);
        used += put_big(file + used, bits, 8, little);
        memcpy(&low, &y, 4);
        used += put_big(file + used, low, 4, little);
        memcpy(&bits, &x, 8);
        used += put_big(file + used, bits, 8, little);
        file[used++] = (uint8_t)(i & 1);
        memcpy(&low, &more, 4);
        if (i & 1)
            used += put_big(file + used, low, 4, little);
    }
    static const uint8_t faces[2][5] = {{4, 0, 1, 3, 2}, {3, 3, 2, 1}};
    for (size_t i = 0; i < 2; i++) {
        file[used++] = 0xff;
        used += put_big(file + used, faces[i][0], 4, little);
        for (size_t j = 0; j < faces[i][0]; j++)
            used += put_big(file + used, faces[i][j + 1], 2, little);
    }
    tmp_write(tmp, name, file, used);
}

static void test_ply(void **state)
{
    struct tmp *tmp = *state;
    static const char square[] = "0,0,0.5 1,0,0.5 0,1,0.5 1,1,0.5 / 013 032 321";
    expect_mesh(tmp,
                tmp_write_text(tmp, "a.ply", PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1 0\n"),
                "1,2,3 4,5,6 7,8,9 / 210");
    // Faces first, empty lines, other properties, no end of the last line.
    expect_mesh(tmp,
                tmp_write_text(
                    tmp, "a.ply",
                    PLY_TEXT "obj_info x\nelement face 2\nproperty list uint uint "
                             "vertex_indices\nproperty int flag\nelement vertex 4\n"
                             "property double x\nproperty uchar red\nproperty double y\n"
                             "property double z\nelement edge 1\nproperty list int int "
                             "a\nproperty float b\n"
                             "end_header\n4 0 1 3 2 -1\n\n3 3 2 1 5\n0 9 0 0.5\n"
                             "1 9 0 0.5\n0 9 1 .5\n1 9 1 5e-1\n\n2 7 7 nan"),
                square);
    write_binary_ply(tmp, "little.ply", true);
    expect_mesh(tmp, tmp_path(tmp, "little.ply"), square);
    write_binary_ply(tmp, "big.ply", false);
    expect_mesh(tmp, tmp_path(tmp, "big.ply"), square);
}

static void test_bad_ply(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 0 of the header: expected \"ply\""},
        {"plain\n", "line 1 of the header: expected \"ply\""},
        {"ply\n", "line 1 of the header: expected \"format"},
        {"ply\nformat ascii 2.0\n", "line 2 of the header: expected \"format"},
        {"ply\nformat text 1.0\n", "line 2 of the header: expected \"format"},
        {PLY_TEXT, "line 2 of the header: expected end_header after it"},
        {PLY_TEXT "end_header\n", "property x is missing, expected a mesh"},
        {PLY_TEXT "what\n", "line 3 of the header: expected element, property"},
        {PLY_TEXT "property float x\n", "line 3 of the header: expected an element"},
        {PLY_TEXT "element vertex\n", "line 3 of the header: expected \"element NAME"},
        {PLY_TEXT "element vertex -1\n", "line 3 of the header: expected \"element"},
        {PLY_TEXT "element vertex 1e3\n", "line 3 of the header: expected \"element"},
        {PLY_TEXT "element vertex 99999999999999999999\n", "expected \"element NAME"},
        {PLY_TEXT "element vertex 1\nelement vertex 1\n", "expected vertices and faces "
                                                          "once"},
        {PLY_TEXT "element vertex 1\nproperty half x\n", "line 4 of the header: expected "
                                                         "\"property TYPE NAME\""},
        {PLY_TEXT "element vertex 1\nproperty float\n",
         "expected \"property TYPE NAME\""},
        {PLY_TEXT "element vertex 1\nproperty list int x\n", "expected \"property TYPE"},
        {PLY_TEXT "element vertex 1\nproperty list float int x\n",
         "expected a list whose count is an integer"},
        {PLY_TEXT "element vertex 1\nproperty list int int x\n", "expected x, y, z as "
                                                                 "numbers"},
        {PLY_TEXT "element vertex 1\nproperty int x\nproperty int x\n", "expected x, y"},
        {PLY_TEXT "element face 1\nproperty int vertex_indices\n", "expected x, y, z as"},
        {PLY_TEXT "element face 1\nproperty list int float vertex_index\n",
         "expected vertex_indices that are integers"},
        {PLY_TEXT "element vertex 1\n" PLY_XYZ "end_header\n0 0 0\n",
         "property vertex_indices is missing, expected a mesh"},
        {PLY_TEXT "element vertex 999999999999999999\n" PLY_XYZ
                  "element face 1\n" PLY_FACE "end_header\n0 0 0\n",
         "element 0 of the header: 999999999999999999 rows of at least 6 bytes do not"},
        {PLY_TEXT "element vertex 1\n" PLY_XYZ "element face 9\n" PLY_FACE
                  "end_header\n0 0 0\n3 0 0 0\n",
         "element 1 of the header: 9 rows of at least 2 bytes"},
        {PLY_TEXT "element none 9\nelement vertex 1\n" PLY_XYZ "element face 1\n" PLY_FACE
                  "end_header\n0 0 0\n3 0 0 0\n",
         "element 0 of the header: 9 rows of at least 0 bytes"},
        {PLY_ONE "1 2 3\n4 5\n7 8 9\n3 2 1 0\n", "line 11: vertex 1: expected a number"},
        {PLY_ONE "1 2 3\n4 5 z\n7 8 9\n3 2 1 0\n",
         "line 11: vertex 1: expected a number"},
        {PLY_ONE "1 2 3\n4 5 1e39\n7 8 9\n3 2 1 0\n",
         "vertex 1: expected finite numbers"},
        {PLY_ONE "1 2 3\n4 5 6 7\n7 8 9\n3 2 1 0\n",
         "vertex 1: expected no more numbers"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1 3\n", "line 13: face 0: expected corners"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1 -1\n", "face 0: expected corners"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1 .5\n", "face 0: expected corners"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1\n", "face 0: expected a number for every"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n2 2 1\n",
         "face 0: expected three corners or more"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n-3 2 1\n", "face 0: expected a plausible count"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n1e300 2 1\n",
         "face 0: expected a plausible count"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n\n", "face 0: expected more lines"},
        {PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1 0\n3 2", "3 bytes after the last row"},
        {PLY_TEXT "element vertex 1\n" PLY_XYZ "element face 0\n" PLY_FACE
                  "end_header\n0 0 0\n",
         "element face: no faces, expected a mesh"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tmp_expect(tmp,
                   read_any(&tmp->env, tmp_write_text(tmp, "bad.ply", cases[i].text)),
                   TESS_ERR_FILE, "bad.ply: ", cases[i].message, NULL);
    size_t bytes;
    write_binary_ply(tmp, "good.ply", true);
    uint8_t *data = tmp_read(tmp, "good.ply", &bytes);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.ply", data, bytes - 1)),
               TESS_ERR_FILE, "bad.ply: face 1: expected more bytes; the file is cut off",
               NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.ply", data, bytes + 1)),
               TESS_ERR_FILE, "bad.ply: 1 bytes after the last row", NULL);
    memset(data + bytes - 6, 255, 2);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.ply", data, bytes)),
               TESS_ERR_FILE, "bad.ply: face 1: expected corners that are vertices",
               NULL);
    memset(data + bytes - 10, 255, 4);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "bad.ply", data, bytes)),
               TESS_ERR_FILE, "bad.ply: face 1: expected a plausible count", NULL);
    free(data);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_mesh(tmp);
    assert_int_equal(tess_obj_write(&mesh, &tmp->env, tmp_path(tmp, "good.obj")),
                     TESS_OK);
    damage(tmp, "good.obj", true, 1000);
    assert_int_equal(tess_stl_write(&mesh, &tmp->env, tmp_path(tmp, "good.stl")),
                     TESS_OK);
    damage(tmp, "good.stl", false, 1000);
    assert_int_equal(
        tess_gltf_write(&mesh, &tmp->env, tmp_path(tmp, "good.glb"), NULL, 0), TESS_OK);
    damage(tmp, "good.glb", false, 500);
    tmp_write_text(tmp, "text.stl", "solid\n" FACET FACET "endsolid");
    damage(tmp, "text.stl", false, 1000);
    write_binary_ply(tmp, "little.ply", true);
    damage(tmp, "little.ply", false, 1000);
    write_binary_ply(tmp, "big.ply", false);
    damage(tmp, "big.ply", false, 1000);
    tmp_write_text(tmp, "text.ply", PLY_ONE "1 2 3\n4 5 6\n7 8 9\n3 2 1 0");
    damage(tmp, "text.ply", false, 1000);
    tess_mesh_clear(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_obj),         cmocka_unit_test(test_bad_obj),
        cmocka_unit_test(test_stl),         cmocka_unit_test(test_bad_stl),
        cmocka_unit_test(test_ply),         cmocka_unit_test(test_bad_ply),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
