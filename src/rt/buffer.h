// Device memory, counted against the device's budget, and copies between it and the host.
#ifndef TESS_RT_BUFFER_H
#define TESS_RT_BUFFER_H

#include "rt/device.h"

struct tess_buffer;

// A range of bytes of one buffer. In dry runs `buffer` is NULL.
struct tess_slice {
    struct tess_buffer *buffer;
    size_t offset, bytes;
};

// TESS_ERR_BUDGET if it would pass the budget or the largest buffer, or if the device
// refuses. Drivers allocate lazily: see tess_buffer_touch(). `tag` names it in messages;
// not copied.
enum tess_status tess_buffer_create(struct tess_buffer **out, struct tess_device *dev,
                                    size_t bytes, const char *tag);
void tess_buffer_destroy(struct tess_buffer **buffer);

// Write to all of it, so that the driver has to find the memory now. Blocks.
enum tess_status tess_buffer_touch(struct tess_buffer *buffer);

// Copy slice.bytes bytes from `src`. The bytes are copied before it returns if there are
// few; else `src` must stay as it is until the queue has passed this write (see
// tess_device_finish()).
enum tess_status tess_slice_write(struct tess_device *dev, struct tess_slice slice,
                                  const void *src);

// The same for bytes that change or vanish right afterwards, whatever their number.
enum tess_status tess_slice_write_now(struct tess_device *dev, struct tess_slice slice,
                                      const void *src);

// Blocks until `dst` holds slice.bytes bytes.
enum tess_status tess_slice_read(struct tess_device *dev, struct tess_slice slice,
                                 void *dst);

// Queue a copy of slice.bytes bytes to `dst`, which must stay until the queue has passed
// it. *out is for tess_read_end(); NULL in dry runs.
struct tess_read;
enum tess_status tess_slice_read_begin(struct tess_read **out, struct tess_device *dev,
                                       struct tess_slice slice, void *dst);

// Wait until the bytes are there, and set *read to NULL. NULL is nothing.
enum tess_status tess_read_end(struct tess_read **read);

// Fill with a repeated byte, not blocking.
enum tess_status tess_slice_fill(struct tess_device *dev, struct tess_slice slice,
                                 unsigned char byte);

#endif
