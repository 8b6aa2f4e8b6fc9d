// The schedule of flow Euler samplers, in double precision.
#include "model/schedule.h"

#include <assert.h>

// The original takes s from NumPy's linspace(1, 0, steps + 1), which multiplies by the
// step's size: the last bit decides whether a step on the interval's border is guided.
static double time_at(const struct tess_schedule *schedule, uint32_t i)
{
    double r = schedule->rescale_t;
    double s = i < schedule->steps ? i * (-1.0 / schedule->steps) + 1 : 0;
    return r * s / (1 + (r - 1) * s);
}

struct tess_schedule_step tess_schedule_at(const struct tess_schedule *schedule,
                                           uint32_t i)
{
    assert(schedule->rescale_t > 0 && i < schedule->steps);
    double t = time_at(schedule, i), next = time_at(schedule, i + 1);
    return (struct tess_schedule_step){
        .t = t,
        .next = next,
        .timestep = (float)(1000 * t),
        .delta = (float)(t - next),
        .guided = schedule->guidance != 0 && schedule->interval[0] <= t &&
                  t <= schedule->interval[1],
    };
}

uint32_t tess_schedule_guided(const struct tess_schedule *schedule)
{
    uint32_t guided = 0;
    for (uint32_t i = 0; i < schedule->steps; i++)
        guided += tess_schedule_at(schedule, i).guided;
    return guided;
}
