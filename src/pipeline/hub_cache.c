// Caches of torch-hub and Hugging Face. The latter has for each repository a folder
// models--OWNER--NAME with refs/BRANCH, which names a revision, snapshots/REVISION with
// the files' names as links, and blobs with what they are.
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache
// https://pytorch.org/docs/stable/hub.html
#include "pipeline/hub_cache.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "io/input.h"

enum { REVISION_MAX_BYTES = 256 };

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static enum tess_status user_cache(char **out, struct tess_env *env, const char *name)
{
    const char *cache = variable("XDG_CACHE_HOME"), *home = variable("HOME");
    if (cache)
        return tess_strf(out, env, "%s/%s", cache, name);
    return tess_strf(out, env, "%s/.cache/%s", home ? home : "", name);
}

enum tess_status tess_torch_checkpoints(char **out, struct tess_env *env)
{
    const char *torch = variable("TORCH_HOME");
    return torch ? tess_strf(out, env, "%s/hub/checkpoints", torch)
                 : user_cache(out, env, "torch/hub/checkpoints");
}

enum tess_status tess_hugging_face_folder(char **out, struct tess_env *env)
{
    const char *hub = variable("HF_HUB_CACHE"), *home = variable("HF_HOME");
    if (hub)
        return tess_strdup(out, env, hub);
    return home ? tess_strf(out, env, "%s/hub", home)
                : user_cache(out, env, "huggingface/hub");
}

// Letters, digits, '-', '_' and '.', which is not the first.
static bool is_word(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
            return false;
    return length > 0 && text[0] != '.';
}

bool tess_hugging_face_is_name(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash && is_word(name, (size_t)(slash - name)) &&
           is_word(slash + 1, strlen(slash + 1));
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static const char advice[] = "an unfinished or damaged download: download it again, or "
                             "remove the folder";

// snapshots/REVISION as refs/main has it; *out stays NULL without refs/main.
static enum tess_status follow_main(char **out, struct tess_env *env, const char *folder)
{
    char *path = NULL, *snapshot = NULL;
    struct tess_input input = {0};
    struct stat info;
    TESS_TRY(tess_strf(&path, env, "%s/refs/main", folder));
    if (lstat(path, &info)) {
        free(path);
        return TESS_OK;
    }
    enum tess_status status = tess_input_read(&input, env, path, REVISION_MAX_BYTES);
    int length = (int)input.bytes;
    const char *revision = (const char *)input.data;
    while (length > 0 && isspace((unsigned char)revision[length - 1]))
        length--;
    if (!status && !is_word(revision, (size_t)length))
        status = tess_fail(env, TESS_ERR_FILE, "%s: expected the name of a revision; %s",
                           path, advice);
    if (!status)
        status = tess_strf(&snapshot, env, "%s/snapshots/%.*s", folder, length, revision);
    if (!status && !is_folder(snapshot))
        status = tess_fail(env, TESS_ERR_FILE,
                           "%s names revision %.*s, and %s is not there; %s", path,
                           length, revision, snapshot, advice);
    tess_input_close(&input);
    free(path);
    if (status) {
        free(snapshot);
        return status;
    }
    *out = snapshot;
    return TESS_OK;
}

// The only folder in snapshots.
static enum tess_status take_only(char **out, struct tess_env *env, const char *folder)
{
    char *path = NULL, *found = NULL;
    size_t count = 0;
    TESS_TRY(tess_strf(&path, env, "%s/snapshots", folder));
    enum tess_status status = TESS_OK;
    DIR *list = opendir(path);
    for (struct dirent *entry; list && !status && (entry = readdir(list));) {
        char *inner = NULL;
        if (entry->d_name[0] == '.')
            continue;
        status = tess_strf(&inner, env, "%s/%s", path, entry->d_name);
        if (!status && is_folder(inner)) {
            count++;
            free(found);
            found = inner;
        } else {
            free(inner);
        }
    }
    if (list)
        closedir(list);
    if (!status && count == 0)
        status =
            tess_fail(env, TESS_ERR_FILE,
                      "%s: no refs/main and no folder in snapshots; %s", folder, advice);
    if (!status && count > 1)
        status =
            tess_fail(env, TESS_ERR_FILE,
                      "%s: %zu folders in snapshots and no refs/main that says which "
                      "one: give its path",
                      folder, count);
    free(path);
    if (status) {
        free(found);
        return status;
    }
    *out = found;
    return TESS_OK;
}

enum tess_status tess_hugging_face_snapshot(char **out, struct tess_env *env,
                                            const char *name)
{
    char *hub = NULL, *folder = NULL, *found = NULL;
    const char *slash = strchr(name, '/');
    *out = NULL;
    if (!tess_hugging_face_is_name(name))
        return TESS_OK;
    TESS_TRY(tess_hugging_face_folder(&hub, env));
    enum tess_status status = tess_strf(&folder, env, "%s/models--%.*s--%s", hub,
                                        (int)(slash - name), name, slash + 1);
    free(hub);
    if (!status && is_folder(folder)) {
        status = follow_main(&found, env, folder);
        if (!status && !found)
            status = take_only(&found, env, folder);
    }
    free(folder);
    TESS_TRY(status);
    *out = found;
    return TESS_OK;
}
