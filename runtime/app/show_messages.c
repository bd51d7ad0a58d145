/* show_messages.c - see show_messages.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/show_messages.h"

#include <stdlib.h>
#include <string.h>

/* Text, with all lines after the first indented. */
static void put_lines(const char *text, size_t n, int indent, struct str *out)
{
    for (size_t i = 0; i < n; i++) {
        str_putc(out, text[i]);
        if (text[i] == '\n' && i + 1 < n)
            str_printf(out, "%*s", indent, "");
    }
    if (n == 0 || text[n - 1] != '\n')
        str_putc(out, '\n');
}

static void put_message(const struct json *m, int indent, struct str *out)
{
    const struct json *content = jv_get(m, "content"), *calls = jv_get(m, "tool_calls");
    const char *reasoning = jv_get_string(jv_get(m, "reasoning_content"), NULL);
    char *text = jv_dump(content);

    str_printf(out, "%*s%s: ", indent, "", jv_get_string(jv_get(m, "role"), ""));
    if (reasoning) {
        str_puts(out, "(thinks) ");
        put_lines(reasoning, strlen(reasoning), indent + 2, out);
        str_printf(out, "%*s", indent + 2, "");
    }
    if (jv_kind(content) == JV_STRING)
        put_lines(jv_get_string(content, ""), jv_string_len(content), indent + 2, out);
    else
        put_lines(text, strlen(text), indent + 2, out);
    free(text);
    for (size_t i = 0; i < jv_size(calls); i++) {
        const struct json *call = jv_at(calls, i);

        text = jv_dump(jv_get(call, "arguments"));
        str_printf(out, "%*scalls %s %s\n", indent + 2, "", jv_get_string(jv_get(call, "name"), ""),
                   text);
        free(text);
    }
}

void show_put_messages(const struct json *threads, const struct json *step, int indent,
                       struct str *out)
{
    const char *path = jv_get_string(jv_get(step, "path"), "");
    int64_t attempt = jv_get_int(jv_get(step, "attempt"), 0);
    struct str key = STR_INIT;

    str_puts(&key, path);
    if (attempt > 0)
        str_printf(&key, "@%lld", (long long)attempt);
    for (size_t i = 0; i < jv_size(threads); i++) {
        const struct json *thread = jv_at(threads, i), *all = jv_get(thread, "messages");

        if (strcmp(jv_get_string(jv_get(thread, "path"), ""), str_cstr(&key)) != 0)
            continue;
        for (size_t k = 0; k < jv_size(all); k++)
            put_message(jv_at(all, k), indent, out);
    }
    str_deinit(&key);
}
