// A ring with bumps, as a mesh and as splats.
//
//   R  radius of the ring, r = 0.4 R of its tube, in voxels
//   d  distance to the tube's skin, with bumps; the mesh is where |d| is half a wall, and
//      the voxels are those with a corner of a cube inside of the wall
#include "bench/object.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/cubes.h"
#include "bench/random.h"

#define CUBES_AXIS 4   // of a voxel
#define TUBE       0.4 // of the ring's radius

// In voxels. A wall is at least as thick as a cube's diagonal, or it has holes.
#define HALF_WALL 0.3
#define BUMP      0.2
#define BUMPS     9 // along a coordinate of the surface

// Of the wall's area, which is 4 pi^2 R r; counted for rings of 100 to 40,000 voxels.
#define VOXELS_PER_AREA 2.1

struct ring {
    double centre, R, r; // voxels
};

static void place_splat(struct tess_splats *splats, size_t i, const int32_t *voxel,
                        float edge, uint64_t *state)
{
    for (int axis = 0; axis < 3; axis++) {
        splats->positions[3 * i + axis] =
            ((float)voxel[axis] + tess_random_float(state)) * edge - 0.5f;
        splats->scales[3 * i + axis] = edge * (0.1f + 0.4f * tess_random_float(state));
        splats->colours[3 * i + axis] = tess_random_float(state);
    }
    splats->rotations[4 * i] = 1;
    splats->opacities[i] = 0.1f + 0.8f * tess_random_float(state);
}

enum tess_status tess_bench_splats(struct tess_splats *out, struct tess_env *env,
                                   const int32_t *voxels, size_t count,
                                   uint32_t resolution)
{
    uint64_t state = 1;
    TESS_TRY(tess_splats_create(out, env, count * TESS_BENCH_SPLATS));
    for (size_t i = 0; i < out->count; i++)
        place_splat(out, i, voxels + 3 * (i / TESS_BENCH_SPLATS),
                    1.0f / (float)resolution, &state);
    return TESS_OK;
}

static double distance(const struct ring *ring, double x, double y, double z)
{
    x -= ring->centre;
    y -= ring->centre;
    z -= ring->centre;
    double side = hypot(x, y) - ring->R;
    double bumps = BUMP * sin(BUMPS * atan2(y, x)) * sin(BUMPS * atan2(z, side));
    return fabs(hypot(side, z) - ring->r - bumps);
}

static float wall(const int32_t at[3], const void *user)
{
    return (float)(distance(user, (double)at[0] / CUBES_AXIS, (double)at[1] / CUBES_AXIS,
                            (double)at[2] / CUBES_AXIS) -
                   HALF_WALL);
}

static bool has_wall(const struct ring *ring, const int32_t voxel[3])
{
    const double reach = HALF_WALL + BUMP + 0.87; // half of a voxel's diagonal
    double side = hypot(voxel[0] + 0.5 - ring->centre, voxel[1] + 0.5 - ring->centre);
    if (fabs(hypot(side - ring->R, voxel[2] + 0.5 - ring->centre) - ring->r) > reach)
        return false;
    for (int i = 0; i < 125; i++) {
        const int32_t at[3] = {CUBES_AXIS * voxel[0] + i % 5,
                               CUBES_AXIS * voxel[1] + i / 5 % 5,
                               CUBES_AXIS * voxel[2] + i / 25};
        if (wall(at, ring) < 0)
            return true;
    }
    return false;
}

// Of a ring that fits the grid. Free *out with free().
static enum tess_status make_voxels(int32_t **out, size_t *count, struct ring *ring,
                                    struct tess_env *env, size_t wanted,
                                    uint32_t resolution)
{
    const double pi = 3.14159265358979324;
    int32_t n = (int32_t)resolution, *voxels = NULL;
    size_t capacity = 0, used = 0;
    ring->centre = 0.5 * n;
    ring->R = fmin(sqrt((double)wanted / (4 * pi * pi * TUBE * VOXELS_PER_AREA)),
                   fmax(0.5 * n - 1, 0.5) / (1 + TUBE));
    ring->r = TUBE * ring->R;
    for (int64_t i = 0; i < (int64_t)n * n * n; i++) {
        const int32_t voxel[3] = {(int32_t)(i / n / n), (int32_t)(i / n % n),
                                  (int32_t)(i % n)};
        if (!has_wall(ring, voxel))
            continue;
        enum tess_status status =
            tess_grow(&voxels, &capacity, env, used + 1, 3 * sizeof *voxels, "voxels");
        if (status) {
            free(voxels);
            return status;
        }
        memcpy(voxels + 3 * used++, voxel, sizeof voxel);
    }
    *out = voxels;
    *count = used;
    return TESS_OK;
}

static enum tess_status make_mesh(struct tess_mesh *out, struct tess_env *env,
                                  const int32_t *voxels, size_t count,
                                  uint32_t resolution, const struct ring *ring)
{
    struct tess_bench_cubes cubes;
    enum tess_status status =
        tess_bench_cubes_create(&cubes, env, voxels, count, resolution, wall, ring);
    if (!status)
        status = tess_bench_cubes_extract(out, env, &cubes);
    tess_bench_cubes_clear(&cubes);
    return status ? status : tess_mesh_normals(out, env);
}

enum tess_status tess_bench_object(struct tess_asset **out, struct tess_context *ctx,
                                   size_t voxels, uint32_t resolution)
{
    struct tess_env *env = &ctx->env;
    struct tess_asset *asset = NULL;
    struct ring ring;
    int32_t *coords = NULL;
    size_t count = 0;
    TESS_TRY(make_voxels(&coords, &count, &ring, env, voxels, resolution));
    enum tess_status status = tess_alloc(&asset, env, 1, sizeof *asset, "an asset");
    if (!status)
        status = tess_strdup(&asset->model, env, "");
    if (!status) {
        asset->has_mesh = asset->has_splats = true;
        status = make_mesh(&asset->mesh, env, coords, count, resolution, &ring);
    }
    if (!status)
        status = tess_bench_splats(&asset->splats, env, coords, count, resolution);
    free(coords);
    if (status)
        tess_asset_destroy(&asset);
    else
        *out = asset;
    return status;
}
