// Pages: the texts of src/page with files as base64 between them.
#include "io/html.h"

#include <stdint.h>
#include <string.h>

#include "io/input.h"
#include "io/output.h"
#include "page/page.h"

static void write_text(struct tess_output *output, const char *text)
{
    tess_output_write(output, text, strlen(text));
}

// As the content of an element or the value of an attribute.
static void write_escaped(struct tess_output *output, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            write_text(output, "&amp;");
            break;
        case '<':
            write_text(output, "&lt;");
            break;
        case '"':
            write_text(output, "&quot;");
            break;
        default:
            tess_output_write(output, text, 1);
        }
}

// Four characters of three bytes, or with padding of one or two.
static void encode(char out[4], const uint8_t *bytes, size_t count)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = 0;
    for (size_t i = 0; i < 3; i++)
        word = word << 8 | (i < count ? bytes[i] : 0);
    for (size_t i = 0; i < 4; i++)
        out[i] = digits[word >> (18 - 6 * i) & 63];
    for (size_t i = count + 1; i < 4; i++)
        out[i] = '=';
}

static void write_base64(struct tess_output *output, const uint8_t *data, size_t bytes)
{
    enum { TRIPLES = 1024 };
    char text[4 * TRIPLES];
    while (bytes) {
        size_t used = 0;
        while (bytes && used < sizeof text) {
            size_t count = bytes < 3 ? bytes : 3;
            encode(text + used, data, count);
            data += count;
            bytes -= count;
            used += 4;
        }
        tess_output_write(output, text, used);
    }
}

static enum tess_status write_file(struct tess_output *output, struct tess_env *env,
                                   const struct tess_html_file *file)
{
    struct tess_input input = {0};
    TESS_TRY(tess_input_map(&input, env, file->source));
    tess_output_printf(output, "<script type=\"text/plain\" id=\"%s\" data-name=\"",
                       file->kind);
    write_escaped(output, file->name);
    write_text(output, "\">");
    write_base64(output, input.data, input.bytes);
    write_text(output, "</script>\n");
    tess_input_close(&input);
    return TESS_OK;
}

enum tess_status tess_html_write(struct tess_env *env, const char *path,
                                 const char *title, const struct tess_html_file *files,
                                 size_t count)
{
    struct tess_output *output = NULL;
    enum tess_status status = TESS_OK;
    TESS_TRY(tess_output_open(&output, env, path));
    write_text(output, tess_page_texts[0]);
    write_escaped(output, title);
    write_text(output, tess_page_texts[1]);
    write_escaped(output, title);
    write_text(output, tess_page_texts[2]);
    for (size_t i = 0; i < count && !status; i++)
        status = write_file(output, env, files + i);
    write_text(output, tess_page_texts[3]);
    if (status) {
        tess_output_discard(&output);
        return status;
    }
    return tess_output_commit(&output, env);
}
