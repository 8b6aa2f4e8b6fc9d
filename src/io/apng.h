// Animated PNG (the third edition of the PNG specification, section 11.3.6): what
// browsers play, and everything else shows the first frame of.
#ifndef TESS_APNG_H
#define TESS_APNG_H

#include "base/mesh.h"

struct tess_apng;

#define TESS_APNG_FRAMES_MAX 10000
#define TESS_APNG_FPS_MAX    100

// Start to write `frames` frames, `fps` of them a second, over and over. Frames are
// written as they come and not kept. TESS_ERR_ARG: none or more than the most of either;
// else as tess_output_open().
enum tess_status tess_apng_open(struct tess_apng **out, struct tess_env *env,
                                const char *path, uint32_t frames, uint32_t fps);

// Append a frame: exactly the pixels of the picture. TESS_ERR_ARG: one too many, or of
// another size than the first.
enum tess_status tess_apng_add(struct tess_apng *apng, struct tess_env *env,
                               const struct tess_picture *picture);

// Finish as tess_output_commit() does, and destroy. TESS_ERR_ARG: frames are missing;
// then there is no file.
enum tess_status tess_apng_finish(struct tess_apng **apng, struct tess_env *env);

// Leave no file.
void tess_apng_destroy(struct tess_apng **apng);

#endif
