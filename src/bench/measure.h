// Inside src/bench: how one operator is measured.
//
// An operator is prepared once and sampled in several rounds, in turns with the others,
// so that what else the machine does touches all alike. A sample runs it once to warm up
// and then as often as a time that can be measured takes.
#ifndef TESS_MEASURE_H
#define TESS_MEASURE_H

#include "model/voxels.h"
#include "pipeline/context.h"

#define TESS_SAMPLES_MAX 32

struct tess_measure;

// What can be measured; rows of a constant table.
struct tess_operator {
    const char *name, *unit; // of its work
    enum tess_bench_roof roof;
    bool on_host;           // calls are timed, not kernels
    size_t rows[3];         // by form
    size_t inputs, outputs; // columns, or what the operator takes them for
    // Make the inputs for measure->rows and say in measure->rate what size that is and
    // how much work. May be called again for fewer rows.
    enum tess_status (*prepare)(struct tess_measure *measure);
    // Take one sample: tess_measure_stage(), or a call that tells its times by
    // tess_measure_add().
    enum tess_status (*sample)(struct tess_measure *measure);
    void (*clear)(struct tess_measure *measure); // free the inputs
};

struct tess_measure {
    struct tess_context *ctx;
    const struct tess_operator *op;
    struct tess_bench_rate *rate;
    enum tess_bench_form form;
    size_t rows;
    void *inputs; // the operator's own
    size_t count;
    double kernel_seconds[TESS_SAMPLES_MAX], elapsed_seconds[TESS_SAMPLES_MAX];
};

// Whether it can be begun: form, samples a thing, a device that is there. `done` is what
// cannot be done to one that is not, for the message.
enum tess_status tess_measure_check(struct tess_context *ctx, enum tess_bench_form form,
                                    uint32_t samples, const char *done);
// Find a number of rows that fits the budget and take the first sample. What does not fit
// at all gets a note in place of times.
enum tess_status tess_measure_begin(struct tess_measure *measure);
// Take another sample, unless there is a note.
enum tess_status tess_measure_again(struct tess_measure *measure);
// Medians and rate.
void tess_measure_end(struct tess_measure *measure);
void tess_measure_clear(struct tess_measure *measure);
// Of count > 0 values, which are sorted by it.
double tess_median(double *values, size_t count);

// ---- for operators ----

__attribute__((format(printf, 2, 3))) void tess_measure_size(struct tess_measure *measure,
                                                             const char *format, ...);

// Run a stage whose function calls tess_measure_run().
enum tess_status tess_measure_stage(struct tess_measure *measure, tess_stage_fn *fn);
// Time `run`, and add that as a sample. Scratch that it takes is given back.
typedef enum tess_status tess_measure_fn(struct tess_stage *stage, void *user);
enum tess_status tess_measure_run(struct tess_stage *stage, struct tess_measure *measure,
                                  tess_measure_fn *run, void *user);
void tess_measure_add(struct tess_measure *measure, double kernel_seconds,
                      double elapsed_seconds);

// A matrix of noise in [-1, 1), as scratch.
enum tess_status tess_noise_take(struct tess_mat *out, struct tess_stage *stage,
                                 size_t rows, size_t cols);

// The voxels of a shell of that many, along the Morton curve.
#define TESS_BENCH_RESOLUTION 64
enum tess_status tess_bench_shell(struct tess_voxels *out, struct tess_env *env,
                                  size_t voxels);
// How many neighbours exist of all voxels that come of subdividing `voxels` twice;
// `table` as of tess_neighbours_find().
double tess_bench_neighbours(const uint32_t *table, size_t voxels);

// The tables of what is measured.
extern const struct tess_operator tess_roof_operators[];
extern const size_t tess_roof_operator_count;
extern const struct tess_operator tess_dense_operators[];
extern const size_t tess_dense_operator_count;
extern const struct tess_operator tess_sparse_operators[];
extern const size_t tess_sparse_operator_count;
extern const struct tess_operator tess_drawing_operators[];
extern const size_t tess_drawing_operator_count;

#endif
