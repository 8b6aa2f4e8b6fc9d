// For the tests of files: a folder of their own, files made of bytes, damaged copies, and
// a check that a failure says what it should.
#ifndef TESS_IO_TMP_H
#define TESS_IO_TMP_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/status.h"

struct tmp {
    char folder[256];
    char path[512]; // of the file that was named last
    struct tess_env env;
    uint32_t random; // state, fixed at the start
};

// cmocka group functions: the folder is *state's.
static inline int tmp_setup(void **state)
{
    struct tmp *tmp = calloc(1, sizeof *tmp);
    const char *root = getenv("TMPDIR");
    if (!tmp)
        return -1;
    snprintf(tmp->folder, sizeof tmp->folder, "%.200s/tess-io-XXXXXX",
             root ? root : "/tmp");
    tmp->random = 2463534242u;
    *state = tmp;
    return mkdtemp(tmp->folder) ? 0 : -1;
}

// Removes the files of the folder. Fails if a temporary output was left behind.
static inline int tmp_teardown(void **state)
{
    struct tmp *tmp = *state;
    int left = 0;
    DIR *folder = opendir(tmp->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        snprintf(tmp->path, sizeof tmp->path, "%s/%.200s", tmp->folder, entry->d_name);
        left += entry->d_name[0] == '.' && strstr(entry->d_name, ".tmp") != NULL;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(tmp->path))
            rmdir(tmp->path);
    }
    if (folder)
        closedir(folder);
    rmdir(tmp->folder);
    free(tmp);
    return left ? -1 : 0;
}

// The path of a file in the folder, valid until the next call.
static inline const char *tmp_path(struct tmp *tmp, const char *name)
{
    snprintf(tmp->path, sizeof tmp->path, "%s/%s", tmp->folder, name);
    return tmp->path;
}

static inline const char *tmp_write(struct tmp *tmp, const char *name, const void *data,
                                    size_t bytes)
{
    FILE *file = fopen(tmp_path(tmp, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    return tmp->path;
}

static inline const char *tmp_write_text(struct tmp *tmp, const char *name,
                                         const char *text)
{
    return tmp_write(tmp, name, text, strlen(text));
}

// The bytes of a file and a zero after them, for free().
static inline uint8_t *tmp_read(struct tmp *tmp, const char *name, size_t *bytes)
{
    FILE *file = fopen(tmp_path(tmp, name), "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    uint8_t *data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), size);
    data[size] = 0;
    fclose(file);
    *bytes = (size_t)size;
    return data;
}

static inline uint32_t tmp_random(struct tmp *tmp) // xorshift32
{
    tmp->random ^= tmp->random << 13;
    tmp->random ^= tmp->random >> 17;
    tmp->random ^= tmp->random << 5;
    return tmp->random;
}

// Check a failure: its status, and that the message has every text up to NULL.
static inline void tmp_expect(struct tmp *tmp, enum tess_status status,
                              enum tess_status expected, ...)
{
    va_list texts;
    if (status != expected)
        print_error("status %d: %s\n", (int)status, tmp->env.message);
    assert_int_equal(status, expected);
    va_start(texts, expected);
    for (const char *text; (text = va_arg(texts, const char *));) {
        if (!strstr(tmp->env.message, text)) {
            print_error("expected \"%s\" in: %s\n", text, tmp->env.message);
            fail();
        }
    }
    va_end(texts);
}

// Reads the file, frees what it read, and returns the status.
typedef enum tess_status tmp_reader(struct tess_env *env, const char *path);

// Cut the valid file NAME at every length, or at every `step`th: each must be refused as
// a bad file. Then change bytes, `flips` times: each must be read or refused, and never
// crash.
static inline void tmp_damage(struct tmp *tmp, const char *name, tmp_reader *reader,
                              size_t step, size_t flips)
{
    size_t bytes;
    uint8_t *data = tmp_read(tmp, name, &bytes);
    assert_int_equal(reader(&tmp->env, tmp->path), TESS_OK);
    for (size_t length = 0; length < bytes; length += step) {
        enum tess_status status =
            reader(&tmp->env, tmp_write(tmp, "damaged", data, length));
        if (status != TESS_ERR_FILE)
            print_error("cut at %zu of %zu\n", length, bytes);
        tmp_expect(tmp, status, TESS_ERR_FILE, "damaged", NULL);
    }
    for (size_t i = 0; i < flips; i++) {
        uint8_t old[4];
        size_t at[4];
        for (int j = 0; j < 4; j++) { // one byte to four
            at[j] = tmp_random(tmp) % bytes;
            old[j] = data[at[j]];
            if (j == 0 || tmp_random(tmp) % 4 == 0)
                data[at[j]] = (uint8_t)tmp_random(tmp);
        }
        enum tess_status status =
            reader(&tmp->env, tmp_write(tmp, "damaged", data, bytes));
        assert_true(status == TESS_OK || status == TESS_ERR_FILE);
        for (int j = 3; j >= 0; j--)
            data[at[j]] = old[j];
    }
    free(data);
}

#endif
