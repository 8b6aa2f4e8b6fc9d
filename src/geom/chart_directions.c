// First each face takes the direction nearest to its normal. Then faces change sides one
// by one while that lowers
//
//   sum of area (1 - cosine) + SMOOTHING * root of the whole area * length of borders
//
// (iterated conditional modes), and small patches join what they border most on. So
// noise on a surface and rounded edges do not tear it into little pieces.
#include "geom/chart_directions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SMOOTHING    0.03
#define PASSES       12
#define SMALL        0.004 // of the whole area
#define MERGE_PASSES 6

struct job {
    const struct tess_mesh *mesh;
    const struct tess_topology *topology;
    const struct tess_facing *facing;
    uint8_t *directions;
    double border_cost, small;
    uint32_t *patches, *sorted, *starts; // [faces], [faces], [faces + 1]
};

double tess_face_facings(struct tess_facing *facing, const struct tess_mesh *mesh)
{
    double total = 0;
    for (size_t f = 0; f < mesh->faces; f++) {
        const uint32_t *face = mesh->indices + 3 * f;
        double n[3],
            length = tess_triangle_normal(n, mesh->positions + 3 * (size_t)face[0],
                                          mesh->positions + 3 * (size_t)face[1],
                                          mesh->positions + 3 * (size_t)face[2]);
        facing[f].area = length > 0 ? length / 2 : 0; // also where it is not a number
        for (size_t k = 0; k < 3; k++)
            facing[f].normal[k] = length > 0 ? n[k] / length : 0;
        total += facing[f].area;
    }
    return total;
}

double tess_facing_cosine(const struct tess_facing *facing, unsigned direction)
{
    double along = facing->normal[direction / 2];
    return direction % 2 ? -along : along;
}

static bool is_allowed(const struct tess_facing *facing, unsigned direction)
{
    return facing->area == 0 || tess_facing_cosine(facing, direction) >= TESS_CHART_TILT;
}

static double side_length(const struct tess_mesh *mesh, size_t face, size_t side)
{
    const uint32_t *corners = mesh->indices + 3 * face;
    const float *a = mesh->positions + 3 * (size_t)corners[side];
    const float *b = mesh->positions + 3 * (size_t)corners[(side + 1) % 3];
    double x = (double)a[0] - b[0], y = (double)a[1] - b[1], z = (double)a[2] - b[2];
    return sqrt(x * x + y * y + z * z);
}

// lengths[d]: how far the face borders on faces of direction d.
static void add_borders(double lengths[TESS_DIRECTIONS], const struct job *job,
                        size_t face)
{
    for (size_t side = 0; side < 3; side++) {
        uint32_t other = tess_topology_across(job->topology, face, side);
        if (other != TESS_NO_FACE)
            lengths[job->directions[other]] += side_length(job->mesh, face, side);
    }
}

static void choose_nearest(struct job *job)
{
    for (size_t f = 0; f < job->mesh->faces; f++) {
        double best = -2;
        for (unsigned d = 0; d < TESS_DIRECTIONS; d++) {
            double cosine = tess_facing_cosine(&job->facing[f], d);
            if (cosine > best) {
                best = cosine;
                job->directions[f] = (uint8_t)d;
            }
        }
    }
}

// Returns whether any face changed.
static bool smooth(struct job *job)
{
    bool changed = false;
    for (size_t f = 0; f < job->mesh->faces; f++) {
        const struct tess_facing *facing = &job->facing[f];
        double lengths[TESS_DIRECTIONS] = {0}, best = INFINITY;
        unsigned now = job->directions[f], next = now;
        add_borders(lengths, job, f);
        for (unsigned i = 0; i < TESS_DIRECTIONS; i++) {
            unsigned d = (now + i) % TESS_DIRECTIONS; // where equal, nothing changes
            double cost = facing->area * (1 - tess_facing_cosine(facing, d)) -
                          job->border_cost * lengths[d];
            if (is_allowed(facing, d) && cost < best) {
                best = cost;
                next = d;
            }
        }
        changed = changed || next != now;
        job->directions[f] = (uint8_t)next;
    }
    return changed;
}

void tess_sort_by_group(uint32_t *sorted, uint32_t *starts, const uint32_t *groups,
                        size_t count, size_t group_count)
{
    memset(starts, 0, (group_count + 1) * sizeof *starts);
    for (size_t i = 0; i < count; i++)
        starts[groups[i]]++;
    uint32_t sum = 0;
    for (size_t g = 0; g <= group_count; g++) {
        uint32_t here = starts[g];
        starts[g] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        sorted[starts[groups[i]]++] = (uint32_t)i;
    for (size_t g = group_count; g > 0; g--)
        starts[g] = starts[g - 1];
    starts[0] = 0;
}

enum tess_status tess_chart_patches(uint32_t *out, size_t *count, struct tess_env *env,
                                    const struct tess_topology *topology, size_t faces,
                                    const uint8_t *directions)
{
    uint32_t *stack = NULL;
    TESS_TRY(tess_alloc(&stack, env, faces, sizeof *stack, "charts"));
    memset(out, 0xff, faces * sizeof *out);
    *count = 0;
    for (size_t first = 0; first < faces; first++) {
        if (out[first] != UINT32_MAX)
            continue;
        size_t left = 0;
        stack[left++] = (uint32_t)first;
        out[first] = (uint32_t)*count;
        while (left) {
            uint32_t f = stack[--left];
            for (size_t side = 0; side < 3; side++) {
                uint32_t other = tess_topology_across(topology, f, side);
                if (other == TESS_NO_FACE || out[other] != UINT32_MAX ||
                    directions[other] != directions[f])
                    continue;
                out[other] = (uint32_t)*count;
                stack[left++] = other;
            }
        }
        ++*count;
    }
    free(stack);
    return TESS_OK;
}

// A small patch takes the direction that it borders most on, of those that all of its
// faces may take.
static bool merge_patch(struct job *job, const uint32_t *faces, size_t count)
{
    double lengths[TESS_DIRECTIONS] = {0}, area = 0, most = 0;
    bool allowed[TESS_DIRECTIONS];
    memset(allowed, true, sizeof allowed);
    unsigned now = job->directions[faces[0]], next = now;
    for (size_t i = 0; i < count; i++) {
        area += job->facing[faces[i]].area;
        add_borders(lengths, job, faces[i]);
        for (unsigned d = 0; d < TESS_DIRECTIONS; d++)
            allowed[d] = allowed[d] && is_allowed(&job->facing[faces[i]], d);
    }
    if (area > job->small)
        return false;
    for (unsigned d = 0; d < TESS_DIRECTIONS; d++)
        if (d != now && allowed[d] && lengths[d] > most) {
            most = lengths[d];
            next = d;
        }
    for (size_t i = 0; i < count; i++)
        job->directions[faces[i]] = (uint8_t)next;
    return next != now;
}

static enum tess_status merge_small(struct job *job, struct tess_env *env)
{
    bool changed = true;
    for (size_t pass = 0; pass < MERGE_PASSES && changed; pass++) {
        size_t count;
        TESS_TRY(tess_chart_patches(job->patches, &count, env, job->topology,
                                    job->mesh->faces, job->directions));
        tess_sort_by_group(job->sorted, job->starts, job->patches, job->mesh->faces,
                           count);
        changed = false;
        for (size_t p = 0; p < count; p++)
            if (merge_patch(job, job->sorted + job->starts[p],
                            job->starts[p + 1] - job->starts[p]))
                changed = true;
        TESS_TRY(tess_env_check(env));
    }
    return TESS_OK;
}

enum tess_status tess_chart_directions(uint8_t *directions, struct tess_env *env,
                                       const struct tess_mesh *mesh,
                                       const struct tess_topology *topology,
                                       const struct tess_facing *facing)
{
    struct job job = {mesh, topology, facing, directions};
    size_t faces = mesh->faces;
    double area = 0;
    for (size_t f = 0; f < faces; f++)
        area += facing[f].area;
    job.border_cost = SMOOTHING * sqrt(area);
    job.small = SMALL * area;
    enum tess_status status =
        tess_alloc(&job.patches, env, faces, sizeof *job.patches, "charts");
    if (!status)
        status = tess_alloc(&job.sorted, env, faces, sizeof *job.sorted, "charts");
    if (!status)
        status = tess_alloc(&job.starts, env, faces + 1, sizeof *job.starts, "charts");
    if (!status) {
        choose_nearest(&job);
        size_t pass = 0;
        while (pass < PASSES && smooth(&job))
            pass++;
        status = merge_small(&job, env);
    }
    free(job.patches);
    free(job.sorted);
    free(job.starts);
    return status;
}
