// Baking: depths of meshes, points that get back the colours of splats around them, and
// textures that are found again from pictures of them.
#include "mesh_shapes.h"
#include "test_render.h"

#include "geom/texels.h"
#include "geom/unwrap.h"
#include "render/bake.h"
#include "render/splat.h"
#include "render/texture_fit.h"
#include "render/visibility.h"

#define SH 0.28209479177387814 // of degree 0

// A sphere, its texels, and splats all over it whose colour is 0.5 + position.
struct scene {
    struct tess_mesh mesh; // with texture coordinates
    struct tess_texels texels;
    struct tess_splats splats;
    size_t views;
    uint32_t size;
    struct tess_bake_view view[TESS_BAKE_VIEWS_MAX];
};

static void make_splats(struct scene *scene, struct tmp *tmp, size_t count, double radius)
{
    check(tmp, tess_splats_create(&scene->splats, &tmp->env, count));
    for (size_t i = 0; i < count; i++) { // a Fibonacci spiral
        double z = 1 - 2 * ((double)i + 0.5) / (double)count,
               yaw = 2.39996323 * (double)i;
        double ring = sqrt(1 - z * z), p[3] = {ring * cos(yaw), ring * sin(yaw), z};
        for (size_t k = 0; k < 3; k++) {
            scene->splats.positions[3 * i + k] = (float)(radius * p[k]);
            scene->splats.scales[3 * i + k] = (float)(radius * 2.5 / sqrt((double)count));
            scene->splats.colours[3 * i + k] = (float)(radius * p[k] / SH);
        }
        scene->splats.rotations[4 * i] = 1;
        scene->splats.opacities[i] = 0.98f;
    }
}

static void draw_views(struct scene *scene, struct setting *s)
{
    for (size_t v = 0; v < scene->views; v++) {
        struct tess_bake_view *view = &scene->view[v];
        struct tess_stage_report report;
        view->camera = tess_sphere_camera(v, scene->views);
        view->inverse_z = malloc((size_t)scene->size * scene->size * sizeof(float));
        if (tess_render_splats(&view->picture, &report, s->dev, &s->budget,
                               &scene->splats, &view->camera, scene->size, 1,
                               TESS_CHANNEL_COLOUR))
            fail_msg("%s", s->env.message);
        draw_words(view->inverse_z, s, &scene->mesh, TESS_WORDS_DEPTHS, &view->camera,
                   scene->size);
    }
}

// With `inner`, another sphere inside the first one.
static struct scene make_scene(struct tmp *tmp, struct setting *s, bool inner)
{
    struct scene scene = {.views = asked_tiny() ? 4 : 14,
                          .size = asked_tiny() ? 48 : 160};
    uint32_t rings = asked_tiny() ? 9 : 31;
    struct tess_mesh mesh = make_sphere(tmp, rings, 2 * rings, 0.4f);
    if (inner) {
        struct tess_mesh small = make_sphere(tmp, rings, 2 * rings, 0.2f);
        mesh = join(tmp, &mesh, &small, 0);
    }
    uint32_t texture = asked_tiny() ? 32 : 256;
    check(tmp, tess_mesh_unwrap(&scene.mesh, NULL, &tmp->env, &mesh,
                                &(struct tess_unwrap_params){.size = texture}));
    check(tmp, tess_texels_create(&scene.texels, &tmp->env, &scene.mesh, texture));
    make_splats(&scene, tmp, asked_tiny() ? 500 : 5000, 0.4);
    draw_views(&scene, s);
    tess_mesh_clear(&mesh);
    return scene;
}

static void clear_scene(struct scene *scene)
{
    for (size_t v = 0; v < scene->views; v++) {
        tess_picture_clear(&scene->view[v].picture);
        free(scene->view[v].inverse_z);
    }
    tess_mesh_clear(&scene->mesh);
    tess_texels_clear(&scene->texels);
    tess_splats_clear(&scene->splats);
}

// Views [from, to) added to `sums`.
static void add(float *sums, struct setting *s, const struct scene *scene, size_t from,
                size_t to)
{
    struct tess_stage_report report;
    struct tess_bake_points points = {scene->texels.count, scene->texels.count,
                                      scene->texels.positions, scene->texels.normals};
    if (tess_bake_add(sums, &report, s->dev, &s->budget, &points, scene->view + from,
                      to - from, scene->size))
        fail_msg("%s", s->env.message);
    assert_string_equal(report.name, "texture baking");
    assert_true(report.peak_bytes <= s->budget.device_bytes);
}

static void test_colours(void **state)
{
    struct tmp *tmp = *state;
    for (size_t i = 0; i < 2; i++) {
        struct setting *s = open_setting(variants[i]);
        struct scene scene = make_scene(tmp, s, false);
        size_t count = scene.texels.count, seen = 0;
        float *sums = calloc(count, 4 * sizeof *sums);
        add(sums, s, &scene, 0, scene.views);
        double error = 0, most = 0;
        for (size_t t = 0; t < count; t++) {
            for (size_t k = 0; k < 3 && sums[4 * t + 3] > 0; k++) {
                double off = fabs(sums[4 * t + k] / sums[4 * t + 3] - 0.5 -
                                  scene.texels.positions[3 * t + k]);
                error += off / 3;
                most = fmax(most, off);
            }
            seen += sums[4 * t + 3] > 0;
        }
        error /= (double)seen;
        if (!asked_tiny()) { // pictures are cut to 8 bits: half a level is 0.002
            assert_int_equal(seen, count);
            assert_true(error < 0.006);
            assert_true(most < 0.03);
        }
        assert_true(seen > count / 2 && error < 0.05);
        free(sums);
        clear_scene(&scene);
        close_setting(s);
    }
}

static void test_hidden(void **state)
{
    struct tmp *tmp = *state;
    struct setting *s = open_setting(TESS_VARIANT_CPU);
    struct scene scene = make_scene(tmp, s, true);
    size_t count = scene.texels.count, inside = 0;
    float *sums = calloc(count, 4 * sizeof *sums);
    add(sums, s, &scene, 0, scene.views);
    for (size_t t = 0; t < count; t++) {
        const float *p = scene.texels.positions + 3 * t;
        if (p[0] * p[0] + p[1] * p[1] + p[2] * p[2] > 0.3f * 0.3f)
            continue;
        inside++;
        assert_true(sums[4 * t + 3] == 0);
    }
    assert_true(inside > count / 10);
    free(sums);
    clear_scene(&scene);
    close_setting(s);
}

static void test_budgets(void **state)
{
    struct tmp *tmp = *state;
    struct setting *s = open_setting(TESS_VARIANT_CPU);
    struct scene scene = make_scene(tmp, s, false);
    size_t count = scene.texels.count, bytes = count * 4 * sizeof(float);
    float *sums = calloc(1, bytes), *again = calloc(1, bytes);
    struct tess_stage_report plan;
    add(sums, s, &scene, 0, scene.views);
    // In parts.
    for (size_t v = 0; v < scene.views; v += 3)
        add(again, s, &scene, v, v + 3 < scene.views ? v + 3 : scene.views);
    assert_memory_equal(again, sums, bytes);
    if (tess_bake_plan(&plan, s->dev, &s->budget, count, scene.views, scene.size))
        fail_msg("%s", s->env.message);
    assert_true(plan.floor_bytes > 0 &&
                (asked_tiny() || plan.floor_bytes < plan.peak_bytes));
    for (size_t part = 0; part < 2; part++) {
        memset(again, 0, bytes);
        s->budget.device_bytes =
            plan.floor_bytes + part * (plan.peak_bytes - plan.floor_bytes) / 2;
        add(again, s, &scene, 0, scene.views);
        assert_memory_equal(again, sums, bytes);
    }
    free(sums);
    free(again);
    clear_scene(&scene);
    close_setting(s);
}

// A square before a larger one, both across the camera's axis.
static void test_depths(void **state)
{
    struct tmp *tmp = *state;
    enum { SIZE = 40 };
    struct setting *s = open_setting(TESS_VARIANT_GPU);
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 8, 4, false));
    for (size_t i = 0; i < 8; i++) {
        float half = i < 4 ? 0.5f : 0.25f;
        memcpy(mesh.positions + 3 * i,
               (float[]){i % 4 == 1 || i % 4 == 2 ? half : -half, i < 4 ? -0.1f : 0.3f,
                         i % 4 > 1 ? half : -half},
               12);
    }
    memcpy(mesh.indices, (uint32_t[]){0, 1, 2, 0, 2, 3, 4, 5, 6, 4, 6, 7}, 48);
    struct tess_camera camera = {0}; // at (0, 2, 0)
    float depths[SIZE * SIZE];
    draw_words(depths, s, &mesh, TESS_WORDS_DEPTHS, &camera, SIZE);
    assert_float_equal(depths[SIZE / 2 * SIZE + SIZE / 2], 1 / 1.7f, 1e-6);
    assert_float_equal(depths[SIZE / 2 * SIZE + SIZE / 5], 1 / 2.1f, 1e-6);
    assert_float_equal(depths[0], 0, 0);
    tess_mesh_clear(&mesh);
    close_setting(s);
}

// ---- fitting ----

enum { TEXTURE = 32, VIEW = 48, VIEWS = 5 };

static double truth_at(double u, double v, size_t channel)
{
    double x = u * 9 + (double)channel, y = v * 7;
    return 0.5 + 0.4 * sin(x) * cos(y);
}

// What a bilinear sample of `rgb` is at a coordinate.
static double sample(const float *rgb, uint32_t coordinate, size_t channel)
{
    double x = (coordinate & 0xffff) / 65536.0 * TEXTURE - 0.5;
    double y = (coordinate >> 16) / 65536.0 * TEXTURE - 0.5, value = 0;
    for (int tap = 0; tap < 4; tap++) {
        int column = (int)floor(x) + tap % 2, row = (int)floor(y) + tap / 2;
        value += (1 - fabs(x - column)) * (1 - fabs(y - row)) *
                 rgb[3 * (row * TEXTURE + column) + (int)channel];
    }
    return value;
}

// A view of the plane of the texture, turned by its number; the left quarter shows
// nothing, and the right one is too transparent.
static void make_view(uint32_t *coordinates, struct tess_picture *picture, size_t number)
{
    for (size_t i = 0; i < VIEW * VIEW; i++) {
        double x = (double)(i % VIEW) / VIEW - 0.5, y = (double)(i / VIEW) / VIEW - 0.5;
        double c = cos((double)number), s = sin((double)number);
        double u = 0.5 + 0.6 * (c * x - s * y), v = 0.5 + 0.6 * (s * x + c * y);
        bool shown = x > -0.25;
        coordinates[i] =
            shown ? (uint32_t)(u * 65536) | (uint32_t)(v * 65536) << 16 : TESS_NO_WORD;
        for (size_t k = 0; k < 3; k++)
            picture->pixels[4 * i + k] = (uint8_t)lrint(255 * truth_at(u, v, k));
        picture->pixels[4 * i + 3] = x > 0.25 ? 100 : 255;
    }
}

// Mean difference between a texture's samples and what the views show.
static double misfit(const float *rgb, uint32_t (*coordinates)[VIEW * VIEW],
                     const struct tess_picture *pictures)
{
    double sum = 0, count = 0;
    for (size_t v = 0; v < VIEWS; v++)
        for (size_t i = 0; i < VIEW * VIEW; i++)
            for (size_t k = 0; k < 3 && pictures[v].pixels[4 * i + 3] == 255 &&
                               coordinates[v][i] != TESS_NO_WORD;
                 k++, count++)
                sum += fabs(sample(rgb, coordinates[v][i], k) -
                            pictures[v].pixels[4 * i + k] / 255.0);
    return sum / count;
}

static void fit_grey(float *rgb, struct setting *s, const struct tess_fit_params *params)
{
    struct tess_stage_report report;
    for (size_t i = 0; i < 3 * TEXTURE * TEXTURE; i++)
        rgb[i] = 0.5f;
    if (tess_texture_fit(rgb, &report, s->dev, &s->budget, params))
        fail_msg("%s", s->env.message);
    assert_true(report.peak_bytes <= s->budget.device_bytes);
}

static void test_fit(void **state)
{
    struct tmp *tmp = *state;
    static uint32_t coordinates[VIEWS][VIEW * VIEW];
    static float rgb[3 * TEXTURE * TEXTURE], again[3 * TEXTURE * TEXTURE];
    struct tess_picture pictures[VIEWS];
    struct tess_fit_view views[VIEWS];
    for (size_t v = 0; v < VIEWS; v++) {
        check(tmp, tess_picture_create(&pictures[v], &tmp->env, VIEW, VIEW));
        make_view(coordinates[v], &pictures[v], v);
        check(tmp, tess_fit_view_create(&views[v], &tmp->env, coordinates[v],
                                        &pictures[v], TEXTURE));
        // Half of the picture counts, but for its border, all of it alike.
        size_t count = views[v].starts[TEXTURE];
        assert_in_range(count, VIEW * VIEW / 2 - 4 * VIEW, VIEW * VIEW / 2);
        assert_true(views[v].weight > 240 * count);
    }
    for (size_t i = 0; i < 2; i++) {
        struct setting *s = open_setting(variants[i]);
        struct tess_fit_params params = {TEXTURE, asked_tiny() ? 10 : 400, VIEWS, views};
        for (size_t k = 0; k < 3 * TEXTURE * TEXTURE; k++)
            rgb[k] = 0.5f;
        double before = misfit(rgb, coordinates, pictures);
        fit_grey(rgb, s, &params);
        double after = misfit(rgb, coordinates, pictures);
        double told = tess_fit_views_misfit(views, VIEWS, rgb, TEXTURE);
        assert_true(before > 0.1);
        assert_true(fabs(told - after) < 0.05 * after + 5e-4); // it has no borders
        assert_true(after < (asked_tiny() ? before : 0.01));
        struct tess_stage_report plan;
        if (tess_texture_fit_plan(&plan, s->dev, &s->budget, &params))
            fail_msg("%s", s->env.message);
        s->budget.device_bytes = plan.floor_bytes;
        fit_grey(again, s, &params);
        assert_memory_equal(again, rgb, sizeof rgb);
        close_setting(s);
    }
    for (size_t v = 0; v < VIEWS; v++) {
        tess_fit_view_clear(&views[v]);
        tess_picture_clear(&pictures[v]);
    }
}

// A square that faces the camera: coordinates run as the texture's do.
static void test_coordinates(void **state)
{
    struct tmp *tmp = *state;
    enum { SIZE = 40 };
    struct setting *s = open_setting(TESS_VARIANT_CPU);
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 4, 2, false));
    mesh.uvs = calloc(8, sizeof *mesh.uvs);
    for (size_t i = 0; i < 4; i++) { // x runs to the left, z upwards
        float right = i == 1 || i == 2, up = i > 1;
        memcpy(mesh.positions + 3 * i, (float[]){0.5f - right, 0, up - 0.5f}, 12);
        memcpy(mesh.uvs + 2 * i, (float[]){0.25f + right / 2, 0.75f - up / 2}, 8);
    }
    memcpy(mesh.indices, (uint32_t[]){0, 1, 2, 0, 2, 3}, 24);
    struct tess_camera camera = {0}; // at (0, 2, 0)
    struct tess_view view;
    uint32_t coordinates[SIZE * SIZE];
    tess_camera_view(&view, &camera);
    draw_words(coordinates, s, &mesh, TESS_WORDS_COORDINATES, &camera, SIZE);
    size_t seen = 0;
    for (size_t i = 0; i < SIZE * SIZE; i++) {
        double scale = 2 / (view.focal * SIZE); // world units a pixel
        double x = ((double)(i % SIZE) + 0.5 - SIZE / 2.0) * scale,
               y = ((double)(i / SIZE) + 0.5 - SIZE / 2.0) * scale;
        if (coordinates[i] == TESS_NO_WORD) {
            assert_true(fabs(x) > 0.49 || fabs(y) > 0.49);
            continue;
        }
        seen++;
        assert_true(fabs((coordinates[i] & 0xffff) / 65536.0 - 0.5 - x / 2) < 2e-3);
        assert_true(fabs((coordinates[i] >> 16) / 65536.0 - 0.5 - y / 2) < 2e-3);
    }
    assert_true(seen > SIZE * SIZE / 4);
    tess_mesh_clear(&mesh);
    close_setting(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depths),      cmocka_unit_test(test_colours),
        cmocka_unit_test(test_hidden),      cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_coordinates), cmocka_unit_test(test_fit),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
