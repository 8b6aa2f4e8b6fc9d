// .splat files, both ways.
#include "io/splat_file.h"

#include <math.h>
#include <string.h>

#include "io/input.h"
#include "io/output.h"
#include "io/turn.h"

enum { ROW_BYTES = 32, SCALE = 12, COLOUR = 24, ROTATION = 28 };

static uint8_t to_byte(double value)
{
    return (uint8_t)(value > 0 ? value < 255 ? value + 0.5 : 255 : 0);
}

static void pack(uint8_t *row, const struct tess_splats *splats, size_t index)
{
    float position[3], rotation[4];
    tess_turn_down(position, splats->positions + 3 * index);
    tess_turn_rotation_down(rotation, splats->rotations + 4 * index);
    memcpy(row, position, sizeof position);
    memcpy(row + SCALE, splats->scales + 3 * index, 3 * sizeof(float));
    for (int j = 0; j < 3; j++)
        row[COLOUR + j] =
            to_byte(255 * (0.5 + TESS_SH_DC * (double)splats->colours[3 * index + j]));
    row[COLOUR + 3] = to_byte(255 * (double)splats->opacities[index]);
    for (int j = 0; j < 4; j++)
        row[ROTATION + j] = to_byte(128 + 128 * (double)rotation[j]);
}

enum tess_status tess_splat_file_write(const struct tess_splats *splats,
                                       struct tess_env *env, const char *path)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    for (size_t i = 0; i < splats->count; i++) {
        uint8_t row[ROW_BYTES];
        pack(row, splats, i);
        tess_output_write(output, row, sizeof row);
    }
    return tess_output_commit(&output, env);
}

// What is wrong with a row, or NULL.
static const char *unpack(struct tess_splats *splats, size_t index, const uint8_t *row)
{
    float position[3], rotation[4], *scale = splats->scales + 3 * index;
    memcpy(position, row, sizeof position);
    memcpy(scale, row + SCALE, 3 * sizeof(float));
    for (int j = 0; j < 3; j++) {
        if (!isfinite(position[j]))
            return "its position (bytes 0 to 11) is not finite";
        if (!(isfinite(scale[j]) && scale[j] >= 0))
            return "its scale (bytes 12 to 23) is negative or not finite";
        splats->colours[3 * index + j] =
            (float)((row[COLOUR + j] / 255.0 - 0.5) / TESS_SH_DC);
    }
    splats->opacities[index] = row[COLOUR + 3] / 255.0f;
    for (int j = 0; j < 4; j++)
        rotation[j] = (float)(row[ROTATION + j] - 128) / 128;
    tess_turn_up(splats->positions + 3 * index, position);
    if (!tess_turn_rotation_up(splats->rotations + 4 * index, rotation))
        return "its rotation (bytes 28 to 31) is 0";
    return NULL;
}

static enum tess_status read_rows(struct tess_splats *splats, struct tess_env *env,
                                  const char *path, const struct tess_input *input)
{
    if (input->bytes == 0 || input->bytes % ROW_BYTES)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: %zu bytes, expected a multiple of %d: 32 bytes a splat",
                         path, input->bytes, ROW_BYTES);
    TESS_TRY(tess_splats_create(splats, env, input->bytes / ROW_BYTES));
    for (size_t i = 0; i < splats->count; i++) {
        const char *wrong = unpack(splats, i, input->data + i * ROW_BYTES);
        if (wrong)
            return tess_fail(env, TESS_ERR_FILE, "%s: splat %zu: %s", path, i, wrong);
    }
    return TESS_OK;
}

enum tess_status tess_splat_file_read(struct tess_splats *out, struct tess_env *env,
                                      const char *path)
{
    struct tess_input input = {0};
    struct tess_splats splats = {0};
    TESS_TRY(tess_input_map(&input, env, path));
    enum tess_status status = read_rows(&splats, env, path, &input);
    tess_input_close(&input);
    if (status) {
        tess_splats_clear(&splats);
        return status;
    }
    *out = splats;
    return TESS_OK;
}
