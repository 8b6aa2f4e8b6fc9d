// Threads beside the caller's.
#ifndef TESS_THREAD_H
#define TESS_THREAD_H

#include <pthread.h>
#include <stdbool.h>

// The program's signals are for its own threads: this one gets none but those that its
// own mistakes raise. False: it could not be started.
bool tess_thread_start(pthread_t *thread, void *(*run)(void *user), void *user);

#endif
