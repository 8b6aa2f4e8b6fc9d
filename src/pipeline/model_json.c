// A model's parts as JSON. The fields are described in docs/design.md.
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "pipeline/context.h"

static void add_text(cJSON *object, const char *key, const char *text)
{
    if (*text)
        cJSON_AddStringToObject(object, key, text);
}

static void add_size(cJSON *object, const char *key, uint64_t size)
{
    if (size)
        cJSON_AddNumberToObject(object, key, (double)size);
}

static void add_sources(cJSON *object, const struct tess_model_part *part)
{
    cJSON *sources = cJSON_AddArrayToObject(object, "published");
    for (size_t i = 0; i < part->source_count; i++) {
        const struct tess_part_source *source = &part->sources[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(sources, item);
        add_text(item, "file", source->file);
        add_text(item, "put", source->put ? source->put : "");
        add_text(item, "url", source->url);
        add_text(item, "licence", source->licence);
        add_size(item, "bytes", source->bytes);
    }
}

static void add_part(cJSON *parts, const struct tess_model_part *part)
{
    static const char *const states[] = {[TESS_PART_READY] = "ready",
                                         [TESS_PART_MISSING] = "missing",
                                         [TESS_PART_BAD] = "bad",
                                         [TESS_PART_UNUSED] = "unused"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(parts, object);
    add_text(object, "role", part->role);
    add_text(object, "state", states[part->state]);
    add_text(object, "path", part->path);
    add_text(object, "place", part->place);
    add_text(object, "network", part->network);
    add_text(object, "summary", part->summary);
    add_text(object, "problem", part->problem);
    add_size(object, "bytes", part->bytes);
    add_size(object, "parameters", part->parameters);
    add_sources(object, part);
}

enum tess_status tess_model_json(char **json, struct tess_context *ctx,
                                 struct tess_model *model)
{
    const struct tess_model_part *parts;
    size_t count;
    TESS_TRY(tess_model_parts(model, ctx, &parts, &count));
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "directory", model->directory);
    cJSON_AddStringToObject(root, "place", model->place);
    cJSON *list = cJSON_AddArrayToObject(root, "parts");
    for (size_t i = 0; i < count; i++)
        add_part(list, &parts[i]);
    char *text = root ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text)
        return tess_fail(&ctx->env, TESS_ERR_MEMORY,
                         "no host memory for a list of parts");
    enum tess_status status = tess_strdup(json, &ctx->env, text);
    cJSON_free(text);
    return status;
}
