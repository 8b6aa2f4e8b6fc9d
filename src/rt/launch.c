// Kernel launches, queues and the events behind them.
#include "rt/launch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "rt/opencl.h"

// Events that may wait: so far is the host ahead of the device.
#define PENDING_MAX 512

enum tess_status tess_pending_add(struct tess_device *dev, struct tess_pending pending)
{
    enum tess_status status =
        tess_grow(&dev->pending, &dev->pending_capacity, dev->env, dev->pending_count + 1,
                  sizeof *dev->pending, "events");
    if (status) {
        clWaitForEvents(1, &pending.event);
        clReleaseEvent(pending.event);
        free(pending.host);
        return status;
    }
    dev->pending[dev->pending_count++] = pending;
    if (dev->pending_count < PENDING_MAX)
        return TESS_OK;
    // Far ahead of the device: let it catch up to the older half.
    cl_int code = clWaitForEvents(1, &dev->pending[PENDING_MAX / 2].event);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "waiting for the device");
    return tess_pending_collect(dev, false);
}

static struct tess_kernel_times *times_of(struct tess_counters *counters,
                                          const char *name)
{
    uint32_t i = 0;
    while (i < counters->kernel_count && strcmp(counters->kernels[i].name, name) != 0)
        i++;
    assert(i < TESS_COUNTER_KERNELS);
    if (i == counters->kernel_count)
        counters->kernels[counters->kernel_count++] =
            (struct tess_kernel_times){.name = name};
    return &counters->kernels[i];
}

static void count_launch(struct tess_device *dev, const struct tess_pending *pending,
                         uint64_t ns)
{
    struct tess_taken *taken = &pending->kernel->taken;
    if (pending->kernel->speed.warm) { // drivers may compile in the first launch
        taken->work += pending->work;
        taken->ns += (double)ns;
    }
    struct tess_kernel_times *times = times_of(&dev->counters, pending->kernel->name);
    times->launches++;
    times->ns += ns;
    times->longest_ns = ns > times->longest_ns ? ns : times->longest_ns;
    dev->counters.kernel_ns += ns;
    if (ns > dev->counters.longest_ns)
        dev->counters.longest_ns = ns;
    tess_speed_learn(&pending->kernel->speed, pending->work, ns, dev->max_launch_ns);
}

static void count_time(struct tess_device *dev, const struct tess_pending *pending)
{
    if (!dev->info.keeps_time) {
        if (pending->kernel)
            count_launch(dev, pending, pending->host_ns);
        return;
    }
    cl_event event = pending->event;
    cl_ulong start = 0, end = 0;
    if (clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start,
                                NULL) ||
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end,
                                NULL) ||
        end < start)
        return;
    if (pending->kernel) {
        count_launch(dev, pending, end - start);
    } else if (pending->work > 0) {
        dev->transfers.work += pending->work;
        dev->transfers.ns += (double)(end - start);
    }
}

// Count and forget the oldest events, as far as they are done. A failed command is left
// for tess_pending_collect() to tell.
static void collect_oldest(struct tess_device *dev)
{
    size_t done = 0;
    for (; done < dev->pending_count; done++) {
        struct tess_pending *pending = &dev->pending[done];
        cl_int state = CL_QUEUED;
        clGetEventInfo(pending->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state,
                       &state, NULL);
        if (state != CL_COMPLETE)
            break;
        count_time(dev, pending);
        clReleaseEvent(pending->event);
        free(pending->host);
    }
    if (done == 0)
        return;
    dev->pending_count -= done;
    memmove(dev->pending, dev->pending + done, dev->pending_count * sizeof *dev->pending);
}

enum tess_status tess_pending_collect(struct tess_device *dev, bool all)
{
    enum tess_status status = TESS_OK;
    size_t kept = 0;
    for (size_t i = 0; i < dev->pending_count; i++) {
        struct tess_pending pending = dev->pending[i];
        cl_int state = CL_COMPLETE;
        clGetEventInfo(pending.event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state,
                       &state, NULL);
        if (state > CL_COMPLETE && !all) {
            dev->pending[kept++] = pending;
            continue;
        }
        if (state < 0 && !status)
            status =
                tess_cl_fail(dev, TESS_ERR_DEVICE, state, "running a queued command");
        if (state == CL_COMPLETE)
            count_time(dev, &pending);
        clReleaseEvent(pending.event);
        free(pending.host);
    }
    dev->pending_count = kept;
    return status;
}

enum tess_status tess_device_finish(struct tess_device *dev)
{
    if (dev->described)
        return TESS_OK;
    cl_int failed = CL_SUCCESS;
    for (int q = 0; q < TESS_QUEUE_COUNT; q++) {
        cl_int code = clFinish(dev->queues[q]);
        if (code != CL_SUCCESS)
            failed = code;
    }
    enum tess_status status = tess_pending_collect(dev, true);
    if (failed != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, failed, "finishing the queued work");
    return status;
}

enum tess_status tess_device_take_counters(struct tess_device *dev,
                                           struct tess_counters *out)
{
    if (!dev->dry)
        TESS_TRY(tess_device_finish(dev));
    *out = dev->counters;
    dev->counters = (struct tess_counters){0};
    return TESS_OK;
}

enum tess_status tess_device_order_after(struct tess_device *dev, enum tess_queue queue)
{
    if (dev->dry)
        return TESS_OK;
    cl_event event = NULL;
    cl_int code = clEnqueueMarkerWithWaitList(dev->queues[queue], 0, NULL, &event);
    for (int q = 0; q < TESS_QUEUE_COUNT && code == CL_SUCCESS; q++) {
        if (q == (int)queue)
            continue;
        code = clEnqueueBarrierWithWaitList(dev->queues[q], 1, &event, NULL);
    }
    if (code == CL_SUCCESS)
        code = clFlush(dev->queues[queue]);
    if (event)
        clReleaseEvent(event);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "ordering two queues");
    return TESS_OK;
}

// Sub-buffers live until the launch is queued; OpenCL keeps what a queued kernel uses.
struct bound {
    cl_mem views[TESS_LAUNCH_ARGS];
    size_t count;
};

static void release_views(struct bound *bound)
{
    for (size_t i = 0; i < bound->count; i++)
        clReleaseMemObject(bound->views[i]);
    bound->count = 0;
}

static cl_int bind_slice(struct bound *bound, cl_kernel kernel, cl_uint index,
                         struct tess_slice slice)
{
    cl_mem handle = slice.buffer->handle;
    if (slice.offset != 0 || slice.bytes != slice.buffer->bytes) {
        cl_int code;
        cl_buffer_region region = {slice.offset, slice.bytes};
        handle = clCreateSubBuffer(handle, CL_MEM_READ_WRITE,
                                   CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
        if (!handle)
            return code;
        bound->views[bound->count++] = handle;
    }
    return clSetKernelArg(kernel, index, sizeof handle, &handle);
}

static enum tess_status bind_args(struct bound *bound, struct tess_device *dev,
                                  cl_kernel kernel, const struct tess_launch *launch)
{
    for (cl_uint i = 0; i < TESS_LAUNCH_ARGS && launch->args[i].kind != TESS_ARG_NONE;
         i++) {
        const struct tess_arg *arg = &launch->args[i];
        cl_int code = CL_SUCCESS;
        switch (arg->kind) {
        case TESS_ARG_SLICE:
            code = bind_slice(bound, kernel, i, arg->slice);
            break;
        case TESS_ARG_U32:
            code = clSetKernelArg(kernel, i, sizeof arg->u32, &arg->u32);
            break;
        case TESS_ARG_F32:
            code = clSetKernelArg(kernel, i, sizeof arg->f32, &arg->f32);
            break;
        case TESS_ARG_NONE:
            break;
        }
        if (code != CL_SUCCESS)
            return tess_cl_fail(dev, TESS_ERR_DEVICE, code,
                                "setting argument %u of kernel %s", (unsigned)i,
                                launch->kernel);
    }
    return TESS_OK;
}

// The device's part of a launch by the host's clock: it starts on an empty queue and is
// waited for. What failed is told when its event is collected.
static void wait_and_time(struct tess_pending *pending, double start)
{
    clWaitForEvents(1, &pending->event);
    pending->host_ns = (uint64_t)(1e9 * (tess_seconds_now() - start));
}

// Queue the groups [group, group + count) along dimension `cut`.
static enum tess_status enqueue_piece(struct tess_device *dev, struct tess_kernel *kernel,
                                      unsigned cut, size_t group, size_t count,
                                      const size_t global[3], const size_t local[3],
                                      double work)
{
    size_t offset[3] = {0, 0, 0};
    size_t part[3] = {global[0], global[1], global[2]};
    offset[cut] = group * local[cut];
    part[cut] = count * local[cut];
    cl_command_queue queue = dev->queues[dev->queue];
    struct tess_pending pending = {.kernel = kernel, .work = work};
    if (!dev->info.keeps_time)
        clFinish(queue);
    double start = tess_seconds_now();
    cl_int code = clEnqueueNDRangeKernel(queue, kernel->handle, 3, offset, part, local, 0,
                                         NULL, &pending.event);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code,
                            "launching kernel %s with %zu x %zu x %zu work-items",
                            kernel->name, part[0], part[1], part[2]);
    if (!dev->info.keeps_time)
        wait_and_time(&pending, start);
    return tess_pending_add(dev, pending);
}

// Wait for what was queued last, to learn from it.
static enum tess_status wait_for_piece(struct tess_device *dev)
{
    if (dev->pending_count == 0) // it is done and counted
        return TESS_OK;
    cl_int code = clWaitForEvents(1, &dev->pending[dev->pending_count - 1].event);
    if (code != CL_SUCCESS)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "waiting for the device");
    return tess_pending_collect(dev, false);
}

// Of `count` groups, at most `most`, so that the pieces to come are of one size: the
// units of a device wait for each other at the end of each.
static size_t even_share(size_t count, size_t most)
{
    size_t pieces = count / most + (count % most != 0);
    return count / pieces + (count % pieces != 0);
}

// A kernel that was not measured is waited for before more of a long launch is queued: at
// its first pieces, once in the life of a device.
static enum tess_status enqueue(struct tess_device *dev, struct tess_kernel *kernel,
                                const struct tess_launch *launch)
{
    size_t columns = dev->tuning.values[TESS_TUNED_ELEMENT_COLUMNS];
    const size_t grid[3] = {columns, TESS_GRID_ITEMS / columns, 1};
    size_t local[3], global[3];
    bool single = launch->whole_rows && dev->variant == TESS_VARIANT_CPU;
    bool padded = !launch->local[0] && !single;
    for (int i = 0; i < 3; i++) {
        local[i] = padded ? grid[i] : launch->local[i] ? launch->local[i] : 1;
        global[i] = launch->global[i] && !(single && i == 0) ? launch->global[i] : 1;
        if (padded)
            global[i] = (global[i] + grid[i] - 1) / grid[i] * grid[i];
        assert(global[i] % local[i] == 0);
    }
    unsigned cut = launch->cut;
    size_t groups = global[cut] / local[cut];
    double group_work = tess_launch_work(launch) / (double)groups;
    collect_oldest(dev);
    for (size_t group = 0; group < groups;) {
        size_t count = tess_cut_groups(&kernel->speed, group_work, dev->guessed_speed,
                                       dev->max_launch_ns);
        count = even_share(groups - group, count);
        TESS_TRY(enqueue_piece(dev, kernel, cut, group, count, global, local,
                               group_work * (double)count));
        group += count;
        if (group < groups && !tess_speed_known(&kernel->speed))
            TESS_TRY(wait_for_piece(dev));
    }
    return TESS_OK;
}

static void count_dry(struct tess_device *dev, const struct tess_launch *launch)
{
    tess_ahead_want(dev->ahead, launch->file, launch->defines ? launch->defines : "");
    double ns = tess_rates_estimate(dev, launch);
    if (ns < 0) {
        ns = tess_launch_work(launch) / dev->guessed_speed;
        dev->counters.guessed_ns += ns;
    }
    dev->counters.estimated_ns += ns;
}

enum tess_status tess_launch(struct tess_device *dev, const struct tess_launch *launch)
{
    dev->counters.launches++;
    dev->counters.flop += launch->flop;
    if (dev->dry) {
        count_dry(dev, launch);
        return TESS_OK;
    }
    TESS_TRY(tess_env_check(dev->env));
    struct tess_kernel *kernel;
    TESS_TRY(
        tess_program_kernel(&kernel, dev, launch->file, launch->kernel, launch->defines));
    struct bound bound = {.count = 0};
    enum tess_status status = bind_args(&bound, dev, kernel->handle, launch);
    if (!status)
        status = enqueue(dev, kernel, launch);
    release_views(&bound);
    return status;
}
