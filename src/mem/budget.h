// Limits of one run, all in bytes. Filled by tess_budget_init(); a test may fill it by
// hand and plan for a device that it does not have. (The longest launch is the device's
// own business: see tess_device_params.)
#ifndef TESS_BUDGET_H
#define TESS_BUDGET_H

#include <stddef.h>

#include "rt/device.h"

struct tess_budget {
    size_t device_bytes; // all buffers together, never exceeded
    size_t max_buffer;   // largest single buffer
    size_t alignment;    // of an offset inside a buffer, a power of two
};

// The device's limits, lowered to `user_bytes` and `user_max_buffer` where those are
// less; 0 means the device's own. Asking for more than the device has is said in the log
// and cut. TESS_ERR_BUDGET if nothing useful is left.
enum tess_status tess_budget_init(struct tess_budget *out, struct tess_device *dev,
                                  size_t user_bytes, size_t user_max_buffer);

#endif
