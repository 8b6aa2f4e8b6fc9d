// tessella info: what the file of an asset or of a latent holds.
#include <math.h>

#include "cli/cli.h"

static void print_mesh(const struct tess_mesh_info *info)
{
    bool closed = info->boundary_edges == 0 && info->non_manifold_edges == 0;
    printf("vertices      %zu\n", info->vertices);
    printf("faces         %zu\n", info->faces);
    printf("components    %zu\n", info->components);
    printf("boundary      %zu edges\n", info->boundary_edges);
    printf("non-manifold  %zu edges\n", info->non_manifold_edges);
    printf("inconsistent  %zu edges\n", info->inconsistent_edges);
    printf("area          %.6g\n", info->area);
    printf("volume        %.6g%s\n", info->volume, closed ? "" : " (not closed)");
}

static void print_mesh_json(const struct tess_mesh_info *info)
{
    printf("  \"vertices\": %zu,\n  \"faces\": %zu,\n  \"components\": %zu,\n",
           info->vertices, info->faces, info->components);
    printf("  \"boundary_edges\": %zu,\n  \"non_manifold_edges\": %zu,\n"
           "  \"inconsistent_edges\": %zu,\n",
           info->boundary_edges, info->non_manifold_edges, info->inconsistent_edges);
    printf("  \"area\": %.9g,\n  \"volume\": %.9g,\n", info->area, info->volume);
}

static void print_bounds(const double lower[3], const double upper[3], bool json)
{
    double b[6];
    for (int i = 0; i < 6; i++)
        b[i] = (i < 3 ? lower[i] : upper[i - 3]) + 0.0; // no "-0"
    printf(json ? "  \"bounds\": [[%.9g, %.9g, %.9g], [%.9g, %.9g, %.9g]]\n"
                : "bounds        %.6g %.6g %.6g to %.6g %.6g %.6g\n",
           b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void print_splats(const struct tess_splats_view *splats, bool json)
{
    double lower[3] = {INFINITY, INFINITY, INFINITY};
    double upper[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < 3 * splats->count; i++) {
        lower[i % 3] = fmin(lower[i % 3], splats->positions[i]);
        upper[i % 3] = fmax(upper[i % 3], splats->positions[i]);
    }
    printf(json ? "  \"splats\": %zu,\n" : "splats        %zu\n", splats->count);
    print_bounds(lower, upper, json);
}

static void print_radiance(const struct tess_radiance_view *field, bool json)
{
    const char *format = "voxels        %zu\nresolution    %u\nrank          %u of "
                         "vectors of %u\n";
    if (json)
        format = "  \"voxels\": %zu,\n  \"resolution\": %u,\n  \"rank\": %u,\n  "
                 "\"dim\": %u,\n";
    printf(format, field->voxels, (unsigned)field->resolution, (unsigned)field->rank,
           (unsigned)field->dim);
    double lower[3], upper[3];
    for (int i = 0; i < 3; i++) {
        int32_t low = INT32_MAX, high = 0;
        for (size_t k = 0; k < field->voxels; k++) {
            int32_t c = field->coords[3 * k + i];
            low = c < low ? c : low;
            high = c > high ? c : high;
        }
        lower[i] = (double)low / field->resolution - 0.5;
        upper[i] = (double)(high + 1) / field->resolution - 0.5;
    }
    print_bounds(lower, upper, json);
}

static enum tess_status print_asset(struct cli *cli, const struct tess_asset *asset)
{
    struct tess_mesh_info info;
    struct tess_splats_view splats;
    struct tess_radiance_view field;
    bool has_splats = tess_asset_splats(asset, &splats);
    bool has_radiance = tess_asset_radiance(asset, &field);
    if (!has_splats && !has_radiance) {
        enum tess_status status = tess_asset_mesh_info(&info, asset, cli->ctx, cli->weld);
        if (status)
            return status;
    }
    printf("%s", cli->json ? "{\n" : "");
    if (has_splats) {
        print_splats(&splats, cli->json);
    } else if (has_radiance) {
        print_radiance(&field, cli->json);
    } else {
        (cli->json ? print_mesh_json : print_mesh)(&info);
        print_bounds(info.lower, info.upper, cli->json);
    }
    printf("%s", cli->json ? "}\n" : "");
    return TESS_OK;
}

static void print_latent(const struct tess_latent *latent, bool json)
{
    struct tess_latent_view view;
    tess_latent_view(latent, &view);
    int32_t lower[3] = {INT32_MAX, INT32_MAX, INT32_MAX}, upper[3] = {0};
    float least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < 3 * view.voxels; i++) {
        int32_t c = view.coords[i];
        lower[i % 3] = c < lower[i % 3] ? c : lower[i % 3];
        upper[i % 3] = c > upper[i % 3] ? c : upper[i % 3];
    }
    for (size_t i = 0; i < view.voxels * view.channels; i++) {
        least = fminf(least, view.feats[i]);
        most = fmaxf(most, view.feats[i]);
    }
    const char *format =
        "voxels        %zu\nchannels      %zu\n"
        "coordinates   %d %d %d to %d %d %d\nfeatures      %.6g to %.6g\n";
    if (json)
        format = "{\n  \"voxels\": %zu,\n  \"channels\": %zu,\n"
                 "  \"coordinates\": [[%d, %d, %d], [%d, %d, %d]],\n"
                 "  \"features\": [%.9g, %.9g]\n}\n";
    printf(format, view.voxels, view.channels, (int)lower[0], (int)lower[1],
           (int)lower[2], (int)upper[0], (int)upper[1], (int)upper[2], least, most);
}

static enum tess_status tell_latent(struct cli *cli, const char *path)
{
    struct tess_latent *latent = NULL;
    enum tess_status status = tess_latent_open(&latent, cli->ctx, path);
    if (!status)
        print_latent(latent, cli->json);
    tess_latent_destroy(&latent);
    return status;
}

static enum tess_status tell_asset(struct cli *cli, const char *path)
{
    struct tess_asset *asset = NULL;
    enum tess_status status = tess_asset_open(&asset, cli->ctx, path);
    if (!status)
        status = print_asset(cli, asset);
    tess_asset_destroy(&asset);
    return status;
}

int cli_info(struct cli *cli)
{
    cli->described = true; // no device is needed to look at files
    int exit_status = cli_open(cli);
    if (exit_status)
        return exit_status;
    const char *path = cli->inputs[0];
    enum tess_status status = (cli_is_latent(path) ? tell_latent : tell_asset)(cli, path);
    exit_status = status ? cli_fail(cli, status) : EXIT_DONE;
    return cli_close(cli, exit_status);
}
