// The budget of a run.
#include "mem/budget.h"

enum tess_status tess_budget_init(struct tess_budget *out, struct tess_device *dev,
                                  size_t user_bytes, size_t user_max_buffer)
{
    const struct tess_device_info *info = tess_device_facts(dev);
    struct tess_env *env = tess_device_env(dev);
    struct tess_budget budget = {
        .device_bytes = (size_t)info->budget,
        .max_buffer = (size_t)info->max_buffer,
        .alignment = info->alignment,
    };
    if (user_bytes > info->memory && info->memory)
        tess_log(env, TESS_LOG_WARNING,
                 "%s has %zu MiB; the budget is %zu MiB, not the %zu MiB asked for",
                 info->name, (size_t)info->memory >> 20, budget.device_bytes >> 20,
                 user_bytes >> 20);
    else if (user_bytes)
        budget.device_bytes = user_bytes;
    if (user_max_buffer && user_max_buffer < budget.max_buffer)
        budget.max_buffer = user_max_buffer;
    budget.max_buffer -= budget.max_buffer % budget.alignment;
    if (budget.device_bytes == 0 || budget.max_buffer == 0)
        return tess_fail(
            env, TESS_ERR_BUDGET,
            "a budget of %zu bytes with buffers of at most %zu bytes holds nothing "
            "(try --memory 64M)",
            budget.device_bytes, budget.max_buffer);
    tess_device_set_budget(dev, budget.device_bytes, budget.max_buffer);
    *out = budget;
    return TESS_OK;
}
