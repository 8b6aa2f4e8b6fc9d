// Charts, packed: their corners become vertices.
#include "geom/unwrap.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/chart_directions.h"
#include "geom/charts.h"
#include "geom/pack.h"

#define CELLS 256 // across the texture, by default

struct job {
    struct tess_env *env;
    const struct tess_mesh *mesh;
    uint32_t size, gutter;
    struct tess_charts charts;
    struct tess_packing packing;
    double *heights;             // of the charts, in their units
    uint32_t *numbers, *corners; // [3 faces]: new vertices; [new vertices]: one of each
    size_t vertices;
};

static enum tess_status check(struct tess_env *env, const struct tess_mesh *mesh)
{
    if (!mesh->faces)
        return tess_fail(env, TESS_ERR_ARG, "a mesh without faces has no texture");
    for (size_t i = 0; i < 3 * mesh->vertices; i++)
        if (!isfinite(mesh->positions[i]))
            return tess_fail(env, TESS_ERR_ARG,
                             "vertex %zu of the mesh has a position that is not finite",
                             i / 3);
    return TESS_OK;
}

static enum tess_status pack(struct job *job, uint32_t gutter)
{
    bool found = false;
    job->gutter = gutter ? gutter : job->size > CELLS ? job->size / CELLS : 1;
    for (;;) {
        TESS_TRY(tess_charts_pack(&job->packing, &found, job->env, &job->charts,
                                  job->mesh->faces, job->size / job->gutter));
        if (found)
            return TESS_OK;
        if (gutter || job->gutter == 1)
            return tess_fail(job->env, TESS_ERR_ARG,
                             "%zu charts do not fit a texture of %u texels with gutters "
                             "of %u (clean the mesh, or take a larger texture)",
                             job->charts.count, (unsigned)job->size,
                             (unsigned)job->gutter);
        job->gutter /= 2;
    }
}

// One vertex for each pair of a vertex and a chart, in the order of their first corners.
static enum tess_status number_corners(struct job *job)
{
    const struct tess_mesh *mesh = job->mesh;
    uint32_t *starts = NULL, *by_vertex = NULL;
    size_t corners = 3 * mesh->faces;
    enum tess_status status =
        tess_alloc(&starts, job->env, mesh->vertices + 1, sizeof *starts, "vertices");
    if (!status)
        status = tess_alloc(&by_vertex, job->env, corners, sizeof *by_vertex, "vertices");
    if (!status) {
        tess_sort_by_group(by_vertex, starts, mesh->indices, corners, mesh->vertices);
        for (size_t i = 0; i < corners; i++) {
            uint32_t vertex = mesh->indices[i], *number = &job->numbers[i];
            *number = UINT32_MAX;
            for (uint32_t k = starts[vertex]; by_vertex[k] < i; k++)
                if (job->charts.of_face[by_vertex[k] / 3] == job->charts.of_face[i / 3]) {
                    *number = job->numbers[by_vertex[k]];
                    break;
                }
            if (*number == UINT32_MAX) {
                *number = (uint32_t)job->vertices;
                job->corners[job->vertices++] = (uint32_t)i;
            }
        }
    }
    free(starts);
    free(by_vertex);
    return status;
}

static void place_corner(float uv[2], const struct job *job, uint32_t corner)
{
    uint32_t chart = job->charts.of_face[corner / 3];
    const double *flat = job->charts.flat[corner];
    struct tess_place place = job->packing.places[chart];
    double x = place.turned ? job->heights[chart] - flat[1] : flat[0];
    double y = place.turned ? flat[0] : flat[1];
    double cells = job->size / job->gutter;
    uv[0] = (float)((place.x + x * job->packing.scale) / cells);
    uv[1] = (float)(1 - (place.y + y * job->packing.scale) / cells);
}

static enum tess_status build(struct tess_mesh *out, const struct job *job)
{
    const struct tess_mesh *mesh = job->mesh;
    size_t count = job->vertices;
    TESS_TRY(
        tess_mesh_create(out, job->env, count, mesh->faces, mesh->attributes != NULL));
    TESS_TRY(tess_alloc(&out->uvs, job->env, count, 2 * sizeof(float), "vertices"));
    if (mesh->normals)
        TESS_TRY(
            tess_alloc(&out->normals, job->env, count, 3 * sizeof(float), "vertices"));
    memcpy(out->indices, job->numbers, 3 * mesh->faces * sizeof *job->numbers);
    for (size_t i = 0; i < count; i++) {
        size_t from = mesh->indices[job->corners[i]];
        memcpy(out->positions + 3 * i, mesh->positions + 3 * from, 3 * sizeof(float));
        if (mesh->normals)
            memcpy(out->normals + 3 * i, mesh->normals + 3 * from, 3 * sizeof(float));
        if (mesh->attributes)
            memcpy(out->attributes + 6 * i, mesh->attributes + 6 * from,
                   6 * sizeof(float));
        place_corner(out->uvs + 2 * i, job, job->corners[i]);
    }
    return TESS_OK;
}

static enum tess_status unwrap(struct tess_mesh *out, struct job *job, uint32_t gutter)
{
    size_t corners = 3 * job->mesh->faces;
    TESS_TRY(tess_charts_create(&job->charts, job->env, job->mesh));
    TESS_TRY(pack(job, gutter));
    TESS_TRY(tess_alloc(&job->heights, job->env, job->charts.count, sizeof *job->heights,
                        "charts"));
    for (size_t i = 0; i < corners; i++) {
        double *height = &job->heights[job->charts.of_face[i / 3]];
        *height = fmax(*height, job->charts.flat[i][1]);
    }
    TESS_TRY(
        tess_alloc(&job->numbers, job->env, corners, sizeof *job->numbers, "vertices"));
    TESS_TRY(
        tess_alloc(&job->corners, job->env, corners, sizeof *job->corners, "vertices"));
    TESS_TRY(number_corners(job));
    enum tess_status status = build(out, job);
    if (status)
        tess_mesh_clear(out);
    return status;
}

static double covered(const struct tess_mesh *mesh)
{
    double area = 0;
    for (size_t f = 0; f < mesh->faces; f++) {
        const float *a = mesh->uvs + 2 * (size_t)mesh->indices[3 * f];
        const float *b = mesh->uvs + 2 * (size_t)mesh->indices[3 * f + 1];
        const float *c = mesh->uvs + 2 * (size_t)mesh->indices[3 * f + 2];
        area += fabs(((double)b[0] - a[0]) * ((double)c[1] - a[1]) -
                     ((double)b[1] - a[1]) * ((double)c[0] - a[0])) /
                2;
    }
    return area;
}

enum tess_status tess_mesh_unwrap(struct tess_mesh *out, struct tess_unwrap_facts *facts,
                                  struct tess_env *env, const struct tess_mesh *mesh,
                                  const struct tess_unwrap_params *params)
{
    uint32_t size = params->size, gutter = params->gutter;
    assert(size >= TESS_TEXTURE_SIZE_MIN && size <= TESS_TEXTURE_SIZE_MAX);
    assert(!(size & (size - 1)) && !(gutter & (gutter - 1)) && gutter <= size / 4);
    TESS_TRY(check(env, mesh));
    struct job job = {.env = env, .mesh = mesh, .size = size};
    struct tess_mesh made = {0};
    enum tess_status status = unwrap(&made, &job, gutter);
    if (!status) {
        *out = made;
        if (facts)
            *facts = (struct tess_unwrap_facts){.charts = job.charts.count,
                                                .gutter = job.gutter,
                                                .texels_per_unit =
                                                    job.packing.scale * job.gutter,
                                                .coverage = covered(&made)};
    }
    tess_charts_clear(&job.charts);
    tess_packing_clear(&job.packing);
    free(job.heights);
    free(job.numbers);
    free(job.corners);
    return status;
}
