// Threads beside the caller's.
#ifndef TESS_THREAD_H
#define TESS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

// The program's signals are for its own threads: this one gets none but those that its
// own mistakes raise. False: it could not be started.
bool tess_thread_start(pthread_t *thread, void *(*run)(void *user), void *user);

// Call `run` for parts that make up [0, count), each in a thread, one of them the
// caller's; as many as there are processors, up to eight. Waits for all.
typedef void tess_part_fn(void *user, size_t first, size_t end);
void tess_in_parts(size_t count, tess_part_fn *run, void *user);

#endif
