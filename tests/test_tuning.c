// Tables of shapes as files: what is printed is read again, what is damaged is refused
// with a message, and nothing that a file holds does harm. No OpenCL is needed.
#include "io_tmp.h"

#include "rt/tuning.h"

static const struct tess_device_info info = {.name = "A device, 64 # units",
                                             .platform = "somewhere",
                                             .version = "OpenCL 1.2",
                                             .driver = "1.0",
                                             .gpu = true,
                                             .local_memory = 64 << 10};
static const enum tess_variant variants[] = {TESS_VARIANT_CPU, TESS_VARIANT_GPU};

static enum tess_status read_text(struct tmp *tmp, struct tess_tuning *out,
                                  const char *text, size_t length,
                                  enum tess_variant variant)
{
    return tess_tuning_read(out, &tmp->env, tmp_write(tmp, "a.tuning", text, length),
                            &info, variant, true);
}

static char *print(struct tmp *tmp, const struct tess_tuning *tuning,
                   enum tess_variant variant)
{
    static const char *const comments[TESS_TUNED_COUNT] = {"first", "", NULL};
    char *text = NULL;
    assert_int_equal(
        tess_tuning_print(&text, &tmp->env, tuning, &info, variant, comments), TESS_OK);
    return text;
}

// Every value of every parameter.
static void test_round_trip(void **state)
{
    struct tmp *tmp = *state;
    for (int v = 0; v < 2; v++)
        for (int p = 0; p < TESS_TUNED_COUNT; p++) {
            const uint32_t *values = tess_tuned_values((enum tess_tuned)p, variants[v]);
            struct tess_tuning tuning = tess_tuning_default(&info, variants[v]), back;
            for (int i = 0; values[i]; i++) {
                tuning.values[p] = values[i];
                char *text = print(tmp, &tuning, variants[v]);
                assert_int_equal(read_text(tmp, &back, text, strlen(text), variants[v]),
                                 TESS_OK);
                assert_memory_equal(&back, &tuning, sizeof back);
                free(text);
            }
        }
}

// Defaults of all families are values that they may have, in the least local memory.
static void test_defaults(void **state)
{
    (void)state;
    static const uint32_t vendors[] = {0, 0x8086, 0x1002, 0x10de};
    for (int v = 0; v < 2; v++)
        for (int f = 0; f < 4; f++) {
            struct tess_device_info one = info;
            one.vendor_id = vendors[f];
            struct tess_tuning tuning = tess_tuning_default(&one, variants[v]);
            assert_true(tess_tuning_local_bytes(&tuning, variants[v]) <= 16 << 10);
            for (int p = 0; p < TESS_TUNED_COUNT; p++) {
                const uint32_t *values =
                    tess_tuned_values((enum tess_tuned)p, variants[v]);
                while (*values && *values != tuning.values[p])
                    values++;
                // 0 is the end of the values, and that of a parameter without any.
                assert_int_equal(*values, tuning.values[p]);
                assert_true(*values ||
                            !*tess_tuned_values((enum tess_tuned)p, variants[v]));
            }
        }
}

static void test_too_much_local_memory(void **state)
{
    struct tmp *tmp = *state;
    struct tess_tuning tuning = tess_tuning_default(&info, TESS_VARIANT_GPU), back;
    struct tess_device_info small = info;
    small.local_memory = 32 << 10;
    tuning.values[TESS_TUNED_PRODUCT_ROWS] = 128;
    tuning.values[TESS_TUNED_PRODUCT_PANELS] = 4;
    tuning.values[TESS_TUNED_PRODUCT_DEPTH] = 32;
    char *text = print(tmp, &tuning, TESS_VARIANT_GPU);
    assert_int_equal(read_text(tmp, &back, text, strlen(text), TESS_VARIANT_GPU),
                     TESS_OK);
    assert_int_equal(
        tess_tuning_read(&back, &tmp->env, tmp->path, &small, TESS_VARIANT_GPU, true),
        TESS_ERR_FILE);
    assert_non_null(strstr(tmp->env.message, "local memory"));
    free(text);
}

// Bytes changed, taken out and put in at random: a table, or a message with the file.
static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    struct tess_tuning tuning = tess_tuning_default(&info, TESS_VARIANT_CPU), back;
    char *text = print(tmp, &tuning, TESS_VARIANT_CPU);
    uint64_t seed = 1;
    int refused = 0;
    for (int round = 0; round < 1000; round++) {
        char copy[4096];
        size_t length = strlen(text);
        assert_true(length + 1 < sizeof copy);
        memcpy(copy, text, length);
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        size_t at = (size_t)(seed >> 33) % length;
        if (round % 3 == 0)
            copy[at] = (char)(seed >> 20);
        else if (round % 3 == 1)
            length = at;
        else
            memmove(copy + at, text + at / 2, length - at);
        if (read_text(tmp, &back, copy, length, TESS_VARIANT_CPU) == TESS_OK)
            continue;
        refused++;
        assert_non_null(strstr(tmp->env.message, tmp->path));
    }
    assert_true(refused > 500);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_too_much_local_memory), cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests_name("tuning", tests, tmp_setup, tmp_teardown);
}
