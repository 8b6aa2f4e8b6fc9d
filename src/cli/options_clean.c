// The options of clean-up.
#include "cli/options.h"

// A share of faces to remove, or a number of faces to leave.
static bool parse_simplify(struct tess_clean_params *to, const char *text)
{
    const char *end;
    double share;
    uint64_t faces = 0;
    if (cli_parse_count(&faces, text, 4, 1u << 31)) {
        to->faces = (size_t)faces;
        return true;
    }
    if (!cli_parse_double(&share, text, &end, 0, 0.9999) || *end)
        return false;
    to->keep_faces = share == 0;
    to->share = 1 - share;
    return true;
}

bool cli_parse_clean(struct cli *cli, int option, const char *text)
{
    struct tess_clean_params *to = &cli->cleaning;
    if (option == OPTION_RAW) {
        cli->raw = true;
        return true;
    }
    cli->clean = true;
    const char *end = text;
    uint64_t count = 0;
    switch (option) {
    case OPTION_CLEAN:
        return true;
    case OPTION_SIMPLIFY:
        return parse_simplify(to, text);
    case OPTION_KEEP_SEAMS:
        to->keep_seams = true;
        return true;
    case OPTION_KEEP_WINDING:
        to->keep_winding = true;
        return true;
    case OPTION_KEEP_HIDDEN:
        to->keep_hidden = true;
        return true;
    case OPTION_VIEWS:
        if (!cli_parse_count(&count, text, 1, 10000))
            return false;
        to->views = (size_t)count;
        return true;
    case OPTION_VIEW_SIZE:
        if (!cli_parse_count(&count, text, 16, 8192))
            return false;
        to->view_size = (uint32_t)count;
        return true;
    case OPTION_SPECKS:
        return cli_parse_double(&to->min_speck, text, &end, 0, 0.99) && !*end;
    case OPTION_MAX_HOLE_AREA:
        return cli_parse_double(&to->max_hole_area, text, &end, 1e-9, 1e9) && !*end;
    case OPTION_KEEP_HOLES:
        to->keep_holes = true;
        return true;
    case OPTION_MAX_HOLE_EDGES:
        if (!cli_parse_count(&count, text, 3, 1000))
            return false;
        to->max_hole_edges = (size_t)count;
        return true;
    default:
        to->keep_touching = true;
        return true;
    }
}
