// Device memory of one stage: a few slabs, handed out in pieces.
//
// An arena starts out counting: pieces have offsets but no buffer behind them, and the
// high-water mark of each slab is kept. tess_arena_commit() then allocates slabs of
// exactly that size, and the same sequence of calls, made again, gets the same pieces for
// real. So nothing is allocated on the device once a stage runs.
#ifndef TESS_ARENA_H
#define TESS_ARENA_H

#include "mem/budget.h"
#include "rt/buffer.h"

struct tess_arena;

enum tess_status tess_arena_create(struct tess_arena **out, struct tess_device *dev,
                                   const struct tess_budget *budget);
void tess_arena_destroy(struct tess_arena **arena);

// Allocate the slabs and make the driver find their memory now. All pieces must have been
// given back. TESS_ERR_BUDGET if the device refuses; then nothing is held.
enum tess_status tess_arena_commit(struct tess_arena *arena);

// A piece of `bytes` > 0 bytes, aligned; contents undefined. *piece (may be NULL) names
// it for tess_arena_give(). TESS_ERR_BUDGET: it does not fit; the message names `tag`,
// need and budget.
enum tess_status tess_arena_take(struct tess_slice *out, size_t *piece,
                                 struct tess_arena *arena, size_t bytes, const char *tag);
void tess_arena_give(struct tess_arena *arena, size_t piece);

// Scratch: give back all pieces that were taken since the mark was made.
size_t tess_arena_mark(const struct tess_arena *arena);
void tess_arena_release(struct tess_arena *arena, size_t mark);

// The largest buffer that the budget allows.
size_t tess_arena_max_buffer(const struct tess_arena *arena);

// The sum of the slabs' high-water marks; once committed, the bytes allocated.
size_t tess_arena_peak(const struct tess_arena *arena);

// What a counting arena knows, to take an attempt back: no pieces may outlive it.
struct tess_arena_state {
    size_t slabs, peak;
    size_t high[64];
};
void tess_arena_save(struct tess_arena_state *out, const struct tess_arena *arena);
void tess_arena_restore(struct tess_arena *arena, const struct tess_arena_state *state);

#endif
