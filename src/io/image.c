// Pictures of any usual format: PNG through libpng, PNM here, the others through
// stb_image.
#include "io/image.h"

#include "io/input.h"
#include "io/png.h"
#include "io/pnm.h"
#include "io/stb.h"

// The most that a picture of the largest size takes without compression, with some room.
#define MAX_FILE_BYTES ((size_t)TESS_PICTURE_MAX_SIZE * TESS_PICTURE_MAX_SIZE * 8)

// Whether the Huffman tables of a DHT segment have at most 256 codes each. stb_image 2.27
// trusts that and writes past its tables otherwise. `data` is at the segment's length.
static bool jpeg_tables_fit(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return true;
    size_t left = (size_t)data[0] << 8 | data[1];
    for (size_t at = 2; left > 2 && at + 17 <= bytes;) {
        size_t codes = 0;
        for (int i = 1; i <= 16; i++)
            codes += data[at + i];
        if (codes > 256)
            return false;
        at += 17 + codes;
        left = left > 17 + codes ? left - 17 - codes : 0;
    }
    return true;
}

// NULL, or why a JPEG file is not given to stb_image: it fills what is missing with grey,
// and see above.
static const char *jpeg_problem(const uint8_t *data, size_t bytes)
{
    bool ended = false;
    size_t at = 2;
    // Segments until the scan. What others hold is jumped over: it may be a thumbnail.
    while (at + 4 <= bytes && data[at] == 0xff && data[at + 1] != 0xda) {
        uint8_t marker = data[at + 1];
        if (marker == 0xff) { // padding
            at++;
            continue;
        }
        if (marker == 0xc4 && !jpeg_tables_fit(data + at + 2, bytes - at - 2))
            return "a Huffman table of more than 256 codes";
        at += 2 + ((size_t)data[at + 2] << 8 | data[at + 3]);
    }
    // In pixels, a byte of 255 before another than 0 is a marker.
    for (; at + 2 <= bytes; at++) {
        if (data[at] != 0xff)
            continue;
        ended |= data[at + 1] == 0xd9;
        if (data[at + 1] == 0xc4 && !jpeg_tables_fit(data + at + 2, bytes - at - 2))
            return "a Huffman table of more than 256 codes";
    }
    return ended ? NULL : "the file is cut off";
}

enum tess_status tess_image_decode(struct tess_picture *out, struct tess_env *env,
                                   const char *path, const uint8_t *data, size_t bytes)
{
    if (tess_png_check(data, bytes))
        return tess_png_decode(out, env, path, data, bytes);
    if (tess_pnm_check(data, bytes))
        return tess_pnm_decode(out, env, path, data, bytes);
    if (bytes == 0)
        return tess_fail(env, TESS_ERR_FILE, "%s: is empty, expected a picture", path);
    const char *reason = NULL;
    if (bytes >= 2 && data[0] == 0xff && data[1] == 0xd8)
        reason = jpeg_problem(data, bytes);
    if (reason)
        return tess_fail(env, TESS_ERR_FILE, "%s: bad JPEG picture: %s", path, reason);
    struct tess_picture picture;
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
    enum tess_status status = tess_image_decode(out, env, path, input.data, input.bytes);
    tess_input_close(&input);
    return status;
}
