// GLB writer: a JSON chunk that describes, and a binary chunk that holds the arrays one
// after the other: indices u32 [3 faces], positions f32 [N][3], normals f32 [N][3],
// colours u16 [N][4]; or instead of colours
// texture coordinates f32 [N][2] and a texture, a file in the file.
#include "io/gltf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "io/glb.h"

// Targets of buffer views, from the glTF 2.0 specification.
enum { TARGET_ARRAY_BUFFER = 34962, TARGET_ELEMENT_ARRAY_BUFFER = 34963 };
enum { LINEAR = 9729, LINEAR_MIPMAP_LINEAR = 9987, CLAMP_TO_EDGE = 33071 };

struct writer {
    cJSON *root, *accessors, *views;
    size_t bytes;                            // of the binary chunk so far
    const struct tess_texture_file *texture; // or NULL
};

static void to_gltf(float *out, const float *in)
{
    float y = in[1];
    out[0] = in[0];
    out[1] = in[2];
    out[2] = -y;
}

// Unit length; validators refuse anything else. Normals without a direction point up.
static void unit_normal(float *out, const float *in)
{
    double x = in[0], y = in[1], z = in[2], length = sqrt(x * x + y * y + z * z);
    float n[3] = {0, 0, 1};
    if (length > 0 && isfinite(length)) {
        n[0] = (float)(x / length);
        n[1] = (float)(y / length);
        n[2] = (float)(z / length);
    }
    to_gltf(out, n);
}

// sRGB in 0..1 to linear, as a normalised 16-bit integer.
static uint16_t linear_short(float value)
{
    double v = value > 0 ? value < 1 ? value : 1 : 0;
    double linear = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
    return (uint16_t)(linear * 65535 + 0.5);
}

// Add a buffer view and the accessor that covers it, and return the accessor. All sizes
// are multiples of 4.
static cJSON *add_array(struct writer *writer, int target, int type, const char *shape,
                        size_t count, size_t element_bytes)
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

static void add_bounds(cJSON *accessor, const struct tess_mesh *mesh)
{
    float low[3], high[3], p[3];
    to_gltf(low, mesh->positions);
    memcpy(high, low, sizeof high);
    for (size_t i = 1; i < mesh->vertices; i++) {
        to_gltf(p, mesh->positions + 3 * i);
        for (int j = 0; j < 3; j++) {
            low[j] = p[j] < low[j] ? p[j] : low[j];
            high[j] = p[j] > high[j] ? p[j] : high[j];
        }
    }
    cJSON_AddItemToObject(accessor, "min", cJSON_CreateFloatArray(low, 3));
    cJSON_AddItemToObject(accessor, "max", cJSON_CreateFloatArray(high, 3));
}

static size_t padding(size_t bytes)
{
    return (4 - bytes % 4) % 4;
}

// Bytes that nothing but JSON describes, at the end of the chunk.
static void add_texture(struct writer *writer, cJSON *pbr)
{
    cJSON *root = writer->root;
    cJSON *view = cJSON_CreateObject(), *image = cJSON_CreateObject();
    cJSON *sampler = cJSON_CreateObject(), *texture = cJSON_CreateObject();
    cJSON_AddNumberToObject(view, "buffer", 0);
    cJSON_AddNumberToObject(view, "byteOffset", (double)writer->bytes);
    cJSON_AddNumberToObject(view, "byteLength", (double)writer->texture->bytes);
    cJSON_AddNumberToObject(image, "bufferView", cJSON_GetArraySize(writer->views));
    cJSON_AddStringToObject(image, "mimeType", writer->texture->mime);
    cJSON_AddNumberToObject(sampler, "magFilter", LINEAR);
    cJSON_AddNumberToObject(sampler, "minFilter", LINEAR_MIPMAP_LINEAR);
    cJSON_AddNumberToObject(sampler, "wrapS", CLAMP_TO_EDGE);
    cJSON_AddNumberToObject(sampler, "wrapT", CLAMP_TO_EDGE);
    cJSON_AddNumberToObject(texture, "sampler", 0);
    cJSON_AddNumberToObject(texture, "source", 0);
    cJSON_AddItemToArray(writer->views, view);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "images"), image);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "samplers"), sampler);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "textures"), texture);
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(pbr, "baseColorTexture"), "index", 0);
    writer->bytes += writer->texture->bytes + padding(writer->texture->bytes);
}

static void add_mesh(struct writer *writer, const struct tess_mesh *mesh)
{
    cJSON *root = writer->root;
    cJSON *meshes = cJSON_AddArrayToObject(root, "meshes");
    cJSON *materials = cJSON_AddArrayToObject(root, "materials");
    cJSON *buffers = cJSON_AddArrayToObject(root, "buffers");
    writer->views = cJSON_AddArrayToObject(root, "bufferViews");
    writer->accessors = cJSON_AddArrayToObject(root, "accessors");

    cJSON *material = cJSON_CreateObject();
    cJSON *pbr = cJSON_AddObjectToObject(material, "pbrMetallicRoughness");
    cJSON_AddNumberToObject(pbr, "metallicFactor", 0);
    cJSON_AddNumberToObject(pbr, "roughnessFactor", 1);
    cJSON_AddFalseToObject(material, "doubleSided");
    cJSON_AddItemToArray(materials, material);

    cJSON *primitive = cJSON_CreateObject();
    cJSON *attributes = cJSON_AddObjectToObject(primitive, "attributes");
    int next = 0;
    add_array(writer, TARGET_ELEMENT_ARRAY_BUFFER, TESS_GLB_UNSIGNED_INT, "SCALAR",
              3 * mesh->faces, sizeof(uint32_t));
    cJSON_AddNumberToObject(primitive, "indices", next++);
    add_bounds(add_array(writer, TARGET_ARRAY_BUFFER, TESS_GLB_FLOAT, "VEC3",
                         mesh->vertices, 3 * sizeof(float)),
               mesh);
    cJSON_AddNumberToObject(attributes, "POSITION", next++);
    if (mesh->normals) {
        add_array(writer, TARGET_ARRAY_BUFFER, TESS_GLB_FLOAT, "VEC3", mesh->vertices,
                  3 * sizeof(float));
        cJSON_AddNumberToObject(attributes, "NORMAL", next++);
    }
    if (writer->texture) {
        add_array(writer, TARGET_ARRAY_BUFFER, TESS_GLB_FLOAT, "VEC2", mesh->vertices,
                  2 * sizeof(float));
        cJSON_AddNumberToObject(attributes, "TEXCOORD_0", next++);
        add_texture(writer, pbr);
    } else if (mesh->attributes) {
        cJSON *colours = add_array(writer, TARGET_ARRAY_BUFFER, TESS_GLB_UNSIGNED_SHORT,
                                   "VEC4", mesh->vertices, 4 * sizeof(uint16_t));
        cJSON_AddTrueToObject(colours, "normalized");
        cJSON_AddNumberToObject(attributes, "COLOR_0", next++);
    }
    cJSON_AddNumberToObject(primitive, "material", 0);

    cJSON *object = cJSON_CreateObject();
    cJSON *primitives = cJSON_AddArrayToObject(object, "primitives");
    cJSON_AddItemToArray(primitives, primitive);
    cJSON_AddItemToArray(meshes, object);
    cJSON *buffer = cJSON_CreateObject();
    cJSON_AddNumberToObject(buffer, "byteLength", (double)writer->bytes);
    cJSON_AddItemToArray(buffers, buffer);
}

// The JSON chunk's text, for cJSON_free(); NULL without memory.
static char *describe(struct writer *writer, const struct tess_mesh *mesh,
                      const struct tess_metadata *metadata, size_t count)
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
    if (mesh->faces) {
        cJSON_AddNumberToObject(node, "mesh", 0);
        add_mesh(writer, mesh);
    }
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

static void write_word(struct tess_output *output, size_t value)
{
    uint32_t word = (uint32_t)value;
    tess_output_write(output, &word, sizeof word);
}

static void write_colours(struct tess_output *output, const struct tess_mesh *mesh)
{
    for (size_t i = 0; i < mesh->vertices && mesh->attributes; i++) {
        const float *c = mesh->attributes + 6 * i;
        const uint16_t rgba[4] = {linear_short(c[0]), linear_short(c[1]),
                                  linear_short(c[2]), 65535};
        tess_output_write(output, rgba, sizeof rgba);
    }
}

static void write_arrays(struct tess_output *output, const struct tess_mesh *mesh,
                         const struct tess_texture_file *texture)
{
    float v[3];
    tess_output_write(output, mesh->indices, 3 * mesh->faces * sizeof(uint32_t));
    for (size_t i = 0; i < mesh->vertices; i++) {
        to_gltf(v, mesh->positions + 3 * i);
        tess_output_write(output, v, sizeof v);
    }
    for (size_t i = 0; i < mesh->vertices && mesh->normals; i++) {
        unit_normal(v, mesh->normals + 3 * i);
        tess_output_write(output, v, sizeof v);
    }
    if (!texture) {
        write_colours(output, mesh);
        return;
    }
    tess_output_write(output, mesh->uvs, 2 * mesh->vertices * sizeof(float));
    tess_output_write(output, texture->data, texture->bytes);
    tess_output_write(output, "\0\0\0", padding(texture->bytes));
}

enum tess_status tess_gltf_write(const struct tess_mesh *mesh, struct tess_env *env,
                                 const char *path, const struct tess_metadata *metadata,
                                 size_t count)
{
    return tess_gltf_write_textured(mesh, NULL, env, path, metadata, count);
}

enum tess_status tess_gltf_write_textured(const struct tess_mesh *mesh,
                                          const struct tess_texture_file *texture,
                                          struct tess_env *env, const char *path,
                                          const struct tess_metadata *metadata,
                                          size_t count)
{
    struct writer writer = {.texture = texture};
    char *text = describe(&writer, mesh, metadata, count);
    if (!text)
        return tess_fail(env, TESS_ERR_MEMORY, "no host memory to write %s", path);
    size_t length = strlen(text), padded = (length + 3) / 4 * 4;
    size_t total = 12 + 8 + padded + (writer.bytes ? 8 + writer.bytes : 0);
    struct tess_output *output = NULL;
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
        if (writer.bytes) {
            write_word(output, writer.bytes);
            write_word(output, TESS_GLB_CHUNK_BIN);
            write_arrays(output, mesh, texture);
        }
        status = tess_output_commit(&output, env);
    }
    cJSON_free(text);
    return status;
}
