// Synthetic models: the published tensors and no others, values that anyone can compute,
// and how they are rounded.
#include "io_tmp.h"

#include "base/dtype.h"
#include "io/safetensors.h"
#include "pipeline/synthetic.h"

static uint64_t hash_text(uint64_t hash, const char *text) // FNV-1a
{
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash;
}

// Of the lines "NAME DTYPE N,N,N\n" of all tensors.
static uint64_t hash_layout(const struct tess_synthetic_network *network)
{
    char number[32];
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < network->count; i++) {
        const struct tess_file_tensor *tensor = &network->tensors[i];
        hash = hash_text(hash, tensor->name);
        hash = hash_text(hash, tensor->dtype == TESS_F32 ? " F32 " : " F16 ");
        for (int k = 0; k < tensor->dims; k++) {
            snprintf(number, sizeof number, "%s%zu", k ? "," : "", tensor->shape[k]);
            hash = hash_text(hash, number);
        }
        hash = hash_text(hash, "\n");
    }
    return hash;
}

// Hashes are of the published files' headers. So are the sizes, where the files are
// safetensors: a header has the same length only if names, shapes and order are the same.
static void test_layout(void **state)
{
    static const struct {
        const char *name;
        size_t count;
        uint64_t bytes, hash;
    } published[TESS_SYNTHETIC_NETWORKS] = {
        {"ss_flow_img_dit_L_16l8_fp16", 489, 1130770840, 0x69939864024bef42},
        {"ss_dec_conv3d_16l8_fp16", 74, 147591972, 0x98463785e899de22},
        {"slat_flow_img_dit_L_64l8p2_fp16", 526, 1203755136, 0x12e475baf83f6a52},
        {"slat_dec_gs_swin8_B_64l8gs32_fp16", 101, 171450952, 0x468e726e265d84c2},
        {"slat_dec_rf_swin8_B_64l8r16_fp16", 100, 171450488, 0xd4df4629a0aadd9e},
        {"slat_dec_mesh_swin8_B_64l8m256c_fp16", 120, 181903412, 0x2808ad46bf7bc123},
        {"dinov2_vitl14_reg4_pretrain", 344, 0, 0x930a10cc2a899edc},
    };
    struct tmp *tmp = *state;
    struct tess_synthetic_network networks[TESS_SYNTHETIC_NETWORKS] = {{0}};
    assert_int_equal(
        tess_synthetic_layout(networks, &tmp->env, tess_synthetic_sizes(TESS_MODEL_FULL)),
        TESS_OK);
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++) {
        uint64_t bytes = 0;
        assert_string_equal(networks[i].name, published[i].name);
        assert_int_equal(networks[i].count, published[i].count);
        assert_true(hash_layout(&networks[i]) == published[i].hash);
        assert_int_equal(tess_safetensors_size(&bytes, &tmp->env, networks[i].tensors,
                                               networks[i].count),
                         TESS_OK);
        if (published[i].bytes)
            assert_int_equal(bytes, published[i].bytes);
    }
    tess_synthetic_free(networks);
}

// Element 5 of some tensors, made by an independent program (Python and NumPy).
static void test_values(void **state)
{
    static const struct {
        struct tess_file_tensor tensor;
        double value;
    } cases[] = {
        {{.name = "out_layer.bias", .dims = 1, .shape = {8}}, -0x1.03fccp-6},
        {{.name = "blocks.0.mlp.mlp.0.weight",
          .dtype = TESS_F16,
          .dims = 2,
          .shape = {4096, 1024}},
         -0x1.8acp-6},
        {{.name = "upsample.0.act_layers.0.weight", .dims = 1, .shape = {768}},
         -0x1.416772p-6},
        {{.name = "blocks.3.ls1.gamma", .dims = 1, .shape = {1024}}, 0x1.aa7644p-4},
        {{.name = "blocks.1.adaLN_modulation.1.weight",
          .dtype = TESS_F16,
          .dims = 2,
          .shape = {6144, 1024}},
         0x1.818p-6},
        {{.name = "blocks.0.norm2.weight", .dims = 1, .shape = {1024}}, 0x1.f19e5cp-1},
    };
    const struct tess_synthetic_sizes *sizes = tess_synthetic_sizes(TESS_MODEL_FULL);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tess_file_tensor tensor = cases[i].tensor;
        float value;
        uint16_t half;
        tensor.elements = 1;
        for (int k = 0; k < tensor.dims; k++)
            tensor.elements *= tensor.shape[k];
        if (tensor.dtype == TESS_F16) {
            tess_synthetic_values(&half, sizes, &tensor, 5, 1);
            value = tess_half_to_float(half);
        } else {
            tess_synthetic_values(&value, sizes, &tensor, 5, 1);
        }
        assert_true((double)value == cases[i].value);
    }
}

// Rows of pos_emb and offset_perturbation as TRELLIS computes them.
static void test_formulas(void **state)
{
    const struct tess_synthetic_sizes *sizes = tess_synthetic_sizes(TESS_MODEL_FULL);
    const struct tess_file_tensor positions = {
        .name = "pos_emb", .dims = 2, .shape = {4096, 1024}, .elements = 4096 * 1024};
    const struct tess_file_tensor offsets = {
        .name = "offset_perturbation", .dims = 2, .shape = {32, 3}, .elements = 96};
    static const struct {
        size_t column;
        double value;
    } expected[] = {{0, 0.141120},    {1, 0.295333},    {169, 0.000317},
                    {170, -0.989992}, {171, -0.955395}, {340, -0.958924},
                    {341, -0.999714}, {680, 0.656987},  {1019, 1.0},
                    {1020, 0},        {1023, 0}};
    float row[1024], offset[6];
    (void)state;
    tess_synthetic_values(row, sizes, &positions, ((3 * 16 + 5) * 16 + 7) * 1024, 1024);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_float_equal(row[expected[i].column], expected[i].value, 1e-6);
    tess_synthetic_values(offset, sizes, &offsets, 3, 6);
    // Point 1 of 32 is (1/32, 1/2, 1/3), point 2 is (1/16, 1/4, 2/3).
    assert_float_equal(offset[0], -0.733169, 1e-6); // atanh((2/32 - 1) / 1.5)
    assert_float_equal(offset[1], 0, 1e-6);
    assert_float_equal(offset[2], -0.225993, 1e-6); // atanh(-1/3 / 1.5)
    assert_float_equal(offset[5], 0.225993, 1e-6);
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Every half comes back. Halfway to the next one, the even one is taken; a bit more or
// less goes to the nearer one.
static void test_halves(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x7c00; half++) {
        float low = tess_half_to_float((uint16_t)half), middle;
        // 65536 stands where the infinity is.
        float high = half == 0x7bff ? 65536.0f : tess_half_to_float((uint16_t)(half + 1));
        uint32_t bits;
        assert_int_equal(tess_float_to_half(low), half);
        assert_int_equal(tess_float_to_half(-low), half | 0x8000);
        middle = low + (high - low) / 2;
        memcpy(&bits, &middle, sizeof bits);
        assert_int_equal(tess_float_to_half(middle), half + (half & 1));
        assert_int_equal(tess_float_to_half(float_of(bits - 1)), half);
        assert_int_equal(tess_float_to_half(float_of(bits + 1)), half + 1);
    }
    assert_int_equal(tess_float_to_half(float_of(0x7f800000)), 0x7c00);
    assert_int_equal(tess_float_to_half(1e30f), 0x7c00);
    assert_int_equal(tess_float_to_half(float_of(0x7fc00000)) & 0x7e00, 0x7e00);
    assert_int_equal(tess_float_to_half(float_of(1)), 0);
}

// ---- files that are made as they are written ----

struct making {
    size_t calls, fails_at; // 0: never
};

// Element i is i.
static enum tess_status make_numbers(void *user, void *dst,
                                     const struct tess_file_tensor *tensor, size_t first,
                                     size_t count)
{
    struct making *making = user;
    (void)tensor;
    if (++making->calls == making->fails_at)
        return TESS_ERR_CANCELLED;
    for (size_t i = 0; i < count; i++)
        ((float *)dst)[i] = (float)(first + i);
    return TESS_OK;
}

static void test_made(void **state)
{
    struct tmp *tmp = *state;
    enum { ELEMENTS = (1 << 18) + 7 }; // more than a megabyte
    const struct tess_file_tensor tensors[] = {
        {.name = "a", .dtype = TESS_F32, .dims = 1, .shape = {3}},
        {.name = "b", .dtype = TESS_F32, .dims = 1, .shape = {ELEMENTS}},
        {.name = "none", .dtype = TESS_F32, .dims = 2, .shape = {0, 4}},
    };
    struct making making = {0}, failing = {.fails_at = 3};
    struct tess_safetensors *file = NULL;
    uint64_t expected = 0;
    size_t bytes;
    assert_int_equal(tess_safetensors_write_made(&tmp->env, tmp_path(tmp, "made"),
                                                 tensors, 3, make_numbers, &making),
                     TESS_OK);
    assert_int_equal(making.calls, 3);
    assert_int_equal(tess_safetensors_size(&expected, &tmp->env, tensors, 3), TESS_OK);
    free(tmp_read(tmp, "made", &bytes));
    assert_int_equal(bytes, expected);
    assert_int_equal(tess_safetensors_open(&file, &tmp->env, tmp_path(tmp, "made")),
                     TESS_OK);
    const struct tess_file_tensor *b = tess_safetensors_find(file, "b");
    assert_int_equal(b->elements, ELEMENTS);
    for (size_t i = 0; i < b->elements; i++) {
        float value;
        memcpy(&value, (const char *)b->data + i * sizeof value, sizeof value);
        assert_true(value == (float)i);
    }
    tess_safetensors_close(&file);
    assert_int_equal(tess_safetensors_write_made(&tmp->env, tmp_path(tmp, "failed"),
                                                 tensors, 3, make_numbers, &failing),
                     TESS_ERR_CANCELLED);
    assert_int_equal(access(tmp_path(tmp, "failed"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),   cmocka_unit_test(test_values),
        cmocka_unit_test(test_formulas), cmocka_unit_test(test_halves),
        cmocka_unit_test(test_made),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
