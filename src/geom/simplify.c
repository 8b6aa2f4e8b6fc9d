// By meshoptimizer, whose collapses are ordered by error and keep vertices where they
// are. The original takes VTK's quadric decimation, which moves them.
#include "geom/simplify.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include <meshoptimizer.h>

#include "base/alloc.h"
#include "geom/topology.h"

enum tess_status tess_mesh_simplify(struct tess_mesh *mesh, struct tess_env *env,
                                    size_t faces)
{
    if (faces >= mesh->faces)
        return TESS_OK;
    uint32_t *indices = NULL;
    bool *keep = NULL;
    TESS_TRY(tess_alloc(&indices, env, mesh->faces, 3 * sizeof *indices, "mesh faces"));
    enum tess_status status =
        tess_alloc(&keep, env, mesh->faces, sizeof *keep, "mesh faces");
    if (!status) {
        size_t count = meshopt_simplify(indices, mesh->indices, 3 * mesh->faces,
                                        mesh->positions, mesh->vertices,
                                        3 * sizeof(float), 3 * faces, FLT_MAX, 0, NULL);
        if (count == 0) { // small closed pieces collapse whole
            memcpy(indices, mesh->indices, 3 * mesh->faces * sizeof *indices);
            count = 3 * mesh->faces;
        }
        memcpy(mesh->indices, indices, count * sizeof *indices);
        mesh->faces = count / 3;
        memset(keep, true, mesh->faces);
        status = tess_mesh_keep_faces(mesh, env, keep);
    }
    if (!status && mesh->normals)
        status = tess_mesh_normals(mesh, env);
    free(indices);
    free(keep);
    return status;
}
