// The options of the samplers.
#include "cli/options.h"

// One option of the samplers, for one of them.
static bool parse_one_sampling(struct cli_sampling *to, int option, const char *text)
{
    uint64_t steps = 0;
    const char *end = text;
    switch (option) {
    case OPTION_STEPS:
        if (!cli_parse_count(&steps, text, 1, 10000))
            return false;
        to->steps = (uint32_t)steps;
        return true;
    case OPTION_GUIDANCE:
        to->has_guidance = true;
        return cli_parse_double(&to->guidance, text, &end, 0, 1000) && !*end;
    case OPTION_INTERVAL:
        to->has_interval = true;
        return cli_parse_double(&to->interval[0], text, &end, 0, 1) && *end == ',' &&
               cli_parse_double(&to->interval[1], end + 1, &end, to->interval[0], 1) &&
               !*end;
    default:
        return cli_parse_double(&to->rescale_t, text, &end, 1e-3, 1000) && !*end;
    }
}

bool cli_parse_sampling(struct cli *cli, int option, const char *text)
{
    int which = (option - OPTION_STEPS) % 3, base = option - which;
    for (int i = 0; i < 2; i++)
        if ((which == 0 || which == i + 1) &&
            !parse_one_sampling(&cli->sampling[i], base, text))
            return false;
    return true;
}
