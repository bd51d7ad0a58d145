/* json_read.c - see json_read.h.
 *
 * jansson reads each byte through three functions, which is most of the work of a request. This
 * reads runs of bytes. It says nothing about errors: it gives up, and jansson finds them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_read.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "runtime/base/json_lex.h"
#include "runtime/base/str.h"
#include "runtime/base/unicode.h"

#define NUMBER_MAX 64 /* bytes of a number; jansson reads longer ones */

struct reader {
    const char *at, *end;
    struct str text; /* of a string with escapes */
};

static json_t *read_value(struct reader *r);

static void skip_blanks(struct reader *r)
{
    r->at = json_lex_blanks(r->at, r->end);
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* ---- strings */

static bool read_escape(struct reader *r)
{
    uint32_t code;

    if (!json_lex_escape(&r->at, r->end, &code))
        return false;
    utf8_put(&r->text, code);
    return true;
}

/* After the opening quote. The text is lent by the input, or by r->text until the next string. */
static bool read_text(struct reader *r, const char **out, size_t *n)
{
    const char *from = r->at, *to = json_lex_run(r->at, r->end);

    if (to < r->end && *to == '"') {
        *out = from;
        *n = (size_t)(to - from);
        r->at = to + 1;
        return true;
    }
    str_clear(&r->text);
    for (;;) {
        to = json_lex_run(r->at, r->end);
        str_append(&r->text, r->at, (size_t)(to - r->at));
        r->at = to;
        if (to == r->end || (*to != '"' && *to != '\\'))
            return false;
        r->at++;
        if (*to == '"')
            break;
        if (!read_escape(r))
            return false;
    }
    *out = str_cstr(&r->text);
    *n = r->text.len;
    return str_ok(&r->text);
}

static json_t *read_string(struct reader *r)
{
    const char *text;
    size_t n;

    return read_text(r, &text, &n) ? json_stringn_nocheck(text, n) : NULL;
}

/* ---- numbers */

static json_t *read_number(struct reader *r)
{
    char text[NUMBER_MAX];
    bool is_real;
    const char *to = json_lex_number(r->at, r->end, &is_real);
    size_t n = to ? (size_t)(to - r->at) : NUMBER_MAX;
    json_t *v = NULL;
    char *end;

    if (n >= NUMBER_MAX)
        return NULL;
    memcpy(text, r->at, n);
    text[n] = 0;
    r->at = to;
    errno = 0;
    if (is_real) {
        double d = strtod(text, &end);

        /* a locale may have another point than "." */
        if (end == text + n && !isinf(d))
            v = json_real(d);
    } else {
        long long i = strtoll(text, &end, 10);

        if (errno == 0)
            v = json_integer(i);
    }
    return v;
}

/* ---- the rest */

static json_t *read_word(struct reader *r, const char *word, json_t *v)
{
    size_t n = strlen(word);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return NULL;
    r->at += n;
    return v;
}

static bool read_member(struct reader *r, json_t *object)
{
    size_t before = json_object_size(object), n = 0;
    const char *key = NULL;
    char *kept;
    json_t *v;
    bool ok;

    if (!take(r, '"') || !read_text(r, &key, &n))
        return false;
    if (key != str_cstr(&r->text)) {
        if (!take(r, ':'))
            return false;
        v = read_value(r);
        return v && !json_object_setn_new_nocheck(object, key, n, v) &&
               json_object_size(object) > before;
    }
    kept = malloc(n + 1); /* the value may need r->text */
    if (!kept)
        return false;
    memcpy(kept, key, n);
    v = take(r, ':') ? read_value(r) : NULL;
    ok =
        v && !json_object_setn_new_nocheck(object, kept, n, v) && json_object_size(object) > before;
    free(kept);
    return ok;
}

static json_t *read_object(struct reader *r)
{
    json_t *object = json_object();

    if (!object || take(r, '}'))
        return object;
    do {
        if (!read_member(r, object))
            goto fail;
    } while (take(r, ','));
    if (take(r, '}'))
        return object;
fail:
    json_decref(object);
    return NULL;
}

static json_t *read_array(struct reader *r)
{
    json_t *array = json_array();

    if (!array || take(r, ']'))
        return array;
    do {
        json_t *v = read_value(r);

        if (!v || json_array_append_new(array, v))
            goto fail;
    } while (take(r, ','));
    if (take(r, ']'))
        return array;
fail:
    json_decref(array);
    return NULL;
}

static json_t *read_value(struct reader *r)
{
    skip_blanks(r);
    if (r->at == r->end)
        return NULL;
    switch (*r->at) {
    case '{':
        r->at++;
        return read_object(r);
    case '[':
        r->at++;
        return read_array(r);
    case '"':
        r->at++;
        return read_string(r);
    case 't':
        return read_word(r, "true", json_true());
    case 'f':
        return read_word(r, "false", json_false());
    case 'n':
        return read_word(r, "null", json_null());
    default:
        return *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? read_number(r) : NULL;
    }
}

struct json *json_read(const char *bytes, size_t n)
{
    struct reader r = {.at = bytes, .end = bytes + n};
    json_t *v;

    str_init(&r.text, n + 1); /* no string is longer than the text */
    v = n > 0 ? read_value(&r) : NULL;
    skip_blanks(&r);
    if (v && r.at != r.end) {
        json_decref(v);
        v = NULL;
    }
    str_deinit(&r.text);
    return (struct json *)v;
}
