// Which of six directions each face is to be projected along, for charts.
#ifndef TESS_CHART_DIRECTIONS_H
#define TESS_CHART_DIRECTIONS_H

#include "geom/topology.h"

#define TESS_DIRECTIONS 6 // along +x, -x, +y, -y, +z, -z

// The least cosine between a face's normal and the direction that it is projected along:
// 75 degrees.
#define TESS_CHART_TILT 0.25

struct tess_facing {
    double normal[3]; // unit length; zero for a face without area
    double area;
};

// Fill facing [mesh->faces]. Returns the area of all.
double tess_face_facings(struct tess_facing *facing, const struct tess_mesh *mesh);

// Cosine between a face and a direction.
double tess_facing_cosine(const struct tess_facing *facing, unsigned direction);

// directions [faces]: each face's, at most TESS_CHART_TILT away from its normal, such
// that faces of one direction hang together in few, large and smooth patches.
// TESS_ERR_MEMORY.
enum tess_status tess_chart_directions(uint8_t *directions, struct tess_env *env,
                                       const struct tess_mesh *mesh,
                                       const struct tess_topology *topology,
                                       const struct tess_facing *facing);

// Patches: faces of one direction that hang together across edges of two faces. *out
// tells each face's, numbered from 0 in the order of first faces.
enum tess_status tess_chart_patches(uint32_t *out, size_t *count, struct tess_env *env,
                                    const struct tess_topology *topology, size_t faces,
                                    const uint8_t *directions);

// The numbers 0 to count - 1 sorted by groups[number], stably: those of group g are
// sorted[starts[g]] to sorted[starts[g + 1] - 1]. starts has groups + 1 elements.
void tess_sort_by_group(uint32_t *sorted, uint32_t *starts, const uint32_t *groups,
                        size_t count, size_t group_count);

#endif
