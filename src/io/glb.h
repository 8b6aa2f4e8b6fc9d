// The parts of a binary glTF file: its JSON lists, and accessors as checked arrays of
// numbers.
#ifndef TESS_GLB_H
#define TESS_GLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "io/input.h"
#include "io/json.h"

// Names from the glTF 2.0 specification.
enum {
    TESS_GLB_MAGIC = 0x46546c67,      // "glTF"
    TESS_GLB_CHUNK_JSON = 0x4e4f534a, // "JSON"
    TESS_GLB_CHUNK_BIN = 0x004e4942,  // "BIN"
    TESS_GLB_BYTE = 5120,
    TESS_GLB_UNSIGNED_BYTE = 5121,
    TESS_GLB_SHORT = 5122,
    TESS_GLB_UNSIGNED_SHORT = 5123,
    TESS_GLB_UNSIGNED_INT = 5125,
    TESS_GLB_FLOAT = 5126,
};

// Vertices and triangles of the largest scene that is read. Instances make small files
// large.
#define TESS_GLB_MAX_ELEMENTS ((size_t)1 << 27)

struct tess_glb_list {
    struct tess_json_at *items;
    size_t count;
};

struct tess_glb {
    struct tess_env *env;
    const char *path; // the caller's
    struct tess_input input;
    const uint8_t *binary; // the BIN chunk, or NULL
    size_t binary_bytes;
    struct tess_json *json;
    struct tess_glb_list accessors, views, buffers, meshes, materials, nodes, scenes,
        textures, images;
};

// Numbers of a file: element i is at data + i * stride, and all of them are inside the
// file.
struct tess_glb_array {
    const uint8_t *data;
    size_t count, stride;
    uint32_t type;  // of a component
    int components; // 1 to 4
    bool normalized;
};

// Map `path` and list its parts. Refuses required extensions that change what vertices
// are. TESS_ERR_FILE. Close also after a failure.
enum tess_status tess_glb_open(struct tess_glb *glb, struct tess_env *env,
                               const char *path);
void tess_glb_close(struct tess_glb *glb);

// The array `key` of `object`, empty if it is absent. Free list->items.
enum tess_status tess_glb_list(struct tess_glb_list *list, struct tess_json_at object,
                               const char *key);

// Member `key` of `object`, an index into `list`, as the object that it names.
enum tess_status tess_glb_follow(struct tess_json_at *out, struct tess_json_at object,
                                 const char *key, const struct tess_glb_list *list);

// The accessor that member `key` of `object` names.
enum tess_status tess_glb_accessor(struct tess_glb_array *out, const struct tess_glb *glb,
                                   struct tess_json_at object, const char *key);

// The bytes of the buffer view that member `key` of `object` names.
enum tess_status tess_glb_view(const uint8_t **data, size_t *bytes,
                               const struct tess_glb *glb, struct tess_json_at object,
                               const char *key);

// Element `index` into out[components]: unsigned bytes and shorts normalised to 0..1,
// signed ones to -1..1, else floats.
void tess_glb_floats(float *out, const struct tess_glb_array *array, size_t index);

// Element `index` of unsigned integers.
uint32_t tess_glb_index(const struct tess_glb_array *array, size_t index);

#endif
