// Output files that appear whole or not at all.
#include "io/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

struct tess_output {
    FILE *file;
    char *path;      // as the caller gave it, for messages
    char *target;    // where links lead to
    char *temporary; // NULL: written in place
    int error;       // errno of the first failure
};

enum { BUFFER_BYTES = 1 << 18 };

static enum tess_status fail_write(struct tess_env *env, const char *path, int error)
{
    return tess_fail(env, TESS_ERR_WRITE, "cannot write %s: %s", path, strerror(error));
}

static void output_free(struct tess_output *output)
{
    free(output->path);
    free(output->target);
    free(output->temporary);
    free(output);
}

// A new file beside `target`, with the permissions that the umask leaves (mkstemp() would
// make it private, and the umask cannot be read without a race).
static int open_temporary(char **name, struct tess_env *env, const char *target)
{
    const char *slash = strrchr(target, '/');
    const char *base = slash ? slash + 1 : target;
    int folder = (int)(base - target);
    if (!*base) { // "" or "folder/"
        errno = ENOENT;
        return -1;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^
                    (uint64_t)getpid() << 40 ^ (uint64_t)(uintptr_t)name;
    for (int i = 0; i < 100; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX
        char *path = NULL;
        // The name is cut so that the longest file names still work.
        if (tess_strf(&path, env, "%.*s.%.200s.%06x.tmp", folder, target, base,
                      (unsigned)(seed >> 40)))
            return -1;
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            *name = path;
            return fd;
        }
        int error = errno;
        free(path);
        errno = error;
        if (error != EEXIST)
            return -1;
    }
    return -1;
}

static int open_target(struct tess_output *output, struct tess_env *env)
{
    struct stat info;
    if (stat(output->path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) {
            errno = EISDIR;
            return -1;
        }
        if (!S_ISREG(info.st_mode))
            return open(output->path, O_WRONLY | O_CLOEXEC);
        output->target = realpath(output->path, NULL);
    }
    if (!output->target)
        output->target = strdup(output->path);
    if (!output->target)
        return -1;
    return open_temporary(&output->temporary, env, output->target);
}

enum tess_status tess_output_open(struct tess_output **out, struct tess_env *env,
                                  const char *path)
{
    struct tess_output *output = NULL;
    TESS_TRY(tess_alloc(&output, env, 1, sizeof *output, "an output file"));
    enum tess_status status = tess_strdup(&output->path, env, path);
    if (status) {
        output_free(output);
        return status;
    }
    int fd = open_target(output, env);
    if (fd >= 0)
        output->file = fdopen(fd, "wb");
    if (!output->file) {
        status = fail_write(env, path, errno);
        if (fd >= 0) {
            close(fd);
            if (output->temporary)
                unlink(output->temporary);
        }
        output_free(output);
        return status;
    }
    setvbuf(output->file, NULL, _IOFBF, BUFFER_BYTES);
    *out = output;
    return TESS_OK;
}

void tess_output_write(struct tess_output *output, const void *data, size_t bytes)
{
    if (output->error || bytes == 0)
        return;
    errno = 0;
    if (fwrite(data, 1, bytes, output->file) != bytes)
        output->error = errno ? errno : EIO;
}

void tess_output_printf(struct tess_output *output, const char *format, ...)
{
    if (output->error)
        return;
    errno = 0;
    va_list args;
    va_start(args, format);
    if (vfprintf(output->file, format, args) < 0)
        output->error = errno ? errno : EIO;
    va_end(args);
}

void tess_output_floats(struct tess_output *output, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[64], plain[64];
        // Nine digits tell all floats apart.
        snprintf(text, sizeof text, "%.9g", (double)values[i]);
        size_t used = 0;
        plain[used++] = ' ';
        for (const char *c = text; *c; c++) {
            // Whatever is not part of a number is the locale's decimal point, of a byte
            // or more.
            if (strchr("0123456789+-einfa", *c))
                plain[used++] = *c;
            else if (plain[used - 1] != '.')
                plain[used++] = '.';
        }
        tess_output_write(output, plain, used);
    }
}

// Everything is in the file, or `error` tells why not.
static void finish(struct tess_output *output)
{
    errno = 0;
    if (fflush(output->file) && !output->error)
        output->error = errno ? errno : EIO;
    if (fclose(output->file) && !output->error)
        output->error = errno ? errno : EIO;
    output->file = NULL;
}

// Give all files their names. Returns how many have them.
static size_t rename_all(struct tess_output **outputs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (outputs[i]->temporary && rename(outputs[i]->temporary, outputs[i]->target)) {
            outputs[i]->error = errno;
            return i;
        }
    return count;
}

enum tess_status tess_output_commit_all(struct tess_output **outputs, size_t count,
                                        struct tess_env *env)
{
    struct tess_output *files[TESS_OUTPUTS_MAX];
    assert(count <= TESS_OUTPUTS_MAX);
    enum tess_status status = tess_env_check(env);
    for (size_t i = 0; i < count; i++) {
        files[i] = outputs[i];
        outputs[i] = NULL;
        finish(files[i]);
        if (!status && files[i]->error)
            status = fail_write(env, files[i]->path, files[i]->error);
    }
    size_t named = status ? 0 : rename_all(files, count);
    if (!status && named < count)
        status = fail_write(env, files[named]->path, files[named]->error);
    for (size_t i = 0; i < count; i++) {
        if (status && files[i]->temporary)
            unlink(i < named ? files[i]->target : files[i]->temporary);
        output_free(files[i]);
    }
    return status;
}

enum tess_status tess_output_commit(struct tess_output **output, struct tess_env *env)
{
    return tess_output_commit_all(output, 1, env);
}

void tess_output_discard(struct tess_output **output)
{
    struct tess_output *self = *output;
    if (!self)
        return;
    fclose(self->file);
    if (self->temporary)
        unlink(self->temporary);
    output_free(self);
    *output = NULL;
}
