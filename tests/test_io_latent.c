// Structured latents: files of every kind of fault, and the torus shell.
#include "io_tmp.h"

#include <math.h>

#include "io/latent.h"
#include "io/safetensors.h"

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_latent *latent = NULL;
    enum tess_status status = tess_latent_load(&latent, env, path);
    assert_true((status == TESS_OK) == (latent != NULL));
    tess_latent_free(&latent);
    assert_null(latent);
    return status;
}

enum { N = 3, C = 2 };

struct sample {
    int32_t coords[N][4];
    float feats[N][C];
    struct tess_file_tensor tensors[3];
    size_t count;
};

static struct sample make_sample(void)
{
    struct sample sample = {
        .coords = {{0, 1, 2, 3}, {0, 0, 0, 0}, {0, 1023, 1023, 1023}},
        .feats = {{1, -1}, {0.5f, 0}, {3, 4}},
        .tensors = {{.name = "coords", .dtype = TESS_I32, .dims = 2, .shape = {N, 4}},
                    {.name = "feats", .dtype = TESS_F32, .dims = 2, .shape = {N, C}},
                    {.name = "other", .dtype = TESS_F32, .dims = 1, .shape = {1}}},
        .count = 2,
    };
    return sample;
}

static enum tess_status load_sample(struct tmp *tmp, struct sample *sample)
{
    for (size_t i = 0; i < sample->count; i++) {
        bool coords = strcmp(sample->tensors[i].name, "coords") == 0;
        sample->tensors[i].data = coords ? (void *)sample->coords : (void *)sample->feats;
    }
    assert_int_equal(tess_safetensors_write(&tmp->env, tmp_path(tmp, "latent"),
                                            sample->tensors, sample->count, NULL, 0),
                     TESS_OK);
    return read_any(&tmp->env, tmp->path);
}

static void test_load(void **state)
{
    struct tmp *tmp = *state;
    struct sample sample = make_sample();
    struct tess_latent *latent = NULL;
    assert_int_equal(load_sample(tmp, &sample), TESS_OK);
    assert_int_equal(tess_latent_load(&latent, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(latent->voxels, N);
    assert_int_equal(latent->channels, C);
    assert_string_equal(latent->path, tmp->path);
    for (int i = 0; i < N; i++)
        assert_memory_equal(latent->coords + 3 * i, sample.coords[i] + 1, 12);
    assert_memory_equal(latent->feats, sample.feats, sizeof sample.feats);
    tess_latent_free(&latent);
}

static void test_bad_tensors(void **state)
{
    struct tmp *tmp = *state;
    struct sample sample = make_sample();
    sample.count = 1;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "/latent: tensor feats",
               "missing", "F32 [3,*]", NULL);
    sample = make_sample();
    sample.tensors[0].name = "coordinates";
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "/latent: tensor coords",
               "missing", "I32 [*,4]", NULL);
    sample = make_sample();
    sample.count = 3;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "/latent: tensor other",
               "coords and feats only", NULL);
    sample = make_sample();
    sample.tensors[0].dtype = TESS_F32;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor coords is F32 [3,4], expected I32", NULL);
    sample = make_sample();
    sample.tensors[1].dtype = TESS_F16;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor feats is F16 [3,2], expected F32 [3,*]", NULL);
    sample = make_sample();
    sample.tensors[0].shape[1] = 3;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor coords is I32 [3,3], expected I32 [*,4]", NULL);
    sample = make_sample();
    sample.tensors[0].shape[0] = 2;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor feats is F32 [3,2], expected F32 [2,*]", NULL);
    sample = make_sample();
    sample.tensors[0].shape[0] = sample.tensors[1].shape[0] = 0;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "/latent: tensor coords",
               "no voxel", NULL);
    // No rows of features for no rows of voxels is not what "any size" means.
    sample = make_sample();
    sample.tensors[0].shape[0] = 0;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "/latent: tensor", NULL);
    sample = make_sample();
    sample.tensors[1].shape[1] = 0;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor feats is F32 [3,0], expected [3,1..16384]", NULL);
}

static void test_bad_values(void **state)
{
    struct tmp *tmp = *state;
    struct sample sample = make_sample();
    sample.coords[1][0] = 1;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "/latent: tensor coords row 1 is [1,0,0,0], expected batch 0", NULL);
    sample = make_sample();
    sample.coords[2][3] = -1;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "coords row 2 is [0,1023,1023,-1], expected coordinates in 0..1023", NULL);
    sample = make_sample();
    sample.coords[0][1] = 1024;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE, "row 0 is [0,1024,2,3]",
               NULL);
    sample = make_sample();
    memcpy(sample.coords[2], sample.coords[0], sizeof sample.coords[0]);
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "coords rows 0 and 2 are the same voxel [1,2,3]", NULL);
    sample = make_sample();
    sample.feats[1][1] = NAN;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "/latent: tensor feats row 1 column 1 is nan", NULL);
    sample = make_sample();
    sample.feats[2][0] = -INFINITY;
    tmp_expect(tmp, load_sample(tmp, &sample), TESS_ERR_FILE,
               "tensor feats row 2 column 0 is -inf", NULL);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    struct sample sample = make_sample();
    assert_int_equal(load_sample(tmp, &sample), TESS_OK);
    tmp_damage(tmp, "latent", read_any, 1, 2000);
}

// Raster order without repeats, inside the cube.
static void check_shell(const struct tess_latent *latent, size_t voxels, uint32_t size)
{
    int64_t before = -1;
    assert_int_equal(latent->voxels, voxels);
    for (size_t i = 0; i < voxels; i++) {
        const int32_t *c = latent->coords + 3 * i;
        for (int j = 0; j < 3; j++)
            assert_in_range(c[j], 0, size - 1);
        int64_t id = ((int64_t)c[0] * size + c[1]) * size + c[2];
        assert_true(id > before);
        before = id;
    }
}

static void test_shell(void **state)
{
    struct tmp *tmp = *state;
    struct tess_latent *latent = NULL, *again = NULL;
    for (uint32_t size = 1; size <= 5; size++) {
        for (size_t voxels = 1; voxels <= (size_t)size * size * size; voxels++) {
            assert_int_equal(tess_latent_shell(&latent, &tmp->env, voxels, size, 3),
                             TESS_OK);
            check_shell(latent, voxels, size);
            tess_latent_free(&latent);
        }
    }
    assert_int_equal(tess_latent_shell(&latent, &tmp->env, 5000, 64, 8), TESS_OK);
    assert_int_equal(tess_latent_shell(&again, &tmp->env, 5000, 64, 8), TESS_OK);
    check_shell(latent, 5000, 64);
    assert_int_equal(latent->channels, 8);
    assert_string_equal(latent->path, "the shell");
    assert_memory_equal(latent->coords, again->coords, 5000 * 12);
    for (size_t i = 0; i < 5000 * 8; i++)
        assert_true(latent->feats[i] == 0);
    // Hollow: at 5,000 voxels the circle in the tube's middle is free.
    for (size_t i = 0; i < 5000; i++) {
        const int32_t *c = latent->coords + 3 * i;
        assert_false(c[0] >= 31 && c[0] <= 32 && c[1] >= 31 && c[1] <= 32);
    }
    tess_latent_free(&latent);
    tess_latent_free(&again);
    tmp_expect(tmp, tess_latent_shell(&latent, &tmp->env, 0, 64, 8), TESS_ERR_ARG,
               "0 voxels", NULL);
    tmp_expect(tmp, tess_latent_shell(&latent, &tmp->env, 9, 2, 8), TESS_ERR_ARG, "1..8",
               NULL);
    tmp_expect(tmp, tess_latent_shell(&latent, &tmp->env, 9, 0, 8), TESS_ERR_ARG,
               "resolution 0", NULL);
    tmp_expect(tmp, tess_latent_shell(&latent, &tmp->env, 9, 1025, 8), TESS_ERR_ARG,
               "resolution 1025", NULL);
    tmp_expect(tmp, tess_latent_shell(&latent, &tmp->env, 9, 64, 0), TESS_ERR_ARG,
               "0 channels", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),       cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_shell),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
