// Edges by counting: the sides of all faces are sorted by their lower vertex, and those
// of one vertex, which are few, are compared with each other.
#include "geom/topology.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void side_vertices(uint32_t out[2], const uint32_t *face, size_t side)
{
    uint32_t a = face[side], b = face[(side + 1) % 3];
    out[0] = a < b ? a : b;
    out[1] = a < b ? b : a;
}

static void add_side(struct tess_edge *edge, uint32_t face)
{
    if (edge->count < 2)
        edge->faces[edge->count] = face;
    edge->count++;
}

// starts[v] to starts[v + 1]: the sides whose lower vertex is v, in face order.
static void sort_sides(uint32_t *sorted, uint32_t *starts, const struct tess_mesh *mesh)
{
    uint32_t ends[2];
    for (size_t i = 0; i < 3 * mesh->faces; i++) {
        side_vertices(ends, mesh->indices + i / 3 * 3, i % 3);
        starts[(size_t)ends[0] + 2]++;
    }
    for (size_t v = 0; v < mesh->vertices; v++)
        starts[v + 2] += starts[v + 1];
    for (size_t i = 0; i < 3 * mesh->faces; i++) {
        side_vertices(ends, mesh->indices + i / 3 * 3, i % 3);
        sorted[starts[(size_t)ends[0] + 1]++] = (uint32_t)i;
    }
}

static void join_sides(struct tess_topology *topology, const struct tess_mesh *mesh,
                       const uint32_t *sides, size_t count)
{
    size_t first = topology->edge_count;
    for (size_t i = 0; i < count; i++) {
        uint32_t face = sides[i] / 3, ends[2];
        side_vertices(ends, mesh->indices + 3 * (size_t)face, sides[i] % 3);
        size_t e = first;
        while (e < topology->edge_count && topology->edges[e].vertices[1] != ends[1])
            e++;
        if (e == topology->edge_count)
            topology->edges[topology->edge_count++] =
                (struct tess_edge){{ends[0], ends[1]}, {TESS_NO_FACE, TESS_NO_FACE}, 0};
        add_side(&topology->edges[e], face);
        topology->sides[face][sides[i] % 3] = (uint32_t)e;
    }
}

enum tess_status tess_topology_create(struct tess_topology *out, struct tess_env *env,
                                      const struct tess_mesh *mesh)
{
    assert(mesh->faces < UINT32_MAX / 3);
    struct tess_topology topology = {0};
    uint32_t *sorted = NULL, *starts = NULL;
    enum tess_status status = tess_alloc(&topology.edges, env, 3 * mesh->faces,
                                         sizeof *topology.edges, "edges");
    if (!status)
        status = tess_alloc(&topology.sides, env, mesh->faces, sizeof *topology.sides,
                            "edges");
    if (!status)
        status = tess_alloc(&sorted, env, 3 * mesh->faces, sizeof *sorted, "edges");
    if (!status)
        status = tess_alloc(&starts, env, mesh->vertices + 2, sizeof *starts, "edges");
    if (!status) {
        sort_sides(sorted, starts, mesh);
        for (size_t v = 0; v < mesh->vertices; v++)
            join_sides(&topology, mesh, sorted + starts[v], starts[v + 1] - starts[v]);
        *out = topology;
    } else {
        tess_topology_clear(&topology);
    }
    free(sorted);
    free(starts);
    return status;
}

void tess_topology_clear(struct tess_topology *topology)
{
    free(topology->edges);
    free(topology->sides);
    memset(topology, 0, sizeof *topology);
}

uint32_t tess_topology_across(const struct tess_topology *topology, size_t face,
                              size_t side)
{
    const struct tess_edge *edge = &topology->edges[topology->sides[face][side]];
    if (edge->count != 2)
        return TESS_NO_FACE;
    return edge->faces[edge->faces[0] == face];
}

// ---- components ----

static uint32_t find_root(uint32_t *parents, uint32_t i)
{
    while (parents[i] != i) {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    return i;
}

// Roots are the lowest numbers, so that labels come out in the order of first faces.
static void join_roots(uint32_t *parents, uint32_t a, uint32_t b)
{
    a = find_root(parents, a);
    b = find_root(parents, b);
    if (a < b)
        parents[b] = a;
    else
        parents[a] = b;
}

enum tess_status tess_topology_components(uint32_t *labels, size_t *count,
                                          struct tess_env *env,
                                          const struct tess_topology *topology,
                                          size_t faces, const bool *among)
{
    uint32_t *parents = NULL, *last = NULL;
    enum tess_status status =
        tess_alloc(&parents, env, faces, sizeof *parents, "components");
    if (!status)
        status = tess_alloc(&last, env, topology->edge_count, sizeof *last, "components");
    if (!status) {
        memset(last, 0xff, topology->edge_count * sizeof *last);
        for (size_t f = 0; f < faces; f++) {
            parents[f] = (uint32_t)f;
            for (size_t i = 0; i < 3 && (!among || among[f]); i++) {
                uint32_t *other = &last[topology->sides[f][i]];
                if (*other != TESS_NO_FACE)
                    join_roots(parents, *other, (uint32_t)f);
                *other = (uint32_t)f;
            }
        }
        *count = 0;
        for (size_t f = 0; f < faces; f++) {
            uint32_t root = find_root(parents, (uint32_t)f);
            if (among && !among[f])
                labels[f] = TESS_NO_FACE;
            else
                labels[f] = root == f ? (uint32_t)(*count)++ : labels[root];
        }
    }
    free(parents);
    free(last);
    return status;
}

// ---- facts ----

static bool runs_from_lower(const uint32_t *face, const struct tess_edge *edge)
{
    for (size_t i = 0; i < 3; i++)
        if (face[i] == edge->vertices[0] && face[(i + 1) % 3] == edge->vertices[1])
            return true;
    return false;
}

static void measure_edges(struct tess_mesh_facts *facts, const struct tess_mesh *mesh,
                          const struct tess_topology *topology)
{
    for (size_t e = 0; e < topology->edge_count; e++) {
        const struct tess_edge *edge = &topology->edges[e];
        facts->boundary_edges += edge->count == 1;
        facts->non_manifold_edges += edge->count > 2;
        facts->inconsistent_edges +=
            edge->count == 2 &&
            runs_from_lower(mesh->indices + 3 * (size_t)edge->faces[0], edge) ==
                runs_from_lower(mesh->indices + 3 * (size_t)edge->faces[1], edge);
    }
}

static void measure_face(struct tess_mesh_facts *facts, const struct tess_mesh *mesh,
                         size_t face)
{
    const float *p[3];
    double u[3], v[3], n[3];
    for (size_t i = 0; i < 3; i++)
        p[i] = mesh->positions + 3 * (size_t)mesh->indices[3 * face + i];
    for (size_t k = 0; k < 3; k++) {
        u[k] = (double)p[1][k] - p[0][k];
        v[k] = (double)p[2][k] - p[0][k];
        for (size_t i = 0; i < 3; i++) {
            facts->lower[k] = fmin(facts->lower[k], p[i][k]);
            facts->upper[k] = fmax(facts->upper[k], p[i][k]);
        }
    }
    for (size_t k = 0; k < 3; k++)
        n[k] = u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3];
    facts->area += sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) / 2;
    facts->volume += (n[0] * p[0][0] + n[1] * p[0][1] + n[2] * p[0][2]) / 6;
}

enum tess_status tess_mesh_measure(struct tess_mesh_facts *out, struct tess_env *env,
                                   const struct tess_mesh *mesh)
{
    struct tess_topology topology = {0};
    struct tess_mesh_facts facts = {.lower = {INFINITY, INFINITY, INFINITY},
                                    .upper = {-INFINITY, -INFINITY, -INFINITY}};
    uint32_t *labels = NULL;
    TESS_TRY(tess_topology_create(&topology, env, mesh));
    enum tess_status status =
        tess_alloc(&labels, env, mesh->faces, sizeof *labels, "components");
    if (!status)
        status = tess_topology_components(labels, &facts.components, env, &topology,
                                          mesh->faces, NULL);
    if (!status) {
        measure_edges(&facts, mesh, &topology);
        for (size_t f = 0; f < mesh->faces; f++)
            measure_face(&facts, mesh, f);
        *out = facts;
    }
    free(labels);
    tess_topology_clear(&topology);
    return status;
}

// ---- fewer faces ----

static void move_vertex(struct tess_mesh *mesh, size_t to, size_t from)
{
    memmove(mesh->positions + 3 * to, mesh->positions + 3 * from, 3 * sizeof(float));
    if (mesh->normals)
        memmove(mesh->normals + 3 * to, mesh->normals + 3 * from, 3 * sizeof(float));
    if (mesh->attributes)
        memmove(mesh->attributes + 6 * to, mesh->attributes + 6 * from,
                6 * sizeof(float));
}

enum tess_status tess_mesh_keep_faces(struct tess_mesh *mesh, struct tess_env *env,
                                      const bool *keep)
{
    uint32_t *numbers = NULL; // of vertices that stay, from 1
    TESS_TRY(tess_alloc(&numbers, env, mesh->vertices, sizeof *numbers, "vertices"));
    size_t faces = 0, vertices = 0;
    for (size_t f = 0; f < mesh->faces; f++)
        if (keep[f]) {
            memmove(mesh->indices + 3 * faces++, mesh->indices + 3 * f,
                    3 * sizeof *mesh->indices);
        }
    for (size_t i = 0; i < 3 * faces; i++)
        numbers[mesh->indices[i]] = 1;
    for (size_t v = 0; v < mesh->vertices; v++)
        if (numbers[v]) {
            move_vertex(mesh, vertices, v);
            numbers[v] = (uint32_t)++vertices;
        }
    for (size_t i = 0; i < 3 * faces; i++)
        mesh->indices[i] = numbers[mesh->indices[i]] - 1;
    mesh->faces = faces;
    mesh->vertices = vertices;
    free(mesh->split_margins);
    mesh->split_margins = NULL;
    free(numbers);
    return TESS_OK;
}
