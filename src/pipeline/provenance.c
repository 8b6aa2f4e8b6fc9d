// Parameters and hashes for reports. The fields are described in docs/design.md.
#include "pipeline/provenance.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "pipeline/file_hash.h"

// The context's object, made when first needed; NULL without memory.
static cJSON *member(struct tess_context *ctx, const char *name)
{
    if (!ctx->provenance)
        ctx->provenance = cJSON_CreateObject();
    cJSON *array = cJSON_GetObjectItem(ctx->provenance, name);
    return array ? array : cJSON_AddArrayToObject(ctx->provenance, name);
}

static enum tess_status no_memory(struct tess_context *ctx)
{
    return tess_fail(&ctx->env, TESS_ERR_MEMORY, "no host memory for a report");
}

static cJSON *file_item(const char *path, const struct stat *info)
{
    cJSON *file = cJSON_CreateObject();
    if (!cJSON_AddStringToObject(file, "path", path) ||
        !cJSON_AddNumberToObject(file, "bytes", (double)info->st_size))
    {
        cJSON_Delete(file);
        return NULL;
    }
    return file;
}

// Hashing begins; the digest comes into `item` when a report is made.
static enum tess_status hash(struct tess_context *ctx, int fd, cJSON *item)
{
    if (!ctx->hashes)
        ctx->hashes = tess_file_hashes_create();
    enum tess_status status =
        ctx->hashes ? tess_grow(&ctx->hashed, &ctx->hashed_capacity, &ctx->env,
                                ctx->hashed_count + 1, sizeof *ctx->hashed, "a report")
                    : no_memory(ctx);
    if (status) {
        close(fd);
        return status;
    }
    if (!tess_file_hashes_add(ctx->hashes, fd))
        return no_memory(ctx);
    ctx->hashed[ctx->hashed_count++] = item;
    return TESS_OK;
}

static enum tess_status fail_reading(struct tess_context *ctx, const char *path)
{
    return tess_fail(&ctx->env, TESS_ERR_FILE, "%s: cannot be read again: %s", path,
                     strerror(errno));
}

enum tess_status tess_provenance_file(struct tess_context *ctx, enum tess_file_role role,
                                      const char *path)
{
    struct stat info;
    if (!ctx->hash_files || stat(path, &info) || !S_ISREG(info.st_mode))
        return TESS_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_reading(ctx, path);
    cJSON *file = file_item(path, &info);
    if (!cJSON_AddItemToArray(member(ctx, role == TESS_FILE_INPUT ? "inputs" : "outputs"),
                              file))
    {
        close(fd);
        cJSON_Delete(file);
        return no_memory(ctx);
    }
    return hash(ctx, fd, file);
}

static enum tess_status add_digests(struct tess_context *ctx)
{
    for (size_t i = 0; i < ctx->hashed_count; i++) {
        cJSON *file = ctx->hashed[i];
        const char *digest = tess_file_hashes_digest(ctx->hashes, i);
        if (!digest)
            return fail_reading(ctx, cJSON_GetObjectItem(file, "path")->valuestring);
        if (!cJSON_HasObjectItem(file, "sha256"))
            cJSON_AddStringToObject(file, "sha256", digest);
    }
    return TESS_OK;
}

void tess_provenance_clear(struct tess_context *ctx)
{
    tess_file_hashes_destroy(&ctx->hashes);
    free(ctx->hashed);
    cJSON_Delete(ctx->provenance);
}

// ---- generations ----

static void add_sampler(cJSON *generation, const char *name,
                        const struct tess_sampler_config *config,
                        const struct tess_sampling *asked)
{
    struct tess_schedule schedule = tess_generation_schedule(config, asked);
    cJSON *sampler = cJSON_AddObjectToObject(generation, name);
    cJSON_AddNumberToObject(sampler, "steps", schedule.steps);
    cJSON_AddNumberToObject(sampler, "guidance", schedule.guidance);
    cJSON_AddItemToObject(sampler, "guidance_interval",
                          cJSON_CreateDoubleArray(schedule.interval, 2));
    cJSON_AddNumberToObject(sampler, "rescale_t", schedule.rescale_t);
}

// Seeds as text: JSON numbers are exact to 2^53 only.
static void add_seeds(cJSON *generation, const struct tess_generation *g)
{
    cJSON *seeds = cJSON_AddArrayToObject(generation, "seeds");
    for (size_t i = 0; i < g->variant_count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)g->variants[i].seed);
        cJSON_AddItemToArray(seeds, cJSON_CreateString(text));
    }
}

enum tess_status tess_provenance_generation(const struct tess_generation *g)
{
    const struct tess_pipeline_config *config = &g->model->config;
    const struct tess_generate_params *params = g->params;
    if (!g->ctx->hash_files)
        return TESS_OK;
    cJSON *generation = cJSON_CreateObject();
    cJSON_AddStringToObject(generation, "model", g->model->directory);
    add_seeds(generation, g);
    cJSON_AddNumberToObject(generation, "pictures", (double)g->condition_count);
    cJSON_AddStringToObject(generation, "multi_image",
                            params->multi_diffusion ? "multidiffusion" : "stochastic");
    cJSON_AddBoolToObject(generation, "guide_apart", params->guide_apart);
    cJSON_AddBoolToObject(generation, "structure_given",
                          params->structure_coords != NULL);
    add_sampler(generation, "structure", &config->structure_sampler, &params->structure);
    add_sampler(generation, "latent", &config->latent_sampler, &params->latent);
    if (!cJSON_AddItemToArray(member(g->ctx, "generations"), generation)) {
        cJSON_Delete(generation);
        return no_memory(g->ctx);
    }
    return TESS_OK;
}

enum tess_status tess_provenance_add(cJSON *report, struct tess_context *ctx)
{
    TESS_TRY(add_digests(ctx));
    for (const cJSON *item = ctx->provenance ? ctx->provenance->child : NULL; item;
         item = item->next)
        cJSON_AddItemToObject(report, item->string, cJSON_Duplicate(item, true));
    return TESS_OK;
}
