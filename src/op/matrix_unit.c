// Trying a matrix unit: 16 x 16 small whole numbers, whose products are exact in any
// order, also when they are cut to bfloat16. Where the left ones are quantised, so that
// they become fractions, results are whole numbers to the nearest.
#include "op/matrix_unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op/matmul.h"

#define SIZE   16
#define VALUES (SIZE * SIZE)
// As in cl/pieces.clh.
#define PIECE_TILE 512
#define PIECES_MAX 3

struct trial {
    enum tess_matrix_unit unit;
    bool once; // the plain product, by the kernel of products
    float left[VALUES], right[VALUES], out[VALUES]; // [i][k], [j][k], [i][j]
};

static void fill(struct trial *trial)
{
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++) {
            trial->left[i * SIZE + k] = (float)((5 * i + 3 * k + i * k) % 13 - 6);
            trial->right[i * SIZE + k] = (float)((2 * i + 7 * k + i * i) % 11 - 5);
        }
}

static bool is_right(const struct trial *trial)
{
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            float sum = 0;
            for (int k = 0; k < SIZE; k++)
                sum += trial->left[i * SIZE + k] * trial->right[j * SIZE + k];
            float start = trial->left[i * SIZE] * trial->right[i * SIZE + j];
            float out = trial->out[i * SIZE + j];
            if (tess_matrix_unit_factors(trial->unit) == TESS_FACTORS_QUANTISED)
                out = rintf(out);
            if (out != (trial->once ? sum : start + 2 * sum))
                return false;
        }
    return true;
}

static enum tess_status keep_rows(void *user, size_t row0, size_t rows, const void *data)
{
    struct trial *trial = user;
    memcpy(trial->out + row0 * SIZE, data, rows * SIZE * sizeof(float));
    return TESS_OK;
}

// The right factor as a weight of one panel and one block. Whole numbers are one piece,
// the others are zero; quantised, they have the scale 1.
static void fill_block(uint16_t *block, const struct trial *trial, bool quantised)
{
    const float one = 1;
    for (size_t n = 0; n < SIZE; n++)
        for (size_t k = 0; k < SIZE; k++) {
            float value = trial->right[n * SIZE + k];
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            block[(k % 16 * SIZE + n) * 2 + k / 16] =
                (uint16_t)(quantised ? (uint32_t)(int32_t)value : bits >> 16);
        }
    for (size_t n = 0; quantised && n < 2 * SIZE; n++)
        memcpy(&block[2 * PIECE_TILE + 2 * n], &one, sizeof one);
}

// By the kernel of products itself, with the device's unit set.
static enum tess_status run_product(struct tess_stage *stage, void *user)
{
    struct trial *trial = user;
    uint16_t block[PIECES_MAX * 2 * PIECE_TILE] = {0};
    struct tess_mat left, right, out;
    struct tess_weight weight = {.part_count = 1,
                                 .part_outputs = 2 * SIZE,
                                 .dtype = TESS_F32,
                                 .layout = TESS_WEIGHT_MATRIX,
                                 .factors = tess_matrix_unit_factors(trial->unit),
                                 .outputs = SIZE,
                                 .inputs = SIZE,
                                 .pieces = tess_matrix_unit_pieces(trial->unit)};
    trial->once = true;
    fill_block(block, trial, weight.factors == TESS_FACTORS_QUANTISED);
    TESS_TRY(tess_mat_take(&left, stage, SIZE, SIZE, TESS_F32, "trial"));
    TESS_TRY(tess_mat_take(&right, stage, 1, sizeof block, TESS_U8, "trial"));
    TESS_TRY(tess_mat_take(&out, stage, SIZE, SIZE, TESS_F32, "trial"));
    TESS_TRY(tess_mat_write(stage, left, trial->left));
    TESS_TRY(tess_mat_write(stage, right, block));
    weight.parts[0] = right.data;
    TESS_TRY(tess_matmul(
        stage,
        &(struct tess_matmul){.out = out, .in = left, .weight = &weight, .rows = SIZE}));
    return tess_mat_deliver(stage, out, 0, keep_rows, trial);
}

static enum tess_status run_trial(struct tess_stage *stage, void *user)
{
    struct trial *trial = user;
    struct tess_mat left, right, out;
    char defines[48];
    snprintf(defines, sizeof defines, "-DUNIT=%d", (int)trial->unit - 1);
    TESS_TRY(tess_mat_take(&left, stage, SIZE, SIZE, TESS_F32, "trial"));
    TESS_TRY(tess_mat_take(&right, stage, SIZE, SIZE, TESS_F32, "trial"));
    TESS_TRY(tess_mat_take(&out, stage, SIZE, SIZE, TESS_F32, "trial"));
    TESS_TRY(tess_mat_write(stage, left, trial->left));
    TESS_TRY(tess_mat_write(stage, right, trial->right));
    size_t lanes = tess_matrix_unit_lanes(trial->unit);
    TESS_TRY(tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "matrix_unit",
            .kernel = "try_unit",
            .defines = defines,
            .global = {lanes},
            .local = {lanes, 1, 1},
            .args = {TESS_SLICE(out.data), TESS_SLICE(left.data), TESS_SLICE(right.data)},
        }));
    return tess_mat_deliver(stage, out, 0, keep_rows, trial);
}

// What the CPU does not have is not to be tried: instructions, not compilers, would fail.
static enum tess_matrix_unit named_unit(const struct tess_device *dev, bool fast)
{
    const char *name = getenv("TESSELLA_MATRIX_UNIT");
    enum tess_matrix_unit expected = tess_matrix_unit_expected(dev, fast);
    for (int i = 0; name && i < TESS_UNIT_COUNT; i++) {
        enum tess_matrix_unit unit = (enum tess_matrix_unit)i;
        if (strcmp(name, tess_matrix_unit_name(unit)) == 0 &&
            (fast || !unit || tess_matrix_unit_pieces(unit) == 3) &&
            (!tess_matrix_unit_is_amx(unit) || tess_matrix_unit_is_amx(expected)) &&
            (tess_matrix_unit_factors(unit) != TESS_FACTORS_QUANTISED ||
             tess_device_has_integers(dev, unit)))
            return unit;
    }
    return expected;
}

static enum tess_status run_once(struct trial *trial, struct tess_device *dev,
                                 const struct tess_budget *budget)
{
    struct tess_stage_report report;
    return tess_stage_run(&report, dev, budget, "matrix unit",
                          tess_matrix_unit_factors(trial->unit) == TESS_FACTORS_HALVES
                              ? run_trial
                              : run_product,
                          trial);
}

// The unit has to give the product to the bit.
static enum tess_status try_unit(bool *works, struct tess_device *dev,
                                 const struct tess_budget *budget,
                                 enum tess_matrix_unit unit)
{
    struct tess_env *env = tess_device_env(dev);
    const char *device = tess_device_facts(dev)->name,
               *name = tess_matrix_unit_name(unit);
    struct trial trial = {.unit = unit};
    struct tess_counters none;
    fill(&trial);
    tess_device_set_unit(dev, unit);
    enum tess_status status = run_once(&trial, dev, budget);
    // A failure may be a passing one, of memory say, and what is decided here decides
    // what results are.
    if (status == TESS_ERR_DEVICE || status == TESS_ERR_BUDGET) {
        tess_log(env, TESS_LOG_WARNING, "%s; going on with another trial of the unit %s",
                 env->message, name);
        status = run_once(&trial, dev, budget);
    }
    tess_device_set_unit(dev, TESS_UNIT_NONE);
    if (status == TESS_ERR_DEVICE) {
        tess_log(env, TESS_LOG_INFO,
                 "the matrix unit %s of %s cannot be used, so products are made without "
                 "it: %s",
                 name, device, env->message);
        env->message[0] = '\0';
        return TESS_OK;
    }
    TESS_TRY(status);
    env->message[0] = '\0';                          // of an attempt
    TESS_TRY(tess_device_take_counters(dev, &none)); // no stage's
    *works = is_right(&trial);
    if (!*works)
        tess_log(env, TESS_LOG_WARNING,
                 "the matrix unit %s of %s gives wrong results and is not used", name,
                 device);
    return TESS_OK;
}

enum tess_status tess_matrix_unit_choose(struct tess_device *dev,
                                         const struct tess_budget *budget, bool fast)
{
    struct tess_env *env = tess_device_env(dev);
    enum tess_matrix_unit unit =
        tess_device_dry(dev) ? TESS_UNIT_NONE : named_unit(dev, fast);
    bool works = false;
    tess_device_set_unit(dev, TESS_UNIT_NONE);
    if (unit)
        TESS_TRY(try_unit(&works, dev, budget, unit));
    else if (fast)
        tess_log(
            env, TESS_LOG_INFO,
            "precision fast: %s has no matrix unit that is known here, so everything "
            "is made in full precision",
            tess_device_facts(dev)->name);
    if (!works)
        return TESS_OK;
    tess_log(env, fast ? TESS_LOG_INFO : TESS_LOG_DEBUG,
             "products and attention by the matrix unit %s", tess_matrix_unit_name(unit));
    tess_device_set_unit(dev, unit);
    return TESS_OK;
}
