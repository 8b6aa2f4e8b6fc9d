// Views from all around, and the faces that each sees.
#include "render/visibility.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "render/camera.h"
#include "render/mesh.h"

#define NAME "visibility"
#define PI   3.14159265358979323846

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

struct sight {
    size_t views, faces;
    uint32_t *counts; // [faces]: the views that see it
};

static struct tess_camera camera_of(void *user, size_t view)
{
    const struct sight *sight = user;
    return tess_sphere_camera(view, sight->views);
}

static enum tess_status count_faces(void *user, size_t view, const uint8_t *faces)
{
    (void)view;
    const struct sight *sight = user;
    for (size_t f = 0; f < sight->faces; f++)
        sight->counts[f] += faces[f];
    return TESS_OK;
}

enum tess_status tess_mesh_visibility(float *visibility, struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_mesh *mesh, size_t views,
                                      uint32_t size)
{
    struct tess_env *env = tess_device_env(dev);
    struct sight sight = {.views = views, .faces = mesh->faces};
    enum tess_status status =
        tess_alloc(&sight.counts, env, mesh->faces, sizeof *sight.counts, "visibility");
    if (!status)
        status = tess_render_words(report, dev, budget, mesh,
                                   &(struct tess_word_views){.name = NAME,
                                                             .words = TESS_WORDS_FACES,
                                                             .count = views,
                                                             .size = size,
                                                             .camera = camera_of,
                                                             .mark = count_faces,
                                                             .user = &sight});
    for (size_t f = 0; f < mesh->faces && !status; f++)
        visibility[f] = (float)((double)sight.counts[f] / (double)views);
    free(sight.counts);
    return status;
}

enum tess_status tess_mesh_visibility_plan(struct tess_stage_report *report,
                                           struct tess_device *dev,
                                           const struct tess_budget *budget, size_t views,
                                           uint32_t size)
{
    return tess_render_words_plan(
        report, dev, budget,
        &(struct tess_word_views){
            .name = NAME, .words = TESS_WORDS_FACES, .count = views, .size = size});
}
