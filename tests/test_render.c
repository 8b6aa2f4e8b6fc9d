// Cameras, splats, contact sheets and limits. Splats are compared with a rasteriser in
// double that follows the same rules sample by sample, and with themselves at other
// budgets and variants.
#include "test_render.h"

#include "render/sheet.h"
#include "render/splat.h"

#define TILE 16

static struct tess_picture draw_splats(struct setting *s,
                                       const struct tess_splats *splats,
                                       const struct tess_camera *camera, uint32_t size,
                                       uint32_t supersampling)
{
    struct tess_picture picture;
    struct tess_stage_report report;
    if (tess_render_splats(&picture, &report, s->dev, &s->budget, splats, camera, size,
                           supersampling, TESS_CHANNEL_COLOUR))
        fail_msg("%s", s->env.message);
    return picture;
}

// ---- cameras ----

static void test_camera(void **state)
{
    (void)state;
    struct tess_view view;
    tess_camera_view(&view, &(struct tess_camera){0});
    assert_float_equal(view.focal, 1.37373871, 1e-7);
    const double expected[3][3] = {{-1, 0, 0}, {0, 0, -1}, {0, -1, 0}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            assert_float_equal(view.rotation[i][k], expected[i][k], 1e-12);
    assert_float_equal(view.eye[1], 2, 1e-12);
    assert_float_equal(view.translation[2], 2, 1e-12);

    // The rule itself, and t = -R eye, at other places; straight up from below as well.
    for (int i = 0; i < 50; i++) {
        float pitch = i ? (float)random_in(-1.57, 1.57) : -1.57079632679f;
        struct tess_camera camera = {(float)random_in(-7, 7), pitch, 3, 0.5f};
        tess_camera_view(&view, &camera);
        double d[3] = {-view.eye[0], -view.eye[1], -view.eye[2]};
        double x[3] = {d[1], -d[0], 0}; // (0, 0, -1) x d
        double length = sqrt(x[0] * x[0] + x[1] * x[1]);
        for (int k = 0; k < 3; k++) {
            assert_float_equal(view.rotation[0][k], (float)(x[k] / length), 1e-6);
            assert_float_equal(view.rotation[2][k], d[k] / 3, 1e-12);
            double t = 0;
            for (int m = 0; m < 3; m++)
                t -= view.rotation[k][m] * view.eye[m];
            assert_float_equal(view.translation[k], t, 1e-12);
        }
    }
    assert_float_equal(tess_turntable_yaw(0, 8), 0, 0);
    assert_float_equal(tess_turntable_yaw(2, 8), 1.5707964, 1e-6);
}

// ---- splats ----

static struct tess_splats make_splats(size_t count, double scale_low, double scale_high)
{
    struct tess_env env = {{0}};
    struct tess_splats splats;
    assert_int_equal(tess_splats_create(&splats, &env, count), TESS_OK);
    for (size_t i = 0; i < count; i++) {
        double q[4], length = 0;
        for (int k = 0; k < 4; k++) {
            q[k] = random_in(-1, 1);
            length += q[k] * q[k];
        }
        for (size_t k = 0; k < 4; k++)
            splats.rotations[4 * i + k] = (float)(q[k] / sqrt(length));
        for (size_t k = 0; k < 3; k++) {
            splats.positions[3 * i + k] = (float)random_in(-0.5, 0.5);
            splats.scales[3 * i + k] =
                (float)(scale_low * pow(scale_high / scale_low, random_unit()));
            splats.colours[3 * i + k] = (float)random_in(-2.2, 2);
        }
        splats.opacities[i] = (float)random_in(0, 1);
    }
    return splats;
}

struct projected {
    double x, y, conic[3], opacity, rgb[3];
    float depth;
    size_t index;
    int box[4]; // tiles
};

// One splat by the rules, in double. False: skipped.
static bool project_reference(struct projected *out, const struct tess_splats *splats,
                              size_t i, const struct tess_view *view, double W)
{
    double t[3], sigma[3][3], R[3][3], f = view->focal * W;
    const float *p = splats->positions + 3 * i, *q = splats->rotations + 4 * i;
    for (int k = 0; k < 3; k++)
        t[k] = view->rotation[k][0] * p[0] + view->rotation[k][1] * p[1] +
               view->rotation[k][2] * p[2] + view->translation[k];
    if (t[2] <= 0.2)
        return false;
    double w = q[0], x = q[1], y = q[2], z = q[3];
    const double Q[3][3] = {
        {1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
        {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
        {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}};
    for (int a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++) {
            R[a][b] = 0;
            for (int k = 0; k < 3; k++)
                R[a][b] += view->rotation[a][k] * Q[k][b];
            R[a][b] *= splats->scales[3 * i + b];
        }
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            sigma[a][b] = R[a][0] * R[b][0] + R[a][1] * R[b][1] + R[a][2] * R[b][2];
    double edge = 1.3 * view->tangent;
    double tx = fmax(-edge, fmin(edge, t[0] / t[2])) * t[2];
    double ty = fmax(-edge, fmin(edge, t[1] / t[2])) * t[2];
    const double J[2][3] = {{f / t[2], 0, -f * tx / (t[2] * t[2])},
                            {0, f / t[2], -f * ty / (t[2] * t[2])}};
    double C[2][2];
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) {
            C[a][b] = 0;
            for (int k = 0; k < 3; k++)
                for (int m = 0; m < 3; m++)
                    C[a][b] += J[a][k] * sigma[k][m] * J[b][m];
        }
    double d0 = fmax(1e-6, C[0][0] * C[1][1] - C[0][1] * C[0][1]);
    double xx = C[0][0] + 0.1, yy = C[1][1] + 0.1, xy = C[0][1], det = xx * yy - xy * xy;
    double d1 = fmax(1e-6, det);
    double k = d0 <= 1e-6 || d1 <= 1e-6 ? 0 : sqrt(d0 / (d1 + 1e-6) + 1e-6);
    if (det == 0)
        return false;
    double mid = (xx + yy) / 2;
    double radius = ceil(3 * sqrt(mid + sqrt(fmax(0.1, mid * mid - det))));
    *out = (struct projected){.x = f * t[0] / t[2] + W / 2 - 0.5,
                              .y = f * t[1] / t[2] + W / 2 - 0.5,
                              .conic = {yy / det, -xy / det, xx / det},
                              .opacity = splats->opacities[i] * k,
                              .depth = (float)t[2],
                              .index = i};
    for (size_t c = 0; c < 3; c++)
        out->rgb[c] = fmax(0, 0.5 + 0.28209479177387814 * splats->colours[3 * i + c]);
    out->box[0] = (int)((out->x - radius) / TILE);
    out->box[1] = (int)((out->y - radius) / TILE);
    out->box[2] = (int)((out->x + radius + TILE - 1) / TILE);
    out->box[3] = (int)((out->y + radius + TILE - 1) / TILE);
    return true;
}

static int compare_depth(const void *a, const void *b)
{
    const struct projected *p = a, *q = b;
    if (p->depth != q->depth)
        return p->depth < q->depth ? -1 : 1;
    return p->index < q->index ? -1 : 1;
}

// Premultiplied colours and alpha, [size][size][4].
static double *reference_splats(const struct tess_splats *splats,
                                const struct tess_camera *camera, uint32_t size,
                                uint32_t S)
{
    struct tess_view view;
    tess_camera_view(&view, camera);
    struct projected *list = calloc(splats->count + 1, sizeof *list);
    double *out = calloc((size_t)size * size * 4, sizeof *out);
    assert_true(list && out);
    size_t count = 0;
    for (size_t i = 0; i < splats->count; i++)
        if (project_reference(&list[count], splats, i, &view, size * S))
            count++;
    qsort(list, count, sizeof *list, compare_depth);
    for (uint32_t y = 0; y < size * S; y++)
        for (uint32_t x = 0; x < size * S; x++) {
            double rgb[3] = {0}, T = 1;
            int tx = (int)(x / TILE), ty = (int)(y / TILE);
            for (size_t i = 0; i < count; i++) {
                const struct projected *p = &list[i];
                if (tx < p->box[0] || ty < p->box[1] || tx >= p->box[2] ||
                    ty >= p->box[3])
                    continue;
                double dx = p->x - x, dy = p->y - y;
                double g = -0.5 * (p->conic[0] * dx * dx + p->conic[2] * dy * dy) -
                           p->conic[1] * dx * dy;
                double a = fmin(0.99, p->opacity * exp(g));
                if (g > 0 || a < 1.0 / 255)
                    continue;
                if (T * (1 - a) < 1e-4)
                    break;
                for (int c = 0; c < 3; c++)
                    rgb[c] += p->rgb[c] * a * T;
                T *= 1 - a;
            }
            double *pixel = out + ((size_t)(y / S) * size + x / S) * 4;
            for (int c = 0; c < 3; c++)
                pixel[c] += rgb[c] / (S * S);
            pixel[3] += (1 - T) / (S * S);
        }
    free(list);
    return out;
}

static void test_splats(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        uint32_t size, supersampling;
        double low, high;
    } cases[] = {{40, 37, 1, 0.005, 0.1},   {1500, 100, 1, 0.002, 0.05},
                 {700, 37, 3, 0.002, 0.03}, {300, 48, 2, 0.01, 0.5},
                 {900, 50, 4, 0.003, 0.02}, {8, 33, 1, 1, 3},
                 {2000, 64, 1, 1e-4, 0.004}};
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 1;
        for (size_t i = 0; i < (asked_tiny() ? 1 : sizeof cases / sizeof *cases); i++) {
            struct tess_splats splats =
                make_splats(cases[i].count, cases[i].low, cases[i].high);
            struct tess_camera camera = {(float)random_in(0, 6), (float)random_in(-1, 1),
                                         i == 3 ? 0.6f : 0, i == 4 ? 1.2f : 0};
            struct tess_picture picture =
                draw_splats(s, &splats, &camera, cases[i].size, cases[i].supersampling);
            double *reference =
                reference_splats(&splats, &camera, cases[i].size, cases[i].supersampling);
            compare_blended(&picture, reference);
            free(reference);
            tess_picture_clear(&picture);
            tess_splats_clear(&splats);
        }
        close_setting(s);
    }
}

// Long thin splats at all angles, whose ends leave the columns of a tile in few rows, and
// flat ones that are large.
static void test_splats_thin(void **state)
{
    (void)state;
    static const double lengths[] = {0.02, 0.2, 2};
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 11;
        for (size_t i = 0; i < (asked_tiny() ? 1 : 3); i++) {
            struct tess_splats splats = make_splats(asked_tiny() ? 9 : 150, 1e-4, 2e-4);
            for (size_t k = 0; k < splats.count; k++)
                for (size_t axis = 0; axis < 1 + k % 2; axis++)
                    splats.scales[3 * k + axis] = (float)lengths[i];
            uint32_t size = asked_tiny() ? 17 : 120;
            struct tess_camera camera = {1, 0.5f, 0, 0};
            struct tess_picture picture = draw_splats(s, &splats, &camera, size, 1);
            double *reference = reference_splats(&splats, &camera, size, 1);
            compare_blended(&picture, reference);
            free(reference);
            tess_picture_clear(&picture);
            tess_splats_clear(&splats);
        }
        close_setting(s);
    }
}

static void test_splats_invisible(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_picture picture =
        draw_splats(s, &(struct tess_splats){0}, &(struct tess_camera){0}, 37, 1);
    assert_transparent(&picture);
    tess_picture_clear(&picture);

    // Behind the eye, nearer than 0.2, without opacity, beside the picture, not numbers.
    struct tess_splats splats = make_splats(9, 0.01, 0.02);
    for (size_t i = 0; i < splats.count; i++) {
        splats.positions[3 * i] = splats.positions[3 * i + 1] =
            splats.positions[3 * i + 2] = 0;
        splats.opacities[i] = 0.9f;
    }
    splats.positions[1] = 3;
    splats.positions[4] = 1.85f;
    splats.opacities[2] = 0;
    splats.positions[3 * 3] = 1.5f;
    splats.positions[3 * 4] = NAN;
    splats.scales[3 * 5 + 1] = NAN;
    splats.opacities[6] = NAN;
    splats.scales[3 * 7] = INFINITY;
    splats.rotations[4 * 8] = NAN;
    picture = draw_splats(s, &splats, &(struct tess_camera){0}, 37, 2);
    assert_transparent(&picture);
    tess_picture_clear(&picture);
    tess_splats_clear(&splats);
    close_setting(s);
}

// Colours beyond 1 survive over black although the splat lets light through.
static void test_splats_bright(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_splats splats = make_splats(1, 0.3, 0.31);
    memset(splats.positions, 0, 3 * sizeof(float));
    splats.opacities[0] = 0.5f;
    splats.colours[0] = 5;
    splats.colours[1] = splats.colours[2] = -5;
    struct tess_picture picture =
        draw_splats(s, &splats, &(struct tess_camera){0}, 33, 1);
    double *reference = reference_splats(&splats, &(struct tess_camera){0}, 33, 1);
    compare_blended(&picture, reference);
    const uint8_t *middle = picture.pixels + (16 * 33 + 16) * 4;
    assert_true(middle[0] == 255 && middle[1] == 0 && middle[2] == 0);
    assert_in_range(middle[3], 235, 245); // 255 * 1.91 * 0.5
    free(reference);
    tess_picture_clear(&picture);
    tess_splats_clear(&splats);
    close_setting(s);
}

// One splat shows the depth of its centre wherever it is; of two, the front one's counts
// most.
static void test_splats_depth(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_splats splats = make_splats(2, 0.05, 0.06);
    memset(splats.positions, 0, 6 * sizeof(float));
    splats.positions[1] = 0.3f; // nearer to the eye at (0, 2, 0)
    splats.positions[4] = -0.4f;
    splats.opacities[0] = splats.opacities[1] = 0.99f;
    const size_t middle = (16 * 33 + 16) * 4;
    int greys[2];
    for (size_t count = 2; count >= 1; count--) {
        struct tess_picture picture;
        struct tess_stage_report report;
        splats.count = count;
        if (tess_render_splats(&picture, &report, s->dev, &s->budget, &splats,
                               &(struct tess_camera){0}, 33, 1, TESS_CHANNEL_DEPTH))
            fail_msg("%s", s->env.message);
        const uint8_t *pixel = picture.pixels + middle;
        assert_true(pixel[0] == pixel[1] && pixel[0] == pixel[2]);
        assert_in_range(pixel[3], 235, 255);
        greys[count - 1] = pixel[0];
        tess_picture_clear(&picture);
    }
    double front = 255 * (0.8660254037844386 + 0.3) / 1.7320508075688772;
    assert_true(fabs(greys[0] - front) <= 2);
    assert_true(greys[1] <= greys[0] && greys[1] > greys[0] - 10);
    splats.count = 2;
    tess_splats_clear(&splats);
    close_setting(s);
}

// Budgets from the smallest that works to the device's own. More splats than a segment of
// a band holds, and a large one in all tiles.
static void test_splats_budgets(void **state)
{
    (void)state;
    const size_t count = asked_tiny() ? 60 : 9000;
    const uint32_t size = asked_tiny() ? 17 : 100, supersampling = asked_tiny() ? 1 : 3;
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 2;
        struct tess_splats splats = make_splats(count, 0.002, 0.02);
        for (size_t k = 0; k < 3; k++)
            splats.scales[3 * 7 + k] = 1;
        struct tess_camera camera = {0.3f, 0.4f, 0, 0};
        struct tess_picture wanted =
            draw_splats(s, &splats, &camera, size, supersampling);
        struct tess_stage_report report;
        assert_int_equal(tess_render_splats_plan(&report, s->dev, &s->budget, count, size,
                                                 supersampling),
                         TESS_OK);
        size_t floor = report.floor_bytes;
        for (int step = 0; step < (asked_once() ? 1 : 4); step++) {
            struct tess_budget budget = s->budget;
            budget.device_bytes = floor << step;
            if (step == 3)
                budget.max_buffer = 512 << 10;
            struct tess_picture picture;
            if (tess_render_splats(&picture, &report, s->dev, &budget, &splats, &camera,
                                   size, supersampling, TESS_CHANNEL_COLOUR))
                fail_msg("%s", s->env.message);
            if (step == 0 && !asked_tiny()) // more segments than bands
                assert_true(report.counters.launches > 2 * report.spans[1].runs);
            assert_true(report.peak_bytes <= budget.device_bytes);
            assert_same(&picture, &wanted);
            tess_picture_clear(&picture);
        }
        struct tess_budget budget = s->budget;
        budget.device_bytes = floor / 2;
        struct tess_picture untouched = {7, 7, NULL};
        assert_int_equal(tess_render_splats(&untouched, &report, s->dev, &budget, &splats,
                                            &camera, size, supersampling,
                                            TESS_CHANNEL_COLOUR),
                         TESS_ERR_BUDGET);
        assert_int_equal(untouched.width, 7);
        tess_picture_clear(&wanted);
        tess_splats_clear(&splats);
        close_setting(s);
    }
}

struct seen_views {
    const struct tess_camera *cameras;
    const struct tess_picture *wanted;
    size_t seen;
};

static struct tess_camera camera_of_view(void *user, size_t view)
{
    const struct seen_views *views = user;
    return views->cameras[view];
}

static enum tess_status see_view(void *user, size_t view,
                                 const struct tess_picture *picture)
{
    struct seen_views *views = user;
    assert_int_equal(view, views->seen++);
    assert_same(picture, &views->wanted[view]);
    return TESS_OK;
}

// Views that are drawn together are those that are drawn alone, whatever of the splats
// stays on the device between them, and what was planned is what is needed.
static void compare_views(struct setting *s, uint32_t size, uint32_t supersampling)
{
    enum { VIEWS = 3 };
    const size_t count = 33000; // more than are projected at a time
    const struct tess_camera cameras[VIEWS] = {
        {0.3f, 0.4f, 0, 0}, {2, -0.4f, 1, 0}, {4, 1.2f, 0, 1}};
    struct tess_picture wanted[VIEWS];
    struct seen_views seen = {cameras, wanted, 0};
    struct tess_splat_views views = {.name = "views",
                                     .count = VIEWS,
                                     .size = size,
                                     .supersampling = supersampling,
                                     .camera = camera_of_view,
                                     .see = see_view,
                                     .user = &seen};
    random_state = 5;
    struct tess_splats splats = make_splats(count, 0.001, 0.02);
    for (size_t i = 0; i < VIEWS; i++)
        wanted[i] = draw_splats(s, &splats, &cameras[i], size, supersampling);
    struct tess_stage_report plan, report;
    assert_int_equal(
        tess_render_splat_views_plan(&plan, s->dev, &s->budget, count, &views), TESS_OK);
    assert_true(plan.resident);
    size_t budgets[] = {(size_t)plan.floor_bytes, (size_t)plan.peak_bytes * 3 / 4,
                        (size_t)plan.peak_bytes};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        struct tess_budget budget = s->budget;
        budget.device_bytes = budgets[i];
        assert_int_equal(
            tess_render_splat_views_plan(&plan, s->dev, &budget, count, &views), TESS_OK);
        seen.seen = 0;
        if (tess_render_splat_views(&report, s->dev, &budget, &splats, &views))
            fail_msg("%s", s->env.message);
        assert_int_equal(seen.seen, VIEWS);
        assert_true(i == 0 ? !report.resident : i == 1 || report.resident);
        assert_int_equal(report.resident, plan.resident);
        assert_true(report.peak_bytes <= budgets[i]);
        assert_int_equal(report.peak_bytes, plan.peak_bytes);
    }
    for (size_t i = 0; i < VIEWS; i++)
        tess_picture_clear(&wanted[i]);
    tess_splats_clear(&splats);
}

static void test_splats_views(void **state)
{
    (void)state;
    const uint32_t cases[][2] = {{64, 1}, {1030, 1}, {50, 3}}; // size, supersampling
    for (size_t v = 0; v < 2 && !asked_tiny(); v++) {
        struct setting *s = open_setting(variants[v]);
        for (size_t i = 0; i < (v == 0 ? 3 : 1); i++)
            compare_views(s, cases[i][0], cases[i][1]);
        close_setting(s);
    }
}

// ---- the rest ----

static void test_limits(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_stage_report report;
    struct tess_picture picture = {3, 3, NULL};
    assert_int_equal(tess_render_splats(
                         &picture, &report, s->dev, &s->budget, &(struct tess_splats){0},
                         &(struct tess_camera){0}, 8193, 1, TESS_CHANNEL_COLOUR),
                     TESS_ERR_ARG);
    assert_int_equal(tess_render_mesh(&picture, &report, s->dev, &s->budget,
                                      &(struct tess_mesh){0}, &(struct tess_camera){0},
                                      64, 9, 0),
                     TESS_ERR_ARG);
    assert_non_null(strstr(s->env.message, "9"));
    assert_int_equal(picture.width, 3);
    picture = draw_mesh(s, &(struct tess_mesh){0}, &(struct tess_camera){0}, 0, 1, 0);
    assert_int_equal(picture.width, 512);
    tess_picture_clear(&picture);
    close_setting(s);
}

static void test_sheet(void **state)
{
    (void)state;
    struct tess_env env = {{0}};
    struct tess_picture pictures[3], sheet;
    const struct tess_picture *list[3];
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(tess_picture_create(&pictures[i], &env, 5, 4), TESS_OK);
        memset(pictures[i].pixels, i + 1, 5 * 4 * 4);
        list[i] = &pictures[i];
    }
    assert_int_equal(tess_sheet_create(&sheet, &env, list, 3, 2), TESS_OK);
    assert_true(sheet.width == 10 && sheet.height == 8);
    for (size_t i = 0; i < 80; i++) {
        size_t cell = i / 10 / 4 * 2 + i % 10 / 5;
        assert_int_equal(sheet.pixels[4 * i], cell < 3 ? cell + 1 : 0);
    }
    tess_picture_clear(&sheet);
    assert_int_equal(tess_sheet_create(&sheet, &env, list, 3, 0), TESS_OK);
    assert_true(sheet.width == 15 && sheet.height == 4);
    tess_picture_clear(&sheet);
    pictures[1].width = 4;
    assert_int_equal(tess_sheet_create(&sheet, &env, list, 3, 0), TESS_ERR_ARG);
    assert_int_equal(tess_sheet_create(&sheet, &env, list, 0, 0), TESS_ERR_ARG);
    for (int i = 0; i < 3; i++)
        tess_picture_clear(&pictures[i]);
}

// An argument picks tests by a pattern, such as *_edges.
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_camera),         cmocka_unit_test(test_splats),
        cmocka_unit_test(test_splats_thin),    cmocka_unit_test(test_splats_invisible),
        cmocka_unit_test(test_splats_bright),  cmocka_unit_test(test_splats_depth),
        cmocka_unit_test(test_splats_budgets), cmocka_unit_test(test_splats_views),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_sheet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
