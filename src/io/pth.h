// PyTorch checkpoints (.pth, .pt) as torch.save() has written them since 1.6: a zip file
// with a pickle, which names the tensors, and one uncompressed entry a storage. Opened
// files are mapped, so only what is touched is read (see io/input.h about files that
// shrink). Nothing in them is executed.
#ifndef TESS_PTH_H
#define TESS_PTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "io/file_tensor.h"

struct tess_pth;

// Whether a file that starts with data[bytes] is to be opened as one.
bool tess_pth_is(const uint8_t *data, size_t bytes);

// Map `path` and check its whole index. It must be a dict of tensors, or a dict that has
// such a dict as "state_dict" or "model". TESS_ERR_FILE names file, entry, opcode or
// tensor: damaged files, compressed or encrypted entries, big-endian data, pickles that
// hold anything else, tensors that are not contiguous or leave their storage.
enum tess_status tess_pth_open(struct tess_pth **out, struct tess_env *env,
                               const char *path);
void tess_pth_close(struct tess_pth **file);

// Tensors in the order of the dict; they and their data live until the file is closed.
// Tensors may share data.
size_t tess_pth_count(const struct tess_pth *file);
const struct tess_file_tensor *tess_pth_at(const struct tess_pth *file, size_t index);

// NULL if there is none.
const struct tess_file_tensor *tess_pth_find(const struct tess_pth *file,
                                             const char *name);
const char *tess_pth_path(const struct tess_pth *file);

#endif
