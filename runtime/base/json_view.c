/* json_view.c - see json_view.h. The checks of a whole text are in json_check.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_view.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_check.h"
#include "runtime/base/json_lex.h"
#include "runtime/base/unicode.h"

enum status json_view_open(const char *bytes, size_t n, size_t max_bytes, const char *name,
                           struct json_view *out, struct error *err)
{
    struct json_text text = {
        .bytes = bytes, .n = n, .name = name, .line = 1, .max_keys = JSON_MAX_KEYS};
    enum status st;

    if (n > max_bytes)
        return error_set(err, STATUS_LIMIT, "%s has %zu bytes of JSON; at most %zu are allowed",
                         name, n, max_bytes);
    st = json_scan(&text, err);
    if (!st)
        st = json_check(&text, err);
    if (!st)
        *out = json_view_of(bytes, n);
    return st;
}

struct json_view json_view_of(const char *valid, size_t n)
{
    const char *end = valid + n, *at = json_lex_blanks(valid, end);

    while (end > at && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    assert(at < end);
    return (struct json_view){.at = at, .n = (size_t)(end - at)};
}

struct json_view json_view_str(const struct str *valid)
{
    return json_view_of(str_cstr(valid), valid->len);
}

enum jv_kind json_view_kind(struct json_view v)
{
    switch (v.at ? *v.at : 'n') {
    case '{':
        return JV_OBJECT;
    case '[':
        return JV_ARRAY;
    case '"':
        return JV_STRING;
    case 't':
    case 'f':
        return JV_BOOL;
    case 'n':
        return JV_NULL;
    default:
        for (size_t i = 0; i < v.n; i++) {
            if (strchr(".eE", v.at[i]))
                return JV_REAL;
        }
        return JV_INT;
    }
}

/* ---- walking */

/* After the object or array that begins at `at`: only strings and brackets matter. */
static const char *container_end(const char *at, const char *end)
{
    static const signed char step[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1, ['"'] = 2};
    int depth = 0;

    while (at < end) {
        signed char s = step[(unsigned char)*at];

        if (s == 2) {
            at = json_lex_string_end(at, end);
            continue;
        }
        at++;
        depth += s;
        if (s < 0 && depth == 0)
            break;
    }
    return at;
}

/* After the value that begins at `at`. */
static const char *value_end(const char *at, const char *end)
{
    if (*at == '"')
        return json_lex_string_end(at, end);
    if (*at == '{' || *at == '[')
        return container_end(at, end);
    while (at < end && *at != ',' && *at != '}' && *at != ']' && (unsigned char)*at > ' ')
        at++;
    return at;
}

struct json_walk json_walk(struct json_view v)
{
    struct json_walk w = {0};

    if (v.n >= 2 && (*v.at == '{' || *v.at == '[')) {
        w.at = json_lex_blanks(v.at + 1, v.at + v.n);
        w.end = v.at + v.n - 1;
        w.is_object = *v.at == '{';
    }
    return w;
}

static struct json_view next_value(struct json_walk *w)
{
    const char *from = json_lex_blanks(w->at, w->end);

    w->at = value_end(from, w->end);
    return (struct json_view){.at = from, .n = (size_t)(w->at - from)};
}

bool json_walk_next(struct json_walk *w)
{
    if (w->at >= w->end)
        return false;
    if (w->is_object) {
        w->key = next_value(w);
        w->at = json_lex_blanks(w->at, w->end) + 1; /* the colon */
    }
    w->value = next_value(w);
    w->at = json_lex_blanks(w->at, w->end);
    if (w->at < w->end)
        w->at = json_lex_blanks(w->at + 1, w->end); /* the comma */
    return true;
}

size_t json_view_size(struct json_view v)
{
    size_t n = 0;

    for (struct json_walk w = json_walk(v); json_walk_next(&w);)
        n++;
    return n;
}

struct json_view json_view_get(struct json_view object, const char *key)
{
    struct json_walk w = json_walk(object);

    while (w.is_object && json_walk_next(&w)) {
        if (json_view_is(w.key, key))
            return w.value;
    }
    return JSON_VIEW_NONE;
}

void json_view_pick(struct json_view object, const char *const *keys, size_t n,
                    struct json_view *out)
{
    struct json_walk w = json_walk(object);

    memset(out, 0, n * sizeof(*out));
    while (w.is_object && json_walk_next(&w)) {
        for (size_t i = 0; i < n; i++) {
            if (!out[i].at && json_view_is(w.key, keys[i])) {
                out[i] = w.value;
                break;
            }
        }
    }
}

/* ---- values */

bool json_view_is(struct json_view v, const char *text)
{
    size_t n = strlen(text);
    struct str s;
    bool is;

    if (v.n < n + 2 || *v.at != '"') /* escapes only make it longer */
        return false;
    if (!memchr(v.at, '\\', v.n))
        return v.n == n + 2 && memcmp(v.at + 1, text, n) == 0;
    str_init(&s, v.n);
    is = json_view_text(v, &s) && str_ok(&s) && s.len == n && memcmp(str_cstr(&s), text, n) == 0;
    str_deinit(&s);
    return is;
}

bool json_view_text(struct json_view v, struct str *out)
{
    const char *at, *end, *to;
    uint32_t code;

    if (v.n < 2 || *v.at != '"')
        return false;
    at = v.at + 1;
    end = v.at + v.n - 1;
    for (;;) {
        to = json_lex_run(at, end);
        str_append(out, at, (size_t)(to - at));
        if (to >= end)
            return true;
        at = to + 1;
        if (json_lex_escape(&at, end, &code))
            utf8_put(out, code);
    }
}

#define NUMBER_MAX 64 /* bytes of a number that is read; a longer one does not fit anything */

static bool number_text(struct json_view v, char text[NUMBER_MAX])
{
    enum jv_kind kind = json_view_kind(v);

    if ((kind != JV_INT && kind != JV_REAL) || v.n >= NUMBER_MAX)
        return false;
    memcpy(text, v.at, v.n);
    text[v.n] = 0;
    return true;
}

int64_t json_view_int(struct json_view v, int64_t otherwise)
{
    char text[NUMBER_MAX];
    long long i;

    if (!number_text(v, text) || json_view_kind(v) != JV_INT)
        return otherwise;
    errno = 0;
    i = strtoll(text, NULL, 10);
    return errno ? otherwise : i;
}

double json_view_number(struct json_view v, double otherwise)
{
    char text[NUMBER_MAX];

    return number_text(v, text) ? strtod(text, NULL) : otherwise;
}

bool json_view_bool(struct json_view v, bool otherwise)
{
    return json_view_kind(v) == JV_BOOL ? *v.at == 't' : otherwise;
}

struct json *json_view_value(struct json_view v)
{
    struct json *out = NULL;

    if (!v.at || jv_parse_max(v.at, v.n, v.n, "value", &out, NULL))
        return NULL;
    return out;
}

/* ---- writing */

void json_view_put(struct str *out, struct json_view v)
{
    if (v.at)
        str_append(out, v.at, v.n);
    else
        str_puts(out, "null");
}

/* Inside of strings there is none: it would be an escape. */
void json_view_put_line(struct str *out, struct json_view v)
{
    static const char breaks[] = "\n\r";
    size_t from = out->len;

    json_view_put(out, v);
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = from; i < out->len; i++) {
            char *at = memchr(out->data + i, breaks[k], out->len - i);

            if (!at)
                break;
            *at = ' ';
            i = (size_t)(at - out->data);
        }
    }
}

static bool is_changed(struct json_view key, const struct json_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (json_view_is(key, changes[i].key))
            return true;
    }
    return false;
}

void json_view_put_changed(struct str *out, struct json_view object,
                           const struct json_change *changes, size_t n)
{
    const char *comma = "";
    size_t more = 2;

    for (size_t i = 0; i < n; i++)
        more += changes[i].value.at ? strlen(changes[i].key) + changes[i].value.n + 4 : 0;
    str_expect(out, object.n + more);
    str_putc(out, '{');
    for (struct json_walk w = json_walk(object); w.is_object && json_walk_next(&w);) {
        if (is_changed(w.key, changes, n))
            continue;
        str_puts(out, comma);
        json_view_put(out, w.key);
        str_putc(out, ':');
        json_view_put(out, w.value);
        comma = ",";
    }
    for (size_t i = 0; i < n; i++) {
        if (!changes[i].value.at)
            continue;
        str_puts(out, comma);
        str_putc(out, '"');
        str_puts(out, changes[i].key);
        str_puts(out, "\":");
        json_view_put(out, changes[i].value);
        comma = ",";
    }
    str_putc(out, '}');
}
