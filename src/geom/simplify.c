// By meshoptimizer, whose collapses are ordered by error and keep vertices where they
// are. The original takes VTK's quadric decimation, which moves them.
#include "geom/simplify.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include <meshoptimizer.h>

#include "base/alloc.h"
#include "geom/topology.h"

// A face by its corners in rising order; `odd` if they run the other way round.
struct sides {
    uint32_t corners[3];
    bool odd;
    size_t face;
};

static void swap(struct sides *s, int i, int j)
{
    if (s->corners[i] <= s->corners[j])
        return;
    uint32_t corner = s->corners[i];
    s->corners[i] = s->corners[j];
    s->corners[j] = corner;
    s->odd = !s->odd;
}

static struct sides sides_of(const uint32_t corners[3], size_t face)
{
    struct sides s = {{corners[0], corners[1], corners[2]}, false, face};
    swap(&s, 0, 1);
    swap(&s, 1, 2);
    swap(&s, 0, 1);
    return s;
}

// Of the same corners, even ones come before odd ones.
static int compare(const void *a, const void *b)
{
    const struct sides *x = a, *y = b;
    for (int i = 0; i < 3; i++)
        if (x->corners[i] != y->corners[i])
            return x->corners[i] < y->corners[i] ? -1 : 1;
    if (x->odd != y->odd)
        return x->odd - y->odd;
    return (x->face > y->face) - (x->face < y->face);
}

// Where a thin piece collapses flat, two faces come to lie on each other, back to back.
// They enclose nothing, and what is around them is whole without them. *kept: how many
// faces stay.
static enum tess_status find_pairs(bool *keep, size_t *kept, struct tess_env *env,
                                   const uint32_t *indices, size_t N)
{
    struct sides *faces = NULL;
    TESS_TRY(tess_alloc(&faces, env, N, sizeof *faces, "mesh faces"));
    for (size_t i = 0; i < N; i++)
        faces[i] = sides_of(indices + 3 * i, i);
    qsort(faces, N, sizeof *faces, compare);
    memset(keep, true, N);
    *kept = N;
    for (size_t i = 0, end; i < N; i = end) {
        size_t odd = 0;
        for (end = i; end < N && memcmp(faces[end].corners, faces[i].corners,
                                        sizeof faces[i].corners) == 0;
             end++)
            odd += faces[end].odd;
        size_t even = end - i - odd, pairs = odd < even ? odd : even;
        for (size_t k = 0; k < pairs; k++)
            keep[faces[i + k].face] = keep[faces[end - 1 - k].face] = false;
        *kept -= 2 * pairs;
    }
    free(faces);
    return TESS_OK;
}

enum tess_status tess_mesh_simplify(struct tess_mesh *mesh, struct tess_env *env,
                                    size_t faces)
{
    if (faces >= mesh->faces)
        return TESS_OK;
    uint32_t *indices = NULL;
    bool *keep = NULL;
    size_t count = 0, kept = 0;
    TESS_TRY(tess_alloc(&indices, env, mesh->faces, 3 * sizeof *indices, "mesh faces"));
    enum tess_status status =
        tess_alloc(&keep, env, mesh->faces, sizeof *keep, "mesh faces");
    if (!status) {
        count = meshopt_simplify(indices, mesh->indices, 3 * mesh->faces, mesh->positions,
                                 mesh->vertices, 3 * sizeof(float), 3 * faces, FLT_MAX,
#if MESHOPTIMIZER_VERSION >= 180
                                 0, // no options
#endif
                                 NULL) /
                3;
        status = find_pairs(keep, &kept, env, indices, count);
    }
    if (!status && kept > 0) { // else small closed pieces have collapsed whole
        memcpy(mesh->indices, indices, 3 * count * sizeof *indices);
        mesh->faces = count;
        status = tess_mesh_keep_faces(mesh, env, keep);
    }
    if (!status && mesh->normals)
        status = tess_mesh_normals(mesh, env);
    free(indices);
    free(keep);
    return status;
}
