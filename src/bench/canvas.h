// Inside src/bench: rectangles and text in pictures, all opaque. What reaches over the
// border is cut off.
#ifndef TESS_CANVAS_H
#define TESS_CANVAS_H

#include "base/mesh.h"

// 0xRRGGBB
void tess_canvas_rect(struct tess_picture *picture, int x, int y, int width, int height,
                      uint32_t colour);

// One line of text, its upper left corner at (x, y); `scale` pixels for one of the
// font's, which has 10 a line. What is not ASCII becomes "?".
void tess_canvas_text(struct tess_picture *picture, int x, int y, int scale,
                      uint32_t colour, const char *text);
int tess_canvas_text_width(int scale, const char *text);

#endif
