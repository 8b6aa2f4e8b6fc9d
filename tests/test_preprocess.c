// Preprocessing of pictures: to the byte what Pillow makes of them, backgrounds, errors.
#include "io_tmp.h"

#include <math.h>

#include "io/image.h"
#include "model/preprocess.h"
#include "model/resize.h"

enum kind { NOISE, DISC, OPAQUE, ROBOT };

// The same pictures as in data/preprocess/digests.py.
static struct tess_picture make_picture(struct tmp *tmp, enum kind kind, int width,
                                        int height)
{
    struct tess_picture picture = {0};
    uint32_t random = (uint32_t)width;
    if (kind == ROBOT) {
        char path[512];
        const char *data = getenv("TESS_TEST_DATA");
        snprintf(path, sizeof path, "%s/preprocess/robot.png",
                 data ? data : "tests/data");
        assert_int_equal(tess_image_read(&picture, &tmp->env, path), TESS_OK);
        return picture;
    }
    assert_int_equal(
        tess_picture_create(&picture, &tmp->env, (uint32_t)width, (uint32_t)height),
        TESS_OK);
    uint8_t *pixel = picture.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, pixel += 4) {
            for (int c = 0; c < 4; c++) {
                random = random * 1664525u + 1013904223u;
                pixel[c] = (uint8_t)(random >> 24);
            }
            int dx = 2 * x + 6 - width, dy = 2 * y + 1 - height;
            int alpha = 400 - 400 * (dx * dx + dy * dy) / (height * height);
            if (kind == DISC)
                pixel[3] = (uint8_t)(alpha < 0 ? 0 : alpha > 255 ? 255 : alpha);
            else if (kind == OPAQUE)
                pixel[3] = 255;
        }
    return picture;
}

static uint64_t digest_rgb(const struct tess_picture *picture) // FNV-1a
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < (size_t)picture->width * picture->height * 4; i++)
        if (i % 4 != 3)
            hash = (hash ^ picture->pixels[i]) * 1099511628211u;
    return hash;
}

static void same_as_pillow(void **state)
{
    static const struct {
        enum kind kind;
        int width, height;
        uint32_t size;
        uint64_t digest;
    } cases[] = {
        {NOISE, 37, 29, 1, 0x720c17f1252a9a},
        {NOISE, 37, 29, 14, 0xc0b6be3439fc63ef},
        {NOISE, 37, 29, 70, 0xe2b1c311bcf1c566},
        {NOISE, 71, 60, 84, 0x3c7e5603b8eb8b7b},
        {NOISE, 4, 5, 112, 0x16e9e680ca30ad58},
        {DISC, 200, 151, 112, 0x48edacb9dc3a7650},
        {DISC, 200, 151, 518, 0xf9505d9594a2fefb},
        {DISC, 61, 64, 70, 0x2d053201d63f69f5},
        {DISC, 1400, 60, 112, 0xa3d79cccc9bcf483},
        {OPAQUE, 50, 31, 112, 0x45164a38f601caad},
        {OPAQUE, 1500, 40, 112, 0x5c2515931ae5f3f},
        {ROBOT, 512, 512, 112, 0x74bb00193fcfa3ee},
        {ROBOT, 512, 512, 518, 0x498b7bd630f10c89},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tess_picture in = make_picture(tmp, cases[i].kind, cases[i].width,
                                              cases[i].height),
                            out = {0};
        struct tess_preprocess_params params = {.size = cases[i].size,
                                                .background.mode = TESS_BACKGROUND_KEEP};
        assert_int_equal(tess_preprocess(&out, &tmp->env, &in, "x", &params), TESS_OK);
        assert_int_equal(out.width, cases[i].size);
        assert_int_equal(out.height, cases[i].size);
        if (digest_rgb(&out) != cases[i].digest)
            print_error("case %zu\n", i);
        assert_true(digest_rgb(&out) == cases[i].digest);
        for (size_t j = 0; j < (size_t)out.width * out.height; j++)
            assert_int_equal(out.pixels[4 * j + 3], 255);
        tess_picture_clear(&out);
        tess_picture_clear(&in);
    }
}

static void fill(struct tess_picture *picture, uint32_t x0, uint32_t y0, uint32_t x1,
                 uint32_t y1, const uint8_t colour[4])
{
    for (uint32_t y = y0; y < y1; y++)
        for (uint32_t x = x0; x < x1; x++)
            memcpy(picture->pixels + ((size_t)y * picture->width + x) * 4, colour, 4);
}

static struct tess_picture make_plain(struct tmp *tmp, uint32_t width, uint32_t height,
                                      const uint8_t colour[4])
{
    struct tess_picture picture = {0};
    assert_int_equal(tess_picture_create(&picture, &tmp->env, width, height), TESS_OK);
    fill(&picture, 0, 0, width, height, colour);
    return picture;
}

static const uint8_t white[4] = {255, 255, 255, 255}, blue[4] = {20, 40, 200, 255},
                     off_white[4] = {245, 250, 241, 255}, clear[4] = {0};

static uint8_t alpha_at(const struct tess_picture *picture, uint32_t x, uint32_t y)
{
    return picture->pixels[((size_t)y * picture->width + x) * 4 + 3];
}

// A ring on white: what is around it goes, what is inside stays.
static void plain_background(void **state)
{
    struct tmp *tmp = *state;
    struct tess_picture keyed = make_plain(tmp, 40, 30, white);
    fill(&keyed, 0, 0, 10, 30, off_white);
    fill(&keyed, 10, 5, 30, 25, blue);
    fill(&keyed, 15, 10, 25, 20, white);
    struct tess_picture by_hand = make_plain(tmp, 40, 30, clear), a = {0}, b = {0};
    fill(&by_hand, 10, 5, 30, 25, blue);
    fill(&by_hand, 15, 10, 25, 20, white);
    struct tess_preprocess_params params = {.size = 28};
    assert_int_equal(tess_preprocess(&a, &tmp->env, &keyed, "x", &params), TESS_OK);
    assert_int_equal(tess_preprocess(&b, &tmp->env, &by_hand, "x", &params), TESS_OK);
    assert_memory_equal(a.pixels, b.pixels, 28 * 28 * 4);
    tess_picture_clear(&a);

    // A smaller tolerance takes the off-white third for a part of the object. Not plain.
    params.background.tolerance = 5;
    enum tess_status status = tess_preprocess(&a, &tmp->env, &keyed, "x.png", &params);
    tmp_expect(tmp, status, TESS_ERR_FILE, "x.png has no alpha", "not plain",
               "within 5 of the colour #ffffff", "--background", NULL);
    params.background.mode = TESS_BACKGROUND_KEY;
    assert_int_equal(tess_preprocess(&a, &tmp->env, &keyed, "x", &params), TESS_OK);
    assert_memory_not_equal(a.pixels, b.pixels, 28 * 28 * 4);
    tess_picture_clear(&a);

    // The whole picture is the object.
    params.background.mode = TESS_BACKGROUND_KEEP;
    assert_int_equal(tess_preprocess(&a, &tmp->env, &keyed, "x", &params), TESS_OK);
    assert_true(a.pixels[(14 * 28 + 23) * 4] == 255);
    tess_picture_clear(&a);

    // A colour that is in the picture, but not at its border.
    params.background =
        (struct tess_background){.mode = TESS_BACKGROUND_COLOUR, .colour = {20, 40, 200}};
    status = tess_preprocess(&a, &tmp->env, &keyed, "x.png", &params);
    tmp_expect(tmp, status, TESS_ERR_FILE, "x.png", "within 16", "#1428c8", NULL);
    memcpy(params.background.colour, white, 3);
    assert_int_equal(tess_preprocess(&a, &tmp->env, &keyed, "x", &params), TESS_OK);
    assert_memory_equal(a.pixels, b.pixels, 28 * 28 * 4);
    tess_picture_clear(&a);
    tess_picture_clear(&b);
    tess_picture_clear(&keyed);
    tess_picture_clear(&by_hand);
}

// Floods of thin pictures, and through bends.
static void floods(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {2, 2}, {2, 7}, {3, 3}};
    struct tmp *tmp = *state;
    const struct tess_background background = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t w = sizes[i][0], h = sizes[i][1];
        struct tess_picture picture = make_plain(tmp, w, h, white);
        assert_int_equal(tess_background_key(&picture, &tmp->env, "x", &background),
                         TESS_OK);
        for (size_t j = 0; j < (size_t)w * h * 4; j++)
            assert_int_equal(picture.pixels[j], 0);
        tess_picture_clear(&picture);
    }
    // Two walls, each with a door, at opposite ends: the court within is reached.
    struct tess_picture maze = make_plain(tmp, 21, 21, white);
    fill(&maze, 4, 4, 17, 17, blue);
    fill(&maze, 5, 5, 16, 16, white);
    fill(&maze, 7, 7, 14, 14, blue);
    fill(&maze, 8, 8, 13, 13, white);
    struct tess_picture closed = make_plain(tmp, 21, 21, white);
    memcpy(closed.pixels, maze.pixels, 21 * 21 * 4);
    fill(&maze, 4, 5, 5, 6, white);
    fill(&maze, 13, 12, 14, 13, white);
    assert_int_equal(tess_background_key(&maze, &tmp->env, "x", &background), TESS_OK);
    assert_int_equal(tess_background_key(&closed, &tmp->env, "x", &background), TESS_OK);
    assert_int_equal(alpha_at(&maze, 10, 6), 0);
    assert_int_equal(alpha_at(&maze, 10, 10), 0);
    assert_int_equal(alpha_at(&maze, 10, 4), 255);
    assert_int_equal(alpha_at(&closed, 10, 3), 0);
    assert_int_equal(alpha_at(&closed, 10, 6), 255);
    assert_int_equal(alpha_at(&closed, 10, 10), 255);
    tess_picture_clear(&closed);
    tess_picture_clear(&maze);
}

// Of the border's 36 pixels, 34 are 94 % and 35 are 97 %.
static void plain_share(void **state)
{
    struct tmp *tmp = *state;
    for (uint32_t odd = 1; odd <= 2; odd++) {
        struct tess_picture picture = make_plain(tmp, 10, 10, white);
        fill(&picture, 4, 0, 4 + odd, 9, blue);
        enum tess_status status =
            tess_background_key(&picture, &tmp->env, "x", &(struct tess_background){0});
        assert_int_equal(status, odd == 1 ? TESS_OK : TESS_ERR_FILE);
        assert_int_equal(alpha_at(&picture, 9, 9), odd == 1 ? 0 : 255);
        assert_int_equal(alpha_at(&picture, 4, 0), 255);
        tess_picture_clear(&picture);
    }
}

static void nothing_to_see(void **state)
{
    static const uint8_t thin[4] = {9, 9, 9, 204}, thick[4] = {9, 9, 9, 205};
    struct tmp *tmp = *state;
    const struct tess_preprocess_params params = {.size = 14};
    struct tess_picture out = {0}, in = make_plain(tmp, 12, 9, thin);
    enum tess_status status = tess_preprocess(&out, &tmp->env, &in, "a.png", &params);
    tmp_expect(tmp, status, TESS_ERR_FILE, "a.png shows nothing", "above 204", NULL);
    fill(&in, 3, 4, 5, 6, thick);
    status = tess_preprocess(&out, &tmp->env, &in, "a.png", &params);
    tmp_expect(tmp, status, TESS_ERR_FILE, "a.png", "2 x 2 pixels", NULL);
    fill(&in, 3, 4, 6, 5, thick);
    assert_int_equal(tess_preprocess(&out, &tmp->env, &in, "a.png", &params), TESS_OK);
    tess_picture_clear(&out);
    fill(&in, 0, 0, 12, 9, white);
    status = tess_preprocess(&out, &tmp->env, &in, "a.png", &params);
    tmp_expect(tmp, status, TESS_ERR_FILE, "a.png", "nothing but its background", NULL);
    assert_null(out.pixels);
    tess_picture_clear(&in);
}

// Boxes that leave the picture, wholly too.
static void crops(void **state)
{
    struct tmp *tmp = *state;
    struct tess_picture in = make_picture(tmp, OPAQUE, 6, 5), out = {0};
    assert_int_equal(
        tess_resize_crop(&out, &tmp->env, &in, (struct tess_crop){-2, -1, 10, 8}, 10, 8),
        TESS_OK);
    for (uint32_t y = 0; y < 8; y++)
        for (uint32_t x = 0; x < 10; x++) {
            bool inside = x >= 2 && x < 8 && y >= 1 && y < 6;
            assert_memory_equal(out.pixels + (y * 10 + x) * 4,
                                inside ? in.pixels + ((y - 1) * 6 + x - 2) * 4 : clear,
                                4);
        }
    tess_picture_clear(&out);
    static const struct tess_crop boxes[] = {
        {6, 0, 4, 4}, {-4, 0, 4, 4}, {0, 5, 4, 4}, {-50, -90, 7, 7}, {900, 900, 7, 7}};
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        assert_int_equal(tess_resize_crop(&out, &tmp->env, &in, boxes[i], 3, 5), TESS_OK);
        for (int j = 0; j < 3 * 5 * 4; j++)
            assert_int_equal(out.pixels[j], 0);
        tess_picture_clear(&out);
    }
    // An opaque picture stays opaque at every scale.
    for (uint32_t size = 1; size < 40; size += 3) {
        assert_int_equal(tess_resize_crop(&out, &tmp->env, &in,
                                          (struct tess_crop){0, 0, 6, 5}, size, size),
                         TESS_OK);
        for (uint32_t j = 0; j < size * size; j++)
            assert_int_equal(out.pixels[4 * j + 3], 255);
        tess_picture_clear(&out);
    }
    tess_picture_clear(&in);
}

static void normalised(void **state)
{
    static const uint8_t colours[2][4] = {{0, 128, 255, 255}, {255, 1, 77, 255}};
    static const double mean[3] = {.485, .456, .406}, deviation[3] = {.229, .224, .225};
    struct tmp *tmp = *state;
    struct tess_picture picture = make_plain(tmp, 2, 1, colours[0]);
    float values[6];
    fill(&picture, 1, 0, 2, 1, colours[1]);
    tess_preprocess_normalise(values, &picture);
    for (int c = 0; c < 3; c++)
        for (int x = 0; x < 2; x++)
            assert_true(fabs(values[2 * c + x] -
                             (colours[x][c] / 255.0 - mean[c]) / deviation[c]) < 1e-6);
    tess_picture_clear(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_pillow), cmocka_unit_test(plain_background),
        cmocka_unit_test(floods),         cmocka_unit_test(plain_share),
        cmocka_unit_test(nothing_to_see), cmocka_unit_test(crops),
        cmocka_unit_test(normalised),
    };
    return cmocka_run_group_tests_name("preprocess", tests, tmp_setup, tmp_teardown);
}
