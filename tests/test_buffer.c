// Buffers of every size keep what is written, and their memory goes back when the device
// is done with it, not before.
#include "ops_common.h"

#include <sys/resource.h>

#include "rt/buffer.h"
#include "rt/in_place.h"

#define MIB   ((size_t)1 << 20)
#define LARGE (8 * MIB + 12345)

static void write_and_read(struct ops *ops, struct tess_buffer *buffer, size_t bytes,
                           unsigned seed)
{
    struct tess_slice all = {buffer, 0, bytes};
    unsigned char *in = malloc(bytes), *out = calloc(bytes, 1);
    for (size_t i = 0; i < bytes; i++)
        in[i] = (unsigned char)((i + seed) * 2654435761u >> 24);
    assert_int_equal(tess_slice_write_now(ops->dev, all, in), TESS_OK);
    assert_int_equal(tess_slice_read(ops->dev, all, out), TESS_OK);
    assert_memory_equal(in, out, bytes);
    free(in);
    free(out);
}

static void keep_values(size_t bytes)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    tess_device_set_budget(ops->dev, bytes, bytes);
    struct tess_buffer *buffer = NULL, *other = NULL;
    assert_int_equal(tess_buffer_create(&buffer, ops->dev, bytes, "a test"), TESS_OK);
    assert_int_equal(tess_device_used(ops->dev), bytes);
    assert_int_equal(tess_buffer_create(&other, ops->dev, 1, "one more"),
                     TESS_ERR_BUDGET);

    write_and_read(ops, buffer, bytes, 0);
    tess_buffer_destroy(&buffer);
    assert_int_equal(tess_device_used(ops->dev), 0);
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

static struct tess_buffer *make(struct ops *ops, size_t bytes)
{
    struct tess_buffer *buffer = NULL;
    assert_int_equal(tess_buffer_create(&buffer, ops->dev, bytes, "a test"), TESS_OK);
    assert_int_equal(tess_buffer_touch(buffer), TESS_OK);
    return buffer;
}

// As stages make them: also where one lies in the memory of another that is gone.
static void test_one_after_the_other(void **state)
{
    (void)state;
    static const size_t sizes[] = {100,         9 * MIB + 13, 5 * MIB + 1, 5 * MIB,
                                   5 * MIB + 5, 4096,         4 * MIB,     7 * MIB + 1,
                                   300 * MIB,   6 * MIB};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t bytes = sizes[i], checked = bytes < 9 * MIB ? bytes : 9 * MIB;
        struct tess_buffer *buffer = make(ops, bytes), *other = make(ops, 5 * MIB);
        assert_int_equal(tess_device_used(ops->dev), bytes + 5 * MIB);
        write_and_read(ops, buffer, checked, (unsigned)i);
        write_and_read(ops, other, 5 * MIB, 99);
        tess_buffer_destroy(&buffer);
        write_and_read(ops, other, 5 * MIB, 77);
        tess_buffer_destroy(&other);
    }
    ops_close(ops);
}

// The largest piece that was given back is taken again, cut to size.
static void test_kept(void **state)
{
    (void)state;
    struct tess_in_place *pool = tess_in_place_create();
    struct tess_in_place_piece *large = tess_in_place_take(pool, 5 * MIB),
                               *small = tess_in_place_take(pool, 100);
    char *memory = tess_in_place_memory(large);
    assert_true((uintptr_t)memory % (2 * MIB) == 0);
    memset(memory, 1, 5 * MIB);
    memset(tess_in_place_memory(small), 2, 100);
    tess_in_place_give(small);
    tess_in_place_give(large);

    struct tess_in_place_piece *part = tess_in_place_take(pool, 3 * MIB);
    assert_ptr_equal(tess_in_place_memory(part), memory);
    assert_true(memory[0] == 1 && memory[3 * MIB - 1] == 1);
    struct tess_in_place_piece *more = tess_in_place_take(pool, 100);
    char *other = tess_in_place_memory(more); // of what was cut off nothing is kept
    assert_true(other < memory || other >= memory + 3 * MIB);
    memset(other, 3, 100);
    tess_in_place_give(part);
    tess_in_place_give(more);

    large = tess_in_place_take(pool, 4 * MIB); // more than is kept
    bool enough = false;
    if (tess_in_place_populate(&enough, large))
        assert_true(enough);
    memset(tess_in_place_memory(large), 4, 4 * MIB);
    assert_null(tess_in_place_take(pool, SIZE_MAX - MIB));
    tess_in_place_destroy(&pool); // before the last piece is given back
    assert_null(pool);
    tess_in_place_give(large);
    assert_null(tess_in_place_take(NULL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_released_while_in_use),
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
