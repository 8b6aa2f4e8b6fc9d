// How far an extracted mesh is from a reference mesh: for `tessella verify` and for
// tests.
//
// Vertices are paired first: index by index if that puts every vertex within the
// tolerance, else each of ours with the nearest reference vertex within the tolerance
// that has no partner yet; the pairing with fewer vertices out of place is kept. So
// another order of vertices is no difference, and one vertex too many costs one vertex
// and the faces at it. Then faces are compared as a set, with their corners named by the
// reference's vertices; the order of faces and the rotation of a face's corners make no
// difference, orientation does.
//
// Where the two products that choose a quad's diagonal are equal to rounding, either
// diagonal is right. Faces 2i and 2i + 1 of our mesh are a quad if the mesh has split
// margins; if both its triangles stand in the reference cut the other way, and its margin
// is within tolerance, they count as the other diagonal, else as missing.
#ifndef TESS_MESH_COMPARE_H
#define TESS_MESH_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mesh.h"
#include "base/status.h"

// Borrowed arrays, aligned for their types.
struct tess_mesh_reference {
    size_t vertices, faces;
    const float *positions;  // [vertices][3]
    const float *attributes; // [vertices][6] or NULL: not compared
    const int32_t *indices;  // [faces][3]
};

struct tess_mesh_compare_params {
    double vertex_tolerance; // distance of two partners; 0: 1e-5
    double margin_tolerance; // of quads that may have either diagonal; 0: 1e-5
};

// Counts of vertices and faces on either side, and figures over the pairs.
struct tess_mesh_difference {
    size_t vertices_wrong;       // ours without a partner within the tolerance
    size_t vertices_missing;     // the reference's without one
    double max_vertex_distance;  // of the pairs, those out of tolerance included
    double attribute_error;      // |ours - reference| / |reference|; 0 if either has none
    size_t faces_wrong;          // ours that the reference has not
    size_t faces_missing;        // the reference's that ours has not
    size_t faces_other_diagonal; // ours, cut the other way, where either is right
    double max_other_margin;     // of all quads cut the other way, right or not
};

// A position that is NaN or infinite is out of tolerance. NULL `params`: defaults. `mesh`
// must be sound; its normals are not looked at. TESS_ERR_FILE: a face of the reference
// names a vertex that it has not. TESS_ERR_MEMORY. Takes some 20 bytes a vertex and a
// face.
enum tess_status tess_mesh_compare(struct tess_mesh_difference *out, struct tess_env *env,
                                   const struct tess_mesh *mesh,
                                   const struct tess_mesh_reference *reference,
                                   const struct tess_mesh_compare_params *params);

#endif
