// Launching cl/layout.cl.
#include "op/layout.h"

#include <assert.h>

static enum tess_status launch_add(struct tess_stage *stage, const char *kernel,
                                   struct tess_mat x, struct tess_slice y)
{
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "layout",
                              .kernel = kernel,
                              .global = {x.cols, x.rows},
                              .cut = 1,
                              .args = {TESS_SLICE(x.data), TESS_SLICE(y),
                                       TESS_U32ARG(x.rows), TESS_U32ARG(x.cols)}});
}

enum tess_status tess_add(struct tess_stage *stage, struct tess_mat x, struct tess_mat y)
{
    assert(x.rows == y.rows && x.cols == y.cols);
    return launch_add(stage, "add", x, y.data);
}

enum tess_status tess_add_row(struct tess_stage *stage, struct tess_mat x,
                              struct tess_slice v)
{
    return launch_add(stage, "add_row", x, v);
}

enum tess_status tess_place_columns(struct tess_stage *stage, struct tess_mat out,
                                    struct tess_mat in, size_t col0)
{
    assert(in.rows == out.rows && col0 + in.cols <= out.cols);
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "layout",
                              .kernel = "place_columns",
                              .global = {in.cols, in.rows},
                              .cut = 1,
                              .args = {TESS_SLICE(out.data), TESS_SLICE(in.data),
                                       TESS_U32ARG(in.rows), TESS_U32ARG(in.cols),
                                       TESS_U32ARG(out.cols), TESS_U32ARG(col0)}});
}

enum tess_status tess_pool_children(struct tess_stage *stage, struct tess_mat out,
                                    struct tess_mat in, struct tess_mat children)
{
    assert(out.cols == in.cols && children.rows == out.rows && children.cols == 8);
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "layout",
                              .kernel = "pool_children",
                              .global = {out.cols, out.rows},
                              .cut = 1,
                              .flop = 8.0 * (double)out.rows * (double)out.cols,
                              .args = {TESS_SLICE(out.data), TESS_SLICE(in.data),
                                       TESS_SLICE(children.data), TESS_U32ARG(out.rows),
                                       TESS_U32ARG(out.cols)}});
}

enum tess_status tess_shuffle_octants(struct tess_stage *stage, struct tess_mat out,
                                      struct tess_mat in, size_t resolution)
{
    assert(out.rows == 8 * in.rows && in.cols == 8 * out.cols);
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "layout",
                              .kernel = "shuffle_octants",
                              .global = {out.cols, out.rows},
                              .cut = 1,
                              .args = {TESS_SLICE(out.data), TESS_SLICE(in.data),
                                       TESS_U32ARG(out.rows), TESS_U32ARG(out.cols),
                                       TESS_U32ARG(resolution)}});
}
