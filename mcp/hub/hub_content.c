/* hub_content.c - see hub_content.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_content.h"

struct tool_declaration hub_content_declaration(enum mcp_method method)
{
    struct tool_declaration d = {
        .name = HUB_RESOURCE_TOOL,
        .description = "Reads a resource of an MCP server.",
        .source = "mcp",
        .input_schema = "{\"type\":\"object\",\"properties\":{\"uri\":{\"type\":\"string\","
                        "\"description\":\"troupe://SERVER/URI\"}},\"required\":[\"uri\"],"
                        "\"additionalProperties\":false}",
        .effect = EFFECT_READ,
        .access = TOOL_READS_UNTRUSTED | TOOL_EXTERNAL,
    };

    if (method == MCP_PROMPTS_GET) {
        d.name = HUB_PROMPT_TOOL;
        d.description = "Gets the text of a prompt of an MCP server.";
        d.input_schema = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\","
                         "\"description\":\"SERVER__PROMPT\"},\"arguments\":{\"type\":\"object\","
                         "\"additionalProperties\":{\"type\":\"string\"}}},\"required\":[\"name\"],"
                         "\"additionalProperties\":false}";
    }
    return d;
}

struct json *hub_content_value(enum mcp_method method, struct json_view result)
{
    bool is_prompt = method == MCP_PROMPTS_GET;
    struct json_view list = json_view_get(result, is_prompt ? "messages" : "contents");
    struct str text = STR_INIT;
    struct json *value = NULL;
    bool all_text = true;

    for (struct json_walk w = json_walk(list); json_walk_next(&w);) {
        struct json_view one = is_prompt ? json_view_get(w.value, "content") : w.value;

        if (text.len > 0)
            str_puts(&text, "\n\n");
        all_text = all_text && json_view_text(json_view_get(one, "text"), &text);
    }
    if (all_text && str_ok(&text))
        value = jv_string_n(str_cstr(&text), text.len);
    str_deinit(&text);
    if (!value)
        value = json_view_value(list);
    return value ? value : jv_null();
}
