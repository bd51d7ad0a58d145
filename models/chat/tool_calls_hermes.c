/* tool_calls_hermes.c - <tool_call>{"name": ..., "arguments": {...}}</tool_call>.
 *
 * The JSON is delimited by its own brackets, so that "</tool_call>" may be in a
 * string. The closing tag may be missing at the end of the text, when the model
 * stopped at it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"

#define FORM "{\"name\": ..., \"arguments\": {...}} between " CALL_OPEN " and " CALL_CLOSE

/* The end of the object or array that starts at i; 0 when its brackets do not match. A tag or a
 * backslash outside of strings is not JSON and ends the search, so each of many unclosed calls is
 * read only up to the next. */
static size_t json_end(const struct call_text *t, size_t i)
{
    const size_t from = i;
    size_t depth = 0, end = 0;

    for (; i < t->n && end == 0; i++) {
        const char c = t->p[i];

        if (c == '"') {
            for (i++; i < t->n && t->p[i] != '"'; i++)
                i += t->p[i] == '\\';
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                break;
            if (--depth == 0)
                end = i + 1;
        } else if (depth == 0 || c == '<' || c == '\\') {
            break;
        }
    }
    *t->visited += (i < t->n ? i : t->n) - (from < t->n ? from : t->n);
    return end;
}

/* An object, or a text that holds one; NULL (and an error) for all else. */
static struct json *read_arguments(struct parsed_call *call, const struct json *v)
{
    struct json *object = NULL;
    struct error err = ERROR_INIT;
    enum status st = STATUS_OK;

    if (jv_kind(v) == JV_NULL)
        return jv_object();
    if (jv_kind(v) == JV_OBJECT)
        return jv_ref((struct json *)(uintptr_t)v);
    if (jv_kind(v) == JV_STRING)
        st = jv_parse(jv_get_string(v, ""), jv_string_len(v), "arguments", &object, &err);
    if (jv_kind(object) == JV_OBJECT)
        return object;
    jv_unref(object);
    if (st && jv_get_string(v, "")[0] == '{')
        call_error(call, "The \"arguments\" of the call cannot be read (%s): %s.", err.where,
                   err.message);
    else
        call_error(call, "\"arguments\" of the call must be an object, not a value of type %s.",
                   jv_kind_name(jv_kind(v)));
    return NULL;
}

static void read_object(struct parsed_call *call, const struct json *v)
{
    const char *name = jv_get_string(jv_get(v, "name"), NULL);
    const struct json *arguments = jv_get(v, "arguments");

    if (jv_kind(v) != JV_OBJECT) {
        call_error(call,
                   "A tool call is one JSON object, not a value of type %s. Write each call "
                   "as " FORM ".",
                   jv_kind_name(jv_kind(v)));
        return;
    }
    if (name == NULL || name[0] == '\0') {
        call_error(call, "The tool call has no \"name\". Write it as " FORM ".");
        return;
    }
    call->name = xstrdup(name);
    if (arguments == NULL)
        arguments = jv_get(v, "parameters"); /* what Llama calls them */
    call->arguments = read_arguments(call, arguments);
}

size_t hermes_read_call(const struct call_text *t, size_t from, struct parsed_call *call)
{
    const size_t start = call_skip_space(t, from + strlen(CALL_OPEN));
    const size_t end = json_end(t, start), after = call_skip_space(t, end);
    struct json *v = NULL;
    struct error err = ERROR_INIT;

    if (end == 0) {
        call_error(call, "The tool call is not complete JSON. Write it as " FORM ".");
        return call_skip_rest(t, start, CALL_CLOSE);
    }
    if (!call_at(t, after, CALL_CLOSE) && after < t->n) {
        call_error(call, "After the JSON of the tool call comes something other than " CALL_CLOSE
                         ". Write each call as " FORM ".");
        return call_skip_rest(t, end, CALL_CLOSE);
    }
    if (jv_parse(t->p + start, end - start, "call", &v, &err))
        call_error(call, "The tool call cannot be read (%s): %s. Write it as " FORM ".", err.where,
                   err.message);
    else
        read_object(call, v);
    jv_unref(v);
    return after == t->n ? t->n : after + strlen(CALL_CLOSE);
}
