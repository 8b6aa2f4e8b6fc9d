// JSON files that others wrote. cJSON parses; nothing outside this file and the glTF
// writer needs to know.
#include "io/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "io/input.h"

struct tess_json {
    struct tess_env *env;
    char *name;
    cJSON *root;
};

enum { PATH_MAX_BYTES = 256, VALUE_MAX_BYTES = 80 };

// Doubles are exact up to here.
static const double MAX_INTEGER = 9007199254740992.0;

// Append to a string in a buffer of `size` bytes; what does not fit is cut. Control
// characters become '?', so that a file cannot speak to the terminal.
static void append(char *buffer, size_t size, const char *text)
{
    size_t used = strlen(buffer);
    for (; *text && used + 1 < size; text++)
        buffer[used++] = (unsigned char)*text < 32 || *text == 127 ? '?' : *text;
    buffer[used] = 0;
}

// Write "a.b[3].c" for `item`, which is `node` or below it. Depth is bounded by the
// parser.
static bool find_path(char *buffer, size_t size, const cJSON *node, const cJSON *item)
{
    if (node == item)
        return true;
    size_t used = strlen(buffer), index = 0;
    for (const cJSON *child = node->child; child; child = child->next, index++) {
        if (node->type & cJSON_Array) {
            char number[32];
            snprintf(number, sizeof number, "[%zu]", index);
            append(buffer, size, number);
        } else {
            if (used)
                append(buffer, size, ".");
            append(buffer, size, child->string ? child->string : "");
        }
        if (find_path(buffer, size, child, item))
            return true;
        buffer[used] = 0;
    }
    return false;
}

static void describe(char *buffer, size_t size, const cJSON *item)
{
    buffer[0] = 0;
    if (cJSON_IsNumber(item)) {
        snprintf(buffer, size, "%.15g", item->valuedouble);
    } else if (cJSON_IsString(item)) {
        char text[49] = "";
        append(text, sizeof text, item->valuestring);
        snprintf(buffer, size, "\"%s\"", text);
    } else if (cJSON_IsArray(item)) {
        snprintf(buffer, size, "an array of %d", cJSON_GetArraySize(item));
    } else if (cJSON_IsObject(item)) {
        append(buffer, size, "an object");
    } else if (cJSON_IsBool(item)) {
        append(buffer, size, cJSON_IsTrue(item) ? "true" : "false");
    } else {
        append(buffer, size, "null");
    }
}

static struct tess_json_at resolve(struct tess_json_at object, const char *key)
{
    return key ? tess_json_member(object, key) : object;
}

enum tess_status tess_json_fail(struct tess_json_at object, const char *key,
                                const char *expected, ...)
{
    struct tess_env *env = object.json->env;
    char path[PATH_MAX_BYTES] = "", value[VALUE_MAX_BYTES] = "missing", wanted[256];
    if (object.item)
        find_path(path, sizeof path, object.json->root, object.item);
    if (key) {
        append(path, sizeof path, path[0] ? "." : "");
        append(path, sizeof path, key);
    }
    const cJSON *item = object.item;
    if (key)
        item = cJSON_GetObjectItemCaseSensitive(object.item, key);
    if (item)
        describe(value, sizeof value, item);
    va_list args;
    va_start(args, expected);
    vsnprintf(wanted, sizeof wanted, expected, args);
    va_end(args);
    if (!path[0])
        return tess_fail(env, TESS_ERR_FILE, "%s: is %s, expected %s", object.json->name,
                         value, wanted);
    return tess_fail(env, TESS_ERR_FILE, "%s: field %s is %s, expected %s",
                     object.json->name, path, value, wanted);
}

enum tess_status tess_json_parse(struct tess_json **out, struct tess_env *env,
                                 const char *name, const char *text, size_t bytes)
{
    if (bytes > TESS_JSON_MAX_BYTES)
        return tess_fail(env, TESS_ERR_FILE,
                         "%s: %zu bytes of JSON, at most %zu are read", name, bytes,
                         TESS_JSON_MAX_BYTES);
    struct tess_json *json = NULL;
    char *copy = NULL;
    enum tess_status status = tess_alloc(&json, env, 1, sizeof *json, "a JSON document");
    if (!status)
        status = tess_strdup(&json->name, env, name);
    if (!status)
        status = tess_alloc(&copy, env, bytes + 1, 1, "a JSON document");
    if (status) {
        tess_json_destroy(&json);
        return status;
    }
    memcpy(copy, text, bytes);
    json->env = env;
    const char *end = copy;
    json->root = cJSON_ParseWithLengthOpts(copy, bytes + 1, &end, true);
    if (!json->root) {
        size_t line = 1;
        for (const char *c = copy; c < end; c++)
            line += *c == '\n';
        status =
            tess_fail(env, TESS_ERR_FILE, "%s: line %zu: not valid JSON", name, line);
        tess_json_destroy(&json);
    }
    free(copy);
    if (!status)
        *out = json;
    return status;
}

enum tess_status tess_json_read(struct tess_json **out, struct tess_env *env,
                                const char *path)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_read(&input, env, path, TESS_JSON_MAX_BYTES));
    enum tess_status status =
        tess_json_parse(out, env, path, (const char *)input.data, input.bytes);
    tess_input_close(&input);
    return status;
}

void tess_json_destroy(struct tess_json **json)
{
    if (!*json)
        return;
    cJSON_Delete((*json)->root);
    free((*json)->name);
    free(*json);
    *json = NULL;
}

struct tess_json_at tess_json_root(const struct tess_json *json)
{
    return (struct tess_json_at){json, json->root};
}

struct tess_json_at tess_json_member(struct tess_json_at object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object.item, key);
    return (struct tess_json_at){object.json, cJSON_IsNull(item) ? NULL : item};
}

bool tess_json_present(struct tess_json_at value)
{
    return value.item != NULL;
}

const char *tess_json_key(struct tess_json_at value)
{
    return value.item && value.item->string ? value.item->string : "";
}

size_t tess_json_count(struct tess_json_at value)
{
    size_t count = 0;
    for (const cJSON *c = value.item ? value.item->child : NULL; c; c = c->next)
        count++;
    return count;
}

enum tess_status tess_json_items(struct tess_json_at **out, struct tess_json_at value)
{
    struct tess_json_at *items = NULL;
    TESS_TRY(tess_alloc(&items, value.json->env, tess_json_count(value), sizeof *items,
                        "JSON values"));
    size_t i = 0;
    for (const cJSON *c = value.item ? value.item->child : NULL; c; c = c->next)
        items[i++] = (struct tess_json_at){value.json, c};
    *out = items;
    return TESS_OK;
}

enum tess_status tess_json_object(struct tess_json_at *out, struct tess_json_at object,
                                  const char *key)
{
    struct tess_json_at at = resolve(object, key);
    if (!cJSON_IsObject(at.item))
        return tess_json_fail(object, key, "an object");
    *out = at;
    return TESS_OK;
}

enum tess_status tess_json_array(struct tess_json_at *out, struct tess_json_at object,
                                 const char *key, size_t min_count, size_t max_count)
{
    struct tess_json_at at = resolve(object, key);
    size_t count = tess_json_count(at);
    if (!cJSON_IsArray(at.item) || count < min_count || count > max_count) {
        if (min_count == max_count)
            return tess_json_fail(object, key, "an array of %zu", min_count);
        return tess_json_fail(object, key, "an array of %zu to %zu", min_count,
                              max_count);
    }
    *out = at;
    return TESS_OK;
}

enum tess_status tess_json_size(size_t *out, struct tess_json_at object, const char *key,
                                size_t min, size_t max)
{
    struct tess_json_at at = resolve(object, key);
    double value = cJSON_IsNumber(at.item) ? at.item->valuedouble : -1;
    if (!(value >= 0 && value <= MAX_INTEGER && value == floor(value)) ||
        (size_t)value < min || (size_t)value > max)
    {
        if ((double)max >= MAX_INTEGER)
            return tess_json_fail(object, key, "an integer of at least %zu", min);
        return tess_json_fail(object, key, "an integer in %zu..%zu", min, max);
    }
    *out = (size_t)value;
    return TESS_OK;
}

enum tess_status tess_json_uint(uint32_t *out, struct tess_json_at object,
                                const char *key, uint32_t min, uint32_t max)
{
    size_t value = 0;
    TESS_TRY(tess_json_size(&value, object, key, min, max));
    *out = (uint32_t)value;
    return TESS_OK;
}

enum tess_status tess_json_double(double *out, struct tess_json_at object,
                                  const char *key, double min, double max)
{
    struct tess_json_at at = resolve(object, key);
    double value = cJSON_IsNumber(at.item) ? at.item->valuedouble : NAN;
    if (!isfinite(value) || value < min || value > max)
        return tess_json_fail(object, key, "a number in %g..%g", min, max);
    *out = value;
    return TESS_OK;
}

enum tess_status tess_json_float(float *out, struct tess_json_at object, const char *key,
                                 double min, double max)
{
    double value = 0;
    TESS_TRY(tess_json_double(&value, object, key, min, max));
    *out = (float)value;
    return TESS_OK;
}

enum tess_status tess_json_bool(bool *out, struct tess_json_at object, const char *key)
{
    struct tess_json_at at = resolve(object, key);
    if (!cJSON_IsBool(at.item))
        return tess_json_fail(object, key, "true or false");
    *out = cJSON_IsTrue(at.item);
    return TESS_OK;
}

enum tess_status tess_json_string(const char **out, struct tess_json_at object,
                                  const char *key)
{
    struct tess_json_at at = resolve(object, key);
    if (!cJSON_IsString(at.item))
        return tess_json_fail(object, key, "a string");
    *out = at.item->valuestring;
    return TESS_OK;
}

enum tess_status tess_json_floats(float *dst, struct tess_json_at object, const char *key,
                                  size_t count, double min, double max)
{
    struct tess_json_at array;
    TESS_TRY(tess_json_array(&array, object, key, count, count));
    const cJSON *item = array.item->child;
    for (size_t i = 0; i < count; i++, item = item->next)
        TESS_TRY(tess_json_float(&dst[i], (struct tess_json_at){array.json, item}, NULL,
                                 min, max));
    return TESS_OK;
}

enum tess_status tess_json_doubles(double *dst, struct tess_json_at object,
                                   const char *key, size_t count, double min, double max)
{
    struct tess_json_at array;
    TESS_TRY(tess_json_array(&array, object, key, count, count));
    const cJSON *item = array.item->child;
    for (size_t i = 0; i < count; i++, item = item->next)
        TESS_TRY(tess_json_double(&dst[i], (struct tess_json_at){array.json, item}, NULL,
                                  min, max));
    return TESS_OK;
}

enum tess_status tess_json_size_or(size_t *out, struct tess_json_at object,
                                   const char *key, size_t min, size_t max,
                                   size_t fallback)
{
    *out = fallback;
    return tess_json_member(object, key).item ? tess_json_size(out, object, key, min, max)
                                              : TESS_OK;
}

enum tess_status tess_json_uint_or(uint32_t *out, struct tess_json_at object,
                                   const char *key, uint32_t min, uint32_t max,
                                   uint32_t fallback)
{
    *out = fallback;
    return tess_json_member(object, key).item ? tess_json_uint(out, object, key, min, max)
                                              : TESS_OK;
}

enum tess_status tess_json_double_or(double *out, struct tess_json_at object,
                                     const char *key, double min, double max,
                                     double fallback)
{
    *out = fallback;
    return tess_json_member(object, key).item
               ? tess_json_double(out, object, key, min, max)
               : TESS_OK;
}

enum tess_status tess_json_float_or(float *out, struct tess_json_at object,
                                    const char *key, double min, double max,
                                    float fallback)
{
    *out = fallback;
    return tess_json_member(object, key).item
               ? tess_json_float(out, object, key, min, max)
               : TESS_OK;
}

enum tess_status tess_json_bool_or(bool *out, struct tess_json_at object, const char *key,
                                   bool fallback)
{
    *out = fallback;
    return tess_json_member(object, key).item ? tess_json_bool(out, object, key)
                                              : TESS_OK;
}

enum tess_status tess_json_string_or(const char **out, struct tess_json_at object,
                                     const char *key, const char *fallback)
{
    *out = fallback;
    return tess_json_member(object, key).item ? tess_json_string(out, object, key)
                                              : TESS_OK;
}
