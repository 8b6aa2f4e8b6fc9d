// Inside src/pipeline: model directories of random weights, for benchmarks and tests.
#ifndef TESS_SYNTHETIC_H
#define TESS_SYNTHETIC_H

#include "io/file_tensor.h"

// A network: ckpts/NAME.safetensors, and ckpts/NAME.json of `config`. `role` as
// pipeline.json names it. The image encoder has neither role nor config.
struct tess_synthetic_network {
    const char *name, *role;
    char *config;
    struct tess_file_tensor *tensors; // without data; in the order of the published file
    size_t count, capacity;
};

// All sizes of all networks.
struct tess_synthetic_sizes {
    size_t structure_resolution, resolution; // of the structure's latents, of latents
    size_t flow_channels, flow_blocks, io_channels;
    size_t decoder_channels, decoder_blocks, window;
    size_t structure_channels[3];
    size_t encoder_channels, encoder_depth, picture;
};

enum { TESS_SYNTHETIC_NETWORKS = 7 };

// The networks of TRELLIS-image-large in these sizes; to be freed whatever the outcome.
enum tess_status
tess_synthetic_layout(struct tess_synthetic_network networks[TESS_SYNTHETIC_NETWORKS],
                      struct tess_env *env, const struct tess_synthetic_sizes *sizes);
void tess_synthetic_free(struct tess_synthetic_network networks[TESS_SYNTHETIC_NETWORKS]);
const struct tess_synthetic_sizes *tess_synthetic_sizes(enum tess_model_size size);

// Elements [first, first + count) of a tensor, in its dtype. They depend on the tensor's
// name and shape and on `sizes` only:
//
//   element i of tensor NAME is base + scale * v in float, then rounded to the dtype;
//   v = (splitmix64(fnv1a64(NAME) + i) >> 40) / 2^23 - 1, in [-1, 1);
//   matrices and convolutions have base 0 and scale sqrt(3 / inputs), halved in the
//   layers that make modulations; weights of norms 1 and 0.1; layer scales 0.1 and 0.01;
//   biases and tokens 0 and 0.02. pos_emb and offset_perturbation are what their formulas
//   say.
void tess_synthetic_values(void *dst, const struct tess_synthetic_sizes *sizes,
                           const struct tess_file_tensor *tensor, size_t first,
                           size_t count);

#endif
