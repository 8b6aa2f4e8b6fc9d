// SHA-256 of files, taken by a thread while the caller goes on.
#ifndef TESS_FILE_HASH_H
#define TESS_FILE_HASH_H

#include <stdbool.h>
#include <stddef.h>

struct tess_file_hashes;

// NULL without memory.
struct tess_file_hashes *tess_file_hashes_create(void);
void tess_file_hashes_destroy(struct tess_file_hashes **hashes);

// One more file, open at its start; `fd` is taken over. What is read is what is behind it
// now, even if another file gets its name. The first is number 0. False: no memory.
bool tess_file_hashes_add(struct tess_file_hashes *hashes, int fd);

// The digest of a file, as text; waits for it. NULL: it could not be read, and errno says
// why.
const char *tess_file_hashes_digest(struct tess_file_hashes *hashes, size_t number);

#endif
