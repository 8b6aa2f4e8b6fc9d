// Time that passes.
#ifndef TESS_CLOCK_H
#define TESS_CLOCK_H

// Seconds since some moment in the past, of a clock that is never set. Any thread.
double tess_seconds_now(void);

#endif
