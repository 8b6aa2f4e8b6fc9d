// The mesh rasteriser draws it: a face's three vertices are its own and have its number,
// as 8-bit red, green and blue. Interpolation of equal values is off by rounding only,
// which 8 bits do not show.
#include "render/face_ids.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/camera.h"
#include "render/mesh.h"

#define PI 3.14159265358979323846

struct tess_face_painter {
    struct tess_mesh mesh;
};

static void paint(struct tess_mesh *to, const struct tess_mesh *from)
{
    for (size_t i = 0; i < 3 * from->faces; i++) {
        memcpy(to->positions + 3 * i, from->positions + 3 * (size_t)from->indices[i],
               3 * sizeof(float));
        for (size_t k = 0; k < 3; k++)
            to->attributes[6 * i + k] = (float)(i / 3 >> (8 * k) & 255) / 255;
        to->indices[i] = (uint32_t)i;
    }
}

enum tess_status tess_face_painter_create(struct tess_face_painter **out,
                                          struct tess_env *env,
                                          const struct tess_mesh *mesh)
{
    if (mesh->faces > TESS_FACE_IDS_MAX)
        return tess_fail(env, TESS_ERR_ARG,
                         "a mesh of %zu faces is beyond the largest whose faces can be "
                         "told apart, %u (simplify it)",
                         mesh->faces, TESS_FACE_IDS_MAX);
    struct tess_face_painter *painter = NULL;
    TESS_TRY(tess_alloc(&painter, env, 1, sizeof *painter, "face numbers"));
    enum tess_status status =
        tess_mesh_create(&painter->mesh, env, 3 * mesh->faces, mesh->faces, true);
    if (status) {
        free(painter);
        return status;
    }
    paint(&painter->mesh, mesh);
    *out = painter;
    return TESS_OK;
}

void tess_face_painter_destroy(struct tess_face_painter **painter)
{
    if (!*painter)
        return;
    tess_mesh_clear(&(*painter)->mesh);
    free(*painter);
    *painter = NULL;
}

enum tess_status tess_face_painter_draw(uint32_t *ids, struct tess_stage_report *report,
                                        const struct tess_face_painter *painter,
                                        struct tess_device *dev,
                                        struct tess_budget *budget,
                                        const struct tess_camera *camera, uint32_t size)
{
    struct tess_picture picture = {0};
    TESS_TRY(tess_render_mesh(&picture, report, dev, budget, &painter->mesh, camera, size,
                              1, TESS_CHANNEL_FLAT));
    for (size_t i = 0; i < (size_t)size * size; i++) {
        const uint8_t *p = picture.pixels + 4 * i;
        ids[i] = p[3] ? (uint32_t)(p[0] | p[1] << 8 | p[2] << 16) : TESS_NO_FACE_ID;
    }
    tess_picture_clear(&picture);
    return TESS_OK;
}

// The binary digits of i behind the point, in reverse.
static double radical_inverse(size_t i)
{
    double value = 0, digit = 0.5;
    for (; i; i >>= 1, digit /= 2)
        value += i & 1 ? digit : 0;
    return value;
}

struct tess_camera tess_sphere_camera(size_t i, size_t count)
{
    return (struct tess_camera){
        .yaw = (float)(2 * PI * radical_inverse(i)),
        .pitch = (float)(acos(1 - 2 * (double)i / (double)count) - PI / 2)};
}

static void count_faces(uint32_t *counts, size_t *last, const uint32_t *ids,
                        size_t pixels, size_t view)
{
    for (size_t i = 0; i < pixels; i++)
        if (ids[i] != TESS_NO_FACE_ID && last[ids[i]] != view + 1) {
            last[ids[i]] = view + 1;
            counts[ids[i]]++;
        }
}

enum tess_status tess_mesh_visibility(float *visibility, struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_mesh *mesh, size_t views,
                                      uint32_t size)
{
    struct tess_env *env = tess_device_env(dev);
    struct tess_face_painter *painter = NULL;
    struct tess_stage_report sum = {0};
    tess_progress_fn *progress = env->progress;
    uint32_t *ids = NULL, *counts = NULL;
    size_t *last = NULL; // [faces]: the view, from 1, that counted it last
    enum tess_status status = tess_face_painter_create(&painter, env, mesh);
    if (!status)
        status =
            tess_alloc(&ids, env, (size_t)size * size, sizeof *ids, "faces of a view");
    if (!status)
        status = tess_alloc(&counts, env, mesh->faces, sizeof *counts, "visibility");
    if (!status)
        status = tess_alloc(&last, env, mesh->faces, sizeof *last, "visibility");
    for (size_t view = 0; view < views && !status; view++) {
        struct tess_camera camera = tess_sphere_camera(view, views);
        struct tess_stage_report one = {0};
        env->progress = NULL; // of a single view
        status = tess_face_painter_draw(ids, &one, painter, dev, budget, &camera, size);
        if (!status) {
            tess_stage_report_add(&sum, &one);
            count_faces(counts, last, ids, (size_t)size * size, view);
            env->progress = progress;
            tess_progress_tell(env, (struct tess_progress){.stage = "visibility",
                                                           .done = view + 1,
                                                           .total = views,
                                                           .elapsed = sum.seconds});
        }
    }
    env->progress = progress;
    for (size_t f = 0; f < mesh->faces && !status; f++)
        visibility[f] = (float)((double)counts[f] / (double)views);
    if (!status) {
        sum.name = "visibility";
        *report = sum;
    }
    tess_face_painter_destroy(&painter);
    free(ids);
    free(counts);
    free(last);
    return status;
}
