// The command line.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"model", required_argument, NULL, OPTION_MODEL},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"max-buffer", required_argument, NULL, OPTION_MAX_BUFFER},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"cache-dir", required_argument, NULL, OPTION_CACHE_DIR},
    {"kernel-dir", required_argument, NULL, OPTION_KERNEL_DIR},
    {"tuning", required_argument, NULL, OPTION_TUNING},
    {"precision", required_argument, NULL, OPTION_PRECISION},
    {"encoder", required_argument, NULL, OPTION_ENCODER},
    {"json", no_argument, NULL, OPTION_JSON},
    {"voxels", required_argument, NULL, OPTION_VOXELS},
    {"resolution", required_argument, NULL, OPTION_RESOLUTION},
    {"described", no_argument, NULL, OPTION_DESCRIBED},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"supersampling", required_argument, NULL, OPTION_SUPERSAMPLING},
    {"channel", required_argument, NULL, OPTION_CHANNEL},
    {"yaw", required_argument, NULL, OPTION_YAW},
    {"pitch", required_argument, NULL, OPTION_PITCH},
    {"radius", required_argument, NULL, OPTION_RADIUS},
    {"fov", required_argument, NULL, OPTION_FOV},
    {"turntable", required_argument, NULL, OPTION_TURNTABLE},
    {"sheet", no_argument, NULL, OPTION_SHEET},
    {"fps", required_argument, NULL, OPTION_FPS},
    {"background", required_argument, NULL, OPTION_BACKGROUND},
    {"save-input", required_argument, NULL, OPTION_SAVE_INPUT},
    {"keep", required_argument, NULL, OPTION_KEEP},
    {"from", required_argument, NULL, OPTION_FROM},
    {"structure", required_argument, NULL, OPTION_STRUCTURE},
    {"multi-image", required_argument, NULL, OPTION_MULTI_IMAGE},
    {"guide-apart", no_argument, NULL, OPTION_GUIDE_APART},
    {"noise", required_argument, NULL, OPTION_NOISE},
    {"pictures", required_argument, NULL, OPTION_PICTURES},
    {"weld", no_argument, NULL, OPTION_WELD},
    {"synthetic", required_argument, NULL, OPTION_SYNTHETIC},
    {"tiny", no_argument, NULL, OPTION_TINY},
    {"short", no_argument, NULL, OPTION_SHORT},
    {"samples", required_argument, NULL, OPTION_SAMPLES},
    {"picture", required_argument, NULL, OPTION_PICTURE},
    {"compare", no_argument, NULL, OPTION_COMPARE},
    {"tune", no_argument, NULL, OPTION_TUNE},
    {"up", required_argument, NULL, OPTION_UP},
    {"scale", required_argument, NULL, OPTION_SCALE},
    {"stl-mm", required_argument, NULL, OPTION_STL_MM},
    {"unlit", no_argument, NULL, OPTION_UNLIT},
    {"clean", no_argument, NULL, OPTION_CLEAN},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"simplify", required_argument, NULL, OPTION_SIMPLIFY},
    {"keep-seams", no_argument, NULL, OPTION_KEEP_SEAMS},
    {"keep-winding", no_argument, NULL, OPTION_KEEP_WINDING},
    {"keep-hidden", no_argument, NULL, OPTION_KEEP_HIDDEN},
    {"views", required_argument, NULL, OPTION_VIEWS},
    {"view-size", required_argument, NULL, OPTION_VIEW_SIZE},
    {"max-hole-area", required_argument, NULL, OPTION_MAX_HOLE_AREA},
    {"specks", required_argument, NULL, OPTION_SPECKS},
    {"keep-holes", no_argument, NULL, OPTION_KEEP_HOLES},
    {"max-hole-edges", required_argument, NULL, OPTION_MAX_HOLE_EDGES},
    {"keep-touching", no_argument, NULL, OPTION_KEEP_TOUCHING},
    {"texture", optional_argument, NULL, OPTION_TEXTURE},
    {"texture-mode", required_argument, NULL, OPTION_TEXTURE_MODE},
    {"texture-steps", required_argument, NULL, OPTION_TEXTURE_STEPS},
    {"texture-format", required_argument, NULL, OPTION_TEXTURE_FORMAT},
    {"texture-views", required_argument, NULL, OPTION_TEXTURE_VIEWS},
    {"texture-view-size", required_argument, NULL, OPTION_TEXTURE_VIEW_SIZE},
    {"texture-gutter", required_argument, NULL, OPTION_TEXTURE_GUTTER},
    {"steps", required_argument, NULL, OPTION_STEPS + 0},
    {"structure-steps", required_argument, NULL, OPTION_STEPS + 1},
    {"latent-steps", required_argument, NULL, OPTION_STEPS + 2},
    {"guidance", required_argument, NULL, OPTION_GUIDANCE + 0},
    {"structure-guidance", required_argument, NULL, OPTION_GUIDANCE + 1},
    {"latent-guidance", required_argument, NULL, OPTION_GUIDANCE + 2},
    {"guidance-interval", required_argument, NULL, OPTION_INTERVAL + 0},
    {"structure-guidance-interval", required_argument, NULL, OPTION_INTERVAL + 1},
    {"latent-guidance-interval", required_argument, NULL, OPTION_INTERVAL + 2},
    {"rescale-t", required_argument, NULL, OPTION_RESCALE_T + 0},
    {"structure-rescale-t", required_argument, NULL, OPTION_RESCALE_T + 1},
    {"latent-rescale-t", required_argument, NULL, OPTION_RESCALE_T + 2},
    {NULL, 0, NULL, 0},
};

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("tessella: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry `tessella %s%s--help`.\n", cli->command ? cli->command : "",
            cli->command ? " " : "");
    va_end(args);
    return EXIT_USAGE;
}

// N, or N..M with at most a thousand seeds.
static bool parse_seeds(struct cli *cli, const char *text)
{
    char first[32];
    const char *dots = strstr(text, "..");
    if (!dots) {
        bool good = cli_parse_count(&cli->seed, text, 0, UINT64_MAX);
        cli->last_seed = cli->seed;
        return good;
    }
    if ((size_t)(dots - text) >= sizeof first)
        return false;
    snprintf(first, sizeof first, "%.*s", (int)(dots - text), text);
    return cli_parse_count(&cli->seed, first, 0, UINT64_MAX) &&
           cli_parse_count(&cli->last_seed, dots + 2, cli->seed, UINT64_MAX - 1) &&
           cli->last_seed - cli->seed < 1000;
}

static bool parse_background(struct cli *cli, const char *text)
{
    char *end;
    if (strcmp(text, "keep") == 0 || strcmp(text, "key") == 0) {
        cli->background = text[2] == 'e' ? TESS_BACKGROUND_KEEP : TESS_BACKGROUND_KEY;
        return true;
    }
    text += *text == '#';
    unsigned long colour = strtoul(text, &end, 16);
    if (end != text + 6 || *end)
        return false;
    cli->background = TESS_BACKGROUND_COLOUR;
    for (int i = 0; i < 3; i++)
        cli->background_colour[i] = (uint8_t)(colour >> (16 - 8 * i));
    return true;
}

// False: the value is not one that the option takes.
static bool parse_option(struct cli *cli, int option, const char *text)
{
    uint64_t count = 0;
    switch (option) {
    case 'o':
        if (cli->output_count == CLI_OUTPUTS_MAX)
            return false;
        cli->outputs[cli->output_count++] = text;
        return true;
    case 'q':
        cli->quiet = true;
        return true;
    case 'v':
        cli->verbose++;
        return true;
    case OPTION_MODEL:
        cli->model = text;
        return true;
    case OPTION_DEVICE:
        cli->device = text;
        return true;
    case OPTION_MEMORY:
        return cli_parse_bytes(&cli->memory, text);
    case OPTION_MAX_BUFFER:
        return cli_parse_bytes(&cli->max_buffer, text);
    case OPTION_SEED:
        cli->has_seed = parse_seeds(cli, text);
        return cli->has_seed;
    case OPTION_REPORT:
        cli->report = text;
        return true;
    case OPTION_CACHE_DIR:
        cli->cache_dir = text;
        return true;
    case OPTION_KERNEL_DIR:
        cli->kernel_dir = text;
        return true;
    case OPTION_PRECISION:
        cli->precision =
            strcmp(text, "fast") == 0 ? TESS_PRECISION_FAST : TESS_PRECISION_FULL;
        return cli->precision || strcmp(text, "full") == 0;
    case OPTION_TUNING:
        cli->tuning = text;
        return *text;
    case OPTION_ENCODER:
        cli->encoder = text;
        return true;
    case OPTION_JSON:
        cli->json = true;
        cli->json_file = text;
        return !text || *text;
    case OPTION_DESCRIBED:
        cli->described = true;
        return true;
    case OPTION_VOXELS:
        if (!cli_parse_count(&count, text, 1, 1u << 30))
            return false;
        cli->voxels = (size_t)count;
        return true;
    case OPTION_RESOLUTION:
        if (!cli_parse_count(&count, text, 1, 1024))
            return false;
        cli->resolution = (uint32_t)count;
        return true;
    case OPTION_BACKGROUND:
        return parse_background(cli, text);
    case OPTION_SAVE_INPUT:
        cli->save_input = text;
        return cli_is_picture(text) && !cli_is_animation(text);
    case OPTION_KEEP:
        cli->keep = text;
        return true;
    case OPTION_FROM:
        cli->from = text;
        return true;
    case OPTION_STRUCTURE:
        cli->structure = text;
        return true;
    case OPTION_MULTI_IMAGE:
        cli->multi_diffusion = strcmp(text, "multidiffusion") == 0;
        return cli->multi_diffusion || strcmp(text, "stochastic") == 0;
    case OPTION_GUIDE_APART:
        cli->guide_apart = true;
        return true;
    case OPTION_NOISE:
        cli->noise = text;
        return true;
    case OPTION_WELD:
        cli->weld = true;
        return true;
    case OPTION_PICTURES:
        if (!cli_parse_count(&count, text, 1, 8))
            return false;
        cli->pictures = (size_t)count;
        return true;
    default:
        if (option >= OPTION_UP && option <= OPTION_UNLIT)
            return cli_parse_output(cli, option, text);
        if (option >= OPTION_CLEAN && option <= OPTION_KEEP_TOUCHING)
            return cli_parse_clean(cli, option, text);
        if (option >= OPTION_TEXTURE && option <= OPTION_TEXTURE_GUTTER)
            return cli_parse_texture(cli, option, text);
        if (option >= OPTION_SYNTHETIC && option <= OPTION_COMPARE)
            return cli_parse_bench(cli, option, text);
        return option >= OPTION_STEPS && option < OPTION_SAMPLING_END
                   ? cli_parse_sampling(cli, option, text)
                   : cli_parse_render(cli, option, text);
    }
}

static const char *option_name(int value)
{
    for (const struct option *option = options; option->name; option++)
        if (option->val == value)
            return option->name;
    return "?";
}

static int check_inputs(struct cli *cli, const struct cli_command *command, int argc,
                        char **argv)
{
    size_t count = (size_t)(argc - optind);
    if (count < command->min_inputs)
        return cli_usage(cli, "%s: expected %s", cli->command, command->usage);
    if (count > command->max_inputs)
        return cli_usage(cli, "%s: unexpected '%s'", cli->command,
                         argv[optind + (int)command->max_inputs]);
    for (size_t i = 0; i < count; i++)
        cli->inputs[cli->input_count++] = argv[optind + (int)i];
    if (command->needs_output && cli->output_count == 0)
        return cli_usage(cli, "%s: expected an output, -o FILE", cli->command);
    return cli_check_outputs(cli);
}

// `bench` writes --json into a file, the other commands print it.
static void list_options(struct option *out, const char *command)
{
    memcpy(out, options, sizeof options);
    for (struct option *option = out; option->name; option++)
        if (option->val == OPTION_JSON && command && strcmp(command, "bench") == 0)
            option->has_arg = required_argument;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    cli->render.camera.yaw = cli_radians(30);
    cli->render.camera.pitch = cli_radians(20);
    if (argc < 2) {
        cli_print_help(stderr, NULL);
        return EXIT_USAGE;
    }
    const struct cli_command *command = cli_find_command(argv[1]);
    if (command) {
        cli->command = command->name;
        argv++;
        argc--;
    } else if (argv[1][0] != '-') {
        return cli_usage(cli, "no command '%s'", argv[1]);
    }
    struct option known[sizeof options / sizeof *options];
    list_options(known, cli->command);
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, ":o:qvh", known, NULL)) != -1) {
        if (option == 'h') {
            cli_print_help(stdout, cli->command);
            return EXIT_DONE;
        }
        if (option == OPTION_VERSION) {
            printf("tessella %s\n", tess_version());
            return EXIT_DONE;
        }
        if (option == ':')
            return cli_usage(cli, "option '%s' needs a value", argv[optind - 1]);
        if (option == '?')
            return cli_usage(cli, "unknown option '%s'", argv[optind - 1]);
        if (command && !cli_option_fits(command->name, option))
            return cli_usage(cli, "option --%s is not one of `%s`", option_name(option),
                             command->name);
        if (!parse_option(cli, option, optarg))
            return cli_usage(cli, "option --%s: '%s', expected %s", option_name(option),
                             optarg ? optarg : "", cli_option_expected(option));
    }
    if (!command)
        return cli_usage(cli, "expected a command");
    return check_inputs(cli, command, argc, argv);
}
