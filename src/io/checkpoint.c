// Files of tensors: exactly one of the two is open.
#include "io/checkpoint.h"

#include <stdlib.h>

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
