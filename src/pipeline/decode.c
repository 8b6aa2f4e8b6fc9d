// Structured latents to assets, and what that would take.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/finite.h"
#include "geom/flexicubes.h"
#include "op/gaussian.h"
#include "pipeline/finish.h"
#include "rt/launch.h"

#define CUBES 64 // of the mesh decoder's grid, per voxel

// ---- splats ----

// What finite latents make is finite, unless the weights are not.
static enum tess_status check_finite(struct tess_context *ctx,
                                     const struct tess_slat_decoder *decoder,
                                     const float *values, size_t count)
{
    if (tess_all_finite(values, count))
        return TESS_OK;
    return tess_fail(&ctx->env, TESS_ERR_FILE,
                     "%s: the weights make NaN or infinity of a finite latent",
                     tess_slat_decoder_path(decoder));
}

struct splat_sink {
    struct tess_context *ctx;
    const struct tess_slat_decoder *decoder;
    struct tess_splats *splats;
    const uint32_t *source;
    size_t gaussians; // per voxel
};

static enum tess_status keep_splats(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    const struct splat_sink *sink = user;
    const float *g = data;
    TESS_TRY(check_finite(sink->ctx, sink->decoder, g,
                          rows * sink->gaussians * TESS_GAUSSIAN_FLOATS));
    for (size_t i = 0; i < rows * sink->gaussians; i++, g += TESS_GAUSSIAN_FLOATS) {
        size_t to = (size_t)sink->source[row0 + i / sink->gaussians] * sink->gaussians +
                    i % sink->gaussians;
        memcpy(sink->splats->positions + 3 * to, g, 3 * sizeof *g);
        memcpy(sink->splats->scales + 3 * to, g + 3, 3 * sizeof *g);
        memcpy(sink->splats->rotations + 4 * to, g + 6, 4 * sizeof *g);
        sink->splats->opacities[to] = g[10];
        memcpy(sink->splats->colours + 3 * to, g + 11, 3 * sizeof *g);
    }
    return TESS_OK;
}

enum tess_status tess_decode_splats(struct tess_splats *out, struct tess_context *ctx,
                                    const struct tess_slat_decoder *decoder,
                                    const struct tess_latent *latent)
{
    struct tess_splats splats = {0};
    struct tess_slat_job *job = NULL;
    struct splat_sink sink = {
        .ctx = ctx,
        .decoder = decoder,
        .splats = &splats,
        .gaussians = tess_slat_decoder_config(decoder)->gaussian.gaussians,
    };
    TESS_TRY(
        tess_slat_job_create(&job, ctx->device, decoder, latent, keep_splats, &sink));
    sink.source = tess_slat_job_source(job);
    enum tess_status status =
        tess_splats_create(&splats, &ctx->env, latent->voxels * sink.gaussians);
    if (!status)
        status = tess_context_run(ctx, tess_slat_stage_name(decoder),
                                  tess_slat_decode_stage, job);
    tess_slat_job_destroy(&job);
    if (status) {
        tess_splats_clear(&splats);
        return status;
    }
    *out = splats;
    return TESS_OK;
}

// ---- radiance fields ----

struct radiance_sink {
    struct tess_context *ctx;
    const struct tess_slat_decoder *decoder;
    const uint32_t *source;
    struct tess_radiance *field;
};

static enum tess_status keep_radiance(void *user, size_t row0, size_t rows,
                                      const void *data)
{
    const struct radiance_sink *sink = user;
    const struct tess_radiance *field = sink->field;
    size_t R = field->rank, vectors = R * 3 * field->dim, columns = vectors + 4 * R;
    const float *from = data;
    TESS_TRY(check_finite(sink->ctx, sink->decoder, from, rows * columns));
    for (size_t i = 0; i < rows; i++, from += columns) {
        size_t to = sink->source[row0 + i];
        for (size_t k = 0; k < vectors; k++)
            field->vectors[to * vectors + k] = from[k] + 1;
        memcpy(field->densities + to * R, from + vectors, R * sizeof *from);
        memcpy(field->colours + to * 3 * R, from + vectors + R, 3 * R * sizeof *from);
    }
    return TESS_OK;
}

enum tess_status tess_decode_radiance(struct tess_radiance *out, struct tess_context *ctx,
                                      const struct tess_slat_decoder *decoder,
                                      const struct tess_latent *latent)
{
    const struct tess_slat_decoder_config *config = tess_slat_decoder_config(decoder);
    struct tess_radiance field = {0};
    struct tess_slat_job *job = NULL;
    struct radiance_sink sink = {.ctx = ctx, .decoder = decoder, .field = &field};
    TESS_TRY(
        tess_slat_job_create(&job, ctx->device, decoder, latent, keep_radiance, &sink));
    sink.source = tess_slat_job_source(job);
    enum tess_status status =
        tess_radiance_create(&field, &ctx->env, latent->voxels, config->resolution,
                             config->radiance.rank, config->radiance.dim);
    if (!status) {
        memcpy(field.coords, latent->coords, latent->voxels * 3 * sizeof *field.coords);
        status = tess_context_run(ctx, tess_slat_stage_name(decoder),
                                  tess_slat_decode_stage, job);
    }
    tess_slat_job_destroy(&job);
    if (status) {
        tess_radiance_clear(&field);
        return status;
    }
    *out = field;
    return TESS_OK;
}

// ---- meshes ----

struct mesh_sink {
    struct tess_context *ctx;
    const struct tess_slat_decoder *decoder;
    struct tess_flexicubes *cubes;
    const uint32_t *source;
    float *feats; // or NULL
    size_t columns;
};

static enum tess_status keep_cubes(void *user, size_t row0, size_t rows, const void *data)
{
    const struct mesh_sink *sink = user;
    const float *from = data;
    for (size_t i = 0; i < rows && sink->feats; i += CUBES)
        memcpy(sink->feats + sink->source[(row0 + i) / CUBES] * CUBES * sink->columns,
               from + i * sink->columns, CUBES * sink->columns * sizeof *from);
    enum tess_status status = tess_flexicubes_add(sink->cubes, row0, rows, from);
    if (status == TESS_ERR_FILE) // it names a cube; the weights are what to look at
        TESS_TRY(check_finite(sink->ctx, sink->decoder, from, rows * sink->columns));
    return status;
}

static enum tess_status create_cubes(struct tess_flexicubes **out,
                                     struct tess_context *ctx,
                                     const struct tess_slat_job *job,
                                     const struct tess_slat_decoder *decoder,
                                     size_t voxels)
{
    const struct tess_slat_decoder_config *config = tess_slat_decoder_config(decoder);
    int32_t *coords = NULL;
    TESS_TRY(tess_slat_job_cubes(&coords, job));
    enum tess_status status = tess_flexicubes_create(
        out, &ctx->env,
        &(struct tess_flexicubes_params){.resolution = 4 * config->resolution,
                                         .use_colour = config->use_color},
        coords, CUBES * voxels);
    free(coords);
    return status;
}

static enum tess_status extract(struct tess_mesh *out, struct tess_context *ctx,
                                struct tess_flexicubes *cubes)
{
    double start = tess_seconds_now();
    struct tess_stage_report report = {.name = "mesh extraction"};
    TESS_TRY(tess_env_check(&ctx->env));
    TESS_TRY(tess_flexicubes_extract(out, cubes));
    report.seconds = tess_seconds_now() - start;
    enum tess_status status = tess_context_keep(ctx, &report);
    if (status)
        tess_mesh_clear(out);
    return status;
}

enum tess_status tess_decode_mesh(struct tess_mesh *out, float **feats,
                                  struct tess_context *ctx,
                                  const struct tess_slat_decoder *decoder,
                                  const struct tess_latent *latent)
{
    struct tess_slat_job *job = NULL;
    struct mesh_sink sink = {.ctx = ctx,
                             .decoder = decoder,
                             .columns = tess_slat_decoder_config(decoder)->use_color
                                            ? TESS_FLEXICUBES_COLOUR_COLUMNS
                                            : TESS_FLEXICUBES_COLUMNS};
    TESS_TRY(tess_slat_job_create(&job, ctx->device, decoder, latent, keep_cubes, &sink));
    sink.source = tess_slat_job_source(job);
    enum tess_status status =
        create_cubes(&sink.cubes, ctx, job, decoder, latent->voxels);
    if (!status && feats)
        status = tess_alloc(&sink.feats, &ctx->env, latent->voxels,
                            CUBES * sink.columns * sizeof(float), "mesh features");
    if (!status)
        status = tess_context_run(ctx, tess_slat_stage_name(decoder),
                                  tess_slat_decode_stage, job);
    tess_slat_job_destroy(&job);
    if (!status)
        status = extract(out, ctx, sink.cubes);
    tess_flexicubes_destroy(&sink.cubes);
    if (status || !feats)
        free(sink.feats);
    else
        *feats = sink.feats;
    return status;
}

// ---- plans ----

static const struct {
    enum tess_representation representation;
    enum tess_decoder decoder;
} order[] = {{TESS_SPLATS, TESS_DECODER_GAUSSIAN},
             {TESS_RADIANCE, TESS_DECODER_RADIANCE},
             {TESS_MESH, TESS_DECODER_MESH}};

static enum tess_status ignore_rows(void *user, size_t row0, size_t rows,
                                    const void *data)
{
    (void)user, (void)row0, (void)rows, (void)data;
    return TESS_OK;
}

static enum tess_status plan_decoder(struct tess_stage_report *report,
                                     struct tess_context *ctx, struct tess_model *model,
                                     const struct tess_latent *latent,
                                     enum tess_decoder which, bool want_floor)
{
    const struct tess_slat_decoder *decoder;
    TESS_TRY(tess_model_decoder(&decoder, model, ctx, which));
    struct tess_slat_job *job = NULL;
    TESS_TRY(tess_slat_job_create(&job, ctx->device, decoder, latent, ignore_rows, NULL));
    enum tess_status status =
        tess_stage_plan(report, ctx->device, &ctx->budget, tess_slat_stage_name(decoder),
                        tess_slat_decode_stage, job, want_floor);
    tess_slat_job_destroy(&job);
    return status;
}

enum tess_status tess_decode_open(struct tess_context *ctx, struct tess_model *model,
                                  unsigned representations)
{
    const struct tess_slat_decoder *decoder;
    for (size_t i = 0; i < TESS_DECODER_COUNT; i++)
        if (representations & order[i].representation)
            TESS_TRY(tess_model_decoder(&decoder, model, ctx, order[i].decoder));
    return TESS_OK;
}

enum tess_status tess_decode_plan(struct tess_stage_report *reports, size_t *count,
                                  struct tess_floors *floors, struct tess_model *model,
                                  const struct tess_latent *latent,
                                  unsigned representations,
                                  const struct tess_finish *finish, bool want_floor)
{
    *count = 0;
    for (size_t i = 0; i < TESS_DECODER_COUNT; i++) {
        if (!(representations & order[i].representation))
            continue;
        struct tess_stage_report *report = &reports[(*count)++];
        enum tess_status status = plan_decoder(report, floors->ctx, model, latent,
                                               order[i].decoder, want_floor);
        TESS_TRY(tess_floors_note(floors, status, report));
    }
    return tess_finish_plan(reports, count, floors, model, latent->voxels,
                            representations, finish);
}

unsigned tess_decode_choose(const struct tess_model *model,
                            const struct tess_decode_params *params)
{
    unsigned wanted = params ? params->representations : 0;
    if (wanted)
        return wanted & (TESS_MESH | TESS_SPLATS | TESS_RADIANCE);
    return (tess_model_has(model, TESS_DECODER_MESH) ? (unsigned)TESS_MESH : 0) |
           (tess_model_has(model, TESS_DECODER_GAUSSIAN) ? (unsigned)TESS_SPLATS : 0);
}

// ---- the whole ----

static enum tess_status decode_into(struct tess_asset *asset, struct tess_context *ctx,
                                    struct tess_model *model,
                                    const struct tess_latent *latent,
                                    unsigned representations)
{
    const struct tess_slat_decoder *decoder;
    TESS_TRY(tess_strdup(&asset->model, &ctx->env, model->config.name));
    if (representations & TESS_SPLATS) {
        TESS_TRY(tess_model_decoder(&decoder, model, ctx, TESS_DECODER_GAUSSIAN));
        TESS_TRY(tess_decode_splats(&asset->splats, ctx, decoder, latent));
        asset->has_splats = true;
    }
    if (representations & TESS_RADIANCE) {
        TESS_TRY(tess_model_decoder(&decoder, model, ctx, TESS_DECODER_RADIANCE));
        TESS_TRY(tess_decode_radiance(&asset->radiance, ctx, decoder, latent));
        asset->has_radiance = true;
    }
    if (representations & TESS_MESH) {
        TESS_TRY(tess_model_decoder(&decoder, model, ctx, TESS_DECODER_MESH));
        TESS_TRY(tess_decode_mesh(&asset->mesh, NULL, ctx, decoder, latent));
        asset->has_mesh = true;
        TESS_TRY(tess_mesh_normals(&asset->mesh, &ctx->env));
    }
    return TESS_OK;
}

enum tess_status tess_decode(struct tess_asset **out, struct tess_context *ctx,
                             struct tess_model *model, const struct tess_latent *latent,
                             const struct tess_decode_params *params)
{
    tess_context_begin(ctx);
    unsigned representations = tess_decode_choose(model, params);
    if (!representations)
        return tess_fail(&ctx->env, TESS_ERR_FILE,
                         "%s/pipeline.json: field args.models names no decoder, expected "
                         "slat_decoder_gs or slat_decoder_mesh",
                         model->directory);
    // All stages are planned before the first runs: what does not fit fails at once.
    struct tess_stage_report reports[TESS_DECODE_STAGES];
    size_t count;
    struct tess_floors floors = {.ctx = ctx};
    tess_device_build_ahead(ctx->device);
    TESS_TRY(tess_decode_plan(reports, &count, &floors, model, latent, representations,
                              params ? params->finish : NULL, false));
    TESS_TRY(tess_floors_verdict(&floors));
    struct tess_asset *asset = NULL;
    TESS_TRY(tess_alloc(&asset, &ctx->env, 1, sizeof *asset, "an asset"));
    asset->has_seed = params && params->has_seed;
    asset->seed = params ? params->seed : 0;
    enum tess_status status = decode_into(asset, ctx, model, latent, representations);
    if (status) {
        tess_asset_destroy(&asset);
        return status;
    }
    *out = asset;
    return TESS_OK;
}
