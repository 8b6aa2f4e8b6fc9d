// What the environment asks of tests that run again on slow implementations of OpenCL.
#ifndef ASKED_H
#define ASKED_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool asked(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value == '1';
}

// The smallest cases only.
static inline bool asked_tiny(void)
{
    return asked("TESS_TINY");
}

// Not what is made once more in parts, in other shapes, within other budgets or of other
// values, to be the same or as good.
static inline bool asked_once(void)
{
    return asked("TESS_ONCE");
}

#endif
