// Buffers of every size keep what is written, and their memory goes back when the device
// is done with it, not before.
#include "ops_common.h"

#include <sys/resource.h>

#include "rt/buffer.h"

#define MIB   ((size_t)1 << 20)
#define LARGE (8 * MIB + 12345)

static void keep_values(size_t bytes)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    tess_device_set_budget(ops->dev, bytes, bytes);
    struct tess_buffer *buffer = NULL, *other = NULL;
    assert_int_equal(tess_buffer_create(&buffer, ops->dev, bytes, "a test"), TESS_OK);
    assert_int_equal(tess_device_used(ops->dev), bytes);
    assert_int_equal(tess_buffer_create(&other, ops->dev, 1, "one more"),
                     TESS_ERR_BUDGET);

    unsigned char *in = malloc(bytes), *out = calloc(bytes, 1);
    for (size_t i = 0; i < bytes; i++)
        in[i] = (unsigned char)(i * 2654435761u >> 24);
    struct tess_slice all = {buffer, 0, bytes};
    assert_int_equal(tess_slice_write_now(ops->dev, all, in), TESS_OK);
    assert_int_equal(tess_slice_read(ops->dev, all, out), TESS_OK);
    assert_memory_equal(in, out, bytes);

    tess_buffer_destroy(&buffer);
    assert_int_equal(tess_device_used(ops->dev), 0);
    free(in);
    free(out);
    ops_close(ops);
}

static void test_values(void **state)
{
    (void)state;
    keep_values(1);
    keep_values(4 * MIB);
    keep_values(LARGE);
}

// Of this process, at most so far.
static size_t resident_bytes(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss * 1024;
}

static void test_released_while_in_use(void **state)
{
    (void)state;
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    size_t before = 0;
    for (int round = 0; round < 40; round++) {
        struct tess_buffer *buffer = NULL;
        assert_int_equal(tess_buffer_create(&buffer, ops->dev, LARGE, "a test"), TESS_OK);
        for (unsigned char i = 0; i < 4; i++)
            assert_int_equal(
                tess_slice_fill(ops->dev, (struct tess_slice){buffer, 0, LARGE}, i),
                TESS_OK);
        tess_buffer_destroy(&buffer);
        assert_int_equal(tess_device_finish(ops->dev), TESS_OK);
        if (round == 3)
            before = resident_bytes();
    }
    assert_in_range(resident_bytes(), 0, before + 4 * LARGE);
    ops_close(ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_released_while_in_use),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
