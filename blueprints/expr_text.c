/* expr_text.c - the functions of expressions that work on text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/pattern.h"
#include "runtime/base/utf8.h"

/* Both must be strings; the cost is that of reading the first. */
static enum status two_strings(struct expr_eval *ev, const char *name, struct json *const *args)
{
    for (int i = 0; i < 2; i++) {
        if (jv_kind(args[i]) != JV_STRING)
            return expr_eval_fault(ev, STATUS_INVALID, "%s takes two strings, got %s", name,
                                   jv_kind_name(jv_kind(args[i])));
    }
    return expr_eval_spend(ev, jv_string_len(args[0]) / 1024);
}

enum status expr_fn_contains(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    enum status st = two_strings(ev, "contains", args);

    if (!st)
        *out = jv_bool(strstr(jv_get_string(args[0], ""), jv_get_string(args[1], "")) != NULL);
    return st;
}

enum status expr_fn_startsWith(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    size_t n = jv_string_len(args[0]), m = jv_string_len(args[1]);
    enum status st = two_strings(ev, "startsWith", args);

    if (!st)
        *out = jv_bool(m <= n &&
                       memcmp(jv_get_string(args[0], ""), jv_get_string(args[1], ""), m) == 0);
    return st;
}

enum status expr_fn_endsWith(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    size_t n = jv_string_len(args[0]), m = jv_string_len(args[1]);
    enum status st = two_strings(ev, "endsWith", args);

    if (!st)
        *out = jv_bool(m <= n && memcmp(jv_get_string(args[0], "") + (n - m),
                                        jv_get_string(args[1], ""), m) == 0);
    return st;
}

enum status expr_fn_matches(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct pattern *p = NULL;
    struct error fault = ERROR_INIT;
    bool found = false;
    size_t from, to;
    enum status st = two_strings(ev, "matches", args);

    if (!st)
        st = expr_eval_spend(ev, 100); /* compiling */
    if (st)
        return st;
    st = pattern_compile(jv_get_string(args[1], ""), jv_string_len(args[1]), &p, &fault);
    if (!st)
        st = pattern_find(p, NULL, jv_get_string(args[0], ""), jv_string_len(args[0]), 0, &found,
                          &from, &to, &fault);
    pattern_free(p);
    if (st)
        return expr_eval_fault(ev, st, "matches: %s", fault.message);
    *out = jv_bool(found);
    return STATUS_OK;
}

/* Each ASCII letter from..from+25 moved by `by`; all other bytes stay. */
static enum status map_ascii(struct expr_eval *ev, const char *takes, const struct json *text,
                             char from, int by, struct json **out)
{
    size_t n = jv_string_len(text);
    const char *s = jv_get_string(text, NULL);
    struct str copy;
    enum status st;

    if (!s)
        return expr_wrong_type(ev, takes, text);
    st = expr_eval_spend(ev, n / 1024);
    if (st)
        return st;
    str_init(&copy, n + 1);
    str_append(&copy, s, n);
    for (size_t i = 0; i < copy.len; i++) {
        if (s[i] >= from && s[i] < from + 26)
            copy.data[i] = (char)(s[i] + by);
    }
    *out = jv_string_n(str_cstr(&copy), copy.len);
    str_deinit(&copy);
    return STATUS_OK;
}

enum status expr_fn_lowerAscii(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    return map_ascii(ev, "lowerAscii takes a string", args[0], 'A', 'a' - 'A', out);
}

enum status expr_fn_upperAscii(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    return map_ascii(ev, "upperAscii takes a string", args[0], 'a', 'A' - 'a', out);
}

/* Unicode's White_Space property (PropList.txt). */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

enum status expr_fn_trim(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    const char *s = jv_get_string(args[0], NULL);
    size_t n = jv_string_len(args[0]), from = n, to = 0;
    enum status st;

    if (!s)
        return expr_wrong_type(ev, "trim takes a string", args[0]);
    st = expr_eval_spend(ev, n / 256);
    if (st)
        return st;
    for (size_t i = 0, at = 0; i < n; at = i) {
        if (is_space(utf8_next(s, n, &i)))
            continue;
        from = at < from ? at : from;
        to = i;
    }
    *out = jv_string_n(s + from, to > from ? to - from : 0);
    return STATUS_OK;
}

/* Where the part that begins at `at` ends. An empty separator splits into characters. */
static size_t next_part(const char *s, size_t n, size_t at, const char *sep, size_t m)
{
    const char *found;
    size_t i = at;

    if (m) {
        found = memmem(s + at, n - at, sep, m);
        return found ? (size_t)(found - s) : n;
    }
    if (at < n)
        utf8_next(s, n, &i);
    return i;
}

/* As CEL's extension: a limit of 0 gives [], a negative one all parts, else the last part is the
 * rest. https://github.com/google/cel-go/tree/master/ext, "Split". */
enum status expr_fn_split(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    const char *s = jv_get_string(args[0], ""), *sep = jv_get_string(args[1], "");
    size_t n = jv_string_len(args[0]), m = jv_string_len(args[1]), at = 0, end;
    int64_t most = jv_get_int(args[2], -1);
    struct json *list;
    enum status st = two_strings(ev, "split", args);

    if (!st && args[2] && jv_kind(args[2]) != JV_INT)
        st = expr_wrong_type(ev, "the limit of split is an integer", args[2]);
    if (st)
        return st;
    list = jv_array();
    if (most < 0)
        most = INT64_MAX;
    for (bool more = most > 0 && (n || m); !st && more; at = end + m) {
        bool last = (int64_t)jv_size(list) + 1 == most;

        st = expr_eval_spend(ev, jv_size(list) % 16 == 0);
        end = last ? n : next_part(s, n, at, sep, m);
        if (!st && jv_size(list) == EXPR_MAX_LIST)
            st = expr_eval_fault(ev, STATUS_LIMIT, "the result of split has more than %zu parts",
                                 EXPR_MAX_LIST);
        if (!st)
            jv_append_adopt(list, jv_string_n(s + at, end - at));
        more = end < n && !last;
    }
    if (st) {
        jv_unref(list);
        return st;
    }
    *out = list;
    return STATUS_OK;
}

static enum status join_item(struct expr_eval *ev, const struct json *list, size_t i,
                             const struct json *sep, struct str *text)
{
    const struct json *item = jv_at(list, i);
    enum status st;

    if (jv_kind(item) != JV_STRING)
        return expr_eval_fault(ev, STATUS_INVALID,
                               "join takes a list of strings, but item %zu is of type %s; "
                               "list.map(x, string(x)) makes strings",
                               i, jv_kind_name(jv_kind(item)));
    st = expr_eval_spend(ev, (i % 16 == 0) + jv_string_len(item) / 1024);
    if (st)
        return st;
    if (i)
        str_append(text, jv_get_string(sep, ""), jv_string_len(sep));
    str_append(text, jv_get_string(item, ""), jv_string_len(item));
    if (!str_ok(text))
        return expr_eval_fault(ev, STATUS_LIMIT, "the result of join is longer than %zu bytes",
                               EXPR_MAX_TEXT);
    return STATUS_OK;
}

enum status expr_fn_join(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct str text;
    enum status st = STATUS_OK;

    if (jv_kind(args[0]) != JV_ARRAY)
        return expr_wrong_type(ev, "join takes a list of strings", args[0]);
    if (args[1] && jv_kind(args[1]) != JV_STRING)
        return expr_wrong_type(ev, "the separator of join is a string", args[1]);
    str_init(&text, EXPR_MAX_TEXT);
    for (size_t i = 0; !st && i < jv_size(args[0]); i++)
        st = join_item(ev, args[0], i, args[1], &text);
    if (!st)
        *out = jv_string_n(str_cstr(&text), text.len);
    str_deinit(&text);
    return st;
}
