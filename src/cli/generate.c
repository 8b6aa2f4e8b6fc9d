// tessella generate: pictures of one object to 3D.
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

struct job {
    struct tess_model *model;
    struct tess_image *images[8];
    struct tess_latent *structure;
    unsigned representations;
};

// OUT.glb with seed 7 of several: OUT-7.glb
static char *seeded_path(const char *path, uint64_t seed)
{
    const char *dot = strrchr(path, '.');
    size_t length = strlen(path) + 32;
    char *text = malloc(length);
    if (text)
        snprintf(text, length, "%.*s-%llu%s", (int)(dot - path), path,
                 (unsigned long long)seed, dot);
    return text;
}

static struct tess_sampling sampling(const struct cli_sampling *asked)
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

// Everything for one seed, into cli->outputs.
static int generate_one(struct cli *cli, struct job *job)
{
    struct tess_latent *latent = NULL;
    enum tess_status status = tess_generate(
        &latent, cli->ctx, job->model, job->images, cli->input_count,
        &(struct tess_generate_params){.seed = cli->seed,
                                       .structure = sampling(&cli->sampling[0]),
                                       .latent = sampling(&cli->sampling[1]),
                                       .multi_diffusion = cli->multi_diffusion,
                                       .guide_apart = cli->guide_apart,
                                       .structure_coords = job->structure,
                                       .keep_dir = cli->keep,
                                       .from_dir = cli->from});
    if (status)
        return cli_fail(cli, status);
    // The latent first: decoding may fail for want of memory, and what was long in the
    // making is kept.
    int exit_status = save_latents(cli, latent);
    if (exit_status == EXIT_DONE && job->representations)
        exit_status = cli_decode_latent(cli, job->model, latent, job->representations);
    if (exit_status == EXIT_DONE && !cli->quiet) {
        cli_summarise(cli, tess_latent_voxels(latent));
        printf("seed     %llu\n", (unsigned long long)cli->seed);
        for (size_t i = 0; i < cli->output_count; i++)
            printf("wrote    %s\n", cli->outputs[i]);
    }
    tess_latent_destroy(&latent);
    return exit_status;
}

static int generate_all(struct cli *cli, struct job *job)
{
    const char *outputs[CLI_OUTPUTS_MAX];
    uint64_t first = cli->seed, last = cli->last_seed;
    int status = EXIT_DONE;
    memcpy(outputs, cli->outputs, sizeof outputs);
    for (uint64_t seed = first; seed <= last && !status; seed++) {
        char *names[CLI_OUTPUTS_MAX] = {NULL};
        cli->seed = seed;
        for (size_t i = 0; i < cli->output_count && last > first; i++) {
            names[i] = seeded_path(outputs[i], seed);
            cli->outputs[i] = names[i] ? names[i] : outputs[i];
        }
        status = generate_one(cli, job);
        for (size_t i = 0; i < cli->output_count; i++)
            free(names[i]);
    }
    memcpy(cli->outputs, outputs, sizeof outputs);
    return status;
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
    exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    if (!cli->has_seed)
        cli->seed = cli->last_seed = 42; // as the original's
    cli->has_seed = true;
    enum tess_status status = tess_model_open(&job.model, cli->ctx, cli_model_path(cli));
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
