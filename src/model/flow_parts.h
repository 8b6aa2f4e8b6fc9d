// Inside src/model: what the files of the flow models share.
#ifndef TESS_FLOW_PARTS_H
#define TESS_FLOW_PARTS_H

#include "model/flow.h"
#include "model/transformer.h"
#include "model/voxels.h"

#define TESS_FLOW_TIME_CHANNELS 256 // of the embedding of a time

// A residual block of the sparse model: its place among the modulations, and its sizes.
struct tess_res_block {
    uint32_t inputs, outputs;
    bool down, up; // before anything else
};

struct tess_flow {
    struct tess_flow_config config;
    struct tess_checkpoint *file;
    uint64_t parameters, bytes;
    // In order of use: input layer, residual blocks, transformer blocks, residual blocks,
    // output.
    struct tess_weight_block *blocks;
    size_t block_count;
    struct tess_weight_block
        *modulation; // one for each block that is modulated, in that order
    size_t modulation_count;
    struct tess_weight_block *condition; // to_kv of each transformer block
    float **value_bias; // [blocks]: [C] each, the values' half of to_kv's bias
    struct tess_res_block *res_blocks; // in, then out
    size_t res_count;
    float *time_weight[2], *time_bias[2];     // [C][256], [C][C]
    const struct tess_file_tensor *positions; // dense: [M][C]
};

// An item at work.
struct tess_flow_sample {
    struct tess_flow_item item;
    size_t tokens;
    // Sparse only: the voxels, those of 2³ of them, and who belongs to whom.
    struct tess_voxels fine, coarse;
    uint32_t *parents;  // [fine.count]
    uint32_t *children; // [coarse.count][8]
};

struct tess_flow_job {
    struct tess_device *dev;
    const struct tess_flow *flow;
    struct tess_flow_params params;
    struct tess_flow_sample samples[TESS_SEQUENCES_MAX];
    size_t tokens_max; // of all runs of a step together
    float *times;      // [steps][C]: SiLU of the embedded times
    float *velocity;   // of all runs of a step, one after the other
};

// Items of blocks of weights, in order.
enum { TESS_FLOW_IN_WEIGHT, TESS_FLOW_IN_BIAS };
enum {
    TESS_FLOW_NORM2_WEIGHT,
    TESS_FLOW_NORM2_BIAS,
    TESS_FLOW_QKV_WEIGHT,
    TESS_FLOW_QKV_BIAS,
    TESS_FLOW_OUT_WEIGHT,
    TESS_FLOW_OUT_BIAS,
    TESS_FLOW_Q_WEIGHT,
    TESS_FLOW_Q_BIAS,
    TESS_FLOW_CROSS_WEIGHT,
    TESS_FLOW_CROSS_BIAS,
    TESS_FLOW_MLP0_WEIGHT,
    TESS_FLOW_MLP0_BIAS,
    TESS_FLOW_MLP2_WEIGHT,
    TESS_FLOW_MLP2_BIAS,
    TESS_FLOW_Q_GAMMA,
    TESS_FLOW_K_GAMMA
};
enum {
    TESS_RES_NORM_WEIGHT,
    TESS_RES_NORM_BIAS,
    TESS_RES_CONV1_WEIGHT,
    TESS_RES_CONV1_BIAS,
    TESS_RES_CONV2_WEIGHT,
    TESS_RES_CONV2_BIAS,
    TESS_RES_SKIP_WEIGHT,
    TESS_RES_SKIP_BIAS
};

// What a stage has at hand.
struct tess_flow_exec {
    struct tess_stage *stage;
    const struct tess_flow_job *job;
    struct tess_weights *weights;
    const struct tess_weight *items; // of the block in use
    size_t block;                    // its number
    float *modulation;               // [modulation_count][steps][width], host
    size_t modulation_width;         // of the widest
    struct tess_mat vectors[6];      // of the block in use
    struct tess_tensor **conditions; // [condition_count][blocks]
    struct tess_transformer transformer;
    struct tess_mat positions; // sparse: table
    const struct tess_flow_step *step;
    size_t step_index;
    const float *velocities[TESS_RUNS_MAX]; // of the step's runs
};

// The sample of a run of the step.
const struct tess_flow_sample *tess_flow_sample_of(const struct tess_flow_exec *exec,
                                                   size_t run);

// Bring the next block of weights.
enum tess_status tess_flow_next_block(struct tess_flow_exec *exec);
// Upload `count` vectors of the modulation of block `index` for this step into
// exec->vectors: 1 is added to those whose bit is set in `plus_one`.
enum tess_status tess_flow_modulate(struct tess_flow_exec *exec, size_t index,
                                    size_t count, size_t width, unsigned plus_one);

// The sparse model's parts before and after the transformer. `skips` [items][io_blocks]
// are made by the first and used up by the second, which makes outs [runs] of
// [N][io_channels].
enum tess_status tess_flow_run_inputs(struct tess_flow_exec *exec,
                                      struct tess_tensor **skips);
enum tess_status tess_flow_run_outputs(struct tess_flow_exec *exec,
                                       struct tess_tensor **skips,
                                       struct tess_tensor **outs);

// Channels of a token of the input, of the output.
uint32_t tess_flow_patch_channels(const struct tess_flow_config *config,
                                  uint32_t channels);

#endif
