// What every layer needs from its caller: where errors are written, where the log goes,
// and whether the run was cancelled. One environment belongs to one context; not for
// several threads at once, except tess_env_cancel().
#ifndef TESS_STATUS_H
#define TESS_STATUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "tessella.h"

struct tess_env {
    char message[TESS_MESSAGE_MAX]; // of the last failure; "" after success
    tess_log_fn *log;               // may be NULL: no log
    void *log_user;
    enum tess_log_level log_level; // the most detailed level that is passed on
    tess_progress_fn *progress;    // may be NULL
    void *progress_user;
    atomic_bool cancelled;
};

// Write the message and return `status`, which must not be TESS_OK. The message says
// what, how big, which file, field or device, and what to try. Longer ones are cut.
__attribute__((format(printf, 3, 4))) enum tess_status
tess_fail(struct tess_env *env, enum tess_status status, const char *format, ...);

// Prepend text to the message of the failure that is being passed on: "FILE: " and the
// like. Returns `status`.
__attribute__((format(printf, 3, 4))) enum tess_status
tess_fail_within(struct tess_env *env, enum tess_status status, const char *format, ...);

__attribute__((format(printf, 3, 4))) void
tess_log(struct tess_env *env, enum tess_log_level level, const char *format, ...);

// Tell the caller how far a stage is: `remaining` is filled in here. Nothing happens
// where no one asked.
void tess_progress_tell(struct tess_env *env, struct tess_progress progress);

// Safe to call from a signal handler and from other threads.
void tess_env_cancel(struct tess_env *env);

// TESS_ERR_CANCELLED once tess_env_cancel() was called.
enum tess_status tess_env_check(struct tess_env *env);

// Return from the calling function if `expression` is not TESS_OK.
#define TESS_TRY(expression)                                                             \
    do {                                                                                 \
        enum tess_status status_ = (expression);                                         \
        if (status_ != TESS_OK)                                                          \
            return status_;                                                              \
    } while (0)

#endif
