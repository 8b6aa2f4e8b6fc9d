// SPZ reader. What the header says about sizes is checked against what the file can hold
// before anything of that size is allocated.
#include "io/spz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/alloc.h"
#include "io/input.h"
#include "io/turn.h"

enum {
    FLAG_ANTIALIASED = 1, // how it was trained; nothing to do with the data
    MAX_DEGREE = 4,
    MAX_RATIO = 1032, // of deflate: 258 bytes from 2 bits
};

struct reader {
    struct tess_env *env;
    const char *path;
    struct tess_input input;
    z_stream stream;
    bool open, ended;
    size_t at; // of the next input that the stream has not seen

    uint32_t version;
    size_t count;
    size_t rest_bytes; // of a splat's spherical harmonics above degree 0
    int bits;
};

static uint32_t load_word(const uint8_t *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
           (uint32_t)data[3] << 24;
}

// The next `room` bytes of the stream, or what is left of it. At its end zlib compares
// length and checksum.
static enum tess_status inflate_some(struct reader *reader, uint8_t *out, size_t room,
                                     size_t *got)
{
    enum { PART = 1 << 20 }; // zlib counts bytes in 32 bits
    z_stream *stream = &reader->stream;
    *got = 0;
    while (!reader->ended && *got < room) {
        if (stream->avail_in == 0) {
            size_t left = reader->input.bytes - reader->at;
            stream->next_in = (Bytef *)(uintptr_t)(reader->input.data + reader->at);
            stream->avail_in = (uInt)(left < PART ? left : PART);
            reader->at += stream->avail_in;
        }
        uInt part = (uInt)(room - *got < PART ? room - *got : PART);
        stream->next_out = out + *got;
        stream->avail_out = part;
        int result = inflate(stream, Z_NO_FLUSH);
        *got += part - stream->avail_out;
        reader->ended = result == Z_STREAM_END;
        if (result != Z_OK && !reader->ended)
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: its gzip stream is damaged or cut off%s%s",
                             reader->path, stream->msg ? ": " : "",
                             stream->msg ? stream->msg : "");
    }
    return TESS_OK;
}

static enum tess_status open_stream(struct reader *reader)
{
    const uint8_t *data = reader->input.data;
    if (reader->input.bytes >= 4 && load_word(data) == TESS_SPZ_MAGIC)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: an SPZ file of version 4 or later, expected version 2 or "
                         "3 (a gzip stream)",
                         reader->path);
    if (reader->input.bytes < 2 || data[0] != 0x1f || data[1] != 0x8b)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: not a gzip stream, expected an SPZ file", reader->path);
    if (inflateInit2(&reader->stream, 16 + MAX_WBITS) != Z_OK)
        return tess_fail(reader->env, TESS_ERR_MEMORY, "no host memory to read %s",
                         reader->path);
    reader->open = true;
    return TESS_OK;
}

static enum tess_status read_header(struct reader *reader)
{
    static const uint8_t coefficients[MAX_DEGREE + 1] = {0, 3, 8, 15, 24};
    uint8_t header[TESS_SPZ_HEADER_BYTES];
    size_t got;
    TESS_TRY(inflate_some(reader, header, sizeof header, &got));
    if (got < sizeof header)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu bytes, expected a header of %zu", reader->path, got,
                         sizeof header);
    uint32_t magic = load_word(header);
    int degree = header[12], flags = header[14];
    reader->version = load_word(header + 4);
    reader->count = load_word(header + 8);
    reader->bits = header[13];
    const char *wrong = NULL;
    if (magic != TESS_SPZ_MAGIC)
        wrong = "does not start with \"NGSP\", expected an SPZ file";
    else if (reader->version != 2 && reader->version != 3)
        wrong = "its version is not 2 or 3";
    else if (reader->count == 0)
        wrong = "no splats";
    else if (degree > MAX_DEGREE)
        wrong = "its spherical harmonics have a degree above 4";
    else if (reader->bits > 23)
        wrong = "its positions have more than 23 fractional bits";
    else if (flags & ~FLAG_ANTIALIASED)
        wrong = "it has extensions, which are not read";
    if (wrong)
        return tess_fail(reader->env, TESS_ERR_FILE, "%s: %s", reader->path, wrong);
    reader->rest_bytes = 3u * coefficients[degree];
    return TESS_OK;
}

static void unpack_position(float *out, const uint8_t *data, int bits)
{
    float position[3];
    for (int j = 0; j < 3; j++) {
        int32_t fixed = data[3 * j] | data[3 * j + 1] << 8 | data[3 * j + 2] << 16;
        fixed -= (fixed & 1 << 23) << 1; // the sign
        position[j] = (float)ldexp(fixed, -bits);
    }
    tess_turn_down(out, position);
}

static void unpack_rotation(float *out, const uint8_t *data, uint32_t version)
{
    double q[4], sum = 0; // x, y, z, w
    uint32_t word = version == 3 ? load_word(data) : 0;
    int largest = version == 3 ? (int)(word >> 30) : 3;
    for (int i = 3; i >= 0; i--) {
        if (i == largest)
            continue;
        if (version == 3) {
            q[i] = (word & 511) / 511.0 / sqrt(2) * (word & 512 ? -1 : 1);
            word >>= 10;
        } else {
            q[i] = data[i] / 127.5 - 1;
        }
        sum += q[i] * q[i];
    }
    q[largest] = sqrt(sum < 1 ? 1 - sum : 0);
    const float rotation[4] = {(float)q[3], (float)q[0], (float)q[1], (float)q[2]};
    tess_turn_rotation_down(out, rotation);
}

static void unpack(struct tess_splats *splats, const struct reader *reader,
                   const uint8_t *data)
{
    size_t N = reader->count, rotation_bytes = reader->version == 3 ? 4 : 3;
    const uint8_t *opacities = data + 9 * N, *colours = opacities + N,
                  *scales = colours + 3 * N, *rotations = scales + 3 * N;
    for (size_t i = 0; i < N; i++) {
        unpack_position(splats->positions + 3 * i, data + 9 * i, reader->bits);
        splats->opacities[i] = opacities[i] / 255.0f;
        for (size_t j = 3 * i; j < 3 * i + 3; j++) {
            splats->colours[j] = (float)((colours[j] / 255.0 - 0.5) / 0.15);
            splats->scales[j] = (float)exp(scales[j] / 16.0 - 10);
        }
        unpack_rotation(splats->rotations + 4 * i, rotations + rotation_bytes * i,
                        reader->version);
    }
}

// The body into *out, for free().
static enum tess_status read_body(uint8_t **out, struct reader *reader)
{
    size_t row = 16 + (reader->version == 3 ? 4 : 3) + reader->rest_bytes;
    size_t bytes = reader->count * row, got;
    if (bytes / MAX_RATIO > reader->input.bytes)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu bytes are too few for %zu splats", reader->path,
                         reader->input.bytes, reader->count);
    // One byte more tells whether the stream goes on.
    TESS_TRY(tess_alloc(out, reader->env, bytes + 1, 1, "packed splats"));
    TESS_TRY(inflate_some(reader, *out, bytes + 1, &got));
    if (got != bytes)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: the stream has %s than the %zu bytes of %zu splats",
                         reader->path, got < bytes ? "less" : "more", bytes,
                         reader->count);
    size_t left = reader->input.bytes - reader->at + reader->stream.avail_in;
    if (left)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu bytes after the gzip stream, expected the end of the "
                         "file",
                         reader->path, left);
    return TESS_OK;
}

enum tess_status tess_spz_read(struct tess_splats *out, struct tess_env *env,
                               const char *path)
{
    struct reader reader = {.env = env, .path = path};
    struct tess_splats splats = {0};
    uint8_t *body = NULL;
    TESS_TRY(tess_input_map(&reader.input, env, path));
    enum tess_status status = open_stream(&reader);
    if (!status)
        status = read_header(&reader);
    if (!status)
        status = read_body(&body, &reader);
    if (!status)
        status = tess_splats_create(&splats, env, reader.count);
    if (!status)
        unpack(&splats, &reader, body);
    if (reader.open)
        inflateEnd(&reader.stream);
    tess_input_close(&reader.input);
    free(body);
    if (!status)
        *out = splats;
    return status;
}
