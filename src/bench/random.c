// A linear congruential generator (Knuth's constants), the same numbers each time.
#include "bench/random.h"

#include "base/alloc.h"

static uint32_t next_bits(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 40);
}

float tess_random_float(uint64_t *state)
{
    return (float)next_bits(state) / (float)(1u << 24);
}

enum tess_status tess_random_halves(uint16_t **out, struct tess_env *env, size_t count)
{
    uint16_t *halves = NULL;
    uint64_t state = 1;
    TESS_TRY(tess_alloc(&halves, env, count, sizeof *halves, "weights"));
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = next_bits(&state);
        halves[i] = (uint16_t)((bits & 1) << 15 | 11u << 10 | (bits >> 1 & 0x3ff));
    }
    *out = halves;
    return TESS_OK;
}
