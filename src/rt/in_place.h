// Memory of the program's own that buffers lie in, where a device computes in the host's.
//
// It is in large pages: it takes a processor long to find its way to many small ones, and
// the kernel long to clear each on its first use. For that reason, too, what one stage
// gives back the next one takes. A pool is of one device; it is safe to use from several
// threads, as drivers say from theirs that they are done with a buffer.
#ifndef TESS_RT_IN_PLACE_H
#define TESS_RT_IN_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct tess_in_place;
struct tess_in_place_piece;

// NULL without memory: then there are no pieces.
struct tess_in_place *tess_in_place_create(void);
// What is in use stays until it is given back; nothing is kept from now on.
void tess_in_place_destroy(struct tess_in_place **pool);

// A piece of at least `bytes`, with any content, aligned as large pages are. NULL without
// memory, and for a pool that is NULL. What is kept and what is in use are together never
// more than what was in use before: a piece that is kept is cut to size, or goes.
struct tess_in_place_piece *tess_in_place_take(struct tess_in_place *pool, size_t bytes);
// Back to its pool, which keeps the largest, unless it is very large.
void tess_in_place_give(struct tess_in_place_piece *piece);

void *tess_in_place_memory(const struct tess_in_place_piece *piece);

// Let the kernel find all of the memory now. False if it cannot be asked to; *enough
// tells whether there is so much.
bool tess_in_place_populate(bool *enough, const struct tess_in_place_piece *piece);

#endif
