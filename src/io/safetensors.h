// Safetensors files: an 8-byte little-endian header length, a JSON header, then the
// tensors' bytes. Opened files are mapped, so only what is touched is read (see
// io/input.h about files that shrink).
#ifndef TESS_SAFETENSORS_H
#define TESS_SAFETENSORS_H

#include <stddef.h>

#include "base/dtype.h"
#include "base/status.h"
#include "io/file_tensor.h"
#include "io/output.h"

struct tess_safetensors;

// Map `path` and check its whole header: the format's rules (JSON object, known dtypes,
// sizes that agree, tensors that cover the data without overlaps or holes) and sane
// bounds (a header of at most TESS_JSON_MAX_BYTES, at most 8 dimensions). TESS_ERR_FILE
// names file and tensor.
enum tess_status tess_safetensors_open(struct tess_safetensors **out,
                                       struct tess_env *env, const char *path);
void tess_safetensors_close(struct tess_safetensors **file);

// Tensors in the order of the header; they and their data live until the file is closed.
size_t tess_safetensors_count(const struct tess_safetensors *file);
const struct tess_file_tensor *tess_safetensors_at(const struct tess_safetensors *file,
                                                   size_t index);

// NULL if there is none.
const struct tess_file_tensor *tess_safetensors_find(const struct tess_safetensors *file,
                                                     const char *name);
const char *tess_safetensors_metadata(const struct tess_safetensors *file,
                                      const char *key);
const char *tess_safetensors_path(const struct tess_safetensors *file);

// Find a tensor that must be there, with a dtype and a shape as tess_file_tensor_check()
// takes them.
enum tess_status tess_safetensors_require(const struct tess_file_tensor **out,
                                          const struct tess_safetensors *file,
                                          struct tess_env *env, const char *name,
                                          unsigned dtype_mask, int dims,
                                          const size_t *shape);

// Write `count` tensors in this order, with data at multiples of 8 bytes where sizes
// allow it, and `metadata_count` pairs as "__metadata__". Names must differ. Statuses as
// tess_output_commit().
enum tess_status tess_safetensors_write(struct tess_env *env, const char *path,
                                        const struct tess_file_tensor *tensors,
                                        size_t count,
                                        const struct tess_metadata *metadata,
                                        size_t metadata_count);

// Fills dst with elements [first, first + count) of `tensor`, in its dtype.
typedef enum tess_status tess_tensor_make_fn(void *user, void *dst,
                                             const struct tess_file_tensor *tensor,
                                             size_t first, size_t count);

// The same for tensors that are made as they are written, at most a megabyte at a time.
// A failure of `make` ends it, and there is no file.
enum tess_status tess_safetensors_write_made(struct tess_env *env, const char *path,
                                             const struct tess_file_tensor *tensors,
                                             size_t count, tess_tensor_make_fn *make,
                                             void *user);

// Bytes of the file that these tensors make, without metadata.
enum tess_status tess_safetensors_size(uint64_t *bytes, struct tess_env *env,
                                       const struct tess_file_tensor *tensors,
                                       size_t count);

#endif
