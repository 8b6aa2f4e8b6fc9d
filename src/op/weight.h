// Weights on their way from a mapped file to the device, packed for tess_matmul().
//
// A block is what is used together. tess_weights_use() brings a block to the device;
// where the plan allows, the next block follows while this one is used, and at most two
// are there at a time.
#ifndef TESS_WEIGHT_H
#define TESS_WEIGHT_H

#include "mem/ring.h"
#include "rt/matrix_unit.h"

enum tess_weight_layout {
    TESS_WEIGHT_MATRIX,     // [outputs][inputs]
    TESS_WEIGHT_TRANSPOSED, // [inputs][outputs], however the file declares it
    TESS_WEIGHT_CONV,       // [outputs][27][inputs]
    TESS_WEIGHT_CONV_DENSE, // [outputs][inputs][27]
    // [outputs][27][inputs], for op/winograd.h: 64 matrices; of voxels that are doubled,
    // 27.
    TESS_WEIGHT_WINOGRAD,
    TESS_WEIGHT_WINOGRAD_DOUBLED,
    TESS_WEIGHT_VECTOR, // [outputs]
};

// A tensor in host memory that stays there: usually mapped.
struct tess_weight_source {
    const void *data;
    enum tess_dtype dtype; // F32 or F16; a vector may be any float type
    enum tess_weight_layout layout;
    uint32_t outputs, inputs;
};

#define TESS_WEIGHT_PARTS  32
#define TESS_BLOCK_WEIGHTS 16

// Places along an axis for op/winograd.h, 4 or 3; else 1.
size_t tess_weight_places(enum tess_weight_layout layout);
// Matrices that a weight becomes, one for each place of the three axes.
size_t tess_weight_products(enum tess_weight_layout layout);

// The same on the device. Matrices keep their dtype but for op/winograd.h, where they are
// F32, as sums of taps need the bits. Vectors are F32. A matrix that is large beside the
// largest buffer lies in several parts, each with `part_outputs` outputs, the last with
// the rest. With a matrix unit that takes them, matrices are in pieces of bfloat16
// (cl/pieces.clh), as many as keep all bits where the unit has three, or quantised
// (cl/quantised.clh), unless they are transposed, for op/winograd.h, or have more inputs
// than tess_matmul_quantised_inputs(); inputs are padded to 32.
struct tess_weight {
    struct tess_slice data; // of a vector
    struct tess_slice parts[TESS_WEIGHT_PARTS];
    size_t part_count;
    uint32_t part_outputs;
    enum tess_dtype dtype;
    enum tess_weight_layout layout;
    enum tess_factors factors; // never halves, which are the kernel's
    uint32_t outputs, inputs;
    unsigned pieces; // 0: none
};

struct tess_weight_block {
    struct tess_weight_source items[TESS_BLOCK_WEIGHTS];
    size_t count;
};

struct tess_weights;

// `blocks` must outlive it. All of them are used `rounds` times, one round after the
// other; with several rounds they stay on the device where the plan has room for all.
enum tess_status tess_weights_create(struct tess_weights **out, struct tess_stage *stage,
                                     const struct tess_weight_block *blocks, size_t count,
                                     size_t rounds);
void tess_weights_destroy(struct tess_weights **weights);

// *items: the weights of block `index`, in order, valid until the next call. Blocks are
// used in ascending order.
enum tess_status tess_weights_use(const struct tess_weight **items,
                                  struct tess_weights *weights, size_t index);

// The next round is left out.
void tess_weights_skip_round(struct tess_weights *weights);

#endif
