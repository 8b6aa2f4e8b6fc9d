// Texture coordinates: shapes are unwrapped, and every texel is looked at.
#include "mesh_shapes.h"

#include "geom/texels.h"
#include "geom/unwrap.h"

// A patch of a surface: point (i, j) of columns x rows from a function of both, with
// columns and rows that close or do not.
typedef void surface_fn(float p[3], double u, double v);

static struct tess_mesh make_surface(struct tmp *tmp, surface_fn *at, uint32_t columns,
                                     uint32_t rows, bool closed)
{
    struct tess_mesh mesh = {0};
    uint32_t across = columns + !closed, up = rows + !closed;
    check(tmp, tess_mesh_create(&mesh, &tmp->env, (size_t)across * up,
                                (size_t)2 * columns * rows, true));
    for (uint32_t i = 0; i < across * up; i++)
        at(mesh.positions + 3 * (size_t)i, (double)(i % across) / columns,
           (double)(i / across) / rows);
    for (uint32_t i = 0; i < columns * rows; i++) {
        uint32_t x0 = i % columns, y0 = i / columns, x1 = (x0 + 1) % across,
                 y1 = (y0 + 1) % up;
        uint32_t a = y0 * across + x0, b = y0 * across + x1, c = y1 * across + x1,
                 d = y1 * across + x0;
        memcpy(mesh.indices + 6 * (size_t)i, (uint32_t[]){a, b, c, a, c, d}, 24);
    }
    for (size_t i = 0; i < 6 * mesh.vertices; i++)
        mesh.attributes[i] = (float)(next_random(tmp) % 1000) / 1000;
    return mesh;
}

static void torus(float p[3], double u, double v)
{
    double ring = 0.35 + 0.12 * cos(2 * M_PI * v);
    p[0] = (float)(ring * cos(2 * M_PI * u));
    p[1] = (float)(ring * sin(2 * M_PI * u));
    p[2] = (float)(0.12 * sin(2 * M_PI * v));
}

// A ramp of three turns: seen from above it lies on itself.
static void ramp(float p[3], double u, double v)
{
    double radius = 0.2 + 0.3 * v;
    p[0] = (float)(radius * sin(6 * M_PI * u));
    p[1] = (float)(radius * cos(6 * M_PI * u));
    p[2] = (float)(0.3 * u);
}

static void square(float p[3], double u, double v)
{
    p[0] = (float)u;
    p[1] = (float)v;
    p[2] = 0;
}

static struct tess_mesh make_cube(struct tmp *tmp)
{
    static const uint32_t sides[6][4] = {{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
                                         {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}};
    static const int order[6] = {0, 1, 2, 0, 2, 3};
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 8, 12, true));
    for (size_t i = 0; i < 24; i++)
        mesh.positions[i] = i / 3 >> i % 3 & 1 ? 0.5f : -0.5f;
    for (size_t i = 0; i < 36; i++)
        mesh.indices[i] = sides[i / 6][order[i % 6]];
    return mesh;
}

// ---- what is checked of every result ----

static uint32_t root_of(uint32_t *parents, uint32_t i)
{
    while (parents[i] != i)
        i = parents[i] = parents[parents[i]];
    return i;
}

// of_vertex [vertices]: charts by a vertex of theirs, as charts have no vertex in common.
static uint32_t *find_charts(const struct tess_mesh *mesh)
{
    uint32_t *parents = malloc(mesh->vertices * sizeof *parents);
    for (uint32_t v = 0; v < mesh->vertices; v++)
        parents[v] = v;
    for (size_t i = 0; i < 3 * mesh->faces; i++) {
        uint32_t a = root_of(parents, mesh->indices[i]),
                 b = root_of(parents, mesh->indices[i / 3 * 3]);
        parents[a > b ? a : b] = a < b ? a : b;
    }
    for (uint32_t v = 0; v < mesh->vertices; v++)
        parents[v] = root_of(parents, v);
    return parents;
}

// Corners of a face in texels, y upwards.
static void texels_of(double t[3][2], const struct tess_mesh *mesh, size_t face,
                      uint32_t size)
{
    for (size_t i = 0; i < 3; i++) {
        const float *uv = mesh->uvs + 2 * (size_t)mesh->indices[3 * face + i];
        assert_true(uv[0] >= 0 && uv[0] < 1 && uv[1] > 0 && uv[1] <= 1);
        t[i][0] = uv[0] * (double)size;
        t[i][1] = (1 - (double)uv[1]) * size;
    }
}

static double cross(const double a[2], const double b[2], const double c[2])
{
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

static void claim_block(uint32_t *owners, uint32_t blocks, const double p[2],
                        uint32_t gutter, uint32_t chart)
{
    // A point on a block's border counts for neither: it has no width.
    for (int k = 0; k < 2; k++)
        if (fabs(p[k] / gutter - rint(p[k] / gutter)) < 1e-3)
            return;
    uint32_t *owner =
        &owners[(uint32_t)(p[1] / gutter) * blocks + (uint32_t)(p[0] / gutter)];
    assert_true(*owner == UINT32_MAX || *owner == chart);
    *owner = chart;
}

static void draw_face(uint8_t *counts, uint32_t *owners, double t[3][2], uint32_t size,
                      uint32_t gutter, uint32_t chart)
{
    int32_t low[2] = {(int32_t)size, (int32_t)size}, high[2] = {0, 0};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            low[k] = t[i][k] < low[k] ? (int32_t)t[i][k] : low[k];
            high[k] = t[i][k] > high[k] ? (int32_t)t[i][k] : high[k];
        }
        for (int step = 0; step <= 64; step++) { // along the edges
            const double *a = t[i], *b = t[(i + 1) % 3], s = step / 64.0;
            double p[2] = {a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1])};
            claim_block(owners, size / gutter, p, gutter, chart);
        }
    }
    for (int32_t y = low[1]; y <= high[1]; y++)
        for (int32_t x = low[0]; x <= high[0]; x++) {
            double p[2] = {x + 0.5, y + 0.5};
            if (cross(t[0], t[1], p) <= 1e-6 || cross(t[1], t[2], p) <= 1e-6 ||
                cross(t[2], t[0], p) <= 1e-6)
                continue;
            assert_int_equal(counts[(size_t)y * size + (size_t)x]++, 0); // no overlap
            claim_block(owners, size / gutter, p, gutter, chart);
        }
}

// Blocks of two charts do not touch, neither across the border.
static void check_gutters(const uint32_t *owners, int32_t blocks)
{
    for (int32_t i = 0; i < blocks * blocks; i++)
        for (int32_t k = 0; k < 9 && owners[i] != UINT32_MAX; k++) {
            int32_t x = (i % blocks + k % 3 - 1 + blocks) % blocks,
                    y = (i / blocks + k / 3 - 1 + blocks) % blocks;
            uint32_t other = owners[y * blocks + x];
            assert_true(other == UINT32_MAX || other == owners[i]);
        }
}

// L2 stretch, by area (Sander et al. 2001): 1 is none.
static double stretch(const struct tess_mesh *mesh)
{
    double sum = 0, area = 0, flat = 0;
    for (size_t f = 0; f < mesh->faces; f++) {
        double t[3][2], u[3], v[3], n[3], squares = 0, length = 0;
        texels_of(t, mesh, f, 1);
        double doubled = cross(t[0], t[1], t[2]);
        const uint32_t *c = mesh->indices + 3 * f;
        for (size_t k = 0; k < 3; k++) {
            double a = mesh->positions[3 * (size_t)c[0] + k];
            u[k] = mesh->positions[3 * (size_t)c[1] + k] - a;
            v[k] = mesh->positions[3 * (size_t)c[2] + k] - a;
            double along_s = (u[k] * (t[2][1] - t[0][1]) - v[k] * (t[1][1] - t[0][1])) /
                             doubled,
                   along_t = (v[k] * (t[1][0] - t[0][0]) - u[k] * (t[2][0] - t[0][0])) /
                             doubled;
            squares += along_s * along_s + along_t * along_t;
        }
        for (size_t k = 0; k < 3; k++) {
            n[k] = u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3];
            length += n[k] * n[k];
        }
        if (length < 1e-12)
            continue;
        assert_true(doubled > 0); // no face is turned over
        sum += squares / 2 * sqrt(length);
        area += sqrt(length);
        flat += doubled;
    }
    return sqrt(sum / area) * sqrt(flat / area);
}

static void check_vertices(const struct tess_mesh *made, const struct tess_mesh *mesh)
{
    assert_int_equal(made->faces, mesh->faces);
    assert_true((made->normals != NULL) == (mesh->normals != NULL));
    for (size_t i = 0; i < 3 * mesh->faces; i++) {
        size_t to = made->indices[i], from = mesh->indices[i];
        assert_true(to < made->vertices);
        assert_memory_equal(made->positions + 3 * to, mesh->positions + 3 * from, 12);
        assert_memory_equal(made->attributes + 6 * to, mesh->attributes + 6 * from, 24);
        if (mesh->normals)
            assert_memory_equal(made->normals + 3 * to, mesh->normals + 3 * from, 12);
    }
}

struct result {
    size_t charts;
    double stretch, coverage;
};

// Unwrap, check all that must hold, and clear `mesh`.
static struct result unwrap(struct tmp *tmp, struct tess_mesh *mesh, uint32_t size,
                            uint32_t gutter)
{
    struct tess_mesh made = {0};
    struct tess_unwrap_facts facts;
    check(tmp, tess_mesh_unwrap(&made, &facts, &tmp->env, mesh,
                                &(struct tess_unwrap_params){size, gutter}));
    assert_true(facts.gutter > 0 && (!gutter || facts.gutter == gutter));
    check_vertices(&made, mesh);
    uint32_t blocks = size / facts.gutter, *charts = find_charts(&made);
    uint8_t *counts = calloc((size_t)size * size, 1);
    uint32_t *owners = malloc((size_t)blocks * blocks * sizeof *owners);
    memset(owners, 0xff, (size_t)blocks * blocks * sizeof *owners);
    double drawn = 0;
    for (size_t f = 0; f < made.faces; f++) {
        double t[3][2];
        texels_of(t, &made, f, size);
        draw_face(counts, owners, t, size, facts.gutter, charts[made.indices[3 * f]]);
    }
    check_gutters(owners, (int32_t)blocks);
    for (size_t i = 0; i < (size_t)size * size; i++)
        drawn += counts[i] / ((double)size * size);
    assert_true(fabs(drawn - facts.coverage) < 0.02);
    struct result result = {facts.charts, stretch(&made), facts.coverage};
    free(counts);
    free(owners);
    free(charts);
    tess_mesh_clear(&made);
    tess_mesh_clear(mesh);
    return result;
}

static void test_cube(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh cube = make_cube(tmp);
    struct result result = unwrap(tmp, &cube, 256, 4);
    assert_int_equal(result.charts, 6);
    assert_true(fabs(result.stretch - 1) < 1e-4);
    assert_true(result.coverage > 0.55);
    // One square fills the texture but for its border.
    struct tess_mesh flat = make_surface(tmp, square, 3, 5, false);
    result = unwrap(tmp, &flat, 256, 1);
    assert_int_equal(result.charts, 1);
    assert_true(fabs(result.stretch - 1) < 1e-4);
    assert_true(result.coverage > 0.97);
}

static void test_round(void **state)
{
    struct tmp *tmp = *state;
    static const uint32_t gutters[] = {0, 1, 2, 8};
    for (size_t i = 0; i < 4; i++) {
        struct tess_mesh sphere = make_sphere(tmp, 31, 48, 0.4f);
        struct tess_mesh ring = make_surface(tmp, torus, 60, 24, true);
        check(tmp, tess_mesh_normals(&sphere, &tmp->env));
        struct result ball = unwrap(tmp, &sphere, 512, gutters[i]);
        struct result tyre = unwrap(tmp, &ring, 512, gutters[i]);
        // Six faces of a cube around the sphere: by hand, 1.05.
        assert_in_range(ball.charts, 6, 12);
        assert_true(ball.stretch < 1.1 && ball.stretch >= 1);
        assert_true(ball.coverage > 0.45);
        assert_in_range(tyre.charts, 4, 30);
        assert_true(tyre.stretch < 1.1 && tyre.coverage > 0.4);
    }
}

// Noise tears a surface into pieces unless directions are smoothed.
static void test_noise(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh sphere = make_sphere(tmp, 24, 40, 0.4f);
    for (size_t i = 0; i < 3 * sphere.vertices; i++)
        sphere.positions[i] += 0.006f * ((float)(next_random(tmp) % 2001) / 1000 - 1);
    struct result result = unwrap(tmp, &sphere, 512, 0);
    assert_true(result.charts < 30);
    assert_true(result.stretch < 1.3);
}

static void test_overlap(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_surface(tmp, ramp, 90, 4, false);
    struct result result = unwrap(tmp, &mesh, 512, 0);
    assert_in_range(result.charts, 3, 8); // three turns
    assert_true(result.stretch < 1.1);
}

// Triangles without area and without neighbours, thin ones, and ones in a soup.
static void test_soup(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 300, 100, true));
    for (size_t i = 0; i < 900; i++)
        mesh.positions[i] = (float)(next_random(tmp) % 1000) / 1000;
    for (size_t i = 0; i < 300; i++)
        mesh.indices[i] = (uint32_t)i;
    memcpy(mesh.positions + 3, mesh.positions, 12);      // two corners in one place
    memcpy(mesh.positions + 12, mesh.positions + 9, 12); // three
    memcpy(mesh.positions + 15, mesh.positions + 9, 12);
    memcpy(mesh.positions + 18, (float[]){0, 0, 0, 1, 0, 0, 1, 1e-7f, 0}, 36);
    mesh.indices[10] = mesh.indices[9]; // a vertex twice
    struct result result = unwrap(tmp, &mesh, 512, 0);
    assert_int_equal(result.charts, 100);
}

// ---- texels ----

// Positions of a flat square's texels are known.
static void test_texels(void **state)
{
    struct tmp *tmp = *state;
    enum { SIZE = 64 };
    struct tess_mesh flat = make_surface(tmp, square, 3, 5, false), made = {0};
    struct tess_texels texels = {0};
    struct tess_unwrap_facts facts;
    check(tmp, tess_mesh_unwrap(&made, &facts, &tmp->env, &flat,
                                &(struct tess_unwrap_params){SIZE, 1}));
    check(tmp, tess_texels_create(&texels, &tmp->env, &made, SIZE));
    // One square chart that leaves a column and a row free.
    assert_in_range(texels.count, 62 * 62, 63 * 63);
    const float *p = texels.positions;
    for (size_t i = 0; i < texels.count; i++) {
        assert_true(i == 0 || texels.at[i] > texels.at[i - 1]);
        assert_float_equal(texels.normals[3 * i + 2], 1, 1e-6);
        // Next texels of a row or a column are one step apart.
        double dx = p[3 * i] - p[0], dy = p[3 * i + 1] - p[1];
        double columns = texels.at[i] % SIZE - (double)(texels.at[0] % SIZE),
               rows = texels.at[i] / SIZE - (double)(texels.at[0] / SIZE);
        assert_float_equal((float)hypot(dx, dy),
                           (float)(hypot(columns, rows) / facts.texels_per_unit), 1e-5f);
        assert_true(fabs(p[3 * i + 2]) < 1e-6);
    }
    tess_texels_clear(&texels);
    tess_mesh_clear(&made);
    tess_mesh_clear(&flat);
}

static void test_fill(void **state)
{
    struct tmp *tmp = *state;
    enum { SIZE = 32 };
    float rgb[SIZE * SIZE * 3] = {0};
    bool known[SIZE * SIZE] = {0};
    check(tmp, tess_texels_fill(rgb, known, &tmp->env, SIZE));
    assert_false(known[0]); // nothing to go by
    for (size_t y = 8; y < 24; y++)
        for (size_t x = 8; x < 24; x++) { // two halves, and a hole in the left one
            bool hole = x > 9 && x < 13 && y > 9 && y < 13;
            known[y * SIZE + x] = !hole;
            rgb[3 * (y * SIZE + x) + (x >= 16)] = hole ? 0 : 1;
        }
    check(tmp, tess_texels_fill(rgb, known, &tmp->env, SIZE));
    for (size_t i = 0; i < SIZE * SIZE; i++) {
        size_t x = i % SIZE;
        assert_true(known[i]);
        assert_float_equal(rgb[3 * i + 2], 0, 0);
        assert_float_equal(rgb[3 * i] + rgb[3 * i + 1], 1, 1e-5);
        if (x < 7 || (x < 15 && i / SIZE >= 8 && i / SIZE < 24))
            assert_float_equal(rgb[3 * i], 1, 1e-5);
        if (x > 24)
            assert_float_equal(rgb[3 * i + 1], 1, 1e-5);
    }
}

static void refuse(struct tmp *tmp, struct tess_mesh *mesh, uint32_t size,
                   uint32_t gutter, const char *what)
{
    struct tess_mesh made = {0};
    assert_int_equal(tess_mesh_unwrap(&made, NULL, &tmp->env, mesh,
                                      &(struct tess_unwrap_params){size, gutter}),
                     TESS_ERR_ARG);
    assert_non_null(strstr(tmp->env.message, what));
    assert_null(made.positions);
    tess_mesh_clear(mesh);
}

static void test_refused(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh none = {0};
    refuse(tmp, &none, 64, 0, "faces");
    struct tess_mesh bad = make_cube(tmp);
    bad.positions[7] = NAN;
    refuse(tmp, &bad, 64, 0, "vertex 2");
    struct tess_mesh many = {0};
    check(tmp, tess_mesh_create(&many, &tmp->env, 3000, 1000, true));
    for (size_t i = 0; i < 9000; i++)
        many.positions[i] = (float)(next_random(tmp) % 1000) / 1000;
    for (size_t i = 0; i < 3000; i++)
        many.indices[i] = (uint32_t)i;
    refuse(tmp, &many, 32, 0, "1000 charts");
    // With gutters of 16 a texture of 64 has room for one chart.
    struct tess_mesh cube = make_cube(tmp);
    refuse(tmp, &cube, 64, 16, "6 charts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cube),  cmocka_unit_test(test_round),
        cmocka_unit_test(test_noise), cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_soup),  cmocka_unit_test(test_texels),
        cmocka_unit_test(test_fill),  cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
