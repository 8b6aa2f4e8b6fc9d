// Values of synthetic tensors. Each depends on its tensor's name and its own number only,
// so any part can be made without the rest.
#include <math.h>
#include <string.h>

#include "pipeline/synthetic.h"

static uint64_t hash_name(const char *name) // FNV-1a
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

// In [-1, 1). The generator is splitmix64 of Steele, Lea and Flood.
static float noise(uint64_t seed)
{
    uint64_t z = seed + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z = z ^ z >> 31;
    return (float)(int32_t)(z >> 40) / (float)(1 << 23) - 1.0f;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_token(const char *name)
{
    return ends_with(name, "cls_token") || ends_with(name, "pos_embed") ||
           ends_with(name, "register_tokens") || ends_with(name, "mask_token");
}

struct range {
    float base, scale;
};

static struct range range_of(const struct tess_file_tensor *tensor)
{
    const char *name = tensor->name;
    if (ends_with(name, "ls1.gamma") || ends_with(name, "ls2.gamma"))
        return (struct range){0.1f, 0.01f};
    bool norm = tensor->dims == 1 && strstr(name, "norm") && ends_with(name, "weight");
    if (norm || ends_with(name, "gamma"))
        return (struct range){1.0f, 0.1f};
    if (tensor->dims == 1 || is_token(name))
        return (struct range){0.0f, 0.02f};
    double inputs = (double)(tensor->elements / tensor->shape[0]);
    double scale = sqrt(3.0 / inputs);
    bool modulates = strstr(name, "adaLN") || strstr(name, "emb_layers");
    return (struct range){0.0f, (float)(modulates ? scale * 0.5 : scale)};
}

// ---- tensors that are formulas ----

// Sines and cosines of x, y, z, as many frequencies of each as go into the channels.
static float position_value(const struct tess_synthetic_sizes *sizes, size_t element)
{
    size_t C = sizes->flow_channels, R = sizes->structure_resolution;
    size_t frequencies = C / 6, column = element % C, row = element / C;
    if (column >= 6 * frequencies)
        return 0;
    const size_t place[3] = {row / R / R, row / R % R, row % R};
    size_t axis = column / (2 * frequencies), inside = column % (2 * frequencies);
    float exponent = (float)(inside % frequencies) / (float)frequencies;
    float angle = (float)place[axis] * (1.0f / powf(10000.0f, exponent));
    return inside < frequencies ? sinf(angle) : cosf(angle);
}

static double radical_inverse(uint32_t base, uint32_t number)
{
    double value = 0, weight = 1.0 / base;
    double inverse = weight;
    for (; number; number /= base, weight *= inverse)
        value += number % base * weight;
    return value;
}

// Hammersley points, in the units of the layer's output before tanh. 1.5: voxel_size.
static float offset_value(const struct tess_file_tensor *tensor, size_t element)
{
    uint32_t index = (uint32_t)(element / 3), axis = (uint32_t)(element % 3);
    float point = (float)(axis == 0 ? (double)index / (double)tensor->shape[0]
                                    : radical_inverse(axis + 1, index));
    return atanhf((point * 2 - 1) / 1.5f);
}

// ---- all ----

static void make_floats(float *dst, const struct tess_synthetic_sizes *sizes,
                        const struct tess_file_tensor *tensor, size_t first, size_t count)
{
    bool positions = strcmp(tensor->name, "pos_emb") == 0;
    bool offsets = strcmp(tensor->name, "offset_perturbation") == 0;
    struct range range = range_of(tensor);
    uint64_t seed = hash_name(tensor->name) + first;
    for (size_t i = 0; i < count; i++) {
        if (positions)
            dst[i] = position_value(sizes, first + i);
        else if (offsets)
            dst[i] = offset_value(tensor, first + i);
        else
            dst[i] = range.base + range.scale * noise(seed + i);
    }
}

void tess_synthetic_values(void *dst, const struct tess_synthetic_sizes *sizes,
                           const struct tess_file_tensor *tensor, size_t first,
                           size_t count)
{
    enum { PIECE = 1024 };
    float values[PIECE];
    for (size_t done = 0; done < count; done += PIECE) {
        size_t piece = count - done < PIECE ? count - done : PIECE;
        if (tensor->dtype == TESS_F32) {
            make_floats((float *)dst + done, sizes, tensor, first + done, piece);
            continue;
        }
        make_floats(values, sizes, tensor, first + done, piece);
        for (size_t i = 0; i < piece; i++)
            ((uint16_t *)dst)[done + i] = tess_float_to_half(values[i]);
    }
}
