/* json_salvage.c - see json_salvage.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_salvage.h"

#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/json_check.h"
#include "runtime/base/json_lex.h"
#include "runtime/base/json_scan.h"

/* A place in text of which nothing is known but where strings and brackets are. */
struct salvage_walk {
    const char *at, *end;
    const char *comma; /* before the entry; NULL: it is the first */
    bool is_object;
    const char *key, *value, *after; /* of the entry; key at its quote; after: behind the value */
};

static const char *skip_scalar(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && (!*at || !strchr(",:]}[{\" \t\r\n", *at)))
        at++;
    return at > from ? at : NULL;
}

/* Behind a value; NULL: it does not end before the text does. */
static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;

    if (at < end && !strchr("\"{[", *at))
        return skip_scalar(at, end);
    while (at < end) {
        if (*at == '"') {
            at = json_lex_string_end(at, end);
            if (at == end)
                return NULL;
        } else {
            depth += *at == '{' || *at == '[';
            depth -= *at == '}' || *at == ']';
            at++;
        }
        if (depth == 0)
            return at;
    }
    return NULL;
}

static bool walk_open(struct salvage_walk *w, const char *at, const char *end)
{
    at = json_lex_blanks(at, end);
    *w = (struct salvage_walk){.at = at + 1, .end = end, .is_object = at < end && *at == '{'};
    return at < end && (*at == '{' || *at == '[');
}

/* The next entry. *is_over: the container has ended; else false is text that shows no entries. */
static bool walk_next(struct salvage_walk *w, bool *is_over)
{
    *is_over = false;
    w->at = json_lex_blanks(w->at, w->end);
    if (w->at == w->end)
        return false;
    if (w->after && *w->at == ',') {
        w->comma = w->at;
        w->at = json_lex_blanks(w->at + 1, w->end);
    } else if (*w->at == (w->is_object ? '}' : ']')) {
        *is_over = true;
        return false;
    } else if (w->after) {
        return false;
    }
    w->key = NULL;
    if (w->is_object) {
        if (w->at == w->end || *w->at != '"')
            return false;
        w->key = w->at;
        w->at = json_lex_blanks(json_lex_string_end(w->at, w->end), w->end);
        if (w->at == w->end || *w->at != ':')
            return false;
        w->at = json_lex_blanks(w->at + 1, w->end);
    }
    w->value = w->at;
    w->after = skip_value(w->at, w->end);
    w->at = w->after;
    return w->after != NULL;
}

static bool is_key(const struct salvage_walk *w, const char *key)
{
    size_t n = strlen(key);

    return (size_t)(w->end - w->key) > n + 1 && memcmp(w->key + 1, key, n) == 0 &&
           w->key[n + 1] == '"';
}

/* The value of the member; NULL: none. */
static const char *find(const char *object, const char *end, const char *key)
{
    struct salvage_walk w;
    bool over;

    if (!walk_open(&w, object, end) || !w.is_object)
        return NULL;
    while (walk_next(&w, &over)) {
        if (is_key(&w, key))
            return w.value;
    }
    return NULL;
}

static enum status check_part(const char *from, const char *to, struct error *err)
{
    const struct json_text text = {
        .bytes = from, .n = (size_t)(to - from), .line = 1, .name = "", .max_keys = JSON_MAX_KEYS};
    enum status st = json_scan(&text, err);

    return st ? st : json_check(&text, err);
}

static void blank(char *from, const char *to)
{
    for (; from < to; from++) {
        if (*from != '\n' && *from != '\r')
            *from = ' ';
    }
}

/* The entry and one comma of its two. */
static void leave_out(char *bytes, struct salvage_walk *w)
{
    const char *from = w->key ? w->key : w->value;
    const char *comma = json_lex_blanks(w->after, w->end);

    blank(bytes + (from - bytes), w->after);
    if (w->comma)
        bytes[w->comma - bytes] = ' ';
    else if (comma < w->end && *comma == ',')
        bytes[comma - bytes] = ' ';
    if (!w->comma)
        w->after = NULL; /* the next one is the first */
    w->comma = NULL;
}

size_t json_salvage(char *bytes, size_t n, const char *const *path, size_t n_path,
                    const struct json_salvage *to)
{
    const char *at = bytes, *end = bytes + n;
    struct salvage_walk w;
    size_t dropped = 0;
    bool over;

    for (size_t i = 0; at && i < n_path; i++)
        at = find(at, end, path[i]);
    if (!at || !walk_open(&w, at, end))
        return 0;
    while (walk_next(&w, &over)) {
    }
    if (!over) /* nothing is touched before it is known where the list ends */
        return 0;
    (void)walk_open(&w, at, end);
    while (walk_next(&w, &over)) {
        struct error why = ERROR_INIT;
        const char *key_end = w.key ? json_lex_string_end(w.key, w.end) : NULL;

        if ((!w.key || !check_part(w.key, key_end, &why)) && !check_part(w.value, w.after, &why))
            continue;
        to->dropped(to->ctx, w.key ? w.key + 1 : NULL, w.key ? (size_t)(key_end - w.key) - 2 : 0,
                    w.value, (size_t)(w.after - w.value), &why);
        leave_out(bytes, &w);
        dropped++;
    }
    return dropped;
}

const char *json_salvage_text(const char *entry, size_t n, const char *key, size_t *n_text)
{
    const char *value = find(entry, entry + n, key), *to;

    if (!value || *value != '"')
        return NULL;
    to = json_lex_string_end(value, entry + n);
    *n_text = (size_t)(to - value) - 2;
    return value + 1;
}
