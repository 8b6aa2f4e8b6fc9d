// tessella model: what a model directory holds.
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

static const char source[] = "https://huggingface.co/microsoft/TRELLIS-image-large";

// Where the published weights of a part are, their size in bytes and their licence.
static void print_source(const struct tess_model_part *part)
{
    static const struct {
        const char *role, *file;
        uint64_t bytes;
    } published[] = {
        {"sparse_structure_flow_model", "ss_flow_img_dit_L_16l8_fp16", 1130770840},
        {"sparse_structure_decoder", "ss_dec_conv3d_16l8_fp16", 147591972},
        {"slat_flow_model", "slat_flow_img_dit_L_64l8p2_fp16", 1203755136},
        {"slat_decoder_gs", "slat_dec_gs_swin8_B_64l8gs32_fp16", 171450952},
        {"slat_decoder_mesh", "slat_dec_mesh_swin8_B_64l8m256c_fp16", 181903412},
    };
    char size[32];
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        if (strcmp(published[i].role, part->role) == 0)
            printf("    published as ckpts/%s.{json,safetensors} (%s, MIT) at %s\n",
                   published[i].file, cli_bytes(size, sizeof size, published[i].bytes),
                   source);
}

static void print_part(const struct tess_model_part *part)
{
    static const char *const states[] = {
        [TESS_PART_READY] = "ready",
        [TESS_PART_MISSING] = "missing",
        [TESS_PART_BAD] = "bad",
        [TESS_PART_UNUSED] = "not used by this version",
    };
    char size[32];
    printf("%s: %s\n", part->role, states[part->state]);
    printf("    %s%s%s", part->path, *part->network ? ", " : "", part->network);
    if (part->bytes)
        printf(", %s", cli_bytes(size, sizeof size, part->bytes));
    if (part->parameters)
        printf(", %" PRIu64 " parameters", part->parameters);
    printf("\n");
    if (*part->summary)
        printf("    %s\n", part->summary);
    if (*part->problem)
        printf("    %s\n", part->problem);
    if (part->state == TESS_PART_MISSING || part->state == TESS_PART_BAD)
        print_source(part);
}

static int print_parts(struct cli *cli, struct tess_model *model)
{
    const struct tess_model_part *parts;
    size_t count;
    enum tess_status status = tess_model_parts(model, cli->ctx, &parts, &count);
    if (status)
        return cli_fail(cli, status);
    int exit_status = EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        print_part(&parts[i]);
        if (parts[i].state == TESS_PART_MISSING || parts[i].state == TESS_PART_BAD)
            exit_status = EXIT_INPUT;
    }
    return exit_status;
}

int cli_model(struct cli *cli)
{
    cli->described = true; // no device is needed to look at files
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    const char *path = cli->input_count ? cli->inputs[0] : cli_model_path(cli);
    struct tess_model *model = NULL;
    enum tess_status status = tess_model_open(&model, cli->ctx, path);
    if (!status && cli->encoder)
        status = tess_model_set_encoder(model, cli->ctx, cli->encoder);
    exit_status = status ? cli_fail(cli, status) : print_parts(cli, model);
    tess_model_destroy(&model);
    return cli_close(cli, exit_status);
}
