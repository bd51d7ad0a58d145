/* json_scan.c - one pass over JSON text that bounds what a parser may recurse into.
 *
 * Brackets, and the colons of an object, are counted outside of strings only. The scan does not
 * check that the text is JSON: for invalid text the count may be too high, but never too low,
 * because up to the first error this scan and jansson agree on where strings begin and end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_scan.h"

#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/json_lex.h"
#include "runtime/base/utf8.h"

enum status json_fault_at(struct error *err, enum status status, const struct json_text *text,
                          size_t offset, const char *message)
{
    long line, column;

    utf8_place(text->bytes, offset, &line, &column);
    return error_at(err, status, text->name, text->line + line - 1, column, "%s", message);
}

/* A run of the characters of one token, as jansson reads them before it judges them. */
static size_t skip_token(const char *bytes, size_t n, size_t i)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char number[] = "0123456789+-.eE";
    const char *set = strchr(word, bytes[i]) ? word : strchr(number, bytes[i]) ? number : "";
    size_t from = i;

    if (bytes[i] == '"')
        return (size_t)(json_lex_string_end(bytes + i, bytes + n) - bytes);
    while (i < n && bytes[i] && strchr(set, bytes[i]))
        i++;
    for (i += i == from; i < n && ((unsigned char)bytes[i] & 0xc0) == 0x80;)
        i++; /* the rest of one character */
    return i;
}

size_t json_token_start(const char *bytes, size_t n, size_t position)
{
    size_t i = 0, end = 0;

    while (end < position && end < n) {
        i = end;
        while (i < n && bytes[i] && strchr(" \t\r\n", bytes[i]))
            i++;
        end = i < n ? skip_token(bytes, n, i) : n;
    }
    return i < position ? i : position;
}

enum status json_scan(const struct json_text *text, struct error *err)
{
    const char *bytes = text->bytes;
    size_t n = text->n;
    size_t valid = utf8_valid_prefix(bytes, n);
    const char *nul = n ? memchr(bytes, '\0', valid) : NULL;
    size_t keys[JSON_MAX_DEPTH + 1] = {0}; /* of the open objects */
    int depth = 0;
    size_t i = 0;

    if (nul)
        return json_fault_at(err, STATUS_INVALID, text, (size_t)(nul - bytes),
                             "JSON must not hold a NUL byte");
    if (valid < n)
        return json_fault_at(err, STATUS_INVALID, text, valid, "JSON must be valid UTF-8");
    while (i < n) {
        char c = bytes[i];

        if (c == '"') {
            i = (size_t)(json_lex_string_end(bytes + i, bytes + n) - bytes);
            continue;
        }
        if (c == '[' || c == '{') {
            if (++depth > JSON_MAX_DEPTH)
                return json_fault_at(err, STATUS_LIMIT, text, i,
                                     "JSON is nested deeper than 64 levels");
            keys[depth] = 0;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0; /* more than are open: the parser stops before that */
        } else if (c == ':' && ++keys[depth] > text->max_keys && text->max_keys) {
            return json_fault_at(err, STATUS_LIMIT, text, i,
                                 "a JSON object has more than 10000 keys");
        }
        i++;
    }
    return STATUS_OK;
}
