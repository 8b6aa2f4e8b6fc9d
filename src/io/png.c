// PNG files through libpng. libpng reports errors by longjmp(): each function below that
// calls setjmp() keeps what it must free in a struct of its caller's, which no jump can
// clobber.
#include "io/png.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/alloc.h"

// Where warnings and errors go, and what has to be freed.
struct job {
    png_structp png;
    png_infop info;
    char error[160];
    const uint8_t *data; // of a reader
    size_t left;
    tess_png_sink *sink; // of a writer
    void *user;
    bool opaque; // alpha is left out
    struct tess_picture picture;
    png_bytep *rows;
};

enum { COMPRESSION_LEVEL = 6 };

static void on_error(png_structp png, png_const_charp text)
{
    struct job *job = png_get_error_ptr(png);
    snprintf(job->error, sizeof job->error, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_write(png_structp png, png_bytep data, size_t bytes)
{
    struct job *job = png_get_io_ptr(png);
    job->sink(job->user, data, bytes);
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void on_read(png_structp png, png_bytep data, size_t bytes)
{
    struct job *job = png_get_io_ptr(png);
    if (bytes > job->left)
        png_error(png, "the file is cut off");
    memcpy(data, job->data, bytes);
    job->data += bytes;
    job->left -= bytes;
}

static enum tess_status list_rows(struct job *job, struct tess_env *env,
                                  const struct tess_picture *picture)
{
    TESS_TRY(
        tess_alloc(&job->rows, env, picture->height, sizeof *job->rows, "a picture"));
    for (size_t y = 0; y < picture->height; y++)
        job->rows[y] = picture->pixels + y * picture->width * 4;
    return TESS_OK;
}

// False: on_error() was called.
static bool encode(struct job *job, const struct tess_picture *picture)
{
    if (setjmp(png_jmpbuf(job->png)))
        return false;
    png_set_write_fn(job->png, job, on_write, on_flush);
    png_set_user_limits(job->png, 0x7fffffff, 0x7fffffff);
    png_set_compression_level(job->png, COMPRESSION_LEVEL);
    png_set_IHDR(job->png, job->info, picture->width, picture->height, 8,
                 job->opaque ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(job->png, job->info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_write_info(job->png, job->info);
    if (job->opaque)
        png_set_filler(job->png, 0, PNG_FILLER_AFTER);
    png_write_image(job->png, job->rows);
    png_write_end(job->png, NULL);
    return true;
}

static enum tess_status encode_with(struct job job, const struct tess_picture *picture,
                                    struct tess_env *env, const char *path)
{
    TESS_TRY(list_rows(&job, env, picture));
    enum tess_status status = TESS_OK;
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info)
        status = tess_fail(env, TESS_ERR_MEMORY, "no host memory to write %s", path);
    else if (!encode(&job, picture))
        status = tess_fail(env, TESS_ERR_WRITE, "cannot write %s: %s", path, job.error);
    png_destroy_write_struct(&job.png, &job.info);
    free(job.rows);
    return status;
}

enum tess_status tess_png_encode(const struct tess_picture *picture, struct tess_env *env,
                                 const char *path, tess_png_sink *sink, void *user)
{
    return encode_with((struct job){.sink = sink, .user = user}, picture, env, path);
}

enum tess_status tess_png_encode_opaque(const struct tess_picture *picture,
                                        struct tess_env *env, const char *path,
                                        tess_png_sink *sink, void *user)
{
    return encode_with((struct job){.sink = sink, .user = user, .opaque = true}, picture,
                       env, path);
}

static bool decode_header(struct job *job)
{
    if (setjmp(png_jmpbuf(job->png)))
        return false;
    png_set_read_fn(job->png, job, on_read);
    png_set_user_limits(job->png, TESS_PICTURE_MAX_SIZE, TESS_PICTURE_MAX_SIZE);
    png_read_info(job->png, job->info);
    png_set_expand(job->png); // palettes, fewer than 8 bits, transparent colours
    png_set_scale_16(job->png);
    png_set_gray_to_rgb(job->png);
    png_set_add_alpha(job->png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
    if (png_get_rowbytes(job->png, job->info) !=
        (size_t)png_get_image_width(job->png, job->info) * 4)
        png_error(job->png, "cannot be converted to RGBA");
    return true;
}

static bool decode_pixels(struct job *job)
{
    if (setjmp(png_jmpbuf(job->png)))
        return false;
    png_read_image(job->png, job->rows);
    png_read_end(job->png, NULL);
    return true;
}

static enum tess_status decode(struct job *job, struct tess_env *env)
{
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    if (!job->info)
        return tess_fail(env, TESS_ERR_MEMORY, "no host memory for a PNG picture");
    if (!decode_header(job))
        return tess_fail(env, TESS_ERR_FILE, "%s", job->error);
    TESS_TRY(tess_picture_create(&job->picture, env,
                                 png_get_image_width(job->png, job->info),
                                 png_get_image_height(job->png, job->info)));
    TESS_TRY(list_rows(job, env, &job->picture));
    if (!decode_pixels(job))
        return tess_fail(env, TESS_ERR_FILE, "%s", job->error);
    return TESS_OK;
}

enum tess_status tess_png_decode(struct tess_picture *out, struct tess_env *env,
                                 const char *name, const uint8_t *data, size_t bytes)
{
    struct job job = {.data = data, .left = bytes};
    enum tess_status status = decode(&job, env);
    png_destroy_read_struct(&job.png, &job.info, NULL);
    free(job.rows);
    if (status) {
        tess_picture_clear(&job.picture);
        return tess_fail_within(env, status, "%s: bad PNG picture: ", name);
    }
    *out = job.picture;
    return TESS_OK;
}

bool tess_png_check(const uint8_t *data, size_t bytes)
{
    return bytes >= 8 && png_sig_cmp(data, 0, 8) == 0;
}
