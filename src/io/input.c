// Whole input files as bytes in memory.
#include "io/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

// Of a link that leads nowhere, as an unfinished download leaves it, tell where it leads.
static enum tess_status fail_read(struct tess_env *env, const char *path, int error)
{
    char target[512];
    ssize_t length = error == ENOENT ? readlink(path, target, sizeof target) : -1;
    if (length > 0)
        return tess_fail(env, TESS_ERR_FILE,
                         "cannot read %s: No such file as %.*s, where this link leads",
                         path, (int)length, target);
    return tess_fail(env, TESS_ERR_FILE, "cannot read %s: %s", path, strerror(error));
}

// Pipes have no size to trust, so the buffer grows.
static enum tess_status read_all(struct tess_input *out, struct tess_env *env,
                                 const char *path, FILE *file, size_t max_bytes)
{
    uint8_t *data = NULL;
    size_t capacity = 0, used = 0;
    for (;;) {
        enum tess_status status =
            tess_grow(&data, &capacity, env, used + (1 << 16), 1, "an input file");
        if (status) {
            free(data);
            return status;
        }
        errno = 0;
        size_t got = fread(data + used, 1, capacity - used - 1, file);
        used += got;
        if (ferror(file)) {
            free(data);
            return fail_read(env, path, errno ? errno : EIO);
        }
        if (used > max_bytes) {
            free(data);
            return tess_fail(env, TESS_ERR_FILE, "%s: larger than %zu bytes", path,
                             max_bytes);
        }
        if (got == 0)
            break;
    }
    data[used] = 0;
    *out = (struct tess_input){.data = data, .bytes = used};
    return TESS_OK;
}

enum tess_status tess_input_read(struct tess_input *out, struct tess_env *env,
                                 const char *path, size_t max_bytes)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return fail_read(env, path, errno);
    enum tess_status status = read_all(out, env, path, file, max_bytes);
    fclose(file);
    return status;
}

enum tess_status tess_input_map(struct tess_input *out, struct tess_env *env,
                                const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // does not wait at a pipe
    if (fd < 0)
        return fail_read(env, path, errno);
    struct stat info;
    if (fstat(fd, &info)) {
        enum tess_status status = fail_read(env, path, errno);
        close(fd);
        return status;
    }
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return tess_fail(env, TESS_ERR_FILE, "cannot read %s: %s", path,
                         S_ISDIR(info.st_mode) ? "is a directory" : "not a regular file");
    }
    struct tess_input input = {.bytes = (size_t)info.st_size, .mapped = true};
    if (input.bytes == 0) { // mmap() refuses to map nothing
        input.data = (const uint8_t *)"";
    } else {
        void *data = mmap(NULL, input.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            enum tess_status status = fail_read(env, path, errno);
            close(fd);
            return status;
        }
        input.data = data;
    }
    close(fd);
    *out = input;
    return TESS_OK;
}

void tess_input_close(struct tess_input *input)
{
    if (!input->mapped)
        free((void *)(uintptr_t)input->data);
    else if (input->bytes)
        munmap((void *)(uintptr_t)input->data, input->bytes);
    *input = (struct tess_input){0};
}
