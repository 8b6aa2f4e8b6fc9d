// Pieces of launches, on devices that are simulated.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rt/cut.h"

#define LIMIT ((uint64_t)100 * 1000 * 1000)

// Launches of `groups` groups, where group i takes cost(i) ns and counts as `group_work`.
struct simulation {
    struct tess_speed speed;
    double guess, group_work;
    double (*cost)(size_t group);
    double longest;
    size_t pieces, compile_ns;
};

static void launch(struct simulation *s, size_t groups)
{
    for (size_t group = 0; group < groups;) {
        size_t count = tess_cut_groups(&s->speed, s->group_work, s->guess, LIMIT);
        assert_true(count > 0);
        count = count < groups - group ? count : groups - group;
        double ns = 0;
        for (size_t i = 0; i < count; i++)
            ns += s->cost(group + i);
        s->longest = ns > s->longest ? ns : s->longest;
        ns += (double)s->compile_ns;
        s->compile_ns = 0;
        tess_speed_learn(&s->speed, s->group_work * (double)count, (uint64_t)ns, LIMIT);
        group += count;
        s->pieces++;
    }
}

static double even(size_t group)
{
    (void)group;
    return 1e6;
}

static double nothing(size_t group)
{
    (void)group;
    return 1;
}

// As long stretches of light and of heavy work.
static double uneven(size_t group)
{
    return group / 200 % 2 ? 1.5e6 : 0.5e6;
}

static double heavy(size_t group)
{
    (void)group;
    return 2.0 * (double)LIMIT;
}

// Of light work, as many groups as any driver takes.
static void grids_are_limited(void **state)
{
    struct simulation s = {.guess = 1, .group_work = 1, .cost = nothing};
    (void)state;
    launch(&s, 655360);
    assert_int_equal(s.pieces, 11);
    launch(&s, 65535);
    assert_int_equal(s.pieces, 12);
    s.group_work = 0; // as long as any
    launch(&s, 65536);
    assert_int_equal(s.pieces, 14);
}

static void a_right_guess(void **state)
{
    struct simulation s = {.guess = 1, .group_work = 1e6, .cost = even};
    (void)state;
    launch(&s, 4000);
    assert_true(s.longest <= 0.5 * (double)LIMIT);
    assert_true(s.pieces <= 4000 / 50 + 10);
}

// A guess that is wrong by a factor of 8 either way does no harm but for the first
// pieces.
static void wrong_guesses(void **state)
{
    static const double guesses[] = {1.0 / 8, 8};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct simulation s = {.guess = guesses[i], .group_work = 1e6, .cost = even};
        launch(&s, 4000);
        assert_true(s.longest <= 1.0001 * (double)LIMIT);
        size_t before = s.pieces;
        launch(&s, 4000);
        assert_in_range(s.pieces - before, 70, 90);
    }
}

static void work_that_is_uneven(void **state)
{
    struct simulation s = {.guess = 1, .group_work = 1e6, .cost = uneven};
    (void)state;
    // What was light so far may get three times as heavy once.
    launch(&s, 4000);
    assert_true(s.longest <= 1.5 * (double)LIMIT);
    s.longest = 0;
    for (int i = 0; i < 10; i++)
        launch(&s, 4000);
    assert_true(s.longest <= (double)LIMIT);
}

// What compiling takes at the first launch is not the kernel's speed.
static void first_launches_compile(void **state)
{
    struct simulation s = {
        .guess = 1, .group_work = 1e6, .cost = even, .compile_ns = 5000000000u};
    (void)state;
    launch(&s, 4000);
    assert_true(s.pieces <= 4000 / 50 + 10);
    assert_true(s.longest <= (double)LIMIT);
}

// One slow piece (the device did something else) is forgotten.
static void slow_pieces_are_forgotten(void **state)
{
    struct simulation s = {.guess = 1, .group_work = 1e6, .cost = even};
    (void)state;
    launch(&s, 4000);
    tess_speed_learn(&s.speed, 1e6, 20 * LIMIT, LIMIT);
    for (int i = 0; i < 10; i++)
        launch(&s, 4000);
    size_t before = s.pieces;
    launch(&s, 4000);
    assert_in_range(s.pieces - before, 70, 90);
}

static void what_cannot_be_cut(void **state)
{
    struct simulation s = {.guess = 1, .group_work = 1e6, .cost = heavy};
    (void)state;
    launch(&s, 20);
    s.pieces = 0;
    launch(&s, 20);
    assert_int_equal(s.pieces, 20);
    assert_false(tess_speed_known(&(struct tess_speed){.warm = true}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids_are_limited),
        cmocka_unit_test(a_right_guess),
        cmocka_unit_test(wrong_guesses),
        cmocka_unit_test(work_that_is_uneven),
        cmocka_unit_test(first_launches_compile),
        cmocka_unit_test(slow_pieces_are_forgotten),
        cmocka_unit_test(what_cannot_be_cut),
    };
    return cmocka_run_group_tests_name("cut", tests, NULL, NULL);
}
