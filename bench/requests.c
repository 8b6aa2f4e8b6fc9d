// Many generations in one process, as a server makes them: a line of JSON after each.
//
//   requests MODEL PICTURE COUNT STEPS [MEMORY MiB]
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tessella.h"

struct job {
    struct tess_context *ctx;
    struct tess_model *model;
    struct tess_image *input;
    uint32_t steps;
};

// Bytes of this process that no file is behind; 0 where the system does not tell.
static uint64_t anonymous_bytes(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %" SCNu64, &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib << 10;
}

static enum tess_status serve(const struct job *job, uint64_t seed)
{
    struct tess_generate_params params = {
        .seed = seed, .structure.steps = job->steps, .latent.steps = job->steps};
    struct tess_latent *latent = NULL;
    struct tess_asset *asset = NULL;
    enum tess_status status =
        tess_generate(&latent, job->ctx, job->model, &job->input, 1, &params);
    if (!status)
        status = tess_decode(&asset, job->ctx, job->model, latent, NULL);
    uint64_t peak = 0;
    tess_context_stages(job->ctx, NULL, NULL, &peak);
    if (!status)
        printf("{\"seed\": %" PRIu64 ", \"voxels\": %zu, \"device_peak_bytes\": %" PRIu64,
               seed, tess_latent_voxels(latent), peak);
    tess_asset_destroy(&asset);
    tess_latent_destroy(&latent);
    if (!status)
        printf(", \"anonymous_bytes\": %" PRIu64 "}\n", anonymous_bytes());
    fflush(stdout);
    return status;
}

static enum tess_status open_job(struct job *job, const char *model, const char *path)
{
    struct tess_image *picture = NULL;
    enum tess_status status = tess_model_open(&job->model, job->ctx, model);
    if (!status)
        status = tess_image_open(&picture, job->ctx, path);
    if (!status)
        status = tess_image_prepare(&job->input, job->ctx, job->model, picture,
                                    TESS_BACKGROUND_AUTO, NULL);
    tess_image_destroy(&picture);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: requests MODEL PICTURE COUNT STEPS [MEMORY MiB]\n");
        return 2;
    }
    char message[TESS_MESSAGE_MAX];
    struct job job = {.steps = (uint32_t)strtoul(argv[4], NULL, 10)};
    struct tess_context_params params = {
        .memory = argc > 5 ? (size_t)strtoull(argv[5], NULL, 10) << 20 : 0};
    if (tess_context_create(&job.ctx, &params, message)) {
        fprintf(stderr, "requests: %s\n", message);
        return 4;
    }
    enum tess_status status = open_job(&job, argv[1], argv[2]);
    uint64_t count = strtoull(argv[3], NULL, 10);
    for (uint64_t seed = 1; seed <= count && !status; seed++)
        status = serve(&job, seed);
    if (status)
        fprintf(stderr, "requests: %s\n", tess_context_message(job.ctx));
    tess_image_destroy(&job.input);
    tess_model_destroy(&job.model);
    tess_context_destroy(&job.ctx);
    return status ? 1 : 0;
}
