// The command line.
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

enum {
    OPTION_MODEL = 256,
    OPTION_DEVICE,
    OPTION_MEMORY,
    OPTION_MAX_BUFFER,
    OPTION_SEED,
    OPTION_REPORT,
    OPTION_CACHE_DIR,
    OPTION_KERNEL_DIR,
    OPTION_ENCODER,
    OPTION_JSON,
    OPTION_VOXELS,
    OPTION_RESOLUTION,
    OPTION_DESCRIBED,
    OPTION_SIZE,
    OPTION_SUPERSAMPLING,
    OPTION_STYLE,
    OPTION_YAW,
    OPTION_PITCH,
    OPTION_RADIUS,
    OPTION_FOV,
    OPTION_TURNTABLE,
    OPTION_VERSION,
    OPTION_BACKGROUND,
    OPTION_SAVE_INPUT,
    OPTION_KEEP,
    OPTION_FROM,
    OPTION_STRUCTURE,
    OPTION_MULTI_IMAGE,
    OPTION_GUIDE_APART,
    OPTION_NOISE,
    OPTION_PICTURES,
    OPTION_WELD,
    OPTION_SYNTHETIC,
    OPTION_TINY,
    OPTION_CLEAN,
    OPTION_SIMPLIFY,
    OPTION_KEEP_SEAMS,
    OPTION_KEEP_WINDING,
    OPTION_KEEP_HIDDEN,
    OPTION_VIEWS,
    OPTION_VIEW_SIZE,
    OPTION_MAX_HOLE_AREA,
    OPTION_SPECKS,
    OPTION_KEEP_HOLES,
    OPTION_MAX_HOLE_EDGES,
    OPTION_KEEP_TOUCHING,
    // For both samplers, for the structure's, for the latents': in this order for each.
    OPTION_STEPS,
    OPTION_GUIDANCE = OPTION_STEPS + 3,
    OPTION_INTERVAL = OPTION_GUIDANCE + 3,
    OPTION_RESCALE_T = OPTION_INTERVAL + 3,
    OPTION_SAMPLING_END = OPTION_RESCALE_T + 3,
};

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
    {"encoder", required_argument, NULL, OPTION_ENCODER},
    {"json", no_argument, NULL, OPTION_JSON},
    {"voxels", required_argument, NULL, OPTION_VOXELS},
    {"resolution", required_argument, NULL, OPTION_RESOLUTION},
    {"described", no_argument, NULL, OPTION_DESCRIBED},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"supersampling", required_argument, NULL, OPTION_SUPERSAMPLING},
    {"style", required_argument, NULL, OPTION_STYLE},
    {"yaw", required_argument, NULL, OPTION_YAW},
    {"pitch", required_argument, NULL, OPTION_PITCH},
    {"radius", required_argument, NULL, OPTION_RADIUS},
    {"fov", required_argument, NULL, OPTION_FOV},
    {"turntable", required_argument, NULL, OPTION_TURNTABLE},
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
    {"clean", no_argument, NULL, OPTION_CLEAN},
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

static const char common_help[] =
    "Common options:\n"
    "  --model DIR        model directory (else TESSELLA_MODEL, else the demo model)\n"
    "                     or OWNER/NAME in the cache of Hugging Face\n"
    "  --encoder FILE     image encoder, .pth or .safetensors (else from the model "
    "directory or a\n"
    "                     cache)\n"
    "  --device D         gpu, cpu, N or P:D as `tessella devices` lists them, or part "
    "of a name\n"
    "                     (else TESSELLA_DEVICE, else the first GPU, else the first "
    "device)\n"
    "  --memory BYTES     device memory to use at most, e.g. 512M, 2G (else what the "
    "device has)\n"
    "  --max-buffer BYTES largest single buffer (else the device's limit)\n"
    "  --report FILE.json write what was done: device, seconds, bytes, FLOP per stage\n"
    "  --cache-dir DIR    program cache (else the user's; an empty name: none)\n"
    "  --kernel-dir DIR   read kernels from DIR instead of the built-in ones\n"
    "  -q, --quiet        say nothing but errors;  -v, --verbose: more, twice: all\n"
    "  -h, --help         this text;  --version\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input file, 4 device or memory.\n";

static const char camera_help[] =
    "  --size N           pixels per side (512)\n"
    "  --style S          colour, flat or normal (colour)\n"
    "  --yaw DEG --pitch DEG --radius R --fov DEG   camera (30, 20, 2, 40); z is up\n"
    "  --supersampling N  samples per pixel and axis (4 for meshes, 1 for splats)\n";

static const char clean_help[] =
    "Meshes are cleaned before they are written, as the original's export does it, with\n"
    "  --clean            or any of the options below\n"
    "  --keep-seams       do not join vertices at the same place\n"
    "  --keep-winding     do not turn faces that run against their neighbours\n"
    "  --simplify R | N   remove this share of the faces (0.95), or leave N; 0: none\n"
    "  --keep-hidden      do not remove inner walls and what else no view sees\n"
    "  --views N --view-size PIXELS   to look from (1000 of 1024)\n"
    "  --max-hole-area A  of a loop that removal may open (0.04)\n"
    "  --specks SHARE     remove components with less than this share of the area "
    "(none)\n"
    "  --keep-holes       do not close holes\n"
    "  --max-hole-edges N of a hole that is closed (250 times the root of the share that "
    "stays)\n"
    "  --keep-touching    do not part surfaces that touch in an edge or a vertex\n";

static const struct {
    const char *name, *usage, *text;
    size_t min_inputs, max_inputs;
    bool needs_output, camera, cleaning;
} commands[] = {
    {"generate", "IMAGE... -o OUT...",
     "Turn pictures of one object into 3D. The suffix of each -o chooses: .glb .obj .stl "
     "the mesh,\n"
     ".ply the Gaussian splats, .png a picture, .safetensors the structured latent.\n"
     "\n"
     "  -o, --output FILE  may be given several times\n"
     "  --seed N | N..M    of the noise, as the original draws it (42); several: "
     "OUT-N.glb ...\n"
     "  --noise FILE       take the noise from a .safetensors with noise_ss, noise_slat "
     "or "
     "both\n"
     "  --background B     of pictures without alpha: keep, key, or a colour RRGGBB to "
     "key out\n"
     "                     (else a plain one is keyed out, and any other is an error)\n"
     "  --save-input FILE  write what the network sees of the (first) picture\n"
     "  --multi-image M    stochastic (one picture a step) or multidiffusion (all in "
     "each)\n"
     "  --steps N --guidance W --guidance-interval LO,HI --rescale-t R\n"
     "                     of both samplers, else as pipeline.json says; --structure-... "
     "and\n"
     "                     --latent-... for one of them\n"
     "  --keep DIR         write each stage's result into DIR, with what made it\n"
     "  --from DIR         go on from the last result in DIR that these parameters made\n"
     "  --structure MESH   take the voxels of a .glb, .obj, .ply or .stl, and make "
     "latents for them\n"
     "  --voxels N         for benchmarks: whatever the structure is, go on with the "
     "shell\n"
     "                     of N voxels that `plan --voxels N` plans for\n"
     "  --guide-apart      evaluate with and without the picture one after the other: "
     "less\n"
     "                     memory, the same result\n",
     1, 8, true, true, true},
    {"decode", "LATENT.safetensors -o OUT...",
     "Turn a structured latent (tensors coords and feats) into 3D. The suffix of each -o "
     "chooses:\n"
     ".glb .obj .stl the mesh, .ply the Gaussian splats, .png a picture.\n"
     "\n"
     "  -o, --output FILE  may be given several times\n"
     "  --seed N           the latent's seed, to be written into the files\n",
     1, 1, true, true, true},
    {"render", "ASSET -o OUT.png",
     "Draw splats (.ply) or a mesh (.glb .obj .ply .stl).\n"
     "\n"
     "  -o, --output FILE  the picture\n"
     "  --turntable N      N frames around the object as OUT-000.png ..., and a sheet of "
     "them\n",
     1, 1, true, true},
    {"devices", "[--json]",
     "List the OpenCL devices and what the budget on each would be.\n", 0, 0, false,
     false},
    {"plan", "[LATENT.safetensors | --voxels N]",
     "Tell what each stage would do, in bytes and FLOP, without running it: those of "
     "`decode` for a\n"
     "latent, those of `generate` for a number of voxels.\n"
     "\n"
     "  --voxels N         what a structure of N voxels would take, a shell as objects "
     "are (10240)\n"
     "  --pictures N       what it takes from N pictures on, for a latent too (1); "
     "--steps "
     "and the\n"
     "                     like as for generate\n"
     "  --resolution N     of the latent's grid (the model's)\n"
     "  --described        plan for a device that is not here: --memory and --max-buffer "
     "tell\n"
     "  --json             as JSON\n",
     0, 1, false, false},
    {"verify", "DIR",
     "Compare golden data in DIR/io with what DIR/model makes on this device.\n", 1, 1,
     false, false},
    {"model", "[DIR | OWNER/NAME]",
     "Tell what a model directory holds, what is missing or wrong, and where that is "
     "published.\n"
     "\n"
     "  --json             as JSON\n",
     0, 1, false, false},
    {"info", "ASSET",
     "Count and measure a mesh (.glb .obj .ply .stl) or splats (.ply).\n"
     "\n"
     "  --weld             take vertices at the same place for one (always of .stl)\n"
     "  --json             as JSON\n",
     1, 1, false, false},
    {"bench", "--synthetic DIR",
     "Write a model of random weights for benchmarks: names, shapes and dtypes as "
     "published, 4.2 GB.\n"
     "What it makes is noise, in the time and memory that the published model takes.\n"
     "\n"
     "  --synthetic DIR    where to: a directory without a model, or a new one\n"
     "  --tiny             the same networks, narrow and of few blocks: 22 MB\n",
     0, 0, false, false},
    {"clean", "MESH -o OUT...",
     "Clean a mesh (.glb .obj .ply .stl) and write it. The suffix of each -o chooses.\n"
     "\n"
     "  -o, --output FILE  may be given several times\n",
     1, 1, true, false, true},
    {"convert", "ASSET -o OUT...",
     "Write a mesh (.glb .obj .ply .stl) or splats (.ply) in other formats.\n"
     "\n"
     "  -o, --output FILE  may be given several times\n",
     1, 1, true, false, false},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static int find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return (int)i;
    return -1;
}

void cli_print_help(FILE *to, const char *command)
{
    int index = command ? find_command(command) : -1;
    if (index >= 0) {
        fprintf(to, "Usage: tessella %s %s [option...]\n\n%s%s%s%s\n%s",
                commands[index].name, commands[index].usage, commands[index].text,
                commands[index].camera ? camera_help : "",
                commands[index].cleaning ? "\n" : "",
                commands[index].cleaning ? clean_help : "", common_help);
        return;
    }
    fprintf(to,
            "Tessella %s: image to 3D on any OpenCL device, in the memory you have.\n\n"
            "Usage:\n",
            tess_version());
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  tessella %s %s\n", commands[i].name, commands[i].usage);
    fprintf(to, "\n`tessella COMMAND --help` tells more.\n\n%s", common_help);
}

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

// "512M", "2GiB", "65536". 0 and what passes size_t are refused.
static bool parse_bytes(size_t *out, const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || errno || value == 0 || strchr(text, '-'))
        return false;
    unsigned shift = 0;
    for (unsigned i = 0; units[i]; i++)
        if (*end && strncasecmp(end, &units[i], 1) == 0)
            shift = 10 * (i + 1);
    if (shift) {
        end++;
        if (strcasecmp(end, "iB") == 0 || strcasecmp(end, "B") == 0)
            end = "";
    }
    if (*end || value > SIZE_MAX >> shift)
        return false;
    *out = (size_t)value << shift;
    return true;
}

static bool parse_count(uint64_t *out, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end || errno || strchr(text, '-') || value < min || value > max)
        return false;
    *out = value;
    return true;
}

static bool parse_number(float *out, const char *text, float min, float max)
{
    char *end;
    float value = strtof(text, &end);
    if (end == text || *end || !(value >= min && value <= max))
        return false;
    *out = value;
    return true;
}

static bool parse_style(enum tess_style *out, const char *text)
{
    static const char *const names[] = {[TESS_STYLE_COLOUR] = "colour",
                                        [TESS_STYLE_FLAT] = "flat",
                                        [TESS_STYLE_NORMAL] = "normal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum tess_style)i;
            return true;
        }
    return false;
}

static float radians(float degrees)
{
    return degrees * (float)(M_PI / 180);
}

// The options of pictures.
static bool parse_picture_option(struct cli *cli, int option, const char *text)
{
    struct tess_render_params *render = &cli->render;
    uint64_t count = 0;
    float number = 0;
    switch (option) {
    case OPTION_SIZE:
        if (!parse_count(&count, text, 1, 8192))
            return false;
        render->size = (uint32_t)count;
        return true;
    case OPTION_SUPERSAMPLING:
        if (!parse_count(&count, text, 1, 8))
            return false;
        render->supersampling = (uint32_t)count;
        return true;
    case OPTION_TURNTABLE:
        if (!parse_count(&count, text, 1, 1000))
            return false;
        cli->turntable = (uint32_t)count;
        return true;
    case OPTION_STYLE:
        return parse_style(&render->style, text);
    case OPTION_YAW:
        if (!parse_number(&number, text, -36000, 36000))
            return false;
        render->camera.yaw = radians(number);
        return true;
    case OPTION_PITCH:
        if (!parse_number(&number, text, -90, 90))
            return false;
        render->camera.pitch = radians(number);
        return true;
    case OPTION_RADIUS:
        return parse_number(&render->camera.radius, text, 0.01f, 1000);
    case OPTION_FOV:
        if (!parse_number(&number, text, 0.1f, 170))
            return false;
        render->camera.fov = radians(number);
        return true;
    default:
        return false;
    }
}

static bool parse_double(double *out, const char *text, const char **end, double min,
                         double max)
{
    char *stop;
    double value = strtod(text, &stop);
    *end = stop;
    if (stop == text || !(value >= min && value <= max))
        return false;
    *out = value;
    return true;
}

// N, or N..M with at most a thousand seeds.
static bool parse_seeds(struct cli *cli, const char *text)
{
    char first[32];
    const char *dots = strstr(text, "..");
    if (!dots) {
        bool good = parse_count(&cli->seed, text, 0, UINT64_MAX);
        cli->last_seed = cli->seed;
        return good;
    }
    if ((size_t)(dots - text) >= sizeof first)
        return false;
    snprintf(first, sizeof first, "%.*s", (int)(dots - text), text);
    return parse_count(&cli->seed, first, 0, UINT64_MAX) &&
           parse_count(&cli->last_seed, dots + 2, cli->seed, UINT64_MAX - 1) &&
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

// One option of the samplers, for one of them.
static bool parse_one_sampling(struct cli_sampling *to, int option, const char *text)
{
    uint64_t steps = 0;
    const char *end = text;
    switch (option) {
    case OPTION_STEPS:
        if (!parse_count(&steps, text, 1, 10000))
            return false;
        to->steps = (uint32_t)steps;
        return true;
    case OPTION_GUIDANCE:
        to->has_guidance = true;
        return parse_double(&to->guidance, text, &end, 0, 1000) && !*end;
    case OPTION_INTERVAL:
        to->has_interval = true;
        return parse_double(&to->interval[0], text, &end, 0, 1) && *end == ',' &&
               parse_double(&to->interval[1], end + 1, &end, to->interval[0], 1) && !*end;
    default:
        return parse_double(&to->rescale_t, text, &end, 1e-3, 1000) && !*end;
    }
}

// A share of faces to remove, or a number of faces to leave.
static bool parse_simplify(struct tess_clean_params *to, const char *text)
{
    const char *end;
    double share;
    uint64_t faces = 0;
    if (parse_count(&faces, text, 4, 1u << 31)) {
        to->faces = (size_t)faces;
        return true;
    }
    if (!parse_double(&share, text, &end, 0, 0.9999) || *end)
        return false;
    to->keep_faces = share == 0;
    to->share = 1 - share;
    return true;
}

static bool parse_cleaning(struct cli *cli, int option, const char *text)
{
    struct tess_clean_params *to = &cli->cleaning;
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
        if (!parse_count(&count, text, 1, 10000))
            return false;
        to->views = (size_t)count;
        return true;
    case OPTION_VIEW_SIZE:
        if (!parse_count(&count, text, 16, 8192))
            return false;
        to->view_size = (uint32_t)count;
        return true;
    case OPTION_SPECKS:
        return parse_double(&to->min_speck, text, &end, 0, 0.99) && !*end;
    case OPTION_MAX_HOLE_AREA:
        return parse_double(&to->max_hole_area, text, &end, 1e-9, 1e9) && !*end;
    case OPTION_KEEP_HOLES:
        to->keep_holes = true;
        return true;
    case OPTION_MAX_HOLE_EDGES:
        if (!parse_count(&count, text, 3, 1000))
            return false;
        to->max_hole_edges = (size_t)count;
        return true;
    default:
        to->keep_touching = true;
        return true;
    }
}

static bool parse_sampling(struct cli *cli, int option, const char *text)
{
    int which = (option - OPTION_STEPS) % 3, base = option - which;
    for (int i = 0; i < 2; i++)
        if ((which == 0 || which == i + 1) &&
            !parse_one_sampling(&cli->sampling[i], base, text))
            return false;
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
        return parse_bytes(&cli->memory, text);
    case OPTION_MAX_BUFFER:
        return parse_bytes(&cli->max_buffer, text);
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
    case OPTION_ENCODER:
        cli->encoder = text;
        return true;
    case OPTION_JSON:
        cli->json = true;
        return true;
    case OPTION_DESCRIBED:
        cli->described = true;
        return true;
    case OPTION_VOXELS:
        if (!parse_count(&count, text, 1, 1u << 30))
            return false;
        cli->voxels = (size_t)count;
        return true;
    case OPTION_RESOLUTION:
        if (!parse_count(&count, text, 1, 1024))
            return false;
        cli->resolution = (uint32_t)count;
        return true;
    case OPTION_BACKGROUND:
        return parse_background(cli, text);
    case OPTION_SAVE_INPUT:
        cli->save_input = text;
        return cli_is_picture(text);
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
    case OPTION_SYNTHETIC:
        cli->synthetic = text;
        return *text;
    case OPTION_TINY:
        cli->tiny = true;
        return true;
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
        if (!parse_count(&count, text, 1, 8))
            return false;
        cli->pictures = (size_t)count;
        return true;
    default:
        if (option >= OPTION_CLEAN && option <= OPTION_KEEP_TOUCHING)
            return parse_cleaning(cli, option, text);
        return option >= OPTION_STEPS && option < OPTION_SAMPLING_END
                   ? parse_sampling(cli, option, text)
                   : parse_picture_option(cli, option, text);
    }
}

static const char *option_name(int value)
{
    for (const struct option *option = options; option->name; option++)
        if (option->val == value)
            return option->name;
    return "?";
}

static int check_inputs(struct cli *cli, int index, int argc, char **argv)
{
    size_t count = (size_t)(argc - optind);
    if (count < commands[index].min_inputs)
        return cli_usage(cli, "%s: expected %s", cli->command, commands[index].usage);
    if (count > commands[index].max_inputs)
        return cli_usage(cli, "%s: unexpected '%s'", cli->command,
                         argv[optind + (int)commands[index].max_inputs]);
    for (size_t i = 0; i < count; i++)
        cli->inputs[cli->input_count++] = argv[optind + (int)i];
    if (commands[index].needs_output && cli->output_count == 0)
        return cli_usage(cli, "%s: expected an output, -o FILE", cli->command);
    return -1;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    cli->render.camera.yaw = radians(30);
    cli->render.camera.pitch = radians(20);
    if (argc < 2) {
        cli_print_help(stderr, NULL);
        return EXIT_USAGE;
    }
    int index = find_command(argv[1]);
    if (index >= 0) {
        cli->command = commands[index].name;
        argv++;
        argc--;
    } else if (argv[1][0] != '-') {
        return cli_usage(cli, "no command '%s'", argv[1]);
    }
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, ":o:qvh", options, NULL)) != -1) {
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
        if (!parse_option(cli, option, optarg))
            return cli_usage(cli, "option --%s: '%s' is not a value that it takes",
                             option_name(option), optarg ? optarg : "");
    }
    if (index < 0)
        return cli_usage(cli, "expected a command");
    return check_inputs(cli, index, argc, argv);
}
