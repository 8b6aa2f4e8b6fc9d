// Which matrix unit a device should have. The one place where kernels depend on a vendor.
#include "rt/matrix_unit.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#if defined __x86_64__ && defined __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "rt/opencl.h"

// CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV of cl_nv_device_attribute_query,
// CL_DEVICE_SUB_GROUP_SIZES_INTEL of cl_intel_required_subgroup_size: not in all headers.
#define COMPUTE_CAPABILITY_MAJOR_NV 0x4000
#define SUB_GROUP_SIZES_INTEL       0x4108

static const struct {
    const char *name;
    size_t lanes;
    enum tess_factors factors;
    unsigned pieces, integers;
} units[TESS_UNIT_COUNT] = {
    [TESS_UNIT_NONE] = {"none", 0, TESS_FACTORS_PLAIN, 0, 0},
    [TESS_UNIT_PORTABLE] = {"portable", 32, TESS_FACTORS_HALVES, 0, 0},
    [TESS_UNIT_NVIDIA] = {"nvidia", 32, TESS_FACTORS_HALVES, 0, 0},
    [TESS_UNIT_INTEL] = {"intel", 8, TESS_FACTORS_HALVES, 0, 0},
    [TESS_UNIT_AMD_MFMA] = {"amd-mfma", 64, TESS_FACTORS_HALVES, 0, 0},
    [TESS_UNIT_AMD_WMMA] = {"amd-wmma", 32, TESS_FACTORS_HALVES, 0, 0},
    [TESS_UNIT_AMX] = {"amx", 1, TESS_FACTORS_PIECES, 3, 0},
    [TESS_UNIT_AMX_FAST] = {"amx-fast", 1, TESS_FACTORS_PIECES, 2, 0},
    [TESS_UNIT_AMX_PORTABLE] = {"amx-portable", 1, TESS_FACTORS_PIECES, 3, 0},
    [TESS_UNIT_AMX_FAST_PORTABLE] = {"amx-portable-2", 1, TESS_FACTORS_PIECES, 2, 0},
    [TESS_UNIT_AVX512_VNNI] = {"avx512-vnni", 1, TESS_FACTORS_QUANTISED, 0, 1},
    [TESS_UNIT_AVX_VNNI] = {"avx-vnni", 1, TESS_FACTORS_QUANTISED, 0, 2},
    [TESS_UNIT_AVX2] = {"avx2", 1, TESS_FACTORS_QUANTISED, 0, 3},
    [TESS_UNIT_AVX_PORTABLE] = {"avx-portable", 1, TESS_FACTORS_QUANTISED, 0, 0},
};

const char *tess_matrix_unit_name(enum tess_matrix_unit unit)
{
    return units[unit].name;
}

enum tess_factors tess_matrix_unit_factors(enum tess_matrix_unit unit)
{
    return units[unit].factors;
}

size_t tess_matrix_unit_lanes(enum tess_matrix_unit unit)
{
    return units[unit].lanes;
}

// mma.sync.m16n8k16 for halves: from compute capability 8.0 on.
static bool has_nvidia(const struct tess_device *dev)
{
    cl_uint major = 0;
    return tess_has_extension(dev->id, "cl_nv_device_attribute_query") &&
           clGetDeviceInfo(dev->id, COMPUTE_CAPABILITY_MAJOR_NV, sizeof major, &major,
                           NULL) == CL_SUCCESS &&
           major >= 8;
}

// The extension's shapes depend on the smallest sub-group: here, of 8.
static bool has_intel(const struct tess_device *dev)
{
    size_t sizes[16] = {0}, bytes = 0;
    if (!tess_has_extension(dev->id, "cl_intel_subgroup_matrix_multiply_accumulate") ||
        clGetDeviceInfo(dev->id, SUB_GROUP_SIZES_INTEL, sizeof sizes, sizes, &bytes))
        return false;
    for (size_t i = 0; i < bytes / sizeof *sizes; i++)
        if (sizes[i] == 8)
            return true;
    return false;
}

// On AMD's own OpenCL, whose compiler is clang, a device's name is its architecture.
static bool is_amd(const struct tess_device *dev, const char *architecture)
{
    return strstr(dev->info.platform, "AMD Accelerated Parallel Processing") &&
           strncmp(dev->info.name, architecture, strlen(architecture)) == 0;
}

// Linux lets a process use the tiles once it has asked for them
// (Documentation/arch/x86/xstate.rst).
#define REQUEST_PERMISSION 0x1023 // ARCH_REQ_XCOMP_PERM
#define TILE_DATA          18     // XFEATURE_XTILEDATA
#define AMX_BF16           (1u << 22)
#define AMX_TILE           (1u << 24)
#define AMX_LOCAL_BYTES    (1u << 20)
#define AVX_VNNI           (1u << 4)

bool tess_matrix_unit_is_amx(enum tess_matrix_unit unit)
{
    return unit == TESS_UNIT_AMX || unit == TESS_UNIT_AMX_FAST;
}

#ifdef __x86_64__
// PoCL compiles for this machine's CPU, and in this process.
static bool is_pocl(const struct tess_device *dev)
{
    return !dev->info.gpu && dev->variant == TESS_VARIANT_CPU &&
           strstr(dev->info.platform, "Portable Computing Language");
}
#endif

static bool has_amx(const struct tess_device *dev)
{
#if defined __x86_64__ && defined __linux__
    unsigned a, b, c, d;
    return is_pocl(dev) && dev->info.local_memory >= AMX_LOCAL_BYTES &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & AMX_BF16 && d & AMX_TILE &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    (void)dev;
    return false;
#endif
}

unsigned tess_matrix_unit_integers(enum tess_matrix_unit unit)
{
    return units[unit].integers;
}

bool tess_device_has_integers(const struct tess_device *dev, enum tess_matrix_unit unit)
{
    if (unit == TESS_UNIT_AVX_PORTABLE)
        return true;
#ifdef __x86_64__
    unsigned a, b, c, d;
    bool avx2 =
        is_pocl(dev) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (unit == TESS_UNIT_AVX512_VNNI)
        return avx2 && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vnni");
    if (unit == TESS_UNIT_AVX_VNNI)
        return avx2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & AVX_VNNI;
    return avx2;
#else
    (void)dev;
    return false;
#endif
}

// The fastest of them. Without VNNI a product and its sum are two instructions, for which
// of the CPUs that are known Zen 3 alone has units enough to be faster than with floats.
static enum tess_matrix_unit integers_of(const struct tess_device *dev)
{
    for (int unit = TESS_UNIT_AVX512_VNNI; unit <= TESS_UNIT_AVX_VNNI; unit++)
        if (tess_device_has_integers(dev, (enum tess_matrix_unit)unit))
            return (enum tess_matrix_unit)unit;
#ifdef __x86_64__
    if (tess_device_has_integers(dev, TESS_UNIT_AVX2) && __builtin_cpu_is("znver3"))
        return TESS_UNIT_AVX2;
#endif
    return TESS_UNIT_NONE;
}

unsigned tess_matrix_unit_pieces(enum tess_matrix_unit unit)
{
    return units[unit].pieces;
}

enum tess_matrix_unit tess_matrix_unit_expected(const struct tess_device *dev, bool fast)
{
    if (dev->described)
        return TESS_UNIT_NONE;
    if (has_amx(dev))
        return fast ? TESS_UNIT_AMX_FAST : TESS_UNIT_AMX;
    if (fast && dev->variant == TESS_VARIANT_CPU)
        return integers_of(dev);
    if (!fast || !dev->info.gpu || dev->variant != TESS_VARIANT_GPU)
        return TESS_UNIT_NONE;
    if (has_nvidia(dev))
        return TESS_UNIT_NVIDIA;
    if (has_intel(dev))
        return TESS_UNIT_INTEL;
    if (is_amd(dev, "gfx90a") || is_amd(dev, "gfx94"))
        return TESS_UNIT_AMD_MFMA;
    return is_amd(dev, "gfx11") ? TESS_UNIT_AMD_WMMA : TESS_UNIT_NONE;
}

enum tess_matrix_unit tess_device_unit(const struct tess_device *dev)
{
    return dev->unit;
}

void tess_device_set_unit(struct tess_device *dev, enum tess_matrix_unit unit)
{
    dev->unit = unit;
}
