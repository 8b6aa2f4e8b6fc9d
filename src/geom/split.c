// Corners of faces that hang together across edges are one vertex; all others are not.
// Simplification makes such edges where thin parts touch.
#include "geom/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/topology.h"

// A face at an edge with more than two.
struct user {
    uint32_t edge, face;
    bool forward; // from the edge's lower vertex to the higher one
    double angle; // of the face around the edge, in 0..2 pi
};

struct job {
    const struct tess_mesh *mesh;
    struct tess_topology topology;
    uint32_t *classes; // [3 faces]: corners that are one vertex, by union and find
    struct user *users;
    size_t user_count, capacity;
};

static uint32_t find_class(uint32_t *classes, uint32_t corner)
{
    while (classes[corner] != corner)
        corner = classes[corner] = classes[classes[corner]];
    return corner;
}

static uint32_t corner_at(const struct tess_mesh *mesh, uint32_t face, uint32_t vertex)
{
    const uint32_t *corners = mesh->indices + 3 * (size_t)face;
    return 3 * face + (corners[0] == vertex ? 0 : corners[1] == vertex ? 1 : 2);
}

static void join_faces(struct job *job, const struct tess_edge *edge, uint32_t f,
                       uint32_t g)
{
    for (size_t end = 0; end < 2; end++) {
        uint32_t a = find_class(job->classes,
                                corner_at(job->mesh, f, edge->vertices[end])),
                 b = find_class(job->classes,
                                corner_at(job->mesh, g, edge->vertices[end]));
        job->classes[a < b ? b : a] = a < b ? a : b;
    }
}

// The angle of a point around the line from p to q, from an axis that depends on the line
// only.
static double angle_around(const float *p, const float *q, const float *point)
{
    double d[3], r[3], u[3], v[3], x = 0, y = 0;
    for (size_t k = 0; k < 3; k++) {
        d[k] = (double)q[k] - p[k];
        r[k] = (double)point[k] - p[k];
    }
    // u: across d and the axis that d is least along.
    size_t least = fabs(d[0]) <= fabs(d[1]) ? (fabs(d[0]) <= fabs(d[2]) ? 0 : 2)
                                            : (fabs(d[1]) <= fabs(d[2]) ? 1 : 2);
    double axis[3] = {least == 0, least == 1, least == 2};
    for (size_t k = 0; k < 3; k++)
        u[k] = d[(k + 1) % 3] * axis[(k + 2) % 3] - d[(k + 2) % 3] * axis[(k + 1) % 3];
    for (size_t k = 0; k < 3; k++)
        v[k] = d[(k + 1) % 3] * u[(k + 2) % 3] - d[(k + 2) % 3] * u[(k + 1) % 3];
    double length = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    for (size_t k = 0; k < 3; k++) {
        x += r[k] * u[k] * length;
        y += r[k] * v[k];
    }
    double angle = atan2(y, x);
    return angle < 0 ? angle + 2 * M_PI : angle;
}

static enum tess_status add_user(struct job *job, struct tess_env *env, uint32_t edge,
                                 uint32_t face, size_t side)
{
    const uint32_t *corners = job->mesh->indices + 3 * (size_t)face;
    const uint32_t *ends = job->topology.edges[edge].vertices;
    const float *positions = job->mesh->positions;
    TESS_TRY(tess_grow(&job->users, &job->capacity, env, job->user_count + 1,
                       sizeof *job->users, "edges"));
    job->users[job->user_count++] = (struct user){
        edge, face, corners[side] == ends[0],
        angle_around(positions + 3 * (size_t)ends[0], positions + 3 * (size_t)ends[1],
                     positions + 3 * (size_t)corners[(side + 2) % 3])};
    return TESS_OK;
}

static int compare_users(const void *a, const void *b)
{
    const struct user *x = a, *y = b;
    if (x->edge != y->edge)
        return x->edge < y->edge ? -1 : 1;
    return (x->face > y->face) - (x->face < y->face);
}

// Material is on the inner side of a face: for one that runs forward, at smaller angles
// than its own. The wedge between it and one that runs backward:
static double wedge(const struct user *forward, const struct user *backward)
{
    double angle = forward->angle - backward->angle;
    return angle < 0 ? angle + 2 * M_PI : angle;
}

static void pair_users(struct job *job, struct user *users, size_t count)
{
    for (;;) {
        double best = INFINITY;
        size_t f = 0, b = 0;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < count; k++)
                if (users[i].face != TESS_NO_FACE && users[k].face != TESS_NO_FACE &&
                    users[i].forward && !users[k].forward &&
                    wedge(&users[i], &users[k]) < best)
                {
                    best = wedge(&users[i], &users[k]);
                    f = i;
                    b = k;
                }
        if (!isfinite(best))
            return;
        join_faces(job, &job->topology.edges[users[f].edge], users[f].face,
                   users[b].face);
        users[f].face = users[b].face = TESS_NO_FACE;
    }
}

static enum tess_status join_corners(struct job *job, struct tess_env *env)
{
    for (size_t i = 0; i < 3 * job->mesh->faces; i++)
        job->classes[i] = (uint32_t)i;
    for (uint32_t i = 0; i < 3 * job->mesh->faces; i++) {
        uint32_t e = job->topology.sides[i / 3][i % 3];
        const struct tess_edge *edge = &job->topology.edges[e];
        if (edge->count == 2 && edge->faces[0] == i / 3)
            join_faces(job, edge, edge->faces[0], edge->faces[1]);
        else if (edge->count > 2)
            TESS_TRY(add_user(job, env, e, i / 3, i % 3));
    }
    if (job->user_count)
        qsort(job->users, job->user_count, sizeof *job->users, compare_users);
    for (size_t i = 0, end; i < job->user_count; i = end) {
        for (end = i;
             end < job->user_count && job->users[end].edge == job->users[i].edge;)
            end++;
        pair_users(job, job->users + i, end - i);
    }
    return TESS_OK;
}

// An array with elements repeated: those at sources[i] follow the `count` that there are.
static enum tess_status repeat(float **array, struct tess_env *env, size_t width,
                               size_t count, const uint32_t *sources, size_t extra)
{
    float *longer = NULL;
    if (!*array)
        return TESS_OK;
    TESS_TRY(tess_alloc(&longer, env, count + extra, width * sizeof *longer, "vertices"));
    memcpy(longer, *array, count * width * sizeof *longer);
    for (size_t i = 0; i < extra; i++)
        memcpy(longer + (count + i) * width, *array + sources[i] * width,
               width * sizeof *longer);
    free(*array);
    *array = longer;
    return TESS_OK;
}

// The first class of a vertex keeps it; others get copies, whose sources are *sources.
static enum tess_status number_corners(uint32_t *numbers, uint32_t *sources,
                                       size_t *extra, struct tess_env *env,
                                       struct job *job)
{
    uint32_t *firsts = NULL; // [vertices]: the class that keeps it
    size_t vertices = job->mesh->vertices;
    TESS_TRY(tess_alloc(&firsts, env, vertices, sizeof *firsts, "vertices"));
    memset(firsts, 0xff, vertices * sizeof *firsts);
    for (uint32_t i = 0; i < 3 * job->mesh->faces; i++) {
        uint32_t vertex = job->mesh->indices[i], root = find_class(job->classes, i);
        if (root != i) { // roots are the lowest of their class
            numbers[i] = numbers[root];
        } else if (firsts[vertex] == UINT32_MAX) {
            firsts[vertex] = root;
            numbers[i] = vertex;
        } else {
            sources[*extra] = vertex;
            numbers[i] = (uint32_t)(vertices + (*extra)++);
        }
    }
    free(firsts);
    return TESS_OK;
}

static enum tess_status split(struct tess_mesh *mesh, size_t *added, struct tess_env *env,
                              struct job *job)
{
    uint32_t *numbers = NULL, *sources = NULL;
    size_t extra = 0;
    TESS_TRY(tess_alloc(&numbers, env, 3 * mesh->faces, sizeof *numbers, "vertices"));
    enum tess_status status =
        tess_alloc(&sources, env, 3 * mesh->faces, sizeof *sources, "vertices");
    if (!status)
        status = number_corners(numbers, sources, &extra, env, job);
    if (!status)
        status = repeat(&mesh->positions, env, 3, mesh->vertices, sources, extra);
    if (!status)
        status = repeat(&mesh->normals, env, 3, mesh->vertices, sources, extra);
    if (!status)
        status = repeat(&mesh->attributes, env, 6, mesh->vertices, sources, extra);
    if (!status) {
        memcpy(mesh->indices, numbers, 3 * mesh->faces * sizeof *numbers);
        mesh->vertices += extra;
        *added = extra;
    }
    free(numbers);
    free(sources);
    return status;
}

enum tess_status tess_mesh_split(struct tess_mesh *mesh, size_t *added,
                                 struct tess_env *env)
{
    struct job job = {.mesh = mesh};
    *added = 0;
    enum tess_status status =
        tess_alloc(&job.classes, env, 3 * mesh->faces, sizeof *job.classes, "corners");
    if (!status)
        status = tess_topology_create(&job.topology, env, mesh);
    if (!status)
        status = join_corners(&job, env);
    if (!status)
        status = split(mesh, added, env, &job);
    tess_topology_clear(&job.topology);
    free(job.classes);
    free(job.users);
    return status;
}
