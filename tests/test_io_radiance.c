// Radiance fields in files: what is written is read, and files of every kind of fault.
#include "io_tmp.h"

#include <math.h>

#include "io/radiance.h"
#include "io/safetensors.h"

enum { N = 3, R = 2, D = 4 };

static struct tess_radiance make_field(struct tmp *tmp)
{
    static const int32_t coords[N][3] = {{1, 2, 3}, {0, 0, 0}, {63, 63, 63}};
    struct tess_radiance field;
    assert_int_equal(tess_radiance_create(&field, &tmp->env, N, 64, R, D), TESS_OK);
    memcpy(field.coords, coords, sizeof coords);
    for (size_t i = 0; i < N * R * 3 * D; i++)
        field.vectors[i] = (float)tmp_random(tmp) / 1e6f;
    for (size_t i = 0; i < N * R; i++)
        field.densities[i] = (float)i - 2;
    for (size_t i = 0; i < N * R * 3; i++)
        field.colours[i] = 0.5f * (float)i;
    return field;
}

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_radiance field = {0};
    enum tess_status status = tess_radiance_read(&field, env, path);
    assert_true((status == TESS_OK) == (field.coords != NULL));
    tess_radiance_clear(&field);
    return status;
}

static void test_round_trip(void **state)
{
    struct tmp *tmp = *state;
    struct tess_radiance field = make_field(tmp), read = {0};
    const struct tess_metadata metadata[] = {{"model", "toy"}, {"seed", "7"}};
    const char *path = tmp_path(tmp, "a.rf.safetensors");
    assert_int_equal(tess_radiance_write(&field, &tmp->env, path, metadata, 2), TESS_OK);
    assert_int_equal(tess_radiance_read(&read, &tmp->env, path), TESS_OK);
    assert_true(read.voxels == N && read.resolution == 64 && read.rank == R &&
                read.dim == D);
    assert_memory_equal(read.coords, field.coords, N * 3 * sizeof(int32_t));
    assert_memory_equal(read.vectors, field.vectors, N * R * 3 * D * sizeof(float));
    assert_memory_equal(read.densities, field.densities, N * R * sizeof(float));
    assert_memory_equal(read.colours, field.colours, N * R * 3 * sizeof(float));
    struct tess_safetensors *file = NULL;
    assert_int_equal(tess_safetensors_open(&file, &tmp->env, path), TESS_OK);
    assert_string_equal(tess_safetensors_metadata(file, "model"), "toy");
    assert_string_equal(tess_safetensors_metadata(file, "resolution"), "64");
    tess_safetensors_close(&file);
    tess_radiance_clear(&read);
    tess_radiance_clear(&field);
    tmp_damage(tmp, "a.rf.safetensors", read_any, 1, 300);
}

struct sample {
    int32_t coords[N][4];
    float values[N * R * 3 * D];
    struct tess_file_tensor tensors[5];
    size_t count;
    const char *resolution; // NULL: no metadata
};

static struct sample make_sample(void)
{
    return (struct sample){
        .coords = {{0, 1, 2, 3}, {0, 0, 0, 0}, {0, 7, 7, 7}},
        .tensors =
            {{.name = "coords", .dtype = TESS_I32, .dims = 2, .shape = {N, 4}},
             {.name = "trivec", .dtype = TESS_F32, .dims = 4, .shape = {N, R, 3, D}},
             {.name = "density", .dtype = TESS_F32, .dims = 2, .shape = {N, R}},
             {.name = "features_dc", .dtype = TESS_F32, .dims = 3, .shape = {N, R, 3}},
             {.name = "normal", .dtype = TESS_F32, .dims = 1, .shape = {1}}},
        .count = 4,
        .resolution = "8"};
}

static enum tess_status load_sample(struct tmp *tmp, struct sample *sample)
{
    const struct tess_metadata metadata = {"resolution", sample->resolution};
    for (size_t i = 0; i < sample->count; i++)
        sample->tensors[i].data = i ? (void *)sample->values : (void *)sample->coords;
    assert_int_equal(tess_safetensors_write(&tmp->env, tmp_path(tmp, "field"),
                                            sample->tensors, sample->count, &metadata,
                                            sample->resolution != NULL),
                     TESS_OK);
    return read_any(&tmp->env, tmp->path);
}

static void test_bad_tensors(void **state)
{
    struct tmp *tmp = *state;
    struct sample sample = make_sample();
    assert_int_equal(load_sample(tmp, &sample), TESS_OK);
    static const struct {
        int tensor, dim; // whose size changes
        size_t size;
        const char *message;
    } shapes[] = {
        {0, 0, 0, "tensor coords has no voxel"},
        {1, 0, 2, "tensor trivec is F32 [2,2,3,4], expected F32 [3,*,3,*]"},
        {1, 2, 2, "tensor trivec is F32 [3,2,2,4], expected F32 [3,*,3,*]"},
        {1, 3, 1, "tensor trivec is F32 [3,2,3,1], expected [3,1..1024,3,2..1024]"},
        {1, 1, 0, "tensor trivec is F32 [3,0,3,4], expected [3,1..1024,3,2..1024]"},
        {2, 1, 3, "tensor density is F32 [3,3], expected F32 [3,2]"},
        {3, 2, 4, "tensor features_dc is F32 [3,2,4], expected F32 [3,2,3]"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        sample = make_sample();
        sample.tensors[shapes[i].tensor].shape[shapes[i].dim] = shapes[i].size;
        tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
                   "/field: ", shapes[i].message, NULL);
    }
    sample = make_sample();
    sample.tensors[1].dtype = TESS_F16;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor trivec is F16 [3,2,3,4], expected F32", NULL);
    sample = make_sample();
    sample.count = 3;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "tensor features_dc",
               "missing", NULL);
    sample = make_sample();
    sample.count = 5;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor normal is not part of a radiance field", NULL);
}

static void test_bad_values(void **state)
{
    struct tmp *tmp = *state;
    static const char *const resolutions[] = {NULL, "", "0", "-8", "8x", "1025", " 8"};
    for (size_t i = 0; i < sizeof resolutions / sizeof *resolutions; i++) {
        struct sample sample = make_sample();
        sample.resolution = resolutions[i];
        tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "field resolution is '",
                   "expected 1..1024", NULL);
    }
    struct sample sample = make_sample();
    sample.resolution = "7";
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor coords row 2 is [0,7,7,7], expected coordinates in 0..6", NULL);
    sample = make_sample();
    memset(sample.coords[2], 0, sizeof sample.coords[2]);
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "rows 1 and 2 are the same voxel", NULL);
    sample = make_sample();
    sample.values[R * 3 * D + 5] = NAN; // row 1 of trivec, the others end before it
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor trivec row 1 element 5 is nan", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_bad_values),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
