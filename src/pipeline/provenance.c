// Parameters and hashes for reports. The fields are described in docs/design.md.
#include "pipeline/provenance.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static cJSON *file_item(const char *path, const struct stat *info, const char *digest)
{
    cJSON *file = cJSON_CreateObject();
    if (!cJSON_AddStringToObject(file, "path", path) ||
        !cJSON_AddNumberToObject(file, "bytes", (double)info->st_size) ||
        !cJSON_AddStringToObject(file, "sha256", digest))
    {
        cJSON_Delete(file);
        return NULL;
    }
    return file;
}

enum tess_status tess_provenance_file(struct tess_context *ctx, enum tess_file_role role,
                                      const char *path)
{
    char digest[SHA256_DIGEST_STRING_LENGTH];
    struct stat info;
    if (!ctx->hash_files || stat(path, &info) || !S_ISREG(info.st_mode))
        return TESS_OK;
    if (!SHA256File(path, digest))
        return tess_fail(&ctx->env, TESS_ERR_FILE, "%s: cannot be read again: %s", path,
                         strerror(errno));
    cJSON *file = file_item(path, &info, digest);
    if (!cJSON_AddItemToArray(member(ctx, role == TESS_FILE_INPUT ? "inputs" : "outputs"),
                              file))
    {
        cJSON_Delete(file);
        return no_memory(ctx);
    }
    return TESS_OK;
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

void tess_provenance_add(cJSON *report, const struct tess_context *ctx)
{
    for (const cJSON *item = ctx->provenance ? ctx->provenance->child : NULL; item;
         item = item->next)
        cJSON_AddItemToObject(report, item->string, cJSON_Duplicate(item, true));
}
