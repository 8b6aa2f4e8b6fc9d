// Inside src/pipeline: results of stages in a directory, with what made them, so that a
// later run can go on from the last one that fits.
#ifndef TESS_KEEP_H
#define TESS_KEEP_H

#include "io/safetensors.h"
#include "pipeline/context.h"

// Make the directory if need be, before anything runs. TESS_ERR_WRITE if it cannot be
// one.
enum tess_status tess_keep_prepare(struct tess_context *ctx, const char *dir);

// Write DIR/NAME.safetensors, with `key` in its metadata. The file
// appears whole or not at all.
enum tess_status tess_keep_write(struct tess_context *ctx, const char *dir,
                                 const char *name, const char *key,
                                 const struct tess_file_tensor *tensors, size_t count);

// Open DIR/NAME.safetensors if it is there and was made with the same `key`; else *out is
// NULL, which is no error: the log says why. TESS_ERR_FILE if it is there and damaged.
enum tess_status tess_keep_open(struct tess_safetensors **out, struct tess_context *ctx,
                                const char *dir, const char *name, const char *key);

#endif
