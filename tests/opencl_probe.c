// A tiny OpenCL program that shows whether a device works at all, and that
// tests/house/cl_count.py has counted: opencl_probe STEP... Exit status 77 if there is no
// device that works.
//
// There are four slots for buffers, a to d. A step is a letter for what to do, the slot,
// and a number where it takes one:
//   c SLOT BYTES  create        v SLOT  a view of slot a's bytes 1024 to 2047
//   r SLOT        retain        x SLOT  release
//   w SLOT        write 4 bytes, read them back, fill them, each on its own line
//   k SLOT        run a kernel on it
//   p             copy 4 bytes from a to b
//   m             print the device's largest buffer
//   l             print its local memory
//   g             print its largest group; with SLOT run a kernel on it in a group of 8
//   y SLOT        run a kernel on it in 65,536 groups along the second dimension
//   o SLOT        run a kernel that writes past the end of it
//   d SLOT        run a kernel whose work-items race for it
//   u SLOT        run a kernel that branches on what is in it
// Each call prints one line: the step and the OpenCL status, or the value.
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <stdio.h>
#include <stdlib.h>

static const char *source =
    "kernel void set(global int *x) { x[get_global_id(0)] = 7; }"
    "kernel void stray(global int *x) { x[get_global_id(0) + (1 << 20)] = 7; }"
    "kernel void race(global int *x) { x[0] = get_global_id(0); }"
    "kernel void branch(global int *x) { if (x[get_global_id(0)] > 3) x[0] = 7; }";

static void need(int good, const char *what)
{
    if (!good) {
        printf("cannot: %s\n", what);
        exit(77);
    }
}

int main(int argc, char **argv)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    cl_device_id device = NULL;
    cl_int status;
    need(clGetPlatformIDs(16, platforms, &count) == CL_SUCCESS, "find a platform");
    for (cl_uint i = 0; i < count && i < 16 && !device; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) !=
            CL_SUCCESS)
            device = NULL;
    need(device != NULL, "find a device");
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    need(status == CL_SUCCESS, "create a context");
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &status);
    need(status == CL_SUCCESS, "create a queue");
    cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &status);
    need(clBuildProgram(program, 1, &device, "", NULL, NULL) == CL_SUCCESS, "build");
    enum { SET, STRAY, RACE, BRANCH, KERNELS };
    const char *names[KERNELS] = {"set", "stray", "race", "branch"};
    cl_kernel kernels[KERNELS];
    for (int i = 0; i < KERNELS; i++) {
        kernels[i] = clCreateKernel(program, names[i], &status);
        need(status == CL_SUCCESS, "create a kernel");
    }

    cl_mem slots[4] = {NULL};
    for (int i = 1; i < argc; i++) {
        const char step = argv[i][0];
        cl_mem *slot = argv[i][0] && argv[i][1] ? &slots[(argv[i][1] - 'a') & 3] : slots;
        cl_int value = 0;
        cl_ulong max = 0;
        size_t items, group = 8;
        cl_kernel kernel;
        switch (step) {
        case 'c':
            *slot = clCreateBuffer(context, CL_MEM_READ_WRITE,
                                   strtoull(argv[i] + 2, NULL, 10), NULL, &status);
            break;
        case 'v':
            *slot = clCreateSubBuffer(slots[0], CL_MEM_READ_WRITE,
                                      CL_BUFFER_CREATE_TYPE_REGION,
                                      &(cl_buffer_region){1024, 1024}, &status);
            break;
        case 'r':
            status = clRetainMemObject(*slot);
            break;
        case 'x':
            status = clReleaseMemObject(*slot);
            break;
        case 'w':
            status =
                clEnqueueWriteBuffer(queue, *slot, CL_TRUE, 0, 4, &value, 0, NULL, NULL);
            printf("write %d\n", status);
            status =
                clEnqueueReadBuffer(queue, *slot, CL_TRUE, 0, 4, &value, 0, NULL, NULL);
            printf("read %d\n", status);
            status = clEnqueueFillBuffer(queue, *slot, &value, 4, 0, 4, 0, NULL, NULL);
            break;
        case 'l':
            status =
                clGetDeviceInfo(device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof max, &max, NULL);
            printf("local %llu\n", (unsigned long long)max);
            continue;
        case 'g':
            if (argv[i][1]) {
                status = clSetKernelArg(kernels[SET], 0, sizeof *slot, slot);
                if (status == CL_SUCCESS)
                    status = clEnqueueNDRangeKernel(queue, kernels[SET], 1, NULL, &group,
                                                    &group, 0, NULL, NULL);
                break;
            }
            status = clGetDeviceInfo(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group,
                                     &group, NULL);
            printf("group %zu\n", group);
            continue;
        case 'y':
            status = clSetKernelArg(kernels[SET], 0, sizeof *slot, slot);
            if (status == CL_SUCCESS)
                status = clEnqueueNDRangeKernel(queue, kernels[SET], 2, NULL,
                                                (size_t[]){1, 65536}, (size_t[]){1, 1}, 0,
                                                NULL, NULL);
            break;
        case 'k':
        case 'o':
        case 'd':
        case 'u':
            kernel = kernels[step == 'o'   ? STRAY
                             : step == 'd' ? RACE
                             : step == 'u' ? BRANCH
                                           : SET];
            items = step == 'd' ? 8 : 1;
            status = clSetKernelArg(kernel, 0, sizeof *slot, slot);
            if (status == CL_SUCCESS)
                status = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0,
                                                NULL, NULL);
            break;
        case 'p':
            status =
                clEnqueueCopyBuffer(queue, slots[0], slots[1], 0, 0, 4, 0, NULL, NULL);
            break;
        case 'm':
            status = clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof max,
                                     &max, NULL);
            printf("max %llu\n", (unsigned long long)max);
            continue;
        default:
            printf("what is %s?\n", argv[i]);
            return 2;
        }
        clFinish(queue);
        printf("%c%.1s %d\n", step, step == 'p' ? "" : argv[i] + 1, status);
    }

    for (int i = 0; i < KERNELS; i++)
        clReleaseKernel(kernels[i]);
    clReleaseProgram(program);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    return 0;
}
