// Programs: built from source or from the cache, kept for the life of the device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "rt/opencl.h"

// The closed list of defines that every program gets. Kernels state their rounding
// themselves (explicit fma, contraction off), so there are no options for fast arithmetic
// here.
static const char *variant_defines(const struct tess_device *dev)
{
    return dev->variant == TESS_VARIANT_CPU ? "-DTESS_CPU=1" : "-DTESS_CPU=0";
}

static enum tess_status build_options(char **out, struct tess_device *dev,
                                      const char *defines)
{
    return tess_strf(out, dev->env, "-cl-std=CL1.2 %s%s %s", variant_defines(dev),
                     dev->fma ? "" : " -DTESS_NO_FMA", defines);
}

// Of the source a hash is compared, of the rest of the key the text.
static enum tess_status cache_key(char **out, struct tess_device *dev, const char *file,
                                  const char *options, const char *source)
{
    return tess_strf(
        out, dev->env,
        "tessella %s\nfile %s\noptions %s\nsource %016llx %zu\ndevice %s\n"
        "version %s\ndriver %s\nplatform %s\n",
        TESS_VERSION, file, options,
        (unsigned long long)tess_hash(TESS_HASH_START, source, strlen(source)),
        strlen(source), dev->info.name, dev->info.version, dev->info.driver,
        dev->info.platform);
}

static enum tess_status fail_build(struct tess_device *dev, cl_program program,
                                   cl_int code, const char *file)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *text = NULL;
    TESS_TRY(tess_alloc(&text, dev->env, size + 1, 1, "a build log"));
    clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, size, text, NULL);
    tess_log(dev->env, TESS_LOG_DEBUG, "%s", text);
    // What clang says of a CPU that is younger than it is.
    const char *hint =
        strstr(text, "unknown target CPU")
            ? "the driver's compiler does not know this CPU, a later version "
              "of the driver may: "
            : "";
    char first[600];
    snprintf(first, sizeof first, "%s", text);
    free(text);
    return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "building cl/%s.cl: %s%s\n", file,
                        hint, first);
}

static cl_program find_binary(struct tess_device *dev, const char *key,
                              const char *options)
{
    unsigned char *binary = NULL;
    size_t bytes = 0;
    tess_cache_find(&binary, &bytes, dev, key);
    if (!binary)
        return NULL;
    cl_int code, state = CL_SUCCESS;
    cl_program program =
        clCreateProgramWithBinary(dev->context, 1, &dev->id, &bytes,
                                  (const unsigned char **)&binary, &state, &code);
    free(binary);
    if (program &&
        (code || state || clBuildProgram(program, 1, &dev->id, options, NULL, NULL)))
    {
        tess_log(dev->env, TESS_LOG_DEBUG, "cached program refused by the driver");
        clReleaseProgram(program);
        program = NULL;
    }
    return program;
}

// PoCL 6 takes assembly for a call of a function when it compiles for groups of any size,
// and ends the process. 3.1 does not; from where on it does was not tried.
static bool can_hand_over(const struct tess_device *dev, const char *source)
{
    return !strstr(source, "__asm__") ||
           !strstr(dev->info.platform, "Portable Computing Language") ||
           strtod(dev->info.driver, NULL) < 4;
}

// To hand over a binary PoCL compiles all of a program's kernels, for groups of any size;
// if it specialises those that run (cli/main.c), these as well.
static void store_program(struct tess_device *dev, const char *key, cl_program program)
{
    size_t bytes = 0;
    if (!dev->cache_dir)
        return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) ||
        !bytes)
        return;
    unsigned char *binary = malloc(bytes);
    if (binary && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary,
                                   NULL) == CL_SUCCESS)
        tess_cache_store(dev, key, binary, bytes);
    free(binary);
}

static enum tess_status program_from_source(cl_program *out, struct tess_device *dev,
                                            const char *file, const char *options,
                                            const char *source)
{
    cl_int code;
    cl_program program = clCreateProgramWithSource(dev->context, 1, &source, NULL, &code);
    if (!program)
        return tess_cl_fail(dev, TESS_ERR_DEVICE, code, "creating the program cl/%s.cl",
                            file);
    code = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        // A compiler in this process takes its files away at a signal, and fails then.
        enum tess_status status = tess_env_check(dev->env);
        if (!status)
            status = fail_build(dev, program, code, file);
        clReleaseProgram(program);
        return status;
    }
    *out = program;
    return TESS_OK;
}

// What a program is built from. Free with recipe_clear().
struct recipe {
    char *source, *options, *key;
};

static void recipe_clear(struct recipe *recipe)
{
    free(recipe->source);
    free(recipe->options);
    free(recipe->key);
}

static enum tess_status recipe_make(struct recipe *recipe, struct tess_device *dev,
                                    const char *file, const char *defines)
{
    TESS_TRY(tess_source_load(&recipe->source, dev, file));
    TESS_TRY(build_options(&recipe->options, dev, defines));
    return cache_key(&recipe->key, dev, file, recipe->options, recipe->source);
}

cl_program tess_program_from_cache(struct tess_device *dev, const char *file,
                                   const char *defines)
{
    struct recipe recipe = {0};
    cl_program program = NULL;
    if (recipe_make(&recipe, dev, file, defines) == TESS_OK)
        program = find_binary(dev, recipe.key, recipe.options);
    recipe_clear(&recipe);
    return program;
}

static enum tess_status build(cl_program *out, struct tess_device *dev, const char *file,
                              const char *defines)
{
    struct recipe recipe = {0};
    *out = tess_ahead_take(dev->ahead, file, defines);
    if (*out)
        return TESS_OK;
    enum tess_status status = recipe_make(&recipe, dev, file, defines);
    if (!status)
        *out = find_binary(dev, recipe.key, recipe.options);
    if (!status && !*out) {
        tess_log(dev->env, TESS_LOG_DEBUG, "building cl/%s.cl %s", file, defines);
        status = program_from_source(out, dev, file, recipe.options, recipe.source);
        if (!status && can_hand_over(dev, recipe.source))
            store_program(dev, recipe.key, *out);
    }
    recipe_clear(&recipe);
    return status;
}

static enum tess_status find_program(struct tess_program **out, struct tess_device *dev,
                                     const char *file, const char *defines)
{
    if (!defines)
        defines = "";
    for (size_t i = 0; i < dev->program_count; i++) {
        struct tess_program *program = &dev->programs[i];
        if (strcmp(program->file, file) == 0 && strcmp(program->defines, defines) == 0) {
            *out = program;
            return TESS_OK;
        }
    }
    TESS_TRY(tess_grow(&dev->programs, &dev->program_capacity, dev->env,
                       dev->program_count + 1, sizeof *dev->programs, "programs"));
    struct tess_program program = {0};
    enum tess_status status = build(&program.handle, dev, file, defines);
    if (!status)
        status = tess_strdup(&program.file, dev->env, file);
    if (!status)
        status = tess_strdup(&program.defines, dev->env, defines);
    if (status) {
        if (program.handle)
            clReleaseProgram(program.handle);
        free(program.file);
        return status;
    }
    dev->programs[dev->program_count] = program;
    *out = &dev->programs[dev->program_count++];
    return TESS_OK;
}

static void release_kernel(struct tess_kernel *kernel)
{
    if (kernel->handle)
        clReleaseKernel(kernel->handle);
    free(kernel->name);
    free(kernel);
}

enum tess_status tess_program_kernel(struct tess_kernel **out, struct tess_device *dev,
                                     const char *file, const char *kernel,
                                     const char *defines)
{
    struct tess_program *program;
    TESS_TRY(find_program(&program, dev, file, defines));
    for (size_t i = 0; i < program->kernel_count; i++)
        if (strcmp(program->kernels[i]->name, kernel) == 0) {
            *out = program->kernels[i];
            return TESS_OK;
        }
    TESS_TRY(tess_grow(&program->kernels, &program->kernel_capacity, dev->env,
                       program->kernel_count + 1, sizeof *program->kernels, "kernels"));
    struct tess_kernel *made = NULL;
    TESS_TRY(tess_alloc(&made, dev->env, 1, sizeof *made, "a kernel"));
    cl_int code;
    made->handle = clCreateKernel(program->handle, kernel, &code);
    enum tess_status status =
        made->handle ? tess_strdup(&made->name, dev->env, kernel)
                     : tess_cl_fail(dev, TESS_ERR_DEVICE, code,
                                    "creating kernel %s of cl/%s.cl", kernel, file);
    if (status) {
        release_kernel(made);
        return status;
    }
    program->kernels[program->kernel_count++] = made;
    *out = made;
    return TESS_OK;
}

void tess_program_release_all(struct tess_device *dev)
{
    for (size_t i = 0; i < dev->program_count; i++) {
        struct tess_program *program = &dev->programs[i];
        for (size_t k = 0; k < program->kernel_count; k++)
            release_kernel(program->kernels[k]);
        free(program->kernels);
        clReleaseProgram(program->handle);
        free(program->file);
        free(program->defines);
    }
    free(dev->programs);
    dev->programs = NULL;
    dev->program_count = dev->program_capacity = 0;
}
