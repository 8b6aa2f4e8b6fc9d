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

#include "base/alloc.h"
#include "io/output.h"
#include "io/png.h"

#define SIGNATURE_BYTES 8
#define CHUNK_BYTES     12 // length, type and CRC
#define FCTL_BYTES      26

struct tess_apng {
    struct tess_output *output;
    png_structp png; // writes chunks and their CRCs
    char *path;
    char error[160];
    uint32_t frames, fps, done, sequence;
    uint32_t width, height; // of the first frame
    // A frame as a file of its own.
    uint8_t *data;
    size_t bytes, capacity;
    struct tess_env *env; // where its bytes come in
    enum tess_status status;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct tess_apng *apng = png_get_error_ptr(png);
    snprintf(apng->error, sizeof apng->error, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_write(png_structp png, png_bytep data, size_t bytes)
{
    struct tess_apng *apng = png_get_io_ptr(png);
    tess_output_write(apng->output, data, bytes);
}

static void on_flush(png_structp png)
{
    (void)png;
}

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
    if (!status) {
        apng->png =
            png_create_write_struct(PNG_LIBPNG_VER_STRING, apng, on_error, on_warning);
        if (!apng->png)
            status = tess_fail(env, TESS_ERR_MEMORY, "no host memory to write %s", path);
    }
    if (!status)
        status = tess_output_open(&apng->output, env, path);
    if (status) {
        tess_apng_destroy(&apng);
        return status;
    }
    png_set_write_fn(apng->png, apng, on_write, on_flush);
    *out = apng;
    return TESS_OK;
}

// ---- chunks ----

static void write_actl(struct tess_apng *apng)
{
    png_byte data[8];
    png_save_uint_32(data, apng->frames);
    png_save_uint_32(data + 4, 0); // plays: without end
    png_write_chunk(apng->png, (png_const_bytep) "acTL", data, sizeof data);
}

static void write_fctl(struct tess_apng *apng)
{
    png_byte data[FCTL_BYTES] = {0}; // offsets 0; nothing is disposed of, nothing blended
    png_save_uint_32(data, apng->sequence++);
    png_save_uint_32(data + 4, apng->width);
    png_save_uint_32(data + 8, apng->height);
    png_save_uint_16(data + 20, 1);
    png_save_uint_16(data + 22, apng->fps); // 1 / fps seconds
    png_write_chunk(apng->png, (png_const_bytep) "fcTL", data, sizeof data);
}

static void write_fdat(struct tess_apng *apng, const uint8_t *data, uint32_t bytes)
{
    png_byte number[4];
    png_save_uint_32(number, apng->sequence++);
    png_write_chunk_start(apng->png, (png_const_bytep) "fdAT", bytes + 4);
    png_write_chunk_data(apng->png, number, sizeof number);
    png_write_chunk_data(apng->png, data, bytes);
    png_write_chunk_end(apng->png);
}

// Put the chunks of a frame, which stands in apng->data, into the animation.
static void write_chunks(struct tess_apng *apng)
{
    bool first = apng->done == 0, pixels = false;
    if (first)
        tess_output_write(apng->output, apng->data, SIGNATURE_BYTES);
    for (size_t at = SIGNATURE_BYTES; at < apng->bytes;) {
        const uint8_t *chunk = apng->data + at, *type = chunk + 4, *data = chunk + 8;
        uint32_t bytes = png_get_uint_32(chunk);
        at += CHUNK_BYTES + bytes;
        bool image = memcmp(type, "IDAT", 4) == 0;
        if (image && !pixels)
            write_fctl(apng);
        pixels |= image;
        if (image && !first)
            write_fdat(apng, data, bytes);
        else if (first && memcmp(type, "IEND", 4) != 0)
            png_write_chunk(apng->png, type, data, bytes);
        if (first && memcmp(type, "IHDR", 4) == 0)
            write_actl(apng);
    }
}

// False: on_error() was called.
static bool write_frame(struct tess_apng *apng)
{
    if (setjmp(png_jmpbuf(apng->png)))
        return false;
    write_chunks(apng);
    return true;
}

static bool write_end(struct tess_apng *apng)
{
    if (setjmp(png_jmpbuf(apng->png)))
        return false;
    png_write_chunk(apng->png, (png_const_bytep) "IEND", NULL, 0);
    return true;
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
    if (!write_frame(apng))
        return tess_fail(env, TESS_ERR_WRITE, "cannot write %s: %s", apng->path,
                         apng->error);
    apng->done++;
    return TESS_OK;
}

enum tess_status tess_apng_finish(struct tess_apng **out, struct tess_env *env)
{
    struct tess_apng *apng = *out;
    enum tess_status status = TESS_OK;
    if (apng->done != apng->frames)
        status =
            tess_fail(env, TESS_ERR_ARG, "%s: %u of %u frames are missing", apng->path,
                      (unsigned)(apng->frames - apng->done), (unsigned)apng->frames);
    else if (!write_end(apng))
        status = tess_fail(env, TESS_ERR_WRITE, "cannot write %s: %s", apng->path,
                           apng->error);
    else
        status = tess_output_commit(&apng->output, env);
    tess_apng_destroy(out);
    return status;
}

void tess_apng_destroy(struct tess_apng **out)
{
    struct tess_apng *apng = *out;
    if (!apng)
        return;
    tess_output_discard(&apng->output);
    png_destroy_write_struct(&apng->png, NULL);
    free(apng->path);
    free(apng->data);
    free(apng);
    *out = NULL;
}
