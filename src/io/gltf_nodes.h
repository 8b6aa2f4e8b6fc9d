// The nodes of a glTF file's scene, with their transforms.
#ifndef TESS_GLTF_NODES_H
#define TESS_GLTF_NODES_H

#include "io/glb.h"

// Column-major: element (row, column) is m[4 * column + row].
struct tess_gltf_matrix {
    double m[16];
};

// One primitive of a node's mesh. `transform` is the node's, its parents' applied.
typedef enum tess_status tess_gltf_visit(void *user, struct tess_json_at primitive,
                                         const struct tess_gltf_matrix *transform);

// Visit all primitives of the file's scene, in the order of its nodes, until one visit
// fails. TESS_ERR_FILE also for nodes that are their own children, and for no scene.
enum tess_status tess_gltf_walk(const struct tess_glb *glb, tess_gltf_visit *visit,
                                void *user);

#endif
