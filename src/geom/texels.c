// Faces drawn into the texture's square, on the host: a texel's centre is inside, or on
// an edge, if all edge functions are zero or more. On an edge between two faces both say
// the same.
#include "geom/texels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/chart_directions.h"

#define EDGE_SLACK 1e-9 // of a texel's area

struct job {
    const struct tess_mesh *mesh;
    uint32_t size;
    uint32_t *faces; // [size][size], or UINT32_MAX
};

static void load_corners(double t[3][2], const struct job *job, size_t face)
{
    for (size_t i = 0; i < 3; i++) {
        const float *uv = job->mesh->uvs + 2 * (size_t)job->mesh->indices[3 * face + i];
        t[i][0] = uv[0] * (double)job->size;
        t[i][1] = uv[1] * (double)job->size;
    }
}

static double cross(const double a[2], const double b[2], const double c[2])
{
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

// Weights of the corners at a point; their sum is 1. False: outside, or a face without
// area.
static bool weigh(double weights[3], double t[3][2], const double p[2])
{
    double whole = cross(t[0], t[1], t[2]), sign = whole < 0 ? -1 : 1;
    if (whole == 0)
        return false;
    for (int i = 0; i < 3; i++) {
        double part = cross(t[(i + 1) % 3], t[(i + 2) % 3], p);
        if (sign * part < -EDGE_SLACK)
            return false;
        weights[i] = part / whole;
    }
    return true;
}

// First and last texel whose centre is in the range of the corners.
static void texel_range(int64_t range[2], double t[3][2], int axis, uint32_t size)
{
    double low = fmin(t[0][axis], fmin(t[1][axis], t[2][axis]));
    double high = fmax(t[0][axis], fmax(t[1][axis], t[2][axis]));
    range[0] = (int64_t)ceil(fmax(low - 0.5 - 1e-6, 0));
    range[1] = (int64_t)floor(fmin(high - 0.5 + 1e-6, (double)size - 1));
}

static size_t draw_faces(struct job *job)
{
    size_t count = 0, size = job->size;
    memset(job->faces, 0xff, size * size * sizeof *job->faces);
    for (size_t f = 0; f < job->mesh->faces; f++) {
        double t[3][2], weights[3];
        int64_t columns[2], rows[2];
        load_corners(t, job, f);
        texel_range(columns, t, 0, job->size);
        texel_range(rows, t, 1, job->size);
        for (int64_t y = rows[0]; y <= rows[1]; y++)
            for (int64_t x = columns[0]; x <= columns[1]; x++) {
                double p[2] = {(double)x + 0.5, (double)y + 0.5};
                if (!weigh(weights, t, p))
                    continue;
                uint32_t *face = &job->faces[(size_t)y * size + (size_t)x];
                count += *face == UINT32_MAX;
                *face = (uint32_t)f;
            }
    }
    return count;
}

static void set_texel(struct tess_texels *out, size_t i, const struct job *job, size_t at,
                      const struct tess_facing *facing)
{
    size_t face = job->faces[at];
    double t[3][2], weights[3] = {0};
    load_corners(t, job, face);
    weigh(weights, t,
          (double[]){(double)(at % job->size) + 0.5, (double)(at / job->size) + 0.5});
    out->at[i] = (uint32_t)at;
    for (size_t k = 0; k < 3; k++) {
        double sum = 0;
        for (size_t c = 0; c < 3; c++) {
            size_t vertex = job->mesh->indices[3 * face + c];
            sum += weights[c] * job->mesh->positions[3 * vertex + k];
        }
        out->positions[3 * i + k] = (float)sum;
        out->normals[3 * i + k] = (float)facing[face].normal[k];
    }
}

static enum tess_status list_texels(struct tess_texels *out, struct tess_env *env,
                                    const struct job *job, size_t count)
{
    struct tess_facing *facing = NULL;
    size_t next = 0;
    TESS_TRY(
        tess_alloc(&facing, env, job->mesh->faces, sizeof *facing, "texels of faces"));
    enum tess_status status =
        tess_alloc(&out->at, env, count, sizeof *out->at, "texels of faces");
    if (!status)
        status = tess_alloc(&out->positions, env, count, 3 * sizeof *out->positions,
                            "texels of faces");
    if (!status)
        status = tess_alloc(&out->normals, env, count, 3 * sizeof *out->normals,
                            "texels of faces");
    if (!status) {
        tess_face_facings(facing, job->mesh);
        out->count = count;
        for (size_t at = 0; at < (size_t)job->size * job->size; at++)
            if (job->faces[at] != UINT32_MAX)
                set_texel(out, next++, job, at, facing);
    }
    free(facing);
    return status;
}

enum tess_status tess_texels_create(struct tess_texels *out, struct tess_env *env,
                                    const struct tess_mesh *mesh, uint32_t size)
{
    struct job job = {.mesh = mesh, .size = size};
    struct tess_texels texels = {0};
    TESS_TRY(tess_alloc(&job.faces, env, (size_t)size * size, sizeof *job.faces,
                        "texels of faces"));
    enum tess_status status = list_texels(&texels, env, &job, draw_faces(&job));
    if (status)
        tess_texels_clear(&texels);
    else
        *out = texels;
    free(job.faces);
    return status;
}

void tess_texels_clear(struct tess_texels *texels)
{
    free(texels->at);
    free(texels->positions);
    free(texels->normals);
    memset(texels, 0, sizeof *texels);
}

// ---- filling ----

// Call for the neighbours of a texel inside the square: out [8], returns how many.
static size_t neighbours(uint32_t out[8], uint32_t at, uint32_t size)
{
    size_t count = 0;
    int64_t x = at % size, y = at / size, edge = size;
    for (int64_t dy = -1; dy <= 1; dy++)
        for (int64_t dx = -1; dx <= 1; dx++)
            if ((dx || dy) && x + dx >= 0 && x + dx < edge && y + dy >= 0 &&
                y + dy < edge)
                out[count++] = (uint32_t)((y + dy) * edge + x + dx);
    return count;
}

static void take_mean(float *rgb, const bool *known, uint32_t at, uint32_t size)
{
    uint32_t near[8], used = 0;
    float sum[3] = {0};
    size_t count = neighbours(near, at, size);
    for (size_t i = 0; i < count; i++) {
        if (!known[near[i]])
            continue;
        used++;
        for (size_t k = 0; k < 3; k++)
            sum[k] += rgb[3 * (size_t)near[i] + k];
    }
    for (size_t k = 0; k < 3; k++)
        rgb[3 * (size_t)at + k] = sum[k] / (float)used;
}

// Append the neighbours of a known texel that are neither known nor listed.
static size_t list_unknown(uint32_t *list, size_t end, bool *listed, const bool *known,
                           uint32_t at, uint32_t size)
{
    uint32_t near[8];
    size_t count = neighbours(near, at, size);
    for (size_t i = 0; i < count; i++)
        if (!known[near[i]] && !listed[near[i]]) {
            listed[near[i]] = true;
            list[end++] = near[i];
        }
    return end;
}

enum tess_status tess_texels_fill(float *rgb, bool *known, struct tess_env *env,
                                  uint32_t size)
{
    size_t texels = (size_t)size * size, start = 0, end = 0;
    uint32_t *list = NULL; // rings, one after the other
    bool *listed = NULL;
    TESS_TRY(tess_alloc(&list, env, texels, sizeof *list, "a texture"));
    enum tess_status status = tess_alloc(&listed, env, texels, sizeof *listed, "texture");
    if (!status) {
        for (uint32_t at = 0; at < texels; at++)
            if (known[at])
                end = list_unknown(list, end, listed, known, at, size);
        while (start < end) {
            size_t ring_end = end;
            for (size_t i = start; i < ring_end; i++)
                take_mean(rgb, known, list[i], size);
            for (size_t i = start; i < ring_end; i++)
                known[list[i]] = true;
            for (; start < ring_end; start++)
                end = list_unknown(list, end, listed, known, list[start], size);
        }
    }
    free(list);
    free(listed);
    return status;
}
