// Buffers and copies.
#include "rt/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "rt/opencl.h"

// Writes up to this size are copied on the host, so that the caller need not wait.
#define COPY_BYTES_MAX (256u << 10)

#define LARGE_BYTES ((size_t)4 << 20) // some large pages

static void CL_CALLBACK give_back(cl_mem handle, void *piece)
{
    (void)handle;
    tess_in_place_give(piece);
}

// Large buffers lie in memory of ours where devices compute in the host's.
static void create(struct tess_buffer *buffer, size_t bytes, cl_int *code)
{
    struct tess_device *dev = buffer->dev;
    struct tess_in_place_piece *piece =
        bytes >= LARGE_BYTES ? tess_in_place_take(dev->in_place, bytes) : NULL;
    if (!piece) {
        buffer->handle =
            clCreateBuffer(dev->context, CL_MEM_READ_WRITE, bytes, NULL, code);
        return;
    }
    cl_mem handle = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                   bytes, tess_in_place_memory(piece), code);
    if (!handle || *code != CL_SUCCESS) {
        tess_in_place_give(piece);
        return;
    }
    // Commands that are queued may use it longer than we do.
    *code = clSetMemObjectDestructorCallback(handle, give_back, piece);
    if (*code != CL_SUCCESS) {
        clReleaseMemObject(handle);
        tess_in_place_give(piece);
        return;
    }
    buffer->handle = handle;
    buffer->piece = piece;
}

enum tess_status tess_buffer_create(struct tess_buffer **out, struct tess_device *dev,
                                    size_t bytes, const char *tag)
{
    assert(!dev->described && bytes > 0);
    if (bytes > dev->max_buffer)
        return tess_fail(dev->env, TESS_ERR_BUDGET,
                         "%s: %s needs a buffer of %zu bytes, the largest is %zu",
                         dev->info.name, tag, bytes, dev->max_buffer);
    if (bytes > dev->budget || dev->used > dev->budget - bytes)
        return tess_fail(dev->env, TESS_ERR_BUDGET,
                         "%s: %s needs %zu bytes, %zu of the budget of %zu are in use",
                         dev->info.name, tag, bytes, dev->used, dev->budget);
    struct tess_buffer *buffer = NULL;
    TESS_TRY(tess_alloc(&buffer, dev->env, 1, sizeof *buffer, "a buffer"));
    cl_int code;
    buffer->dev = dev;
    create(buffer, bytes, &code);
    if (!buffer->handle || code != CL_SUCCESS) {
        free(buffer);
        return tess_cl_fail(dev, TESS_ERR_BUDGET, code, "allocating %zu bytes for %s",
                            bytes, tag);
    }
    buffer->bytes = bytes;
    buffer->tag = tag;
    dev->used += bytes;
    if (dev->used > dev->peak)
        dev->peak = dev->used;
    *out = buffer;
    return TESS_OK;
}

void tess_buffer_destroy(struct tess_buffer **buffer)
{
    if (!*buffer)
        return;
    clReleaseMemObject((*buffer)->handle);
    (*buffer)->dev->used -= (*buffer)->bytes;
    free(*buffer);
    *buffer = NULL;
}

static cl_command_queue current_queue(const struct tess_device *dev)
{
    return dev->queues[dev->queue];
}

enum tess_status tess_buffer_touch(struct tess_buffer *buffer)
{
    struct tess_device *dev = buffer->dev;
    unsigned char zero = 0;
    bool enough = true, there = buffer->piece && dev->uses_pieces &&
                                tess_in_place_populate(&enough, buffer->piece);
    if (there && !enough)
        return tess_fail(dev->env, TESS_ERR_BUDGET,
                         "%s: no host memory for the %zu bytes of %s", dev->info.name,
                         buffer->bytes, buffer->tag);
    // Memory that is there has to be of use, too.
    cl_int code = clEnqueueFillBuffer(current_queue(dev), buffer->handle, &zero, 1, 0,
                                      there ? 1 : buffer->bytes, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clFinish(current_queue(dev));
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_BUDGET, code, "first use of %zu bytes for %s",
                            buffer->bytes, buffer->tag);
    return TESS_OK;
}

static enum tess_status write_slice(struct tess_device *dev, struct tess_slice slice,
                                    const void *src, bool now)
{
    dev->counters.uploaded += slice.bytes;
    if (dev->dry || slice.bytes == 0)
        return TESS_OK;
    TESS_TRY(tess_env_check(dev->env));
    void *copy = NULL;
    bool small = slice.bytes <= COPY_BYTES_MAX;
    if (small) {
        TESS_TRY(tess_alloc(&copy, dev->env, 1, slice.bytes, "an upload"));
        memcpy(copy, src, slice.bytes);
        src = copy;
    }
    cl_event event = NULL;
    cl_int code = clEnqueueWriteBuffer(current_queue(dev), slice.buffer->handle,
                                       !small && now ? CL_TRUE : CL_FALSE, slice.offset,
                                       slice.bytes, src, 0, NULL, &event);
    if (code != CL_SUCCESS) {
        free(copy);
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "writing %zu bytes to %s",
                            slice.bytes, slice.buffer->tag);
    }
    return tess_pending_add(
        dev, (struct tess_pending){
                 .event = event, .host = copy, .work = small ? 0 : (double)slice.bytes});
}

enum tess_status tess_slice_write(struct tess_device *dev, struct tess_slice slice,
                                  const void *src)
{
    return write_slice(dev, slice, src, false);
}

enum tess_status tess_slice_write_now(struct tess_device *dev, struct tess_slice slice,
                                      const void *src)
{
    return write_slice(dev, slice, src, true);
}

enum tess_status tess_slice_read(struct tess_device *dev, struct tess_slice slice,
                                 void *dst)
{
    dev->counters.downloaded += slice.bytes;
    if (dev->dry || slice.bytes == 0)
        return TESS_OK;
    TESS_TRY(tess_env_check(dev->env));
    cl_int code = clEnqueueReadBuffer(current_queue(dev), slice.buffer->handle, CL_TRUE,
                                      slice.offset, slice.bytes, dst, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "reading %zu bytes of %s",
                            slice.bytes, slice.buffer->tag);
    return TESS_OK;
}

struct tess_read {
    struct tess_device *dev;
    cl_event event;
};

enum tess_status tess_slice_read_begin(struct tess_read **out, struct tess_device *dev,
                                       struct tess_slice slice, void *dst)
{
    *out = NULL;
    dev->counters.downloaded += slice.bytes;
    if (dev->dry || slice.bytes == 0)
        return TESS_OK;
    TESS_TRY(tess_env_check(dev->env));
    struct tess_read *read = NULL;
    TESS_TRY(tess_alloc(&read, dev->env, 1, sizeof *read, "a download"));
    read->dev = dev;
    cl_int code =
        clEnqueueReadBuffer(current_queue(dev), slice.buffer->handle, CL_FALSE,
                            slice.offset, slice.bytes, dst, 0, NULL, &read->event);
    if (code != CL_SUCCESS) {
        free(read);
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "reading %zu bytes of %s",
                            slice.bytes, slice.buffer->tag);
    }
    clFlush(current_queue(dev)); // so that it does not wait until we do
    *out = read;
    return TESS_OK;
}

enum tess_status tess_read_end(struct tess_read **read)
{
    struct tess_read *ended = *read;
    if (!ended)
        return TESS_OK;
    *read = NULL;
    struct tess_device *dev = ended->dev;
    cl_int code = clWaitForEvents(1, &ended->event);
    clReleaseEvent(ended->event);
    free(ended);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "waiting for a download");
    return TESS_OK;
}

enum tess_status tess_slice_fill(struct tess_device *dev, struct tess_slice slice,
                                 unsigned char byte)
{
    if (dev->dry || slice.bytes == 0)
        return TESS_OK;
    cl_int code = clEnqueueFillBuffer(current_queue(dev), slice.buffer->handle, &byte, 1,
                                      slice.offset, slice.bytes, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "filling %zu bytes of %s",
                            slice.bytes, slice.buffer->tag);
    return TESS_OK;
}
