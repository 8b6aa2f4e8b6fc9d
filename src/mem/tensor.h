// Chunked tensors: N rows x C columns of one dtype, cut along rows into chunks that fit
// the largest buffer, each on the device, or all on the host when the plan spills it.
#ifndef TESS_TENSOR_H
#define TESS_TENSOR_H

#include "mem/stage.h"

struct tess_tensor;

struct tess_tensor_params {
    size_t rows, cols;
    enum tess_dtype dtype;
    size_t group;    // rows that are moved together: ids below count groups; 0: 1
    const char *tag; // for plans and messages: "mesh decoder, features". Not copied.
    bool may_spill;  // whether a plan may keep it on the host
};

// Contents start undefined. `rows` must be a multiple of `group`.
// TESS_ERR_BUDGET: does not fit; the message names the tag.
enum tess_status tess_tensor_create(struct tess_tensor **out, struct tess_stage *stage,
                                    const struct tess_tensor_params *params);
void tess_tensor_destroy(struct tess_tensor **tensor);

size_t tess_tensor_rows(const struct tess_tensor *tensor);
size_t tess_tensor_cols(const struct tess_tensor *tensor);

// out = the groups `ids` (host array of `count` group numbers, in any order), one after
// the other: count * group rows. `out` is taken as scratch.
enum tess_status tess_tensor_gather(struct tess_mat *out, struct tess_stage *stage,
                                    const struct tess_tensor *tensor, const uint32_t *ids,
                                    size_t count);

// The groups `ids` = the rows of `in`. No id may appear twice.
enum tess_status tess_tensor_scatter(struct tess_stage *stage, struct tess_tensor *tensor,
                                     struct tess_mat in, const uint32_t *ids,
                                     size_t count);

// The same for the groups [group0, group0 + count).
enum tess_status tess_tensor_load(struct tess_mat *out, struct tess_stage *stage,
                                  const struct tess_tensor *tensor, size_t group0,
                                  size_t count);
enum tess_status tess_tensor_store(struct tess_stage *stage, struct tess_tensor *tensor,
                                   struct tess_mat in, size_t group0);

// The same without copies, where the groups lie in one piece on the device. What is
// viewed is only changed to be put back; what is made is undefined until it is written.
enum tess_status tess_tensor_view(struct tess_mat *out, struct tess_stage *stage,
                                  const struct tess_tensor *tensor, size_t group0,
                                  size_t count);
enum tess_status tess_tensor_make(struct tess_mat *out, struct tess_stage *stage,
                                  const struct tess_tensor *tensor, size_t group0,
                                  size_t count);
enum tess_status tess_tensor_put_back(struct tess_stage *stage,
                                      struct tess_tensor *tensor, struct tess_mat in,
                                      size_t group0);
// How many groups from group0 on lie in one piece there; 0: none.
size_t tess_tensor_in_place(const struct tess_tensor *tensor, size_t group0);

// Groups before `group0` are not read again, nor written: what the host had for them
// goes.
void tess_tensor_forget(struct tess_tensor *tensor, size_t group0);

#endif
