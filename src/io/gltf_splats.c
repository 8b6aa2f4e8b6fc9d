// GLB writer for Gaussian splats: positions f32 [N][3], colours of the points u16 [N][4],
// rotations f32 [N][4], scales f32 [N][3], opacities f32 [N], coefficients f32 [N][3].
#include "io/gltf_splats.h"

#include <cjson/cJSON.h>

#include "io/glb.h"
#include "io/glb_write.h"
#include "io/turn.h"

static void add_splats(struct tess_glb_writer *writer, const struct tess_splats *splats)
{
    size_t N = splats->count;
    tess_glb_add_primitive(writer);
    tess_glb_add_positions(writer, splats->positions, N);
    tess_glb_add_colours(writer, N);
    tess_glb_add_attribute(writer, TESS_GLTF_SPLATS ":ROTATION", TESS_GLB_FLOAT, "VEC4",
                           N, 4 * sizeof(float));
    tess_glb_add_attribute(writer, TESS_GLTF_SPLATS ":SCALE", TESS_GLB_FLOAT, "VEC3", N,
                           3 * sizeof(float));
    tess_glb_add_attribute(writer, TESS_GLTF_SPLATS ":OPACITY", TESS_GLB_FLOAT, "SCALAR",
                           N, sizeof(float));
    tess_glb_add_attribute(writer, TESS_GLTF_SPLATS ":SH_DEGREE_0_COEF_0", TESS_GLB_FLOAT,
                           "VEC3", N, 3 * sizeof(float));
    cJSON_AddNumberToObject(writer->primitive, "mode", 0); // points
    cJSON *extensions = cJSON_AddObjectToObject(writer->primitive, "extensions");
    cJSON *extension = cJSON_AddObjectToObject(extensions, TESS_GLTF_SPLATS);
    cJSON_AddStringToObject(extension, "kernel", "ellipse");
    cJSON_AddStringToObject(extension, "colorSpace", "srgb_rec709_display");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(writer->root, "extensionsUsed"),
                         cJSON_CreateString(TESS_GLTF_SPLATS));
}

static void write_point_colours(struct tess_output *output,
                                const struct tess_splats *splats)
{
    for (size_t i = 0; i < splats->count; i++) {
        double rgba[4];
        for (size_t j = 0; j < 3; j++)
            rgba[j] = 0.5 + TESS_SH_DC * (double)splats->colours[3 * i + j];
        rgba[3] = splats->opacities[i];
        tess_glb_write_colour(output, rgba);
    }
}

static void write_rotations(struct tess_output *output, const struct tess_splats *splats)
{
    for (size_t i = 0; i < splats->count; i++) {
        float q[4];
        tess_turn_rotation_up(q, splats->rotations + 4 * i);
        const float xyzw[4] = {q[1], q[2], q[3], q[0]};
        tess_output_write(output, xyzw, sizeof xyzw);
    }
}

static void write_opacities(struct tess_output *output, const struct tess_splats *splats)
{
    for (size_t i = 0; i < splats->count; i++) {
        float o = splats->opacities[i];
        o = o > 0 ? o < 1 ? o : 1 : 0;
        tess_output_write(output, &o, sizeof o);
    }
}

enum tess_status tess_gltf_write_splats(const struct tess_splats *splats,
                                        struct tess_env *env, const char *path,
                                        const struct tess_metadata *metadata,
                                        size_t count)
{
    struct tess_glb_writer writer = {0};
    struct tess_output *output = NULL;
    tess_glb_start(&writer, metadata, count);
    if (splats->count)
        add_splats(&writer, splats);
    TESS_TRY(tess_glb_begin(&output, &writer, env, path));
    tess_glb_write_positions(output, splats->positions, splats->count);
    write_point_colours(output, splats);
    write_rotations(output, splats);
    tess_output_write(output, splats->scales, 3 * splats->count * sizeof(float));
    write_opacities(output, splats);
    tess_output_write(output, splats->colours, 3 * splats->count * sizeof(float));
    return tess_output_commit(&output, env);
}
