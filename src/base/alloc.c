// Host memory.
#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__ // known from the headers above
#include <malloc.h>
#endif

static enum tess_status fail_memory(struct tess_env *env, size_t count, size_t size,
                                    const char *what)
{
    return tess_fail(env, TESS_ERR_MEMORY, "no host memory for %s (%zu x %zu bytes)",
                     what, count, size);
}

void tess_large_pages(void *block, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    size_t before = -(uintptr_t)block % TESS_LARGE_PAGE_BYTES;
    if (bytes < before + TESS_LARGE_PAGE_BYTES)
        return;
    madvise((char *)block + before, (bytes - before) & -TESS_LARGE_PAGE_BYTES,
            MADV_HUGEPAGE); // small ones do as well
#else
    (void)block, (void)bytes;
#endif
}

enum tess_status tess_alloc(void *out, struct tess_env *env, size_t count, size_t size,
                            const char *what)
{
    // calloc() checks the product. Zero elements are asked for as one.
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        return fail_memory(env, count, size, what);
    tess_large_pages(memory, count * size);
    memcpy(out, &memory, sizeof memory);
    return TESS_OK;
}

enum tess_status tess_grow(void *ptr, size_t *capacity, struct tess_env *env,
                           size_t count, size_t size, const char *what)
{
    void *old;
    memcpy(&old, ptr, sizeof old);
    if (old && count <= *capacity)
        return TESS_OK;
    size_t next = *capacity < 16 ? 16 : *capacity;
    while (next < count) {
        if (next > SIZE_MAX / 2)
            return fail_memory(env, count, size, what);
        next *= 2;
    }
    if (next > SIZE_MAX / size)
        return fail_memory(env, count, size, what);
    void *grown = realloc(old, next * size);
    if (!grown)
        return fail_memory(env, count, size, what);
    memcpy(ptr, &grown, sizeof grown);
    *capacity = next;
    return TESS_OK;
}

void tess_forget(void *block, size_t from, size_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    // Counted from the block's own first page.
    size_t skew = (uintptr_t)block % page;
    size_t first = (from + skew + page - 1) / page * page,
           end = (to + skew) / page * page;
    if (end > first)
        madvise((char *)block + first - skew, end - first, MADV_DONTNEED);
}

void tess_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

enum tess_status tess_strdup(char **out, struct tess_env *env, const char *text)
{
    return tess_strf(out, env, "%s", text);
}

enum tess_status tess_strf(char **out, struct tess_env *env, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return tess_fail(env, TESS_ERR_INTERNAL, "cannot format \"%s\"", format);
    char *text = NULL;
    TESS_TRY(tess_alloc(&text, env, (size_t)length + 1, 1, "a string"));
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    *out = text;
    return TESS_OK;
}
