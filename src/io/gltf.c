// GLB writer: a JSON chunk that describes, and a binary chunk that holds the arrays one
// after the other: indices u32 [3 faces], positions f32 [N][3], normals f32 [N][3],
// colours u16 [N][4]; or instead of colours texture coordinates f32 [N][2] and a texture,
// a file in the file.
#include "io/gltf.h"

#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "io/glb.h"
#include "io/glb_write.h"
#include "io/turn.h"

#define UNLIT "KHR_materials_unlit"

// Of samplers, from the glTF 2.0 specification.
enum { LINEAR = 9729, LINEAR_MIPMAP_LINEAR = 9987, CLAMP_TO_EDGE = 33071 };

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
    tess_turn_up(out, n);
}

static size_t padding(size_t bytes)
{
    return (4 - bytes % 4) % 4;
}

// Bytes that nothing but JSON describes, at the end of the chunk.
static void add_texture(struct tess_glb_writer *writer,
                        const struct tess_texture_file *file, cJSON *pbr)
{
    cJSON *root = writer->root;
    cJSON *view = cJSON_CreateObject(), *image = cJSON_CreateObject();
    cJSON *sampler = cJSON_CreateObject(), *texture = cJSON_CreateObject();
    cJSON_AddNumberToObject(view, "buffer", 0);
    cJSON_AddNumberToObject(view, "byteOffset", (double)writer->bytes);
    cJSON_AddNumberToObject(view, "byteLength", (double)file->bytes);
    cJSON_AddNumberToObject(image, "bufferView", cJSON_GetArraySize(writer->views));
    cJSON_AddStringToObject(image, "mimeType", file->mime);
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
    writer->bytes += file->bytes + padding(file->bytes);
}

// Rough and not metallic, or without light. Returns the part that takes a texture.
static cJSON *add_material(struct tess_glb_writer *writer, bool unlit)
{
    cJSON *material = cJSON_CreateObject();
    cJSON *pbr = cJSON_AddObjectToObject(material, "pbrMetallicRoughness");
    cJSON_AddNumberToObject(pbr, "metallicFactor", 0);
    cJSON_AddNumberToObject(pbr, "roughnessFactor", 1);
    cJSON_AddFalseToObject(material, "doubleSided");
    if (unlit) {
        cJSON *extensions = cJSON_AddObjectToObject(material, "extensions");
        cJSON_AddObjectToObject(extensions, UNLIT);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(writer->root, "extensionsUsed"),
                             cJSON_CreateString(UNLIT));
    }
    cJSON_AddItemToArray(cJSON_AddArrayToObject(writer->root, "materials"), material);
    cJSON_AddNumberToObject(writer->primitive, "material", 0);
    return pbr;
}

static void add_mesh(struct tess_glb_writer *writer, const struct tess_mesh *mesh,
                     const struct tess_gltf_look *look)
{
    size_t N = mesh->vertices;
    tess_glb_add_primitive(writer);
    cJSON *pbr = add_material(writer, look->unlit);
    tess_glb_add_array(writer, TESS_GLB_ELEMENT_ARRAY_BUFFER, TESS_GLB_UNSIGNED_INT,
                       "SCALAR", 3 * mesh->faces, sizeof(uint32_t));
    cJSON_AddNumberToObject(writer->primitive, "indices", 0);
    tess_glb_add_positions(writer, mesh->positions, N);
    if (mesh->normals)
        tess_glb_add_attribute(writer, "NORMAL", TESS_GLB_FLOAT, "VEC3", N,
                               3 * sizeof(float));
    if (look->texture) {
        tess_glb_add_attribute(writer, "TEXCOORD_0", TESS_GLB_FLOAT, "VEC2", N,
                               2 * sizeof(float));
        add_texture(writer, look->texture, pbr);
    } else if (mesh->attributes) {
        tess_glb_add_colours(writer, N);
    }
}

static void write_colours(struct tess_output *output, const struct tess_mesh *mesh)
{
    for (size_t i = 0; i < mesh->vertices && mesh->attributes; i++) {
        const float *c = mesh->attributes + 6 * i;
        tess_glb_write_colour(output, (const double[]){c[0], c[1], c[2], 1});
    }
}

static void write_arrays(struct tess_output *output, const struct tess_mesh *mesh,
                         const struct tess_texture_file *texture)
{
    float v[3];
    tess_output_write(output, mesh->indices, 3 * mesh->faces * sizeof(uint32_t));
    tess_glb_write_positions(output, mesh->positions, mesh->vertices);
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
    return tess_gltf_write_look(mesh, &(struct tess_gltf_look){0}, env, path, metadata,
                                count);
}

enum tess_status tess_gltf_write_look(const struct tess_mesh *mesh,
                                      const struct tess_gltf_look *look,
                                      struct tess_env *env, const char *path,
                                      const struct tess_metadata *metadata, size_t count)
{
    struct tess_glb_writer writer = {0};
    struct tess_output *output = NULL;
    tess_glb_start(&writer, metadata, count);
    if (mesh->faces)
        add_mesh(&writer, mesh, look);
    TESS_TRY(tess_glb_begin(&output, &writer, env, path));
    if (mesh->faces)
        write_arrays(output, mesh, look->texture);
    return tess_output_commit(&output, env);
}
