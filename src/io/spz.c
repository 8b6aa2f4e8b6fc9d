// SPZ writer.
#include "io/spz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/alloc.h"
#include "io/output.h"
#include "io/turn.h"

enum {
    VERSION = 3,
    ROW_BYTES = 20, // of a splat: 9, 1, 3, 3, 4
    POSITION_MAX = (1 << 23) - 1,
    // Half a step is 0.00003; the smallest splats of TRELLIS are 0.0009 wide. A splat of
    // the demo's teapot takes 11.2 bytes with 12 bits, 12.3 with 14, 13.0 with 16.
    MAX_FRACTIONAL_BITS = 14,
};

static uint8_t to_byte(double value)
{
    return (uint8_t)(value > 0 ? value < 255 ? value + 0.5 : 255 : 0);
}

static void store_word(uint8_t *out, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(word >> 8 * i);
}

// As many bits as leave room for the farthest splat; below 0 if there are none.
static int fractional_bits(const struct tess_splats *splats)
{
    double farthest = 0;
    for (size_t i = 0; i < 3 * splats->count; i++)
        farthest = fmax(farthest, fabs((double)splats->positions[i]));
    int bits = MAX_FRACTIONAL_BITS;
    while (bits >= 0 && ldexp(farthest, bits) + 0.5 > POSITION_MAX)
        bits--;
    return bits;
}

static void pack_position(uint8_t *out, const float *position, int bits)
{
    float turned[3];
    tess_turn_up(turned, position);
    for (int j = 0; j < 3; j++) {
        uint32_t fixed = (uint32_t)(int32_t)lround(ldexp((double)turned[j], bits));
        for (int k = 0; k < 3; k++)
            out[3 * j + k] = (uint8_t)(fixed >> 8 * k);
    }
}

static void pack_rotation(uint8_t *out, const float *rotation)
{
    float turned[4];
    int largest = 0;
    tess_turn_rotation_up(turned, rotation);
    const double q[4] = {turned[1], turned[2], turned[3], turned[0]}; // x, y, z, w
    for (int i = 1; i < 4; i++)
        if (fabs(q[i]) > fabs(q[largest]))
            largest = i;
    uint32_t word = (uint32_t)largest;
    for (int i = 0; i < 4; i++) {
        if (i == largest)
            continue;
        // q and -q are one rotation: the largest is positive.
        uint32_t negative = (q[i] < 0) != (q[largest] < 0);
        uint32_t magnitude = (uint32_t)(511 * (fabs(q[i]) * sqrt(2)) + 0.5);
        word = word << 10 | negative << 9 | (magnitude < 511 ? magnitude : 511);
    }
    store_word(out, word);
}

// The stream that is compressed.
static void pack(uint8_t *out, const struct tess_splats *splats, int bits)
{
    size_t N = splats->count;
    memset(out, 0, TESS_SPZ_HEADER_BYTES);
    store_word(out, TESS_SPZ_MAGIC);
    store_word(out + 4, VERSION);
    store_word(out + 8, (uint32_t)N);
    out[13] = (uint8_t)bits;
    uint8_t *positions = out + TESS_SPZ_HEADER_BYTES, *opacities = positions + 9 * N,
            *colours = opacities + N, *scales = colours + 3 * N,
            *rotations = scales + 3 * N;
    for (size_t i = 0; i < N; i++) {
        pack_position(positions + 9 * i, splats->positions + 3 * i, bits);
        opacities[i] = to_byte(255 * (double)splats->opacities[i]);
        for (size_t j = 3 * i; j < 3 * i + 3; j++) {
            colours[j] = to_byte(255 * (0.5 + 0.15 * (double)splats->colours[j]));
            scales[j] = to_byte(16 * (log((double)splats->scales[j]) + 10));
        }
        pack_rotation(rotations + 4 * i, splats->rotations + 4 * i);
    }
}

// zlib counts bytes in 32 bits, so the stream goes in and out in parts.
static enum tess_status compress_into(struct tess_output *output, struct tess_env *env,
                                      const uint8_t *data, size_t bytes)
{
    enum { PART = 1 << 16 };
    uint8_t part[PART];
    z_stream stream = {0};
    // 16: a gzip header, without name and time, so that equal splats are equal bytes.
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return tess_fail(env, TESS_ERR_MEMORY, "no host memory to compress");
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        if (stream.avail_in == 0 && bytes) {
            stream.next_in = (Bytef *)(uintptr_t)data;
            stream.avail_in = (uInt)(bytes < PART ? bytes : PART);
            data += stream.avail_in;
            bytes -= stream.avail_in;
        }
        stream.next_out = part;
        stream.avail_out = PART;
        result = deflate(&stream, bytes ? Z_NO_FLUSH : Z_FINISH);
        tess_output_write(output, part, PART - stream.avail_out);
    }
    deflateEnd(&stream);
    return TESS_OK;
}

enum tess_status tess_spz_write(const struct tess_splats *splats, struct tess_env *env,
                                const char *path)
{
    struct tess_output *output = NULL;
    uint8_t *data = NULL;
    int bits = fractional_bits(splats);
    if (bits < 0 || splats->count > UINT32_MAX)
        return tess_fail(env, TESS_ERR_WRITE,
                         "cannot write %s: SPZ has at most %u splats, at coordinates "
                         "below %d",
                         path, UINT32_MAX, POSITION_MAX);
    size_t bytes = TESS_SPZ_HEADER_BYTES + ROW_BYTES * splats->count;
    TESS_TRY(tess_alloc(&data, env, bytes, 1, "packed splats"));
    pack(data, splats, bits);
    enum tess_status status = tess_output_open(&output, env, path);
    if (!status)
        status = compress_into(output, env, data, bytes);
    free(data);
    if (status) {
        tess_output_discard(&output);
        return status;
    }
    return tess_output_commit(&output, env);
}
