// An OpenCL device that is open: its queues, programs, memory in use, and what it did so
// far. A described device has no OpenCL behind it: everything is counted, nothing runs.
//
// While `dry` is set, launches and transfers are counted and return at once.
#ifndef TESS_RT_DEVICE_H
#define TESS_RT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct tess_device;

// Which shape of kernels suits: chosen in one place, tess_suited_variant().
enum tess_variant {
    TESS_VARIANT_AUTO = 0,
    TESS_VARIANT_CPU, // one work-item a group, wide vectors
    TESS_VARIANT_GPU, // many work-items a group, local memory
};

// What TESS_VARIANT_AUTO means for a device.
enum tess_variant tess_suited_variant(const struct tess_device_info *info);

struct tess_device_params {
    const char *selector;   // as tess_context_params.device; NULL: the default
    const char *cache_dir;  // NULL: the user's; "": none
    const char *kernel_dir; // NULL: the embedded kernels
    const struct tess_device_info
        *described; // not NULL: no OpenCL, this device only counts
    enum tess_variant variant;
    // Launches that would be longer are cut; 0: at 100 ms, on CPUs at 500 ms.
    uint64_t max_launch_ns;
    const char *tuning; // as tess_context_params.tuning
};

// Devices of all platforms. Free *out with free(). TESS_ERR_DEVICE if there is none.
enum tess_status tess_device_enumerate(struct tess_device_info **out, size_t *count,
                                       struct tess_env *env);

enum tess_status tess_device_open(struct tess_device **out, struct tess_env *env,
                                  const struct tess_device_params *params);
void tess_device_close(struct tess_device **dev);

struct tess_env *tess_device_env(const struct tess_device *dev);
const struct tess_device_info *tess_device_facts(const struct tess_device *dev);
enum tess_variant tess_device_variant(const struct tess_device *dev);

// Shapes of kernels (rt/tuning.h). They may change at any time: results do not.
struct tess_tuning;
const struct tess_tuning *tess_device_tuning(const struct tess_device *dev);
void tess_device_set_tuning(struct tess_device *dev, const struct tess_tuning *tuning);
// Where the device's table is from, and the file; NULL: none.
enum tess_tuning_source tess_device_tuning_source(const struct tess_device *dev);
const char *tess_device_tuning_path(const struct tess_device *dev);

bool tess_device_dry(const struct tess_device *dev);
// A described device stays dry.
void tess_device_set_dry(struct tess_device *dev, bool dry);

// Buffers beyond `bytes` in all, or beyond `max_buffer` each, are refused.
void tess_device_set_budget(struct tess_device *dev, size_t bytes, size_t max_buffer);
size_t tess_device_used(const struct tess_device *dev);
size_t tess_device_peak(const struct tess_device *dev);

// What was counted since the counters were taken last; kernel times lag behind.
const struct tess_counters *tess_device_counters(const struct tess_device *dev);

// What was counted since the device was opened, or since the last call. Waits for the
// device so that kernel times are complete.
enum tess_status tess_device_take_counters(struct tess_device *dev,
                                           struct tess_counters *out);

// Wait until all queues are empty. TESS_ERR_DEVICE if something that was queued failed.
enum tess_status tess_device_finish(struct tess_device *dev);

// Launches and transfers go to the compute queue, or to the transfer queue beside it.
enum tess_queue { TESS_QUEUE_COMPUTE, TESS_QUEUE_TRANSFER, TESS_QUEUE_COUNT };
void tess_device_set_queue(struct tess_device *dev, enum tess_queue queue);

// What is queued on the other queue from now on waits for what is on `queue` so far.
enum tess_status tess_device_order_after(struct tess_device *dev, enum tess_queue queue);

#endif
