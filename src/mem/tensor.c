// Chunked tensors. Chunks are whole groups of rows. The first groups are in chunks on the
// device; the others, of a tensor that is spilled, in one array on the host.
#include "mem/tensor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// Chunks are kept well below the largest buffer, so that several fit into one slab.
#define CHUNK_BYTES_MAX (64u << 20)
// Larger chunks are multiples of this many groups, so that views of runs of rows of such
// a length do not cross their ends.
#define CHUNK_GROUPS 1024

struct chunk {
    struct tess_slice data;
    size_t piece;
    size_t group0, groups;
};

struct tess_tensor {
    struct tess_stage *stage;
    struct tess_tensor_params params;
    size_t groups, group_bytes;
    struct chunk *chunks; // of the first groups
    size_t chunk_count;
    size_t host0;        // the first group on the host; `groups`: none is
    unsigned char *host; // those from host0 on; NULL in a dry run
    size_t forgotten;    // groups before this one are not there any more
    size_t kind;         // of those that may be on the host
};

static enum tess_status create_chunks(struct tess_tensor *tensor)
{
    struct tess_stage *stage = tensor->stage;
    size_t largest = tess_arena_max_buffer(tess_stage_arena(stage)) / 4;
    if (largest > CHUNK_BYTES_MAX)
        largest = CHUNK_BYTES_MAX;
    size_t groups = largest / tensor->group_bytes;
    if (groups == 0)
        groups = 1;
    if (groups > CHUNK_GROUPS)
        groups -= groups % CHUNK_GROUPS;
    tensor->chunk_count = (tensor->host0 + groups - 1) / groups;
    TESS_TRY(tess_alloc(&tensor->chunks, tess_stage_env(stage), tensor->chunk_count,
                        sizeof *tensor->chunks, "a tensor"));
    for (size_t i = 0; i < tensor->chunk_count; i++) {
        struct chunk *chunk = &tensor->chunks[i];
        chunk->group0 = i * groups;
        chunk->groups = tensor->host0 - chunk->group0 < groups
                            ? tensor->host0 - chunk->group0
                            : groups;
        TESS_TRY(tess_arena_take(&chunk->data, &chunk->piece, tess_stage_arena(stage),
                                 chunk->groups * tensor->group_bytes,
                                 tensor->params.tag));
    }
    return TESS_OK;
}

enum tess_status tess_tensor_create(struct tess_tensor **out, struct tess_stage *stage,
                                    const struct tess_tensor_params *params)
{
    struct tess_env *env = tess_stage_env(stage);
    struct tess_tensor *tensor = NULL;
    TESS_TRY(tess_alloc(&tensor, env, 1, sizeof *tensor, "a tensor"));
    tensor->stage = stage;
    tensor->params = *params;
    size_t group = params->group ? params->group : 1;
    assert(params->rows % group == 0 && params->rows > 0 && params->cols > 0);
    tensor->groups = params->rows / group;
    tensor->group_bytes = group * params->cols * tess_dtype_size(params->dtype);
    assert(tensor->group_bytes % 4 == 0);
    size_t spilled = 0;
    if (params->may_spill)
        tess_stage_spill(&spilled, &tensor->kind, stage, params->tag, tensor->groups,
                         tensor->group_bytes);
    tensor->host0 = tensor->groups - spilled;
    enum tess_status status = create_chunks(tensor);
    if (!status && spilled && !tess_device_dry(tess_stage_device(stage)))
        status =
            tess_alloc(&tensor->host, env, spilled, tensor->group_bytes, params->tag);
    if (status) {
        tess_tensor_destroy(&tensor);
        return status;
    }
    *out = tensor;
    return TESS_OK;
}

void tess_tensor_destroy(struct tess_tensor **tensor)
{
    if (!*tensor)
        return;
    for (size_t i = 0; (*tensor)->chunks && i < (*tensor)->chunk_count; i++)
        if ((*tensor)->chunks[i].piece)
            tess_arena_give(tess_stage_arena((*tensor)->stage),
                            (*tensor)->chunks[i].piece);
    if ((*tensor)->params.may_spill)
        tess_stage_count_end((*tensor)->stage, (*tensor)->kind);
    free((*tensor)->chunks);
    free((*tensor)->host);
    free(*tensor);
    *tensor = NULL;
}

size_t tess_tensor_rows(const struct tess_tensor *tensor)
{
    return tensor->params.rows;
}

size_t tess_tensor_cols(const struct tess_tensor *tensor)
{
    return tensor->params.cols;
}

static size_t group_rows(const struct tess_tensor *tensor)
{
    return tensor->params.rows / tensor->groups;
}

// Least and greatest of `count` > 0 groups.
struct range {
    uint32_t low, high;
};

static struct range find_range(const uint32_t *ids, size_t count)
{
    struct range range = {ids[0], ids[0]};
    for (size_t i = 1; i < count; i++) {
        range.low = ids[i] < range.low ? ids[i] : range.low;
        range.high = ids[i] > range.high ? ids[i] : range.high;
    }
    return range;
}

// One launch per chunk: `forward` gathers into `mat`, else scatters from it. Rows of
// groups on the host stay as they are.
static enum tess_status move_groups(struct tess_stage *stage,
                                    const struct tess_tensor *tensor, struct tess_mat mat,
                                    const uint32_t *ids, size_t count, struct range range,
                                    bool forward)
{
    size_t mark = tess_arena_mark(tess_stage_arena(stage));
    size_t words = tensor->group_bytes / 4;
    struct tess_mat table;
    TESS_TRY(tess_mat_take(&table, stage, count, 1, TESS_U32, "row numbers"));
    TESS_TRY(tess_mat_write(stage, table, ids));
    for (size_t i = 0; i < tensor->chunk_count; i++) {
        const struct chunk *chunk = &tensor->chunks[i];
        if (chunk->group0 > range.high || chunk->group0 + chunk->groups <= range.low)
            continue;
        TESS_TRY(
            tess_launch(tess_stage_device(stage),
                        &(struct tess_launch){
                            .file = "tensor",
                            .kernel = forward ? "gather_groups" : "scatter_groups",
                            .global = {words, count},
                            .whole_rows = true,
                            .cut = 1,
                            .args = {TESS_SLICE(forward ? mat.data : chunk->data),
                                     TESS_SLICE(forward ? chunk->data : mat.data),
                                     TESS_SLICE(table.data), TESS_U32ARG(chunk->group0),
                                     TESS_U32ARG(chunk->groups), TESS_U32ARG(words),
                                     TESS_U32ARG(count)}}));
    }
    tess_arena_release(tess_stage_arena(stage), mark);
    return TESS_OK;
}

// The same for groups on the host, through an array of the matrix's size; a gather leaves
// zeros in rows of the others.
static enum tess_status move_host_groups(struct tess_stage *stage,
                                         const struct tess_tensor *tensor,
                                         struct tess_mat mat, const uint32_t *ids,
                                         size_t count, bool forward)
{
    struct tess_device *dev = tess_stage_device(stage);
    if (tess_device_dry(dev))
        return forward ? tess_slice_write_now(dev, mat.data, NULL)
                       : tess_slice_read(dev, mat.data, NULL);
    unsigned char *staging = NULL;
    TESS_TRY(
        tess_alloc(&staging, tess_stage_env(stage), 1, mat.data.bytes, "a transfer"));
    enum tess_status status = TESS_OK;
    size_t bytes = tensor->group_bytes;
    if (!forward)
        status = tess_slice_read(dev, mat.data, staging);
    for (size_t i = 0; i < count && !status; i++) {
        if (ids[i] < tensor->host0)
            continue;
        unsigned char *host = tensor->host + (ids[i] - tensor->host0) * bytes;
        memcpy(forward ? staging + i * bytes : host, forward ? host : staging + i * bytes,
               bytes);
    }
    if (forward && !status)
        status = tess_slice_write_now(dev, mat.data, staging);
    free(staging);
    return status;
}

static void count_use(const struct tess_tensor *tensor, size_t groups)
{
    if (tensor->params.may_spill)
        tess_stage_count_use(tensor->stage, tensor->kind, groups * tensor->group_bytes);
}

static enum tess_status move_any(struct tess_stage *stage,
                                 const struct tess_tensor *tensor, struct tess_mat mat,
                                 const uint32_t *ids, size_t count, bool forward)
{
    count_use(tensor, count);
    if (count == 0)
        return TESS_OK;
    struct range range = find_range(ids, count);
    if (range.high >= tensor->host0)
        TESS_TRY(move_host_groups(stage, tensor, mat, ids, count, forward));
    if (range.low >= tensor->host0)
        return TESS_OK;
    return move_groups(stage, tensor, mat, ids, count, range, forward);
}

enum tess_status tess_tensor_gather(struct tess_mat *out, struct tess_stage *stage,
                                    const struct tess_tensor *tensor, const uint32_t *ids,
                                    size_t count)
{
    struct tess_mat mat;
    TESS_TRY(tess_mat_take(&mat, stage, count * group_rows(tensor), tensor->params.cols,
                           tensor->params.dtype, tensor->params.tag));
    TESS_TRY(move_any(stage, tensor, mat, ids, count, true));
    *out = mat;
    return TESS_OK;
}

enum tess_status tess_tensor_scatter(struct tess_stage *stage, struct tess_tensor *tensor,
                                     struct tess_mat in, const uint32_t *ids,
                                     size_t count)
{
    assert(in.rows == count * group_rows(tensor) && in.cols == tensor->params.cols);
    return move_any(stage, tensor, in, ids, count, false);
}

// ---- groups that follow one another ----

// Groups [in0, in0 + count) of `in` to those from out0 on of `out`.
static enum tess_status copy_part(struct tess_stage *stage,
                                  const struct tess_tensor *tensor, struct tess_slice out,
                                  size_t out0, struct tess_slice in, size_t in0,
                                  size_t count)
{
    size_t words = tensor->group_bytes / 4;
    return tess_launch(
        tess_stage_device(stage),
        &(struct tess_launch){.file = "tensor",
                              .kernel = "copy_groups",
                              .global = {words, count},
                              .whole_rows = true,
                              .cut = 1,
                              .args = {TESS_SLICE(out), TESS_SLICE(in), TESS_U32ARG(out0),
                                       TESS_U32ARG(in0), TESS_U32ARG(words),
                                       TESS_U32ARG(count)}});
}

// Groups [group0, group0 + count) to (`forward`) or from a matrix.
static enum tess_status copy_chunks(struct tess_stage *stage,
                                    const struct tess_tensor *tensor, struct tess_mat mat,
                                    size_t group0, size_t count, bool forward)
{
    for (size_t i = 0; i < tensor->chunk_count; i++) {
        const struct chunk *chunk = &tensor->chunks[i];
        size_t end = chunk->group0 + chunk->groups, first = group0;
        if (first < chunk->group0)
            first = chunk->group0;
        if (end > group0 + count)
            end = group0 + count;
        if (first >= end)
            continue;
        size_t in_chunk = first - chunk->group0, in_mat = first - group0;
        TESS_TRY(forward ? copy_part(stage, tensor, mat.data, in_mat, chunk->data,
                                     in_chunk, end - first)
                         : copy_part(stage, tensor, chunk->data, in_chunk, mat.data,
                                     in_mat, end - first));
    }
    return TESS_OK;
}

static enum tess_status copy_any(struct tess_stage *stage,
                                 const struct tess_tensor *tensor, struct tess_mat mat,
                                 size_t group0, size_t count, bool forward)
{
    struct tess_device *dev = tess_stage_device(stage);
    assert(group0 + count <= tensor->groups);
    count_use(tensor, count);
    TESS_TRY(copy_chunks(stage, tensor, mat, group0, count, forward));
    size_t first = group0 < tensor->host0 ? tensor->host0 : group0;
    if (first >= group0 + count)
        return TESS_OK;
    struct tess_slice rest = mat.data;
    rest.offset += (first - group0) * tensor->group_bytes;
    rest.bytes = (group0 + count - first) * tensor->group_bytes;
    unsigned char *host =
        tensor->host ? tensor->host + (first - tensor->host0) * tensor->group_bytes
                     : NULL;
    return forward ? tess_slice_write_now(dev, rest, host)
                   : tess_slice_read(dev, rest, host);
}

enum tess_status tess_tensor_load(struct tess_mat *out, struct tess_stage *stage,
                                  const struct tess_tensor *tensor, size_t group0,
                                  size_t count)
{
    struct tess_mat mat;
    TESS_TRY(tess_mat_take(&mat, stage, count * group_rows(tensor), tensor->params.cols,
                           tensor->params.dtype, tensor->params.tag));
    TESS_TRY(copy_any(stage, tensor, mat, group0, count, true));
    *out = mat;
    return TESS_OK;
}

enum tess_status tess_tensor_store(struct tess_stage *stage, struct tess_tensor *tensor,
                                   struct tess_mat in, size_t group0)
{
    assert(in.rows % group_rows(tensor) == 0 && in.cols == tensor->params.cols);
    return copy_any(stage, tensor, in, group0, in.rows / group_rows(tensor), false);
}

// ---- in place ----

// The chunk that has a group where a buffer may start, or NULL.
static const struct chunk *chunk_in_place(const struct tess_tensor *tensor, size_t group)
{
    size_t align = tess_device_facts(tess_stage_device(tensor->stage))->alignment;
    for (size_t i = 0; i < tensor->chunk_count; i++) {
        const struct chunk *chunk = &tensor->chunks[i];
        size_t offset = (group - chunk->group0) * tensor->group_bytes;
        if (group >= chunk->group0 && group < chunk->group0 + chunk->groups)
            return (chunk->data.offset + offset) % align ? NULL : chunk;
    }
    return NULL;
}

size_t tess_tensor_in_place(const struct tess_tensor *tensor, size_t group0)
{
    const struct chunk *chunk = chunk_in_place(tensor, group0);
    return chunk ? chunk->group0 + chunk->groups - group0 : 0;
}

static struct tess_mat rows_in_place(const struct tess_tensor *tensor, size_t group0,
                                     size_t count)
{
    const struct chunk *chunk = chunk_in_place(tensor, group0);
    struct tess_mat mat = {.data = chunk->data,
                           .rows = count * group_rows(tensor),
                           .cols = tensor->params.cols,
                           .dtype = tensor->params.dtype};
    mat.data.offset += (group0 - chunk->group0) * tensor->group_bytes;
    mat.data.bytes = count * tensor->group_bytes;
    return mat;
}

enum tess_status tess_tensor_view(struct tess_mat *out, struct tess_stage *stage,
                                  const struct tess_tensor *tensor, size_t group0,
                                  size_t count)
{
    if (tess_tensor_in_place(tensor, group0) < count)
        return tess_tensor_load(out, stage, tensor, group0, count);
    *out = rows_in_place(tensor, group0, count);
    count_use(tensor, count);
    return TESS_OK;
}

enum tess_status tess_tensor_make(struct tess_mat *out, struct tess_stage *stage,
                                  const struct tess_tensor *tensor, size_t group0,
                                  size_t count)
{
    if (tess_tensor_in_place(tensor, group0) < count)
        return tess_mat_take(out, stage, count * group_rows(tensor), tensor->params.cols,
                             tensor->params.dtype, tensor->params.tag);
    *out = rows_in_place(tensor, group0, count);
    return TESS_OK;
}

enum tess_status tess_tensor_put_back(struct tess_stage *stage,
                                      struct tess_tensor *tensor, struct tess_mat in,
                                      size_t group0)
{
    size_t count = in.rows / group_rows(tensor);
    if (tess_tensor_in_place(tensor, group0) < count)
        return tess_tensor_store(stage, tensor, in, group0);
    count_use(tensor, count);
    return TESS_OK;
}

void tess_tensor_forget(struct tess_tensor *tensor, size_t group0)
{
    size_t first = tensor->forgotten < tensor->host0 ? tensor->host0 : tensor->forgotten;
    if (!tensor->host || group0 <= first)
        return;
    tess_forget(tensor->host, (first - tensor->host0) * tensor->group_bytes,
                (group0 - tensor->host0) * tensor->group_bytes);
    tensor->forgotten = group0;
}
