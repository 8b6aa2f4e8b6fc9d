// The index of a zip file. Nothing in it is trusted: every offset is checked before it
// becomes a pointer, and an entry's memory is bounded by the directory's bytes.
//
// The file ends with an end record, which says where the central directory is; a zip64
// end record and its locator stand before it where numbers do not fit. All numbers are
// little-endian. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
#include "io/zip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/file_tensor.h"

enum {
    END_BYTES = 22,
    END_COMMENT_MAX = 65535,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
    NAME_QUOTED = 200, // bytes of a name in a message
};

static const uint32_t END_MAGIC = 0x06054b50, END64_MAGIC = 0x06064b50,
                      LOCATOR_MAGIC = 0x07064b50, CENTRAL_MAGIC = 0x02014b50,
                      LOCAL_MAGIC = 0x04034b50;

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

struct directory {
    uint64_t offset, bytes, count;
    uint64_t end; // where it must end at the latest
};

// The end record: the last one whose comment reaches to the end of the file.
static enum tess_status find_end(size_t *out, const struct tess_zip *zip)
{
    for (size_t comment = 0;
         comment <= END_COMMENT_MAX && zip->bytes >= END_BYTES + comment; comment++)
    {
        size_t at = zip->bytes - END_BYTES - comment;
        if (get32(zip->data + at) == END_MAGIC && get16(zip->data + at + 20) == comment) {
            *out = at;
            return TESS_OK;
        }
    }
    return tess_fail(
        zip->env, TESS_ERR_FILE,
        "%s: no end record of a zip file in %zu bytes: cut off, or not a zip "
        "file",
        zip->path, zip->bytes);
}

// The zip64 end record, if there is a locator before the end record at `end`. Numbers
// that the end record has too must agree.
static enum tess_status read_end64(struct directory *directory,
                                   const struct tess_zip *zip, size_t end)
{
    const uint8_t *last = zip->data + end;
    if (end < LOCATOR_BYTES || get32(last - LOCATOR_BYTES) != LOCATOR_MAGIC)
        return TESS_OK;
    size_t limit = end - LOCATOR_BYTES;
    uint64_t at = get64(last - LOCATOR_BYTES + 8);
    if (limit < END64_BYTES || at > limit - END64_BYTES ||
        get32(zip->data + at) != END64_MAGIC)
        return tess_fail(
            zip->env, TESS_ERR_FILE,
            "%s: no zip64 end record at byte %llu, where its locator puts it", zip->path,
            (unsigned long long)at);
    const uint8_t *record = zip->data + at;
    directory->count = get64(record + 32);
    directory->bytes = get64(record + 40);
    directory->offset = get64(record + 48);
    directory->end = at;
    bool agrees =
        (get16(last + 10) == UINT16_MAX || get16(last + 10) == directory->count) &&
        (get32(last + 12) == UINT32_MAX || get32(last + 12) == directory->bytes) &&
        (get32(last + 16) == UINT32_MAX || get32(last + 16) == directory->offset);
    if (!agrees || get32(record + 16) != 0 || get32(record + 20) != 0 ||
        get64(record + 24) != directory->count)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: the two end records differ, expected one zip file in one "
                         "part",
                         zip->path);
    return TESS_OK;
}

static enum tess_status find_directory(struct directory *out, const struct tess_zip *zip)
{
    size_t end = 0;
    TESS_TRY(find_end(&end, zip));
    const uint8_t *last = zip->data + end;
    struct directory directory = {
        .count = get16(last + 10),
        .bytes = get32(last + 12),
        .offset = get32(last + 16),
        .end = end,
    };
    TESS_TRY(read_end64(&directory, zip, end));
    if (directory.end == end && (get16(last + 4) != 0 || get16(last + 6) != 0 ||
                                 get16(last + 8) != get16(last + 10)))
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: a part of a zip file, expected one in one part", zip->path);
    if (directory.offset > directory.end ||
        directory.bytes > directory.end - directory.offset ||
        directory.count > directory.bytes / CENTRAL_BYTES)
        return tess_fail(
            zip->env, TESS_ERR_FILE,
            "%s: a directory of %llu entries in %llu bytes at byte %llu does "
            "not fit into a file of %zu bytes",
            zip->path, (unsigned long long)directory.count,
            (unsigned long long)directory.bytes, (unsigned long long)directory.offset,
            zip->bytes);
    *out = directory;
    return TESS_OK;
}

// Sizes that do not fit 32 bits are in an extra field, in this order, those only.
static bool read_extra(struct tess_zip_entry *entry, const uint8_t *extra, size_t bytes)
{
    uint64_t *wide[] = {&entry->bytes, &entry->packed_bytes, &entry->offset};
    bool missing = false;
    for (int i = 0; i < 3; i++)
        missing |= *wide[i] == UINT32_MAX;
    while (missing && bytes >= 4) {
        size_t size = get16(extra + 2), at = 0;
        if (size > bytes - 4)
            return false;
        if (get16(extra) == EXTRA_ZIP64) {
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != UINT32_MAX)
                    continue;
                if (size - at < 8)
                    return false;
                *wide[i] = get64(extra + 4 + at);
                at += 8;
            }
            missing = false;
        }
        extra += 4 + size;
        bytes -= 4 + size;
    }
    return !missing;
}

static int compare_entries(const void *a, const void *b)
{
    const struct tess_zip_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum tess_status read_directory(struct tess_zip *zip,
                                       const struct directory *directory)
{
    const uint8_t *at = zip->data + directory->offset, *end = at + directory->bytes;
    size_t used = 0;
    TESS_TRY(tess_alloc(&zip->entries, zip->env, (size_t)directory->count,
                        sizeof *zip->entries, "the entries of a zip file"));
    // Names with a zero after each are shorter than their records.
    TESS_TRY(tess_alloc(&zip->names, zip->env, (size_t)directory->bytes, 1,
                        "the names in a zip file"));
    for (uint64_t i = 0; i < directory->count; i++) {
        size_t left = (size_t)(end - at);
        bool whole = left >= CENTRAL_BYTES && get32(at) == CENTRAL_MAGIC;
        size_t name = whole ? get16(at + 28) : 0, extra = whole ? get16(at + 30) : 0;
        size_t record = CENTRAL_BYTES + name + extra + (whole ? get16(at + 32) : 0u);
        if (!whole || record > left)
            return tess_fail(zip->env, TESS_ERR_FILE,
                             "%s: entry %llu of %llu in the zip directory is damaged",
                             zip->path, (unsigned long long)i,
                             (unsigned long long)directory->count);
        const char *text = (const char *)at + CENTRAL_BYTES;
        if (!tess_file_tensor_name_ok(text, name))
            return tess_fail(
                zip->env, TESS_ERR_FILE,
                "%s: the name of entry %llu in the zip directory is empty or "
                "has control characters",
                zip->path, (unsigned long long)i);
        memcpy(zip->names + used, text, name);
        struct tess_zip_entry *entry = &zip->entries[zip->count++];
        *entry = (struct tess_zip_entry){
            .name = zip->names + used,
            .flags = get16(at + 8),
            .method = get16(at + 10),
            .packed_bytes = get32(at + 20),
            .bytes = get32(at + 24),
            .offset = get32(at + 42),
        };
        used += name + 1;
        if (!read_extra(entry, at + CENTRAL_BYTES + name, extra))
            return tess_fail(zip->env, TESS_ERR_FILE,
                             "%s: entry %.*s: no zip64 sizes, which its record calls for",
                             zip->path, NAME_QUOTED, entry->name);
        at += record;
    }
    if (at != end)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: %zu bytes after the last of %zu entries in the zip "
                         "directory, expected its end",
                         zip->path, (size_t)(end - at), zip->count);
    return TESS_OK;
}

enum tess_status tess_zip_init(struct tess_zip *zip, struct tess_env *env,
                               const char *path, const uint8_t *data, size_t bytes)
{
    *zip = (struct tess_zip){.env = env, .path = path, .data = data, .bytes = bytes};
    struct directory directory = {0};
    TESS_TRY(find_directory(&directory, zip));
    zip->directory_at = (size_t)directory.offset;
    TESS_TRY(read_directory(zip, &directory));
    qsort(zip->entries, zip->count, sizeof *zip->entries, compare_entries);
    for (size_t i = 1; i < zip->count; i++) {
        if (compare_entries(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return tess_fail(env, TESS_ERR_FILE, "%s: entry %.*s is there twice", path,
                             NAME_QUOTED, zip->entries[i].name);
    }
    return TESS_OK;
}

void tess_zip_clear(struct tess_zip *zip)
{
    free(zip->entries);
    free(zip->names);
    *zip = (struct tess_zip){0};
}

const struct tess_zip_entry *tess_zip_find(const struct tess_zip *zip, const char *name)
{
    const struct tess_zip_entry key = {.name = name};
    return bsearch(&key, zip->entries, zip->count, sizeof key, compare_entries);
}

enum tess_status tess_zip_data(const uint8_t **out, const struct tess_zip *zip,
                               const struct tess_zip_entry *entry)
{
    if (entry->flags & FLAG_ENCRYPTED)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: entry %.*s is encrypted, expected plain bytes", zip->path,
                         NAME_QUOTED, entry->name);
    if (entry->method != 0 || entry->bytes != entry->packed_bytes)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: entry %.*s is compressed (method %u, %llu of %llu bytes), "
                         "expected plain bytes",
                         zip->path, NAME_QUOTED, entry->name, entry->method,
                         (unsigned long long)entry->packed_bytes,
                         (unsigned long long)entry->bytes);
    const uint8_t *local = zip->data;
    size_t name = strlen(entry->name), room = zip->directory_at;
    bool inside = room >= LOCAL_BYTES && entry->offset <= room - LOCAL_BYTES;
    if (inside)
        local += entry->offset;
    if (!inside || get32(local) != LOCAL_MAGIC)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: entry %.*s: no entry at byte %llu, where the zip directory "
                         "puts it",
                         zip->path, NAME_QUOTED, entry->name,
                         (unsigned long long)entry->offset);
    room -= (size_t)entry->offset + LOCAL_BYTES;
    size_t before = (size_t)get16(local + 26) + get16(local + 28); // name and extra field
    if (get16(local + 26) != name || room < before ||
        memcmp(local + LOCAL_BYTES, entry->name, name) != 0)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: entry %.*s has another name at byte %llu", zip->path,
                         NAME_QUOTED, entry->name, (unsigned long long)entry->offset);
    if (entry->bytes > room - before)
        return tess_fail(zip->env, TESS_ERR_FILE,
                         "%s: entry %.*s has %llu bytes, %zu are left in the file",
                         zip->path, NAME_QUOTED, entry->name,
                         (unsigned long long)entry->bytes, room - before);
    *out = local + LOCAL_BYTES + before;
    return TESS_OK;
}
