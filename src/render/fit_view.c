// From a view's picture, and where its pixels lie on the texture, to a list of pixels.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/mesh.h"
#include "render/texture_fit.h"

#define OPAQUE 128
#define FAR    1e9

struct job {
    const uint32_t *coordinates;
    const struct tess_picture *picture;
    uint32_t size;
};

// The upper row of texels that a bilinear sample takes; the same as in cl/bake.cl.
static uint32_t row_of(const struct job *job, uint32_t coordinate)
{
    int64_t y = ((int64_t)(coordinate >> 16) * job->size - 32768) >> 16;
    return y < 0 ? 0 : (uint32_t)y;
}

// Texels from a pixel to the one `step` further on, or FAR.
static double step_length(const struct job *job, size_t at, ptrdiff_t step)
{
    uint32_t a = job->coordinates[at], b = job->coordinates[(ptrdiff_t)at + step];
    if (b == TESS_NO_WORD)
        return FAR;
    double u = (double)(a & 0xffff) - (b & 0xffff), v = (double)(a >> 16) - (b >> 16);
    return hypot(u, v) * job->size / 65536;
}

// How many texels the pixel covers, about. Of two neighbours the nearer one counts: the
// other one may be on another chart. 0: the pixel shows nothing.
static double covered_texels(const struct job *job, size_t at)
{
    size_t width = job->picture->width, x = at % width, y = at / width;
    if (job->coordinates[at] == TESS_NO_WORD ||
        job->picture->pixels[4 * at + 3] < OPAQUE || x == 0 || y == 0 || x + 1 == width ||
        y + 1 == job->picture->height)
        return 0;
    double across = fmin(step_length(job, at, -1), step_length(job, at, 1));
    double down = fmin(step_length(job, at, -(ptrdiff_t)width),
                       step_length(job, at, (ptrdiff_t)width));
    return fmax(across, 1e-3) * fmax(down, 1e-3);
}

static int compare(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// A pixel that looks straight at the surface covers the fewest texels. Sets weights to
// that by what it covers.
static enum tess_status weigh(float *weights, struct job *job, struct tess_env *env)
{
    size_t pixels = (size_t)job->picture->width * job->picture->height, count = 0;
    float *sorted = NULL;
    TESS_TRY(tess_alloc(&sorted, env, pixels, sizeof *sorted, "a view"));
    for (size_t at = 0; at < pixels; at++) {
        weights[at] = (float)covered_texels(job, at);
        if (weights[at] > 0)
            sorted[count++] = weights[at];
    }
    qsort(sorted, count, sizeof *sorted, compare);
    float least = count ? sorted[count / 10] : 0;
    for (size_t at = 0; at < pixels; at++)
        weights[at] = weights[at] > 0 ? fminf(least / weights[at], 1) : 0;
    free(sorted);
    return TESS_OK;
}

static enum tess_status list_pixels(struct tess_fit_view *out, const struct job *job,
                                    struct tess_env *env, const float *weights)
{
    size_t pixels = (size_t)job->picture->width * job->picture->height;
    for (size_t at = 0; at < pixels; at++)
        if (lrintf(255 * weights[at]) > 0)
            out->starts[row_of(job, job->coordinates[at])]++;
    uint32_t sum = 0;
    for (size_t y = 0; y <= job->size; y++) {
        uint32_t here = out->starts[y];
        out->starts[y] = sum;
        sum += here;
    }
    TESS_TRY(tess_alloc(&out->pixels, env, sum, sizeof *out->pixels, "a view"));
    for (size_t at = 0; at < pixels; at++) {
        uint8_t weight = (uint8_t)lrintf(255 * weights[at]);
        if (!weight)
            continue;
        uint32_t c = job->coordinates[at];
        const uint8_t *p = job->picture->pixels + 4 * at;
        out->pixels[out->starts[row_of(job, c)]++] = (struct tess_fit_pixel){
            (uint16_t)(c & 0xffff), (uint16_t)(c >> 16), {p[0], p[1], p[2]}, weight};
        out->weight += weight;
    }
    for (size_t y = job->size; y > 0; y--)
        out->starts[y] = out->starts[y - 1];
    out->starts[0] = 0;
    return TESS_OK;
}

enum tess_status tess_fit_view_create(struct tess_fit_view *out, struct tess_env *env,
                                      const uint32_t *coordinates,
                                      const struct tess_picture *picture, uint32_t size)
{
    struct job job = {.coordinates = coordinates, .picture = picture, .size = size};
    struct tess_fit_view view = {0};
    float *weights = NULL;
    enum tess_status status =
        tess_alloc(&weights, env, (size_t)picture->width * picture->height,
                   sizeof *weights, "a view");
    if (!status)
        status = tess_alloc(&view.starts, env, size + 1, sizeof *view.starts, "a view");
    if (!status)
        status = weigh(weights, &job, env);
    if (!status)
        status = list_pixels(&view, &job, env, weights);
    free(weights);
    if (status)
        tess_fit_view_clear(&view);
    else
        *out = view;
    return status;
}

// Of the two texels along an axis that a bilinear sample takes: the first one. *weight:
// of the second one.
static uint32_t texel_before(double *weight, uint32_t coordinate, uint32_t size)
{
    double x = fmax((double)coordinate * size / 65536 - 0.5, 0);
    *weight = x - floor(x);
    return (uint32_t)x;
}

static double pixel_misfit(const struct tess_fit_pixel *pixel, const float *rgb,
                           uint32_t size)
{
    double right, low, sum = 0;
    uint32_t x0 = texel_before(&right, pixel->u, size);
    uint32_t y0 = texel_before(&low, pixel->v, size);
    uint32_t x1 = x0 + 1 < size ? x0 + 1 : x0, y1 = y0 + 1 < size ? y0 + 1 : y0;
    const float *a = rgb + 3 * ((size_t)y0 * size + x0);
    const float *b = rgb + 3 * ((size_t)y0 * size + x1);
    const float *c = rgb + 3 * ((size_t)y1 * size + x0);
    const float *d = rgb + 3 * ((size_t)y1 * size + x1);
    for (size_t k = 0; k < 3; k++) {
        double upper = (1 - right) * a[k] + right * b[k];
        double lower = (1 - right) * c[k] + right * d[k];
        sum += fabs((1 - low) * upper + low * lower - pixel->colour[k] / 255.0);
    }
    return sum / 3;
}

double tess_fit_views_misfit(const struct tess_fit_view *views, size_t count,
                             const float *rgb, uint32_t size)
{
    double sum = 0, weight = 0;
    for (size_t v = 0; v < count; v++) {
        for (size_t i = 0; i < views[v].starts[size]; i++) {
            const struct tess_fit_pixel *pixel = views[v].pixels + i;
            sum += pixel->weight * pixel_misfit(pixel, rgb, size);
        }
        weight += (double)views[v].weight;
    }
    return weight > 0 ? sum / weight : 0;
}

void tess_fit_view_clear(struct tess_fit_view *view)
{
    free(view->pixels);
    free(view->starts);
    memset(view, 0, sizeof *view);
}
