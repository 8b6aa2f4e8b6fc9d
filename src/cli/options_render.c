// The options of pictures.
#include <string.h>

#include "cli/options.h"

static bool parse_channel(enum tess_channel *out, const char *text)
{
    static const char *const names[] = {[TESS_CHANNEL_COLOUR] = "colour",
                                        [TESS_CHANNEL_FLAT] = "flat",
                                        [TESS_CHANNEL_NORMAL] = "normal",
                                        [TESS_CHANNEL_DEPTH] = "depth",
                                        [TESS_CHANNEL_ALPHA] = "alpha"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum tess_channel)i;
            return true;
        }
    return false;
}

bool cli_parse_render(struct cli *cli, int option, const char *text)
{
    struct tess_render_params *render = &cli->render;
    uint64_t count = 0;
    float number = 0;
    switch (option) {
    case OPTION_SIZE:
        if (!cli_parse_count(&count, text, 1, 8192))
            return false;
        render->size = (uint32_t)count;
        return true;
    case OPTION_SUPERSAMPLING:
        if (!cli_parse_count(&count, text, 1, 8))
            return false;
        render->supersampling = (uint32_t)count;
        return true;
    case OPTION_TURNTABLE:
        if (!cli_parse_count(&count, text, 1, 1000))
            return false;
        cli->turntable = (uint32_t)count;
        return true;
    case OPTION_FPS:
        if (!cli_parse_count(&count, text, 1, 100))
            return false;
        cli->fps = (uint32_t)count;
        return true;
    case OPTION_SHEET:
        cli->is_sheet = true;
        return true;
    case OPTION_CHANNEL:
        return parse_channel(&render->channel, text);
    case OPTION_YAW:
        if (!cli_parse_number(&number, text, -36000, 36000))
            return false;
        render->camera.yaw = cli_radians(number);
        return true;
    case OPTION_PITCH:
        if (!cli_parse_number(&number, text, -90, 90))
            return false;
        render->camera.pitch = cli_radians(number);
        return true;
    case OPTION_RADIUS:
        return cli_parse_number(&render->camera.radius, text, 0.01f, 1000);
    case OPTION_FOV:
        if (!cli_parse_number(&number, text, 0.1f, 170))
            return false;
        render->camera.fov = cli_radians(number);
        return true;
    default:
        return false;
    }
}
