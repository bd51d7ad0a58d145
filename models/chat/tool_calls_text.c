/* tool_calls_text.c - search for tags, and the end of a call that cannot be read.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"

bool call_at(const struct call_text *t, size_t i, const char *what)
{
    const size_t n = strlen(what);

    return i <= t->n && n <= t->n - i && memcmp(t->p + i, what, n) == 0;
}

static const char *const tags[] = {THINK_OPEN, THINK_CLOSE, CALL_OPEN, CALL_CLOSE, FUNCTION_OPEN};

/* How many of them the format knows. */
static int n_tags(enum tool_call_format format)
{
    return format == TOOL_CALLS_NONE ? 2 : format == TOOL_CALLS_XML ? 5 : 4;
}

enum reply_tag reply_tag_at(enum tool_call_format format, const struct call_text *t, size_t i)
{
    for (int k = 0; k < n_tags(format); k++)
        if (call_at(t, i, tags[k]))
            return (enum reply_tag)k;
    return TAG_NONE;
}

bool reply_tag_cut(enum tool_call_format format, const struct call_text *t, size_t i)
{
    const size_t n = t->n - i;

    for (int k = 0; k < n_tags(format); k++)
        if (n < strlen(tags[k]) && memcmp(t->p + i, tags[k], n) == 0)
            return true;
    return false;
}

/* Not memmem: the sanitizer's version reads all of the haystack each time. */
static size_t find_either(const struct call_text *t, const char *a, const char *b, size_t from)
{
    size_t i = from;

    while (i < t->n) {
        const char *first = memchr(t->p + i, a[0], t->n - i);

        i = first ? (size_t)(first - t->p) : t->n;
        if (call_at(t, i, a) || call_at(t, i, b))
            break;
        i += i < t->n;
    }
    *t->visited += i > from ? i - from : 0;
    return i;
}

size_t call_find(const struct call_text *t, const char *what, size_t from)
{
    return find_either(t, what, what, from);
}

size_t call_skip_space(const struct call_text *t, size_t i)
{
    const size_t from = i;

    while (i < t->n && isspace((unsigned char)t->p[i]))
        i++;
    *t->visited += i - from;
    return i;
}

bool call_is_tiring(const struct call_text *t)
{
    return *t->visited > 16 * t->n + ((size_t)64 << 10);
}

size_t call_skip_rest(const struct call_text *t, size_t from, const char *close)
{
    const size_t at =
        call_is_tiring(t) ? from + (from < t->n) : find_either(t, close, CALL_OPEN, from);

    return call_at(t, at, close) ? at + strlen(close) : at;
}

void call_error(struct parsed_call *call, const char *fmt, ...)
{
    struct str s = STR_INIT;
    va_list ap;

    if (call->error)
        return;
    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    call->error = xstrdup(str_cstr(&s));
    str_deinit(&s);
    jv_unref(call->arguments);
    call->arguments = NULL;
}

void call_deinit(struct parsed_call *call)
{
    free(call->name);
    free(call->error);
    free(call->raw);
    jv_unref(call->arguments);
}
