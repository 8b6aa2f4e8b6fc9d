// PNM files, as https://netpbm.sourceforge.net/doc/pgm.html and ppm.html describe them.
// stb_image reads them too, but 2.27 reads beyond its buffer for samples of 16 bits, and
// 2.30 does not compile with PNM and without PNG.
#include "io/pnm.h"

#include "base/alloc.h"
#include "io/png.h"

#define SAMPLE_MAX 65535

struct reader {
    const uint8_t *data;
    size_t bytes, at;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// Blanks, and comments: from # to the end of the line.
static void skip_space(struct reader *r)
{
    bool comment = false;
    for (; r->at < r->bytes; r->at++) {
        uint8_t c = r->data[r->at];
        if (c == '#')
            comment = true;
        else if (c == '\n' || c == '\r')
            comment = false;
        else if (!comment && !is_space(c))
            return;
    }
}

// The next number of the header, `field` in messages.
static enum tess_status read_number(uint32_t *out, struct reader *r, struct tess_env *env,
                                    const char *field, uint32_t most)
{
    skip_space(r);
    uint32_t value = 0;
    for (; r->at < r->bytes && r->data[r->at] >= '0' && r->data[r->at] <= '9'; r->at++)
        if (value <= most)
            value = 10 * value + r->data[r->at] - '0';
    if (r->at == r->bytes)
        return tess_fail(env, TESS_ERR_FILE, "the file is cut off");
    if (value == 0 || value > most || !is_space(r->data[r->at]))
        return tess_fail(env, TESS_ERR_FILE, "%s, expected a number of 1 to %u", field,
                         (unsigned)most);
    *out = value;
    return TESS_OK;
}

// Samples of `bytes` bytes and 0 to `most` become 0 to 255.
static void convert(struct tess_picture *out, const uint8_t *data, size_t channels,
                    size_t bytes, uint32_t most)
{
    size_t pixels = (size_t)out->width * out->height;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t k = 0; k < 3; k++) {
            const uint8_t *at = data + (i * channels + k % channels) * bytes;
            uint32_t value = bytes == 2 ? (uint32_t)at[0] << 8 | at[1] : at[0];
            value = value < most ? value : most;
            out->pixels[4 * i + k] = (uint8_t)((value * 255 + most / 2) / most);
        }
        out->pixels[4 * i + 3] = 255;
    }
}

static enum tess_status decode(struct tess_picture *out, struct tess_env *env,
                               struct reader r)
{
    size_t channels = r.data[1] == '6' ? 3 : 1;
    uint32_t most;
    r.at = 2;
    TESS_TRY(read_number(&out->width, &r, env, "width", TESS_PICTURE_MAX_SIZE));
    TESS_TRY(read_number(&out->height, &r, env, "height", TESS_PICTURE_MAX_SIZE));
    TESS_TRY(read_number(&most, &r, env, "largest sample", SAMPLE_MAX));
    r.at++; // the one blank before the samples
    size_t pixels = (size_t)out->width * out->height, bytes = most > 255 ? 2 : 1;
    if ((r.bytes - r.at) / (channels * bytes) < pixels)
        return tess_fail(env, TESS_ERR_FILE, "the file is cut off");
    TESS_TRY(tess_alloc(&out->pixels, env, pixels, 4, "a picture"));
    convert(out, r.data + r.at, channels, bytes, most);
    return TESS_OK;
}

enum tess_status tess_pnm_decode(struct tess_picture *out, struct tess_env *env,
                                 const char *name, const uint8_t *data, size_t bytes)
{
    struct tess_picture picture = {0};
    enum tess_status status = decode(&picture, env, (struct reader){data, bytes, 0});
    if (status)
        return tess_fail_within(env, status, "%s: bad PNM picture: ", name);
    *out = picture;
    return TESS_OK;
}

bool tess_pnm_check(const uint8_t *data, size_t bytes)
{
    return bytes >= 3 && data[0] == 'P' && (data[1] == '5' || data[1] == '6') &&
           (is_space(data[2]) || data[2] == '#');
}
