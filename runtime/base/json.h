/* json.h - JSON values: an opaque, reference-counted type over jansson.
 *
 * Only this module uses jansson. jv_parse rejects more than JSON_MAX_BYTES, depth
 * above JSON_MAX_DEPTH, objects of more than JSON_MAX_KEYS, invalid UTF-8, NUL,
 * duplicate keys and trailing bytes.
 * Getters return borrowed references; constructors and jv_ref return a new one, to be
 * released with jv_unref (NULL is fine). "adopt" takes over the reference to its
 * argument, also when it fails.
 * The prefix is jv_ since jansson owns json_ in the link.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_H
#define TROUPE_RUNTIME_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define JSON_MAX_BYTES ((size_t)4 << 20)
#define JSON_MAX_DEPTH 64
#define JSON_MAX_KEYS  10000 /* of one object */

struct json;

enum jv_kind { JV_NULL, JV_BOOL, JV_INT, JV_REAL, JV_STRING, JV_ARRAY, JV_OBJECT };

/* `name` is the source in errors (a file, "arguments", ...), which are at
 * name:line:column. The top level may be a scalar. */
MUST_CHECK enum status jv_parse(const char *bytes, size_t n, const char *name, struct json **out,
                                struct error *err);
/* The same with another limit on bytes, and none on keys (datasets, vocabularies). */
MUST_CHECK enum status jv_parse_max(const char *bytes, size_t n, size_t max_bytes, const char *name,
                                    struct json **out, struct error *err);
/* The same of a part of a file that begins at this line, from 1. */
MUST_CHECK enum status jv_parse_line(const char *bytes, size_t n, size_t max_bytes,
                                     const char *name, long line, struct json **out,
                                     struct error *err);
MUST_CHECK enum status jv_parse_file(const char *path, size_t max_bytes, struct json **out,
                                     struct error *err);

struct json *jv_ref(struct json *v);
void jv_unref(struct json *v);
struct json *jv_deep_copy(const struct json *v);
bool jv_equal(const struct json *a, const struct json *b);

enum jv_kind jv_kind(const struct json *v);  /* NULL counts as JV_NULL */
const char *jv_kind_name(enum jv_kind kind); /* "string", "integer", ... */

struct json *jv_null(void);
struct json *jv_bool(bool b);
struct json *jv_int(int64_t i);
struct json *jv_real(double d); /* null if d is not finite */
/* Invalid UTF-8 and NUL are replaced by U+FFFD (jv_parse would reject them); never NULL. */
struct json *jv_string(const char *text);
struct json *jv_string_n(const char *text, size_t n);
struct json *jv_array(void);
struct json *jv_object(void);

/* `otherwise` is returned for a value of another kind. */
bool jv_get_bool(const struct json *v, bool otherwise);
int64_t jv_get_int(const struct json *v, int64_t otherwise);
double jv_get_number(const struct json *v, double otherwise); /* integers too */
const char *jv_get_string(const struct json *v, const char *otherwise);
size_t jv_string_len(const struct json *v);

size_t jv_size(const struct json *v);                            /* of an array or object; else 0 */
struct json *jv_at(const struct json *array, size_t i);          /* NULL outside */
struct json *jv_get(const struct json *object, const char *key); /* NULL: not there */
/* for (void *it = NULL; (it = jv_next(obj, it, &key, &value));) ; insertion order. */
void *jv_next(const struct json *object, void *it, const char **key, struct json **value);

void jv_append_adopt(struct json *array, struct json *value);
void jv_set_adopt(struct json *object, const char *key, struct json *value);
void jv_remove(struct json *object, const char *key);
/* Shorthands: jv_set_string(o, "name", s). */
void jv_set_string(struct json *object, const char *key, const char *text);
void jv_set_int(struct json *object, const char *key, int64_t i);
void jv_set_real(struct json *object, const char *key, double d);
void jv_set_bool(struct json *object, const char *key, bool b);

/* Writes JSON text; floats are the shortest that read back equal. indent 0: one line without
 * spaces. */
void jv_write(const struct json *v, int indent, struct str *out);
/* One line, keys sorted: the form that is hashed. */
void jv_write_canonical(const struct json *v, struct str *out);
char *jv_dump(const struct json *v); /* malloc'd, one line */

#endif
