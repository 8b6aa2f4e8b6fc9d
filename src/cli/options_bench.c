// The options of benchmarks.
#include "cli/options.h"

bool cli_parse_bench(struct cli *cli, int option, const char *text)
{
    uint64_t count = 0;
    switch (option) {
    case OPTION_SYNTHETIC:
        cli->synthetic = text;
        return *text;
    case OPTION_TINY:
        cli->tiny = true;
        return true;
    case OPTION_SHORT:
        cli->brief = true;
        return true;
    case OPTION_SAMPLES:
        if (!cli_parse_count(&count, text, 1, 32))
            return false;
        cli->samples = (uint32_t)count;
        return true;
    case OPTION_PICTURE:
        cli->picture = text;
        return cli_is_picture(text) && !cli_is_animation(text);
    case OPTION_TUNE:
        cli->tune = true;
        return true;
    case OPTION_COMPARE:
        cli->compare = true;
        return true;
    default:
        return false;
    }
}
