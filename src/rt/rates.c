// Rates are kept as they lie in memory: the cache checks that an entry is whole, and its
// key names the device and the size of a rate.
#include "rt/rates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "rt/opencl.h"

#define RATES_MAX 4096
// Kernels that ran for less in this run tell nothing new of one that is known.
#define TELLING_NS 1e6
// Launches that count no FLOP move data: as long as this much arithmetic, at most.
#define FLOP_PER_MOVE 256

double tess_launch_work(const struct tess_launch *launch)
{
    if (launch->flop > 0)
        return launch->flop;
    double items = FLOP_PER_MOVE;
    for (int i = 0; i < 3; i++)
        items *= launch->global[i] ? (double)launch->global[i] : 1;
    return items;
}

static uint64_t rate_name(const char *file, const char *kernel, const char *defines)
{
    uint64_t hash = tess_hash_line(tess_hash_line(TESS_HASH_START, file), kernel);
    return tess_hash_line(hash, defines);
}

static uint64_t transfer_name(void)
{
    return rate_name("", "transfer", "");
}

// The place of a name, or where it belongs.
static size_t find(const struct tess_rates *rates, uint64_t name)
{
    size_t low = 0, high = rates->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rates->entries[middle].name < name)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double known(const struct tess_rates *rates, uint64_t name)
{
    size_t i = find(rates, name);
    return i < rates->count && rates->entries[i].name == name ? rates->entries[i].ns : -1;
}

double tess_rates_estimate(const struct tess_device *dev,
                           const struct tess_launch *launch)
{
    double ns =
        known(&dev->rates, rate_name(launch->file, launch->kernel, launch->defines));
    return ns < 0 ? ns : ns * tess_launch_work(launch);
}

double tess_rates_transfer(const struct tess_device *dev)
{
    return known(&dev->rates, transfer_name());
}

static void cache_key(char *key, size_t size, const struct tess_device *dev)
{
    const struct tess_device_info *info = &dev->info;
    snprintf(key, size, "rates %zu %d%s\n%s\n%s\n%s\n%s", sizeof(struct tess_rate),
             (int)dev->variant, info->keeps_time ? "" : " by the host", info->name,
             info->platform, info->version, info->driver);
}

static bool are_sound(const struct tess_rate *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(entries[i].ns) || !(entries[i].ns > 0) ||
            (i && entries[i].name <= entries[i - 1].name))
            return false;
    return true;
}

void tess_rates_load(struct tess_device *dev)
{
    char key[2048];
    unsigned char *data = NULL;
    size_t bytes = 0;
    cache_key(key, sizeof key, dev);
    tess_cache_find(&data, &bytes, dev, key);
    size_t count = bytes / sizeof(struct tess_rate);
    struct tess_rate *entries = (struct tess_rate *)(void *)data;
    if (!data || bytes % sizeof *entries || count > RATES_MAX ||
        !are_sound(entries, count)) {
        free(data);
        return;
    }
    dev->rates = (struct tess_rates){entries, count, count};
}

// False if there was nothing to learn.
static bool learn(struct tess_device *dev, uint64_t name, const struct tess_taken *taken)
{
    struct tess_rates *rates = &dev->rates;
    size_t i = find(rates, name);
    bool is_known = i < rates->count && rates->entries[i].name == name;
    double ns = taken->ns / taken->work;
    if (!(taken->work > 0) || !(ns > 0) || !isfinite(ns) ||
        (is_known && taken->ns < TELLING_NS) || rates->count == RATES_MAX)
        return false;
    if (!is_known) {
        if (tess_grow(&rates->entries, &rates->capacity, dev->env, rates->count + 1,
                      sizeof *rates->entries, "rates"))
            return false;
        memmove(rates->entries + i + 1, rates->entries + i,
                (rates->count - i) * sizeof *rates->entries);
        rates->count++;
    }
    rates->entries[i] = (struct tess_rate){name, ns};
    return true;
}

void tess_rates_store(struct tess_device *dev)
{
    bool learned = learn(dev, transfer_name(), &dev->transfers);
    for (size_t i = 0; i < dev->program_count; i++) {
        const struct tess_program *program = &dev->programs[i];
        for (size_t k = 0; k < program->kernel_count; k++) {
            const struct tess_kernel *kernel = program->kernels[k];
            uint64_t name = rate_name(program->file, kernel->name, program->defines);
            learned = learn(dev, name, &kernel->taken) || learned;
        }
    }
    char key[2048];
    cache_key(key, sizeof key, dev);
    if (learned)
        tess_cache_store(dev, key, (const unsigned char *)dev->rates.entries,
                         dev->rates.count * sizeof *dev->rates.entries);
}

void tess_rates_clear(struct tess_device *dev)
{
    free(dev->rates.entries);
    dev->rates = (struct tess_rates){0};
}
