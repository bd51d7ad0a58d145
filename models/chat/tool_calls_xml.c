/* tool_calls_xml.c - <function=NAME><parameter=KEY>VALUE</parameter></function> in <tool_call>
 * tags.
 *
 * Values are not escaped, so a value may hold tags of this form as long as they come in pairs.
 * Otherwise a closing tag is missing, and the call is an error: a following parameter or call never
 * becomes part of a value. One line end (\n or \r\n) at each end of a value belongs to the form.
 * tool_calls_schema.c decides the type of a value.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"

#define FUNCTION_CLOSE  "</function>"
#define PARAMETER       "<parameter"
#define PARAMETER_OPEN  PARAMETER "="
#define PARAMETER_CLOSE "</parameter>"
#define MAX_NAME        256
#define MAX_OPEN        64
#define FORM            CALL_OPEN "<function=NAME><parameter=KEY>VALUE</parameter></function>" CALL_CLOSE

struct xml_reader {
    const struct call_text *t;
    const struct json *tools, *parameters; /* all; of the tool that is called, or NULL */
    struct parsed_call *call;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The place after the name of a tag like <parameter=NAME> whose name starts at i; 0 if it is not
 * such a tag. */
static size_t name_end(const struct call_text *t, size_t i)
{
    const size_t from = i;

    while (i < t->n && i - from < MAX_NAME && !strchr("<>\n\"'", t->p[i]))
        i++;
    return i > from && i < t->n && t->p[i] == '>' ? i : 0;
}

/* "<parameter=" or "<parameter " at i. */
static bool at_parameter(const struct call_text *t, size_t i)
{
    const size_t next = i + strlen(PARAMETER);

    return call_at(t, i, PARAMETER) && next < t->n && (t->p[next] == '=' || is_blank(t->p[next]));
}

/* <parameter=NAME> or <parameter name="NAME"> at i. Within a line of a value the first form counts
 * only with a name that this tool knows. */
static bool opens_parameter(const struct xml_reader *x, size_t from, size_t i)
{
    const struct call_text *t = x->t;
    const size_t name = i + strlen(PARAMETER_OPEN), end = name_end(t, name);
    size_t line = i;
    bool known;
    char *key;

    if (!at_parameter(t, i))
        return false;
    if (t->p[name - 1] != '=') {
        const char *close =
            memchr(t->p + name, '>', t->n - name < MAX_NAME ? t->n - name : MAX_NAME);

        return close && close[-1] != '/';
    }
    if (end == 0)
        return false;
    while (line > from && is_blank(t->p[line - 1]))
        line--;
    if (x->parameters == NULL || line == from || t->p[line - 1] == '\n')
        return true;
    key = xstrndup(t->p + name, end - name);
    known = call_parameter(x->parameters, key) != NULL;
    free(key);
    return known;
}

/* <function=NAME> at i, of an existing tool. */
static bool opens_function(const struct xml_reader *x, size_t i)
{
    const size_t name = i + strlen(FUNCTION_OPEN), end = name_end(x->t, name);
    bool known;
    char *tool;

    if (!call_at(x->t, i, FUNCTION_OPEN) || end == 0)
        return false;
    tool = xstrndup(x->t->p + name, end - name);
    known = jv_size(x->tools) == 0 || call_tool(x->tools, tool) != NULL;
    free(tool);
    return known;
}

/* Whether a closing tag that ends at i closes a value: a tag of the form follows. */
static bool ends_value(const struct call_text *t, size_t i)
{
    i = call_skip_space(t, i);
    return i == t->n || at_parameter(t, i) || call_at(t, i, FUNCTION_CLOSE) ||
           call_at(t, i, CALL_CLOSE);
}

static bool ends_call(const struct call_text *t, size_t i)
{
    i = call_skip_space(t, i);
    return i == t->n || call_at(t, i, CALL_CLOSE) || call_at(t, i, CALL_OPEN);
}

/* The closing tag of the value that starts at `from`, or n: the first that closes no parameter
 * opened within the value and is before the next parameter or the end of the call; one before
 * anything else is part of the value. */
static size_t find_value_end(const struct xml_reader *x, size_t from)
{
    const struct call_text *t = x->t;
    int parameters = 0, functions = 0; /* open within the value */

    for (size_t i = from; (i = call_find(t, "<", i)) < t->n && !call_is_tiring(t); i++) {
        if (call_at(t, i, PARAMETER_CLOSE)) {
            if (parameters == 0 && functions == 0 && ends_value(t, i + strlen(PARAMETER_CLOSE)))
                return i;
            parameters -= parameters > 0;
        } else if (call_at(t, i, FUNCTION_CLOSE)) {
            if (functions == 0 && ends_call(t, i + strlen(FUNCTION_CLOSE)))
                break;
            functions -= functions > 0;
        } else {
            parameters += opens_parameter(x, from, i);
            functions += opens_function(x, i);
        }
        if (parameters + functions > MAX_OPEN)
            break;
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

/* One at each end, if there is one. */
static void strip_line_ends(const struct call_text *t, size_t *from, size_t *to)
{
    if (*to - *from > 1 && call_at(t, *from, "\r\n"))
        *from += 2;
    else if (*to > *from && t->p[*from] == '\n')
        *from += 1;
    if (*to - *from > 1 && call_at(t, *to - 2, "\r\n"))
        *to -= 2;
    else if (*to > *from && t->p[*to - 1] == '\n')
        *to -= 1;
}

/* Reads one parameter at i; returns where it ends, or t->n after an error. */
static size_t read_parameter(const struct xml_reader *x, size_t i)
{
    const struct call_text *t = x->t;
    struct parsed_call *call = x->call;
    size_t from, to, end;
    char *key = read_name(t, i + strlen(PARAMETER_OPEN), &from);

    if (key == NULL) {
        call_error(call, "A parameter of the tool call has no name. Write calls as " FORM ".");
        return t->n;
    }
    to = find_value_end(x, from);
    end = to + strlen(PARAMETER_CLOSE);
    if (to == t->n) {
        call_error(call,
                   "The parameter \"%.200s\" of the tool call is not closed by " PARAMETER_CLOSE
                   ". Close each parameter before the next one; a value may hold such tags only "
                   "in pairs.",
                   key);
        end = t->n;
    } else if (jv_get(call->arguments, key)) {
        call_error(call, "The parameter \"%.200s\" is given twice.", key);
    } else {
        strip_line_ends(t, &from, &to);
        jv_set_adopt(call->arguments, key, call_value(x->parameters, key, t->p + from, to - from));
    }
    free(key);
    return end;
}

static size_t read_function(const struct call_text *t, size_t i, const struct json *tools,
                            struct parsed_call *call)
{
    struct xml_reader x = {t, tools, NULL, call};

    call->name = read_name(t, i + strlen(FUNCTION_OPEN), &i);
    if (call->name == NULL) {
        call_error(call, "The tool call has no function name. Write it as " FORM ".");
        return t->n;
    }
    call->arguments = jv_object();
    x.parameters = jv_get(call_tool(tools, call->name), "parameters");
    for (;;) {
        i = call_skip_space(t, i);
        if (!call_at(t, i, PARAMETER_OPEN))
            break;
        i = read_parameter(&x, i);
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
    const char *close = tagged ? CALL_CLOSE : FUNCTION_CLOSE;
    size_t end, after;

    if (!call_at(t, start, FUNCTION_OPEN)) {
        call_error(call, "The tool call does not start with " FUNCTION_OPEN
                         "NAME>. Write it as " FORM ".");
        return call_skip_rest(t, start, close);
    }
    end = read_function(t, start, tools, call);
    if (call->error)
        return call_skip_rest(t, start, close);
    after = call_skip_space(t, end);
    if (call_at(t, after, CALL_CLOSE)) /* also when only the opening tag was forgotten */
        return after + strlen(CALL_CLOSE);
    if (tagged && after < t->n) {
        call_error(call, "After " FUNCTION_CLOSE " comes something other than " CALL_CLOSE ".");
        return call_skip_rest(t, end, close);
    }
    return end;
}
