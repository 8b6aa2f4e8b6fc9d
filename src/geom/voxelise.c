// Voxels that triangles touch, as TRELLIS's variants have them: the mesh is normalised in
// double, clipped a millionth inside the cube, and every voxel between the lowest and the
// highest corner of a triangle is tested against it as Open3D since 0.18 does
// (VoxelGrid.create_from_triangle_mesh_within_bounds). Open3D takes voxels from the floor
// of the lowest corner on, which is why a triangle in the plane between two voxels
// belongs to the upper one.
//
// Box and triangle touch unless one of 13 axes separates them: the box's three axes, the
// triangle's normal, and the nine cross products of their edges (Akenine-Möller, Fast 3D
// Triangle-Box Overlap Testing, 2001). Both are closed: touching counts.
//
// R: resolution. Voxel i along an axis is [i / R, (i + 1) / R] - 1 / 2; for R a power of
// two, all its numbers are exact.
#include "geom/voxelise.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// The original's: keeps the corners of the bounding box in the outermost voxels.
static const double CLIP = 0.5 - 1e-6;

enum {
    LEAF_VOXELS = 16,      // tested one by one
    CHECK_FACES = 1 << 16, // between looks at whether the run was cancelled
    BITS = 64,             // of a word of the grid
};

// A range of voxels.
struct range {
    uint32_t lo[3], hi[3]; // inclusive
};

struct triangle {
    double v[3][3]; // corners
    double e[3][3]; // edges, v[i + 1] - v[i]
    double n[3];    // normal, of any length
};

struct grid {
    uint32_t R;
    uint64_t *bits; // voxel (x * R + y) * R + z
    size_t words;
};

// Whether the closed box at `centre` with half sides `half` touches the triangle.
static bool touches(const struct triangle *triangle, const double *centre,
                    const double *half)
{
    double v[3][3];
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            v[i][j] = triangle->v[i][j] - centre[j];
    }
    for (int j = 0; j < 3; j++) {
        double min = fmin(v[0][j], fmin(v[1][j], v[2][j]));
        double max = fmax(v[0][j], fmax(v[1][j], v[2][j]));
        if (min > half[j] || max < -half[j])
            return false;
    }
    // Axis j times edge i: of the triangle's corners, the edge's two fall together.
    for (int i = 0; i < 3; i++) {
        const double *e = triangle->e[i], *on = v[i], *off = v[(i + 2) % 3];
        for (int j = 0; j < 3; j++) {
            int k = (j + 1) % 3, l = (j + 2) % 3;
            double a = e[l] * on[k] - e[k] * on[l], b = e[l] * off[k] - e[k] * off[l];
            double radius = fabs(e[l]) * half[k] + fabs(e[k]) * half[l];
            if (fmin(a, b) > radius || fmax(a, b) < -radius)
                return false;
        }
    }
    const double *n = triangle->n;
    double distance = n[0] * v[0][0] + n[1] * v[0][1] + n[2] * v[0][2];
    double radius = fabs(n[0]) * half[0] + fabs(n[1]) * half[1] + fabs(n[2]) * half[2];
    return fabs(distance) <= radius;
}

static bool touches_range(const struct triangle *triangle, const struct range *range,
                          uint32_t R, double slack)
{
    double centre[3], half[3];
    for (int j = 0; j < 3; j++) {
        double lo = range->lo[j], hi = (double)range->hi[j] + 1;
        centre[j] = (lo + hi) / 2 / R - 0.5;
        half[j] = (hi - lo) / 2 / R + slack;
    }
    return touches(triangle, centre, half);
}

// Mark the voxels of the range that the triangle touches. Halves of the range that it
// misses are left out, so the work grows with the triangle's area, not with its bounding
// box; 30 levels deep at most.
static void mark(struct grid *grid, const struct triangle *triangle,
                 const struct range *range)
{
    size_t voxels = 1;
    int longest = 0;
    for (int j = 0; j < 3; j++) {
        voxels *= range->hi[j] - range->lo[j] + 1;
        if (range->hi[j] - range->lo[j] > range->hi[longest] - range->lo[longest])
            longest = j;
    }
    if (voxels > LEAF_VOXELS) {
        // The slack is far above the rounding of the test, so that no range is left out
        // of which a voxel would be found to touch.
        if (!touches_range(triangle, range, grid->R, 1e-9))
            return;
        struct range lower = *range, upper = *range;
        lower.hi[longest] = (range->lo[longest] + range->hi[longest]) / 2;
        upper.lo[longest] = lower.hi[longest] + 1;
        mark(grid, triangle, &lower);
        mark(grid, triangle, &upper);
        return;
    }
    struct range one;
    for (uint32_t x = range->lo[0]; x <= range->hi[0]; x++) {
        for (uint32_t y = range->lo[1]; y <= range->hi[1]; y++) {
            for (uint32_t z = range->lo[2]; z <= range->hi[2]; z++) {
                size_t voxel = ((size_t)x * grid->R + y) * grid->R + z;
                uint64_t bit = (uint64_t)1 << voxel % BITS;
                one = (struct range){{x, y, z}, {x, y, z}};
                if (!(grid->bits[voxel / BITS] & bit) &&
                    touches_range(triangle, &one, grid->R, 0))
                    grid->bits[voxel / BITS] |= bit;
            }
        }
    }
}

static void set_triangle(struct triangle *out, const double (*vertices)[3],
                         const uint32_t *indices)
{
    for (int i = 0; i < 3; i++)
        memcpy(out->v[i], vertices[indices[i]], sizeof out->v[i]);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            out->e[i][j] = out->v[(i + 1) % 3][j] - out->v[i][j];
    }
    for (int j = 0; j < 3; j++) {
        int k = (j + 1) % 3, l = (j + 2) % 3;
        out->n[j] = out->e[0][k] * out->e[1][l] - out->e[0][l] * out->e[1][k];
    }
}

// The voxels from the floor of the lowest corner to that of the highest.
static struct range find_range(const struct triangle *triangle, uint32_t R)
{
    struct range range;
    for (int j = 0; j < 3; j++) {
        double min = fmin(triangle->v[0][j], fmin(triangle->v[1][j], triangle->v[2][j]));
        double max = fmax(triangle->v[0][j], fmax(triangle->v[1][j], triangle->v[2][j]));
        range.lo[j] = (uint32_t)floor((min + 0.5) * R);
        range.hi[j] = (uint32_t)floor((max + 0.5) * R);
    }
    return range;
}

static enum tess_status mark_all(struct grid *grid, struct tess_env *env,
                                 const struct tess_mesh *mesh,
                                 const double (*vertices)[3])
{
    for (size_t f = 0; f < mesh->faces; f++) {
        const uint32_t *indices = mesh->indices + 3 * f;
        if (f % CHECK_FACES == 0)
            TESS_TRY(tess_env_check(env));
        for (int i = 0; i < 3; i++) {
            if (indices[i] >= mesh->vertices)
                return tess_fail(env, TESS_ERR_FILE,
                                 "face %zu has vertex %u, expected one of %zu", f,
                                 indices[i], mesh->vertices);
        }
        struct triangle triangle;
        set_triangle(&triangle, vertices, indices);
        struct range range = find_range(&triangle, grid->R);
        mark(grid, &triangle, &range);
    }
    return TESS_OK;
}

// Centred, scaled and clipped.
static enum tess_status normalise(double (*vertices)[3], struct tess_env *env,
                                  const struct tess_mesh *mesh)
{
    double min[3] = {INFINITY, INFINITY, INFINITY}, max[3], scale = 0;
    for (int j = 0; j < 3; j++)
        max[j] = -min[j];
    for (size_t i = 0; i < mesh->vertices; i++) {
        for (int j = 0; j < 3; j++) {
            double p = mesh->positions[3 * i + j];
            if (!isfinite(p))
                return tess_fail(env, TESS_ERR_FILE,
                                 "vertex %zu is at %g, expected finite numbers", i, p);
            min[j] = fmin(min[j], p);
            max[j] = fmax(max[j], p);
        }
    }
    for (int j = 0; j < 3; j++)
        scale = fmax(scale, max[j] - min[j]);
    if (!(scale > 0))
        return tess_fail(env, TESS_ERR_FILE,
                         "all %zu vertices of the mesh are at the same point",
                         mesh->vertices);
    for (size_t i = 0; i < mesh->vertices; i++) {
        for (int j = 0; j < 3; j++) {
            double p = (mesh->positions[3 * i + j] - (min[j] + max[j]) / 2) / scale;
            vertices[i][j] = fmin(fmax(p, -CLIP), CLIP);
        }
    }
    return TESS_OK;
}

static enum tess_status collect(int32_t **coords, size_t *count, struct tess_env *env,
                                const struct grid *grid)
{
    size_t voxels = 0;
    for (size_t i = 0; i < grid->words; i++)
        voxels += (size_t)__builtin_popcountll(grid->bits[i]);
    int32_t *next = NULL;
    TESS_TRY(tess_alloc(&next, env, voxels, 3 * sizeof *next, "voxels"));
    *coords = next;
    *count = voxels;
    for (size_t i = 0; i < grid->words; i++) {
        for (uint64_t left = grid->bits[i]; left; left &= left - 1) {
            size_t voxel = BITS * i + (size_t)__builtin_ctzll(left);
            *next++ = (int32_t)(voxel / grid->R / grid->R);
            *next++ = (int32_t)(voxel / grid->R % grid->R);
            *next++ = (int32_t)(voxel % grid->R);
        }
    }
    return TESS_OK;
}

enum tess_status tess_voxelise(int32_t **coords, size_t *count, struct tess_env *env,
                               const struct tess_mesh *mesh, uint32_t resolution)
{
    assert(resolution >= 1 && resolution <= TESS_VOXELISE_MAX_RESOLUTION);
    if (mesh->faces == 0)
        return tess_fail(env, TESS_ERR_FILE, "the mesh has no faces, expected triangles");
    struct grid grid = {.R = resolution};
    grid.words = ((size_t)resolution * resolution * resolution + BITS - 1) / BITS;
    double(*vertices)[3] = NULL;
    enum tess_status status =
        tess_alloc(&vertices, env, mesh->vertices, sizeof *vertices, "vertices");
    if (!status)
        status = tess_alloc(&grid.bits, env, grid.words, sizeof *grid.bits, "voxels");
    if (!status)
        status = normalise(vertices, env, mesh);
    if (!status)
        status = mark_all(&grid, env, mesh, (const double(*)[3])vertices);
    if (!status)
        status = collect(coords, count, env, &grid);
    free(vertices);
    free(grid.bits);
    return status;
}
