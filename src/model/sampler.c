// The sampler: which evaluations there are, and what becomes of x after each.
#include "model/sampler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct tess_sampler {
    struct tess_sampler_params params;
    size_t channels;
    struct tess_flow_step *steps; // evaluations
    size_t count;
    uint32_t *step_of;  // [count]: the step of the schedule
    bool *ends;         // [count]: whether the step is complete with it
    float *conditional; // [rows][channels], where guidance is evaluated apart
    struct tess_flow_job *job;
};

// x <- x - (t - t') v, in fp32, as the original has it.
static void advance(struct tess_sampler *s, struct tess_schedule_step step,
                    const float *const *conditional, size_t conditions,
                    const float *unconditional)
{
    float w = (float)s->params.schedule.guidance;
    float w1 = (float)(1 + s->params.schedule.guidance);
    for (size_t i = 0; i < s->params.rows * s->channels; i++) {
        float v = conditional[0][i];
        for (size_t c = 1; c < conditions; c++)
            v += conditional[c][i];
        if (conditions > 1)
            v /= (float)conditions;
        if (unconditional)
            v = w1 * v - w * unconditional[i];
        s->params.x[i] -= step.delta * v;
    }
}

static enum tess_status take_velocity(void *user, size_t index, const float *velocity)
{
    struct tess_sampler *s = user;
    const struct tess_flow_step *evaluation = &s->steps[index];
    struct tess_schedule_step step =
        tess_schedule_at(&s->params.schedule, s->step_of[index]);
    size_t size = s->params.rows * s->channels, conditions = 0;
    const float *conditional[9], *unconditional = NULL;
    for (size_t run = 0; run < evaluation->runs; run++) {
        if (evaluation->condition[run] < 0)
            unconditional = velocity + run * size;
        else
            conditional[conditions++] = velocity + run * size;
    }
    if (!s->ends[index]) {
        memcpy(s->conditional, conditional[0], size * sizeof *velocity);
        return TESS_OK;
    }
    if (conditions == 0)
        conditional[conditions++] = s->conditional;
    advance(s, step, conditional, conditions, unconditional);
    return TESS_OK;
}

// The runs of a step; `apart`: the one without condition becomes an evaluation of its
// own.
static void add_step(struct tess_sampler *s, uint32_t i)
{
    const struct tess_sampler_params *params = &s->params;
    struct tess_schedule_step step = tess_schedule_at(&params->schedule, i);
    struct tess_flow_step evaluation = {.timestep = step.timestep};
    if (params->multi == TESS_MULTI_DIFFUSION)
        for (size_t c = 0; c < params->condition_count; c++)
            evaluation.condition[evaluation.runs++] = (int)c;
    else
        evaluation.condition[evaluation.runs++] =
            params->condition_count ? (int)(i % params->condition_count) : -1;
    bool apart = step.guided && params->guide_apart && evaluation.runs == 1;
    if (step.guided && !apart)
        evaluation.condition[evaluation.runs++] = -1;
    s->step_of[s->count] = i;
    s->ends[s->count] = !apart;
    s->steps[s->count++] = evaluation;
    if (!apart)
        return;
    s->step_of[s->count] = i;
    s->ends[s->count] = true;
    s->steps[s->count++] =
        (struct tess_flow_step){.timestep = step.timestep, .runs = 1, .condition = {-1}};
}

static enum tess_status prepare(struct tess_sampler *s, struct tess_device *dev,
                                const struct tess_flow *flow)
{
    struct tess_env *env = tess_device_env(dev);
    const struct tess_sampler_params *params = &s->params;
    size_t steps = params->schedule.steps;
    s->channels = tess_flow_config(flow)->in_channels;
    assert(params->condition_count < 9);
    TESS_TRY(tess_alloc(&s->steps, env, 2 * steps, sizeof *s->steps, "steps"));
    TESS_TRY(tess_alloc(&s->step_of, env, 2 * steps, sizeof *s->step_of, "steps"));
    TESS_TRY(tess_alloc(&s->ends, env, 2 * steps, sizeof *s->ends, "steps"));
    if (params->guide_apart)
        TESS_TRY(tess_alloc(&s->conditional, env, params->rows,
                            s->channels * sizeof(float), "a velocity"));
    for (uint32_t i = 0; i < steps; i++)
        add_step(s, i);
    return tess_flow_job_create(
        &s->job, dev, flow,
        &(struct tess_flow_params){.coords = params->coords,
                                   .rows = params->rows,
                                   .conditions = params->conditions,
                                   .condition_count = params->condition_count,
                                   .condition_tokens = params->condition_tokens,
                                   .steps = s->steps,
                                   .step_count = s->count,
                                   .x = params->x,
                                   .velocity = take_velocity,
                                   .user = s});
}

enum tess_status tess_sampler_create(struct tess_sampler **out, struct tess_device *dev,
                                     const struct tess_flow *flow,
                                     const struct tess_sampler_params *params)
{
    struct tess_sampler *sampler = NULL;
    TESS_TRY(tess_alloc(&sampler, tess_device_env(dev), 1, sizeof *sampler, "a sampler"));
    sampler->params = *params;
    enum tess_status status = prepare(sampler, dev, flow);
    if (status) {
        tess_sampler_destroy(&sampler);
        return status;
    }
    *out = sampler;
    return TESS_OK;
}

void tess_sampler_destroy(struct tess_sampler **sampler)
{
    if (!*sampler)
        return;
    tess_flow_job_destroy(&(*sampler)->job);
    free((*sampler)->steps);
    free((*sampler)->step_of);
    free((*sampler)->ends);
    free((*sampler)->conditional);
    free(*sampler);
    *sampler = NULL;
}

struct tess_flow_job *tess_sampler_job(struct tess_sampler *sampler)
{
    return sampler->job;
}
