// Kept results.
#include "pipeline/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define KEY_FIELD "tessella.made_by"

enum tess_status tess_keep_prepare(struct tess_context *ctx, const char *dir)
{
    struct stat info;
    if ((mkdir(dir, 0777) && errno != EEXIST) || stat(dir, &info))
        return tess_fail(&ctx->env, TESS_ERR_WRITE, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return tess_fail(&ctx->env, TESS_ERR_WRITE, "%s: no directory", dir);
    return TESS_OK;
}

enum tess_status tess_keep_write(struct tess_context *ctx, const char *dir,
                                 const char *name, const char *key,
                                 const struct tess_file_tensor *tensors, size_t count)
{
    const struct tess_metadata metadata = {KEY_FIELD, key};
    char *path = NULL;
    TESS_TRY(tess_strf(&path, &ctx->env, "%s/%s.safetensors", dir, name));
    enum tess_status status =
        tess_safetensors_write(&ctx->env, path, tensors, count, &metadata, 1);
    if (!status)
        tess_log(&ctx->env, TESS_LOG_INFO, "kept %s", path);
    free(path);
    return status;
}

enum tess_status tess_keep_open(struct tess_safetensors **out, struct tess_context *ctx,
                                const char *dir, const char *name, const char *key)
{
    struct tess_safetensors *file = NULL;
    char *path = NULL;
    *out = NULL;
    TESS_TRY(tess_strf(&path, &ctx->env, "%s/%s.safetensors", dir, name));
    enum tess_status status =
        access(path, F_OK) ? TESS_OK : tess_safetensors_open(&file, &ctx->env, path);
    if (!status && file) {
        const char *made_by = tess_safetensors_metadata(file, KEY_FIELD);
        bool fits = made_by && strcmp(made_by, key) == 0;
        tess_log(&ctx->env, TESS_LOG_INFO, fits ? "reused %s" : "%s: other parameters",
                 path);
        if (fits)
            *out = file;
        else
            tess_safetensors_close(&file);
    }
    free(path);
    return status;
}
