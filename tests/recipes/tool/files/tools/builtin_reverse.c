/* builtin_reverse.c - reverses a text byte by byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tools/builtin.h"

static const struct tool_declaration declaration = {
    .name = "reverse",
    .description = "Gives an ASCII text backwards.",
    .source = "built-in",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\","
                    "\"pattern\":\"^[ -~]*$\"}},\"required\":[\"text\"],"
                    "\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},"
                     "\"required\":[\"text\"]}",
    .effect = EFFECT_NONE,
};

static void start(struct tool *t, struct tool_call *c)
{
    char *text = xstrdup(jv_get_string(jv_get(c->arguments, "text"), ""));
    struct json *result = jv_object();
    size_t n = strlen(text);

    (void)t;
    for (size_t i = 0; i < n / 2; i++) {
        char other = text[i];
        text[i] = text[n - 1 - i];
        text[n - 1 - i] = other;
    }
    jv_set_string(result, "text", text);
    free(text);
    tool_call_finish(c, TOOL_OK, result);
}

enum status builtin_reverse(const struct tool_registry_options *o, struct tool **out,
                            struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = tool_release};

    (void)o;
    return tool_new(&declaration, &ops, NULL, out, err);
}
