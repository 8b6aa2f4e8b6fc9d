// GLB reader: appends the triangles of every primitive of the scene, transformed by its
// nodes, to one mesh.
#include "io/gltf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/glb.h"
#include "io/gltf_nodes.h"
#include "io/gltf_texture.h"
#include "io/json.h"
#include "io/srgb.h"

// Primitive modes.
enum { MODE_POINTS = 0, MODE_TRIANGLES = 4, MODE_TRIANGLE_FAN = 6 };

struct reader {
    struct tess_glb glb;
    struct tess_mesh mesh; // vertices and faces so far
    size_t position_room, normal_room, attribute_room, index_room;
    struct tess_gltf_textures textures;
    bool ignored; // some textures are
};

static float to_srgb(float linear)
{
    return (float)tess_srgb_from_linear(linear > 0 ? linear < 1 ? linear : 1 : 0);
}

// Factor and texture of a primitive of so many vertices.
static enum tess_status base_colour(float *rgb, struct tess_gltf_texture *texture,
                                    struct reader *reader, struct tess_json_at primitive,
                                    struct tess_json_at attributes, size_t vertices)
{
    struct tess_json_at material, pbr;
    float rgba[4] = {1, 1, 1, 1};
    if (tess_json_present(tess_json_member(primitive, "material"))) {
        TESS_TRY(
            tess_glb_follow(&material, primitive, "material", &reader->glb.materials));
        pbr = tess_json_member(material, "pbrMetallicRoughness");
        if (tess_json_present(tess_json_member(pbr, "baseColorFactor")))
            TESS_TRY(tess_json_floats(rgba, pbr, "baseColorFactor", 4, 0, 1));
        if (tess_json_present(tess_json_member(pbr, "baseColorTexture"))) {
            TESS_TRY(tess_gltf_texture_find(texture, &reader->textures, &reader->glb, pbr,
                                            attributes, vertices));
            reader->ignored |= !texture->picture;
        }
    }
    memcpy(rgb, rgba, 3 * sizeof *rgb);
    return TESS_OK;
}

static enum tess_status read_attribute(struct tess_glb_array *out,
                                       const struct reader *reader,
                                       struct tess_json_at attributes, const char *key,
                                       size_t count)
{
    TESS_TRY(tess_glb_accessor(out, &reader->glb, attributes, key));
    bool colour = key[0] == 'C';
    bool shape = out->components == 3 || (colour && out->components == 4);
    bool type =
        out->type == TESS_GLB_FLOAT ||
        (colour && out->normalized &&
         (out->type == TESS_GLB_UNSIGNED_BYTE || out->type == TESS_GLB_UNSIGNED_SHORT));
    if (!shape || !type)
        return tess_json_fail(attributes, key, "an accessor of %s",
                              colour ? "VEC3 or VEC4, float or normalized unsigned"
                                     : "VEC3 float");
    if (count && out->count != count)
        return tess_json_fail(attributes, key, "an accessor of %zu elements, as POSITION",
                              count);
    return TESS_OK;
}

static enum tess_status make_room(struct reader *reader, struct tess_json_at primitive,
                                  size_t vertices, size_t faces)
{
    struct tess_mesh *mesh = &reader->mesh;
    struct tess_env *env = reader->glb.env;
    if (vertices > TESS_GLB_MAX_ELEMENTS - mesh->vertices ||
        faces > TESS_GLB_MAX_ELEMENTS - mesh->faces)
        return tess_json_fail(primitive, NULL,
                              "a scene of at most %zu vertices and %zu triangles",
                              TESS_GLB_MAX_ELEMENTS, TESS_GLB_MAX_ELEMENTS);
    size_t rows = mesh->vertices + vertices;
    TESS_TRY(tess_grow(&mesh->positions, &reader->position_room, env, rows,
                       3 * sizeof(float), "mesh positions"));
    TESS_TRY(tess_grow(&mesh->normals, &reader->normal_room, env, rows, 3 * sizeof(float),
                       "mesh normals"));
    TESS_TRY(tess_grow(&mesh->attributes, &reader->attribute_room, env, rows,
                       6 * sizeof(float), "mesh attributes"));
    return tess_grow(&mesh->indices, &reader->index_room, env, mesh->faces + faces,
                     3 * sizeof(uint32_t), "mesh faces");
}

// The cofactors of the upper left 3 x 3: the inverse transpose times the determinant.
static void cofactors(double out[3][3], const struct tess_gltf_matrix *t)
{
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++) {
            int r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;
            out[r][c] = t->m[4 * c1 + r1] * t->m[4 * c2 + r2] -
                        t->m[4 * c2 + r1] * t->m[4 * c1 + r2];
        }
    }
}

// From glTF's axes to ours: (x, y, z) becomes (x, -z, y). False if not finite.
static bool from_gltf(float *out, const double *v)
{
    out[0] = (float)v[0];
    out[1] = (float)-v[2];
    out[2] = (float)v[1];
    return isfinite(out[0]) && isfinite(out[1]) && isfinite(out[2]);
}

static bool add_position(float *out, const struct tess_glb_array *array, size_t index,
                         const struct tess_gltf_matrix *t)
{
    float p[4];
    double v[3];
    tess_glb_floats(p, array, index);
    for (int r = 0; r < 3; r++)
        v[r] = t->m[r] * p[0] + t->m[4 + r] * p[1] + t->m[8 + r] * p[2] + t->m[12 + r];
    return from_gltf(out, v);
}

static bool add_normal(float *out, const struct tess_glb_array *array, size_t index,
                       double turn[3][3], double sign)
{
    float n[4];
    double v[3], length = 0;
    tess_glb_floats(n, array, index);
    for (int r = 0; r < 3; r++) {
        v[r] = sign * (turn[r][0] * n[0] + turn[r][1] * n[1] + turn[r][2] * n[2]);
        length += v[r] * v[r];
    }
    length = sqrt(length);
    if (length == 0) { // no direction: up
        v[1] = length = 1;
    }
    for (int r = 0; r < 3; r++)
        v[r] /= length;
    return from_gltf(out, v);
}

static enum tess_status add_indices(struct reader *reader, struct tess_json_at primitive,
                                    const struct tess_glb_array *indices, size_t faces,
                                    size_t vertices, bool mirrored)
{
    struct tess_mesh *mesh = &reader->mesh;
    for (size_t i = 0; i < faces; i++) {
        uint32_t corners[3];
        for (int j = 0; j < 3; j++) {
            size_t index = 3 * i + (size_t)j;
            corners[j] = indices->data ? tess_glb_index(indices, index) : (uint32_t)index;
            if (corners[j] >= vertices)
                return tess_json_fail(primitive, "indices",
                                      "an accessor of values below %zu, but element %zu "
                                      "is %u",
                                      vertices, index, corners[j]);
        }
        uint32_t *f = mesh->indices + 3 * (mesh->faces + i);
        f[0] = (uint32_t)mesh->vertices + corners[0];
        f[1] = (uint32_t)mesh->vertices + corners[mirrored ? 2 : 1];
        f[2] = (uint32_t)mesh->vertices + corners[mirrored ? 1 : 2];
    }
    return TESS_OK;
}

// Smooth normals for the vertices from `vertex` on and the faces from `face` on.
static enum tess_status add_smooth_normals(struct reader *reader, size_t vertex,
                                           size_t face)
{
    struct tess_mesh *mesh = &reader->mesh;
    struct tess_mesh part = {
        .vertices = mesh->vertices - vertex,
        .faces = mesh->faces - face,
        .positions = mesh->positions + 3 * vertex,
        .indices = mesh->indices + 3 * face,
    };
    for (size_t i = 0; i < 3 * part.faces; i++)
        part.indices[i] -= (uint32_t)vertex;
    enum tess_status status = tess_mesh_normals(&part, reader->glb.env);
    if (!status)
        memcpy(mesh->normals + 3 * vertex, part.normals,
               3 * part.vertices * sizeof(float));
    for (size_t i = 0; i < 3 * part.faces; i++)
        part.indices[i] += (uint32_t)vertex;
    free(part.normals);
    return status;
}

static void add_attributes(struct reader *reader, const struct tess_glb_array *colours,
                           const float *base, const struct tess_gltf_texture *texture,
                           size_t first)
{
    struct tess_mesh *mesh = &reader->mesh;
    for (size_t i = first; i < mesh->vertices; i++) {
        float rgba[4] = {1, 1, 1, 1}, shown[3] = {1, 1, 1};
        float *dst = mesh->attributes + 6 * i;
        if (texture->picture)
            tess_gltf_texture_sample(shown, texture, i - first);
        if (colours->data)
            tess_glb_floats(rgba, colours, i - first);
        for (int j = 0; j < 3; j++) {
            dst[j] = to_srgb(rgba[j] * base[j] * (float)tess_srgb_to_linear(shown[j]));
            dst[3 + j] = 0.5f + 0.5f * mesh->normals[3 * i + j];
        }
    }
}

static enum tess_status read_primitive(struct reader *reader,
                                       struct tess_json_at primitive,
                                       const struct tess_gltf_matrix *transform)
{
    uint32_t mode;
    struct tess_json_at attributes;
    struct tess_glb_array positions, normals = {0}, colours = {0}, indices = {0};
    float base[3];
    struct tess_gltf_texture texture = {0};
    struct tess_mesh *mesh = &reader->mesh;
    TESS_TRY(tess_json_object(&primitive, primitive, NULL));
    TESS_TRY(tess_json_uint_or(&mode, primitive, "mode", MODE_POINTS, MODE_TRIANGLE_FAN,
                               MODE_TRIANGLES));
    if (mode < MODE_TRIANGLES)
        return TESS_OK; // points and lines have no surface
    if (mode > MODE_TRIANGLES)
        return tess_json_fail(primitive, "mode",
                              "4, triangles; strips and fans are not read");
    TESS_TRY(tess_json_object(&attributes, primitive, "attributes"));
    TESS_TRY(read_attribute(&positions, reader, attributes, "POSITION", 0));
    size_t N = positions.count;
    if (tess_json_present(tess_json_member(attributes, "NORMAL")))
        TESS_TRY(read_attribute(&normals, reader, attributes, "NORMAL", N));
    if (tess_json_present(tess_json_member(attributes, "COLOR_0")))
        TESS_TRY(read_attribute(&colours, reader, attributes, "COLOR_0", N));
    size_t corners = N;
    if (tess_json_present(tess_json_member(primitive, "indices"))) {
        TESS_TRY(tess_glb_accessor(&indices, &reader->glb, primitive, "indices"));
        if (indices.components != 1 || (indices.type != TESS_GLB_UNSIGNED_BYTE &&
                                        indices.type != TESS_GLB_UNSIGNED_SHORT &&
                                        indices.type != TESS_GLB_UNSIGNED_INT))
            return tess_json_fail(primitive, "indices",
                                  "an accessor of SCALAR unsigned integers");
        corners = indices.count;
    }
    if (corners % 3)
        return tess_json_fail(primitive, NULL, "a multiple of 3 corners, not %zu",
                              corners);
    TESS_TRY(base_colour(base, &texture, reader, primitive, attributes, N));
    TESS_TRY(make_room(reader, primitive, N, corners / 3));

    double turn[3][3], determinant = 0;
    cofactors(turn, transform);
    for (int c = 0; c < 3; c++)
        determinant += transform->m[4 * c] * turn[0][c];
    bool mirrored = determinant < 0;
    size_t vertex = mesh->vertices, face = mesh->faces;
    TESS_TRY(add_indices(reader, primitive, &indices, corners / 3, N, mirrored));
    for (size_t i = 0; i < N; i++) {
        if (!add_position(mesh->positions + 3 * (vertex + i), &positions, i, transform))
            return tess_json_fail(attributes, "POSITION",
                                  "an accessor of finite numbers, but element %zu is not",
                                  i);
        if (normals.data && !add_normal(mesh->normals + 3 * (vertex + i), &normals, i,
                                        turn, mirrored ? -1 : 1))
            return tess_json_fail(attributes, "NORMAL",
                                  "an accessor of finite numbers, but element %zu is not",
                                  i);
    }
    mesh->vertices += N;
    mesh->faces += corners / 3;
    if (!normals.data)
        TESS_TRY(add_smooth_normals(reader, vertex, face));
    add_attributes(reader, &colours, base, &texture, vertex);
    return TESS_OK;
}

static enum tess_status visit(void *user, struct tess_json_at primitive,
                              const struct tess_gltf_matrix *transform)
{
    return read_primitive(user, primitive, transform);
}

enum tess_status tess_gltf_read(struct tess_mesh *out, struct tess_env *env,
                                const char *path)
{
    struct reader reader = {0};
    enum tess_status status = tess_glb_open(&reader.glb, env, path);
    if (!status)
        status = tess_gltf_walk(&reader.glb, visit, &reader);
    if (!status && reader.mesh.faces == 0)
        status = tess_fail(env, TESS_ERR_FILE, "%s: no triangles in its scene", path);
    tess_gltf_textures_clear(&reader.textures);
    tess_glb_close(&reader.glb);
    if (status) {
        tess_mesh_clear(&reader.mesh);
        return status;
    }
    if (reader.ignored)
        tess_log(env, TESS_LOG_WARNING,
                 "%s: a texture is not read: it is not in the file, or no PNG or JPEG",
                 path);
    *out = reader.mesh;
    return TESS_OK;
}
