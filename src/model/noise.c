// PyTorch's normal noise: MT19937 and the transform of Box and Muller.
//
// PyTorch draws n >= 16 numbers from uniforms of 24 bits in groups of 16 (draw_many()),
// and fewer one by one from uniforms of 53 bits (draw_few()). The former are rounded to
// single precision where PyTorch's vector code rounds them; its polynomials for log, sin
// and cos differ from the rounded true values by up to 5e-7 in the result. Which of its
// code paths ran depends on the processor, so exactly its bits are nobody's.
//
// The functions below are made of operations that IEEE 754 defines to the bit, instead of
// the platform's log(), sin() and cos(), which differ in their last bits.
#include "model/noise.h"

#include <math.h>

static const double pi = 3.141592653589793;
static const double ln_2 = 0.6931471805599453;
static const double sqrt_half = 0.7071067811865476;

enum { GROUP = 16 };

static uint32_t twist(uint32_t high, uint32_t low, uint32_t far)
{
    uint32_t mixed = (high & 0x80000000u) | (low & 0x7fffffffu);
    return far ^ mixed >> 1 ^ (low & 1 ? 0x9908b0dfu : 0);
}

static void renew(struct tess_noise *noise)
{
    uint32_t *words = noise->words;
    for (int i = 0; i < TESS_NOISE_WORDS; i++)
        words[i] = twist(words[i], words[(i + 1) % TESS_NOISE_WORDS],
                         words[(i + 397) % TESS_NOISE_WORDS]);
    noise->used = 0;
}

static uint32_t next_word(struct tess_noise *noise)
{
    if (noise->used == TESS_NOISE_WORDS)
        renew(noise);
    uint32_t word = noise->words[noise->used++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

// A multiple of 2^-24 in [0, 1).
static float next_uniform(struct tess_noise *noise)
{
    return (float)(next_word(noise) & 0xffffff) * 0x1p-24f;
}

// A multiple of 2^-53 in [0, 1).
static double next_fine_uniform(struct tess_noise *noise)
{
    uint64_t bits = (uint64_t)next_word(noise) << 32;
    bits |= next_word(noise);
    return (double)(bits & (((uint64_t)1 << 53) - 1)) * 0x1p-53;
}

// log(v) of 0 < v <= 1, to about 1e-16: 2 atanh((m - 1) / (m + 1)) of m = v / 2^e in
// [sqrt(1/2), sqrt(2)). Its series ends where terms fall below 2^-53.
static double natural_log(double v)
{
    int e;
    double m = frexp(v, &e);
    if (m < sqrt_half) {
        m *= 2;
        e--;
    }
    double s = (m - 1) / (m + 1), sum = 0;
    for (int i = 21; i > 0; i -= 2)
        sum = sum * s * s + 1.0 / i;
    return 2 * s * sum + e * ln_2;
}

// sin and cos of 0 <= angle <= 2 pi, to about 1e-15: Taylor's series within an eighth of
// the circle of the nearest quarter. They end where terms fall below 2^-53.
static void sine_and_cosine(double *sine, double *cosine, double angle)
{
    int quarter = (int)(angle / (pi / 2) + 0.5);
    double r = angle - quarter * (pi / 2), s = 1, c = 1;
    for (int i = 17; i > 1; i -= 2) {
        s = 1 - s * r * r / (i * (i - 1));
        c = 1 - c * r * r / ((i - 1) * (i - 2));
    }
    s *= r;
    *sine = quarter & 1 ? c : s;
    *cosine = quarter & 1 ? s : c;
    if (quarter & 2)
        *sine = -*sine;
    if ((quarter + 1) & 2)
        *cosine = -*cosine;
}

// Uniforms d[16] to normals: pairs 8 apart.
static void transform(float *d)
{
    for (int i = 0; i < GROUP / 2; i++) {
        double sine, cosine;
        float radius = sqrtf(-2 * (float)natural_log(1 - d[i]));
        float angle = (float)(2 * pi) * d[i + GROUP / 2];
        sine_and_cosine(&sine, &cosine, angle);
        d[i] = radius * (float)cosine;
        d[i + GROUP / 2] = radius * (float)sine;
    }
}

// All uniforms come first. Where n is no multiple of 16, the last 16 numbers are drawn
// once more.
static void draw_many(float *dst, size_t n, struct tess_noise *noise)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = next_uniform(noise);
    for (size_t i = 0; i + GROUP <= n; i += GROUP)
        transform(dst + i);
    if (n % GROUP == 0)
        return;
    for (size_t i = n - GROUP; i < n; i++)
        dst[i] = next_uniform(noise);
    transform(dst + n - GROUP);
}

static void draw_few(float *dst, size_t n, struct tess_noise *noise)
{
    for (size_t i = 0; i < n; i++) {
        if (noise->has_spare) {
            dst[i] = (float)noise->spare;
            noise->has_spare = false;
            continue;
        }
        double sine, cosine;
        double angle = 2 * pi * next_fine_uniform(noise);
        double radius = sqrt(-2 * natural_log(1 - next_fine_uniform(noise)));
        sine_and_cosine(&sine, &cosine, angle);
        dst[i] = (float)(radius * cosine);
        noise->spare = radius * sine;
        noise->has_spare = true;
    }
}

void tess_noise_seed(struct tess_noise *noise, uint64_t seed)
{
    uint32_t word = (uint32_t)seed;
    for (uint32_t i = 0; i < TESS_NOISE_WORDS; i++) {
        noise->words[i] = word;
        word = 1812433253u * (word ^ word >> 30) + i + 1;
    }
    noise->used = TESS_NOISE_WORDS;
    noise->has_spare = false;
    noise->spare = 0;
}

void tess_noise_normal(float *dst, size_t n, struct tess_noise *noise)
{
    if (n < GROUP)
        draw_few(dst, n, noise);
    else
        draw_many(dst, n, noise);
}
