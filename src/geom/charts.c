// Patches of one direction (chart_directions.c) are projected along their mean normal, or
// where a face is too steep for that, along the direction. Charts grow inside a patch
// from face to face; a face that would cover another one has to wait for the next chart.
//
// Overlaps are found in whole numbers, 2^20 across the patch: two triangles are apart if
// and only if all corners of one are beyond an edge of the other, or on it. So neighbours
// never overlap, whatever the rounding.
#include "geom/charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/chart_directions.h"

#define UNITS  (1 << 20) // across a patch
#define ANGLES 18        // that a chart is tried at, between 0 and 90 degrees

typedef int32_t triangle[3][2];

// Triangles of a chart by place: cells of a grid, each with a list.
struct grid {
    int32_t cells, cell; // along an axis; units across one
    uint32_t *heads;     // [cells][cells]: the newest entry, or UINT32_MAX
    struct entry {
        uint32_t face, next;
    } * entries;
    size_t count, head_capacity, capacity;
};

struct job {
    const struct tess_mesh *mesh;
    struct tess_env *env;
    struct tess_topology topology;
    struct tess_facing *facing;
    uint8_t *directions;
    uint32_t *patches, *sorted, *starts;
    triangle *triangles; // [faces], of the patch that is at work
    uint32_t *refused;   // [faces]: the chart, from 1, in which a face found no room
    uint32_t *queue;
    struct grid grid;
    double (*axes)[2][3]; // of the charts: x and y
    size_t axes_capacity;
    struct tess_charts charts;
};

// ---- overlaps ----

// Twice the area, positive where the corners go round to the left.
static int64_t cross(const int32_t a[2], const int32_t b[2], const int32_t c[2])
{
    return (int64_t)(b[0] - a[0]) * (c[1] - a[1]) -
           (int64_t)(b[1] - a[1]) * (c[0] - a[0]);
}

static bool is_beyond_an_edge(triangle p, triangle q)
{
    for (int i = 0; i < 3; i++) {
        bool beyond = true;
        for (int k = 0; k < 3 && beyond; k++)
            beyond = cross(p[i], p[(i + 1) % 3], q[k]) <= 0;
        if (beyond)
            return true;
    }
    return false;
}

static bool overlap(triangle p, triangle q)
{
    return !is_beyond_an_edge(p, q) && !is_beyond_an_edge(q, p);
}

static enum tess_status clear_grid(struct grid *grid, struct tess_env *env, size_t faces)
{
    grid->cells = (int32_t)ceil(sqrt((double)faces));
    grid->cell = UNITS / grid->cells + 1;
    grid->count = 0;
    size_t cells = (size_t)grid->cells * (size_t)grid->cells;
    TESS_TRY(tess_grow(&grid->heads, &grid->head_capacity, env, cells,
                       sizeof *grid->heads, "charts"));
    memset(grid->heads, 0xff, cells * sizeof *grid->heads);
    return TESS_OK;
}

static void cell_range(int32_t range[2][2], const struct grid *grid, triangle t)
{
    for (int axis = 0; axis < 2; axis++) {
        int32_t low = t[0][axis], high = low;
        for (int i = 1; i < 3; i++) {
            low = t[i][axis] < low ? t[i][axis] : low;
            high = t[i][axis] > high ? t[i][axis] : high;
        }
        range[axis][0] = low / grid->cell;
        range[axis][1] = high / grid->cell;
    }
}

static uint32_t *head_at(const struct grid *grid, int32_t x, int32_t y)
{
    return &grid->heads[(size_t)y * (size_t)grid->cells + (size_t)x];
}

static bool has_room(const struct job *job, uint32_t face)
{
    const struct grid *grid = &job->grid;
    int32_t range[2][2];
    cell_range(range, grid, job->triangles[face]);
    for (int32_t y = range[1][0]; y <= range[1][1]; y++)
        for (int32_t x = range[0][0]; x <= range[0][1]; x++)
            for (uint32_t i = *head_at(grid, x, y); i != UINT32_MAX;
                 i = grid->entries[i].next)
                if (overlap(job->triangles[face], job->triangles[grid->entries[i].face]))
                    return false;
    return true;
}

static enum tess_status take_room(struct job *job, uint32_t face)
{
    struct grid *grid = &job->grid;
    int32_t range[2][2];
    cell_range(range, grid, job->triangles[face]);
    for (int32_t y = range[1][0]; y <= range[1][1]; y++)
        for (int32_t x = range[0][0]; x <= range[0][1]; x++) {
            TESS_TRY(tess_grow(&grid->entries, &grid->capacity, job->env, grid->count + 1,
                               sizeof *grid->entries, "charts"));
            uint32_t *head = head_at(grid, x, y);
            grid->entries[grid->count] = (struct entry){face, *head};
            *head = (uint32_t)grid->count++;
        }
    return TESS_OK;
}

// ---- projection ----

static void choose_direction(double out[3], const struct job *job, const uint32_t *faces,
                             size_t count)
{
    double sum[3] = {0}, least = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 3; k++)
            sum[k] += job->facing[faces[i]].area * job->facing[faces[i]].normal[k];
    double length = sqrt(sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
    for (size_t i = 0; i < count; i++) {
        const struct tess_facing *f = &job->facing[faces[i]];
        double along = 0;
        for (size_t k = 0; k < 3; k++)
            along += f->normal[k] * sum[k];
        if (f->area > 0)
            least = fmin(least, along / length);
    }
    unsigned direction = job->directions[faces[0]];
    for (size_t k = 0; k < 3; k++)
        out[k] = least >= TESS_CHART_TILT && length > 0
                     ? sum[k] / length
                     : (direction / 2 == k) * (direction % 2 ? -1.0 : 1.0);
}

// Two axes across the direction, such that x, y and it are right-handed.
static void set_axes(double axes[2][3], const double direction[3])
{
    const double *d = direction;
    size_t most = fabs(d[0]) > fabs(d[1]) ? 0 : 1;
    most = fabs(d[2]) > fabs(d[most]) ? 2 : most;
    double up[3] = {0};
    up[most == 2 ? 1 : 2] = 1;
    double *x = axes[0], *y = axes[1];
    for (size_t k = 0; k < 3; k++)
        x[k] = up[(k + 1) % 3] * d[(k + 2) % 3] - up[(k + 2) % 3] * d[(k + 1) % 3];
    double length = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    for (size_t k = 0; k < 3; k++)
        x[k] /= length;
    for (size_t k = 0; k < 3; k++)
        y[k] = d[(k + 1) % 3] * x[(k + 2) % 3] - d[(k + 2) % 3] * x[(k + 1) % 3];
}

static void project(double out[2], const struct tess_mesh *mesh, uint32_t vertex,
                    double axes[2][3])
{
    const float *p = mesh->positions + 3 * (size_t)vertex;
    for (size_t i = 0; i < 2; i++)
        out[i] = axes[i][0] * p[0] + axes[i][1] * p[1] + axes[i][2] * p[2];
}

static void project_patch(struct job *job, const uint32_t *faces, size_t count,
                          double axes[2][3])
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY}, p[2];
    for (size_t i = 0; i < 3 * count; i++) {
        project(p, job->mesh, job->mesh->indices[3 * (size_t)faces[i / 3] + i % 3], axes);
        for (size_t k = 0; k < 2; k++) {
            low[k] = fmin(low[k], p[k]);
            high[k] = fmax(high[k], p[k]);
        }
    }
    double across = fmax(high[0] - low[0], high[1] - low[1]);
    double scale = across > 0 ? (UNITS - 1) / across : 0;
    for (size_t i = 0; i < 3 * count; i++) {
        project(p, job->mesh, job->mesh->indices[3 * (size_t)faces[i / 3] + i % 3], axes);
        for (size_t k = 0; k < 2; k++)
            job->triangles[faces[i / 3]][i % 3][k] =
                (int32_t)lrint((p[k] - low[k]) * scale);
    }
}

// ---- growth ----

// A face that is less than a unit wide covers nothing and goes with any chart.
static enum tess_status try_face(bool *taken, struct job *job, uint32_t face)
{
    triangle *t = &job->triangles[face];
    *taken = true;
    if (cross((*t)[0], (*t)[1], (*t)[2]) <= 0)
        return TESS_OK;
    *taken = has_room(job, face);
    return *taken ? take_room(job, face) : TESS_OK;
}

static enum tess_status grow_chart(struct job *job, uint32_t seed, size_t faces)
{
    uint32_t chart = (uint32_t)job->charts.count, *of_face = job->charts.of_face;
    size_t done = 0, end = 0;
    bool taken;
    TESS_TRY(clear_grid(&job->grid, job->env, faces));
    TESS_TRY(try_face(&taken, job, seed));
    of_face[seed] = chart;
    job->queue[end++] = seed;
    while (done < end) {
        uint32_t f = job->queue[done++];
        for (size_t side = 0; side < 3; side++) {
            uint32_t other = tess_topology_across(&job->topology, f, side);
            if (other == TESS_NO_FACE || of_face[other] != UINT32_MAX ||
                job->patches[other] != job->patches[f] ||
                job->refused[other] == chart + 1)
                continue;
            TESS_TRY(try_face(&taken, job, other));
            if (taken) {
                of_face[other] = chart;
                job->queue[end++] = other;
            } else {
                job->refused[other] = chart + 1;
            }
        }
    }
    job->charts.count++;
    return TESS_OK;
}

static enum tess_status cut_patch(struct job *job, const uint32_t *faces, size_t count)
{
    double direction[3], axes[2][3];
    choose_direction(direction, job, faces, count);
    set_axes(axes, direction);
    project_patch(job, faces, count, axes);
    for (size_t i = 0; i < count; i++) {
        if (job->charts.of_face[faces[i]] != UINT32_MAX)
            continue;
        TESS_TRY(tess_grow(&job->axes, &job->axes_capacity, job->env,
                           job->charts.count + 1, sizeof *job->axes, "charts"));
        memcpy(job->axes[job->charts.count], axes, sizeof axes);
        TESS_TRY(grow_chart(job, faces[i], count));
    }
    return tess_env_check(job->env);
}

// ---- flat charts ----

// How large a box around the chart is when it is turned by an angle.
static double box_area(const struct job *job, const uint32_t *faces, size_t count,
                       double angle)
{
    double c = cos(angle), s = sin(angle);
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 3 * count; i++) {
        const double *p = job->charts.flat[3 * (size_t)faces[i / 3] + i % 3];
        double turned[2] = {c * p[0] - s * p[1], s * p[0] + c * p[1]};
        for (size_t k = 0; k < 2; k++) {
            low[k] = fmin(low[k], turned[k]);
            high[k] = fmax(high[k], turned[k]);
        }
    }
    return (high[0] - low[0]) * (high[1] - low[1]);
}

static double doubled_flat_area(double (*c)[2])
{
    return (c[1][0] - c[0][0]) * (c[2][1] - c[0][1]) -
           (c[1][1] - c[0][1]) * (c[2][0] - c[0][0]);
}

// Projection makes faces smaller: the chart as a whole gets its area back.
static double area_scale(const struct job *job, const uint32_t *faces, size_t count)
{
    double area = 0, flat = 0;
    for (size_t i = 0; i < count; i++) {
        area += job->facing[faces[i]].area;
        flat += doubled_flat_area(job->charts.flat + 3 * (size_t)faces[i]) / 2;
    }
    return flat > 0 ? sqrt(area / flat) : 1;
}

static void flatten_chart(struct job *job, const uint32_t *faces, size_t count,
                          double axes[2][3])
{
    double(*flat)[2] = job->charts.flat, best = INFINITY, angle = 0;
    for (size_t i = 0; i < 3 * count; i++) {
        size_t corner = 3 * (size_t)faces[i / 3] + i % 3;
        project(flat[corner], job->mesh, job->mesh->indices[corner], axes);
    }
    for (size_t i = 0; i < ANGLES; i++) {
        double turn = M_PI / 2 * (double)i / ANGLES;
        double area = box_area(job, faces, count, turn);
        if (area < best * (1 - 1e-9)) {
            best = area;
            angle = turn;
        }
    }
    double scale = area_scale(job, faces, count);
    double c = cos(angle) * scale, s = sin(angle) * scale, low[2] = {INFINITY, INFINITY};
    for (size_t i = 0; i < 3 * count; i++) {
        double *p = flat[3 * (size_t)faces[i / 3] + i % 3];
        double x = c * p[0] - s * p[1], y = s * p[0] + c * p[1];
        p[0] = x;
        p[1] = y;
        low[0] = fmin(low[0], x);
        low[1] = fmin(low[1], y);
    }
    for (size_t i = 0; i < 6 * count; i++)
        flat[3 * (size_t)faces[i / 6] + i % 6 / 2][i % 2] -= low[i % 2];
}

// ---- all of it ----

static enum tess_status allocate(struct job *job)
{
    struct tess_env *env = job->env;
    size_t faces = job->mesh->faces;
    TESS_TRY(tess_alloc(&job->facing, env, faces, sizeof *job->facing, "charts"));
    TESS_TRY(tess_alloc(&job->directions, env, faces, 1, "charts"));
    TESS_TRY(tess_alloc(&job->patches, env, faces, sizeof *job->patches, "charts"));
    TESS_TRY(tess_alloc(&job->sorted, env, faces, sizeof *job->sorted, "charts"));
    TESS_TRY(tess_alloc(&job->starts, env, faces + 1, sizeof *job->starts, "charts"));
    TESS_TRY(tess_alloc(&job->triangles, env, faces, sizeof *job->triangles, "charts"));
    TESS_TRY(tess_alloc(&job->refused, env, faces, sizeof *job->refused, "charts"));
    TESS_TRY(tess_alloc(&job->queue, env, faces, sizeof *job->queue, "charts"));
    TESS_TRY(tess_alloc(&job->charts.of_face, env, faces, sizeof *job->charts.of_face,
                        "charts"));
    return tess_alloc(&job->charts.flat, env, 3 * faces, sizeof *job->charts.flat,
                      "charts");
}

static enum tess_status make_charts(struct job *job)
{
    const struct tess_mesh *mesh = job->mesh;
    size_t faces = mesh->faces, patches;
    TESS_TRY(allocate(job));
    tess_face_facings(job->facing, mesh);
    TESS_TRY(tess_topology_create(&job->topology, job->env, mesh));
    TESS_TRY(tess_chart_directions(job->directions, job->env, mesh, &job->topology,
                                   job->facing));
    TESS_TRY(tess_chart_patches(job->patches, &patches, job->env, &job->topology, faces,
                                job->directions));
    tess_sort_by_group(job->sorted, job->starts, job->patches, faces, patches);
    memset(job->charts.of_face, 0xff, faces * sizeof *job->charts.of_face);
    for (size_t p = 0; p < patches; p++)
        TESS_TRY(cut_patch(job, job->sorted + job->starts[p],
                           job->starts[p + 1] - job->starts[p]));
    tess_sort_by_group(job->sorted, job->starts, job->charts.of_face, faces,
                       job->charts.count);
    for (size_t c = 0; c < job->charts.count; c++)
        flatten_chart(job, job->sorted + job->starts[c],
                      job->starts[c + 1] - job->starts[c], job->axes[c]);
    return TESS_OK;
}

enum tess_status tess_charts_create(struct tess_charts *out, struct tess_env *env,
                                    const struct tess_mesh *mesh)
{
    struct job job = {.mesh = mesh, .env = env};
    enum tess_status status = make_charts(&job);
    tess_topology_clear(&job.topology);
    free(job.facing);
    free(job.directions);
    free(job.patches);
    free(job.sorted);
    free(job.starts);
    free(job.triangles);
    free(job.refused);
    free(job.queue);
    free(job.grid.heads);
    free(job.grid.entries);
    free(job.axes);
    if (status)
        tess_charts_clear(&job.charts);
    else
        *out = job.charts;
    return status;
}

void tess_charts_clear(struct tess_charts *charts)
{
    free(charts->of_face);
    free(charts->flat);
    memset(charts, 0, sizeof *charts);
}
