// Convolutions by minimal filtering against sums in double of all 27 taps.
//
// Tolerance: rows are sums of eight values, weights and results of as many and more, so
// errors are some times those of a chain of fused multiply-adds, which test_ops_matmul.c
// has below 1e-6.
#include "ops_voxels.h"

#include "op/winograd.h"

#define TOLERANCE 2e-6

static const char *unit_name; // that products are made with; NULL: none
static double tolerance = TOLERANCE;

// Of blocks of 2 x 2 x 2: voxels that are subdivided `level` + 1 times.
struct convolution {
    size_t blocks, N, K;
    bool doubled, bias, residual;
    enum tess_dtype dtype; // of the weights
    unsigned level;
    size_t split; // blocks of a call
    const float *in, *bias_values, *residual_values;
    const void *weights;  // [N][27][K]
    const uint32_t *base; // [blocks / 8^level][27]
    float *out;           // [8 blocks][N]
};

static size_t in_rows(const struct convolution *c)
{
    return c->doubled ? c->blocks : 8 * c->blocks;
}

static enum tess_status convolve_some(struct tess_stage *stage,
                                      const struct convolution *c,
                                      const struct tess_weight *items, struct tess_mat in,
                                      size_t block0, size_t blocks)
{
    struct tess_mat base, index,
        out = ops_take(stage, 8 * blocks, c->N),
        residual = ops_upload(stage, blocks, c->N, c->residual_values + block0 * c->N);
    base = ops_upload(stage, blocks >> 3 * c->level, 27,
                      c->base + (block0 >> 3 * c->level) * 27);
    TESS_TRY(tess_neighbours_subdivide(&index, stage, base, c->level));
    TESS_TRY(tess_winograd(
        stage, &(struct tess_winograd){.out = out,
                                       .in = in,
                                       .weight = &items[0],
                                       .bias = c->bias ? &items[1] : NULL,
                                       .residual = c->residual ? &residual : NULL,
                                       .rows = blocks,
                                       .index = index}));
    ops_download(stage, out, c->out + 8 * block0 * c->N);
    return TESS_OK;
}

static struct tess_weight_block block_of(const struct convolution *c)
{
    return (struct tess_weight_block){
        .count = 2,
        .items = {
            {.data = c->weights,
             .dtype = c->dtype,
             .layout = c->doubled ? TESS_WEIGHT_WINOGRAD_DOUBLED : TESS_WEIGHT_WINOGRAD,
             .outputs = (uint32_t)c->N,
             .inputs = (uint32_t)c->K},
            {.data = c->bias_values,
             .dtype = TESS_F32,
             .layout = TESS_WEIGHT_VECTOR,
             .outputs = (uint32_t)c->N,
             .inputs = 1}}};
}

static enum tess_status run_convolution(struct tess_stage *stage, void *user)
{
    const struct convolution *c = user;
    struct tess_weight_block block = block_of(c);
    struct tess_weights *weights = NULL;
    const struct tess_weight *items;
    TESS_TRY(tess_weights_create(&weights, stage, &block, 1, 1));
    TESS_TRY(tess_weights_use(&items, weights, 0));
    struct tess_mat in = ops_upload(stage, in_rows(c), c->K, c->in);
    for (size_t block0 = 0; block0 < c->blocks; block0 += c->split) {
        size_t left = c->blocks - block0;
        size_t mark = tess_arena_mark(tess_stage_arena(stage));
        TESS_TRY(convolve_some(stage, c, items, in, block0,
                               left < c->split ? left : c->split));
        tess_arena_release(tess_stage_arena(stage), mark);
    }
    tess_weights_destroy(&weights);
    return TESS_OK;
}

static double *reference_of(const struct convolution *c, const int32_t *coords,
                            const float *weights)
{
    double *out = malloc(8 * c->blocks * c->N * sizeof *out);
    for (size_t r = 0; r < 8 * c->blocks; r++) {
        long from[27];
        ops_fine_neighbours(from, coords, c->blocks >> 3 * c->level, c->level + 1, r);
        for (size_t n = 0; n < c->N; n++) {
            double sum = c->bias ? c->bias_values[n] : 0;
            sum += c->residual ? c->residual_values[r / 8 * c->N + n] : 0;
            for (size_t tap = 0; tap < 27; tap++) {
                size_t row = (size_t)(c->doubled ? from[tap] / 8 : from[tap]);
                for (size_t k = 0; k < c->K && from[tap] >= 0; k++)
                    sum += (double)c->in[row * c->K + k] *
                           weights[(n * 27 + tap) * c->K + k];
            }
            out[r * c->N + n] = sum;
        }
    }
    return out;
}

// In parts of any number of voxels, and with weights in parts, the same bytes.
static void check_parts(struct ops *ops, struct convolution *c, const float *whole)
{
    size_t bytes = 8 * c->blocks * c->N * sizeof(float), most = ops->budget.max_buffer;
    c->out = malloc(bytes);
    for (size_t voxels = asked_tiny() ? 2 : 1; voxels << 3 * c->level < c->blocks;
         voxels = voxels * 2 + 1)
    {
        c->split = voxels << 3 * c->level;
        ops_run(ops, run_convolution, c);
        assert_memory_equal(c->out, whole, bytes);
    }
    c->split = c->blocks;
    if (!asked_tiny()) { // weights are large enough for parts
        ops->budget.max_buffer = 1 << 20;
        ops_run(ops, run_convolution, c);
        assert_memory_equal(c->out, whole, bytes);
        ops->budget.max_buffer = most;
    }
    free(c->out);
}

static void run(enum tess_variant variant, size_t voxels, unsigned level, size_t N,
                size_t K, bool half, bool doubled)
{
    struct ops *ops = ops_open_unit(variant, unit_name, tolerance > TOLERANCE);
    int32_t coords[3 * OPS_VOXELS_MOST];
    voxels = ops_voxels(coords, voxels, N);
    uint32_t *base = NULL;
    assert_int_equal(tess_neighbours_find(&base, &ops->env, coords, voxels), TESS_OK);
    float *floats = NULL;
    void *stored =
        half ? (void *)ops_halves(&floats, 27 * N * K, 4) : ops_floats(27 * N * K, 4);
    struct convolution c = {.blocks = voxels << 3 * level,
                            .N = N,
                            .K = K,
                            .doubled = doubled,
                            .bias = N % 2,
                            .residual = K % 2,
                            .dtype = half ? TESS_F16 : TESS_F32,
                            .level = level,
                            .weights = stored,
                            .base = base};
    float *in = ops_floats(in_rows(&c) * K, 1), *bias = ops_floats(N, 2),
          *residual = ops_floats(c.blocks * N, 3);
    c.in = in;
    c.bias_values = bias;
    c.residual_values = residual;
    c.split = c.blocks;
    float *whole = c.out = malloc(8 * c.blocks * N * sizeof *whole);
    ops_run(ops, run_convolution, &c);
    double *reference = reference_of(&c, coords, half ? floats : stored);
    ops_expect(whole, reference, 8 * c.blocks * N, tolerance);
    if (!asked_once())
        check_parts(ops, &c, whole);
    free(reference);
    free(whole);
    free(in);
    free(bias);
    free(residual);
    free(floats);
    free(stored);
    free(base);
    ops_close(ops);
}

static void of_blocks(enum tess_variant variant)
{
    run(variant, 3, 0, 5, 3, false, false);
    if (asked_tiny())
        return;
    run(variant, 20, 0, 33, 17, true, false);
    run(variant, 20, 0, 16, 48, false, false);
    run(variant, 7, 1, 34, 12, true, false);
}
OPS_TEST(of_blocks)

static void of_doubled_blocks(enum tess_variant variant)
{
    run(variant, 3, 0, 5, 3, true, true);
    if (asked_tiny())
        return;
    run(variant, 20, 0, 33, 17, false, true);
    run(variant, 20, 0, 16, 48, true, true);
    run(variant, 9, 1, 20, 9, true, true);
}
OPS_TEST(of_doubled_blocks)

// More bytes of weights than a buffer holds in check_parts(), and more rows than are made
// at a time on CPUs.
static void large(enum tess_variant variant)
{
    if (asked_tiny())
        return;
    run(variant, 6, 0, 230, 20, true, false);
    run(variant, 18, 1, 72, 256, true, true);
}
OPS_TEST(large)

// ---- matrix units ----

static void run_unit(bool most)
{
    (void)most;
    of_blocks(TESS_VARIANT_CPU);
    of_doubled_blocks(TESS_VARIANT_CPU);
}

// Nothing is quantised, so the smallest cases would be those of other tests.
OPS_UNITS(run_unit, TOLERANCE, "none")

// Rows and weights are rounded to halves.
static void test_matrix_unit(void **state)
{
    (void)state;
    if (asked_tiny())
        skip(); // minutes under Oclgrind, and tests/test_ops_matmul.c has its products
    unit_name = "portable";
    tolerance = 0x1p-10;
    of_blocks(TESS_VARIANT_GPU);
    of_doubled_blocks(TESS_VARIANT_GPU);
    unit_name = NULL;
    tolerance = TOLERANCE;
}

// ---- benchmark ----

// A grid without holes.
static uint32_t *full_grid(struct ops *ops, int32_t side)
{
    size_t count = (size_t)(side * side * side);
    int32_t *coords = malloc(count * 3 * sizeof *coords);
    for (int32_t i = 0; i < side * side * side; i++)
        memcpy(coords + 3 * i, (int32_t[]){i / side / side, i / side % side, i % side},
               3 * sizeof *coords);
    uint32_t *base = NULL;
    assert_int_equal(tess_neighbours_find(&base, &ops->env, coords, count), TESS_OK);
    free(coords);
    return base;
}

// Those of the mesh decoder, packing of weights included.
static void bench(void)
{
    static const size_t sizes[][4] = {
        {16, 768, 192, true}, {16, 192, 192}, {32, 192, 96, true}, {32, 96, 96}};
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    if (getenv("TESSELLA_MATRIX_UNIT"))
        assert_int_equal(tess_matrix_unit_choose(ops->dev, &ops->budget, true), TESS_OK);
    printf("%s\n", tess_device_facts(ops->dev)->name);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t side = sizes[i][0], K = sizes[i][1], N = sizes[i][2],
               products = sizes[i][3] ? 27 : 64;
        uint32_t *base = full_grid(ops, (int32_t)side);
        struct convolution c = {.blocks = side * side * side,
                                .N = N,
                                .K = K,
                                .doubled = sizes[i][3],
                                .dtype = TESS_F32,
                                .base = base};
        float *in = ops_floats(in_rows(&c) * K, 1), *stored = ops_floats(27 * N * K, 2),
              *bias = ops_floats(N, 3), *residual = ops_floats(c.blocks * N, 4);
        c.in = in;
        c.weights = stored;
        c.bias_values = bias;
        c.residual_values = residual;
        c.split = c.blocks;
        c.out = malloc(8 * c.blocks * N * sizeof *c.out);
        double seconds = ops_time(ops, run_convolution, &c);
        char what[80];
        snprintf(what, sizeof what, "%zu blocks, %zu to %zu channels%s", c.blocks, K, N,
                 c.doubled ? ", doubled" : "");
        ops_print_rate(what, 2.0 * (double)(c.blocks * products * K * N),
                       4.0 * (double)(in_rows(&c) * K + 8 * c.blocks * N), seconds);
        free(base);
        free(in);
        free(stored);
        free(bias);
        free(residual);
        free(c.out);
    }
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    OPS_BOTH(of_blocks), OPS_BOTH(of_doubled_blocks),        OPS_BOTH(large),
    OPS_UNITS_TESTS,     cmocka_unit_test(test_matrix_unit),
};
OPS_MAIN(tests, bench)
