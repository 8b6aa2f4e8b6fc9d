// One direction for all faces of a component: breadth first across edges of two faces.
#include "geom/wind.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "geom/topology.h"

// Whether `face` runs from a to b.
static bool runs(const uint32_t *face, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < 3; i++)
        if (face[i] == a && face[(i + 1) % 3] == b)
            return true;
    return false;
}

static void turn(uint32_t *face)
{
    uint32_t swap = face[1];
    face[1] = face[2];
    face[2] = swap;
}

enum { UNSEEN, KEPT, TURNED };

// Mark the faces that `start` reaches; `queue` receives them. Returns how many.
static size_t spread(uint8_t *marks, uint32_t *queue, const struct tess_mesh *mesh,
                     const struct tess_topology *topology, uint32_t start)
{
    size_t read = 0, written = 0;
    marks[start] = KEPT;
    queue[written++] = start;
    while (read < written) {
        uint32_t f = queue[read++];
        const uint32_t *face = mesh->indices + 3 * (size_t)f;
        for (size_t i = 0; i < 3; i++) {
            uint32_t other = tess_topology_across(topology, f, i);
            if (other == TESS_NO_FACE || marks[other] != UNSEEN)
                continue;
            bool same =
                runs(mesh->indices + 3 * (size_t)other, face[i], face[(i + 1) % 3]);
            marks[other] = (marks[f] == KEPT) != same ? KEPT : TURNED;
            queue[written++] = other;
        }
    }
    return written;
}

enum tess_status tess_mesh_wind(struct tess_mesh *mesh, size_t *turned,
                                struct tess_env *env)
{
    struct tess_topology topology = {0};
    uint8_t *marks = NULL;
    uint32_t *queue = NULL;
    *turned = 0;
    TESS_TRY(tess_topology_create(&topology, env, mesh));
    enum tess_status status = tess_alloc(&marks, env, mesh->faces, 1, "faces");
    if (!status)
        status = tess_alloc(&queue, env, mesh->faces, sizeof *queue, "faces");
    for (uint32_t f = 0; f < mesh->faces && !status; f++) {
        if (marks[f] != UNSEEN)
            continue;
        size_t count = spread(marks, queue, mesh, &topology, f), against = 0;
        for (size_t i = 0; i < count; i++)
            against += marks[queue[i]] == TURNED;
        uint8_t turns = 2 * against > count ? KEPT : TURNED;
        for (size_t i = 0; i < count; i++)
            if (marks[queue[i]] == turns) {
                turn(mesh->indices + 3 * (size_t)queue[i]);
                ++*turned;
            }
    }
    tess_topology_clear(&topology);
    free(marks);
    free(queue);
    return status;
}
