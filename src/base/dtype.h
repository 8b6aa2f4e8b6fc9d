// Element types of tensors, on the host and on the device.
#ifndef TESS_DTYPE_H
#define TESS_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum tess_dtype {
    TESS_F32,
    TESS_F16,
    TESS_BF16,
    TESS_F64,
    TESS_I64,
    TESS_U64,
    TESS_I32,
    TESS_U32,
    TESS_I16,
    TESS_U16,
    TESS_I8,
    TESS_U8,
    TESS_BOOL,
    TESS_DTYPE_COUNT
};

// Bytes of one element.
static inline size_t tess_dtype_size(enum tess_dtype dtype)
{
    static const unsigned char sizes[TESS_DTYPE_COUNT] = {4, 2, 2, 8, 8, 8, 4,
                                                          4, 2, 2, 1, 1, 1};
    return sizes[dtype];
}

// As safetensors spells it: "F32", "F16", "BF16", ...
static inline const char *tess_dtype_name(enum tess_dtype dtype)
{
    static const char *const names[TESS_DTYPE_COUNT] = {
        "F32", "F16", "BF16", "F64", "I64", "U64", "I32",
        "U32", "I16", "U16",  "I8",  "U8",  "BOOL"};
    return names[dtype];
}

// IEEE 754 binary16 to binary32, exact.
static inline float tess_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 31, mantissa = half & 1023u;
    uint32_t bits;
    float value;
    if (exponent == 0) { // zero and subnormals: mantissa * 2^-24
        value = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    } else if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

// binary32 to the nearest IEEE 754 binary16, ties to even; what is too large becomes
// infinity.
static inline uint16_t tess_float_to_half(float value)
{
    uint32_t bits, small_bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00); // NaN
    // Below 2^-14 the result is a multiple of 2^-24. So is the sum with 0.5, rounded.
    float small;
    memcpy(&small, &magnitude, sizeof small);
    small += 0.5f;
    memcpy(&small_bits, &small, sizeof small_bits);
    // Else 13 bits go, and the exponent's bias changes by 112.
    uint32_t rounded = (magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13;
    uint32_t half =
        magnitude < 113u << 23 ? small_bits - (126u << 23) : rounded - (112u << 10);
    return (uint16_t)(sign | (half < 0x7c00 || magnitude < 113u << 23 ? half : 0x7c00));
}

// bfloat16 to binary32, exact.
static inline float tess_bfloat_to_float(uint16_t bfloat)
{
    uint32_t bits = (uint32_t)bfloat << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
