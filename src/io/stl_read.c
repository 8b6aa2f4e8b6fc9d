// STL reader. A file is binary if its size is the one that its count of triangles asks
// for, since binary files may start with "solid", too; else it is text if it starts with
// that.
#include "io/stl.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "io/input.h"
#include "io/text.h"

enum { HEADER_BYTES = 84, TRIANGLE_BYTES = 50 };

// All triangles have vertices of their own, so three times as many must be countable.
#define TRIANGLES_MAX (UINT32_MAX / 3)

struct reader {
    struct tess_env *env;
    const char *path;
    struct tess_text text;
    struct tess_mesh mesh;
    size_t capacity; // of mesh.positions, in triangles
};

// 9 floats for the next triangle.
static enum tess_status add_triangle(struct reader *reader, const float *corners)
{
    struct tess_mesh *mesh = &reader->mesh;
    if (mesh->faces == TRIANGLES_MAX)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: more triangles than %u, which can be read", reader->path,
                         TRIANGLES_MAX);
    TESS_TRY(tess_grow(&mesh->positions, &reader->capacity, reader->env, mesh->faces + 1,
                       9 * sizeof(float), "mesh positions"));
    memcpy(mesh->positions + 9 * mesh->faces++, corners, 9 * sizeof(float));
    mesh->vertices = 3 * mesh->faces;
    return TESS_OK;
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum tess_status read_binary(struct reader *reader)
{
    const uint8_t *at = reader->text.data + HEADER_BYTES;
    size_t count = (reader->text.bytes - HEADER_BYTES) / TRIANGLE_BYTES;
    for (size_t i = 0; i < count; i++, at += TRIANGLE_BYTES) {
        float corners[9];
        for (int j = 0; j < 9; j++) {
            uint32_t bits = get32(at + 12 + 4 * j); // the normal comes first
            memcpy(&corners[j], &bits, sizeof bits);
            if (!isfinite(corners[j]))
                return tess_fail(reader->env, TESS_ERR_FILE,
                                 "%s: triangle %zu: a corner is %g, expected finite "
                                 "numbers",
                                 reader->path, i, (double)corners[j]);
        }
        TESS_TRY(add_triangle(reader, corners));
    }
    return TESS_OK;
}

static enum tess_status fail_line(const struct reader *reader, const char *expected)
{
    return tess_fail(reader->env, TESS_ERR_FILE, "%s: line %zu: expected %s",
                     reader->path, reader->text.line, expected);
}

static bool word_is(struct tess_word word, const char *text)
{
    return word.length == strlen(text) && strncasecmp(word.text, text, word.length) == 0;
}

// The first word of the next line that has any; false at the end.
static bool next_statement(struct tess_word *out, struct reader *reader)
{
    while (tess_text_line(&reader->text)) {
        if (tess_text_word(out, &reader->text))
            return true;
    }
    return false;
}

static enum tess_status expect(struct reader *reader, const char *statement,
                               const char *second)
{
    struct tess_word word;
    if (!next_statement(&word, reader) || !word_is(word, statement) ||
        (second && (!tess_text_word(&word, &reader->text) || !word_is(word, second))))
        return fail_line(reader, second ? "\"outer loop\"" : statement);
    return TESS_OK;
}

// What follows "facet" and its normal.
static enum tess_status read_facet(struct reader *reader)
{
    float corners[9];
    TESS_TRY(expect(reader, "outer", "loop"));
    for (int i = 0; i < 9; i++) {
        struct tess_word word;
        double value;
        if (i % 3 == 0)
            TESS_TRY(expect(reader, "vertex", NULL));
        if (!tess_text_word(&word, &reader->text) || !tess_word_number(&value, word) ||
            !isfinite(corners[i] = (float)value))
            return fail_line(reader, "a vertex of three finite numbers");
    }
    TESS_TRY(expect(reader, "endloop", NULL));
    TESS_TRY(expect(reader, "endfacet", NULL));
    return add_triangle(reader, corners);
}

// One or more solids.
static enum tess_status read_text(struct reader *reader)
{
    struct tess_word word;
    bool inside = false;
    while (next_statement(&word, reader)) {
        if (!inside && word_is(word, "solid"))
            inside = true;
        else if (inside && word_is(word, "endsolid"))
            inside = false;
        else if (inside && word_is(word, "facet"))
            TESS_TRY(read_facet(reader));
        else
            return fail_line(reader, inside ? "facet or endsolid" : "solid");
    }
    return inside ? fail_line(reader, "endsolid after the last line; the file is cut off")
                  : TESS_OK;
}

static enum tess_status read_all(struct reader *reader)
{
    const uint8_t *data = reader->text.data;
    size_t bytes = reader->text.bytes;
    bool headed = bytes >= HEADER_BYTES;
    uint64_t count = headed ? get32(data + HEADER_BYTES - 4) : 0;
    if (headed && bytes == HEADER_BYTES + TRIANGLE_BYTES * count)
        TESS_TRY(read_binary(reader));
    else if (bytes >= 5 && strncasecmp((const char *)data, "solid", 5) == 0)
        TESS_TRY(read_text(reader));
    else if (headed)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu bytes, an STL file of %llu triangles has %llu",
                         reader->path, bytes, (unsigned long long)count,
                         (unsigned long long)(HEADER_BYTES + TRIANGLE_BYTES * count));
    else
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu bytes, expected an STL file of %d bytes or more",
                         reader->path, bytes, HEADER_BYTES);
    if (reader->mesh.faces == 0)
        return tess_fail(reader->env, TESS_ERR_FILE, "%s: no triangles", reader->path);
    TESS_TRY(tess_alloc(&reader->mesh.indices, reader->env, reader->mesh.faces,
                        3 * sizeof(uint32_t), "mesh faces"));
    for (size_t i = 0; i < reader->mesh.vertices; i++)
        reader->mesh.indices[i] = (uint32_t)i;
    return TESS_OK;
}

enum tess_status tess_stl_read(struct tess_mesh *out, struct tess_env *env,
                               const char *path)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_map(&input, env, path));
    struct reader reader = {
        .env = env,
        .path = path,
        .text = {.data = input.data, .bytes = input.bytes},
    };
    enum tess_status status = read_all(&reader);
    tess_input_close(&input);
    if (status) {
        tess_mesh_clear(&reader.mesh);
        return status;
    }
    *out = reader.mesh;
    return TESS_OK;
}
