// The rule is that of fill_holes in TRELLIS's postprocessing: the cut's capacities are
// edge lengths, and 1 at the terminals, all times 1000 in whole numbers.
#include "geom/hidden_faces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/max_flow.h"
#include "geom/topology.h"

#define CAPACITY_SCALE 1000
#define HOLE_AREA      0.04
#define SEEN_OFTEN     0.25

struct job {
    const struct tess_mesh *mesh;
    const float *visibility;
    double max_hole_area;
    struct tess_topology topology;
    uint32_t *labels; // [faces]: components, then pieces of candidates
    size_t label_count;
    float *sorted;    // [faces]: visibilities by label, ascending
    uint32_t *starts; // [label_count + 1] into `sorted`
    bool *candidates; // [faces]
};

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// Sort visibilities by label. Takes the place of what was sorted before.
static enum tess_status sort_visibilities(struct job *job, struct tess_env *env)
{
    free(job->starts);
    job->starts = NULL;
    TESS_TRY(tess_alloc(&job->starts, env, job->label_count + 2, sizeof *job->starts,
                        "components"));
    size_t faces = job->mesh->faces;
    for (size_t f = 0; f < faces; f++)
        if (job->labels[f] != TESS_NO_FACE)
            job->starts[job->labels[f] + 2]++;
    for (size_t i = 0; i < job->label_count; i++)
        job->starts[i + 2] += job->starts[i + 1];
    for (size_t f = 0; f < faces; f++)
        if (job->labels[f] != TESS_NO_FACE)
            job->sorted[job->starts[job->labels[f] + 1]++] = job->visibility[f];
    for (size_t i = 0; i < job->label_count; i++)
        qsort(job->sorted + job->starts[i], job->starts[i + 1] - job->starts[i],
              sizeof *job->sorted, compare_floats);
    return TESS_OK;
}

// Between the two nearest values, linearly.
static double quantile(const struct job *job, uint32_t label, double q)
{
    const float *values = job->sorted + job->starts[label];
    size_t count = job->starts[label + 1] - job->starts[label];
    double at = q * (double)(count - 1);
    size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
    return values[low] + (at - (double)low) * ((double)values[high] - values[low]);
}

static double edge_length(const struct tess_mesh *mesh, const struct tess_edge *edge)
{
    const float *a = mesh->positions + 3 * (size_t)edge->vertices[0];
    const float *b = mesh->positions + 3 * (size_t)edge->vertices[1];
    double x = (double)a[0] - b[0], y = (double)a[1] - b[1], z = (double)a[2] - b[2];
    return sqrt(x * x + y * y + z * z);
}

static enum tess_status cut_inner(struct job *job, struct tess_env *env)
{
    size_t faces = job->mesh->faces, arc_count = 0;
    int64_t *from_source = NULL, *to_target = NULL;
    struct tess_flow_arc *arcs = NULL;
    enum tess_status status =
        tess_alloc(&from_source, env, faces, sizeof *from_source, "a minimum cut");
    if (!status)
        status = tess_alloc(&to_target, env, faces, sizeof *to_target, "a minimum cut");
    if (!status)
        status = tess_alloc(&arcs, env, job->topology.edge_count, sizeof *arcs,
                            "a minimum cut");
    for (size_t f = 0; f < faces && !status; f++) {
        double often = fmin(fmax(quantile(job, job->labels[f], 0.75), 0.25), 0.5);
        from_source[f] = job->visibility[f] == 0 ? CAPACITY_SCALE : 0;
        to_target[f] = job->visibility[f] > often ? CAPACITY_SCALE : 0;
    }
    for (size_t e = 0; e < job->topology.edge_count && !status; e++) {
        const struct tess_edge *edge = &job->topology.edges[e];
        if (edge->count == 2)
            arcs[arc_count++] = (struct tess_flow_arc){
                {edge->faces[0], edge->faces[1]},
                (int64_t)(edge_length(job->mesh, edge) * CAPACITY_SCALE)};
    }
    if (!status)
        status = tess_max_flow(job->candidates, NULL, env, faces, from_source, to_target,
                               arcs, arc_count);
    free(from_source);
    free(to_target);
    free(arcs);
    return status;
}

// ---- holes that removal would open ----

// An edge of a piece of candidates that has other faces on its other side.
struct rim {
    uint32_t label;
    const struct tess_edge *edge;
};

static int compare_rims(const void *a, const void *b)
{
    const struct rim *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return (x->edge > y->edge) - (x->edge < y->edge);
}

static enum tess_status find_rims(struct rim **out, size_t *count, struct tess_env *env,
                                  const struct job *job)
{
    struct rim *rims = NULL;
    size_t capacity = 0;
    uint8_t *inside = NULL; // sides of candidates at an edge; these are in one piece
    *count = 0;
    enum tess_status status =
        tess_alloc(&inside, env, job->topology.edge_count, sizeof *inside, "edges");
    for (size_t i = 0; i < 3 * job->mesh->faces && !status; i++) {
        uint8_t *n = &inside[job->topology.sides[i / 3][i % 3]];
        *n = (uint8_t)(*n + (job->candidates[i / 3] && *n < 2));
    }
    for (size_t i = 0; i < 3 * job->mesh->faces && !status; i++) {
        uint32_t e = job->topology.sides[i / 3][i % 3];
        const struct tess_edge *edge = &job->topology.edges[e];
        if (!job->candidates[i / 3] || inside[e] != 1 || edge->count == 1)
            continue;
        status = tess_grow(&rims, &capacity, env, *count + 1, sizeof *rims, "edges");
        if (!status)
            rims[(*count)++] = (struct rim){job->labels[i / 3], edge};
    }
    if (!status && *count)
        qsort(rims, *count, sizeof *rims, compare_rims);
    free(inside);
    if (status)
        free(rims);
    else
        *out = rims;
    return status;
}

// Put `loops` [count]: the number of the first rim that each is connected with by shared
// vertices. Rims of one piece; quadratic in them would be slow, so vertices are sorted.
struct end {
    uint32_t vertex, rim;
};

static int compare_ends(const void *a, const void *b)
{
    const struct end *x = a, *y = b;
    if (x->vertex != y->vertex)
        return x->vertex < y->vertex ? -1 : 1;
    return (x->rim > y->rim) - (x->rim < y->rim);
}

static uint32_t loop_of(uint32_t *loops, uint32_t rim)
{
    while (loops[rim] != rim)
        rim = loops[rim] = loops[loops[rim]];
    return rim;
}

static void join_loops(uint32_t *loops, struct end *ends, const struct rim *rims,
                       size_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        loops[i] = i;
        ends[2 * i] = (struct end){rims[i].edge->vertices[0], i};
        ends[2 * i + 1] = (struct end){rims[i].edge->vertices[1], i};
    }
    qsort(ends, 2 * count, sizeof *ends, compare_ends);
    for (size_t i = 1; i < 2 * count; i++)
        if (ends[i].vertex == ends[i - 1].vertex) {
            uint32_t a = loop_of(loops, ends[i - 1].rim), b = loop_of(loops, ends[i].rim);
            loops[a < b ? b : a] = a < b ? a : b;
        }
    for (uint32_t i = 0; i < count; i++)
        loops[i] = loop_of(loops, i);
}

// Half the sum of |(a - c) x (b - c)| over the edges of the loop, c being the mean of
// their middles.
static double loop_area(const struct tess_mesh *mesh, const struct rim *rims,
                        const uint32_t *loops, size_t count, uint32_t loop)
{
    double c[3] = {0}, area = 0;
    size_t edges = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 3 && loops[i] == loop; k++) {
            const uint32_t *v = rims[i].edge->vertices;
            c[k] += ((double)mesh->positions[3 * (size_t)v[0] + k] +
                     mesh->positions[3 * (size_t)v[1] + k]) /
                    2;
            edges += k == 0;
        }
    for (size_t i = 0; i < count; i++) {
        if (loops[i] != loop)
            continue;
        double u[3], v[3], square = 0;
        for (size_t k = 0; k < 3; k++) {
            const uint32_t *ends = rims[i].edge->vertices;
            double middle = c[k] / (double)edges;
            u[k] = mesh->positions[3 * (size_t)ends[0] + k] - middle;
            v[k] = mesh->positions[3 * (size_t)ends[1] + k] - middle;
        }
        for (size_t k = 0; k < 3; k++) {
            double n = u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3];
            square += n * n;
        }
        area += sqrt(square) / 2;
    }
    return area;
}

static enum tess_status opens_too_much(bool *out, struct tess_env *env,
                                       const struct job *job, const struct rim *rims,
                                       size_t count)
{
    uint32_t *loops = NULL;
    struct end *ends = NULL;
    *out = false;
    enum tess_status status = tess_alloc(&loops, env, count, sizeof *loops, "loops");
    if (!status)
        status = tess_alloc(&ends, env, 2 * count, sizeof *ends, "loops");
    if (!status) {
        join_loops(loops, ends, rims, count);
        for (uint32_t i = 0; i < count && !*out; i++)
            *out = loops[i] == i &&
                   loop_area(job->mesh, rims, loops, count, i) > job->max_hole_area;
    }
    free(loops);
    free(ends);
    return status;
}

// ---- the whole ----

// Which pieces of candidates go.
static enum tess_status judge_pieces(bool *goes, struct job *job, struct tess_env *env)
{
    struct rim *rims = NULL;
    size_t count = 0, first = 0;
    TESS_TRY(find_rims(&rims, &count, env, job));
    enum tess_status status = TESS_OK;
    for (uint32_t piece = 0; piece < job->label_count && !status; piece++) {
        size_t end = first;
        while (end < count && rims[end].label == piece)
            end++;
        bool too_much = false;
        status = opens_too_much(&too_much, env, job, rims + first, end - first);
        goes[piece] = !too_much && quantile(job, piece, 0.5) <= SEEN_OFTEN;
        first = end;
    }
    free(rims);
    return status;
}

static enum tess_status find_hidden(struct job *job, bool *keep, struct tess_env *env)
{
    size_t faces = job->mesh->faces;
    bool *goes = NULL;
    TESS_TRY(tess_alloc(&job->labels, env, faces, sizeof *job->labels, "components"));
    TESS_TRY(tess_alloc(&job->sorted, env, faces, sizeof *job->sorted, "components"));
    TESS_TRY(
        tess_alloc(&job->candidates, env, faces, sizeof *job->candidates, "components"));
    TESS_TRY(tess_topology_create(&job->topology, env, job->mesh));
    TESS_TRY(tess_topology_components(job->labels, &job->label_count, env, &job->topology,
                                      faces, NULL));
    TESS_TRY(sort_visibilities(job, env));
    TESS_TRY(cut_inner(job, env));
    TESS_TRY(tess_topology_components(job->labels, &job->label_count, env, &job->topology,
                                      faces, job->candidates));
    TESS_TRY(sort_visibilities(job, env));
    TESS_TRY(tess_alloc(&goes, env, job->label_count, sizeof *goes, "components"));
    enum tess_status status = judge_pieces(goes, job, env);
    for (size_t f = 0; f < faces && !status; f++)
        keep[f] = !job->candidates[f] || !goes[job->labels[f]];
    free(goes);
    return status;
}

static bool keeps_any(const bool *keep, size_t faces)
{
    return memchr(keep, true, faces * sizeof *keep) != NULL;
}

static bool has_inner(const float *visibility, size_t faces)
{
    for (size_t f = 0; f < faces; f++)
        if (visibility[f] == 0)
            return true;
    return false;
}

enum tess_status tess_mesh_remove_hidden(struct tess_mesh *mesh, size_t *removed,
                                         bool *spared, struct tess_env *env,
                                         const float *visibility,
                                         const struct tess_hidden_params *params)
{
    double area = params && params->max_hole_area > 0 ? params->max_hole_area : HOLE_AREA;
    struct job job = {.mesh = mesh, .visibility = visibility, .max_hole_area = area};
    bool *keep = NULL;
    *removed = 0;
    *spared = false;
    if (!has_inner(visibility, mesh->faces))
        return TESS_OK;
    TESS_TRY(tess_alloc(&keep, env, mesh->faces, sizeof *keep, "faces"));
    enum tess_status status = find_hidden(&job, keep, env);
    size_t before = mesh->faces;
    if (!status)
        *spared = !keeps_any(keep, before);
    if (!status && !*spared)
        status = tess_mesh_keep_faces(mesh, env, keep);
    if (!status)
        *removed = before - mesh->faces;
    tess_topology_clear(&job.topology);
    free(job.labels);
    free(job.sorted);
    free(job.starts);
    free(job.candidates);
    free(keep);
    return status;
}
