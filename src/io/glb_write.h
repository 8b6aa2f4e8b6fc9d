// Binary glTF files with one node of one primitive: its JSON as it grows, and the chunks.
#ifndef TESS_GLB_WRITE_H
#define TESS_GLB_WRITE_H

#include "io/output.h"

struct cJSON;

// Targets of buffer views, from the glTF 2.0 specification.
enum { TESS_GLB_ARRAY_BUFFER = 34962, TESS_GLB_ELEMENT_ARRAY_BUFFER = 34963 };

// cJSON's objects are NULL where there was no memory, which tess_glb_begin() tells.
struct tess_glb_writer {
    struct cJSON *root;
    struct cJSON *primitive, *attributes; // of the mesh of the node
    struct cJSON *views, *accessors;
    size_t bytes; // of the binary chunk so far
};

// Asset, scene and node; `count` pairs of metadata become the asset's "extras".
void tess_glb_start(struct tess_glb_writer *writer, const struct tess_metadata *metadata,
                    size_t count);

// Give the node a mesh of one primitive.
void tess_glb_add_primitive(struct tess_glb_writer *writer);

// Add a buffer view of `count` elements of a multiple of 4 bytes each, and the accessor
// that covers it. Returns the accessor. `type` is of a component, `shape` "VEC3" or the
// like.
struct cJSON *tess_glb_add_array(struct tess_glb_writer *writer, int target, int type,
                                 const char *shape, size_t count, size_t element_bytes);

// The same as an attribute of the primitive.
struct cJSON *tess_glb_add_attribute(struct tess_glb_writer *writer, const char *name,
                                     int type, const char *shape, size_t count,
                                     size_t element_bytes);

// POSITION, of [count][3] in our world, and its bounds; COLOR_0, 16 bits a channel.
void tess_glb_add_positions(struct tess_glb_writer *writer, const float *positions,
                            size_t count);
void tess_glb_add_colours(struct tess_glb_writer *writer, size_t count);

// Begin the file `path` with header, JSON and the head of the binary chunk, after which
// the caller writes writer->bytes bytes, if there are any, and commits. Frees the JSON,
// also on failure. TESS_ERR_WRITE also if the file would pass 4 GiB, TESS_ERR_MEMORY.
enum tess_status tess_glb_begin(struct tess_output **out, struct tess_glb_writer *writer,
                                struct tess_env *env, const char *path);

// What the arrays of those two hold. A colour is sRGB and alpha; what is beyond 0..1 is
// clamped.
void tess_glb_write_positions(struct tess_output *output, const float *positions,
                              size_t count);
void tess_glb_write_colour(struct tess_output *output, const double rgba[4]);

#endif
