// The parts of a binary glTF file. Every number that becomes an offset is checked against
// the file.
#include "io/glb.h"

#include <stdlib.h>
#include <string.h>

static uint32_t load_word(const uint8_t *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
           (uint32_t)data[3] << 24;
}

static enum tess_status read_chunks(struct tess_glb *glb, const uint8_t *data,
                                    size_t bytes)
{
    struct tess_env *env = glb->env;
    if (bytes < 20 || load_word(data) != TESS_GLB_MAGIC)
        return tess_fail(env, TESS_ERR_FILE, "%s: not a binary glTF file", glb->path);
    if (load_word(data + 4) != 2)
        return tess_fail(env, TESS_ERR_FILE, "%s: glTF version %u, expected 2", glb->path,
                         load_word(data + 4));
    size_t length = load_word(data + 8);
    if (length != bytes)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: %zu bytes, its header says %zu: cut off or damaged",
                         glb->path, bytes, length);
    size_t json_bytes = load_word(data + 12);
    if (load_word(data + 16) != TESS_GLB_CHUNK_JSON || json_bytes > bytes - 20)
        return tess_fail(env, TESS_ERR_FILE, "%s: chunk 0 is not JSON or leaves the file",
                         glb->path);
    size_t at = 20 + json_bytes;
    if (bytes - at >= 8 && load_word(data + at + 4) == TESS_GLB_CHUNK_BIN) {
        glb->binary = data + at + 8;
        glb->binary_bytes = load_word(data + at);
        if (glb->binary_bytes > bytes - at - 8)
            return tess_fail(env, TESS_ERR_FILE,
                             "%s: chunk 1 has %zu bytes, the file leaves %zu", glb->path,
                             glb->binary_bytes, bytes - at - 8);
    } else if (bytes != at) {
        return tess_fail(env, TESS_ERR_FILE, "%s: chunk 1 is not BIN or is cut off",
                         glb->path);
    }
    return tess_json_parse(&glb->json, env, glb->path, (const char *)data + 20,
                           json_bytes);
}

enum tess_status tess_glb_list(struct tess_glb_list *list, struct tess_json_at root,
                               const char *key)
{
    struct tess_json_at array;
    if (!tess_json_present(tess_json_member(root, key)))
        return TESS_OK;
    TESS_TRY(tess_json_array(&array, root, key, 0, SIZE_MAX));
    TESS_TRY(tess_json_items(&list->items, array));
    list->count = tess_json_count(array);
    return TESS_OK;
}

// Materials and lights do not change how vertices are read, and splats are read; other
// extensions may.
static enum tess_status check_extensions(struct tess_json_at root)
{
    struct tess_glb_list names = {0};
    const char *name;
    TESS_TRY(tess_glb_list(&names, root, "extensionsRequired"));
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < names.count && !status; i++) {
        status = tess_json_string(&name, names.items[i], NULL);
        if (!status && strncmp(name, "KHR_materials_", 14) != 0 &&
            strncmp(name, "KHR_texture_", 12) != 0 &&
            strcmp(name, "KHR_gaussian_splatting") != 0 &&
            strncmp(name, "KHR_lights_", 11) != 0)
            status = tess_json_fail(names.items[i], NULL,
                                    "a file without this extension (export it without "
                                    "compression)");
    }
    free(names.items);
    return status;
}

static enum tess_status read_lists(struct tess_glb *glb)
{
    struct tess_json_at root;
    TESS_TRY(tess_json_object(&root, tess_json_root(glb->json), NULL));
    TESS_TRY(check_extensions(root));
    TESS_TRY(tess_glb_list(&glb->accessors, root, "accessors"));
    TESS_TRY(tess_glb_list(&glb->views, root, "bufferViews"));
    TESS_TRY(tess_glb_list(&glb->buffers, root, "buffers"));
    TESS_TRY(tess_glb_list(&glb->meshes, root, "meshes"));
    TESS_TRY(tess_glb_list(&glb->materials, root, "materials"));
    TESS_TRY(tess_glb_list(&glb->nodes, root, "nodes"));
    TESS_TRY(tess_glb_list(&glb->textures, root, "textures"));
    TESS_TRY(tess_glb_list(&glb->images, root, "images"));
    return tess_glb_list(&glb->scenes, root, "scenes");
}

enum tess_status tess_glb_follow(struct tess_json_at *out, struct tess_json_at object,
                                 const char *key, const struct tess_glb_list *list)
{
    size_t index;
    if (list->count == 0)
        return tess_json_fail(object, key,
                              "no index, as the file has nothing of the kind");
    TESS_TRY(tess_json_size(&index, object, key, 0, list->count - 1));
    return tess_json_object(out, list->items[index], NULL);
}

// ---------------------------------------------------------------------------------------
// Accessors
// ---------------------------------------------------------------------------------------

static size_t component_size(uint32_t type)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 0, 4, 4};
    return type - TESS_GLB_BYTE < sizeof sizes ? sizes[type - TESS_GLB_BYTE] : 0;
}

// The bytes of a buffer view.
static enum tess_status read_view(const struct tess_glb *glb, struct tess_json_at view,
                                  const uint8_t **data, size_t *bytes)
{
    struct tess_json_at buffer;
    size_t length, offset;
    TESS_TRY(tess_glb_follow(&buffer, view, "buffer", &glb->buffers));
    if (buffer.item != glb->buffers.items[0].item ||
        tess_json_present(tess_json_member(buffer, "uri")) || !glb->binary)
        return tess_json_fail(view, "buffer",
                              "0, the file's own binary chunk; external "
                              "buffers are not read");
    TESS_TRY(tess_json_size(&length, buffer, "byteLength", 1, glb->binary_bytes));
    TESS_TRY(tess_json_size_or(&offset, view, "byteOffset", 0, length, 0));
    TESS_TRY(tess_json_size(bytes, view, "byteLength", 1, length - offset));
    *data = glb->binary + offset;
    return TESS_OK;
}

enum tess_status tess_glb_view(const uint8_t **data, size_t *bytes,
                               const struct tess_glb *glb, struct tess_json_at object,
                               const char *key)
{
    struct tess_json_at view;
    TESS_TRY(tess_glb_follow(&view, object, key, &glb->views));
    return read_view(glb, view, data, bytes);
}

enum tess_status tess_glb_accessor(struct tess_glb_array *out, const struct tess_glb *glb,
                                   struct tess_json_at object, const char *key)
{
    static const char *const shapes[] = {"SCALAR", "VEC2", "VEC3", "VEC4"};
    struct tess_json_at accessor, view;
    const char *shape;
    size_t bytes, offset, element;
    struct tess_glb_array array = {0};
    TESS_TRY(tess_glb_follow(&accessor, object, key, &glb->accessors));
    if (tess_json_present(tess_json_member(accessor, "sparse")))
        return tess_json_fail(accessor, "sparse", "none; sparse accessors are not read");
    TESS_TRY(tess_json_string(&shape, accessor, "type"));
    for (int i = 0; i < 4; i++) {
        if (strcmp(shape, shapes[i]) == 0)
            array.components = i + 1;
    }
    if (!array.components)
        return tess_json_fail(accessor, "type", "SCALAR, VEC2, VEC3 or VEC4");
    TESS_TRY(tess_json_uint(&array.type, accessor, "componentType", TESS_GLB_BYTE,
                            TESS_GLB_FLOAT));
    element = component_size(array.type) * (size_t)array.components;
    if (element == 0)
        return tess_json_fail(accessor, "componentType", "a type of glTF 2.0");
    TESS_TRY(tess_json_bool_or(&array.normalized, accessor, "normalized", false));
    TESS_TRY(tess_json_size(&array.count, accessor, "count", 1,
                            TESS_GLB_MAX_ELEMENTS * (size_t)3));
    TESS_TRY(tess_glb_follow(&view, accessor, "bufferView", &glb->views));
    TESS_TRY(read_view(glb, view, &array.data, &bytes));
    TESS_TRY(tess_json_size_or(&array.stride, view, "byteStride", element, 252, element));
    TESS_TRY(tess_json_size_or(&offset, accessor, "byteOffset", 0, bytes, 0));
    size_t fit =
        bytes - offset < element ? 0 : (bytes - offset - element) / array.stride + 1;
    if (array.count > fit)
        return tess_json_fail(accessor, "count",
                              "at most %zu, which is what fits in the "
                              "buffer view",
                              fit);
    array.data += offset;
    *out = array;
    return TESS_OK;
}

void tess_glb_floats(float *out, const struct tess_glb_array *array, size_t index)
{
    const uint8_t *src = array->data + index * array->stride;
    for (int i = 0; i < array->components; i++) {
        uint16_t word;
        int16_t signed_word;
        switch (array->type) {
        case TESS_GLB_BYTE:
            out[i] = (int8_t)src[i] > -127 ? (int8_t)src[i] / 127.0f : -1;
            break;
        case TESS_GLB_UNSIGNED_BYTE:
            out[i] = src[i] / 255.0f;
            break;
        case TESS_GLB_SHORT:
            memcpy(&signed_word, src + 2 * i, sizeof signed_word);
            out[i] = signed_word > -32767 ? signed_word / 32767.0f : -1;
            break;
        case TESS_GLB_UNSIGNED_SHORT:
            memcpy(&word, src + 2 * i, sizeof word);
            out[i] = word / 65535.0f;
            break;
        default:
            memcpy(&out[i], src + 4 * i, sizeof *out);
        }
    }
}

uint32_t tess_glb_index(const struct tess_glb_array *array, size_t index)
{
    const uint8_t *src = array->data + index * array->stride;
    uint16_t word;
    switch (array->type) {
    case TESS_GLB_UNSIGNED_BYTE:
        return *src;
    case TESS_GLB_UNSIGNED_SHORT:
        memcpy(&word, src, sizeof word);
        return word;
    default:
        return load_word(src);
    }
}

enum tess_status tess_glb_open(struct tess_glb *glb, struct tess_env *env,
                               const char *path)
{
    *glb = (struct tess_glb){.env = env, .path = path};
    TESS_TRY(tess_input_map(&glb->input, env, path));
    TESS_TRY(read_chunks(glb, glb->input.data, glb->input.bytes));
    return read_lists(glb);
}

void tess_glb_close(struct tess_glb *glb)
{
    free(glb->accessors.items);
    free(glb->views.items);
    free(glb->buffers.items);
    free(glb->meshes.items);
    free(glb->materials.items);
    free(glb->nodes.items);
    free(glb->scenes.items);
    free(glb->textures.items);
    free(glb->images.items);
    tess_json_destroy(&glb->json);
    tess_input_close(&glb->input);
}
