// The thread that hashes. It takes a few milliseconds a megabyte, which is as long as
// writing a file, and longer than some small ones take to be made.
#include "pipeline/file_hash.h"

#include <errno.h>
#include <sha2.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"

#define READ_BYTES ((size_t)64 << 10)

struct file {
    int fd; // closed when it is done
    int error;
    char digest[SHA256_DIGEST_STRING_LENGTH];
};

struct tess_file_hashes {
    struct tess_worker worker;
    struct file **files; // they stay where they are
    size_t count, capacity, done;
};

static void hash(struct file *file)
{
    SHA2_CTX sha;
    uint8_t bytes[READ_BYTES];
    ssize_t length;
    SHA256Init(&sha);
    do {
        length = read(file->fd, bytes, sizeof bytes);
        if (length > 0)
            SHA256Update(&sha, bytes, (size_t)length);
    } while (length > 0 || (length < 0 && errno == EINTR));
    file->error = length < 0 ? errno : 0;
    close(file->fd);
    SHA256End(&sha, file->digest);
}

static void *run(void *user)
{
    struct tess_file_hashes *hashes = user;
    pthread_mutex_lock(&hashes->worker.lock);
    while (!hashes->worker.end) {
        if (hashes->done == hashes->count) {
            pthread_cond_wait(&hashes->worker.changed, &hashes->worker.lock);
            continue;
        }
        struct file *file = hashes->files[hashes->done];
        pthread_mutex_unlock(&hashes->worker.lock);
        hash(file);
        pthread_mutex_lock(&hashes->worker.lock);
        hashes->done++;
        pthread_cond_broadcast(&hashes->worker.changed);
    }
    pthread_mutex_unlock(&hashes->worker.lock);
    return NULL;
}

struct tess_file_hashes *tess_file_hashes_create(void)
{
    struct tess_file_hashes *hashes = calloc(1, sizeof *hashes);
    if (!hashes)
        return NULL;
    if (tess_worker_start(&hashes->worker, run, hashes))
        return hashes;
    free(hashes);
    return NULL;
}

bool tess_file_hashes_add(struct tess_file_hashes *hashes, int fd)
{
    struct file *file = malloc(sizeof *file);
    if (!file) {
        close(fd);
        return false;
    }
    *file = (struct file){.fd = fd};
    pthread_mutex_lock(&hashes->worker.lock);
    if (hashes->count == hashes->capacity) {
        size_t capacity = 2 * hashes->capacity + 8;
        struct file **files = realloc(hashes->files, capacity * sizeof(struct file *));
        if (files) {
            hashes->files = files;
            hashes->capacity = capacity;
        }
    }
    bool room = hashes->count < hashes->capacity;
    if (room) {
        hashes->files[hashes->count++] = file;
        pthread_cond_broadcast(&hashes->worker.changed);
    }
    pthread_mutex_unlock(&hashes->worker.lock);
    if (!room) {
        close(fd);
        free(file);
    }
    return room;
}

const char *tess_file_hashes_digest(struct tess_file_hashes *hashes, size_t number)
{
    pthread_mutex_lock(&hashes->worker.lock);
    while (hashes->done <= number)
        pthread_cond_wait(&hashes->worker.changed, &hashes->worker.lock);
    const struct file *file = hashes->files[number];
    pthread_mutex_unlock(&hashes->worker.lock);
    errno = file->error;
    return file->error ? NULL : file->digest;
}

void tess_file_hashes_destroy(struct tess_file_hashes **out)
{
    struct tess_file_hashes *hashes = *out;
    if (!hashes)
        return;
    tess_worker_stop(&hashes->worker);
    for (size_t i = 0; i < hashes->count; i++) {
        if (i >= hashes->done)
            close(hashes->files[i]->fd);
        free(hashes->files[i]);
    }
    free(hashes->files);
    free(hashes);
    *out = NULL;
}
