// Which faces meet at which edges, measures of meshes, and vertices that become one.
#include "mesh_shapes.h"

#include "geom/weld.h"

static void test_topology(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh a = make_sphere(tmp, 7, 9, 0.5f), b = make_sphere(tmp, 3, 5, 0.2f);
    double volume = measure(tmp, &a).volume;
    assert_true(volume > 0.4 && volume < 4 * M_PI / 3 / 8);
    struct tess_mesh mesh = join(tmp, &a, &b, 2);
    struct tess_mesh_facts facts = measure(tmp, &mesh);
    assert_int_equal(facts.components, 2);
    assert_int_equal(facts.boundary_edges, 0);
    assert_int_equal(facts.non_manifold_edges, 0);
    assert_int_equal(facts.inconsistent_edges, 0);
    assert_true(fabs(facts.upper[0] - 2.2) < 0.05 && fabs(facts.lower[2] + 0.5) < 1e-6);
    // Euler: V - E + F = 2 of each.
    struct tess_topology topology;
    check(tmp, tess_topology_create(&topology, &tmp->env, &mesh));
    assert_int_equal(mesh.vertices + mesh.faces - topology.edge_count, 4);
    for (size_t i = 0; i < 3 * mesh.faces; i++) {
        uint32_t other = tess_topology_across(&topology, i / 3, i % 3);
        assert_int_not_equal(other, TESS_NO_FACE);
        uint32_t back = 0;
        for (size_t k = 0; k < 3; k++)
            back += tess_topology_across(&topology, other, k) == i / 3;
        assert_int_equal(back, 1);
    }
    tess_topology_clear(&topology);
    tess_mesh_clear(&mesh);
}

static void test_three_at_an_edge(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 5, 3, false));
    memcpy(mesh.indices, (uint32_t[]){0, 1, 2, 1, 0, 3, 0, 1, 4}, 36);
    struct tess_mesh_facts facts = measure(tmp, &mesh);
    assert_int_equal(facts.non_manifold_edges, 1);
    assert_int_equal(facts.boundary_edges, 6);
    assert_int_equal(facts.components, 1);
    tess_mesh_clear(&mesh);
}

// Each triangle's vertices its own: welded, the sphere is what it was.
static void test_weld(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh sphere = make_sphere(tmp, 7, 9, 0.5f), soup = {0};
    struct tess_mesh_facts wanted = measure(tmp, &sphere), got;
    check(tmp, tess_mesh_create(&soup, &tmp->env, 3 * sphere.faces, sphere.faces, true));
    for (size_t i = 0; i < 3 * sphere.faces; i++) {
        size_t v = sphere.indices[i];
        memcpy(soup.positions + 3 * i, sphere.positions + 3 * v, 12);
        memcpy(soup.attributes + 6 * i, sphere.attributes + 6 * v, 24);
        if (soup.positions[3 * i + 1] == 0 && i % 2)
            soup.positions[3 * i + 1] = -0.0f; // the same place
        soup.indices[i] = (uint32_t)i;
    }
    got = measure(tmp, &soup);
    assert_int_equal(got.components, sphere.faces);
    assert_int_equal(got.boundary_edges, 3 * sphere.faces);
    size_t joined;
    check(tmp, tess_mesh_weld(&soup, &joined, &tmp->env));
    got = measure(tmp, &soup);
    assert_int_equal(joined, 3 * sphere.faces - sphere.vertices);
    assert_int_equal(soup.vertices, sphere.vertices);
    assert_int_equal(soup.faces, sphere.faces);
    assert_int_equal(got.components, 1);
    assert_int_equal(got.boundary_edges, 0);
    assert_int_equal(got.inconsistent_edges, 0);
    assert_true(fabs(got.volume - wanted.volume) < 1e-9);
    for (size_t v = 0; v < soup.vertices; v++)
        assert_true(fabsf(soup.attributes[6 * v] - (soup.positions[3 * v] + 0.5f)) <
                    1e-6f);
    check(tmp, tess_mesh_weld(&soup, &joined, &tmp->env));
    assert_int_equal(joined, 0);
    tess_mesh_clear(&sphere);
    tess_mesh_clear(&soup);
}

// A face whose corners are at two places goes.
static void test_weld_of_slivers(void **state)
{
    struct tmp *tmp = *state;
    struct tess_mesh mesh = {0};
    size_t joined;
    check(tmp, tess_mesh_create(&mesh, &tmp->env, 4, 2, false));
    memcpy(mesh.positions, (float[]){0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0}, 48);
    memcpy(mesh.indices, (uint32_t[]){0, 1, 3, 0, 3, 2}, 24);
    check(tmp, tess_mesh_weld(&mesh, &joined, &tmp->env));
    assert_int_equal(mesh.faces, 1);
    assert_int_equal(mesh.vertices, 3);
    assert_memory_equal(mesh.indices, ((uint32_t[]){0, 1, 2}), 12);
    tess_mesh_clear(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topology),
        cmocka_unit_test(test_three_at_an_edge),
        cmocka_unit_test(test_weld),
        cmocka_unit_test(test_weld_of_slivers),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
