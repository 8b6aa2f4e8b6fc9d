// Rows that are delivered while the device goes on. The queue runs in order, so a matrix
// is read before its memory is written again; what the host makes of its rows takes place
// while what was queued behind is computed.
#include "mem/later.h"

#include <stdlib.h>

#include "base/alloc.h"

static enum tess_status deliver_oldest(struct tess_later *later)
{
    struct tess_later_rows *rows = &later->rows[later->first];
    later->first = (later->first + 1) % TESS_LATER_ROWS;
    later->count--;
    TESS_TRY(tess_read_end(&rows->read));
    return rows->fn(rows->user, rows->row0, rows->rows, rows->data);
}

enum tess_status tess_mat_deliver_later(struct tess_stage *stage, struct tess_mat mat,
                                        size_t row0, tess_rows_fn *fn, void *user)
{
    struct tess_device *dev = tess_stage_device(stage);
    if (tess_device_dry(dev))
        return tess_slice_read(dev, mat.data, NULL);
    struct tess_later *later = tess_stage_later(stage);
    if (later->count == TESS_LATER_ROWS)
        TESS_TRY(deliver_oldest(later));
    struct tess_later_rows *rows =
        &later->rows[(later->first + later->count) % TESS_LATER_ROWS];
    TESS_TRY(tess_grow(&rows->data, &rows->capacity, tess_stage_env(stage),
                       mat.data.bytes, 1, "a result"));
    TESS_TRY(tess_slice_read_begin(&rows->read, dev, mat.data, rows->data));
    rows->row0 = row0;
    rows->rows = mat.rows;
    rows->fn = fn;
    rows->user = user;
    later->count++;
    return TESS_OK;
}

enum tess_status tess_stage_deliver(struct tess_stage *stage)
{
    struct tess_later *later = tess_stage_later(stage);
    while (later->count)
        TESS_TRY(deliver_oldest(later));
    return TESS_OK;
}

void tess_later_clear(struct tess_later *later)
{
    for (size_t i = 0; i < TESS_LATER_ROWS; i++) {
        (void)tess_read_end(&later->rows[i].read);
        free(later->rows[i].data);
    }
    *later = (struct tess_later){0};
}
