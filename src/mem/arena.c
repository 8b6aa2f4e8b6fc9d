// Slabs and first-fit pieces. Pieces are few (tens), so lists are searched from end to
// end.
#include "mem/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SLABS_MAX 64

struct piece {
    size_t id;
    size_t slab, offset, bytes; // sorted by (slab, offset)
};

struct slab {
    size_t high; // counting: high-water mark; committed: size
    struct tess_buffer *buffer;
};

struct tess_arena {
    struct tess_device *dev;
    struct tess_budget budget;
    bool committed;
    size_t next_id;
    struct slab slabs[SLABS_MAX];
    size_t slab_count;
    size_t peak;
    struct piece *pieces;
    size_t count, capacity;
};

enum tess_status tess_arena_create(struct tess_arena **out, struct tess_device *dev,
                                   const struct tess_budget *budget)
{
    struct tess_arena *arena = NULL;
    TESS_TRY(tess_alloc(&arena, tess_device_env(dev), 1, sizeof *arena, "an arena"));
    arena->dev = dev;
    arena->budget = *budget;
    arena->next_id = 1;
    *out = arena;
    return TESS_OK;
}

void tess_arena_destroy(struct tess_arena **arena)
{
    if (!*arena)
        return;
    for (size_t i = 0; i < (*arena)->slab_count; i++)
        tess_buffer_destroy(&(*arena)->slabs[i].buffer);
    free((*arena)->pieces);
    free(*arena);
    *arena = NULL;
}

enum tess_status tess_arena_commit(struct tess_arena *arena)
{
    assert(arena->count == 0 && !arena->committed);
    enum tess_status status = TESS_OK;
    for (size_t i = 0; i < arena->slab_count && !status; i++)
        status = tess_buffer_create(&arena->slabs[i].buffer, arena->dev,
                                    arena->slabs[i].high, "a stage's memory");
    for (size_t i = 0; i < arena->slab_count && !status; i++)
        status = tess_buffer_touch(arena->slabs[i].buffer);
    if (status) {
        for (size_t i = 0; i < arena->slab_count; i++)
            tess_buffer_destroy(&arena->slabs[i].buffer);
        return status;
    }
    arena->committed = true;
    return TESS_OK;
}

// Where in the slab `bytes` fit: the first gap between its pieces. *before is the index
// that the new piece gets in the list.
static size_t first_gap(const struct tess_arena *arena, size_t slab, size_t bytes,
                        size_t limit, size_t *before)
{
    size_t end = 0, i = 0;
    while (i < arena->count && arena->pieces[i].slab < slab)
        i++;
    for (; i < arena->count && arena->pieces[i].slab == slab; i++) {
        if (arena->pieces[i].offset - end >= bytes)
            break;
        end = arena->pieces[i].offset + arena->pieces[i].bytes;
    }
    *before = i;
    bool last = i == arena->count || arena->pieces[i].slab != slab;
    return last && (bytes > limit || end > limit - bytes) ? SIZE_MAX : end;
}

static enum tess_status fail_budget(struct tess_arena *arena, size_t bytes,
                                    const char *tag)
{
    return tess_fail(
        tess_device_env(arena->dev),
        arena->committed ? TESS_ERR_INTERNAL : TESS_ERR_BUDGET,
        "%s needs %zu bytes; %zu of the budget of %zu are in use, and a buffer "
        "holds at most %zu",
        tag, bytes, arena->peak, arena->budget.device_bytes, arena->budget.max_buffer);
}

static enum tess_status insert(struct tess_arena *arena, size_t at, struct piece piece)
{
    TESS_TRY(tess_grow(&arena->pieces, &arena->capacity, tess_device_env(arena->dev),
                       arena->count + 1, sizeof *arena->pieces, "an arena"));
    memmove(arena->pieces + at + 1, arena->pieces + at,
            (arena->count - at) * sizeof *arena->pieces);
    arena->pieces[at] = piece;
    arena->count++;
    return TESS_OK;
}

enum tess_status tess_arena_take(struct tess_slice *out, size_t *piece,
                                 struct tess_arena *arena, size_t bytes, const char *tag)
{
    assert(bytes > 0);
    size_t align = arena->budget.alignment;
    size_t room =
        bytes > SIZE_MAX - align ? SIZE_MAX : (bytes + align - 1) / align * align;
    for (size_t slab = 0; slab < SLABS_MAX; slab++) {
        bool fresh = slab == arena->slab_count;
        if (fresh && arena->committed)
            break;
        size_t limit =
            arena->committed ? arena->slabs[slab].high : arena->budget.max_buffer;
        size_t at, offset = first_gap(arena, slab, room, limit, &at);
        if (offset == SIZE_MAX) {
            if (fresh)
                break;
            continue;
        }
        size_t high = fresh ? 0 : arena->slabs[slab].high;
        size_t growth = offset + room > high ? offset + room - high : 0;
        if (growth > arena->budget.device_bytes - arena->peak)
            continue;
        TESS_TRY(insert(arena, at, (struct piece){arena->next_id, slab, offset, room}));
        if (fresh)
            arena->slabs[arena->slab_count++] = (struct slab){0, NULL};
        arena->slabs[slab].high = high + growth;
        arena->peak += growth;
        *out = (struct tess_slice){arena->slabs[slab].buffer, offset, bytes};
        if (piece)
            *piece = arena->next_id;
        arena->next_id++;
        return TESS_OK;
    }
    return fail_budget(arena, bytes, tag);
}

void tess_arena_give(struct tess_arena *arena, size_t piece)
{
    for (size_t i = 0; i < arena->count; i++)
        if (arena->pieces[i].id == piece) {
            memmove(arena->pieces + i, arena->pieces + i + 1,
                    (arena->count - i - 1) * sizeof *arena->pieces);
            arena->count--;
            return;
        }
    assert(false && "a piece of this arena");
}

size_t tess_arena_mark(const struct tess_arena *arena)
{
    return arena->next_id;
}

void tess_arena_release(struct tess_arena *arena, size_t mark)
{
    size_t kept = 0;
    for (size_t i = 0; i < arena->count; i++)
        if (arena->pieces[i].id < mark)
            arena->pieces[kept++] = arena->pieces[i];
    arena->count = kept;
}

size_t tess_arena_max_buffer(const struct tess_arena *arena)
{
    return arena->budget.max_buffer;
}

size_t tess_arena_peak(const struct tess_arena *arena)
{
    return arena->peak;
}

void tess_arena_save(struct tess_arena_state *out, const struct tess_arena *arena)
{
    assert(!arena->committed);
    out->slabs = arena->slab_count;
    out->peak = arena->peak;
    for (size_t i = 0; i < arena->slab_count; i++)
        out->high[i] = arena->slabs[i].high;
}

void tess_arena_restore(struct tess_arena *arena, const struct tess_arena_state *state)
{
    assert(!arena->committed);
    arena->slab_count = state->slabs;
    arena->peak = state->peak;
    for (size_t i = 0; i < state->slabs; i++)
        arena->slabs[i].high = state->high[i];
}
