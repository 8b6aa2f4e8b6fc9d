// Vertices sorted by position, and those of one position by number.
#include "geom/weld.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/topology.h"

struct place {
    float position[3];
    uint32_t vertex;
};

static int compare_positions(const struct place *x, const struct place *y)
{
    for (int k = 0; k < 3; k++)
        if (x->position[k] != y->position[k])
            return x->position[k] < y->position[k] ? -1 : 1;
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = compare_positions(x, y);
    return order ? order : (x->vertex > y->vertex) - (x->vertex < y->vertex);
}

// firsts [vertices]: the first vertex at the position of each.
static enum tess_status find_firsts(uint32_t *firsts, struct tess_env *env,
                                    const struct tess_mesh *mesh)
{
    struct place *places = NULL;
    TESS_TRY(tess_alloc(&places, env, mesh->vertices, sizeof *places, "vertices"));
    for (size_t v = 0; v < mesh->vertices; v++) {
        memcpy(places[v].position, mesh->positions + 3 * v, sizeof places[v].position);
        places[v].vertex = (uint32_t)v;
    }
    qsort(places, mesh->vertices, sizeof *places, compare_places);
    for (size_t i = 0; i < mesh->vertices; i++) {
        bool same = i > 0 && compare_positions(&places[i - 1], &places[i]) == 0;
        firsts[places[i].vertex] = same ? firsts[places[i - 1].vertex] : places[i].vertex;
    }
    free(places);
    return TESS_OK;
}

// Faces whose vertices stay apart. False: there are none.
static bool choose_faces(bool *keep, const uint32_t *firsts, const struct tess_mesh *mesh)
{
    bool any = false;
    for (size_t f = 0; f < mesh->faces; f++) {
        const uint32_t *face = mesh->indices + 3 * f;
        uint32_t a = firsts[face[0]], b = firsts[face[1]], c = firsts[face[2]];
        keep[f] = a != b && b != c && c != a;
        any = any || keep[f];
    }
    return any;
}

enum tess_status tess_mesh_weld(struct tess_mesh *mesh, size_t *joined,
                                struct tess_env *env)
{
    uint32_t *firsts = NULL;
    bool *keep = NULL;
    size_t before = mesh->vertices;
    TESS_TRY(tess_alloc(&firsts, env, mesh->vertices, sizeof *firsts, "vertices"));
    enum tess_status status = tess_alloc(&keep, env, mesh->faces, sizeof *keep, "faces");
    if (!status)
        status = find_firsts(firsts, env, mesh);
    if (!status && choose_faces(keep, firsts, mesh)) {
        for (size_t i = 0; i < 3 * mesh->faces; i++)
            mesh->indices[i] = firsts[mesh->indices[i]];
        status = tess_mesh_keep_faces(mesh, env, keep);
    }
    if (!status)
        *joined = before - mesh->vertices;
    free(firsts);
    free(keep);
    return status;
}
