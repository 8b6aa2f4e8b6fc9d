// The program's own table of shapes, and what follows from it.
#include "rt/tuning.h"

#include <stdio.h>
#include <string.h>

#include "rt/opencl.h"

// PCI's numbers of vendors, which OpenCL tells as CL_DEVICE_VENDOR_ID. Only defaults
// depend on them.
#define VENDOR_INTEL  0x8086u
#define VENDOR_AMD    0x1002u
#define VENDOR_NVIDIA 0x10deu

// Measured on CPUs. For GPUs argued so far: local memory gives 32 floats a clock to what
// does 64 (AMD) or 128 (Intel, NVIDIA) multiply-adds in that time, so that more results
// in a work-item's registers mean less waiting; 8 x 4 of them (128 rows a group) take 12
// floats for 32 multiply-adds, 4 x 4 take 8 for 16. On Intel's GPUs, with 128 registers a
// thread, a thread has 16 work-items of 4 x 4 results and only 8 of 8 x 4, by ocloc; both
// without spills.
const struct tess_tuned_parameter tess_tuned_parameters[TESS_TUNED_COUNT] = {
    [TESS_TUNED_ELEMENT_COLUMNS] = {"element.columns", .cpu = {8, 16, 32, 64, 128, 256},
                                    .gpu = {8, 16, 32, 64, 128, 256},
                                    .defaults = {32, 32, 32, 32, 32}},
    [TESS_TUNED_PRODUCT_ROWS] = {"product.rows", .cpu = {8, 16, 32, 64, 128},
                                 .gpu = {64, 128}, .defaults = {128, 64, 64, 128, 128}},
    [TESS_TUNED_PRODUCT_PANELS] = {"product.panels", .cpu = {1, 2, 4, 8}, .gpu = {2, 4},
                                   .defaults = {4, 2, 2, 2, 2}},
    [TESS_TUNED_PRODUCT_DEPTH] = {"product.depth", .cpu = {16, 32, 64, 128, 256},
                                  .gpu = {8, 16, 32}, .defaults = {128, 16, 16, 16, 16}},
    [TESS_TUNED_CONVOLUTION_ROWS] = {"convolution.rows", .cpu = {8, 16, 32, 64, 128},
                                     .gpu = {64, 128},
                                     .defaults = {64, 64, 64, 128, 128}},
    [TESS_TUNED_CONVOLUTION_PANELS] = {"convolution.panels", .cpu = {1, 2, 4, 8},
                                       .gpu = {2, 4}, .defaults = {4, 2, 2, 2, 2}},
    [TESS_TUNED_CONVOLUTION_DEPTH] = {"convolution.depth", .cpu = {16, 32, 64, 128, 256},
                                      .gpu = {8, 16, 32},
                                      .defaults = {128, 16, 16, 16, 16}},
    [TESS_TUNED_ATTENTION_QUERIES] = {"attention.queries", .cpu = {64, 128, 256, 512},
                                      .gpu = {64, 128},
                                      .defaults = {256, 64, 64, 64, 64}},
    [TESS_TUNED_ATTENTION_DEPTH] = {"attention.depth", .gpu = {16, 32},
                                    .defaults = {0, 16, 16, 16, 16}},
};

const uint32_t *tess_tuned_values(enum tess_tuned parameter, enum tess_variant variant)
{
    const struct tess_tuned_parameter *row = &tess_tuned_parameters[parameter];
    return variant == TESS_VARIANT_CPU ? row->cpu : row->gpu;
}

struct tess_tuning tess_tuning_default(const struct tess_device_info *info,
                                       enum tess_variant variant)
{
    struct tess_tuning tuning;
    for (int i = 0; i < TESS_TUNED_COUNT; i++) {
        const struct tess_tuned_defaults *defaults = &tess_tuned_parameters[i].defaults;
        tuning.values[i] = variant == TESS_VARIANT_CPU        ? defaults->cpu
                           : !info->gpu                       ? defaults->other
                           : info->vendor_id == VENDOR_INTEL  ? defaults->intel
                           : info->vendor_id == VENDOR_AMD    ? defaults->amd
                           : info->vendor_id == VENDOR_NVIDIA ? defaults->nvidia
                                                              : defaults->other;
    }
    return tuning;
}

// As declared in cl/matmul.cl: a part of the input with 4 floats between its lines, and a
// part of the weights.
static size_t product_bytes(uint32_t rows, uint32_t panels, uint32_t depth)
{
    return sizeof(float) * depth * (rows + 4 + 32 * panels);
}

// As declared in cl/attention.cl: parts of two factors, what a query's 16 work-items
// leave for each other, and four, one and one values of each query.
static size_t attention_bytes(uint32_t queries, uint32_t depth)
{
    return sizeof(float) * (depth * (queries + 4 + 64 + 4) + 64 * 16 + queries * 6);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t tess_tuning_local_bytes(const struct tess_tuning *tuning,
                               enum tess_variant variant)
{
    const uint32_t *v = tuning->values;
    if (variant == TESS_VARIANT_CPU)
        return 0;
    size_t linear =
               product_bytes(v[TESS_TUNED_PRODUCT_ROWS], v[TESS_TUNED_PRODUCT_PANELS],
                             v[TESS_TUNED_PRODUCT_DEPTH]),
           conv = product_bytes(v[TESS_TUNED_CONVOLUTION_ROWS],
                                v[TESS_TUNED_CONVOLUTION_PANELS],
                                v[TESS_TUNED_CONVOLUTION_DEPTH]);
    return larger(larger(linear, conv), attention_bytes(v[TESS_TUNED_ATTENTION_QUERIES],
                                                        v[TESS_TUNED_ATTENTION_DEPTH]));
}

void tess_tuning_product_defines(char *text, size_t size,
                                 const struct tess_tuning *tuning, bool convolution)
{
    const uint32_t *v = tuning->values + (convolution ? TESS_TUNED_CONVOLUTION_ROWS
                                                      : TESS_TUNED_PRODUCT_ROWS);
    snprintf(text, size, "-DROWS=%u -DPANELS=%u -DDEPTH=%u", v[0], v[1], v[2]);
}

void tess_tuning_attention_defines(char *text, size_t size,
                                   const struct tess_tuning *tuning,
                                   enum tess_variant variant, uint32_t queries)
{
    const uint32_t *v = tuning->values;
    if (variant == TESS_VARIANT_CPU)
        snprintf(text, size, "-DQUERIES=%u", queries);
    else
        snprintf(text, size, "-DQUERIES=%u -DDEPTH=%u", queries,
                 v[TESS_TUNED_ATTENTION_DEPTH]);
}

// On GPUs the queries of a group share its keys, so they have to be of one run; a short
// one has hardly more than the 64 that fewer registers do.
uint32_t tess_tuning_attention_queries(const struct tess_tuning *tuning,
                                       enum tess_variant variant, bool many_runs)
{
    bool least = many_runs && variant == TESS_VARIANT_GPU;
    return least ? *tess_tuned_values(TESS_TUNED_ATTENTION_QUERIES, variant)
                 : tuning->values[TESS_TUNED_ATTENTION_QUERIES];
}

const struct tess_tuning *tess_device_tuning(const struct tess_device *dev)
{
    return &dev->tuning;
}

void tess_device_set_tuning(struct tess_device *dev, const struct tess_tuning *tuning)
{
    dev->tuning = *tuning;
}

enum tess_tuning_source tess_device_tuning_source(const struct tess_device *dev)
{
    return dev->tuning_source;
}

const char *tess_device_tuning_path(const struct tess_device *dev)
{
    return dev->tuning_path;
}
