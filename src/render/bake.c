// Launching cl/bake.cl: a tile of points sees all views one after the other, each whole.
#include "render/bake.h"

#include <assert.h>
#include <string.h>

#include "render/camera.h"

#define LANES         64    // of add_view
#define LEAST_TILE    16384 // points: all views are uploaded again for each tile
#define CAMERA_FLOATS 16

struct job {
    float *sums;
    struct tess_bake_points points;
    const struct tess_bake_view *views; // NULL for a plan
    size_t view_count;
    uint32_t size;
};

static void set_camera(float out[CAMERA_FLOATS], const struct tess_camera *camera,
                       uint32_t size)
{
    struct tess_view view;
    tess_camera_view(&view, camera);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            out[3 * i + k] = (float)view.rotation[i][k];
        out[9 + i] = (float)view.translation[i];
        out[13 + i] = (float)view.eye[i];
    }
    out[12] = (float)(view.focal * size);
}

// Those of the tile's first `count` points.
static enum tess_status upload(struct tess_mat *out, struct tess_stage *stage,
                               const float *array, size_t cols, struct tess_tile tile,
                               size_t count)
{
    TESS_TRY(tess_mat_take(out, stage, tile.rows, cols, TESS_F32, "points of a texture"));
    if (count == 0)
        return TESS_OK;
    *out = tess_mat_rows(*out, 0, count);
    return tess_mat_write(stage, *out, array ? array + tile.row0 * cols : NULL);
}

static enum tess_status keep_sums(void *user, size_t row0, size_t rows, const void *data)
{
    struct job *job = user;
    memcpy(job->sums + 4 * row0, data, 4 * rows * sizeof(float));
    return TESS_OK;
}

static enum tess_status add_views(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct job *job = user;
    struct tess_mat positions, normals, sums, pixels, depths, camera;
    size_t size = job->size, left = job->points.count;
    left = left > tile.row0 ? left - tile.row0 : 0;
    size_t count = left < tile.rows ? left : tile.rows;
    size_t padded = (count + LANES - 1) / LANES * LANES;
    TESS_TRY(upload(&positions, stage, job->points.positions, 3, tile, count));
    TESS_TRY(upload(&normals, stage, job->points.normals, 3, tile, count));
    TESS_TRY(upload(&sums, stage, job->sums, 4, tile, count));
    TESS_TRY(tess_mat_take(&pixels, stage, size, 4 * size, TESS_U8, "a view"));
    TESS_TRY(tess_mat_take(&depths, stage, size, size, TESS_F32, "a view"));
    TESS_TRY(tess_mat_take(&camera, stage, 1, CAMERA_FLOATS, TESS_F32, "a camera"));
    for (size_t v = 0; v < job->view_count && count; v++) {
        const struct tess_bake_view *view = job->views ? &job->views[v] : NULL;
        float numbers[CAMERA_FLOATS] = {0};
        if (view)
            set_camera(numbers, &view->camera, job->size);
        TESS_TRY(tess_mat_write(stage, camera, numbers));
        TESS_TRY(tess_mat_write(stage, pixels, view ? view->picture.pixels : NULL));
        TESS_TRY(tess_mat_write(stage, depths, view ? view->inverse_z : NULL));
        TESS_TRY(
            tess_launch(tess_stage_device(stage),
                        &(struct tess_launch){
                            .file = "bake",
                            .kernel = "add_view",
                            .global = {padded},
                            .local = {LANES, 1, 1},
                            .flop = 120.0 * (double)padded,
                            .args = {TESS_SLICE(sums.data), TESS_SLICE(positions.data),
                                     TESS_SLICE(normals.data), TESS_SLICE(pixels.data),
                                     TESS_SLICE(depths.data), TESS_SLICE(camera.data),
                                     TESS_U32ARG(size), TESS_U32ARG(count)}}));
    }
    if (count == 0)
        return TESS_OK;
    return tess_mat_deliver(stage, sums, tile.row0, keep_sums, job);
}

static enum tess_status bake(struct tess_stage *stage, void *user)
{
    struct job *job = user;
    return tess_span_run(stage, &(struct tess_span){.name = "points",
                                                    .rows = job->points.capacity,
                                                    .row_align = LEAST_TILE,
                                                    .run = add_views,
                                                    .user = job});
}

enum tess_status tess_bake_add(float *sums, struct tess_stage_report *report,
                               struct tess_device *dev, const struct tess_budget *budget,
                               const struct tess_bake_points *points,
                               const struct tess_bake_view *views, size_t view_count,
                               uint32_t size)
{
    assert(view_count <= TESS_BAKE_VIEWS_MAX && points->capacity <= UINT32_MAX &&
           points->count <= points->capacity);
    struct job job = {sums, *points, views, view_count, size};
    return tess_stage_run(report, dev, budget, "texture baking", bake, &job);
}

enum tess_status tess_bake_plan(struct tess_stage_report *report, struct tess_device *dev,
                                const struct tess_budget *budget, size_t capacity,
                                size_t view_count, uint32_t size)
{
    struct job job = {.points = {.count = capacity, .capacity = capacity},
                      .view_count = view_count,
                      .size = size};
    return tess_stage_plan(report, dev, budget, "texture baking", bake, &job, true);
}
