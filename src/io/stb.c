// stb_image and stb_image_write, whose code is not written to our warnings: they are off
// in this file.
#include "io/stb.h"

#include <limits.h>
#include <stdlib.h>

// PNG is libpng's, PNM is read by io/pnm.c. The other formats are rare as pictures of
// objects, and every decoder is a door for hostile files.
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384 // TESS_PICTURE_MAX_SIZE
#define STB_IMAGE_STATIC
#define STBI_ASSERT(x)           ((void)0) // some fail for damaged files; nothing depends on them
#define STBI_MALLOC(bytes)       calloc(1, bytes) // tables that a file uses but does not define
#define STBI_REALLOC(old, bytes) realloc(old, bytes)
#define STBI_FREE(old)           free(old)
#define STB_IMAGE_IMPLEMENTATION

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb/stb_image.h>

#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(x) ((void)0)
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

#define JPEG_QUALITY 95 // above 90 colours have full resolution

uint8_t *tess_stb_decode(const uint8_t *data, size_t bytes, uint32_t *width,
                         uint32_t *height, const char **reason)
{
    int w = 0, h = 0, channels;
    uint8_t *pixels = NULL;
    *reason = "too large";
    if (bytes <= INT_MAX) {
        pixels = stbi_load_from_memory(data, (int)bytes, &w, &h, &channels, 4);
        *reason = pixels ? NULL : stbi_failure_reason();
    }
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return pixels;
}

struct sink {
    void (*write)(void *user, const void *data, size_t bytes);
    void *user;
};

static void write_piece(void *user, void *data, int bytes)
{
    const struct sink *sink = user;
    sink->write(sink->user, data, (size_t)bytes);
}

bool tess_stb_encode_jpeg(const uint8_t *pixels, uint32_t width, uint32_t height,
                          void (*sink)(void *user, const void *data, size_t bytes),
                          void *user)
{
    return stbi_write_jpg_to_func(write_piece, &(struct sink){sink, user}, (int)width,
                                  (int)height, 4, pixels, JPEG_QUALITY);
}
