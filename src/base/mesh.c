// Meshes, splats, radiance fields and pictures in host memory.
#include "base/mesh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum tess_status tess_mesh_create(struct tess_mesh *out, struct tess_env *env,
                                  size_t vertices, size_t faces, bool attributes)
{
    struct tess_mesh mesh = {.vertices = vertices, .faces = faces};
    enum tess_status status =
        tess_alloc(&mesh.positions, env, vertices, 3 * sizeof(float), "mesh positions");
    if (!status && attributes)
        status = tess_alloc(&mesh.attributes, env, vertices, 6 * sizeof(float),
                            "mesh attributes");
    if (!status)
        status =
            tess_alloc(&mesh.indices, env, faces, 3 * sizeof(uint32_t), "mesh faces");
    if (status) {
        tess_mesh_clear(&mesh);
        return status;
    }
    *out = mesh;
    return TESS_OK;
}

enum tess_status tess_splats_create(struct tess_splats *out, struct tess_env *env,
                                    size_t count)
{
    struct tess_splats splats = {.count = count};
    enum tess_status status =
        tess_alloc(&splats.positions, env, count, 3 * sizeof(float), "splat positions");
    if (!status)
        status =
            tess_alloc(&splats.scales, env, count, 3 * sizeof(float), "splat scales");
    if (!status)
        status = tess_alloc(&splats.rotations, env, count, 4 * sizeof(float),
                            "splat rotations");
    if (!status)
        status =
            tess_alloc(&splats.opacities, env, count, sizeof(float), "splat opacities");
    if (!status)
        status =
            tess_alloc(&splats.colours, env, count, 3 * sizeof(float), "splat colours");
    if (status) {
        tess_splats_clear(&splats);
        return status;
    }
    *out = splats;
    return TESS_OK;
}

enum tess_status tess_radiance_create(struct tess_radiance *out, struct tess_env *env,
                                      size_t voxels, uint32_t resolution, uint32_t rank,
                                      uint32_t dim)
{
    struct tess_radiance field = {
        .voxels = voxels, .resolution = resolution, .rank = rank, .dim = dim};
    size_t row = rank * sizeof(float);
    enum tess_status status =
        tess_alloc(&field.coords, env, voxels, 3 * sizeof(int32_t), "radiance fields");
    if (!status)
        status =
            tess_alloc(&field.vectors, env, voxels, 3 * dim * row, "radiance fields");
    if (!status)
        status = tess_alloc(&field.densities, env, voxels, row, "radiance fields");
    if (!status)
        status = tess_alloc(&field.colours, env, voxels, 3 * row, "radiance fields");
    if (status) {
        tess_radiance_clear(&field);
        return status;
    }
    *out = field;
    return TESS_OK;
}

enum tess_status tess_picture_create(struct tess_picture *out, struct tess_env *env,
                                     uint32_t width, uint32_t height)
{
    struct tess_picture picture = {.width = width, .height = height};
    TESS_TRY(tess_alloc(&picture.pixels, env, (size_t)width * height, 4, "a picture"));
    *out = picture;
    return TESS_OK;
}

void tess_mesh_clear(struct tess_mesh *mesh)
{
    free(mesh->positions);
    free(mesh->normals);
    free(mesh->attributes);
    free(mesh->uvs);
    free(mesh->indices);
    free(mesh->split_margins);
    memset(mesh, 0, sizeof *mesh);
}

void tess_splats_clear(struct tess_splats *splats)
{
    free(splats->positions);
    free(splats->scales);
    free(splats->rotations);
    free(splats->opacities);
    free(splats->colours);
    memset(splats, 0, sizeof *splats);
}

void tess_radiance_clear(struct tess_radiance *field)
{
    free(field->coords);
    free(field->vectors);
    free(field->densities);
    free(field->colours);
    memset(field, 0, sizeof *field);
}

void tess_picture_clear(struct tess_picture *picture)
{
    free(picture->pixels);
    memset(picture, 0, sizeof *picture);
}

double tess_triangle_normal(double out[3], const float a[3], const float b[3],
                            const float c[3])
{
    double u[3], v[3];
    for (int i = 0; i < 3; i++) {
        u[i] = (double)b[i] - a[i];
        v[i] = (double)c[i] - a[i];
    }
    out[0] = u[1] * v[2] - u[2] * v[1];
    out[1] = u[2] * v[0] - u[0] * v[2];
    out[2] = u[0] * v[1] - u[1] * v[0];
    return sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2]);
}

void tess_triangle_unit_normal(float out[3], const float a[3], const float b[3],
                               const float c[3])
{
    double n[3], length = tess_triangle_normal(n, a, b, c);
    for (int i = 0; i < 3; i++)
        out[i] = length > 0 ? (float)(n[i] / length) : 0;
}

enum tess_status tess_mesh_normals(struct tess_mesh *mesh, struct tess_env *env)
{
    double *sums = NULL;
    TESS_TRY(tess_alloc(&sums, env, mesh->vertices, 3 * sizeof(double), "normals"));
    if (!mesh->normals) {
        enum tess_status status = tess_alloc(&mesh->normals, env, mesh->vertices,
                                             3 * sizeof(float), "mesh normals");
        if (status) {
            free(sums);
            return status;
        }
    }
    for (size_t f = 0; f < mesh->faces; f++) {
        const uint32_t *face = mesh->indices + 3 * f;
        double n[3];
        tess_triangle_normal(n, mesh->positions + 3 * (size_t)face[0],
                             mesh->positions + 3 * (size_t)face[1],
                             mesh->positions + 3 * (size_t)face[2]);
        for (int corner = 0; corner < 3; corner++)
            for (int i = 0; i < 3; i++)
                sums[3 * (size_t)face[corner] + (size_t)i] += n[i];
    }
    for (size_t i = 0; i < mesh->vertices; i++) {
        const double *n = sums + 3 * i;
        double length = sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
        for (int k = 0; k < 3; k++)
            mesh->normals[3 * i + (size_t)k] =
                length > 0 ? (float)(n[k] / length) : (k == 2 ? 1.0f : 0.0f);
    }
    free(sums);
    return TESS_OK;
}
