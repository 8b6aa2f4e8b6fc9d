// For the tests of pictures: devices with either variant of kernels, drawing, random
// numbers.
//
// TESS_TINY=1 and TESS_ONCE=1 leave out cases, see asked.h.
#ifndef TEST_RENDER_H
#define TEST_RENDER_H

// cmocka.h needs these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "render/camera.h"
#include "render/mesh.h"

struct setting {
    struct tess_env env;
    struct tess_device *dev;
    struct tess_budget budget;
};

static const enum tess_variant variants[] = {TESS_VARIANT_CPU, TESS_VARIANT_GPU};

static inline struct setting *open_setting(enum tess_variant variant)
{
    struct setting *s = calloc(1, sizeof *s);
    assert_non_null(s);
    if (tess_device_open(&s->dev, &s->env,
                         &(struct tess_device_params){.variant = variant}) ||
        tess_budget_init(&s->budget, s->dev, 0, 0))
        fail_msg("%s", s->env.message);
    return s;
}

static inline void close_setting(struct setting *s)
{
    assert_int_equal(tess_device_used(s->dev), 0);
    tess_device_close(&s->dev);
    free(s);
}

static inline struct tess_picture draw_mesh(struct setting *s,
                                            const struct tess_mesh *mesh,
                                            const struct tess_camera *camera,
                                            uint32_t size, uint32_t supersampling,
                                            enum tess_channel channel)
{
    struct tess_picture picture;
    struct tess_stage_report report;
    if (tess_render_mesh(&picture, &report, s->dev, &s->budget, mesh, camera, size,
                         supersampling, channel))
        fail_msg("%s", s->env.message);
    return picture;
}

struct drawn_words {
    struct tess_camera camera;
    uint32_t size;
    void *words;
};

static inline struct tess_camera drawn_camera(void *user, size_t view)
{
    assert_int_equal(view, 0);
    return ((struct drawn_words *)user)->camera;
}

static inline enum tess_status keep_words(void *user, size_t view, const void *words)
{
    const struct drawn_words *drawn = user;
    assert_int_equal(view, 0);
    memcpy(drawn->words, words, (size_t)drawn->size * drawn->size * 4);
    return TESS_OK;
}

// out [size][size], of one view.
static inline void draw_words(void *out, struct setting *s, const struct tess_mesh *mesh,
                              enum tess_words words, const struct tess_camera *camera,
                              uint32_t size)
{
    struct drawn_words drawn = {*camera, size, out};
    struct tess_stage_report report;
    if (tess_render_words(&report, s->dev, &s->budget, mesh,
                          &(struct tess_word_views){.name = "words",
                                                    .words = words,
                                                    .count = 1,
                                                    .size = size,
                                                    .camera = drawn_camera,
                                                    .see = keep_words,
                                                    .user = &drawn}))
        fail_msg("%s", s->env.message);
}

static inline void assert_transparent(const struct tess_picture *picture)
{
    for (size_t i = 0; i < (size_t)picture->width * picture->height * 4; i++)
        assert_int_equal(picture->pixels[i], 0);
}

static inline void assert_same(const struct tess_picture *a, const struct tess_picture *b)
{
    assert_int_equal(a->width, b->width);
    assert_memory_equal(a->pixels, b->pixels, (size_t)a->width * a->height * 4);
}

static uint64_t random_state;

static inline double random_unit(void)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(random_state >> 40) / (1 << 24);
}

static inline double random_in(double low, double high)
{
    return low + (high - low) * random_unit();
}

// A picture against sums of colour * weight over black and alpha, [size][size][4]. A
// pixel may be off by one level where a value is close to a step, and by more where a
// decision (alpha at 1/255, T at 1e-4, a radius) falls the other way in single precision.
static inline void compare_blended(const struct tess_picture *picture,
                                   const double *reference)
{
    size_t pixels = (size_t)picture->width * picture->height, different = 0, far = 0;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *got = picture->pixels + 4 * i;
        const double *want = reference + 4 * i;
        int worst = 0;
        double alpha = fmin(want[3], 1) * 255;
        for (int c = 0; c < 3; c++) {
            double clipped = floor(fmin(want[c], 1) * 255);
            worst = (int)fmax(worst, fabs(rint(got[c] * got[3] / 255.0) - clipped));
            alpha = fmax(alpha, clipped);
        }
        worst = (int)fmax(worst, fabs(got[3] - alpha) - 0.5);
        different += worst > 0;
        far += worst > 1;
    }
    print_message("# %ux%u: %zu of %zu pixels differ by one level, %zu by more\n",
                  (unsigned)picture->width, (unsigned)picture->height, different - far,
                  pixels, far);
    assert_true(different <= pixels / 200 + 2);
    assert_true(far <= pixels / 2000 + 1);
}

#endif
