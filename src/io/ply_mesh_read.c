// PLY reader for meshes. The header, lines of words, declares elements and their
// properties in order; rows follow, as lines of text or as binary numbers. Counts are
// checked against the file before anything is allocated.
#include "io/ply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/input.h"
#include "io/text.h"

enum type { I8, U8, I16, U16, I32, U32, F32, F64, TYPE_COUNT };

static const struct {
    char name[8], other[8];
    size_t size;
} TYPES[TYPE_COUNT] = {
    {"char", "int8", 1},     {"uchar", "uint8", 1},    {"short", "int16", 2},
    {"ushort", "uint16", 2}, {"int", "int32", 4},      {"uint", "uint32", 4},
    {"float", "float32", 4}, {"double", "float64", 8},
};

enum role { X, Y, Z, CORNERS, OTHER };

struct property {
    enum role role;
    enum type type, count_type;
    bool list;
};

enum kind { VERTEX, FACE, REST };

struct element {
    enum kind kind;
    size_t count, first, properties;
    size_t row_bytes; // at least
};

struct reader {
    struct tess_env *env;
    const char *path;
    struct tess_text text; // in a binary body, `at` is the next byte
    enum { TEXT, LITTLE, BIG } format;
    struct element *elements;
    size_t element_count, element_capacity;
    struct property *properties;
    size_t property_count, property_capacity;
    bool seen[2];  // VERTEX, FACE
    bool found[4]; // X, Y, Z, CORNERS
    size_t row;    // of the element under way
    struct tess_mesh mesh;
    size_t face_capacity;
};

// ---------------------------------------------------------------------------------------
// The header
// ---------------------------------------------------------------------------------------

static enum tess_status fail_line(const struct reader *reader, const char *expected)
{
    return tess_fail(reader->env, TESS_ERR_FILE,
                     "%s: line %zu of the header: expected %s", reader->path,
                     reader->text.line, expected);
}

static bool next_type(enum type *out, struct reader *reader)
{
    struct tess_word word;
    if (!tess_text_word(&word, &reader->text))
        return false;
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (tess_word_is(word, TYPES[i].name) || tess_word_is(word, TYPES[i].other)) {
            *out = (enum type)i;
            return true;
        }
    }
    return false;
}

static bool is_float(enum type type)
{
    return type == F32 || type == F64;
}

static enum tess_status read_format(struct reader *reader)
{
    static const char *const names[] = {"ascii", "binary_little_endian",
                                        "binary_big_endian"};
    struct tess_word word;
    if (tess_text_line(&reader->text) && tess_text_word(&word, &reader->text) &&
        tess_word_is(word, "format") && tess_text_word(&word, &reader->text))
    {
        for (int i = 0; i < 3; i++) {
            if (tess_word_is(word, names[i]) && tess_text_word(&word, &reader->text) &&
                tess_word_is(word, "1.0"))
            {
                reader->format = i == 0 ? TEXT : i == 1 ? LITTLE : BIG;
                return TESS_OK;
            }
        }
    }
    return fail_line(reader, "\"format ascii 1.0\", or binary_little_endian or "
                             "binary_big_endian");
}

static enum tess_status read_element(struct reader *reader)
{
    struct tess_word name, word;
    int64_t count;
    if (!tess_text_word(&name, &reader->text) || !tess_text_word(&word, &reader->text) ||
        !tess_word_integer(&count, word) || count < 0)
        return fail_line(reader, "\"element NAME COUNT\"");
    enum kind kind = tess_word_is(name, "vertex") ? VERTEX
                     : tess_word_is(name, "face") ? FACE
                                                  : REST;
    if (kind != REST && reader->seen[kind])
        return fail_line(reader, "vertices and faces once");
    if (kind != REST)
        reader->seen[kind] = true;
    TESS_TRY(tess_grow(&reader->elements, &reader->element_capacity, reader->env,
                       reader->element_count + 1, sizeof *reader->elements,
                       "PLY elements"));
    reader->elements[reader->element_count++] = (struct element){
        .kind = kind, .count = (size_t)count, .first = reader->property_count};
    return TESS_OK;
}

static enum role find_role(enum kind kind, struct tess_word name)
{
    if (kind == VERTEX && name.length == 1 && name.text[0] >= 'x' && name.text[0] <= 'z')
        return (enum role)(X + (name.text[0] - 'x'));
    if (kind == FACE &&
        (tess_word_is(name, "vertex_indices") || tess_word_is(name, "vertex_index")))
        return CORNERS;
    return OTHER;
}

// "property TYPE NAME" or "property list TYPE TYPE NAME".
static enum tess_status read_property(struct reader *reader)
{
    struct property property = {.role = OTHER};
    struct tess_text begin = reader->text;
    struct tess_word word;
    if (reader->element_count == 0)
        return fail_line(reader, "an element before its properties");
    struct element *element = &reader->elements[reader->element_count - 1];
    property.list = tess_text_word(&word, &reader->text) && tess_word_is(word, "list");
    if (!property.list)
        reader->text = begin;
    if ((property.list && !next_type(&property.count_type, reader)) ||
        !next_type(&property.type, reader) || !tess_text_word(&word, &reader->text))
        return fail_line(reader, "\"property TYPE NAME\" or \"property list TYPE TYPE "
                                 "NAME\" with known types");
    if (property.list && is_float(property.count_type))
        return fail_line(reader, "a list whose count is an integer");
    property.role = find_role(element->kind, word);
    if (property.role != OTHER) {
        if (property.list != (property.role == CORNERS) || reader->found[property.role])
            return fail_line(reader, "x, y, z as numbers and vertex_indices as a list, "
                                     "each once");
        if (property.role == CORNERS && is_float(property.type))
            return fail_line(reader, "vertex_indices that are integers");
        reader->found[property.role] = true;
    }
    TESS_TRY(tess_grow(&reader->properties, &reader->property_capacity, reader->env,
                       reader->property_count + 1, sizeof property, "PLY properties"));
    reader->properties[reader->property_count++] = property;
    element->properties++;
    // A number and the blank after it.
    size_t size = TYPES[property.list ? property.count_type : property.type].size;
    element->row_bytes += reader->format == TEXT ? 2 : size;
    return TESS_OK;
}

static enum tess_status read_header(struct reader *reader)
{
    struct tess_word word;
    if (!tess_text_line(&reader->text) || !tess_text_word(&word, &reader->text) ||
        !tess_word_is(word, "ply"))
        return fail_line(reader, "\"ply\"");
    TESS_TRY(read_format(reader));
    for (;;) {
        if (!tess_text_line(&reader->text))
            return fail_line(reader, "end_header after it; the file is cut off");
        if (!tess_text_word(&word, &reader->text))
            continue;
        if (tess_word_is(word, "end_header"))
            break;
        if (tess_word_is(word, "element"))
            TESS_TRY(read_element(reader));
        else if (tess_word_is(word, "property"))
            TESS_TRY(read_property(reader));
        else if (!tess_word_is(word, "comment") && !tess_word_is(word, "obj_info"))
            return fail_line(reader, "element, property, comment or end_header");
    }
    static const char *const names[] = {"x", "y", "z", "vertex_indices"};
    for (int i = 0; i < 4; i++) {
        if (!reader->found[i])
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: property %s is missing, expected a mesh of vertices "
                             "and faces",
                             reader->path, names[i]);
    }
    return TESS_OK;
}

static enum tess_status check_counts(struct reader *reader)
{
    size_t left = reader->text.bytes - reader->text.at;
    left += reader->format == TEXT; // the last line may have no end
    for (size_t i = 0; i < reader->element_count; i++) {
        const struct element *element = &reader->elements[i];
        size_t bytes;
        if (__builtin_mul_overflow(element->count, element->row_bytes, &bytes) ||
            bytes > left || (element->properties == 0 && element->count))
            return tess_fail(reader->env, TESS_ERR_FILE,
                             "%s: element %zu of the header: %zu rows of at least %zu "
                             "bytes do not fit into the %zu bytes that are left",
                             reader->path, i, element->count, element->row_bytes, left);
        left -= bytes;
        if (element->kind == VERTEX)
            reader->mesh.vertices = element->count;
    }
    if (reader->mesh.vertices > UINT32_MAX)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu vertices, expected fewer than 2^32", reader->path,
                         reader->mesh.vertices);
    return TESS_OK;
}

// ---------------------------------------------------------------------------------------
// The rows
// ---------------------------------------------------------------------------------------

static enum tess_status fail_row(const struct reader *reader,
                                 const struct element *element, const char *expected)
{
    static const char *const names[] = {"vertex", "face", "a row of another element,"};
    if (reader->format == TEXT)
        return tess_fail(reader->env, TESS_ERR_FILE, "%s: line %zu: %s %zu: expected %s",
                         reader->path, reader->text.line, names[element->kind],
                         reader->row, expected);
    return tess_fail(reader->env, TESS_ERR_FILE, "%s: %s %zu: expected %s", reader->path,
                     names[element->kind], reader->row, expected);
}

static double from_bits(enum type type, uint64_t bits)
{
    float single;
    double value;
    uint32_t low = (uint32_t)bits;
    switch (type) {
    case I8:
        return (int8_t)low;
    case I16:
        return (int16_t)low;
    case I32:
        return (int32_t)low;
    case F32:
        memcpy(&single, &low, sizeof low);
        return single;
    case F64:
        memcpy(&value, &bits, sizeof bits);
        return value;
    default:
        return low;
    }
}

// Every type is exact in a double. NULL `out` passes over the value, whatever it is.
static enum tess_status read_value(double *out, struct reader *reader,
                                   const struct element *element, enum type type)
{
    struct tess_text *text = &reader->text;
    if (reader->format == TEXT) {
        struct tess_word word;
        if (!tess_text_word(&word, text) || (out && !tess_word_number(out, word)))
            return fail_row(reader, element, "a number for every property");
        return TESS_OK;
    }
    size_t size = TYPES[type].size;
    if (text->bytes - text->at < size)
        return fail_row(reader, element, "more bytes; the file is cut off");
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits =
            bits << 8 | text->data[text->at + (reader->format == BIG ? i : size - 1 - i)];
    text->at += size;
    if (out)
        *out = from_bits(type, bits);
    return TESS_OK;
}

static enum tess_status read_integer(size_t *out, struct reader *reader,
                                     const struct element *element, enum type type,
                                     size_t end, const char *expected)
{
    double value;
    TESS_TRY(read_value(&value, reader, element, type));
    if (!(value >= 0) || value != floor(value) || value >= (double)end)
        return fail_row(reader, element, expected);
    *out = (size_t)value;
    return TESS_OK;
}

static enum tess_status read_corners(struct reader *reader, const struct element *element,
                                     enum type type, size_t count)
{
    struct tess_mesh *mesh = &reader->mesh;
    uint32_t corners[3] = {0}; // the first, the last but one, the last
    if (count < 3)
        return fail_row(reader, element, "three corners or more");
    for (size_t i = 0; i < count; i++) {
        size_t corner = 0;
        TESS_TRY(read_integer(&corner, reader, element, type, mesh->vertices,
                              "corners that are vertices of the file"));
        corners[i < 2 ? i : 2] = (uint32_t)corner;
        if (i < 2)
            continue;
        TESS_TRY(tess_grow(&mesh->indices, &reader->face_capacity, reader->env,
                           mesh->faces + 1, sizeof corners, "mesh faces"));
        memcpy(mesh->indices + 3 * mesh->faces++, corners, sizeof corners);
        corners[1] = corners[2];
    }
    return TESS_OK;
}

static enum tess_status read_one(struct reader *reader, const struct element *element,
                                 const struct property *property)
{
    size_t count = 1;
    double value = 0;
    if (property->list)
        TESS_TRY(read_integer(&count, reader, element, property->count_type, UINT32_MAX,
                              "a plausible count of values in a list"));
    if (property->role == CORNERS)
        return read_corners(reader, element, property->type, count);
    for (size_t i = 0; i < count && property->role == OTHER; i++)
        TESS_TRY(read_value(NULL, reader, element, property->type));
    if (property->role == OTHER)
        return TESS_OK;
    TESS_TRY(read_value(&value, reader, element, property->type));
    float narrow = (float)value;
    if (!isfinite(narrow))
        return fail_row(reader, element, "finite numbers");
    reader->mesh.positions[3 * reader->row + (size_t)property->role] = narrow;
    return TESS_OK;
}

static enum tess_status read_row(struct reader *reader, const struct element *element)
{
    struct tess_text *text = &reader->text, begin;
    struct tess_word word;
    if (reader->format == TEXT) {
        do { // to a line that is not empty
            if (!tess_text_line(text))
                return fail_row(reader, element, "more lines; the file is cut off");
            begin = *text;
        } while (!tess_text_word(&word, text));
        *text = begin;
    }
    for (size_t i = 0; i < element->properties; i++)
        TESS_TRY(read_one(reader, element, &reader->properties[element->first + i]));
    if (reader->format == TEXT && tess_text_word(&word, text))
        return fail_row(reader, element, "no more numbers than properties");
    return TESS_OK;
}

static enum tess_status read_body(struct reader *reader)
{
    struct tess_text *text = &reader->text;
    struct tess_word word;
    TESS_TRY(tess_alloc(&reader->mesh.positions, reader->env, reader->mesh.vertices,
                        3 * sizeof(float), "mesh positions"));
    for (size_t i = 0; i < reader->element_count; i++) {
        const struct element *element = &reader->elements[i];
        for (reader->row = 0; reader->row < element->count; reader->row++)
            TESS_TRY(read_row(reader, element));
    }
    size_t left = text->bytes - text->at;
    if (reader->format == TEXT) {
        left = 0;
        while (left == 0 && tess_text_line(text)) {
            if (tess_text_word(&word, text))
                left = text->bytes - (size_t)(text->next - text->data) + word.length;
        }
    }
    if (left)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: %zu bytes after the last row, expected the end of the file",
                         reader->path, left);
    if (reader->mesh.faces == 0)
        return tess_fail(reader->env, TESS_ERR_FILE,
                         "%s: element face: no faces, expected a mesh", reader->path);
    return TESS_OK;
}

enum tess_status tess_ply_read_mesh(struct tess_mesh *out, struct tess_env *env,
                                    const char *path)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_map(&input, env, path));
    struct reader reader = {
        .env = env,
        .path = path,
        .text = {.data = input.data, .bytes = input.bytes},
    };
    enum tess_status status = read_header(&reader);
    if (!status)
        status = check_counts(&reader);
    if (!status)
        status = read_body(&reader);
    tess_input_close(&input);
    free(reader.elements);
    free(reader.properties);
    if (status) {
        tess_mesh_clear(&reader.mesh);
        return status;
    }
    *out = reader.mesh;
    return TESS_OK;
}

enum tess_status tess_ply_has_faces(bool *out, struct tess_env *env, const char *path)
{
    struct tess_input input = {0};
    struct tess_word word;
    bool found = false, ended = false;
    TESS_TRY(tess_input_map(&input, env, path));
    struct tess_text text = {.data = input.data, .bytes = input.bytes};
    while (!found && !ended && tess_text_line(&text)) {
        if (!tess_text_word(&word, &text))
            continue;
        ended = tess_word_is(word, "end_header");
        found = tess_word_is(word, "element") && tess_text_word(&word, &text) &&
                tess_word_is(word, "face");
    }
    tess_input_close(&input);
    *out = found;
    return TESS_OK;
}
