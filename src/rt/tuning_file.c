// Tables of shapes as text files. First a line with the format's name and version, then
// lines of a name and a value:
//
//   Tessella tuning 1
//   device              Some GPU
//   platform            ...
//   version             OpenCL 3.0
//   driver              23.1
//   variant             gpu
//   product.rows        128   # comment
//
// All parameters of the variant have to be there, each once.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "rt/opencl.h"
#include "rt/tuning.h"

#define HEAD      "Tessella tuning 1"
#define FILE_MAX  (64u << 10)
#define WORD_MAX  32
#define KEY_COUNT 5

// The lines that say whose table it is.
struct identity {
    const char *key, *value;
};

static void identify(struct identity out[KEY_COUNT], const struct tess_device_info *info,
                     enum tess_variant variant)
{
    out[0] = (struct identity){"device", info->name};
    out[1] = (struct identity){"platform", info->platform};
    out[2] = (struct identity){"version", info->version};
    out[3] = (struct identity){"driver", info->driver};
    out[4] = (struct identity){"variant", variant == TESS_VARIANT_CPU ? "cpu" : "gpu"};
}

// ---- writing ----

static enum tess_status add_line(char **text, struct tess_env *env, const char *name,
                                 const char *value, const char *comment)
{
    char *longer = NULL;
    bool has_comment = comment && *comment;
    TESS_TRY(tess_strf(&longer, env, "%s%-20s %s%s%s\n", *text, name, value,
                       has_comment ? "  # " : "", has_comment ? comment : ""));
    free(*text);
    *text = longer;
    return TESS_OK;
}

enum tess_status tess_tuning_print(char **out, struct tess_env *env,
                                   const struct tess_tuning *tuning,
                                   const struct tess_device_info *info,
                                   enum tess_variant variant,
                                   const char *const comments[TESS_TUNED_COUNT])
{
    char *text = NULL, number[16];
    struct identity keys[KEY_COUNT];
    identify(keys, info, variant);
    enum tess_status status = tess_strdup(&text, env, HEAD "\n");
    for (int i = 0; i < KEY_COUNT && !status; i++)
        status = add_line(&text, env, keys[i].key, keys[i].value, NULL);
    for (int i = 0; i < TESS_TUNED_COUNT && !status; i++) {
        if (!*tess_tuned_values((enum tess_tuned)i, variant))
            continue;
        snprintf(number, sizeof number, "%u", tuning->values[i]);
        status = add_line(&text, env, tess_tuned_parameters[i].name, number,
                          comments ? comments[i] : NULL);
    }
    if (status) {
        free(text);
        return status;
    }
    *out = text;
    return TESS_OK;
}

// ---- reading ----

struct reader {
    struct tess_env *env;
    const char *path;
    enum tess_variant variant;
    struct identity keys[KEY_COUNT];
    bool own; // the device's lines have to be those of `keys`
    bool seen_keys[KEY_COUNT], seen[TESS_TUNED_COUNT];
    struct tess_tuning tuning;
};

// "8, 16 or 32"
static void list_values(char *text, size_t size, const uint32_t *values)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; values[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%u",
                                 i == 0          ? ""
                                 : values[i + 1] ? ", "
                                                 : " or ",
                                 values[i]);
}

static enum tess_status read_parameter(struct reader *r, enum tess_tuned parameter,
                                       const char *value)
{
    const uint32_t *values = tess_tuned_values(parameter, r->variant);
    const char *name = tess_tuned_parameters[parameter].name;
    char expected[128], *end;
    unsigned long number = strtoul(value, &end, 10);
    if (r->seen[parameter])
        return tess_fail(r->env, TESS_ERR_FILE, "%s: field %s is there twice", r->path,
                         name);
    while (isspace((unsigned char)*end))
        end++;
    for (int i = 0; values[i]; i++)
        if (end != value && (!*end || *end == '#') && number == values[i]) {
            r->tuning.values[parameter] = values[i];
            r->seen[parameter] = true;
            return TESS_OK;
        }
    list_values(expected, sizeof expected, values);
    return tess_fail(r->env, TESS_ERR_FILE, "%s: field %s is '%.40s', expected %s",
                     r->path, name, value, expected);
}

static enum tess_status read_key(struct reader *r, int key, const char *value)
{
    if (r->seen_keys[key])
        return tess_fail(r->env, TESS_ERR_FILE, "%s: field %s is there twice", r->path,
                         r->keys[key].key);
    r->seen_keys[key] = true;
    // Shapes of one variant mean nothing to the other.
    bool matters = r->own || strcmp(r->keys[key].key, "variant") == 0;
    if (!matters || strcmp(value, r->keys[key].value) == 0)
        return TESS_OK;
    return tess_fail(r->env, TESS_ERR_FILE, "%s: field %s is '%.100s', expected '%s'",
                     r->path, r->keys[key].key, value, r->keys[key].value);
}

// A name, blanks, a value.
static enum tess_status read_line(struct reader *r, char *line)
{
    while (isspace((unsigned char)*line))
        line++;
    if (!*line || *line == '#')
        return TESS_OK;
    char *value = line;
    while (*value && !isspace((unsigned char)*value))
        value++;
    if (*value)
        *value++ = '\0';
    while (isspace((unsigned char)*value))
        value++;
    for (size_t n = strlen(value); n && isspace((unsigned char)value[n - 1]); n--)
        value[n - 1] = '\0';
    for (int i = 0; i < KEY_COUNT; i++)
        if (strcmp(line, r->keys[i].key) == 0)
            return read_key(r, i, value);
    for (int i = 0; i < TESS_TUNED_COUNT; i++)
        if (strcmp(line, tess_tuned_parameters[i].name) == 0 &&
            *tess_tuned_values((enum tess_tuned)i, r->variant))
            return read_parameter(r, (enum tess_tuned)i, value);
    return tess_fail(r->env, TESS_ERR_FILE,
                     "%s: field %.40s, expected a parameter of this version's kernels",
                     r->path, line);
}

static enum tess_status check_complete(const struct reader *r,
                                       const struct tess_device_info *info)
{
    for (int i = 0; i < KEY_COUNT; i++)
        if (!r->seen_keys[i])
            return tess_fail(r->env, TESS_ERR_FILE, "%s: field %s is missing", r->path,
                             r->keys[i].key);
    for (int i = 0; i < TESS_TUNED_COUNT; i++)
        if (!r->seen[i] && *tess_tuned_values((enum tess_tuned)i, r->variant))
            return tess_fail(r->env, TESS_ERR_FILE, "%s: field %s is missing", r->path,
                             tess_tuned_parameters[i].name);
    size_t bytes = tess_tuning_local_bytes(&r->tuning, r->variant);
    if (bytes <= info->local_memory)
        return TESS_OK;
    return tess_fail(r->env, TESS_ERR_FILE,
                     "%s: fields *.rows, *.panels, *.queries and *.depth take %zu "
                     "bytes of local memory, expected at most %llu",
                     r->path, bytes, (unsigned long long)info->local_memory);
}

static enum tess_status read_text(struct reader *r, char *text)
{
    char *line = text, *end = strchr(line, '\n');
    if (end)
        *end = '\0';
    if (strcmp(line, HEAD) != 0)
        return tess_fail(r->env, TESS_ERR_FILE,
                         "%s: the first line is '%.40s', expected '%s'", r->path, line,
                         HEAD);
    while (end) {
        line = end + 1;
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        TESS_TRY(read_line(r, line));
    }
    return TESS_OK;
}

enum tess_status tess_tuning_read(struct tess_tuning *out, struct tess_env *env,
                                  const char *path, const struct tess_device_info *info,
                                  enum tess_variant variant, bool own)
{
    struct reader r = {.env = env, .path = path, .variant = variant, .own = own};
    identify(r.keys, info, variant);
    FILE *file = fopen(path, "rb");
    if (!file)
        return tess_fail(env, TESS_ERR_FILE, "%s: cannot open this table of shapes: %s",
                         path, strerror(errno));
    char *text = NULL;
    enum tess_status status = tess_alloc(&text, env, FILE_MAX, 1, "a table of shapes");
    if (!status) {
        size_t length = fread(text, 1, FILE_MAX - 1, file);
        if (ferror(file) || length == FILE_MAX - 1 || strlen(text) != length)
            status =
                tess_fail(env, TESS_ERR_FILE,
                          "%s: cannot be read, or is no text of at most 64 KiB", path);
    }
    fclose(file);
    if (!status)
        status = read_text(&r, text);
    if (!status)
        status = check_complete(&r, info);
    free(text);
    if (!status)
        *out = r.tuning;
    return status;
}

// ---- the stored one ----

void tess_tuning_path(char *path, size_t size, const char *cache_dir,
                      const struct tess_device_info *info, enum tess_variant variant)
{
    struct identity keys[KEY_COUNT];
    uint64_t hash = TESS_HASH_START;
    identify(keys, info, variant);
    for (int i = 0; i < KEY_COUNT; i++)
        hash = tess_hash_line(hash, keys[i].value);
    snprintf(path, size, "%s/%016llx.tuning", cache_dir, (unsigned long long)hash);
}

// The device's table is the one in `path` from now on.
static enum tess_status keep_path(struct tess_device *dev, const char *path,
                                  enum tess_tuning_source source)
{
    char *copy = NULL;
    TESS_TRY(tess_strdup(&copy, dev->env, path));
    free(dev->tuning_path);
    dev->tuning_path = copy;
    dev->tuning_source = source;
    return TESS_OK;
}

enum tess_status tess_tuning_store(struct tess_device *dev, const char *text)
{
    char path[4096];
    if (!dev->cache_dir)
        return TESS_OK;
    tess_tuning_path(path, sizeof path, dev->cache_dir, &dev->info, dev->variant);
    const struct tess_cache_part parts[] = {{text, strlen(text)}, {NULL, 0}};
    if (!tess_cache_replace(dev->cache_dir, path, parts))
        return tess_fail(dev->env, TESS_ERR_WRITE,
                         "%s: this table of shapes cannot be stored: %s", path,
                         strerror(errno));
    return keep_path(dev, path, TESS_TUNING_STORED);
}

enum tess_tuning_source tess_tuning_find(char *path, size_t size, const char *cache_dir,
                                         const struct tess_device_info *info)
{
    struct tess_env env = {.log = NULL};
    struct tess_tuning tuning;
    enum tess_variant variant = tess_suited_variant(info);
    char *users = NULL;
    path[0] = '\0';
    if (!cache_dir && tess_cache_default_dir(&users, &env) == TESS_OK)
        cache_dir = users;
    if (cache_dir && *cache_dir)
        tess_tuning_path(path, size, cache_dir, info, variant);
    free(users);
    if (*path && tess_tuning_read(&tuning, &env, path, info, variant, true) == TESS_OK)
        return TESS_TUNING_STORED;
    path[0] = '\0';
    return TESS_TUNING_OWN;
}

enum tess_status tess_tuning_choose(struct tess_device *dev, const char *selector)
{
    char path[4096];
    dev->tuning = tess_tuning_default(&dev->info, dev->variant);
    if (selector && strcmp(selector, "none") == 0)
        return TESS_OK;
    if (selector) {
        TESS_TRY(tess_tuning_read(&dev->tuning, dev->env, selector, &dev->info,
                                  dev->variant, false));
        return keep_path(dev, selector, TESS_TUNING_GIVEN);
    }
    if (!dev->cache_dir)
        return TESS_OK;
    tess_tuning_path(path, sizeof path, dev->cache_dir, &dev->info, dev->variant);
    if (access(path, F_OK) != 0)
        return TESS_OK;
    if (tess_tuning_read(&dev->tuning, dev->env, path, &dev->info, dev->variant, true)) {
        char message[TESS_MESSAGE_MAX];
        memcpy(message, dev->env->message, sizeof message);
        dev->env->message[0] = '\0';
        tess_log(dev->env, TESS_LOG_WARNING,
                 "%s; this table of shapes is ignored (`tessella bench --tune` makes it "
                 "anew)",
                 message);
        return TESS_OK;
    }
    return keep_path(dev, path, TESS_TUNING_STORED);
}
