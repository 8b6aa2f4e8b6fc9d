// Rows of the texture are the rows of spans: a step reads the texture before it, with a
// row more on both sides, and writes another one, so tiles do not see each other. Pixels
// add to a texel's gradient in whole numbers, so their order does not matter.
#include "render/texture_fit.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem/tensor.h"

#define LANES  64    // of add_gradients
#define PIXELS 65536 // in a launch

// The original's.
#define RATE_FIRST 1e-2
#define RATE_LAST  1e-5
#define BETA1      0.5
#define BETA2      0.9
#define VARIATION  0.01

struct job {
    struct tess_fit_params params;
    float *rgb;
    struct tess_tensor *textures[2];  // before and after a step
    struct tess_tensor *moments;      // of Adam: first and second
    size_t step;                      // from 0
    const struct tess_fit_view *view; // NULL for a plan without views
};

static size_t row_floats(const struct job *job)
{
    return 3 * (size_t)job->params.size;
}

static enum tess_status clear(struct tess_stage *stage, struct tess_mat mat)
{
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "bake",
                              .kernel = "clear_words",
                              .global = {mat.cols, mat.rows},
                              .cut = 1,
                              .args = {TESS_SLICE(mat.data), TESS_U32ARG(mat.rows),
                                       TESS_U32ARG(mat.cols)}});
}

// ---- the texture in and out ----

static enum tess_status load_rows(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct job *job = user;
    struct tess_mat rows, zeros;
    TESS_TRY(tess_mat_take(&rows, stage, tile.rows, row_floats(job), TESS_F32,
                           "rows of a texture"));
    TESS_TRY(tess_mat_take(&zeros, stage, tile.rows, 2 * row_floats(job), TESS_F32,
                           "rows of a texture"));
    TESS_TRY(tess_mat_write(stage, rows,
                            job->rgb ? job->rgb + tile.row0 * row_floats(job) : NULL));
    TESS_TRY(clear(stage, zeros));
    TESS_TRY(tess_tensor_store(stage, job->textures[0], rows, tile.row0));
    return tess_tensor_store(stage, job->moments, zeros, tile.row0);
}

static enum tess_status keep_rows(void *user, size_t row0, size_t rows, const void *data)
{
    struct job *job = user;
    memcpy(job->rgb + row0 * row_floats(job), data,
           rows * row_floats(job) * sizeof(float));
    return TESS_OK;
}

static enum tess_status read_rows(struct tess_stage *stage, void *user,
                                  struct tess_tile tile)
{
    struct job *job = user;
    struct tess_mat rows;
    TESS_TRY(tess_tensor_load(&rows, stage, job->textures[job->params.steps % 2],
                              tile.row0, tile.rows));
    return tess_mat_deliver(stage, rows, tile.row0, keep_rows, job);
}

// ---- a step ----

// A tile, and the rows of the texture before that it sees.
struct rows {
    struct tess_tile tile;
    size_t before0;
    struct tess_mat before, gradients;
};

static enum tess_status add_pixels(struct tess_stage *stage, const struct job *job,
                                   const struct rows *rows)
{
    struct tess_mat pixels;
    TESS_TRY(tess_mat_take(&pixels, stage, PIXELS, 2, TESS_U32, "pixels of a view"));
    if (!job->view)
        return TESS_OK;
    // Pixels that reach into the tile: their upper texels are in it or in the row above.
    size_t above = rows->tile.row0 ? rows->tile.row0 - 1 : 0;
    size_t at = job->view->starts[above];
    size_t end = job->view->starts[rows->tile.row0 + rows->tile.rows];
    while (at < end) {
        size_t count = end - at < PIXELS ? end - at : PIXELS;
        size_t padded = (count + LANES - 1) / LANES * LANES;
        TESS_TRY(tess_mat_write(stage, tess_mat_rows(pixels, 0, count),
                                job->view->pixels ? job->view->pixels + at : NULL));
        TESS_TRY(tess_launch(
            tess_stage_device(stage),
            &(struct tess_launch){
                .file = "bake",
                .kernel = "add_gradients",
                .global = {padded},
                .local = {LANES, 1, 1},
                .flop = 60.0 * (double)padded,
                .args = {TESS_SLICE(rows->gradients.data), TESS_SLICE(pixels.data),
                         TESS_SLICE(rows->before.data), TESS_U32ARG(job->params.size),
                         TESS_U32ARG(rows->tile.row0), TESS_U32ARG(rows->tile.rows),
                         TESS_U32ARG(rows->before0), TESS_U32ARG(count)}}));
        at += count;
    }
    return TESS_OK;
}

static enum tess_status descend(struct tess_stage *stage, const struct job *job,
                                const struct rows *rows, struct tess_mat after,
                                struct tess_mat moments)
{
    double size = job->params.size, k = (double)job->step + 1;
    double part = (double)job->step / (double)job->params.steps;
    double rate = RATE_LAST + 0.5 * (RATE_FIRST - RATE_LAST) * (1 + cos(M_PI * part));
    double weight = job->view && job->view->weight ? (double)job->view->weight : 1;
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){
            .file = "bake",
            .kernel = "descend",
            .global = {row_floats(job), rows->tile.rows},
            .cut = 1,
            .flop = 30.0 * (double)row_floats(job) * (double)rows->tile.rows,
            .args = {TESS_SLICE(after.data), TESS_SLICE(moments.data),
                     TESS_SLICE(rows->before.data), TESS_SLICE(rows->gradients.data),
                     TESS_U32ARG(job->params.size), TESS_U32ARG(rows->tile.row0),
                     TESS_U32ARG(rows->tile.rows), TESS_U32ARG(rows->before0),
                     TESS_F32ARG((float)(1 / (3 * 256 * weight))),
                     TESS_F32ARG((float)(VARIATION / (3 * size * size))),
                     TESS_F32ARG((float)rate),
                     TESS_F32ARG((float)(1 / (1 - pow(BETA1, k)))),
                     TESS_F32ARG((float)(1 / (1 - pow(BETA2, k))))}});
}

static enum tess_status change_rows(struct tess_stage *stage, void *user,
                                    struct tess_tile tile)
{
    struct job *job = user;
    struct tess_mat after, moments;
    struct rows rows = {.tile = tile, .before0 = tile.row0 ? tile.row0 - 1 : 0};
    size_t end = tile.row0 + tile.rows;
    end = end < job->params.size ? end + 1 : end;
    TESS_TRY(tess_tensor_view(&rows.before, stage, job->textures[job->step % 2],
                              rows.before0, end - rows.before0));
    TESS_TRY(tess_tensor_load(&moments, stage, job->moments, tile.row0, tile.rows));
    TESS_TRY(tess_mat_take(&rows.gradients, stage, tile.rows, row_floats(job), TESS_I32,
                           "gradients"));
    TESS_TRY(tess_mat_take(&after, stage, tile.rows, row_floats(job), TESS_F32,
                           "rows of a texture"));
    TESS_TRY(clear(stage, rows.gradients));
    TESS_TRY(add_pixels(stage, job, &rows));
    TESS_TRY(descend(stage, job, &rows, after, moments));
    TESS_TRY(tess_tensor_store(stage, job->moments, moments, tile.row0));
    return tess_tensor_store(stage, job->textures[(job->step + 1) % 2], after, tile.row0);
}

// ---- the stage ----

static enum tess_status create_tensors(struct tess_stage *stage, struct job *job)
{
    struct tess_tensor_params params = {.rows = job->params.size,
                                        .cols = row_floats(job),
                                        .dtype = TESS_F32,
                                        .tag = "texture",
                                        .may_spill = true};
    TESS_TRY(tess_tensor_create(&job->textures[0], stage, &params));
    TESS_TRY(tess_tensor_create(&job->textures[1], stage, &params));
    params.cols *= 2;
    params.tag = "moments of a texture";
    return tess_tensor_create(&job->moments, stage, &params);
}

static enum tess_status run_span(struct tess_stage *stage, struct job *job,
                                 const char *name, tess_span_fn *fn)
{
    return tess_span_run(
        stage, &(struct tess_span){
                   .name = name, .rows = job->params.size, .run = fn, .user = job});
}

// Views in an order of their own in each round, by Knuth's MMIX generator.
static size_t shuffled(size_t step, size_t count)
{
    size_t round = step / count, place = step % count;
    uint64_t random = round * 6364136223846793005u + 1442695040888963407u;
    size_t stride = 1 + (size_t)((random >> 33) % count);
    for (;;) { // a stride without a divisor in common with count visits all
        size_t a = stride, b = count;
        while (b) {
            size_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            break;
        stride++;
    }
    return (place * stride + (size_t)(random >> 17)) % count;
}

static enum tess_status run_steps(struct tess_stage *stage, struct job *job)
{
    TESS_TRY(run_span(stage, job, "rows in", load_rows));
    for (job->step = 0; job->step < job->params.steps; job->step++) {
        if (job->params.views)
            job->view = &job->params.views[shuffled(job->step, job->params.view_count)];
        if (tess_stage_begin_step(stage, job->step + 1, job->params.steps, 0))
            TESS_TRY(run_span(stage, job, "rows", change_rows));
    }
    return run_span(stage, job, "rows out", read_rows);
}

static enum tess_status fit(struct tess_stage *stage, void *user)
{
    struct job *job = user;
    enum tess_status status = create_tensors(stage, job);
    if (!status)
        status = run_steps(stage, job);
    tess_tensor_destroy(&job->textures[0]);
    tess_tensor_destroy(&job->textures[1]);
    tess_tensor_destroy(&job->moments);
    return status;
}

enum tess_status tess_texture_fit(float *rgb, struct tess_stage_report *report,
                                  struct tess_device *dev,
                                  const struct tess_budget *budget,
                                  const struct tess_fit_params *params)
{
    assert(params->view_count > 0);
    struct job job = {.params = *params, .rgb = rgb};
    return tess_stage_run(report, dev, budget, "texture fitting", fit, &job);
}

enum tess_status tess_texture_fit_plan(struct tess_stage_report *report,
                                       struct tess_device *dev,
                                       const struct tess_budget *budget,
                                       const struct tess_fit_params *params)
{
    struct job job = {.params = *params};
    return tess_stage_plan(report, dev, budget, "texture fitting", fit, &job, true);
}
