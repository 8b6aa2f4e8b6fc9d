// Which faces meet at which edges.
#ifndef TESS_TOPOLOGY_H
#define TESS_TOPOLOGY_H

#include "base/mesh.h"

#define TESS_NO_FACE UINT32_MAX

struct tess_edge {
    uint32_t vertices[2]; // the lower number first
    uint32_t faces[2];    // the first two at it, in face order; else TESS_NO_FACE
    uint32_t count;       // of faces at it: 1 is a boundary, 3 and more not manifold
};

// Side i of a face is from corner i to the next one.
struct tess_topology {
    size_t edge_count;
    struct tess_edge *edges;
    uint32_t (*sides)[3]; // [faces]: number of the edge of each side
};

// Indices must be below mesh->vertices and there are fewer than 2^32 / 3 faces. A face
// with a vertex twice has edges from that vertex to itself. TESS_ERR_MEMORY.
enum tess_status tess_topology_create(struct tess_topology *out, struct tess_env *env,
                                      const struct tess_mesh *mesh);
void tess_topology_clear(struct tess_topology *topology);

// The face across side `side` of `face`, if that edge has exactly two faces; else
// TESS_NO_FACE.
uint32_t tess_topology_across(const struct tess_topology *topology, size_t face,
                              size_t side);

// Components of faces that share edges, however many meet there. labels [faces] are
// numbered from 0 in the order of first faces. `among` (or NULL: all) [faces] tells which
// faces count; others get TESS_NO_FACE and connect nothing.
enum tess_status tess_topology_components(uint32_t *labels, size_t *count,
                                          struct tess_env *env,
                                          const struct tess_topology *topology,
                                          size_t faces, const bool *among);

struct tess_mesh_facts {
    size_t components;         // by shared edges
    size_t boundary_edges;     // with one face
    size_t non_manifold_edges; // with three and more
    size_t inconsistent_edges; // with two that run the same way along it
    double volume, area;       // volume: signed, right for closed meshes
    double lower[3], upper[3]; // of the vertices that faces use
};

enum tess_status tess_mesh_measure(struct tess_mesh_facts *out, struct tess_env *env,
                                   const struct tess_mesh *mesh);

// Keep the faces with keep[face], in order, and the vertices that they use, in order.
// Normals and attributes go along; split margins, which belong to pairs of faces, go.
enum tess_status tess_mesh_keep_faces(struct tess_mesh *mesh, struct tess_env *env,
                                      const bool *keep);

#endif
