/* fuzz_json.c - any bytes as JSON: an error with a message and a position, or a value that is the
 * same after it was written and read again, in each form of the writer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "runtime/base/json.h"
#include "runtime/base/json_read.h"
#include "runtime/base/json_scan.h"
#include "runtime/base/json_view.h"
#include "runtime/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_fault(enum status st, const struct error *err)
{
    size_t words = strlen(err->message);

    if (st != err->status || words == 0 || strncmp(err->where, "input", 5) != 0 ||
        utf8_valid_prefix(err->message, words) != words)
        abort();
}

/* Reads the text back: the same value, and the same text when written again. */
static void check_round(const struct json *v, const struct str *text, int indent)
{
    struct json *again = NULL;
    struct str rewritten = STR_INIT;

    if (jv_parse_max(str_cstr(text), text->len, SIZE_MAX, "again", &again, NULL))
        abort();
    if (!jv_equal(v, again))
        abort();
    if (indent < 0)
        jv_write_canonical(again, &rewritten);
    else
        jv_write(again, indent, &rewritten);
    if (rewritten.len != text->len || memcmp(str_cstr(&rewritten), str_cstr(text), text->len) != 0)
        abort();
    str_deinit(&rewritten);
    jv_unref(again);
}

static void check_value(const struct json *v)
{
    struct json *copy = jv_deep_copy(v);
    struct str text = STR_INIT;

    for (int indent = -1; indent <= 2; indent++) {
        str_clear(&text);
        if (indent < 0)
            jv_write_canonical(v, &text);
        else
            jv_write(v, indent, &text);
        check_round(v, &text, indent);
    }
    if (!jv_equal(v, copy))
        abort();
    str_deinit(&text);
    jv_unref(copy);
}

/* The quick reader takes nothing that jansson refuses, and gives the same value. */
static void check_quick(const char *bytes, size_t n)
{
    json_t *want = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    json_t *got = (json_t *)json_read(bytes, n);

    if (got && !(want && json_equal(got, want)))
        abort();
    json_decref(want);
    json_decref(got);
}

/* A view takes what the parser takes (and numbers of any size), and holds the same value, also
 * when its members are written again. */
static void check_view(const char *bytes, size_t n, const struct json *want, enum status st)
{
    struct json_view v;
    struct str text = STR_INIT;
    struct error err = ERROR_INIT;
    enum status view_st = json_view_open(bytes, n, JSON_MAX_BYTES, "input", &v, &err);
    struct json *got;

    if (view_st) {
        check_fault(view_st, &err);
        if (!st)
            abort();
        return;
    }
    got = json_view_value(v);
    if (!st && (!got || !jv_equal(got, want) || json_view_kind(v) != jv_kind(want)))
        abort();
    if (json_view_kind(v) == JV_OBJECT)
        json_view_put_changed(&text, v, NULL, 0);
    else
        json_view_put(&text, v);
    jv_unref(got);
    got = json_view_value(json_view_str(&text));
    if (!st && !jv_equal(got, want))
        abort();
    if (!st && json_view_size(v) != jv_size(want))
        abort();
    jv_unref(got);
    str_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct json *v = NULL;
    struct error err = ERROR_INIT;
    const struct json_text text = {(const char *)data, n, "input", 1, 0};
    enum status st = jv_parse((const char *)data, n, "input", &v, &err);

    if (!json_scan(&text, NULL))
        check_quick(n ? (const char *)data : "", n);
    check_view(n ? (const char *)data : "", n, v, st);
    if (st)
        check_fault(st, &err);
    else
        check_value(v);
    jv_unref(v);
    return 0;
}
