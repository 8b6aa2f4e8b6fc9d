// A library to preload that follows a program's OpenCL buffers from outside, to compare
// with what the program says about itself, and that makes calls fail as drivers do.
//
// Counted: clCreateBuffer with its size, until the last reference to it and to every view
// of it (clCreateSubBuffer) is released. That a driver frees memory later, when queued
// work is done, is not seen. Images and shared virtual memory are not followed; the
// program has none.
//
// Launches of more than 65,535 groups along the second or third dimension are refused
// with CL_INVALID_GLOBAL_WORK_SIZE: CUDA's grids have no more.
//
// Environment, all optional:
//   TESS_CL_COUNT_REPORT=FILE
//     At exit, write {"peak_bytes", "live_bytes", "live_objects", "allocations",
//     "largest", "commands", "failures"} there. Allocations are calls of clCreateBuffer,
//     failed ones included; live objects are buffers and views; commands are launches,
//     reads, writes, fills, copies and maps that were asked for; failures are calls that
//     this library made fail.
//   TESS_CL_FAIL_ALLOC=N
//     The N-th clCreateBuffer (from 1) fails with CL_MEM_OBJECT_ALLOCATION_FAILURE.
//   TESS_CL_FAIL_USE=N
//     The buffer that the N-th clCreateBuffer made cannot be used: every command on it or
//     on a view of it fails with the same status, as where a driver allocates lazily.
//   TESS_CL_FAIL_COMMAND=N
//     The N-th command fails with CL_OUT_OF_RESOURCES.
//   TESS_CL_MEMORY=BYTES
//     So much memory is free: what goes beyond fails as with TESS_CL_FAIL_ALLOC.
//   TESS_CL_MAX_ALLOC=BYTES
//     CL_DEVICE_MAX_MEM_ALLOC_SIZE is at most this, and larger buffers are refused with
//     CL_INVALID_BUFFER_SIZE.
//   TESS_CL_LOCAL_MEMORY=BYTES, TESS_CL_GROUP=ITEMS
//     CL_DEVICE_LOCAL_MEM_SIZE and CL_DEVICE_MAX_WORK_GROUP_SIZE are at most this, and
//     larger groups are refused with CL_INVALID_WORK_GROUP_SIZE.
//   TESS_CL_NO_TIMES=1
//     The device has no clock: CL_DEVICE_PROFILING_TIMER_RESOLUTION is 0,
//     CL_DEVICE_QUEUE_PROPERTIES lacks CL_QUEUE_PROFILING_ENABLE, and queues with that
//     are refused with CL_INVALID_QUEUE_PROPERTIES.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRID_MAX 65535 // groups

// A buffer, or a view of one. Handles may be used again by the driver once they are
// released, so a record is looked up by its handle only while `references` is above zero.
struct object {
    struct object *next;
    struct object *parent; // NULL for a buffer
    cl_mem handle;
    size_t bytes; // 0 for a view
    size_t references;
    size_t views; // views that are alive
    bool unusable;
};

// An argument that is set to an unusable buffer now.
struct binding {
    struct binding *next;
    cl_kernel kernel;
    cl_uint index;
};

// The one place where a process keeps what it saw; all of it behind `lock`.
static struct {
    pthread_mutex_t lock;
    bool used; // any call was seen
    struct object *objects;
    struct binding *bindings;
    unsigned long long live_bytes, peak_bytes, live_objects, allocations, largest,
        commands, failures;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

// 0 if the variable is not set.
static unsigned long long setting(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : 0;
}

static void *reserve(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory) {
        fprintf(stderr, "cl_count: no memory\n");
        abort();
    }
    return memory;
}

// The function that the program would have called. `function` is the address of a pointer
// to it.
static void find_next(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) {
        fprintf(stderr, "cl_count: no %s after this library\n", name);
        abort();
    }
    memcpy(function, &symbol, sizeof symbol);
}

#define NEXT(name)                                                                       \
    __typeof__(&name) next;                                                              \
    find_next(&next, #name)

static void lock(void)
{
    pthread_mutex_lock(&state.lock);
    state.used = true;
}

static void unlock(void)
{
    pthread_mutex_unlock(&state.lock);
}

static struct object *find(cl_mem handle)
{
    for (struct object *o = state.objects; o; o = o->next)
        if (o->handle == handle && o->references)
            return o;
    return NULL;
}

static bool is_unusable(cl_mem handle)
{
    const struct object *o = find(handle);
    return o && o->unusable;
}

static struct object *add(cl_mem handle, struct object *parent, size_t bytes)
{
    struct object *o = reserve(sizeof *o);
    *o = (struct object){.next = state.objects,
                         .parent = parent,
                         .handle = handle,
                         .bytes = bytes,
                         .references = 1,
                         .unusable = parent && parent->unusable};
    state.objects = o;
    state.live_objects++;
    state.live_bytes += bytes;
    if (state.live_bytes > state.peak_bytes)
        state.peak_bytes = state.live_bytes;
    if (bytes > state.largest)
        state.largest = bytes;
    if (parent)
        parent->views++;
    return o;
}

static void drop_if_dead(struct object *o)
{
    if (o->references || o->views)
        return;
    struct object **at = &state.objects;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    state.live_objects--;
    state.live_bytes -= o->bytes;
    if (o->parent) {
        o->parent->views--;
        drop_if_dead(o->parent);
    }
    free(o);
}

// Forget the argument; with NULL `index` all of the kernel's.
static void unbind(cl_kernel kernel, const cl_uint *index)
{
    for (struct binding **at = &state.bindings; *at;) {
        struct binding *b = *at;
        if (b->kernel == kernel && (!index || b->index == *index)) {
            *at = b->next;
            free(b);
        } else {
            at = &b->next;
        }
    }
}

static bool has_unusable_argument(cl_kernel kernel)
{
    for (const struct binding *b = state.bindings; b; b = b->next)
        if (b->kernel == kernel)
            return true;
    return false;
}

// CL_SUCCESS, or how a command on these (NULL: none) must fail.
static cl_int refuse(cl_mem first, cl_mem second, cl_kernel kernel)
{
    cl_int code = CL_SUCCESS;
    lock();
    if (++state.commands == setting("TESS_CL_FAIL_COMMAND"))
        code = CL_OUT_OF_RESOURCES;
    else if ((first && is_unusable(first)) || (second && is_unusable(second)) ||
             (kernel && has_unusable_argument(kernel)))
        code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    state.failures += code != CL_SUCCESS;
    unlock();
    return code;
}

// As refuse(), for a launch.
static cl_int refuse_launch(cl_kernel kernel, cl_uint dimensions, const size_t *global,
                            const size_t *local)
{
    const unsigned long long most = setting("TESS_CL_GROUP");
    unsigned long long items = 1;
    bool large = false;
    for (cl_uint i = 0; local && i < dimensions; i++) {
        items *= local[i];
        large = large || (i > 0 && global[i] / local[i] > GRID_MAX);
    }
    if (!large && (!most || items <= most))
        return refuse(NULL, NULL, kernel);
    lock();
    state.failures++;
    unlock();
    return large ? CL_INVALID_GLOBAL_WORK_SIZE : CL_INVALID_WORK_GROUP_SIZE;
}

static cl_mem fail_creation(cl_int *status, cl_int code)
{
    if (status)
        *status = code;
    return NULL;
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host_ptr,
                      cl_int *errcode_ret)
{
    NEXT(clCreateBuffer);
    const unsigned long long max = setting("TESS_CL_MAX_ALLOC"),
                             memory = setting("TESS_CL_MEMORY");

    lock();
    const unsigned long long number = ++state.allocations;
    cl_int refused = CL_SUCCESS;
    if (max && size > max)
        refused = CL_INVALID_BUFFER_SIZE;
    else if (number == setting("TESS_CL_FAIL_ALLOC") ||
             (memory && state.live_bytes + size > memory))
        refused = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    state.failures += refused != CL_SUCCESS;
    unlock();
    if (refused)
        return fail_creation(errcode_ret, refused);

    cl_mem handle = next(context, flags, size, host_ptr, errcode_ret);
    if (handle) {
        lock();
        add(handle, NULL, size)->unusable = number == setting("TESS_CL_FAIL_USE");
        unlock();
    }
    return handle;
}

cl_mem clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type,
                         const void *info, cl_int *errcode_ret)
{
    NEXT(clCreateSubBuffer);
    cl_mem handle = next(buffer, flags, type, info, errcode_ret);
    if (handle) {
        lock();
        add(handle, find(buffer), 0);
        unlock();
    }
    return handle;
}

cl_int clRetainMemObject(cl_mem memobj)
{
    NEXT(clRetainMemObject);
    const cl_int status = next(memobj);
    if (status == CL_SUCCESS) {
        lock();
        struct object *o = find(memobj);
        if (o)
            o->references++;
        unlock();
    }
    return status;
}

// The record goes first: once the driver released the handle, another thread may get it
// again.
cl_int clReleaseMemObject(cl_mem memobj)
{
    NEXT(clReleaseMemObject);
    lock();
    struct object *o = find(memobj);
    if (o) {
        o->references--;
        drop_if_dead(o);
    }
    unlock();
    return next(memobj);
}

// A new kernel may have the handle of an old one.
cl_kernel clCreateKernel(cl_program program, const char *kernel_name, cl_int *errcode_ret)
{
    NEXT(clCreateKernel);
    cl_kernel kernel = next(program, kernel_name, errcode_ret);
    lock();
    unbind(kernel, NULL);
    unlock();
    return kernel;
}

// Whether an argument is a buffer cannot be seen here, but a number that equals the
// address of the one unusable buffer is a buffer.
cl_int clSetKernelArg(cl_kernel kernel, cl_uint arg_index, size_t arg_size,
                      const void *arg_value)
{
    NEXT(clSetKernelArg);
    cl_mem handle = NULL;
    if (arg_value && arg_size == sizeof handle)
        memcpy(&handle, arg_value, sizeof handle);
    lock();
    unbind(kernel, &arg_index);
    if (handle && is_unusable(handle)) {
        struct binding *b = reserve(sizeof *b);
        *b = (struct binding){state.bindings, kernel, arg_index};
        state.bindings = b;
    }
    unlock();
    return next(kernel, arg_index, arg_size, arg_value);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint work_dim,
                              const size_t *offset, const size_t *global,
                              const size_t *local, cl_uint wait_count,
                              const cl_event *wait, cl_event *event)
{
    NEXT(clEnqueueNDRangeKernel);
    const cl_int code = refuse_launch(kernel, work_dim, global, local);
    if (code)
        return code;
    return next(queue, kernel, work_dim, offset, global, local, wait_count, wait, event);
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                            size_t offset, size_t size, const void *ptr,
                            cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    NEXT(clEnqueueWriteBuffer);
    const cl_int code = refuse(buffer, NULL, NULL);
    if (code)
        return code;
    return next(queue, buffer, blocking, offset, size, ptr, wait_count, wait, event);
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                           size_t offset, size_t size, void *ptr, cl_uint wait_count,
                           const cl_event *wait, cl_event *event)
{
    NEXT(clEnqueueReadBuffer);
    const cl_int code = refuse(buffer, NULL, NULL);
    if (code)
        return code;
    return next(queue, buffer, blocking, offset, size, ptr, wait_count, wait, event);
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
                           size_t pattern_size, size_t offset, size_t size,
                           cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    NEXT(clEnqueueFillBuffer);
    const cl_int code = refuse(buffer, NULL, NULL);
    if (code)
        return code;
    return next(queue, buffer, pattern, pattern_size, offset, size, wait_count, wait,
                event);
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem src_buffer, cl_mem dst_buffer,
                           size_t src_offset, size_t dst_offset, size_t size,
                           cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    NEXT(clEnqueueCopyBuffer);
    const cl_int code = refuse(src_buffer, dst_buffer, NULL);
    if (code)
        return code;
    return next(queue, src_buffer, dst_buffer, src_offset, dst_offset, size, wait_count,
                wait, event);
}

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                         cl_map_flags flags, size_t offset, size_t size,
                         cl_uint wait_count, const cl_event *wait, cl_event *event,
                         cl_int *errcode_ret)
{
    NEXT(clEnqueueMapBuffer);
    const cl_int code = refuse(buffer, NULL, NULL);
    if (code)
        return fail_creation(errcode_ret, code);
    return next(queue, buffer, blocking, flags, offset, size, wait_count, wait, event,
                errcode_ret);
}

// The limit of a device's property, 0 if it stays as it is; and the size of its type.
static unsigned long long limit_of(cl_device_info property, size_t *bytes)
{
    *bytes =
        property == CL_DEVICE_MAX_WORK_GROUP_SIZE ? sizeof(size_t) : sizeof(cl_ulong);
    switch (property) {
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        return setting("TESS_CL_MAX_ALLOC");
    case CL_DEVICE_LOCAL_MEM_SIZE:
        return setting("TESS_CL_LOCAL_MEMORY");
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        return setting("TESS_CL_GROUP");
    default:
        return 0;
    }
}

// What a device without a clock says.
static void hide_clock(cl_device_info property, void *value)
{
    if (property == CL_DEVICE_PROFILING_TIMER_RESOLUTION)
        memset(value, 0, sizeof(size_t));
    if (property == CL_DEVICE_QUEUE_PROPERTIES) {
        cl_command_queue_properties queues;
        memcpy(&queues, value, sizeof queues);
        queues &= ~(cl_command_queue_properties)CL_QUEUE_PROFILING_ENABLE;
        memcpy(value, &queues, sizeof queues);
    }
}

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id device,
                                      cl_command_queue_properties properties,
                                      cl_int *errcode_ret)
{
    NEXT(clCreateCommandQueue);
    if (!(properties & CL_QUEUE_PROFILING_ENABLE) || !setting("TESS_CL_NO_TIMES"))
        return next(context, device, properties, errcode_ret);
    lock();
    state.failures++;
    unlock();
    if (errcode_ret)
        *errcode_ret = CL_INVALID_QUEUE_PROPERTIES;
    return NULL;
}

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info param_name, size_t size,
                       void *value, size_t *size_ret)
{
    NEXT(clGetDeviceInfo);
    const cl_int status = next(device, param_name, size, value, size_ret);
    size_t bytes;
    const unsigned long long limit = limit_of(param_name, &bytes);
    unsigned long long number = 0; // little-endian, as all devices in reach
    lock();                        // counts as use
    unlock();
    if (status == CL_SUCCESS && value && setting("TESS_CL_NO_TIMES"))
        hide_clock(param_name, value);
    if (status != CL_SUCCESS || !limit || !value || size < bytes)
        return status;
    memcpy(&number, value, bytes);
    if (number > limit)
        memcpy(value, &limit, bytes);
    return status;
}

// A compiler that the driver runs loads this library too, and must not write over the
// report: a process that made no OpenCL call writes none.
__attribute__((destructor)) static void write_report(void)
{
    const char *path = getenv("TESS_CL_COUNT_REPORT");
    if (!path || !state.used)
        return;
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    fprintf(file,
            "{\"peak_bytes\": %llu, \"live_bytes\": %llu, \"live_objects\": %llu, "
            "\"allocations\": %llu, \"largest\": %llu, \"commands\": %llu, "
            "\"failures\": %llu}\n",
            state.peak_bytes, state.live_bytes, state.live_objects, state.allocations,
            state.largest, state.commands, state.failures);
    fclose(file);
}
