// For the tests of files with Gaussian splats: splats of random values.
#ifndef TESS_RANDOM_SPLATS_H
#define TESS_RANDOM_SPLATS_H

#include "io_tmp.h"

#include <math.h>

#include "base/mesh.h"

// 0..1
static inline float random_unit(struct tmp *tmp)
{
    return (float)(tmp_random(tmp) >> 8) / 16777216.0f;
}

static inline struct tess_splats make_splats(struct tmp *tmp, size_t count)
{
    struct tess_splats splats = {0};
    assert_int_equal(tess_splats_create(&splats, &tmp->env, count), TESS_OK);
    for (size_t i = 0; i < count; i++) {
        double length = 0;
        for (int j = 0; j < 3; j++) {
            splats.positions[3 * i + j] = random_unit(tmp) - 0.5f;
            splats.scales[3 * i + j] = 1e-4f + random_unit(tmp) * 0.01f;
            splats.colours[3 * i + j] = random_unit(tmp) * 4 - 2;
        }
        for (int j = 0; j < 4; j++) {
            splats.rotations[4 * i + j] = random_unit(tmp) * 2 - 1;
            length += pow(splats.rotations[4 * i + j], 2);
        }
        for (int j = 0; j < 4; j++)
            splats.rotations[4 * i + j] /= (float)sqrt(length);
        splats.opacities[i] = random_unit(tmp);
    }
    return splats;
}

static inline void rotation_matrix(double m[3][3], const float *q)
{
    double w = q[0], x = q[1], y = q[2], z = q[3];
    const double r[3][3] = {
        {1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
        {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
        {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}};
    memcpy(m, r, sizeof r);
}

// Whether two quaternions are the same rotation, to within `bound` of each entry of the
// matrix.
static inline void expect_rotation(const float *q, const float *expected, double bound)
{
    double a[3][3], b[3][3];
    rotation_matrix(a, q);
    rotation_matrix(b, expected);
    for (int i = 0; i < 9; i++)
        assert_true(fabs(a[i / 3][i % 3] - b[i / 3][i % 3]) <= bound);
}

#endif
