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
    uint32_t *step_of; // [count]: the step of the schedule
    bool *ends;        // [count]: whether the step is complete with it
    struct tess_flow_item items[TESS_SEQUENCES_MAX];
    // Of each item [rows][channels], where guidance is evaluated apart.
    float *conditional[TESS_SEQUENCES_MAX];
    struct tess_flow_job *job;
};

// The velocities of an item in a step: under conditions, and under zeros or NULL.
struct velocities {
    const float *conditional[TESS_CONDITIONS_MAX], *unconditional;
    size_t conditions;
};

// x <- x - (t - t') v, in fp32, as the original has it.
static void advance(const struct tess_sampler *s, const struct tess_flow_item *item,
                    float delta, const struct velocities *found)
{
    float w = (float)s->params.schedule.guidance;
    float w1 = (float)(1 + s->params.schedule.guidance);
    for (size_t i = 0; i < item->rows * s->channels; i++) {
        float v = found->conditional[0][i];
        for (size_t c = 1; c < found->conditions; c++)
            v += found->conditional[c][i];
        if (found->conditions > 1)
            v /= (float)found->conditions;
        if (found->unconditional)
            v = w1 * v - w * found->unconditional[i];
        item->x[i] -= delta * v;
    }
}

static enum tess_status take_velocity(void *user, size_t index,
                                      const float *const *velocity)
{
    struct tess_sampler *s = user;
    const struct tess_flow_step *evaluation = &s->steps[index];
    struct tess_schedule_step step =
        tess_schedule_at(&s->params.schedule, s->step_of[index]);
    for (size_t i = 0; i < s->params.item_count; i++) {
        struct velocities found = {.conditions = 0};
        for (size_t run = 0; run < evaluation->runs; run++) {
            if (evaluation->run[run].item != (int)i)
                continue;
            if (evaluation->run[run].condition < 0)
                found.unconditional = velocity[run];
            else
                found.conditional[found.conditions++] = velocity[run];
        }
        if (!s->ends[index]) {
            memcpy(s->conditional[i], found.conditional[0],
                   s->items[i].rows * s->channels * sizeof(float));
            continue;
        }
        if (found.conditions == 0)
            found.conditional[found.conditions++] = s->conditional[i];
        advance(s, &s->items[i], step.delta, &found);
    }
    return TESS_OK;
}

static void add_run(struct tess_flow_step *evaluation, size_t item, int condition)
{
    evaluation->run[evaluation->runs++] = (struct tess_flow_run){(int)item, condition};
}

static struct tess_flow_step *add_evaluation(struct tess_sampler *s, uint32_t step,
                                             bool ends)
{
    struct tess_flow_step *evaluation = &s->steps[s->count];
    evaluation->timestep = tess_schedule_at(&s->params.schedule, step).timestep;
    s->step_of[s->count] = step;
    s->ends[s->count++] = ends;
    return evaluation;
}

// The runs of a step; `apart`: those without condition become an evaluation of their own.
static void add_step(struct tess_sampler *s, uint32_t i)
{
    const struct tess_sampler_params *params = &s->params;
    size_t conditions = params->condition_count;
    bool guided = tess_schedule_at(&params->schedule, i).guided;
    bool all = params->multi == TESS_MULTI_DIFFUSION && conditions > 1;
    bool apart = guided && params->guide_apart && !all;
    struct tess_flow_step *evaluation = add_evaluation(s, i, !apart);
    for (size_t item = 0; item < params->item_count; item++) {
        for (size_t c = 0; all && c < conditions; c++)
            add_run(evaluation, item, (int)c);
        if (!all)
            add_run(evaluation, item, conditions ? (int)(i % conditions) : -1);
        if (guided && !apart)
            add_run(evaluation, item, -1);
    }
    if (!apart)
        return;
    evaluation = add_evaluation(s, i, true);
    for (size_t item = 0; item < params->item_count; item++)
        add_run(evaluation, item, -1);
}

static enum tess_status prepare(struct tess_sampler *s, struct tess_device *dev,
                                const struct tess_flow *flow)
{
    struct tess_env *env = tess_device_env(dev);
    const struct tess_sampler_params *params = &s->params;
    size_t steps = params->schedule.steps;
    s->channels = tess_flow_config(flow)->in_channels;
    assert(params->condition_count <= TESS_CONDITIONS_MAX);
    assert(params->item_count <= TESS_SEQUENCES_MAX);
    memcpy(s->items, params->items, params->item_count * sizeof *s->items);
    TESS_TRY(tess_alloc(&s->steps, env, 2 * steps, sizeof *s->steps, "steps"));
    TESS_TRY(tess_alloc(&s->step_of, env, 2 * steps, sizeof *s->step_of, "steps"));
    TESS_TRY(tess_alloc(&s->ends, env, 2 * steps, sizeof *s->ends, "steps"));
    for (size_t i = 0; i < params->item_count && params->guide_apart; i++)
        TESS_TRY(tess_alloc(&s->conditional[i], env, s->items[i].rows,
                            s->channels * sizeof(float), "a velocity"));
    for (uint32_t i = 0; i < steps; i++)
        add_step(s, i);
    return tess_flow_job_create(
        &s->job, dev, flow,
        &(struct tess_flow_params){.items = s->items,
                                   .item_count = params->item_count,
                                   .conditions = params->conditions,
                                   .condition_count = params->condition_count,
                                   .condition_tokens = params->condition_tokens,
                                   .steps = s->steps,
                                   .step_count = s->count,
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
    for (size_t i = 0; i < TESS_SEQUENCES_MAX; i++)
        free((*sampler)->conditional[i]);
    free(*sampler);
    *sampler = NULL;
}

struct tess_flow_job *tess_sampler_job(struct tess_sampler *sampler)
{
    return sampler->job;
}
