// Inside src/model: takes the tensors of a network out of its file, checks each, and puts
// what is used together into blocks of weights.
#ifndef TESS_COLLECTOR_H
#define TESS_COLLECTOR_H

#include "io/checkpoint.h"
#include "op/weight.h"

#define TESS_COLLECT_MATRICES (1u << TESS_F32 | 1u << TESS_F16)
#define TESS_COLLECT_FLOATS   (TESS_COLLECT_MATRICES | 1u << TESS_BF16)

// The file's name of a tensor, in place of name[size].
typedef void tess_rename_fn(char *name, size_t size);

struct tess_collector {
    struct tess_env *env;
    const struct tess_checkpoint *file;
    struct tess_weight_block *block; // where the next weights go
    char prefix[64];                 // of all names
    tess_rename_fn *rename;          // may be NULL
    uint64_t parameters, bytes;      // of what was taken so far
    char **names;
    size_t found, capacity;
};

// Find a tensor that must be there. TESS_ERR_FILE names it.
enum tess_status tess_collect(const struct tess_file_tensor **out,
                              struct tess_collector *collector, const char *name,
                              unsigned dtypes, int dims, const size_t *shape);

// A tensor, or one put together from several, into the block.
void tess_collector_add(struct tess_collector *collector,
                        const struct tess_file_tensor *tensor,
                        enum tess_weight_layout layout, uint32_t outputs,
                        uint32_t inputs);

// NAME.weight of the declared shape, then NAME.bias [outputs], into the block.
enum tess_status tess_collect_layer(struct tess_collector *collector, const char *name,
                                    enum tess_weight_layout layout, uint32_t outputs,
                                    uint32_t inputs, int dims, const size_t *declared);
enum tess_status tess_collect_linear(struct tess_collector *collector, const char *name,
                                     uint32_t outputs, uint32_t inputs);
// 3 x 3 x 3 sparse: [outputs][3][3][3][inputs]; TESS_WEIGHT_TRANSPOSED: 1 x 1 x 1, whose
// flat buffer is [inputs][outputs] though it is declared as the others are.
enum tess_status tess_collect_conv(struct tess_collector *collector, const char *name,
                                   enum tess_weight_layout layout, uint32_t outputs,
                                   uint32_t inputs);
// A vector of `count` values of any shape [dims], into the block.
enum tess_status tess_collect_vector(struct tess_collector *collector, const char *name,
                                     uint32_t count, int dims, const size_t *shape);
// NAME.weight and NAME.bias, [channels] each, into the block.
enum tess_status tess_collect_norm(struct tess_collector *collector, const char *name,
                                   uint32_t channels);
// A tensor as floats on the host, for free().
enum tess_status tess_collect_values(float **out, struct tess_collector *collector,
                                     const char *name, int dims, const size_t *shape);

// TESS_ERR_FILE if the file has a tensor that was not taken.
enum tess_status tess_collector_refuse_surplus(const struct tess_collector *collector);
void tess_collector_clear(struct tess_collector *collector);

#endif
