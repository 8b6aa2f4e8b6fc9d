#include "base/thread.h"

#include <signal.h>
#include <unistd.h>

#define PARTS_MAX 8

bool tess_thread_start(pthread_t *thread, void *(*run)(void *user), void *user)
{
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    bool started = pthread_create(thread, NULL, run, user) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void free_parts(struct tess_worker *worker)
{
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
}

bool tess_worker_start(struct tess_worker *worker, void *(*run)(void *user), void *user)
{
    worker->end = false;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    if (tess_thread_start(&worker->thread, run, user))
        return true;
    free_parts(worker);
    return false;
}

void tess_worker_stop(struct tess_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->end = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    free_parts(worker);
}

struct part {
    tess_part_fn *run;
    void *user;
    size_t first, end;
    pthread_t thread;
    bool started;
};

static void *run_part(void *user)
{
    struct part *part = user;
    part->run(part->user, part->first, part->end);
    return NULL;
}

void tess_in_parts(size_t count, tess_part_fn *run, void *user)
{
    struct part parts[PARTS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = processors < 1           ? 1
               : processors < PARTS_MAX ? (size_t)processors
                                        : PARTS_MAX;
    for (size_t i = 0; i < n; i++) {
        parts[i] = (struct part){run, user, count / n * i, count / n * (i + 1), 0, false};
        if (i + 1 == n)
            parts[i].end = count;
        else
            parts[i].started = tess_thread_start(&parts[i].thread, run_part, &parts[i]);
        if (!parts[i].started)
            run_part(&parts[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
}
