// Which pixels of a picture without alpha show the object: those that a plain background,
// flooded from the borders, does not reach.
#ifndef TESS_BACKGROUND_H
#define TESS_BACKGROUND_H

#include "base/mesh.h"
#include "base/status.h"

// The default. The demo's pictures on white, as JPEG files of quality 50 and above, lose
// nothing of the object with it, and its box grows by at most 9 of 512 pixels; with 24
// they lose up to 4 %, with 8 the box grows by 14.
#define TESS_BACKGROUND_TOLERANCE 16

struct tess_background {
    enum tess_background_mode mode;
    uint8_t colour[3];  // of TESS_BACKGROUND_COLOUR
    uint32_t tolerance; // how far a channel may be off, in 1..255; 0: the default
};

// Make the background of an opaque picture transparent black: pixels within the tolerance
// of its colour that are connected to the border by such pixels. TESS_ERR_FILE names the
// picture `name` and says what to do.
enum tess_status tess_background_key(struct tess_picture *picture, struct tess_env *env,
                                     const char *name,
                                     const struct tess_background *background);

#endif
