// Flow-matching Euler sampler with classifier-free guidance, around a flow model (spec:
// rectified flow, Liu et al. 2022; guidance interval, Kynkäänniemi et al. 2024).
#ifndef TESS_SAMPLER_H
#define TESS_SAMPLER_H

#include "model/flow.h"
#include "model/schedule.h"

#define TESS_CONDITIONS_MAX 8

// What several conditions of one object are used for: one after the other, or all
// together.
enum tess_multi_image { TESS_MULTI_STOCHASTIC, TESS_MULTI_DIFFUSION };

struct tess_sampler_params {
    struct tess_schedule schedule;
    enum tess_multi_image multi;
    const struct tess_flow_item *items; // x: noise before, the sample after
    size_t item_count;
    const float *conditions; // [condition_count][tokens][Cc]
    size_t condition_count, condition_tokens;
    bool guide_apart; // evaluate with and without condition one after the other
};

struct tess_sampler;

// A sampler and the job that its stage is run on. Params and items are copied.
enum tess_status tess_sampler_create(struct tess_sampler **out, struct tess_device *dev,
                                     const struct tess_flow *flow,
                                     const struct tess_sampler_params *params);
void tess_sampler_destroy(struct tess_sampler **sampler);

// For tess_flow_stage().
struct tess_flow_job *tess_sampler_job(struct tess_sampler *sampler);

#endif
