// Kernel source: embedded or from a directory, with `#include "NAME.clh"` lines replaced
// by the file's text between #line markers, so that a build error names cl/NAME.cl:LINE.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "rt/opencl.h"

#define INCLUDE_DEPTH_MAX 8
#define SOURCE_BYTES_MAX  (4u << 20)

struct text {
    char *chars;
    size_t length, capacity;
};

static enum tess_status append(struct text *text, struct tess_env *env, const char *chars,
                               size_t length)
{
    TESS_TRY(tess_grow(&text->chars, &text->capacity, env, text->length + length + 1, 1,
                       "kernel source"));
    memcpy(text->chars + text->length, chars, length);
    text->length += length;
    text->chars[text->length] = '\0';
    return TESS_OK;
}

static enum tess_status read_from_dir(char **out, struct tess_device *dev,
                                      const char *name)
{
    char *path = NULL;
    TESS_TRY(tess_strf(&path, dev->env, "%s/%s", dev->kernel_dir, name));
    FILE *file = fopen(path, "rb");
    enum tess_status status = TESS_OK;
    if (!file) {
        status =
            tess_fail(dev->env, TESS_ERR_FILE, "%s: cannot open this kernel file", path);
        free(path);
        return status;
    }
    char *chars = NULL;
    status = tess_alloc(&chars, dev->env, SOURCE_BYTES_MAX, 1, "kernel source");
    if (!status) {
        size_t length = fread(chars, 1, SOURCE_BYTES_MAX, file);
        if (ferror(file) || length == SOURCE_BYTES_MAX)
            status = tess_fail(dev->env, TESS_ERR_FILE,
                               "%s: cannot be read, or is larger than 4 MiB", path);
    }
    fclose(file);
    free(path);
    if (status) {
        free(chars);
        return status;
    }
    *out = chars;
    return TESS_OK;
}

static enum tess_status read_file(char **out, struct tess_device *dev, const char *name)
{
    if (dev->kernel_dir)
        return read_from_dir(out, dev, name);
    for (size_t i = 0; i < tess_embedded_file_count; i++)
        if (strcmp(tess_embedded_files[i].name, name) == 0)
            return tess_strdup(out, dev->env, tess_embedded_files[i].text);
    return tess_fail(dev->env, TESS_ERR_INTERNAL, "no kernel file cl/%s", name);
}

static enum tess_status expand(struct text *text, struct tess_device *dev,
                               const char *name, int depth);

// Append one line, or the file that it includes.
static enum tess_status expand_line(struct text *text, struct tess_device *dev,
                                    const char *name, int number, const char *line,
                                    size_t length, int depth)
{
    char included[64], marker[160];
    if (sscanf(line, "#include \"%63[^\"\n]\"", included) != 1)
        return append(text, dev->env, line, length);
    TESS_TRY(expand(text, dev, included, depth + 1));
    int used = snprintf(marker, sizeof marker, "#line %d \"cl/%s\"\n", number + 1, name);
    return append(text, dev->env, marker, (size_t)used);
}

static enum tess_status expand(struct text *text, struct tess_device *dev,
                               const char *name, int depth)
{
    if (depth > INCLUDE_DEPTH_MAX)
        return tess_fail(dev->env, TESS_ERR_FILE, "cl/%s: includes itself", name);
    char *chars = NULL, marker[160];
    TESS_TRY(read_file(&chars, dev, name));
    int used = snprintf(marker, sizeof marker, "#line 1 \"cl/%s\"\n", name);
    enum tess_status status = append(text, dev->env, marker, (size_t)used);
    int number = 1;
    for (const char *line = chars; *line && !status; number++) {
        const char *end = strchr(line, '\n');
        size_t length = end ? (size_t)(end - line) + 1 : strlen(line);
        status = expand_line(text, dev, name, number, line, length, depth);
        line += length;
    }
    free(chars);
    return status;
}

enum tess_status tess_source_load(char **out, struct tess_device *dev, const char *file)
{
    struct text text = {NULL, 0, 0};
    char name[64];
    snprintf(name, sizeof name, "%s.cl", file);
    enum tess_status status = expand(&text, dev, name, 0);
    if (status) {
        free(text.chars);
        return status;
    }
    *out = text.chars;
    return TESS_OK;
}
