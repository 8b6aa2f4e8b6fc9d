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
    size_t views;
    size_t pixels;    // of a view
    uint32_t *counts; // [faces]: the views that see it
    size_t *last;     // [faces]: the view, from 1, that counted it last
};

static struct tess_camera camera_of(void *user, size_t view)
{
    const struct sight *sight = user;
    return tess_sphere_camera(view, sight->views);
}

static enum tess_status count_faces(void *user, size_t view, const void *words)
{
    struct sight *sight = user;
    const uint32_t *ids = words;
    uint32_t before = TESS_NO_WORD; // neighbours are often alike
    for (size_t i = 0; i < sight->pixels; i++) {
        uint32_t id = ids[i];
        if (id == before)
            continue;
        before = id;
        if (id != TESS_NO_WORD && sight->last[id] != view + 1) {
            sight->last[id] = view + 1;
            sight->counts[id]++;
        }
    }
    return TESS_OK;
}

enum tess_status tess_mesh_visibility(float *visibility, struct tess_stage_report *report,
                                      struct tess_device *dev, struct tess_budget *budget,
                                      const struct tess_mesh *mesh, size_t views,
                                      uint32_t size)
{
    struct tess_env *env = tess_device_env(dev);
    struct sight sight = {.views = views, .pixels = (size_t)size * size};
    enum tess_status status =
        tess_alloc(&sight.counts, env, mesh->faces, sizeof *sight.counts, "visibility");
    if (!status)
        status =
            tess_alloc(&sight.last, env, mesh->faces, sizeof *sight.last, "visibility");
    if (!status)
        status = tess_render_words(report, dev, budget, mesh,
                                   &(struct tess_word_views){.name = NAME,
                                                             .words = TESS_WORDS_FACES,
                                                             .count = views,
                                                             .size = size,
                                                             .camera = camera_of,
                                                             .see = count_faces,
                                                             .user = &sight});
    for (size_t f = 0; f < mesh->faces && !status; f++)
        visibility[f] = (float)((double)sight.counts[f] / (double)views);
    free(sight.counts);
    free(sight.last);
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
