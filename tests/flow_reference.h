// The networks from a picture to a latent in plain C with double sums, as they are
// defined: cross attention over conditions of zeros too, modulation in every step, every
// copy made. For small sizes only.
#ifndef FLOW_REFERENCE_H
#define FLOW_REFERENCE_H

#include "decoder_reference.h"
#include "model/flow_config.h"
#include "model/schedule.h"

static inline double *ref_copy(const float *x, size_t count)
{
    double *y = malloc(count * sizeof *y);
    for (size_t i = 0; i < count; i++)
        y[i] = x[i];
    return y;
}

static inline double ref_silu(double x)
{
    return x / (1 + exp(-x));
}

// x *= weight, x += bias, per channel; `one` is added to the weight.
static inline void ref_scale(double *x, size_t rows, size_t C, const double *weight,
                             double one, const double *bias)
{
    for (size_t i = 0; i < rows * C; i++)
        x[i] = x[i] * (one + weight[i % C]) + bias[i % C];
}

// Layer norm with the weights of `layer`.
static inline double *ref_norm(const struct tess_safetensors *file, const char *layer,
                               const double *x, size_t rows, size_t C, double eps)
{
    double *weight = ref_layer_values(file, layer, "weight"),
           *bias = ref_layer_values(file, layer, "bias");
    double *y = ref_layernorm(x, rows, C, eps);
    ref_scale(y, rows, C, weight, 0, bias);
    free(weight);
    free(bias);
    return y;
}

// softmax(q k^T / sqrt(D)) v: all queries over all keys, with rows of any length.
static inline double *ref_attend(const double *q, size_t q_stride, size_t queries,
                                 const double *k, const double *v, size_t kv_stride,
                                 size_t keys, size_t H, size_t D)
{
    double *out = calloc(queries * H * D, sizeof *out), *p = malloc(keys * sizeof *p);
    for (size_t i = 0; i < queries; i++)
        for (size_t h = 0; h < H; h++) {
            double total = 0, top = -1e300;
            for (size_t j = 0; j < keys; j++) {
                p[j] = 0;
                for (size_t d = 0; d < D; d++)
                    p[j] += q[i * q_stride + h * D + d] * k[j * kv_stride + h * D + d];
                p[j] /= sqrt((double)D);
                top = fmax(top, p[j]);
            }
            for (size_t j = 0; j < keys; j++)
                total += p[j] = exp(p[j] - top);
            for (size_t j = 0; j < keys; j++)
                for (size_t d = 0; d < D; d++)
                    out[(i * H + h) * D + d] +=
                        p[j] / total * v[j * kv_stride + h * D + d];
        }
    free(p);
    return out;
}

// ---- flow models ----

struct ref_flow {
    const struct tess_safetensors *file;
    const struct tess_flow_config *config;
    size_t condition_tokens;
};

// silu(t_emb) [C]. Frequencies and angles are fp32, as in the original: 1000 * 2^-24 of
// an angle is far more than the bound.
static inline double *ref_time(const struct ref_flow *net, double timestep)
{
    size_t C = net->config->channels;
    double e[256];
    for (int i = 0; i < 128; i++) {
        float angle = (float)timestep * (float)pow(10000, -i / 128.0);
        e[i] = cos(angle);
        e[128 + i] = sin(angle);
    }
    double *a = ref_linear(net->file, "t_embedder.mlp.0", e, 1, C, 256);
    for (size_t i = 0; i < C; i++)
        a[i] = ref_silu(a[i]);
    double *b = ref_linear(net->file, "t_embedder.mlp.2", a, 1, C, C);
    for (size_t i = 0; i < C; i++)
        b[i] = ref_silu(b[i]);
    free(a);
    return b;
}

static inline double *ref_prefixed(const struct ref_flow *net, const char *block,
                                   const char *layer, const double *x, size_t rows,
                                   size_t N, size_t K)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", block, layer);
    return ref_linear(net->file, name, x, rows, N, K);
}

// q / max(|q|, 1e-12) * gamma * sqrt(D) of the heads at column `col`
static inline void ref_normalise_heads(const struct ref_flow *net, const char *block,
                                       const char *layer, double *qkv, size_t rows,
                                       size_t col)
{
    char name[96];
    size_t C = net->config->channels, H = net->config->heads, D = C / H;
    snprintf(name, sizeof name, "%s.%s", block, layer);
    double *gamma = ref_layer_values(net->file, name, "gamma");
    for (size_t i = 0; i < rows * H; i++) {
        double *head = qkv + i / H * 3 * C + col + i % H * D, length = 0;
        for (size_t d = 0; d < D; d++)
            length += head[d] * head[d];
        length = fmax(sqrt(length), 1e-12);
        for (size_t d = 0; d < D; d++)
            head[d] *= gamma[i % H * D + d] * sqrt((double)D) / length;
    }
    free(gamma);
}

static inline double *ref_self_attention(const struct ref_flow *net, const char *block,
                                         const double *u, size_t rows)
{
    size_t C = net->config->channels, H = net->config->heads;
    double *qkv = ref_prefixed(net, block, "self_attn.to_qkv", u, rows, 3 * C, C);
    if (net->config->qk_rms_norm) {
        ref_normalise_heads(net, block, "self_attn.q_rms_norm", qkv, rows, 0);
        ref_normalise_heads(net, block, "self_attn.k_rms_norm", qkv, rows, C);
    }
    double *a = ref_attend(qkv, 3 * C, rows, qkv + C, qkv + 2 * C, 3 * C, rows, H, C / H);
    double *out = ref_prefixed(net, block, "self_attn.to_out", a, rows, C, C);
    free(qkv);
    free(a);
    return out;
}

static inline double *ref_cross_attention(const struct ref_flow *net, const char *block,
                                          const double *u, size_t rows,
                                          const double *condition)
{
    size_t C = net->config->channels, H = net->config->heads, T = net->condition_tokens;
    double *q = ref_prefixed(net, block, "cross_attn.to_q", u, rows, C, C);
    double *kv = ref_prefixed(net, block, "cross_attn.to_kv", condition, T, 2 * C,
                              net->config->cond_channels);
    double *a = ref_attend(q, C, rows, kv, kv + C, 2 * C, T, H, C / H);
    double *out = ref_prefixed(net, block, "cross_attn.to_out", a, rows, C, C);
    free(q);
    free(kv);
    free(a);
    return out;
}

static inline double *ref_feed_forward(const struct ref_flow *net, const char *block,
                                       const double *u, size_t rows)
{
    size_t C = net->config->channels, hidden = net->config->hidden;
    double *a = ref_prefixed(net, block, "mlp.mlp.0", u, rows, hidden, C);
    for (size_t i = 0; i < rows * hidden; i++)
        a[i] *= 0.5 * (1 + tanh(sqrt(2 / M_PI) * (a[i] + 0.044715 * a[i] * a[i] * a[i])));
    double *out = ref_prefixed(net, block, "mlp.mlp.2", a, rows, C, hidden);
    free(a);
    return out;
}

// h += gate * y; y is freed.
static inline void ref_add_gated(double *h, double *y, const double *gate, size_t rows,
                                 size_t C)
{
    for (size_t i = 0; i < rows * C; i++)
        h[i] += gate[i % C] * y[i];
    free(y);
}

static inline void ref_transformer(const struct ref_flow *net, double *h, size_t rows,
                                   const double *emb, const double *condition)
{
    size_t C = net->config->channels;
    for (unsigned i = 0; i < net->config->blocks; i++) {
        char block[64], name[96];
        snprintf(block, sizeof block, "blocks.%u", i);
        snprintf(name, sizeof name, "%s.norm2", block);
        // shift, scale, gate of attention, then of the feed-forward layers
        double *m = ref_prefixed(net, block, "adaLN_modulation.1", emb, 1, 6 * C, C);
        double *u = ref_layernorm(h, rows, C, 1e-6);
        ref_scale(u, rows, C, m + C, 1, m);
        ref_add_gated(h, ref_self_attention(net, block, u, rows), m + 2 * C, rows, C);
        free(u);
        u = ref_norm(net->file, name, h, rows, C, 1e-6);
        ref_add(h, ref_cross_attention(net, block, u, rows, condition), rows * C);
        free(u);
        u = ref_layernorm(h, rows, C, 1e-6);
        ref_scale(u, rows, C, m + 4 * C, 1, m + 3 * C);
        ref_add_gated(h, ref_feed_forward(net, block, u, rows), m + 5 * C, rows, C);
        free(u);
        free(m);
    }
}

// The voxel that column `part` of a token is of, in patches of p^3.
static inline size_t ref_patch_voxel(size_t token, size_t part, size_t p,
                                     size_t resolution)
{
    size_t side = resolution / p;
    size_t x = token / side / side * p + part / p / p;
    size_t y = token / side % side * p + part / p % p, z = token % side * p + part % p;
    return (x * resolution + y) * resolution + z;
}

// v [R^3][out_channels] of x [R^3][in_channels]
static inline double *ref_structure_flow(const struct ref_flow *net, const double *x,
                                         double timestep, const double *condition)
{
    const struct tess_flow_config *config = net->config;
    size_t R = config->resolution, p = config->patch_size, C = config->channels;
    size_t parts = p * p * p, M = R * R * R / parts;
    size_t in = config->in_channels, out = config->out_channels;
    double *tokens = malloc(M * in * parts * sizeof *tokens);
    for (size_t i = 0; i < M * in * parts; i++) {
        size_t token = i / (in * parts), channel = i / parts % in;
        tokens[i] = x[ref_patch_voxel(token, i % parts, p, R) * in + channel];
    }
    double *emb = ref_time(net, timestep);
    double *h = ref_linear(net->file, "input_layer", tokens, M, C, in * parts);
    ref_add(h, ref_values(net->file, "pos_emb"), M * C);
    ref_transformer(net, h, M, emb, condition);
    double *u = ref_layernorm(h, M, C, 1e-5);
    double *w = ref_linear(net->file, "out_layer", u, M, out * parts, C);
    double *v = malloc(R * R * R * out * sizeof *v);
    for (size_t i = 0; i < M * out * parts; i++) {
        size_t token = i / (out * parts), channel = i / parts % out;
        v[ref_patch_voxel(token, i % parts, p, R) * out + channel] = w[i];
    }
    free(tokens);
    free(emb);
    free(h);
    free(u);
    free(w);
    return v;
}

// ---- sparse ----

// A residual block after its going up or down.
static inline double *ref_res_block(const struct ref_flow *net, const char *block,
                                    struct ref_grid grid, const double *x, size_t N,
                                    size_t K, const double *emb)
{
    char name[96];
    double *m =
        ref_prefixed(net, block, "emb_layers.1", emb, 1, 2 * N, net->config->channels);
    snprintf(name, sizeof name, "%s.norm1", block);
    double *a = ref_norm(net->file, name, x, grid.count, K, 1e-6);
    for (size_t i = 0; i < grid.count * K; i++)
        a[i] = ref_silu(a[i]);
    snprintf(name, sizeof name, "%s.conv1.conv", block);
    double *u = ref_conv(net->file, name, grid, a, N, K);
    double *b = ref_layernorm(u, grid.count, N, 1e-6);
    ref_scale(b, grid.count, N, m, 1, m + N); // scale first here
    for (size_t i = 0; i < grid.count * N; i++)
        b[i] = ref_silu(b[i]);
    snprintf(name, sizeof name, "%s.conv2.conv", block);
    double *y = ref_conv(net->file, name, grid, b, N, N);
    if (N == K)
        for (size_t i = 0; i < grid.count * N; i++)
            y[i] += x[i];
    else
        ref_add(y, ref_prefixed(net, block, "skip_connection", x, grid.count, N, K),
                grid.count * N);
    free(m);
    free(a);
    free(u);
    free(b);
    return y;
}

// Parents in the order in which they are met; parent_of [grid.count].
static inline struct ref_grid ref_parents(size_t *parent_of, struct ref_grid grid)
{
    struct ref_grid coarse = {0, malloc(3 * grid.count * sizeof(int32_t))};
    for (size_t i = 0; i < grid.count; i++) {
        const int32_t *c = grid.coords + 3 * i;
        const int32_t at[3] = {c[0] / 2, c[1] / 2, c[2] / 2};
        size_t k = 0;
        while (k < coarse.count && memcmp(coarse.coords + 3 * k, at, sizeof at) != 0)
            k++;
        if (k == coarse.count)
            memcpy(coarse.coords + 3 * coarse.count++, at, sizeof at);
        parent_of[i] = k;
    }
    return coarse;
}

static inline double *ref_pool(const double *x, size_t rows, size_t C,
                               const size_t *parent_of, size_t parents)
{
    double *y = calloc(parents * C, sizeof *y), *divisor = malloc(parents * sizeof *y);
    for (size_t k = 0; k < parents; k++)
        divisor[k] = 1; // the original's mean counts what it adds to
    for (size_t i = 0; i < rows; i++) {
        divisor[parent_of[i]]++;
        for (size_t c = 0; c < C; c++)
            y[parent_of[i] * C + c] += x[i * C + c];
    }
    for (size_t i = 0; i < parents * C; i++)
        y[i] /= divisor[i / C];
    free(divisor);
    return y;
}

static inline void ref_add_positions(double *h, struct ref_grid grid, size_t C)
{
    size_t F = C / 3 / 2;
    for (size_t i = 0; i < grid.count; i++)
        for (size_t c = 0; c < 6 * F; c++) {
            double angle = grid.coords[3 * i + c / (2 * F)] *
                           pow(10000, -(double)(c % F) / (double)F);
            h[i * C + c] += c % (2 * F) < F ? sin(angle) : cos(angle);
        }
}

static inline double *ref_concat(const double *a, size_t A, const double *b, size_t B,
                                 size_t rows)
{
    double *y = malloc(rows * (A + B) * sizeof *y);
    for (size_t i = 0; i < rows; i++) {
        memcpy(y + i * (A + B), a + i * A, A * sizeof *y);
        memcpy(y + i * (A + B) + A, b + i * B, B * sizeof *y);
    }
    return y;
}

// The residual blocks after the transformer, of h [M][C]; skips [io_blocks] are freed.
static inline double *ref_latent_outputs(const struct ref_flow *net, struct ref_grid grid,
                                         const size_t *parent_of, size_t parents,
                                         double *h, double **skips, const double *emb)
{
    size_t C = net->config->channels, io = net->config->io_channels;
    char name[64];
    for (unsigned i = 0; i < net->config->io_blocks; i++) {
        double *skip = skips[net->config->io_blocks - 1 - i];
        size_t width = i ? io : C;
        double *x = ref_concat(h, width, skip, width, i ? grid.count : parents);
        if (i == 0) {
            double *up = malloc(grid.count * 2 * C * sizeof *up);
            for (size_t r = 0; r < grid.count; r++)
                memcpy(up + r * 2 * C, x + parent_of[r] * 2 * C, 2 * C * sizeof *up);
            free(x);
            x = up;
        }
        free(h);
        free(skip);
        snprintf(name, sizeof name, "out_blocks.%u", i);
        h = ref_res_block(net, name, grid, x, io, 2 * width, emb);
        free(x);
    }
    return h;
}

// v [count][out_channels] of x [count][in_channels]
static inline double *ref_latent_flow(const struct ref_flow *net, struct ref_grid grid,
                                      const double *x, double timestep,
                                      const double *condition)
{
    const struct tess_flow_config *config = net->config;
    size_t C = config->channels, io = config->io_channels, N = grid.count;
    size_t *parent_of = malloc(N * sizeof *parent_of);
    struct ref_grid coarse = ref_parents(parent_of, grid);
    double *emb = ref_time(net, timestep), *skips[8];
    double *h = ref_linear(net->file, "input_layer", x, N, io, config->in_channels);
    for (unsigned i = 0; i < config->io_blocks; i++) {
        char name[64];
        bool down = i + 1 == config->io_blocks;
        double *y = h;
        if (down) {
            y = ref_pool(h, N, io, parent_of, coarse.count);
            free(h);
        }
        snprintf(name, sizeof name, "input_blocks.%u", i);
        h = ref_res_block(net, name, down ? coarse : grid, y, down ? C : io, io, emb);
        free(y);
        size_t size = (down ? coarse.count * C : N * io) * sizeof *h;
        skips[i] = malloc(size);
        memcpy(skips[i], h, size);
    }
    ref_add_positions(h, coarse, C);
    ref_transformer(net, h, coarse.count, emb, condition);
    h = ref_latent_outputs(net, grid, parent_of, coarse.count, h, skips, emb);
    double *u = ref_layernorm(h, N, io, 1e-5);
    double *v = ref_linear(net->file, "out_layer", u, N, config->out_channels, io);
    free(parent_of);
    free(coarse.coords);
    free(emb);
    free(h);
    free(u);
    return v;
}

// One evaluation of either.
static inline double *ref_velocity(const struct ref_flow *net, struct ref_grid grid,
                                   const double *x, double timestep,
                                   const double *condition)
{
    return net->config->sparse ? ref_latent_flow(net, grid, x, timestep, condition)
                               : ref_structure_flow(net, x, timestep, condition);
}

// ---- structure decoder ----

// A dense convolution of a full grid R^3 in raster order; weights [N][K][3][3][3].
static inline double *ref_conv_dense(const struct tess_safetensors *file,
                                     const char *layer, size_t R, const double *x,
                                     size_t N, size_t K)
{
    double *W = ref_layer_values(file, layer, "weight"),
           *b = ref_layer_values(file, layer, "bias");
    double *y = malloc(R * R * R * N * sizeof *y);
    for (size_t r = 0; r < R * R * R; r++)
        for (size_t n = 0; n < N; n++) {
            double sum = b[n];
            for (size_t tap = 0; tap < 27; tap++) {
                // One too far, so that nothing is below zero.
                size_t X = r / R / R + tap / 9, Y = r / R % R + tap / 3 % 3,
                       Z = r % R + tap % 3;
                if (X < 1 || X > R || Y < 1 || Y > R || Z < 1 || Z > R)
                    continue;
                const double *from = x + (((X - 1) * R + Y - 1) * R + Z - 1) * K;
                for (size_t k = 0; k < K; k++)
                    sum += from[k] * W[(n * K + k) * 27 + tap];
            }
            y[r * N + n] = sum;
        }
    free(W);
    free(b);
    return y;
}

// conv(SiLU(LN(x)))
static inline double *ref_norm_conv(const struct tess_safetensors *file, const char *norm,
                                    const char *conv, size_t R, const double *x, size_t N,
                                    size_t K)
{
    double *u = ref_norm(file, norm, x, R * R * R, K, 1e-5);
    for (size_t i = 0; i < R * R * R * K; i++)
        u[i] = ref_silu(u[i]);
    double *y = ref_conv_dense(file, conv, R, u, N, K);
    free(u);
    return y;
}

static inline void ref_dense_block(const struct tess_safetensors *file, const char *block,
                                   size_t R, double *h, size_t C)
{
    char norm[96], conv[96];
    snprintf(norm, sizeof norm, "%s.norm1", block);
    snprintf(conv, sizeof conv, "%s.conv1", block);
    double *u = ref_norm_conv(file, norm, conv, R, h, C, C);
    snprintf(norm, sizeof norm, "%s.norm2", block);
    snprintf(conv, sizeof conv, "%s.conv2", block);
    ref_add(h, ref_norm_conv(file, norm, conv, R, u, C, C), R * R * R * C);
    free(u);
}

// Channel 8 c + 4 i + 2 j + k of (x, y, z) becomes channel c of (2x+i, 2y+j, 2z+k).
static inline double *ref_shuffle(const double *x, size_t R, size_t C)
{
    double *y = malloc(8 * R * R * R * C * sizeof *y);
    for (size_t r = 0; r < R * R * R; r++)
        for (size_t c = 0; c < 8 * C; c++) {
            size_t X = r / R / R * 2 + (c >> 2 & 1), Y = r / R % R * 2 + (c >> 1 & 1),
                   Z = r % R * 2 + (c & 1);
            y[((X * 2 * R + Y) * 2 * R + Z) * C + c / 8] = x[r * 8 * C + c];
        }
    return y;
}

// Logits [(R 2^(levels - 1))^3] of latents [R^3][latent_channels]
static inline double *
ref_structure_decoder(const struct tess_safetensors *file,
                      const struct tess_structure_decoder_config *config,
                      const double *latents, size_t R)
{
    const uint32_t *C = config->channels;
    char name[64];
    unsigned number = 0;
    double *h =
        ref_conv_dense(file, "input_layer", R, latents, C[0], config->latent_channels);
    for (unsigned i = 0; i < config->middle_blocks; i++) {
        snprintf(name, sizeof name, "middle_block.%u", i);
        ref_dense_block(file, name, R, h, C[0]);
    }
    for (unsigned level = 0; level < config->levels; level++) {
        for (unsigned i = 0; i < config->res_blocks; i++) {
            snprintf(name, sizeof name, "blocks.%u", number++);
            ref_dense_block(file, name, R, h, C[level]);
        }
        if (level + 1 == config->levels)
            break;
        snprintf(name, sizeof name, "blocks.%u.conv", number++);
        double *u = ref_conv_dense(file, name, R, h, 8 * C[level + 1], C[level]);
        free(h);
        h = ref_shuffle(u, R, C[level + 1]);
        free(u);
        R *= 2;
    }
    double *logits =
        ref_norm_conv(file, "out_layer.0", "out_layer.2", R, h, 1, C[config->levels - 1]);
    free(h);
    return logits;
}

// ---- image encoder ----

struct ref_encoder {
    const struct tess_safetensors *file;
    size_t side, channels, hidden, depth, registers; // side in patches
};

static inline double *ref_tokens(const struct ref_encoder *net, const double *picture)
{
    size_t C = net->channels, S = net->side, size = 14 * S, first = 1 + net->registers;
    double *W = ref_values(net->file, "patch_embed.proj.weight"),
           *b = ref_values(net->file, "patch_embed.proj.bias"),
           *token = ref_values(net->file, "cls_token"),
           *positions = ref_values(net->file, "pos_embed"),
           *registers = ref_values(net->file, "register_tokens");
    double *x = malloc((first + S * S) * C * sizeof *x);
    for (size_t c = 0; c < C; c++)
        x[c] = token[c] + positions[c];
    memcpy(x + C, registers, net->registers * C * sizeof *x);
    for (size_t p = 0; p < S * S; p++)
        for (size_t c = 0; c < C; c++) {
            double sum = b[c] + positions[(1 + p) * C + c];
            for (size_t k = 0; k < 3 * 14 * 14; k++)
                sum += W[c * 3 * 14 * 14 + k] *
                       picture[(k / 196 * size + p / S * 14 + k / 14 % 14) * size +
                               p % S * 14 + k % 14];
            x[(first + p) * C + c] = sum;
        }
    free(W);
    free(b);
    free(token);
    free(positions);
    free(registers);
    return x;
}

// x += gamma * layer(u); u is freed.
static inline void ref_add_layer(const struct ref_encoder *net, unsigned block,
                                 const char *layer, const char *gamma, double *x,
                                 double *u, size_t rows, size_t K)
{
    char name[96];
    size_t C = net->channels;
    snprintf(name, sizeof name, "blocks.%u.%s.gamma", block, gamma);
    double *scale = ref_values(net->file, name);
    snprintf(name, sizeof name, "blocks.%u.%s", block, layer);
    ref_add_gated(x, ref_linear(net->file, name, u, rows, C, K), scale, rows, C);
    free(scale);
    free(u);
}

// Tokens before the last norm, [1 + registers + side^2][C]
static inline double *ref_image_encoder(const struct ref_encoder *net,
                                        const double *picture)
{
    size_t C = net->channels, H = C / 64,
           rows = 1 + net->registers + net->side * net->side;
    double *x = ref_tokens(net, picture);
    for (unsigned i = 0; i < net->depth; i++) {
        char name[96];
        snprintf(name, sizeof name, "blocks.%u.norm1", i);
        double *u = ref_norm(net->file, name, x, rows, C, 1e-6);
        snprintf(name, sizeof name, "blocks.%u.attn.qkv", i);
        double *qkv = ref_linear(net->file, name, u, rows, 3 * C, C);
        free(u);
        u = ref_attend(qkv, 3 * C, rows, qkv + C, qkv + 2 * C, 3 * C, rows, H, 64);
        free(qkv);
        ref_add_layer(net, i, "attn.proj", "ls1", x, u, rows, C);
        snprintf(name, sizeof name, "blocks.%u.norm2", i);
        u = ref_norm(net->file, name, x, rows, C, 1e-6);
        snprintf(name, sizeof name, "blocks.%u.mlp.fc1", i);
        double *hidden = ref_linear(net->file, name, u, rows, net->hidden, C);
        free(u);
        for (size_t k = 0; k < rows * net->hidden; k++)
            hidden[k] *= 0.5 * (1 + erf(hidden[k] / sqrt(2)));
        ref_add_layer(net, i, "mlp.fc2", "ls2", x, hidden, rows, net->hidden);
    }
    return x;
}

#endif
