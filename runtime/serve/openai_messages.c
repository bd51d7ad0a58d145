/* openai_messages.c - the messages, tools and answer's format of a request for a chat.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/schema.h"
#include "runtime/serve/openai_internal.h"

#define MAX_MESSAGES 8192
#define MAX_TOOLS    128
#define MAX_CALLS    128 /* of one message */
#define MAX_NAME     64

/* A place in the request, for errors. */
struct place {
    char at[OPENAI_PATH];
};

/* Each value of a request has one, so that no format is read for it. One that is too long ends in
 * "...". */
static struct place placed(const char *at, const char *before, const char *name, const char *after)
{
    const char *const parts[] = {at, before, name, after};
    struct place p;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *c = parts[i]; *c && n < sizeof(p.at); c++)
            p.at[n++] = *c;
    if (n == sizeof(p.at))
        memcpy(p.at + sizeof(p.at) - sizeof("..."), "...", sizeof("..."));
    else
        p.at[n] = 0;
    return p;
}

static struct place member(const char *at, const char *key)
{
    return placed(at, ".", key, "");
}

static struct place element(const char *at, size_t i)
{
    char digits[24], *p = digits + sizeof(digits) - 1;

    *p = 0;
    do {
        *--p = (char)('0' + i % 10);
        i /= 10;
    } while (i > 0);
    return placed(at, "[", p, "]");
}

/* A string with 1 to max bytes; max 0: any. */
static bool is_text(struct openai_error *e, const char *at, const struct json *v, size_t max)
{
    if (jv_kind(v) != JV_STRING)
        return openai_wrong_kind(e, at, v, "a string");
    if (max > 0 && (jv_string_len(v) == 0 || jv_string_len(v) > max))
        return openai_fail(e, 400, "invalid_value", at, "%s must have 1 to %zu bytes, not %zu", at,
                           max, jv_string_len(v));
    return true;
}

/* A name of a tool or schema: letters, digits, _ and -. */
static bool is_name(struct openai_error *e, const char *at, const struct json *v)
{
    const char *text = jv_get_string(v, "");

    if (!is_text(e, at, v, MAX_NAME))
        return false;
    for (; *text; text++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *text))
            return openai_fail(e, 400, "invalid_value", at,
                               "%s must have only letters, digits, _ and -", at);
    return true;
}

/* Absent, null, or a string. */
static bool may_be_text(struct openai_error *e, const char *at, const struct json *object,
                        const char *key, size_t max)
{
    const struct json *v = jv_get(object, key);

    return jv_kind(v) == JV_NULL || is_text(e, member(at, key).at, v, max);
}

/* ---- messages */

/* What one message of the list may refer to. */
struct conversation {
    struct map *calls; /* ids of tool calls so far */
    const char *role;
};

static bool read_image(struct openai_error *e, const char *at, const struct json *part,
                       const struct conversation *c)
{
    static const char *const keys[] = {"type", "image_url", NULL};
    static const char *const image_keys[] = {"url", "detail", NULL};
    const struct json *image = jv_get(part, "image_url");
    const struct place p = member(at, "image_url");

    if (strcmp(c->role, "user") != 0)
        return openai_fail(e, 400, "invalid_value", member(at, "type").at,
                           "only messages of the user may have an image");
    if (jv_kind(image) != JV_OBJECT)
        return openai_wrong_kind(e, p.at, image, "an object");
    return openai_only_keys(e, at, part, keys) && openai_only_keys(e, p.at, image, image_keys) &&
           is_text(e, member(p.at, "url").at, jv_get(image, "url"), JSON_MAX_BYTES) &&
           may_be_text(e, p.at, image, "detail", MAX_NAME);
}

static bool read_part(struct openai_error *e, const char *at, const struct json *part,
                      const struct conversation *c)
{
    static const char *const keys[] = {"type", "text", NULL};
    const struct json *type = jv_get(part, "type");
    const struct place p = member(at, "type");

    if (jv_kind(part) != JV_OBJECT)
        return openai_wrong_kind(e, at, part, "an object");
    if (!is_text(e, p.at, type, 0))
        return false;
    if (strcmp(jv_get_string(type, ""), "image_url") == 0)
        return read_image(e, at, part, c);
    if (strcmp(jv_get_string(type, ""), "text") != 0)
        return openai_fail(e, 400, "unsupported_value", p.at,
                           "%s must be \"text\" or \"image_url\", not \"%.40s\"", p.at,
                           jv_get_string(type, ""));
    return openai_only_keys(e, at, part, keys) &&
           is_text(e, member(at, "text").at, jv_get(part, "text"), 0);
}

static bool read_content(struct openai_error *e, const char *at, const struct json *m,
                         const struct conversation *c)
{
    const struct json *content = jv_get(m, "content");
    const struct place p = member(at, "content");

    if (jv_kind(content) == JV_STRING)
        return true;
    if (jv_kind(content) == JV_NULL && strcmp(c->role, "assistant") == 0)
        return jv_size(jv_get(m, "tool_calls")) > 0 ||
               openai_fail(e, 400, "invalid_value", p.at, "%s may be null only with tool_calls",
                           p.at);
    if (jv_kind(content) != JV_ARRAY)
        return openai_wrong_kind(e, p.at, content, "a string or an array of parts");
    if (jv_size(content) == 0)
        return openai_fail(e, 400, "empty_array", p.at, "%s is empty", p.at);
    for (size_t i = 0; i < jv_size(content); i++)
        if (!read_part(e, element(p.at, i).at, jv_at(content, i), c))
            return false;
    return true;
}

static bool read_call(struct openai_error *e, const char *at, const struct json *call,
                      struct conversation *c)
{
    static const char *const keys[] = {"id", "type", "function", "index", NULL};
    static const char *const function_keys[] = {"name", "arguments", NULL};
    const struct json *f = jv_get(call, "function");
    const struct place p = member(at, "function");

    if (jv_kind(call) != JV_OBJECT)
        return openai_wrong_kind(e, at, call, "an object");
    if (!openai_only_keys(e, at, call, keys) ||
        !is_text(e, member(at, "id").at, jv_get(call, "id"), 256))
        return false;
    if (strcmp(jv_get_string(jv_get(call, "type"), "function"), "function") != 0)
        return openai_fail(e, 400, "unsupported_value", member(at, "type").at,
                           "%s must be \"function\"", member(at, "type").at);
    if (jv_kind(f) != JV_OBJECT)
        return openai_wrong_kind(e, p.at, f, "an object");
    map_put(c->calls, jv_get_string(jv_get(call, "id"), ""), c);
    return openai_only_keys(e, p.at, f, function_keys) &&
           is_text(e, member(p.at, "name").at, jv_get(f, "name"), 256) &&
           is_text(e, member(p.at, "arguments").at, jv_get(f, "arguments"), 0);
}

static bool read_calls(struct openai_error *e, const char *at, const struct json *m,
                       struct conversation *c)
{
    const struct json *calls = jv_get(m, "tool_calls");
    const struct place p = member(at, "tool_calls");

    if (jv_kind(calls) == JV_NULL)
        return true;
    if (jv_kind(calls) != JV_ARRAY)
        return openai_wrong_kind(e, p.at, calls, "an array");
    if (jv_size(calls) > MAX_CALLS)
        return openai_fail(e, 400, "array_above_max_length", p.at,
                           "%s must have at most %d calls, not %zu", p.at, MAX_CALLS,
                           jv_size(calls));
    for (size_t i = 0; i < jv_size(calls); i++)
        if (!read_call(e, element(p.at, i).at, jv_at(calls, i), c))
            return false;
    return true;
}

static bool read_assistant(struct openai_error *e, const char *at, const struct json *m,
                           struct conversation *c)
{
    /* Some are only null or empty in what clients send back. */
    static const char *const keys[] = {"role",      "content",           "name",  "tool_calls",
                                       "refusal",   "annotations",       "audio", "function_call",
                                       "reasoning", "reasoning_content", NULL};
    static const char *const gone[] = {"audio", "function_call"};

    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        if (jv_kind(jv_get(m, gone[i])) != JV_NULL)
            return openai_refuse(e, member(at, gone[i]).at, "only text and tool_calls are read");
    return openai_only_keys(e, at, m, keys) && read_calls(e, at, m, c) &&
           may_be_text(e, at, m, "name", MAX_NAME) && may_be_text(e, at, m, "refusal", 0) &&
           may_be_text(e, at, m, "reasoning", 0) && may_be_text(e, at, m, "reasoning_content", 0);
}

static bool read_result(struct openai_error *e, const char *at, const struct json *m,
                        struct conversation *c)
{
    static const char *const keys[] = {"role", "content", "name", "tool_call_id", NULL};
    const struct json *id = jv_get(m, "tool_call_id");
    const struct place p = member(at, "tool_call_id");

    if (!openai_only_keys(e, at, m, keys) || !is_text(e, p.at, id, 256) ||
        !may_be_text(e, at, m, "name", 256))
        return false;
    return map_get(c->calls, jv_get_string(id, "")) ||
           openai_fail(e, 400, "invalid_value", p.at,
                       "%s is \"%.60s\", but no message before has a tool call with this id", p.at,
                       jv_get_string(id, ""));
}

static bool read_message(struct openai_error *e, const char *at, const struct json *m,
                         struct conversation *c)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    static const char *const keys[] = {"role", "content", "name", NULL};
    const struct json *role = jv_get(m, "role");
    const struct place p = member(at, "role");
    size_t i = 0;

    if (jv_kind(m) != JV_OBJECT)
        return openai_wrong_kind(e, at, m, "an object");
    if (!is_text(e, p.at, role, 0))
        return false;
    c->role = jv_get_string(role, "");
    while (i < ARRAY_LEN(roles) && strcmp(roles[i], c->role) != 0)
        i++;
    if (i == ARRAY_LEN(roles))
        return openai_fail(e, 400, "invalid_value", p.at,
                           "%s must be system, developer, user, assistant or tool, not \"%.40s\"",
                           p.at, c->role);
    if (strcmp(c->role, "assistant") == 0) {
        if (!read_assistant(e, at, m, c))
            return false;
    } else if (strcmp(c->role, "tool") == 0) {
        if (!read_result(e, at, m, c))
            return false;
    } else if (!openai_only_keys(e, at, m, keys) || !may_be_text(e, at, m, "name", MAX_NAME)) {
        return false;
    }
    return read_content(e, at, m, c);
}

bool openai_read_messages(struct openai_request *r, const struct json *v, const char *param,
                          struct openai_error *e)
{
    struct conversation c = {.calls = NULL};
    bool good = true;

    if (jv_kind(v) != JV_ARRAY)
        return openai_wrong_kind(e, param, v, "an array");
    if (jv_size(v) == 0)
        return openai_fail(e, 400, "empty_array", param, "%s is empty", param);
    if (jv_size(v) > MAX_MESSAGES)
        return openai_fail(e, 400, "array_above_max_length", param,
                           "%s must have at most %d messages, not %zu", param, MAX_MESSAGES,
                           jv_size(v));
    c.calls = map_new();
    for (size_t i = 0; i < jv_size(v) && good; i++)
        good = read_message(e, element(param, i).at, jv_at(v, i), &c);
    map_free(c.calls, NULL);
    r->messages = v;
    return good;
}

/* ---- tools */

static bool read_tool(struct openai_error *e, const char *at, const struct json *tool,
                      struct map *names)
{
    static const char *const keys[] = {"type", "function", NULL};
    static const char *const function_keys[] = {"name", "description", "parameters", "strict",
                                                NULL};
    const struct json *f = jv_get(tool, "function"), *strict, *parameters;
    const struct place p = member(at, "function"), type = member(at, "type");

    if (jv_kind(tool) != JV_OBJECT)
        return openai_wrong_kind(e, at, tool, "an object");
    if (!is_text(e, type.at, jv_get(tool, "type"), 0))
        return false;
    if (strcmp(jv_get_string(jv_get(tool, "type"), ""), "function") != 0)
        return openai_fail(e, 400, "unsupported_value", type.at, "%s must be \"function\"",
                           type.at);
    if (!openai_only_keys(e, at, tool, keys))
        return false;
    if (jv_kind(f) != JV_OBJECT)
        return openai_wrong_kind(e, p.at, f, "an object");
    strict = jv_get(f, "strict");
    parameters = jv_get(f, "parameters");
    if (!openai_only_keys(e, p.at, f, function_keys) ||
        !is_name(e, member(p.at, "name").at, jv_get(f, "name")) ||
        !may_be_text(e, p.at, f, "description", 0))
        return false;
    if (jv_kind(strict) != JV_NULL && jv_kind(strict) != JV_BOOL)
        return openai_wrong_kind(e, member(p.at, "strict").at, strict, "true or false");
    if (jv_kind(parameters) != JV_NULL && jv_kind(parameters) != JV_OBJECT)
        return openai_wrong_kind(e, member(p.at, "parameters").at, parameters, "an object");
    return !map_put(names, jv_get_string(jv_get(f, "name"), ""), names) ||
           openai_fail(e, 400, "invalid_value", member(p.at, "name").at,
                       "two tools have the name \"%s\"", jv_get_string(jv_get(f, "name"), ""));
}

bool openai_read_tools(struct openai_request *r, const struct json *v, const char *param,
                       struct openai_error *e)
{
    struct map *names;
    bool good = true;

    if (jv_kind(v) != JV_ARRAY)
        return openai_wrong_kind(e, param, v, "an array");
    if (jv_size(v) > MAX_TOOLS)
        return openai_fail(e, 400, "array_above_max_length", param,
                           "%s must have at most %d tools, not %zu", param, MAX_TOOLS, jv_size(v));
    names = map_new();
    for (size_t i = 0; i < jv_size(v) && good; i++)
        good = read_tool(e, element(param, i).at, jv_at(v, i), names);
    map_free(names, NULL);
    if (jv_size(v) > 0)
        r->tools = v;
    return good;
}

static bool has_tool(const struct json *tools, const char *name)
{
    for (size_t i = 0; i < jv_size(tools); i++)
        if (strcmp(jv_get_string(jv_get(jv_get(jv_at(tools, i), "function"), "name"), ""), name) ==
            0)
            return true;
    return false;
}

/* {"type": "function", "function": {"name": ...}} */
static bool read_chosen(struct openai_request *r, const struct json *v, const char *param,
                        struct openai_error *e)
{
    static const char *const keys[] = {"type", "function", NULL};
    static const char *const function_keys[] = {"name", NULL};
    const struct json *f = jv_get(v, "function"), *name = jv_get(f, "name");
    const struct place p = member(param, "function"), at = member(p.at, "name");

    if (strcmp(jv_get_string(jv_get(v, "type"), ""), "function") != 0)
        return openai_fail(e, 400, "unsupported_value", member(param, "type").at,
                           "tool_choice.type must be \"function\"");
    if (jv_kind(f) != JV_OBJECT)
        return openai_wrong_kind(e, p.at, f, "an object");
    if (!openai_only_keys(e, param, v, keys) || !openai_only_keys(e, p.at, f, function_keys) ||
        !is_name(e, at.at, name))
        return false;
    r->tool_choice = jv_get_string(name, "");
    if (strcmp(r->tool_choice, "none") == 0 || strcmp(r->tool_choice, "required") == 0)
        return openai_fail(e, 400, "unsupported_value", at.at,
                           "a tool with the name \"%s\" cannot be chosen by name", r->tool_choice);
    return has_tool(r->tools, r->tool_choice) ||
           openai_fail(e, 400, "invalid_value", at.at, "there is no tool \"%s\" in tools",
                       r->tool_choice);
}

bool openai_read_tool_choice(struct openai_request *r, const struct json *v, const char *param,
                             struct openai_error *e)
{
    const char *word = jv_get_string(v, NULL);

    if (jv_kind(v) == JV_OBJECT)
        return read_chosen(r, v, param, e);
    if (!word)
        return openai_wrong_kind(e, param, v, "a string or an object");
    if (strcmp(word, "auto") == 0)
        return true;
    if (strcmp(word, "none") != 0 && strcmp(word, "required") != 0)
        return openai_fail(e, 400, "invalid_value", param,
                           "tool_choice must be none, auto, required or an object, not \"%.40s\"",
                           word);
    if (strcmp(word, "required") == 0 && !r->tools)
        return openai_fail(e, 400, "invalid_value", param, "tool_choice \"required\" needs tools");
    r->tool_choice = word;
    return true;
}

/* ---- response_format */

static bool read_schema(struct openai_request *r, const struct json *v, const char *at,
                        struct openai_error *e)
{
    static const char *const keys[] = {"name", "description", "schema", "strict", NULL};
    const struct json *schema = jv_get(v, "schema"), *strict = jv_get(v, "strict");
    const struct place p = member(at, "schema");
    struct error err = ERROR_INIT;

    if (jv_kind(v) != JV_OBJECT)
        return openai_wrong_kind(e, at, v, "an object");
    if (!openai_only_keys(e, at, v, keys) ||
        !is_name(e, member(at, "name").at, jv_get(v, "name")) ||
        !may_be_text(e, at, v, "description", 0))
        return false;
    if (jv_kind(strict) != JV_NULL && jv_kind(strict) != JV_BOOL)
        return openai_wrong_kind(e, member(at, "strict").at, strict, "true or false");
    if (jv_kind(schema) != JV_OBJECT)
        return openai_wrong_kind(e, p.at, schema, "an object");
    if (jv_get_bool(strict, false) && schema_supported(schema, &err))
        return openai_fail(e, 400, "unsupported_value", p.at, "%s: %s%s%s", p.at, err.where,
                           err.where[0] ? ": " : "", err.message);
    r->schema = schema;
    return true;
}

bool openai_read_format(struct openai_request *r, const struct json *v, const char *param,
                        struct openai_error *e)
{
    static const char *const keys[] = {"type", "json_schema", NULL};
    const char *type = jv_get_string(jv_get(v, "type"), NULL);
    const struct place p = member(param, "type");

    if (jv_kind(v) != JV_OBJECT)
        return openai_wrong_kind(e, param, v, "an object");
    if (!type)
        return openai_wrong_kind(e, p.at, jv_get(v, "type"), "a string");
    if (!openai_only_keys(e, param, v, keys))
        return false;
    if (strcmp(type, "json_schema") == 0)
        return read_schema(r, jv_get(v, "json_schema"), member(param, "json_schema").at, e);
    if (strcmp(type, "json_object") == 0) {
        r->any_object = jv_object();
        jv_set_string(r->any_object, "type", "object");
        r->schema = r->any_object;
        return true;
    }
    return strcmp(type, "text") == 0 ||
           openai_fail(e, 400, "invalid_value", p.at,
                       "%s must be text, json_object or json_schema, not \"%.40s\"", p.at, type);
}
