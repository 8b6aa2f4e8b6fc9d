// Inside src/cli: the command line's options by group. Values are checked where they are
// parsed; false means that the option does not take the value.
#ifndef TESS_CLI_OPTIONS_H
#define TESS_CLI_OPTIONS_H

#include "cli/cli.h"

enum {
    OPTION_MODEL = 256, // above all letters
    OPTION_DEVICE,
    OPTION_MEMORY,
    OPTION_MAX_BUFFER,
    OPTION_SEED,
    OPTION_REPORT,
    OPTION_CACHE_DIR,
    OPTION_KERNEL_DIR,
    OPTION_TUNING,
    OPTION_PRECISION,
    OPTION_ENCODER,
    OPTION_JSON,
    OPTION_VOXELS,
    OPTION_RESOLUTION,
    OPTION_DESCRIBED,
    OPTION_SIZE,
    OPTION_SUPERSAMPLING,
    OPTION_CHANNEL,
    OPTION_YAW,
    OPTION_PITCH,
    OPTION_RADIUS,
    OPTION_FOV,
    OPTION_TURNTABLE,
    OPTION_FPS,
    OPTION_SHEET,
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
    OPTION_SHORT,
    OPTION_SAMPLES,
    OPTION_PICTURE,
    OPTION_TUNE,
    OPTION_COMPARE,
    OPTION_UP,
    OPTION_SCALE,
    OPTION_STL_MM,
    OPTION_UNLIT,
    OPTION_CLEAN,
    OPTION_RAW,
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
    OPTION_TEXTURE,
    OPTION_TEXTURE_MODE,
    OPTION_TEXTURE_STEPS,
    OPTION_TEXTURE_FORMAT,
    OPTION_TEXTURE_VIEWS,
    OPTION_TEXTURE_VIEW_SIZE,
    OPTION_TEXTURE_GUTTER,
    // For both samplers, for the structure's, for the latents': in this order for each.
    OPTION_STEPS,
    OPTION_GUIDANCE = OPTION_STEPS + 3,
    OPTION_INTERVAL = OPTION_GUIDANCE + 3,
    OPTION_RESCALE_T = OPTION_INTERVAL + 3,
    OPTION_SAMPLING_END = OPTION_RESCALE_T + 3,
};

struct cli_command {
    const char *name, *usage, *text;
    size_t min_inputs, max_inputs;
    bool needs_output, camera, cleaning, texture, placing;
};

// NULL: there is no such command.
const struct cli_command *cli_find_command(const char *name);

// Whether a command, by its name, takes an option.
bool cli_option_fits(const char *command, int option);
// What an option's value may be, for messages.
const char *cli_option_expected(int option);

// "512M", "2GiB", "65536". 0 and what passes size_t are refused.
bool cli_parse_bytes(size_t *out, const char *text);
bool cli_parse_count(uint64_t *out, const char *text, uint64_t min, uint64_t max);
bool cli_parse_number(float *out, const char *text, float min, float max);
// *end becomes what follows the number.
bool cli_parse_double(double *out, const char *text, const char **end, double min,
                      double max);
float cli_radians(float degrees);

// The options of pictures: size, camera, channel, turntable.
bool cli_parse_render(struct cli *cli, int option, const char *text);
// The options of clean-up, OPTION_CLEAN to OPTION_KEEP_TOUCHING.
bool cli_parse_clean(struct cli *cli, int option, const char *text);
// The options of textures, OPTION_TEXTURE to OPTION_TEXTURE_GUTTER.
bool cli_parse_texture(struct cli *cli, int option, const char *text);
// The options of benchmarks, OPTION_SYNTHETIC to OPTION_COMPARE.
bool cli_parse_bench(struct cli *cli, int option, const char *text);
// How outputs are written, OPTION_UP to OPTION_UNLIT.
bool cli_parse_output(struct cli *cli, int option, const char *text);
// -1, or the exit status if two outputs, --report and --save-input included, are one
// file.
int cli_check_outputs(const struct cli *cli);
// The options of the samplers, OPTION_STEPS to OPTION_SAMPLING_END.
bool cli_parse_sampling(struct cli *cli, int option, const char *text);

#endif
