// The upload ring. The transfer queue runs in order, so the one staging slot is safe to
// write again as soon as the write is queued behind the launch that empties it.
#include "mem/ring.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

struct tess_ring {
    struct tess_stage *stage;
    struct tess_slice slot;
    size_t piece;
    bool open;
};

enum tess_status tess_ring_create(struct tess_ring **out, struct tess_stage *stage,
                                  size_t slot_bytes)
{
    struct tess_ring *ring = NULL;
    TESS_TRY(tess_alloc(&ring, tess_stage_env(stage), 1, sizeof *ring, "a ring"));
    ring->stage = stage;
    enum tess_status status = tess_arena_take(
        &ring->slot, &ring->piece, tess_stage_arena(stage), slot_bytes, "uploads");
    if (status) {
        free(ring);
        return status;
    }
    *out = ring;
    return TESS_OK;
}

void tess_ring_destroy(struct tess_ring **ring)
{
    if (!*ring)
        return;
    if ((*ring)->open)
        tess_ring_end(*ring);
    tess_arena_give(tess_stage_arena((*ring)->stage), (*ring)->piece);
    free(*ring);
    *ring = NULL;
}

size_t tess_ring_slot_bytes(const struct tess_ring *ring)
{
    return ring->slot.bytes;
}

enum tess_status tess_ring_begin(struct tess_ring *ring)
{
    struct tess_device *dev = tess_stage_device(ring->stage);
    assert(!ring->open);
    TESS_TRY(tess_device_order_after(dev, TESS_QUEUE_COMPUTE));
    tess_device_set_queue(dev, TESS_QUEUE_TRANSFER);
    ring->open = true;
    return TESS_OK;
}

enum tess_status tess_ring_stage(struct tess_slice *out, struct tess_ring *ring,
                                 const void *src, size_t bytes)
{
    assert(ring->open && bytes <= ring->slot.bytes);
    struct tess_slice part = {ring->slot.buffer, ring->slot.offset, bytes};
    TESS_TRY(tess_slice_write(tess_stage_device(ring->stage), part, src));
    *out = part;
    return TESS_OK;
}

void tess_ring_end(struct tess_ring *ring)
{
    tess_device_set_queue(tess_stage_device(ring->stage), TESS_QUEUE_COMPUTE);
    ring->open = false;
}

enum tess_status tess_ring_wait(struct tess_ring *ring)
{
    return tess_device_order_after(tess_stage_device(ring->stage), TESS_QUEUE_TRANSFER);
}
