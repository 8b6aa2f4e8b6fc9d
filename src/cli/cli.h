// Inside src/cli: what the commands share. They use the public API only.
#ifndef TESS_CLI_H
#define TESS_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "tessella.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INPUT = 3, EXIT_DEVICE = 4 };

#define CLI_OUTPUTS_MAX 16
#define CLI_ASSETS_MAX  8

// Every option of every command; a command says which it takes by the letters below.
struct cli {
    const char *command;
    const char *model, *device, *cache_dir, *kernel_dir, *report, *encoder, *tuning;
    const char *outputs[CLI_OUTPUTS_MAX];
    size_t output_count;
    const char *inputs[8]; // what is left of the command line
    size_t input_count;
    enum tess_precision precision;
    size_t memory, max_buffer, voxels;
    uint32_t resolution;
    uint32_t turntable, fps; // frames; 0: not asked for
    bool is_sheet;           // pictures show all representations
    bool has_seed, json, quiet, described, weld;
    uint64_t seed;
    int verbose;
    struct tess_render_params render;
    uint64_t last_seed; // --seed FIRST..LAST
    enum tess_background_mode background;
    uint8_t background_colour[3];
    const char *save_input, *keep, *from, *structure;
    bool multi_diffusion, guide_apart;
    // Of the structure's sampler and of the latents'.
    struct cli_sampling {
        uint32_t steps;
        bool has_guidance, has_interval;
        double guidance, interval[2], rescale_t;
    } sampling[2];
    const char *noise;
    const char *synthetic; // where to
    bool tiny, brief;
    uint32_t samples;
    const char *json_file, *picture; // of `bench`
    bool compare, tune;
    bool tells_stages; // of a command that takes long
    size_t pictures;   // to plan for; 0: no generation
    bool raw;          // meshes are not cleaned
    bool clean;        // an option of clean-up was given
    struct tess_clean_params cleaning;
    bool texture;      // of meshes, from splats, as `baking` says
    bool fast_texture; // its mode was given as that
    struct tess_bake_params baking;
    struct tess_save_params saving; // how assets are written
    struct tess_context *ctx;
    bool progress_shown; // a line of progress stands on the terminal
};

// Command line to `cli`. Returns -1 to go on, else an exit status: help was asked for, or
// a usage error was told.
int cli_parse(struct cli *cli, int argc, char **argv);
void cli_print_help(FILE *to, const char *command);

// Each returns an exit status.
int cli_generate(struct cli *cli);
int cli_decode(struct cli *cli);
// For pages and --sheet of pictures, which show all that the model has: or that into
// *representations.
void cli_choose_shown(unsigned *representations, const struct cli *cli,
                      const struct tess_model *model);
// What the outputs need, or-ed into *representations; those of latents need none. Returns
// an exit status for a suffix that is not known, else -1.
int cli_choose(unsigned *representations, const struct cli *cli, bool latents);
// Whether options contradict each other: --raw and other ones of clean-up. Returns an
// exit status, or -1 to go on.
int cli_check_cleaning(const struct cli *cli);
// What follows decoding, for outputs that are made of `representations`: params of *cli.
struct tess_finish cli_finish(const struct cli *cli, unsigned representations);
// Decode a latent and write all outputs.
int cli_decode_latent(struct cli *cli, struct tess_model *model,
                      const struct tess_latent *latent, unsigned representations);
struct tess_sampling cli_sampling(const struct cli_sampling *asked);
// Device, budget, peak, seconds per stage.
void cli_summarise(struct cli *cli);
bool cli_is_latent(const char *path);
int cli_render(struct cli *cli);
int cli_devices(struct cli *cli);
int cli_plan(struct cli *cli);
int cli_verify(struct cli *cli);
int cli_model(struct cli *cli);
int cli_info(struct cli *cli);
int cli_bench(struct cli *cli);
int cli_clean(struct cli *cli);
int cli_convert(struct cli *cli);
// What outputs are made of, by their suffixes; may be the same.
struct cli_assets {
    const struct tess_asset *mesh, *textured, *splats;
};

// Write the outputs that are assets.
int cli_save_assets(struct cli *cli, const struct cli_assets *assets);

// Open the context that the options ask for, where SIGINT and SIGTERM cancel it.
int cli_open(struct cli *cli);
// Write --report, if asked for, and close. Returns `status`, or what a failure here makes
// of it.
int cli_close(struct cli *cli, int status);

// Tell the context's message and return the exit status that goes with `status`.
int cli_fail(struct cli *cli, enum tess_status status);
// A mistake in the command line.
__attribute__((format(printf, 2, 3))) int cli_usage(const struct cli *cli,
                                                    const char *format, ...);
int cli_exit_status(enum tess_status status);

// The model directory: --model, TESSELLA_MODEL, or the demo model that was installed.
const char *cli_model_path(const struct cli *cli);

// Progress on standard error, if that is a terminal.
tess_log_fn cli_log;
tess_progress_fn cli_progress;
void cli_clear_progress(struct cli *cli);

// Whether a path has a suffix, in any case, and more before it.
bool cli_ends_with(const char *path, const char *suffix);

// "12.5 MiB", "3.1 GFLOP" into text[size]; returns text.
char *cli_bytes(char *text, size_t size, uint64_t bytes);
char *cli_flop(char *text, size_t size, double flop);

// Write `text` and a newline into a file that appears whole or not at all.
int cli_write_text(struct cli *cli, const char *path, const char *text);

// What a sheet shows of an asset.
struct cli_shown {
    const struct tess_asset *asset;
    unsigned representations; // or-ed, those that it has not are left out
};

// Pictures into PATH: one, or a turntable's frames PATH-NNN.png and their sheet PATH; or
// a turntable as an animation. Of the first asset; of all for --sheet. 1 <= count <=
// CLI_ASSETS_MAX.
int cli_save_pictures(struct cli *cli, const struct cli_shown *shown, size_t count,
                      const char *path);
// Only draw what is one file, into *out. What is several is written, too; *out stays
// NULL.
int cli_draw_pictures(struct tess_image **out, struct cli *cli,
                      const struct cli_shown *shown, size_t count, const char *path);
bool cli_is_picture(const char *path); // animations too
bool cli_is_animation(const char *path);

#endif
