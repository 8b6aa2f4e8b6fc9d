// Pages: files as base64, names as text, bad sources.
#include "io_tmp.h"

#include "io/html.h"

// The page with one file, for free().
static char *page_of(struct tmp *tmp, const char *title, const char *name,
                     const void *data, size_t bytes)
{
    char source[512];
    snprintf(source, sizeof source, "%s", tmp_write(tmp, "source", data, bytes));
    const struct tess_html_file file = {"glb", name, source};
    enum tess_status status =
        tess_html_write(&tmp->env, tmp_path(tmp, "a.html"), title, &file, 1);
    tmp_expect(tmp, status, TESS_OK, NULL);
    return (char *)tmp_read(tmp, "a.html", &bytes);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

// The test vectors of RFC 4648, section 10.
static void test_vectors(void **state)
{
    static const struct {
        const char *bytes, *text;
    } vectors[] = {
        {"f", "Zg=="},         {"fo", "Zm8="},           {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},    {"foobar", "Zm9vYmFy"},
        {"\xff\xfe~", "//5+"}, {"\xff\xff\xff", "////"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted,
                 "<script type=\"text/plain\" id=\"glb\" data-name=\"n\">%s</script>",
                 vectors[i].text);
        char *page =
            page_of(*state, "t", "n", vectors[i].bytes, strlen(vectors[i].bytes));
        assert_int_equal(occurrences(page, wanted), 1);
        free(page);
    }
}

// More than is encoded at a time, and not a multiple of it.
static void test_long(void **state)
{
    enum { BYTES = 3 * 5000 + 1 };
    uint8_t *data = malloc(BYTES);
    assert_non_null(data);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i / 3 % 64 << 2);
    char *page = page_of(*state, "t", "n", data, BYTES);
    const char *text = strstr(page, "data-name=\"n\">");
    assert_non_null(text);
    text += strlen("data-name=\"n\">");
    const char *end = strstr(text, "</script>");
    assert_non_null(end);
    assert_int_equal(end - text, (BYTES + 2) / 3 * 4);
    assert_memory_equal(end - 2, "==", 2);
    for (size_t i = 0; i < 5000; i++) { // the first digit of four tells which they are
        const char digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        assert_int_equal(text[4 * i], digits[i % 64]);
    }
    free(page);
    free(data);
}

static void test_names(void **state)
{
    char *page = page_of(*state, "<i>&", "a\"<b>", "x", 1);
    assert_int_equal(occurrences(page, "<title>&lt;i>&amp;</title>"), 1);
    assert_int_equal(occurrences(page, "<h1>&lt;i>&amp;</h1>"), 1);
    assert_int_equal(occurrences(page, "data-name=\"a&quot;&lt;b>\""), 1);
    assert_int_equal(occurrences(page, "{{"), 0);
    assert_memory_equal(page, "<!DOCTYPE html>\n", 16);
    free(page);
}

static void test_bad(void **state)
{
    struct tmp *tmp = *state;
    char source[512];
    snprintf(source, sizeof source, "%s", tmp_path(tmp, "none"));
    const struct tess_html_file file = {"glb", "n", source};
    enum tess_status status =
        tess_html_write(&tmp->env, tmp_path(tmp, "b.html"), "t", &file, 1);
    tmp_expect(tmp, status, TESS_ERR_FILE, source, NULL);
    assert_int_equal(access(tmp_path(tmp, "b.html"), F_OK), -1);
    status = tess_html_write(&tmp->env, tmp_path(tmp, "no/b.html"), "t", &file, 0);
    tmp_expect(tmp, status, TESS_ERR_WRITE, "no/b.html", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
