// Safetensors: what is written reads back, and every kind of damage is refused by name.
#include "io_tmp.h"

#include "io/safetensors.h"

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_safetensors *file = NULL;
    enum tess_status status = tess_safetensors_open(&file, env, path);
    // Touch all data.
    unsigned sum = 0;
    for (size_t i = 0; file && i < tess_safetensors_count(file); i++) {
        const struct tess_file_tensor *tensor = tess_safetensors_at(file, i);
        for (size_t j = 0; j < tensor->bytes; j++)
            sum += ((const uint8_t *)tensor->data)[j];
    }
    assert_true(sum < UINT32_MAX);
    assert_true((status == TESS_OK) == (file != NULL));
    tess_safetensors_close(&file);
    assert_null(file);
    return status;
}

// A file with this header and `bytes` zero bytes of data.
static const char *write_header(struct tmp *tmp, const char *header, size_t bytes)
{
    uint8_t data[4096] = {0};
    size_t length = strlen(header);
    assert_true(8 + length + bytes <= sizeof data);
    data[0] = (uint8_t)length;
    data[1] = (uint8_t)(length >> 8);
    memcpy(data + 8, header, length);
    return tmp_write(tmp, "bad.safetensors", data, 8 + length + bytes);
}

static void write_sample(struct tmp *tmp, const char *name)
{
    static const float wide[6] = {1, -2, 0.5f, 3e38f, 1e-45f, 0};
    static const uint16_t half[3] = {0x3c00, 0xc000, 0x0001}, bfloat[1] = {0x3fc0};
    static const double doubles[1] = {0.1};
    static const uint8_t bytes[3] = {1, 2, 3};
    const struct tess_file_tensor tensors[] = {
        {.name = "a.weight", .dtype = TESS_F32, .dims = 2, .shape = {2, 3}, .data = wide},
        {.name = "half", .dtype = TESS_F16, .dims = 1, .shape = {3}, .data = half},
        {.name = "bytes", .dtype = TESS_U8, .dims = 1, .shape = {3}, .data = bytes},
        {.name = "empty", .dtype = TESS_I32, .dims = 2, .shape = {0, 4}, .data = wide},
        {.name = "scalar", .dtype = TESS_F64, .dims = 0, .data = doubles},
        {.name = "b\"\\", .dtype = TESS_BF16, .dims = 1, .shape = {1}, .data = bfloat},
    };
    const struct tess_metadata metadata[] = {{"format", "pt"}, {"note", "a\n\"b\""}};
    assert_int_equal(
        tess_safetensors_write(&tmp->env, tmp_path(tmp, name), tensors, 6, metadata, 2),
        TESS_OK);
}

static void test_round_trip(void **state)
{
    struct tmp *tmp = *state;
    struct tess_safetensors *file = NULL;
    write_sample(tmp, "good.safetensors");
    assert_int_equal(tess_safetensors_open(&file, &tmp->env, tmp->path), TESS_OK);
    assert_string_equal(tess_safetensors_path(file), tmp->path);
    assert_int_equal(tess_safetensors_count(file), 6);
    assert_string_equal(tess_safetensors_at(file, 1)->name, "half");
    assert_string_equal(tess_safetensors_metadata(file, "note"), "a\n\"b\"");
    assert_null(tess_safetensors_metadata(file, "other"));
    assert_null(tess_safetensors_find(file, "other"));
    const struct tess_file_tensor *tensor = tess_safetensors_find(file, "a.weight");
    assert_non_null(tensor);
    assert_int_equal(tensor->dims, 2);
    assert_int_equal(tensor->shape[0], 2);
    assert_int_equal(tensor->shape[1], 3);
    assert_int_equal(tensor->elements, 6);
    assert_int_equal(tensor->bytes, 24);
    float values[6];
    tess_file_tensor_floats(values, tensor);
    assert_true(values[0] == 1 && values[3] == 3e38f && values[4] == 1e-45f);
    tess_file_tensor_floats(values, tess_safetensors_find(file, "half"));
    assert_true(values[0] == 1 && values[1] == -2 && values[2] == 0x1p-24f);
    tess_file_tensor_floats(values, tess_safetensors_find(file, "b\"\\"));
    assert_true(values[0] == 1.5f);
    tess_file_tensor_floats(values, tess_safetensors_find(file, "scalar"));
    assert_true(values[0] == 0.1f);
    assert_int_equal(tess_safetensors_find(file, "scalar")->elements, 1);
    assert_int_equal(tess_safetensors_find(file, "empty")->elements, 0);
    tess_safetensors_close(&file);
}

static void test_same_bytes(void **state)
{
    struct tmp *tmp = *state;
    size_t n, m;
    write_sample(tmp, "one.safetensors");
    write_sample(tmp, "two.safetensors");
    uint8_t *a = tmp_read(tmp, "one.safetensors", &n);
    uint8_t *b = tmp_read(tmp, "two.safetensors", &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static void test_require(void **state)
{
    struct tmp *tmp = *state;
    struct tess_safetensors *file = NULL;
    const struct tess_file_tensor *tensor = NULL;
    const size_t any[2] = {0, 3}, other[2] = {4, 0};
    unsigned floats = 1u << TESS_F32 | 1u << TESS_F16;
    write_sample(tmp, "good.safetensors");
    assert_int_equal(tess_safetensors_open(&file, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(
        tess_safetensors_require(&tensor, file, &tmp->env, "a.weight", floats, 2, any),
        TESS_OK);
    assert_ptr_equal(tensor, tess_safetensors_find(file, "a.weight"));
    tmp_expect(
        tmp,
        tess_safetensors_require(&tensor, file, &tmp->env, "a.weight", floats, 2, other),
        TESS_ERR_FILE, "good.safetensors: tensor a.weight is F32 [2,3]",
        "expected F32 or F16 [4,*]", NULL);
    tmp_expect(tmp,
               tess_safetensors_require(&tensor, file, &tmp->env, "a.weight",
                                        1u << TESS_F16, 2, any),
               TESS_ERR_FILE, "a.weight is F32 [2,3], expected F16 [*,3]", NULL);
    tmp_expect(tmp,
               tess_safetensors_require(&tensor, file, &tmp->env, "c", floats, 1, any),
               TESS_ERR_FILE, "tensor c is missing, expected F32 or F16 [*]", NULL);
    tmp_expect(tmp,
               tess_safetensors_require(&tensor, file, &tmp->env, "half", floats, 0, any),
               TESS_ERR_FILE, "tensor half is F16 [3], expected F32 or F16 []", NULL);
    tess_safetensors_close(&file);
}

static void test_bad_headers(void **state)
{
    static const struct {
        const char *header;
        size_t bytes;
        const char *text;
    } cases[] = {
        {"", 0, "not valid JSON"},
        {"{", 0, "not valid JSON"},
        {"\n\n{\"a\":]", 0, "line 3"},
        {"[]", 0, "an array of 0, expected an object"},
        {"3", 0, "is 3, expected an object"},
        {"{\"a\":3}", 0, "field a is 3, expected an object"},
        {"{\"a\":null}", 0, "field a is null, expected an object"},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "name"},
        {"{\"\\u001b[m\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
         "control characters"},
        {"{\"a\":{}}", 0, "field a.dtype is missing"},
        {"{\"a\":{\"dtype\":3}}", 0, "field a.dtype is 3"},
        {"{\"a\":{\"dtype\":\"F8\"}}", 0, "field a.dtype is \"F8\", expected F32"},
        {"{\"a\":{\"dtype\":\"U8\"}}", 0, "field a.shape is missing"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":4}}", 0, "field a.shape is 4"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1]}}", 0,
         "field a.shape is an array of 9"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2,-1]}}", 0, "field a.shape[1] is -1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5]}}", 0, "field a.shape[0] is 1.5"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1e300]}}", 0, "field a.shape[0] is 1e+300"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[\"1\"]}}", 0, "field a.shape[0] is \"1\""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296]}}", 0,
         "tensor a has more elements"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,1073741824]}}", 0,
         "tensor a has more elements"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1,
         "field a.data_offsets is missing"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1,
         "field a.data_offsets is an array of 1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":{}}}", 1,
         "field a.data_offsets is an object"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,\"1\"]}}", 1,
         "field a.data_offsets[1] is \"1\""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1,
         "field a.data_offsets[0] is 1, expected an integer in 0..0"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1,
         "field a.data_offsets[1] is 2, expected an integer in 0..1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1,
         "field a.data_offsets[0] is -1"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2,
         "tensor a has 2 bytes of data, its shape and dtype expect 4"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3, "tensor b overlaps tensor a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
         3, "1 bytes between tensor b and a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2,
         "1 bytes between tensor a and the header"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2,
         "1 bytes after the last tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, "tensor a is there twice"},
        {"{\"__metadata__\":{\"a\":3}}", 0,
         "field __metadata__.a is 3, expected a string"},
        {"{\"__metadata__\":[]}", 0, "field __metadata__ is an array of 0"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tess_status status =
            read_any(&tmp->env, write_header(tmp, cases[i].header, cases[i].bytes));
        if (status != TESS_ERR_FILE)
            print_error("header %s\n", cases[i].header);
        tmp_expect(tmp, status, TESS_ERR_FILE, "bad.safetensors", cases[i].text, NULL);
    }
}

static void test_bad_lengths(void **state)
{
    struct tmp *tmp = *state;
    uint8_t data[16] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    assert_int_equal(read_any(&tmp->env, tmp_write(tmp, "x", data, 10)), TESS_OK);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "x", data, 7)), TESS_ERR_FILE,
               "/x: 7 bytes", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "x", data, 0)), TESS_ERR_FILE,
               "/x: 0 bytes", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "x", data, 9)), TESS_ERR_FILE,
               "/x: a header of 2 bytes in a file of 9", NULL);
    memset(data, 255, 8);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "x", data, 16)), TESS_ERR_FILE,
               "/x: a header of 18446744073709551615 bytes", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "absent")), TESS_ERR_FILE, "absent",
               "No such file", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp->folder), TESS_ERR_FILE, tmp->folder,
               "directory", NULL);
    // A sparse file with a header above the limit.
    const uint64_t large = (uint64_t)200 << 20;
    memcpy(data, &large, 8);
    tmp_write(tmp, "x", data, 8);
    assert_int_equal(truncate(tmp->path, (off_t)(large + 8)), 0);
    tmp_expect(tmp, read_any(&tmp->env, tmp->path), TESS_ERR_FILE,
               "/x: a header of 209715200 bytes, expected at most", NULL);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    write_sample(tmp, "good.safetensors");
    tmp_damage(tmp, "good.safetensors", read_any, 1, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_require),     cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_lengths), cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
