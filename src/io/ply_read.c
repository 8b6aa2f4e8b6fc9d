// PLY reader for Gaussian splats. The header is lines of words; what it says about sizes
// is checked against the file before anything is allocated.
#include "io/ply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/input.h"
#include "io/turn.h"

// What a splat needs, and where in the values it goes.
static const char *const PROPERTIES[] = {
    "x",       "y",       "z",       "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
    "scale_0", "scale_1", "scale_2", "rot_0",  "rot_1",  "rot_2",  "rot_3",
};

enum { X = 0, F_DC = 3, OPACITY = 6, SCALE = 7, ROT = 10, PROPERTY_COUNT = 14 };

enum { LINE_MAX_BYTES = 256, WORDS_MAX = 6, HEADER_MAX_LINES = 1024 };

struct reader {
    struct tess_env *env;
    const char *path;
    const uint8_t *data;
    size_t bytes, at; // at: of the next line, then of the body
    size_t line;      // the number of the last line, from 1
    char text[LINE_MAX_BYTES];
    char *words[WORDS_MAX];
    int word_count;

    bool vertex;             // the element under way is the vertices
    bool vertex_seen, after; // the vertices were declared; an element after them, too
    size_t count;            // vertices
    size_t row_bytes;        // of the element under way
    size_t vertex_bytes;
    size_t element_count, skip; // of the element under way; bytes before the vertices
    size_t offsets[PROPERTY_COUNT];
    bool found[PROPERTY_COUNT];
};

static enum tess_status fail_line(struct reader *reader, const char *expected)
{
    return tess_fail(reader->env, TESS_ERR_FILE,
                     "%s: line %zu of the header: expected %s", reader->path,
                     reader->line, expected);
}

// The next line of the header, cut into words.
static enum tess_status next_line(struct reader *reader)
{
    reader->line++;
    size_t length = 0;
    while (reader->at + length < reader->bytes &&
           reader->data[reader->at + length] != '\n') {
        if (++length >= LINE_MAX_BYTES)
            return fail_line(reader, "a shorter line");
    }
    if (reader->at + length == reader->bytes)
        return fail_line(reader, "end_header; the file is cut off");
    if (reader->line > HEADER_MAX_LINES)
        return fail_line(reader, "end_header before");
    memcpy(reader->text, reader->data + reader->at, length);
    reader->text[length] = 0;
    reader->at += length + 1;
    reader->word_count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(reader->text, " \t\r", &rest);
         word && reader->word_count < WORDS_MAX; word = strtok_r(NULL, " \t\r", &rest))
        reader->words[reader->word_count++] = word;
    return TESS_OK;
}

static bool word_is(const struct reader *reader, int index, const char *text)
{
    return index < reader->word_count && strcmp(reader->words[index], text) == 0;
}

static size_t type_size(const char *name)
{
    static const struct {
        char name[8];
        size_t size;
    } types[] = {
        {"char", 1},  {"int8", 1},    {"uchar", 1},  {"uint8", 1},
        {"short", 2}, {"int16", 2},   {"ushort", 2}, {"uint16", 2},
        {"int", 4},   {"int32", 4},   {"uint", 4},   {"uint32", 4},
        {"float", 4}, {"float32", 4}, {"double", 8}, {"float64", 8},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i].name) == 0)
            return types[i].size;
    }
    return 0;
}

// Close the element under way, whose rows are known now.
static enum tess_status end_element(struct reader *reader)
{
    if (reader->vertex) {
        reader->vertex_bytes = reader->row_bytes;
    } else if (!reader->vertex_seen) {
        size_t bytes;
        if (__builtin_mul_overflow(reader->element_count, reader->row_bytes, &bytes) ||
            __builtin_add_overflow(reader->skip, bytes, &reader->skip) ||
            reader->skip > reader->bytes)
            return fail_line(reader, "fewer elements; the file is too short for them");
    }
    reader->vertex = false;
    return TESS_OK;
}

static enum tess_status read_element(struct reader *reader)
{
    TESS_TRY(end_element(reader));
    if (reader->word_count != 3)
        return fail_line(reader, "\"element NAME COUNT\"");
    // More digits could overflow; no file holds so much.
    const char *digits = reader->words[2];
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 15 || digits[length])
        return fail_line(reader, "a plausible count of elements");
    reader->element_count = (size_t)strtoull(digits, NULL, 10);
    reader->row_bytes = 0;
    if (word_is(reader, 1, "vertex")) {
        if (reader->vertex_seen)
            return fail_line(reader, "vertices once");
        reader->vertex = reader->vertex_seen = true;
        reader->count = reader->element_count;
    } else if (reader->vertex_seen) {
        reader->after = true;
    }
    return TESS_OK;
}

static enum tess_status read_property(struct reader *reader)
{
    if (reader->after) // never read
        return TESS_OK;
    if (word_is(reader, 1, "list"))
        return fail_line(reader, "no list before or among the vertices of splats");
    size_t size = reader->word_count == 3 ? type_size(reader->words[1]) : 0;
    if (size == 0)
        return fail_line(reader, "\"property TYPE NAME\" with a known type");
    for (int i = 0; i < PROPERTY_COUNT && reader->vertex; i++) {
        if (!word_is(reader, 2, PROPERTIES[i]))
            continue;
        if (reader->found[i] ||
            (!word_is(reader, 1, "float") && !word_is(reader, 1, "float32")))
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: line %zu of the header: property %s is %s, expected "
                             "float once",
                             reader->path, reader->line, PROPERTIES[i],
                             reader->found[i] ? "there twice" : reader->words[1]);
        reader->found[i] = true;
        reader->offsets[i] = reader->row_bytes;
    }
    reader->row_bytes += size; // at most HEADER_MAX_LINES * 8
    return TESS_OK;
}

static enum tess_status read_header(struct reader *reader)
{
    if (reader->bytes < 4 || memcmp(reader->data, "ply", 3) != 0)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: does not start with \"ply\", expected a PLY file",
                         reader->path);
    TESS_TRY(next_line(reader));
    if (reader->word_count != 1 || !word_is(reader, 0, "ply"))
        return fail_line(reader, "\"ply\"");
    TESS_TRY(next_line(reader));
    if (!word_is(reader, 0, "format") || !word_is(reader, 1, "binary_little_endian") ||
        !word_is(reader, 2, "1.0"))
        return fail_line(reader,
                         "\"format binary_little_endian 1.0\" (text and big-endian "
                         "files cannot be read)");
    for (;;) {
        TESS_TRY(next_line(reader));
        if (word_is(reader, 0, "end_header"))
            break;
        if (word_is(reader, 0, "element"))
            TESS_TRY(read_element(reader));
        else if (word_is(reader, 0, "property"))
            TESS_TRY(read_property(reader));
        else if (!word_is(reader, 0, "comment") && !word_is(reader, 0, "obj_info"))
            return fail_line(reader, "element, property, comment or end_header");
    }
    TESS_TRY(end_element(reader));
    if (reader->count == 0)
        return tess_fail(reader->env, TESS_ERR_FILE, "%s: element vertex: no splats",
                         reader->path);
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        if (!reader->found[i])
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: property %s is missing, expected Gaussian splats",
                             reader->path, PROPERTIES[i]);
    }
    return TESS_OK;
}

static enum tess_status check_size(struct reader *reader)
{
    size_t left = reader->bytes - reader->at;
    if (reader->skip > left ||
        (left - reader->skip) / reader->vertex_bytes < reader->count)
        return tess_fail(
            reader->env, TESS_ERR_FILE,
            "%s: %zu bytes after the header are too few for %zu splats of %zu "
            "bytes",
            reader->path, left, reader->count, reader->vertex_bytes);
    reader->at += reader->skip;
    left -= reader->skip + reader->count * reader->vertex_bytes;
    if (left && !reader->after)
        return tess_fail(
            reader->env, TESS_ERR_FILE,
            "%s: %zu bytes after the last of %zu splats, expected the end of "
            "the file",
            reader->path, left, reader->count);
    return TESS_OK;
}

// False if a value is out of range.
static bool convert(struct tess_splats *splats, size_t index, const float *v)
{
    if (!tess_turn_rotation_up(splats->rotations + 4 * index, v + ROT))
        return false;
    tess_turn_up(splats->positions + 3 * index, v + X);
    memcpy(splats->colours + 3 * index, v + F_DC, 3 * sizeof(float));
    splats->opacities[index] = (float)(1 / (1 + exp(-(double)v[OPACITY])));
    for (int j = 0; j < 3; j++) {
        float scale = (float)exp(v[SCALE + j]);
        if (!isfinite(scale))
            return false;
        splats->scales[3 * index + j] = scale;
    }
    return true;
}

static enum tess_status read_body(struct tess_splats *splats, struct reader *reader)
{
    const uint8_t *row = reader->data + reader->at;
    for (size_t i = 0; i < splats->count; i++, row += reader->vertex_bytes) {
        float values[PROPERTY_COUNT];
        for (int j = 0; j < PROPERTY_COUNT; j++) {
            memcpy(&values[j], row + reader->offsets[j], sizeof(float));
            if (!isfinite(values[j]))
                return tess_fail(
                    reader->env, TESS_ERR_FILE,
                    "%s: splat %zu: property %s is %g, expected a finite number",
                    reader->path, i, PROPERTIES[j], (double)values[j]);
        }
        if (!convert(splats, i, values))
            return tess_fail(
                reader->env, TESS_ERR_FILE,
                "%s: splat %zu: scale_* (%g, %g, %g) or rot_* (%g, %g, %g, %g) "
                "cannot be; expected logarithms and a quaternion",
                reader->path, i, (double)values[SCALE], (double)values[SCALE + 1],
                (double)values[SCALE + 2], (double)values[ROT], (double)values[ROT + 1],
                (double)values[ROT + 2], (double)values[ROT + 3]);
    }
    return TESS_OK;
}

enum tess_status tess_ply_read_splats(struct tess_splats *out, struct tess_env *env,
                                      const char *path)
{
    struct tess_input input = {0};
    struct tess_splats splats = {0};
    TESS_TRY(tess_input_map(&input, env, path));
    struct reader reader = {
        .env = env, .path = path, .data = input.data, .bytes = input.bytes};
    enum tess_status status = read_header(&reader);
    if (!status)
        status = check_size(&reader);
    if (!status)
        status = tess_splats_create(&splats, env, reader.count);
    if (!status)
        status = read_body(&splats, &reader);
    tess_input_close(&input);
    if (status) {
        tess_splats_clear(&splats);
        return status;
    }
    *out = splats;
    return TESS_OK;
}
