// Mesh clean-up: minimum cuts against all cuts, and each step on shapes whose
// result is known.
#include "mesh_shapes.h"

#include "geom/fill_holes.h"
#include "geom/hidden_faces.h"
#include "geom/max_flow.h"
#include "geom/simplify.h"
#include "geom/specks.h"
#include "geom/split.h"
#include "geom/weld.h"
#include "geom/wind.h"

// ---- minimum cuts ----

// The value of the cut with the nodes of `mask` at the source.
static int64_t cut_value(uint32_t mask, size_t nodes, const int64_t *source,
                         const int64_t *target, const struct tess_flow_arc *arcs,
                         size_t count)
{
    int64_t value = 0;
    for (size_t v = 0; v < nodes; v++)
        value += mask >> v & 1 ? target[v] : source[v];
    for (size_t a = 0; a < count; a++)
        if ((mask >> arcs[a].nodes[0] & 1) != (mask >> arcs[a].nodes[1] & 1))
            value += arcs[a].capacity;
    return value;
}

static void test_max_flow(void **state)
{
    struct tmp *tmp = *state;
    enum { NODES = 9, ARCS = 20 };
    for (int round = 0; round < 300; round++) {
        size_t nodes = 1 + next_random(tmp) % NODES, count = next_random(tmp) % ARCS;
        int64_t source[NODES], target[NODES], flow;
        struct tess_flow_arc arcs[ARCS];
        bool at_source[NODES];
        for (size_t v = 0; v < nodes; v++) {
            source[v] = next_random(tmp) % 3 ? 0 : next_random(tmp) % 8;
            target[v] = next_random(tmp) % 3 ? 0 : next_random(tmp) % 8;
        }
        for (size_t a = 0; a < count; a++)
            arcs[a] = (struct tess_flow_arc){
                {next_random(tmp) % (uint32_t)nodes, next_random(tmp) % (uint32_t)nodes},
                next_random(tmp) % 6};
        check(tmp, tess_max_flow(at_source, &flow, &tmp->env, nodes, source, target, arcs,
                                 count));
        int64_t least = INT64_MAX;
        uint32_t smallest = 0, mask = 0;
        for (uint32_t m = 0; m < 1u << nodes; m++) {
            int64_t value = cut_value(m, nodes, source, target, arcs, count);
            // Source sides of minimum cuts are closed under intersection.
            smallest = value < least ? m : value == least ? smallest & m : smallest;
            least = value < least ? value : least;
        }
        for (size_t v = 0; v < nodes; v++)
            mask |= (uint32_t)at_source[v] << v;
        assert_int_equal(flow, least);
        assert_int_equal(mask, smallest);
    }
}

// ---- hidden faces ----

// A sphere seen by all views, with another inside that none sees.
static void test_inner_shell(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh outer = make_sphere(tmp, 9, 12, 0.5f),
                     inner = make_sphere(tmp, 9, 12, 0.4f);
    turn_all(&inner);
    size_t outer_faces = outer.faces, removed;
    bool spared;
    struct tess_mesh mesh = join(tmp, &outer, &inner, 0);
    float *visibility = calloc(mesh.faces, sizeof *visibility);
    for (size_t f = 0; f < outer_faces; f++)
        visibility[f] = 0.45f + (float)(f % 7) * 0.01f;
    check(tmp,
          tess_mesh_remove_hidden(&mesh, &removed, &spared, &tmp->env, visibility, NULL));
    assert_int_equal(removed, outer_faces);
    assert_int_equal(mesh.faces, outer_faces);
    assert_int_equal(measure(tmp, &mesh).boundary_edges, 0);
    assert_true(measure(tmp, &mesh).volume > 0);
    assert_int_equal(mesh.vertices, 9 * 12 + 2);
    // Nothing is hidden now: nothing changes.
    for (size_t f = 0; f < mesh.faces; f++)
        visibility[f] = f % 2 ? 0.001f : 0.5f;
    check(tmp,
          tess_mesh_remove_hidden(&mesh, &removed, &spared, &tmp->env, visibility, NULL));
    assert_int_equal(removed, 0);
    assert_false(spared);
    free(visibility);
    tess_mesh_clear(&mesh);
}

// Views that see next to nothing say that all is hidden: then nothing is, and the mesh is
// told to be spared.
static void test_all_hidden(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_sphere(tmp, 9, 12, 0.5f);
    size_t faces = mesh.faces, vertices = mesh.vertices, removed = 1;
    bool spared = false;
    float *visibility = calloc(faces, sizeof *visibility);
    visibility[7] = 0.05f;
    check(tmp,
          tess_mesh_remove_hidden(&mesh, &removed, &spared, &tmp->env, visibility, NULL));
    assert_true(spared);
    assert_int_equal(removed, 0);
    assert_int_equal(mesh.faces, faces);
    assert_int_equal(mesh.vertices, vertices);
    free(visibility);
    tess_mesh_clear(&mesh);
}

// A cap of a sphere that no view sees: it goes if the hole is small enough.
static void test_hole_limit(void **state)
{
    struct tmp *tmp = *state;
    enum { COLUMNS = 16 };
    for (int large = 0; large < 2; large++) {
        struct tess_mesh mesh = make_sphere(tmp, 15, COLUMNS, 0.5f);
        size_t removed, before = mesh.faces, hidden = 0;
        bool spared;
        float *visibility = calloc(mesh.faces, sizeof *visibility);
        for (size_t f = 0; f < mesh.faces; f++) {
            const uint32_t *face = mesh.indices + 3 * f;
            double z = 0;
            for (int i = 0; i < 3; i++)
                z += mesh.positions[3 * face[i] + 2] / 3;
            visibility[f] = z > 0.4 ? 0 : 0.4f + (float)(f % 5) * 0.05f;
            hidden += z > 0.4;
        }
        // The loop is a circle of radius about 0.28: its area is about 0.24.
        check(tmp, tess_mesh_remove_hidden(
                       &mesh, &removed, &spared, &tmp->env, visibility,
                       &(struct tess_hidden_params){.max_hole_area = large ? 0.5 : 0.1}));
        assert_int_equal(removed, large ? hidden : 0);
        assert_int_equal(mesh.faces, before - removed);
        assert_int_equal(measure(tmp, &mesh).boundary_edges, large ? COLUMNS : 0);
        free(visibility);
        tess_mesh_clear(&mesh);
    }
}

// ---- holes ----

static void test_holes(void **state)
{
    struct tmp *tmp = *state;
    enum { RINGS = 11, COLUMNS = 12 };
    struct tess_mesh mesh = make_sphere(tmp, RINGS, COLUMNS, 0.5f);
    double volume = measure(tmp, &mesh).volume;
    // The cap of the south pole and two faces that share only a vertex with each other.
    size_t gone[COLUMNS + 2], count = 0, filled;
    for (size_t f = 0; f < mesh.faces; f++) {
        const uint32_t *face = mesh.indices + 3 * f;
        if (face[0] == RINGS * COLUMNS)
            gone[count++] = f;
    }
    assert_int_equal(count, COLUMNS);
    uint32_t shared = 5 * COLUMNS + 3;
    for (size_t f = 0; f < mesh.faces && count < COLUMNS + 2; f++) {
        const uint32_t *face = mesh.indices + 3 * f;
        if ((count == COLUMNS && face[0] == shared) ||
            (count == COLUMNS + 1 && face[2] == shared && face[0] != shared))
            gone[count++] = f;
    }
    if (count < COLUMNS + 2) // the second comes before the first
        for (size_t f = 0; f < mesh.faces && count < COLUMNS + 2; f++)
            if (mesh.indices[3 * f + 2] == shared)
                gone[count++] = f;
    assert_int_equal(count, COLUMNS + 2);
    remove_faces(tmp, &mesh, gone, count);
    assert_int_equal(measure(tmp, &mesh).boundary_edges, COLUMNS + 6);
    check(tmp, tess_mesh_fill_holes(&mesh, &filled, &tmp->env, COLUMNS - 1));
    assert_int_equal(filled, 2);
    assert_int_equal(measure(tmp, &mesh).boundary_edges, COLUMNS);
    check(tmp, tess_mesh_fill_holes(&mesh, &filled, &tmp->env, COLUMNS));
    struct tess_mesh_facts facts = measure(tmp, &mesh);
    assert_int_equal(filled, 1);
    assert_int_equal(facts.boundary_edges, 0);
    assert_int_equal(facts.non_manifold_edges, 0);
    assert_int_equal(facts.inconsistent_edges, 0);
    assert_true(facts.volume < volume && facts.volume > 0.95 * volume);
    tess_mesh_clear(&mesh);
}

// The only diagonals that a square has are there already: it stays open.
static void test_taken_diagonals(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    size_t filled;
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 5, 6, false));
    memcpy(mesh.positions, (float[]){0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0.5f, 0.5f, 1},
           60);
    // Four sides of a pyramid, and a face at each diagonal of its base.
    memcpy(mesh.indices,
           (uint32_t[]){0, 1, 4, 1, 2, 4, 2, 3, 4, 3, 0, 4, 0, 2, 4, 1, 3, 4}, 72);
    struct tess_mesh_facts before = measure(tmp, &mesh);
    check(tmp, tess_mesh_fill_holes(&mesh, &filled, &tmp->env, 4));
    struct tess_mesh_facts after = measure(tmp, &mesh);
    assert_int_equal(after.non_manifold_edges, before.non_manifold_edges);
    tess_mesh_clear(&mesh);
}

// ---- winding, specks, simplification ----

static void test_winding(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_sphere(tmp, 8, 10, 0.5f);
    uint32_t *wanted = malloc(mesh.faces * 12);
    memcpy(wanted, mesh.indices, mesh.faces * 12);
    size_t turned, against = 0;
    for (size_t f = 0; f < mesh.faces; f++)
        if (next_random(tmp) % 3 == 0) {
            uint32_t swap = mesh.indices[3 * f + 1];
            mesh.indices[3 * f + 1] = mesh.indices[3 * f + 2];
            mesh.indices[3 * f + 2] = swap;
            against++;
        }
    assert_true(measure(tmp, &mesh).inconsistent_edges > 0);
    check(tmp, tess_mesh_wind(&mesh, &turned, &tmp->env));
    assert_int_equal(turned, against);
    assert_memory_equal(wanted, mesh.indices, mesh.faces * 12);
    free(wanted);
    tess_mesh_clear(&mesh);
}

static void test_specks(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh large = make_sphere(tmp, 5, 6, 0.5f),
                     speck = make_sphere(tmp, 5, 6, 0.05f);
    size_t faces = large.faces, removed;
    struct tess_mesh mesh = join(tmp, &speck, &large, 1); // areas 1 : 100
    check(tmp, tess_mesh_remove_specks(&mesh, &removed, &tmp->env, 0.009));
    assert_int_equal(removed, 0);
    check(tmp, tess_mesh_remove_specks(&mesh, &removed, &tmp->env, 0.011));
    assert_int_equal(removed, faces);
    assert_true(measure(tmp, &mesh).lower[0] > 0.4);
    check(tmp, tess_mesh_remove_specks(&mesh, &removed, &tmp->env, 0.99));
    assert_int_equal(removed, 0); // the largest stays
    tess_mesh_clear(&mesh);
}

static void test_simplify(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = make_sphere(tmp, 63, 64, 0.5f);
    check(tmp, tess_mesh_normals(&mesh, &tmp->env));
    size_t wanted = mesh.faces / 20;
    check(tmp, tess_mesh_simplify(&mesh, &tmp->env, wanted));
    struct tess_mesh_facts facts = measure(tmp, &mesh);
    assert_in_range(mesh.faces, wanted * 9 / 10, wanted);
    assert_int_equal(facts.boundary_edges, 0);
    assert_int_equal(facts.non_manifold_edges, 0);
    assert_int_equal(facts.components, 1);
    // Equal triangles with corners on the sphere, F of them, lose 3/8 a^2 of the volume,
    // a^2 = 16 pi / (sqrt 3 F) being their squared edge at radius 1. Twice that here.
    double loss = 3 * 2 * M_PI / (sqrt(3) * (double)mesh.faces);
    assert_true(facts.volume > (1 - 2 * loss) * M_PI / 6);
    for (size_t v = 0; v < mesh.vertices; v++) {
        const float *p = mesh.positions + 3 * v, *n = mesh.normals + 3 * v;
        // Attributes went along; normals are the new faces'.
        assert_true(fabsf(mesh.attributes[6 * v] - (p[0] + 0.5f)) < 1e-6f);
        assert_true((p[0] * n[0] + p[1] * n[1] + p[2] * n[2]) / 0.5f > 0.95f);
    }
    size_t before = mesh.faces;
    check(tmp, tess_mesh_simplify(&mesh, &tmp->env, before + 1));
    assert_int_equal(mesh.faces, before);
    tess_mesh_clear(&mesh);
}

// However few faces are asked for, some stay: a tetrahedron may collapse whole.
static void test_simplify_to_nothing(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    static const uint32_t corners[12] = {0, 2, 1, 0, 1, 3, 1, 2, 3, 2, 0, 3};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 4, 4, true));
    for (int v = 0; v < 4; v++)
        for (int k = 0; k < 3; k++)
            mesh.positions[3 * v + k] = v == k + 1;
    memcpy(mesh.indices, corners, sizeof corners);
    check(tmp, tess_mesh_simplify(&mesh, &tmp->env, 1));
    assert_in_range(mesh.faces, 1, 4);
    tess_mesh_clear(&mesh);
}

// A piece that collapses flat, two faces back to back, goes.
static void test_simplify_flat(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh sphere = make_sphere(tmp, 31, 32, 0.5f);
    struct tess_mesh speck = make_sphere(tmp, 1, 3, 0.01f);
    struct tess_mesh mesh = join(tmp, &sphere, &speck, 2);
    check(tmp, tess_mesh_simplify(&mesh, &tmp->env, mesh.faces / 20));
    struct tess_mesh_facts facts = measure(tmp, &mesh);
    assert_int_equal(facts.components, 1);
    assert_int_equal(facts.boundary_edges, 0);
    assert_int_equal(facts.non_manifold_edges, 0);
    assert_in_range(mesh.faces, 50, 100);
    for (size_t v = 0; v < mesh.vertices; v++)
        assert_true(fabsf(mesh.positions[3 * v]) < 0.51f);
    tess_mesh_clear(&mesh);
}

// All vertices of all faces in one place: they cannot be joined without losing the mesh.
static void test_weld_to_nothing(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    size_t joined = 1;
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 6, 2, true));
    for (uint32_t i = 0; i < 6; i++)
        mesh.indices[i] = i;
    check(tmp, tess_mesh_weld(&mesh, &joined, &tmp->env));
    assert_int_equal(joined, 0);
    assert_int_equal(mesh.faces, 2);
    assert_int_equal(mesh.vertices, 6);
    tess_mesh_clear(&mesh);
}

// Two boxes with an edge in common, and a third that touches them in a vertex: each gets
// vertices of its own.
static void test_split(void **state)
{
    struct tmp *tmp = *state;
    static const uint32_t sides[6][4] = {{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
                                         {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}};
    static const int places[3][3] = {{0, 0, 0}, {1, 1, 0}, {2, 2, 1}};
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 64, 36, true));
    for (int v = 0; v < 64; v++) {
        for (int k = 0; k < 3; k++)
            mesh.positions[3 * v + k] = (float)(v >> (2 * k) & 3);
        mesh.attributes[6 * v] = (float)v;
    }
    for (int box = 0; box < 3; box++)
        for (int side = 0; side < 6; side++)
            for (int i = 0; i < 6; i++) {
                static const int order[6] = {0, 1, 2, 0, 2, 3};
                uint32_t corner = sides[side][order[i]], vertex = 0;
                for (int k = 0; k < 3; k++)
                    vertex |= (uint32_t)(places[box][k] + (int)(corner >> k & 1))
                              << (2 * k);
                mesh.indices[36 * box + 6 * side + i] = vertex;
            }
    struct tess_mesh_facts before = measure(tmp, &mesh);
    assert_int_equal(before.non_manifold_edges, 1);
    assert_true(fabs(before.volume - 3) < 1e-6);
    size_t added;
    check(tmp, tess_mesh_split(&mesh, &added, &tmp->env));
    struct tess_mesh_facts after = measure(tmp, &mesh);
    assert_int_equal(added, 3); // two at the edge, one at the vertex
    assert_int_equal(mesh.vertices, 67);
    assert_int_equal(after.non_manifold_edges, 0);
    assert_int_equal(after.boundary_edges, 0);
    assert_int_equal(after.inconsistent_edges, 0);
    assert_int_equal(after.components, 3); // not two solids that share a wall of air
    assert_true(fabs(after.volume - 3) < 1e-6);
    for (size_t v = 64; v < 67; v++) {
        size_t source = (size_t)mesh.attributes[6 * v];
        assert_memory_equal(mesh.positions + 3 * v, mesh.positions + 3 * source, 12);
    }
    check(tmp, tess_mesh_split(&mesh, &added, &tmp->env));
    assert_int_equal(added, 0);
    tess_mesh_clear(&mesh);
}

// No face at all goes through every step.
static void test_empty(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    size_t count;
    bool spared;
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 0, 0, true));
    check(tmp, tess_mesh_weld(&mesh, &count, &tmp->env));
    check(tmp, tess_mesh_wind(&mesh, &count, &tmp->env));
    check(tmp, tess_mesh_simplify(&mesh, &tmp->env, 0));
    check(tmp, tess_mesh_remove_hidden(&mesh, &count, &spared, &tmp->env, NULL, NULL));
    assert_false(spared);
    check(tmp, tess_mesh_remove_specks(&mesh, &count, &tmp->env, 0.5));
    check(tmp, tess_mesh_fill_holes(&mesh, &count, &tmp->env, 55));
    check(tmp, tess_mesh_split(&mesh, &count, &tmp->env));
    assert_int_equal(measure(tmp, &mesh).components, 0);
    tess_mesh_clear(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_flow),
        cmocka_unit_test(test_inner_shell),
        cmocka_unit_test(test_all_hidden),
        cmocka_unit_test(test_simplify_to_nothing),
        cmocka_unit_test(test_simplify_flat),
        cmocka_unit_test(test_weld_to_nothing),
        cmocka_unit_test(test_hole_limit),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_taken_diagonals),
        cmocka_unit_test(test_winding),
        cmocka_unit_test(test_specks),
        cmocka_unit_test(test_simplify),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
