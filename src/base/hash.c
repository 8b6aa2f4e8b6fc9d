#include "base/hash.h"

#include <string.h>

uint64_t tess_hash(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * 0x100000001B3ull;
    return hash;
}

uint64_t tess_hash_line(uint64_t hash, const char *text)
{
    if (text)
        hash = tess_hash(hash, text, strlen(text));
    return tess_hash(hash, "\n", 1);
}
