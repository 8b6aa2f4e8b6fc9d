// Cubes of voxels, with distances of a formula at their corners, and the mesh of them.
#include "bench/cubes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geom/flexicubes.h"

#define AXIS    4 // cubes of a voxel
#define COLUMNS TESS_FLEXICUBES_COLOUR_COLUMNS

static void fill_cube(struct tess_bench_cubes *cubes, size_t i, const int32_t *voxel,
                      tess_bench_field *field, const void *user)
{
    int32_t *at = cubes->coords + 3 * i;
    for (size_t axis = 0, rest = i % TESS_BENCH_CUBES; axis < 3; axis++, rest /= AXIS)
        at[2 - axis] = voxel[2 - axis] * AXIS + (int32_t)(rest % AXIS);
    for (int corner = 0; corner < 8; corner++) {
        const int32_t place[3] = {at[0] + (corner & 1), at[1] + (corner >> 1 & 1),
                                  at[2] + (corner >> 2 & 1)};
        cubes->feats[i * COLUMNS + (size_t)corner] = field(place, user);
    }
}

enum tess_status tess_bench_cubes_create(struct tess_bench_cubes *out,
                                         struct tess_env *env, const int32_t *voxels,
                                         size_t count, uint32_t resolution,
                                         tess_bench_field *field, const void *user)
{
    *out = (struct tess_bench_cubes){.resolution = resolution * AXIS,
                                     .count = count * TESS_BENCH_CUBES};
    TESS_TRY(tess_alloc(&out->coords, env, out->count, 3 * sizeof(int32_t), "cubes"));
    TESS_TRY(tess_alloc(&out->feats, env, out->count, COLUMNS * sizeof(float), "cubes"));
    for (size_t i = 0; i < out->count; i++)
        fill_cube(out, i, voxels + 3 * (i / TESS_BENCH_CUBES), field, user);
    return TESS_OK;
}

enum tess_status tess_bench_cubes_extract(struct tess_mesh *mesh, struct tess_env *env,
                                          const struct tess_bench_cubes *cubes)
{
    struct tess_flexicubes *fc = NULL;
    TESS_TRY(
        tess_flexicubes_create(&fc, env,
                               &(struct tess_flexicubes_params){
                                   .resolution = cubes->resolution, .use_colour = true},
                               cubes->coords, cubes->count));
    enum tess_status status = tess_flexicubes_add(fc, 0, cubes->count, cubes->feats);
    if (!status)
        status = tess_flexicubes_extract(mesh, fc);
    tess_flexicubes_destroy(&fc);
    return status;
}

void tess_bench_cubes_clear(struct tess_bench_cubes *cubes)
{
    free(cubes->coords);
    free(cubes->feats);
    memset(cubes, 0, sizeof *cubes);
}
