// Mesh extraction: against the original implementation's outputs, against itself under
// other cuttings and orders, and against what geometry demands.
//
// Long because its fixtures (shells, spheres, golden data) serve all of its tests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "geom/flexicubes.h"
#include "geom/flexicubes_tables.h"
#include "geom/mesh_compare.h"
#include "io/safetensors.h"

#ifndef TESS_TEST_DATA
#define TESS_TEST_DATA "tests/data"
#endif

#define COLUMNS TESS_FLEXICUBES_COLOUR_COLUMNS

static struct tess_env env;

// Cubes and what a decoder says about them.
struct input {
    uint32_t R;
    size_t M;
    int32_t *coords; // [M][3]
    float *feats;    // [M][COLUMNS]
};

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u; // Numerical Recipes' generator
    return (uint32_t)((uint64_t)random_state * limit >> 32);
}

static float random_float(float reach)
{
    return ((float)random_below(1 << 24) / (1 << 23) - 1) * reach;
}

static void *reserve(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return memory;
}

static struct input make_input(uint32_t R, size_t M)
{
    struct input in = {.R = R, .M = M};
    in.coords = reserve(M, 3 * sizeof *in.coords);
    in.feats = reserve(M, COLUMNS * sizeof *in.feats);
    return in;
}

static void free_input(struct input *in)
{
    free(in->coords);
    free(in->feats);
}

static void require(enum tess_status status)
{
    if (status)
        fail_msg("%s", env.message);
}

static struct tess_flexicubes *create(const struct input *in, bool use_colour)
{
    struct tess_flexicubes *fc = NULL;
    require(tess_flexicubes_create(
        &fc, &env,
        &(struct tess_flexicubes_params){.resolution = in->R, .use_colour = use_colour},
        in->coords, in->M));
    return fc;
}

static struct tess_mesh extract(const struct input *in)
{
    struct tess_mesh mesh = {0};
    struct tess_flexicubes *fc = create(in, true);
    require(tess_flexicubes_add(fc, 0, in->M, in->feats));
    require(tess_flexicubes_extract(&mesh, fc));
    tess_flexicubes_destroy(&fc);
    assert_null(fc);
    return mesh;
}

static void assert_same_bytes(const struct tess_mesh *a, const struct tess_mesh *b)
{
    assert_int_equal(a->vertices, b->vertices);
    assert_int_equal(a->faces, b->faces);
    assert_memory_equal(a->positions, b->positions, a->vertices * 3 * sizeof(float));
    assert_memory_equal(a->indices, b->indices, a->faces * 3 * sizeof(uint32_t));
    assert_memory_equal(a->split_margins, b->split_margins, a->faces / 2 * sizeof(float));
    if (a->attributes && b->attributes)
        assert_memory_equal(a->attributes, b->attributes,
                            a->vertices * 6 * sizeof(float));
}

static struct tess_mesh_reference as_reference(const struct tess_mesh *mesh)
{
    return (struct tess_mesh_reference){.vertices = mesh->vertices,
                                        .faces = mesh->faces,
                                        .positions = mesh->positions,
                                        .attributes = mesh->attributes,
                                        .indices = (const int32_t *)mesh->indices};
}

static struct tess_mesh_difference
difference_to(const struct tess_mesh *mesh, const struct tess_mesh_reference *reference)
{
    struct tess_mesh_difference difference;
    require(tess_mesh_compare(&difference, &env, mesh, reference, NULL));
    return difference;
}

static void assert_no_difference(const struct tess_mesh *mesh,
                                 const struct tess_mesh_reference *reference)
{
    struct tess_mesh_difference d = difference_to(mesh, reference);
    assert_int_equal(d.vertices_wrong, 0);
    assert_int_equal(d.vertices_missing, 0);
    assert_int_equal(d.faces_wrong, 0);
    assert_int_equal(d.faces_missing, 0);
    assert_int_equal(d.faces_other_diagonal, 0);
    assert_true(d.max_vertex_distance <= 1e-6); // some 8 roundings of positions near 0.5
    assert_true(d.attribute_error <= 1e-6);
}

// ---------------------------------------------------------------------------------------------
// Golden data
// ---------------------------------------------------------------------------------------------

static void *copy_tensor(const struct tess_safetensors *file, const char *name,
                         size_t *rows)
{
    const struct tess_file_tensor *tensor = tess_safetensors_find(file, name);
    assert_non_null(tensor);
    void *copy = reserve(tensor->bytes, 1);
    memcpy(copy, tensor->data, tensor->bytes);
    *rows = tensor->shape[0];
    return copy;
}

static struct tess_safetensors *open_golden(struct input *in, const char *name)
{
    const char *data = getenv("TESS_TEST_DATA");
    char path[1024];
    snprintf(path, sizeof path, "%s/trellis-tiny/io/flexicubes_%s.safetensors",
             data ? data : TESS_TEST_DATA, name);
    struct tess_safetensors *file = NULL;
    require(tess_safetensors_open(&file, &env, path));
    const char *resolution = tess_safetensors_metadata(file, "resolution");
    assert_non_null(resolution);
    in->R = (uint32_t)strtoul(resolution, NULL, 10);
    in->feats = copy_tensor(file, "feats", &in->M);
    size_t rows;
    int32_t *coords = copy_tensor(file, "coords", &rows); // batch, x, y, z
    assert_int_equal(rows, in->M);
    in->coords = reserve(in->M, 3 * sizeof *in->coords);
    for (size_t i = 0; i < in->M; i++)
        memcpy(in->coords + 3 * i, coords + 4 * i + 1, 3 * sizeof *coords);
    free(coords);
    return file;
}

static void check_golden(const char *name)
{
    struct input in;
    struct tess_safetensors *file = open_golden(&in, name);
    struct tess_mesh mesh = extract(&in);
    size_t vertices, faces, attributes_rows;
    float *positions = copy_tensor(file, "vertices", &vertices);
    float *attributes = copy_tensor(file, "vertex_attrs", &attributes_rows);
    int32_t *indices = copy_tensor(file, "faces", &faces);
    struct tess_mesh_reference reference = {vertices, faces, positions, attributes,
                                            indices};
    assert_int_equal(attributes_rows, vertices);
    assert_int_equal(mesh.vertices, vertices);
    assert_int_equal(mesh.faces, faces);
    assert_no_difference(&mesh, &reference);
    assert_memory_equal(mesh.indices, indices, faces * 3 * sizeof *indices); // order, too
    free(positions);
    free(attributes);
    free(indices);
    tess_mesh_clear(&mesh);
    tess_safetensors_close(&file);
    free_input(&in);
}

static void test_golden_smooth(void **state)
{
    (void)state;
    check_golden("smooth");
}

static void test_golden_noisy(void **state)
{
    (void)state;
    check_golden("noisy");
}

// ---------------------------------------------------------------------------------------------
// Cutting and order
// ---------------------------------------------------------------------------------------------

static void test_any_cutting(void **state)
{
    (void)state;
    struct input in;
    struct tess_safetensors *file = open_golden(&in, "noisy");
    tess_safetensors_close(&file);
    struct tess_mesh whole = extract(&in);
    random_state = 1;
    for (int run = 0; run < 8; run++) {
        struct tess_flexicubes *fc = create(&in, true);
        for (size_t row = 0; row < in.M;) {
            size_t rows = random_below(run < 4 ? 8 : 500); // 0 among them
            rows = rows < in.M - row ? rows : in.M - row;
            require(tess_flexicubes_add(fc, row, rows, in.feats + COLUMNS * row));
            row += rows;
        }
        struct tess_mesh mesh = {0}, again = {0};
        require(tess_flexicubes_extract(&mesh, fc));
        require(tess_flexicubes_extract(&again, fc));
        assert_same_bytes(&whole, &mesh);
        assert_same_bytes(&whole, &again);
        tess_mesh_clear(&mesh);
        tess_mesh_clear(&again);
        tess_flexicubes_destroy(&fc);
    }
    tess_mesh_clear(&whole);
    free_input(&in);
}

static void swap_bytes(void *a, void *b, size_t size)
{
    unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = x[i];
        x[i] = y[i];
        y[i] = byte;
    }
}

static void test_any_order_of_cubes(void **state)
{
    (void)state;
    struct input in;
    struct tess_safetensors *file = open_golden(&in, "noisy");
    tess_safetensors_close(&file);
    struct tess_mesh ordered = extract(&in);
    struct tess_mesh_reference reference = as_reference(&ordered);
    random_state = 2;
    for (size_t i = in.M - 1; i > 0; i--) {
        size_t k = random_below((uint32_t)i + 1);
        swap_bytes(in.coords + 3 * i, in.coords + 3 * k, 3 * sizeof *in.coords);
        swap_bytes(in.feats + COLUMNS * i, in.feats + COLUMNS * k,
                   COLUMNS * sizeof *in.feats);
    }
    struct tess_mesh shuffled = extract(&in);
    assert_no_difference(&shuffled, &reference);
    tess_mesh_clear(&ordered);
    tess_mesh_clear(&shuffled);
    free_input(&in);
}

static void test_without_colour(void **state)
{
    (void)state;
    struct input in;
    struct tess_safetensors *file = open_golden(&in, "smooth");
    tess_safetensors_close(&file);
    struct tess_mesh coloured = extract(&in), plain = {0};
    float *feats = reserve(in.M, TESS_FLEXICUBES_COLUMNS * sizeof *feats);
    for (size_t i = 0; i < in.M; i++)
        memcpy(feats + TESS_FLEXICUBES_COLUMNS * i, in.feats + COLUMNS * i,
               TESS_FLEXICUBES_COLUMNS * sizeof *feats);
    struct tess_flexicubes *fc = create(&in, false);
    require(tess_flexicubes_add(fc, 0, in.M, feats));
    require(tess_flexicubes_extract(&plain, fc));
    assert_null(plain.attributes);
    assert_same_bytes(&coloured, &plain);
    tess_flexicubes_destroy(&fc);
    tess_mesh_clear(&coloured);
    tess_mesh_clear(&plain);
    free(feats);
    free_input(&in);
}

// A sparse set of cubes gives the same mesh as the whole grid in which every cube repeats
// the sparse set's means, +1 where there are none, and raw weights of 0 outside the set.
static void test_sparse_is_dense(void **state)
{
    (void)state;
    enum { R = 16, POINTS = (R + 1) * (R + 1) * (R + 1), VALUES = 10 };
    random_state = 3;
    struct input sparse = make_input(R, R * R * R), dense = make_input(R, R * R * R);
    double(*sums)[VALUES + 1] = reserve(POINTS, sizeof *sums);
    bool *active = reserve(R * R * R, sizeof *active);
    sparse.M = 0;
    for (int32_t i = 0; i < R * R * R; i++) {
        const int32_t c[3] = {i / R / R, i / R % R, i % R};
        // Boxes of 2^3 cubes, and some cubes alone.
        uint32_t box = (uint32_t)((c[0] / 2 * R + c[1] / 2) * R + c[2] / 2) * 2654435761u;
        active[i] = box >> 28 < 5 || random_below(20) == 0;
        if (!active[i])
            continue;
        float *feats = sparse.feats + COLUMNS * sparse.M;
        memcpy(sparse.coords + 3 * sparse.M++, c, sizeof c);
        for (int column = 0; column < COLUMNS; column++)
            feats[column] = random_float(1);
        for (int k = 0; k < 8; k++) {
            double *sum =
                sums[((c[0] + (k & 1)) * (R + 1) + c[1] + (k >> 1 & 1)) * (R + 1) + c[2] +
                     (k >> 2 & 1)];
            sum[0] += feats[k];
            for (int a = 0; a < 3; a++)
                sum[1 + a] += feats[8 + 3 * k + a];
            for (int a = 0; a < 6; a++)
                sum[4 + a] += feats[53 + 6 * k + a];
            sum[VALUES] += 1;
        }
    }
    for (int32_t i = 0, row = 0; i < R * R * R; i++) {
        const int32_t c[3] = {i / R / R, i / R % R, i % R};
        float *feats = dense.feats + COLUMNS * i;
        memcpy(dense.coords + 3 * i, c, sizeof c);
        if (active[i])
            memcpy(feats + 32, sparse.feats + COLUMNS * row++ + 32, 21 * sizeof *feats);
        for (int k = 0; k < 8; k++) {
            const double *sum =
                sums[((c[0] + (k & 1)) * (R + 1) + c[1] + (k >> 1 & 1)) * (R + 1) + c[2] +
                     (k >> 2 & 1)];
            double count = sum[VALUES] > 0 ? sum[VALUES] : 1;
            feats[k] = sum[VALUES] > 0 ? (float)(sum[0] / count) : 1 + 1.0f / R;
            for (int a = 0; a < 3; a++)
                feats[8 + 3 * k + a] = (float)(sum[1 + a] / count);
            for (int a = 0; a < 6; a++)
                feats[53 + 6 * k + a] = (float)(sum[4 + a] / count);
        }
    }
    struct tess_mesh from_sparse = extract(&sparse), from_dense = extract(&dense);
    struct tess_mesh_reference reference = as_reference(&from_dense);
    assert_true(from_sparse.faces > 1000);
    assert_no_difference(&from_sparse, &reference);
    assert_memory_equal(from_sparse.indices, from_dense.indices,
                        from_dense.faces * 3 * sizeof(uint32_t));
    tess_mesh_clear(&from_sparse);
    tess_mesh_clear(&from_dense);
    free(sums);
    free(active);
    free_input(&sparse);
    free_input(&dense);
}

// ---------------------------------------------------------------------------------------------
// Tables
// ---------------------------------------------------------------------------------------------

static void test_tables(void **state)
{
    (void)state;
    static struct tess_flexicubes_tables tables;
    tess_flexicubes_tables_init(&tables);
    int ambiguous = 0;
    size_t of_groups[TESS_FLEXICUBES_MAX_GROUPS + 1] = {0};
    for (unsigned code = 0; code < 256; code++) {
        unsigned groups = tables.groups[code];
        assert_true(groups <= TESS_FLEXICUBES_MAX_GROUPS);
        assert_true((groups == 0) == (code == 0 || code == 255));
        of_groups[groups]++;
        unsigned edges[TESS_FLEXICUBES_MAX_GROUPS] = {0};
        for (unsigned e = 0; e < 12; e++) {
            unsigned a = tess_flexicubes_edges[e][0], b = tess_flexicubes_edges[e][1];
            bool crossing = (code >> a & 1) != (code >> b & 1);
            unsigned group = tables.group_of_edge[code][e];
            assert_true(crossing ? group < groups : group == TESS_FLEXICUBES_NONE);
            if (crossing)
                edges[group]++;
        }
        for (unsigned g = 0; g < groups; g++)
            assert_true(edges[g] >= 3 && edges[g] <= 7);
        ambiguous += tables.ambiguous_face[code] != TESS_FLEXICUBES_NONE;
    }
    assert_int_equal(ambiguous, 36);
    assert_int_equal(tables.groups[0x69],
                     4); // checkerboard: four separate inside corners
    assert_int_equal(tables.groups[0x96], 4);
    assert_int_equal(of_groups[4], 2);
    // Case 231: corners 3 and 4 are outside. The group round corner 4 has inside corner
    // 0, yet comes second.
    assert_int_equal(tables.groups[231], 2);
    assert_int_equal(tables.group_of_edge[231][3], 1); // edge (0, 4)
    assert_int_equal(tables.group_of_edge[231][9], 0); // edge (3, 1)
    for (unsigned e = 0; e < 12; e++) {                // edges differ along one axis
        unsigned step = tess_flexicubes_edges[e][0] ^ tess_flexicubes_edges[e][1];
        assert_int_equal(step, e >= 8 ? 2 : e % 2 ? 4 : 1);
    }
}

// ---------------------------------------------------------------------------------------------
// Geometry
// ---------------------------------------------------------------------------------------------

static int compare_u64(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

// Every edge belongs to two faces that go along it in opposite directions.
static bool is_closed(const struct tess_mesh *mesh)
{
    size_t count = mesh->faces * 3;
    uint64_t *forward = reserve(count, sizeof *forward);
    uint64_t *backward = reserve(count, sizeof *backward);
    for (size_t i = 0; i < count; i++) {
        uint64_t a = mesh->indices[i], b = mesh->indices[i % 3 == 2 ? i - 2 : i + 1];
        forward[i] = a << 32 | b;
        backward[i] = b << 32 | a;
    }
    qsort(forward, count, sizeof *forward, compare_u64);
    qsort(backward, count, sizeof *backward, compare_u64);
    bool closed = memcmp(forward, backward, count * sizeof *forward) == 0;
    for (size_t i = 1; i < count; i++)
        closed = closed && forward[i] != forward[i - 1];
    free(forward);
    free(backward);
    return closed;
}

// Signed volume of the tetrahedra over all faces whose corners lie further than `radius`
// from the origin.
static double volume_beyond(const struct tess_mesh *mesh, double radius)
{
    double volume = 0;
    for (size_t f = 0; f < mesh->faces; f++) {
        const float *p[3];
        bool beyond = true;
        for (size_t i = 0; i < 3; i++) {
            p[i] = mesh->positions + 3 * (size_t)mesh->indices[3 * f + i];
            beyond = beyond && p[i][0] * p[i][0] + p[i][1] * p[i][1] + p[i][2] * p[i][2] >
                                   radius * radius;
        }
        if (beyond)
            volume += (p[0][0] * (p[1][1] * p[2][2] - p[1][2] * p[2][1]) +
                       p[0][1] * (p[1][2] * p[2][0] - p[1][0] * p[2][2]) +
                       p[0][2] * (p[1][0] * p[2][1] - p[1][1] * p[2][0])) /
                      6.0;
    }
    return volume;
}

static void test_sphere_shell(void **state)
{
    (void)state;
    enum { R = 40 };
    const double radius = 0.3517, thickness = 2.5 / R;
    struct input in = make_input(R, R * R * R);
    in.M = 0;
    for (int32_t i = 0; i < R * R * R; i++) {
        const int32_t c[3] = {i / R / R, i / R % R, i % R};
        float distance[8];
        bool near = false;
        for (int k = 0; k < 8; k++) {
            double squares = 0;
            for (int a = 0; a < 3; a++) {
                double x = (double)(c[a] + (k >> a & 1)) / R - 0.5;
                squares += x * x;
            }
            distance[k] = (float)(sqrt(squares) - radius);
            near = near || fabsf(distance[k]) < thickness;
        }
        if (!near)
            continue;
        for (int k = 0; k < 8; k++) // take back the extraction's own offset
            in.feats[COLUMNS * in.M + (size_t)k] = distance[k] + 1.0f / R;
        memcpy(in.coords + 3 * in.M++, c, sizeof c);
    }
    struct tess_mesh mesh = extract(&in);
    double middle = radius - 1.2 / R; // between the sheets
    double outer = volume_beyond(&mesh, middle), all = volume_beyond(&mesh, 0);
    assert_true(is_closed(&mesh));
    assert_true(fabs(outer / (4.0 / 3 * M_PI * pow(radius, 3)) - 1) < 0.01);
    assert_true(all > 0 && all < 0.9 * outer); // the inner sheet faces the cavity
    for (size_t i = 0; i < mesh.vertices * 6; i++)
        assert_true(mesh.attributes[i] == 0.5f);
    size_t outer_vertices = 0;
    for (size_t v = 0; v < mesh.vertices; v++) {
        const float *p = mesh.positions + 3 * v;
        double r = sqrt((double)p[0] * p[0] + (double)p[1] * p[1] + (double)p[2] * p[2]);
        outer_vertices += r > middle;
        assert_true(r < middle || fabs(r - radius) < 0.1 / R);
    }
    assert_true(outer_vertices > 1000);
    tess_mesh_clear(&mesh);
    free_input(&in);
}

static struct input one_cube(uint32_t R, int32_t x, int32_t y, int32_t z, float distance)
{
    struct input in = make_input(R, 1);
    memcpy(in.coords, (int32_t[]){x, y, z}, 3 * sizeof *in.coords);
    for (int k = 0; k < 8; k++)
        in.feats[k] = distance;
    return in;
}

// All corners of one cube inside: a box with a vertex in each of the 26 neighbours.
static void check_one_cube(uint32_t R, int32_t x, int32_t y, int32_t z)
{
    struct input in = one_cube(R, x, y, z, -1);
    struct tess_mesh mesh = extract(&in);
    assert_int_equal(mesh.vertices, 26);
    assert_int_equal(mesh.faces, 48);
    assert_true(is_closed(&mesh));
    // Each edge runs from -1 - 1/R to +1.
    double beyond = (1 + 1.0 / R) / (2 + 1.0 / R), size = 1.0 / R;
    const int32_t corner[3] = {x, y, z};
    for (int axis = 0; axis < 3; axis++) {
        double low = 1, high = -1;
        for (size_t v = 0; v < mesh.vertices; v++) {
            low = fmin(low, mesh.positions[3 * v + (size_t)axis]);
            high = fmax(high, mesh.positions[3 * v + (size_t)axis]);
        }
        assert_true(fabs(low - ((corner[axis] - beyond) * size - 0.5)) < 1e-6);
        assert_true(fabs(high - ((corner[axis] + 1 + beyond) * size - 0.5)) < 1e-6);
    }
    for (size_t i = 0; i < mesh.faces / 2; i++)
        assert_true(mesh.split_margins[i] == 0 || R > 4);
    tess_mesh_clear(&mesh);
    free_input(&in);
}

static void test_one_cube(void **state)
{
    (void)state;
    check_one_cube(4, 1, 2, 1);
    check_one_cube(16, 3, 4, 7); // on the borders of blocks
    check_one_cube(4096, 4093, 2048, 1);
    check_one_cube(TESS_FLEXICUBES_MAX_RESOLUTION, 65533, 65533, 65533);
}

// At the border of the grid, edges with fewer than four cubes give nothing.
static void test_border(void **state)
{
    (void)state;
    for (int far = 0; far < 2; far++) {
        int32_t c = far ? 4 : 0;
        struct input in = one_cube(5, c, c, c, -1);
        struct tess_mesh mesh = extract(&in);
        assert_int_equal(mesh.vertices, 7);
        assert_int_equal(mesh.faces, 6);
        assert_false(is_closed(&mesh));
        for (size_t i = 0; i < mesh.vertices * 3; i++)
            assert_true(fabsf(mesh.positions[i]) <= 0.5f);
        tess_mesh_clear(&mesh);
        free_input(&in);
    }
    struct input in = one_cube(1, 0, 0, 0, -1); // one cube with a surface, no quad
    in.feats[0] = 1.5f;
    struct tess_mesh mesh = extract(&in);
    assert_int_equal(mesh.vertices, 1);
    assert_int_equal(mesh.faces, 0);
    assert_non_null(mesh.split_margins);
    tess_mesh_clear(&mesh);
    free_input(&in);
}

static void test_no_surface(void **state)
{
    (void)state;
    enum { R = 5 };
    for (int filled = 0; filled < 4; filled++) {
        // No cubes; one outside; the whole grid outside; the whole grid inside.
        struct input in = make_input(R, filled == 0 ? 0 : filled == 1 ? 1 : R * R * R);
        for (size_t i = 0; i < in.M; i++) {
            int32_t c = (int32_t)i;
            memcpy(in.coords + 3 * i, (int32_t[]){c / R / R, c / R % R, c % R},
                   3 * sizeof *in.coords);
            for (size_t k = 0; k < 8; k++)
                in.feats[COLUMNS * i + k] = filled == 3 ? -1 : 0.5f;
        }
        struct tess_mesh mesh = extract(&in);
        assert_int_equal(mesh.vertices, 0);
        assert_int_equal(mesh.faces, 0);
        assert_non_null(mesh.positions);
        assert_non_null(mesh.indices);
        tess_mesh_clear(&mesh);
        free_input(&in);
    }
}

// ---------------------------------------------------------------------------------------------
// Bad input
// ---------------------------------------------------------------------------------------------

static void check_bad_coords(uint32_t R, const int32_t *coords, size_t M,
                             enum tess_status expected, const char *text)
{
    struct tess_flexicubes *fc = NULL;
    struct tess_flexicubes_params params = {.resolution = R};
    assert_int_equal(tess_flexicubes_create(&fc, &env, &params, coords, M), expected);
    assert_null(fc);
    if (!strstr(env.message, text))
        fail_msg("\"%s\" does not say \"%s\"", env.message, text);
}

static void test_bad_coords(void **state)
{
    (void)state;
    const int32_t good[6] = {0, 0, 0, 3, 3, 3};
    check_bad_coords(0, good, 1, TESS_ERR_ARG, "0^3");
    check_bad_coords(TESS_FLEXICUBES_MAX_RESOLUTION + 1, good, 1, TESS_ERR_ARG,
                     "65536^3");
    check_bad_coords(3, good, 2, TESS_ERR_FILE, "cube 1 at (3, 3, 3)");
    check_bad_coords(4, (int32_t[]){1, 2, -1}, 1, TESS_ERR_FILE, "cube 0 at (1, 2, -1)");
    check_bad_coords(4, (int32_t[]){INT32_MIN, 0, 0}, 1, TESS_ERR_FILE, "cube 0");
    check_bad_coords(4, (int32_t[]){1, 2, 3, 1, 2, 0, 1, 2, 3}, 3, TESS_ERR_FILE,
                     "cubes 0 and 2 are both at (1, 2, 3)");
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct {
        size_t row, column;
        float value;
        const char *text;
    } cases[] = {{0, 0, NAN, "cube 0 is not a number in column 0"},
                 {2, 31, INFINITY, "cube 2 is infinite in column 31"},
                 {1, 52, -INFINITY, "cube 1 is infinite in column 52"},
                 {2, 100, -NAN, "cube 2 is not a number in column 100"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct input in = make_input(9, 3);
        for (int32_t k = 0; k < 9; k++)
            in.coords[k] = k;
        in.feats[COLUMNS * cases[i].row + cases[i].column] = cases[i].value;
        struct tess_flexicubes *fc = create(&in, true);
        assert_int_equal(tess_flexicubes_add(fc, 0, 3, in.feats), TESS_ERR_FILE);
        if (!strstr(env.message, cases[i].text))
            fail_msg("\"%s\" does not say \"%s\"", env.message, cases[i].text);
        tess_flexicubes_destroy(&fc);
        free_input(&in);
    }
    tess_flexicubes_destroy(&(struct tess_flexicubes *){NULL});
}

// Finite values whose sums, products and means are as extreme as they get are no reason
// to crash.
static void test_extreme_values(void **state)
{
    (void)state;
    static const float extremes[] = {0, -0.0f, 1e-45f, -1e-45f, 3e38f, -3e38f, 1, -1};
    struct input in = make_input(6, 6 * 6 * 6);
    random_state = 4;
    for (size_t i = 0; i < in.M; i++) {
        int32_t c = (int32_t)i;
        memcpy(in.coords + 3 * i, (int32_t[]){c / 36, c / 6 % 6, c % 6},
               3 * sizeof *in.coords);
        for (size_t column = 0; column < COLUMNS; column++)
            in.feats[COLUMNS * i + column] = extremes[random_below(8)];
    }
    struct tess_mesh mesh = extract(&in);
    for (size_t i = 0; i < mesh.faces * 3; i++)
        assert_true(mesh.indices[i] < mesh.vertices);
    tess_mesh_clear(&mesh);
    free_input(&in);
}

// ---------------------------------------------------------------------------------------------
// Comparison
// ---------------------------------------------------------------------------------------------

// A copy of the golden mesh to tamper with.
struct tampered {
    struct input in;
    struct tess_mesh mesh;
    struct tess_mesh_reference reference; // arrays below
    float *positions, *attributes;
    int32_t *indices;
};

static void set_up_tampered(struct tampered *t)
{
    struct tess_safetensors *file = open_golden(&t->in, "noisy");
    tess_safetensors_close(&file);
    t->mesh = extract(&t->in);
    t->positions = reserve(t->mesh.vertices, 3 * sizeof(float));
    t->attributes = reserve(t->mesh.vertices, 6 * sizeof(float));
    t->indices = reserve(t->mesh.faces, 3 * sizeof(int32_t));
    memcpy(t->positions, t->mesh.positions, t->mesh.vertices * 3 * sizeof(float));
    memcpy(t->attributes, t->mesh.attributes, t->mesh.vertices * 6 * sizeof(float));
    memcpy(t->indices, t->mesh.indices, t->mesh.faces * 3 * sizeof(int32_t));
    t->reference = (struct tess_mesh_reference){t->mesh.vertices, t->mesh.faces,
                                                t->positions, t->attributes, t->indices};
}

static void tear_down_tampered(struct tampered *t)
{
    tess_mesh_clear(&t->mesh);
    free(t->positions);
    free(t->attributes);
    free(t->indices);
    free_input(&t->in);
}

static void test_compare_other_order(void **state)
{
    (void)state;
    struct tampered t;
    set_up_tampered(&t);
    size_t V = t.mesh.vertices, F = t.mesh.faces;
    int32_t *moved = reserve(V, sizeof *moved); // where vertex v went
    random_state = 5;
    for (size_t v = 0; v < V; v++)
        moved[v] = (int32_t)v;
    for (size_t v = V - 1; v > 0; v--)
        swap_bytes(moved + v, moved + random_below((uint32_t)v + 1), sizeof *moved);
    for (size_t v = 0; v < V; v++) {
        memcpy(t.positions + 3 * moved[v], t.mesh.positions + 3 * v, 3 * sizeof(float));
        memcpy(t.attributes + 6 * moved[v], t.mesh.attributes + 6 * v, 6 * sizeof(float));
    }
    for (size_t f = 0; f < F; f++)
        for (size_t i = 0; i < 3; i++)
            t.indices[3 * (F - 1 - f) + (i + f) % 3] = moved[t.mesh.indices[3 * f + i]];
    assert_no_difference(&t.mesh, &t.reference);
    free(moved);
    tear_down_tampered(&t);
}

static void test_compare_vertices(void **state)
{
    (void)state;
    struct tampered t;
    set_up_tampered(&t);
    t.positions[3 * 7] += 5e-6f; // within
    t.positions[3 * 100 + 1] += 1e-3f;
    t.attributes[6 * 3] += 0.1f;
    struct tess_mesh_difference d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.vertices_wrong, 1);
    assert_int_equal(d.vertices_missing, 1);
    assert_true(fabs(d.max_vertex_distance - 1e-3) < 1e-6);
    assert_true(d.attribute_error > 1e-4 && d.attribute_error < 1e-2);
    assert_int_equal(d.faces_missing, 0); // still the same vertices, one is off
    t.positions[3 * 100 + 1] = NAN;
    d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.vertices_wrong, 1);
    // One vertex of the reference less: the rest still finds its partners.
    size_t last = t.mesh.vertices - 1, at_last = 0;
    t.positions[3 * 100 + 1] = t.mesh.positions[3 * 100 + 1];
    for (size_t f = 0; f < t.mesh.faces; f++) {
        bool touches = false;
        for (size_t i = 0; i < 3; i++) {
            touches = touches || t.mesh.indices[3 * f + i] == last;
            if (t.indices[3 * f + i] == (int32_t)last)
                t.indices[3 * f + i] = 0;
        }
        at_last += touches;
    }
    t.reference.vertices--;
    d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.vertices_wrong, 1);
    assert_int_equal(d.vertices_missing, 0);
    assert_int_equal(d.faces_wrong, at_last);
    assert_int_equal(d.faces_missing, at_last);
    tear_down_tampered(&t);
}

static void test_compare_faces(void **state)
{
    (void)state;
    struct tampered t;
    set_up_tampered(&t);
    swap_bytes(t.indices, t.indices + 1, sizeof *t.indices); // orientation of face 0
    struct tess_mesh_difference d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.faces_wrong, 1);
    assert_int_equal(d.faces_missing, 1);
    swap_bytes(t.indices, t.indices + 1, sizeof *t.indices);
    t.reference.faces--; // the last face is one too many
    d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.faces_wrong, 1);
    assert_int_equal(d.faces_missing, 0);
    t.reference.faces++;
    t.indices[3 * 9 + 1] = t.indices[3 * 8 + 1]; // a face twice counts once
    d = difference_to(&t.mesh, &t.reference);
    assert_true(d.faces_wrong == 1 && d.faces_missing == 1);
    t.indices[4] = (int32_t)t.mesh.vertices;
    assert_int_equal(tess_mesh_compare(&d, &env, &t.mesh, &t.reference, NULL),
                     TESS_ERR_FILE);
    assert_non_null(strstr(env.message, "face 1"));
    t.indices[4] = -1;
    assert_int_equal(tess_mesh_compare(&d, &env, &t.mesh, &t.reference, NULL),
                     TESS_ERR_FILE);
    tear_down_tampered(&t);
}

// Cut quad `quad` of the reference along its other diagonal.
static void turn_diagonal(struct tampered *t, size_t quad)
{
    int32_t *v = t->indices + 6 * quad;
    // (Q0, Q1, Q2), (Q0, Q2, Q3) or (Q0, Q1, Q3), (Q3, Q1, Q2), told apart by what starts
    // them.
    int32_t q[4];
    bool first = v[0] == v[3];
    memcpy(q,
           first ? (int32_t[]){v[0], v[1], v[2], v[5]}
                 : (int32_t[]){v[0], v[1], v[5], v[2]},
           sizeof q);
    memcpy(v,
           first ? (int32_t[]){q[0], q[1], q[3], q[3], q[1], q[2]}
                 : (int32_t[]){q[0], q[1], q[2], q[0], q[2], q[3]},
           6 * sizeof *v);
}

static void test_compare_diagonals(void **state)
{
    (void)state;
    struct tampered t;
    set_up_tampered(&t);
    for (size_t quad = 10; quad < 13; quad++) {
        turn_diagonal(&t, quad);
        t.mesh.split_margins[quad] = 1e-7f;
    }
    t.mesh.split_margins[12] = 0.25f; // a clear choice, so the reference's is another
    struct tess_mesh_difference d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.faces_other_diagonal, 4);
    assert_int_equal(d.faces_wrong, 2);
    assert_int_equal(d.faces_missing, 2);
    assert_true(d.max_other_margin == 0.25);
    require(
        tess_mesh_compare(&d, &env, &t.mesh, &t.reference,
                          &(struct tess_mesh_compare_params){.margin_tolerance = 0.5}));
    assert_int_equal(d.faces_other_diagonal, 6);
    assert_int_equal(d.faces_missing, 0);
    free(t.mesh.split_margins);
    t.mesh.split_margins = NULL;
    d = difference_to(&t.mesh, &t.reference);
    assert_int_equal(d.faces_other_diagonal, 0);
    assert_int_equal(d.faces_missing, 6);
    tear_down_tampered(&t);
}

static void test_compare_empty(void **state)
{
    (void)state;
    struct tess_mesh mesh = {0};
    require(tess_mesh_create(&mesh, &env, 0, 0, true));
    struct tess_mesh_reference reference = as_reference(&mesh);
    assert_no_difference(&mesh, &reference);
    struct tampered t;
    set_up_tampered(&t);
    struct tess_mesh_difference d = difference_to(&mesh, &t.reference);
    assert_int_equal(d.vertices_missing, t.mesh.vertices);
    assert_int_equal(d.faces_missing, t.mesh.faces);
    d = difference_to(&t.mesh, &reference);
    assert_int_equal(d.vertices_wrong, t.mesh.vertices);
    assert_int_equal(d.faces_wrong, t.mesh.faces);
    tear_down_tampered(&t);
    tess_mesh_clear(&mesh);
}

// One bad value anywhere among few and many.
static void test_all_finite(void **state)
{
    (void)state;
    static const float good[] = {0, -0.0f, 1, -1, FLT_MAX, -FLT_MAX, FLT_TRUE_MIN};
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    enum { MOST = 53 };
    float values[MOST] = {0};
    for (size_t count = 0; count <= MOST; count++) {
        for (size_t i = 0; i < count; i++)
            values[i] = good[i % (sizeof good / sizeof *good)];
        assert_true(tess_all_finite(values, count));
        for (size_t i = 0; i < count; i++) {
            float kept = values[i];
            values[i] = bad[i % 4];
            assert_false(tess_all_finite(values, count));
            values[i] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_finite),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_golden_smooth),
        cmocka_unit_test(test_golden_noisy),
        cmocka_unit_test(test_any_cutting),
        cmocka_unit_test(test_any_order_of_cubes),
        cmocka_unit_test(test_without_colour),
        cmocka_unit_test(test_sparse_is_dense),
        cmocka_unit_test(test_sphere_shell),
        cmocka_unit_test(test_one_cube),
        cmocka_unit_test(test_border),
        cmocka_unit_test(test_no_surface),
        cmocka_unit_test(test_bad_coords),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_extreme_values),
        cmocka_unit_test(test_compare_other_order),
        cmocka_unit_test(test_compare_vertices),
        cmocka_unit_test(test_compare_faces),
        cmocka_unit_test(test_compare_diagonals),
        cmocka_unit_test(test_compare_empty),
    };
    return cmocka_run_group_tests_name("flexicubes", tests, NULL, NULL);
}
