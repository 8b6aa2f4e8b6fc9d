// OBJ and STL files, and outputs that appear whole or not at all.
#include "io_tmp.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <sys/stat.h>

#include "base/mesh.h"
#include "io/input.h"
#include "io/obj.h"
#include "io/output.h"
#include "io/stl.h"

static struct tess_mesh make_triangle(struct tmp *tmp, bool attributes)
{
    static const float positions[9] = {0, 0, 0, 0.1f, 0, 0, 0, 2, 1e-7f};
    static const uint32_t face[3] = {0, 1, 2};
    struct tess_mesh mesh = {0};
    assert_int_equal(tess_mesh_create(&mesh, &tmp->env, 3, 1, attributes), TESS_OK);
    memcpy(mesh.positions, positions, sizeof positions);
    memcpy(mesh.indices, face, sizeof face);
    for (int i = 0; i < 18 && attributes; i++)
        mesh.attributes[i] = (float)i / 32;
    return mesh;
}

static void test_obj(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_triangle(tmp, true);
    size_t bytes;
    // A locale with a decimal comma must not matter. It may be missing; then nothing
    // changes.
    setlocale(LC_ALL, "de_DE.UTF-8");
    assert_int_equal(tess_mesh_normals(&mesh, &tmp->env), TESS_OK);
    assert_int_equal(tess_obj_write(&mesh, &tmp->env, tmp_path(tmp, "a.obj")), TESS_OK);
    setlocale(LC_ALL, "C");
    char *text = (char *)tmp_read(tmp, "a.obj", &bytes);
    assert_non_null(strstr(text, "# Tessella "));
    char *vertices = strchr(text, '\n') + 1;
    assert_string_equal(vertices, "v 0 0 -0 0 0.03125 0.0625\n"
                                  "v 0.100000001 0 -0 0.1875 0.21875 0.25\n"
                                  "v 0 1.00000001e-07 -2 0.375 0.40625 0.4375\n"
                                  "vn 0 1 5.00000006e-08\n"
                                  "vn 0 1 5.00000006e-08\n"
                                  "vn 0 1 5.00000006e-08\n"
                                  "f 1//1 2//2 3//3\n");
    free(text);
    tess_mesh_clear(&mesh);
    mesh = make_triangle(tmp, false);
    assert_int_equal(tess_obj_write(&mesh, &tmp->env, tmp_path(tmp, "b.obj")), TESS_OK);
    text = (char *)tmp_read(tmp, "b.obj", &bytes);
    assert_non_null(strstr(text, "\nv 0 0 -0\n"));
    assert_null(strstr(text, "vn"));
    assert_non_null(strstr(text, "\nf 1 2 3\n"));
    free(text);
    tess_mesh_clear(&mesh);
}

static void expect_text(struct tmp *tmp, const char *name, const char *text)
{
    size_t bytes;
    char *got = (char *)tmp_read(tmp, name, &bytes);
    assert_string_equal(strchr(got, '\n') + 1, text);
    free(got);
}

// OUT.obj, OUT.mtl and the texture come together.
static void test_textured_obj(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_triangle(tmp, true);
    struct tess_picture picture;
    struct tess_texture_file texture;
    assert_int_equal(tess_picture_create(&picture, &tmp->env, 4, 4), TESS_OK);
    memset(picture.pixels, 200, 64);
    mesh.uvs = calloc(6, sizeof *mesh.uvs);
    memcpy(mesh.uvs, (float[]){0, 0, 0.5f, 0, 0, 0.75f}, 24);
    assert_int_equal(
        tess_texture_encode(&texture, &tmp->env, &picture, TESS_TEXTURE_JPEG, "a.obj"),
        TESS_OK);
    assert_string_equal(texture.mime, "image/jpeg");
    assert_memory_equal(texture.data, "\xff\xd8\xff", 3);
    const char *path = tmp_path(tmp, "a.v2.obj");
    assert_int_equal(tess_obj_write_textured(&mesh, &texture, &tmp->env, path), TESS_OK);
    expect_text(tmp, "a.v2.obj",
                "mtllib a.v2.mtl\n"
                "v 0 0 -0\nv 0.100000001 0 -0\nv 0 1.00000001e-07 -2\n"
                "vt 0 1\nvt 0.5 1\nvt 0 0.25\n"
                "usemtl texture\nf 1/1 2/2 3/3\n");
    expect_text(tmp, "a.v2.mtl",
                "Ka 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nPr 1\nPm 0\n"
                "map_Kd a.v2.jpg\n");
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.v2.jpg", &bytes);
    assert_int_equal(bytes, texture.bytes);
    assert_memory_equal(data, texture.data, bytes);
    free(data);
    assert_int_equal(tess_mesh_normals(&mesh, &tmp->env), TESS_OK);
    assert_int_equal(
        tess_obj_write_textured(&mesh, &texture, &tmp->env, tmp_path(tmp, "n.obj")),
        TESS_OK);
    data = tmp_read(tmp, "n.obj", &bytes);
    assert_non_null(strstr((char *)data, "\nf 1/1/1 2/2/2 3/3/3\n"));
    free(data);
    // A folder is in the material's place: nothing appears.
    assert_int_equal(mkdir(tmp_path(tmp, "c.mtl"), 0777), 0);
    assert_int_equal(
        tess_obj_write_textured(&mesh, &texture, &tmp->env, tmp_path(tmp, "c.obj")),
        TESS_ERR_WRITE);
    assert_non_null(strstr(tmp->env.message, "c.mtl"));
    struct stat info;
    assert_int_not_equal(stat(tmp_path(tmp, "c.obj"), &info), 0);
    assert_int_not_equal(stat(tmp_path(tmp, "c.jpg"), &info), 0);
    tess_texture_file_clear(&texture);
    tess_picture_clear(&picture);
    tess_mesh_clear(&mesh);
}

// One of two files cannot take its name: the other one goes again.
static void test_commit_all(void **state)
{
    struct tmp *tmp = *state;
    struct tess_output *outputs[2] = {NULL};
    struct stat info;
    char second[512];
    snprintf(second, sizeof second, "%s", tmp_path(tmp, "second"));
    assert_int_equal(tess_output_open(&outputs[0], &tmp->env, tmp_path(tmp, "first")),
                     TESS_OK);
    assert_int_equal(tess_output_open(&outputs[1], &tmp->env, second), TESS_OK);
    assert_int_equal(mkdir(second, 0777), 0);
    assert_int_equal(tess_output_commit_all(outputs, 2, &tmp->env), TESS_ERR_WRITE);
    assert_non_null(strstr(tmp->env.message, "second"));
    assert_null(outputs[0]);
    assert_null(outputs[1]);
    assert_int_not_equal(stat(tmp_path(tmp, "first"), &info), 0);
    rmdir(second);
}

static void test_stl(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_triangle(tmp, false);
    size_t bytes;
    assert_int_equal(tess_stl_write(&mesh, &tmp->env, tmp_path(tmp, "a.stl")), TESS_OK);
    uint8_t *data = tmp_read(tmp, "a.stl", &bytes);
    assert_int_equal(bytes, 84 + 50);
    assert_true(memcmp(data, "solid", 5) != 0);
    assert_memory_equal(data + 80, "\1\0\0\0", 4);
    float normal[3];
    memcpy(normal, data + 84, sizeof normal);
    assert_true(fabsf(normal[2] - 1) < 1e-6f);
    assert_memory_equal(data + 96, mesh.positions, 36);
    assert_memory_equal(data + 132, "\0\0", 2);
    free(data);
    tess_mesh_clear(&mesh);
    // Nothing, and a triangle without area.
    assert_int_equal(tess_stl_write(&mesh, &tmp->env, tmp_path(tmp, "b.stl")), TESS_OK);
    free(tmp_read(tmp, "b.stl", &bytes));
    assert_int_equal(bytes, 84);
    mesh = make_triangle(tmp, false);
    memset(mesh.positions, 0, 36);
    assert_int_equal(tess_stl_write(&mesh, &tmp->env, tmp_path(tmp, "c.stl")), TESS_OK);
    data = tmp_read(tmp, "c.stl", &bytes);
    memcpy(normal, data + 84, sizeof normal);
    assert_true(normal[0] == 0 && normal[1] == 0 && normal[2] == 0);
    free(data);
    tess_mesh_clear(&mesh);
}

static size_t count_files(struct tmp *tmp)
{
    size_t count = 0;
    DIR *folder = opendir(tmp->folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void test_output(void **state)
{
    struct tmp *tmp = *state;
    struct tess_output *output = NULL;
    size_t bytes, files;
    char path[512];
    snprintf(path, sizeof path, "%s", tmp_write_text(tmp, "out", "old"));
    files = count_files(tmp);

    // Until the commit the old file is there; a discard leaves it.
    assert_int_equal(tess_output_open(&output, &tmp->env, path), TESS_OK);
    tess_output_write(output, "new", 3);
    assert_int_equal(count_files(tmp), files + 1);
    tess_output_discard(&output);
    assert_null(output);
    tess_output_discard(&output);
    assert_int_equal(count_files(tmp), files);
    uint8_t *data = tmp_read(tmp, "out", &bytes);
    assert_string_equal((char *)data, "old");
    free(data);

    assert_int_equal(tess_output_open(&output, &tmp->env, path), TESS_OK);
    tess_output_write(output, "new", 3);
    tess_output_printf(output, " %d", 7);
    tess_output_floats(output, (const float[]){0.5f, -1e30f}, 2);
    assert_int_equal(tess_output_commit(&output, &tmp->env), TESS_OK);
    assert_null(output);
    data = tmp_read(tmp, "out", &bytes);
    assert_string_equal((char *)data, "new 7 0.5 -1.00000002e+30");
    free(data);
    assert_int_equal(count_files(tmp), files);

    // The umask decides.
    mode_t mask = umask(027);
    assert_int_equal(tess_output_open(&output, &tmp->env, path), TESS_OK);
    assert_int_equal(tess_output_commit(&output, &tmp->env), TESS_OK);
    umask(mask);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(info.st_size, 0);
}

static void test_output_link(void **state)
{
    struct tmp *tmp = *state;
    struct tess_output *output = NULL;
    struct stat info;
    size_t bytes;
    tmp_write_text(tmp, "target", "old");
    assert_int_equal(symlink("target", tmp_path(tmp, "link")), 0);
    assert_int_equal(tess_output_open(&output, &tmp->env, tmp->path), TESS_OK);
    tess_output_write(output, "new", 3);
    assert_int_equal(tess_output_commit(&output, &tmp->env), TESS_OK);
    assert_int_equal(lstat(tmp_path(tmp, "link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    uint8_t *data = tmp_read(tmp, "target", &bytes);
    assert_string_equal((char *)data, "new");
    free(data);
    // Devices stay what they are.
    assert_int_equal(tess_output_open(&output, &tmp->env, "/dev/null"), TESS_OK);
    tess_output_write(output, "new", 3);
    assert_int_equal(tess_output_commit(&output, &tmp->env), TESS_OK);
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

static void test_output_failures(void **state)
{
    struct tmp *tmp = *state;
    struct tess_output *output = NULL;
    size_t files = count_files(tmp);
    tmp_expect(tmp, tess_output_open(&output, &tmp->env, tmp_path(tmp, "absent/out")),
               TESS_ERR_WRITE, "absent/out", strerror(ENOENT), NULL);
    assert_null(output);
    tmp_expect(tmp, tess_output_open(&output, &tmp->env, tmp->folder), TESS_ERR_WRITE,
               tmp->folder, strerror(EISDIR), NULL);
    tmp_expect(tmp, tess_output_open(&output, &tmp->env, ""), TESS_ERR_WRITE,
               strerror(ENOENT), NULL);
    // A full disk.
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(tess_output_open(&output, &tmp->env, "/dev/full"), TESS_OK);
        for (int i = 0; i < 100000; i++)
            tess_output_write(output, "0123456789", 10);
        tmp_expect(tmp, tess_output_commit(&output, &tmp->env), TESS_ERR_WRITE,
                   "/dev/full", strerror(ENOSPC), NULL);
        assert_null(output);
    }
    // The place was taken by a folder in the meantime.
    assert_int_equal(tess_output_open(&output, &tmp->env, tmp_path(tmp, "taken")),
                     TESS_OK);
    assert_int_equal(mkdir(tmp->path, 0777), 0);
    tmp_expect(tmp, tess_output_commit(&output, &tmp->env), TESS_ERR_WRITE, "taken",
               NULL);
    assert_int_equal(rmdir(tmp->path), 0);
    // A cancelled run.
    assert_int_equal(tess_output_open(&output, &tmp->env, tmp_path(tmp, "cancelled")),
                     TESS_OK);
    tess_env_cancel(&tmp->env);
    tmp_expect(tmp, tess_output_commit(&output, &tmp->env), TESS_ERR_CANCELLED, NULL);
    assert_null(output);
    tmp->env.cancelled = false;
    assert_int_equal(count_files(tmp), files);
}

static void test_long_name(void **state)
{
    struct tmp *tmp = *state;
    struct tess_output *output = NULL;
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0; // the longest that file systems take
    assert_int_equal(tess_output_open(&output, &tmp->env, tmp_path(tmp, name)), TESS_OK);
    assert_int_equal(tess_output_commit(&output, &tmp->env), TESS_OK);
    assert_int_equal(access(tmp_path(tmp, name), F_OK), 0);
    assert_int_equal(unlink(tmp->path), 0);
}

static void test_input(void **state)
{
    struct tmp *tmp = *state;
    struct tess_input input = {0};
    tmp_write_text(tmp, "in", "text");
    assert_int_equal(tess_input_read(&input, &tmp->env, tmp->path, 4), TESS_OK);
    assert_int_equal(input.bytes, 4);
    assert_string_equal((const char *)input.data, "text");
    tess_input_close(&input);
    tess_input_close(&input);
    tmp_expect(tmp, tess_input_read(&input, &tmp->env, tmp->path, 3), TESS_ERR_FILE,
               "/in", "larger than 3 bytes", NULL);
    assert_int_equal(tess_input_map(&input, &tmp->env, tmp->path), TESS_OK);
    assert_memory_equal(input.data, "text", 4);
    tess_input_close(&input);
    tmp_write_text(tmp, "in", "");
    assert_int_equal(tess_input_map(&input, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(input.bytes, 0);
    assert_non_null(input.data);
    tess_input_close(&input);
    tmp_expect(tmp, tess_input_read(&input, &tmp->env, tmp->folder, 9), TESS_ERR_FILE,
               tmp->folder, strerror(EISDIR), NULL);
    tmp_expect(tmp, tess_input_map(&input, &tmp->env, "/dev/null"), TESS_ERR_FILE,
               "/dev/null: not a regular file", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_obj),
        cmocka_unit_test(test_textured_obj),
        cmocka_unit_test(test_commit_all),
        cmocka_unit_test(test_stl),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_output_link),
        cmocka_unit_test(test_output_failures),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_input),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
