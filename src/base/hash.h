// 64-bit FNV-1a: names of cached files and keys of what made a result. To be continued:
// start with TESS_HASH_START.
#ifndef TESS_HASH_H
#define TESS_HASH_H

#include <stddef.h>
#include <stdint.h>

#define TESS_HASH_START 0xCBF29CE484222325ull

uint64_t tess_hash(uint64_t hash, const void *data, size_t bytes);
// A text, NULL like an empty one, and the end of its line.
uint64_t tess_hash_line(uint64_t hash, const char *text);

#endif
