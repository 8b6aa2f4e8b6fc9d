// What each kernel of a device was seen to take, from run to run: an entry of the cache.
// Plans estimate time with it; nothing else depends on it.
#ifndef TESS_RT_RATES_H
#define TESS_RT_RATES_H

#include <stddef.h>
#include <stdint.h>

struct tess_device;
struct tess_launch;

// ns for one unit of work of a kernel, or for a byte over the bus.
struct tess_rate {
    uint64_t name; // a hash of file, kernel and defines
    double ns;
};

struct tess_rates {
    struct tess_rate *entries; // by ascending name
    size_t count, capacity;
};

// Read what is known of the device; nothing if there is no sound entry.
void tess_rates_load(struct tess_device *dev);
// Write what is known and what the kernels of this device took since it was opened. A
// failure is only logged.
void tess_rates_store(struct tess_device *dev);
void tess_rates_clear(struct tess_device *dev);

// ns that a launch would take; negative if its kernel was never measured.
double tess_rates_estimate(const struct tess_device *dev,
                           const struct tess_launch *launch);

// ns that a byte takes to the device or from it; negative if not known.
double tess_rates_transfer(const struct tess_device *dev);

// What launches count as their work: FLOP, or for those that move data, work-items.
double tess_launch_work(const struct tess_launch *launch);

#endif
