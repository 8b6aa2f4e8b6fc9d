// PLY writers.
#include "io/ply.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "io/output.h"
#include "io/turn.h"

static const char *const SPLAT_PROPERTIES[] = {
    "x",       "y",      "z",      "nx",      "ny",      "nz",
    "f_dc_0",  "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1",
    "scale_2", "rot_0",  "rot_1",  "rot_2",   "rot_3",
};

enum { SPLAT_FLOATS = sizeof SPLAT_PROPERTIES / sizeof *SPLAT_PROPERTIES };

static float logit(float opacity)
{
    double o = opacity, value = log(o) - log1p(-o);
    if (!(value < TESS_PLY_MAX_LOGIT))
        value = TESS_PLY_MAX_LOGIT;
    if (value < -TESS_PLY_MAX_LOGIT)
        value = -TESS_PLY_MAX_LOGIT;
    return (float)value;
}

enum tess_status tess_ply_write_splats(const struct tess_splats *splats,
                                       struct tess_env *env, const char *path)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    tess_output_printf(output,
                       "ply\nformat binary_little_endian 1.0\nelement vertex %zu\n",
                       splats->count);
    for (int i = 0; i < SPLAT_FLOATS; i++)
        tess_output_printf(output, "property float %s\n", SPLAT_PROPERTIES[i]);
    tess_output_printf(output, "end_header\n");
    for (size_t i = 0; i < splats->count; i++) {
        const float *s = splats->scales + 3 * i;
        float row[SPLAT_FLOATS] = {0}; // normals stay 0
        tess_turn_down(row, splats->positions + 3 * i);
        memcpy(row + 6, splats->colours + 3 * i, 3 * sizeof(float));
        row[9] = logit(splats->opacities[i]);
        for (int j = 0; j < 3; j++)
            row[10 + j] = (float)log(s[j] > FLT_MIN ? s[j] : FLT_MIN);
        tess_turn_rotation_down(row + 13, splats->rotations + 4 * i);
        tess_output_write(output, row, sizeof row);
    }
    return tess_output_commit(&output, env);
}

static uint8_t to_byte(float value)
{
    return (uint8_t)(value > 0 ? value < 1 ? value * 255 + 0.5f : 255 : 0);
}

enum tess_status tess_ply_write_mesh(const struct tess_mesh *mesh, struct tess_env *env,
                                     const char *path)
{
    if (mesh->vertices > INT32_MAX)
        return tess_fail(env, TESS_ERR_WRITE, "cannot write %s: %zu vertices, PLY has %d",
                         path, mesh->vertices, INT32_MAX);
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    tess_output_printf(output,
                       "ply\nformat binary_little_endian 1.0\ncomment Tessella %s\n"
                       "element vertex %zu\nproperty float x\nproperty float y\n"
                       "property float z\n",
                       TESS_VERSION, mesh->vertices);
    if (mesh->normals)
        tess_output_printf(output, "property float nx\nproperty float ny\n"
                                   "property float nz\n");
    if (mesh->attributes)
        tess_output_printf(output, "property uchar red\nproperty uchar green\n"
                                   "property uchar blue\n");
    tess_output_printf(output,
                       "element face %zu\nproperty list uchar int vertex_indices\n"
                       "end_header\n",
                       mesh->faces);
    for (size_t i = 0; i < mesh->vertices; i++) {
        tess_output_write(output, mesh->positions + 3 * i, 3 * sizeof(float));
        if (mesh->normals)
            tess_output_write(output, mesh->normals + 3 * i, 3 * sizeof(float));
        if (mesh->attributes) {
            const float *c = mesh->attributes + 6 * i;
            const uint8_t rgb[3] = {to_byte(c[0]), to_byte(c[1]), to_byte(c[2])};
            tess_output_write(output, rgb, sizeof rgb);
        }
    }
    for (size_t i = 0; i < mesh->faces; i++) {
        uint8_t face[13] = {3};
        memcpy(face + 1, mesh->indices + 3 * i, 12);
        tess_output_write(output, face, sizeof face);
    }
    return tess_output_commit(&output, env);
}
