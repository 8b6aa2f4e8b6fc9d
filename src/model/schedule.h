// When the samplers of flow models look at the network: Euler steps from noise (t = 1) to
// data (t = 0), as the original's samplers place and guide them.
//
//   s_i = 1 - i / steps,  t_i = r s_i / (1 + (r - 1) s_i),  r = rescale_t
//   x <- x - (t_i - t_{i+1}) v(x, t_i),  v = (1 + w) v_cond - w v_uncond in guided steps
#ifndef TESS_SCHEDULE_H
#define TESS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct tess_schedule {
    uint32_t steps;     // at least 1
    double rescale_t;   // r, above 0; 1: even steps
    double guidance;    // w: cfg_strength; 0: no step is guided
    double interval[2]; // steps are guided where interval[0] <= t <= interval[1]
};

struct tess_schedule_step {
    double t, next; // t_i and t_{i+1}
    float timestep; // 1000 t, as the network takes it
    float delta;    // t - next, as it multiplies the velocity
    bool guided;    // the network runs with and without the condition
};

// Step i of 0 .. steps - 1.
struct tess_schedule_step tess_schedule_at(const struct tess_schedule *schedule,
                                           uint32_t i);

// How many steps are guided. The network runs steps + guided times.
uint32_t tess_schedule_guided(const struct tess_schedule *schedule);

#endif
