// Least-area triangulations of loops by dynamic programming over intervals of the loop
// (Barequet and Sharir 1995): O(n^3) for n edges, n being small.
#include "geom/fill_holes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/topology.h"

#define NO_VERTEX UINT32_MAX

// A boundary edge, against the way of its face.
struct rim {
    uint32_t to, link; // the next one from the same vertex, from 1; 0: none
};

struct job {
    struct tess_mesh *mesh;
    struct tess_topology topology;
    uint32_t *first;  // [vertices]: of rims that are not walked yet, from 1; 0: none
    struct rim *rims; // [3 faces]
    uint32_t *places; // [vertices]: on the path that is walked, from 1; 0: not on it
    uint32_t *loop;   // [vertices]: the path
    uint32_t *added;  // corners of new faces
    size_t added_count, capacity;
    double *areas;    // [n][n], of the best triangulation of loop[i..j]
    uint32_t *splits; // [n][n], its third corner at the edge i j
    uint32_t *stack;  // intervals to cut, pairs
};

static void find_rims(struct job *job)
{
    uint32_t count = 0;
    for (size_t i = 0; i < 3 * job->mesh->faces; i++) {
        const uint32_t *face = job->mesh->indices + i / 3 * 3;
        const struct tess_edge *edge =
            &job->topology.edges[job->topology.sides[i / 3][i % 3]];
        if (edge->count != 1 || edge->vertices[0] == edge->vertices[1])
            continue;
        uint32_t from = face[(i + 1) % 3];
        job->rims[count++] = (struct rim){face[i % 3], job->first[from]};
        job->first[from] = count;
    }
}

static uint32_t take_rim(struct job *job, uint32_t vertex)
{
    uint32_t number = job->first[vertex];
    if (!number)
        return NO_VERTEX;
    job->first[vertex] = job->rims[number - 1].link;
    return job->rims[number - 1].to;
}

static double triangle_area(const struct tess_mesh *mesh, uint32_t a, uint32_t b,
                            uint32_t c)
{
    const float *p = mesh->positions + 3 * (size_t)a,
                *q = mesh->positions + 3 * (size_t)b,
                *r = mesh->positions + 3 * (size_t)c;
    double u[3], v[3], square = 0;
    for (size_t k = 0; k < 3; k++) {
        u[k] = (double)q[k] - p[k];
        v[k] = (double)r[k] - p[k];
    }
    for (size_t k = 0; k < 3; k++) {
        double n = u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3];
        square += n * n;
    }
    return sqrt(square) / 2;
}

static bool has_edge(const struct job *job, uint32_t a, uint32_t b)
{
    // Edges are sorted by their lower vertex.
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    size_t first = 0, end = job->topology.edge_count;
    while (first < end) {
        size_t middle = (first + end) / 2;
        if (job->topology.edges[middle].vertices[0] < low)
            first = middle + 1;
        else
            end = middle;
    }
    for (; first < job->topology.edge_count &&
           job->topology.edges[first].vertices[0] == low;
         first++)
        if (job->topology.edges[first].vertices[1] == high)
            return true;
    return false;
}

// False: no triangulation without an edge that would get a third face.
static bool triangulate(struct job *job, const uint32_t *loop, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        job->areas[i * n + i + 1] = 0;
    for (size_t span = 2; span < n; span++)
        for (size_t i = 0; i + span < n; i++) {
            size_t j = i + span;
            double best = INFINITY;
            bool rim = i == 0 && j == n - 1;
            for (size_t k = i + 1; k < j; k++) {
                double area = job->areas[i * n + k] + job->areas[k * n + j];
                if (!(area < best))
                    continue;
                area += triangle_area(job->mesh, loop[i], loop[k], loop[j]);
                if (area < best) {
                    best = area;
                    job->splits[i * n + j] = (uint32_t)k;
                }
            }
            if (!rim && has_edge(job, loop[i], loop[j]))
                best = INFINITY;
            job->areas[i * n + j] = best;
        }
    return isfinite(job->areas[n - 1]);
}

static enum tess_status close_loop(struct job *job, struct tess_env *env,
                                   const uint32_t *loop, size_t n)
{
    TESS_TRY(tess_grow(&job->added, &job->capacity, env, job->added_count + 3 * (n - 2),
                       sizeof *job->added, "mesh faces"));
    size_t depth = 0;
    job->stack[depth++] = 0;
    job->stack[depth++] = (uint32_t)n - 1;
    while (depth) {
        uint32_t j = job->stack[--depth], i = job->stack[--depth];
        if (j - i < 2)
            continue;
        uint32_t k = job->splits[i * n + j];
        uint32_t *face = job->added + job->added_count;
        face[0] = loop[i];
        face[1] = loop[k];
        face[2] = loop[j];
        job->added_count += 3;
        job->stack[depth++] = i;
        job->stack[depth++] = k;
        job->stack[depth++] = k;
        job->stack[depth++] = j;
    }
    return TESS_OK;
}

// Follow the rim from `start`; each time the path meets itself, a loop is cut off it.
static enum tess_status walk(struct job *job, size_t *filled, struct tess_env *env,
                             uint32_t start, size_t max_edges)
{
    size_t length = 0;
    uint32_t vertex = start;
    while (vertex != NO_VERTEX) {
        if (job->places[vertex]) {
            size_t first = job->places[vertex] - 1, n = length - first;
            const uint32_t *loop = job->loop + first;
            if (n >= 3 && n <= max_edges && triangulate(job, loop, n)) {
                TESS_TRY(close_loop(job, env, loop, n));
                ++*filled;
            }
            for (size_t i = first; i < length; i++)
                job->places[job->loop[i]] = 0;
            length = first;
        }
        uint32_t next = take_rim(job, vertex);
        if (next != NO_VERTEX) {
            job->loop[length++] = vertex;
            job->places[vertex] = (uint32_t)length;
        }
        vertex = next;
    }
    for (size_t i = 0; i < length; i++)
        job->places[job->loop[i]] = 0;
    return TESS_OK;
}

static enum tess_status take_memory(struct job *job, struct tess_env *env,
                                    size_t max_edges)
{
    size_t vertices = job->mesh->vertices;
    TESS_TRY(tess_alloc(&job->first, env, vertices, sizeof *job->first, "loops"));
    TESS_TRY(
        tess_alloc(&job->rims, env, 3 * job->mesh->faces, sizeof *job->rims, "loops"));
    TESS_TRY(tess_alloc(&job->places, env, vertices, sizeof *job->places, "loops"));
    TESS_TRY(tess_alloc(&job->loop, env, vertices, sizeof *job->loop, "loops"));
    TESS_TRY(
        tess_alloc(&job->areas, env, max_edges * max_edges, sizeof *job->areas, "loops"));
    TESS_TRY(tess_alloc(&job->splits, env, max_edges * max_edges, sizeof *job->splits,
                        "loops"));
    TESS_TRY(tess_alloc(&job->stack, env, 4 * max_edges, sizeof *job->stack, "loops"));
    return tess_topology_create(&job->topology, env, job->mesh);
}

static enum tess_status append_faces(struct tess_mesh *mesh, struct tess_env *env,
                                     const uint32_t *corners, size_t count)
{
    uint32_t *indices = NULL;
    TESS_TRY(tess_alloc(&indices, env, 3 * mesh->faces + count, sizeof *indices,
                        "mesh faces"));
    memcpy(indices, mesh->indices, 3 * mesh->faces * sizeof *indices);
    memcpy(indices + 3 * mesh->faces, corners, count * sizeof *indices);
    free(mesh->indices);
    free(mesh->split_margins);
    mesh->split_margins = NULL;
    mesh->indices = indices;
    mesh->faces += count / 3;
    return TESS_OK;
}

enum tess_status tess_mesh_fill_holes(struct tess_mesh *mesh, size_t *filled,
                                      struct tess_env *env, size_t max_edges)
{
    struct job job = {.mesh = mesh};
    size_t closed = 0;
    if (max_edges > TESS_HOLE_EDGES_MAX)
        max_edges = TESS_HOLE_EDGES_MAX;
    *filled = 0;
    enum tess_status status = take_memory(&job, env, max_edges);
    if (!status)
        find_rims(&job);
    for (uint32_t v = 0; v < mesh->vertices && !status; v++)
        while (job.first[v] && !status)
            status = walk(&job, &closed, env, v, max_edges);
    if (!status && job.added_count)
        status = append_faces(mesh, env, job.added, job.added_count);
    if (!status)
        *filled = closed;
    tess_topology_clear(&job.topology);
    free(job.first);
    free(job.rims);
    free(job.places);
    free(job.loop);
    free(job.added);
    free(job.areas);
    free(job.splits);
    free(job.stack);
    return status;
}
