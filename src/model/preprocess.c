// Preprocessing of pictures, see the header.
#include "model/preprocess.h"

#include <assert.h>
#include <string.h>

#include "model/resize.h"

enum {
    CHANNELS = 4,
    MASK_ALPHA = 204, // 0.8 * 255: pixels above belong to the object
};

// Side of the square around an object, by its longer extent.
static const double margin = 1.2;

// First and last pixels of the object.
struct extent {
    uint32_t x0, y0, x1, y1;
};

static bool has_alpha(const struct tess_picture *picture)
{
    size_t pixels = (size_t)picture->width * picture->height;
    for (size_t i = 0; i < pixels; i++)
        if (picture->pixels[i * CHANNELS + 3] != 255)
            return true;
    return false;
}

// False: there is no object.
static bool find_extent(struct extent *out, const struct tess_picture *picture)
{
    struct extent found = {UINT32_MAX, UINT32_MAX, 0, 0};
    const uint8_t *pixel = picture->pixels;
    for (uint32_t y = 0; y < picture->height; y++)
        for (uint32_t x = 0; x < picture->width; x++, pixel += CHANNELS) {
            if (pixel[3] <= MASK_ALPHA)
                continue;
            found.x0 = x < found.x0 ? x : found.x0;
            found.x1 = x > found.x1 ? x : found.x1;
            found.y0 = y < found.y0 ? y : found.y0;
            found.y1 = y;
        }
    *out = found;
    return found.x0 != UINT32_MAX;
}

// (first + last) / 2 - half, rounded to the nearest integer, halves to the even one.
static int32_t crop_start(uint32_t first, uint32_t last, uint32_t half)
{
    int32_t start = (int32_t)((first + last) / 2) - (int32_t)half;
    if ((first + last) % 2 && start % 2)
        start++;
    return start;
}

// A square around the object's middle. Its other side rounds to the same parity, so that
// the original's box of four rounded numbers is a square as well.
static struct tess_crop crop_around(struct extent extent)
{
    uint32_t width = extent.x1 - extent.x0, height = extent.y1 - extent.y0;
    uint32_t half = (uint32_t)((width > height ? width : height) * margin) / 2;
    return (struct tess_crop){
        .x = crop_start(extent.x0, extent.x1, half),
        .y = crop_start(extent.y0, extent.y1, half),
        .width = 2 * half,
        .height = 2 * half,
    };
}

// *out: an opaque picture, not larger than the original makes it, less its background.
static enum tess_status cut_out(struct tess_picture *out, struct tess_env *env,
                                const struct tess_picture *in, const char *name,
                                const struct tess_background *background)
{
    uint32_t longest = in->width > in->height ? in->width : in->height;
    uint32_t width = in->width, height = in->height;
    if (longest > TESS_PREPROCESS_MAX_OPAQUE) {
        double scale = (double)TESS_PREPROCESS_MAX_OPAQUE / longest;
        width = (uint32_t)(width * scale);
        height = (uint32_t)(height * scale);
    }
    struct tess_crop all = {.width = in->width, .height = in->height};
    TESS_TRY(tess_resize_crop(out, env, in, all, width ? width : 1, height ? height : 1));
    enum tess_status status = tess_background_key(out, env, name, background);
    if (status)
        tess_picture_clear(out);
    return status;
}

static enum tess_status find_crop(struct tess_crop *out, struct tess_env *env,
                                  const struct tess_picture *picture, const char *name,
                                  bool keyed)
{
    struct extent extent;
    bool found = find_extent(&extent, picture);
    if (!found && keyed)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s shows nothing but its background (give a picture with "
                         "alpha, or try --background keep)",
                         name);
    if (!found)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s shows nothing: no pixel's alpha is above %d of 255", name,
                         MASK_ALPHA);
    *out = crop_around(extent);
    if (out->width == 0)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: the object is %u x %u pixels, expected at least 3 in "
                         "either direction",
                         name, (unsigned)(extent.x1 - extent.x0 + 1),
                         (unsigned)(extent.y1 - extent.y0 + 1));
    return TESS_OK;
}

// Put colours on black by their alpha, in single precision as the original does.
static void put_on_black(struct tess_picture *picture)
{
    size_t pixels = (size_t)picture->width * picture->height;
    for (size_t i = 0; i < pixels; i++) {
        uint8_t *pixel = picture->pixels + i * CHANNELS;
        float alpha = (float)pixel[3] / 255;
        for (int c = 0; c < 3; c++)
            pixel[c] = (uint8_t)((float)pixel[c] / 255 * alpha * 255);
        pixel[3] = 255;
    }
}

enum tess_status tess_preprocess(struct tess_picture *out, struct tess_env *env,
                                 const struct tess_picture *in, const char *name,
                                 const struct tess_preprocess_params *params)
{
    struct tess_picture cut = {0};
    struct tess_crop crop;
    bool keyed = !has_alpha(in);
    assert(params->size && in->width && in->height);
    if (keyed)
        TESS_TRY(cut_out(&cut, env, in, name, &params->background));
    const struct tess_picture *object = keyed ? &cut : in;
    enum tess_status status = find_crop(&crop, env, object, name, keyed);
    if (!status)
        status = tess_resize_crop(out, env, object, crop, params->size, params->size);
    if (!status)
        put_on_black(out);
    tess_picture_clear(&cut);
    return status;
}

void tess_preprocess_normalise(float *dst, const struct tess_picture *picture)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static const float deviation[3] = {0.229f, 0.224f, 0.225f};
    size_t pixels = (size_t)picture->width * picture->height;
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < pixels; i++)
            dst[c * pixels + i] =
                ((float)picture->pixels[i * CHANNELS + c] / 255 - mean[c]) / deviation[c];
}
