// Groups of edges per case. On each face of the cube the crossing points of the surface
// are joined in pairs: two crossings with each other; of four crossings those beside the
// same inside corner, so that diagonal inside corners stay separate. Each crossing then
// has one partner in each of the two faces at its edge, and the closed cycles are the
// groups. They are numbered by their smallest inside corner; the published tables have
// one exception to that, case 231.
#include "geom/flexicubes_tables.h"

#include <stdbool.h>
#include <string.h>

const uint8_t tess_flexicubes_edges[12][2] = {{0, 1}, {1, 5}, {4, 5}, {0, 4},
                                              {2, 3}, {3, 7}, {6, 7}, {2, 6},
                                              {2, 0}, {3, 1}, {7, 5}, {6, 4}};

static bool inside(unsigned code, unsigned corner)
{
    return code >> corner & 1;
}

static unsigned edge_between(unsigned a, unsigned b)
{
    unsigned e = 0;
    while (!(tess_flexicubes_edges[e][0] == a && tess_flexicubes_edges[e][1] == b) &&
           !(tess_flexicubes_edges[e][0] == b && tess_flexicubes_edges[e][1] == a))
        e++;
    return e;
}

// The corners of a face, going round it.
static void face_corners(unsigned corners[4], unsigned face)
{
    unsigned axis = face / 2, side = face % 2;
    unsigned u = 1u << (axis + 1) % 3, v = 1u << (axis + 2) % 3, base = side << axis;
    corners[0] = base;
    corners[1] = base | u;
    corners[2] = base | u | v;
    corners[3] = base | v;
}

static bool face_is_ambiguous(unsigned code, unsigned face)
{
    unsigned c[4];
    face_corners(c, face);
    return inside(code, c[0]) == inside(code, c[2]) &&
           inside(code, c[1]) == inside(code, c[3]) &&
           inside(code, c[0]) != inside(code, c[1]);
}

// partner[e][0..1]: the crossings that the one on edge e is joined with.
static void join_on_faces(unsigned partner[12][2], unsigned code)
{
    unsigned partners[12] = {0};
    for (unsigned face = 0; face < 6; face++) {
        unsigned c[4], crossing[4], crossings = 0, pairs[2][2], count = 0;
        face_corners(c, face);
        for (unsigned i = 0; i < 4; i++)
            if (inside(code, c[i]) != inside(code, c[(i + 1) % 4]))
                crossing[crossings++] = edge_between(c[i], c[(i + 1) % 4]);
        if (crossings == 2) {
            pairs[count][0] = crossing[0];
            pairs[count++][1] = crossing[1];
        } else if (crossings == 4) {
            for (unsigned i = 0; i < 4; i++) {
                if (!inside(code, c[i]))
                    continue;
                pairs[count][0] = edge_between(c[(i + 3) % 4], c[i]);
                pairs[count++][1] = edge_between(c[i], c[(i + 1) % 4]);
            }
        }
        for (unsigned i = 0; i < count; i++) {
            unsigned a = pairs[i][0], b = pairs[i][1];
            partner[a][partners[a]++] = b;
            partner[b][partners[b]++] = a;
        }
    }
}

static void init_groups(struct tess_flexicubes_tables *out, unsigned code)
{
    unsigned partner[12][2];
    uint8_t *group_of_edge = out->group_of_edge[code];
    memset(group_of_edge, TESS_FLEXICUBES_NONE, 12);
    join_on_faces(partner, code);
    uint8_t groups = 0;
    // Corners ascending, so that groups are found in the order of their smallest inside
    // corner.
    for (unsigned corner = 0; corner < 8; corner++) {
        for (unsigned e = 0; e < 12; e++) {
            unsigned a = tess_flexicubes_edges[e][0], b = tess_flexicubes_edges[e][1];
            if ((a != corner && b != corner) || !inside(code, corner) ||
                inside(code, a) == inside(code, b) ||
                group_of_edge[e] != TESS_FLEXICUBES_NONE)
                continue;
            unsigned at = e;
            while (group_of_edge[at] == TESS_FLEXICUBES_NONE) {
                group_of_edge[at] = groups;
                unsigned next = partner[at][0];
                at = group_of_edge[next] == TESS_FLEXICUBES_NONE ? next : partner[at][1];
            }
            groups++;
        }
    }
    out->groups[code] = groups;
    if (code == 231)
        for (unsigned e = 0; e < 12; e++)
            if (group_of_edge[e] != TESS_FLEXICUBES_NONE)
                group_of_edge[e] ^= 1; // its two groups stand the other way round
}

static uint8_t ambiguous_face(unsigned code)
{
    unsigned corners = 0, faces = 0;
    uint8_t last = TESS_FLEXICUBES_NONE;
    for (unsigned corner = 0; corner < 8; corner++)
        corners += inside(code, corner);
    for (uint8_t face = 0; face < 6; face++) {
        if (face_is_ambiguous(code, face)) {
            faces++;
            last = face;
        }
    }
    return corners >= 5 && faces == 1 ? last : TESS_FLEXICUBES_NONE;
}

void tess_flexicubes_tables_init(struct tess_flexicubes_tables *out)
{
    for (unsigned code = 0; code < 256; code++) {
        init_groups(out, code);
        out->ambiguous_face[code] = ambiguous_face(code);
    }
}
