// The thread that reads ahead.
#include "base/fetch.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/thread.h"

#define RANGES_MAX 1024
// The kernel is told of pages this far before they are touched, so that a disk has
// several requests at a time; in parts, as it forgets what is beyond its own read-ahead.
#define AHEAD_BYTES ((size_t)2 << 20)
#define PART_BYTES  ((size_t)128 << 10)

struct range {
    uintptr_t start, end;
};

struct tess_fetch {
    struct tess_worker worker;
    struct range ranges[RANGES_MAX];
    size_t first, count;
};

static bool take(struct range *out, struct tess_fetch *fetch)
{
    pthread_mutex_lock(&fetch->worker.lock);
    while (!fetch->count && !fetch->worker.end)
        pthread_cond_wait(&fetch->worker.changed, &fetch->worker.lock);
    bool taken = !fetch->worker.end;
    if (taken) {
        *out = fetch->ranges[fetch->first];
        fetch->first = (fetch->first + 1) % RANGES_MAX;
        fetch->count--;
    }
    pthread_mutex_unlock(&fetch->worker.lock);
    return taken;
}

static bool ends(struct tess_fetch *fetch)
{
    pthread_mutex_lock(&fetch->worker.lock);
    bool end = fetch->worker.end;
    pthread_mutex_unlock(&fetch->worker.lock);
    return end;
}

static void read_range(struct tess_fetch *fetch, struct range range)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = range.start / page * page, told = at;
    while (at < range.end && !ends(fetch)) {
        for (; told < range.end && told < at + AHEAD_BYTES; told += PART_BYTES)
            madvise((void *)told, // what lies beyond the range is of the same file
                    range.end - told < PART_BYTES ? range.end - told : PART_BYTES,
                    MADV_WILLNEED);
        uintptr_t stop = range.end - at < PART_BYTES ? range.end : at + PART_BYTES;
        for (; at < stop; at += page)
            (void)*(const volatile unsigned char *)(at < range.start ? range.start : at);
    }
}

static void *run(void *user)
{
    struct tess_fetch *fetch = user;
    struct range range;
    while (take(&range, fetch))
        read_range(fetch, range);
    return NULL;
}

struct tess_fetch *tess_fetch_create(void)
{
    struct tess_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch)
        return NULL;
    if (tess_worker_start(&fetch->worker, run, fetch))
        return fetch;
    free(fetch);
    return NULL;
}

void tess_fetch_destroy(struct tess_fetch **fetch)
{
    struct tess_fetch *self = *fetch;
    if (!self)
        return;
    tess_worker_stop(&self->worker);
    free(self);
    *fetch = NULL;
}

void tess_fetch_want(struct tess_fetch *fetch, const void *data, size_t bytes)
{
    if (!fetch || !bytes)
        return;
    pthread_mutex_lock(&fetch->worker.lock);
    if (fetch->count < RANGES_MAX) {
        size_t last = (fetch->first + fetch->count++) % RANGES_MAX;
        uintptr_t start = (uintptr_t)data;
        fetch->ranges[last] = (struct range){start, start + bytes};
        pthread_cond_signal(&fetch->worker.changed);
    }
    pthread_mutex_unlock(&fetch->worker.lock);
}
