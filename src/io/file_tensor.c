// Tensors in files.
#include "io/file_tensor.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NAME_QUOTED = 200 }; // bytes of a name in a message

// "F32 or F16 [3,*]" in buffer[256].
static void describe(char *buffer, unsigned dtype_mask, int dims, const size_t *shape)
{
    size_t used = 0, size = 256;
    for (int i = 0; i < TESS_DTYPE_COUNT; i++) {
        if (dtype_mask >> i & 1)
            used +=
                (size_t)snprintf(buffer + used, size - used, "%s%s", used ? " or " : "",
                                 tess_dtype_name((enum tess_dtype)i));
    }
    used += (size_t)snprintf(buffer + used, size - used, " [");
    for (int i = 0; i < dims && used < size - 32; i++) {
        if (shape[i])
            used += (size_t)snprintf(buffer + used, size - used, "%s%zu", i ? "," : "",
                                     shape[i]);
        else
            used += (size_t)snprintf(buffer + used, size - used, "%s*", i ? "," : "");
    }
    snprintf(buffer + used, size - used, "]");
}

enum tess_status tess_file_tensor_check(const struct tess_file_tensor *tensor,
                                        struct tess_env *env, const char *path,
                                        const char *name, unsigned dtype_mask, int dims,
                                        const size_t *shape)
{
    bool fits = tensor && dtype_mask >> tensor->dtype & 1 && tensor->dims == dims;
    for (int i = 0; i < dims && fits; i++)
        fits = shape[i] == 0 || shape[i] == tensor->shape[i];
    if (fits)
        return TESS_OK;
    char wanted[256], found[256];
    describe(wanted, dtype_mask, dims, shape);
    if (!tensor)
        return tess_fail(env, TESS_ERR_FILE, "%s: tensor %.*s is missing, expected %s",
                         path, NAME_QUOTED, name, wanted);
    describe(found, 1u << tensor->dtype, tensor->dims, tensor->shape);
    return tess_fail(env, TESS_ERR_FILE, "%s: tensor %.*s is %s, expected %s", path,
                     NAME_QUOTED, name, found, wanted);
}

bool tess_file_tensor_name_ok(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 32 || name[i] == 127)
            return false;
    }
    return length > 0;
}

void tess_file_tensor_floats(float *dst, const struct tess_file_tensor *tensor)
{
    const uint8_t *src = tensor->data;
    uint16_t half;
    double wide;
    switch (tensor->dtype) {
    case TESS_F32:
        if (tensor->bytes)
            memcpy(dst, src, tensor->bytes);
        break;
    case TESS_F16:
        for (size_t i = 0; i < tensor->elements; i++) {
            memcpy(&half, src + 2 * i, 2);
            dst[i] = tess_half_to_float(half);
        }
        break;
    case TESS_BF16:
        for (size_t i = 0; i < tensor->elements; i++) {
            memcpy(&half, src + 2 * i, 2);
            dst[i] = tess_bfloat_to_float(half);
        }
        break;
    case TESS_F64:
        for (size_t i = 0; i < tensor->elements; i++) {
            memcpy(&wide, src + 8 * i, 8);
            dst[i] = (float)wide;
        }
        break;
    default:
        assert(0 && "a dtype that is not floating point");
    }
}
