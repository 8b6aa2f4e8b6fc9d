// Pictures: PNG round trips of our own, every PNG colour type, damaged files, other
// formats.
#include "io_tmp.h"

#include <png.h>

#include "io/apng.h"
#include "io/image.h"
#include "io/output.h"
#include "io/png.h"

static void write_output(void *user, const void *data, size_t bytes)
{
    tess_output_write(user, data, bytes);
}

static enum tess_status save_picture(const struct tess_picture *picture,
                                     struct tess_env *env, const char *path)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    TESS_TRY(tess_png_encode(picture, env, path, write_output, output));
    return tess_output_commit(&output, env);
}

static enum tess_status read_any(struct tess_env *env, const char *path)
{
    struct tess_picture picture = {0};
    enum tess_status status = tess_image_read(&picture, env, path);
    assert_true((status == TESS_OK) == (picture.pixels != NULL));
    tess_picture_clear(&picture);
    return status;
}

static struct tess_picture make_picture(struct tmp *tmp, uint32_t width, uint32_t height)
{
    struct tess_picture picture = {0};
    assert_int_equal(tess_picture_create(&picture, &tmp->env, width, height), TESS_OK);
    for (size_t i = 0; i < (size_t)width * height * 4; i++)
        picture.pixels[i] = (uint8_t)tmp_random(tmp);
    return picture;
}

static void test_round_trip(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {7, 3}, {1, 40}, {129, 64}};
    struct tmp *tmp = *state;
    for (int i = 0; i < 4; i++) {
        struct tess_picture picture = make_picture(tmp, sizes[i][0], sizes[i][1]),
                            read = {0};
        assert_int_equal(save_picture(&picture, &tmp->env, tmp_path(tmp, "a.png")),
                         TESS_OK);
        assert_int_equal(tess_image_read(&read, &tmp->env, tmp->path), TESS_OK);
        assert_int_equal(read.width, picture.width);
        assert_int_equal(read.height, picture.height);
        assert_memory_equal(read.pixels, picture.pixels,
                            (size_t)picture.width * picture.height * 4);
        size_t n, m;
        uint8_t *first = tmp_read(tmp, "a.png", &n);
        assert_int_equal(save_picture(&read, &tmp->env, tmp_path(tmp, "b.png")), TESS_OK);
        uint8_t *second = tmp_read(tmp, "b.png", &m);
        assert_int_equal(n, m);
        assert_memory_equal(first, second, n);
        free(first);
        free(second);
        tess_picture_clear(&picture);
        tess_picture_clear(&read);
    }
}

// Write a 2 x 1 picture of any colour type. `transparent` adds a tRNS chunk: its first
// colour.
static void write_png(struct tmp *tmp, int type, int depth, const uint8_t *row,
                      bool transparent)
{
    static const png_color palette[2] = {{10, 20, 30}, {40, 50, 60}};
    static const png_byte alphas[1] = {0};
    const png_color_16 colour = {
        .red = row[0], .green = row[1], .blue = row[2], .gray = row[0]};
    FILE *file = fopen(tmp_path(tmp, "type.png"), "wb");
    assert_non_null(file);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_false(setjmp(png_jmpbuf(png)));
    png_init_io(png, file);
    png_set_IHDR(png, info, 2, 1, depth, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 2);
    if (transparent)
        png_set_tRNS(png, info, alphas, 1, &colour);
    png_write_info(png, info);
    png_write_row(png, row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

static void test_colour_types(void **state)
{
    static const struct {
        int type, depth;
        bool transparent;
        uint8_t row[16], pixels[8];
    } cases[] = {
        {PNG_COLOR_TYPE_GRAY, 8, false, {9, 200}, {9, 9, 9, 255, 200, 200, 200, 255}},
        {PNG_COLOR_TYPE_GRAY, 8, true, {9, 200}, {9, 9, 9, 0, 200, 200, 200, 255}},
        {PNG_COLOR_TYPE_GRAY, 1, false, {0x40}, {0, 0, 0, 255, 255, 255, 255, 255}},
        {PNG_COLOR_TYPE_GRAY,
         16,
         false,
         {9, 9, 200, 200},
         {9, 9, 9, 255, 200, 200, 200, 255}},
        {PNG_COLOR_TYPE_GRAY_ALPHA,
         8,
         false,
         {9, 7, 200, 8},
         {9, 9, 9, 7, 200, 200, 200, 8}},
        {PNG_COLOR_TYPE_RGB, 8, false, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 255, 4, 5, 6, 255}},
        {PNG_COLOR_TYPE_RGB, 8, true, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 0, 4, 5, 6, 255}},
        {PNG_COLOR_TYPE_RGB,
         16,
         false,
         {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6},
         {1, 2, 3, 255, 4, 5, 6, 255}},
        {PNG_COLOR_TYPE_RGB_ALPHA,
         8,
         false,
         {1, 2, 3, 4, 5, 6, 7, 8},
         {1, 2, 3, 4, 5, 6, 7, 8}},
        {PNG_COLOR_TYPE_PALETTE, 8, false, {1, 0}, {40, 50, 60, 255, 10, 20, 30, 255}},
        {PNG_COLOR_TYPE_PALETTE, 1, true, {0x80}, {40, 50, 60, 255, 10, 20, 30, 0}},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tess_picture picture = {0};
        write_png(tmp, cases[i].type, cases[i].depth, cases[i].row, cases[i].transparent);
        assert_int_equal(tess_image_read(&picture, &tmp->env, tmp->path), TESS_OK);
        assert_memory_equal(picture.pixels, cases[i].pixels, 8);
        tess_picture_clear(&picture);
    }
}

static void test_bad_files(void **state)
{
    struct tmp *tmp = *state;
    struct tess_picture picture = make_picture(tmp, 4, 4);
    assert_int_equal(save_picture(&picture, &tmp->env, tmp_path(tmp, "a.png")), TESS_OK);
    tess_picture_clear(&picture);
    tmp_damage(tmp, "a.png", read_any, 1, 1000);
    size_t bytes;
    uint8_t *data = tmp_read(tmp, "a.png", &bytes);
    data[bytes / 2] ^= 1; // in the pixels: a wrong check sum
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "crc.png", data, bytes)),
               TESS_ERR_FILE, "crc.png: bad PNG picture: ", NULL);
    data[bytes / 2] ^= 1;
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "cut.png", data, bytes - 5)),
               TESS_ERR_FILE, "cut.png: bad PNG picture: the file is cut off", NULL);
    free(data);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write_text(tmp, "text.png", "not a picture")),
               TESS_ERR_FILE, "text.png: bad picture: ", "can be read", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_write_text(tmp, "empty.png", "")),
               TESS_ERR_FILE, "empty.png: is empty", NULL);
    tmp_expect(tmp, read_any(&tmp->env, tmp_path(tmp, "absent.png")), TESS_ERR_FILE,
               "absent.png: No such file", NULL);
}

// Too many pixels per axis for us, not for PNG.
static void test_large(void **state)
{
    struct tmp *tmp = *state;
    struct tess_picture picture = make_picture(tmp, TESS_PICTURE_MAX_SIZE + 1, 1);
    assert_int_equal(save_picture(&picture, &tmp->env, tmp_path(tmp, "a.png")), TESS_OK);
    tess_picture_clear(&picture);
    tmp_expect(tmp, read_any(&tmp->env, tmp->path), TESS_ERR_FILE, "a.png: bad PNG",
               NULL);
}

static void test_other_formats(void **state)
{
    struct tmp *tmp = *state;
    struct tess_picture picture = {0};
    // 1 x 2 pixels, rows of 4 bytes from the bottom up, blue first.
    static const uint8_t bmp[] = {'B', 'M', 62, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0,  0, 40, 0,
                                  0,   0,   1,  0, 0, 0, 2, 0, 0, 0, 1,  0, 24, 0, 0,  0,
                                  0,   0,   8,  0, 0, 0, 0, 0, 0, 0, 0,  0, 0,  0, 0,  0,
                                  0,   0,   0,  0, 0, 0, 3, 2, 1, 0, 6,  5, 4,  0};
    static const uint8_t pixels[] = {4, 5, 6, 255, 1, 2, 3, 255};
    assert_int_equal(
        tess_image_read(&picture, &tmp->env, tmp_write(tmp, "a.bmp", bmp, sizeof bmp)),
        TESS_OK);
    assert_int_equal(picture.width, 1);
    assert_int_equal(picture.height, 2);
    assert_memory_equal(picture.pixels, pixels, sizeof pixels);
    tess_picture_clear(&picture);
    // The least of a JPEG picture: 8 x 8 grey pixels, quantised by 1, one block of zeros.
    static const uint8_t tables[] = {
        0xff, 0xc0, 0,    11, 8,    0,    8,    0, 8, 1, 1, 0x11, 0, // frame
        0xff, 0xc4, 0,    20, 0x00, 1,    0,    0, 0, 0, 0, 0,    0, 0,  0, 0,    0, 0,
        0,    0,    0, // codes
        0,    0xff, 0xc4, 0,  20,   0x10, 1,    0, 0, 0, 0, 0,    0, 0,  0, 0,    0, 0,
        0,    0,    0,    0,  0,    0xff, 0xda, 0, 8, 1, 1, 0,    0, 63, 0, 0x3f, // scan
        0xff, 0xd9};
    uint8_t grey[71 + sizeof tables] = {0xff, 0xd8, 0xff, 0xdb, 0, 67, 0};
    memset(grey + 7, 1, 64);
    memcpy(grey + 71, tables, sizeof tables);
    tmp_write(tmp, "grey.jpg", grey, sizeof grey);
    assert_int_equal(tess_image_read(&picture, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(picture.width, 8);
    assert_memory_equal(picture.pixels + 63 * 4, "\200\200\200\377", 4);
    tess_picture_clear(&picture);
    tmp_damage(tmp, "grey.jpg", read_any, 1, 1000);
    // A thumbnail's end is not the picture's.
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xd9, 0xff, 0xda};
    tmp_expect(tmp, read_any(&tmp->env, tmp_write(tmp, "a.jpg", jpeg, sizeof jpeg)),
               TESS_ERR_FILE, "a.jpg: bad JPEG picture: the file is cut off", NULL);
}

static void expect_pnm(struct tmp *tmp, const void *file, size_t bytes,
                       const char *pixels, uint32_t width, uint32_t height)
{
    struct tess_picture picture = {0};
    assert_int_equal(
        tess_image_read(&picture, &tmp->env, tmp_write(tmp, "a.pnm", file, bytes)),
        TESS_OK);
    assert_int_equal(picture.width, width);
    assert_int_equal(picture.height, height);
    assert_memory_equal(picture.pixels, pixels, 4 * width * height);
    tess_picture_clear(&picture);
}

static void expect_bad_pnm(struct tmp *tmp, const char *file, const char *problem)
{
    tmp_expect(tmp, read_any(&tmp->env, tmp_write_text(tmp, "a.pnm", file)),
               TESS_ERR_FILE, "a.pnm: bad PNM picture: ", problem, NULL);
}

// Colour and grey, of 8 and 16 bits, which come high byte first, and of other ranges.
static void test_pnm(void **state)
{
    struct tmp *tmp = *state;
    static const char colour[] = "P6\n1 2\n255\nabc#\0e",
                      narrow[] = "P5#a comment\n2 # another\n\t1\r15 \x0f\x05",
                      deep[] = "P6 1 1 65535\n\xff\xff\x80\x00\x00\x80",
                      odd[] = "P5 2 1 1000\n\x03\xe8\xff\xff and more";
    expect_pnm(tmp, colour, sizeof colour - 1, "abc\377#\0e\377", 1, 2);
    expect_pnm(tmp, narrow, sizeof narrow - 1, "\377\377\377\377UUU\377", 2, 1);
    expect_pnm(tmp, deep, sizeof deep - 1, "\377\200\0\377", 1, 1);
    expect_pnm(tmp, odd, sizeof odd - 1, "\377\377\377\377\377\377\377\377", 2, 1);
    expect_bad_pnm(tmp, "P6 1 1 255\nab", "the file is cut off");
    expect_bad_pnm(tmp, "P6 1 1 256\nabcde", "the file is cut off");
    expect_bad_pnm(tmp, "P5 1 1", "the file is cut off");
    expect_bad_pnm(tmp, "P5 0 1 255\na", "width, expected a number of 1 to 16384");
    expect_bad_pnm(tmp, "P5 1 16385 255\na", "height, expected a number of 1 to 16384");
    expect_bad_pnm(tmp, "P5 1 1 x\na", "largest sample, expected a number of 1 to 65535");
    expect_bad_pnm(tmp, "P5 1 1 99999999999\na", "largest sample, expected");
    tmp_write(tmp, "deep.pnm", deep, sizeof deep - 1);
    tmp_damage(tmp, "deep.pnm", read_any, 1, 1000);
}

// Frames that do not fit, and files that are not finished; tests/cli/animation.py reads
// what is written.
static void test_animations(void **state)
{
    struct tmp *tmp = *state;
    struct tess_picture small = make_picture(tmp, 3, 2), large = make_picture(tmp, 3, 3);
    struct tess_apng *apng = NULL;
    const char *path = tmp_path(tmp, "a.apng");
    tmp_expect(tmp, tess_apng_open(&apng, &tmp->env, path, 0, 12), TESS_ERR_ARG,
               "an animation of 0 frames", NULL);
    tmp_expect(tmp, tess_apng_open(&apng, &tmp->env, path, 2, 101), TESS_ERR_ARG,
               "101 a second", NULL);
    assert_null(apng);
    assert_int_equal(tess_apng_open(&apng, &tmp->env, path, 2, 12), TESS_OK);
    assert_int_equal(tess_apng_add(apng, &tmp->env, &small), TESS_OK);
    tmp_expect(tmp, tess_apng_add(apng, &tmp->env, &large), TESS_ERR_ARG,
               "frame 1 has 3 x 3 pixels, the first 3 x 2", NULL);
    tmp_expect(tmp, tess_apng_finish(&apng, &tmp->env), TESS_ERR_ARG,
               "1 of 2 frames are missing", NULL);
    assert_null(apng);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(tess_apng_open(&apng, &tmp->env, path, 1, 12), TESS_OK);
    assert_int_equal(tess_apng_add(apng, &tmp->env, &small), TESS_OK);
    tmp_expect(tmp, tess_apng_add(apng, &tmp->env, &small), TESS_ERR_ARG,
               "more than the 1 frames", NULL);
    assert_int_equal(tess_apng_finish(&apng, &tmp->env), TESS_OK);
    struct tess_picture read = {0};
    assert_int_equal(tess_image_read(&read, &tmp->env, path), TESS_OK);
    assert_memory_equal(read.pixels, small.pixels, 3 * 2 * 4);
    assert_int_equal(tess_apng_open(&apng, &tmp->env, path, 1, 12), TESS_OK);
    tess_apng_destroy(&apng);
    assert_null(apng);
    tess_apng_destroy(&apng);
    assert_int_equal(access(path, F_OK), 0); // the finished one
    tess_picture_clear(&small);
    tess_picture_clear(&large);
    tess_picture_clear(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_colour_types),
        cmocka_unit_test(test_bad_files),     cmocka_unit_test(test_large),
        cmocka_unit_test(test_other_formats), cmocka_unit_test(test_pnm),
        cmocka_unit_test(test_animations),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
