// A stage: one stretch of work with device memory of its own, planned before it runs.
//
// A stage's function makes its tensors, takes scratch and runs its spans. It is run dry
// first, as often as planning needs: launches and transfers only count, scratch is only
// measured. Then its memory is allocated at once, and the same function runs for real. It
// cannot tell the difference.
//
// Policies are tried in this order until one fits the budget: comfortable tiles before
// small ones; everything on the device, weights that are used again included; then
// weights streamed, with the next ones on their way or not, and spillable tensors on the
// host, those first that cost the least traffic for the memory. Of tensors on the host,
// as much as then fits is kept on the device all the same.
#ifndef TESS_STAGE_H
#define TESS_STAGE_H

#include "base/dtype.h"
#include "mem/arena.h"
#include "rt/launch.h"

struct tess_stage;
typedef enum tess_status tess_stage_fn(struct tess_stage *stage, void *user);

// Plan only. *report tells the plan and, with `want_floor`, the smallest budget; on
// TESS_ERR_BUDGET the floor is filled too and the message names it.
enum tess_status tess_stage_plan(struct tess_stage_report *report,
                                 struct tess_device *dev,
                                 const struct tess_budget *budget, const char *name,
                                 tess_stage_fn *fn, void *user, bool want_floor);

// Plan, allocate, run. When the device refuses memory that the plan needs, the stage goes
// on with a budget of three quarters of that, which is said in the log, at most four
// times. TESS_ERR_BUDGET names the smallest budget that works.
enum tess_status tess_stage_run(struct tess_stage_report *report, struct tess_device *dev,
                                const struct tess_budget *budget, const char *name,
                                tess_stage_fn *fn, void *user);

// Reports of one stage that ran several times, as one: what they did is added up.
void tess_stage_report_add(struct tess_stage_report *sum,
                           const struct tess_stage_report *one);

// ---- for use inside a stage's function ----

struct tess_env *tess_stage_env(const struct tess_stage *stage);
struct tess_device *tess_stage_device(const struct tess_stage *stage);
struct tess_arena *tess_stage_arena(const struct tess_stage *stage);

// Whether the plan wants the next weights uploaded ahead of their use.
bool tess_stage_prefetch(const struct tess_stage *stage);
// Whether weights that are used again and again stay on the device.
bool tess_stage_resident(const struct tess_stage *stage);

// For tensors that could live on the host. Those of one tag (a constant string) and size
// are of one kind and go together, the least used first.
//
// One of `groups` groups of rows is made: *host_groups of them, the last ones, have to
// live on the host, which adds to the report. *kind names its kind to the two calls
// below.
void tess_stage_spill(size_t *host_groups, size_t *kind, struct tess_stage *stage,
                      const char *tag, size_t groups, size_t group_bytes);
// Bytes of it were read or written.
void tess_stage_count_use(struct tess_stage *stage, size_t kind, size_t bytes);
// It is gone.
void tess_stage_count_end(struct tess_stage *stage, size_t kind);

// Step `step` of `count`, from 1, begins: progress tells of it. Steps of one `kind` do
// the same with the same memory. False: this dry run has seen enough of this kind, and
// the step is left out; what it would have counted is added.
bool tess_stage_begin_step(struct tess_stage *stage, size_t step, size_t count,
                           uint64_t kind);

struct tess_tile {
    size_t row0, rows;
};

// One span: the work between two global barriers, for the rows of `tile`. It is called
// for tiles that cover [0, rows) once, in order, and must write the same values whatever
// they are. Scratch that it takes is given back after each call.
typedef enum tess_status tess_span_fn(struct tess_stage *stage, void *user,
                                      struct tess_tile tile);

struct tess_span {
    const char *name; // spans of one name in a stage share one tile size
    size_t rows;      // in all
    size_t row_align; // tiles are multiples of this, but for the last one; 0: 1
    const uint32_t
        *cuts;        // or: tiles end only at these rows (ascending, the last is `rows`);
    size_t cut_count; // a tile larger than planned is made where the next cut is further
    size_t comfortable; // rows beyond which a larger tile gains nothing; 0: all
    tess_span_fn *run;
    void *user;
};

enum tess_status tess_span_run(struct tess_stage *stage, const struct tess_span *span);

// A matrix on the device in one piece, row-major.
struct tess_mat {
    struct tess_slice data;
    size_t rows, cols;
    enum tess_dtype dtype;
};

// Scratch until the end of the span's tile or of the stage. Rows or columns of 0 count
// as 1.
enum tess_status tess_mat_take(struct tess_mat *out, struct tess_stage *stage,
                               size_t rows, size_t cols, enum tess_dtype dtype,
                               const char *tag);

// Rows [row0, row0 + rows) of `mat`. Their offset must be a multiple of the alignment of
// the device: take row counts that make it so.
struct tess_mat tess_mat_rows(struct tess_mat mat, size_t row0, size_t rows);

// Copy rows * cols elements from the host, which may reuse them at once.
enum tess_status tess_mat_write(struct tess_stage *stage, struct tess_mat mat,
                                const void *src);

// What the host makes of rows that are ready. Called with `rows` * cols elements; never
// in a dry run. The bytes are the callee's only until it returns.
typedef enum tess_status tess_rows_fn(void *user, size_t row0, size_t rows,
                                      const void *data);

// Read the matrix and pass it on. `row0` is passed through.
enum tess_status tess_mat_deliver(struct tess_stage *stage, struct tess_mat mat,
                                  size_t row0, tess_rows_fn *fn, void *user);
// The same, but `fn` may be called later, in order, while the device goes on with what is
// queued meanwhile: in the next such calls, at the end of span or stage, or by
// tess_stage_deliver(). They return what it fails with.
enum tess_status tess_mat_deliver_later(struct tess_stage *stage, struct tess_mat mat,
                                        size_t row0, tess_rows_fn *fn, void *user);
enum tess_status tess_stage_deliver(struct tess_stage *stage);

#endif
