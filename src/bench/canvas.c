// Pictures by rectangles. Letters are stb_easy_font's, whose code is not written to our
// warnings: they are off in this file.
#include "bench/canvas.h"

#include <stdio.h>

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-align"
#include <stb/stb_easy_font.h>

#define LINE_MAX_CHARS 160
#define QUADS_MAX      2048 // of a line; a letter has at most 18

void tess_canvas_rect(struct tess_picture *picture, int x, int y, int width, int height,
                      uint32_t colour)
{
    int x0 = x < 0 ? 0 : x, y0 = y < 0 ? 0 : y;
    int x1 = x + width, y1 = y + height;
    x1 = x1 > (int)picture->width ? (int)picture->width : x1;
    y1 = y1 > (int)picture->height ? (int)picture->height : y1;
    for (int row = y0; row < y1; row++)
        for (int col = x0; col < x1; col++) {
            uint8_t *pixel =
                picture->pixels + ((size_t)row * picture->width + (size_t)col) * 4;
            pixel[0] = (uint8_t)(colour >> 16);
            pixel[1] = (uint8_t)(colour >> 8);
            pixel[2] = (uint8_t)colour;
            pixel[3] = 255;
        }
}

// The font knows what is printable in ASCII.
static void copy_printable(char out[LINE_MAX_CHARS + 1], const char *text)
{
    size_t length = 0;
    for (; text[length] && length < LINE_MAX_CHARS; length++)
        out[length] = text[length] >= 32 && text[length] < 127 ? text[length] : '?';
    out[length] = '\0';
}

void tess_canvas_text(struct tess_picture *picture, int x, int y, int scale,
                      uint32_t colour, const char *text)
{
    struct {
        float x, y, z;
        unsigned char colour[4];
    } corners[QUADS_MAX][4];
    char line[LINE_MAX_CHARS + 1];
    copy_printable(line, text);
    int quads = stb_easy_font_print(0, 0, line, NULL, corners, sizeof corners);
    for (int i = 0; i < quads; i++) {
        int left = (int)corners[i][0].x, top = (int)corners[i][0].y;
        int right = (int)corners[i][2].x, bottom = (int)corners[i][2].y;
        tess_canvas_rect(picture, x + scale * left, y + scale * top,
                         scale * (right - left), scale * (bottom - top), colour);
    }
}

int tess_canvas_text_width(int scale, const char *text)
{
    char line[LINE_MAX_CHARS + 1];
    copy_printable(line, text);
    return scale * stb_easy_font_width(line);
}
