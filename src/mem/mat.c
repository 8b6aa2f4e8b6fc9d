// Matrices on the device: scratch, rows of it, the way to and from the host.
#include <assert.h>

#include "mem/stage.h"

enum tess_status tess_mat_take(struct tess_mat *out, struct tess_stage *stage,
                               size_t rows, size_t cols, enum tess_dtype dtype,
                               const char *tag)
{
    rows = rows ? rows : 1;
    cols = cols ? cols : 1;
    struct tess_mat mat = {.rows = rows, .cols = cols, .dtype = dtype};
    size_t size = cols * tess_dtype_size(dtype);
    if (rows > SIZE_MAX / size)
        return tess_fail(tess_stage_env(stage), TESS_ERR_BUDGET, "%s is too large", tag);
    TESS_TRY(tess_arena_take(&mat.data, NULL, tess_stage_arena(stage), rows * size, tag));
    *out = mat;
    return TESS_OK;
}

struct tess_mat tess_mat_rows(struct tess_mat mat, size_t row0, size_t rows)
{
    assert(row0 + rows <= mat.rows);
    size_t size = mat.cols * tess_dtype_size(mat.dtype);
    mat.data.offset += row0 * size;
    mat.data.bytes = rows * size;
    mat.rows = rows;
    return mat;
}

enum tess_status tess_mat_write(struct tess_stage *stage, struct tess_mat mat,
                                const void *src)
{
    return tess_slice_write_now(tess_stage_device(stage), mat.data, src);
}

enum tess_status tess_mat_deliver(struct tess_stage *stage, struct tess_mat mat,
                                  size_t row0, tess_rows_fn *fn, void *user)
{
    TESS_TRY(tess_mat_deliver_later(stage, mat, row0, fn, user));
    return tess_stage_deliver(stage);
}
