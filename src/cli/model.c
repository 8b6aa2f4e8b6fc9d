// tessella model: what a model directory holds.
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

// Which file to put where, and where it is published.
static void print_sources(const struct tess_model_part *part, const char *directory)
{
    char size[32];
    for (size_t i = 0; i < part->source_count; i++) {
        const struct tess_part_source *source = &part->sources[i];
        printf("    %s%s (%s, %s)\n        from %s\n", i ? "or put " : "put ",
               source->file, cli_bytes(size, sizeof size, source->bytes), source->licence,
               source->url);
        if (source->put)
            printf("        as %s/%s\n", directory, source->put);
        else
            printf("        as %s.{json,safetensors}\n", part->path);
    }
}

static void print_part(const struct tess_model_part *part, const char *directory)
{
    static const char *const states[] = {
        [TESS_PART_READY] = "ready",
        [TESS_PART_MISSING] = "missing",
        [TESS_PART_BAD] = "bad",
        [TESS_PART_UNUSED] = "not used by this version",
    };
    char size[32];
    printf("%s: %s\n", part->role, states[part->state]);
    if (*part->path)
        printf("    %s (%s)\n", part->path, part->place);
    if (*part->network)
        printf("    %s", part->network);
    if (*part->network && part->bytes)
        printf(", %s", cli_bytes(size, sizeof size, part->bytes));
    if (*part->network && part->parameters)
        printf(", %" PRIu64 " parameters", part->parameters);
    if (*part->network)
        printf("\n");
    if (*part->summary)
        printf("    %s\n", part->summary);
    if (*part->problem)
        printf("    %s\n", part->problem);
    if (part->state == TESS_PART_MISSING || part->state == TESS_PART_BAD)
        print_sources(part, directory);
}

static int print_json(struct cli *cli, struct tess_model *model)
{
    char *json = NULL;
    enum tess_status status = tess_model_json(&json, cli->ctx, model);
    if (status)
        return cli_fail(cli, status);
    printf("%s\n", json);
    tess_free(json);
    return EXIT_DONE;
}

static int print_parts(struct cli *cli, struct tess_model *model)
{
    const struct tess_model_part *parts;
    size_t count;
    enum tess_status status = tess_model_parts(model, cli->ctx, &parts, &count);
    if (status)
        return cli_fail(cli, status);
    int exit_status = cli->json ? print_json(cli, model) : EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        if (!cli->json)
            print_part(&parts[i], tess_model_directory(model));
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
