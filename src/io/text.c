// Text files. strtod() would take the locale's decimal point and want a zero at the end.
#include "io/text.h"

#include <math.h>
#include <string.h>

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\v' || byte == '\f';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool tess_text_line(struct tess_text *text)
{
    if (text->at >= text->bytes)
        return false;
    const uint8_t *begin = text->data + text->at;
    const uint8_t *end = memchr(begin, '\n', text->bytes - text->at);
    text->next = begin;
    text->end = end ? end : text->data + text->bytes;
    text->at = (size_t)(text->end - text->data) + (end ? 1 : 0);
    text->line++;
    return true;
}

// At the backslash that ends a line and joins it with the next.
static bool at_join(const struct tess_text *text)
{
    if (!text->joined || *text->next != '\\')
        return false;
    for (const uint8_t *p = text->next + 1; p < text->end; p++) {
        if (!is_blank(*p))
            return false;
    }
    return true;
}

bool tess_text_word(struct tess_word *out, struct tess_text *text)
{
    for (;;) {
        while (text->next < text->end && is_blank(*text->next))
            text->next++;
        if (text->next == text->end)
            return false;
        if (!at_join(text))
            break;
        text->next = text->end;
        if (!tess_text_line(text))
            return false;
    }
    const uint8_t *begin = text->next;
    while (text->next < text->end && !is_blank(*text->next) && !at_join(text))
        text->next++;
    *out = (struct tess_word){(const char *)begin, (size_t)(text->next - begin)};
    return true;
}

bool tess_word_is(struct tess_word word, const char *text)
{
    return strlen(text) == word.length && memcmp(word.text, text, word.length) == 0;
}

static size_t skip_sign(bool *negative, struct tess_word word)
{
    *negative = word.length > 0 && word.text[0] == '-';
    return word.length > 0 && (word.text[0] == '-' || word.text[0] == '+');
}

bool tess_word_integer(int64_t *out, struct tess_word word)
{
    bool negative;
    size_t at = skip_sign(&negative, word);
    // Eighteen digits always fit.
    if (at == word.length || word.length - at > 18)
        return false;
    int64_t value = 0;
    for (; at < word.length; at++) {
        if (!is_digit(word.text[at]))
            return false;
        value = 10 * value + (word.text[at] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

// value * 10^exponent, |exponent| < 1024. Powers up to 10^22 are exact.
static double scale(double value, int exponent)
{
    static const double powers[] = {1e1, 1e2, 1e4, 1e8, 1e16, 1e32, 1e64, 1e128, 1e256};
    int left = exponent < 0 ? -exponent : exponent;
    double power = 1;
    for (int i = 0; i < 9; i++) {
        if (left >> i & 1) {
            if (power * powers[i] > 1e300)
            { // in two steps, which may reach 0 or infinity
                value = exponent < 0 ? value / power : value * power;
                power = 1;
            }
            power *= powers[i];
        }
    }
    if (left >> 9 & 1) // 10^512
        return exponent < 0 ? 0 : value * INFINITY;
    return exponent < 0 ? value / power : value * power;
}

bool tess_word_number(double *out, struct tess_word word)
{
    bool negative;
    size_t at = skip_sign(&negative, word), digits = 0;
    uint64_t mantissa = 0;
    int exponent = 0;
    bool point = false;
    for (; at < word.length && (is_digit(word.text[at]) || word.text[at] == '.'); at++) {
        if (word.text[at] == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        if (++digits > 1000) // no writer writes so many
            return false;
        bool fits = mantissa < UINT64_MAX / 10 - 1; // later digits change nothing
        if (fits)
            mantissa = 10 * mantissa + (uint64_t)(word.text[at] - '0');
        exponent += (fits ? 0 : 1) - (point ? 1 : 0);
    }
    if (digits == 0)
        return false;
    if (at < word.length && (word.text[at] == 'e' || word.text[at] == 'E')) {
        int64_t more;
        struct tess_word rest = {word.text + at + 1, word.length - at - 1};
        if (!tess_word_integer(&more, rest) || more > 1 << 20 || more < -(1 << 20))
            return false;
        exponent += (int)more;
        at = word.length;
    }
    if (at != word.length)
        return false;
    if (exponent > 1000 || exponent < -1000)
        exponent = exponent < 0 ? -1000 : 1000;
    double value = mantissa ? scale((double)mantissa, exponent) : 0;
    if (!isfinite(value))
        return false;
    *out = negative ? -value : value;
    return true;
}
