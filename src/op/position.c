// Position embedding. The table is made on the host, so that it is the same for every
// device.
#include "op/position.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

enum tess_status tess_position_table(struct tess_mat *table, struct tess_stage *stage,
                                     size_t resolution, size_t channels)
{
    size_t F = channels / 3 / 2, width = 2 * F;
    TESS_TRY(tess_mat_take(table, stage, resolution, width, TESS_F32, "position table"));
    if (width == 0)
        return TESS_OK;
    float *values = NULL;
    TESS_TRY(tess_alloc(&values, tess_stage_env(stage), resolution * width,
                        sizeof *values, "position table"));
    for (size_t i = 0; i < F; i++) {
        // fp32 at each step, as the original does it.
        float exponent = (float)i / (float)F;
        float w = 1.0f / powf(10000.0f, exponent);
        for (size_t p = 0; p < resolution; p++) {
            float angle = (float)p * w;
            values[p * width + i] = sinf(angle);
            values[p * width + F + i] = cosf(angle);
        }
    }
    enum tess_status status = tess_mat_write(stage, *table, values);
    free(values);
    return status;
}

enum tess_status tess_position_embed(struct tess_stage *stage, struct tess_mat out,
                                     struct tess_mat coords, struct tess_mat table)
{
    size_t axes = out.cols < 6 ? 0 : 3; // fewer channels have no embedding
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "position",
                              .kernel = "embed_position",
                              .global = {out.cols, out.rows},
                              .cut = 1,
                              .args = {TESS_SLICE(out.data), TESS_SLICE(coords.data),
                                       TESS_SLICE(table.data), TESS_U32ARG(table.cols),
                                       TESS_U32ARG(out.cols), TESS_U32ARG(axes),
                                       TESS_U32ARG(out.rows)}});
}
