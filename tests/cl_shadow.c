// A library to preload between a program and Oclgrind, so that --uninitialized can be
// believed.
//
// Oclgrind 21.10 keeps a shadow of every buffer that says which bytes were written. It
// loses track where a buffer is used in parts, as an arena is: a write from the host
// replaces the whole shadow by one of the size of that write, wherever in the buffer it
// goes; a buffer that a kernel first sees through a view that does not start at 0 gets a
// shadow of random content; and a new buffer inherits the shadow of an old one whose
// address it has (Uninitialized::hostMemoryStore, Uninitialized::kernelBegin,
// ShadowMemory::allocate). Stores by kernels are tracked well. So here
//   - an empty kernel touches each new buffer, which makes a shadow for all of it;
//   - writes and fills go to a buffer of their own, as a whole, and a kernel copies them
//   on;
//   - no buffer is ever released, and so no address used twice.
// What the host writes is there when the call returns. Copies and maps are not covered;
// the program has none.
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *source =
    "kernel void touch(global uchar *buffer) {}"
    "kernel void put(global uchar *to, global const uchar *from, ulong offset, ulong "
    "size)"
    "{"
    "    const size_t first = get_global_id(0) * 64, end = min(first + 64, (size_t)size);"
    "    if (end - first == 64 && offset % 4 == 0)"
    "        vstore16(vload16(0, (global const uint *)(from + first)), 0,"
    "                 (global uint *)(to + offset + first));"
    "    else"
    "        for (size_t i = first; i < end; i++)"
    "            to[offset + i] = from[i];"
    "}";

static void need(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cl_shadow: cannot %s\n", what);
        abort();
    }
}

// The function that the program would have called. `function` is the address of a pointer
// to it.
static void find_next(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    need(symbol != NULL, name);
    memcpy(function, &symbol, sizeof symbol);
}

#define NEXT(name)                                                                       \
    __typeof__(&name) next;                                                              \
    find_next(&next, #name)

// A kernel of ours for one launch; release both.
static cl_kernel make_kernel(cl_program *program, cl_context context, const char *name)
{
    cl_int status;
    *program = clCreateProgramWithSource(context, 1, &source, NULL, &status);
    need(clBuildProgram(*program, 0, NULL, "", NULL, NULL) == CL_SUCCESS, "build");
    cl_kernel kernel = clCreateKernel(*program, name, &status);
    need(status == CL_SUCCESS, "create a kernel");
    return kernel;
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host_ptr,
                      cl_int *errcode_ret)
{
    NEXT(clCreateBuffer);
    cl_mem buffer = next(context, flags, size, host_ptr, errcode_ret);
    if (!buffer)
        return NULL;

    cl_device_id device;
    cl_int status;
    need(clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof device, &device, NULL) ==
             CL_SUCCESS,
         "find the device");
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &status);
    need(status == CL_SUCCESS, "create a queue");
    cl_program program;
    cl_kernel kernel = make_kernel(&program, context, "touch");
    clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
    need(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &(size_t){1}, NULL, 0, NULL,
                                NULL) == CL_SUCCESS &&
             clFinish(queue) == CL_SUCCESS,
         "touch a buffer");
    clReleaseKernel(kernel);
    clReleaseProgram(program);
    clReleaseCommandQueue(queue);
    return buffer;
}

// A host write of `size` bytes, which are in a buffer that is `staged`, done when this
// returns.
static cl_int put(cl_command_queue queue, cl_mem buffer, size_t offset, size_t size,
                  const void *data, cl_uint wait_count, const cl_event *wait,
                  cl_event *event)
{
    __typeof__(&clCreateBuffer) create;
    __typeof__(&clEnqueueWriteBuffer) write;
    find_next(&create, "clCreateBuffer");
    find_next(&write, "clEnqueueWriteBuffer");

    cl_context context;
    cl_int status =
        clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL);
    need(status == CL_SUCCESS, "find the context");
    cl_mem staged = create(context, CL_MEM_READ_ONLY, size, NULL, &status);
    need(status == CL_SUCCESS, "create a buffer");
    status = write(queue, staged, CL_TRUE, 0, size, data, 0, NULL, NULL);
    need(status == CL_SUCCESS, "write");

    cl_program program;
    cl_kernel kernel = make_kernel(&program, context, "put");
    clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
    clSetKernelArg(kernel, 1, sizeof staged, &staged);
    clSetKernelArg(kernel, 2, sizeof(cl_ulong), &(cl_ulong){offset});
    clSetKernelArg(kernel, 3, sizeof(cl_ulong), &(cl_ulong){size});
    status = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &(size_t){(size + 63) / 64},
                                    NULL, wait_count, wait, event);
    if (status == CL_SUCCESS)
        status = clFinish(queue);
    clReleaseKernel(kernel);
    clReleaseProgram(program);
    return status;
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                            size_t offset, size_t size, const void *ptr,
                            cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    (void)blocking;
    return put(queue, buffer, offset, size, ptr, wait_count, wait, event);
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
                           size_t pattern_size, size_t offset, size_t size,
                           cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    char *data = malloc(size);
    need(data != NULL, "allocate");
    for (size_t i = 0; i < size; i += pattern_size)
        memcpy(data + i, pattern, pattern_size);
    cl_int status = put(queue, buffer, offset, size, data, wait_count, wait, event);
    free(data);
    return status;
}

cl_int clReleaseMemObject(cl_mem memobj)
{
    (void)memobj;
    return CL_SUCCESS;
}
