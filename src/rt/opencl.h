// Inside src/rt only: OpenCL itself and what its files share.
#ifndef TESS_RT_OPENCL_H
#define TESS_RT_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "rt/buffer.h"
#include "rt/cut.h"
#include "rt/device.h"
#include "rt/in_place.h"
#include "rt/launch.h"
#include "rt/matrix_unit.h"
#include "rt/rates.h"
#include "rt/tuning.h"

// What commands took since the device was opened.
struct tess_taken {
    double work, ns;
};

struct tess_kernel {
    char *name;
    cl_kernel handle;
    struct tess_speed speed;
    struct tess_taken taken;
};

struct tess_program {
    char *file, *defines;
    cl_program handle;
    struct tess_kernel **kernels; // they stay where they are
    size_t kernel_count, kernel_capacity;
};

// What is queued: a launch, or a write.
struct tess_pending {
    cl_event event;
    void *host;                 // a small block that a write still reads; or NULL
    struct tess_kernel *kernel; // NULL for a write
    double work;                // of the launch; bytes of a large write
    uint64_t host_ns;           // of a launch, where the device keeps no time
};

struct tess_device {
    struct tess_env *env;
    struct tess_device_info info;
    enum tess_variant variant;
    bool described, dry;
    bool fma; // it has an instruction for fma()
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queues[TESS_QUEUE_COUNT];
    enum tess_queue queue;
    size_t budget, max_buffer, used, peak;
    struct tess_in_place *in_place; // NULL: buffers are in the driver's memory
    // Memory under CL_MEM_USE_HOST_PTR is used as it is. PoCL does so
    // (pocl_basic_alloc_mem_obj() in its lib/CL/devices/basic/basic.c); others may copy.
    bool uses_pieces;
    char *cache_dir;          // NULL: no cache
    char *kernel_dir;         // NULL: embedded kernels
    struct tess_ahead *ahead; // or NULL
    struct tess_program *programs;
    size_t program_count, program_capacity;
    struct tess_pending *pending;
    size_t pending_count, pending_capacity;
    struct tess_counters counters;
    uint64_t max_launch_ns;
    double guessed_speed; // work per ns of kernels that were not measured yet
    struct tess_rates rates;
    struct tess_taken transfers; // work in bytes
    struct tess_tuning tuning;
    enum tess_tuning_source tuning_source;
    enum tess_matrix_unit unit;
    char *tuning_path; // NULL: the program's own
};

// Whether a device's list of extensions has one of that name.
bool tess_has_extension(cl_device_id id, const char *name);

struct tess_buffer {
    struct tess_device *dev;
    cl_mem handle;
    size_t bytes;
    const char *tag;
    struct tess_in_place_piece *piece; // what it lies in, or NULL: the driver's memory
};

// "CL_OUT_OF_RESOURCES"
const char *tess_cl_error_name(cl_int code);

// Message: DEVICE: what failed, the code's name, and what to try. Returns `status`.
__attribute__((format(printf, 4, 5))) enum tess_status
tess_cl_fail(struct tess_device *dev, enum tess_status status, cl_int code,
             const char *format, ...);

// Remember an event until the queue has passed it; takes `host` (malloc'ed) over.
enum tess_status tess_pending_add(struct tess_device *dev, struct tess_pending pending);
// Release finished events; all of them if `all` (the queues must be empty then).
enum tess_status tess_pending_collect(struct tess_device *dev, bool all);

// The kernel `launch` names, built if need be.
enum tess_status tess_program_kernel(struct tess_kernel **out, struct tess_device *dev,
                                     const char *file, const char *kernel,
                                     const char *defines);
void tess_program_release_all(struct tess_device *dev);
// Built from a binary of the cache, or NULL. Safe beside other threads if `dev` is a copy
// of its own with an environment of its own.
cl_program tess_program_from_cache(struct tess_device *dev, const char *file,
                                   const char *defines);

// Programs that are taken from the cache in a thread (ahead.c), which
// tess_device_build_ahead() starts. All for the device's own thread; `ahead` may be NULL.
struct tess_ahead;
void tess_ahead_want(struct tess_ahead *ahead, const char *file, const char *defines);
// What became of it, once; waits if that is near. NULL: it has to be built.
cl_program tess_ahead_take(struct tess_ahead *ahead, const char *file,
                           const char *defines);
void tess_ahead_end(struct tess_ahead **ahead);

// Source of cl/NAME.cl with its includes put in and #line markers. Free *out with free().
enum tess_status tess_source_load(char **out, struct tess_device *dev, const char *file);

// Program binaries on disk. `key` is any text: the whole of it must match. A miss leaves
// *out NULL and is no error; a damaged entry is a miss and is removed. Store failures are
// only logged.
void tess_cache_find(unsigned char **out, size_t *bytes, struct tess_device *dev,
                     const char *key);
void tess_cache_store(struct tess_device *dev, const char *key,
                      const unsigned char *binary, size_t bytes);
// Write a file of `dir`, which is made if need be: its parts one after the other, up to
// one without bytes; whole or not at all. False: errno says why not.
struct tess_cache_part {
    const void *data;
    size_t bytes;
};
bool tess_cache_replace(const char *dir, const char *path,
                        const struct tess_cache_part *parts);
// The directory the user's programs are cached in; NULL in *out if none can be had.
enum tess_status tess_cache_default_dir(char **out, struct tess_env *env);

// Made by the build from cl/: file names ("common.clh") and texts.
struct tess_embedded_file {
    const char *name, *text;
};
extern const struct tess_embedded_file tess_embedded_files[];
extern const size_t tess_embedded_file_count;

#endif
