// Wavefront OBJ files.
#include "io/obj.h"

#include "io/output.h"

enum tess_status tess_obj_write(const struct tess_mesh *mesh, struct tess_env *env,
                                const char *path)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_output_open(&output, env, path));
    tess_output_printf(output, "# Tessella %s: %zu vertices, %zu faces\n", TESS_VERSION,
                       mesh->vertices, mesh->faces);
    for (size_t i = 0; i < mesh->vertices; i++) {
        const float *p = mesh->positions + 3 * i;
        tess_output_write(output, "v", 1);
        tess_output_floats(output, (const float[]){p[0], p[2], -p[1]}, 3);
        if (mesh->attributes)
            tess_output_floats(output, mesh->attributes + 6 * i, 3);
        tess_output_write(output, "\n", 1);
    }
    for (size_t i = 0; i < mesh->vertices && mesh->normals; i++) {
        const float *n = mesh->normals + 3 * i;
        tess_output_write(output, "vn", 2);
        tess_output_floats(output, (const float[]){n[0], n[2], -n[1]}, 3);
        tess_output_write(output, "\n", 1);
    }
    for (size_t i = 0; i < mesh->faces; i++) {
        size_t f[3];
        for (int j = 0; j < 3; j++)
            f[j] = (size_t)mesh->indices[3 * i + j] + 1; // counted from 1
        if (mesh->normals)
            tess_output_printf(output, "f %zu//%zu %zu//%zu %zu//%zu\n", f[0], f[0], f[1],
                               f[1], f[2], f[2]);
        else
            tess_output_printf(output, "f %zu %zu %zu\n", f[0], f[1], f[2]);
    }
    return tess_output_commit(&output, env);
}
