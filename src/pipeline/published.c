// What is published. Names, sizes and licences are as of 2025:
// microsoft/TRELLIS-image-large on Hugging Face, facebookresearch/dinov2 and
// facebook/dinov2-with-registers-large.
#include "pipeline/published.h"

#include <string.h>

#define TRELLIS "https://huggingface.co/microsoft/TRELLIS-image-large"

#define TRELLIS_PART(role_, name_, bytes_)                                               \
    {                                                                                    \
        .role = role_, .count = 1, .sources = {                                          \
            {.file = "ckpts/" name_ ".{json,safetensors}",                               \
             .url = TRELLIS,                                                             \
             .licence = "MIT",                                                           \
             .bytes = bytes_}                                                            \
        }                                                                                \
    }

static const struct {
    const char *role;
    size_t count;
    struct tess_part_source sources[2];
} roles[] = {
    TRELLIS_PART("sparse_structure_flow_model", "ss_flow_img_dit_L_16l8_fp16",
                 1130770840),
    TRELLIS_PART("sparse_structure_decoder", "ss_dec_conv3d_16l8_fp16", 147591972),
    TRELLIS_PART("slat_flow_model", "slat_flow_img_dit_L_64l8p2_fp16", 1203755136),
    TRELLIS_PART("slat_decoder_gs", "slat_dec_gs_swin8_B_64l8gs32_fp16", 171450952),
    TRELLIS_PART("slat_decoder_rf", "slat_dec_rf_swin8_B_64l8r16_fp16", 171450488),
    TRELLIS_PART("slat_decoder_mesh", "slat_dec_mesh_swin8_B_64l8m256c_fp16", 181903412),
    {.role = TESS_ENCODER_ROLE,
     .count = 2,
     .sources = {{.file = "dinov2_vitl14_reg4_pretrain.pth",
                  .put = "ckpts/dinov2_vitl14_reg4_pretrain.pth",
                  .url = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/"
                         "dinov2_vitl14_reg4_pretrain.pth",
                  .licence = "Apache-2.0",
                  .bytes = 1217607321},
                 // 304,372,736 parameters of 4 bytes; the header is not counted.
                 {.file = "model.safetensors",
                  .put = "dinov2-with-registers-large/model.safetensors",
                  .url = "https://huggingface.co/facebook/dinov2-with-registers-large",
                  .licence = "Apache-2.0",
                  .bytes = 1217490944}}},
};

const struct tess_part_source *tess_published(size_t *count, const char *role)
{
    *count = 0;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].role, role) == 0) {
            *count = roles[i].count;
            return roles[i].sources;
        }
    return NULL;
}
