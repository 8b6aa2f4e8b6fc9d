// For the tests of networks: what a stage makes is the same bytes in any budget.
#ifndef RUN_IN_BUDGETS_H
#define RUN_IN_BUDGETS_H

#include "asked.h"
#include "random_checkpoint.h"

// What a stage makes, `count` floats: run in `ctx`, or with `floor` planned only.
struct work {
    void (*run)(struct tess_context *ctx, const void *user, float *to, size_t *floor);
    const void *user;
    size_t count;
};

static inline void run_stage(struct tess_context *ctx, tess_stage_fn *fn, void *job,
                             size_t *floor)
{
    struct tess_stage_report report;
    if (!floor) {
        expect_ok(ctx, tess_context_run(ctx, "test", fn, job));
        return;
    }
    expect_ok(ctx,
              tess_stage_plan(&report, ctx->device, &ctx->budget, "test", fn, job, true));
    *floor = report.floor_bytes;
}

// The result without limit, for free(); the same bytes with as little memory as works,
// and with something between.
static inline float *run_in_budgets(struct work work)
{
    float *result = malloc(work.count * sizeof *result),
          *again = malloc(work.count * sizeof *again);
    struct tess_context *ctx = open_context(0);
    size_t floor = 0;
    work.run(ctx, work.user, NULL, &floor);
    work.run(ctx, work.user, result, NULL);
    size_t peak = tess_device_peak(ctx->device);
    assert_true(floor > 0 && floor <= peak);
    tess_context_destroy(&ctx);
    for (int part = 0; part < (asked_tiny() ? 1 : 2); part++) {
        size_t memory = floor + (peak - floor) / 2 * (size_t)part;
        ctx = open_context(memory);
        memset(again, 0xff, work.count * sizeof *again);
        work.run(ctx, work.user, again, NULL);
        assert_true(tess_device_peak(ctx->device) <= memory);
        assert_memory_equal(again, result, work.count * sizeof *again);
        tess_context_destroy(&ctx);
    }
    free(again);
    return result;
}

#endif
