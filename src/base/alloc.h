// Host memory: sizes that cannot overflow, failures that carry a message.
#ifndef TESS_ALLOC_H
#define TESS_ALLOC_H

#include <stddef.h>

#include "base/status.h"

// *out becomes count * size bytes, zeroed; at least one byte, so never NULL on success.
// `what` names it in the message. TESS_ERR_MEMORY if there is no memory or the product
// overflows. Free with free().
enum tess_status tess_alloc(void *out, struct tess_env *env, size_t count, size_t size,
                            const char *what);

// Grow *ptr (NULL at first) to hold at least `count` elements of `size` bytes; *capacity
// is in elements and at least doubles. New bytes are undefined. *ptr is kept on failure.
enum tess_status tess_grow(void *ptr, size_t *capacity, struct tess_env *env,
                           size_t count, size_t size, const char *what);

// Of most machines; others lose nothing.
#define TESS_LARGE_PAGE_BYTES ((size_t)2 << 20)

// Ask for large pages where whole ones lie in a block that was not used yet: it takes the
// kernel long to clear many small ones, and a processor long to find its way to them.
// tess_alloc() does.
void tess_large_pages(void *block, size_t bytes);

// Bytes [from, to) of a block whose values are not needed any more: their whole pages go
// back to the system. The block stays, and is freed as ever.
void tess_forget(void *block, size_t from, size_t to);

// Give back what free() keeps for later, where the C library can.
void tess_trim(void);

// Like strdup() and like a string made with printf().
enum tess_status tess_strdup(char **out, struct tess_env *env, const char *text);
__attribute__((format(printf, 3, 4))) enum tess_status
tess_strf(char **out, struct tess_env *env, const char *format, ...);

#endif
