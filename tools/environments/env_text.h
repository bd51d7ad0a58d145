/* env_text.h - helpers to build and read compact texts, for the codecs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_TEXT_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A call's word. Each environment has a table with one word per tool, in the order of its tools. */
struct env_word {
    const char *text;
    uint8_t len;
};

static inline char *text_put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

/* Exactly two digits: 0..99. */
static inline char *text_put_two(char *at, int32_t value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
    return at + 2;
}

/* Ends a text with its terminator and a NUL; returns its length. */
static inline size_t text_finish(const char *start, char *at, char terminator)
{
    at[0] = terminator;
    at[1] = '\0';
    return (size_t)(at - start) + 1;
}

/* Adds n bytes at *at and a NUL, truncated to the size. */
static inline void text_append(char *buffer, size_t size, size_t *at, const char *text, size_t n)
{
    if (n >= size - *at)
        n = size - *at - 1;
    memcpy(buffer + *at, text, n);
    *at += n;
    buffer[*at] = '\0';
}

/* The tool whose word begins the text, or -1. No word is a prefix of another. */
static inline int32_t text_tool(const struct env_word *words, int32_t n_words, const char *text,
                                size_t n)
{
    for (int32_t t = 0; t < n_words; t++) {
        if (n > words[t].len && memcmp(text, words[t].text, words[t].len) == 0)
            return t;
    }
    return -1;
}

static inline bool text_in_range(char c, char first, int32_t n)
{
    return c >= first && c < first + n;
}

/* Exactly n digits. */
static inline bool text_digits(const char *at, size_t n, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (!text_in_range(at[i], '0', 10))
            return false;
        *out = *out * 10 + (at[i] - '0');
    }
    return true;
}

#endif
