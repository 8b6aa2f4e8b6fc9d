// Matrix products and convolutions against sums in double.
//
// Tolerance: a chain of K fused multiply-adds in fp32 with random signs is off by about
// sqrt(K) 2^-24 of its size; 1e-6 leaves room up to K = 27 * 100.
#include "ops_voxels.h"

#include "op/matmul.h"
#include "rt/tuning.h"

#define TOLERANCE 1e-6

static const char *unit_name; // that products are made with; NULL: none
static double tolerance = TOLERANCE;

// One product, with everything that it can do.
struct product {
    size_t rows, N, K;
    enum tess_weight_layout layout;
    bool half, bias, residual, gated;
    enum tess_matmul_activation activation;
    size_t split; // rows of a call; 0: all at once
    const float *in, *bias_values, *residual_values, *gate_values, *weights;
    const void *stored;
    const int32_t *coords; // [rows / 8^level][3], for convolutions,
    const uint32_t *base;  // and their neighbours [rows / 8^level][27]
    unsigned level;
    size_t in_rows;
    float *out;
};

static size_t taps_of(const struct product *p)
{
    return p->layout == TESS_WEIGHT_CONV || p->layout == TESS_WEIGHT_CONV_DENSE ? 27 : 1;
}

static struct ops *open_ops(enum tess_variant variant)
{
    return ops_open_unit(variant, unit_name, tolerance > TOLERANCE);
}

static double activate(double x, enum tess_matmul_activation activation)
{
    if (activation == TESS_ACT_GELU_TANH)
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    if (activation == TESS_ACT_GELU_ERF)
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    return activation == TESS_ACT_SILU ? x / (1 + exp(-x)) : x;
}

static void upload_block(const struct product *p, struct tess_weight_block *block)
{
    *block = (struct tess_weight_block){.count = 2};
    block->items[0] = (struct tess_weight_source){.data = p->stored,
                                                  .dtype = p->half ? TESS_F16 : TESS_F32,
                                                  .layout = p->layout,
                                                  .outputs = (uint32_t)p->N,
                                                  .inputs = (uint32_t)p->K};
    block->items[1] = (struct tess_weight_source){.data = p->bias_values,
                                                  .dtype = TESS_F32,
                                                  .layout = TESS_WEIGHT_VECTOR,
                                                  .outputs = (uint32_t)p->N,
                                                  .inputs = 1};
}

static enum tess_status run_product(struct tess_stage *stage, void *user)
{
    const struct product *p = user;
    struct tess_weight_block block;
    struct tess_weights *weights = NULL;
    const struct tess_weight *items;
    upload_block(p, &block);
    TESS_TRY(tess_weights_create(&weights, stage, &block, 1, 1));
    TESS_TRY(tess_weights_use(&items, weights, 0));
    struct tess_mat in = ops_upload(stage, p->in_rows, p->K, p->in);
    struct tess_mat gate = {0};
    if (p->gated)
        gate = ops_upload(stage, 1, p->N, p->gate_values);
    size_t step = p->split ? p->split : p->rows;
    for (size_t row = 0; row < p->rows; row += step) {
        size_t rows = p->rows - row < step ? p->rows - row : step;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        struct tess_mat part = in, residual, index;
        if (taps_of(p) == 1)
            part = ops_upload(stage, rows, p->K, p->in + row * p->K);
        residual = ops_upload(stage, rows, p->N, p->residual_values + row * p->N);
        if (taps_of(p) == 27) {
            struct tess_mat base = ops_upload(stage, rows >> 3 * p->level, 27,
                                              p->base + (row >> 3 * p->level) * 27);
            TESS_TRY(tess_neighbours_subdivide(&index, stage, base, p->level));
        }
        struct tess_mat out = ops_take(stage, rows, p->N);
        TESS_TRY(tess_matmul(
            stage, &(struct tess_matmul){.out = out,
                                         .in = part,
                                         .weight = &items[0],
                                         .bias = p->bias ? &items[1] : NULL,
                                         .gate = p->gated ? &gate.data : NULL,
                                         .residual = p->residual ? &residual : NULL,
                                         .activation = p->activation,
                                         .rows = rows,
                                         .index = taps_of(p) == 27 ? &index : NULL}));
        ops_download(stage, out, p->out + row * p->N);
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    tess_weights_destroy(&weights);
    return TESS_OK;
}

#define TO_WHOLE 12582912.0f

// What cl/quantised.clh makes of rows of K values that are `step` apart, as many of which
// lie between one another.
static float *quantised(const float *values, size_t rows, size_t K, size_t step)
{
    float *out = malloc(rows * K * step * sizeof *out);
    for (size_t r = 0; r < rows * step; r++) {
        const float *from = values + r / step * K * step + r % step;
        float *to = out + (from - values);
        for (size_t start = 0; start < K; start += 32) {
            size_t end = start + 32 < K ? start + 32 : K;
            float size = 1e-30f;
            for (size_t k = start; k < end; k++)
                size = fmaxf(size, fabsf(from[k * step]));
            float inverse = 8191 / size, scale = size * (1 / 8191.0f);
            for (size_t k = start; k < end; k++)
                to[k * step] =
                    (fmaf(from[k * step], inverse, TO_WHOLE) - TO_WHOLE) * scale;
        }
    }
    return out;
}

// Whether that becomes of a product's factors.
static bool is_quantised(struct ops *ops, const struct product *p)
{
    return p->layout != TESS_WEIGHT_TRANSPOSED &&
           p->K <= tess_matmul_quantised_inputs(ops->dev);
}

// Results against a reference. With a unit that quantises, they are as near to that of
// what becomes of factors as others are to theirs.
static void check_result(struct ops *ops, const struct product *p,
                         double *(*reference_of)(const struct product *p))
{
    double *reference = reference_of(p);
    ops_expect(p->out, reference, p->rows * p->N, tolerance);
    free(reference);
    if (tess_matrix_unit_factors(tess_device_unit(ops->dev)) != TESS_FACTORS_QUANTISED)
        return;
    struct product q = *p;
    float *in = NULL, *weights = NULL;
    if (is_quantised(ops, p)) {
        q.in = in = quantised(p->in, p->in_rows, p->K, 1);
        q.weights = weights = p->layout == TESS_WEIGHT_CONV_DENSE
                                  ? quantised(p->weights, p->N, p->K, 27)
                                  : quantised(p->weights, p->N * taps_of(p), p->K, 1);
    }
    reference = reference_of(&q);
    double bound = TOLERANCE * fmax(1, sqrt((double)p->K / (27 * 100)));
    // Oclgrind's fma() rounds twice, which makes another number of one in a thousand.
    ops_expect(p->out, reference, p->rows * p->N, asked_tiny() ? 10 * bound : bound);
    free(reference);
    free(in);
    free(weights);
}

static void finish_reference(double *out, const struct product *p, size_t row, size_t n,
                             double sum)
{
    sum += p->bias ? p->bias_values[n] : 0;
    sum = activate(sum, p->activation) * (p->gated ? p->gate_values[n] : 1);
    sum += p->residual ? p->residual_values[row * p->N + n] : 0;
    out[row * p->N + n] = sum;
}

static double *linear_reference(const struct product *p)
{
    double *out = malloc(p->rows * p->N * sizeof *out);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t n = 0; n < p->N; n++) {
            double sum = 0;
            for (size_t k = 0; k < p->K; k++)
                sum += (double)p->in[r * p->K + k] *
                       p->weights[p->layout == TESS_WEIGHT_TRANSPOSED ? k * p->N + n
                                                                      : n * p->K + k];
            finish_reference(out, p, r, n, sum);
        }
    return out;
}

// Where buffers are small, weights lie in parts: the same bytes.
static void check_small_buffers(struct ops *ops, struct product *p, const float *whole,
                                size_t count)
{
    size_t most = ops->budget.max_buffer;
    if (asked_tiny())
        return; // weights are too small for parts
    ops->budget.max_buffer = 1 << 20;
    p->split = 0;
    ops_run(ops, run_product, p);
    assert_memory_equal(p->out, whole, count * sizeof(float));
    ops->budget.max_buffer = most;
}

// Features: 1, a bias; 2, a residual; 4, a gate.
static void run_linear(enum tess_variant variant, size_t rows, size_t N, size_t K,
                       bool half, enum tess_weight_layout layout, int features,
                       enum tess_matmul_activation activation)
{
    struct ops *ops = open_ops(variant);
    struct product p = {.rows = rows,
                        .N = N,
                        .K = K,
                        .layout = layout,
                        .half = half,
                        .in_rows = rows,
                        .bias = features & 1,
                        .residual = features & 2,
                        .gated = features & 4,
                        .activation = activation};
    float *floats = NULL, *in = ops_floats(rows * K, 1), *bias = ops_floats(N, 2),
          *residual = ops_floats(rows * N, 3), *gate = ops_floats(N, 5);
    void *stored = half ? (void *)ops_halves(&floats, N * K, 4) : ops_floats(N * K, 4);
    p.in = in;
    p.bias_values = bias;
    p.residual_values = residual;
    p.gate_values = gate;
    p.stored = stored;
    p.weights = half ? floats : stored;
    p.out = malloc(rows * N * sizeof(float));
    ops_run(ops, run_product, &p);
    check_result(ops, &p, linear_reference);
    // Cut into any parts, the same bytes.
    float *whole = p.out;
    p.out = malloc(rows * N * sizeof(float));
    for (p.split = asked_tiny() ? rows / 2 + 1 : 1; p.split < rows && !asked_once();
         p.split = p.split * 3 + 2)
    {
        ops_run(ops, run_product, &p);
        assert_memory_equal(p.out, whole, rows * N * sizeof(float));
    }
    check_small_buffers(ops, &p, whole, rows * N);
    free(whole);
    free(p.out);
    free(in);
    free(bias);
    free(residual);
    free(gate);
    free(stored);
    free(floats);
    ops_close(ops);
}

static void linear_layers(enum tess_variant variant)
{
    static const size_t sizes[][3] = {{1, 1, 1},       {9, 33, 5},   {131, 72, 20},
                                      {8, 32, 16},     {9, 33, 17},  {67, 101, 96},
                                      {130, 448, 129}, {65, 65, 300}};
    size_t count = asked_tiny() ? 3 : sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < count; i++)
        for (int half = 0; half < (asked_tiny() ? 1 : 2); half++)
            run_linear(variant, sizes[i][0], sizes[i][1], sizes[i][2], half,
                       TESS_WEIGHT_MATRIX, (int)(2 * i + (size_t)half) % 4,
                       (enum tess_matmul_activation)((2 * i + (size_t)half) % 3));
}
OPS_TEST(linear_layers)

// Every activation, with and without all that follows it.
static void gates_and_activations(enum tess_variant variant)
{
    int first = asked_tiny() ? TESS_ACT_GELU_ERF : TESS_ACT_NONE;
    for (int activation = first; activation <= TESS_ACT_GELU_ERF; activation++) {
        run_linear(variant, 3, 5, 4, false, TESS_WEIGHT_MATRIX, 7,
                   (enum tess_matmul_activation)activation);
        if (asked_tiny())
            continue;
        run_linear(variant, 67, 33, 21, true, TESS_WEIGHT_MATRIX, 4,
                   (enum tess_matmul_activation)activation);
        run_linear(variant, 9, 101, 48, true, TESS_WEIGHT_MATRIX, 6,
                   (enum tess_matmul_activation)activation);
        run_linear(variant, 13, 65, 7, false, TESS_WEIGHT_MATRIX, 1,
                   (enum tess_matmul_activation)activation);
    }
}
OPS_TEST(gates_and_activations)

static void transposed_matrices(enum tess_variant variant)
{
    run_linear(variant, 3, 35, 4, true, TESS_WEIGHT_TRANSPOSED, 1, TESS_ACT_GELU_TANH);
    if (!asked_tiny())
        run_linear(variant, 7, 64, 19, false, TESS_WEIGHT_TRANSPOSED, 2, TESS_ACT_SILU);
}
OPS_TEST(transposed_matrices)

// ---- convolutions ----

static double *conv_reference(const struct product *p)
{
    bool dense = p->layout == TESS_WEIGHT_CONV_DENSE;
    double *out = malloc(p->rows * p->N * sizeof *out);
    for (size_t r = 0; r < p->rows; r++) {
        long from[27];
        ops_fine_neighbours(from, p->coords, p->rows >> 3 * p->level, p->level, r);
        for (size_t n = 0; n < p->N; n++) {
            double sum = 0;
            for (size_t tap = 0; tap < 27; tap++)
                for (size_t k = 0; k < p->K && from[tap] >= 0; k++)
                    sum += (double)p->in[(size_t)from[tap] * p->K + k] *
                           p->weights[dense ? (n * p->K + k) * 27 + tap
                                            : (n * 27 + tap) * p->K + k];
            finish_reference(out, p, r, n, sum);
        }
    }
    return out;
}

static void run_conv(enum tess_variant variant, size_t N, size_t K, unsigned level,
                     bool half, enum tess_weight_layout layout)
{
    struct ops *ops = open_ops(variant);
    int32_t coords[3 * OPS_VOXELS_MOST];
    size_t voxels = ops_voxels(coords, asked_tiny() ? 3 : 20, N);
    uint32_t *base = NULL;
    assert_int_equal(tess_neighbours_find(&base, &ops->env, coords, voxels), TESS_OK);
    size_t rows = voxels << 3 * level;
    float *floats = NULL, *in = ops_floats(rows * K, 1), *bias = ops_floats(N, 2),
          *residual = ops_floats(rows * N, 3);
    void *stored =
        half ? (void *)ops_halves(&floats, 27 * N * K, 4) : ops_floats(27 * N * K, 4);
    struct product p = {.rows = rows,
                        .N = N,
                        .K = K,
                        .layout = layout,
                        .half = half,
                        .bias = true,
                        .residual = true,
                        .in = in,
                        .in_rows = rows,
                        .bias_values = bias,
                        .residual_values = residual,
                        .stored = stored,
                        .weights = half ? floats : stored,
                        .coords = coords,
                        .base = base,
                        .level = level};
    p.out = malloc(rows * N * sizeof(float));
    ops_run(ops, run_product, &p);
    check_result(ops, &p, conv_reference);
    float *whole = p.out;
    p.out = malloc(rows * N * sizeof(float));
    for (size_t split = asked_tiny() ? 2 : 1; split < voxels && !asked_once();
         split = split * 2 + 1)
    {
        p.split = split << 3 * level;
        ops_run(ops, run_product, &p);
        assert_memory_equal(p.out, whole, rows * N * sizeof(float));
    }
    check_small_buffers(ops, &p, whole, rows * N);
    free(whole);
    free(p.out);
    free(base);
    free(in);
    free(bias);
    free(residual);
    free(stored);
    free(floats);
    ops_close(ops);
}

static void convolutions(enum tess_variant variant)
{
    run_conv(variant, 5, 3, 0, false, TESS_WEIGHT_CONV);
    if (asked_tiny())
        return;
    run_conv(variant, 33, 17, 0, true, TESS_WEIGHT_CONV);
    run_conv(variant, 7, 5, 1, true, TESS_WEIGHT_CONV);
    run_conv(variant, 34, 12, 2, true, TESS_WEIGHT_CONV);
}
OPS_TEST(convolutions)

// The same with the taps of a weight last.
static void dense_convolutions(enum tess_variant variant)
{
    run_conv(variant, 5, 3, 0, false, TESS_WEIGHT_CONV_DENSE);
    if (asked_tiny())
        return;
    run_conv(variant, 33, 17, 0, true, TESS_WEIGHT_CONV_DENSE);
    run_conv(variant, 1, 32, 0, false, TESS_WEIGHT_CONV_DENSE);
    run_conv(variant, 72, 9, 1, true, TESS_WEIGHT_CONV_DENSE);
}
OPS_TEST(dense_convolutions)

// More bytes of weights than a buffer holds in check_small_buffers().
static void large_weights(enum tess_variant variant)
{
    if (asked_tiny())
        return;
    run_linear(variant, 5, 300, 1030, false, TESS_WEIGHT_MATRIX, 7, TESS_ACT_SILU);
    run_linear(variant, 5, 600, 1030, true, TESS_WEIGHT_TRANSPOSED, 7, TESS_ACT_NONE);
    run_conv(variant, 260, 40, 0, false, TESS_WEIGHT_CONV);
    run_conv(variant, 500, 40, 0, true, TESS_WEIGHT_CONV_DENSE);
}
OPS_TEST(large_weights)

// ---- products of one material ----

// Inputs, weights in halves and what is added, for linear layers of `rows` rows and
// convolutions of `voxels` voxels.
struct material {
    int32_t coords[3 * OPS_VOXELS_MOST];
    size_t voxels;
    uint32_t *base; // neighbours
    float *in, *bias, *residual, *weights;
    uint16_t *halves; // of the weights
};

static struct product make_material(struct material *m, struct ops *ops, size_t rows,
                                    size_t N, size_t K, size_t voxels)
{
    m->voxels = ops_voxels(m->coords, voxels, 1);
    m->base = NULL;
    assert_int_equal(tess_neighbours_find(&m->base, &ops->env, m->coords, m->voxels),
                     TESS_OK);
    m->in = ops_floats((rows + m->voxels) * K, 1);
    m->bias = ops_floats(N, 2);
    m->residual = ops_floats((rows + m->voxels) * N, 3);
    m->halves = ops_halves(&m->weights, 27 * N * K, 4);
    return (struct product){.rows = rows,
                            .N = N,
                            .K = K,
                            .half = true,
                            .layout = TESS_WEIGHT_MATRIX,
                            .bias = true,
                            .residual = true,
                            .in = m->in,
                            .in_rows = rows,
                            .bias_values = m->bias,
                            .residual_values = m->residual,
                            .weights = m->weights,
                            .stored = m->halves};
}

// The convolution of the voxels with the same weights.
static struct product convolve(const struct material *m, struct product p)
{
    p.layout = TESS_WEIGHT_CONV;
    p.activation = TESS_ACT_NONE;
    p.rows = p.in_rows = m->voxels;
    p.base = m->base;
    return p;
}

static void free_material(struct material *m)
{
    free(m->base);
    free(m->in);
    free(m->bias);
    free(m->residual);
    free(m->weights);
    free(m->halves);
}

// ---- shapes of tiles ----

// With every parameter at its most, at its least, and both in turns: the same bytes.
enum { MOST, LEAST, IN_TURNS };

static void run_shapes(struct ops *ops, enum tess_variant variant, struct product *p,
                       unsigned from, unsigned to)
{
    size_t count = p->rows * p->N;
    float *expected = malloc(count * sizeof *expected);
    p->out = expected;
    ops_run(ops, run_product, p);
    p->out = malloc(count * sizeof *p->out);
    for (unsigned pattern = from; pattern <= to; pattern++) {
        struct tess_tuning tuning = *tess_device_tuning(ops->dev);
        for (int i = 0; i < TESS_TUNED_COUNT; i++) {
            const uint32_t *values = tess_tuned_values((enum tess_tuned)i, variant);
            unsigned last = 0;
            while (values[last + 1])
                last++;
            bool most = pattern == MOST || (pattern == IN_TURNS && i % 2);
            tuning.values[i] = values[most ? last : 0];
        }
        size_t bytes = tess_tuning_local_bytes(&tuning, variant);
        if (bytes > tess_device_facts(ops->dev)->local_memory) // of GPUs with little
            tuning.values[TESS_TUNED_PRODUCT_DEPTH] =
                tuning.values[TESS_TUNED_CONVOLUTION_DEPTH] = 8;
        tess_device_set_tuning(ops->dev, &tuning);
        ops_run(ops, run_product, p);
        assert_memory_equal(p->out, expected, count * sizeof *p->out);
    }
    free(p->out);
    free(expected);
}

static void shapes_of_tiles(enum tess_variant variant)
{
    struct ops *ops = ops_open(variant);
    struct material m;
    struct product linear =
        make_material(&m, ops, asked_tiny() ? 9 : 150, asked_tiny() ? 35 : 200, 37,
                      asked_tiny() ? 3 : 40);
    linear.activation = TESS_ACT_GELU_TANH;
    run_shapes(ops, variant, &linear, MOST, asked_tiny() ? MOST : LEAST);
    struct product conv = convolve(&m, linear);
    unsigned pattern = variant == TESS_VARIANT_CPU ? IN_TURNS : LEAST; // soon compiled
    if (!asked_tiny())
        run_shapes(ops, variant, &conv, pattern, pattern);
    free_material(&m);
    ops_close(ops);
}
OPS_TEST(shapes_of_tiles)

// ---- matrix units ----

// In halves, as the kernel rounds; its range is not left here.
static float rounded(float x)
{
    return tess_half_to_float(tess_float_to_half(x));
}

// Products of halves are exact in fp32, so this is what a chain of fma makes of them.
static float fast_sum(float sum, const float *in, const float *weights, size_t K)
{
    for (size_t k = 0; k < K; k++)
        sum = fmaf(rounded(in[k]), rounded(weights[k]), sum);
    return sum;
}

// To the bit what ordinary instructions make of rounded factors, however it is cut.
static void check_fast(struct ops *ops, struct product *p, const float *expected,
                       size_t step)
{
    size_t count = p->rows * p->N;
    p->out = malloc(count * sizeof *p->out);
    for (p->split = step; p->split < 4 * p->rows; p->split = p->split * 3 + step) {
        ops_run(ops, run_product, p);
        assert_memory_equal(p->out, expected, count * sizeof *p->out);
        if (asked_tiny())
            break;
    }
    free(p->out);
}

static void run_fast(struct ops *ops, struct product p, const int32_t *coords)
{
    float *expected = malloc(p.rows * p.N * sizeof *expected);
    for (size_t r = 0; r < p.rows; r++)
        for (size_t n = 0; n < p.N; n++) {
            float sum = 0;
            if (!coords)
                sum = fast_sum(0, p.in + r * p.K, p.weights + n * p.K, p.K);
            for (size_t tap = 0; coords && tap < 27; tap++) {
                uint32_t from = p.base[r * 27 + tap];
                if (from != TESS_NO_ROW)
                    sum = fast_sum(sum, p.in + from * p.K,
                                   p.weights + (n * 27 + tap) * p.K, p.K);
            }
            sum += p.bias ? p.bias_values[n] : 0;
            expected[r * p.N + n] = sum + p.residual_values[r * p.N + n];
        }
    check_fast(ops, &p, expected, coords ? p.rows : 7);
    free(expected);
}

static void test_matrix_unit(void **state)
{
    (void)state;
    struct ops *ops = ops_open(TESS_VARIANT_GPU);
    assert_int_equal(setenv("TESSELLA_MATRIX_UNIT", "portable", 1), 0);
    assert_int_equal(tess_matrix_unit_choose(ops->dev, &ops->budget, true), TESS_OK);
    assert_int_equal(tess_device_unit(ops->dev), TESS_UNIT_PORTABLE);
    struct material m;
    struct product p =
        make_material(&m, ops, asked_tiny() ? 7 : 130, asked_tiny() ? 18 : 100,
                      asked_tiny() ? 19 : 75, asked_tiny() ? 2 : 40);
    float *floats = ops_floats(27 * p.N * p.K, 5);
    run_fast(ops, p, NULL);
    if (!asked_tiny()) {
        struct product of_floats = p;
        of_floats.half = false;
        of_floats.stored = of_floats.weights = floats;
        run_fast(ops, of_floats, NULL);
        run_fast(ops, convolve(&m, p), m.coords);
    }
    free(floats);
    free_material(&m);
    ops_close(ops);
}

// ---- units of CPUs ----

// However rows are cut.
static void run_unit(bool most)
{
    linear_layers(TESS_VARIANT_CPU);
    if (most) {
        gates_and_activations(TESS_VARIANT_CPU);
        transposed_matrices(TESS_VARIANT_CPU);
        dense_convolutions(TESS_VARIANT_CPU);
        large_weights(TESS_VARIANT_CPU);
        // Several work-items, of parts of K, and a last tile of few rows.
        if (!asked_tiny())
            run_linear(TESS_VARIANT_CPU, 170, 300, 1030, true, TESS_WEIGHT_MATRIX, 7,
                       TESS_ACT_GELU_TANH);
        // As many inputs as are quantised, or more.
        for (size_t K = 8120; strcmp(unit_name, "avx2") == 0 && K <= 8200; K += 80)
            run_linear(TESS_VARIANT_CPU, 20, 300, K, true, TESS_WEIGHT_MATRIX, 1,
                       TESS_ACT_NONE);
    }
    convolutions(TESS_VARIANT_CPU);
}

OPS_UNITS(run_unit, TOLERANCE, "avx-portable")

// One product by a unit that quantises.
static void multiply_quantised(struct product *p, const char *unit)
{
    struct ops *ops = ops_open_unit(TESS_VARIANT_CPU, unit, true);
    p->out = malloc(p->rows * p->N * sizeof *p->out);
    ops_run(ops, run_product, p);
    ops_close(ops);
}

// Zeros stay zeros, and what is no number, or beyond all, is neither hidden nor spread to
// other rows; all instructions and their portable form give the same bytes.
static void test_quantised_numbers(void **state)
{
    (void)state;
    if (ops_unsuited(TESS_VARIANT_CPU))
        skip();
    enum { ROWS = 20, N = 40, K = 70 };
    float *in = ops_floats(ROWS * K, 1), *weights = ops_floats(N * K, 2);
    memset(in, 0, K * sizeof *in);
    in[1 * K + 33] = NAN;
    in[2 * K + 69] = INFINITY;
    in[3 * K] = 1e38f;
    struct product p = {.rows = ROWS,
                        .in_rows = ROWS,
                        .N = N,
                        .K = K,
                        .layout = TESS_WEIGHT_MATRIX,
                        .in = in,
                        .bias_values = weights, // not used, like these
                        .residual_values = in,
                        .stored = weights,
                        .weights = weights};
    multiply_quantised(&p, "avx-portable");
    for (size_t r = 0; r < ROWS; r++)
        for (size_t n = 0; n < N; n++) {
            float x = p.out[r * N + n];
            if (r == 0)
                assert_true(x == 0);
            else if (r == 1 || r == 2)
                assert_false(isfinite(x));
            else
                assert_true(isfinite(x) && x != 0);
        }
    static const char *const units[] = {"avx512-vnni", "avx-vnni", "avx2"};
    float *portable = p.out;
    for (int i = 0; i < 3; i++)
        if (ops_has_unit(units[i], true)) {
            multiply_quantised(&p, units[i]);
            assert_memory_equal(p.out + 3 * N, portable + 3 * N,
                                (ROWS - 3) * N * sizeof(float));
            free(p.out);
        }
    free(portable);
    free(weights);
    free(in);
}

// What cannot be built, or is not there, leaves products as they are.
static void test_no_matrix_unit(void **state)
{
    (void)state;
    struct ops *ops = ops_open(TESS_VARIANT_GPU);
    static const char *const names[] = {"none", "amd-wmma"};
    for (int i = 0; i < (asked_tiny() ? 1 : 2); i++) {
        assert_int_equal(setenv("TESSELLA_MATRIX_UNIT", names[i], 1), 0);
        assert_int_equal(tess_matrix_unit_choose(ops->dev, &ops->budget, true), TESS_OK);
        assert_int_equal(tess_device_unit(ops->dev), TESS_UNIT_NONE);
    }
    ops_close(ops);
}

// ---- benchmark ----

static enum tess_status bench_stage(struct tess_stage *stage, void *user)
{
    const struct product *p = user;
    struct tess_weight_block block;
    struct tess_weights *weights = NULL;
    const struct tess_weight *items;
    upload_block(p, &block);
    TESS_TRY(tess_weights_create(&weights, stage, &block, 1, 1));
    TESS_TRY(tess_weights_use(&items, weights, 0));
    struct tess_mat in = ops_upload(stage, p->rows, p->K, p->in);
    struct tess_mat out = ops_take(stage, p->rows, p->N);
    for (int i = 0; i < 4; i++)
        TESS_TRY(tess_matmul(stage, &(struct tess_matmul){.out = out,
                                                          .in = in,
                                                          .weight = &items[0],
                                                          .bias = &items[1],
                                                          .rows = p->rows,
                                                          .activation = p->activation}));
    tess_weights_destroy(&weights);
    return TESS_OK;
}

// The layers of a block of 768 channels last, GELU after the wide one.
static void bench(void)
{
    static const size_t sizes[][4] = {
        {4096, 1024, 1024, TESS_ACT_NONE},     {4096, 1024, 4096, TESS_ACT_NONE},
        {4096, 768, 768, TESS_ACT_NONE},       {4096, 768, 2304, TESS_ACT_NONE},
        {4096, 768, 3072, TESS_ACT_GELU_TANH}, {4096, 3072, 768, TESS_ACT_NONE}};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    if (getenv("TESSELLA_MATRIX_UNIT"))
        assert_int_equal(tess_matrix_unit_choose(ops->dev, &ops->budget, true), TESS_OK);
    printf("%s\n", tess_device_facts(ops->dev)->name);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int half = 0; half < 2; half++) {
            struct product p = {.rows = sizes[i][0],
                                .N = sizes[i][2],
                                .K = sizes[i][1],
                                .half = half,
                                .activation = (enum tess_matmul_activation)sizes[i][3],
                                .layout = TESS_WEIGHT_MATRIX};
            float *floats = NULL, *in = ops_floats(p.rows * p.K, 1),
                  *bias = ops_floats(p.N, 2);
            void *stored = half ? (void *)ops_halves(&floats, p.N * p.K, 3)
                                : ops_floats(p.N * p.K, 3);
            p.in = in;
            p.bias_values = bias;
            p.stored = stored;
            double seconds = ops_time(ops, bench_stage, &p) / 4;
            char what[80];
            snprintf(what, sizeof what, "matmul %zu x %zu x %zu, %s weights", p.rows, p.K,
                     p.N, half ? "fp16" : "fp32");
            ops_print_rate(what, 2.0 * (double)(p.rows * p.K * p.N),
                           4.0 * (double)(p.rows * (p.K + p.N)) +
                               (half ? 2.0 : 4.0) * (double)(p.K * p.N),
                           seconds);
            free(floats);
            free(in);
            free(bias);
            free(stored);
        }
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    OPS_BOTH(linear_layers),
    OPS_BOTH(gates_and_activations),
    OPS_BOTH(transposed_matrices),
    OPS_BOTH(convolutions),
    OPS_BOTH(dense_convolutions),
    OPS_BOTH(large_weights),
    OPS_BOTH(shapes_of_tiles),
    cmocka_unit_test(test_matrix_unit),
    cmocka_unit_test(test_no_matrix_unit),
    cmocka_unit_test(test_quantised_numbers),
    OPS_UNITS_TESTS,
};
OPS_MAIN(tests, bench)
