// Binary glTF files: JSON and chunks.
#include "io/glb_write.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "io/glb.h"
#include "io/srgb.h"
#include "io/turn.h"

void tess_glb_start(struct tess_glb_writer *writer, const struct tess_metadata *metadata,
                    size_t count)
{
    char generator[64];
    snprintf(generator, sizeof generator, "Tessella %s", TESS_VERSION);
    cJSON *root = writer->root = cJSON_CreateObject();
    cJSON *asset = cJSON_AddObjectToObject(root, "asset");
    cJSON_AddStringToObject(asset, "version", "2.0");
    cJSON_AddStringToObject(asset, "generator", generator);
    cJSON *extras = count ? cJSON_AddObjectToObject(asset, "extras") : NULL;
    for (size_t i = 0; i < count; i++)
        cJSON_AddStringToObject(extras, metadata[i].key, metadata[i].value);
    cJSON_AddNumberToObject(root, "scene", 0);
    cJSON *scene = cJSON_CreateObject(), *node = cJSON_CreateObject();
    cJSON *scenes = cJSON_AddArrayToObject(root, "scenes");
    cJSON *nodes = cJSON_AddArrayToObject(root, "nodes");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(scene, "nodes"), cJSON_CreateNumber(0));
    cJSON_AddItemToArray(scenes, scene);
    cJSON_AddItemToArray(nodes, node);
}

void tess_glb_add_primitive(struct tess_glb_writer *writer)
{
    cJSON *root = writer->root, *mesh = cJSON_CreateObject();
    cJSON *node = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "nodes"), 0);
    cJSON_AddNumberToObject(node, "mesh", 0);
    cJSON *meshes = cJSON_AddArrayToObject(root, "meshes");
    writer->views = cJSON_AddArrayToObject(root, "bufferViews");
    writer->accessors = cJSON_AddArrayToObject(root, "accessors");
    writer->primitive = cJSON_CreateObject();
    writer->attributes = cJSON_AddObjectToObject(writer->primitive, "attributes");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(mesh, "primitives"), writer->primitive);
    cJSON_AddItemToArray(meshes, mesh);
}

struct cJSON *tess_glb_add_array(struct tess_glb_writer *writer, int target, int type,
                                 const char *shape, size_t count, size_t element_bytes)
{
    cJSON *view = cJSON_CreateObject(), *accessor = cJSON_CreateObject();
    cJSON_AddNumberToObject(view, "buffer", 0);
    cJSON_AddNumberToObject(view, "byteOffset", (double)writer->bytes);
    cJSON_AddNumberToObject(view, "byteLength", (double)(count * element_bytes));
    cJSON_AddNumberToObject(view, "target", target);
    cJSON_AddNumberToObject(accessor, "bufferView", cJSON_GetArraySize(writer->views));
    cJSON_AddNumberToObject(accessor, "componentType", type);
    cJSON_AddNumberToObject(accessor, "count", (double)count);
    cJSON_AddStringToObject(accessor, "type", shape);
    cJSON_AddItemToArray(writer->views, view);
    cJSON_AddItemToArray(writer->accessors, accessor);
    writer->bytes += count * element_bytes;
    return accessor;
}

struct cJSON *tess_glb_add_attribute(struct tess_glb_writer *writer, const char *name,
                                     int type, const char *shape, size_t count,
                                     size_t element_bytes)
{
    cJSON_AddNumberToObject(writer->attributes, name,
                            cJSON_GetArraySize(writer->accessors));
    return tess_glb_add_array(writer, TESS_GLB_ARRAY_BUFFER, type, shape, count,
                              element_bytes);
}

static void add_bounds(cJSON *accessor, const float *positions, size_t count)
{
    float low[3], high[3], p[3];
    tess_turn_up(low, positions);
    memcpy(high, low, sizeof high);
    for (size_t i = 1; i < count; i++) {
        tess_turn_up(p, positions + 3 * i);
        for (int j = 0; j < 3; j++) {
            low[j] = p[j] < low[j] ? p[j] : low[j];
            high[j] = p[j] > high[j] ? p[j] : high[j];
        }
    }
    cJSON_AddItemToObject(accessor, "min", cJSON_CreateFloatArray(low, 3));
    cJSON_AddItemToObject(accessor, "max", cJSON_CreateFloatArray(high, 3));
}

void tess_glb_add_positions(struct tess_glb_writer *writer, const float *positions,
                            size_t count)
{
    add_bounds(tess_glb_add_attribute(writer, "POSITION", TESS_GLB_FLOAT, "VEC3", count,
                                      3 * sizeof(float)),
               positions, count);
}

void tess_glb_add_colours(struct tess_glb_writer *writer, size_t count)
{
    cJSON *colours = tess_glb_add_attribute(writer, "COLOR_0", TESS_GLB_UNSIGNED_SHORT,
                                            "VEC4", count, 4 * sizeof(uint16_t));
    cJSON_AddTrueToObject(colours, "normalized");
}

void tess_glb_write_positions(struct tess_output *output, const float *positions,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float p[3];
        tess_turn_up(p, positions + 3 * i);
        tess_output_write(output, p, sizeof p);
    }
}

// As a normalised 16-bit integer.
static uint16_t to_short(double value)
{
    return (uint16_t)(value > 0 ? value < 1 ? value * 65535 + 0.5 : 65535 : 0);
}

void tess_glb_write_colour(struct tess_output *output, const double rgba[4])
{
    uint16_t linear[4];
    for (int j = 0; j < 3; j++)
        linear[j] = to_short(tess_srgb_to_linear(rgba[j]));
    linear[3] = to_short(rgba[3]);
    tess_output_write(output, linear, sizeof linear);
}

static void write_word(struct tess_output *output, size_t value)
{
    uint32_t word = (uint32_t)value;
    tess_output_write(output, &word, sizeof word);
}

// The JSON chunk's text, for cJSON_free(); NULL without memory.
static char *finish(struct tess_glb_writer *writer)
{
    if (writer->bytes) {
        cJSON *buffer = cJSON_CreateObject();
        cJSON_AddNumberToObject(buffer, "byteLength", (double)writer->bytes);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(writer->root, "buffers"), buffer);
    }
    char *text = cJSON_PrintUnformatted(writer->root);
    cJSON_Delete(writer->root);
    writer->root = NULL;
    return text;
}

enum tess_status tess_glb_begin(struct tess_output **out, struct tess_glb_writer *writer,
                                struct tess_env *env, const char *path)
{
    struct tess_output *output = NULL;
    char *text = finish(writer);
    if (!text)
        return tess_fail(env, TESS_ERR_MEMORY, "no host memory to write %s", path);
    size_t length = strlen(text), padded = (length + 3) / 4 * 4;
    size_t total = 12 + 8 + padded + (writer->bytes ? 8 + writer->bytes : 0);
    enum tess_status status = TESS_OK;
    if (total > UINT32_MAX)
        status = tess_fail(env, TESS_ERR_WRITE, "cannot write %s: %zu bytes, GLB has %u",
                           path, total, UINT32_MAX);
    if (!status)
        status = tess_output_open(&output, env, path);
    if (!status) {
        write_word(output, TESS_GLB_MAGIC);
        write_word(output, 2);
        write_word(output, total);
        write_word(output, padded);
        write_word(output, TESS_GLB_CHUNK_JSON);
        tess_output_write(output, text, length);
        tess_output_write(output, "   ", padded - length);
        if (writer->bytes) {
            write_word(output, writer->bytes);
            write_word(output, TESS_GLB_CHUNK_BIN);
        }
        *out = output;
    }
    cJSON_free(text);
    return status;
}
