// Pictures of meshes: against a rasteriser in double, against rays, for gaps and
// overlaps, and the same bytes whatever the budget and the variant of kernels.
#include "test_render.h"

static struct tess_mesh make_mesh(size_t vertices, size_t faces)
{
    struct tess_env env = {{0}};
    struct tess_mesh mesh;
    assert_int_equal(tess_mesh_create(&mesh, &env, vertices, faces, true), TESS_OK);
    return mesh;
}

static void set_vertex(struct tess_mesh *mesh, size_t i, double x, double y, double z)
{
    float *p = mesh->positions + 3 * i;
    p[0] = (float)x;
    p[1] = (float)y;
    p[2] = (float)z;
}

// Colour number `face`, never black.
static void face_colour(uint8_t out[3], size_t face)
{
    out[0] = (uint8_t)(face % 200 + 50);
    out[1] = (uint8_t)(face / 200 % 200 + 50);
    out[2] = 77;
}

// Triangles of all sizes, some of which reach beyond the picture.
static struct tess_mesh make_triangles(size_t faces)
{
    struct tess_mesh mesh = make_mesh(3 * faces, faces);
    for (size_t f = 0; f < faces; f++) {
        double size = 0.01 * pow(100, random_unit()), middle[3];
        uint8_t colour[3];
        face_colour(colour, f);
        for (int k = 0; k < 3; k++)
            middle[k] = random_in(-0.6, 0.6);
        for (size_t i = 3 * f; i < 3 * f + 3; i++) {
            set_vertex(&mesh, i, middle[0] + random_in(-size, size),
                       middle[1] + random_in(-size, size),
                       middle[2] + random_in(-size, size));
            for (size_t k = 0; k < 3; k++)
                mesh.attributes[6 * i + k] = colour[k] / 255.0f;
            mesh.indices[i] = (uint32_t)i;
        }
    }
    return mesh;
}

// The faces at each sample by depth: the nearest one, and whether the next is so close
// behind that rounding decides. Vertices are rounded as the renderer does, and in front
// of the eye.
struct sample {
    size_t face; // SIZE_MAX: none
    double inverse_z, second;
    bool on_edge;
};

static struct sample *reference_mesh(const struct tess_mesh *mesh,
                                     const struct tess_camera *camera, uint32_t W)
{
    struct tess_view view;
    tess_camera_view(&view, camera);
    struct sample *samples = calloc((size_t)W * W, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < (size_t)W * W; i++)
        samples[i].face = SIZE_MAX;
    for (size_t f = 0; f < mesh->faces; f++) {
        int64_t X[3], Y[3];
        double inverse[3];
        for (size_t i = 0; i < 3; i++) {
            const float *p = mesh->positions + 3 * (size_t)mesh->indices[3 * f + i];
            double t[3];
            for (int k = 0; k < 3; k++)
                t[k] = view.rotation[k][0] * p[0] + view.rotation[k][1] * p[1] +
                       view.rotation[k][2] * p[2] + view.translation[k];
            assert_true(t[2] > 0.01);
            double scale = view.focal * W / t[2];
            X[i] = (int64_t)rint((scale * t[0] + W / 2.0 - 0.5) * 256);
            Y[i] = (int64_t)rint((scale * t[1] + W / 2.0 - 0.5) * 256);
            inverse[i] = 1 / t[2];
        }
        int64_t area = (X[1] - X[0]) * (Y[2] - Y[0]) - (Y[1] - Y[0]) * (X[2] - X[0]);
        for (int64_t y = 0; y < W && area; y++)
            for (int64_t x = 0; x < W; x++) {
                double weights[3], depth = 0;
                bool inside = true, edge = false;
                for (int i = 0; i < 3; i++) {
                    int a = (i + 1) % 3, b = (i + 2) % 3;
                    int64_t e = (X[b] - X[a]) * (256 * y - Y[a]) -
                                (Y[b] - Y[a]) * (256 * x - X[a]);
                    e = area < 0 ? -e : e;
                    inside = inside && e >= 0;
                    edge = edge || e == 0;
                    weights[i] = (double)e / (double)llabs(area);
                    depth += weights[i] * inverse[i];
                }
                if (!inside)
                    continue;
                struct sample *s = &samples[y * W + x];
                if (edge) {
                    s->on_edge = true;
                } else if (s->face == SIZE_MAX || depth > s->inverse_z) {
                    s->second = s->face == SIZE_MAX ? 0 : s->inverse_z;
                    s->inverse_z = depth;
                    s->face = f;
                } else if (depth > s->second) {
                    s->second = depth;
                }
            }
    }
    return samples;
}

static void test_mesh(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {37, 100, 64};
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 3;
        for (size_t i = 0; i < (asked_tiny() ? 1 : 3); i++) {
            struct tess_mesh mesh = make_triangles(asked_tiny() ? 20 : 400);
            struct tess_camera camera = {(float)random_in(0, 6), (float)random_in(-1, 1),
                                         0, 0};
            uint32_t W = sizes[i];
            struct tess_picture picture =
                draw_mesh(s, &mesh, &camera, W, 1, TESS_CHANNEL_FLAT);
            struct sample *samples = reference_mesh(&mesh, &camera, W);
            size_t unclear = 0;
            for (size_t p = 0; p < (size_t)W * W; p++) {
                const uint8_t *got = picture.pixels + 4 * p;
                if (samples[p].on_edge || samples[p].inverse_z - samples[p].second <
                                              1e-5 * samples[p].inverse_z)
                {
                    unclear++;
                    continue;
                }
                assert_int_equal(got[3], samples[p].face == SIZE_MAX ? 0 : 255);
                uint8_t want[3] = {0, 0, 0};
                if (samples[p].face != SIZE_MAX)
                    face_colour(want, samples[p].face);
                assert_memory_equal(got, want, 3);
            }
            assert_true(unclear < (size_t)W * W); // and see that it is few
            print_message("# %u: %zu of %u samples at an edge, a tie or empty\n",
                          (unsigned)W, unclear, (unsigned)(W * W));
            free(samples);
            tess_picture_clear(&picture);
            tess_mesh_clear(&mesh);
        }
        close_setting(s);
    }
}

// Pixels are the mean of their covered samples.
static void test_mesh_supersampling(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    random_state = 4;
    struct tess_mesh mesh = make_triangles(60);
    struct tess_camera camera = {1, 0.3f, 0, 0};
    for (uint32_t S = 2; S <= (asked_tiny() ? 2 : 8); S++) {
        const uint32_t size = asked_tiny() ? 7 : 19;
        struct tess_picture fine =
            draw_mesh(s, &mesh, &camera, size * S, 1, TESS_CHANNEL_FLAT);
        struct tess_picture coarse =
            draw_mesh(s, &mesh, &camera, size, S, TESS_CHANNEL_FLAT);
        for (uint32_t y = 0; y < size; y++)
            for (uint32_t x = 0; x < size; x++) {
                double sums[3] = {0}, covered = 0;
                for (uint32_t k = 0; k < S * S; k++) {
                    const uint8_t *p =
                        fine.pixels + ((y * S + k / S) * size * S + x * S + k % S) * 4;
                    covered += p[3] / 255;
                    for (int c = 0; c < 3; c++)
                        sums[c] += p[3] ? p[c] : 0;
                }
                const uint8_t *got = coarse.pixels + (y * size + x) * 4;
                assert_float_equal(got[3], (float)(covered / (double)(S * S) * 255),
                                   0.51);
                for (int c = 0; c < 3; c++)
                    assert_float_equal(
                        got[c], (float)(covered > 0 ? sums[c] / covered : 0), 0.51);
            }
        tess_picture_clear(&fine);
        tess_picture_clear(&coarse);
    }
    tess_mesh_clear(&mesh);
    close_setting(s);
}

// A disc of triangles around the middle, whose corners lie on samples: each sample inside
// belongs to one triangle, whichever way round that is.
static void test_mesh_edges(void **state)
{
    (void)state;
    enum { W = 37, CORNERS = 8 };
    static const int corners[CORNERS][2] = {{16, 0},  {9, 9},   {0, 16},  {-9, 9},
                                            {-16, 0}, {-9, -9}, {0, -16}, {9, -9}};
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        double step =
            2 / (W * 0.5 / tan(20 * 3.14159265358979 / 180)); // a pixel at the origin
        int counts[W * W] = {0};
        struct tess_mesh whole = make_mesh(CORNERS + 1, CORNERS);
        for (size_t i = 0; i < CORNERS; i++) {
            set_vertex(&whole, i + 1, corners[i][0] * step, 0, corners[i][1] * step);
            uint32_t a = (uint32_t)i + 1, b = (uint32_t)(i + 1) % CORNERS + 1;
            memcpy(whole.indices + 3 * i, (uint32_t[]){i % 2 ? a : b, i % 2 ? b : a, 0},
                   3 * sizeof(uint32_t));
        }
        struct tess_picture all = draw_mesh(s, &whole, &(struct tess_camera){0}, W, 1, 0);
        size_t covered = 0;
        for (size_t i = 0; i < CORNERS; i++) {
            struct tess_mesh one = whole;
            one.faces = 1;
            one.indices += 3 * i;
            struct tess_picture picture =
                draw_mesh(s, &one, &(struct tess_camera){0}, W, 1, 0);
            for (size_t p = 0; p < W * W; p++)
                counts[p] += picture.pixels[4 * p + 3] / 255;
            tess_picture_clear(&picture);
        }
        for (size_t p = 0; p < W * W; p++) {
            assert_int_equal(counts[p], all.pixels[4 * p + 3] / 255);
            covered += (size_t)counts[p];
        }
        assert_int_equal(covered, 576); // the octagon's area: its border counts half
        tess_picture_clear(&all);
        tess_mesh_clear(&whole);
        close_setting(s);
    }
}

// A uneven sheet of small triangles that fills the picture: no sample is missed.
static void test_mesh_cracks(void **state)
{
    (void)state;
    const size_t n = asked_tiny() ? 8 : 90;
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 5;
        struct tess_mesh mesh = make_mesh((n + 1) * (n + 1), 2 * n * n);
        for (size_t i = 0; i <= n; i++)
            for (size_t k = 0; k <= n; k++)
                set_vertex(
                    &mesh, i * (n + 1) + k,
                    2.0 * (double)i / (double)n - 1 + random_in(-0.3, 0.3) / (double)n,
                    random_in(-0.01, 0.01),
                    2.0 * (double)k / (double)n - 1 + random_in(-0.3, 0.3) / (double)n);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++) {
                uint32_t a = (uint32_t)(i * (n + 1) + k), b = a + (uint32_t)n + 1;
                memcpy(mesh.indices + 6 * (i * n + k),
                       (uint32_t[]){a, a + 1, b, b, a + 1, b + 1}, 6 * sizeof(uint32_t));
            }
        struct tess_picture picture =
            draw_mesh(s, &mesh, &(struct tess_camera){0}, asked_tiny() ? 20 : 300, 2, 0);
        for (size_t p = 0; p < (size_t)picture.width * picture.height; p++)
            assert_int_equal(picture.pixels[4 * p + 3], 255);
        tess_picture_clear(&picture);
        tess_mesh_clear(&mesh);
        close_setting(s);
    }
}

// A floor that runs from behind the eye into the distance: two triangles, larger than any
// picture. Against rays; its red and green tell x and y. A box around the eye fills the
// picture.
static void test_mesh_clipping(void **state)
{
    (void)state;
    const double reach = 50, height = -0.3;
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        const uint32_t W = asked_tiny() ? 20 : 100;
        struct tess_mesh mesh = make_mesh(4, 2);
        for (size_t i = 0; i < 4; i++) {
            double x = i % 2 ? 1 : -1, y = i / 2 ? 1 : -1;
            set_vertex(&mesh, i, x * reach, y * reach, height);
            mesh.attributes[6 * i] = (float)(0.5 + 0.5 * x);
            mesh.attributes[6 * i + 1] = (float)(0.5 + 0.5 * y);
        }
        memcpy(mesh.indices, (uint32_t[]){0, 1, 2, 2, 1, 3}, 6 * sizeof(uint32_t));
        struct tess_camera camera = {0.7f, 0.1f, 0, 1.5f};
        struct tess_picture picture =
            draw_mesh(s, &mesh, &camera, W, 1, TESS_CHANNEL_FLAT);
        struct tess_view view;
        tess_camera_view(&view, &camera);
        size_t wrong = 0, covered = 0;
        for (uint32_t p = 0; p < W * W; p++) {
            double d[3], ray[3] = {((p % W + 0.5) / W - 0.5) / view.focal,
                                   ((double)(p / W + 0.5) / W - 0.5) / view.focal, 1};
            for (int k = 0; k < 3; k++)
                d[k] = view.rotation[0][k] * ray[0] + view.rotation[1][k] * ray[1] +
                       view.rotation[2][k] * ray[2];
            double t = (height - view.eye[2]) / d[2];
            double x = view.eye[0] + t * d[0], y = view.eye[1] + t * d[1];
            bool hit = t > 0.01 && fabs(x) < reach && fabs(y) < reach;
            const uint8_t *got = picture.pixels + 4 * p;
            covered += hit;
            if ((got[3] == 255) != hit ||
                (hit && (fabs(got[0] - 127.5 - 127.5 * x / reach) > 1 ||
                         fabs(got[1] - 127.5 - 127.5 * y / reach) > 1)))
                wrong++;
        }
        assert_true(covered > W * W / 4);
        assert_true(wrong <= W / 5); // at the far edge
        tess_picture_clear(&picture);
        tess_mesh_clear(&mesh);

        mesh = make_mesh(8, 12);
        for (size_t i = 0; i < 8; i++)
            set_vertex(&mesh, i, i & 1 ? 5 : -5, i & 2 ? 5 : -5, i & 4 ? 5 : -5);
        const uint32_t box[36] = {0, 1, 2, 2, 1, 3, 4, 6, 5, 5, 6, 7, 0, 4, 1, 1, 4, 5,
                                  2, 3, 6, 6, 3, 7, 0, 2, 4, 4, 2, 6, 1, 5, 3, 3, 5, 7};
        memcpy(mesh.indices, box, sizeof box);
        for (int i = 0; i < 8; i++) {
            camera =
                (struct tess_camera){0.7f * (float)i, 0.4f * (float)i - 1.4f, 4.9f, 2.5f};
            picture = draw_mesh(s, &mesh, &camera, W, 2, TESS_CHANNEL_NORMAL);
            for (size_t p = 0; p < (size_t)W * W; p++)
                assert_int_equal(picture.pixels[4 * p + 3], 255);
            tess_picture_clear(&picture);
        }
        tess_mesh_clear(&mesh);
        close_setting(s);
    }
}

static void test_mesh_degenerate(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_picture picture =
        draw_mesh(s, &(struct tess_mesh){0}, &(struct tess_camera){0}, 37, 0, 0);
    assert_transparent(&picture);
    tess_picture_clear(&picture);

    struct tess_mesh mesh = make_mesh(9, 7);
    for (size_t i = 0; i < 6; i++)
        set_vertex(&mesh, i, 0.1 * (double)i, 0, 0);
    set_vertex(&mesh, 6, NAN, 0, 0.5);
    set_vertex(&mesh, 7, 0, INFINITY, 0.5);
    set_vertex(&mesh, 8, 0, 3, 0.5); // behind the eye
    const uint32_t faces[21] = {0, 1, 2, 3, 3, 4, 5, 5, 5, 0, 5,
                                6, 0, 7, 5, 6, 7, 8, 8, 8, 8};
    memcpy(mesh.indices, faces, sizeof faces);
    picture = draw_mesh(s, &mesh, &(struct tess_camera){0}, 37, 1, 0);
    assert_transparent(&picture);
    tess_picture_clear(&picture);
    tess_mesh_clear(&mesh);
    close_setting(s);
}

// The same triangle four times, in turns this way round and that: seen from either side
// is the first of those that turn their front there.
static void test_mesh_same_place(void **state)
{
    (void)state;
    enum { W = 32 };
    struct tess_mesh mesh = make_mesh(3, 4);
    set_vertex(&mesh, 0, -0.5, 0, -0.5);
    set_vertex(&mesh, 1, 0.5, 0, -0.5);
    set_vertex(&mesh, 2, 0.5, 0, 0.5);
    memcpy(mesh.indices, (uint32_t[]){0, 1, 2, 0, 2, 1, 0, 1, 2, 0, 2, 1},
           12 * sizeof *mesh.indices);
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        for (uint32_t side = 0; side < 2; side++) {
            // From +y, where the normals of the second and the fourth one go; from -y.
            struct tess_camera camera = {.yaw = side ? 3.14159265f : 0};
            uint32_t numbers[W * W], seen = 0;
            draw_words(numbers, s, &mesh, TESS_WORDS_FACES, &camera, W);
            for (size_t p = 0; p < (size_t)W * W; p++)
                if (numbers[p] != TESS_NO_WORD) {
                    assert_int_equal(numbers[p], 1 - side);
                    seen++;
                }
            assert_true(seen > W);
        }
        close_setting(s);
    }
    tess_mesh_clear(&mesh);
}

// Styles on one triangle across the picture, seen from the front and from behind.
static void test_mesh_channels(void **state)
{
    (void)state;
    struct setting *s = open_setting(TESS_VARIANT_AUTO);
    struct tess_mesh mesh = make_mesh(3, 1);
    set_vertex(&mesh, 0, 3, 0, -3);
    set_vertex(&mesh, 1, -3, 0, -3);
    set_vertex(&mesh, 2, 0, 0, 5);
    memcpy(mesh.indices, (uint32_t[]){0, 1, 2},
           3 * sizeof(uint32_t)); // normal +y, to the eye
    for (size_t i = 0; i < 3; i++)
        mesh.attributes[6 * i] = 0.8f;
    const struct tess_camera front = {0}, back = {.yaw = 3.14159265f};
    const size_t middle = 4 * (8 * 17 + 8);
    struct tess_picture a = draw_mesh(s, &mesh, &front, 17, 1, TESS_CHANNEL_FLAT);
    assert_memory_equal(a.pixels + middle, ((uint8_t[]){204, 0, 0, 255}), 4);
    tess_picture_clear(&a);
    a = draw_mesh(s, &mesh, &front, 17, 1, TESS_CHANNEL_NORMAL);
    assert_memory_equal(a.pixels + middle, ((uint8_t[]){128, 255, 128, 255}), 4);
    tess_picture_clear(&a);
    a = draw_mesh(s, &mesh, &back, 17, 1, TESS_CHANNEL_NORMAL); // not turned round
    assert_memory_equal(a.pixels + middle, ((uint8_t[]){128, 255, 128, 255}), 4);
    tess_picture_clear(&a);
    a = draw_mesh(s, &mesh, &front, 17, 1, TESS_CHANNEL_COLOUR);
    assert_in_range(a.pixels[middle], 180, 230);
    struct tess_picture b = draw_mesh(s, &mesh, &back, 17, 1, TESS_CHANNEL_COLOUR);
    assert_true(abs(a.pixels[middle] - b.pixels[middle]) <= 1);
    tess_picture_clear(&a);
    tess_picture_clear(&b);
    // The mesh's own normals come first.
    assert_int_equal(tess_mesh_normals(&mesh, &s->env), TESS_OK);
    for (size_t i = 0; i < 3; i++) {
        mesh.normals[3 * i + 1] = 0;
        mesh.normals[3 * i + 2] = 1;
    }
    a = draw_mesh(s, &mesh, &front, 17, 1, TESS_CHANNEL_NORMAL);
    assert_memory_equal(a.pixels + middle, ((uint8_t[]){128, 128, 255, 255}), 4);
    tess_picture_clear(&a);
    free(mesh.attributes);
    mesh.attributes = NULL;
    a = draw_mesh(s, &mesh, &front, 17, 1, TESS_CHANNEL_FLAT);
    assert_memory_equal(a.pixels + middle, ((uint8_t[]){204, 204, 204, 255}), 4);
    tess_picture_clear(&a);
    // Its plane is 2 from the eye, in the middle of the sphere; moved, a step in depth.
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < 3; k++)
            mesh.positions[3 * k + 1] = (float)i * 0.25f;
        a = draw_mesh(s, &mesh, &front, 17, 1, TESS_CHANNEL_DEPTH);
        double front_at = (0.8660254037844386 + 0.25 * i) / 1.7320508075688772;
        uint8_t grey = (uint8_t)lrint(255 * front_at + 1e-3);
        assert_memory_equal(a.pixels + middle, ((uint8_t[]){grey, grey, grey, 255}), 4);
        tess_picture_clear(&a);
    }
    tess_mesh_clear(&mesh);
    close_setting(s);
}

static void test_mesh_budgets(void **state)
{
    (void)state;
    const uint32_t size = asked_tiny() ? 17 : 100, S = asked_tiny() ? 1 : 3;
    for (size_t v = 0; v < 2; v++) {
        struct setting *s = open_setting(variants[v]);
        random_state = 6;
        struct tess_mesh mesh = make_triangles(asked_tiny() ? 30 : 20000);
        struct tess_camera camera = {0.3f, 0.4f, 0, 0};
        struct tess_picture wanted =
            draw_mesh(s, &mesh, &camera, size, S, TESS_CHANNEL_COLOUR);
        struct tess_stage_report report;
        assert_int_equal(tess_render_mesh_plan(&report, s->dev, &s->budget, size, S),
                         TESS_OK);
        size_t floor = report.floor_bytes;
        for (int step = 0; step < 4; step++) {
            struct tess_budget budget = s->budget;
            budget.device_bytes = floor << step;
            if (step == 3)
                budget.max_buffer = 1 << 20;
            struct tess_picture picture;
            if (tess_render_mesh(&picture, &report, s->dev, &budget, &mesh, &camera, size,
                                 S, TESS_CHANNEL_COLOUR))
                fail_msg("%s", s->env.message);
            if (step == 0 && !asked_tiny())
                assert_true(report.counters.launches > 2 * report.spans[0].runs);
            assert_true(report.peak_bytes <= budget.device_bytes);
            assert_same(&picture, &wanted);
            tess_picture_clear(&picture);
        }
        tess_picture_clear(&wanted);
        tess_mesh_clear(&mesh);
        close_setting(s);
    }
}

// An argument picks tests by a pattern, such as *_edges.
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mesh),
        cmocka_unit_test(test_mesh_supersampling),
        cmocka_unit_test(test_mesh_edges),
        cmocka_unit_test(test_mesh_cracks),
        cmocka_unit_test(test_mesh_clipping),
        cmocka_unit_test(test_mesh_degenerate),
        cmocka_unit_test(test_mesh_channels),
        cmocka_unit_test(test_mesh_budgets),
        cmocka_unit_test(test_mesh_same_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
