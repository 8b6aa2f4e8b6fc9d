// The options of how outputs are written, and whether each is a file of its own.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

// ---- names ----

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool stat_directory(struct stat *out, const char *path)
{
    size_t length = (size_t)(last_part(path) - path);
    char *directory = strdup(length ? path : ".");
    if (!directory)
        return false;
    if (length)
        directory[length] = '\0';
    bool good = stat(directory, out) == 0;
    free(directory);
    return good;
}

// Whether what is renamed to both names becomes one file, though it is not there yet:
// `a.glb`, `./a.glb`, and through links to directories.
static bool is_one_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    if (strcmp(a, b) == 0)
        return true;
    return strcmp(last_part(a), last_part(b)) == 0 && stat_directory(&of_a, a) &&
           stat_directory(&of_b, b) && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

int cli_check_outputs(const struct cli *cli)
{
    const char *paths[CLI_OUTPUTS_MAX + 2];
    size_t count = cli->output_count;
    memcpy(paths, cli->outputs, count * sizeof *paths);
    if (cli->save_input)
        paths[count++] = cli->save_input;
    if (cli->report)
        paths[count++] = cli->report;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (is_one_file(paths[i], paths[k]))
                return cli_usage(cli, "outputs '%s' and '%s' are the same file", paths[k],
                                 paths[i]);
    return -1;
}
