// The flow models: networks that give the velocity from noise to data, of a dense grid of
// latents (the structure) or of latents on sparse voxels (Xiang et al. 2024, "Structured
// 3D Latents", section 3.3). Weights are mapped from the published files.
//
// M tokens, C channels, T condition tokens of Cc channels; x has rows of `in_channels`.
#ifndef TESS_FLOW_H
#define TESS_FLOW_H

#include "io/checkpoint.h"
#include "mem/stage.h"
#include "model/flow_config.h"
#include "model/transformer.h"

struct tess_flow;

// Open PATH.json and PATH.safetensors and check every tensor. TESS_ERR_FILE names file,
// tensor or field.
enum tess_status tess_flow_open(struct tess_flow **out, struct tess_env *env,
                                const char *path);
void tess_flow_close(struct tess_flow **flow);
const struct tess_flow_config *tess_flow_config(const struct tess_flow *flow);
uint64_t tess_flow_parameters(const struct tess_flow *flow);
uint64_t tess_flow_bytes(const struct tess_flow *flow);
const struct tess_checkpoint *tess_flow_file(const struct tess_flow *flow);

// What is sampled. Items of one job have nothing in common but the weights, which are
// read once for all of them.
struct tess_flow_item {
    const int32_t *coords; // sparse: [rows][3], distinct; dense: NULL, rows = resolution³
                           // in raster order
    size_t rows;
    float *x; // [rows][in_channels], the caller's
};

// One evaluation of the network, at a time: of items under conditions. Runs of one item
// share all up to the transformer; they follow one another, items in their order.
struct tess_flow_step {
    float timestep; // 1000 t
    size_t runs;
    struct tess_flow_run {
        int item;
        int condition; // its number, or -1: zeros
    } run[TESS_RUNS_MAX];
};

// Called after each step with the velocity of each run, [rows][out_channels]; may change
// the items' x for the next step.
typedef enum tess_status tess_velocity_fn(void *user, size_t step,
                                          const float *const *velocity);

struct tess_flow_params {
    const struct tess_flow_item *items;
    size_t item_count;       // at most TESS_SEQUENCES_MAX
    const float *conditions; // [condition_count][tokens][Cc]
    size_t condition_count, condition_tokens;
    const struct tess_flow_step *steps;
    size_t step_count;
    tess_velocity_fn *velocity;
    void *user;
};

// What tess_flow_stage() is run on. Params are copied, what they point to must stay.
struct tess_flow_job;
enum tess_status tess_flow_job_create(struct tess_flow_job **out, struct tess_device *dev,
                                      const struct tess_flow *flow,
                                      const struct tess_flow_params *params);
void tess_flow_job_destroy(struct tess_flow_job **job);

tess_stage_fn tess_flow_stage;
const char *tess_flow_stage_name(const struct tess_flow *flow);

#endif
