// Mapped memory, and one piece of it between two uses.
#include "rt/in_place.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"

// More is not kept: the host's own work between stages may need it, and stages with so
// much run for seconds.
#define KEPT_BYTES_MAX ((size_t)256 << 20)

struct tess_in_place_piece {
    struct tess_in_place *pool;
    void *memory;
    size_t bytes; // whole pages
};

struct tess_in_place {
    pthread_mutex_t lock;
    size_t users; // pieces in use, and the device
    bool closed;
    void *kept; // or NULL
    size_t kept_bytes;
};

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static void unmap(void *memory, size_t bytes)
{
    if (bytes)
        munmap(memory, bytes);
}

static void drop_kept(struct tess_in_place *pool)
{
    unmap(pool->kept, pool->kept_bytes);
    pool->kept = NULL;
    pool->kept_bytes = 0;
}

// Large pages need an address that is a multiple of their size: one more is mapped, and
// what is left before and behind goes.
static void *map(size_t bytes)
{
    if (bytes > SIZE_MAX - TESS_LARGE_PAGE_BYTES)
        return NULL;
    void *mapped = mmap(NULL, bytes + TESS_LARGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)mapped % TESS_LARGE_PAGE_BYTES;
    char *memory = (char *)mapped + before;
    unmap(mapped, before);
    unmap(memory + bytes, TESS_LARGE_PAGE_BYTES - before);
    tess_large_pages(memory, bytes);
    return memory;
}

struct tess_in_place *tess_in_place_create(void)
{
    struct tess_in_place *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pool->users = 1;
    return pool;
}

// The lock is held, and is not any more afterwards.
static void leave(struct tess_in_place *pool)
{
    bool last = --pool->users == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void tess_in_place_destroy(struct tess_in_place **pool)
{
    if (!*pool)
        return;
    pthread_mutex_lock(&(*pool)->lock);
    (*pool)->closed = true;
    drop_kept(*pool);
    leave(*pool);
    *pool = NULL;
}

struct tess_in_place_piece *tess_in_place_take(struct tess_in_place *pool, size_t bytes)
{
    struct tess_in_place_piece *piece = pool ? malloc(sizeof *piece) : NULL;
    if (!piece)
        return NULL;
    bytes = whole_pages(bytes);
    *piece = (struct tess_in_place_piece){.pool = pool, .bytes = bytes};
    pthread_mutex_lock(&pool->lock);
    assert(!pool->closed);
    if (pool->kept_bytes >= bytes) {
        piece->memory = pool->kept;
        unmap((char *)pool->kept + bytes, pool->kept_bytes - bytes);
        pool->kept = NULL;
        pool->kept_bytes = 0;
    } else {
        drop_kept(pool);
        piece->memory = map(bytes);
    }
    pool->users += piece->memory != NULL;
    pthread_mutex_unlock(&pool->lock);
    if (piece->memory)
        return piece;
    free(piece);
    return NULL;
}

void tess_in_place_give(struct tess_in_place_piece *piece)
{
    struct tess_in_place *pool = piece->pool;
    pthread_mutex_lock(&pool->lock);
    if (!pool->closed && piece->bytes > pool->kept_bytes &&
        piece->bytes <= KEPT_BYTES_MAX) {
        drop_kept(pool);
        pool->kept = piece->memory;
        pool->kept_bytes = piece->bytes;
    } else {
        unmap(piece->memory, piece->bytes);
    }
    free(piece);
    leave(pool);
}

void *tess_in_place_memory(const struct tess_in_place_piece *piece)
{
    return piece->memory;
}

#ifdef MADV_POPULATE_WRITE
struct populating {
    char *memory;
    size_t bytes;
    atomic_int error; // errno of one that failed
};

static void populate(void *user, size_t first, size_t end)
{
    struct populating *p = user;
    size_t from = first * TESS_LARGE_PAGE_BYTES, to = end * TESS_LARGE_PAGE_BYTES;
    to = to < p->bytes ? to : p->bytes;
    if (from < to && madvise(p->memory + from, to - from, MADV_POPULATE_WRITE))
        atomic_store(&p->error, errno);
}

// By all processors: it is pages that are cleared.
bool tess_in_place_populate(bool *enough, const struct tess_in_place_piece *piece)
{
    struct populating p = {.memory = piece->memory, .bytes = piece->bytes};
    tess_in_parts((piece->bytes + TESS_LARGE_PAGE_BYTES - 1) / TESS_LARGE_PAGE_BYTES,
                  populate, &p);
    int error = atomic_load(&p.error);
    *enough = error == 0;
    return error != EINVAL; // Linux before 5.14 does not know it
}
#else
bool tess_in_place_populate(bool *enough, const struct tess_in_place_piece *piece)
{
    (void)piece;
    *enough = false;
    return false;
}
#endif
