// The options of textures.
#include <string.h>

#include "cli/options.h"

static bool parse_power(uint32_t *out, const char *text, uint64_t min, uint64_t max)
{
    uint64_t count = 0;
    if (!cli_parse_count(&count, text, min, max) || (count & (count - 1)))
        return false;
    *out = (uint32_t)count;
    return true;
}

bool cli_parse_texture(struct cli *cli, int option, const char *text)
{
    struct tess_bake_params *to = &cli->baking;
    uint64_t count = 0;
    cli->texture = true;
    switch (option) {
    case OPTION_TEXTURE:
        return !text || parse_power(&to->size, text, 16, 8192);
    case OPTION_TEXTURE_MODE:
        to->mode = strcmp(text, "opt") == 0 ? TESS_BAKE_OPTIMISED : TESS_BAKE_FAST;
        cli->fast_texture = to->mode == TESS_BAKE_FAST;
        return to->mode == TESS_BAKE_OPTIMISED || strcmp(text, "fast") == 0;
    case OPTION_TEXTURE_STEPS:
        if (!cli_parse_count(&count, text, 1, 100000))
            return false;
        to->mode = TESS_BAKE_OPTIMISED;
        to->steps = (size_t)count;
        return true;
    case OPTION_TEXTURE_FORMAT:
        to->format = strcmp(text, "jpeg") == 0 ? TESS_TEXTURE_JPEG : TESS_TEXTURE_PNG;
        return to->format == TESS_TEXTURE_JPEG || strcmp(text, "png") == 0;
    case OPTION_TEXTURE_VIEWS:
        if (!cli_parse_count(&count, text, 1, 10000))
            return false;
        to->views = (size_t)count;
        return true;
    case OPTION_TEXTURE_VIEW_SIZE:
        if (!cli_parse_count(&count, text, 16, 8192))
            return false;
        to->view_size = (uint32_t)count;
        return true;
    default:
        return parse_power(&to->gutter, text, 1, 2048);
    }
}
