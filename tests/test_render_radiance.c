// Radiance fields to pictures: compared with a march in double that asks of each step in
// which voxel it is, with what can be told without one, and with themselves at other
// budgets and variants.
#include "test_render.h"

#include "render/radiance.h"

static struct tess_picture draw_field(struct setting *s,
                                      const struct tess_radiance *field,
                                      const struct tess_camera *camera, uint32_t size,
                                      uint32_t supersampling, enum tess_channel channel)
{
    struct tess_picture picture;
    struct tess_stage_report report;
    if (tess_render_radiance(&picture, &report, s->dev, &s->budget, field, camera, size,
                             supersampling, channel))
        fail_msg("%s", s->env.message);
    return picture;
}

static struct tess_radiance create_field(size_t voxels, uint32_t resolution,
                                         uint32_t rank, uint32_t dim)
{
    struct tess_env env = {{0}};
    struct tess_radiance field;
    assert_int_equal(tess_radiance_create(&field, &env, voxels, resolution, rank, dim),
                     TESS_OK);
    return field;
}

// Different voxels of the grid in random order, with random values: densities of a
// stretch from nearly nothing to nearly opaque.
static struct tess_radiance make_field(size_t voxels, uint32_t resolution, uint32_t rank,
                                       uint32_t dim)
{
    struct tess_radiance field = create_field(voxels, resolution, rank, dim);
    uint32_t total = resolution * resolution * resolution;
    uint32_t *numbers = calloc(total, sizeof *numbers);
    assert_non_null(numbers);
    for (uint32_t i = 0; i < total; i++)
        numbers[i] = i;
    for (size_t i = 0; i < voxels; i++) {
        size_t other = i + (size_t)(random_unit() * (double)(total - i));
        uint32_t number = numbers[other];
        numbers[other] = numbers[i];
        field.coords[3 * i] = (int32_t)(number / resolution / resolution);
        field.coords[3 * i + 1] = (int32_t)(number / resolution % resolution);
        field.coords[3 * i + 2] = (int32_t)(number % resolution);
    }
    free(numbers);
    for (size_t i = 0; i < voxels * rank * 3 * dim; i++)
        field.vectors[i] = (float)random_in(0.4, 1.6);
    for (size_t i = 0; i < voxels * rank; i++)
        field.densities[i] = (float)(random_in(-2, 3) * resolution / rank);
    for (size_t i = 0; i < voxels * rank * 3; i++)
        field.colours[i] = (float)(random_in(-8, 8) / rank);
    return field;
}

// ---- the reference ----

static double at_place(const float *vector, double place, int dim)
{
    double u = place * dim - 0.5;
    int i = (int)u;
    i = i < 0 ? 0 : i > dim - 2 ? dim - 2 : i;
    return vector[i] + (u - i) * (vector[i + 1] - vector[i]);
}

// Red, green, blue, density.
static void look_up(double out[4], const struct tess_radiance *field, size_t voxel,
                    const double place[3])
{
    double sums[4] = {0};
    for (size_t r = 0; r < field->rank; r++) {
        size_t row = voxel * field->rank + r;
        double product = 1;
        for (size_t a = 0; a < 3; a++)
            product *= at_place(field->vectors + (row * 3 + a) * field->dim, place[a],
                                (int)field->dim);
        for (size_t c = 0; c < 3; c++)
            sums[c] += 0.28209479177387814 * field->colours[3 * row + c] * product;
        sums[3] += field->densities[row] * product;
    }
    for (int c = 0; c < 3; c++)
        out[c] = 1 / (1 + exp(-sums[c]));
    out[3] = sums[3] > 10 ? sums[3] : log1p(exp(sums[3]));
}

// The voxel of a place in the grid, or -1.
static long voxel_at(const int32_t *numbers, const struct tess_radiance *field,
                     const double place[3])
{
    long R = field->resolution, at = 0;
    for (int k = 0; k < 3; k++) {
        long c = (long)floor(place[k]);
        if (c < 0 || c >= R)
            return -1;
        at = at * R + c;
    }
    return numbers[at];
}

static int32_t *number_voxels(const struct tess_radiance *field,
                              const struct tess_view *view)
{
    size_t R = field->resolution;
    int32_t *numbers = calloc(R * R * R, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < R * R * R; i++)
        numbers[i] = -1;
    for (size_t i = 0; i < field->voxels; i++) {
        const int32_t *c = field->coords + 3 * i;
        double depth = view->translation[2];
        for (int k = 0; k < 3; k++)
            depth += view->rotation[2][k] * ((c[k] + 0.5) / (double)R - 0.5);
        if (depth > 0.2)
            numbers[((size_t)c[0] * R + (size_t)c[1]) * R + (size_t)c[2]] = (int32_t)i;
    }
    return numbers;
}

// Sums of one ray.
static void march(double out[4], const struct tess_radiance *field,
                  const int32_t *numbers, const struct tess_view *view,
                  const double ray[2], bool depth)
{
    double R = field->resolution, step = 1 / (R * 2 * field->dim), T = 1;
    double length = sqrt(ray[0] * ray[0] + ray[1] * ray[1] + 1);
    double far = length * (view->translation[2] + 1);
    for (int n = 0; (n + 0.5) * step < far && T >= 1e-3; n++) {
        double t = (n + 0.5) * step, at[3], place[3], value[4];
        for (int k = 0; k < 3; k++) {
            double d = view->rotation[0][k] * ray[0] + view->rotation[1][k] * ray[1] +
                       view->rotation[2][k];
            at[k] = (view->eye[k] + 0.5 + t * d / length) * R;
            place[k] = at[k] - floor(at[k]);
        }
        long voxel = voxel_at(numbers, field, at);
        if (voxel < 0)
            continue;
        look_up(value, field, (size_t)voxel, place);
        double z = t / length, front = view->translation[2] + sqrt(0.75);
        for (int c = 0; c < 3 && depth; c++)
            value[c] = fmin(fmax((front - z) / sqrt(3), 0), 1);
        double a = fmin(1 - exp(-value[3] * step), 0.999);
        for (int c = 0; c < 3; c++)
            out[c] += value[c] * a * T;
        T *= 1 - a;
    }
    out[3] += 1 - T;
}

static double *reference_field(const struct tess_radiance *field,
                               const struct tess_camera *camera, uint32_t size,
                               uint32_t S, bool depth)
{
    struct tess_view view;
    tess_camera_view(&view, camera);
    int32_t *numbers = number_voxels(field, &view);
    double *out = calloc((size_t)size * size * 4, sizeof *out);
    assert_non_null(out);
    for (uint32_t y = 0; y < size * S; y++)
        for (uint32_t x = 0; x < size * S; x++) {
            double sums[4] = {0}, W = size * S;
            double ray[2] = {(2 * (x + 0.5) / W - 1) * view.tangent,
                             (2 * (y + 0.5) / W - 1) * view.tangent};
            march(sums, field, numbers, &view, ray, depth);
            for (size_t c = 0; c < 4; c++)
                out[((size_t)(y / S) * size + x / S) * 4 + c] += sums[c] / (S * S);
        }
    free(numbers);
    return out;
}

static void test_radiance(void **state)
{
    (void)state;
    static const struct {
        uint32_t resolution, rank, dim, size, supersampling;
        size_t voxels;
        float radius, fov;
        bool depth;
    } cases[] = {
        {4, 3, 4, 17, 1, 20, 0, 0, false},      {8, 16, 8, 50, 1, 200, 0, 0, false},
        {5, 1, 2, 33, 2, 60, 0, 0, false},      {16, 20, 5, 40, 1, 900, 0, 0, false},
        {8, 16, 8, 30, 3, 512, 0, 0, false},    {8, 4, 8, 40, 1, 300, 0.6f, 1.2f, false},
        {10, 2, 3, 40, 1, 400, 0.1f, 1, false}, {8, 16, 8, 40, 1, 200, 0, 0, true},
    };
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 1;
        for (size_t i = 0; i < (asked_tiny() ? 1 : sizeof cases / sizeof *cases); i++) {
            struct tess_radiance field = make_field(cases[i].voxels, cases[i].resolution,
                                                    cases[i].rank, cases[i].dim);
            struct tess_camera camera = {(float)random_in(0, 6), (float)random_in(-1, 1),
                                         cases[i].radius, cases[i].fov};
            uint32_t size = cases[i].size, S = cases[i].supersampling;
            struct tess_picture picture =
                draw_field(s, &field, &camera, size, S,
                           cases[i].depth ? TESS_CHANNEL_DEPTH : TESS_CHANNEL_COLOUR);
            double *reference = reference_field(&field, &camera, size, S, cases[i].depth);
            compare_blended(&picture, reference);
            free(reference);
            tess_picture_clear(&picture);
            tess_radiance_clear(&field);
        }
        close_setting(s);
    }
}

// One voxel of constant values, whose rays have 2 D steps from face to face.
static void test_radiance_constant(void **state)
{
    (void)state;
    static const float densities[] = {-3, 0, 5, 60, 4000};
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        for (size_t i = 0; i < sizeof densities / sizeof *densities; i++) {
            struct tess_radiance field = create_field(1, 1, 1, 4);
            for (size_t k = 0; k < 12; k++)
                field.vectors[k] = 1;
            field.densities[0] = densities[i];
            field.colours[0] = 100;
            field.colours[1] = -100;
            // From so far away that rays are almost parallel to the axis.
            struct tess_camera camera = {.radius = 200, .fov = 0.003f};
            struct tess_picture picture =
                draw_field(s, &field, &camera, 9, 1, TESS_CHANNEL_COLOUR);
            double d = densities[i], sigma = d > 10 ? d : log1p(exp(d));
            double a = fmin(1 - exp(-sigma / 8), 0.999), T = 1;
            for (int n = 0; n < 8 && T >= 1e-3; n++)
                T *= 1 - a;
            const uint8_t *middle = picture.pixels + 4 * (4 * 9 + 4);
            assert_true(fabs(middle[3] - 255 * (1 - T)) <= 1);
            assert_true(middle[0] >= 253 && middle[1] == 0); // sigmoid(28), sigmoid(-28)
            assert_true(abs(middle[2] - 127) <= 4);
            tess_picture_clear(&picture);
            tess_radiance_clear(&field);
        }
        close_setting(s);
    }
}

// Numbers whose products are not, and pictures with nothing in them.
static void test_radiance_extremes(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_radiance field = create_field(0, 64, 16, 8);
    struct tess_picture picture =
        draw_field(s, &field, &(struct tess_camera){0}, 20, 1, TESS_CHANNEL_COLOUR);
    assert_transparent(&picture);
    tess_picture_clear(&picture);
    tess_radiance_clear(&field);

    field = create_field(1, 1, 3, 2);
    for (size_t k = 0; k < 18; k++)
        field.vectors[k] = k % 2 ? 3e38f : -3e38f;
    for (size_t k = 0; k < 3; k++)
        field.densities[k] = k ? 3e38f : -3e38f;
    for (size_t k = 0; k < 9; k++)
        field.colours[k] = k % 3 ? -3e38f : 3e38f;
    picture = draw_field(s, &field, &(struct tess_camera){0}, 20, 1, TESS_CHANNEL_COLOUR);
    struct tess_picture again =
        draw_field(s, &field, &(struct tess_camera){0}, 20, 1, TESS_CHANNEL_COLOUR);
    assert_same(&picture, &again);
    tess_picture_clear(&picture);
    tess_picture_clear(&again);

    // Behind the eye, and beside the picture.
    static const struct tess_camera away[] = {{.radius = 0.1f}, {.fov = 0.05f}};
    field = create_field(1, 4, 1, 2);
    for (size_t k = 0; k < 6; k++)
        field.vectors[k] = 1;
    field.densities[0] = 1000;
    memcpy(field.coords, ((int32_t[]){2, 3, 2}), 3 * sizeof(int32_t));
    for (int i = 0; i < 2; i++) {
        picture = draw_field(s, &field, &away[i], 20, 1, TESS_CHANNEL_COLOUR);
        assert_transparent(&picture);
        tess_picture_clear(&picture);
        field.coords[2] = 0;
    }
    tess_radiance_clear(&field);
    close_setting(s);
}

// Budgets from the smallest that works to the device's own: more voxels than a segment of
// a band holds.
static void test_radiance_budgets(void **state)
{
    (void)state;
    const size_t voxels = asked_tiny() ? 40 : 3000;
    const uint32_t size = asked_tiny() ? 17 : 100, S = asked_tiny() ? 1 : 3;
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 2;
        struct tess_radiance field = make_field(voxels, asked_tiny() ? 4 : 16, 16, 8);
        struct tess_camera camera = {0.3f, 0.4f, 0, 0};
        struct tess_picture wanted =
            draw_field(s, &field, &camera, size, S, TESS_CHANNEL_COLOUR);
        struct tess_stage_report report;
        assert_int_equal(tess_render_radiance_plan(
                             &report, s->dev, &s->budget,
                             &(struct tess_radiance){
                                 .resolution = field.resolution, .rank = 16, .dim = 8},
                             size, S),
                         TESS_OK);
        size_t floor = report.floor_bytes;
        for (int step = 0; step < 4; step++) {
            struct tess_budget budget = s->budget;
            budget.device_bytes = floor << step;
            if (step == 3)
                budget.max_buffer = 1 << 20;
            struct tess_picture picture;
            if (tess_render_radiance(&picture, &report, s->dev, &budget, &field, &camera,
                                     size, S, TESS_CHANNEL_COLOUR))
                fail_msg("%s", s->env.message);
            if (step == 0 && !asked_tiny()) // more segments than bands
                assert_true(report.counters.launches > 2 * report.spans[0].runs);
            assert_true(report.peak_bytes <= budget.device_bytes);
            assert_same(&picture, &wanted);
            tess_picture_clear(&picture);
        }
        struct tess_budget budget = s->budget;
        budget.device_bytes = floor / 2;
        struct tess_picture untouched = {7, 7, NULL};
        assert_int_equal(tess_render_radiance(&untouched, &report, s->dev, &budget,
                                              &field, &camera, size, S,
                                              TESS_CHANNEL_COLOUR),
                         TESS_ERR_BUDGET);
        assert_int_equal(untouched.width, 7);
        assert_int_equal(tess_render_radiance(&untouched, &report, s->dev, &s->budget,
                                              &field, &camera, 8193, S,
                                              TESS_CHANNEL_COLOUR),
                         TESS_ERR_ARG);
        tess_picture_clear(&wanted);
        tess_radiance_clear(&field);
        close_setting(s);
    }
}

// An argument picks tests by a pattern.
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_radiance),
        cmocka_unit_test(test_radiance_constant),
        cmocka_unit_test(test_radiance_extremes),
        cmocka_unit_test(test_radiance_budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
