// Tensors and configurations of the networks of TRELLIS-image-large, in the order of the
// published files, for any sizes. C: channels of a block, IO: of the outer blocks.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/synthetic.h"

#define LATENT_CHANNELS 8
#define HEAD_CHANNELS   64
#define TIME_CHANNELS   256
#define REGISTERS       4
#define PATCH           14
#define GAUSSIANS       32
#define GAUSSIAN_VALUES 14
#define RADIANCE_VALUES 448
#define MESH_VALUES     101

// A network that is being made. After a failure nothing more is added.
struct maker {
    struct tess_synthetic_network *network;
    struct tess_env *env;
    enum tess_status status;
    char prefix[48]; // of the names to come
};

static void add(struct maker *m, enum tess_dtype dtype, const char *name,
                const char *parameter, int dims, const size_t *shape)
{
    struct tess_synthetic_network *network = m->network;
    char *whole = NULL;
    if (!m->status)
        m->status =
            tess_grow(&network->tensors, &network->capacity, m->env, network->count + 1,
                      sizeof *network->tensors, "a network's tensors");
    if (!m->status)
        m->status = tess_strf(&whole, m->env, "%s%s%s%s", m->prefix, name,
                              *parameter ? "." : "", parameter);
    if (m->status)
        return;
    struct tess_file_tensor *tensor = &network->tensors[network->count++];
    *tensor = (struct tess_file_tensor){.name = whole, .dtype = dtype, .dims = dims};
    tensor->elements = 1;
    for (int i = 0; i < dims; i++)
        tensor->elements *= tensor->shape[i] = shape[i];
}

static void add_layer(struct maker *m, enum tess_dtype dtype, const char *name, int dims,
                      const size_t *shape)
{
    add(m, dtype, name, "weight", dims, shape);
    add(m, dtype, name, "bias", 1, shape);
}

static void add_linear(struct maker *m, enum tess_dtype dtype, const char *name, size_t N,
                       size_t K)
{
    add_layer(m, dtype, name, 2, (const size_t[]){N, K});
}

static void add_norm(struct maker *m, const char *name, size_t C)
{
    add_layer(m, TESS_F32, name, 1, &C);
}

// A sparse convolution has its inputs last, a dense one second.
static void add_sparse(struct maker *m, const char *name, size_t N, size_t side, size_t K)
{
    add_layer(m, TESS_F16, name, 5, (const size_t[]){N, side, side, side, K});
}

static void add_dense(struct maker *m, enum tess_dtype dtype, const char *name, size_t N,
                      size_t K)
{
    add_layer(m, dtype, name, 5, (const size_t[]){N, K, 3, 3, 3});
}

__attribute__((format(printf, 2, 3))) static void enter(struct maker *m,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(m->prefix, sizeof m->prefix, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void configure(struct maker *m,
                                                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!m->status && vasprintf(&m->network->config, format, args) < 0) {
        m->network->config = NULL;
        m->status = tess_fail(m->env, TESS_ERR_MEMORY, "no memory for a configuration");
    }
    va_end(args);
}

// ---- flow models ----

static void add_time(struct maker *m, size_t C)
{
    add_linear(m, TESS_F32, "t_embedder.mlp.0", C, TIME_CHANNELS);
    add_linear(m, TESS_F32, "t_embedder.mlp.2", C, C);
}

static void add_flow_blocks(struct maker *m, const struct tess_synthetic_sizes *sizes)
{
    size_t C = sizes->flow_channels, conditions = sizes->encoder_channels;
    const size_t heads[] = {C / HEAD_CHANNELS, HEAD_CHANNELS};
    for (size_t i = 0; i < sizes->flow_blocks; i++) {
        enter(m, "blocks.%zu.", i);
        add_norm(m, "norm2", C);
        add_linear(m, TESS_F16, "self_attn.to_qkv", 3 * C, C);
        add(m, TESS_F32, "self_attn.q_rms_norm", "gamma", 2, heads);
        add(m, TESS_F32, "self_attn.k_rms_norm", "gamma", 2, heads);
        add_linear(m, TESS_F16, "self_attn.to_out", C, C);
        add_linear(m, TESS_F16, "cross_attn.to_q", C, C);
        add_linear(m, TESS_F16, "cross_attn.to_kv", 2 * C, conditions);
        add_linear(m, TESS_F16, "cross_attn.to_out", C, C);
        add_linear(m, TESS_F16, "mlp.mlp.0", 4 * C, C);
        add_linear(m, TESS_F16, "mlp.mlp.2", C, 4 * C);
        add_linear(m, TESS_F16, "adaLN_modulation.1", 6 * C, C);
    }
    enter(m, "%s", "");
}

#define FLOW_CONFIG                                                                      \
    "\"resolution\": %zu, \"in_channels\": %d, \"out_channels\": %d, "                   \
    "\"model_channels\": %zu, \"cond_channels\": %zu"                                    \
    ", \"num_blocks\": %zu, \"num_heads\": %zu, \"mlp_ratio\": 4, "
#define FLOW_CONFIG_END "\"pe_mode\": \"ape\", \"qk_rms_norm\": true, \"use_fp16\": true"

static void make_structure_flow(struct maker *m, const struct tess_synthetic_sizes *sizes)
{
    size_t C = sizes->flow_channels, R = sizes->structure_resolution;
    configure(m,
              "{\"name\": \"SparseStructureFlowModel\", \"args\": {" FLOW_CONFIG
              "\"patch_size\": 1, " FLOW_CONFIG_END "}}",
              R, LATENT_CHANNELS, LATENT_CHANNELS, C, sizes->encoder_channels,
              sizes->flow_blocks, C / HEAD_CHANNELS);
    add(m, TESS_F32, "pos_emb", "", 2, (const size_t[]){R * R * R, C});
    add_time(m, C);
    add_linear(m, TESS_F32, "input_layer", C, LATENT_CHANNELS);
    add_flow_blocks(m, sizes);
    add_linear(m, TESS_F32, "out_layer", LATENT_CHANNELS, C);
}

// One of the residual blocks before and after the transformer.
static void add_outer_block(struct maker *m, const char *side, size_t index, size_t N,
                            size_t K, size_t C)
{
    enter(m, "%s.%zu.", side, index);
    add_norm(m, "norm1", K);
    add_sparse(m, "conv1.conv", N, 3, K);
    add_sparse(m, "conv2.conv", N, 3, N);
    add_linear(m, TESS_F16, "emb_layers.1", 2 * N, C);
    if (N != K)
        add_linear(m, TESS_F16, "skip_connection", N, K);
    enter(m, "%s", "");
}

static void make_latent_flow(struct maker *m, const struct tess_synthetic_sizes *sizes)
{
    size_t C = sizes->flow_channels, IO = sizes->io_channels;
    configure(m,
              "{\"name\": \"SLatFlowModel\", \"args\": {" FLOW_CONFIG
              "\"patch_size\": 2, \"num_io_res_blocks\": 2, \"io_block_channels\": "
              "[%zu], " FLOW_CONFIG_END "}}",
              sizes->resolution, LATENT_CHANNELS, LATENT_CHANNELS, C,
              sizes->encoder_channels, sizes->flow_blocks, C / HEAD_CHANNELS, IO);
    add_time(m, C);
    add_linear(m, TESS_F32, "input_layer", IO, LATENT_CHANNELS);
    add_outer_block(m, "input_blocks", 0, IO, IO, C);
    add_outer_block(m, "input_blocks", 1, C, IO, C);
    add_flow_blocks(m, sizes);
    add_outer_block(m, "out_blocks", 0, IO, 2 * C, C);
    add_outer_block(m, "out_blocks", 1, IO, 2 * IO, C);
    add_linear(m, TESS_F32, "out_layer", LATENT_CHANNELS, IO);
}

// ---- decoders ----

static void make_structure_decoder(struct maker *m,
                                   const struct tess_synthetic_sizes *sizes)
{
    enum { LEVELS = 3 };
    const size_t *C = sizes->structure_channels;
    size_t index = 0;
    configure(m,
              "{\"name\": \"SparseStructureDecoder\", \"args\": {\"out_channels\": 1, "
              "\"latent_channels\": %d, \"num_res_blocks\": 2, "
              "\"num_res_blocks_middle\": 2, \"channels\": [%zu, %zu"
              ", %zu], \"use_fp16\": true}}",
              LATENT_CHANNELS, C[0], C[1], C[2]);
    add_dense(m, TESS_F32, "input_layer", C[0], LATENT_CHANNELS);
    for (int level = -1; level < LEVELS; level++) {
        size_t c = C[level < 0 ? 0 : level];
        for (int i = 0; i < 2; i++) {
            if (level < 0)
                enter(m, "middle_block.%d.", i);
            else
                enter(m, "blocks.%zu.", index++);
            add_norm(m, "norm1", c);
            add_norm(m, "norm2", c);
            add_dense(m, TESS_F16, "conv1", c, c);
            add_dense(m, TESS_F16, "conv2", c, c);
        }
        if (level >= 0 && level + 1 < LEVELS) {
            enter(m, "blocks.%zu.", index++);
            add_dense(m, TESS_F16, "conv", 8 * C[level + 1], c);
        }
    }
    enter(m, "%s", "");
    add_norm(m, "out_layer.0", C[LEVELS - 1]);
    add_dense(m, TESS_F32, "out_layer.2", 1, C[LEVELS - 1]);
}

// The part that all decoders of latents start with.
static void add_torso(struct maker *m, const struct tess_synthetic_sizes *sizes,
                      const char *class, const char *representation)
{
    size_t C = sizes->decoder_channels;
    configure(m,
              "{\"name\": \"%s\", \"args\": {\"resolution\": %zu"
              ", \"model_channels\": %zu, \"latent_channels\": %d, "
              "\"num_blocks\": %zu, \"num_heads\": %zu"
              ", \"mlp_ratio\": 4, \"attn_mode\": \"swin\", \"window_size\": %zu"
              ", \"use_fp16\": true, \"representation_config\": {%s}}}",
              class, sizes->resolution, C, LATENT_CHANNELS, sizes->decoder_blocks,
              C / HEAD_CHANNELS, sizes->window, representation);
    add_linear(m, TESS_F32, "input_layer", C, LATENT_CHANNELS);
    for (size_t i = 0; i < sizes->decoder_blocks; i++) {
        enter(m, "blocks.%zu.", i);
        add_linear(m, TESS_F16, "attn.to_qkv", 3 * C, C);
        add_linear(m, TESS_F16, "attn.to_out", C, C);
        add_linear(m, TESS_F16, "mlp.mlp.0", 4 * C, C);
        add_linear(m, TESS_F16, "mlp.mlp.2", C, 4 * C);
    }
    enter(m, "%s", "");
}

static void make_gaussian_decoder(struct maker *m,
                                  const struct tess_synthetic_sizes *sizes)
{
    add(m, TESS_F32, "offset_perturbation", "", 2, (const size_t[]){GAUSSIANS, 3});
    add_torso(m, sizes, "SLatGaussianDecoder",
              "\"lr\": {\"_xyz\": 1.0, \"_features_dc\": 1.0, \"_opacity\": 1.0, "
              "\"_scaling\": 1.0, \"_rotation\": 0.1}, \"perturb_offset\": true, "
              "\"voxel_size\": 1.5, \"num_gaussians\": 32, \"2d_filter_kernel_size\": "
              "0.1, \"3d_filter_kernel_size\": 0.0009, \"scaling_bias\": 0.004, "
              "\"opacity_bias\": 0.1, \"scaling_activation\": \"softplus\"");
    add_linear(m, TESS_F32, "out_layer", GAUSSIANS * GAUSSIAN_VALUES,
               sizes->decoder_channels);
}

static void make_radiance_decoder(struct maker *m,
                                  const struct tess_synthetic_sizes *sizes)
{
    add_torso(m, sizes, "SLatRadianceFieldDecoder", "\"rank\": 16, \"dim\": 8");
    add_linear(m, TESS_F32, "out_layer", RADIANCE_VALUES, sizes->decoder_channels);
}

static void make_mesh_decoder(struct maker *m, const struct tess_synthetic_sizes *sizes)
{
    size_t C = sizes->decoder_channels;
    const size_t widths[] = {C, C / 4, C / 8};
    add_torso(m, sizes, "SLatMeshDecoder", "\"use_color\": true");
    for (int i = 0; i < 2; i++) {
        enter(m, "upsample.%d.", i);
        add_norm(m, "act_layers.0", widths[i]);
        add_sparse(m, "out_layers.0.conv", widths[i + 1], 3, widths[i]);
        add_norm(m, "out_layers.1", widths[i + 1]);
        add_sparse(m, "out_layers.3.conv", widths[i + 1], 3, widths[i + 1]);
        add_sparse(m, "skip_connection.conv", widths[i + 1], 1, widths[i]);
    }
    enter(m, "%s", "");
    add_linear(m, TESS_F32, "out_layer", MESH_VALUES, widths[2]);
}

// ---- the image encoder ----

static void make_encoder(struct maker *m, const struct tess_synthetic_sizes *sizes)
{
    size_t C = sizes->encoder_channels, side = sizes->picture / PATCH;
    add(m, TESS_F32, "cls_token", "", 3, (const size_t[]){1, 1, C});
    add(m, TESS_F32, "pos_embed", "", 3, (const size_t[]){1, 1 + side * side, C});
    add(m, TESS_F32, "register_tokens", "", 3, (const size_t[]){1, REGISTERS, C});
    add(m, TESS_F32, "mask_token", "", 2, (const size_t[]){1, C});
    add_layer(m, TESS_F32, "patch_embed.proj", 4, (const size_t[]){C, 3, PATCH, PATCH});
    for (size_t i = 0; i < sizes->encoder_depth; i++) {
        enter(m, "blocks.%zu.", i);
        add_norm(m, "norm1", C);
        add_linear(m, TESS_F32, "attn.qkv", 3 * C, C);
        add_linear(m, TESS_F32, "attn.proj", C, C);
        add(m, TESS_F32, "ls1", "gamma", 1, &C);
        add_norm(m, "norm2", C);
        add_linear(m, TESS_F32, "mlp.fc1", 4 * C, C);
        add_linear(m, TESS_F32, "mlp.fc2", C, 4 * C);
        add(m, TESS_F32, "ls2", "gamma", 1, &C);
    }
    enter(m, "%s", "");
    add_norm(m, "norm", C);
}

// ---- all ----

// As published: F32 before F16, by name.
static int compare_tensors(const void *a, const void *b)
{
    const struct tess_file_tensor *one = a, *other = b;
    int order = (int)one->dtype - (int)other->dtype;
    return order ? order : strcmp(one->name, other->name);
}

enum tess_status
tess_synthetic_layout(struct tess_synthetic_network networks[TESS_SYNTHETIC_NETWORKS],
                      struct tess_env *env, const struct tess_synthetic_sizes *sizes)
{
    static const struct {
        const char *name, *role;
        void (*make)(struct maker *m, const struct tess_synthetic_sizes *sizes);
    } all[TESS_SYNTHETIC_NETWORKS] = {
        {"ss_flow_img_dit_L_16l8_fp16", "sparse_structure_flow_model",
         make_structure_flow},
        {"ss_dec_conv3d_16l8_fp16", "sparse_structure_decoder", make_structure_decoder},
        {"slat_flow_img_dit_L_64l8p2_fp16", "slat_flow_model", make_latent_flow},
        {"slat_dec_gs_swin8_B_64l8gs32_fp16", "slat_decoder_gs", make_gaussian_decoder},
        {"slat_dec_rf_swin8_B_64l8r16_fp16", "slat_decoder_rf", make_radiance_decoder},
        {"slat_dec_mesh_swin8_B_64l8m256c_fp16", "slat_decoder_mesh", make_mesh_decoder},
        {"dinov2_vitl14_reg4_pretrain", NULL, make_encoder},
    };
    enum tess_status status = TESS_OK;
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++) {
        networks[i] = (struct tess_synthetic_network){all[i].name, all[i].role};
        struct maker maker = {.network = &networks[i], .env = env, .status = status};
        all[i].make(&maker, sizes);
        status = maker.status;
        if (!status)
            qsort(networks[i].tensors, networks[i].count, sizeof *networks[i].tensors,
                  compare_tensors);
    }
    return status;
}

void tess_synthetic_free(struct tess_synthetic_network networks[TESS_SYNTHETIC_NETWORKS])
{
    for (int i = 0; i < TESS_SYNTHETIC_NETWORKS; i++) {
        for (size_t k = 0; k < networks[i].count; k++)
            free((char *)(uintptr_t)networks[i].tensors[k].name);
        free(networks[i].config);
        free(networks[i].tensors);
        networks[i] = (struct tess_synthetic_network){0};
    }
}

const struct tess_synthetic_sizes *tess_synthetic_sizes(enum tess_model_size size)
{
    static const struct tess_synthetic_sizes sizes[] = {
        [TESS_MODEL_FULL] = {.structure_resolution = 16,
                             .resolution = 64,
                             .flow_channels = 1024,
                             .flow_blocks = 24,
                             .io_channels = 128,
                             .decoder_channels = 768,
                             .decoder_blocks = 12,
                             .window = 8,
                             .structure_channels = {512, 128, 32},
                             .encoder_channels = 1024,
                             .encoder_depth = 24,
                             .picture = 518},
        [TESS_MODEL_TINY] = {.structure_resolution = 4,
                             .resolution = 16,
                             .flow_channels = 128,
                             .flow_blocks = 2,
                             .io_channels = 32,
                             .decoder_channels = 256,
                             .decoder_blocks = 2,
                             .window = 4,
                             .structure_channels = {64, 32, 16},
                             .encoder_channels = 128,
                             .encoder_depth = 2,
                             .picture = 70},
    };
    return &sizes[size];
}
