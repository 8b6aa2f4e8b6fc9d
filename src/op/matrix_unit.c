// Trying a matrix unit: 16 x 16 small whole numbers, whose products are exact in any
// order.
#include "op/matrix_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE   16
#define VALUES (SIZE * SIZE)

struct trial {
    enum tess_matrix_unit unit;
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
            if (trial->out[i * SIZE + j] != start + 2 * sum)
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

static enum tess_matrix_unit named_unit(const struct tess_device *dev)
{
    const char *name = getenv("TESSELLA_MATRIX_UNIT");
    for (int i = 0; name && i < TESS_UNIT_COUNT; i++)
        if (strcmp(name, tess_matrix_unit_name((enum tess_matrix_unit)i)) == 0)
            return (enum tess_matrix_unit)i;
    return tess_matrix_unit_expected(dev);
}

enum tess_status tess_matrix_unit_choose(struct tess_device *dev,
                                         const struct tess_budget *budget)
{
    struct tess_env *env = tess_device_env(dev);
    const char *device = tess_device_facts(dev)->name;
    struct trial trial = {.unit = named_unit(dev)};
    struct tess_stage_report report;
    struct tess_counters none;
    const char *name = tess_matrix_unit_name(trial.unit);
    tess_device_set_unit(dev, TESS_UNIT_NONE);
    if (trial.unit == TESS_UNIT_NONE || tess_device_dry(dev)) {
        tess_log(
            env, TESS_LOG_INFO,
            "precision fast: %s has no matrix unit that is known here, so everything "
            "is made in full precision",
            device);
        return TESS_OK;
    }
    fill(&trial);
    enum tess_status status =
        tess_stage_run(&report, dev, budget, "matrix unit", run_trial, &trial);
    if (status == TESS_ERR_DEVICE) {
        tess_log(env, TESS_LOG_INFO,
                 "precision fast: the matrix unit %s of %s cannot be used, so everything "
                 "is made in full precision: %s",
                 name, device, env->message);
        env->message[0] = '\0';
        return TESS_OK;
    }
    TESS_TRY(status);
    TESS_TRY(tess_device_take_counters(dev, &none)); // no stage's
    if (!is_right(&trial)) {
        tess_log(env, TESS_LOG_WARNING,
                 "precision fast: the matrix unit %s of %s gives wrong results and is "
                 "not used",
                 name, device);
        return TESS_OK;
    }
    tess_log(env, TESS_LOG_INFO,
             "precision fast: products and attention by the matrix unit %s", name);
    tess_device_set_unit(dev, trial.unit);
    return TESS_OK;
}
