// The options of how outputs are written.
#include <string.h>

#include "cli/options.h"

// Far beyond any object, and numbers stay well inside single precision.
#define SCALE_MAX 1e6

static bool parse_scale(double *out, const char *text)
{
    const char *end;
    return cli_parse_double(out, text, &end, 1 / SCALE_MAX, SCALE_MAX) && !*end;
}

bool cli_parse_output(struct cli *cli, int option, const char *text)
{
    struct tess_save_params *saving = &cli->saving;
    switch (option) {
    case OPTION_UP:
        saving->up = strcmp(text, "y") == 0 ? TESS_UP_Y : TESS_UP_Z;
        return saving->up == TESS_UP_Y || strcmp(text, "z") == 0;
    case OPTION_SCALE:
        return parse_scale(&saving->scale, text);
    case OPTION_STL_MM:
        return parse_scale(&saving->millimetres, text);
    default:
        saving->unlit = true;
        return true;
    }
}
