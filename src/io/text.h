// Text files in memory, line by line and word by word, whatever the locale. Words point
// into the text, nothing is copied.
#ifndef TESS_TEXT_H
#define TESS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Set data, bytes and, if the text starts inside them, at; the rest starts as zero.
struct tess_text {
    const uint8_t *data;
    size_t bytes, at;          // at: of the next line
    size_t line;               // the number of the line, from 1
    bool joined;               // a backslash at the end of a line joins it with the next
    const uint8_t *next, *end; // what is left of the line
};

struct tess_word {
    const char *text; // no zero after it
    size_t length;
};

// Go to the next line; false if there is none. Lines end with LF or CR LF, or with the
// text.
bool tess_text_line(struct tess_text *text);

// The next word of the line, between blanks; false if there is none.
bool tess_text_word(struct tess_word *out, struct tess_text *text);

bool tess_word_is(struct tess_word word, const char *text);

// Whole words only. Numbers are decimal, with an exponent or without, no infinities and
// no NaN; the result is within two units in the last place. Integers may have a sign.
bool tess_word_number(double *out, struct tess_word word);
bool tess_word_integer(int64_t *out, struct tess_word word);

#endif
