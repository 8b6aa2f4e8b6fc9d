// Layer norm, normalised heads and group norm against sums in double. Tolerance: a few
// roundings of fp32.
#include "ops_common.h"

#include "op/norm.h"

#define TOLERANCE 1e-6

// ---- layer norm ----

struct layernorm {
    size_t rows, C, split;
    bool affine, in_place;
    const float *in, *weight, *bias;
    float *out;
};

static enum tess_status run_layernorm(struct tess_stage *stage, void *user)
{
    const struct layernorm *l = user;
    struct tess_mat weight = ops_upload(stage, 1, l->C, l->weight);
    struct tess_mat bias = ops_upload(stage, 1, l->C, l->bias);
    size_t step = l->split ? l->split : l->rows;
    for (size_t row = 0; row < l->rows; row += step) {
        size_t rows = l->rows - row < step ? l->rows - row : step;
        struct tess_mat in = ops_upload(stage, rows, l->C, l->in + row * l->C);
        struct tess_mat out = l->in_place ? in : ops_take(stage, rows, l->C);
        TESS_TRY(tess_layernorm(
            stage, &(struct tess_layernorm){.out = out,
                                            .in = in,
                                            .eps = 1e-5f,
                                            .weight = l->affine ? &weight.data : NULL,
                                            .bias = l->affine ? &bias.data : NULL,
                                            .silu = l->in_place}));
        ops_download(stage, out, l->out + row * l->C);
    }
    return TESS_OK;
}

static void check_layernorm(struct ops *ops, size_t rows, size_t C, bool affine,
                            bool in_place)
{
    float *in = ops_floats(rows * C, C), *weight = ops_floats(C, 1),
          *bias = ops_floats(C, 2);
    for (size_t i = 0; i < rows * C; i++)
        in[i] = in[i] * 3 + 5; // a mean that does not vanish
    struct layernorm l = {.rows = rows,
                          .C = C,
                          .affine = affine,
                          .in_place = in_place,
                          .in = in,
                          .weight = weight,
                          .bias = bias};
    l.out = malloc(rows * C * sizeof(float));
    ops_run(ops, run_layernorm, &l);
    double *reference = malloc(rows * C * sizeof *reference);
    for (size_t r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (size_t c = 0; c < C; c++)
            mean += in[r * C + c] / (double)C;
        for (size_t c = 0; c < C; c++)
            variance += (in[r * C + c] - mean) * (in[r * C + c] - mean) / (double)C;
        for (size_t c = 0; c < C; c++) {
            double y = (in[r * C + c] - mean) / sqrt(variance + 1e-5f);
            y = affine ? y * weight[c] + bias[c] : y;
            reference[r * C + c] = in_place ? y / (1 + exp(-y)) : y;
        }
    }
    // Values around 5 cost some bits when the mean is taken off.
    ops_expect(l.out, reference, rows * C, 4 * TOLERANCE);
    float *whole = l.out;
    l.out = malloc(rows * C * sizeof(float));
    l.split = 2;
    ops_run(ops, run_layernorm, &l);
    assert_memory_equal(l.out, whole, rows * C * sizeof(float));
    free(whole);
    free(l.out);
    free(reference);
    free(in);
    free(weight);
    free(bias);
}

static void layer_norms(enum tess_variant variant)
{
    static const size_t channels[] = {2, 16, 17, 100, 768, 1023};
    struct ops *ops = ops_open(variant);
    for (size_t i = 0; i < (asked_tiny() ? 3 : sizeof channels / sizeof *channels); i++) {
        check_layernorm(ops, 5, channels[i], false, false);
        check_layernorm(ops, 3, channels[i], true, true);
    }
    ops_close(ops);
}
OPS_TEST(layer_norms)

// ---- normalised heads ----

struct heads {
    size_t rows, cols, col, heads, channels, split;
    const float *in, *gamma;
    float *out;
};

static enum tess_status run_heads(struct tess_stage *stage, void *user)
{
    const struct heads *h = user;
    struct tess_mat gamma = ops_upload(stage, h->heads, h->channels, h->gamma);
    size_t step = h->split ? h->split : h->rows;
    for (size_t row = 0; row < h->rows; row += step) {
        size_t rows = h->rows - row < step ? h->rows - row : step;
        struct tess_mat x = ops_upload(stage, rows, h->cols, h->in + row * h->cols);
        TESS_TRY(
            tess_normalise_heads(stage, x, h->col, h->heads, h->channels, &gamma.data));
        ops_download(stage, x, h->out + row * h->cols);
    }
    return TESS_OK;
}

// The heads in place, the columns around them untouched; zeros stay zeros.
static void check_heads(struct ops *ops, struct heads h)
{
    size_t width = h.heads * h.channels, count = h.rows * h.cols;
    float *in = ops_floats(count, 7), *gamma = ops_floats(width, 8);
    for (size_t d = 0; d < h.channels; d++)
        in[h.col + d] = 0;
    h.in = in;
    h.gamma = gamma;
    h.out = malloc(count * sizeof(float));
    ops_run(ops, run_heads, &h);
    double *reference = malloc(count * sizeof *reference);
    for (size_t i = 0; i < count; i++) {
        size_t row = i / h.cols, c = i % h.cols - h.col; // wraps round before the heads
        double length = 0;
        reference[i] = in[i];
        if (c >= width) {
            assert_true(h.out[i] == in[i]);
            continue;
        }
        for (size_t d = 0; d < h.channels; d++) {
            double x = in[row * h.cols + h.col + c / h.channels * h.channels + d];
            length += x * x;
        }
        reference[i] *= gamma[c] * sqrt((double)h.channels) / fmax(sqrt(length), 1e-12);
    }
    ops_expect(h.out, reference, count, TOLERANCE);
    float *whole = h.out;
    h.out = malloc(count * sizeof(float));
    h.split = 2;
    ops_run(ops, run_heads, &h);
    assert_memory_equal(h.out, whole, count * sizeof(float));
    free(whole);
    free(h.out);
    free(reference);
    free(in);
    free(gamma);
}

static void normalised_heads(enum tess_variant variant)
{
    struct ops *ops = ops_open(variant);
    check_heads(ops, (struct heads){3, 14, 4, 2, 3, 0, NULL, NULL, NULL});
    if (!asked_tiny()) {
        check_heads(ops, (struct heads){67, 3 * 48, 48, 3, 16, 0, NULL, NULL, NULL});
        check_heads(ops, (struct heads){5, 3 * 256, 0, 4, 64, 0, NULL, NULL, NULL});
        check_heads(ops, (struct heads){1, 33, 0, 1, 33, 0, NULL, NULL, NULL});
    }
    ops_close(ops);
}
OPS_TEST(normalised_heads)

// ---- group norm ----

struct groupnorm {
    size_t rows, C, groups, block, split;
    const float *in, *weight, *bias;
    float *out;
};

static enum tess_status run_groupnorm(struct tess_stage *stage, void *user)
{
    const struct groupnorm *g = user;
    struct tess_group_stats stats;
    TESS_TRY(tess_group_stats_create(&stats, stage, g->rows, g->C, g->block));
    for (size_t row = 0; row < g->rows; row += g->split) {
        size_t rows = g->rows - row < g->split ? g->rows - row : g->split;
        struct tess_mat in = ops_upload(stage, rows, g->C, g->in + row * g->C);
        TESS_TRY(tess_group_stats_add(&stats, in, row));
    }
    struct tess_mat scale, shift;
    enum tess_status status = tess_group_stats_finish(&scale, &shift, &stats, g->groups,
                                                      1e-5f, g->weight, g->bias);
    tess_group_stats_clear(&stats);
    TESS_TRY(status);
    struct tess_mat x = ops_upload(stage, g->rows, g->C, g->in);
    TESS_TRY(tess_scale_silu(stage, x, scale, shift));
    ops_download(stage, x, g->out);
    return TESS_OK;
}

static void check_groupnorm(struct ops *ops, size_t rows, size_t C, size_t groups,
                            size_t block)
{
    float *in = ops_floats(rows * C, C), *weight = ops_floats(C, 1),
          *bias = ops_floats(C, 2);
    for (size_t i = 0; i < rows * C; i++)
        in[i] += (float)(i % C % 7);
    struct groupnorm g = {.rows = rows,
                          .C = C,
                          .groups = groups,
                          .block = block,
                          .split = rows,
                          .in = in,
                          .weight = weight,
                          .bias = bias};
    g.out = malloc(rows * C * sizeof(float));
    ops_run(ops, run_groupnorm, &g);
    double *reference = malloc(rows * C * sizeof *reference);
    size_t width = C / groups;
    for (size_t c0 = 0; c0 < C; c0 += width) {
        double mean = 0, variance = 0, count = (double)(rows * width);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = c0; c < c0 + width; c++)
                mean += in[r * C + c] / count;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = c0; c < c0 + width; c++)
                variance += (in[r * C + c] - mean) * (in[r * C + c] - mean) / count;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = c0; c < c0 + width; c++) {
                double y =
                    (in[r * C + c] - mean) / sqrt(variance + 1e-5f) * weight[c] + bias[c];
                reference[r * C + c] = y / (1 + exp(-y));
            }
    }
    ops_expect(g.out, reference, rows * C, 4 * TOLERANCE);
    float *whole = g.out;
    g.out = malloc(rows * C * sizeof(float));
    for (g.split = block; g.split < rows; g.split += 2 * block) {
        ops_run(ops, run_groupnorm, &g);
        assert_memory_equal(g.out, whole, rows * C * sizeof(float));
    }
    free(whole);
    free(g.out);
    free(reference);
    free(in);
    free(weight);
    free(bias);
}

static void group_norms(enum tess_variant variant)
{
    struct ops *ops = ops_open(variant);
    check_groupnorm(ops, 1, 4, 2, 8);
    check_groupnorm(ops, 21, 6, 3, 8);
    if (!asked_tiny()) {
        check_groupnorm(ops, 1000, 96, 32, 64);
        check_groupnorm(ops, 513, 64, 32, 256);
    }
    ops_close(ops);
}
OPS_TEST(group_norms)

static enum tess_status bench_layernorm(struct tess_stage *stage, void *user)
{
    const struct layernorm *l = user;
    struct tess_mat in = ops_upload(stage, l->rows, l->C, l->in);
    struct tess_mat out = ops_take(stage, l->rows, l->C);
    for (int i = 0; i < 8; i++)
        TESS_TRY(tess_layernorm(
            stage, &(struct tess_layernorm){.out = out, .in = in, .eps = 1e-5f}));
    return TESS_OK;
}

static void bench(void)
{
    struct ops *ops = ops_open(TESS_VARIANT_AUTO);
    struct layernorm l = {.rows = 16384, .C = 768};
    float *in = ops_floats(l.rows * l.C, 1);
    l.in = in;
    double seconds = ops_time(ops, bench_layernorm, &l) / 8;
    printf("%s\n", tess_device_facts(ops->dev)->name);
    ops_print_rate("layer norm 16384 x 768", 8.0 * (double)(l.rows * l.C),
                   8.0 * (double)(l.rows * l.C), seconds);
    free(in);
    ops_close(ops);
}

static const struct CMUnitTest tests[] = {
    OPS_BOTH(layer_norms),
    OPS_BOTH(normalised_heads),
    OPS_BOTH(group_norms),
};
OPS_MAIN(tests, bench)
