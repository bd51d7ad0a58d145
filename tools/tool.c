/* tool.c - makes a tool from its declaration; reference counting.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/tool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/schema.h"

/* *out: as declared; *checks: the parts that can be checked. */
static enum status take_schema(const struct tool_declaration *d, const char *text,
                               struct json *parsed, struct json **out, struct json **checks,
                               struct error *err)
{
    enum status st = STATUS_OK;

    if (parsed)
        *out = jv_ref(parsed);
    else if (text)
        st = jv_parse(text, strlen(text), d->name, out, err);
    if (!st && *out && d->foreign)
        *checks = schema_lenient(*out);
    else if (!st && *out) {
        st = schema_supported(*out, err);
        *checks = jv_ref(*out);
    }
    if (st)
        error_note(err, "schema of tool %s", d->name);
    return st;
}

/* Of everything that a model or a caller can see. */
static struct sha256 hash_of(const struct tool *t)
{
    struct json *v = jv_array();
    struct str text = STR_INIT;
    struct sha256 h;

    jv_append_adopt(v, jv_string(t->name));
    jv_append_adopt(v, jv_string(t->description));
    jv_append_adopt(v, jv_string(t->source));
    jv_append_adopt(v, t->input_schema ? jv_ref(t->input_schema) : jv_null());
    jv_append_adopt(v, t->output_schema ? jv_ref(t->output_schema) : jv_null());
    jv_append_adopt(v, jv_int(t->effect));
    jv_append_adopt(v, jv_int(t->access));
    jv_write_canonical(v, &text);
    h = sha256_of(str_cstr(&text), text.len);
    str_deinit(&text);
    jv_unref(v);
    return h;
}

enum status tool_new(const struct tool_declaration *d, const struct tool_ops *ops, void *ctx,
                     struct tool **out, struct error *err)
{
    struct tool *t = xcalloc(1, sizeof(*t));
    enum status st;

    t->ops = ops;
    t->name = xstrdup(d->name);
    t->description = xstrdup(d->description);
    t->source = xstrdup(d->source);
    t->effect = d->effect;
    t->access = d->access;
    t->ctx = ctx;
    t->refs = 1;
    st = take_schema(d, d->input_schema, d->input, &t->input_schema, &t->checks_input, err);
    if (!st)
        st = take_schema(d, d->output_schema, d->output, &t->output_schema, &t->checks_output, err);
    if (st) {
        ops->free(t);
        return st;
    }
    t->hash = hash_of(t);
    *out = t;
    return STATUS_OK;
}

struct tool *tool_ref(struct tool *t)
{
    assert(t->refs > 0);
    t->refs++;
    return t;
}

void tool_unref(struct tool *t)
{
    if (!t)
        return;
    assert(t->refs > 0);
    if (--t->refs == 0 && t->ops->free)
        t->ops->free(t);
}

void tool_release(struct tool *t)
{
    free((void *)(uintptr_t)t->name);
    free((void *)(uintptr_t)t->description);
    free((void *)(uintptr_t)t->source);
    jv_unref(t->input_schema);
    jv_unref(t->output_schema);
    jv_unref(t->checks_input);
    jv_unref(t->checks_output);
    free(t);
}
