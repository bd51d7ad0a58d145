/* tool_calls_xml.c - <function=NAME><parameter=KEY>VALUE</parameter></function> in <tool_call>
 * tags.
 *
 * Values are texts; the tool's schema says which of them are numbers, booleans,
 * objects. A value that does not read as its type stays a text: the check of the
 * arguments then tells the model what was expected. One newline at each end of a
 * value belongs to the form.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"

#define FUNCTION_OPEN   "<function="
#define FUNCTION_CLOSE  "</function>"
#define PARAMETER_OPEN  "<parameter="
#define PARAMETER_CLOSE "</parameter>"
#define FORM            CALL_OPEN "<function=NAME><parameter=KEY>VALUE</parameter></function>" CALL_CLOSE

/* The schema of one parameter of a tool, or NULL. */
static const struct json *find_schema(const struct json *tools, const char *tool, const char *key)
{
    for (size_t i = 0; jv_kind(tools) == JV_ARRAY && i < jv_size(tools); i++) {
        const struct json *f = jv_get(jv_at(tools, i), "function");

        if (f == NULL)
            f = jv_at(tools, i);
        if (strcmp(jv_get_string(jv_get(f, "name"), ""), tool) == 0)
            return jv_get(jv_get(jv_get(f, "parameters"), "properties"), key);
    }
    return NULL;
}

#define KIND(k) (1u << (k))

static unsigned kinds_of_name(const char *type)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } types[] = {
        {"string", KIND(JV_STRING)}, {"integer", KIND(JV_INT)},
        {"boolean", KIND(JV_BOOL)},  {"number", KIND(JV_INT) | KIND(JV_REAL)},
        {"array", KIND(JV_ARRAY)},   {"object", KIND(JV_OBJECT)},
        {"null", KIND(JV_NULL)},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].kinds;
    return 0;
}

/* The kinds that a schema allows, from "type" (one or several) and one level of anyOf and oneOf. */
static unsigned kinds_of(const struct json *schema, int depth)
{
    static const char *const unions[] = {"anyOf", "oneOf"};
    const struct json *type = jv_get(schema, "type");
    unsigned kinds = kinds_of_name(jv_get_string(type, ""));

    for (size_t i = 0; jv_kind(type) == JV_ARRAY && i < jv_size(type); i++)
        kinds |= kinds_of_name(jv_get_string(jv_at(type, i), ""));
    for (size_t u = 0; depth == 0 && u < ARRAY_LEN(unions); u++) {
        const struct json *list = jv_get(schema, unions[u]);

        for (size_t i = 0; jv_kind(list) == JV_ARRAY && i < jv_size(list); i++)
            kinds |= kinds_of(jv_at(list, i), 1);
    }
    return kinds;
}

static struct json *typed_value(const char *p, size_t n, unsigned kinds)
{
    struct json *v = NULL;

    if ((kinds & KIND(JV_BOOL)) && n == 4 && strncasecmp(p, "true", 4) == 0)
        return jv_bool(true); /* Python's True */
    if ((kinds & KIND(JV_BOOL)) && n == 5 && strncasecmp(p, "false", 5) == 0)
        return jv_bool(false);
    if ((kinds & ~KIND(JV_STRING)) && jv_parse(p, n, "value", &v, NULL) == STATUS_OK) {
        if (kinds & KIND(jv_kind(v)))
            return v;
        jv_unref(v);
    }
    return jv_string_n(p, n);
}

/* A closing tag counts when the next parameter, or the end of the function, follows: any other is
 * part of the value. Returns t->n when there is none. */
static size_t find_value_end(const struct call_text *t, size_t from)
{
    for (size_t at = call_find(t, PARAMETER_CLOSE, from); at < t->n;
         at = call_find(t, PARAMETER_CLOSE, at + 1)) {
        const size_t next = call_skip_space(t, at + strlen(PARAMETER_CLOSE));

        if (next == t->n || call_at(t, next, PARAMETER_OPEN) || call_at(t, next, FUNCTION_CLOSE) ||
            call_at(t, next, CALL_CLOSE))
            return at;
    }
    return t->n;
}

/* The name behind "=" up to ">": owned, without blanks; NULL when there is none. *end is behind. */
static char *read_name(const struct call_text *t, size_t from, size_t *end)
{
    size_t to = from, last;

    while (to < t->n && t->p[to] != '>' && t->p[to] != '<' && t->p[to] != '\n')
        to++;
    *end = to + 1;
    if (to >= t->n || t->p[to] != '>')
        return NULL;
    from = call_skip_space(t, from);
    for (last = to; last > from && t->p[last - 1] == ' ';)
        last--;
    return last > from ? xstrndup(t->p + from, last - from) : NULL;
}

/* Reads one parameter at i; returns where it ends, or t->n after an error. */
static size_t read_parameter(const struct call_text *t, size_t i, const struct json *tools,
                             struct parsed_call *call)
{
    size_t from, to, end;
    char *key = read_name(t, i + strlen(PARAMETER_OPEN), &from);

    if (key == NULL) {
        call_error(call, "A parameter of the tool call has no name. Write calls as " FORM ".");
        return t->n;
    }
    to = find_value_end(t, from);
    end = to + strlen(PARAMETER_CLOSE);
    if (to == t->n) {
        call_error(
            call, "The parameter \"%.200s\" of the tool call is not closed by " PARAMETER_CLOSE ".",
            key);
        end = t->n;
    } else if (jv_get(call->arguments, key)) {
        call_error(call, "The parameter \"%.200s\" is given twice.", key);
    } else {
        from += from < to && t->p[from] == '\n';
        to -= to > from && t->p[to - 1] == '\n';
        jv_set_adopt(
            call->arguments, key,
            typed_value(t->p + from, to - from, kinds_of(find_schema(tools, call->name, key), 0)));
    }
    free(key);
    return end;
}

/* Behind a call, good or bad: its closing tag, or where the next one opens. */
static size_t skip_rest(const struct call_text *t, size_t from, bool tagged)
{
    const char *close_tag = tagged ? CALL_CLOSE : FUNCTION_CLOSE;
    const size_t close = call_find(t, close_tag, from), open = call_find(t, CALL_OPEN, from);

    if (open < close)
        return open;
    return close == t->n ? t->n : close + strlen(close_tag);
}

static size_t read_function(const struct call_text *t, size_t i, const struct json *tools,
                            struct parsed_call *call)
{
    call->name = read_name(t, i + strlen(FUNCTION_OPEN), &i);
    if (call->name == NULL) {
        call_error(call, "The tool call has no function name. Write it as " FORM ".");
        return t->n;
    }
    call->arguments = jv_object();
    for (;;) {
        i = call_skip_space(t, i);
        if (!call_at(t, i, PARAMETER_OPEN))
            break;
        i = read_parameter(t, i, tools, call);
        if (call->error)
            return i;
    }
    if (!call_at(t, i, FUNCTION_CLOSE)) {
        call_error(call,
                   "The tool call of \"%.200s\" is not closed by " FUNCTION_CLOSE
                   ". Write it as " FORM ".",
                   call->name);
        return i;
    }
    return i + strlen(FUNCTION_CLOSE);
}

size_t xml_read_call(const struct call_text *t, size_t from, const struct json *tools,
                     struct parsed_call *call)
{
    const bool tagged = call_at(t, from, CALL_OPEN);
    const size_t start = tagged ? call_skip_space(t, from + strlen(CALL_OPEN)) : from;
    size_t end, after;

    if (!call_at(t, start, FUNCTION_OPEN)) {
        call_error(call, "The tool call does not start with " FUNCTION_OPEN
                         "NAME>. Write it as " FORM ".");
        return skip_rest(t, start, tagged);
    }
    end = read_function(t, start, tools, call);
    if (call->error)
        return skip_rest(t, start, tagged);
    after = call_skip_space(t, end);
    if (call_at(t, after, CALL_CLOSE)) /* also when only the opening tag was forgotten */
        return after + strlen(CALL_CLOSE);
    if (tagged && after < t->n) {
        call_error(call, "Behind " FUNCTION_CLOSE " stands something other than " CALL_CLOSE ".");
        return skip_rest(t, end, tagged);
    }
    return end;
}
