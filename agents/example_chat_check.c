/* example_chat_check.c - see example_chat_check.h.
 *
 * A template passes over a role or a key that it does not know. A misspelt one would be left out of
 * what is trained, and nothing would say so. And what a template reads must have its type, or the
 * error would be one of the template, far from the file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_chat_check.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
static const char *const line_keys[] = {"messages", "tools"};
static const char *const message_keys[] = {"role",       "content",           "name",
                                           "tool_calls", "reasoning_content", "tool_call_id"};
static const char *const call_keys[] = {"id", "type", "index", "function"};
static const char *const function_keys[] = {"name", "arguments"};

/* The hint of an unknown word: the nearest one, and all of them. */
static enum status hint_words(struct error *err, const char *word, const char *const *known,
                              size_t n)
{
    const char *near = nearest_word(word, known, n);
    struct str list = STR_INIT;

    for (size_t i = 0; i < n; i++)
        str_printf(&list, "%s%s", i ? ", " : "", known[i]);
    if (near)
        error_hint(err, "did you mean %s? There are: %s", near, str_cstr(&list));
    else
        error_hint(err, "there are: %s", str_cstr(&list));
    str_deinit(&list);
    return STATUS_INVALID;
}

static bool is_one_of(const char *word, const char *const *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

/* Of the line, or of a message by its place in it. */
static enum status check_keys(const struct json *v, const char *place, const char *const *known,
                              size_t n, struct error *err)
{
    const char *key;

    for (void *it = NULL; (it = jv_next(v, it, &key, NULL)) != NULL;)
        if (!is_one_of(key, known, n)) {
            (void)error_set(err, STATUS_INVALID, "%sunknown key \"%.80s\"", place, key);
            return hint_words(err, key, known, n);
        }
    return STATUS_OK;
}

static bool is_absent(const struct json *v)
{
    return !v || jv_kind(v) == JV_NULL;
}

/* A member that may be absent. */
static enum status check_kind(const struct json *v, const char *key, enum jv_kind kind,
                              const char *place, struct error *err)
{
    const struct json *member = jv_get(v, key);
    const char *word = kind == JV_STRING ? "text" : kind == JV_ARRAY ? "a list" : "an object";

    if (is_absent(member) || jv_kind(member) == kind)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "%s\"%s\" is not %s", place, key, word);
}

/* The same for one that must be there. */
static enum status need_kind(const struct json *v, const char *key, enum jv_kind kind,
                             const char *place, struct error *err)
{
    if (is_absent(jv_get(v, key)))
        return error_set(err, STATUS_INVALID, "%sthere is no \"%s\"", place, key);
    return check_kind(v, key, kind, place, err);
}

/* "function" of a call or of a tool, with its name. */
static enum status check_function(const struct json *v, const char *place, struct error *err)
{
    enum status st;

    if (jv_kind(v) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "%sexpected an object", place);
    st = need_kind(v, "function", JV_OBJECT, place, err);
    if (!st)
        st = check_kind(v, "type", JV_STRING, place, err);
    if (!st && strcmp(jv_get_string(jv_get(v, "type"), "function"), "function") != 0)
        st = error_set(err, STATUS_INVALID, "%s\"type\" is not \"function\"", place);
    return st ? st : need_kind(jv_get(v, "function"), "name", JV_STRING, place, err);
}

/* An object, or its JSON text, as the OpenAI API has it. */
static enum status check_arguments(const struct json *arguments, const char *place,
                                   struct error *err)
{
    struct json *parsed = NULL;
    struct error why = ERROR_INIT;
    bool fits = jv_kind(arguments) == JV_OBJECT;

    if (is_absent(arguments))
        return error_set(err, STATUS_INVALID, "%sthere is no \"arguments\"", place);
    if (jv_kind(arguments) == JV_STRING &&
        !jv_parse(jv_get_string(arguments, ""), jv_string_len(arguments), "arguments", &parsed,
                  &why))
        fits = jv_kind(parsed) == JV_OBJECT;
    jv_unref(parsed);
    if (fits)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "%s\"arguments\" is not an object%s%s", place,
                     why.message[0] ? ": " : "", why.message);
}

static enum status check_calls(const struct json *calls, size_t message, struct error *err)
{
    char place[80];
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < jv_size(calls); i++) {
        const struct json *call = jv_at(calls, i), *function = jv_get(call, "function");

        (void)snprintf(place, sizeof(place), "messages[%zu].tool_calls[%zu]: ", message, i);
        if (jv_kind(call) == JV_OBJECT && function)
            st = check_keys(call, place, call_keys, ARRAY_LEN(call_keys), err);
        if (!st)
            st = check_function(call, place, err);
        (void)snprintf(place, sizeof(place), "messages[%zu].tool_calls[%zu].function: ", message,
                       i);
        if (!st)
            st = check_keys(function, place, function_keys, ARRAY_LEN(function_keys), err);
        if (!st)
            st = check_arguments(jv_get(function, "arguments"), place, err);
    }
    return st;
}

static enum status check_tools(const struct json *tools, struct error *err)
{
    char place[40];
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < jv_size(tools); i++) {
        const struct json *function = jv_get(jv_at(tools, i), "function");

        (void)snprintf(place, sizeof(place), "tools[%zu]: ", i);
        st = check_function(jv_at(tools, i), place, err);
        (void)snprintf(place, sizeof(place), "tools[%zu].function: ", i);
        if (!st)
            st = check_kind(function, "description", JV_STRING, place, err);
        if (!st)
            st = check_kind(function, "parameters", JV_OBJECT, place, err);
    }
    return st;
}

/* Text; an assistant that calls tools or only thinks may have none. */
static enum status check_content(const struct json *m, const char *role, const char *place,
                                 struct error *err)
{
    const struct json *content = jv_get(m, "content");
    bool may = strcmp(role, "assistant") == 0 &&
               (jv_size(jv_get(m, "tool_calls")) > 0 || jv_get(m, "reasoning_content"));

    if (may && is_absent(content))
        return STATUS_OK;
    return need_kind(m, "content", JV_STRING, place, err);
}

static enum status check_message(const struct json *m, size_t i, bool lenient, const char **role,
                                 struct error *err)
{
    static const char *const text_keys[] = {"name", "reasoning_content", "tool_call_id"};
    const struct json *calls = jv_get(m, "tool_calls");
    char place[40];
    enum status st;

    (void)snprintf(place, sizeof(place), "messages[%zu]: ", i);
    if (jv_kind(m) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "%sexpected an object", place);
    st = lenient ? STATUS_OK : check_keys(m, place, message_keys, ARRAY_LEN(message_keys), err);
    if (st)
        return st;
    *role = jv_get_string(jv_get(m, "role"), NULL);
    if (!*role)
        return error_set(err, STATUS_INVALID, "%sthere is no \"role\"", place);
    if (lenient)
        return STATUS_OK;
    if (!is_one_of(*role, roles, ARRAY_LEN(roles))) {
        (void)error_set(err, STATUS_INVALID, "%sunknown role \"%.80s\"", place, *role);
        return hint_words(err, *role, roles, ARRAY_LEN(roles));
    }
    if (!is_absent(calls) && strcmp(*role, "assistant") != 0)
        return error_set(err, STATUS_INVALID, "%s\"tool_calls\" is only for an assistant", place);
    st = check_kind(m, "tool_calls", JV_ARRAY, place, err);
    for (size_t k = 0; !st && k < ARRAY_LEN(text_keys); k++)
        st = check_kind(m, text_keys[k], JV_STRING, place, err);
    if (!st)
        st = check_calls(calls, i, err);
    return st ? st : check_content(m, *role, place, err);
}

enum status example_chat_check(const struct json *line, bool lenient, struct error *err)
{
    const struct json *messages = jv_get(line, "messages"), *tools = jv_get(line, "tools");
    bool speaks = false;
    enum status st =
        lenient ? STATUS_OK : check_keys(line, "", line_keys, ARRAY_LEN(line_keys), err);

    if (st)
        return st;
    if (jv_kind(messages) != JV_ARRAY || jv_size(messages) == 0)
        return error_set(err, STATUS_INVALID,
                         "expected an object with \"messages\", a non-empty list");
    st = check_kind(line, "tools", JV_ARRAY, "", err);
    if (!st)
        st = check_tools(tools, err);
    if (st)
        return st;
    for (size_t i = 0; i < jv_size(messages); i++) {
        const char *role = "";

        st = check_message(jv_at(messages, i), i, lenient, &role, err);
        if (st)
            return st;
        speaks = speaks || strcmp(role, "assistant") == 0;
    }
    if (!speaks)
        return error_set(err, STATUS_INVALID,
                         "there is no assistant message, so there is nothing to train on");
    return STATUS_OK;
}
