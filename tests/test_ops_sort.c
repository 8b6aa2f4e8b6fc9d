// Sorting on the device, against a stable sort of the host.
#include "ops_common.h"

#include "op/sort.h"

struct sorting {
    size_t count;
    uint32_t *keys, *places; // sorted in place; where they were
};

static enum tess_status sort(struct tess_stage *stage, void *user)
{
    struct sorting *s = user;
    struct tess_device *dev = tess_stage_device(stage);
    struct tess_mat keys, places;
    TESS_TRY(tess_mat_take(&keys, stage, s->count, 1, TESS_U32, "test"));
    TESS_TRY(tess_mat_write(stage, keys, s->keys));
    TESS_TRY(tess_sort(&places, stage, keys));
    TESS_TRY(tess_slice_read(dev, keys.data, s->keys));
    return tess_slice_read(dev, places.data, s->places);
}

struct keyed {
    uint32_t key, place;
};

static int compare(const void *a, const void *b)
{
    const struct keyed *p = a, *q = b;
    if (p->key != q->key)
        return p->key < q->key ? -1 : 1;
    return p->place < q->place ? -1 : 1;
}

static void check_sorted(struct ops *ops, size_t count, uint32_t mask, uint32_t *state)
{
    struct sorting s = {count, calloc(count, sizeof *s.keys),
                        calloc(count, sizeof *s.places)};
    struct keyed *wanted = calloc(count, sizeof *wanted);
    assert_true(s.keys && s.places && wanted);
    for (size_t i = 0; i < count; i++) {
        *state = *state * 1664525 + 1013904223;
        s.keys[i] = i % 11 == 3 ? UINT32_MAX : (*state ^ *state >> 15) & mask;
        wanted[i] = (struct keyed){s.keys[i], (uint32_t)i};
    }
    qsort(wanted, count, sizeof *wanted, compare);
    ops_run(ops, sort, &s);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(s.keys[i], wanted[i].key);
        assert_int_equal(s.places[i], wanted[i].place);
    }
    free(s.keys);
    free(s.places);
    free(wanted);
}

// Around the sizes of groups and blocks; with many ties, in all digits or in one.
static void sorted_with_ties(void **state)
{
    (void)state;
    static const enum tess_variant variants[] = {TESS_VARIANT_CPU, TESS_VARIANT_GPU};
    static const size_t counts[] = {1, 257, 255, 700, 4095, 4096, 4097, 70001};
    static const uint32_t masks[] = {UINT32_MAX, 0x3f000000, 0x00010100, 7, 0};
    uint32_t random = 1;
    for (size_t v = 0; v < 2; v++) {
        if (ops_unsuited(variants[v]))
            continue;
        struct ops *ops = ops_open(variants[v]);
        for (size_t i = 0; i < (asked_tiny() ? 2 : sizeof counts / sizeof *counts); i++)
            for (size_t m = 0; m < (asked_tiny() ? 1 : sizeof masks / sizeof *masks); m++)
                check_sorted(ops, counts[i], masks[m], &random);
        ops_close(ops);
    }
}

static void bench(void)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    struct sorting s = {.count = 327680};
    s.keys = malloc(s.count * sizeof *s.keys);
    s.places = malloc(s.count * sizeof *s.places);
    for (uint32_t i = 0; i < s.count; i++)
        s.keys[i] = 0x3f800000 + i * 7919 % 8388608;
    printf("%s\n", tess_device_facts(ops->dev)->name);
    ops_print_rate("sort 327680 keys", 0, 4.0 * 20 * (double)s.count,
                   ops_time(ops, sort, &s));
    free(s.keys);
    free(s.places);
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sorted_with_ties),
};
OPS_MAIN(tests, bench)
