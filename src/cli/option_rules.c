// Which commands take an option, and what its value may be, as messages tell it.
#include <string.h>

#include "cli/options.h"

// Options that stand side by side in options.h; those in no group are for all commands.
static const struct {
    int first, last;
    const char *commands; // each with a space before and behind it
} groups[] = {
    {'o', 'o', " generate decode render plan clean convert bench "},
    {OPTION_SEED, OPTION_SEED, " generate decode "},
    {OPTION_JSON, OPTION_JSON, " devices plan model info bench "},
    {OPTION_VOXELS, OPTION_VOXELS, " generate plan bench "},
    {OPTION_RESOLUTION, OPTION_DESCRIBED, " plan "},
    {OPTION_SIZE, OPTION_SHEET, " generate decode render plan "},
    {OPTION_BACKGROUND, OPTION_STRUCTURE, " generate "},
    {OPTION_MULTI_IMAGE, OPTION_GUIDE_APART, " generate plan "},
    {OPTION_NOISE, OPTION_NOISE, " generate "},
    {OPTION_PICTURES, OPTION_PICTURES, " plan "},
    {OPTION_WELD, OPTION_WELD, " info "},
    {OPTION_SYNTHETIC, OPTION_COMPARE, " bench "},
    {OPTION_UP, OPTION_UNLIT, " generate decode clean convert "},
    {OPTION_CLEAN, OPTION_KEEP_TOUCHING, " generate decode plan clean "},
    {OPTION_TEXTURE, OPTION_TEXTURE_GUTTER, " generate decode plan "},
    {OPTION_STEPS, OPTION_SAMPLING_END - 1, " generate plan bench "},
};

// The limits are those of the parsers; a test tries them.
static const struct {
    int option;
    const char *expected;
} values[] = {
    {'o', "at most 16 of them"},
    {OPTION_MEMORY, "bytes, as 65536, 512M or 2G"},
    {OPTION_MAX_BUFFER, "bytes, as 65536, 512M or 2G"},
    {OPTION_TUNING, "a file, or none"},
    {OPTION_PRECISION, "full or fast"},
    {OPTION_SEED, "a whole number, or N..M with at most 1000"},
    {OPTION_JSON, "a file"},
    {OPTION_VOXELS, "1 to 1073741824"},
    {OPTION_RESOLUTION, "1 to 1024"},
    {OPTION_SIZE, "1 to 8192"},
    {OPTION_SUPERSAMPLING, "1 to 8"},
    {OPTION_CHANNEL, "colour, flat, normal, depth or alpha"},
    {OPTION_YAW, "-36000 to 36000"},
    {OPTION_PITCH, "-90 to 90"},
    {OPTION_RADIUS, "0.01 to 1000"},
    {OPTION_FOV, "0.1 to 170"},
    {OPTION_TURNTABLE, "1 to 1000"},
    {OPTION_FPS, "1 to 100"},
    {OPTION_BACKGROUND, "keep, key or a colour as ffffff"},
    {OPTION_SAVE_INPUT, "a file with the suffix .png"},
    {OPTION_MULTI_IMAGE, "stochastic or multidiffusion"},
    {OPTION_PICTURES, "1 to 8"},
    {OPTION_SYNTHETIC, "a directory"},
    {OPTION_SAMPLES, "1 to 32"},
    {OPTION_PICTURE, "a file with the suffix .png"},
    {OPTION_UP, "y or z"},
    {OPTION_SCALE, "0.000001 to 1000000"},
    {OPTION_STL_MM, "0.000001 to 1000000"},
    {OPTION_SIMPLIFY, "a share from 0 to 0.9999, or a number of faces from 4 on"},
    {OPTION_VIEWS, "1 to 10000"},
    {OPTION_VIEW_SIZE, "16 to 8192"},
    {OPTION_MAX_HOLE_AREA, "0.000000001 to 1000000000"},
    {OPTION_SPECKS, "0 to 0.99"},
    {OPTION_MAX_HOLE_EDGES, "3 to 1000"},
    {OPTION_TEXTURE, "a power of two, 16 to 8192"},
    {OPTION_TEXTURE_MODE, "fast or opt"},
    {OPTION_TEXTURE_STEPS, "1 to 100000"},
    {OPTION_TEXTURE_FORMAT, "png or jpeg"},
    {OPTION_TEXTURE_VIEWS, "1 to 10000"},
    {OPTION_TEXTURE_VIEW_SIZE, "16 to 8192"},
    {OPTION_TEXTURE_GUTTER, "a power of two, 1 to 2048"},
    {OPTION_STEPS, "1 to 10000"},
    {OPTION_GUIDANCE, "0 to 1000"},
    {OPTION_INTERVAL, "LO,HI with 0 <= LO <= HI <= 1"},
    {OPTION_RESCALE_T, "0.001 to 1000"},
};

bool cli_option_fits(const char *command, int option)
{
    char name[32];
    snprintf(name, sizeof name, " %s ", command);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (option >= groups[i].first && option <= groups[i].last)
            return strstr(groups[i].commands, name) != NULL;
    return true;
}

const char *cli_option_expected(int option)
{
    if (option >= OPTION_STEPS && option < OPTION_SAMPLING_END)
        option -= (option - OPTION_STEPS) % 3; // of one sampler
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].option == option)
            return values[i].expected;
    return "another value";
}
