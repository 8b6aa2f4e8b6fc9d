// Pieces of launches. Work is whatever launches count, in FLOP or work-items: only its
// ratio to time matters, and only within one kernel.
#include "rt/cut.h"

#include <math.h>

// Aims below the limit, as work is not spread evenly: windows differ in length, rows in
// neighbours, tiles in triangles. By a guess, which may be wrong by more, further below.
#define MEASURED_SHARE 0.5
#define GUESSED_SHARE  0.125
// A mean over about this many limits' time: old speeds fade, one slow piece does little.
#define MEMORY_LIMITS 4
// The slowest piece counts until this many more were seen. Short ones tell more of the
// time that any launch takes.
#define MEMORY_PIECES 32
#define SHORT_SHARE   (1.0 / 64)
// A grid of CUDA has no more groups along its second and third dimension, and Mesa's
// older OpenCL none along any.
#define GROUPS_MAX 65535

void tess_speed_learn(struct tess_speed *speed, double work, uint64_t ns,
                      uint64_t limit_ns)
{
    if (!speed->warm) {
        speed->warm = true;
        return;
    }
    if (!(work > 0) || ns == 0)
        return;
    speed->work += work;
    speed->ns += (double)ns;
    if (speed->ns > MEMORY_LIMITS * (double)limit_ns) {
        speed->work /= 2;
        speed->ns /= 2;
    }
    double mean = speed->ns / speed->work;
    double slowness = (double)ns / work;
    if (slowness > speed->slowest && (double)ns > SHORT_SHARE * (double)limit_ns)
        speed->slowest = slowness;
    else
        speed->slowest += (mean - speed->slowest) / MEMORY_PIECES;
}

bool tess_speed_known(const struct tess_speed *speed)
{
    return speed->work > 0 && speed->ns > 0;
}

size_t tess_cut_groups(const struct tess_speed *speed, double group_work, double guess,
                       uint64_t limit_ns)
{
    bool known = tess_speed_known(speed);
    double per_ns = guess;
    if (known)
        per_ns = 1 / fmax(speed->ns / speed->work, speed->slowest);
    double work = per_ns * (double)limit_ns * (known ? MEASURED_SHARE : GUESSED_SHARE);
    if (!(group_work > 0) || work / group_work >= GROUPS_MAX)
        return GROUPS_MAX;
    return work > group_work ? (size_t)(work / group_work) : 1;
}
