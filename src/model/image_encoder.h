// The image encoder: a vision transformer with registers (Oquab et al. 2023, "DINOv2";
// Darcet et al. 2023, "Vision Transformers Need Registers"). Everything follows from the
// tensors: depth, width, heads of 64, registers and picture size.
#ifndef TESS_IMAGE_ENCODER_H
#define TESS_IMAGE_ENCODER_H

#include "io/checkpoint.h"
#include "mem/stage.h"

struct tess_image_encoder;

// Open a checkpoint, safetensors or .pth, with tensors named as in torch-hub or as in
// Hugging Face's dinov2-with-registers. TESS_ERR_FILE names file and tensor.
enum tess_status tess_image_encoder_open(struct tess_image_encoder **out,
                                         struct tess_env *env, const char *file);
void tess_image_encoder_close(struct tess_image_encoder **encoder);

struct tess_image_encoder_sizes {
    uint32_t picture; // pixels per side
    uint32_t channels, heads, depth, registers;
    uint32_t tokens; // 1 + registers + patches
    uint64_t parameters, bytes;
};
struct tess_image_encoder_sizes
tess_image_encoder_sizes(const struct tess_image_encoder *encoder);

const struct tess_checkpoint *
tess_image_encoder_file(const struct tess_image_encoder *encoder);

// What tess_image_encoder_stage() is run on. Results are rows of tokens: the class token,
// the registers, then patches, rows of the picture first.
struct tess_image_encoder_job {
    const struct tess_image_encoder *encoder;
    const float *picture; // [3][picture][picture], normalised
    tess_rows_fn *raw;    // [.][C] before the last norm; may be NULL
    tess_rows_fn *rows;   // [.][C] the condition: normalised once more
    void *user;
};
tess_stage_fn tess_image_encoder_stage;

#endif
