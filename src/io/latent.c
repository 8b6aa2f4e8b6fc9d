// Structured latents: reading, writing, and the synthetic torus shell.
#include "io/latent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/coords.h"
#include "io/safetensors.h"

enum { MAX_CHANNELS = 16384 };

enum tess_status tess_latent_create(struct tess_latent **out, struct tess_env *env,
                                    size_t voxels, const char *path)
{
    struct tess_latent *latent = NULL;
    TESS_TRY(tess_alloc(&latent, env, 1, sizeof *latent, "a latent"));
    latent->voxels = voxels;
    enum tess_status status = tess_strdup(&latent->path, env, path);
    if (!status)
        status = tess_alloc(&latent->coords, env, voxels, 3 * sizeof(int32_t), "voxels");
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}

static enum tess_status create_feats(struct tess_latent *latent, struct tess_env *env,
                                     size_t channels)
{
    latent->channels = channels;
    return tess_alloc(&latent->feats, env, latent->voxels, channels * sizeof(float),
                      "features");
}

void tess_latent_free(struct tess_latent **latent)
{
    if (!*latent)
        return;
    free((*latent)->coords);
    free((*latent)->feats);
    free((*latent)->path);
    free(*latent);
    *latent = NULL;
}

// ---------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------

static enum tess_status check_finite(const struct tess_latent *latent,
                                     struct tess_env *env)
{
    for (size_t i = 0; i < latent->voxels * latent->channels; i++) {
        if (!isfinite(latent->feats[i]))
            return tess_fail(
                env, TESS_ERR_FILE,
                "%s: tensor feats row %zu column %zu is %g, expected a finite "
                "number",
                latent->path, i / latent->channels, i % latent->channels,
                (double)latent->feats[i]);
    }
    return TESS_OK;
}

static enum tess_status refuse_others(const struct tess_safetensors *file,
                                      struct tess_env *env,
                                      const struct tess_file_tensor *coords,
                                      const struct tess_file_tensor *feats)
{
    for (size_t i = 0; i < tess_safetensors_count(file); i++) {
        const struct tess_file_tensor *tensor = tess_safetensors_at(file, i);
        if (tensor != coords && tensor != feats)
            return tess_fail(env, TESS_ERR_FILE,
                             "%s: tensor %.200s is not part of a latent, expected coords "
                             "and feats only",
                             tess_safetensors_path(file), tensor->name);
    }
    return TESS_OK;
}

static enum tess_status check_sizes(const char *path, struct tess_env *env,
                                    const struct tess_file_tensor *coords,
                                    const struct tess_file_tensor *feats)
{
    size_t N = coords->shape[0];
    TESS_TRY(tess_coords_check_count(env, path, coords));
    if (feats &&
        (feats->shape[0] != N || feats->shape[1] == 0 || feats->shape[1] > MAX_CHANNELS))
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor feats is F32 [%zu,%zu], expected [%zu,1..%d]", path,
                         feats->shape[0], feats->shape[1], N, MAX_CHANNELS);
    return TESS_OK;
}

static enum tess_status fill(struct tess_latent *latent, struct tess_env *env,
                             const struct tess_file_tensor *coords,
                             const struct tess_file_tensor *feats)
{
    TESS_TRY(tess_coords_read(latent->coords, env, latent->path, coords,
                              TESS_LATENT_MAX_RESOLUTION));
    if (!feats)
        return TESS_OK;
    TESS_TRY(create_feats(latent, env, feats->shape[1]));
    tess_file_tensor_floats(latent->feats, feats);
    return check_finite(latent, env);
}

enum tess_status tess_latent_read(struct tess_latent **out, struct tess_env *env,
                                  const struct tess_safetensors *file,
                                  bool may_lack_feats)
{
    const struct tess_file_tensor *coords, *feats = NULL;
    TESS_TRY(tess_safetensors_require(&coords, file, env, "coords", 1u << TESS_I32, 2,
                                      (const size_t[]){0, 4}));
    if (!may_lack_feats || tess_safetensors_find(file, "feats"))
        TESS_TRY(tess_safetensors_require(&feats, file, env, "feats", 1u << TESS_F32, 2,
                                          (const size_t[]){coords->shape[0], 0}));
    TESS_TRY(refuse_others(file, env, coords, feats));
    const char *path = tess_safetensors_path(file);
    TESS_TRY(check_sizes(path, env, coords, feats));
    struct tess_latent *latent = NULL;
    TESS_TRY(tess_latent_create(&latent, env, coords->shape[0], path));
    enum tess_status status = fill(latent, env, coords, feats);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    *out = latent;
    return TESS_OK;
}

enum tess_status tess_latent_load(struct tess_latent **out, struct tess_env *env,
                                  const char *path)
{
    struct tess_safetensors *file = NULL;
    TESS_TRY(tess_safetensors_open(&file, env, path));
    enum tess_status status = tess_latent_read(out, env, file, false);
    tess_safetensors_close(&file);
    return status;
}

// ---------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------

enum tess_status tess_latent_tensors(struct tess_file_tensor tensors[2], int32_t **coords,
                                     struct tess_env *env,
                                     const struct tess_latent *latent)
{
    TESS_TRY(
        tess_coords_tensor(&tensors[0], coords, env, latent->coords, latent->voxels));
    tensors[1] = (struct tess_file_tensor){.name = "feats",
                                           .dtype = TESS_F32,
                                           .dims = 2,
                                           .shape = {latent->voxels, latent->channels},
                                           .data = latent->feats};
    return TESS_OK;
}

// ---------------------------------------------------------------------------------------
// The torus shell
// ---------------------------------------------------------------------------------------

// All in voxel edges; the origin is the centre of the cube.
struct torus {
    double major, minor; // radii: of the circle, of the tube around it
    double half_thickness;
};

// The z range of a column of voxels inside the shell: [low, high] and its mirror image at
// [size - 1 - high, size - 1 - low]; both are one range where they touch. False if empty.
static bool column_range(const struct torus *torus, int32_t size, int32_t x, int32_t y,
                         int32_t *low, int32_t *high)
{
    double centre = 0.5 * size, dx = x + 0.5 - centre, dy = y + 0.5 - centre;
    double rho = sqrt(dx * dx + dy * dy) - torus->major;
    double outer = torus->minor + torus->half_thickness;
    double inner = torus->minor - torus->half_thickness;
    double top = outer * outer - rho * rho;
    if (top < 0)
        return false;
    // Voxel k has its centre at k + 0.5 - size / 2, and lies in when that is in [z0, z1].
    double z1 = sqrt(top), z0 = 0;
    if (inner > 0 && inner * inner > rho * rho)
        z0 = sqrt(inner * inner - rho * rho);
    double first = ceil(z0 + centre - 0.5), last = floor(z1 + centre - 0.5);
    if (last > size - 1)
        last = size - 1;
    if (first > last)
        return false;
    *low = (int32_t)first;
    *high = (int32_t)last;
    return true;
}

static bool in_column(int32_t size, int32_t low, int32_t high, int32_t z)
{
    return (z >= low && z <= high) || (z >= size - 1 - high && z <= size - 1 - low);
}

static size_t torus_count(const struct torus *torus, int32_t size)
{
    size_t count = 0;
    int32_t low, high;
    for (int32_t x = 0; x < size; x++) {
        for (int32_t y = 0; y < size; y++) {
            if (!column_range(torus, size, x, y, &low, &high))
                continue;
            int32_t shared = size - 2 * low; // voxels that both halves have, if positive
            count += (size_t)(2 * (high - low + 1) - (shared > 0 ? shared : 0));
        }
    }
    return count;
}

// The largest torus one voxel thick with at most `voxels` voxels, then the thickness
// between which and *inner the count passes `voxels`: count(*inner) < voxels <=
// count(*outer).
static void torus_fit(struct torus *inner, struct torus *outer, int32_t size,
                      size_t voxels)
{
    const double tube = 0.4; // of the major radius
    double low = 0, high = (0.5 * size - 0.5) / (1 + tube);
    for (int i = 0; i < 40; i++) {
        double middle = 0.5 * (low + high);
        struct torus torus = {middle, tube * middle, 0.5};
        if (torus_count(&torus, size) < voxels)
            low = middle;
        else
            high = middle;
    }
    *inner = *outer = (struct torus){low, tube * low, 0};
    outer->half_thickness = 2.0 * size; // further than any two voxels
    for (int i = 0; i < 60; i++) {
        struct torus torus = *inner;
        torus.half_thickness = 0.5 * (inner->half_thickness + outer->half_thickness);
        if (torus_count(&torus, size) < voxels)
            *inner = torus;
        else
            *outer = torus;
    }
}

// Of the voxels that only the outer shell has, symmetric groups of equal distance, as
// many as fit.
static void torus_fill(struct tess_latent *latent, const struct torus *inner,
                       const struct torus *outer, int32_t size)
{
    size_t extra = latent->voxels - torus_count(inner, size), used = 0;
    for (int32_t x = 0; x < size; x++) {
        for (int32_t y = 0; y < size; y++) {
            int32_t low, high, inner_low, inner_high;
            if (!column_range(outer, size, x, y, &low, &high))
                continue;
            bool both = column_range(inner, size, x, y, &inner_low, &inner_high);
            for (int32_t z = 0; z < size; z++) {
                if (!in_column(size, low, high, z))
                    continue;
                if (!both || !in_column(size, inner_low, inner_high, z)) {
                    if (extra == 0)
                        continue;
                    extra--;
                }
                int32_t *c = latent->coords + 3 * used++;
                c[0] = x;
                c[1] = y;
                c[2] = z;
            }
        }
    }
}

enum tess_status tess_latent_shell(struct tess_latent **out, struct tess_env *env,
                                   size_t voxels, uint32_t resolution, uint32_t channels)
{
    size_t room = (size_t)resolution * resolution * resolution;
    if (resolution == 0 || resolution > TESS_LATENT_MAX_RESOLUTION)
        return tess_fail(env, TESS_ERR_ARG, "a shell at resolution %u, expected 1..%d",
                         resolution, TESS_LATENT_MAX_RESOLUTION);
    if (voxels == 0 || voxels > room)
        return tess_fail(env, TESS_ERR_ARG,
                         "a shell of %zu voxels, expected 1..%zu at resolution %u",
                         voxels, room, resolution);
    if (channels == 0 || channels > MAX_CHANNELS)
        return tess_fail(env, TESS_ERR_ARG, "a shell of %u channels, expected 1..%d",
                         channels, MAX_CHANNELS);
    struct tess_latent *latent = NULL;
    TESS_TRY(tess_latent_create(&latent, env, voxels, "the shell"));
    enum tess_status status = create_feats(latent, env, channels);
    if (status) {
        tess_latent_free(&latent);
        return status;
    }
    struct torus inner, outer;
    torus_fit(&inner, &outer, (int32_t)resolution, voxels);
    torus_fill(latent, &inner, &outer, (int32_t)resolution);
    *out = latent;
    return TESS_OK;
}
