/* chat_answer_calls.c - see chat_answer_calls.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/chat_answer_calls.h"

#include <stdlib.h>
#include <string.h>

#include "models/remote/lenient_json.h"
#include "runtime/base/memory.h"

#define NO_INDEX (-1)

/* Where an object of arguments is, byte by byte: whether it is complete must not cost a parse for
 * each delta. */
struct object_scan {
    int32_t depth;
    bool in_string, escaped;
    bool ended;  /* its closing brace has come, and only blanks since */
    bool broken; /* something before or after it */
};

struct answer_call {
    char *id; /* NULL: none yet */
    int64_t index;
    struct str name, arguments;
    struct object_scan scan;
};

/* One delta, lent by the document. Empty texts count as none. */
struct delta {
    const char *id, *name;
    int64_t index;
    const struct json *arguments; /* NULL: none */
};

void answer_calls_deinit(struct answer_calls *a)
{
    for (int32_t i = 0; i < a->n; i++) {
        free(a->call[i].id);
        str_deinit(&a->call[i].name);
        str_deinit(&a->call[i].arguments);
    }
    free(a->call);
    *a = (struct answer_calls){.n = 0};
}

static enum status too_long(struct error *err)
{
    return error_set(err, STATUS_LIMIT, "the tool calls of the answer are longer than %zu MiB",
                     ANSWER_MAX_CALL_BYTES >> 20);
}

static enum status add_call(struct answer_calls *a, int64_t index, struct answer_call **out,
                            struct error *err)
{
    if (a->n == ANSWER_MAX_CALLS)
        return error_set(err, STATUS_LIMIT, "the answer has more than %d tool calls",
                         ANSWER_MAX_CALLS);
    if (a->n == a->cap) {
        int32_t cap = a->cap ? 2 * a->cap : 4;

        if (!mem_grow((void **)&a->call, (size_t)cap, sizeof(*a->call)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for %d tool calls", (int)cap);
        a->cap = cap;
    }
    *out = &a->call[a->n++];
    **out = (struct answer_call){.index = index, .name = STR_INIT, .arguments = STR_INIT};
    return STATUS_OK;
}

/* The arguments as an object, or NULL. No arguments are an empty object. */
static struct json *object_of(const struct answer_call *c)
{
    const char *text = str_cstr(&c->arguments);
    struct json *v = NULL;

    if (text[strspn(text, " \t\r\n")] == '\0')
        return jv_object();
    if (lenient_json(text, c->arguments.len, "arguments", &v, NULL))
        return NULL;
    if (jv_kind(v) == JV_OBJECT)
        return v;
    jv_unref(v);
    return NULL;
}

static bool has_arguments(const struct answer_call *c)
{
    return c->arguments.len > 0;
}

static void scan_string(struct object_scan *s, char c)
{
    if (s->escaped)
        s->escaped = false;
    else if (c == '\\')
        s->escaped = true;
    else if (c == '"')
        s->in_string = false;
}

static void scan_object(struct object_scan *s, const char *text, size_t n)
{
    for (size_t i = 0; i < n && !s->broken; i++) {
        char c = text[i];

        if (s->in_string)
            scan_string(s, c);
        else if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        else if (s->ended || (s->depth == 0 && c != '{'))
            s->broken = true;
        else if (c == '"')
            s->in_string = true;
        else if (c == '{' || c == '[')
            s->depth++;
        else if ((c == '}' || c == ']') && --s->depth == 0)
            s->ended = true;
    }
}

static bool is_complete(const struct answer_call *c)
{
    return c->scan.ended && !c->scan.broken;
}

static struct answer_call *by_id(const struct answer_calls *a, const char *id)
{
    for (int32_t i = a->n; i-- > 0;)
        if (a->call[i].id && strcmp(a->call[i].id, id) == 0)
            return &a->call[i];
    return NULL;
}

/* The latest call with this index. */
static struct answer_call *by_index(const struct answer_calls *a, int64_t index)
{
    for (int32_t i = a->n; i-- > 0;)
        if (a->call[i].index == index)
            return &a->call[i];
    return NULL;
}

static bool brings_arguments(const struct delta *d)
{
    return d->arguments &&
           !(jv_kind(d->arguments) == JV_STRING && jv_string_len(d->arguments) == 0);
}

static bool has_name(const struct answer_call *c, const char *name)
{
    return strcmp(str_cstr(&c->name), name) == 0;
}

/* Does the delta begin another call, although it points to this one? The name of the call again, in
 * a delta without arguments, is a repetition. */
static bool begins_another(const struct answer_call *c, const struct delta *d)
{
    return d->name && c->name.len > 0 && is_complete(c) &&
           (brings_arguments(d) || !has_name(c, d->name));
}

static bool has_other_place(const struct answer_call *c, const struct delta *d)
{
    return (d->index != NO_INDEX && d->index != c->index) || !has_name(c, d->name);
}

/* Is an id that nobody has only a new word for the call with the same index? Then the call is half
 * way through its arguments and the delta goes on with them. */
static bool goes_on(const struct answer_call *c, const struct delta *d)
{
    return !d->name && brings_arguments(d) && has_arguments(c) && !is_complete(c);
}

/* NULL: the delta begins a call. */
static struct answer_call *owner_of(const struct answer_calls *a, const struct delta *d)
{
    struct answer_call *c = d->id ? by_id(a, d->id) : NULL;

    if (c) /* or one id for all calls? */
        return begins_another(c, d) && has_other_place(c, d) ? NULL : c;
    if (d->index != NO_INDEX)
        c = by_index(a, d->index);
    if (c && d->id && c->id && !goes_on(c, d))
        return NULL;
    if (!c && a->n > 0 && !d->id && !d->name)
        c = &a->call[a->n - 1]; /* a wrong index, or none */
    if (!c && a->n > 0 && !d->id && d->index == NO_INDEX &&
        (a->call[a->n - 1].name.len == 0 || has_name(&a->call[a->n - 1], d->name)))
        c = &a->call[a->n - 1];
    return c && begins_another(c, d) ? NULL : c;
}

static enum status put(struct answer_calls *a, struct str *to, const char *text, size_t n,
                       struct error *err)
{
    if (n > ANSWER_MAX_CALL_BYTES - a->bytes)
        return too_long(err);
    str_append(to, text, n);
    if (!str_ok(to))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a tool call");
    a->bytes += n;
    return STATUS_OK;
}

static enum status append_arguments(struct answer_calls *a, struct answer_call *c, const char *text,
                                    size_t n, struct error *err)
{
    scan_object(&c->scan, text, n);
    return put(a, &c->arguments, text, n, err);
}

static enum status put_name(struct answer_calls *a, struct answer_call *c, const char *name,
                            struct error *err)
{
    /* Whole in each delta, or in parts before the arguments. */
    if (has_name(c, name) || has_arguments(c))
        return STATUS_OK;
    return put(a, &c->name, name, strlen(name), err);
}

static enum status put_arguments(struct answer_calls *a, struct answer_call *c,
                                 const struct json *v, struct error *err)
{
    char *text;
    enum status st;

    if (jv_kind(v) == JV_NULL)
        return STATUS_OK;
    if (jv_kind(v) == JV_STRING) {
        size_t n = jv_string_len(v);
        const char *more = jv_get_string(v, "");

        /* Some servers send the whole text once more at the end. */
        if (n == c->arguments.len && memcmp(more, str_cstr(&c->arguments), n) == 0 &&
            is_complete(c))
            return STATUS_OK;
        return append_arguments(a, c, more, n, err);
    }
    text = jv_dump(v);
    a->bytes -= c->arguments.len;
    str_clear(&c->arguments); /* an object is whole: the latest counts */
    c->scan = (struct object_scan){.depth = 0};
    st = append_arguments(a, c, text, strlen(text), err);
    free(text);
    return st;
}

static const char *text_or_null(const struct json *v)
{
    const char *s = jv_get_string(v, NULL);

    return s && *s ? s : NULL;
}

static struct delta read_delta(const struct json *v)
{
    const struct json *f = jv_get(v, "function");
    const struct json *from = jv_kind(f) == JV_OBJECT ? f : v;

    return (struct delta){.id = text_or_null(jv_get(v, "id")),
                          .name = text_or_null(jv_get(from, "name")),
                          .index = jv_get_int(jv_get(v, "index"), NO_INDEX),
                          .arguments = jv_get(from, "arguments")};
}

static enum status fill(struct answer_calls *a, struct answer_call *c, const struct delta *d,
                        struct error *err)
{
    enum status st = d->name ? put_name(a, c, d->name, err) : STATUS_OK;

    if (d->id && !c->id)
        c->id = xstrndup(d->id, 256);
    if (!st && d->arguments)
        st = put_arguments(a, c, d->arguments, err);
    return st;
}

static enum status add_delta(struct answer_calls *a, const struct json *v, int64_t position,
                             struct error *err)
{
    struct delta d = read_delta(v);
    struct answer_call *c;
    enum status st = STATUS_OK;

    if (jv_kind(v) != JV_OBJECT)
        return STATUS_OK;
    if (d.index < 0)
        d.index = d.id ? NO_INDEX : position;
    c = owner_of(a, &d);
    if (!c && !d.id && !d.name && !brings_arguments(&d))
        return STATUS_OK;
    if (!c)
        st = add_call(a, d.index, &c, err);
    return st ? st : fill(a, c, &d, err);
}

enum status answer_calls_add(struct answer_calls *a, const struct json *deltas, struct error *err)
{
    enum status st = STATUS_OK;
    size_t n = jv_size(deltas);

    if (jv_kind(deltas) == JV_OBJECT)
        return add_delta(a, deltas, NO_INDEX, err);
    if (jv_kind(deltas) != JV_ARRAY)
        return STATUS_OK;
    /* The place in a list is an index only where the list has several. */
    for (size_t i = 0; i < n && !st; i++)
        st = add_delta(a, jv_at(deltas, i), n > 1 ? (int64_t)i : NO_INDEX, err);
    return st;
}

enum status answer_calls_set(struct answer_calls *a, const struct json *calls, struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; i < jv_size(calls) && jv_kind(calls) == JV_ARRAY && !st; i++) {
        struct delta d = read_delta(jv_at(calls, i));
        struct answer_call *c = NULL;

        st = add_call(a, (int64_t)i, &c, err);
        if (!st)
            st = fill(a, c, &d, err);
    }
    return st;
}

bool answer_calls_are_whole(const struct answer_calls *a)
{
    for (int32_t i = 0; i < a->n; i++) {
        struct json *v = object_of(&a->call[i]);

        jv_unref(v);
        if (!v || !has_arguments(&a->call[i]) || a->call[i].name.len == 0)
            return false;
    }
    return a->n > 0;
}

void answer_calls_hide(struct answer_calls *a, const struct answer_secrets *s)
{
    for (int32_t i = 0; i < a->n; i++) {
        struct answer_call *c = &a->call[i];

        answer_secrets_hide(s, c->id, c->id ? strlen(c->id) : 0, 0);
        answer_secrets_hide(s, c->name.data, c->name.len, 0);
        answer_secrets_hide(s, c->arguments.data, c->arguments.len, 0);
    }
}

struct json *answer_calls_take(struct answer_calls *a)
{
    struct json *list = a->n > 0 ? jv_array() : NULL;

    for (int32_t i = 0; i < a->n; i++) {
        struct answer_call *c = &a->call[i];
        struct json *v = jv_object(), *arguments = object_of(c);
        const char *text = str_cstr(&c->arguments);

        jv_set_string(v, "name", str_cstr(&c->name));
        jv_set_adopt(v, "arguments", arguments ? arguments : jv_string_n(text, c->arguments.len));
        if (c->id && !by_id(&(struct answer_calls){.call = a->call, .n = i}, c->id))
            jv_set_string(v, "id", c->id);
        jv_append_adopt(list, v);
    }
    answer_calls_deinit(a);
    return list;
}
