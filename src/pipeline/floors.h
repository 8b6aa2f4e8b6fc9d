// Inside src/pipeline: stages that are planned together, and the smallest budget that
// works for all of them.
#ifndef TESS_FLOORS_H
#define TESS_FLOORS_H

#include "pipeline/context.h"

// The message that is kept is of the stage with the largest floor. {.ctx = ctx} starts.
struct tess_floors {
    struct tess_context *ctx;
    uint64_t floor;
    char message[TESS_MESSAGE_MAX];
};

// Note the outcome of a stage's plan. TESS_OK also for a budget too small, if it is known
// which one works; else `status`.
enum tess_status tess_floors_note(struct tess_floors *floors, enum tess_status status,
                                  const struct tess_stage_report *report);

// TESS_ERR_BUDGET, with the message that was kept, if a budget was too small.
enum tess_status tess_floors_verdict(const struct tess_floors *floors);

#endif
