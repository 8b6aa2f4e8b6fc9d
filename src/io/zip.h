// The index of a zip file in memory: names of entries and where their bytes are. Entries
// are read in place, so compressed and encrypted ones are refused.
#ifndef TESS_ZIP_H
#define TESS_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct tess_zip_entry {
    const char *name; // no control characters
    uint64_t offset;  // of its local header in the file
    uint64_t bytes, packed_bytes;
    uint16_t method, flags;
};

// Fields are read-only outside zip.c.
struct tess_zip {
    struct tess_env *env;
    const char *path;
    const uint8_t *data;
    size_t bytes;                   // of the file
    size_t directory_at;            // the central directory, which follows all entries
    struct tess_zip_entry *entries; // by name
    size_t count;
    char *names;
};

// Read the central directory of the file `path`, whose bytes are data[bytes]; all three
// are kept, as is `env`. Files over 4 GiB (zip64) are read, archives in several files are
// not. TESS_ERR_FILE names file and entry: no zip file, cut off, sizes that leave the
// file, a name that is there twice. Free with tess_zip_clear(), after a failure too.
enum tess_status tess_zip_init(struct tess_zip *zip, struct tess_env *env,
                               const char *path, const uint8_t *data, size_t bytes);
void tess_zip_clear(struct tess_zip *zip);

// NULL if there is none.
const struct tess_zip_entry *tess_zip_find(const struct tess_zip *zip, const char *name);

// *out[entry->bytes]: the entry's bytes inside the file. Its local header is checked
// here. TESS_ERR_FILE: compressed, encrypted, or outside the file.
enum tess_status tess_zip_data(const uint8_t **out, const struct tess_zip *zip,
                               const struct tess_zip_entry *entry);

#endif
