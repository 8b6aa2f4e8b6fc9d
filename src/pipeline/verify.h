// Inside src/pipeline: what the parts of tess_verify() share.
#ifndef TESS_VERIFY_H
#define TESS_VERIFY_H

#include "io/safetensors.h"
#include "pipeline/context.h"

#define TESS_VERIFY_PASS_BOUND     1e-5 // one pass of a network
#define TESS_VERIFY_SAMPLING_BOUND 1e-4 // a whole sampling run

struct tess_verifier {
    struct tess_context *ctx;
    struct tess_model *model; // opened when first needed
    const char *directory;
    const char *file; // name without suffix
    struct tess_safetensors *golden;
    tess_check_fn *report;
    void *user;
    size_t checks, failures;
};

// Report one check.
void tess_verify_tell(struct tess_verifier *v, const char *tensor, const char *shape,
                      double error, double bound, bool pass, const char *note);

// Copies of the golden file's tensors, for free(). TESS_ERR_FILE if one is not as
// expected; 0 in `shape` and 0 columns stand for any. Coordinates lose the column of the
// batch.
enum tess_status tess_verify_floats(float **out, size_t *rows, struct tess_verifier *v,
                                    const char *name, int dims, const size_t *shape);
enum tess_status tess_verify_ints(int32_t **out, size_t *rows, struct tess_verifier *v,
                                  const char *name, size_t columns);
enum tess_status tess_verify_coords(int32_t **out, size_t *rows, struct tess_verifier *v,
                                    const char *name);

// Compare `count` values with the whole of a golden tensor, and report.
enum tess_status tess_verify_compare(struct tess_verifier *v, const char *name,
                                     const float *values, size_t count, double bound);

// Inputs that a golden file leaves out: values of a counter-based generator, as synthetic
// checkpoints are filled with, sqrt(3) * [-1, 1). Element i of NAME:
// splitmix64(fnv1a64(NAME) + i).
enum tess_status tess_verify_noise(float **out, struct tess_verifier *v, const char *name,
                                   size_t count);
// The latent of a decoder's golden file: `slat` at `coords`, or where there is no `slat`,
// noise at the coordinates of DIR/io/slat_flow_step.
enum tess_status tess_verify_latent(struct tess_latent **out, struct tess_verifier *v,
                                    size_t channels);
// Rows [rows.., columns] that the tensor `rows` names, against the tensor `name`.
enum tess_status tess_verify_rows(struct tess_verifier *v, const char *name,
                                  const float *values, size_t value_rows, size_t columns);

// DIR/model, opened when first needed.
enum tess_status tess_verify_model(struct tess_model **out, struct tess_verifier *v);

// The files of the chain from a picture to a latent.
enum tess_status tess_verify_encoder(struct tess_verifier *v);
enum tess_status tess_verify_flow_step(struct tess_verifier *v);
enum tess_status tess_verify_sampler(struct tess_verifier *v);
enum tess_status tess_verify_structure(struct tess_verifier *v);

#endif
