/* json_span.c - see json_span.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_span.h"

#include <string.h>

#include "runtime/base/json.h"

static size_t skip_blanks(const char *bytes, size_t n, size_t i)
{
    while (i < n && bytes[i] && strchr(" \t\r\n", bytes[i]))
        i++;
    return i;
}

/* After the closing quote of the string that begins at i. */
static size_t skip_string(const char *bytes, size_t n, size_t i)
{
    for (i++; i < n && bytes[i] != '"'; i++) {
        if (bytes[i] == '\\')
            i++;
    }
    return i < n ? i + 1 : n;
}

static size_t skip_value(const char *bytes, size_t n, size_t i)
{
    size_t depth = 0;

    do {
        i = skip_blanks(bytes, n, i);
        if (i >= n)
            return n;
        if (bytes[i] == '"') {
            i = skip_string(bytes, n, i);
        } else if (bytes[i] == '{' || bytes[i] == '[') {
            depth++;
            i++;
        } else if (bytes[i] == '}' || bytes[i] == ']') {
            if (depth == 0)
                return i;
            depth--;
            i++;
        } else if (depth > 0) {
            i++;
        } else {
            while (i < n && bytes[i] && !strchr(" \t\r\n,]}", bytes[i]))
                i++;
            return i;
        }
    } while (depth > 0);
    return i;
}

struct json_spans json_spans_of(const char *bytes, size_t n, size_t at)
{
    struct json_spans s = {.bytes = bytes, .n = n, .at = n};

    at = skip_blanks(bytes, n, at);
    if (at < n && (bytes[at] == '{' || bytes[at] == '[')) {
        s.is_object = bytes[at] == '{';
        s.at = at + 1;
    }
    return s;
}

bool json_spans_next(struct json_spans *s, struct json_span *out)
{
    struct json_span span;
    size_t i = skip_blanks(s->bytes, s->n, s->at);

    if (i < s->n && s->bytes[i] == ',')
        i = skip_blanks(s->bytes, s->n, i + 1);
    s->at = s->n;
    if (i >= s->n || s->bytes[i] == '}' || s->bytes[i] == ']')
        return false;
    span.key = i;
    if (s->is_object) {
        if (s->bytes[i] != '"')
            return false;
        i = skip_blanks(s->bytes, s->n, skip_string(s->bytes, s->n, i));
        if (i >= s->n || s->bytes[i] != ':')
            return false;
        i = skip_blanks(s->bytes, s->n, i + 1);
    }
    span.value = i;
    span.end = skip_value(s->bytes, s->n, i);
    if (span.end <= span.value)
        return false;
    s->at = span.end;
    *out = span;
    return true;
}

bool json_span_key_is(const char *bytes, const struct json_span *span, const char *key)
{
    size_t n = skip_string(bytes, span->value, span->key) - span->key;
    struct json *text = NULL;
    bool same;

    if (n < 2)
        return false;
    if (!memchr(bytes + span->key, '\\', n))
        return n - 2 == strlen(key) && memcmp(bytes + span->key + 1, key, n - 2) == 0;
    same = jv_parse(bytes + span->key, n, "", &text, NULL) == STATUS_OK &&
           strcmp(jv_get_string(text, ""), key) == 0;
    jv_unref(text);
    return same;
}

bool json_span_get(const char *bytes, size_t n, size_t at, const char *key, struct json_span *out)
{
    struct json_spans s = json_spans_of(bytes, n, at);

    while (s.is_object && json_spans_next(&s, out))
        if (json_span_key_is(bytes, out, key))
            return true;
    return false;
}
