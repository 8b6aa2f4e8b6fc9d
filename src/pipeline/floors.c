// The largest of the smallest budgets.
#include "pipeline/floors.h"

#include <string.h>

enum tess_status tess_floors_note(struct tess_floors *floors, enum tess_status status,
                                  const struct tess_stage_report *report)
{
    if (status != TESS_ERR_BUDGET || !report->floor_bytes)
        return status;
    if (report->floor_bytes > floors->floor) {
        floors->floor = report->floor_bytes;
        memcpy(floors->message, floors->ctx->env.message, sizeof floors->message);
    }
    return TESS_OK;
}

enum tess_status tess_floors_verdict(const struct tess_floors *floors)
{
    if (!floors->floor)
        return TESS_OK;
    memcpy(floors->ctx->env.message, floors->message, sizeof floors->message);
    return TESS_ERR_BUDGET;
}
