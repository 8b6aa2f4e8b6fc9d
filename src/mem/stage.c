// Stages and their plans.
#include "mem/stage.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "mem/later.h"
#include "rt/launch.h"
#include "rt/rates.h"

#define SPILLABLE_MAX   32
#define STEP_KINDS_MAX  8
#define FLOOR_STEP      ((size_t)1 << 10) // bytes; a floor is found to this,
#define FLOOR_SHARE     256               // or to this part of it where that is more
#define FLOOR_STEPS_MAX ((size_t)1 << 34) // 16 TiB
#define SHRINKS_MAX     4
#define KEPT_PARTS      16 // of a spilled tensor stay on the device as many of these as fit
// Of a time that is estimated, at most this may come from kernels that never ran.
#define GUESSED_SHARE_MAX 0.05
// A tile of less than this share of the comfortable one is only taken when nothing else
// fits.
#define SMALL_TILE_DIVISOR 8

// One policy: what may be given up to fit.
struct policy {
    size_t spills; // how many kinds of spillable tensors live on the host
    size_t kept;   // but for so many of their KEPT_PARTS
    bool prefetch, resident;
    bool small_tiles;
};

// What a stage counts, to be added up by steps.
struct tally {
    double flop, estimated_ns, guessed_ns;
    uint64_t launches, uploaded, downloaded, spilled_bytes, spilled_tensors;
    uint64_t runs[TESS_STAGE_SPANS];
};

// Steps of one kind are alike, so plans need not go through all of them: one of each kind
// shows which tiles fit; to count, three of each and the last, as the first brings what
// stays, and prefetched weights may lie in turn in two places.
#define STEPS_TO_FIT   1
#define STEPS_TO_COUNT 3

struct steps {
    size_t limit;         // of each kind that are gone through
    uint32_t step, count; // in progress, of all
    struct {
        uint64_t kind;
        size_t seen;
        struct tally tally; // of the last that was gone through
    } kinds[STEP_KINDS_MAX];
    size_t kind_count, current; // current == kind_count: none
    struct tally before;        // the current one
    struct tally left_out;
};

struct tess_stage {
    struct tess_device *dev;
    struct tess_arena *arena;
    struct policy policy;
    bool fixed; // tile sizes are decided: the last dry run and the real one
    struct tess_stage_report *report;
    // Kinds of tensors that may live on the host, from the first dry run.
    struct kind {
        const char *tag;
        size_t bytes;      // of one
        size_t live, most; // how many there are, and were at a time
        double traffic;    // bytes read and written
    } spillable[SPILLABLE_MAX];
    size_t spillable_count;
    bool measuring; // the first dry run
    struct tess_later later;
    struct steps steps;
    double start; // seconds, of the real run
};

struct tess_env *tess_stage_env(const struct tess_stage *stage)
{
    return tess_device_env(stage->dev);
}

struct tess_device *tess_stage_device(const struct tess_stage *stage)
{
    return stage->dev;
}

struct tess_arena *tess_stage_arena(const struct tess_stage *stage)
{
    return stage->arena;
}

struct tess_later *tess_stage_later(struct tess_stage *stage)
{
    return &stage->later;
}

bool tess_stage_prefetch(const struct tess_stage *stage)
{
    return stage->policy.prefetch;
}

bool tess_stage_resident(const struct tess_stage *stage)
{
    // Only plans of stages that have such weights tell of them.
    if (stage->policy.resident)
        stage->report->resident = true;
    return stage->policy.resident;
}

// Bytes over the bus for each byte that is saved by having a kind on the host.
static double spill_cost(const struct kind *kind)
{
    return kind->traffic / ((double)kind->bytes * (double)kind->most);
}

// How many kinds are spilled before number `index`: those that cost less, equal ones in
// order of creation.
static size_t spill_rank(const struct tess_stage *stage, size_t index)
{
    double cost = spill_cost(&stage->spillable[index]);
    size_t rank = 0;
    for (size_t i = 0; i < stage->spillable_count; i++) {
        double other = spill_cost(&stage->spillable[i]);
        if (other < cost || (other == cost && i < index))
            rank++;
    }
    return rank;
}

// The kind of a tensor; in the first dry run one is made that is new.
static size_t find_spillable(struct tess_stage *stage, const char *tag, size_t bytes)
{
    size_t index = 0;
    while (index < stage->spillable_count &&
           (stage->spillable[index].bytes != bytes ||
            strcmp(stage->spillable[index].tag, tag) != 0))
        index++;
    if (stage->measuring && index == stage->spillable_count) {
        assert(index < SPILLABLE_MAX);
        stage->spillable[stage->spillable_count++] =
            (struct kind){.tag = tag, .bytes = bytes};
    }
    assert(index < stage->spillable_count);
    return index;
}

void tess_stage_spill(size_t *host_groups, size_t *kind, struct tess_stage *stage,
                      const char *tag, size_t groups, size_t group_bytes)
{
    size_t index = find_spillable(stage, tag, groups * group_bytes);
    *kind = index;
    *host_groups = 0;
    if (stage->measuring) {
        struct kind *made = &stage->spillable[index];
        made->live++;
        made->most = made->live > made->most ? made->live : made->most;
        return;
    }
    if (spill_rank(stage, index) >= stage->policy.spills)
        return;
    *host_groups = groups - groups * stage->policy.kept / KEPT_PARTS;
    stage->report->spilled_bytes += *host_groups * group_bytes;
    stage->report->spilled_tensors++;
}

void tess_stage_count_use(struct tess_stage *stage, size_t kind, size_t bytes)
{
    if (stage->measuring)
        stage->spillable[kind].traffic += (double)bytes;
}

void tess_stage_count_end(struct tess_stage *stage, size_t kind)
{
    if (stage->measuring)
        stage->spillable[kind].live--;
}

// ---- spans ----

static size_t aligned(size_t rows, size_t align)
{
    align = align ? align : 1;
    return rows <= align ? align : rows - rows % align;
}

// Where the tile that starts at `row0` ends, if tiles have `tile` rows.
static size_t tile_end(const struct tess_span *span, size_t row0, size_t tile,
                       size_t *cut)
{
    if (!span->cuts)
        return span->rows - row0 < tile ? span->rows : row0 + tile;
    // The first cut beyond row0 always; further ones while they are within the tile.
    while (span->cuts[*cut] <= row0)
        (*cut)++;
    while (*cut + 1 < span->cut_count && span->cuts[*cut + 1] - row0 <= tile)
        (*cut)++;
    return span->cuts[*cut];
}

// Progress is counted in MFLOP.
static void tell_progress(const struct tess_stage *stage)
{
    if (tess_device_dry(stage->dev))
        return;
    tess_progress_tell(
        tess_device_env(stage->dev),
        (struct tess_progress){
            .stage = stage->report->name,
            .done = (uint64_t)(tess_device_counters(stage->dev)->flop * 1e-6),
            .total = (uint64_t)(stage->report->counters.flop * 1e-6),
            .step = stage->steps.step,
            .steps = stage->steps.count,
            .elapsed = tess_seconds_now() - stage->start});
}

static enum tess_status run_tiles(struct tess_stage *stage, const struct tess_span *span,
                                  size_t tile)
{
    size_t cut = 0;
    for (size_t row0 = 0; row0 < span->rows;) {
        size_t end = tile_end(span, row0, tile, &cut);
        size_t mark = tess_arena_mark(stage->arena);
        enum tess_status status =
            span->run(stage, span->user, (struct tess_tile){row0, end - row0});
        tess_arena_release(stage->arena, mark);
        TESS_TRY(status);
        row0 = end;
        tell_progress(stage);
    }
    return tess_stage_deliver(stage);
}

// Run dry with a tile size; take back what it did to the arena if it does not fit.
static enum tess_status try_tile(struct tess_stage *stage, const struct tess_span *span,
                                 size_t tile)
{
    struct tess_arena_state before;
    tess_arena_save(&before, stage->arena);
    enum tess_status status = run_tiles(stage, span, tile);
    if (status)
        tess_arena_restore(stage->arena, &before);
    return status;
}

// The largest tile that fits, from the comfortable one (or the one that a span of this
// name has) down by halves, then between the last two by bisection.
static enum tess_status plan_tile(size_t *out, struct tess_stage *stage,
                                  const struct tess_span *span, size_t known)
{
    size_t align = span->row_align ? span->row_align : 1;
    size_t comfortable = span->comfortable && span->comfortable < span->rows
                             ? span->comfortable
                             : span->rows + align - 1; // all rows at once
    size_t least = stage->policy.small_tiles
                       ? align
                       : aligned(comfortable / SMALL_TILE_DIVISOR, align);
    size_t tile = known ? known : aligned(comfortable, align), failed = 0;
    enum tess_status status;
    while ((status = try_tile(stage, span, tile)) == TESS_ERR_BUDGET) {
        failed = tile;
        if (tile <= least)
            return status;
        tile = aligned(tile / 2, align);
        if (tile < least)
            tile = least;
    }
    TESS_TRY(status);
    // A few steps are enough: a tile within an eighth of the best.
    for (int i = 0; i < 3 && failed && failed - tile > align; i++) {
        size_t middle = aligned(tile + (failed - tile) / 2, align);
        if (middle == tile)
            break;
        status = try_tile(stage, span, middle);
        if (status == TESS_ERR_BUDGET)
            failed = middle;
        else if (status)
            return status;
        else
            tile = middle;
    }
    *out = tile;
    return TESS_OK;
}

enum tess_status tess_span_run(struct tess_stage *stage, const struct tess_span *span)
{
    struct tess_stage_report *report = stage->report;
    uint32_t index = 0;
    while (index < report->span_count &&
           strcmp(report->spans[index].name, span->name) != 0)
        index++;
    assert(index < TESS_STAGE_SPANS);
    bool known = index < report->span_count;
    if (stage->fixed) {
        assert(known);
        report->spans[index].runs++;
        return run_tiles(stage, span, report->spans[index].tile);
    }
    size_t tile;
    TESS_TRY(plan_tile(&tile, stage, span, known ? report->spans[index].tile : 0));
    report->spans[index].name = span->name;
    report->spans[index].rows = span->rows;
    report->spans[index].tile = tile; // the least of all spans of this name
    if (!known)
        report->span_count++;
    return TESS_OK;
}

static struct tally tally_now(const struct tess_stage *stage)
{
    const struct tess_counters *counters = tess_device_counters(stage->dev);
    struct tally tally = {.flop = counters->flop,
                          .estimated_ns = counters->estimated_ns,
                          .guessed_ns = counters->guessed_ns,
                          .launches = counters->launches,
                          .uploaded = counters->uploaded,
                          .downloaded = counters->downloaded,
                          .spilled_bytes = stage->report->spilled_bytes,
                          .spilled_tensors = stage->report->spilled_tensors};
    for (uint32_t i = 0; i < stage->report->span_count; i++)
        tally.runs[i] = stage->report->spans[i].runs;
    return tally;
}

// a += sign * b
static void tally_add(struct tally *a, const struct tally *b, int sign)
{
    uint64_t factor = (uint64_t)sign; // modulo 2^64
    a->flop += sign * b->flop;
    a->estimated_ns += sign * b->estimated_ns;
    a->guessed_ns += sign * b->guessed_ns;
    a->launches += factor * b->launches;
    a->uploaded += factor * b->uploaded;
    a->downloaded += factor * b->downloaded;
    a->spilled_bytes += factor * b->spilled_bytes;
    a->spilled_tensors += factor * b->spilled_tensors;
    for (size_t i = 0; i < TESS_STAGE_SPANS; i++)
        a->runs[i] += factor * b->runs[i];
}

static void end_step(struct tess_stage *stage, const struct tally *now)
{
    struct steps *steps = &stage->steps;
    if (steps->current < steps->kind_count) {
        struct tally *tally = &steps->kinds[steps->current].tally;
        *tally = *now;
        tally_add(tally, &steps->before, -1);
    }
    steps->current = steps->kind_count;
}

// The place of a kind; a new one is made while there is room.
static size_t find_kind(struct steps *steps, uint64_t kind)
{
    size_t i = 0;
    while (i < steps->kind_count && steps->kinds[i].kind != kind)
        i++;
    if (i == steps->kind_count && i < STEP_KINDS_MAX) {
        steps->kinds[i].kind = kind;
        steps->kinds[i].seen = 0;
        steps->kind_count++;
    }
    return i;
}

bool tess_stage_begin_step(struct tess_stage *stage, size_t step, size_t count,
                           uint64_t kind)
{
    struct steps *steps = &stage->steps;
    steps->step = (uint32_t)step;
    steps->count = (uint32_t)count;
    if (!tess_device_dry(stage->dev))
        return true;
    struct tally now = tally_now(stage);
    end_step(stage, &now);
    size_t place = find_kind(steps, kind);
    if (place == steps->kind_count)
        return true;
    bool last = step == count && steps->limit > STEPS_TO_FIT;
    if (steps->kinds[place].seen >= steps->limit && !last) {
        tally_add(&steps->left_out, &steps->kinds[place].tally, 1);
        return false;
    }
    steps->kinds[place].seen++;
    steps->current = place;
    steps->before = now;
    return true;
}

// What steps that were left out would have counted.
static void add_left_out(struct tess_stage_report *report, const struct tally *tally)
{
    report->counters.flop += tally->flop;
    report->counters.estimated_ns += tally->estimated_ns;
    report->counters.guessed_ns += tally->guessed_ns;
    report->counters.launches += tally->launches;
    report->counters.uploaded += tally->uploaded;
    report->counters.downloaded += tally->downloaded;
    report->spilled_bytes += tally->spilled_bytes;
    report->spilled_tensors += (uint32_t)tally->spilled_tensors;
    for (uint32_t i = 0; i < report->span_count; i++)
        report->spans[i].runs += tally->runs[i];
}

// ---- plans ----

struct job {
    struct tess_device *dev;
    const char *name;
    tess_stage_fn *fn;
    void *user;
};

static enum tess_status run_once(struct tess_stage *stage, const struct job *job)
{
    stage->report->spilled_bytes = stage->report->spilled_tensors = 0;
    for (size_t i = 0; i < stage->report->span_count; i++)
        stage->report->spans[i].runs = 0;
    stage->steps = (struct steps){.limit = stage->steps.limit};
    enum tess_status status = job->fn(stage, job->user);
    if (!status)
        status = tess_stage_deliver(stage);
    tess_later_clear(&stage->later);
    tess_arena_release(stage->arena, 0);
    return status;
}

// One dry run with a policy, which decides the tiles, or goes by those in *report; then
// it goes through more steps if counters are wanted.
static enum tess_status run_dry(struct tess_stage_report *report, const struct job *job,
                                const struct tess_budget *budget, struct policy policy,
                                const struct tess_stage *measured, bool fixed,
                                bool want_counters)
{
    struct tess_stage stage = *measured;
    stage.policy = policy;
    stage.report = report;
    stage.fixed = fixed;
    stage.steps.limit = want_counters ? STEPS_TO_COUNT : STEPS_TO_FIT;
    TESS_TRY(tess_arena_create(&stage.arena, job->dev, budget));
    struct tess_counters ignored;
    enum tess_status status = tess_device_take_counters(job->dev, &ignored);
    if (!status)
        status = run_once(&stage, job);
    report->peak_bytes = tess_arena_peak(stage.arena);
    tess_arena_destroy(&stage.arena);
    tess_device_take_counters(job->dev, &report->counters);
    if (!status)
        add_left_out(report, &stage.steps.left_out);
    return status;
}

// Try one policy dry. On success *report has the tiles, and the peak of a last dry run
// with them.
static enum tess_status plan_policy(struct tess_stage_report *report,
                                    const struct job *job,
                                    const struct tess_budget *budget,
                                    struct policy policy,
                                    const struct tess_stage *measured, bool want_counters)
{
    *report = (struct tess_stage_report){.name = job->name, .prefetch = policy.prefetch};
    // A span that comes later may need smaller tiles than an earlier one of its name was
    // given, so the tiles are decided in one dry run and checked in another, which counts
    // too.
    TESS_TRY(run_dry(report, job, budget, policy, measured, false, false));
    return run_dry(report, job, budget, policy, measured, true, want_counters);
}

// Sizes and use of the spillable tensors, from a dry run without limits.
static enum tess_status measure(struct tess_stage *out, const struct job *job)
{
    struct tess_stage_report report;
    struct tess_budget unlimited = {SIZE_MAX / 2, SIZE_MAX / 4, 1};
    *out = (struct tess_stage){.dev = job->dev,
                               .policy = {.prefetch = true},
                               .measuring = true,
                               .steps = {.limit = STEPS_TO_FIT}};
    report = (struct tess_stage_report){.name = job->name};
    out->report = &report;
    TESS_TRY(tess_arena_create(&out->arena, job->dev, &unlimited));
    enum tess_status status = run_once(out, job);
    tess_arena_destroy(&out->arena);
    out->report = NULL;
    out->measuring = false;
    out->steps.limit = SIZE_MAX;
    return status;
}

// Keep as many parts of spilled tensors on the device as fit beside the tiles of a plan
// that works.
static enum tess_status keep_parts(struct tess_stage_report *report,
                                   struct policy *policy, const struct job *job,
                                   const struct tess_budget *budget,
                                   const struct tess_stage *measured)
{
    for (size_t step = KEPT_PARTS / 2; step > 0; step /= 2) {
        struct tess_stage_report trial = *report;
        struct policy more = *policy;
        more.kept += step;
        enum tess_status status =
            run_dry(&trial, job, budget, more, measured, true, true);
        if (status && status != TESS_ERR_BUDGET)
            return status;
        if (!status) {
            *report = trial;
            *policy = more;
        }
    }
    return TESS_OK;
}

static enum tess_status plan_policies(struct tess_stage_report *report,
                                      struct policy *chosen, const struct job *job,
                                      const struct tess_budget *budget,
                                      const struct tess_stage *measured)
{
    *chosen = (struct policy){.prefetch = true, .resident = true};
    enum tess_status status = plan_policy(report, job, budget, *chosen, measured, true);
    for (int small = 0; small < 2; small++)
        for (size_t spills = 0; spills <= measured->spillable_count; spills++)
            for (int late = 0; late < 2 && status == TESS_ERR_BUDGET; late++) {
                *chosen = (struct policy){
                    .spills = spills, .prefetch = !late, .small_tiles = small};
                status = plan_policy(report, job, budget, *chosen, measured, true);
            }
    if (!status && chosen->spills)
        status = keep_parts(report, chosen, job, budget, measured);
    return status;
}

// The smallest value of a limit at which the most frugal policy works, to FLOOR_STEP or
// FLOOR_SHARE; the other limit stays. *out is 0 if none does. `limit` is a member of
// `trial`.
static enum tess_status find_floor(size_t *out, const struct job *job,
                                   const struct tess_stage *measured,
                                   struct tess_budget *trial, size_t *limit)
{
    struct tess_stage_report report;
    struct policy frugal = {.spills = measured->spillable_count, .small_tiles = true};
    size_t low = 0, high = 1;
    *out = 0;
    for (;; high *= 2) {
        *limit = high * FLOOR_STEP;
        enum tess_status status =
            plan_policy(&report, job, trial, frugal, measured, false);
        if (!status)
            break;
        if (status != TESS_ERR_BUDGET)
            return status;
        if (high >= FLOOR_STEPS_MAX)
            return TESS_OK;
        low = high;
    }
    size_t precision = high < FLOOR_SHARE ? 1 : high / FLOOR_SHARE;
    while (high - low > precision) {
        size_t middle = low + (high - low) / 2;
        *limit = middle * FLOOR_STEP;
        enum tess_status status =
            plan_policy(&report, job, trial, frugal, measured, false);
        if (status && status != TESS_ERR_BUDGET)
            return status;
        *(status ? &low : &high) = middle;
    }
    *out = high * FLOOR_STEP;
    return TESS_OK;
}

static enum tess_status fail_too_small(struct tess_stage_report *report,
                                       const struct job *job,
                                       const struct tess_budget *budget,
                                       const struct tess_stage *measured)
{
    struct tess_env *env = tess_device_env(job->dev);
    struct tess_budget trial = *budget;
    size_t floor = 0;
    TESS_TRY(find_floor(&floor, job, measured, &trial, &trial.device_bytes));
    report->floor_bytes = floor;
    if (floor)
        return tess_fail(
            env, TESS_ERR_BUDGET,
            "%s needs a budget of %zu KiB of device memory, %zu KiB are allowed "
            "(try --memory %zuK)",
            job->name, floor >> 10, budget->device_bytes >> 10, floor >> 10);
    trial.device_bytes = SIZE_MAX / 2;
    TESS_TRY(find_floor(&floor, job, measured, &trial, &trial.max_buffer));
    return tess_fail(
        env, TESS_ERR_BUDGET,
        "%s needs buffers of %zu KiB of device memory, the largest allowed is %zu "
        "KiB (try --max-buffer %zuK, or another device)",
        job->name, floor >> 10, budget->max_buffer >> 10, floor >> 10);
}

static enum tess_status plan_floor(struct tess_stage_report *report,
                                   const struct job *job,
                                   const struct tess_budget *budget,
                                   const struct tess_stage *measured)
{
    struct tess_budget trial = *budget;
    size_t floor = 0;
    TESS_TRY(find_floor(&floor, job, measured, &trial, &trial.device_bytes));
    report->floor_bytes = floor;
    return TESS_OK;
}

static enum tess_status plan(struct tess_stage_report *report, struct policy *policy,
                             struct tess_stage *measured, const struct job *job,
                             const struct tess_budget *budget, bool want_floor)
{
    tess_device_set_dry(job->dev, true);
    enum tess_status status = measure(measured, job);
    if (!status) {
        status = plan_policies(report, policy, job, budget, measured);
        if (status == TESS_ERR_BUDGET)
            status = fail_too_small(report, job, budget, measured);
        else if (!status && want_floor)
            status = plan_floor(report, job, budget, measured);
    }
    tess_device_set_dry(job->dev, false);
    return status;
}

// Kernels and the bus take turns unless weights come ahead of their use or stay. 0 where
// too much would be a guess.
static double estimate_seconds(const struct tess_stage_report *report,
                               const struct tess_device *dev)
{
    const struct tess_counters *counters = &report->counters;
    double byte_ns = fmax(tess_rates_transfer(dev), 0);
    double bus_ns = byte_ns * (double)(counters->uploaded + counters->downloaded);
    double kernel_ns = counters->estimated_ns;
    if (counters->guessed_ns > GUESSED_SHARE_MAX * kernel_ns)
        return 0;
    bool beside = report->prefetch || report->resident;
    return 1e-9 * (beside ? fmax(kernel_ns, bus_ns) : kernel_ns + bus_ns);
}

enum tess_status tess_stage_plan(struct tess_stage_report *report,
                                 struct tess_device *dev,
                                 const struct tess_budget *budget, const char *name,
                                 tess_stage_fn *fn, void *user, bool want_floor)
{
    struct tess_stage measured;
    struct policy policy;
    *report = (struct tess_stage_report){.name = name};
    enum tess_status status =
        plan(report, &policy, &measured, &(struct job){dev, name, fn, user}, budget,
             want_floor);
    if (!status)
        report->seconds = estimate_seconds(report, dev);
    return status;
}

// An arena with the plan's memory behind it: the plan's dry run once more, then the
// allocation.
static enum tess_status commit(struct tess_stage *stage, const struct job *job,
                               const struct tess_budget *budget)
{
    TESS_TRY(tess_arena_create(&stage->arena, job->dev, budget));
    tess_device_set_dry(job->dev, true);
    enum tess_status status = run_once(stage, job);
    struct tess_counters ignored;
    tess_device_take_counters(job->dev, &ignored);
    tess_device_set_dry(job->dev, false);
    if (!status)
        status = tess_arena_commit(stage->arena);
    if (status)
        tess_arena_destroy(&stage->arena);
    return status;
}

// A smaller budget, after the device refused what a plan of `peak` bytes needs: three
// quarters of that, but not less than what works.
static enum tess_status shrink(struct tess_budget *budget, const struct job *job,
                               size_t peak)
{
    struct tess_env *env = tess_device_env(job->dev);
    struct tess_stage_report report;
    struct tess_stage measured;
    struct policy policy;
    char refusal[TESS_MESSAGE_MAX];
    memcpy(refusal, env->message, sizeof refusal);
    budget->device_bytes = peak / 4 * 3;
    enum tess_status status = plan(&report, &policy, &measured, job, budget, false);
    if (status == TESS_ERR_BUDGET && report.floor_bytes && report.floor_bytes < peak) {
        budget->device_bytes = (size_t)report.floor_bytes;
        status = TESS_OK;
    }
    if (status) // it was the device that made the budget too small
        return tess_fail_within(env, status, "%s; and with less: ", refusal);
    tess_log(env, TESS_LOG_WARNING, "%s; going on with a budget of %zu KiB", refusal,
             budget->device_bytes >> 10);
    return TESS_OK;
}

static enum tess_status plan_and_commit(struct tess_stage *stage,
                                        struct tess_stage_report *report,
                                        const struct job *job,
                                        const struct tess_budget *allowed)
{
    struct tess_budget budget = *allowed;
    for (int shrinks = 0;; shrinks++) {
        struct policy policy;
        struct tess_stage measured;
        TESS_TRY(plan(report, &policy, &measured, job, &budget, false));
        *stage = measured;
        stage->policy = policy;
        stage->report = report;
        stage->fixed = true;
        enum tess_status status = commit(stage, job, &budget);
        if (status != TESS_ERR_BUDGET)
            return status;
        if (shrinks == SHRINKS_MAX)
            return tess_fail_within(tess_device_env(job->dev), status,
                                    "%s: gave up after %d smaller budgets: ", job->name,
                                    SHRINKS_MAX);
        TESS_TRY(shrink(&budget, job, (size_t)report->peak_bytes));
    }
}

enum tess_status tess_stage_run(struct tess_stage_report *report, struct tess_device *dev,
                                const struct tess_budget *budget, const char *name,
                                tess_stage_fn *fn, void *user)
{
    struct job job = {dev, name, fn, user};
    struct tess_stage stage;
    double start = tess_seconds_now();
    *report = (struct tess_stage_report){.name = name};
    tess_device_build_ahead(dev);
    TESS_TRY(plan_and_commit(&stage, report, &job, budget));
    stage.start = tess_seconds_now();
    struct tess_counters ignored;
    enum tess_status status = tess_device_take_counters(dev, &ignored);
    if (!status)
        status = run_once(&stage, &job);
    // After a failure what is queued must end before its memory goes.
    enum tess_status finished = tess_device_take_counters(dev, &report->counters);
    report->peak_bytes = tess_arena_peak(stage.arena);
    tess_arena_destroy(&stage.arena);
    if (report->spilled_tensors) // pieces of them lie between what stays
        tess_trim();
    report->seconds = tess_seconds_now() - start;
    return status ? status : finished;
}

void tess_stage_report_add(struct tess_stage_report *sum,
                           const struct tess_stage_report *one)
{
    sum->name = one->name;
    sum->seconds += one->seconds;
    if (one->peak_bytes > sum->peak_bytes)
        sum->peak_bytes = one->peak_bytes;
    sum->counters.launches += one->counters.launches;
    sum->counters.flop += one->counters.flop;
    sum->counters.uploaded += one->counters.uploaded;
    sum->counters.downloaded += one->counters.downloaded;
    sum->counters.kernel_ns += one->counters.kernel_ns;
    if (one->counters.longest_ns > sum->counters.longest_ns)
        sum->counters.longest_ns = one->counters.longest_ns;
}
