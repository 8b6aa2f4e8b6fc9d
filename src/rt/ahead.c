// A thread that takes programs from the cache ahead of their first launch. Dry runs name
// the programs that are going to run, and to make one from its binary takes a driver
// milliseconds, tens of them for all of a short run. Only the cache is asked: to compile
// is left to the first launch, which can tell what goes wrong.
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "rt/opencl.h"

#define PROGRAMS_MAX 128

enum state { WAITING, BEGUN, READY, TAKEN };

struct entry {
    char *file, *defines;
    enum state state;
    cl_program program; // NULL: the cache has none
};

struct tess_ahead {
    struct tess_worker worker;
    struct entry entries[PROGRAMS_MAX]; // in the order of their first launches
    size_t count;
    struct tess_env env;     // of the thread: it tells nothing
    struct tess_device view; // what it reads of the device, with that environment
};

// ---- the thread ----

static struct entry *next_entry(struct tess_ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        if (ahead->entries[i].state == WAITING)
            return &ahead->entries[i];
    return NULL;
}

static void *run(void *user)
{
    struct tess_ahead *ahead = user;
    pthread_mutex_lock(&ahead->worker.lock);
    while (!ahead->worker.end) {
        struct entry *entry = next_entry(ahead);
        if (!entry) {
            pthread_cond_wait(&ahead->worker.changed, &ahead->worker.lock);
            continue;
        }
        entry->state = BEGUN;
        pthread_mutex_unlock(&ahead->worker.lock);
        cl_program program =
            tess_program_from_cache(&ahead->view, entry->file, entry->defines);
        pthread_mutex_lock(&ahead->worker.lock);
        entry->program = program;
        entry->state = READY;
        pthread_cond_broadcast(&ahead->worker.changed);
    }
    pthread_mutex_unlock(&ahead->worker.lock);
    return NULL;
}

// ---- the device's side ----

void tess_device_build_ahead(struct tess_device *dev)
{
    if (dev->ahead || dev->described || !dev->cache_dir)
        return;
    struct tess_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead)
        return;
    ahead->view = *dev;
    ahead->view.env = &ahead->env;
    if (tess_worker_start(&ahead->worker, run, ahead)) {
        dev->ahead = ahead;
        return;
    }
    free(ahead);
}

static struct entry *find(struct tess_ahead *ahead, const char *file, const char *defines)
{
    for (size_t i = 0; i < ahead->count; i++)
        if (strcmp(ahead->entries[i].file, file) == 0 &&
            strcmp(ahead->entries[i].defines, defines) == 0)
            return &ahead->entries[i];
    return NULL;
}

// Only the device's side adds entries and changes their names.
void tess_ahead_want(struct tess_ahead *ahead, const char *file, const char *defines)
{
    if (!ahead || ahead->count == PROGRAMS_MAX || find(ahead, file, defines))
        return;
    struct entry entry = {.file = strdup(file), .defines = strdup(defines)};
    if (!entry.file || !entry.defines) {
        free(entry.file);
        free(entry.defines);
        return;
    }
    pthread_mutex_lock(&ahead->worker.lock);
    ahead->entries[ahead->count++] = entry;
    pthread_cond_broadcast(&ahead->worker.changed);
    pthread_mutex_unlock(&ahead->worker.lock);
}

cl_program tess_ahead_take(struct tess_ahead *ahead, const char *file,
                           const char *defines)
{
    struct entry *entry = ahead ? find(ahead, file, defines) : NULL;
    if (!entry)
        return NULL;
    pthread_mutex_lock(&ahead->worker.lock);
    while (entry->state == BEGUN)
        pthread_cond_wait(&ahead->worker.changed, &ahead->worker.lock);
    cl_program program = entry->program;
    entry->program = NULL;
    entry->state = TAKEN;
    pthread_mutex_unlock(&ahead->worker.lock);
    return program;
}

void tess_ahead_end(struct tess_ahead **out)
{
    struct tess_ahead *ahead = *out;
    if (!ahead)
        return;
    tess_worker_stop(&ahead->worker);
    for (size_t i = 0; i < ahead->count; i++) {
        if (ahead->entries[i].program)
            clReleaseProgram(ahead->entries[i].program);
        free(ahead->entries[i].file);
        free(ahead->entries[i].defines);
    }
    free(ahead);
    *out = NULL;
}
