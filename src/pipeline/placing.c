// Assets as files have them: turned and scaled.
#include "pipeline/placing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/turn.h"

// A copy of from[count][3], turned and scaled. NULL stays NULL.
static enum tess_status place_vectors(float **out, struct tess_env *env,
                                      const float *from, size_t count, int quarters,
                                      double scale)
{
    if (!from)
        return TESS_OK;
    TESS_TRY(tess_alloc(out, env, count, 3 * sizeof **out, "turned vertices"));
    for (size_t i = 0; i < count; i++) {
        float *v = *out + 3 * i;
        for (size_t j = 0; j < 3; j++) {
            v[j] = (float)(scale * (double)from[3 * i + j]);
            if (!isfinite(v[j]))
                return tess_fail(
                    env, TESS_ERR_WRITE,
                    "a coordinate of %g scaled by %g leaves single precision",
                    (double)from[3 * i + j], scale);
        }
        for (int k = 0; k < quarters; k++)
            tess_turn_down(v, v);
    }
    return TESS_OK;
}

static enum tess_status place_rotations(float **out, struct tess_env *env,
                                        const float *from, size_t count, int quarters)
{
    if (!from)
        return TESS_OK;
    TESS_TRY(tess_alloc(out, env, count, 4 * sizeof **out, "turned splats"));
    memcpy(*out, from, count * 4 * sizeof **out);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < quarters; k++)
            tess_turn_rotation_down(*out + 4 * i, *out + 4 * i);
    return TESS_OK;
}

enum tess_status tess_asset_place(struct tess_asset *out, const struct tess_asset *asset,
                                  struct tess_env *env, int quarters, double scale)
{
    const struct tess_mesh *mesh = &asset->mesh;
    const struct tess_splats *splats = &asset->splats;
    *out = *asset;
    out->mesh.positions = out->mesh.normals = NULL;
    out->splats.positions = out->splats.scales = out->splats.rotations = NULL;
    TESS_TRY(place_vectors(&out->mesh.positions, env, mesh->positions, mesh->vertices,
                           quarters, scale));
    TESS_TRY(place_vectors(&out->mesh.normals, env, mesh->normals, mesh->vertices,
                           quarters, 1));
    TESS_TRY(place_vectors(&out->splats.positions, env, splats->positions, splats->count,
                           quarters, scale));
    TESS_TRY(
        place_vectors(&out->splats.scales, env, splats->scales, splats->count, 0, scale));
    return place_rotations(&out->splats.rotations, env, splats->rotations, splats->count,
                           quarters);
}

void tess_placed_clear(struct tess_asset *placed)
{
    free(placed->mesh.positions);
    free(placed->mesh.normals);
    free(placed->splats.positions);
    free(placed->splats.scales);
    free(placed->splats.rotations);
    *placed = (struct tess_asset){0};
}
