// Program binaries on disk, one file an entry, written whole or not at all. An entry is
//
//   "tess-program-1\n", key length, binary length, checksum of key and binary (each 64
//   bit, little endian), key, binary
//
// and its name is a hash of the key. The whole key is compared, so a collision is a miss.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "rt/opencl.h"

#define ENTRY_MAGIC     "tess-program-1\n"
#define ENTRY_BYTES_MAX (256u << 20)

struct entry_head {
    char magic[16];
    uint64_t key_bytes, binary_bytes, checksum;
};

static uint64_t checksum(const char *key, const void *binary, size_t bytes)
{
    return tess_hash(tess_hash(TESS_HASH_START, key, strlen(key)), binary, bytes);
}

enum tess_status tess_cache_default_dir(char **out, struct tess_env *env)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg &&
        xdg[0] == '/') // relative paths are to be ignored, says the XDG specification
        return tess_strf(out, env, "%s/tessella", xdg);
    if (home && home[0] == '/')
        return tess_strf(out, env, "%s/.cache/tessella", home);
    return TESS_OK;
}

static void entry_path(char *path, size_t size, struct tess_device *dev, const char *key)
{
    snprintf(path, size, "%s/%016llx.clbin", dev->cache_dir,
             (unsigned long long)tess_hash(0x9E3779B97F4A7C15ull, key, strlen(key)));
}

// NULL unless the whole entry is sound and has this key.
static unsigned char *read_entry(FILE *file, const char *key, size_t *bytes)
{
    struct entry_head head;
    size_t key_bytes = strlen(key);
    if (fread(&head, sizeof head, 1, file) != 1 ||
        memcmp(head.magic, ENTRY_MAGIC, sizeof ENTRY_MAGIC) != 0 ||
        head.key_bytes != key_bytes || head.binary_bytes == 0 ||
        head.binary_bytes > ENTRY_BYTES_MAX)
        return NULL;
    char *stored_key = malloc(key_bytes + 1);
    unsigned char *binary = malloc(head.binary_bytes);
    if (stored_key && binary && fread(stored_key, 1, key_bytes, file) == key_bytes &&
        memcmp(stored_key, key, key_bytes) == 0 &&
        fread(binary, 1, head.binary_bytes, file) == head.binary_bytes &&
        fgetc(file) == EOF && checksum(key, binary, head.binary_bytes) == head.checksum)
    {
        free(stored_key);
        *bytes = head.binary_bytes;
        return binary;
    }
    free(stored_key);
    free(binary);
    return NULL;
}

void tess_cache_find(unsigned char **out, size_t *bytes, struct tess_device *dev,
                     const char *key)
{
    if (!dev->cache_dir)
        return;
    char path[4096];
    entry_path(path, sizeof path, dev, key);
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    *out = read_entry(file, key, bytes);
    fclose(file);
    if (!*out) {
        tess_log(dev->env, TESS_LOG_DEBUG, "%s: damaged or stale, removed", path);
        unlink(path);
    }
}

static bool make_dirs(const char *dir)
{
    char path[4096];
    if (strlen(dir) >= sizeof path)
        return false;
    strcpy(path, dir);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir(path, 0700) && errno != EEXIST)
                return false;
            *p = '/';
        }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool tess_cache_replace(const char *dir, const char *path,
                        const struct tess_cache_part *parts)
{
    char temporary[4200];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = make_dirs(dir) ? mkstemp(temporary) : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!file) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool good = true;
    for (; parts->bytes; parts++)
        good = good && fwrite(parts->data, 1, parts->bytes, file) == parts->bytes;
    good = fclose(file) == 0 && good;
    if (good && rename(temporary, path) == 0)
        return true;
    int error = errno;
    unlink(temporary);
    errno = error;
    return false;
}

void tess_cache_store(struct tess_device *dev, const char *key,
                      const unsigned char *binary, size_t bytes)
{
    if (!dev->cache_dir || bytes > ENTRY_BYTES_MAX)
        return;
    char path[4096];
    entry_path(path, sizeof path, dev, key);
    struct entry_head head = {ENTRY_MAGIC, strlen(key), bytes,
                              checksum(key, binary, bytes)};
    struct tess_cache_part parts[] = {
        {&head, sizeof head}, {key, head.key_bytes}, {binary, bytes}, {NULL, 0}};
    if (!tess_cache_replace(dev->cache_dir, path, parts))
        tess_log(dev->env, TESS_LOG_DEBUG, "%s: cannot write the program cache: %s", path,
                 strerror(errno));
}
