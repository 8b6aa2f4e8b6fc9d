// Normal noise, the same numbers as PyTorch's generator on the CPU gives for a seed.
//
// One stream serves a whole run: seed it once, draw the first stage's noise, then the
// second's. Results depend on nothing but the seed and the sizes of the draws: every
// platform with IEEE arithmetic gets the same bytes.
#ifndef TESS_NOISE_H
#define TESS_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TESS_NOISE_WORDS 624

// State of a stream. Plain: copies are streams of their own.
struct tess_noise {
    uint32_t words[TESS_NOISE_WORDS]; // of the Mersenne twister MT19937
    uint32_t used;                    // words taken since they were last renewed
    bool has_spare;
    double spare; // the second number of a pair, for draws of fewer than 16
};

// As torch.manual_seed(seed). The generator takes the low 32 bits of a seed only.
void tess_noise_seed(struct tess_noise *noise, uint64_t seed);

// Draw dst[n] as torch.randn() of n elements in single precision does, and go on in the
// stream. Draws do not add up: two of n / 2 are not one of n, unless both are multiples
// of 16.
void tess_noise_normal(float *dst, size_t n, struct tess_noise *noise);

#endif
