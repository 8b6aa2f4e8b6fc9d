// Pictures of any usual format: PNG through libpng, the others through stb_image.
#include "io/image.h"

#include "io/input.h"
#include "io/png.h"
#include "io/stb.h"

// The most that a picture of the largest size takes without compression, with some room.
#define MAX_FILE_BYTES ((size_t)TESS_PICTURE_MAX_SIZE * TESS_PICTURE_MAX_SIZE * 8)

// Whether a JPEG file goes on to its end marker; stb_image fills what is missing with
// grey.
static bool jpeg_complete(const uint8_t *data, size_t bytes)
{
    // Segments until the scan, jumped over because they may hold a thumbnail with its own
    // end.
    size_t at = 2;
    while (at + 4 <= bytes && data[at] == 0xff && data[at + 1] != 0xda) {
        if (data[at + 1] == 0xff) { // padding
            at++;
            continue;
        }
        at += 2 + ((size_t)data[at + 2] << 8 | data[at + 3]);
    }
    for (; at + 2 <= bytes; at++) {
        if (data[at] == 0xff && data[at + 1] == 0xd9)
            return true;
    }
    return false;
}

static enum tess_status decode(struct tess_picture *out, struct tess_env *env,
                               const char *path, const uint8_t *data, size_t bytes)
{
    if (tess_png_check(data, bytes))
        return tess_png_decode(out, env, path, data, bytes);
    if (bytes == 0)
        return tess_fail(env, TESS_ERR_FILE, "%s: is empty, expected a picture", path);
    if (bytes >= 2 && data[0] == 0xff && data[1] == 0xd8 && !jpeg_complete(data, bytes))
        return tess_fail(env, TESS_ERR_FILE, "%s: bad JPEG picture: the file is cut off",
                         path);
    struct tess_picture picture;
    const char *reason;
    picture.pixels =
        tess_stb_decode(data, bytes, &picture.width, &picture.height, &reason);
    if (!picture.pixels)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: bad picture: %s (PNG, JPEG, BMP, TGA and PNM can be read)",
                         path, reason);
    *out = picture;
    return TESS_OK;
}

enum tess_status tess_image_read(struct tess_picture *out, struct tess_env *env,
                                 const char *path)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_read(&input, env, path, MAX_FILE_BYTES));
    enum tess_status status = decode(out, env, path, input.data, input.bytes);
    tess_input_close(&input);
    return status;
}
