// Wavefront OBJ files.
#include "io/obj.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/output.h"

enum { OBJ, MTL, TEXTURE, FILES };

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void write_vertices(struct tess_output *output, const struct tess_mesh *mesh,
                           bool textured)
{
    for (size_t i = 0; i < mesh->vertices; i++) {
        const float *p = mesh->positions + 3 * i;
        tess_output_write(output, "v", 1);
        tess_output_floats(output, (const float[]){p[0], p[2], -p[1]}, 3);
        if (mesh->attributes && !textured)
            tess_output_floats(output, mesh->attributes + 6 * i, 3);
        tess_output_write(output, "\n", 1);
    }
    for (size_t i = 0; i < mesh->vertices && textured; i++) {
        const float *uv = mesh->uvs + 2 * i; // v runs upwards there
        tess_output_write(output, "vt", 2);
        tess_output_floats(output, (const float[]){uv[0], 1 - uv[1]}, 2);
        tess_output_write(output, "\n", 1);
    }
    for (size_t i = 0; i < mesh->vertices && mesh->normals; i++) {
        const float *n = mesh->normals + 3 * i;
        tess_output_write(output, "vn", 2);
        tess_output_floats(output, (const float[]){n[0], n[2], -n[1]}, 3);
        tess_output_write(output, "\n", 1);
    }
}

// "f v/vt/vn ..."; all have the same numbers, counted from 1.
static void write_faces(struct tess_output *output, const struct tess_mesh *mesh,
                        bool textured)
{
    for (size_t i = 0; i < 3 * mesh->faces; i++) {
        size_t v = (size_t)mesh->indices[i] + 1;
        tess_output_printf(output, i % 3 ? " %zu" : "f %zu", v);
        if (textured)
            tess_output_printf(output, "/%zu", v);
        if (mesh->normals)
            tess_output_printf(output, textured ? "/%zu" : "//%zu", v);
        if (i % 3 == 2)
            tess_output_write(output, "\n", 1);
    }
}

static void write_head(struct tess_output *output, const struct tess_mesh *mesh)
{
    tess_output_printf(output, "# Tessella %s: %zu vertices, %zu faces\n", TESS_VERSION,
                       mesh->vertices, mesh->faces);
}

enum tess_status tess_obj_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    write_head(output, mesh);
    write_vertices(output, mesh, false);
    write_faces(output, mesh, false);
    return tess_output_commit(&output, env);
}

enum tess_status tess_obj_beside(char **out, struct tess_env *env, const char *path,
                                 const char *suffix)
{
    const char *dot = strrchr(name_of(path), '.');
    int length = (int)(dot ? (size_t)(dot - path) : strlen(path));
    return tess_strf(out, env, "%.*s%s", length, path, suffix);
}

static void write_all(struct tess_output *outputs[FILES], char *const paths[FILES],
                      const struct tess_mesh *mesh,
                      const struct tess_texture_file *texture)
{
    write_head(outputs[OBJ], mesh);
    tess_output_printf(outputs[OBJ], "mtllib %s\n", name_of(paths[MTL]));
    write_vertices(outputs[OBJ], mesh, true);
    tess_output_printf(outputs[OBJ], "usemtl texture\n");
    write_faces(outputs[OBJ], mesh, true);
    // Pr and Pm, roughness and metalness, are the usual extension for such materials.
    tess_output_printf(
        outputs[MTL],
        "newmtl texture\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nPr 1\nPm 0\n"
        "map_Kd %s\n",
        name_of(paths[TEXTURE]));
    tess_output_write(outputs[TEXTURE], texture->data, texture->bytes);
}

enum tess_status tess_obj_write_textured(const struct tess_mesh *mesh,
                                         const struct tess_texture_file *texture,
                                         struct tess_env *env, const char *path)
{
    struct tess_output *outputs[FILES] = {NULL};
    char *paths[FILES] = {NULL};
    enum tess_status status = tess_strdup(&paths[OBJ], env, path);
    if (!status)
        status = tess_obj_beside(&paths[MTL], env, path, ".mtl");
    if (!status)
        status = tess_obj_beside(&paths[TEXTURE], env, path, texture->suffix);
    for (size_t i = 0; i < FILES && !status; i++)
        status = tess_output_open(&outputs[i], env, paths[i]);
    if (!status) {
        write_all(outputs, paths, mesh, texture);
        status = tess_output_commit_all(outputs, FILES, env);
    }
    for (size_t i = 0; i < FILES; i++) {
        tess_output_discard(&outputs[i]);
        free(paths[i]);
    }
    return status;
}
