// Error text, log and cancellation.
#include "base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum tess_status tess_fail(struct tess_env *env, enum tess_status status,
                           const char *format, ...)
{
    assert(status != TESS_OK);
    va_list args;
    va_start(args, format);
    vsnprintf(env->message, sizeof env->message, format, args);
    va_end(args);
    return status;
}

enum tess_status tess_fail_within(struct tess_env *env, enum tess_status status,
                                  const char *format, ...)
{
    assert(status != TESS_OK);
    char inner[TESS_MESSAGE_MAX];
    memcpy(inner, env->message, sizeof inner);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(env->message, sizeof env->message, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof env->message)
        snprintf(env->message + used, sizeof env->message - (size_t)used, "%s", inner);
    return status;
}

void tess_log(struct tess_env *env, enum tess_log_level level, const char *format, ...)
{
    if (!env->log || level > env->log_level)
        return;
    char text[TESS_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    env->log(env->log_user, level, text);
}

void tess_progress_tell(struct tess_env *env, struct tess_progress progress)
{
    if (!env->progress)
        return;
    if (progress.done > progress.total)
        progress.done = progress.total;
    double share = progress.total ? (double)progress.done / (double)progress.total : 1;
    progress.remaining = share > 0 ? progress.elapsed * (1 - share) / share : -1;
    env->progress(env->progress_user, &progress);
}

void tess_env_cancel(struct tess_env *env)
{
    atomic_store(&env->cancelled, true);
}

enum tess_status tess_env_check(struct tess_env *env)
{
    if (atomic_load(&env->cancelled))
        return tess_fail(env, TESS_ERR_CANCELLED, "cancelled");
    return TESS_OK;
}
