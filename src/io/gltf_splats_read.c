// GLB reader for Gaussian splats. The scene is walked twice: to count, and to read.
#include "io/gltf_splats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/glb.h"
#include "io/gltf_nodes.h"
#include "io/srgb.h"
#include "io/turn.h"

enum { MODE_POINTS = 0 };

struct reader {
    struct tess_glb glb;
    struct tess_splats splats; // no arrays yet: count only
    size_t done;
};

// What a node does to splats: turn, then scale evenly, then move. Others would need new
// axes for each splat.
struct placing {
    double rotation[4]; // w, x, y, z
    double scale, move[3];
};

static struct tess_json_at find_extension(struct tess_json_at primitive)
{
    return tess_json_member(tess_json_member(primitive, "extensions"), TESS_GLTF_SPLATS);
}

// ---- nodes ----

// The quaternion of a rotation matrix r[row][column], by its largest part.
static void to_quaternion(double *q, double r[3][3])
{
    double squares[4] = {1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                         1 - r[0][0] + r[1][1] - r[2][2],
                         1 - r[0][0] - r[1][1] + r[2][2]};
    int largest = 0;
    for (int i = 1; i < 4; i++)
        if (squares[i] > squares[largest])
            largest = i;
    // 4 w x, 4 w y, 4 w z, 4 x y, 4 x z, 4 y z
    double wx = r[2][1] - r[1][2], wy = r[0][2] - r[2][0], wz = r[1][0] - r[0][1];
    double xy = r[1][0] + r[0][1], xz = r[0][2] + r[2][0], yz = r[2][1] + r[1][2];
    const double rows[4][4] = {{squares[0], wx, wy, wz},
                               {wx, squares[1], xy, xz},
                               {wy, xy, squares[2], yz},
                               {wz, xz, yz, squares[3]}};
    double length = 2 * sqrt(squares[largest]);
    for (int i = 0; i < 4; i++)
        q[i] = rows[largest][i] / length;
}

static double determinant(double r[3][3])
{
    return r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) -
           r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
           r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
}

// False: the node stretches, shears or mirrors.
static bool place(struct placing *out, const struct tess_gltf_matrix *transform)
{
    double r[3][3], worst = 0;
    for (int c = 0; c < 3; c++) {
        out->move[c] = transform->m[12 + c];
        for (int row = 0; row < 3; row++)
            r[row][c] = transform->m[4 * c + row];
    }
    out->scale = cbrt(determinant(r));
    if (!(out->scale > 0 && isfinite(out->scale)))
        return false;
    for (int i = 0; i < 9; i++)
        r[i / 3][i % 3] /= out->scale;
    for (int a = 0; a < 3; a++) {
        for (int b = 0; b < 3; b++) {
            double dot = a == b ? -1 : 0;
            for (int row = 0; row < 3; row++)
                dot += r[row][a] * r[row][b];
            worst = fmax(worst, fabs(dot));
        }
    }
    to_quaternion(out->rotation, r);
    return worst < 1e-3;
}

// ---- primitives ----

// An accessor of N elements (any number if N is 0) of float or of other types that are
// allowed.
static enum tess_status read_attribute(struct tess_glb_array *out,
                                       const struct tess_glb *glb,
                                       struct tess_json_at attributes, const char *key,
                                       int components, size_t N, bool is_signed,
                                       bool only_floats)
{
    TESS_TRY(tess_glb_accessor(out, glb, attributes, key));
    bool small = is_signed ? out->type == TESS_GLB_BYTE || out->type == TESS_GLB_SHORT
                           : out->type == TESS_GLB_UNSIGNED_BYTE ||
                                 out->type == TESS_GLB_UNSIGNED_SHORT;
    bool good = out->type == TESS_GLB_FLOAT || (small && !only_floats);
    if (!good || out->components != components)
        return tess_json_fail(attributes, key, "an accessor of %d components, %s",
                              components,
                              only_floats ? "float"
                              : is_signed ? "float, byte or short"
                                          : "float, unsigned byte or unsigned short");
    if (N && out->count != N)
        return tess_json_fail(attributes, key, "an accessor of %zu elements, as POSITION",
                              N);
    return TESS_OK;
}

struct arrays {
    struct tess_glb_array positions, rotations, scales, opacities, colours;
    bool linear; // colours are
};

static enum tess_status read_arrays(struct arrays *out, const struct tess_glb *glb,
                                    struct tess_json_at primitive)
{
    struct tess_json_at extension, attributes;
    const char *kernel, *space;
    uint32_t mode;
    TESS_TRY(tess_json_uint(&mode, primitive, "mode", MODE_POINTS, MODE_POINTS));
    TESS_TRY(tess_json_object(&extension, find_extension(primitive), NULL));
    TESS_TRY(tess_json_string_or(&kernel, extension, "kernel", "ellipse"));
    if (strcmp(kernel, "ellipse") != 0)
        return tess_json_fail(extension, "kernel", "\"ellipse\"");
    TESS_TRY(tess_json_string_or(&space, extension, "colorSpace", "srgb_rec709_display"));
    out->linear = strcmp(space, "lin_rec709_display") == 0;
    if (!out->linear && strcmp(space, "srgb_rec709_display") != 0)
        return tess_json_fail(extension, "colorSpace",
                              "\"srgb_rec709_display\" or \"lin_rec709_display\"");
    TESS_TRY(tess_json_object(&attributes, primitive, "attributes"));
    TESS_TRY(
        read_attribute(&out->positions, glb, attributes, "POSITION", 3, 0, true, true));
    size_t N = out->positions.count;
    TESS_TRY(read_attribute(&out->rotations, glb, attributes,
                            TESS_GLTF_SPLATS ":ROTATION", 4, N, true, false));
    TESS_TRY(read_attribute(&out->scales, glb, attributes, TESS_GLTF_SPLATS ":SCALE", 3,
                            N, false, false));
    TESS_TRY(read_attribute(&out->opacities, glb, attributes, TESS_GLTF_SPLATS ":OPACITY",
                            1, N, false, false));
    return read_attribute(&out->colours, glb, attributes,
                          TESS_GLTF_SPLATS ":SH_DEGREE_0_COEF_0", 3, N, true, true);
}

// The coefficient of a linear colour for the same colour in sRGB.
static float to_srgb(float coefficient)
{
    double v = tess_srgb_from_linear(0.5 + TESS_SH_DC * (double)coefficient);
    return (float)((v - 0.5) / TESS_SH_DC);
}

// Product of quaternions w, x, y, z.
static void turn_by(float *out, const double *a, const float *q)
{
    const double b[4] = {q[3], q[0], q[1], q[2]}; // glTF's order is x, y, z, w
    out[0] = (float)(a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]);
    out[1] = (float)(a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2]);
    out[2] = (float)(a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1]);
    out[3] = (float)(a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0]);
}

// What is wrong with a splat, or NULL.
static const char *read_splat(struct tess_splats *splats, size_t index,
                              const struct arrays *arrays, size_t i,
                              const struct placing *placing,
                              const struct tess_gltf_matrix *transform)
{
    float p[4], q[4], turned[4], s[4], opacity[4], c[4];
    tess_glb_floats(p, &arrays->positions, i);
    tess_glb_floats(q, &arrays->rotations, i);
    tess_glb_floats(s, &arrays->scales, i);
    tess_glb_floats(opacity, &arrays->opacities, i);
    tess_glb_floats(c, &arrays->colours, i);
    const double whole =
        arrays->scales.type == TESS_GLB_FLOAT || arrays->scales.normalized ? 1
        : arrays->scales.type == TESS_GLB_UNSIGNED_BYTE                    ? 255
                                                                           : 65535;
    float moved[3];
    for (int r = 0; r < 3; r++) {
        const double *m = transform->m;
        moved[r] = (float)(m[r] * p[0] + m[4 + r] * p[1] + m[8 + r] * p[2] + m[12 + r]);
        float scale = (float)(placing->scale * whole * s[r]);
        if (!isfinite(moved[r]))
            return "its POSITION is not finite";
        if (!(isfinite(scale) && scale >= 0))
            return "its SCALE is negative or not finite";
        if (!isfinite(c[r]))
            return "its SH_DEGREE_0_COEF_0 is not finite";
        splats->scales[3 * index + (size_t)r] = scale;
        splats->colours[3 * index + (size_t)r] = arrays->linear ? to_srgb(c[r]) : c[r];
    }
    if (!(opacity[0] >= 0 && opacity[0] <= 1))
        return "its OPACITY is not in 0..1";
    splats->opacities[index] = opacity[0];
    tess_turn_down(splats->positions + 3 * index, moved);
    turn_by(turned, placing->rotation, q);
    if (!tess_turn_rotation_down(splats->rotations + 4 * index, turned) ||
        !isfinite(turned[0] + turned[1] + turned[2] + turned[3]))
        return "its ROTATION is 0 or not finite";
    return NULL;
}

static enum tess_status count_primitive(void *user, struct tess_json_at primitive,
                                        const struct tess_gltf_matrix *transform)
{
    struct reader *reader = user;
    struct arrays arrays;
    (void)transform;
    if (!tess_json_present(find_extension(primitive)))
        return TESS_OK;
    TESS_TRY(read_arrays(&arrays, &reader->glb, primitive));
    if (arrays.positions.count > TESS_GLB_MAX_ELEMENTS - reader->splats.count)
        return tess_json_fail(primitive, NULL, "a scene of at most %zu splats",
                              TESS_GLB_MAX_ELEMENTS);
    reader->splats.count += arrays.positions.count;
    return TESS_OK;
}

static enum tess_status read_primitive(void *user, struct tess_json_at primitive,
                                       const struct tess_gltf_matrix *transform)
{
    struct reader *reader = user;
    struct arrays arrays;
    struct placing placing;
    if (!tess_json_present(find_extension(primitive)))
        return TESS_OK;
    TESS_TRY(read_arrays(&arrays, &reader->glb, primitive));
    if (!place(&placing, transform))
        return tess_fail(reader->glb.env, TESS_ERR_FILE,
                         "%s: its splats are below a node that stretches, shears or "
                         "mirrors them, which is not read",
                         reader->glb.path);
    for (size_t i = 0; i < arrays.positions.count; i++, reader->done++) {
        const char *wrong =
            read_splat(&reader->splats, reader->done, &arrays, i, &placing, transform);
        if (wrong)
            return tess_fail(reader->glb.env, TESS_ERR_FILE, "%s: splat %zu: %s",
                             reader->glb.path, reader->done, wrong);
    }
    return TESS_OK;
}

static enum tess_status read_scene(struct reader *reader)
{
    TESS_TRY(tess_gltf_walk(&reader->glb, count_primitive, reader));
    size_t count = reader->splats.count;
    if (count == 0)
        return tess_fail(reader->glb.env, TESS_ERR_FILE, "%s: no splats in its scene",
                         reader->glb.path);
    TESS_TRY(tess_splats_create(&reader->splats, reader->glb.env, count));
    return tess_gltf_walk(&reader->glb, read_primitive, reader);
}

enum tess_status tess_gltf_read_splats(struct tess_splats *out, struct tess_env *env,
                                       const char *path)
{
    struct reader reader = {0};
    enum tess_status status = tess_glb_open(&reader.glb, env, path);
    if (!status)
        status = read_scene(&reader);
    tess_glb_close(&reader.glb);
    if (status) {
        tess_splats_clear(&reader.splats);
        return status;
    }
    *out = reader.splats;
    return TESS_OK;
}

bool tess_gltf_has_splats(struct tess_env *env, const char *path)
{
    struct tess_glb glb = {0};
    bool found = false;
    enum tess_status status = tess_glb_open(&glb, env, path);
    for (size_t i = 0; i < glb.meshes.count && !status && !found; i++) {
        struct tess_glb_list primitives = {0};
        status = tess_glb_list(&primitives, glb.meshes.items[i], "primitives");
        for (size_t j = 0; j < primitives.count && !status; j++)
            found |= tess_json_present(find_extension(primitives.items[j]));
        free(primitives.items);
    }
    tess_glb_close(&glb);
    env->message[0] = 0;
    return found;
}
