// tessella plan: what a run would do.
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

#define DEFAULT_VOXELS 10240
// As published; the model in use says what it takes.
#define DEFAULT_RESOLUTION 64
#define DEFAULT_CHANNELS   8

static void print_seconds(const struct tess_stage_report *stages, size_t count)
{
    double seconds = 0;
    const char *after = "";
    for (size_t i = 0; i < count; i++) {
        if (stages[i].memory_only) {
            after = ", and what comes after decoding";
            continue;
        }
        if (!(stages[i].seconds > 0)) {
            printf("time     not known: not all of this has run on this device yet\n");
            return;
        }
        seconds += stages[i].seconds;
    }
    printf("time     about %.3g s, as fast as the device was before%s\n", seconds, after);
}

static void print_stage(const struct tess_stage_report *stage)
{
    char peak[32], floor[32], up[32], down[32], flop[32], spilled[32];
    printf("%s\n", stage->name);
    printf("  memory   %s; the smallest budget that works is %s (--memory %" PRIu64
           "K)\n",
           cli_bytes(peak, sizeof peak, stage->peak_bytes),
           cli_bytes(floor, sizeof floor, stage->floor_bytes), stage->floor_bytes >> 10);
    if (stage->memory_only)
        return;
    printf("  work     %s in %" PRIu64 " launches\n",
           cli_flop(flop, sizeof flop, stage->counters.flop), stage->counters.launches);
    printf("  bus      %s to the device, %s from it\n",
           cli_bytes(up, sizeof up, stage->counters.uploaded),
           cli_bytes(down, sizeof down, stage->counters.downloaded));
    if (stage->seconds > 0)
        printf("  time     about %.3g s\n", stage->seconds);
    printf("  weights  %s\n", stage->resident ? "stay on the device"
                              : stage->prefetch
                                  ? "streamed, the next block while one is used"
                                  : "streamed, a block at a time");
    if (stage->spilled_tensors)
        printf("  host     %u tensors, %s\n", stage->spilled_tensors,
               cli_bytes(spilled, sizeof spilled, stage->spilled_bytes));
    for (uint32_t i = 0; i < stage->span_count; i++)
        printf("  tiles    %-24s %8" PRIu64 " of %" PRIu64 " rows%s\n",
               stage->spans[i].name,
               stage->spans[i].tile < stage->spans[i].rows ? stage->spans[i].tile
                                                           : stage->spans[i].rows,
               stage->spans[i].rows, stage->spans[i].runs > 1 ? ", several times" : "");
}

static int print_plan(struct cli *cli, const struct tess_stage_report *stages,
                      size_t count)
{
    if (cli->json) {
        char *json = NULL;
        enum tess_status status = tess_report_json(&json, cli->ctx, stages, count);
        if (status)
            return cli_fail(cli, status);
        printf("%s\n", json);
        tess_free(json);
        return EXIT_DONE;
    }
    struct tess_device_info info;
    char budget[32];
    tess_context_device(cli->ctx, &info);
    printf("device %s, budget %s\n", info.name,
           cli_bytes(budget, sizeof budget, info.budget));
    for (size_t i = 0; i < count; i++)
        print_stage(&stages[i]);
    print_seconds(stages, count);
    return EXIT_DONE;
}

static enum tess_status open_shell(struct tess_latent **out, struct cli *cli,
                                   struct tess_model *model)
{
    const struct tess_model_part *parts;
    size_t count;
    enum tess_status status = tess_model_parts(model, cli->ctx, &parts, &count);
    if (status)
        return status;
    uint32_t resolution = DEFAULT_RESOLUTION, channels = DEFAULT_CHANNELS;
    for (size_t i = 0; i < count; i++)
        if (parts[i].resolution) {
            resolution = parts[i].resolution;
            channels = parts[i].channels;
        }
    if (cli->resolution)
        resolution = cli->resolution;
    return tess_latent_create_shell(
        out, cli->ctx, cli->voxels ? cli->voxels : DEFAULT_VOXELS, resolution, channels);
}

// Whether all networks from a picture to a latent are there; else says which is not.
static bool can_generate(struct cli *cli, struct tess_model *model)
{
    static const char *const roles[] = {"image_cond_model", "sparse_structure_flow_model",
                                        "sparse_structure_decoder", "slat_flow_model"};
    const struct tess_model_part *parts;
    size_t count, found = 0;
    if (tess_model_parts(model, cli->ctx, &parts, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 4; k++) {
            if (strcmp(parts[i].role, roles[k]) != 0)
                continue;
            found++;
            if (parts[i].state == TESS_PART_READY)
                continue;
            fprintf(stderr, "tessella: %s: %s; planning what decode does\n",
                    parts[i].role, parts[i].problem);
            return false;
        }
    return found == 4;
}

// What follows decoding: without outputs, what follows for a mesh and splats in files.
static struct tess_finish wanted_finish(const struct cli *cli, unsigned representations)
{
    if (cli->output_count)
        return cli_finish(cli, representations);
    return (struct tess_finish){.clean = cli->raw ? NULL : &cli->cleaning,
                                .bake = cli->texture ? &cli->baking : NULL};
}

static enum tess_status plan(struct tess_stage_report **stages, size_t *count,
                             struct cli *cli, struct tess_model *model,
                             const struct tess_latent *latent, unsigned representations)
{
    bool whole = !cli->input_count || cli->pictures;
    struct tess_finish finish = wanted_finish(cli, representations);
    if (!whole || !can_generate(cli, model))
        return tess_plan(stages, count, cli->ctx, model, latent,
                         &(struct tess_decode_params){.representations = representations,
                                                      .finish = &finish});
    return tess_plan_generate(
        stages, count, cli->ctx, model, latent, cli->pictures ? cli->pictures : 1,
        &(struct tess_generate_params){.structure = cli_sampling(&cli->sampling[0]),
                                       .latent = cli_sampling(&cli->sampling[1]),
                                       .multi_diffusion = cli->multi_diffusion,
                                       .guide_apart = cli->guide_apart,
                                       .representations = representations,
                                       .finish = &finish});
}

int cli_plan(struct cli *cli)
{
    if (cli->input_count && cli->voxels)
        return cli_usage(cli, "plan: expected a latent or --voxels, not both");
    unsigned representations = 0;
    int exit_status = cli->output_count ? cli_choose(&representations, cli, true)
                                        : cli_check_cleaning(cli);
    if (exit_status >= 0)
        return exit_status;
    exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    struct tess_model *model = NULL;
    struct tess_latent *latent = NULL;
    struct tess_stage_report *stages = NULL;
    size_t count = 0;
    enum tess_status status = tess_model_open(&model, cli->ctx, cli_model_path(cli));
    if (!status && cli->encoder)
        status = tess_model_set_encoder(model, cli->ctx, cli->encoder);
    if (!status)
        status = cli->input_count ? tess_latent_open(&latent, cli->ctx, cli->inputs[0])
                                  : open_shell(&latent, cli, model);
    if (!status)
        cli_choose_shown(&representations, cli, model);
    if (!status)
        status = plan(&stages, &count, cli, model, latent, representations);
    exit_status = status ? cli_fail(cli, status) : print_plan(cli, stages, count);
    tess_free(stages);
    tess_latent_destroy(&latent);
    tess_model_destroy(&model);
    return cli_close(cli, exit_status);
}
