// Radiance fields in safetensors files.
#include "io/radiance.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/coords.h"
#include "io/safetensors.h"

#define MAX_METADATA 8

enum { COORDS, TRIVEC, DENSITY, FEATURES, TENSORS };

static void describe(struct tess_file_tensor tensors[TENSORS],
                     const struct tess_radiance *field)
{
    size_t N = field->voxels, R = field->rank;
    tensors[TRIVEC] = (struct tess_file_tensor){.name = "trivec",
                                                .dtype = TESS_F32,
                                                .dims = 4,
                                                .shape = {N, R, 3, field->dim},
                                                .data = field->vectors};
    tensors[DENSITY] = (struct tess_file_tensor){.name = "density",
                                                 .dtype = TESS_F32,
                                                 .dims = 2,
                                                 .shape = {N, R},
                                                 .data = field->densities};
    tensors[FEATURES] = (struct tess_file_tensor){.name = "features_dc",
                                                  .dtype = TESS_F32,
                                                  .dims = 3,
                                                  .shape = {N, R, 3},
                                                  .data = field->colours};
}

enum tess_status tess_radiance_write(const struct tess_radiance *field,
                                     struct tess_env *env, const char *path,
                                     const struct tess_metadata *metadata, size_t count)
{
    char resolution[16];
    struct tess_metadata all[MAX_METADATA] = {{"resolution", resolution}};
    if (count >= MAX_METADATA)
        count = MAX_METADATA - 1;
    memcpy(all + 1, metadata, count * sizeof *all);
    snprintf(resolution, sizeof resolution, "%" PRIu32, field->resolution);
    int32_t *rows = NULL;
    struct tess_file_tensor tensors[TENSORS];
    TESS_TRY(
        tess_coords_tensor(&tensors[COORDS], &rows, env, field->coords, field->voxels));
    describe(tensors, field);
    enum tess_status status =
        tess_safetensors_write(env, path, tensors, TENSORS, all, count + 1);
    free(rows);
    return status;
}

static enum tess_status read_resolution(uint32_t *out, struct tess_env *env,
                                        const struct tess_safetensors *file)
{
    const char *text = tess_safetensors_metadata(file, "resolution");
    char *end = NULL;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || *text < '1' || *text > '9' || *end || value > TESS_COORDS_MAX_RESOLUTION)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: __metadata__ field resolution is '%.40s', expected 1..%d",
                         tess_safetensors_path(file), text ? text : "",
                         TESS_COORDS_MAX_RESOLUTION);
    *out = (uint32_t)value;
    return TESS_OK;
}

static enum tess_status find_tensors(const struct tess_file_tensor *tensors[TENSORS],
                                     struct tess_env *env,
                                     const struct tess_safetensors *file)
{
    const char *path = tess_safetensors_path(file);
    TESS_TRY(tess_safetensors_require(&tensors[COORDS], file, env, "coords",
                                      1u << TESS_I32, 2, (const size_t[]){0, 4}));
    TESS_TRY(tess_coords_check_count(env, path, tensors[COORDS]));
    size_t N = tensors[COORDS]->shape[0];
    TESS_TRY(tess_safetensors_require(&tensors[TRIVEC], file, env, "trivec",
                                      1u << TESS_F32, 4, (const size_t[]){N, 0, 3, 0}));
    size_t R = tensors[TRIVEC]->shape[1], D = tensors[TRIVEC]->shape[3];
    if (R == 0 || R > TESS_RADIANCE_MAX_RANK || D < 2 || D > TESS_RADIANCE_MAX_DIM)
        return tess_fail(
            env, TESS_ERR_FILE,
            "%s: tensor trivec is F32 [%zu,%zu,3,%zu], expected [%zu,1..%d,3,2..%d]",
            path, N, R, D, N, TESS_RADIANCE_MAX_RANK, TESS_RADIANCE_MAX_DIM);
    TESS_TRY(tess_safetensors_require(&tensors[DENSITY], file, env, "density",
                                      1u << TESS_F32, 2, (const size_t[]){N, R}));
    TESS_TRY(tess_safetensors_require(&tensors[FEATURES], file, env, "features_dc",
                                      1u << TESS_F32, 3, (const size_t[]){N, R, 3}));
    for (size_t i = 0; i < tess_safetensors_count(file); i++) {
        const struct tess_file_tensor *tensor = tess_safetensors_at(file, i);
        bool known = false;
        for (int k = 0; k < TENSORS; k++)
            known |= tensor == tensors[k];
        if (!known)
            return tess_fail(
                env, TESS_ERR_FILE,
                "%s: tensor %.200s is not part of a radiance field, expected "
                "coords, trivec, density and features_dc only",
                path, tensor->name);
    }
    return TESS_OK;
}

static enum tess_status read_floats(float *to, struct tess_env *env, const char *path,
                                    const struct tess_file_tensor *tensor)
{
    tess_file_tensor_floats(to, tensor);
    size_t columns = tensor->elements / tensor->shape[0];
    for (size_t i = 0; i < tensor->elements; i++)
        if (!isfinite(to[i]))
            return tess_fail(env, TESS_ERR_FILE,
                             "%s: tensor %s row %zu element %zu is %g, expected a finite "
                             "number",
                             path, tensor->name, i / columns, i % columns, (double)to[i]);
    return TESS_OK;
}

static enum tess_status fill(struct tess_radiance *field, struct tess_env *env,
                             const char *path,
                             const struct tess_file_tensor *const tensors[TENSORS])
{
    TESS_TRY(
        tess_coords_read(field->coords, env, path, tensors[COORDS], field->resolution));
    TESS_TRY(read_floats(field->vectors, env, path, tensors[TRIVEC]));
    TESS_TRY(read_floats(field->densities, env, path, tensors[DENSITY]));
    return read_floats(field->colours, env, path, tensors[FEATURES]);
}

static enum tess_status read_file(struct tess_radiance *out, struct tess_env *env,
                                  const struct tess_safetensors *file)
{
    const struct tess_file_tensor *tensors[TENSORS];
    uint32_t resolution = 0;
    TESS_TRY(find_tensors(tensors, env, file));
    TESS_TRY(read_resolution(&resolution, env, file));
    struct tess_radiance field;
    TESS_TRY(tess_radiance_create(&field, env, tensors[COORDS]->shape[0], resolution,
                                  (uint32_t)tensors[TRIVEC]->shape[1],
                                  (uint32_t)tensors[TRIVEC]->shape[3]));
    enum tess_status status = fill(&field, env, tess_safetensors_path(file), tensors);
    if (status)
        tess_radiance_clear(&field);
    else
        *out = field;
    return status;
}

enum tess_status tess_radiance_read(struct tess_radiance *out, struct tess_env *env,
                                    const char *path)
{
    struct tess_safetensors *file = NULL;
    TESS_TRY(tess_safetensors_open(&file, env, path));
    enum tess_status status = read_file(out, env, file);
    tess_safetensors_close(&file);
    return status;
}
