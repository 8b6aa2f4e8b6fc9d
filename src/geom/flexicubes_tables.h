// The cases of a FlexiCubes cube, generated from the rules of dual marching cubes
// (Nielson 2004, as used by Shen et al. 2023), so that no table has to be typed in.
//
//   corner k   lies at (k & 1, k >> 1 & 1, k >> 2 & 1) of the cube
//   edge e     goes from corner tess_flexicubes_edges[e][0] to [e][1]
//   case       bit k is set where corner k is inside (signed distance below 0)
//   group      the edges with a sign change that share one dual vertex
//   face       2 * axis + side; side 1 is the one at the larger coordinate
#ifndef TESS_FLEXICUBES_TABLES_H
#define TESS_FLEXICUBES_TABLES_H

#include <stdint.h>

#define TESS_FLEXICUBES_NONE       255
#define TESS_FLEXICUBES_MAX_GROUPS 4

// In the order of the published weights: beta 0..11 belong to these edges.
extern const uint8_t tess_flexicubes_edges[12][2];

struct tess_flexicubes_tables {
    uint8_t groups[256];            // dual vertices of a case, 0..4
    uint8_t group_of_edge[256][12]; // TESS_FLEXICUBES_NONE: no sign change
    // The face across which a neighbour can turn the case into 255 - case, when the
    // neighbour's own case has such a face too: the only face with two diagonal inside
    // corners, of a case with at least five inside corners. TESS_FLEXICUBES_NONE for all
    // but 36 cases.
    uint8_t ambiguous_face[256];
};

// Fill in all cases; some 10 microseconds.
void tess_flexicubes_tables_init(struct tess_flexicubes_tables *out);

#endif
