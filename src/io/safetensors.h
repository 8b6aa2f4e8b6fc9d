// Safetensors files: an 8-byte little-endian header length, a JSON header, then the
// tensors' bytes. Opened files are mapped, so only what is touched is read (see
// io/input.h about files that shrink).
#ifndef TESS_SAFETENSORS_H
#define TESS_SAFETENSORS_H

#include <stddef.h>

#include "base/dtype.h"
#include "base/status.h"
#include "io/output.h"

#define TESS_FILE_TENSOR_MAX_DIMS 8

struct tess_safetensors;

// A tensor in a file, or to be written to one. Row-major, little-endian.
struct tess_file_tensor {
    const char *name;
    enum tess_dtype dtype;
    int dims; // 0: a scalar
    size_t shape[TESS_FILE_TENSOR_MAX_DIMS];
    size_t elements, bytes; // products; the writer computes its own
    const void *data;       // not necessarily aligned to the element: use memcpy() or
                            // tess_file_tensor_floats(), or check
};

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

// Find a tensor that must be there with one of the dtypes in `dtype_mask` (1u << TESS_F32
// | ...) and the shape [dims] in which 0 stands for any size. TESS_ERR_FILE: "FILE:
// tensor NAME is F32 [3,4], expected F16 [4,*]" or "... is missing, expected ...".
enum tess_status tess_safetensors_require(const struct tess_file_tensor **out,
                                          const struct tess_safetensors *file,
                                          struct tess_env *env, const char *name,
                                          unsigned dtype_mask, int dims,
                                          const size_t *shape);

// Convert a tensor of F32, F16, BF16 or F64 to dst[elements]; other dtypes are the
// caller's mistake.
void tess_file_tensor_floats(float *dst, const struct tess_file_tensor *tensor);

// Write `count` tensors in this order, with data at multiples of 8 bytes where sizes
// allow it, and `metadata_count` pairs as "__metadata__". Names must differ. Statuses as
// tess_output_commit().
enum tess_status tess_safetensors_write(struct tess_env *env, const char *path,
                                        const struct tess_file_tensor *tensors,
                                        size_t count,
                                        const struct tess_metadata *metadata,
                                        size_t metadata_count);

#endif
