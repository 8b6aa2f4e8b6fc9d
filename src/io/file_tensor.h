// Tensors in files, whatever the format: what they are, what a reader may require of
// them.
#ifndef TESS_FILE_TENSOR_H
#define TESS_FILE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dtype.h"
#include "base/status.h"

#define TESS_FILE_TENSOR_MAX_DIMS 8

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

// Convert a tensor of F32, F16, BF16 or F64 to dst[elements]; other dtypes are the
// caller's mistake.
void tess_file_tensor_floats(float *dst, const struct tess_file_tensor *tensor);

// `tensor`, which was looked for as `name` in the file `path`, must not be NULL and have
// one of the dtypes in `dtype_mask` (1u << TESS_F32 | ...) and the shape [dims] in which
// 0 stands for any size. TESS_ERR_FILE: "FILE: tensor NAME is F32 [3,4], expected F16
// [4,*]" or "... is missing, expected ...".
enum tess_status tess_file_tensor_check(const struct tess_file_tensor *tensor,
                                        struct tess_env *env, const char *path,
                                        const char *name, unsigned dtype_mask, int dims,
                                        const size_t *shape);

// Whether a name from a file can be one: not empty, no control characters.
bool tess_file_tensor_name_ok(const char *name, size_t length);

#endif
