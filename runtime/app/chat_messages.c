/* chat_messages.c - what was said in a talk, from its record; see chat_talk.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/run_messages.h"
#include "runtime/app/chat_talk.h"

static bool has_role(const struct json *m, const char *role)
{
    return strcmp(jv_get_string(jv_get(m, "role"), ""), role) == 0;
}

/* {id, type, function: {name, arguments as text}} */
static struct json *calls_of(const struct json *m, size_t *n_calls)
{
    struct json *list = jv_array();

    for (size_t i = 0; i < jv_size(jv_get(m, "tool_calls")); i++) {
        const struct json *call = jv_at(jv_get(m, "tool_calls"), i);
        struct json *o = jv_object(), *f = jv_object();
        char *arguments = jv_dump(jv_get(call, "arguments")), id[32];

        snprintf(id, sizeof(id), "call_%zu", (*n_calls)++);
        jv_set_string(f, "name", jv_get_string(jv_get(call, "name"), ""));
        jv_set_string(f, "arguments", arguments);
        jv_set_string(o, "id", id);
        jv_set_string(o, "type", "function");
        jv_set_adopt(o, "function", f);
        jv_append_adopt(list, o);
        free(arguments);
    }
    return list;
}

static struct json *plain_message(const struct json *m)
{
    struct json *o = jv_object();

    jv_set_adopt(o, "role", jv_ref(jv_get(m, "role")));
    jv_set_adopt(o, "content", jv_ref(jv_get(m, "content")));
    return o;
}

/* n_calls, n_results: calls so far, and results, which come in their order. */
static struct json *full_message(const struct json *m, size_t *n_calls, size_t *n_results)
{
    struct json *o = plain_message(m), *calls;
    char *text, id[32];

    if (has_role(m, "tool")) {
        text = jv_dump(jv_get(m, "content"));
        snprintf(id, sizeof(id), "call_%zu", (*n_results)++);
        jv_set_string(o, "tool_call_id", id);
        jv_set_string(o, "content", text);
        free(text);
    }
    if (has_role(m, "assistant")) {
        calls = calls_of(m, n_calls);
        if (jv_size(calls) > 0)
            jv_set_adopt(o, "tool_calls", jv_ref(calls));
        jv_unref(calls);
    }
    return o;
}

/* Only what the person and the model said to each other. */
static bool is_plain(const struct json *m)
{
    bool said = jv_string_len(jv_get(m, "content")) > 0 && jv_size(jv_get(m, "tool_calls")) == 0;

    return has_role(m, "user") || (has_role(m, "assistant") && said);
}

/* Was there something to keep between this message of the user and the next? If not, the model
 * failed, and the message was taken back. */
static bool is_answered(const struct json *all, size_t i, bool plain)
{
    for (i++; i < jv_size(all) && !has_role(jv_at(all, i), "user"); i++)
        if (!plain || is_plain(jv_at(all, i)))
            return true;
    return false;
}

static struct json *convert(const struct json *all, bool plain)
{
    struct json *list = jv_array();
    size_t n_calls = 0, n_results = 0;

    for (size_t i = 0; i < jv_size(all); i++) {
        const struct json *m = jv_at(all, i);

        if (has_role(m, "user") ? !is_answered(all, i, plain) : plain && !is_plain(m))
            continue;
        jv_append_adopt(list, plain ? plain_message(m) : full_message(m, &n_calls, &n_results));
    }
    return list;
}

enum status chat_messages(struct chat *c, bool plain, struct json **out, struct error *err)
{
    struct store_reader *q = NULL;
    struct json *threads = NULL;
    enum status st;

    if (!c->uuid[0]) {
        *out = c->said ? jv_ref(c->said) : jv_array();
        return STATUS_OK;
    }
    st = c->run ? journal_sync(troupe_run_row(c->run), err) : STATUS_OK;
    if (!st)
        st = troupe_reader(c->app->troupe, &q, err);
    if (!st)
        st = run_messages_load(q, c->uuid, CHAT_STEP, &threads, err);
    if (!st)
        *out = convert(jv_get(jv_at(threads, 0), "messages"), plain);
    jv_unref(threads);
    return st;
}
