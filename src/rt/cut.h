// How far one launch goes: long ones are cut so that a device that also drives a display
// is never busy for long. A kernel's speed is a cautious guess until it was measured;
// results and plans do not depend on it, as only the offset of work-items changes.
#ifndef TESS_RT_CUT_H
#define TESS_RT_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a kernel was seen to take. All zeros: nothing yet.
struct tess_speed {
    bool warm;       // it ran once; drivers may compile then
    double work, ns; // sums of late
    double slowest;  // ns for a unit of work, of late
};

// A launch, or a piece of one, of `work` took `ns`; pieces should stay below `limit_ns`.
void tess_speed_learn(struct tess_speed *speed, double work, uint64_t ns,
                      uint64_t limit_ns);
bool tess_speed_known(const struct tess_speed *speed);

// How many groups, at least one and no more than any driver takes, the next piece should
// have, if each is `group_work` and an unknown kernel does `guess` of work per ns.
size_t tess_cut_groups(const struct tess_speed *speed, double group_work, double guess,
                       uint64_t limit_ns);

#endif
