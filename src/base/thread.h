// Threads beside the caller's.
#ifndef TESS_THREAD_H
#define TESS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

// The program's signals are for its own threads: this one gets none but those that its
// own mistakes raise. False: it could not be started.
bool tess_thread_start(pthread_t *thread, void *(*run)(void *user), void *user);

// A thread that does what others leave for it. `lock` guards what they share; `changed`
// is for both sides to tell of a change; once `end` is set it should return.
struct tess_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool end;
};

// False: it could not be started, and there is nothing to stop.
bool tess_worker_start(struct tess_worker *worker, void *(*run)(void *user), void *user);
// Set `end`, wait for it, and free what the worker is made of.
void tess_worker_stop(struct tess_worker *worker);

// Call `run` for parts that make up [0, count), each in a thread, one of them the
// caller's; as many as there are processors, up to eight. Waits for all.
typedef void tess_part_fn(void *user, size_t first, size_t end);
void tess_in_parts(size_t count, tess_part_fn *run, void *user);

#endif
