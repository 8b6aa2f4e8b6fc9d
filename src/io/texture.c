// PNG by libpng, JPEG by stb_image_write.
#include "io/texture.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/png.h"
#include "io/stb.h"

struct job {
    struct tess_texture_file file;
    struct tess_env *env;
    enum tess_status status;
};

static void append(void *user, const void *data, size_t bytes)
{
    struct job *job = user;
    struct tess_texture_file *file = &job->file;
    if (!job->status)
        job->status = tess_grow(&file->data, &file->capacity, job->env,
                                file->bytes + bytes, 1, "a texture");
    if (job->status)
        return;
    memcpy(file->data + file->bytes, data, bytes);
    file->bytes += bytes;
}

enum tess_status tess_texture_encode(struct tess_texture_file *out, struct tess_env *env,
                                     const struct tess_picture *picture,
                                     enum tess_texture_format format, const char *path)
{
    struct job job = {.env = env};
    enum tess_status status = TESS_OK;
    if (format == TESS_TEXTURE_JPEG) {
        job.file.mime = "image/jpeg";
        job.file.suffix = ".jpg";
        if (!tess_stb_encode_jpeg(picture->pixels, picture->width, picture->height,
                                  append, &job) &&
            !job.status)
            status = tess_fail(env, TESS_ERR_MEMORY, "no host memory to write %s", path);
    } else {
        job.file.mime = "image/png";
        job.file.suffix = ".png";
        status = tess_png_encode_opaque(picture, env, path, append, &job);
    }
    status = job.status ? job.status : status;
    if (status)
        tess_texture_file_clear(&job.file);
    else
        *out = job.file;
    return status;
}

void tess_texture_file_clear(struct tess_texture_file *file)
{
    free(file->data);
    memset(file, 0, sizeof *file);
}
