// Configurations: the published fields, their defaults, and every field that can be
// wrong.
#include "io_tmp.h"

#include <math.h>
#include <sys/stat.h>

#include "io/json.h"
#include "model/config.h"

#define GAUSSIAN_ARGS                                                                    \
    "\"resolution\":64,\"model_channels\":768,\"latent_channels\":8,\"num_blocks\":12,"  \
    "\"num_heads\":12,\"mlp_ratio\":4,\"attn_mode\":\"swin\",\"window_size\":8,"         \
    "\"use_fp16\":true"
#define REPRESENTATION                                                                   \
    "\"lr\":{\"_xyz\":1.0,\"_features_dc\":1.0,\"_opacity\":1.0,\"_scaling\":1.0,"       \
    "\"_rotation\":0.1},\"perturb_offset\":true,\"voxel_size\":1.5,\"num_gaussians\":"   \
    "32,"                                                                                \
    "\"2d_filter_kernel_size\":0.1,\"3d_filter_kernel_size\":9e-4,\"scaling_bias\":4e-"  \
    "3,"                                                                                 \
    "\"opacity_bias\":0.1,\"scaling_activation\":\"softplus\""
#define GAUSSIAN                                                                         \
    "{\n\"name\":\"SLatGaussianDecoder\",\n\"args\":{" GAUSSIAN_ARGS                     \
    ",\"representation_config\":{" REPRESENTATION "}}}"

static enum tess_status read_decoder(struct tess_env *env, const char *path)
{
    struct tess_slat_decoder_config config;
    return tess_slat_decoder_config_read(&config, env, path);
}

static void test_gaussian(void **state)
{
    struct tmp *tmp = *state;
    struct tess_slat_decoder_config c;
    tmp_write_text(tmp, "gs.json", GAUSSIAN);
    assert_int_equal(tess_slat_decoder_config_read(&c, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(c.kind, TESS_SLAT_GAUSSIAN);
    assert_int_equal(c.resolution, 64);
    assert_int_equal(c.channels, 768);
    assert_int_equal(c.latent_channels, 8);
    assert_int_equal(c.blocks, 12);
    assert_int_equal(c.heads, 12);
    assert_int_equal(c.hidden, 3072);
    assert_int_equal(c.attention, TESS_ATTENTION_SWIN);
    assert_int_equal(c.window_size, 8);
    assert_true(c.use_fp16 && !c.qk_rms_norm);
    assert_true(c.gaussian.xyz_factor == 1 && c.gaussian.rotation_factor == 0.1f);
    assert_true(c.gaussian.perturb_offset);
    assert_true(c.gaussian.voxel_size == 1.5f && c.gaussian.gaussians == 32);
    assert_true(c.gaussian.filter_2d == 0.1f && c.gaussian.filter_3d == 9e-4f);
    assert_true(c.gaussian.scaling_bias == 4e-3f && c.gaussian.opacity_bias == 0.1f);
    assert_int_equal(c.gaussian.scaling_activation, TESS_ACTIVATION_SOFTPLUS);
    char *name = NULL;
    assert_int_equal(tess_network_name_read(&name, &tmp->env, tmp->path), TESS_OK);
    assert_string_equal(name, "SLatGaussianDecoder");
    free(name);
}

static void test_others(void **state)
{
    struct tmp *tmp = *state;
    struct tess_slat_decoder_config c;
    // Defaults, null for a default, unknown fields.
    tmp_write_text(
        tmp, "mesh.json",
        "{\"name\":\"SLatMeshDecoder\",\"extra\":[],\"args\":{\"resolution\":8,"
        "\"model_channels\":192,\"latent_channels\":8,\"num_blocks\":2,"
        "\"num_heads\":null,\"extra\":{},\"mlp_ratio\":2.6666666666666665,"
        "\"representation_config\":{\"use_color\":true}}}");
    assert_int_equal(tess_slat_decoder_config_read(&c, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(c.kind, TESS_SLAT_MESH);
    assert_int_equal(c.heads, 3); // of 64 channels
    assert_int_equal(c.hidden, 512);
    assert_int_equal(c.window_size, 8);
    assert_true(c.use_color && !c.use_fp16);
    tmp_write_text(tmp, "rf.json",
                   "{\"name\":\"SLatRadianceFieldDecoder\",\"args\":{\"resolution\":8,"
                   "\"model_channels\":192,\"latent_channels\":8,\"num_blocks\":2,"
                   "\"num_head_channels\":32,\"attn_mode\":\"full\",\"window_size\":null,"
                   "\"pe_mode\":\"ape\",\"qk_rms_norm\":true,"
                   "\"representation_config\":{\"rank\":16,\"dim\":8}}}");
    assert_int_equal(tess_slat_decoder_config_read(&c, &tmp->env, tmp->path), TESS_OK);
    assert_int_equal(c.kind, TESS_SLAT_RADIANCE);
    assert_int_equal(c.heads, 6);
    assert_int_equal(c.hidden, 768);
    assert_int_equal(c.attention, TESS_ATTENTION_FULL);
    assert_int_equal(c.window_size, 0);
    assert_true(c.qk_rms_norm);
    assert_int_equal(c.radiance.rank, 16);
    assert_int_equal(c.radiance.dim, 8);
}

// `text` with the first `from` replaced by `to`.
static const char *write_changed(struct tmp *tmp, const char *name, const char *text,
                                 const char *from, const char *to)
{
    char changed[4096];
    const char *at = strstr(text, from);
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
             at + strlen(from));
    return tmp_write_text(tmp, name, changed);
}

static void test_bad_decoders(void **state)
{
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"SLatGaussianDecoder", "SLatEncoder",
         "field name is \"SLatEncoder\", expected \"SLatGaussianDecoder\" or"},
        {"\"name\"", "\"nam\"", "field name is missing"},
        {"\"args\"", "\"arg\"", "field args is missing, expected an object"},
        {"\"resolution\":64", "\"resolution\":0",
         "field args.resolution is 0, expected an "
         "integer in 1..1024"},
        {"\"resolution\":64", "\"resolution\":64.5", "args.resolution is 64.5"},
        {"\"resolution\":64", "\"resolution\":1e99", "args.resolution is 1e+99"},
        {"\"resolution\":64,", "", "field args.resolution is missing"},
        {"\"model_channels\":768", "\"model_channels\":\"768\"",
         "field args.model_channels is \"768\", expected an integer in 1..16384"},
        {"\"latent_channels\":8", "\"latent_channels\":-8", "args.latent_channels is -8"},
        {"\"num_blocks\":12", "\"num_blocks\":1025", "args.num_blocks is 1025"},
        {"\"num_heads\":12", "\"num_heads\":7",
         "field args.num_heads is 7, expected a divisor of model_channels, 768"},
        {"\"num_heads\":12", "\"num_head_channels\":7",
         "field args.num_head_channels is 7, expected a divisor"},
        {"\"num_heads\":12", "\"num_heads\":true", "args.num_heads is true"},
        {"\"mlp_ratio\":4", "\"mlp_ratio\":1e-8", "args.mlp_ratio is 1e-08"},
        {"\"mlp_ratio\":4", "\"mlp_ratio\":65", "args.mlp_ratio is 65"},
        {"\"mlp_ratio\":4", "\"mlp_ratio\":1e999", "args.mlp_ratio is inf"},
        {"\"swin\"", "\"zigzag\"",
         "field args.attn_mode is \"zigzag\", expected \"swin\" or \"full\""},
        {"\"window_size\":8", "\"window_size\":0", "args.window_size is 0"},
        {"\"use_fp16\":true", "\"pe_mode\":\"rope\"",
         "field args.pe_mode is \"rope\", expected \"ape\""},
        {"\"use_fp16\":true", "\"use_fp16\":1",
         "args.use_fp16 is 1, expected true or false"},
        {"\"representation_config\":{", "\"representation_config\":[{", "not valid JSON"},
        {"representation_config", "representation",
         "field args.representation_config is missing"},
        {"\"_rotation\":0.1", "\"_rotation\":[]",
         "field args.representation_config.lr._rotation is an array of 0"},
        {"\"perturb_offset\":true", "\"perturb_offset\":null",
         "field args.representation_config.perturb_offset is null"},
        {"\"voxel_size\":1.5", "\"voxel_size\":0", "voxel_size is 0"},
        {"\"num_gaussians\":32", "\"num_gaussians\":0", "num_gaussians is 0"},
        {"\"2d_filter_kernel_size\":0.1", "\"2d_filter_kernel_size\":-1",
         "2d_filter_kernel_size is -1"},
        {"9e-4", "{}", "3d_filter_kernel_size is an object"},
        {"4e-3", "0", "scaling_bias is 0"},
        {"\"opacity_bias\":0.1", "\"opacity_bias\":1", "opacity_bias is 1"},
        {"softplus", "relu",
         "scaling_activation is \"relu\", expected \"softplus\" or \"exp\""},
        {"\"args\":{", "\"args\":{,", "line 3: not valid JSON"},
        {"{\n", "[{\n", "line 3: not valid JSON"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tess_status status =
            read_decoder(&tmp->env, write_changed(tmp, "gs.json", GAUSSIAN, cases[i].from,
                                                  cases[i].to));
        if (status != TESS_ERR_FILE)
            print_error("%s -> %s\n", cases[i].from, cases[i].to);
        tmp_expect(tmp, status, TESS_ERR_FILE, "gs.json: ", cases[i].text, NULL);
    }
    tmp_expect(tmp, read_decoder(&tmp->env, tmp_write_text(tmp, "a.json", "")),
               TESS_ERR_FILE, "a.json: line 1: not valid JSON", NULL);
    tmp_expect(tmp, read_decoder(&tmp->env, tmp_write_text(tmp, "a.json", "[1]")),
               TESS_ERR_FILE, "a.json: is an array of 1, expected an object", NULL);
    tmp_expect(tmp, read_decoder(&tmp->env, tmp_path(tmp, "absent.json")), TESS_ERR_FILE,
               "absent.json: No such file", NULL);
    tmp_write_text(tmp, "large.json", "");
    assert_int_equal(truncate(tmp->path, (off_t)TESS_JSON_MAX_BYTES + 1), 0);
    tmp_expect(tmp, read_decoder(&tmp->env, tmp->path), TESS_ERR_FILE,
               "large.json: larger than", NULL);
    // Deep nesting must not use up the stack.
    static char deep[200001];
    memset(deep, '[', 200000);
    tmp_expect(tmp, read_decoder(&tmp->env, tmp_write_text(tmp, "deep.json", deep)),
               TESS_ERR_FILE, "deep.json: line 1", NULL);
}

#define PIPELINE                                                                         \
    "{\"name\":\"TrellisImageTo3DPipeline\",\"args\":{\"models\":{"                      \
    "\"slat_decoder_gs\":\"ckpts/gs\",\"slat_decoder_mesh\":\"../other/ckpts/mesh\"},"   \
    "\"sparse_structure_sampler\":{\"name\":\"FlowEulerGuidanceIntervalSampler\","       \
    "\"args\":{\"sigma_min\":1e-5},\"params\":{\"steps\":25,\"cfg_strength\":5.0,"       \
    "\"cfg_interval\":[0.5,0.95],\"rescale_t\":3.0}},"                                   \
    "\"slat_sampler\":{\"name\":\"FlowEulerSampler\"},"                                  \
    "\"slat_normalization\":{\"mean\":[1,-2],\"std\":[0.5,3]},"                          \
    "\"image_cond_model\":\"dinov2_vitl14_reg\"}}"

static enum tess_status read_pipeline(struct tess_env *env, const char *path)
{
    char folder[512];
    struct tess_pipeline_config config = {0};
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    enum tess_status status = tess_pipeline_config_read(&config, env, folder);
    assert_true((status == TESS_OK) == (config.name != NULL));
    tess_pipeline_config_clear(&config);
    return status;
}

static void test_pipeline(void **state)
{
    struct tmp *tmp = *state;
    struct tess_pipeline_config c = {0};
    char path[600], text[2048];
    tmp_write_text(tmp, "pipeline.json", PIPELINE);
    assert_int_equal(tess_pipeline_config_read(&c, &tmp->env, tmp->folder), TESS_OK);
    assert_string_equal(c.name, "TrellisImageTo3DPipeline");
    assert_string_equal(c.image_cond_model, "dinov2_vitl14_reg");
    assert_int_equal(c.part_count, 2);
    assert_string_equal(c.parts[0].role, "slat_decoder_gs");
    assert_string_equal(c.parts[0].value, "ckpts/gs");
    snprintf(path, sizeof path, "%s/ckpts/gs", tmp->folder);
    assert_string_equal(c.parts[0].path, path);
    assert_string_equal(c.parts[1].role, "slat_decoder_mesh");
    snprintf(path, sizeof path, "%s/../other/ckpts/mesh", tmp->folder);
    assert_string_equal(c.parts[1].path, path);
    assert_int_equal(c.latent_channels, 2);
    assert_true(c.mean[0] == 1 && c.mean[1] == -2 && c.std[0] == 0.5f && c.std[1] == 3);
    assert_true(c.structure_sampler.present && c.latent_sampler.present);
    assert_string_equal(c.structure_sampler.name, "FlowEulerGuidanceIntervalSampler");
    assert_int_equal(c.structure_sampler.steps, 25);
    assert_true(c.structure_sampler.sigma_min == 1e-5);
    assert_true(c.structure_sampler.cfg_strength == 5 &&
                c.structure_sampler.rescale_t == 3);
    assert_true(c.structure_sampler.cfg_interval[0] == 0.5f);
    assert_true(c.structure_sampler.cfg_interval[1] == 0.95);
    assert_int_equal(c.latent_sampler.steps, 50);
    assert_true(c.latent_sampler.cfg_interval[0] == 0 &&
                c.latent_sampler.cfg_interval[1] == 1);
    tess_pipeline_config_clear(&c);

    // The least there is; a model outside of the folder, by its own path.
    tmp_write_text(tmp, "outside.json", "{}");
    snprintf(text, sizeof text,
             "{\"name\":\"P\",\"args\":{\"models\":{\"role\":\"%s/outside\"}}}",
             tmp->folder);
    tmp_write_text(tmp, "pipeline.json", text);
    assert_int_equal(tess_pipeline_config_read(&c, &tmp->env, tmp->folder), TESS_OK);
    assert_string_equal(c.image_cond_model, "");
    assert_int_equal(c.latent_channels, 0);
    assert_false(c.structure_sampler.present || c.latent_sampler.present);
    snprintf(path, sizeof path, "%s/outside", tmp->folder);
    assert_string_equal(c.parts[0].path, path);
    tess_pipeline_config_clear(&c);
    tess_pipeline_config_clear(&c);
}

static void test_bad_pipelines(void **state)
{
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"{\"name\":\"T", "{\"nam\":\"T", "field name is missing"},
        {"\"args\":{\"models\"", "\"args\":{\"model\"", "field args.models is missing"},
        {"\"ckpts/gs\"", "3",
         "field args.models.slat_decoder_gs is 3, expected a string"},
        {"\"ckpts/gs\"", "\"\"",
         "field args.models.slat_decoder_gs is \"\", expected the path"},
        {"\"ckpts/gs\"", "null", "field args.models.slat_decoder_gs is null"},
        {"[0.5,3]", "[0.5]",
         "field args.slat_normalization.std is an array of 1, expected an "
         "array of 2"},
        {"[0.5,3]", "[0.5,0]", "field args.slat_normalization.std[1] is 0"},
        {"[1,-2]", "[]", "field args.slat_normalization.mean is an array of 0"},
        {"[1,-2]", "[1,\"\"]", "field args.slat_normalization.mean[1] is \"\""},
        {"\"steps\":25", "\"steps\":0",
         "field args.sparse_structure_sampler.params.steps is 0"},
        {"[0.5,0.95]", "[0.5,1.5]", "params.cfg_interval[1] is 1.5"},
        {"\"cfg_strength\":5.0", "\"cfg_strength\":\"5\"",
         "params.cfg_strength is \"5\""},
        {"\"rescale_t\":3.0", "\"rescale_t\":0", "params.rescale_t is 0"},
        {"1e-5", "-1", "args.sparse_structure_sampler.args.sigma_min is -1"},
        {"{\"name\":\"FlowEulerSampler\"}", "{}",
         "field args.slat_sampler.name is missing"},
        {"\"dinov2_vitl14_reg\"", "[]", "field args.image_cond_model is an array of 0"},
    };
    struct tmp *tmp = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tmp_expect(tmp,
                   read_pipeline(&tmp->env, write_changed(tmp, "pipeline.json", PIPELINE,
                                                          cases[i].from, cases[i].to)),
                   TESS_ERR_FILE, "/pipeline.json: ", cases[i].text, NULL);
    assert_int_equal(unlink(tmp_path(tmp, "pipeline.json")), 0);
    tmp_expect(tmp, read_pipeline(&tmp->env, tmp->path), TESS_ERR_FILE,
               "/pipeline.json: No such file", NULL);
}

static void test_damage(void **state)
{
    struct tmp *tmp = *state;
    tmp_write_text(tmp, "gs.json", GAUSSIAN);
    tmp_damage(tmp, "gs.json", read_decoder, 1, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaussian),      cmocka_unit_test(test_others),
        cmocka_unit_test(test_bad_decoders),  cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_bad_pipelines), cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
