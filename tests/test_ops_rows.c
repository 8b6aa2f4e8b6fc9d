// What moves rows and looks things up: chunked tensors, neighbours, positions; and
// Gaussians.
#include "ops_common.h"

#include "mem/tensor.h"
#include "op/gaussian.h"
#include "op/matmul.h"
#include "op/neighbour.h"
#include "op/position.h"

// ---- delivery ----

struct delivery {
    size_t rows, cols, part, fail_at; // fail_at: a call; 0: none fails
    bool later, span;
    size_t next, calls; // row; so far
    const float *values;
};

static enum tess_status receive(void *user, size_t row0, size_t rows, const void *data)
{
    struct delivery *d = user;
    assert_int_equal(row0, 100 + d->next);
    assert_true(rows > 0 && rows <= d->part && d->next + rows <= d->rows);
    assert_memory_equal(data, d->values + d->next * d->cols,
                        rows * d->cols * sizeof(float));
    d->next += rows;
    return ++d->calls == d->fail_at ? TESS_ERR_FILE : TESS_OK;
}

static enum tess_status deliver_part(struct tess_stage *stage, void *user,
                                     struct tess_tile tile)
{
    struct delivery *d = user;
    struct tess_mat mat;
    TESS_TRY(tess_mat_take(&mat, stage, tile.rows, d->cols, TESS_F32, "test"));
    TESS_TRY(tess_mat_write(stage, mat, d->values + tile.row0 * d->cols));
    return d->later ? tess_mat_deliver_later(stage, mat, 100 + tile.row0, receive, d)
                    : tess_mat_deliver(stage, mat, 100 + tile.row0, receive, d);
}

// All parts are in the same memory.
static enum tess_status deliver(struct tess_stage *stage, void *user)
{
    struct delivery *d = user;
    if (d->span) {
        TESS_TRY(tess_span_run(stage, &(struct tess_span){.name = "test",
                                                          .rows = d->rows,
                                                          .comfortable = d->part,
                                                          .run = deliver_part,
                                                          .user = d}));
        assert_true(tess_device_dry(tess_stage_device(stage)) || d->next == d->rows);
        return TESS_OK;
    }
    for (size_t row0 = 0; row0 < d->rows; row0 += d->part) {
        size_t rows = d->rows - row0 < d->part ? d->rows - row0 : d->part;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        TESS_TRY(deliver_part(stage, d, (struct tess_tile){row0, rows}));
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    return TESS_OK;
}

static void deliver_all(struct ops *ops, bool later, bool span)
{
    float values[23 * 7];
    for (size_t i = 0; i < 23 * 7; i++)
        values[i] = (float)i;
    static const size_t parts[] = {1, 5, 22, 23, 24, 1000};
    static const size_t calls[] = {23, 5, 2, 1, 1, 1};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct delivery d = {23, 7, parts[i], 0, later, span, 0, 0, values};
        ops_run(ops, deliver, &d);
        assert_int_equal(d.next, 23);
        assert_int_equal(d.calls, calls[i]);
    }
    for (size_t fail_at = 1; fail_at <= 12; fail_at++) {
        struct delivery d = {23, 7, 2, fail_at, later, span, 0, 0, values};
        struct tess_stage_report report;
        assert_int_equal(
            tess_stage_run(&report, ops->dev, &ops->budget, "test", deliver, &d),
            TESS_ERR_FILE);
        assert_int_equal(d.calls, fail_at);
    }
}

static void rows_are_delivered_in_order(void **state)
{
    (void)state;
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    for (int way = 0; way < 4; way++)
        deliver_all(ops, way & 1, way & 2);
    ops_close(ops);
}

// ---- tensors ----

struct rows {
    size_t groups, group, cols;
    size_t max_buffer;
    bool may_spill, spilled;
    const uint32_t *ids;
    size_t count;
    const float *in;
    float *out, *turned;
};

// Fill the tensor with `in` in the order of ids, in tiles; read it back in tiles of
// another size, and once more with each of these backwards.
static enum tess_status run_rows(struct tess_stage *stage, void *user)
{
    struct rows *r = user;
    struct tess_tensor *tensor = NULL;
    size_t row = r->group * r->cols;
    TESS_TRY(tess_tensor_create(&tensor, stage,
                                &(struct tess_tensor_params){.rows = r->groups * r->group,
                                                             .cols = r->cols,
                                                             .dtype = TESS_F32,
                                                             .group = r->group,
                                                             .tag = "test",
                                                             .may_spill = r->may_spill}));
    for (size_t i = 0; i < r->count; i += 7) {
        size_t n = r->count - i < 7 ? r->count - i : 7;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat in; // plans find out what fits, so a refusal is no failure
        TESS_TRY(tess_mat_take(&in, stage, n * r->group, r->cols, TESS_F32, "test"));
        TESS_TRY(tess_mat_write(stage, in, r->in + i * row));
        TESS_TRY(tess_tensor_scatter(stage, tensor, in, r->ids + i, n));
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    for (size_t i = 0; i < r->groups; i += 5) {
        size_t n = r->groups - i < 5 ? r->groups - i : 5;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat out;
        uint32_t backwards[5];
        for (size_t k = 0; k < n; k++)
            backwards[k] = (uint32_t)(i + n - 1 - k);
        TESS_TRY(tess_tensor_gather(&out, stage, tensor, backwards, n));
        ops_download(stage, out, r->turned + i * row);
        TESS_TRY(tess_tensor_load(&out, stage, tensor, i, n));
        ops_download(stage, out, r->out + i * row);
        tess_tensor_forget(tensor, i + n);
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    tess_tensor_destroy(&tensor);
    return TESS_OK;
}

// With a budget that is too small for a tensor that may spill, as it is without `kept`,
// or with some of its parts on the device.
static void check_rows(size_t max_buffer, size_t budget, bool may_spill, bool kept)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    struct rows r = {
        .groups = asked_tiny() ? 9 : 61, .group = 2, .cols = 33, .may_spill = may_spill};
    size_t row = r.group * r.cols;
    uint32_t ids[64];
    uint64_t seed = 5;
    for (uint32_t i = 0; i < r.groups; i++)
        ids[i] = i;
    for (uint32_t i = (uint32_t)r.groups - 1; i > 0; i--) {
        uint32_t k = ops_random(&seed) % (i + 1), t = ids[i];
        ids[i] = ids[k];
        ids[k] = t;
    }
    float *in = ops_floats(r.groups * row, 3);
    r.ids = ids;
    r.count = r.groups;
    r.in = in;
    r.out = malloc(r.groups * row * sizeof(float));
    r.turned = malloc(r.groups * row * sizeof(float));
    ops->budget.max_buffer = max_buffer ? max_buffer : ops->budget.max_buffer;
    ops->budget.device_bytes = budget ? budget : ops->budget.device_bytes;
    struct tess_stage_report report;
    assert_int_equal(
        tess_stage_run(&report, ops->dev, &ops->budget, "test", run_rows, &r), TESS_OK);
    size_t bytes = r.groups * row * sizeof(float);
    assert_int_equal(report.spilled_tensors, may_spill && budget ? 1 : 0);
    if (may_spill && budget)
        assert_int_equal(report.spilled_bytes < bytes, kept);
    for (size_t i = 0; i < r.groups; i++)
        assert_memory_equal(r.out + ids[i] * row, in + i * row, row * sizeof(float));
    for (size_t i = 0; i < r.groups; i++) {
        size_t tile = i - i % 5, n = r.groups - tile < 5 ? r.groups - tile : 5;
        assert_memory_equal(r.turned + (tile + tile + n - 1 - i) * row, r.out + i * row,
                            row * sizeof(float));
    }
    free(in);
    free(r.out);
    free(r.turned);
    ops_close(ops);
}

static void tensors_in_one_chunk(void **state)
{
    (void)state;
    check_rows(0, 0, false, false);
}

static void tensors_in_chunks(void **state)
{
    (void)state;
    check_rows(4096, 0, false, false); // chunks of 1 KiB: three groups each
}

static void tensors_on_the_host(void **state)
{
    (void)state;
    // Less than the tensor; enough for some rows and their numbers, wherever pieces may
    // start.
    check_rows(0, asked_tiny() ? 0 : 12 << 10, true, true);
}

// ---- neighbours ----

struct index_user {
    const uint32_t *base;
    size_t voxels;
    unsigned level;
    uint32_t *out;
};

static enum tess_status run_index(struct tess_stage *stage, void *user)
{
    struct index_user *u = user;
    struct tess_mat base = ops_upload(stage, u->voxels, 27, u->base), index;
    TESS_TRY(tess_neighbours_subdivide(&index, stage, base, u->level));
    ops_download(stage, index, u->out);
    return TESS_OK;
}

static void neighbours_of_children(void **state)
{
    (void)state;
    // Two voxels side by side along y, far from a third.
    static const int32_t coords[] = {3, 4, 5, 3, 5, 5, 9, 9, 9};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    struct index_user u = {.voxels = 3, .level = 2};
    uint32_t *base = NULL;
    assert_int_equal(tess_neighbours_find(&base, &ops->env, coords, 3), TESS_OK);
    for (uint32_t voxel = 0; voxel < 3; voxel++)
        for (uint32_t tap = 0; tap < 27; tap++) {
            uint32_t expected = tap == 13                 ? voxel
                                : voxel == 0 && tap == 16 ? 1
                                : voxel == 1 && tap == 10 ? 0
                                                          : TESS_NO_ROW;
            assert_int_equal(base[voxel * 27 + tap], expected);
        }
    u.base = base;
    u.out = malloc(3 * 64 * 27 * sizeof *u.out);
    ops_run(ops, run_index, &u);
    for (int row = 0; row < 3 * 64; row++)
        for (int tap = 0; tap < 27; tap++) {
            int voxel = row / 64, at[3], base_tap = 0, expected = 0;
            for (int axis = 0; axis < 3; axis++) {
                at[axis] = (row >> (5 - axis) & 1) * 2 + (row >> (2 - axis) & 1);
                at[axis] += (axis == 0 ? tap / 9 : axis == 1 ? tap / 3 % 3 : tap % 3) - 1;
                base_tap = base_tap * 3 + (at[axis] < 0 ? 0 : at[axis] > 3 ? 2 : 1);
            }
            uint32_t from = base[voxel * 27 + base_tap];
            for (int bit = 1; bit >= 0; bit--)
                for (int axis = 0; axis < 3; axis++)
                    expected = expected * 2 + ((at[axis] + 4) % 4 >> bit & 1);
            assert_int_equal(u.out[row * 27 + tap], from == TESS_NO_ROW
                                                        ? TESS_NO_ROW
                                                        : from * 64 + (uint32_t)expected);
        }
    free(u.out);
    free(base);
    ops_close(ops);
}

// ---- positions ----

struct position_user {
    size_t C, rows;
    const int32_t *coords;
    float *out;
};

static enum tess_status run_positions(struct tess_stage *stage, void *user)
{
    struct position_user *u = user;
    struct tess_mat table, coords, out = ops_take(stage, u->rows, u->C);
    TESS_TRY(tess_position_table(&table, stage, 64, u->C));
    TESS_TRY(tess_mat_take(&coords, stage, u->rows, 3, TESS_I32, "coords"));
    TESS_TRY(tess_mat_write(stage, coords, u->coords));
    TESS_TRY(tess_position_embed(stage, out, coords, table));
    ops_download(stage, out, u->out);
    return TESS_OK;
}

static void position_embedding(void **state)
{
    (void)state;
    static const int32_t coords[] = {3, 5, 7, 0, 63, 1};
    static const size_t channels[] = {1024, 768, 20, 6, 5, 1};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        struct position_user u = {.C = channels[i], .rows = 2, .coords = coords};
        u.out = malloc(2 * u.C * sizeof(float));
        ops_run(ops, run_positions, &u);
        size_t F = u.C / 3 / 2;
        for (size_t c = 0; c < 2 * u.C; c++) {
            size_t axis = F ? c % u.C / (2 * F) : 3, k = F ? c % u.C % (2 * F) : 0;
            double w = F ? pow(10000, -(double)(k % F) / (double)F) : 0;
            double angle = axis < 3 ? coords[c / u.C * 3 + axis] * w : 0;
            double expected = axis >= 3 ? 0 : k < F ? sin(angle) : cos(angle);
            assert_true(fabs(u.out[c] - expected) < 1e-5);
        }
        if (u.C == 1024) { // known values
            assert_true(fabs(u.out[0] - 0.141120) < 1e-6);
            assert_true(fabs(u.out[340] + 0.958924) < 1e-6);
            assert_true(fabs(u.out[680] - 0.656987) < 1e-6);
            assert_true(u.out[1020] == 0 && u.out[1023] == 0);
        }
        free(u.out);
    }
    ops_close(ops);
}

// ---- Gaussians ----

struct gaussian_user {
    struct tess_gaussian_params params;
    size_t rows;
    const float *raw;
    const int32_t *coords;
    float *out;
};

static enum tess_status run_gaussians(struct tess_stage *stage, void *user)
{
    struct gaussian_user *u = user;
    size_t G = u->params.count;
    float *offsets = ops_floats(G * 3, 9);
    struct tess_mat out = ops_take(stage, u->rows, 14 * G), coords;
    struct tess_mat raw = ops_upload(stage, u->rows, 14 * G, u->raw);
    struct tess_mat perturbation = ops_upload(stage, G, 3, offsets);
    struct tess_mat rates = ops_upload(stage, 1, 5, u->params.rates);
    free(offsets);
    TESS_TRY(tess_mat_take(&coords, stage, u->rows, 3, TESS_I32, "coords"));
    TESS_TRY(tess_mat_write(stage, coords, u->coords));
    TESS_TRY(
        tess_gaussian_activate(stage, out, raw, coords, perturbation, rates, &u->params));
    ops_download(stage, out, u->out);
    return TESS_OK;
}

static void gaussian_reference(double *o, const struct gaussian_user *u,
                               const float *offsets, size_t row, size_t g)
{
    const struct tess_gaussian_params *p = &u->params;
    size_t G = p->count;
    const float *raw = u->raw + row * 14 * G;
    double R = (double)p->resolution, q[4], norm = 0;
    double inverse = p->exponential ? log(p->scaling_bias) : log(expm1(p->scaling_bias));
    for (size_t i = 0; i < 3; i++) {
        o[i] = (u->coords[3 * row + i] + 0.5) / R - 0.5 +
               tanh(raw[3 * g + i] * p->rates[0] + offsets[3 * g + i]) * 0.5 *
                   p->voxel_size / R;
        o[11 + i] = raw[3 * G + 3 * g + i] * p->rates[1];
        double x = raw[6 * G + 3 * g + i] * p->rates[2] + inverse;
        double s = p->exponential ? exp(x) : log1p(exp(x));
        o[3 + i] = sqrt(s * s + (double)p->kernel_size * p->kernel_size);
    }
    for (size_t i = 0; i < 4; i++) {
        q[i] = raw[9 * G + 4 * g + i] * p->rates[3] + (i == 0);
        norm += q[i] * q[i];
    }
    for (size_t i = 0; i < 4; i++)
        o[6 + i] = q[i] / sqrt(norm);
    double logit =
        raw[13 * G + g] * p->rates[4] + log(p->opacity_bias / (1 - p->opacity_bias));
    o[10] = 1 / (1 + exp(-logit));
}

static void gaussians(void **state)
{
    (void)state;
    static const int32_t coords[] = {0, 1, 2, 63, 5, 31, 7, 8, 9};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    for (int exponential = 0; exponential < 2; exponential++) {
        struct gaussian_user u = {.params = {.count = 5,
                                             .resolution = 64,
                                             .rates = {1, 0.9f, 1.1f, 0.1f, 0.8f},
                                             .voxel_size = 1.5f,
                                             .scaling_bias = 4e-3f,
                                             .opacity_bias = 0.1f,
                                             .kernel_size = 9e-4f,
                                             .exponential = exponential},
                                  .rows = 3,
                                  .coords = coords};
        size_t count = u.rows * u.params.count;
        float *raw = ops_floats(count * 14, 4), *offsets = ops_floats(15, 9);
        for (size_t i = 0; i < count * 14; i++)
            raw[i] *= 3;
        u.raw = raw;
        u.out = malloc(count * 14 * sizeof(float));
        ops_run(ops, run_gaussians, &u);
        double *reference = malloc(count * 14 * sizeof *reference);
        for (size_t i = 0; i < count; i++)
            gaussian_reference(reference + 14 * i, &u, offsets, i / 5, i % 5);
        for (size_t i = 0; i < count; i++) // each part, as their sizes differ
            for (size_t part = 0; part < 14; part++)
                assert_true(fabs(u.out[14 * i + part] - reference[14 * i + part]) <=
                            2e-6 * fabs(reference[14 * i + part]) + 1e-7);
        free(reference);
        free(u.out);
        free(raw);
        free(offsets);
    }
    ops_close(ops);
}

// ---- benchmark ----

static enum tess_status bench_gather(struct tess_stage *stage, void *user)
{
    struct rows *r = user;
    struct tess_tensor *tensor = NULL;
    TESS_TRY(tess_tensor_create(
        &tensor, stage,
        &(struct tess_tensor_params){
            .rows = r->groups, .cols = r->cols, .dtype = TESS_F32, .tag = "bench"}));
    for (int i = 0; i < 8; i++) {
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat out;
        TESS_TRY(tess_tensor_gather(&out, stage, tensor, r->ids, r->count));
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    tess_tensor_destroy(&tensor);
    return TESS_OK;
}

static void bench(void)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    struct rows r = {.groups = 16384, .cols = 768, .count = 16384};
    uint32_t *ids = malloc(r.count * sizeof *ids);
    for (uint32_t i = 0; i < r.count; i++)
        ids[i] = i * 7919 % 16384;
    r.ids = ids;
    double seconds = ops_time(ops, bench_gather, &r) / 8;
    printf("%s\n", tess_device_facts(ops->dev)->name);
    ops_print_rate("gather 16384 rows of 768", 0, 8.0 * 16384 * 768, seconds);
    free(ids);
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rows_are_delivered_in_order),
    cmocka_unit_test(tensors_in_one_chunk),
    cmocka_unit_test(tensors_in_chunks),
    cmocka_unit_test(tensors_on_the_host),
    cmocka_unit_test(neighbours_of_children),
    cmocka_unit_test(position_embedding),
    cmocka_unit_test(gaussians),
};
OPS_MAIN(tests, bench)
