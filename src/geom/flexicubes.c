// Sparse FlexiCubes over the blocks of cube_grid.h.
//
//   point    `stride` floats: distance, displacement [3], colour [6] or none, and how
//            many cubes contributed
//   key      x, y, z of a cube packed in raster order, `bits` bits each
//
// tess_flexicubes_add() sums the corners' values per lattice point, in row order, in
// float as the original does. tess_flexicubes_extract() takes the means, finds the
// surface cubes block by block, sorts them into raster order, and makes vertices and
// quads in that order. What each block, or each cube, makes alone is made in threads.
#include "geom/flexicubes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "base/thread.h"
#include "geom/cube_grid.h"
#include "geom/flexicubes_tables.h"

#define WEIGHTS        21
#define FIRST_DEFORM   8
#define FIRST_WEIGHT   32
#define FIRST_COLOUR   53
#define ALPHA          12 // of the weights: the first corner's
#define GAMMA          20
#define LANES          12 // values of a corner, filled up so that compilers make vectors
#define RADIX_BITS     11
#define POSITIVE_AT(k) (1u << (k))

// A cube that the surface passes through.
struct surface {
    uint64_t key;
    uint32_t cell;
    uint32_t vertex0; // its first dual vertex
    float gamma;      // its weight for choosing diagonals
    uint8_t code;     // case
    uint8_t resolved; // case whose groups it uses
    uint8_t positive; // POSITIVE_AT(corner): distance above 0, of corners in use
};

struct tess_flexicubes {
    struct tess_env *env;
    struct tess_cube_grid grid;
    unsigned bits; // resolution < 1 << bits
    unsigned stride, columns;
    bool use_colour, averaged;
    size_t added;   // rows taken in so far
    float *points;  // [touched lattice points][stride]
    float *weights; // [M][WEIGHTS], raw
    struct tess_flexicubes_tables tables;
};

// ---------------------------------------------------------------------------------------------
// Sums
// ---------------------------------------------------------------------------------------------

static float *point_of(const struct tess_flexicubes *fc, uint32_t index)
{
    return fc->points + (size_t)fc->stride * index;
}

static enum tess_status fail_value(const struct tess_flexicubes *fc, size_t row,
                                   const float *values)
{
    unsigned column = 0;
    while (isfinite(values[column]))
        column++;
    return tess_fail(fc->env, TESS_ERR_FILE,
                     "the mesh decoder's output for cube %zu is %s in column %u", row,
                     isnan(values[column]) ? "not a number" : "infinite", column);
}

static void add_corners(struct tess_flexicubes *fc, uint32_t cell,
                        const float *restrict values, float bias)
{
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++) {
        float *restrict point = point_of(fc, tess_cube_grid_point(&fc->grid, cell, k));
        point[0] += values[k] + bias;
        for (unsigned i = 0; i < 3; i++)
            point[1 + i] += values[FIRST_DEFORM + 3 * k + i];
        if (fc->use_colour)
            for (unsigned i = 0; i < 6; i++)
                point[4 + i] += values[FIRST_COLOUR + 6 * k + i];
        point[fc->stride - 1] += 1;
    }
}

// ---------------------------------------------------------------------------------------------
// Surface cubes
// ---------------------------------------------------------------------------------------------

// Mean distances, and the bits of those inside. Once.
static void average_distances(void *user, size_t first, size_t end)
{
    struct tess_flexicubes *fc = user;
    for (size_t b = first; b < end; b++) {
        struct tess_cube_block *block = &fc->grid.blocks[b];
        float *point = point_of(fc, block->point0);
        for (uint64_t left = block->points; left; left &= left - 1) {
            point[0] /= point[fc->stride - 1];
            if (point[0] < 0)
                block->inside |= left & -left;
            point += fc->stride;
        }
    }
}

// The points that cubes of a block will ask for.
static void want_corners(const struct tess_flexicubes *fc, size_t b, uint64_t cubes)
{
    uint64_t points[TESS_CUBE_CORNERS];
    tess_cube_grid_spread(points, cubes);
    for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++)
        fc->grid.blocks[fc->grid.blocks[b].next[k]].wanted |= points[k];
}

static enum tess_status find_surface(struct surface **out, size_t *count,
                                     const struct tess_flexicubes *fc)
{
    struct surface *surface = NULL;
    size_t capacity = 0;
    *count = 0;
    for (size_t b = 1; b < fc->grid.block_count; b++) {
        uint64_t corner[TESS_CUBE_CORNERS], key = fc->grid.blocks[b].key;
        uint64_t crossed = tess_cube_grid_crossed(corner, &fc->grid, b);
        if (!crossed)
            continue;
        want_corners(fc, b, crossed);
        enum tess_status status = tess_grow(&surface, &capacity, fc->env, *count + 64,
                                            sizeof *surface, "surface cubes");
        if (status) {
            free(surface);
            return status;
        }
        uint64_t block_x = key >> 32, block_y = key >> 16 & 0xffff,
                 block_z = key & 0xffff;
        for (; crossed; crossed &= crossed - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(crossed), code = 0;
            for (unsigned k = 0; k < TESS_CUBE_CORNERS; k++)
                code |= (unsigned)(corner[k] >> bit & 1) << k;
            uint64_t x = block_x << 2 | bit >> 4, y = block_y << 2 | (bit >> 2 & 3);
            uint64_t z = block_z << 2 | (bit & 3);
            surface[(*count)++] =
                (struct surface){.key = (x << fc->bits | y) << fc->bits | z,
                                 .cell = (uint32_t)b << 6 | bit,
                                 .code = (uint8_t)code};
        }
    }
    *out = surface;
    return TESS_OK;
}

// Raster order: least significant digits first, keys are distinct.
static enum tess_status sort_surface(struct surface **surface, size_t count,
                                     const struct tess_flexicubes *fc)
{
    struct surface *from = *surface, *to = NULL;
    TESS_TRY(tess_alloc(&to, fc->env, count, sizeof *to, "surface cubes"));
    for (unsigned shift = 0; shift < 3 * fc->bits; shift += RADIX_BITS) {
        size_t start[1 << RADIX_BITS] = {0}, sum = 0;
        for (size_t i = 0; i < count; i++)
            start[from[i].key >> shift & ((1 << RADIX_BITS) - 1)]++;
        for (unsigned digit = 0; digit < 1 << RADIX_BITS; digit++) {
            size_t here = start[digit];
            start[digit] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[start[from[i].key >> shift & ((1 << RADIX_BITS) - 1)]++] = from[i];
        struct surface *swap = from;
        from = to;
        to = swap;
    }
    free(to);
    *surface = from;
    return TESS_OK;
}

static void unpack(uint32_t c[3], const struct tess_flexicubes *fc, uint64_t key)
{
    uint64_t mask = (UINT64_C(1) << fc->bits) - 1;
    c[0] = (uint32_t)(key >> 2 * fc->bits);
    c[1] = (uint32_t)(key >> fc->bits & mask);
    c[2] = (uint32_t)(key & mask);
}

static const struct surface *find_cube(const struct surface *surface, size_t count,
                                       uint64_t key)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (surface[low + half].key < key) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return surface + low;
}

// Two cubes that see diagonal inside corners in their common face, and are both of the
// kind that would leave a hole or a fold there, use the groups of the inverted case.
static void resolve_ambiguity(struct surface *surface, size_t count,
                              const struct tess_flexicubes *fc)
{
    for (size_t i = 0; i < count; i++) {
        struct surface *s = &surface[i];
        s->resolved = s->code;
        unsigned face = fc->tables.ambiguous_face[s->code];
        if (face == TESS_FLEXICUBES_NONE)
            continue;
        unsigned axis = face / 2, side = face % 2;
        uint32_t c[3];
        unpack(c, fc, s->key);
        if (c[axis] == (side ? fc->grid.resolution - 1 : 0))
            continue;
        uint64_t step = UINT64_C(1) << (2 - axis) * fc->bits;
        const struct surface *other =
            find_cube(surface, count, side ? s->key + step : s->key - step);
        if (fc->tables.ambiguous_face[other->code] != TESS_FLEXICUBES_NONE)
            s->resolved = (uint8_t)~s->code;
    }
}

// Number the dual vertices: cubes with one first, then those with two, three, four.
// Returns how many there are.
static size_t number_vertices(struct surface *surface, size_t count,
                              const struct tess_flexicubes *fc)
{
    const uint8_t *groups = fc->tables.groups;
    size_t next[TESS_FLEXICUBES_MAX_GROUPS + 1] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++)
        next[groups[surface[i].resolved]] += groups[surface[i].resolved];
    for (unsigned g = 1; g <= TESS_FLEXICUBES_MAX_GROUPS; g++) {
        size_t here = next[g];
        next[g] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned g = groups[surface[i].resolved];
        surface[i].vertex0 = (uint32_t)next[g];
        next[g] += g;
    }
    return sum;
}

// ---------------------------------------------------------------------------------------------
// Vertices
// ---------------------------------------------------------------------------------------------

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

// Turn sums into position and displayed colour, once; 0 contributions marks a settled
// point.
static void settle_point(const struct tess_flexicubes *fc, float *point,
                         const uint32_t at[3])
{
    float contributions = point[fc->stride - 1];
    if (contributions == 0)
        return;
    float R = (float)fc->grid.resolution,
          reach = (float)((1 - 1e-8) / (2.0 * fc->grid.resolution));
    for (unsigned i = 0; i < 3; i++)
        point[1 + i] =
            (float)at[i] / R - 0.5f + reach * tanhf(point[1 + i] / contributions);
    if (fc->use_colour)
        for (unsigned i = 4; i < 10; i++)
            point[i] = sigmoid(point[i] / contributions);
    point[fc->stride - 1] = 0;
}

// Those that surface cubes will ask for.
static void settle_wanted(void *user, size_t first, size_t end)
{
    const struct tess_flexicubes *fc = user;
    for (size_t b = first; b < end; b++) {
        const struct tess_cube_block *block = &fc->grid.blocks[b];
        for (uint64_t left = block->points & block->wanted; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(left);
            const uint32_t at[3] = {(uint32_t)(block->key >> 32) << 2 | bit >> 4,
                                    (uint32_t)(block->key >> 16 & 0xffff) << 2 |
                                        (bit >> 2 & 3),
                                    (uint32_t)(block->key & 0xffff) << 2 | (bit & 3)};
            settle_point(
                fc, point_of(fc, block->point0 + tess_cube_rank(block->points, bit)), at);
        }
    }
}

// Copy distance, position and colour of corner k.
static void load_corner(float out[LANES], const struct tess_flexicubes *fc,
                        const struct surface *s, unsigned k)
{
    uint32_t at[3];
    unpack(at, fc, s->key);
    for (unsigned axis = 0; axis < 3; axis++)
        at[axis] += k >> axis & 1;
    float blank[11] = {[0] = 1}; // outside, undisplaced, raw colour 0
    blank[fc->stride - 1] = 1;
    uint32_t index = tess_cube_grid_point(&fc->grid, s->cell, k);
    const float *point = index == TESS_CUBE_NONE ? blank : point_of(fc, index);
    if (point == blank)
        settle_point(fc, blank, at);
    memcpy(out, point, (fc->stride - 1) * sizeof *out);
}

static const float *weights_of(const struct tess_flexicubes *fc, uint32_t cell)
{
    static const float inactive[WEIGHTS];
    uint32_t row = tess_cube_grid_row(&fc->grid, cell);
    return row == TESS_CUBE_NONE ? inactive : fc->weights + WEIGHTS * (size_t)row;
}

// The dual vertices of one cube: means, weighted by beta, of the crossing points on their
// edges.
static void make_vertices(struct tess_mesh *mesh, const struct tess_flexicubes *fc,
                          struct surface *s)
{
    const float *raw = weights_of(fc, s->cell);
    const uint8_t *group_of_edge = fc->tables.group_of_edge[s->resolved];
    unsigned values = fc->stride - 1, loaded = 0;
    float corner[TESS_CUBE_CORNERS][LANES] = {{0}}, weighted[TESS_CUBE_CORNERS];
    float sums[TESS_FLEXICUBES_MAX_GROUPS][LANES] = {{0}};
    float betas[TESS_FLEXICUBES_MAX_GROUPS] = {0};
    for (unsigned e = 0; e < 12; e++) {
        if (group_of_edge[e] == TESS_FLEXICUBES_NONE)
            continue;
        unsigned a = tess_flexicubes_edges[e][0], b = tess_flexicubes_edges[e][1];
        for (unsigned end = 0; end < 2; end++) {
            unsigned k = end ? b : a;
            if (loaded >> k & 1)
                continue;
            load_corner(corner[k], fc, s, k);
            weighted[k] = corner[k][0] * (0.99f * tanhf(raw[ALPHA + k]) + 1);
            if (corner[k][0] > 0)
                s->positive |= (uint8_t)POSITIVE_AT(k);
            loaded |= 1u << k;
        }
        float *sum = sums[group_of_edge[e]];
        float to_a = weighted[b], to_b = -weighted[a], total = to_a + to_b;
        if (total == 0) // both underflowed
            total = to_a = to_b = 1;
        float beta = 0.99f * tanhf(raw[e]) + 1;
        betas[group_of_edge[e]] += beta;
        for (unsigned i = 0; i < LANES; i++)
            sum[i] += (corner[a][i] * to_a + corner[b][i] * to_b) / total * beta;
    }
    s->gamma = 0.99f * sigmoid(raw[GAMMA]) + 0.005f;
    for (unsigned g = 0; g < fc->tables.groups[s->resolved]; g++) {
        size_t v = (size_t)s->vertex0 + g;
        for (unsigned i = 1; i < 4; i++)
            mesh->positions[3 * v + i - 1] = sums[g][i] / betas[g];
        for (unsigned i = 4; i < values; i++)
            mesh->attributes[6 * v + i - 4] = sums[g][i] / betas[g];
    }
}

struct vertices {
    struct tess_mesh *mesh;
    const struct tess_flexicubes *fc;
    struct surface *surface;
};

static void make_all_vertices(void *user, size_t first, size_t end)
{
    const struct vertices *vertices = user;
    for (size_t i = first; i < end; i++)
        make_vertices(vertices->mesh, vertices->fc, &vertices->surface[i]);
}

// ---------------------------------------------------------------------------------------------
// Quads
// ---------------------------------------------------------------------------------------------

// A cube owns the three edges at its corner 0: it is the last in raster order of the four
// cubes around them, so these edges, cube by cube, are all that have four cubes.
enum { EDGE_X, EDGE_Y, EDGE_Z };

static const struct {
    uint8_t start, end;      // corners of the owner; `start` counts for sign and order
    uint8_t cube_edges[4];   // the edge in its four cubes in raster order, the owner last
    uint8_t across, across2; // axes along which the four cubes lie
} owned[3] = {
    [EDGE_X] = {0, 1, {6, 4, 2, 0}, 1, 2},
    [EDGE_Y] = {2, 0, {10, 9, 11, 8}, 0, 2},
    [EDGE_Z] = {0, 4, {5, 1, 7, 3}, 0, 1},
};

struct quads {
    const struct tess_flexicubes *fc;
    const struct surface *surface;
    size_t count;        // of surface cubes
    size_t cursor[3][3]; // per axis: where the first three of the four cubes were found
    struct tess_mesh *mesh;
    size_t next[2]; // quads that start inside, outside
};

static bool owns_quad(const struct tess_flexicubes *fc, const struct surface *s,
                      unsigned axis)
{
    uint32_t c[3];
    unpack(c, fc, s->key);
    unsigned start = s->code >> owned[axis].start, end = s->code >> owned[axis].end;
    return ((start ^ end) & 1) && c[owned[axis].across] > 0 && c[owned[axis].across2] > 0;
}

// As in the original, a distance of exactly 0 is outside but does not turn the quad.
static bool starts_outside(const struct surface *s, unsigned axis)
{
    return s->positive & POSITIVE_AT(owned[axis].start);
}

static void make_quad(struct quads *quads, size_t owner, unsigned axis)
{
    static const uint8_t around[2][4] = {{2, 3, 1, 0}, {0, 1, 3, 2}};
    static const uint8_t triangles[2][6] = {{0, 1, 3, 3, 1, 2}, {0, 1, 2, 0, 2, 3}};
    const struct tess_flexicubes *fc = quads->fc;
    const struct surface *s = &quads->surface[owner];
    if (!owns_quad(fc, s, axis))
        return;
    uint64_t step = UINT64_C(1) << (2 - owned[axis].across) * fc->bits;
    uint64_t step2 = UINT64_C(1) << (2 - owned[axis].across2) * fc->bits;
    const uint64_t keys[3] = {s->key - step - step2, s->key - step, s->key - step2};
    uint32_t vertex[4];
    float gamma[4];
    for (unsigned i = 0; i < 4; i++) {
        const struct surface *cube = s;
        if (i < 3) {
            size_t *at = &quads->cursor[axis][i]; // keys only ever grow
            while (quads->surface[*at].key < keys[i])
                ++*at;
            cube = &quads->surface[*at];
            assert(cube->key == keys[i]);
        }
        unsigned group =
            fc->tables.group_of_edge[cube->resolved][owned[axis].cube_edges[i]];
        assert(group != TESS_FLEXICUBES_NONE);
        vertex[i] = cube->vertex0 + group;
        gamma[i] = cube->gamma;
    }
    bool outside = starts_outside(s, axis);
    const uint8_t *turn = around[outside];
    uint32_t q[4];
    for (unsigned i = 0; i < 4; i++)
        q[i] = vertex[turn[i]];
    float product02 = gamma[turn[0]] * gamma[turn[2]];
    float product13 = gamma[turn[1]] * gamma[turn[3]];
    size_t quad = quads->next[outside]++;
    uint32_t *out = quads->mesh->indices + 6 * quad;
    for (unsigned i = 0; i < 6; i++)
        out[i] = q[triangles[product02 > product13][i]];
    quads->mesh->split_margins[quad] =
        fabsf(product02 - product13) / fmaxf(product02, product13);
}

// Edges go by their start, then their end: the edge along y starts one row later than its
// owner and ends before its start, so it comes first among those with the same start.
static void make_quads(struct quads *quads)
{
    uint64_t row = UINT64_C(1) << quads->fc->bits;
    size_t y = 0, zx = 0;
    while (y < quads->count || zx < quads->count) {
        if (y < quads->count &&
            (zx == quads->count || quads->surface[y].key + row <= quads->surface[zx].key))
        {
            make_quad(quads, y++, EDGE_Y);
        } else {
            make_quad(quads, zx, EDGE_Z);
            make_quad(quads, zx++, EDGE_X);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Public functions
// ---------------------------------------------------------------------------------------------

static enum tess_status build_mesh(struct tess_mesh *mesh,
                                   const struct tess_flexicubes *fc,
                                   struct surface *surface, size_t count)
{
    resolve_ambiguity(surface, count, fc);
    size_t vertices = number_vertices(surface, count, fc);
    if (vertices > UINT32_MAX)
        return tess_fail(fc->env, TESS_ERR_MEMORY,
                         "the mesh has %zu vertices, at most 2^32 - 1 fit", vertices);
    size_t quads = 0;
    for (size_t i = 0; i < count; i++)
        for (unsigned axis = 0; axis < 3; axis++)
            quads += owns_quad(fc, &surface[i], axis);
    TESS_TRY(tess_mesh_create(mesh, fc->env, vertices, 2 * quads, fc->use_colour));
    TESS_TRY(tess_alloc(&mesh->split_margins, fc->env, quads, sizeof(float), "quads"));
    tess_in_parts(count, make_all_vertices, &(struct vertices){mesh, fc, surface});
    struct quads todo = {.fc = fc, .surface = surface, .count = count, .mesh = mesh};
    for (size_t i = 0; i < count; i++)
        for (unsigned axis = 0; axis < 3; axis++)
            todo.next[0] +=
                owns_quad(fc, &surface[i], axis) && starts_outside(&surface[i], axis);
    make_quads(&todo);
    return TESS_OK;
}

enum tess_status tess_flexicubes_create(struct tess_flexicubes **out,
                                        struct tess_env *env,
                                        const struct tess_flexicubes_params *params,
                                        const int32_t *coords, size_t M)
{
    assert(coords || M == 0);
    if (params->resolution < 1 || params->resolution > TESS_FLEXICUBES_MAX_RESOLUTION)
        return tess_fail(env, TESS_ERR_ARG, "a grid of %u^3 cubes, 1 to %u are possible",
                         params->resolution, TESS_FLEXICUBES_MAX_RESOLUTION);
    struct tess_flexicubes *fc = NULL;
    TESS_TRY(tess_alloc(&fc, env, 1, sizeof *fc, "the mesh extraction"));
    fc->env = env;
    while (params->resolution >> fc->bits)
        fc->bits++;
    fc->use_colour = params->use_colour;
    fc->stride = fc->use_colour ? 11 : 5;
    fc->columns =
        fc->use_colour ? TESS_FLEXICUBES_COLOUR_COLUMNS : TESS_FLEXICUBES_COLUMNS;
    tess_flexicubes_tables_init(&fc->tables);
    enum tess_status status =
        tess_cube_grid_init(&fc->grid, env, params->resolution, coords, M);
    if (!status)
        status = tess_alloc(&fc->points, env, fc->grid.points, fc->stride * sizeof(float),
                            "lattice points");
    if (!status)
        status = tess_alloc(&fc->weights, env, M, WEIGHTS * sizeof(float),
                            "the cubes' weights");
    if (status)
        tess_flexicubes_destroy(&fc);
    else
        *out = fc;
    return status;
}

enum tess_status tess_flexicubes_add(struct tess_flexicubes *fc, size_t row0, size_t rows,
                                     const float *feats)
{
    assert(row0 == fc->added && rows <= fc->grid.cubes - row0);
    float bias = (float)(-1.0 / fc->grid.resolution); // part of the published extraction
    for (size_t row = row0; row < row0 + rows; row++) {
        const float *values = feats + fc->columns * (row - row0);
        if (!tess_all_finite(values, fc->columns))
            return fail_value(fc, row, values);
        add_corners(fc, fc->grid.cells[row], values, bias);
        memcpy(fc->weights + WEIGHTS * row, values + FIRST_WEIGHT,
               WEIGHTS * sizeof(float));
    }
    fc->added += rows;
    return TESS_OK;
}

enum tess_status tess_flexicubes_extract(struct tess_mesh *out,
                                         struct tess_flexicubes *fc)
{
    assert(fc->added == fc->grid.cubes);
    if (!fc->averaged)
        tess_in_parts(fc->grid.block_count, average_distances, fc);
    fc->averaged = true;
    struct surface *surface = NULL;
    struct tess_mesh mesh = {0};
    size_t count = 0;
    TESS_TRY(find_surface(&surface, &count, fc));
    tess_in_parts(fc->grid.block_count, settle_wanted, fc);
    enum tess_status status = sort_surface(&surface, count, fc);
    if (!status)
        status = build_mesh(&mesh, fc, surface, count);
    free(surface);
    if (status)
        tess_mesh_clear(&mesh);
    else
        *out = mesh;
    return status;
}

void tess_flexicubes_destroy(struct tess_flexicubes **fc)
{
    if (!*fc)
        return;
    tess_cube_grid_clear(&(*fc)->grid);
    free((*fc)->points);
    free((*fc)->weights);
    free(*fc);
    *fc = NULL;
}
