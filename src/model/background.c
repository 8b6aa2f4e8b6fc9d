// Keying of plain backgrounds.
#include "model/background.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    PLAIN_PERCENT = 95, // of the border in one colour make a background plain
    CHANNELS = 4,
};

struct key {
    uint8_t colour[3];
    uint32_t tolerance;
};

static bool matches(const uint8_t *pixel, const struct key *key)
{
    for (int c = 0; c < 3; c++)
        if ((uint32_t)abs(pixel[c] - key->colour[c]) > key->tolerance)
            return false;
    return true;
}

static size_t border_length(const struct tess_picture *picture)
{
    size_t w = picture->width, h = picture->height;
    return w == 1 || h == 1 ? w * h : 2 * (w + h) - 4;
}

// Where the i-th pixel of the border is: the top row, the bottom row, then both sides.
static size_t border_at(const struct tess_picture *picture, size_t i)
{
    size_t w = picture->width, h = picture->height;
    if (i < w || h == 1)
        return i;
    if (i < 2 * w)
        return (h - 1) * w + i - w;
    i -= 2 * w;
    if (w == 1)
        return i + 1;
    return (1 + i / 2) * w + (i % 2) * (w - 1);
}

static void median_colour(uint8_t colour[3], const struct tess_picture *picture)
{
    size_t length = border_length(picture);
    for (int c = 0; c < 3; c++) {
        size_t counts[256] = {0}, below = 0;
        for (size_t i = 0; i < length; i++)
            counts[picture->pixels[border_at(picture, i) * CHANNELS + c]]++;
        int value = 0;
        while (2 * (below + counts[value]) < length)
            below += counts[value++];
        colour[c] = (uint8_t)value;
    }
}

static size_t border_matches(const struct tess_picture *picture, const struct key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < border_length(picture); i++)
        count += matches(picture->pixels + border_at(picture, i) * CHANNELS, key);
    return count;
}

// Pixels whose neighbours have not been looked at.
struct flood {
    struct tess_picture *picture;
    const struct key *key;
    uint32_t *todo; // [pixels], because each is taken once
    size_t count;
};

static void take(struct flood *flood, size_t at)
{
    uint8_t *pixel = flood->picture->pixels + at * CHANNELS;
    if (pixel[3] == 0 || !matches(pixel, flood->key))
        return;
    memset(pixel, 0, CHANNELS);
    flood->todo[flood->count++] = (uint32_t)at;
}

static enum tess_status flood_border(struct tess_picture *picture, struct tess_env *env,
                                     const struct key *key)
{
    size_t w = picture->width, h = picture->height;
    struct flood flood = {.picture = picture, .key = key};
    TESS_TRY(tess_alloc(&flood.todo, env, w * h, sizeof *flood.todo, "the background"));
    for (size_t i = 0; i < border_length(picture); i++)
        take(&flood, border_at(picture, i));
    while (flood.count) {
        size_t at = flood.todo[--flood.count], x = at % w;
        if (x > 0)
            take(&flood, at - 1);
        if (x + 1 < w)
            take(&flood, at + 1);
        if (at >= w)
            take(&flood, at - w);
        if (at + w < w * h)
            take(&flood, at + w);
    }
    free(flood.todo);
    return TESS_OK;
}

enum tess_status tess_background_key(struct tess_picture *picture, struct tess_env *env,
                                     const char *name,
                                     const struct tess_background *background)
{
    struct key key = {.tolerance = background->tolerance ? background->tolerance
                                                         : TESS_BACKGROUND_TOLERANCE};
    assert(key.tolerance <= 255);
    if (background->mode == TESS_BACKGROUND_KEEP)
        return TESS_OK;
    if (background->mode == TESS_BACKGROUND_COLOUR)
        memcpy(key.colour, background->colour, 3);
    else
        median_colour(key.colour, picture);
    size_t same = border_matches(picture, &key), length = border_length(picture);
    if (background->mode == TESS_BACKGROUND_AUTO && same * 100 < length * PLAIN_PERCENT)
        return tess_fail(
            env, TESS_ERR_FILE,
            "%s has no alpha, and its background is not plain: %zu %% of the "
            "border is within %u of the colour #%02x%02x%02x, expected "
            "%d %% (give a picture with alpha, or try --background key, "
            "keep or a colour)",
            name, same * 100 / length, (unsigned)key.tolerance, key.colour[0],
            key.colour[1], key.colour[2], PLAIN_PERCENT);
    if (same == 0)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: nothing of the border is within %u of the background's "
                         "colour #%02x%02x%02x (give a picture with alpha, or try "
                         "--background key or keep)",
                         name, (unsigned)key.tolerance, key.colour[0], key.colour[1],
                         key.colour[2]);
    return flood_border(picture, env, &key);
}
