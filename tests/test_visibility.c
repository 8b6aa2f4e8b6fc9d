// Face numbers as pictures, and what views from all around see of a mesh.
#include "mesh_shapes.h"
#include "test_render.h"

#include "render/mesh.h"
#include "render/visibility.h"

// A box [-half, half]^3 of 12 faces from `at` on.
static void put_box(struct tess_mesh *mesh, size_t at, float half)
{
    static const uint32_t sides[6][4] = {{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
                                         {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}};
    static const int order[6] = {0, 1, 2, 0, 2, 3};
    for (size_t v = 0; v < 8; v++)
        for (size_t k = 0; k < 3; k++)
            mesh->positions[3 * (8 * at + v) + k] = v >> k & 1 ? half : -half;
    for (size_t i = 0; i < 36; i++)
        mesh->indices[36 * at + i] = (uint32_t)(8 * at) + sides[i / 6][order[i % 6]];
}

static struct tess_mesh make_nested(struct setting *s)
{
    struct tess_mesh mesh;
    assert_int_equal(tess_mesh_create(&mesh, &s->env, 16, 24, false), TESS_OK);
    put_box(&mesh, 0, 0.1f);
    put_box(&mesh, 1, 0.3f);
    return mesh;
}

// More faces than 8 bits tell apart: a row of thin strips across the picture, each with
// its number, seen from the front. Copies of it lie behind each other: only the nearest,
// which comes first or last, is seen.
static void check_numbers(enum tess_variant variant, bool nearest_first)
{
    enum { STRIPS = 40, COPIES = 40, SIZE = 64 };
    struct setting *s = open_setting(variant);
    struct tess_mesh mesh;
    size_t faces = (size_t)2 * STRIPS * COPIES;
    assert_int_equal(tess_mesh_create(&mesh, &s->env, 2 * faces, faces, false), TESS_OK);
    for (size_t i = 0; i < faces / 2; i++) {
        size_t copy = i / STRIPS, place = nearest_first ? COPIES - 1 - copy : copy;
        float x0 = (float)(i % STRIPS) / STRIPS - 0.5f, x1 = x0 + 1.0f / STRIPS;
        float y = 0.01f * (float)place;
        memcpy(mesh.positions + 12 * i,
               (float[]){x0, y, -0.5f, x1, y, -0.5f, x1, y, 0.5f, x0, y, 0.5f}, 48);
        for (size_t k = 0; k < 6; k++)
            mesh.indices[6 * i + k] =
                (uint32_t)(4 * i) + (uint32_t[]){0, 1, 2, 0, 2, 3}[k];
    }
    uint32_t *ids = malloc(SIZE * SIZE * sizeof *ids);
    struct tess_camera camera = {0};
    draw_words(ids, s, &mesh, TESS_WORDS_FACES, &camera, SIZE);
    // A pixel's ray meets the nearest plane, y = 0.39, at x; from +y, x runs to the left.
    struct tess_view view;
    tess_camera_view(&view, &camera);
    size_t seen = 0;
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            double depth = 2 - 0.01 * (COPIES - 1), scale = depth / (view.focal * SIZE);
            double px = -(x - SIZE / 2.0 + 0.5) * scale;
            double pz = -(y - SIZE / 2.0 + 0.5) * scale;
            double strip = (px + 0.5) * STRIPS, part = strip - floor(strip);
            uint32_t id = ids[y * SIZE + x];
            if (fabs(pz) > 0.52 || fabs(px) > 0.52)
                assert_int_equal(id, TESS_NO_WORD);
            if (fabs(pz) > 0.48 || fabs(px) > 0.48 || part < 0.05 || part > 0.95)
                continue;
            size_t first = nearest_first ? 0 : (COPIES - 1) * STRIPS;
            assert_int_equal(id / 2, first + (size_t)floor(strip));
            seen++;
        }
    assert_true(seen > SIZE * SIZE / 4);
    free(ids);
    tess_mesh_clear(&mesh);
    close_setting(s);
}

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int nearest_first = 0; nearest_first < 2; nearest_first++)
            check_numbers(variants[i], nearest_first);
}

static void test_visibility(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct setting *s = open_setting(variants[i]);
        struct tess_mesh mesh = make_nested(s);
        struct tess_stage_report report;
        float visibility[24], again[24];
        size_t views = asked_tiny() ? 8 : 64;
        uint32_t size = asked_tiny() ? 16 : 96;
        assert_int_equal(tess_mesh_visibility(visibility, &report, s->dev, &s->budget,
                                              &mesh, views, size),
                         TESS_OK);
        for (size_t f = 0; f < 12; f++)
            assert_true(visibility[f] == 0);
        double side = 0; // a face of a box is seen from where its plane is in front
        for (size_t f = 12; f < 24; f++) {
            assert_true(visibility[f] > 0 && visibility[f] < 1);
            side += visibility[f] / 12;
        }
        // From radius 2 that is the cap above 0.3: a share of (1 - 0.15) / 2.
        assert_true(fabs(side - 0.425) < 0.05);
        assert_string_equal(report.name, "visibility");
        // What is in a picture of numbers is seen.
        struct tess_camera first = tess_sphere_camera(0, views);
        uint32_t ids[96 * 96];
        size_t pixels = 0;
        draw_words(ids, s, &mesh, TESS_WORDS_FACES, &first, size);
        for (size_t p = 0; p < (size_t)size * size; p++)
            if (ids[p] != TESS_NO_WORD) {
                assert_true(visibility[ids[p]] > 0);
                pixels++;
            }
        assert_true(pixels > (size_t)size * size / 20);
        // The same in the smallest budget.
        assert_int_equal(tess_render_mesh_plan(&report, s->dev, &s->budget, size, 1),
                         TESS_OK);
        s->budget.device_bytes = report.floor_bytes;
        assert_int_equal(
            tess_mesh_visibility(again, &report, s->dev, &s->budget, &mesh, views, size),
            TESS_OK);
        assert_true(report.peak_bytes <= s->budget.device_bytes);
        assert_memory_equal(visibility, again, sizeof again);
        tess_mesh_clear(&mesh);
        close_setting(s);
    }
}

// Counts are those of pictures of face numbers, whether bands are read as marks (all of
// this mesh's faces are less than the picture) or as words (more than the least band),
// and with lists in several segments.
static void test_marks(void **state)
{
    struct tmp *tmp = *state;
    for (size_t i = 0; i < 2; i++) {
        struct setting *s = open_setting(variants[i]);
        size_t views = asked_tiny() ? 1 : 7;
        uint32_t size = asked_tiny() ? 17 : 50;
        struct tess_mesh mesh =
            make_sphere(tmp, asked_tiny() ? 23 : 48, asked_tiny() ? 24 : 96, 0.5f);
        size_t least_band = (size_t)4 * 16 * size, faces = mesh.faces;
        assert_true(faces > least_band && faces <= (size_t)4 * size * size);
        float *visibility = malloc(faces * sizeof *visibility);
        float *wanted = calloc(faces, sizeof *wanted);
        uint32_t *ids = malloc((size_t)size * size * sizeof *ids);
        size_t *last = calloc(faces, sizeof *last), seen = 0;
        for (size_t v = 0; v < views; v++) {
            struct tess_camera camera = tess_sphere_camera(v, views);
            draw_words(ids, s, &mesh, TESS_WORDS_FACES, &camera, size);
            for (size_t p = 0; p < (size_t)size * size; p++)
                if (ids[p] != TESS_NO_WORD && last[ids[p]] != v + 1) {
                    last[ids[p]] = v + 1;
                    wanted[ids[p]]++;
                }
        }
        for (size_t f = 0; f < faces; f++) {
            seen += wanted[f] > 0;
            wanted[f] = (float)((double)wanted[f] / (double)views);
        }
        assert_true(seen > faces / 10 && seen < faces);
        struct tess_stage_report report;
        assert_int_equal(
            tess_mesh_visibility_plan(&report, s->dev, &s->budget, views, size), TESS_OK);
        const size_t budgets[] = {s->budget.device_bytes, report.floor_bytes};
        for (size_t b = 0; b < 2; b++) {
            s->budget.device_bytes = budgets[b];
            assert_int_equal(tess_mesh_visibility(visibility, &report, s->dev, &s->budget,
                                                  &mesh, views, size),
                             TESS_OK);
            assert_true(report.peak_bytes <= budgets[b]);
            // Less than the words of a view comes back only where marks do.
            assert_int_equal(report.counters.downloaded,
                             views * (b ? (size_t)4 * size * size : faces));
            assert_memory_equal(visibility, wanted, faces * sizeof *wanted);
        }
        free(visibility);
        free(wanted);
        free(ids);
        free(last);
        tess_mesh_clear(&mesh);
        close_setting(s);
    }
}

static struct tess_camera front(void *user, size_t view)
{
    (void)user;
    (void)view;
    return (struct tess_camera){0};
}

static enum tess_status add_marks(void *user, size_t view, const uint8_t *faces)
{
    uint32_t *sums = user;
    (void)view;
    for (size_t i = 0; i < 3; i++) // face 0, the last two, and all the others
        sums[i] = 0;
    for (size_t f = 0; f < sums[3]; f++)
        sums[f == 0 ? 0 : f + 2 < sums[3] ? 2 : 1] += faces[f];
    return TESS_OK;
}

// Only the nearest of many squares in the middle is seen, which comes last: tiles that
// nothing reaches in the first of several segments mark nothing.
static void test_marks_of_segments(void **state)
{
    (void)state;
    enum { SQUARES = 2500, SIZE = 64 };
    for (size_t i = 0; i < 2 && !asked_tiny(); i++) {
        struct setting *s = open_setting(variants[i]);
        struct tess_stage_report report;
        struct tess_mesh mesh;
        assert_int_equal(
            tess_mesh_create(&mesh, &s->env, 4 * SQUARES, 2 * SQUARES, false), TESS_OK);
        for (size_t q = 0; q < SQUARES; q++) {
            float y = 0.0001f * (float)q, a = 0.1f;
            memcpy(mesh.positions + 12 * q,
                   (float[]){-a, y, -a, a, y, -a, a, y, a, -a, y, a}, 48);
            for (size_t k = 0; k < 6; k++)
                mesh.indices[6 * q + k] =
                    (uint32_t)(4 * q) + (uint32_t[]){0, 1, 2, 0, 2, 3}[k];
        }
        uint32_t sums[4] = {0, 0, 0, 2 * SQUARES};
        struct tess_word_views views = {.name = "marks",
                                        .words = TESS_WORDS_FACES,
                                        .count = 1,
                                        .size = SIZE,
                                        .camera = front,
                                        .mark = add_marks,
                                        .user = sums};
        assert_int_equal(tess_render_words(&report, s->dev, &s->budget, &mesh, &views),
                         TESS_OK);
        assert_int_equal(report.counters.downloaded, 2 * SQUARES); // marks
        assert_true(report.counters.launches > 1);                 // segments
        assert_int_equal(sums[0], 0);
        assert_int_equal(sums[1], 2);
        assert_int_equal(sums[2], 0);
        tess_mesh_clear(&mesh);
        close_setting(s);
    }
}

static void test_cameras(void **state)
{
    (void)state;
    // The first from below; yaws are 0, 1/2, 1/4, 3/4 of a turn.
    static const double yaws[] = {0, 0.5, 0.25, 0.75, 0.125};
    for (size_t i = 0; i < 5; i++) {
        struct tess_camera camera = tess_sphere_camera(i, 100);
        assert_true(fabs(camera.yaw - 2 * M_PI * yaws[i]) < 1e-5);
        assert_true(fabs(sin(camera.pitch) - (2 * (double)i / 100 - 1)) < 1e-3);
    }
}

// An argument picks tests by a pattern, such as *_marks.
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_visibility),
        cmocka_unit_test(test_marks), cmocka_unit_test(test_marks_of_segments),
        cmocka_unit_test(test_cameras)};
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
