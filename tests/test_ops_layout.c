// Moving and joining rows, and the neighbours in full grids, against plain loops. What
// only moves is the same to the bit.
#include "ops_common.h"

#include "op/layout.h"
#include "op/matmul.h"
#include "op/neighbour.h"

// ---- sums of rows ----

struct sums {
    size_t rows, C;
    const float *x, *y, *v;
    float *added, *row_added;
};

static enum tess_status run_sums(struct tess_stage *stage, void *user)
{
    const struct sums *s = user;
    struct tess_mat x = ops_upload(stage, s->rows, s->C, s->x),
                    y = ops_upload(stage, s->rows, s->C, s->y),
                    v = ops_upload(stage, 1, s->C, s->v);
    TESS_TRY(tess_add(stage, x, y));
    ops_download(stage, x, s->added);
    TESS_TRY(tess_add_row(stage, y, v.data));
    ops_download(stage, y, s->row_added);
    return TESS_OK;
}

static void sums_of_rows(enum tess_variant variant)
{
    static const size_t sizes[][2] = {{1, 1}, {3, 5}, {67, 48}, {9, 1030}};
    struct ops *ops = ops_open(variant);
    for (size_t i = 0; i < (asked_tiny() ? 2 : sizeof sizes / sizeof *sizes); i++) {
        struct sums s = {.rows = sizes[i][0], .C = sizes[i][1]};
        size_t count = s.rows * s.C;
        float *x = ops_floats(count, 1), *y = ops_floats(count, 2),
              *v = ops_floats(s.C, 3);
        s.x = x;
        s.y = y;
        s.v = v;
        s.added = malloc(count * sizeof(float));
        s.row_added = malloc(count * sizeof(float));
        ops_run(ops, run_sums, &s);
        for (size_t k = 0; k < count; k++) {
            assert_true(s.added[k] == x[k] + y[k]);
            assert_true(s.row_added[k] == y[k] + v[k % s.C]);
        }
        free(s.added);
        free(s.row_added);
        free(x);
        free(y);
        free(v);
    }
    ops_close(ops);
}
OPS_TEST(sums_of_rows)

// ---- columns side by side ----

struct columns {
    size_t rows, A, B; // columns of both
    const float *a, *b;
    float *out;
};

static enum tess_status run_columns(struct tess_stage *stage, void *user)
{
    const struct columns *c = user;
    struct tess_mat out = ops_take(stage, c->rows, c->A + c->B),
                    a = ops_upload(stage, c->rows, c->A, c->a),
                    b = ops_upload(stage, c->rows, c->B, c->b);
    TESS_TRY(tess_place_columns(stage, out, a, 0));
    TESS_TRY(tess_place_columns(stage, out, b, c->A));
    ops_download(stage, out, c->out);
    return TESS_OK;
}

static void columns_side_by_side(enum tess_variant variant)
{
    static const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 2}, {37, 48, 20}, {7, 1, 300}};
    struct ops *ops = ops_open(variant);
    for (size_t i = 0; i < (asked_tiny() ? 2 : sizeof sizes / sizeof *sizes); i++) {
        struct columns c = {.rows = sizes[i][0], .A = sizes[i][1], .B = sizes[i][2]};
        float *a = ops_floats(c.rows * c.A, 1), *b = ops_floats(c.rows * c.B, 2);
        size_t width = c.A + c.B;
        c.a = a;
        c.b = b;
        c.out = malloc(c.rows * width * sizeof(float));
        ops_run(ops, run_columns, &c);
        for (size_t row = 0; row < c.rows; row++) {
            assert_memory_equal(c.out + row * width, a + row * c.A, c.A * sizeof *a);
            assert_memory_equal(c.out + row * width + c.A, b + row * c.B,
                                c.B * sizeof *b);
        }
        free(c.out);
        free(a);
        free(b);
    }
    ops_close(ops);
}
OPS_TEST(columns_side_by_side)

// ---- parents of children ----

struct pool {
    size_t parents, rows, C;
    const float *in;
    const uint32_t *children;
    float *out;
};

static enum tess_status run_pool(struct tess_stage *stage, void *user)
{
    const struct pool *p = user;
    struct tess_mat in = ops_upload(stage, p->rows, p->C, p->in),
                    children = ops_upload(stage, p->parents, 8, p->children),
                    out = ops_take(stage, p->parents, p->C);
    TESS_TRY(tess_pool_children(stage, out, in, children));
    ops_download(stage, out, p->out);
    return TESS_OK;
}

// Parents of 0 to 8 children, at any place among the eight.
static void pooled_children(enum tess_variant variant)
{
    static const size_t sizes[][2] = {{3, 5}, {9, 20}, {70, 33}};
    struct ops *ops = ops_open(variant);
    for (size_t i = 0; i < (asked_tiny() ? 1 : sizeof sizes / sizeof *sizes); i++) {
        struct pool p = {.parents = sizes[i][0], .C = sizes[i][1], .rows = 17};
        uint32_t *children = malloc(8 * p.parents * sizeof *children);
        float *in = ops_floats(p.rows * p.C, 1);
        double *reference = calloc(p.parents * p.C, sizeof *reference);
        uint64_t seed = i;
        for (size_t k = 0; k < 8 * p.parents; k++) {
            bool there = ops_random(&seed) % 8 < (k / 8 * 4 + 4) % 9;
            children[k] = there ? ops_random(&seed) % (uint32_t)p.rows : TESS_NO_ROW;
        }
        for (size_t k = 0; k < p.parents * p.C; k++) {
            double divisor = 1;
            for (size_t child = 0; child < 8; child++) {
                uint32_t row = children[k / p.C * 8 + child];
                if (row == TESS_NO_ROW)
                    continue;
                reference[k] += in[row * p.C + k % p.C];
                divisor++;
            }
            reference[k] /= divisor;
        }
        p.in = in;
        p.children = children;
        p.out = malloc(p.parents * p.C * sizeof(float));
        ops_run(ops, run_pool, &p);
        ops_expect(p.out, reference, p.parents * p.C, 1e-6); // of eight roundings
        free(p.out);
        free(reference);
        free(children);
        free(in);
    }
    ops_close(ops);
}
OPS_TEST(pooled_children)

// ---- full grids ----

struct grid {
    size_t R, C, plane0, planes, here0, here_planes;
    const float *in;
    float *out;
    uint32_t *index;
};

static enum tess_status run_shuffle(struct tess_stage *stage, void *user)
{
    const struct grid *g = user;
    size_t rows = g->planes * g->R * g->R;
    struct tess_mat in = ops_upload(stage, rows, 8 * g->C, g->in),
                    out = ops_take(stage, 8 * rows, g->C);
    TESS_TRY(tess_shuffle_octants(stage, out, in, g->R));
    ops_download(stage, out, g->out);
    return TESS_OK;
}

static void shuffled_octants(enum tess_variant variant)
{
    static const size_t sizes[][3] = {{1, 1, 1}, {2, 1, 3}, {3, 3, 5}, {5, 2, 20}};
    struct ops *ops = ops_open(variant);
    for (size_t i = 0; i < (asked_tiny() ? 2 : sizeof sizes / sizeof *sizes); i++) {
        struct grid g = {.R = sizes[i][0], .planes = sizes[i][1], .C = sizes[i][2]};
        size_t count = g.planes * g.R * g.R * 8 * g.C;
        float *in = ops_floats(count, 1);
        g.in = in;
        g.out = malloc(count * sizeof(float));
        ops_run(ops, run_shuffle, &g);
        for (size_t k = 0; k < count; k++) {
            size_t row = k / (8 * g.C), c = k / 8 % g.C, octant = k % 8;
            size_t x = row / g.R / g.R * 2 + octant / 4,
                   y = row / g.R % g.R * 2 + octant / 2 % 2,
                   z = row % g.R * 2 + octant % 2;
            assert_true(g.out[((x * 2 * g.R + y) * 2 * g.R + z) * g.C + c] == in[k]);
        }
        free(g.out);
        free(in);
    }
    ops_close(ops);
}
OPS_TEST(shuffled_octants)

static enum tess_status run_index(struct tess_stage *stage, void *user)
{
    const struct grid *g = user;
    struct tess_mat index;
    TESS_TRY(tess_neighbours_grid(&index, stage, g->R, g->plane0, g->planes, g->here0,
                                  g->here_planes));
    assert_int_equal(index.rows, g->planes * g->R * g->R);
    ops_download(stage, index, g->index);
    return TESS_OK;
}

static void check_index(struct ops *ops, struct grid g)
{
    size_t rows = g.planes * g.R * g.R;
    long R = (long)g.R;
    g.index = malloc(rows * 27 * sizeof *g.index);
    ops_run(ops, run_index, &g);
    for (size_t k = 0; k < rows * 27; k++) {
        long row = (long)(k / 27 + g.plane0 * g.R * g.R), tap = (long)(k % 27);
        long x = row / R / R + tap / 9 - 1, y = row / R % R + tap / 3 % 3 - 1,
             z = row % R + tap % 3 - 1;
        bool there = x >= 0 && x < R && y >= 0 && y < R && z >= 0 && z < R;
        uint32_t expected = TESS_NO_ROW;
        if (there)
            expected = (uint32_t)(((x - (long)g.here0) * R + y) * R + z);
        assert_int_equal(g.index[k], expected);
    }
    free(g.index);
}

// Any planes of a grid, where those that they touch are at hand.
static void neighbours_in_grids(enum tess_variant variant)
{
    struct ops *ops = ops_open(variant);
    for (size_t R = 1; R <= (asked_tiny() ? 2u : 5u); R++)
        for (size_t plane0 = 0; plane0 < R; plane0++)
            for (size_t planes = 1; plane0 + planes <= R; planes++) {
                size_t here0 = plane0 ? plane0 - 1 : 0,
                       end = plane0 + planes < R ? plane0 + planes + 1 : R;
                check_index(ops, (struct grid){.R = R,
                                               .plane0 = plane0,
                                               .planes = planes,
                                               .here0 = here0,
                                               .here_planes = end - here0});
            }
    ops_close(ops);
}
OPS_TEST(neighbours_in_grids)

// ---- benchmark ----

static enum tess_status bench_stage(struct tess_stage *stage, void *user)
{
    const struct columns *c = user;
    struct tess_mat out = ops_take(stage, c->rows, 2 * c->A),
                    a = ops_upload(stage, c->rows, c->A, c->a);
    for (int i = 0; i < 8; i++)
        TESS_TRY(tess_place_columns(stage, out, a, c->A));
    return TESS_OK;
}

static void bench(void)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    struct columns c = {.rows = 16384, .A = 1024};
    float *a = ops_floats(c.rows * c.A, 1);
    c.a = a;
    double seconds = ops_time(ops, bench_stage, &c) / 8;
    printf("%s\n", tess_device_facts(ops->dev)->name);
    ops_print_rate("place 16384 rows of 1024 columns", 0, 8.0 * 16384 * 1024, seconds);
    free(a);
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    OPS_BOTH(sums_of_rows),     OPS_BOTH(columns_side_by_side), OPS_BOTH(pooled_children),
    OPS_BOTH(shuffled_octants), OPS_BOTH(neighbours_in_grids),
};
OPS_MAIN(tests, bench)
