// Schedules of the samplers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "model/schedule.h"

static const struct tess_schedule usual = {
    .steps = 25, .rescale_t = 3, .guidance = 5, .interval = {0.5, 1}};

static void check_times(uint32_t steps, const double *times)
{
    struct tess_schedule schedule = usual;
    schedule.steps = steps;
    for (uint32_t i = 0; i < steps; i++) {
        struct tess_schedule_step step = tess_schedule_at(&schedule, i);
        assert_true(fabs(step.t - times[i]) < 0.5001e-6);
        assert_true(fabs(step.next - times[i + 1]) < 0.5001e-6);
        assert_true(step.timestep == (float)(1000 * step.t));
        assert_true(step.delta == (float)(step.t - step.next) && step.delta > 0);
        assert_int_equal(step.guided, times[i] >= 0.5);
        if (i + 1 < steps)
            assert_true(step.next == tess_schedule_at(&schedule, i + 1).t);
    }
    assert_true(tess_schedule_at(&schedule, 0).t == 1);
    assert_true(tess_schedule_at(&schedule, steps - 1).next == 0);
}

static void times(void **state)
{
    static const double of_25[] = {
        1,       .986301, .971831, .956522, .940299, .923077, .904762, .885246, .864407,
        .842105, .818182, .792453, .764706, .734694, .702128, .666667, .627907, .585366,
        .538462, .486486, .428571, .363636, .290323, .206897, .111111, 0};
    static const double of_12[] = {1,       .970588, .9375, .9,   .857143, .807692, .75,
                                   .681818, .6,      .5,    .375, .214286, 0};
    (void)state;
    check_times(25, of_25);
    check_times(12, of_12);
}

static void guided_steps(void **state)
{
    struct tess_schedule schedule = usual;
    (void)state;
    assert_int_equal(tess_schedule_guided(&schedule), 19);
    schedule.steps = 12; // t = 0.5 is one of them, and guided
    assert_int_equal(tess_schedule_guided(&schedule), 10);
    schedule.interval[0] = 0;
    assert_int_equal(tess_schedule_guided(&schedule), 12);
    schedule.interval[0] = schedule.interval[1] = 1;
    assert_int_equal(tess_schedule_guided(&schedule), 1);
    schedule.interval[0] = schedule.interval[1] = 0;
    assert_int_equal(tess_schedule_guided(&schedule), 0);
    schedule = usual;
    schedule.guidance = 0;
    assert_int_equal(tess_schedule_guided(&schedule), 0);
    schedule.guidance = -0.5;
    assert_int_equal(tess_schedule_guided(&schedule), 19);
}

// Even steps, in the roundings of NumPy's linspace(1, 0, steps + 1).
static void even_steps(void **state)
{
    struct tess_schedule schedule = {.steps = 10, .rescale_t = 1};
    (void)state;
    assert_true(tess_schedule_at(&schedule, 6).t == 0.3999999999999999);  // not 0.4
    assert_true(tess_schedule_at(&schedule, 7).t == 0.29999999999999993); // not 0.3...04
    schedule.steps = 1;
    assert_true(tess_schedule_at(&schedule, 0).t == 1);
    assert_true(tess_schedule_at(&schedule, 0).next == 0);
    assert_true(tess_schedule_at(&schedule, 0).delta == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(guided_steps),
        cmocka_unit_test(even_steps),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
