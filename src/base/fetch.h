// Reading ahead: a thread that touches memory that will be needed, so that mapped files
// are read from the disk while something else is done. Only a help: nothing fails.
#ifndef TESS_FETCH_H
#define TESS_FETCH_H

#include <stddef.h>

struct tess_fetch;

// NULL if there is no memory or no thread to be had; the other calls accept that.
struct tess_fetch *tess_fetch_create(void);
// Waits for the page that is read right now, not for all that is wanted.
void tess_fetch_destroy(struct tess_fetch **fetch);

// Read these bytes soon, after what was asked for before. They must stay mapped until
// the thread is destroyed. Forgotten where much too much is wanted already.
void tess_fetch_want(struct tess_fetch *fetch, const void *data, size_t bytes);

#endif
