// Jobs of flow models: what is known before the stage runs.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/flow_parts.h"

#define TIME_CHANNELS TESS_FLOW_TIME_CHANNELS

// ---- voxels ----

// Coarse coordinates and parents, in the order of the fine voxels: along a Morton curve
// siblings follow one another, and parents keep the order.
static size_t find_parents(struct tess_flow_sample *sample, int32_t *coords)
{
    size_t coarse = 0;
    for (size_t i = 0; i < sample->fine.count; i++) {
        int32_t at[3];
        for (size_t axis = 0; axis < 3; axis++)
            at[axis] = sample->fine.coords[3 * i + axis] / 2;
        if (coarse == 0 || memcmp(coords + 3 * (coarse - 1), at, sizeof at) != 0)
            memcpy(coords + 3 * coarse++, at, sizeof at);
        sample->parents[i] = (uint32_t)coarse - 1;
    }
    return coarse;
}

static void list_children(struct tess_flow_sample *sample)
{
    const uint32_t *parents = sample->parents;
    for (size_t i = 0; i < 8 * sample->coarse.count; i++)
        sample->children[i] = TESS_NO_ROW;
    for (size_t i = 0, place = 0; i < sample->fine.count; i++) {
        place = i && parents[i] == parents[i - 1] ? place + 1 : 0;
        sample->children[8 * parents[i] + place] = (uint32_t)i;
    }
}

static enum tess_status make_levels(struct tess_flow_sample *sample, struct tess_env *env)
{
    size_t count = sample->item.rows;
    TESS_TRY(tess_voxels_create(&sample->fine, env, sample->item.coords, count));
    TESS_TRY(tess_voxels_find_neighbours(&sample->fine, env));
    TESS_TRY(tess_alloc(&sample->parents, env, count, sizeof *sample->parents, "voxels"));
    int32_t *coords = NULL;
    TESS_TRY(tess_alloc(&coords, env, count, 3 * sizeof *coords, "coarse voxels"));
    size_t coarse = find_parents(sample, coords);
    enum tess_status status = tess_voxels_create(&sample->coarse, env, coords, coarse);
    free(coords);
    if (!status)
        status = tess_voxels_find_neighbours(&sample->coarse, env);
    if (!status)
        status = tess_alloc(&sample->children, env, coarse, 8 * sizeof *sample->children,
                            "coarse voxels");
    if (!status)
        list_children(sample);
    return status;
}

// ---- times ----

// e = (cos, sin)(timestep f_i), the frequency and the angle in fp32, as the original has
// them.
static void embed_time(double e[TIME_CHANNELS], float timestep)
{
    for (size_t i = 0; i < TIME_CHANNELS / 2; i++) {
        float frequency =
            (float)exp(-log(10000) * (double)(float)i / (TIME_CHANNELS / 2));
        float angle = timestep * frequency;
        e[i] = cos((double)angle);
        e[i + TIME_CHANNELS / 2] = sin((double)angle);
    }
}

// SiLU(W in + b)
static double neuron(const double *in, const float *weights, float bias, size_t count)
{
    double sum = bias;
    for (size_t k = 0; k < count; k++)
        sum += in[k] * weights[k];
    return sum / (1 + exp(-sum));
}

// SiLU(L1(SiLU(L0(e)))) of each step.
static enum tess_status embed_times(struct tess_flow_job *job)
{
    const struct tess_flow *flow = job->flow;
    struct tess_env *env = tess_device_env(job->dev);
    size_t C = flow->config.channels, steps = job->params.step_count;
    double e[TIME_CHANNELS], *hidden = NULL;
    TESS_TRY(tess_alloc(&job->times, env, steps, C * sizeof *job->times, "times"));
    TESS_TRY(tess_alloc(&hidden, env, C, sizeof *hidden, "times"));
    for (size_t s = 0; s < steps; s++) {
        embed_time(e, job->params.steps[s].timestep);
        for (size_t n = 0; n < C; n++)
            hidden[n] = neuron(e, flow->time_weight[0] + n * TIME_CHANNELS,
                               flow->time_bias[0][n], TIME_CHANNELS);
        for (size_t n = 0; n < C; n++)
            job->times[s * C + n] = (float)neuron(hidden, flow->time_weight[1] + n * C,
                                                  flow->time_bias[1][n], C);
    }
    free(hidden);
    return TESS_OK;
}

// ---- jobs ----

static enum tess_status prepare_samples(struct tess_flow_job *job)
{
    const struct tess_flow_config *config = &job->flow->config;
    size_t side = config->resolution / (config->sparse ? 1 : config->patch_size);
    assert(job->params.item_count <= TESS_SEQUENCES_MAX);
    for (size_t i = 0; i < job->params.item_count; i++) {
        struct tess_flow_sample *sample = &job->samples[i];
        sample->item = job->params.items[i];
        sample->tokens = side * side * side;
        if (config->sparse) {
            TESS_TRY(make_levels(sample, tess_device_env(job->dev)));
            sample->tokens = sample->coarse.count;
        }
    }
    return TESS_OK;
}

static enum tess_status prepare_job(struct tess_flow_job *job)
{
    size_t rows_max = 0;
    TESS_TRY(prepare_samples(job));
    for (size_t s = 0; s < job->params.step_count; s++) {
        const struct tess_flow_step *step = &job->params.steps[s];
        size_t tokens = 0, rows = 0;
        assert(step->runs >= 1 && step->runs <= TESS_RUNS_MAX);
        for (size_t run = 0; run < step->runs; run++) {
            tokens += job->samples[step->run[run].item].tokens;
            rows += job->samples[step->run[run].item].item.rows;
        }
        job->tokens_max = tokens > job->tokens_max ? tokens : job->tokens_max;
        rows_max = rows > rows_max ? rows : rows_max;
    }
    TESS_TRY(embed_times(job));
    return tess_alloc(&job->velocity, tess_device_env(job->dev), rows_max,
                      job->flow->config.out_channels * sizeof *job->velocity, "velocity");
}

enum tess_status tess_flow_job_create(struct tess_flow_job **out, struct tess_device *dev,
                                      const struct tess_flow *flow,
                                      const struct tess_flow_params *params)
{
    struct tess_flow_job *job = NULL;
    TESS_TRY(
        tess_alloc(&job, tess_device_env(dev), 1, sizeof *job, "a flow model's run"));
    job->dev = dev;
    job->flow = flow;
    job->params = *params;
    enum tess_status status = prepare_job(job);
    if (status) {
        tess_flow_job_destroy(&job);
        return status;
    }
    *out = job;
    return TESS_OK;
}

void tess_flow_job_destroy(struct tess_flow_job **job)
{
    if (!*job)
        return;
    for (size_t i = 0; i < TESS_SEQUENCES_MAX; i++) {
        struct tess_flow_sample *sample = &(*job)->samples[i];
        tess_voxels_clear(&sample->fine);
        tess_voxels_clear(&sample->coarse);
        free(sample->parents);
        free(sample->children);
    }
    free((*job)->times);
    free((*job)->velocity);
    free(*job);
    *job = NULL;
}
