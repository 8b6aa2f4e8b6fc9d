// Sampling of structures and of features: parameters, and how many items at a time.
#include "pipeline/generation.h"

struct tess_schedule tess_generation_schedule(const struct tess_sampler_config *config,
                                              const struct tess_sampling *asked)
{
    return (struct tess_schedule){
        .steps = asked->steps ? asked->steps : config->steps,
        .rescale_t = asked->rescale_t > 0 ? asked->rescale_t : config->rescale_t,
        .guidance = asked->guidance ? *asked->guidance : config->cfg_strength,
        .interval = {asked->interval ? asked->interval[0] : config->cfg_interval[0],
                     asked->interval ? asked->interval[1] : config->cfg_interval[1]}};
}

enum tess_status tess_generation_sampler(struct tess_sampler **out,
                                         const struct tess_generation *g, bool features,
                                         const struct tess_flow_item *items, size_t count)
{
    const struct tess_pipeline_config *config = &g->model->config;
    return tess_sampler_create(
        out, g->ctx->device, features ? g->latent_flow : g->structure_flow,
        &(struct tess_sampler_params){
            .schedule = features ? tess_generation_schedule(&config->latent_sampler,
                                                            &g->params->latent)
                                 : tess_generation_schedule(&config->structure_sampler,
                                                            &g->params->structure),
            .multi =
                g->params->multi_diffusion ? TESS_MULTI_DIFFUSION : TESS_MULTI_STOCHASTIC,
            .items = items,
            .item_count = count,
            .conditions = g->conditions,
            .condition_count = g->condition_count,
            .condition_tokens = g->tokens,
            .guide_apart = g->params->guide_apart});
}

static enum tess_status run_group(struct tess_generation *g, bool features,
                                  const struct tess_flow_item *items, size_t count)
{
    struct tess_sampler *sampler = NULL;
    TESS_TRY(tess_generation_sampler(&sampler, g, features, items, count));
    enum tess_status status = tess_context_run(
        g->ctx, tess_flow_stage_name(features ? g->latent_flow : g->structure_flow),
        tess_flow_stage, tess_sampler_job(sampler));
    tess_sampler_destroy(&sampler);
    return status;
}

// Bytes over the bus for all `count` items, `group` at a time. TESS_ERR_BUDGET if so many
// do not fit together.
static enum tess_status measure_group(double *bytes, struct tess_generation *g,
                                      bool features, const struct tess_flow_item *items,
                                      size_t group, size_t count)
{
    struct tess_stage_report report;
    TESS_TRY(tess_generation_plan_flow(&report, g, features, items, group, false));
    double moved = (double)(report.counters.uploaded + report.counters.downloaded);
    *bytes = moved * (double)((count + group - 1) / group);
    return TESS_OK;
}

static enum tess_status choose_group(size_t *out, struct tess_generation *g,
                                     bool features, const struct tess_flow_item *items,
                                     size_t count)
{
    double least = 0;
    *out = 1;
    for (size_t group = count; count > 1; group = (group + 1) / 2) {
        double bytes = 0;
        enum tess_status status = measure_group(&bytes, g, features, items, group, count);
        if (status && status != TESS_ERR_BUDGET)
            return status;
        if (!status && (least == 0 || bytes <= least)) {
            least = bytes;
            *out = group;
        }
        if (group == 1)
            break;
    }
    return TESS_OK;
}

enum tess_status tess_generation_sample(struct tess_generation *g, bool features,
                                        const struct tess_flow_item *items, size_t count)
{
    size_t group;
    TESS_TRY(choose_group(&group, g, features, items, count));
    if (count > 1)
        tess_log(&g->ctx->env, TESS_LOG_DEBUG, "%s: %zu variants, %zu at a time",
                 tess_flow_stage_name(features ? g->latent_flow : g->structure_flow),
                 count, group);
    for (size_t i = 0; i < count; i += group)
        TESS_TRY(
            run_group(g, features, items + i, count - i < group ? count - i : group));
    return TESS_OK;
}
