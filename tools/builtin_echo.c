/* builtin_echo.c - returns its argument, for tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/builtin.h"

static const struct tool_declaration declaration = {
    .name = "echo",
    .description = "Gives back the text that it is given. Does nothing else.",
    .source = "built-in",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},"
                    "\"required\":[\"text\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},"
                     "\"required\":[\"text\"]}",
    .effect = EFFECT_NONE,
};

static void start(struct tool *t, struct tool_call *c)
{
    struct json *result = jv_object();
    struct json *text = jv_get(c->arguments, "text");

    (void)t;
    jv_set_adopt(result, "text", jv_ref(text));
    tool_call_finish(c, TOOL_OK, result);
}

enum status builtin_echo(const struct tool_registry_options *o, struct tool **out,
                         struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = tool_release};

    (void)o;
    return tool_new(&declaration, &ops, NULL, out, err);
}
