// Read-only bytes on their way to the device while it computes: a transfer queue beside
// the compute queue, and a staging slot that uploads pass through in parts. The two slots
// of the ring are what its user keeps: the memory in use and the memory that fills
// meanwhile.
//
//   tess_ring_begin(ring);                     the transfer queue waits for what was
//   queued so far tess_ring_stage(&slot, ring, src, bytes);  bytes at most
//   tess_ring_slot_bytes()
//   ... launches that take them from the slot to where they belong ...
//   tess_ring_end(ring);                       launches go to the compute queue again
//   ... compute ...
//   tess_ring_wait(ring);                      what is queued from now on sees the upload
#ifndef TESS_RING_H
#define TESS_RING_H

#include "mem/stage.h"

struct tess_ring;

// The slot is taken from the stage's memory until the ring is destroyed.
enum tess_status tess_ring_create(struct tess_ring **out, struct tess_stage *stage,
                                  size_t slot_bytes);
void tess_ring_destroy(struct tess_ring **ring);
size_t tess_ring_slot_bytes(const struct tess_ring *ring);

enum tess_status tess_ring_begin(struct tess_ring *ring);
// `src` must stay as it is until tess_ring_wait() or the end of the stage: mapped files
// do.
enum tess_status tess_ring_stage(struct tess_slice *out, struct tess_ring *ring,
                                 const void *src, size_t bytes);
void tess_ring_end(struct tess_ring *ring);
enum tess_status tess_ring_wait(struct tess_ring *ring);

#endif
