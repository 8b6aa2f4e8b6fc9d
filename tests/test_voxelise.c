// Voxelised meshes: known shapes, and all against a reference that decides with integers
// whether a triangle and a voxel touch.
#include "io_tmp.h"

#include <math.h>

#include "base/mesh.h"
#include "geom/voxelise.h"

struct voxels {
    int32_t *coords;
    size_t count;
};

static struct voxels voxelise(struct tmp *tmp, const struct tess_mesh *mesh, uint32_t R)
{
    struct voxels voxels = {0};
    enum tess_status status =
        tess_voxelise(&voxels.coords, &voxels.count, &tmp->env, mesh, R);
    if (status)
        print_error("%s\n", tmp->env.message);
    assert_int_equal(status, TESS_OK);
    int64_t last = -1;
    for (size_t i = 0; i < voxels.count; i++) {
        const int32_t *c = voxels.coords + 3 * i;
        for (int j = 0; j < 3; j++)
            assert_in_range(c[j], 0, R - 1);
        int64_t at = ((int64_t)c[0] * R + c[1]) * R + c[2];
        assert_true(at > last); // in order, so distinct too
        last = at;
    }
    return voxels;
}

static bool has(const struct voxels *voxels, int32_t x, int32_t y, int32_t z)
{
    for (size_t i = 0; i < voxels->count; i++) {
        const int32_t *c = voxels->coords + 3 * i;
        if (c[0] == x && c[1] == y && c[2] == z)
            return true;
    }
    return false;
}

static struct tess_mesh make_mesh(struct tmp *tmp, const float *positions,
                                  size_t vertices, const uint32_t *indices, size_t faces)
{
    struct tess_mesh mesh = {0};
    assert_int_equal(tess_mesh_create(&mesh, &tmp->env, vertices, faces, false), TESS_OK);
    memcpy(mesh.positions, positions, vertices * 3 * sizeof(float));
    memcpy(mesh.indices, indices, faces * 3 * sizeof(uint32_t));
    return mesh;
}

// ---------------------------------------------------------------------------------------
// The reference
// ---------------------------------------------------------------------------------------

// Corners in twice the units of voxels, 0..2R: integers, so every test is exact. `box` is
// the voxel's lower corner times two. An axis is given by what it does to a point.
static bool separates(const int64_t (*v)[3], const int64_t *box, const int64_t *axis)
{
    int64_t low = INT64_MAX, high = INT64_MIN, min = 0, max = 0;
    for (int i = 0; i < 3; i++) {
        int64_t d = 0;
        for (int j = 0; j < 3; j++)
            d += axis[j] * (v[i][j] - box[j]);
        low = d < low ? d : low;
        high = d > high ? d : high;
    }
    for (int j = 0; j < 3; j++) // of the box [0, 2]^3
        *(axis[j] < 0 ? &min : &max) += 2 * axis[j];
    return low > max || high < min;
}

static bool touches(const int64_t (*v)[3], const int64_t *box)
{
    int64_t axes[13][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, e[3][3];
    int count = 3;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            e[i][j] = v[(i + 1) % 3][j] - v[i][j];
    }
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++, count++) {
            axes[count][(j + 1) % 3] = e[i][(j + 2) % 3];
            axes[count][(j + 2) % 3] = -e[i][(j + 1) % 3];
        }
    }
    for (int j = 0; j < 3; j++) {
        int k = (j + 1) % 3, l = (j + 2) % 3;
        axes[count][j] = e[0][k] * e[1][l] - e[0][l] * e[1][k];
        // The plane between two voxels belongs to the upper one.
        int64_t max = v[0][j], min = v[0][j];
        for (int i = 1; i < 3; i++) {
            max = v[i][j] > max ? v[i][j] : max;
            min = v[i][j] < min ? v[i][j] : min;
        }
        if (min == box[j] + 2)
            return false;
    }
    for (int i = 0; i <= count; i++) {
        if (separates(v, box, axes[i]))
            return false;
    }
    return true;
}

// Integer corners: two of them, of a triangle that is a point, hold the bounding box at
// 0..2R, which makes the normalisation exact. R is a power of two.
static void compare(struct tmp *tmp, const int (*corners)[3], uint32_t R)
{
    const int top = (int)(2 * R);
    float positions[5][3] = {{0}};
    int64_t v[3][3];
    for (int j = 0; j < 3; j++) {
        positions[4][j] = (float)top;
        for (int i = 0; i < 3; i++) {
            v[i][j] = corners[i][j];
            positions[i + 1][j] = (float)corners[i][j];
        }
    }
    const uint32_t face[3] = {1, 2, 3};
    struct tess_mesh mesh = make_mesh(tmp, positions[0], 5, face, 1);
    struct voxels voxels = voxelise(tmp, &mesh, R);
    size_t next = 0;
    for (int64_t x = 0; x < R; x++) {
        for (int64_t y = 0; y < R; y++) {
            for (int64_t z = 0; z < R; z++) {
                const int64_t box[3] = {2 * x, 2 * y, 2 * z};
                const int32_t *c = voxels.coords + 3 * next;
                bool found = next < voxels.count && c[0] == x && c[1] == y && c[2] == z;
                next += found;
                if (found != touches((const int64_t(*)[3])v, box)) {
                    print_error("voxel %d %d %d of %d %d %d, %d %d %d, %d %d %d\n",
                                (int)x, (int)y, (int)z, corners[0][0], corners[0][1],
                                corners[0][2], corners[1][0], corners[1][1],
                                corners[1][2], corners[2][0], corners[2][1],
                                corners[2][2]);
                    fail();
                }
            }
        }
    }
    assert_int_equal(next, voxels.count);
    free(voxels.coords);
    tess_mesh_clear(&mesh);
}

// ---------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------

// Corners strictly inside, since those on the cube's faces are clipped off the integers.
static void test_random(void **state)
{
    struct tmp *tmp = *state;
    for (int i = 0; i < 2000; i++) {
        uint32_t R = i % 8 == 0 ? 16 : 8;
        int corners[3][3];
        for (int j = 0; j < 9; j++)
            corners[j / 3][j % 3] = 1 + (int)(tmp_random(tmp) % (2 * R - 1));
        if (i % 5 == 1) // flat, in a plane between voxels or through their middles
            corners[0][i % 3] = corners[1][i % 3] = corners[2][i % 3];
        if (i % 7 == 2) // a line
            memcpy(corners[2], corners[i & 1], sizeof corners[2]);
        for (int j = 1; j < 3 && i % 11 == 3; j++) // a point
            memcpy(corners[j], corners[0], sizeof corners[j]);
        compare(tmp, (const int(*)[3])corners, R);
    }
}

static const uint32_t CUBE[12][3] = {{0, 2, 1}, {1, 2, 3}, {4, 5, 6}, {5, 7, 6},
                                     {0, 1, 4}, {1, 5, 4}, {2, 6, 3}, {3, 6, 7},
                                     {0, 4, 2}, {2, 4, 6}, {1, 3, 5}, {3, 7, 5}};

static void test_cube(void **state)
{
    struct tmp *tmp = *state;
    float corners[8][3];
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 3; j++)
            corners[i][j] = (i >> j & 1) ? 30.5f : -1.25f; // anywhere, of any size
    }
    struct tess_mesh mesh = make_mesh(tmp, corners[0], 8, CUBE[0], 12);
    static const uint32_t sizes[] = {1, 2, 3, 10, 64, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t R = sizes[i], inner = R > 2 ? R - 2 : 0;
        struct voxels voxels = voxelise(tmp, &mesh, (uint32_t)R);
        assert_int_equal(voxels.count, R * R * R - inner * inner * inner);
        free(voxels.coords);
    }
    // A box half as wide: in the middle, from the planes at 16 to those at 48 of 64,
    // which belong to the voxels above.
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 3; j++)
            corners[i][j] = (i >> j & 1) ? (j == 0 ? 16.0f : 32.0f) : 0;
    }
    tess_mesh_clear(&mesh);
    mesh = make_mesh(tmp, corners[0], 8, CUBE[0], 12);
    struct voxels voxels = voxelise(tmp, &mesh, 64);
    assert_true(has(&voxels, 16, 30, 30));
    assert_true(has(&voxels, 48, 30, 30));
    assert_false(has(&voxels, 15, 30, 30));
    assert_false(has(&voxels, 47, 30, 30));
    assert_false(has(&voxels, 49, 30, 30));
    assert_int_equal(voxels.count, 33 * 64 * 64 - 31 * 62 * 62);
    free(voxels.coords);
    tess_mesh_clear(&mesh);
}

// Every voxel within the distance of its half diagonal, none farther out.
static void test_sphere(void **state)
{
    struct tmp *tmp = *state;
    enum { RINGS = 200, R = 64 };
    struct tess_mesh mesh = {0};
    assert_int_equal(
        tess_mesh_create(&mesh, &tmp->env, RINGS * RINGS, 2 * (RINGS - 1) * RINGS, false),
        TESS_OK);
    size_t face = 0;
    for (uint32_t i = 0; i < RINGS; i++) {
        for (uint32_t j = 0; j < RINGS; j++) {
            const double pi = acos(-1.0);
            double a = pi * i / (RINGS - 1), b = 2 * pi * j / RINGS;
            float *p = mesh.positions + 3 * (size_t)(i * RINGS + j);
            p[0] = (float)(sin(a) * cos(b));
            p[1] = (float)(sin(a) * sin(b));
            p[2] = (float)cos(a);
            uint32_t next = (j + 1) % RINGS;
            if (i + 1 == RINGS)
                continue;
            const uint32_t quad[6] = {i * RINGS + j,       (i + 1) * RINGS + j,
                                      i * RINGS + next,    i * RINGS + next,
                                      (i + 1) * RINGS + j, (i + 1) * RINGS + next};
            memcpy(mesh.indices + 3 * face, quad, sizeof quad);
            face += 2;
        }
    }
    struct voxels voxels = voxelise(tmp, &mesh, R);
    size_t near = 0;
    for (int x = 0; x < R; x++) {
        for (int y = 0; y < R; y++) {
            for (int z = 0; z < R; z++) {
                double p[3] = {(x + 0.5) / R - 0.5, (y + 0.5) / R - 0.5,
                               (z + 0.5) / R - 0.5};
                double off =
                    fabs(sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) - 0.5) * R;
                near += off < 0.45; // the centre's own cell, less the facets' sag
                if (off < 0.45)
                    assert_true(has(&voxels, x, y, z));
            }
        }
    }
    for (size_t i = 0; i < voxels.count; i++) {
        const int32_t *c = voxels.coords + 3 * i;
        double p[3] = {(c[0] + 0.5) / R - 0.5, (c[1] + 0.5) / R - 0.5,
                       (c[2] + 0.5) / R - 0.5};
        double off = fabs(sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) - 0.5) * R;
        assert_true(off < 0.88); // sqrt(3) / 2 and the sag
    }
    assert_true(near > 10000 && voxels.count > near);
    free(voxels.coords);
    tess_mesh_clear(&mesh);
}

static void test_single(void **state)
{
    struct tmp *tmp = *state;
    // The diagonal of the cube, as a triangle without area, goes from corner to corner.
    static const float line[3][3] = {{1, 1, 1}, {2, 2, 2}, {3, 3, 3}};
    static const uint32_t face[3] = {0, 1, 2};
    struct tess_mesh mesh = make_mesh(tmp, line[0], 3, face, 1);
    struct voxels voxels = voxelise(tmp, &mesh, 5);
    for (int i = 0; i < 5; i++)
        assert_true(has(&voxels, i, i, i));
    free(voxels.coords);
    tess_mesh_clear(&mesh);
    // A flat mesh is one layer in the middle, the upper of the two.
    static const float flat[4][3] = {{0, 0, 7}, {1, 0, 7}, {0, 1, 7}, {1, 1, 7}};
    static const uint32_t faces[6] = {0, 1, 2, 2, 1, 3};
    mesh = make_mesh(tmp, flat[0], 4, faces, 2);
    voxels = voxelise(tmp, &mesh, 64);
    assert_int_equal(voxels.count, 64 * 64);
    assert_int_equal(voxels.coords[2], 32);
    free(voxels.coords);
    // Tiny, huge, and the finest grid.
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 12; j++)
            mesh.positions[j] = flat[j / 3][j % 3] * (i ? 3e37f : 1e-44f);
        voxels = voxelise(tmp, &mesh, 64);
        assert_int_equal(voxels.count, 64 * 64);
        free(voxels.coords);
    }
    voxels = voxelise(tmp, &mesh, TESS_VOXELISE_MAX_RESOLUTION);
    assert_int_equal(voxels.count, 1024 * 1024);
    free(voxels.coords);
    tess_mesh_clear(&mesh);
}

static void test_errors(void **state)
{
    struct tmp *tmp = *state;
    struct voxels voxels = {0};
    static const float corners[3][3] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}};
    static const uint32_t face[3] = {0, 1, 2};
    struct tess_mesh mesh = {0};
    tmp_expect(tmp, tess_voxelise(&voxels.coords, &voxels.count, &tmp->env, &mesh, 64),
               TESS_ERR_FILE, "the mesh has no faces", NULL);
    mesh = make_mesh(tmp, corners[0], 3, face, 1);
    mesh.indices[1] = 3;
    tmp_expect(tmp, tess_voxelise(&voxels.coords, &voxels.count, &tmp->env, &mesh, 64),
               TESS_ERR_FILE, "face 0 has vertex 3, expected one of 3", NULL);
    mesh.indices[1] = 1;
    mesh.positions[4] = NAN;
    tmp_expect(tmp, tess_voxelise(&voxels.coords, &voxels.count, &tmp->env, &mesh, 64),
               TESS_ERR_FILE, "vertex 1 is at", NULL);
    memset(mesh.positions, 0, 9 * sizeof(float));
    tmp_expect(tmp, tess_voxelise(&voxels.coords, &voxels.count, &tmp->env, &mesh, 64),
               TESS_ERR_FILE, "all 3 vertices of the mesh are at the same point", NULL);
    mesh.positions[0] = 1;
    tess_env_cancel(&tmp->env);
    tmp_expect(tmp, tess_voxelise(&voxels.coords, &voxels.count, &tmp->env, &mesh, 64),
               TESS_ERR_CANCELLED, NULL);
    tmp->env.cancelled = false;
    assert_null(voxels.coords);
    tess_mesh_clear(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_cube),
        cmocka_unit_test(test_sphere), cmocka_unit_test(test_single),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
