// The structured latents' decoders in plain C with double sums, as the networks are
// defined: no tiles, no minimal filtering, every copy made. For small sizes only.
#ifndef DECODER_REFERENCE_H
#define DECODER_REFERENCE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/latent.h"
#include "io/safetensors.h"
#include "model/config.h"

// Values of a tensor as doubles.
static inline double *ref_values(const struct tess_safetensors *file, const char *name)
{
    const struct tess_file_tensor *tensor = tess_safetensors_find(file, name);
    float *floats = malloc(tensor->elements * sizeof *floats);
    double *values = malloc(tensor->elements * sizeof *values);
    tess_file_tensor_floats(floats, tensor);
    for (size_t i = 0; i < tensor->elements; i++)
        values[i] = floats[i];
    free(floats);
    return values;
}

static inline double *ref_layer_values(const struct tess_safetensors *file,
                                       const char *layer, const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", layer, suffix);
    return ref_values(file, name);
}

// y [rows][N] = x [rows][K] W^T + b
static inline double *ref_linear(const struct tess_safetensors *file, const char *layer,
                                 const double *x, size_t rows, size_t N, size_t K)
{
    double *W = ref_layer_values(file, layer, "weight"),
           *b = ref_layer_values(file, layer, "bias");
    double *y = malloc(rows * N * sizeof *y);
    for (size_t r = 0; r < rows; r++)
        for (size_t n = 0; n < N; n++) {
            double sum = b[n];
            for (size_t k = 0; k < K; k++)
                sum += x[r * K + k] * W[n * K + k];
            y[r * N + n] = sum;
        }
    free(W);
    free(b);
    return y;
}

static inline double *ref_layernorm(const double *x, size_t rows, size_t C, double eps)
{
    double *y = malloc(rows * C * sizeof *y);
    for (size_t r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (size_t c = 0; c < C; c++)
            mean += x[r * C + c] / (double)C;
        for (size_t c = 0; c < C; c++)
            variance += (x[r * C + c] - mean) * (x[r * C + c] - mean) / (double)C;
        for (size_t c = 0; c < C; c++)
            y[r * C + c] = (x[r * C + c] - mean) / sqrt(variance + eps);
    }
    return y;
}

static inline void ref_add(double *x, double *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] += y[i];
    free(y);
}

static inline bool ref_same_window(const struct tess_latent *latent, size_t a, size_t b,
                                   uint32_t size, uint32_t shift)
{
    for (size_t axis = 0; axis < 3 && size; axis++)
        if (((uint32_t)latent->coords[3 * a + axis] + shift) / size !=
            ((uint32_t)latent->coords[3 * b + axis] + shift) / size)
            return false;
    return true;
}

static inline double *ref_attention(const struct tess_latent *latent, const double *qkv,
                                    const struct tess_slat_decoder_config *config,
                                    uint32_t shift)
{
    size_t N = latent->voxels, C = config->channels, H = config->heads, D = C / H;
    double *out = calloc(N * C, sizeof *out), *p = malloc(N * sizeof *p);
    for (size_t q = 0; q < N; q++)
        for (size_t h = 0; h < H; h++) {
            double total = 0, top = -1e300;
            for (size_t k = 0; k < N; k++) {
                p[k] = -1e301;
                if (!ref_same_window(latent, q, k, config->window_size, shift))
                    continue;
                p[k] = 0;
                for (size_t d = 0; d < D; d++)
                    p[k] += qkv[q * 3 * C + h * D + d] * qkv[k * 3 * C + C + h * D + d];
                p[k] /= sqrt((double)D);
                top = fmax(top, p[k]);
            }
            for (size_t k = 0; k < N; k++)
                total += p[k] = exp(p[k] - top);
            for (size_t k = 0; k < N; k++)
                for (size_t d = 0; d < D; d++)
                    out[q * C + h * D + d] +=
                        p[k] / total * qkv[k * 3 * C + 2 * C + h * D + d];
        }
    free(p);
    return out;
}

static inline double *ref_torso(const struct tess_safetensors *file,
                                const struct tess_slat_decoder_config *config,
                                const struct tess_latent *latent)
{
    size_t N = latent->voxels, C = config->channels, F = C / 3 / 2;
    double *x = malloc(N * latent->channels * sizeof *x);
    for (size_t i = 0; i < N * latent->channels; i++)
        x[i] = latent->feats[i];
    double *h = ref_linear(file, "input_layer", x, N, C, latent->channels);
    free(x);
    for (size_t i = 0; i < N; i++)
        for (size_t c = 0; c < 6 * F; c++) {
            double angle = latent->coords[3 * i + c / (2 * F)] *
                           pow(10000, -(double)(c % F) / (double)F);
            h[i * C + c] += c % (2 * F) < F ? sin(angle) : cos(angle);
        }
    for (unsigned block = 0; block < config->blocks; block++) {
        char name[64];
        double *u = ref_layernorm(h, N, C, 1e-6);
        snprintf(name, sizeof name, "blocks.%u.attn.to_qkv", block);
        double *qkv = ref_linear(file, name, u, N, 3 * C, C);
        double *a =
            ref_attention(latent, qkv, config, block % 2 * (config->window_size / 2));
        snprintf(name, sizeof name, "blocks.%u.attn.to_out", block);
        ref_add(h, ref_linear(file, name, a, N, C, C), N * C);
        free(u);
        free(qkv);
        free(a);
        u = ref_layernorm(h, N, C, 1e-6);
        snprintf(name, sizeof name, "blocks.%u.mlp.mlp.0", block);
        double *hidden = ref_linear(file, name, u, N, config->hidden, C);
        for (size_t i = 0; i < N * config->hidden; i++) {
            double v = hidden[i];
            hidden[i] = 0.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
        }
        snprintf(name, sizeof name, "blocks.%u.mlp.mlp.2", block);
        ref_add(h, ref_linear(file, name, hidden, N, C, config->hidden), N * C);
        free(u);
        free(hidden);
    }
    return h;
}

// ---- mesh decoder ----

// Voxels at some level: rows in the order parent, octant.
struct ref_grid {
    size_t count;
    int32_t *coords;
};

static inline struct ref_grid ref_subdivide(struct ref_grid grid)
{
    struct ref_grid fine = {8 * grid.count, malloc(24 * grid.count * sizeof(int32_t))};
    for (size_t i = 0; i < fine.count; i++)
        for (size_t axis = 0; axis < 3; axis++)
            fine.coords[3 * i + axis] =
                2 * grid.coords[3 * (i / 8) + axis] + (int32_t)(i >> (2 - axis) & 1);
    return fine;
}

static inline double *ref_repeat(const double *x, size_t rows, size_t C)
{
    double *y = malloc(8 * rows * C * sizeof *y);
    for (size_t i = 0; i < 8 * rows; i++)
        memcpy(y + i * C, x + i / 8 * C, C * sizeof *y);
    return y;
}

// silu(group norm(x)), 32 groups
static inline double *ref_norm_silu(const struct tess_safetensors *file,
                                    const char *layer, const double *x, size_t rows,
                                    size_t C)
{
    double *w = ref_layer_values(file, layer, "weight"),
           *b = ref_layer_values(file, layer, "bias");
    double *y = malloc(rows * C * sizeof *y);
    size_t width = C / 32;
    for (size_t g = 0; g < 32; g++) {
        double mean = 0, variance = 0, count = (double)(rows * width);
        for (size_t i = 0; i < rows * width; i++)
            mean += x[i / width * C + g * width + i % width] / count;
        for (size_t i = 0; i < rows * width; i++) {
            double d = x[i / width * C + g * width + i % width] - mean;
            variance += d * d / count;
        }
        for (size_t i = 0; i < rows * width; i++) {
            size_t c = g * width + i % width, at = i / width * C + c;
            double v = (x[at] - mean) / sqrt(variance + 1e-5) * w[c] + b[c];
            y[at] = v / (1 + exp(-v));
        }
    }
    free(w);
    free(b);
    return y;
}

static inline double *ref_conv(const struct tess_safetensors *file, const char *layer,
                               struct ref_grid grid, const double *x, size_t N, size_t K)
{
    double *W = ref_layer_values(file, layer, "weight"),
           *b = ref_layer_values(file, layer, "bias");
    double *y = malloc(grid.count * N * sizeof *y);
    for (size_t r = 0; r < grid.count; r++)
        for (size_t n = 0; n < N; n++)
            y[r * N + n] = b[n];
    for (size_t r = 0; r < grid.count; r++)
        for (size_t s = 0; s < grid.count; s++) {
            const int32_t *p = grid.coords + 3 * r, *q = grid.coords + 3 * s;
            int32_t dx = q[0] - p[0] + 1, dy = q[1] - p[1] + 1, dz = q[2] - p[2] + 1;
            if (dx < 0 || dx > 2 || dy < 0 || dy > 2 || dz < 0 || dz > 2)
                continue;
            size_t tap = (size_t)(dx * 9 + dy * 3 + dz);
            for (size_t n = 0; n < N; n++)
                for (size_t k = 0; k < K; k++)
                    y[r * N + n] += x[s * K + k] * W[(n * 27 + tap) * K + k];
        }
    free(W);
    free(b);
    return y;
}

// The flat buffer of the weight is [K][N].
static inline double *ref_skip(const struct tess_safetensors *file, const char *layer,
                               const double *x, size_t rows, size_t N, size_t K)
{
    double *W = ref_layer_values(file, layer, "weight"),
           *b = ref_layer_values(file, layer, "bias");
    double *y = malloc(rows * N * sizeof *y);
    for (size_t r = 0; r < rows; r++)
        for (size_t n = 0; n < N; n++) {
            double sum = b[n];
            for (size_t k = 0; k < K; k++)
                sum += x[r * K + k] * W[k * N + n];
            y[r * N + n] = sum;
        }
    free(W);
    free(b);
    return y;
}

// Features of all cubes, [64 N][columns], and in *out their grid.
static inline double *ref_mesh_head(const struct tess_safetensors *file,
                                    const struct tess_slat_decoder_config *config,
                                    const struct tess_latent *latent,
                                    const double *features, size_t columns)
{
    struct ref_grid grid = {latent->voxels, malloc(latent->voxels * 3 * sizeof(int32_t))};
    memcpy(grid.coords, latent->coords, latent->voxels * 3 * sizeof(int32_t));
    size_t K = config->channels;
    double *x = malloc(grid.count * K * sizeof *x);
    memcpy(x, features, grid.count * K * sizeof *x);
    for (unsigned level = 0; level < 2; level++) {
        size_t N = config->channels / (level ? 8 : 4);
        char name[64];
        struct ref_grid fine = ref_subdivide(grid);
        snprintf(name, sizeof name, "upsample.%u.act_layers.0", level);
        double *a = ref_norm_silu(file, name, x, grid.count, K);
        double *up = ref_repeat(a, grid.count, K), *copies = ref_repeat(x, grid.count, K);
        snprintf(name, sizeof name, "upsample.%u.out_layers.0.conv", level);
        double *u = ref_conv(file, name, fine, up, N, K);
        snprintf(name, sizeof name, "upsample.%u.out_layers.1", level);
        double *v = ref_norm_silu(file, name, u, fine.count, N);
        snprintf(name, sizeof name, "upsample.%u.out_layers.3.conv", level);
        double *y = ref_conv(file, name, fine, v, N, N);
        snprintf(name, sizeof name, "upsample.%u.skip_connection.conv", level);
        ref_add(y, ref_skip(file, name, copies, fine.count, N, K), fine.count * N);
        free(a);
        free(up);
        free(copies);
        free(u);
        free(v);
        free(x);
        free(grid.coords);
        x = y;
        grid = fine;
        K = N;
    }
    double *feats = ref_linear(file, "out_layer", x, grid.count, columns, K);
    free(x);
    free(grid.coords);
    return feats;
}

#endif
