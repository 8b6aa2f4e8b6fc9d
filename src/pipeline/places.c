// Where files lie.
#include "pipeline/places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "pipeline/hub_cache.h"

static const char in_directory[] = "model directory", in_torch_hub[] = "torch-hub cache",
                  in_hugging_face[] = "Hugging Face cache";

static const char hub_file[] = "dinov2_vitl14_reg4_pretrain.pth";
static const char hub_repository[] = "facebook/dinov2-with-registers-large";

// A link that leads nowhere counts: opening it tells so.
static bool is_file(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0)
        return !S_ISDIR(info.st_mode);
    return lstat(path, &info) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// *out becomes FOLDER/NAME if that is a file and nothing was found before.
static enum tess_status try_file(struct tess_place *out, struct tess_env *env,
                                 const char *place, const char *folder, const char *name)
{
    char *path = NULL;
    if (out->path)
        return TESS_OK;
    TESS_TRY(tess_strf(&path, env, "%s/%s", folder, name));
    if (is_file(path))
        *out = (struct tess_place){path, place};
    else
        free(path);
    return TESS_OK;
}

static enum tess_status search_directory(struct tess_place *out, struct tess_env *env,
                                         const char *directory)
{
    static const char *const names[] = {
        "ckpts/dinov2_reg.safetensors",
        "ckpts/dinov2_vitl14_reg4_pretrain.pth",
        "ckpts/dinov2_vitl14_reg4_pretrain.safetensors",
        "dinov2_vitl14_reg4_pretrain.pth",
        "dinov2_vitl14_reg4_pretrain.safetensors",
        "dinov2-with-registers-large/model.safetensors",
        "model.safetensors",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        TESS_TRY(try_file(out, env, in_directory, directory, names[i]));
    return TESS_OK;
}

static enum tess_status search_torch_hub(struct tess_place *out, struct tess_env *env)
{
    char *folder = NULL;
    if (out->path)
        return TESS_OK;
    TESS_TRY(tess_torch_checkpoints(&folder, env));
    enum tess_status status = try_file(out, env, in_torch_hub, folder, hub_file);
    free(folder);
    return status;
}

static enum tess_status search_hugging_face(struct tess_place *out, struct tess_env *env)
{
    char *snapshot = NULL;
    if (out->path)
        return TESS_OK;
    TESS_TRY(tess_hugging_face_snapshot(&snapshot, env, hub_repository));
    if (!snapshot)
        return TESS_OK;
    enum tess_status status =
        try_file(out, env, in_hugging_face, snapshot, "model.safetensors");
    if (!status && !out->path)
        status = tess_fail(env, TESS_ERR_FILE,
                           "%s: no model.safetensors of %s in it: download it again",
                           snapshot, hub_repository);
    free(snapshot);
    return status;
}

static enum tess_status fail_nowhere(struct tess_env *env, const char *directory)
{
    char *torch = NULL, *hub = NULL;
    enum tess_status status = tess_torch_checkpoints(&torch, env);
    if (!status)
        status = tess_hugging_face_folder(&hub, env);
    if (!status)
        status =
            tess_fail(env, TESS_ERR_FILE,
                      "no image encoder: put %s into %s/ckpts or %s, or "
                      "model.safetensors of %s into %s/dinov2-with-registers-large, or "
                      "give one with --encoder FILE (nor is one in %s)",
                      hub_file, directory, torch, hub_repository, directory, hub);
    free(torch);
    free(hub);
    return status;
}

enum tess_status tess_places_encoder(struct tess_place *out, struct tess_env *env,
                                     const char *directory)
{
    struct tess_place found = {0};
    TESS_TRY(search_directory(&found, env, directory));
    TESS_TRY(search_torch_hub(&found, env));
    TESS_TRY(search_hugging_face(&found, env));
    if (!found.path)
        return fail_nowhere(env, directory);
    *out = found;
    return TESS_OK;
}

static enum tess_status fail_not_cached(struct tess_env *env, const char *name)
{
    char *hub = NULL;
    TESS_TRY(tess_hugging_face_folder(&hub, env));
    enum tess_status status =
        tess_fail(env, TESS_ERR_FILE,
                  "%s: no such directory, and nothing of it in Hugging Face's cache %s: "
                  "download it from https://huggingface.co/%s",
                  name, hub, name);
    free(hub);
    return status;
}

enum tess_status tess_places_model(struct tess_place *out, struct tess_env *env,
                                   const char *name)
{
    char *path = NULL;
    if (is_folder(name) || !tess_hugging_face_is_name(name)) {
        TESS_TRY(tess_strdup(&path, env, name));
        *out = (struct tess_place){path, in_directory};
        return TESS_OK;
    }
    TESS_TRY(tess_hugging_face_snapshot(&path, env, name));
    if (!path)
        return fail_not_cached(env, name);
    *out = (struct tess_place){path, in_hugging_face};
    return TESS_OK;
}
