// Meshes whose measures are known, for the tests of src/geom.
#ifndef MESH_SHAPES_H
#define MESH_SHAPES_H

#include "io_tmp.h"

#include <math.h>

#include "geom/topology.h"

static inline uint32_t next_random(struct tmp *tmp)
{
    tmp->random ^= tmp->random << 13;
    tmp->random ^= tmp->random >> 17;
    tmp->random ^= tmp->random << 5;
    return tmp->random;
}

static inline void check(struct tmp *tmp, enum tess_status status)
{
    if (status)
        print_error("%s\n", tmp->env.message);
    assert_int_equal(status, TESS_OK);
}

static inline struct tess_mesh_facts measure(struct tmp *tmp,
                                             const struct tess_mesh *mesh)
{
    struct tess_mesh_facts facts;
    check(tmp, tess_mesh_measure(&facts, &tmp->env, mesh));
    return facts;
}

// A sphere of rings and columns around the z axis: 2 * columns * rings faces.
static inline struct tess_mesh make_sphere(struct tmp *tmp, uint32_t rings,
                                           uint32_t columns, float radius)
{
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, rings * columns + 2,
                                (size_t)2 * columns * rings, true));
    uint32_t south = rings * columns, north = south + 1;
    for (uint32_t r = 0; r < rings; r++)
        for (uint32_t c = 0; c < columns; c++) {
            double pitch = M_PI * ((r + 1.0) / (rings + 1.0) - 0.5);
            double yaw = 2 * M_PI * c / columns;
            float *p = mesh.positions + 3 * (r * columns + c);
            p[0] = (float)(radius * cos(pitch) * cos(yaw));
            p[1] = (float)(radius * cos(pitch) * sin(yaw));
            p[2] = (float)(radius * sin(pitch));
            mesh.attributes[6 * (r * columns + c)] = p[0] / radius / 2 + 0.5f;
        }
    mesh.positions[3 * south + 2] = -radius;
    mesh.positions[3 * north + 2] = radius;
    mesh.attributes[6 * south] = mesh.attributes[6 * north] = 0.5f;
    uint32_t *face = mesh.indices;
    for (uint32_t c = 0; c < columns; c++) {
        uint32_t d = (c + 1) % columns, top = (rings - 1) * columns;
        memcpy(face, (uint32_t[]){south, d, c}, 12);
        memcpy(face + 3, (uint32_t[]){north, top + c, top + d}, 12);
        face += 6;
        for (uint32_t r = 0; r + 1 < rings; r++, face += 6) {
            uint32_t a = r * columns, b = a + columns;
            memcpy(face, (uint32_t[]){a + c, a + d, b + d, a + c, b + d, b + c}, 24);
        }
    }
    return mesh;
}

static inline void turn_all(struct tess_mesh *mesh)
{
    for (size_t f = 0; f < mesh->faces; f++) {
        uint32_t swap = mesh->indices[3 * f];
        mesh->indices[3 * f] = mesh->indices[3 * f + 1];
        mesh->indices[3 * f + 1] = swap;
    }
}

// `second` moved by dx joins `first`; both are cleared.
static inline struct tess_mesh join(struct tmp *tmp, struct tess_mesh *first,
                                    struct tess_mesh *second, float dx)
{
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, first->vertices + second->vertices,
                                first->faces + second->faces, true));
    memcpy(mesh.positions, first->positions, first->vertices * 12);
    memcpy(mesh.attributes, first->attributes, first->vertices * 24);
    memcpy(mesh.indices, first->indices, first->faces * 12);
    memcpy(mesh.positions + 3 * first->vertices, second->positions,
           second->vertices * 12);
    memcpy(mesh.attributes + 6 * first->vertices, second->attributes,
           second->vertices * 24);
    for (size_t v = 0; v < second->vertices; v++)
        mesh.positions[3 * (first->vertices + v)] += dx;
    for (size_t i = 0; i < 3 * second->faces; i++)
        mesh.indices[3 * first->faces + i] =
            second->indices[i] + (uint32_t)first->vertices;
    tess_mesh_clear(first);
    tess_mesh_clear(second);
    return mesh;
}

static inline void remove_faces(struct tmp *tmp, struct tess_mesh *mesh,
                                const size_t *faces, size_t count)
{
    bool *keep = malloc(mesh->faces);
    memset(keep, true, mesh->faces);
    for (size_t i = 0; i < count; i++)
        keep[faces[i]] = false;
    check(tmp, tess_mesh_keep_faces(mesh, &tmp->env, keep));
    free(keep);
}

#endif
