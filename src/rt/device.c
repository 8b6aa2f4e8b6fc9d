// Finding, opening and closing devices.
#include "rt/device.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "rt/opencl.h"

#define PLATFORMS_MAX 32
#define DEVICES_MAX   64

#define LAUNCH_NS     (100u * 1000 * 1000) // of a launch at most
#define LAUNCH_NS_CPU (500u * 1000 * 1000)

// What the kernels' groups take; every device of OpenCL's full profile has this much
// local memory, and every one known has such groups.
#define GROUP_ITEMS        ((size_t)TESS_GRID_ITEMS)
#define LOCAL_MEMORY_BYTES (16u << 10)

static const char no_device[] =
    "no OpenCL device found: install a driver, e.g. (Debian, Ubuntu) pocl-opencl-icd for "
    "any CPU, "
    "intel-opencl-icd for Intel GPUs, mesa-opencl-icd or AMD's own for AMD GPUs, the "
    "NVIDIA "
    "driver's OpenCL package for NVIDIA GPUs; `clinfo` lists what is there";

// What a driver needs for itself, in sight of no one: an eighth, at least 64 MiB.
static uint64_t default_budget(uint64_t memory)
{
    uint64_t headroom = memory / 8 > 64u << 20 ? memory / 8 : 64u << 20;
    return memory > headroom ? memory - headroom : memory / 2;
}

static void device_text(cl_device_id id, cl_device_info what, char *dst, size_t size)
{
    char text[1024] = "";
    clGetDeviceInfo(id, what, sizeof text - 1, text, NULL);
    const char *start = text;
    while (isspace((unsigned char)*start))
        start++;
    size_t length = strlen(start);
    while (length && isspace((unsigned char)start[length - 1]))
        length--;
    snprintf(dst, size, "%.*s", (int)length, start);
}

static uint64_t device_number(cl_device_id id, cl_device_info what, size_t size)
{
    union {
        cl_uint u32;
        cl_ulong u64;
        size_t word;
    } value = {.u64 = 0};
    clGetDeviceInfo(id, what, size, &value, NULL);
    return size == sizeof(cl_uint) ? value.u32 : value.u64;
}

bool tess_has_extension(cl_device_id id, const char *name)
{
    char extensions[16384] = "";
    size_t length = strlen(name);
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions, NULL);
    // Names begin with other names.
    for (const char *at = extensions; (at = strstr(at, name)); at += length)
        if ((at == extensions || at[-1] == ' ') &&
            (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

// Whether events tell when they ran. Rusticl of Mesa 22.3 has no times and answers 0 to
// 3; later ones refuse queues that ask for them where a GPU's driver has none.
static bool keeps_time(cl_device_id id)
{
    return device_number(id, CL_DEVICE_PROFILING_TIMER_RESOLUTION, sizeof(size_t)) > 0 &&
           device_number(id, CL_DEVICE_QUEUE_PROPERTIES,
                         sizeof(cl_command_queue_properties)) &
               CL_QUEUE_PROFILING_ENABLE;
}

static void describe(struct tess_device_info *info, cl_platform_id platform,
                     cl_device_id id)
{
    device_text(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_text(id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    device_text(id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    device_text(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof info->platform - 1,
                      info->platform, NULL);
    cl_device_type type = device_number(id, CL_DEVICE_TYPE, sizeof type);
    info->gpu = type & CL_DEVICE_TYPE_GPU;
    info->cpu = type & CL_DEVICE_TYPE_CPU;
    info->host_memory =
        device_number(id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_bool)) != 0;
    info->fp16 = tess_has_extension(id, "cl_khr_fp16");
    // A CPU whose compiler is at home with vectors says so: PoCL prefers 4 to 16 floats.
    // Intel's prefers 1, since it joins work-items to vectors, but has them too. Llvmpipe
    // says 1 to both, and takes minutes over kernels with vectors of 16.
    info->wide_vectors =
        info->cpu &&
        device_number(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(cl_uint)) >= 4;
    info->keeps_time = keeps_time(id);
    info->compute_units =
        (uint32_t)device_number(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint));
    info->clock_mhz =
        (uint32_t)device_number(id, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint));
    info->memory = device_number(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
    info->max_buffer = device_number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
    info->vendor_id = (uint32_t)device_number(id, CL_DEVICE_VENDOR_ID, sizeof(cl_uint));
    info->local_memory = device_number(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
    // Given in bits. Some drivers say 0; 128 bytes suit every device known.
    info->alignment =
        (uint32_t)device_number(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint)) / 8;
    if (info->alignment < 128 || (info->alignment & (info->alignment - 1)))
        info->alignment = 128;
    info->budget = default_budget(info->memory);
}

struct found {
    size_t count;
    struct tess_device_info infos[DEVICES_MAX];
    cl_platform_id platforms[DEVICES_MAX];
    cl_device_id ids[DEVICES_MAX];
};

static void find_devices(struct found *found)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint platform_count = 0;
    found->count = 0;
    if (clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count) != CL_SUCCESS)
        return;
    for (cl_uint p = 0; p < platform_count && p < PLATFORMS_MAX; p++) {
        cl_device_id ids[DEVICES_MAX];
        cl_uint count = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, DEVICES_MAX, ids, &count))
            continue;
        for (cl_uint d = 0; d < count && d < DEVICES_MAX; d++) {
            cl_bool available = CL_FALSE, compiler = CL_FALSE;
            clGetDeviceInfo(ids[d], CL_DEVICE_AVAILABLE, sizeof available, &available,
                            NULL);
            clGetDeviceInfo(ids[d], CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler,
                            &compiler, NULL);
            if (!available || !compiler || found->count == DEVICES_MAX)
                continue;
            struct tess_device_info *info = &found->infos[found->count];
            memset(info, 0, sizeof *info);
            info->index = (uint32_t)found->count;
            info->platform_index = p;
            info->device_index = d;
            describe(info, platforms[p], ids[d]);
            found->platforms[found->count] = platforms[p];
            found->ids[found->count++] = ids[d];
        }
    }
}

enum tess_status tess_device_enumerate(struct tess_device_info **out, size_t *count,
                                       struct tess_env *env)
{
    struct found *found = NULL;
    TESS_TRY(tess_alloc(&found, env, 1, sizeof *found, "a list of devices"));
    find_devices(found);
    enum tess_status status =
        found->count ? TESS_OK : tess_fail(env, TESS_ERR_DEVICE, no_device);
    struct tess_device_info *infos = NULL;
    if (!status)
        status =
            tess_alloc(&infos, env, found->count, sizeof *infos, "a list of devices");
    if (!status) {
        memcpy(infos, found->infos, found->count * sizeof *infos);
        *out = infos;
        *count = found->count;
    }
    free(found);
    return status;
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

static bool matches(const struct tess_device_info *info, const char *selector)
{
    unsigned platform, device;
    int end = 0;
    if (strcasecmp(selector, "gpu") == 0)
        return info->gpu;
    if (strcasecmp(selector, "cpu") == 0)
        return info->cpu;
    if (sscanf(selector, "%u:%u%n", &platform, &device, &end) == 2 && !selector[end])
        return info->platform_index == platform && info->device_index == device;
    if (sscanf(selector, "%u%n", &device, &end) == 1 && !selector[end])
        return info->index == device;
    return contains(info->name, selector) || contains(info->platform, selector) ||
           contains(info->vendor, selector);
}

static enum tess_status choose(size_t *out, struct tess_env *env,
                               const struct found *found, const char *selector)
{
    if (found->count == 0)
        return tess_fail(env, TESS_ERR_DEVICE, no_device);
    if (!selector || !*selector)
        selector = getenv("TESSELLA_DEVICE");
    if (!selector || !*selector) {
        *out = 0;
        for (size_t i = found->count; i-- > 0;)
            if (found->infos[i].gpu)
                *out = i;
        return TESS_OK;
    }
    for (size_t i = 0; i < found->count; i++)
        if (matches(&found->infos[i], selector)) {
            *out = i;
            return TESS_OK;
        }
    char names[512] = "";
    for (size_t i = 0; i < found->count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%zu: %s", i ? ", " : "", i,
                 found->infos[i].name);
    }
    return tess_fail(env, TESS_ERR_DEVICE,
                     "no OpenCL device matches '%s', expected gpu, cpu or one of %s",
                     selector, names);
}

static enum tess_status open_queues(struct tess_device *dev)
{
    cl_int code;
    dev->context = clCreateContext(
        (cl_context_properties[]){CL_CONTEXT_PLATFORM,
                                  (cl_context_properties)dev->platform, 0},
        1, &dev->id, NULL, NULL, &code);
    if (!dev->context)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "creating a context");
    for (int q = 0; q < TESS_QUEUE_COUNT; q++) {
        dev->queues[q] = clCreateCommandQueue(
            dev->context, dev->id, dev->info.keeps_time ? CL_QUEUE_PROFILING_ENABLE : 0,
            &code);
        if (!dev->queues[q])
            return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "creating a queue");
    }
    return TESS_OK;
}

// FLOP per ns that any kernel surely reaches: counted low, per clock and compute unit, as
// launches that are short cost little and launches that are long freeze a desktop.
static double guess_speed(const struct tess_device_info *info)
{
    double per_clock = info->cpu ? 16 : 32;
    double units = info->compute_units ? info->compute_units : 1;
    double clock_hz = 1e6 * (info->clock_mhz ? info->clock_mhz : 1000);
    return units * clock_hz * per_clock * 1e-9;
}

static enum tess_status check_groups(const struct tess_device *dev)
{
    uint64_t items =
        device_number(dev->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    if (items >= GROUP_ITEMS && dev->info.local_memory >= LOCAL_MEMORY_BYTES)
        return TESS_OK;
    return tess_fail(dev->env, TESS_ERR_DEVICE,
                     "%s has work-groups of at most %llu work-items and %llu bytes of "
                     "local memory, expected at least %zu and %u: choose another device",
                     dev->info.name, (unsigned long long)items,
                     (unsigned long long)dev->info.local_memory, GROUP_ITEMS,
                     LOCAL_MEMORY_BYTES);
}

// Whether there is an instruction for fma(). Intel's OpenCL for CPUs does not say so, and
// takes the CPU's where it has one.
static bool has_fma(const struct tess_device *dev)
{
#ifdef __x86_64__
    if (dev->info.cpu && strcmp(dev->info.platform, "Intel(R) OpenCL") == 0 &&
        __builtin_cpu_supports("fma"))
        return true;
#endif
    return device_number(dev->id, CL_DEVICE_SINGLE_FP_CONFIG,
                         sizeof(cl_device_fp_config)) &
           CL_FP_FMA;
}

static enum tess_status open_real(struct tess_device *dev,
                                  const struct tess_device_params *params)
{
    struct found *found = NULL;
    TESS_TRY(tess_alloc(&found, dev->env, 1, sizeof *found, "a list of devices"));
    find_devices(found);
    size_t index = 0;
    enum tess_status status = choose(&index, dev->env, found, params->selector);
    if (!status) {
        dev->info = found->infos[index];
        dev->platform = found->platforms[index];
        dev->id = found->ids[index];
    }
    free(found);
    if (!status)
        dev->fma = has_fma(dev);
    if (!status)
        status = check_groups(dev);
    if (!status)
        status = open_queues(dev);
    if (!status && dev->info.cpu && dev->info.host_memory) {
        dev->in_place = tess_in_place_create();
        dev->uses_pieces = strcmp(dev->info.platform, "Portable Computing Language") == 0;
    }
    if (!status && params->cache_dir)
        status = *params->cache_dir
                     ? tess_strdup(&dev->cache_dir, dev->env, params->cache_dir)
                     : TESS_OK;
    else if (!status)
        status = tess_cache_default_dir(&dev->cache_dir, dev->env);
    if (!status && params->kernel_dir)
        status = tess_strdup(&dev->kernel_dir, dev->env, params->kernel_dir);
    return status;
}

enum tess_variant tess_suited_variant(const struct tess_device_info *info)
{
    return info->wide_vectors ? TESS_VARIANT_CPU : TESS_VARIANT_GPU;
}

enum tess_status tess_device_open(struct tess_device **out, struct tess_env *env,
                                  const struct tess_device_params *params)
{
    struct tess_device *dev = NULL;
    TESS_TRY(tess_alloc(&dev, env, 1, sizeof *dev, "a device"));
    dev->env = env;
    enum tess_status status = TESS_OK;
    if (params->described) {
        dev->info = *params->described;
        dev->described = dev->dry = true;
    } else {
        status = open_real(dev, params);
    }
    if (!status) {
        dev->variant =
            params->variant ? params->variant : tess_suited_variant(&dev->info);
        status = tess_tuning_choose(dev, params->tuning);
    }
    if (status) {
        tess_device_close(&dev);
        return status;
    }
    dev->budget = (size_t)dev->info.budget;
    dev->max_buffer = (size_t)dev->info.max_buffer;
    dev->max_launch_ns = params->max_launch_ns              ? params->max_launch_ns
                         : dev->variant == TESS_VARIANT_CPU ? LAUNCH_NS_CPU
                                                            : LAUNCH_NS;
    dev->guessed_speed = guess_speed(&dev->info);
    tess_rates_load(dev);
    tess_log(env, TESS_LOG_DEBUG, "device %u: %s (%s, driver %s)", dev->info.index,
             dev->info.name, dev->info.platform, dev->info.driver);
    *out = dev;
    return TESS_OK;
}

void tess_device_close(struct tess_device **dev)
{
    struct tess_device *d = *dev;
    if (!d)
        return;
    for (int q = 0; q < TESS_QUEUE_COUNT; q++)
        if (d->queues[q])
            clFinish(d->queues[q]);
    tess_pending_collect(d, true);
    tess_ahead_end(&d->ahead);
    tess_rates_store(d);
    tess_rates_clear(d);
    tess_program_release_all(d);
    for (int q = 0; q < TESS_QUEUE_COUNT; q++)
        if (d->queues[q])
            clReleaseCommandQueue(d->queues[q]);
    if (d->context)
        clReleaseContext(d->context);
    tess_in_place_destroy(&d->in_place);
    free(d->pending);
    free(d->cache_dir);
    free(d->kernel_dir);
    free(d->tuning_path);
    free(d);
    *dev = NULL;
}

struct tess_env *tess_device_env(const struct tess_device *dev)
{
    return dev->env;
}

const struct tess_device_info *tess_device_facts(const struct tess_device *dev)
{
    return &dev->info;
}

enum tess_variant tess_device_variant(const struct tess_device *dev)
{
    return dev->variant;
}

bool tess_device_dry(const struct tess_device *dev)
{
    return dev->dry;
}

void tess_device_set_dry(struct tess_device *dev, bool dry)
{
    dev->dry = dry || dev->described;
}

void tess_device_set_budget(struct tess_device *dev, size_t bytes, size_t max_buffer)
{
    dev->budget = bytes;
    dev->max_buffer = max_buffer;
}

size_t tess_device_used(const struct tess_device *dev)
{
    return dev->used;
}

size_t tess_device_peak(const struct tess_device *dev)
{
    return dev->peak;
}

const struct tess_counters *tess_device_counters(const struct tess_device *dev)
{
    return &dev->counters;
}

void tess_device_set_queue(struct tess_device *dev, enum tess_queue queue)
{
    dev->queue = queue;
}
