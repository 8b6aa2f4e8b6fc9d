// GLB writer for Gaussian splats: positions f32 [N][3], colours of the points u16 [N][4],
// rotations f32 [N][4], scales f32 [N][3], opacities f32 [N], coefficients f32 [N][3].
#include "io/gltf_splats.h"

#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "io/glb.h"
#include "io/glb_write.h"
#include "io/turn.h"

// 0..1 as a normalised 16-bit integer.
static uint16_t to_short(double value)
{
    return (uint16_t)(value > 0 ? value < 1 ? value * 65535 + 0.5 : 65535 : 0);
}

// Vertex colours of glTF are linear, those of splats sRGB.
static double to_linear(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static void add_bounds(cJSON *accessor, const struct tess_splats *splats)
{
    float low[3], high[3], p[3];
    tess_turn_up(low, splats->positions);
    memcpy(high, low, sizeof high);
    for (size_t i = 1; i < splats->count; i++) {
        tess_turn_up(p, splats->positions + 3 * i);
        for (int j = 0; j < 3; j++) {
            low[j] = p[j] < low[j] ? p[j] : low[j];
            high[j] = p[j] > high[j] ? p[j] : high[j];
        }
    }
    cJSON_AddItemToObject(accessor, "min", cJSON_CreateFloatArray(low, 3));
    cJSON_AddItemToObject(accessor, "max", cJSON_CreateFloatArray(high, 3));
}

static void add_splats(struct tess_glb_writer *writer, const struct tess_splats *splats)
{
    size_t N = splats->count;
    tess_glb_add_primitive(writer);
    add_bounds(tess_glb_add_attribute(writer, "POSITION", TESS_GLB_FLOAT, "VEC3", N,
                                      3 * sizeof(float)),
               splats);
    cJSON *colours = tess_glb_add_attribute(writer, "COLOR_0", TESS_GLB_UNSIGNED_SHORT,
                                            "VEC4", N, 4 * sizeof(uint16_t));
    cJSON_AddTrueToObject(colours, "normalized");
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

static void write_positions(struct tess_output *output, const struct tess_splats *splats)
{
    for (size_t i = 0; i < splats->count; i++) {
        float p[3];
        tess_turn_up(p, splats->positions + 3 * i);
        tess_output_write(output, p, sizeof p);
    }
}

static void write_point_colours(struct tess_output *output,
                                const struct tess_splats *splats)
{
    for (size_t i = 0; i < splats->count; i++) {
        uint16_t rgba[4];
        for (int j = 0; j < 3; j++)
            rgba[j] = to_short(
                to_linear(0.5 + TESS_SH_DC * (double)splats->colours[3 * i + (size_t)j]));
        rgba[3] = to_short(splats->opacities[i]);
        tess_output_write(output, rgba, sizeof rgba);
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
    write_positions(output, splats);
    write_point_colours(output, splats);
    write_rotations(output, splats);
    tess_output_write(output, splats->scales, 3 * splats->count * sizeof(float));
    write_opacities(output, splats);
    tess_output_write(output, splats->colours, 3 * splats->count * sizeof(float));
    return tess_output_commit(&output, env);
}
