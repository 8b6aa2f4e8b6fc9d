// Decoders of any configuration against a plain reference; the demo's against what the
// original networks make of it; and golden data through tess_verify().
#include "ops_common.h"

#include <sys/stat.h>

#include "decoder_reference.h"
#include "geom/flexicubes.h"
#include "io_tmp.h"
#include "op/gaussian.h"
#include "random_checkpoint.h"

// One network pass in fp32 against double: as the golden data's bound.
#define BOUND 1e-5

static const char *data_path(char *path, const char *name)
{
    const char *root = getenv("TESS_TEST_DATA");
    snprintf(path, 512, "%s/%s", root ? root : "tests/data", name);
    return path;
}

static const char *demo_path(char *path, const char *name)
{
    const char *root = getenv("TESS_SOURCE");
    snprintf(path, 512, "%s/demo/%s", root ? root : ".", name);
    return path;
}

// ---- checkpoints ----

struct shape {
    size_t C, heads, hidden, blocks, latent, gaussians;
    double ratio;
    int window; // 0: full attention
    bool half;
};

static void add_torso(struct checkpoint *c, const struct shape *s)
{
    add_linear(c, "input_layer", false, s->C, s->latent);
    for (unsigned i = 0; i < s->blocks; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%u.attn.to_qkv", i);
        add_linear(c, name, s->half, 3 * s->C, s->C);
        snprintf(name, sizeof name, "blocks.%u.attn.to_out", i);
        add_linear(c, name, s->half, s->C, s->C);
        snprintf(name, sizeof name, "blocks.%u.mlp.mlp.0", i);
        add_linear(c, name, s->half, s->hidden, s->C);
        snprintf(name, sizeof name, "blocks.%u.mlp.mlp.2", i);
        add_linear(c, name, s->half, s->C, s->hidden);
    }
}

static void add_mesh_head(struct checkpoint *c, const struct shape *s, size_t columns)
{
    size_t K = s->C;
    for (unsigned i = 0; i < 2; i++) {
        char name[64];
        size_t N = s->C / (i ? 8 : 4);
        snprintf(name, sizeof name, "upsample.%u.act_layers.0", i);
        add_norm(c, name, K);
        snprintf(name, sizeof name, "upsample.%u.out_layers.0.conv", i);
        add_layer(c, name, s->half, N, 5, (const size_t[]){N, 3, 3, 3, K});
        snprintf(name, sizeof name, "upsample.%u.out_layers.1", i);
        add_norm(c, name, N);
        snprintf(name, sizeof name, "upsample.%u.out_layers.3.conv", i);
        add_layer(c, name, s->half, N, 5, (const size_t[]){N, 3, 3, 3, N});
        snprintf(name, sizeof name, "upsample.%u.skip_connection.conv", i);
        add_layer(c, name, s->half, N, 5, (const size_t[]){N, 1, 1, 1, K});
        K = N;
    }
    add_linear(c, "out_layer", false, columns, K);
}

static void write_checkpoint(struct tmp *tmp, struct tess_context *ctx,
                             struct checkpoint *c, const struct shape *s,
                             const char *network, const char *representation, char *path)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"name\": \"%s\", \"args\": {\"resolution\": 13, \"model_channels\": %zu, "
             "\"latent_channels\": %zu, \"num_blocks\": %zu, \"num_heads\": %zu, "
             "\"mlp_ratio\": %g, \"attn_mode\": \"%s\", \"window_size\": %d, "
             "\"representation_config\": {%s}}}",
             network, s->C, s->latent, s->blocks, s->heads, s->ratio,
             s->window ? "swin" : "full", s->window ? s->window : 1, representation);
    tmp_write_text(tmp, "net.json", text);
    snprintf(path, 512, "%s/net", tmp->folder);
    write_tensors(ctx, c, path);
}

static struct tess_latent *make_latent(struct tess_context *ctx, size_t voxels,
                                       size_t channels)
{
    struct tess_latent *latent = NULL;
    expect_ok(ctx, tess_latent_shell(&latent, &ctx->env, voxels, 13, (uint32_t)channels));
    uint64_t seed = 77;
    for (size_t i = 0; i < voxels * channels; i++)
        latent->feats[i] = (float)ops_random(&seed) / (float)(1u << 29) - 2;
    return latent;
}

// ---- Gaussian decoders ----

// The raw rows are compared through what the activations leave of them: colour is raw.
static void check_gaussians(struct tmp *tmp, const struct shape *s, size_t memory)
{
    struct tess_context *ctx = open_context(memory);
    struct checkpoint *c = calloc(1, sizeof *c);
    char path[512], config[512];
    add_torso(c, s);
    add_linear(c, "out_layer", false, 14 * s->gaussians, s->C);
    add_tensor(c, "offset_perturbation", false, 1, 0, 2,
               (const size_t[]){s->gaussians, 3});
    snprintf(
        config, sizeof config,
        "\"lr\": {\"_xyz\": 1.0, \"_features_dc\": 1.0, \"_opacity\": 1.0, \"_scaling\": "
        "1.0, \"_rotation\": 0.1}, \"perturb_offset\": true, \"voxel_size\": 1.5, "
        "\"num_gaussians\": %zu, \"2d_filter_kernel_size\": 0.1, "
        "\"3d_filter_kernel_size\": 9e-4, \"scaling_bias\": 4e-3, \"opacity_bias\": 0.1, "
        "\"scaling_activation\": \"softplus\"",
        s->gaussians);
    write_checkpoint(tmp, ctx, c, s, "SLatGaussianDecoder", config, path);
    free(c);
    struct tess_slat_decoder *decoder = NULL;
    expect_ok(ctx, tess_slat_decoder_open(&decoder, &ctx->env, path));
    struct tess_latent *latent = make_latent(ctx, 90, s->latent);
    struct tess_splats splats;
    expect_ok(ctx, tess_decode_splats(&splats, ctx, decoder, latent));
    struct tess_safetensors *file = open_tensors(ctx, path);
    double *h = ref_torso(file, tess_slat_decoder_config(decoder), latent);
    double *normed = ref_layernorm(h, latent->voxels, s->C, 1e-5);
    double *raw =
        ref_linear(file, "out_layer", normed, latent->voxels, 14 * s->gaussians, s->C);
    double *colours = malloc(splats.count * 3 * sizeof *colours);
    double *opacities = malloc(splats.count * sizeof *opacities);
    for (size_t i = 0; i < splats.count; i++) {
        const double *row = raw + i / s->gaussians * 14 * s->gaussians;
        size_t g = i % s->gaussians;
        for (size_t k = 0; k < 3; k++)
            colours[3 * i + k] = row[3 * s->gaussians + 3 * g + k];
        opacities[i] = 1 / (1 + exp(-(row[13 * s->gaussians + g] + log(0.1 / 0.9))));
    }
    ops_expect(splats.colours, colours, 3 * splats.count, BOUND);
    ops_expect(splats.opacities, opacities, splats.count, BOUND);
    free(h);
    free(normed);
    free(raw);
    free(colours);
    free(opacities);
    tess_splats_clear(&splats);
    tess_safetensors_close(&file);
    tess_slat_decoder_close(&decoder);
    tess_latent_free(&latent);
    tess_context_destroy(&ctx);
}

static void gaussian_decoders_of_any_size(void **state)
{
    static const struct shape shapes[] = {
        {.C = 40,
         .heads = 2,
         .ratio = 2.5,
         .hidden = 100,
         .blocks = 3,
         .latent = 5,
         .gaussians = 3,
         .window = 3,
         .half = true},
        {.C = 36,
         .heads = 3,
         .ratio = 4,
         .hidden = 144,
         .blocks = 2,
         .latent = 9,
         .gaussians = 32,
         .window = 5,
         .half = false},
        {.C = 64,
         .heads = 1,
         .ratio = 1,
         .hidden = 64,
         .blocks = 1,
         .latent = 8,
         .gaussians = 1,
         .window = 0,
         .half = true},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_gaussians(*state, &shapes[i], 0);
}

// ---- mesh decoders ----

struct feats_sink {
    const uint32_t *source;
    size_t columns;
    float *feats;
};

static enum tess_status keep_feats(void *user, size_t row0, size_t rows, const void *data)
{
    const struct feats_sink *sink = user;
    for (size_t i = 0; i < rows; i++)
        memcpy(sink->feats +
                   ((size_t)sink->source[(row0 + i) / 64] * 64 + (row0 + i) % 64) *
                       sink->columns,
               (const float *)data + i * sink->columns, sink->columns * sizeof(float));
    return TESS_OK;
}

static size_t find_floor(struct tess_context *ctx,
                         const struct tess_slat_decoder *decoder,
                         const struct tess_latent *latent)
{
    struct tess_stage_report report;
    struct tess_slat_job *job = NULL;
    expect_ok(ctx,
              tess_slat_job_create(&job, ctx->device, decoder, latent, keep_feats, NULL));
    expect_ok(ctx, tess_stage_plan(&report, ctx->device, &ctx->budget, "mesh decoder",
                                   tess_slat_decode_stage, job, true));
    tess_slat_job_destroy(&job);
    return report.floor_bytes;
}

static void run_mesh(float *feats, struct tess_context *ctx,
                     const struct tess_slat_decoder *decoder,
                     const struct tess_latent *latent, size_t columns)
{
    struct feats_sink sink = {NULL, columns, feats};
    struct tess_slat_job *job = NULL;
    expect_ok(
        ctx, tess_slat_job_create(&job, ctx->device, decoder, latent, keep_feats, &sink));
    sink.source = tess_slat_job_source(job);
    expect_ok(ctx, tess_context_run(ctx, "mesh decoder", tess_slat_decode_stage, job));
    tess_slat_job_destroy(&job);
}

static void check_mesh(struct tmp *tmp, const struct shape *s, bool colour)
{
    struct tess_context *ctx = open_context(0);
    struct checkpoint *c = calloc(1, sizeof *c);
    size_t columns = colour ? 101 : 53, voxels = 150;
    char path[512];
    add_torso(c, s);
    add_mesh_head(c, s, columns);
    write_checkpoint(tmp, ctx, c, s, "SLatMeshDecoder",
                     colour ? "\"use_color\": true" : "\"use_color\": false", path);
    free(c);
    struct tess_slat_decoder *decoder = NULL;
    expect_ok(ctx, tess_slat_decoder_open(&decoder, &ctx->env, path));
    struct tess_latent *latent = make_latent(ctx, voxels, s->latent);
    float *feats = malloc(voxels * 64 * columns * sizeof *feats);
    float *again = malloc(voxels * 64 * columns * sizeof *again);
    run_mesh(feats, ctx, decoder, latent, columns);
    struct tess_safetensors *file = open_tensors(ctx, path);
    double *h = ref_torso(file, tess_slat_decoder_config(decoder), latent);
    double *reference =
        ref_mesh_head(file, tess_slat_decoder_config(decoder), latent, h, columns);
    ops_expect(feats, reference, voxels * 64 * columns, BOUND);
    // As little memory as works, the same bytes.
    size_t floor = find_floor(ctx, decoder, latent);
    struct tess_context *tight = open_context(floor);
    run_mesh(again, tight, decoder, latent, columns);
    assert_true(tight->stages[0].spilled_tensors > 0);
    assert_true(tess_device_peak(tight->device) <= floor);
    assert_memory_equal(feats, again, voxels * 64 * columns * sizeof *feats);
    free(h);
    free(reference);
    free(feats);
    free(again);
    tess_safetensors_close(&file);
    tess_slat_decoder_close(&decoder);
    tess_latent_free(&latent);
    tess_context_destroy(&tight);
    tess_context_destroy(&ctx);
}

static void mesh_decoders_of_any_size(void **state)
{
    static const struct shape plain = {.C = 256,
                                       .heads = 16,
                                       .ratio = 0.5,
                                       .hidden = 128,
                                       .blocks = 2,
                                       .latent = 3,
                                       .window = 6,
                                       .half = true};
    static const struct shape single = {.C = 256,
                                        .heads = 4,
                                        .ratio = 0.25,
                                        .hidden = 64,
                                        .blocks = 1,
                                        .latent = 8,
                                        .window = 4,
                                        .half = false};
    check_mesh(*state, &plain, true);
    check_mesh(*state, &single, false);
}

// ---- the demo ----

static const int32_t *find_ints(const struct tess_safetensors *file, const char *name,
                                size_t *count)
{
    const struct tess_file_tensor *tensor = tess_safetensors_find(file, name);
    assert_non_null(tensor);
    *count = tensor->shape[0];
    return tensor->data;
}

// `values` has `columns` a row; the file has the rows that `rows` names.
static void compare_rows(const struct tess_safetensors *file, const char *name,
                         const char *rows_name, const float *values, size_t columns)
{
    size_t count;
    const int32_t *rows = find_ints(file, rows_name, &count);
    double *reference = ref_values(file, name);
    float *chosen = malloc(count * columns * sizeof *chosen);
    for (size_t i = 0; i < count; i++)
        memcpy(chosen + i * columns, values + (size_t)rows[i] * columns,
               columns * sizeof *chosen);
    ops_expect(chosen, reference, count * columns, BOUND);
    for (size_t i = 0; i < count * columns && strcmp(name, "vertices") == 0; i++)
        assert_true(fabs(chosen[i] - reference[i]) <= BOUND);
    free(chosen);
    free(reference);
}

static void check_demo(const char *object)
{
    struct tess_context *ctx = open_context(0);
    struct tess_model *model = NULL;
    struct tess_latent *latent = NULL;
    struct tess_asset *asset = NULL;
    struct tess_safetensors *file = NULL;
    char path[512], name[64];
    expect_ok(ctx, tess_model_open(&model, ctx, demo_path(path, "model")));
    snprintf(name, sizeof name, "latents/%s.safetensors", object);
    expect_ok(ctx, tess_latent_open(&latent, ctx, demo_path(path, name)));
    expect_ok(ctx, tess_decode(&asset, ctx, model, latent, NULL));
    snprintf(name, sizeof name, "demo/%s.safetensors", object);
    expect_ok(ctx, tess_safetensors_open(&file, &ctx->env, data_path(path, name)));
    size_t count, face_count, other = 0;
    const int32_t *counts = find_ints(file, "counts", &count);
    assert_int_equal(asset->splats.count, counts[0]);
    assert_int_equal(asset->mesh.vertices, counts[1]);
    assert_int_equal(asset->mesh.faces, counts[2]);
    compare_rows(file, "xyz", "splat_rows", asset->splats.positions, 3);
    compare_rows(file, "scaling", "splat_rows", asset->splats.scales, 3);
    compare_rows(file, "rotation", "splat_rows", asset->splats.rotations, 4);
    compare_rows(file, "opacity", "splat_rows", asset->splats.opacities, 1);
    compare_rows(file, "features_dc", "splat_rows", asset->splats.colours, 3);
    compare_rows(file, "vertices", "vertex_rows", asset->mesh.positions, 3);
    compare_rows(file, "vertex_attrs", "vertex_rows", asset->mesh.attributes, 6);
    // Quads whose diagonals are equal to rounding may be cut either way: up to 0.2 % of
    // all faces, so a handful of those sampled.
    const int32_t *rows = find_ints(file, "face_rows", &count);
    const int32_t *faces = find_ints(file, "faces", &face_count);
    for (size_t i = 0; i < count; i++)
        other += memcmp(asset->mesh.indices + 3 * (size_t)rows[i], faces + 3 * i,
                        3 * sizeof *faces) != 0;
    assert_true(other <= 3 + count / 500);
    tess_safetensors_close(&file);
    tess_asset_destroy(&asset);
    tess_latent_destroy(&latent);
    tess_model_destroy(&model);
    tess_context_destroy(&ctx);
}

static void demo_matches_the_original(void **state)
{
    (void)state;
    static const char *const objects[] = {"mug", "chair", "rocket", "wuson"};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        check_demo(objects[i]);
}

// ---- golden data ----

static void count_check(void *user, const struct tess_check *check)
{
    if (!check->pass)
        fprintf(stderr, "# %s %s: %g, bound %g %s\n", check->file, check->tensor,
                check->error, check->bound, check->note);
    (*(size_t *)user)++;
}

static void golden_data_agrees(void **state)
{
    (void)state;
    struct tess_context *ctx = open_context(0);
    char path[512];
    size_t checks = 0;
    expect_ok(ctx,
              tess_verify(ctx, data_path(path, "trellis-tiny"), count_check, &checks));
    assert_int_equal(checks, 28);
    tess_context_destroy(&ctx);
}

// The same for single passes of the networks and for extraction, in a folder of links,
// where samplers would take minutes, and the structure decoder one, which
// tests/test_dense_nets.c and slow/picture_elsewhere.py have there.
static void golden_passes_agree(void **state)
{
    static const char *const links[] = {"model",
                                        "io/dinov2.safetensors",
                                        "io/ss_flow_step.safetensors",
                                        "io/slat_flow_step.safetensors",
                                        "io/slat_dec_gs.safetensors",
                                        "io/slat_dec_mesh.safetensors",
                                        "io/slat_dec_rf.safetensors",
                                        "io/flexicubes_smooth.safetensors",
                                        "io/flexicubes_noisy.safetensors"};
    struct tmp *tmp = *state;
    struct tess_context *ctx = open_context(0);
    char folder[512], from[512], full[4096], to[700], name[64];
    size_t checks = 0;
    snprintf(folder, sizeof folder, "%s/golden", tmp->folder);
    snprintf(to, sizeof to, "%s/io", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(mkdir(to, 0700), 0);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(name, sizeof name, "trellis-tiny/%s", links[i]);
        assert_non_null(realpath(data_path(from, name), full));
        snprintf(to, sizeof to, "%s/%s", folder, links[i]);
        assert_int_equal(symlink(full, to), 0);
    }
    enum tess_status status = tess_verify(ctx, folder, count_check, &checks);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(to, sizeof to, "%s/%s", folder, links[i]);
        unlink(to);
    }
    snprintf(to, sizeof to, "%s/io", folder);
    rmdir(to);
    rmdir(folder);
    expect_ok(ctx, status);
    assert_int_equal(checks, 23);
    tess_context_destroy(&ctx);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaussian_decoders_of_any_size),
        cmocka_unit_test(mesh_decoders_of_any_size),
        cmocka_unit_test(demo_matches_the_original),
        cmocka_unit_test(golden_data_agrees),
    };
    static const struct CMUnitTest tiny_tests[] = {
        cmocka_unit_test(gaussian_decoders_of_any_size),
        cmocka_unit_test(golden_passes_agree),
    };
    if (asked_tiny())
        return cmocka_run_group_tests(tiny_tests, tmp_setup, tmp_teardown);
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
