// Safetensors files. The header is not trusted: every number is checked before it becomes
// a pointer. Words: `begin` and `end` are byte offsets into the data, which follows the
// header.
#include "io/safetensors.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/input.h"
#include "io/json.h"

struct tess_safetensors {
    struct tess_input input;
    struct tess_json *header;
    char *path;
    struct tess_file_tensor *tensors; // in the header's order
    const struct tess_file_tensor **by_name;
    size_t count;
};

#define METADATA_KEY "__metadata__"
#define PIECE_BYTES  ((size_t)1 << 20) // of tensors that are made as they are written

// Messages quote at most so much of a tensor's name: "%.*s".
enum { NAME_QUOTED = 200 };

static enum tess_status find_dtype(enum tess_dtype *out, const char *name)
{
    for (int i = 0; i < TESS_DTYPE_COUNT; i++) {
        if (strcmp(name, tess_dtype_name((enum tess_dtype)i)) == 0) {
            *out = (enum tess_dtype)i;
            return TESS_OK;
        }
    }
    return TESS_ERR_FILE;
}

static enum tess_status read_shape(struct tess_file_tensor *tensor, struct tess_env *env,
                                   const char *path, struct tess_json_at entry)
{
    struct tess_json_at shape, *sizes = NULL;
    TESS_TRY(tess_json_array(&shape, entry, "shape", 0, TESS_FILE_TENSOR_MAX_DIMS));
    TESS_TRY(tess_json_items(&sizes, shape));
    tensor->dims = (int)tess_json_count(shape);
    tensor->elements = 1;
    enum tess_status status = TESS_OK;
    bool overflow = false;
    for (int i = 0; i < tensor->dims && !status; i++) {
        status = tess_json_size(&tensor->shape[i], sizes[i], NULL, 0, SIZE_MAX);
        if (!status)
            overflow |= __builtin_mul_overflow(tensor->elements, tensor->shape[i],
                                               &tensor->elements);
    }
    free(sizes);
    if (status)
        return status;
    if (overflow || __builtin_mul_overflow(
                        tensor->elements, tess_dtype_size(tensor->dtype), &tensor->bytes))
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor %.*s has more elements than can be counted", path,
                         NAME_QUOTED, tensor->name);
    return TESS_OK;
}

// `data` of `data_bytes` bytes is what follows the header.
static enum tess_status read_entry(struct tess_file_tensor *tensor, struct tess_env *env,
                                   const char *path, struct tess_json_at entry,
                                   const uint8_t *data, size_t data_bytes)
{
    const char *dtype;
    struct tess_json_at offsets, *ends = NULL;
    tensor->name = tess_json_key(entry);
    if (!tess_file_tensor_name_ok(tensor->name, strlen(tensor->name)))
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: a tensor's name is empty or has control characters", path);
    TESS_TRY(tess_json_object(&entry, entry, NULL));
    TESS_TRY(tess_json_string(&dtype, entry, "dtype"));
    if (find_dtype(&tensor->dtype, dtype))
        return tess_json_fail(
            entry, "dtype",
            "F32, F16, BF16, F64, BOOL or an integer type of 8 to 64 bits");
    TESS_TRY(read_shape(tensor, env, path, entry));
    TESS_TRY(tess_json_array(&offsets, entry, "data_offsets", 2, 2));
    TESS_TRY(tess_json_items(&ends, offsets));
    size_t begin = 0, end = 0;
    enum tess_status status = tess_json_size(&end, ends[1], NULL, 0, data_bytes);
    if (!status)
        status = tess_json_size(&begin, ends[0], NULL, 0, end);
    free(ends);
    if (status)
        return status;
    if (end - begin != tensor->bytes)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: tensor %.*s has %zu bytes of data, its shape and dtype "
                         "expect %zu",
                         path, NAME_QUOTED, tensor->name, end - begin, tensor->bytes);
    tensor->data = data + begin;
    return TESS_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct tess_file_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_offsets(const void *a, const void *b)
{
    const struct tess_file_tensor *const *x = a, *const *y = b;
    uintptr_t p = (uintptr_t)(*x)->data, q = (uintptr_t)(*y)->data;
    if (p != q)
        return p < q ? -1 : 1;
    return ((*x)->bytes > (*y)->bytes) - ((*x)->bytes < (*y)->bytes);
}

// The tensors must follow each other from the first byte of the data to the last. Leaves
// by_name sorted by name.
static enum tess_status check_layout(struct tess_safetensors *file, struct tess_env *env,
                                     const uint8_t *data, size_t data_bytes)
{
    const struct tess_file_tensor **sorted = file->by_name;
    for (size_t i = 0; i < file->count; i++)
        sorted[i] = &file->tensors[i];
    qsort(sorted, file->count, sizeof *sorted, compare_offsets);
    size_t end = 0;
    const char *before = "the header";
    for (size_t i = 0; i < file->count; i++) {
        size_t begin = (size_t)((const uint8_t *)sorted[i]->data - data);
        if (begin < end)
            return tess_fail(env, TESS_ERR_FILE, "%s: tensor %.*s overlaps tensor %.*s",
                             file->path, NAME_QUOTED, sorted[i]->name, NAME_QUOTED,
                             before);
        if (begin > end)
            return tess_fail(env, TESS_ERR_FILE,
                             "%s: %zu bytes between tensor %.*s and %.*s belong to none",
                             file->path, begin - end, NAME_QUOTED, sorted[i]->name,
                             NAME_QUOTED, before);
        end = begin + sorted[i]->bytes;
        before = sorted[i]->name;
    }
    if (end != data_bytes)
        return tess_fail(
            env, TESS_ERR_FILE,
            "%s: %zu bytes after the last tensor, expected the end of the file",
            file->path, data_bytes - end);
    qsort(sorted, file->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < file->count; i++) {
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            return tess_fail(env, TESS_ERR_FILE, "%s: tensor %.*s is there twice",
                             file->path, NAME_QUOTED, sorted[i]->name);
    }
    return TESS_OK;
}

static enum tess_status check_metadata(struct tess_json_at metadata)
{
    struct tess_json_at *items = NULL;
    TESS_TRY(tess_json_object(&metadata, metadata, NULL));
    TESS_TRY(tess_json_items(&items, metadata));
    enum tess_status status = TESS_OK;
    const char *text;
    for (size_t i = 0; i < tess_json_count(metadata) && !status; i++)
        status = tess_json_string(&text, items[i], NULL);
    free(items);
    return status;
}

static enum tess_status read_entries(struct tess_safetensors *file, struct tess_env *env,
                                     const struct tess_json_at *items, size_t count,
                                     const uint8_t *data, size_t data_bytes)
{
    bool metadata = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tess_json_key(items[i]), METADATA_KEY) == 0) {
            if (metadata)
                return tess_fail(env, TESS_ERR_FILE,
                                 "%s: " METADATA_KEY " is there twice", file->path);
            metadata = true;
            TESS_TRY(check_metadata(items[i]));
        } else {
            TESS_TRY(read_entry(&file->tensors[file->count++], env, file->path, items[i],
                                data, data_bytes));
        }
    }
    return check_layout(file, env, data, data_bytes);
}

static enum tess_status read_header(struct tess_safetensors *file, struct tess_env *env)
{
    const uint8_t *bytes = file->input.data;
    if (file->input.bytes < 8)
        return tess_fail(
            env, TESS_ERR_FILE,
            "%s: %zu bytes, expected a safetensors file with a header length "
            "of 8 bytes first",
            file->path, file->input.bytes);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | bytes[i];
    if (length > file->input.bytes - 8)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: a header of %llu bytes in a file of %zu: cut off, or not a "
                         "safetensors file",
                         file->path, (unsigned long long)length, file->input.bytes);
    if (length > TESS_JSON_MAX_BYTES)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: a header of %llu bytes, expected at most %zu", file->path,
                         (unsigned long long)length, TESS_JSON_MAX_BYTES);
    TESS_TRY(tess_json_parse(&file->header, env, file->path, (const char *)bytes + 8,
                             (size_t)length));
    struct tess_json_at root, *items = NULL;
    TESS_TRY(tess_json_object(&root, tess_json_root(file->header), NULL));
    size_t count = tess_json_count(root);
    TESS_TRY(
        tess_alloc(&file->tensors, env, count, sizeof *file->tensors, "tensor names"));
    TESS_TRY(
        tess_alloc(&file->by_name, env, count, sizeof *file->by_name, "tensor names"));
    TESS_TRY(tess_json_items(&items, root));
    enum tess_status status = read_entries(file, env, items, count, bytes + 8 + length,
                                           file->input.bytes - 8 - (size_t)length);
    free(items);
    return status;
}

enum tess_status tess_safetensors_open(struct tess_safetensors **out,
                                       struct tess_env *env, const char *path)
{
    struct tess_safetensors *file = NULL;
    TESS_TRY(tess_alloc(&file, env, 1, sizeof *file, "a safetensors file"));
    enum tess_status status = tess_strdup(&file->path, env, path);
    if (!status)
        status = tess_input_map(&file->input, env, path);
    if (!status)
        status = read_header(file, env);
    if (status) {
        tess_safetensors_close(&file);
        return status;
    }
    *out = file;
    return TESS_OK;
}

void tess_safetensors_close(struct tess_safetensors **file)
{
    struct tess_safetensors *self = *file;
    if (!self)
        return;
    tess_json_destroy(&self->header);
    tess_input_close(&self->input);
    free(self->path);
    free(self->tensors);
    free(self->by_name);
    free(self);
    *file = NULL;
}

size_t tess_safetensors_count(const struct tess_safetensors *file)
{
    return file->count;
}

const struct tess_file_tensor *tess_safetensors_at(const struct tess_safetensors *file,
                                                   size_t index)
{
    assert(index < file->count);
    return &file->tensors[index];
}

const struct tess_file_tensor *tess_safetensors_find(const struct tess_safetensors *file,
                                                     const char *name)
{
    const struct tess_file_tensor key = {.name = name}, *wanted = &key;
    const struct tess_file_tensor **found = bsearch(&wanted, file->by_name, file->count,
                                                    sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

const char *tess_safetensors_metadata(const struct tess_safetensors *file,
                                      const char *key)
{
    struct tess_json_at metadata =
        tess_json_member(tess_json_root(file->header), METADATA_KEY);
    const char *text = NULL;
    if (!tess_json_present(tess_json_member(metadata, key)) ||
        tess_json_string(&text, metadata, key))
        return NULL;
    return text;
}

const char *tess_safetensors_path(const struct tess_safetensors *file)
{
    return file->path;
}

enum tess_status tess_safetensors_require(const struct tess_file_tensor **out,
                                          const struct tess_safetensors *file,
                                          struct tess_env *env, const char *name,
                                          unsigned dtype_mask, int dims,
                                          const size_t *shape)
{
    const struct tess_file_tensor *tensor = tess_safetensors_find(file, name);
    TESS_TRY(
        tess_file_tensor_check(tensor, env, file->path, name, dtype_mask, dims, shape));
    *out = tensor;
    return TESS_OK;
}

// ---------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------

struct text {
    char *bytes;
    size_t used, capacity;
};

static enum tess_status add(struct text *text, struct tess_env *env, const char *piece,
                            size_t length)
{
    TESS_TRY(tess_grow(&text->bytes, &text->capacity, env, text->used + length, 1,
                       "a safetensors header"));
    memcpy(text->bytes + text->used, piece, length);
    text->used += length;
    return TESS_OK;
}

static enum tess_status add_string(struct text *text, struct tess_env *env,
                                   const char *string)
{
    TESS_TRY(add(text, env, "\"", 1));
    for (; *string; string++) {
        char escaped[8] = {*string, 0};
        if (*string == '"' || *string == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", *string);
        else if ((unsigned char)*string < 32)
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*string);
        TESS_TRY(add(text, env, escaped, strlen(escaped)));
    }
    return add(text, env, "\"", 1);
}

static size_t tensor_bytes(const struct tess_file_tensor *tensor)
{
    size_t bytes = tess_dtype_size(tensor->dtype);
    for (int i = 0; i < tensor->dims; i++)
        bytes *= tensor->shape[i];
    return bytes;
}

static enum tess_status add_header(struct text *text, struct tess_env *env,
                                   const struct tess_file_tensor *tensors, size_t count,
                                   const struct tess_metadata *metadata,
                                   size_t metadata_count)
{
    char piece[128];
    TESS_TRY(add(text, env, "{", 1));
    if (metadata_count)
        TESS_TRY(add(text, env, "\"" METADATA_KEY "\":{", strlen(METADATA_KEY) + 4));
    for (size_t i = 0; i < metadata_count; i++) {
        if (i)
            TESS_TRY(add(text, env, ",", 1));
        TESS_TRY(add_string(text, env, metadata[i].key));
        TESS_TRY(add(text, env, ":", 1));
        TESS_TRY(add_string(text, env, metadata[i].value));
    }
    if (metadata_count)
        TESS_TRY(add(text, env, "}", 1));
    size_t begin = 0;
    for (size_t i = 0; i < count; i++) {
        if (i || metadata_count)
            TESS_TRY(add(text, env, ",", 1));
        TESS_TRY(add_string(text, env, tensors[i].name));
        int length = snprintf(piece, sizeof piece, ":{\"dtype\":\"%s\",\"shape\":[",
                              tess_dtype_name(tensors[i].dtype));
        TESS_TRY(add(text, env, piece, (size_t)length));
        for (int j = 0; j < tensors[i].dims; j++) {
            length =
                snprintf(piece, sizeof piece, "%s%zu", j ? "," : "", tensors[i].shape[j]);
            TESS_TRY(add(text, env, piece, (size_t)length));
        }
        size_t end = begin + tensor_bytes(&tensors[i]);
        length =
            snprintf(piece, sizeof piece, "],\"data_offsets\":[%zu,%zu]}", begin, end);
        TESS_TRY(add(text, env, piece, (size_t)length));
        begin = end;
    }
    TESS_TRY(add(text, env, "}", 1));
    while (text->used % 8)
        TESS_TRY(add(text, env, " ", 1));
    return TESS_OK;
}

static void write_header(struct tess_output *output, const struct text *header)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)header->used >> 8 * i);
    tess_output_write(output, length, sizeof length);
    tess_output_write(output, header->bytes, header->used);
}

// From `data`, or piece by piece.
static enum tess_status write_tensor(struct tess_output *output, void *piece,
                                     const struct tess_file_tensor *tensor,
                                     tess_tensor_make_fn *make, void *user)
{
    size_t size = tess_dtype_size(tensor->dtype), room = PIECE_BYTES / size;
    size_t elements = tensor_bytes(tensor) / size;
    if (!make)
        tess_output_write(output, tensor->data, elements * size);
    for (size_t first = 0; first < elements && make; first += room) {
        size_t count = elements - first < room ? elements - first : room;
        TESS_TRY(make(user, piece, tensor, first, count));
        tess_output_write(output, piece, count * size);
    }
    return TESS_OK;
}

static enum tess_status write_file(struct tess_env *env, const char *path,
                                   const struct text *header,
                                   const struct tess_file_tensor *tensors, size_t count,
                                   tess_tensor_make_fn *make, void *user)
{
    struct tess_output *output = NULL;
    void *piece = NULL;
    if (make)
        TESS_TRY(tess_alloc(&piece, env, 1, PIECE_BYTES, "a tensor's piece"));
    enum tess_status status = tess_output_open(&output, env, path);
    if (!status)
        write_header(output, header);
    for (size_t i = 0; i < count && !status; i++)
        status = write_tensor(output, piece, &tensors[i], make, user);
    if (!status)
        status = tess_output_commit(&output, env);
    tess_output_discard(&output);
    free(piece);
    return status;
}

enum tess_status tess_safetensors_write(struct tess_env *env, const char *path,
                                        const struct tess_file_tensor *tensors,
                                        size_t count,
                                        const struct tess_metadata *metadata,
                                        size_t metadata_count)
{
    struct text header = {0};
    enum tess_status status =
        add_header(&header, env, tensors, count, metadata, metadata_count);
    if (!status)
        status = write_file(env, path, &header, tensors, count, NULL, NULL);
    free(header.bytes);
    return status;
}

enum tess_status tess_safetensors_write_made(struct tess_env *env, const char *path,
                                             const struct tess_file_tensor *tensors,
                                             size_t count, tess_tensor_make_fn *make,
                                             void *user)
{
    struct text header = {0};
    enum tess_status status = add_header(&header, env, tensors, count, NULL, 0);
    if (!status)
        status = write_file(env, path, &header, tensors, count, make, user);
    free(header.bytes);
    return status;
}

enum tess_status tess_safetensors_size(uint64_t *bytes, struct tess_env *env,
                                       const struct tess_file_tensor *tensors,
                                       size_t count)
{
    struct text header = {0};
    enum tess_status status = add_header(&header, env, tensors, count, NULL, 0);
    *bytes = sizeof(uint64_t) + header.used;
    for (size_t i = 0; i < count; i++)
        *bytes += tensor_bytes(&tensors[i]);
    free(header.bytes);
    return status;
}
