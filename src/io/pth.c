// PyTorch checkpoints. The layout, for a file NAME.pth:
//
//   NAME/data.pkl    the pickle: a dict of calls
//                      _rebuild_tensor_v2(storage, offset, size, stride, requires_grad,
//                                         backward_hooks[, metadata])
//                    with persistent storages ("storage", TYPE, KEY, place, elements)
//   NAME/data/KEY    the bytes of a storage
//   NAME/byteorder   "little" or "big", since 2.1; files without it are little-endian
//
// Offset, size and stride count elements. Nothing is trusted: see also io/zip.c and
// io/pickle.c.
#include "io/pth.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/input.h"
#include "io/pickle.h"
#include "io/zip.h"

enum {
    QUOTED = 200, // bytes of a name in a message
    KEY_MAX_BYTES = 64,
    PREFIX_MAX_BYTES = 1024,
};

#define PICKLE_SUFFIX    "/data.pkl"
#define PICKLE_MAX_BYTES ((size_t)64 << 20)

struct tess_pth {
    struct tess_input input;
    char *path;
    struct tess_file_tensor *tensors; // in the dict's order
    const struct tess_file_tensor **by_name;
    char *names;
    size_t count;
};

struct reader {
    struct tess_env *env;
    struct tess_pth *file;
    struct tess_zip zip;
    struct tess_pickle pickle;
    char prefix[PREFIX_MAX_BYTES]; // NAME
};

// ---------------------------------------------------------------------------------------
// The pickle's values
// ---------------------------------------------------------------------------------------

static const struct tess_pickle_value *value_of(const struct reader *reader,
                                                uint32_t index)
{
    return &reader->pickle.values[index];
}

// Up to `max` values of a tuple, a call or the like; false if there are more or fewer.
static bool get_items(const struct tess_pickle_value **out, const struct reader *reader,
                      const struct tess_pickle_value *value, uint32_t min, uint32_t max)
{
    if (value->count < min || value->count > max)
        return false;
    uint32_t at = value->first;
    for (uint32_t i = 0; i < value->count; i++) {
        out[i] = value_of(reader, reader->pickle.cells[at].value);
        at = reader->pickle.cells[at].next;
    }
    return true;
}

static bool text_is(const struct tess_pickle_value *value, const char *text)
{
    return value->kind == TESS_PICKLE_TEXT && value->count == strlen(text) &&
           memcmp(value->text, text, value->count) == 0;
}

static bool get_size(size_t *out, const struct tess_pickle_value *value)
{
    if (value->kind != TESS_PICKLE_INTEGER || value->integer < 0 ||
        (uint64_t)value->integer > SIZE_MAX)
        return false;
    *out = (size_t)value->integer;
    return true;
}

// A tuple of sizes; its length, or -1.
static int get_sizes(size_t *out, const struct reader *reader,
                     const struct tess_pickle_value *value)
{
    const struct tess_pickle_value *items[TESS_FILE_TENSOR_MAX_DIMS];
    if (value->kind != TESS_PICKLE_TUPLE ||
        !get_items(items, reader, value, 0, TESS_FILE_TENSOR_MAX_DIMS))
        return -1;
    for (uint32_t i = 0; i < value->count; i++) {
        if (!get_size(&out[i], items[i]))
            return -1;
    }
    return (int)value->count;
}

// ---------------------------------------------------------------------------------------
// Tensors
// ---------------------------------------------------------------------------------------

static enum tess_status fail_tensor(const struct reader *reader,
                                    const struct tess_file_tensor *tensor,
                                    const char *expected)
{
    return tess_fail(reader->env, TESS_ERR_FILE, "%s: tensor %.*s: expected %s",
                     reader->file->path, QUOTED, tensor->name, expected);
}

// Sets dtype; *bytes are those of the storage.
static enum tess_status find_storage(const uint8_t **out, size_t *bytes,
                                     struct tess_file_tensor *tensor,
                                     const struct reader *reader,
                                     const struct tess_pickle_value *storage)
{
    const struct tess_pickle_value *items[5]; // "storage", type, key, place, elements
    size_t elements, expected;
    if (storage->kind != TESS_PICKLE_PERSISTENT ||
        !get_items(items, reader, storage, 5, 5) || !text_is(items[0], "storage") ||
        items[1]->kind != TESS_PICKLE_GLOBAL || items[1]->global < TESS_PICKLE_STORAGE ||
        items[2]->kind != TESS_PICKLE_TEXT || !get_size(&elements, items[4]))
        return fail_tensor(reader, tensor,
                           "a storage: (\"storage\", type, key, place, elements)");
    tensor->dtype = (enum tess_dtype)(items[1]->global - TESS_PICKLE_STORAGE);
    if (items[2]->count > KEY_MAX_BYTES ||
        !tess_file_tensor_name_ok(items[2]->text, items[2]->count))
        return fail_tensor(reader, tensor, "a storage with a short name");
    char name[PREFIX_MAX_BYTES + KEY_MAX_BYTES + 16];
    snprintf(name, sizeof name, "%s/data/%.*s", reader->prefix, (int)items[2]->count,
             items[2]->text);
    const struct tess_zip_entry *entry = tess_zip_find(&reader->zip, name);
    if (!entry)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: tensor %.*s: its storage, entry %.*s, is missing",
                         reader->file->path, QUOTED, tensor->name, QUOTED, name);
    TESS_TRY(tess_zip_data(out, &reader->zip, entry));
    *bytes = (size_t)entry->bytes;
    if (__builtin_mul_overflow(elements, tess_dtype_size(tensor->dtype), &expected) ||
        expected > *bytes)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: tensor %.*s: its storage, entry %.*s, has %zu bytes, "
                         "expected %zu elements of %zu",
                         reader->file->path, QUOTED, tensor->name, QUOTED, name, *bytes,
                         elements, tess_dtype_size(tensor->dtype));
    *bytes = expected;
    return TESS_OK;
}

// Whether elements lie one after the other, the last dimension fastest.
static bool is_contiguous(const struct tess_file_tensor *tensor, const size_t *strides)
{
    size_t expected = 1;
    for (int i = tensor->dims; i-- > 0 && tensor->elements;) {
        if (tensor->shape[i] != 1 && strides[i] != expected)
            return false;
        expected *= tensor->shape[i];
    }
    return true;
}

// args[0..3]: storage, offset, size, stride.
static enum tess_status place_tensor(struct tess_file_tensor *tensor,
                                     const struct reader *reader,
                                     const struct tess_pickle_value *const *args)
{
    const uint8_t *data = NULL;
    size_t bytes = 0, offset = 0, end, strides[TESS_FILE_TENSOR_MAX_DIMS];
    TESS_TRY(find_storage(&data, &bytes, tensor, reader, args[0]));
    tensor->dims = get_sizes(tensor->shape, reader, args[2]);
    if (tensor->dims < 0 || get_sizes(strides, reader, args[3]) != tensor->dims ||
        !get_size(&offset, args[1]))
        return fail_tensor(reader, tensor,
                           "an offset, and a size and a stride of at most 8 dimensions");
    size_t size = tess_dtype_size(tensor->dtype);
    tensor->elements = 1;
    bool overflow = false;
    for (int i = 0; i < tensor->dims; i++)
        overflow |=
            __builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements);
    if (overflow || __builtin_mul_overflow(tensor->elements, size, &tensor->bytes))
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: tensor %.*s has more elements than can be counted",
                         reader->file->path, QUOTED, tensor->name);
    if (!is_contiguous(tensor, strides))
        return fail_tensor(reader, tensor,
                           "contiguous data, the last dimension fastest; save it again "
                           "after .contiguous()");
    if (__builtin_add_overflow(offset, tensor->elements, &end) || end > bytes / size)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: tensor %.*s: %zu elements at %zu leave its storage of %zu",
                         reader->file->path, QUOTED, tensor->name, tensor->elements,
                         offset, bytes / size);
    tensor->data = data + offset * size;
    return TESS_OK;
}

static enum tess_status read_tensor(struct tess_file_tensor *tensor,
                                    const struct reader *reader,
                                    const struct tess_pickle_value *value)
{
    const struct tess_pickle_value *args[7];
    if (value->kind == TESS_PICKLE_CALL && value->global == TESS_PICKLE_REBUILD_PARAMETER)
    {
        if (!get_items(args, reader, value, 3, 3)) // data, requires_grad, hooks
            return fail_tensor(reader, tensor, "a parameter of 3 arguments");
        value = args[0];
    }
    if (value->kind != TESS_PICKLE_CALL || value->global != TESS_PICKLE_REBUILD_TENSOR)
        return tess_fail(reader->env, TESS_ERR_FILE, "%s: %.*s is %s, expected a tensor",
                         reader->file->path, QUOTED, tensor->name,
                         tess_pickle_kind_name(value->kind));
    if (!get_items(args, reader, value, 6, 7))
        return fail_tensor(reader, tensor, "a tensor of 6 or 7 arguments");
    return place_tensor(tensor, reader, args);
}

// ---------------------------------------------------------------------------------------
// The file
// ---------------------------------------------------------------------------------------

static int compare_names(const void *a, const void *b)
{
    const struct tess_file_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static enum tess_status read_dict(struct reader *reader,
                                  const struct tess_pickle_value *dict)
{
    struct tess_pth *file = reader->file;
    const struct tess_pickle_cell *cells = reader->pickle.cells;
    size_t name_bytes = 0, index = 0;
    for (uint32_t at = dict->first; at != TESS_PICKLE_END; at = cells[at].next) {
        const struct tess_pickle_value *key = value_of(reader, cells[at].key);
        if (key->kind != TESS_PICKLE_TEXT ||
            !tess_file_tensor_name_ok(key->text, key->count))
            return tess_fail(
                reader->env, TESS_ERR_FILE,
                "%s: the name of tensor %zu is no text, empty, or has control "
                "characters",
                file->path, index);
        index++;
        if (__builtin_add_overflow(name_bytes, (size_t)key->count + 1, &name_bytes) ||
            name_bytes > PICKLE_MAX_BYTES)
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: more bytes of names than a state dict needs",
                             file->path);
    }
    TESS_TRY(tess_alloc(&file->names, reader->env, name_bytes, 1, "tensor names"));
    TESS_TRY(tess_alloc(&file->tensors, reader->env, dict->count, sizeof *file->tensors,
                        "tensors"));
    TESS_TRY(tess_alloc(&file->by_name, reader->env, dict->count, sizeof *file->by_name,
                        "tensors"));
    char *name = file->names;
    for (uint32_t at = dict->first; at != TESS_PICKLE_END; at = cells[at].next) {
        const struct tess_pickle_value *key = value_of(reader, cells[at].key);
        struct tess_file_tensor *tensor = &file->tensors[file->count];
        memcpy(name, key->text, key->count);
        tensor->name = name;
        name += key->count + 1;
        TESS_TRY(read_tensor(tensor, reader, value_of(reader, cells[at].value)));
        file->by_name[file->count++] = tensor;
    }
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    for (size_t i = 1; i < file->count; i++) {
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return tess_fail(reader->env, TESS_ERR_FILE, "%s: tensor %.*s is there twice",
                             file->path, QUOTED, file->by_name[i]->name);
    }
    return TESS_OK;
}

// The dict `key` of a dict, or NULL.
static const struct tess_pickle_value *find_dict(const struct reader *reader,
                                                 const struct tess_pickle_value *dict,
                                                 const char *key)
{
    const struct tess_pickle_value *found = NULL;
    const struct tess_pickle_cell *cells = reader->pickle.cells;
    for (uint32_t at = dict->first; at != TESS_PICKLE_END; at = cells[at].next) {
        const struct tess_pickle_value *value = value_of(reader, cells[at].value);
        if (text_is(value_of(reader, cells[at].key), key) &&
            value->kind == TESS_PICKLE_DICT)
            found = value;
    }
    return found;
}

static enum tess_status find_pickle(const struct tess_zip_entry **out,
                                    struct reader *reader)
{
    const size_t suffix = strlen(PICKLE_SUFFIX);
    const struct tess_zip_entry *found = NULL;
    size_t found_prefix = 0;
    for (size_t i = 0; i < reader->zip.count; i++) {
        const struct tess_zip_entry *entry = &reader->zip.entries[i];
        size_t length = strlen(entry->name);
        size_t prefix = length > suffix ? length - suffix : 0;
        if (prefix == 0 || strcmp(entry->name + prefix, PICKLE_SUFFIX) != 0 ||
            memchr(entry->name, '/', prefix))
            continue;
        if (found)
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: entries %.*s and %.*s, expected one of them",
                             reader->file->path, QUOTED, found->name, QUOTED,
                             entry->name);
        found = entry;
        found_prefix = prefix;
    }
    if (!found)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: a zip file without an entry NAME" PICKLE_SUFFIX
                         ", expected a PyTorch checkpoint",
                         reader->file->path);
    if (found_prefix >= PREFIX_MAX_BYTES)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: entry %.*s...: expected a shorter name", reader->file->path,
                         QUOTED, found->name);
    memcpy(reader->prefix, found->name, found_prefix);
    *out = found;
    return TESS_OK;
}

static enum tess_status check_byte_order(const struct reader *reader)
{
    char name[PREFIX_MAX_BYTES + 16];
    const uint8_t *data = NULL;
    snprintf(name, sizeof name, "%s/byteorder", reader->prefix);
    const struct tess_zip_entry *entry = tess_zip_find(&reader->zip, name);
    if (!entry)
        return TESS_OK;
    TESS_TRY(tess_zip_data(&data, &reader->zip, entry));
    if (entry->bytes == 6 && memcmp(data, "little", 6) == 0)
        return TESS_OK;
    return tess_fail(reader->env, TESS_ERR_FILE,
                     "%s: entry %.*s is not \"little\", expected little-endian data",
                     reader->file->path, QUOTED, name);
}

static enum tess_status read_pickle(struct reader *reader)
{
    const struct tess_zip_entry *entry = NULL;
    const uint8_t *data = NULL;
    TESS_TRY(find_pickle(&entry, reader));
    TESS_TRY(check_byte_order(reader));
    TESS_TRY(tess_zip_data(&data, &reader->zip, entry));
    if (entry->bytes > PICKLE_MAX_BYTES)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: entry %.*s has %llu bytes, expected at most %zu",
                         reader->file->path, QUOTED, entry->name,
                         (unsigned long long)entry->bytes, PICKLE_MAX_BYTES);
    char *name = NULL;
    TESS_TRY(tess_strf(&name, reader->env, "%s: %.*s", reader->file->path, QUOTED,
                       entry->name));
    enum tess_status status =
        tess_pickle_parse(&reader->pickle, reader->env, name, data, (size_t)entry->bytes);
    free(name);
    return status;
}

static enum tess_status read_file(struct reader *reader)
{
    struct tess_pth *file = reader->file;
    // torch.save() before 1.6: a pickle of a magic number comes first.
    static const uint8_t legacy[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46};
    if (file->input.bytes >= sizeof legacy &&
        memcmp(file->input.data, legacy, sizeof legacy) == 0)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: PyTorch's file format from before 1.6, expected the later "
                         "one, a zip file; load and save it with a later PyTorch",
                         file->path);
    TESS_TRY(tess_zip_init(&reader->zip, reader->env, file->path, file->input.data,
                           file->input.bytes));
    TESS_TRY(read_pickle(reader));
    const struct tess_pickle_value *root = value_of(reader, reader->pickle.root);
    if (root->kind != TESS_PICKLE_DICT)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %s" PICKLE_SUFFIX " is %s, expected a dict of tensors",
                         file->path, reader->prefix, tess_pickle_kind_name(root->kind));
    const struct tess_pickle_value *dict = find_dict(reader, root, "state_dict");
    if (!dict)
        dict = find_dict(reader, root, "model");
    return read_dict(reader, dict ? dict : root);
}

bool tess_pth_is(const uint8_t *data, size_t bytes)
{
    // A zip file's first entry, or an old file, which is refused with a reason. A
    // safetensors file starting like this would have a header of over 64 MiB.
    return bytes >= 4 &&
           (memcmp(data, "PK\3\4", 4) == 0 || memcmp(data, "\x80\2\x8a\n", 4) == 0);
}

enum tess_status tess_pth_open(struct tess_pth **out, struct tess_env *env,
                               const char *path)
{
    struct tess_pth *file = NULL;
    struct reader *reader = NULL;
    TESS_TRY(tess_alloc(&file, env, 1, sizeof *file, "a checkpoint"));
    enum tess_status status = tess_alloc(&reader, env, 1, sizeof *reader, "a checkpoint");
    if (!status)
        status = tess_strdup(&file->path, env, path);
    if (!status)
        status = tess_input_map(&file->input, env, path);
    if (!status) {
        reader->env = env;
        reader->file = file;
        status = read_file(reader);
        tess_zip_clear(&reader->zip);
        tess_pickle_clear(&reader->pickle);
    }
    free(reader);
    if (status) {
        tess_pth_close(&file);
        return status;
    }
    *out = file;
    return TESS_OK;
}

void tess_pth_close(struct tess_pth **file)
{
    struct tess_pth *self = *file;
    if (!self)
        return;
    tess_input_close(&self->input);
    free(self->path);
    free(self->tensors);
    free(self->by_name);
    free(self->names);
    free(self);
    *file = NULL;
}

size_t tess_pth_count(const struct tess_pth *file)
{
    return file->count;
}

const struct tess_file_tensor *tess_pth_at(const struct tess_pth *file, size_t index)
{
    assert(index < file->count);
    return &file->tensors[index];
}

const struct tess_file_tensor *tess_pth_find(const struct tess_pth *file,
                                             const char *name)
{
    const struct tess_file_tensor key = {.name = name}, *wanted = &key;
    const struct tess_file_tensor **found = bsearch(&wanted, file->by_name, file->count,
                                                    sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

const char *tess_pth_path(const struct tess_pth *file)
{
    return file->path;
}
