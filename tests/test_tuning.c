// Tables of shapes as files: what is printed is read again, what is damaged is refused
// with a message, and nothing that a file holds does harm. No OpenCL is needed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt/tuning.h"

static const struct tess_device_info info = {.name = "A device, 64 # units",
                                             .platform = "somewhere",
                                             .version = "OpenCL 1.2",
                                             .driver = "1.0",
                                             .gpu = true,
                                             .local_memory = 64 << 10};
static const enum tess_variant variants[] = {TESS_VARIANT_CPU, TESS_VARIANT_GPU};

struct file {
    struct tess_env env;
    char path[64];
};

static int open_file(void **state)
{
    struct file *file = calloc(1, sizeof *file);
    strcpy(file->path, "/tmp/tessella-tuning-XXXXXX");
    int fd = mkstemp(file->path);
    assert_true(fd >= 0);
    close(fd);
    *state = file;
    return 0;
}

static int close_file(void **state)
{
    struct file *file = *state;
    unlink(file->path);
    free(file);
    return 0;
}

static enum tess_status read_text(struct file *file, struct tess_tuning *out,
                                  const char *text, size_t length,
                                  enum tess_variant variant)
{
    FILE *to = fopen(file->path, "wb");
    assert_int_equal(fwrite(text, 1, length, to), length);
    fclose(to);
    return tess_tuning_read(out, &file->env, file->path, &info, variant, true);
}

static char *print(struct file *file, const struct tess_tuning *tuning,
                   enum tess_variant variant)
{
    static const char *const comments[TESS_TUNED_COUNT] = {"first", "", NULL};
    char *text = NULL;
    assert_int_equal(
        tess_tuning_print(&text, &file->env, tuning, &info, variant, comments), TESS_OK);
    return text;
}

// Every value of every parameter.
static void test_round_trip(void **state)
{
    struct file *file = *state;
    for (int v = 0; v < 2; v++)
        for (int p = 0; p < TESS_TUNED_COUNT; p++) {
            const uint32_t *values = tess_tuned_values((enum tess_tuned)p, variants[v]);
            struct tess_tuning tuning = tess_tuning_default(&info, variants[v]), back;
            for (int i = 0; values[i]; i++) {
                tuning.values[p] = values[i];
                char *text = print(file, &tuning, variants[v]);
                assert_int_equal(read_text(file, &back, text, strlen(text), variants[v]),
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
                assert_true(*values);
            }
        }
}

static void test_too_much_local_memory(void **state)
{
    struct file *file = *state;
    struct tess_tuning tuning = tess_tuning_default(&info, TESS_VARIANT_GPU), back;
    struct tess_device_info small = info;
    small.local_memory = 32 << 10;
    tuning.values[TESS_TUNED_PRODUCT_ROWS] = 128;
    tuning.values[TESS_TUNED_PRODUCT_PANELS] = 4;
    tuning.values[TESS_TUNED_PRODUCT_DEPTH] = 32;
    char *text = print(file, &tuning, TESS_VARIANT_GPU);
    assert_int_equal(read_text(file, &back, text, strlen(text), TESS_VARIANT_GPU),
                     TESS_OK);
    assert_int_equal(
        tess_tuning_read(&back, &file->env, file->path, &small, TESS_VARIANT_GPU, true),
        TESS_ERR_FILE);
    assert_non_null(strstr(file->env.message, "local memory"));
    free(text);
}

// Bytes changed, taken out and put in at random: a table, or a message with the file.
static void test_damage(void **state)
{
    struct file *file = *state;
    struct tess_tuning tuning = tess_tuning_default(&info, TESS_VARIANT_CPU), back;
    char *text = print(file, &tuning, TESS_VARIANT_CPU);
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
        if (read_text(file, &back, copy, length, TESS_VARIANT_CPU) == TESS_OK)
            continue;
        refused++;
        assert_non_null(strstr(file->env.message, file->path));
    }
    assert_true(refused > 500);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, open_file, close_file),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test_setup_teardown(test_too_much_local_memory, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(test_damage, open_file, close_file)};
    return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
