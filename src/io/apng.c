// Animated PNG: frames are compressed by libpng as single pictures, whose chunks are
// taken apart and put into the animation.
//
// The file: signature, IHDR, acTL, what else stands before the pixels; for each frame an
// fcTL and its pixels, in IDAT for the first frame and in fdAT for the others; IEND. fcTL
// and fdAT share one count of sequence numbers. Every frame replaces the whole picture.
#include "io/apng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "base/alloc.h"
#include "io/output.h"
#include "io/png.h"

#define SIGNATURE_BYTES 8
#define CHUNK_BYTES     12 // length, type and CRC

struct tess_apng {
    struct tess_output *output;
    char *path;
    uint32_t frames, fps, done, sequence;
    uint32_t width, height; // of the first frame
    // A frame as a file of its own.
    uint8_t *data;
    size_t bytes, capacity;
    struct tess_env *env; // where its bytes come in
    enum tess_status status;
};

enum tess_status tess_apng_open(struct tess_apng **out, struct tess_env *env,
                                const char *path, uint32_t frames, uint32_t fps)
{
    if (frames == 0 || frames > TESS_APNG_FRAMES_MAX || fps == 0 ||
        fps > TESS_APNG_FPS_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "%s: an animation of %u frames, %u a second, expected 1 to %d "
                         "frames and 1 to %d a second",
                         path, (unsigned)frames, (unsigned)fps, TESS_APNG_FRAMES_MAX,
                         TESS_APNG_FPS_MAX);
    struct tess_apng *apng = NULL;
    TESS_TRY(tess_alloc(&apng, env, 1, sizeof *apng, "an animation"));
    apng->frames = frames;
    apng->fps = fps;
    enum tess_status status = tess_strdup(&apng->path, env, path);
    if (!status)
        status = tess_output_open(&apng->output, env, path);
    if (status) {
        tess_apng_destroy(&apng);
        return status;
    }
    *out = apng;
    return TESS_OK;
}

// ---- chunks ----

// A chunk of `bytes` bytes, after a number if there is one.
static void write_chunk(struct tess_apng *apng, const char *type, const uint32_t *number,
                        const uint8_t *data, uint32_t bytes)
{
    png_byte head[12], end[4];
    uint32_t numbered = number ? 4 : 0;
    png_save_uint_32(head, numbered + bytes);
    memcpy(head + 4, type, 4);
    if (number)
        png_save_uint_32(head + 8, *number);
    uLong crc = crc32(0, head + 4, 4 + numbered);
    if (bytes)
        crc = crc32(crc, data, bytes);
    png_save_uint_32(end, (png_uint_32)crc);
    tess_output_write(apng->output, head, 8 + numbered);
    tess_output_write(apng->output, data, bytes);
    tess_output_write(apng->output, end, sizeof end);
}

static void write_actl(struct tess_apng *apng)
{
    png_byte plays[4] = {0}; // without end
    write_chunk(apng, "acTL", &apng->frames, plays, sizeof plays);
}

static void write_fctl(struct tess_apng *apng)
{
    png_byte data[22] = {0}; // offsets 0; nothing is disposed of, nothing blended
    png_save_uint_32(data, apng->width);
    png_save_uint_32(data + 4, apng->height);
    png_save_uint_16(data + 16, 1);
    png_save_uint_16(data + 18, apng->fps); // 1 / fps seconds
    write_chunk(apng, "fcTL", &apng->sequence, data, sizeof data);
    apng->sequence++;
}

static void write_fdat(struct tess_apng *apng, const uint8_t *data, uint32_t bytes)
{
    write_chunk(apng, "fdAT", &apng->sequence, data, bytes);
    apng->sequence++;
}

// Put the chunks of a frame, which stands in apng->data, into the animation.
static void write_frame(struct tess_apng *apng)
{
    bool first = apng->done == 0, pixels = false;
    if (first)
        tess_output_write(apng->output, apng->data, SIGNATURE_BYTES);
    for (size_t at = SIGNATURE_BYTES; at < apng->bytes;) {
        const uint8_t *chunk = apng->data + at, *type = chunk + 4;
        uint32_t bytes = png_get_uint_32(chunk);
        at += CHUNK_BYTES + bytes;
        bool image = memcmp(type, "IDAT", 4) == 0;
        if (image && !pixels)
            write_fctl(apng);
        pixels |= image;
        if (image && !first)
            write_fdat(apng, chunk + 8, bytes);
        else if (first && memcmp(type, "IEND", 4) != 0)
            tess_output_write(apng->output, chunk, CHUNK_BYTES + bytes);
        if (first && memcmp(type, "IHDR", 4) == 0)
            write_actl(apng);
    }
}

// ---- frames ----

static void keep_bytes(void *user, const void *data, size_t bytes)
{
    struct tess_apng *apng = user;
    if (!apng->status)
        apng->status = tess_grow(&apng->data, &apng->capacity, apng->env,
                                 apng->bytes + bytes, 1, "a frame");
    if (apng->status)
        return;
    memcpy(apng->data + apng->bytes, data, bytes);
    apng->bytes += bytes;
}

enum tess_status tess_apng_add(struct tess_apng *apng, struct tess_env *env,
                               const struct tess_picture *picture)
{
    if (apng->done == apng->frames)
        return tess_fail(env, TESS_ERR_ARG, "%s: more than the %u frames it was to have",
                         apng->path, (unsigned)apng->frames);
    if (apng->done == 0) {
        apng->width = picture->width;
        apng->height = picture->height;
    } else if (picture->width != apng->width || picture->height != apng->height) {
        return tess_fail(
            env, TESS_ERR_ARG, "%s: frame %u has %u x %u pixels, the first %u x %u",
            apng->path, (unsigned)apng->done, (unsigned)picture->width,
            (unsigned)picture->height, (unsigned)apng->width, (unsigned)apng->height);
    }
    apng->bytes = 0;
    apng->status = TESS_OK;
    apng->env = env;
    TESS_TRY(tess_png_encode(picture, env, apng->path, keep_bytes, apng));
    if (apng->status)
        return apng->status;
    write_frame(apng);
    apng->done++;
    return TESS_OK;
}

enum tess_status tess_apng_finish(struct tess_apng **out, struct tess_env *env)
{
    struct tess_apng *apng = *out;
    enum tess_status status = TESS_OK;
    if (apng->done != apng->frames) {
        status =
            tess_fail(env, TESS_ERR_ARG, "%s: %u of %u frames are missing", apng->path,
                      (unsigned)(apng->frames - apng->done), (unsigned)apng->frames);
    } else {
        write_chunk(apng, "IEND", NULL, NULL, 0);
        status = tess_output_commit(&apng->output, env);
    }
    tess_apng_destroy(out);
    return status;
}

void tess_apng_destroy(struct tess_apng **out)
{
    struct tess_apng *apng = *out;
    if (!apng)
        return;
    tess_output_discard(&apng->output);
    free(apng->path);
    free(apng->data);
    free(apng);
    *out = NULL;
}
