// Attention in runs of rows against softmax in double.
//
// Tolerance: the exponential is good to 2e-7, sums of up to some hundred terms stay below
// 1e-6. With a matrix unit factors are halves: the reference has those of queries, keys
// and values, and weights, which add up to 1, are off by 2^-11 of theirs.
#include "ops_common.h"

#include "base/dtype.h"
#include "op/attention.h"
#include "rt/tuning.h"

#define TOLERANCE      2e-6
#define FAST_TOLERANCE 5e-4

// That products are made with: NULL, none; and what results may be off by.
static const char *unit_name;
static double tolerance = TOLERANCE;

static struct ops *open_ops(enum tess_variant variant)
{
    return ops_open_unit(variant, unit_name, tolerance > TOLERANCE);
}

struct attention {
    size_t rows, heads, D;
    const float *qkv;
    const struct tess_attention_unit *units;
    size_t unit_count;
    size_t split; // units of a call; runs must not be cut apart
    bool one_run;
    float *out;
    int repeat;
};

static enum tess_status run_attention(struct tess_stage *stage, void *user)
{
    const struct attention *a = user;
    size_t C = a->heads * a->D;
    struct tess_mat units;
    TESS_TRY(tess_mat_take(&units, stage, a->unit_count, 4, TESS_U32, "units"));
    TESS_TRY(tess_mat_write(stage, units, a->units));
    for (size_t unit = 0; unit < a->unit_count;) {
        size_t end = unit + 1;
        // A call takes whole runs: up to `split` of them.
        for (size_t runs = 0; end < a->unit_count; end++)
            if (a->units[end].key0 != a->units[end - 1].key0 && ++runs == a->split)
                break;
        size_t row0 = a->units[unit].key0;
        size_t rows = a->units[end - 1].key0 + a->units[end - 1].keys - row0;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat qkv = ops_upload(stage, rows, 3 * C, a->qkv + row0 * 3 * C);
        struct tess_mat out = ops_take(stage, rows, C);
        for (int i = 0; i <= a->repeat; i++)
            TESS_TRY(tess_attention(
                stage, &(struct tess_attention_params){.out = out,
                                                       .q = qkv,
                                                       .kv = qkv,
                                                       .k_col = C,
                                                       .v_col = 2 * C,
                                                       .units = units,
                                                       .unit0 = unit,
                                                       .unit_count = end - unit,
                                                       .query0 = row0,
                                                       .key0 = row0,
                                                       .heads = a->heads,
                                                       .head_channels = a->D,
                                                       .many_runs = !a->one_run,
                                                       .pairs = 0}));
        ops_download(stage, out, a->out + row0 * C);
        tess_arena_release(tess_stage_arena(stage), mark);
        unit = end;
    }
    return TESS_OK;
}

static double *attention_reference(const struct attention *a)
{
    size_t C = a->heads * a->D;
    double *out = malloc(a->rows * C * sizeof *out);
    double *weights = malloc(a->rows * sizeof *weights);
    for (size_t u = 0; u < a->unit_count; u++)
        for (size_t q = a->units[u].query0; q < a->units[u].query0 + a->units[u].queries;
             q++)
            for (size_t h = 0; h < a->heads; h++) {
                size_t key0 = a->units[u].key0, keys = a->units[u].keys;
                double top = -1e300, total = 0;
                for (size_t k = 0; k < keys; k++) {
                    double score = 0;
                    for (size_t d = 0; d < a->D; d++)
                        score += (double)a->qkv[q * 3 * C + h * a->D + d] *
                                 a->qkv[(key0 + k) * 3 * C + C + h * a->D + d];
                    weights[k] = score / sqrt((double)a->D);
                    top = fmax(top, weights[k]);
                }
                for (size_t k = 0; k < keys; k++)
                    total += weights[k] = exp(weights[k] - top);
                for (size_t d = 0; d < a->D; d++) {
                    double sum = 0;
                    for (size_t k = 0; k < keys; k++)
                        sum += weights[k] *
                               a->qkv[(key0 + k) * 3 * C + 2 * C + h * a->D + d];
                    out[q * C + h * a->D + d] = sum / total;
                }
            }
    free(weights);
    return out;
}

// Units of runs of the given lengths, one after the other.
static struct tess_attention_unit *make_units(size_t *count, size_t *rows,
                                              const size_t *lengths, size_t runs,
                                              uint32_t queries)
{
    struct tess_attention_unit *units = NULL;
    *count = *rows = 0;
    for (size_t r = 0; r < runs; r++) {
        for (size_t q = 0; q < lengths[r]; q += queries) {
            units = realloc(units, (*count + 1) * sizeof *units);
            units[(*count)++] = (struct tess_attention_unit){
                .query0 = (uint32_t)(*rows + q),
                .queries =
                    lengths[r] - q < queries ? (uint32_t)(lengths[r] - q) : queries,
                .key0 = (uint32_t)*rows,
                .keys = (uint32_t)lengths[r]};
        }
        *rows += lengths[r];
    }
    return units;
}

static float to_half(float x)
{
    return tess_half_to_float(tess_float_to_half(x));
}

// What the kernel for matrix units makes of queries, keys and values.
static float *round_factors(const struct attention *a)
{
    size_t C = a->heads * a->D;
    float scale = 1 / sqrtf((float)a->D),
          *rounded = malloc(a->rows * 3 * C * sizeof(float));
    for (size_t i = 0; i < a->rows * 3 * C; i++) {
        float factor = i % (3 * C) < C ? scale : 1;
        rounded[i] = to_half(a->qkv[i] * factor) / factor;
    }
    return rounded;
}

static void check_result(const struct attention *a, bool fast, double most)
{
    struct attention b = *a;
    float *rounded = fast ? round_factors(a) : NULL;
    b.qkv = fast ? rounded : a->qkv;
    double *reference = attention_reference(&b);
    ops_expect(a->out, reference, a->rows * a->heads * a->D,
               fast ? FAST_TOLERANCE : most);
    free(reference);
    free(rounded);
}

static struct ops *open_fast(void)
{
    return ops_open_unit(TESS_VARIANT_GPU, "portable", true);
}

static void check_runs_on(struct ops *ops, const size_t *lengths, size_t runs,
                          size_t heads, size_t D, float spread)
{
    struct attention a = {.heads = heads, .D = D};
    struct tess_attention_unit *units =
        make_units(&a.unit_count, &a.rows, lengths, runs, TESS_ATTENTION_QUERIES);
    size_t C = heads * D;
    float *qkv = ops_floats(a.rows * 3 * C, D);
    for (size_t i = 0; i < a.rows * 3 * C; i++)
        qkv[i] *= i % (3 * C) < 2 * C ? spread : 1;
    a.qkv = qkv;
    a.units = units;
    a.split = runs;
    a.out = malloc(a.rows * C * sizeof(float));
    ops_run(ops, run_attention, &a);
    // Scores of size s are off by s 2^-24 each, and so are the weights.
    check_result(&a, tess_device_unit(ops->dev) == TESS_UNIT_PORTABLE,
                 tolerance * (1 + spread * spread * sqrt((double)D)));
    float *whole = a.out;
    a.out = malloc(a.rows * C * sizeof(float));
    for (a.split = 1; a.split < runs && !asked_once(); a.split++) {
        ops_run(ops, run_attention, &a);
        assert_memory_equal(a.out, whole, a.rows * C * sizeof(float));
    }
    free(whole);
    free(a.out);
    free(qkv);
    free(units);
}

static void check_runs(enum tess_variant variant, const size_t *lengths, size_t runs,
                       size_t heads, size_t D, float spread)
{
    struct ops *ops = open_ops(variant);
    check_runs_on(ops, lengths, runs, heads, D, spread);
    ops_close(ops);
}

// Heads of most tests, so that few kernels are compiled: the last vector, of 4 or of 16
// channels, is not full, and a matrix unit takes several times.
enum { H = 2, D = 30, C = H * D };

static void windows(enum tess_variant variant)
{
    static const size_t lengths[] = {1, 9, 7, 8, 63, 64, 65, 130, 16, 3};
    check_runs(variant, lengths, asked_tiny() ? 2 : 10, H, D, 1);
    if (!asked_tiny())
        check_runs(variant, lengths, 10, 6, 64, 1); // more heads than a work-item takes
}
OPS_TEST(windows)

static void odd_heads(enum tess_variant variant)
{
    static const size_t lengths[] = {5, 70};
    // Both end within a vector; 70 is more than GPUs make at a time.
    check_runs(variant, lengths, asked_tiny() ? 1 : 2, H, D, 1);
    check_runs(variant, lengths, asked_tiny() ? 1 : 2, 1, 70, 1);
}
OPS_TEST(odd_heads)

// Keys in parts, with a state between them, against all at once: the same bytes.
struct parts {
    size_t rows, part;
    const float *qkv;
    const struct tess_attention_unit *units;
    size_t unit_count;
    float *out;
};

static enum tess_status run_parts(struct tess_stage *stage, void *user)
{
    const struct parts *p = user;
    struct tess_mat units, q = ops_upload(stage, p->rows, 3 * C, p->qkv);
    struct tess_mat out = ops_take(stage, p->rows, C);
    struct tess_mat state = ops_take(stage, p->rows, 2 * H);
    TESS_TRY(tess_mat_take(&units, stage, p->unit_count, 4, TESS_U32, "units"));
    TESS_TRY(tess_mat_write(stage, units, p->units));
    for (size_t key = 0; key < p->rows; key += p->part) {
        size_t keys = p->rows - key < p->part ? p->rows - key : p->part;
        struct tess_mat kv = ops_upload(stage, keys, 3 * C, p->qkv + key * 3 * C);
        TESS_TRY(tess_attention(stage, &(struct tess_attention_params){
                                           .out = out,
                                           .q = q,
                                           .kv = kv,
                                           .k_col = C,
                                           .v_col = 2 * C,
                                           .units = units,
                                           .unit_count = p->unit_count,
                                           .key0 = key,
                                           .heads = H,
                                           .head_channels = D,
                                           .state = p->part < p->rows ? &state : NULL,
                                           .first = key == 0,
                                           .last = key + keys == p->rows}));
    }
    ops_download(stage, out, p->out);
    return TESS_OK;
}

static void check_parts(struct ops *ops, size_t length)
{
    size_t rows;
    struct parts p = {.part = 64};
    struct tess_attention_unit *units =
        make_units(&p.unit_count, &rows, &length, 1, TESS_ATTENTION_QUERIES);
    if (asked_tiny())
        p.unit_count = 1; // other queries stay as they are
    float *qkv = ops_floats(rows * 3 * C, 8);
    p.rows = rows;
    p.qkv = qkv;
    p.units = units;
    float *smallest = malloc(rows * C * sizeof(float));
    p.out = smallest;
    ops_run(ops, run_parts, &p);
    p.out = malloc(rows * C * sizeof(float));
    while (p.part < rows && !asked_once()) { // the last time all at once
        p.part += 64;
        ops_run(ops, run_parts, &p);
        assert_memory_equal(p.out, smallest, rows * C * sizeof(float));
    }
    free(smallest);
    free(p.out);
    free(qkv);
    free(units);
}

static void keys_in_parts(enum tess_variant variant)
{
    struct ops *ops = open_ops(variant);
    check_parts(ops, asked_tiny() ? 70 : 300);
    ops_close(ops);
}
OPS_TEST(keys_in_parts)

// Scores far apart: the running maximum has to move, and weights vanish.
static void large_scores(enum tess_variant variant)
{
    static const size_t lengths[] = {90, 150};
    if (asked_once())
        skip(); // the kernel of windows
    check_runs(variant, lengths, asked_tiny() ? 1 : 2, 1, D, 30);
}
OPS_TEST(large_scores)

// As many keys for a query as networks bring at a time, and heads as wide as theirs: more
// steps for one work-item than some devices take in loops (see cl/attention.cl). One
// unit, so that it is short where work-items are slow.
static void many_keys(enum tess_variant variant)
{
    struct ops *ops = open_ops(variant);
    size_t length = asked_tiny() ? 100 : 1024;
    struct attention a = {.heads = 1, .D = 64, .split = 1, .one_run = true};
    struct tess_attention_unit *units =
        make_units(&a.unit_count, &a.rows, &length, 1, TESS_ATTENTION_QUERIES);
    a.unit_count = 1;
    if (asked_tiny())
        units->queries = 8;
    float *qkv = ops_floats(a.rows * 3 * a.D, 9);
    a.qkv = qkv;
    a.units = units;
    a.out = malloc(a.rows * a.D * sizeof(float));
    ops_run(ops, run_attention, &a);
    double *reference = attention_reference(&a);
    ops_expect(a.out, reference, units->queries * a.D, tolerance * (1 + sqrt(64)));
    free(a.out);
    free(reference);
    free(qkv);
    free(units);
    ops_close(ops);
}
OPS_TEST(many_keys)

// Units that are done alone, and among so many that a work-item takes as many as it can.
static void alone_and_together(void)
{
    struct ops *ops = open_ops(TESS_VARIANT_CPU);
    size_t length = 1100;
    struct attention a = {.heads = 4 * tess_device_facts(ops->dev)->compute_units,
                          .D = 16,
                          .split = 1,
                          .one_run = true};
    struct tess_attention_unit *units =
        make_units(&a.unit_count, &a.rows, &length, 1, TESS_ATTENTION_QUERIES);
    size_t unit_count = a.unit_count, row = a.heads * a.D;
    float *qkv = ops_floats(a.rows * 3 * row, 10);
    float *together = malloc(a.rows * row * sizeof(float));
    a.qkv = qkv;
    a.units = units;
    a.out = together;
    ops_run(ops, run_attention, &a);
    a.out = malloc(a.rows * row * sizeof(float));
    a.unit_count = 1;
    for (size_t i = 0; i < unit_count; i += 5) {
        a.units = units + i;
        ops_run(ops, run_attention, &a);
        size_t at = units[i].query0 * row;
        assert_memory_equal(a.out + at, together + at,
                            units[i].queries * row * sizeof(float));
    }
    free(a.out);
    free(together);
    free(qkv);
    free(units);
    ops_close(ops);
}

// Shapes of kernels leave the bytes as they are: of windows, and of one run whose keys
// come in parts. Heads are less than the deepest tile, and the last group is not full.
struct shapes {
    struct attention windows;
    struct parts parts;
    float *wanted[2]; // of the program's own shapes
};

static void expect_same_bytes(struct ops *ops, struct shapes *s,
                              const struct tess_tuning *tuning)
{
    size_t sizes[] = {s->windows.rows * C * sizeof(float),
                      s->parts.rows * C * sizeof(float)};
    tess_device_set_tuning(ops->dev, tuning);
    ops_run(ops, run_attention, &s->windows);
    ops_run(ops, run_parts, &s->parts);
    if (s->wanted[0]) {
        assert_memory_equal(s->windows.out, s->wanted[0], sizes[0]);
        assert_memory_equal(s->parts.out, s->wanted[1], sizes[1]);
        return;
    }
    const float *made[] = {s->windows.out, s->parts.out};
    for (int i = 0; i < 2; i++) {
        s->wanted[i] = malloc(sizes[i]);
        memcpy(s->wanted[i], made[i], sizes[i]);
    }
}

static void try_shapes(struct ops *ops, struct shapes *s, enum tess_variant variant)
{
    const struct tess_tuning own = *tess_device_tuning(ops->dev);
    struct tess_tuning least = own, most = own;
    for (int p = TESS_TUNED_ATTENTION_QUERIES; p <= TESS_TUNED_ATTENTION_DEPTH; p++) {
        const uint32_t *values = tess_tuned_values((enum tess_tuned)p, variant);
        for (int i = 0; values[i]; i++) {
            least.values[p] = values[0];
            most.values[p] = values[i];
        }
    }
    if (!asked_once()) {
        expect_same_bytes(ops, s, &own);
        if (memcmp(&least, &own, sizeof own) != 0)
            expect_same_bytes(ops, s, &least);
    }
    expect_same_bytes(ops, s, &most);
}

static void shapes(enum tess_variant variant)
{
    struct ops *ops = ops_open(variant);
    static const size_t lengths[] = {1, 70, 9, 130};
    size_t length = asked_tiny() ? 70 : 300, rows;
    struct shapes s = {.windows = {.heads = H, .D = D, .split = 4},
                       .parts = {.part = asked_tiny() ? 64 : 128}};
    struct tess_attention_unit *windows =
        make_units(&s.windows.unit_count, &s.windows.rows, lengths, asked_tiny() ? 1 : 4,
                   TESS_ATTENTION_QUERIES);
    struct tess_attention_unit *units =
        make_units(&s.parts.unit_count, &rows, &length, 1, TESS_ATTENTION_QUERIES);
    if (asked_tiny())
        s.parts.unit_count = 1;
    float *qkv = ops_floats(300 * 3 * C, 10);
    s.windows.units = windows;
    s.parts.units = units;
    s.parts.rows = rows;
    s.windows.qkv = s.parts.qkv = qkv;
    s.windows.out = malloc(s.windows.rows * C * sizeof(float));
    s.parts.out = malloc(rows * C * sizeof(float));
    try_shapes(ops, &s, variant);
    for (int i = 0; i < 2; i++)
        free(s.wanted[i]);
    free(s.windows.out);
    free(s.parts.out);
    free(qkv);
    free(windows);
    free(units);
    ops_close(ops);
}
OPS_TEST(shapes)

// Windows, heads that are no multiple of a unit, and wider ones than those of the
// networks; keys in parts.
static void test_matrix_unit(void **state)
{
    (void)state;
    static const size_t lengths[] = {5, 70};
    struct ops *ops = open_fast();
    check_runs_on(ops, lengths, asked_tiny() ? 1 : 2, H, D, 1);
    if (!asked_tiny()) {
        check_runs_on(ops, lengths + 1, 1, 1, 80, 2);
        check_parts(ops, 130);
    }
    ops_close(ops);
}

// Heads that its kernel has no room for go the plain way.
static void test_wide_heads(void **state)
{
    (void)state;
    static const size_t length = 5;
    if (asked_once())
        skip(); // the kernel of odd heads
    struct ops *ops = open_fast();
    struct attention a = {.heads = 1, .D = 136, .split = 1};
    struct tess_attention_unit *units =
        make_units(&a.unit_count, &a.rows, &length, 1, TESS_ATTENTION_QUERIES);
    float *qkv = ops_floats(a.rows * 3 * a.D, 11);
    a.qkv = qkv;
    a.units = units;
    a.out = malloc(a.rows * a.D * sizeof(float));
    ops_run(ops, run_attention, &a);
    check_result(&a, false, TOLERANCE * (1 + sqrt(136)));
    free(a.out);
    free(qkv);
    free(units);
    ops_close(ops);
}

// ---- units of CPUs ----

// As the products of tests/test_ops_matmul.c.
static void run_unit(bool most)
{
    static const size_t lengths[] = {5, 70};
    check_runs(TESS_VARIANT_CPU, lengths, 2, H, D, 1);
    // Fewer kernels to compile where less is new.
    if (most) {
        windows(TESS_VARIANT_CPU);
        keys_in_parts(TESS_VARIANT_CPU);
        large_scores(TESS_VARIANT_CPU);
    }
    if (strcmp(unit_name, "amx") == 0) {
        odd_heads(TESS_VARIANT_CPU);
        many_keys(TESS_VARIANT_CPU);
        alone_and_together();
    }
}

OPS_UNITS(run_unit, TOLERANCE, "avx-portable")

static void bench(void)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    static const size_t runs[][2] = {{100, 64}, {60, 150}, {1, 4096}};
    if (getenv("TESSELLA_MATRIX_UNIT"))
        assert_int_equal(tess_matrix_unit_choose(ops->dev, &ops->budget, true), TESS_OK);
    printf("%s\n", tess_device_facts(ops->dev)->name);
    for (size_t i = 0; i < 3; i++) {
        size_t lengths[256], count = runs[i][0];
        for (size_t r = 0; r < count; r++)
            lengths[r] = runs[i][1] + (count > 1 ? r : 0);
        struct attention a = {
            .heads = 12, .D = 64, .split = count, .one_run = count == 1, .repeat = 3};
        struct tess_attention_unit *units =
            make_units(&a.unit_count, &a.rows, lengths, count, TESS_ATTENTION_QUERIES);
        float *qkv = ops_floats(a.rows * 3 * 768, 1);
        double pairs = 0;
        for (size_t r = 0; r < count; r++)
            pairs += (double)(lengths[r] * lengths[r]);
        a.qkv = qkv;
        a.units = units;
        a.out = malloc(a.rows * 768 * sizeof(float));
        double seconds = ops_time(ops, run_attention, &a) / 4;
        char what[80];
        snprintf(what, sizeof what, "attention, 12 heads of 64, %zu runs, %zu rows",
                 count, a.rows);
        ops_print_rate(what, 4.0 * pairs * 768, 16.0 * (double)a.rows * 768, seconds);
        free(a.out);
        free(qkv);
        free(units);
    }
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    OPS_BOTH(windows),
    OPS_BOTH(odd_heads),
    OPS_BOTH(keys_in_parts),
    OPS_BOTH(large_scores),
    OPS_BOTH(many_keys),
    OPS_BOTH(shapes),
    cmocka_unit_test(test_matrix_unit),
    cmocka_unit_test(test_wide_heads),
    OPS_UNITS_TESTS,
};
OPS_MAIN(tests, bench)
