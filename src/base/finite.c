// NaN and infinity have all bits of the exponent; one more of its lowest bit runs over
// into the sign's, and that stays in the lanes, which compilers make vectors of.
#include "base/finite.h"

#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

static uint32_t overflow(uint32_t bits)
{
    return (bits & 0x7fffffffu) + 0x00800000u;
}

bool tess_all_finite(const float *values, size_t count)
{
    uint32_t seen[LANES] = {0}, bits[LANES], all = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        memcpy(bits, values + i, sizeof bits);
        for (int lane = 0; lane < LANES; lane++)
            seen[lane] |= overflow(bits[lane]);
    }
    for (; i < count; i++) {
        memcpy(bits, values + i, sizeof *bits);
        all |= overflow(*bits);
    }
    for (int lane = 0; lane < LANES; lane++)
        all |= seen[lane];
    return !(all >> 31);
}
