// Small components go, whole, by area: floating specks.
#include "geom/specks.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "geom/topology.h"

static double face_area(const struct tess_mesh *mesh, size_t face)
{
    const float *p[3];
    double u[3], v[3], square = 0;
    for (size_t i = 0; i < 3; i++)
        p[i] = mesh->positions + 3 * (size_t)mesh->indices[3 * face + i];
    for (size_t k = 0; k < 3; k++) {
        u[k] = (double)p[1][k] - p[0][k];
        v[k] = (double)p[2][k] - p[0][k];
    }
    for (size_t k = 0; k < 3; k++) {
        double n = u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3];
        square += n * n;
    }
    return sqrt(square) / 2;
}

static enum tess_status choose(bool *keep, struct tess_env *env,
                               const struct tess_mesh *mesh, const uint32_t *labels,
                               size_t count, double share)
{
    double *areas = NULL, sum = 0;
    size_t largest = 0;
    TESS_TRY(tess_alloc(&areas, env, count, sizeof *areas, "components"));
    for (size_t f = 0; f < mesh->faces; f++)
        areas[labels[f]] += face_area(mesh, f);
    for (size_t i = 0; i < count; i++) {
        sum += areas[i];
        largest = areas[i] > areas[largest] ? i : largest;
    }
    for (size_t f = 0; f < mesh->faces; f++)
        keep[f] = labels[f] == largest || areas[labels[f]] >= share * sum;
    free(areas);
    return TESS_OK;
}

enum tess_status tess_mesh_remove_specks(struct tess_mesh *mesh, size_t *removed,
                                         struct tess_env *env, double share)
{
    struct tess_topology topology = {0};
    uint32_t *labels = NULL;
    bool *keep = NULL;
    size_t count = 0, before = mesh->faces;
    *removed = 0;
    TESS_TRY(tess_topology_create(&topology, env, mesh));
    enum tess_status status =
        tess_alloc(&labels, env, mesh->faces, sizeof *labels, "components");
    if (!status)
        status = tess_alloc(&keep, env, mesh->faces, sizeof *keep, "faces");
    if (!status)
        status =
            tess_topology_components(labels, &count, env, &topology, mesh->faces, NULL);
    if (!status)
        status = choose(keep, env, mesh, labels, count, share);
    if (!status)
        status = tess_mesh_keep_faces(mesh, env, keep);
    if (!status)
        *removed = before - mesh->faces;
    tess_topology_clear(&topology);
    free(labels);
    free(keep);
    return status;
}
