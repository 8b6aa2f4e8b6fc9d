// tessella generate: pictures of one object to 3D.
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

struct job {
    struct tess_model *model;
    struct tess_image *images[8];
    struct tess_latent *structure;
    unsigned representations;
    bool empty; // a seed's structure was
};

#define SEEDS_AT_ONCE 8 // as tess_generate_variants() takes

// OUT.glb with seed 7 of several: OUT-7.glb; OUT.mesh.ply: OUT-7.mesh.ply
static char *seeded_path(const char *path, uint64_t seed)
{
    const char *suffix = tess_asset_suffix(path);
    const char *dot = suffix ? suffix : strrchr(path, '.');
    size_t length = strlen(path) + 32;
    char *text = malloc(length);
    if (text)
        snprintf(text, length, "%.*s-%llu%s", (int)(dot - path), path,
                 (unsigned long long)seed, dot);
    return text;
}

struct tess_sampling cli_sampling(const struct cli_sampling *asked)
{
    return (struct tess_sampling){
        .steps = asked->steps,
        .guidance = asked->has_guidance ? &asked->guidance : NULL,
        .interval = asked->has_interval ? asked->interval : NULL,
        .rescale_t = asked->rescale_t};
}

static int save_latents(struct cli *cli, const struct tess_latent *latent)
{
    for (size_t i = 0; i < cli->output_count; i++) {
        if (!cli_is_latent(cli->outputs[i]))
            continue;
        enum tess_status status = tess_latent_save(latent, cli->ctx, cli->outputs[i]);
        if (status)
            return cli_fail(cli, status);
    }
    return EXIT_DONE;
}

static void tell_result(struct cli *cli, const struct tess_latent *latent)
{
    printf("seed     %llu\n", (unsigned long long)cli->seed);
    printf("voxels   %zu\n", tess_latent_voxels(latent));
    for (size_t i = 0; i < cli->output_count; i++)
        printf("wrote    %s\n", cli->outputs[i]);
}

// All outputs of a latent. The latent's file first: decoding may fail for want of memory,
// and what was long in the making is kept.
static int write_outputs(struct cli *cli, struct job *job,
                         const struct tess_latent *latent)
{
    int status = save_latents(cli, latent);
    if (status == EXIT_DONE && job->representations)
        status = cli_decode_latent(cli, job->model, latent, job->representations);
    if (status == EXIT_DONE && !cli->quiet)
        tell_result(cli, latent);
    return status;
}

// The same for a latent of cli->seed, which is one of several if `several`.
static int write_seed(struct cli *cli, struct job *job, const struct tess_latent *latent,
                      bool several)
{
    const char *outputs[CLI_OUTPUTS_MAX];
    char *names[CLI_OUTPUTS_MAX] = {NULL};
    memcpy(outputs, cli->outputs, sizeof outputs);
    for (size_t i = 0; i < cli->output_count && several; i++) {
        names[i] = seeded_path(outputs[i], cli->seed);
        cli->outputs[i] = names[i] ? names[i] : outputs[i];
    }
    int status = write_outputs(cli, job, latent);
    for (size_t i = 0; i < cli->output_count; i++)
        free(names[i]);
    memcpy(cli->outputs, outputs, sizeof outputs);
    return status;
}

// Latents of `count` seeds from cli->seed on, and their outputs.
static int generate_some(struct cli *cli, struct job *job, size_t count, bool several)
{
    struct tess_latent *latents[SEEDS_AT_ONCE] = {NULL};
    uint64_t seeds[SEEDS_AT_ONCE];
    struct tess_finish finish = cli_finish(cli, job->representations);
    for (size_t i = 0; i < count; i++)
        seeds[i] = cli->seed + i;
    enum tess_status status = tess_generate_variants(
        latents, cli->ctx, job->model, job->images, cli->input_count,
        &(struct tess_generate_params){.structure = cli_sampling(&cli->sampling[0]),
                                       .latent = cli_sampling(&cli->sampling[1]),
                                       .multi_diffusion = cli->multi_diffusion,
                                       .guide_apart = cli->guide_apart,
                                       .structure_coords = job->structure,
                                       .voxels = cli->voxels,
                                       .noise_path = cli->noise,
                                       .representations = job->representations,
                                       .finish = &finish,
                                       .keep_dir = cli->keep,
                                       .from_dir = cli->from},
        seeds, count);
    int exit_status = status ? cli_fail(cli, status) : EXIT_DONE;
    for (size_t i = 0; i < count && exit_status == EXIT_DONE; i++) {
        cli->seed = seeds[i];
        if (latents[i])
            exit_status = write_seed(cli, job, latents[i], several);
        else
            job->empty = true;
    }
    for (size_t i = 0; i < count; i++)
        tess_latent_destroy(&latents[i]);
    return exit_status;
}

static int generate_all(struct cli *cli, struct job *job)
{
    uint64_t first = cli->seed, last = cli->last_seed;
    int status = EXIT_DONE;
    for (uint64_t seed = first; seed <= last && !status; seed += SEEDS_AT_ONCE) {
        uint64_t left = last - seed + 1;
        cli->seed = seed;
        status = generate_some(cli, job, left < SEEDS_AT_ONCE ? left : SEEDS_AT_ONCE,
                               last > first);
        if (last - seed < SEEDS_AT_ONCE)
            break;
    }
    if (status == EXIT_DONE && !cli->quiet)
        cli_summarise(cli);
    return status == EXIT_DONE && job->empty ? EXIT_INPUT : status;
}

static enum tess_status open_images(struct cli *cli, struct job *job)
{
    for (size_t i = 0; i < cli->input_count; i++) {
        struct tess_image *picture = NULL;
        enum tess_status status = tess_image_open(&picture, cli->ctx, cli->inputs[i]);
        if (!status)
            status = tess_image_prepare(&job->images[i], cli->ctx, job->model, picture,
                                        cli->background, cli->background_colour);
        tess_image_destroy(&picture);
        if (!status && i == 0 && cli->save_input)
            status = tess_image_save(job->images[0], cli->ctx, cli->save_input);
        if (status)
            return status;
    }
    return TESS_OK;
}

int cli_generate(struct cli *cli)
{
    struct job job = {0};
    int exit_status = cli_choose(&job.representations, cli, true);
    if (exit_status >= 0)
        return exit_status;
    if (cli->noise && cli->last_seed > cli->seed)
        return cli_usage(cli,
                         "generate: --noise makes one variant, --seed names several");
    cli->tells_stages = true;
    exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    if (!cli->has_seed)
        cli->seed = cli->last_seed = 42; // as the original's
    cli->has_seed = true;
    enum tess_status status = tess_model_open(&job.model, cli->ctx, cli_model_path(cli));
    if (!status)
        cli_choose_shown(&job.representations, cli, job.model);
    if (!status && cli->encoder)
        status = tess_model_set_encoder(job.model, cli->ctx, cli->encoder);
    if (!status)
        status = open_images(cli, &job);
    if (!status && cli->structure)
        status = tess_structure_open(&job.structure, cli->ctx, job.model, cli->structure);
    exit_status = status ? cli_fail(cli, status) : generate_all(cli, &job);
    for (size_t i = 0; i < 8; i++)
        tess_image_destroy(&job.images[i]);
    tess_latent_destroy(&job.structure);
    tess_model_destroy(&job.model);
    return cli_close(cli, exit_status);
}
