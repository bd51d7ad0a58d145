/* json_view.h - JSON text read in place: parts of it are found and passed on without building
 * values.
 *
 * A view is a piece of text that holds one value, without blanks around it; it is lent, and lives
 * as long as the text. json_view_open checks a whole text once; all other functions trust it. For
 * messages that are mostly passed on; for values that are worked with, use json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_VIEW_H
#define TROUPE_RUNTIME_BASE_JSON_VIEW_H

#include "runtime/base/json.h"

struct json_view {
    const char *at; /* (n) NULL: there is no value */
    size_t n;
};
#define JSON_VIEW_NONE ((struct json_view){0})

/* The same checks as jv_parse: UTF-8, no NUL, JSON_MAX_DEPTH, JSON_MAX_KEYS, no key twice in an
 * object (however it is escaped: STATUS_REJECTED), nothing behind the value. Numbers may be of any
 * size. */
MUST_CHECK enum status json_view_open(const char *bytes, size_t n, size_t max_bytes,
                                      const char *name, struct json_view *out, struct error *err);
/* Of a text that is known to be valid JSON: written by this program, or checked before. */
struct json_view json_view_of(const char *valid, size_t n);
struct json_view json_view_str(const struct str *valid);

/* JV_NULL for no value. A number is JV_REAL if it has a fraction or an exponent. */
enum jv_kind json_view_kind(struct json_view v);

/* No value: `object` is not an object, or has no such key. */
struct json_view json_view_get(struct json_view object, const char *key);
/* The values of n keys, which all differ, in one pass over the object: each get is one. */
void json_view_pick(struct json_view object, const char *const *keys, size_t n,
                    struct json_view *out);
/* The members of an object, or the elements of an array:
 *   for (struct json_walk w = json_walk(v); json_walk_next(&w);) ... w.key, w.value */
struct json_walk {
    const char *at, *end;
    bool is_object;
    struct json_view key; /* a string; of an object */
    struct json_view value;
};
struct json_walk json_walk(struct json_view v); /* of another kind: nothing */
bool json_walk_next(struct json_walk *w);
size_t json_view_size(struct json_view v); /* of an array or object; else 0 */

/* Is it this string? */
bool json_view_is(struct json_view v, const char *text);
/* Appends the string that v holds. false, and nothing: v is not a string. */
bool json_view_text(struct json_view v, struct str *out);
/* `otherwise` for a value of another kind, and for a number that does not fit. */
int64_t json_view_int(struct json_view v, int64_t otherwise);
double json_view_number(struct json_view v, double otherwise);
bool json_view_bool(struct json_view v, bool otherwise);
/* As a value of its own; NULL without memory, or for a number that is too large. */
struct json *json_view_value(struct json_view v);

/* Appends the text; "null" for no value. */
void json_view_put(struct str *out, struct json_view v);

/* The same on one line: a line break between tokens becomes a blank. */
void json_view_put_line(struct str *out, struct json_view v);

/* Appends an object with some members changed: a change replaces the member of its key, or is put
 * at the end; one without value removes it. `object` may be no value: {}. */
struct json_change {
    const char *key; /* without characters that need an escape */
    struct json_view value;
};
void json_view_put_changed(struct str *out, struct json_view object,
                           const struct json_change *changes, size_t n);

#endif
