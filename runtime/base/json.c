/* json.c - JSON values over jansson: parsing, building, reading. Text is written by
 * json_write.c.
 *
 * struct json is jansson's json_t under another name; it is never defined. jansson returns
 * NULL only for invalid UTF-8, for NaN, and when memory is exhausted. The first two are
 * excluded before the call, so NULL always means memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_read.h"
#include "runtime/base/json_scan.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/unicode.h"

/* jansson is not const-correct; its reading functions do not write. */
static json_t *to_jansson(const struct json *v)
{
    return (json_t *)(uintptr_t)v;
}

static struct json *from_jansson(json_t *v)
{
    return (struct json *)(void *)v;
}

static struct json *made(json_t *v)
{
    if (!v)
        mem_exhausted(sizeof(json_t));
    return from_jansson(v);
}

/* Some of jansson's errors are about valid JSON; the message must not call it invalid. Its place is
 * the end of a token, ours is the beginning. */
static enum status parse_fault(const json_error_t *fault, const struct json_text *t,
                               struct error *err)
{
    enum json_error_code code = json_error_code(fault);
    size_t position = fault->position > 0 ? (size_t)fault->position : 0;
    const char *near = strstr(fault->text, "near ");
    struct str message = STR_INIT;

    if (position > t->n || code == json_error_premature_end_of_input)
        position = t->n;
    else
        position = json_token_start(t->bytes, t->n, position);
    if (code == json_error_null_character || code == json_error_null_byte_in_key)
        str_puts(&message, "a string must not contain the character NUL (\\u0000)");
    else if (code == json_error_numeric_overflow)
        str_puts(&message, "a number is too large: integers are limited to 64 bits "
                           "(-9223372036854775808 to 9223372036854775807), others to 1.8e308");
    else if (code == json_error_duplicate_key)
        str_printf(&message, "an object has a duplicate key, %s",
                   near ? near : "which is not allowed");
    else
        str_printf(&message, "not valid JSON: %s", fault->text);
    (void)json_fault_at(err, STATUS_INVALID, t, position, str_cstr(&message));
    str_deinit(&message);
    return STATUS_INVALID;
}

static enum status parse(const struct json_text *t, size_t max_bytes, struct json **out,
                         struct error *err)
{
    json_error_t fault;
    json_t *v;
    enum status st;

    if (t->n > max_bytes)
        return error_at(err, STATUS_LIMIT, t->name, t->line > 1 ? t->line : 0, 0,
                        "%zu bytes of JSON; at most %zu are allowed", t->n, max_bytes);
    st = json_scan(t, err);
    if (st)
        return st;
    v = to_jansson(json_read(t->n ? t->bytes : "", t->n));
    if (!v) /* it gives the error */
        v = json_loadb(t->n ? t->bytes : "", t->n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                       &fault);
    if (!v && json_error_code(&fault) == json_error_out_of_memory)
        return error_at(err, STATUS_NO_MEMORY, t->name, 0, 0, "no memory for %zu bytes of JSON",
                        t->n);
    if (!v)
        return parse_fault(&fault, t, err);
    *out = from_jansson(v);
    return STATUS_OK;
}

enum status jv_parse(const char *bytes, size_t n, const char *name, struct json **out,
                     struct error *err)
{
    return parse(&(struct json_text){bytes, n, name, 1, JSON_MAX_KEYS}, JSON_MAX_BYTES, out, err);
}

enum status jv_parse_max(const char *bytes, size_t n, size_t max_bytes, const char *name,
                         struct json **out, struct error *err)
{
    return parse(&(struct json_text){bytes, n, name, 1, 0}, max_bytes, out, err);
}

enum status jv_parse_line(const char *bytes, size_t n, size_t max_bytes, const char *name,
                          long line, struct json **out, struct error *err)
{
    return parse(&(struct json_text){bytes, n, name, line, 0}, max_bytes, out, err);
}

enum status jv_parse_file(const char *path, size_t max_bytes, struct json **out, struct error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    enum status st = file_read(path, max_bytes, &bytes, &n, err);

    if (st)
        return st;
    st = jv_parse_max(bytes, n, max_bytes, path, out, err);
    free(bytes);
    return st;
}

struct json *jv_ref(struct json *v)
{
    json_incref(to_jansson(v));
    return v;
}

void jv_unref(struct json *v)
{
    json_decref(to_jansson(v));
}

struct json *jv_deep_copy(const struct json *v)
{
    return v ? made(json_deep_copy(to_jansson(v))) : jv_null();
}

bool jv_equal(const struct json *a, const struct json *b)
{
    enum jv_kind kind = jv_kind(a);

    if (kind == JV_NULL)
        return jv_kind(b) == JV_NULL;
    return json_equal(to_jansson(a), to_jansson(b)) != 0;
}

enum jv_kind jv_kind(const struct json *v)
{
    if (!v)
        return JV_NULL;
    switch (json_typeof(to_jansson(v))) {
    case JSON_OBJECT:
        return JV_OBJECT;
    case JSON_ARRAY:
        return JV_ARRAY;
    case JSON_STRING:
        return JV_STRING;
    case JSON_INTEGER:
        return JV_INT;
    case JSON_REAL:
        return JV_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JV_BOOL;
    case JSON_NULL:
        break;
    }
    return JV_NULL;
}

const char *jv_kind_name(enum jv_kind kind)
{
    static const char *const names[] = {
        [JV_NULL] = "null",     [JV_BOOL] = "boolean", [JV_INT] = "integer",  [JV_REAL] = "number",
        [JV_STRING] = "string", [JV_ARRAY] = "array",  [JV_OBJECT] = "object"};

    return (unsigned)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}

struct json *jv_null(void)
{
    return from_jansson(json_null());
}

struct json *jv_bool(bool b)
{
    return from_jansson(json_boolean(b));
}

struct json *jv_int(int64_t i)
{
    return made(json_integer((json_int_t)i));
}

struct json *jv_real(double d)
{
    return isfinite(d) ? made(json_real(d)) : jv_null();
}

struct json *jv_string(const char *text)
{
    return jv_string_n(text, strlen(text));
}

/* A copy that jv_parse accepts: NULs and invalid bytes become U+FFFD. No limit is needed:
 * the copy is at most three times as long as the text. */
static struct str cleaned(const char *text, size_t n)
{
    struct str out;
    size_t i = 0;

    str_init(&out, SIZE_MAX / 4);
    while (i < n) {
        const char *nul = memchr(text + i, '\0', n - i);
        size_t to = nul ? (size_t)(nul - text) : n;

        utf8_clean(text + i, to - i, &out);
        if (nul)
            utf8_put(&out, 0xfffd);
        i = nul ? to + 1 : to;
    }
    if (!str_ok(&out))
        mem_exhausted(n);
    return out;
}

static bool is_clean(const char *text, size_t n)
{
    return utf8_valid_prefix(text, n) == n && !memchr(text, '\0', n);
}

struct json *jv_string_n(const char *text, size_t n)
{
    struct str clean;
    json_t *v;

    if (n == 0)
        return made(json_stringn_nocheck("", 0));
    if (is_clean(text, n))
        return made(json_stringn_nocheck(text, n));
    clean = cleaned(text, n);
    v = json_stringn_nocheck(clean.data, clean.len);
    str_deinit(&clean);
    return made(v);
}

struct json *jv_array(void)
{
    return made(json_array());
}

struct json *jv_object(void)
{
    return made(json_object());
}

bool jv_get_bool(const struct json *v, bool otherwise)
{
    return v && json_is_boolean(to_jansson(v)) ? json_is_true(to_jansson(v)) : otherwise;
}

int64_t jv_get_int(const struct json *v, int64_t otherwise)
{
    return v && json_is_integer(to_jansson(v)) ? (int64_t)json_integer_value(to_jansson(v))
                                               : otherwise;
}

double jv_get_number(const struct json *v, double otherwise)
{
    return v && json_is_number(to_jansson(v)) ? json_number_value(to_jansson(v)) : otherwise;
}

const char *jv_get_string(const struct json *v, const char *otherwise)
{
    return v && json_is_string(to_jansson(v)) ? json_string_value(to_jansson(v)) : otherwise;
}

size_t jv_string_len(const struct json *v)
{
    return json_string_length(to_jansson(v)); /* 0 for all else */
}

size_t jv_size(const struct json *v)
{
    if (!v)
        return 0;
    return json_is_array(to_jansson(v)) ? json_array_size(to_jansson(v))
                                        : json_object_size(to_jansson(v));
}

struct json *jv_at(const struct json *array, size_t i)
{
    return from_jansson(json_array_get(to_jansson(array), i));
}

struct json *jv_get(const struct json *object, const char *key)
{
    return from_jansson(json_object_get(to_jansson(object), key));
}

void *jv_next(const struct json *object, void *it, const char **key, struct json **value)
{
    if (!object)
        return NULL;
    it = it ? json_object_iter_next(to_jansson(object), it) : json_object_iter(to_jansson(object));
    if (it) {
        if (key)
            *key = json_object_iter_key(it);
        if (value)
            *value = from_jansson(json_object_iter_value(it));
    }
    return it;
}

void jv_append_adopt(struct json *array, struct json *value)
{
    if (!value)
        value = jv_null();
    if (json_array_append_new(to_jansson(array), to_jansson(value)) && jv_kind(array) == JV_ARRAY &&
        array != value)
        mem_exhausted(sizeof(json_t));
}

void jv_set_adopt(struct json *object, const char *key, struct json *value)
{
    size_t n = strlen(key);
    struct str clean = STR_INIT;

    if (!value)
        value = jv_null();
    if (utf8_valid_prefix(key, n) != n) {
        clean = cleaned(key, n);
        key = str_cstr(&clean);
    }
    if (json_object_set_new_nocheck(to_jansson(object), key, to_jansson(value)) &&
        jv_kind(object) == JV_OBJECT && object != value)
        mem_exhausted(sizeof(json_t));
    str_deinit(&clean);
}

void jv_remove(struct json *object, const char *key)
{
    json_object_del(to_jansson(object), key);
}

void jv_set_string(struct json *object, const char *key, const char *text)
{
    jv_set_adopt(object, key, jv_string(text));
}

void jv_set_int(struct json *object, const char *key, int64_t i)
{
    jv_set_adopt(object, key, jv_int(i));
}

void jv_set_real(struct json *object, const char *key, double d)
{
    jv_set_adopt(object, key, jv_real(d));
}

void jv_set_bool(struct json *object, const char *key, bool b)
{
    jv_set_adopt(object, key, jv_bool(b));
}
