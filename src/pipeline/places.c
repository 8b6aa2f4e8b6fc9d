// Where files lie.
#include "pipeline/places.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

static const char hub_file[] = "dinov2_vitl14_reg4_pretrain.pth";

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

// Of the user's cache: $XDG_CACHE_HOME/NAME or ~/.cache/NAME, as both projects have it.
static enum tess_status cache_folder(char **out, struct tess_env *env, const char *name)
{
    const char *cache = variable("XDG_CACHE_HOME"), *home = variable("HOME");
    if (cache)
        return tess_strf(out, env, "%s/%s", cache, name);
    return tess_strf(out, env, "%s/.cache/%s", home ? home : "", name);
}

static enum tess_status torch_folder(char **out, struct tess_env *env)
{
    const char *torch = variable("TORCH_HOME");
    return torch ? tess_strdup(out, env, torch) : cache_folder(out, env, "torch");
}

static enum tess_status hugging_face_folder(char **out, struct tess_env *env)
{
    const char *hub = variable("HF_HUB_CACHE"), *home = variable("HF_HOME");
    if (hub)
        return tess_strdup(out, env, hub);
    return home ? tess_strf(out, env, "%s/hub", home)
                : cache_folder(out, env, "huggingface/hub");
}

// The folder of OWNER/NAME in the cache, its snapshots/REVISION: that of the branch main,
// else the first there is. *out stays NULL if there is none.
static enum tess_status find_snapshot(char **out, struct tess_env *env, const char *name)
{
    char *hub = NULL, *path = NULL, revision[128] = "";
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/') || *name == '.')
        return TESS_OK;
    TESS_TRY(hugging_face_folder(&hub, env));
    enum tess_status status = tess_strf(&path, env, "%s/models--%.*s--%s", hub,
                                        (int)(slash - name), name, slash + 1);
    free(hub);
    TESS_TRY(status);
    char *main_path = NULL, *pattern = NULL;
    status = tess_strf(&main_path, env, "%s/refs/main", path);
    FILE *file = status ? NULL : fopen(main_path, "r");
    if (file && fscanf(file, "%127[0-9a-zA-Z]", revision) != 1)
        revision[0] = '\0';
    if (file)
        fclose(file);
    free(main_path);
    if (!status)
        status =
            tess_strf(&pattern, env, "%s/snapshots/%s", path, *revision ? revision : "*");
    glob_t found = {0};
    if (!status && glob(pattern, 0, NULL, &found) == 0 && is_folder(found.gl_pathv[0]))
        status = tess_strdup(out, env, found.gl_pathv[0]);
    globfree(&found);
    free(pattern);
    free(path);
    return status;
}

// *out becomes FOLDER/NAME if that is a file.
static enum tess_status try_file(char **out, struct tess_env *env, const char *folder,
                                 const char *name)
{
    char *path = NULL;
    if (!folder || *out)
        return TESS_OK;
    TESS_TRY(tess_strf(&path, env, "%s/%s", folder, name));
    if (is_file(path))
        *out = path;
    else
        free(path);
    return TESS_OK;
}

static enum tess_status search(char **out, struct tess_env *env, const char *directory,
                               const char *torch, const char *snapshot)
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
        TESS_TRY(try_file(out, env, directory, names[i]));
    TESS_TRY(
        try_file(out, env, torch, "hub/checkpoints/dinov2_vitl14_reg4_pretrain.pth"));
    return try_file(out, env, snapshot, "model.safetensors");
}

enum tess_status tess_places_encoder(char **out, struct tess_env *env,
                                     const char *directory)
{
    char *torch = NULL, *snapshot = NULL, *path = NULL;
    enum tess_status status = torch_folder(&torch, env);
    if (!status)
        status = find_snapshot(&snapshot, env, "facebook/dinov2-with-registers-large");
    if (!status)
        status = search(&path, env, directory, torch, snapshot);
    if (!status && !path)
        status = tess_fail(
            env, TESS_ERR_FILE,
            "no image encoder: put %s into %s, or model.safetensors of "
            "facebook/dinov2-with-registers-large, or give one with --encoder FILE "
            "(looked there, in %s/hub/checkpoints and in Hugging Face's cache)",
            hub_file, directory, torch);
    free(torch);
    free(snapshot);
    if (!status)
        *out = path;
    return status;
}

enum tess_status tess_places_model(char **out, struct tess_env *env, const char *name)
{
    char *path = NULL;
    if (!is_folder(name))
        TESS_TRY(find_snapshot(&path, env, name));
    if (!path)
        return tess_strdup(out, env, name);
    *out = path;
    return TESS_OK;
}
