// For the tests of glTF: files made of JSON and bytes.
#ifndef TESS_GLB_TMP_H
#define TESS_GLB_TMP_H

#include "io_tmp.h"

static inline const char *tmp_write_glb(struct tmp *tmp, const char *name,
                                        const char *json, const void *binary,
                                        size_t bytes)
{
    uint8_t data[8192] = {0};
    size_t length = (strlen(json) + 3) / 4 * 4, padded = (bytes + 3) / 4 * 4;
    const uint32_t words[5] = {0x46546c67, 2, (uint32_t)(28 + length + padded),
                               (uint32_t)length, 0x4e4f534a};
    const uint32_t chunk[2] = {(uint32_t)padded, 0x004e4942};
    assert_true(28 + length + padded <= sizeof data);
    memcpy(data, words, sizeof words);
    memset(data + 20, ' ', length);
    memcpy(data + 20, json, strlen(json));
    memcpy(data + 20 + length, chunk, sizeof chunk);
    memcpy(data + 28 + length, binary, bytes);
    return tmp_write(tmp, name, data, 28 + length + padded);
}

// The same with the first `from` in `json` replaced by `to`.
static inline const char *tmp_write_changed_glb(struct tmp *tmp, const char *name,
                                                const char *json, const char *from,
                                                const char *to, const void *binary,
                                                size_t bytes)
{
    char changed[4096];
    const char *at = strstr(json, from);
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - json), json, to,
             at + strlen(from));
    return tmp_write_glb(tmp, name, changed, binary, bytes);
}

// Little-endian.
static inline uint32_t tmp_word_at(const uint8_t *data, size_t offset)
{
    uint32_t word;
    memcpy(&word, data + offset, sizeof word);
    return word;
}

#endif
