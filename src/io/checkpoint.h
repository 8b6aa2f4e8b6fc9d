// Files of tensors, safetensors or PyTorch's, behind one interface.
#ifndef TESS_CHECKPOINT_H
#define TESS_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "io/file_tensor.h"

struct tess_checkpoint;

// Open `path` by what it holds, not by its name: see tess_safetensors_open() and
// tess_pth_open(), statuses too.
enum tess_status tess_checkpoint_open(struct tess_checkpoint **out, struct tess_env *env,
                                      const char *path);
void tess_checkpoint_close(struct tess_checkpoint **file);

// Tensors in the file's order; they and their data live until the file is closed.
size_t tess_checkpoint_count(const struct tess_checkpoint *file);
const struct tess_file_tensor *tess_checkpoint_at(const struct tess_checkpoint *file,
                                                  size_t index);

// NULL if there is none.
const struct tess_file_tensor *tess_checkpoint_find(const struct tess_checkpoint *file,
                                                    const char *name);
const char *tess_checkpoint_path(const struct tess_checkpoint *file);

// A number that tells the contents of files apart: of the tensors' names and data. Reads
// all of them.
uint64_t tess_checkpoint_fingerprint(const struct tess_checkpoint *file);

// Find a tensor that must be there, with a dtype and a shape as tess_file_tensor_check()
// takes them.
enum tess_status tess_checkpoint_require(const struct tess_file_tensor **out,
                                         const struct tess_checkpoint *file,
                                         struct tess_env *env, const char *name,
                                         unsigned dtype_mask, int dims,
                                         const size_t *shape);

#endif
