/* example_chat_check.c - see example_chat_check.h.
 *
 * A template passes over a role or a key that it does not know. A misspelt one would be left out of
 * what is trained, and nothing would say so.
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

/* Text; an assistant that calls tools or only thinks may have none. */
static enum status check_content(const struct json *m, const char *role, const char *place,
                                 struct error *err)
{
    const struct json *content = jv_get(m, "content");
    bool absent = !content || jv_kind(content) == JV_NULL;
    bool may = strcmp(role, "assistant") == 0 &&
               (jv_size(jv_get(m, "tool_calls")) > 0 || jv_get(m, "reasoning_content"));

    if (absent && !may)
        return error_set(err, STATUS_INVALID, "%sthere is no \"content\"", place);
    if (!absent && jv_kind(content) != JV_STRING)
        return error_set(err, STATUS_INVALID, "%s\"content\" is not text", place);
    return STATUS_OK;
}

static enum status check_message(const struct json *m, size_t i, bool lenient, const char **role,
                                 struct error *err)
{
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
    if (calls && jv_kind(calls) != JV_ARRAY && jv_kind(calls) != JV_NULL)
        return error_set(err, STATUS_INVALID, "%s\"tool_calls\" is not a list", place);
    return check_content(m, *role, place, err);
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
    if (tools && jv_kind(tools) != JV_ARRAY && jv_kind(tools) != JV_NULL)
        return error_set(err, STATUS_INVALID, "\"tools\" is not a list");
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
