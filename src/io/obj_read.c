// OBJ reader. The file is read twice: first to count vertices and triangles, so that
// faces may name vertices that come later, then to read them.
#include "io/obj.h"

#include <math.h>
#include <string.h>

#include "io/input.h"
#include "io/text.h"

struct reader {
    struct tess_env *env;
    const char *path;
    struct tess_text text;
    struct tess_mesh mesh;
    size_t vertex, face; // the next ones
};

static enum tess_status fail_line(const struct reader *reader, const char *expected)
{
    return tess_fail(reader->env, TESS_ERR_FILE, "%s: line %zu: expected %s",
                     reader->path, reader->text.line, expected);
}

static enum tess_status count(size_t *vertices, size_t *faces, struct reader *reader)
{
    struct tess_text *text = &reader->text;
    struct tess_word word;
    *vertices = *faces = 0;
    while (tess_text_line(text)) {
        // No text has zeros; models in other formats do.
        if (memchr(text->next, 0, (size_t)(text->end - text->next)))
            return fail_line(reader, "text, this line has zero bytes");
        if (!tess_text_word(&word, text))
            continue;
        if (tess_word_is(word, "v")) {
            ++*vertices;
        } else if (tess_word_is(word, "f")) {
            size_t corners = 0;
            while (tess_text_word(&word, text))
                corners++;
            if (corners < 3)
                return fail_line(reader, "a face of three corners or more");
            *faces += corners - 2;
        }
        while (tess_text_word(&word, text)) // to the end of joined lines
            continue;
    }
    if (*vertices > UINT32_MAX)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu vertices, expected fewer than 2^32", reader->path,
                         *vertices);
    if (*faces == 0)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: no faces, expected an OBJ file with lines \"f ...\"",
                         reader->path);
    return TESS_OK;
}

// "v x y z", and perhaps a weight or a colour.
static enum tess_status read_vertex(struct reader *reader)
{
    struct tess_word word;
    float v[3];
    for (int i = 0; i < 3; i++) {
        double value;
        if (!tess_text_word(&word, &reader->text) || !tess_word_number(&value, word) ||
            !isfinite(v[i] = (float)value))
            return fail_line(reader, "a vertex of three finite numbers");
    }
    float *p = reader->mesh.positions + 3 * reader->vertex++;
    p[0] = v[0];
    p[1] = -v[2];
    p[2] = v[1];
    return TESS_OK;
}

// VERTEX, VERTEX/TEXTURE, VERTEX//NORMAL or VERTEX/TEXTURE/NORMAL, from 1, or backwards
// from the last so far, -1.
static bool read_corner(uint32_t *out, const struct reader *reader, struct tess_word word)
{
    const char *slash = memchr(word.text, '/', word.length);
    int64_t index;
    if (slash)
        word.length = (size_t)(slash - word.text);
    if (!tess_word_integer(&index, word) || index == 0)
        return false;
    index = index < 0 ? (int64_t)reader->vertex + index : index - 1;
    if (index < 0 || index >= (int64_t)reader->mesh.vertices)
        return false;
    *out = (uint32_t)index;
    return true;
}

static enum tess_status read_face(struct reader *reader)
{
    struct tess_word word;
    uint32_t corners[3]; // the first, the last but one, the last
    for (size_t i = 0; tess_text_word(&word, &reader->text); i++) {
        uint32_t corner;
        if (!read_corner(&corner, reader, word))
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: line %zu: corner %zu of the face is \"%.*s\", expected "
                             "a vertex of %zu, of which %zu come before",
                             reader->path, reader->text.line, i + 1,
                             (int)(word.length < 40 ? word.length : 40), word.text,
                             reader->mesh.vertices, reader->vertex);
        corners[i < 2 ? i : 2] = corner;
        if (i < 2)
            continue;
        memcpy(reader->mesh.indices + 3 * reader->face++, corners, sizeof corners);
        corners[1] = corner;
    }
    return TESS_OK;
}

static enum tess_status read_all(struct reader *reader)
{
    const struct tess_text begin = reader->text;
    size_t vertices = 0, faces = 0;
    TESS_TRY(count(&vertices, &faces, reader));
    TESS_TRY(tess_mesh_create(&reader->mesh, reader->env, vertices, faces, false));
    reader->text = begin;
    struct tess_word word;
    while (tess_text_line(&reader->text)) {
        if (!tess_text_word(&word, &reader->text))
            continue;
        if (tess_word_is(word, "v"))
            TESS_TRY(read_vertex(reader));
        else if (tess_word_is(word, "f"))
            TESS_TRY(read_face(reader));
        while (tess_text_word(&word, &reader->text))
            continue;
    }
    return TESS_OK;
}

enum tess_status tess_obj_read(struct tess_mesh *out, struct tess_env *env,
                               const char *path)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_map(&input, env, path));
    struct reader reader = {
        .env = env,
        .path = path,
        .text = {.data = input.data, .bytes = input.bytes, .joined = true},
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
