// Pillow's resampling of 8-bit RGBA: premultiply, a horizontal pass, a vertical pass,
// each with integer weights and rounded to 8 bits, divide by alpha. Opaque pictures come
// out as Pillow's RGB ones: alpha stays 255, and neither product nor quotient changes
// anything.
#include "model/resize.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { CHANNELS = 4, FRACTION_BITS = 22 };

// Lanczos windows reach so many lobes, in pixels of the coarser grid.
static const double support = 3;
static const double pi = 3.141592653589793;

// For each output pixel the input pixels [start, start + count) it averages.
struct window {
    uint32_t start, count;
    int32_t *weights; // [count], in units of 2^-22; sum to 1 up to rounding
};

struct windows {
    struct window *windows; // [out]
    int32_t *weights;       // of all of them
};

static double sinc(double x)
{
    return x == 0 ? 1 : sin(pi * x) / (pi * x);
}

static double lanczos(double x)
{
    return -support <= x && x < support ? sinc(x) * sinc(x / support) : 0;
}

static int32_t to_fixed(double weight)
{
    double scaled = weight * (1 << FRACTION_BITS);
    return (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

static void windows_clear(struct windows *windows)
{
    free(windows->windows);
    free(windows->weights);
}

// Windows that take `in` pixels to `out`.
static enum tess_status windows_create(struct windows *result, struct tess_env *env,
                                       uint32_t in, uint32_t out)
{
    double scale = (double)in / out, stretch = scale < 1 ? 1 : scale;
    double reach = support * stretch;
    size_t most = 2 * (size_t)ceil(reach) + 1;
    struct windows windows = {0};
    double *exact = NULL; // of one window
    enum tess_status status =
        tess_alloc(&windows.windows, env, out, sizeof *windows.windows, "resizing");
    if (!status)
        status = tess_alloc(&windows.weights, env, out, most * sizeof *windows.weights,
                            "resizing");
    if (!status)
        status = tess_alloc(&exact, env, most, sizeof *exact, "resizing");
    if (status) {
        windows_clear(&windows);
        return status;
    }
    for (uint32_t i = 0; i < out; i++) {
        struct window *window = &windows.windows[i];
        double centre = (i + 0.5) * scale, sum = 0;
        double first = centre - reach + 0.5, end = centre + reach + 0.5;
        window->start = first < 0 ? 0 : (uint32_t)first;
        window->count = (end > in ? in : (uint32_t)end) - window->start;
        window->weights = windows.weights + i * most;
        for (uint32_t j = 0; j < window->count; j++)
            sum += exact[j] = lanczos((window->start + j - centre + 0.5) * (1 / stretch));
        for (uint32_t j = 0; j < window->count; j++)
            window->weights[j] = to_fixed(exact[j] / sum);
    }
    free(exact);
    *result = windows;
    return TESS_OK;
}

static uint8_t to_byte(int64_t sum)
{
    sum >>= FRACTION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

// The average of the pixels at `pixels`, `stride` bytes apart.
static void average(uint8_t *dst, const uint8_t *pixels, size_t stride,
                    const struct window *window)
{
    int64_t half = 1 << (FRACTION_BITS - 1), sums[CHANNELS] = {half, half, half, half};
    pixels += window->start * stride;
    for (uint32_t j = 0; j < window->count; j++, pixels += stride)
        for (int c = 0; c < CHANNELS; c++)
            sums[c] += (int64_t)pixels[c] * window->weights[j];
    for (int c = 0; c < CHANNELS; c++)
        dst[c] = to_byte(sums[c]);
}

static void premultiply(uint8_t *row, uint32_t width)
{
    for (uint8_t *pixel = row; pixel < row + (size_t)width * CHANNELS; pixel += CHANNELS)
        for (int c = 0; c < 3; c++) {
            uint32_t product = (uint32_t)pixel[c] * pixel[3] + 128;
            pixel[c] = (uint8_t)(((product >> 8) + product) >> 8);
        }
}

static void divide_by_alpha(uint8_t *pixels, size_t count)
{
    for (uint8_t *pixel = pixels; pixel < pixels + count * CHANNELS; pixel += CHANNELS) {
        if (pixel[3] == 0 || pixel[3] == 255)
            continue;
        for (int c = 0; c < 3; c++) {
            uint32_t quotient = 255u * pixel[c] / pixel[3];
            pixel[c] = (uint8_t)(quotient > 255 ? 255 : quotient);
        }
    }
}

// Row y of the box into row[crop.width].
static void crop_row(uint8_t *row, const struct tess_picture *in, struct tess_crop crop,
                     uint32_t y)
{
    int64_t from_y = (int64_t)crop.y + y;
    int64_t left = crop.x < 0 ? 0 : crop.x, right = (int64_t)crop.x + crop.width;
    right = right > in->width ? in->width : right;
    memset(row, 0, (size_t)crop.width * CHANNELS);
    if (from_y >= 0 && from_y < in->height && left < right)
        memcpy(row + (size_t)(left - crop.x) * CHANNELS,
               in->pixels + ((size_t)from_y * in->width + (size_t)left) * CHANNELS,
               (size_t)(right - left) * CHANNELS);
}

static enum tess_status resample(struct tess_picture *out, struct tess_env *env,
                                 const struct tess_picture *in, struct tess_crop crop)
{
    struct windows across = {0}, down = {0};
    uint8_t *row = NULL, *narrow = NULL; // a row of the box; all rows after one pass
    size_t stride = (size_t)out->width * CHANNELS;
    enum tess_status status = windows_create(&across, env, crop.width, out->width);
    if (!status)
        status = windows_create(&down, env, crop.height, out->height);
    if (!status)
        status = tess_alloc(&row, env, crop.width, CHANNELS, "resizing");
    if (!status)
        status = tess_alloc(&narrow, env, crop.height, stride, "resizing");
    if (!status) {
        for (uint32_t y = 0; y < crop.height; y++) {
            crop_row(row, in, crop, y);
            premultiply(row, crop.width);
            for (uint32_t x = 0; x < out->width; x++)
                average(narrow + y * stride + x * CHANNELS, row, CHANNELS,
                        &across.windows[x]);
        }
        for (uint32_t y = 0; y < out->height; y++)
            for (uint32_t x = 0; x < out->width; x++)
                average(out->pixels + y * stride + x * CHANNELS, narrow + x * CHANNELS,
                        stride, &down.windows[y]);
        divide_by_alpha(out->pixels, (size_t)out->width * out->height);
    }
    free(narrow);
    free(row);
    windows_clear(&down);
    windows_clear(&across);
    return status;
}

enum tess_status tess_resize_crop(struct tess_picture *out, struct tess_env *env,
                                  const struct tess_picture *in, struct tess_crop crop,
                                  uint32_t width, uint32_t height)
{
    struct tess_picture picture = {0};
    assert(crop.width && crop.height && width && height);
    TESS_TRY(tess_picture_create(&picture, env, width, height));
    if (crop.width == width && crop.height == height) {
        for (uint32_t y = 0; y < height; y++)
            crop_row(picture.pixels + (size_t)y * width * CHANNELS, in, crop, y);
    } else {
        enum tess_status status = resample(&picture, env, in, crop);
        if (status) {
            tess_picture_clear(&picture);
            return status;
        }
    }
    *out = picture;
    return TESS_OK;
}
