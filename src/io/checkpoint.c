// Files of tensors: exactly one of the two is open.
#include "io/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/input.h"
#include "io/pth.h"
#include "io/safetensors.h"

struct tess_checkpoint {
    struct tess_pth *pth;
    struct tess_safetensors *safetensors;
};

enum tess_status tess_checkpoint_open(struct tess_checkpoint **out, struct tess_env *env,
                                      const char *path)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_map(&input, env, path));
    bool pth = tess_pth_is(input.data, input.bytes);
    tess_input_close(&input);
    struct tess_checkpoint *file = NULL;
    TESS_TRY(tess_alloc(&file, env, 1, sizeof *file, "a checkpoint"));
    enum tess_status status = pth ? tess_pth_open(&file->pth, env, path)
                                  : tess_safetensors_open(&file->safetensors, env, path);
    if (status) {
        free(file);
        return status;
    }
    *out = file;
    return TESS_OK;
}

void tess_checkpoint_close(struct tess_checkpoint **file)
{
    struct tess_checkpoint *self = *file;
    if (!self)
        return;
    tess_pth_close(&self->pth);
    tess_safetensors_close(&self->safetensors);
    free(self);
    *file = NULL;
}

size_t tess_checkpoint_count(const struct tess_checkpoint *file)
{
    return file->pth ? tess_pth_count(file->pth)
                     : tess_safetensors_count(file->safetensors);
}

const struct tess_file_tensor *tess_checkpoint_at(const struct tess_checkpoint *file,
                                                  size_t index)
{
    return file->pth ? tess_pth_at(file->pth, index)
                     : tess_safetensors_at(file->safetensors, index);
}

const struct tess_file_tensor *tess_checkpoint_find(const struct tess_checkpoint *file,
                                                    const char *name)
{
    return file->pth ? tess_pth_find(file->pth, name)
                     : tess_safetensors_find(file->safetensors, name);
}

const char *tess_checkpoint_path(const struct tess_checkpoint *file)
{
    return file->pth ? tess_pth_path(file->pth)
                     : tess_safetensors_path(file->safetensors);
}

// Multiply and rotate over words, then over the bytes that are left: at the speed of
// memory, which matters for gigabytes. No defence against forgery.
static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const uint64_t factor = 0x9E3779B97F4A7C15ull; // odd, from the golden ratio
    const unsigned char *p = data;
    uint64_t lanes[4] = {hash, hash + 1, hash + 2, hash + 3};
    for (; bytes >= sizeof lanes; bytes -= sizeof lanes, p += sizeof lanes) {
        uint64_t words[4];
        memcpy(words, p, sizeof words);
        for (int i = 0; i < 4; i++) {
            lanes[i] = (lanes[i] ^ words[i]) * factor;
            lanes[i] ^= lanes[i] >> 29;
        }
    }
    for (size_t i = 0; i < bytes; i++)
        lanes[i % 4] = (lanes[i % 4] ^ p[i]) * factor;
    for (int i = 0; i < 4; i++) {
        hash = (hash ^ lanes[i]) * factor;
        hash ^= hash >> 29;
    }
    return hash;
}

uint64_t tess_checkpoint_fingerprint(const struct tess_checkpoint *file)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < tess_checkpoint_count(file); i++) {
        const struct tess_file_tensor *tensor = tess_checkpoint_at(file, i);
        hash = mix(hash, tensor->name, strlen(tensor->name));
        hash = mix(hash, tensor->data, tensor->bytes);
    }
    return hash;
}

enum tess_status tess_checkpoint_require(const struct tess_file_tensor **out,
                                         const struct tess_checkpoint *file,
                                         struct tess_env *env, const char *name,
                                         unsigned dtype_mask, int dims,
                                         const size_t *shape)
{
    const struct tess_file_tensor *tensor = tess_checkpoint_find(file, name);
    TESS_TRY(tess_file_tensor_check(tensor, env, tess_checkpoint_path(file), name,
                                    dtype_mask, dims, shape));
    *out = tensor;
    return TESS_OK;
}
