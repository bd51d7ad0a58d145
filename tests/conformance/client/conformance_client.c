/* conformance_client.c - the client that the conformance suite of MCP starts, once a scenario.
 *
 * Usage: conformance_client URL, with the environment MCP_CONFORMANCE_SCENARIO,
 * MCP_CONFORMANCE_PROTOCOL_VERSION and MCP_CONFORMANCE_CONTEXT (JSON). It connects, does what the
 * scenario is about with mcp_client alone, and ends with 0 if all requests were answered.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_script.h"

/* Calls each tool of the list; input is answered as it is asked for. */
static void call_all(struct script *s, const char *arguments)
{
    struct json_view tools = script_list(s, MCP_TOOLS_LIST, "tools");

    for (struct json_walk w = json_walk(tools); json_walk_next(&w);) {
        struct json_view name = json_view_get(w.value, "name");

        script_call(s, name, arguments);
    }
}

static void list_only(struct script *s)
{
    (void)script_list(s, MCP_TOOLS_LIST, "tools");
}

static void call_add(struct script *s)
{
    call_all(s, "{\"a\":2,\"b\":3}");
}

static void call_plain(struct script *s)
{
    call_all(s, "{}");
}

static void use_everything(struct script *s)
{
    struct json_view v;

    call_all(s, "{}");
    v = script_list(s, MCP_RESOURCES_LIST, "resources");
    for (struct json_walk w = json_walk(v); json_walk_next(&w);)
        script_ask(s, MCP_RESOURCES_READ, "uri", json_view_get(w.value, "uri"));
    v = script_list(s, MCP_PROMPTS_LIST, "prompts");
    for (struct json_walk w = json_walk(v); json_walk_next(&w);)
        script_ask(s, MCP_PROMPTS_GET, "name", json_view_get(w.value, "name"));
}

/* The calls that the context lists, and no others. */
static void call_listed(struct script *s)
{
    struct json_view calls = json_view_get(s->context, "toolCalls");

    (void)script_list(s, MCP_TOOLS_LIST, "tools");
    for (struct json_walk w = json_walk(calls); json_walk_next(&w);) {
        struct json_view arguments = json_view_get(w.value, "arguments");
        struct str text = STR_INIT;

        json_view_put(&text, arguments);
        script_call(s, json_view_get(w.value, "name"), str_cstr(&text));
        str_deinit(&text);
    }
}

/* The schema of the first tool, as the argument of the second: what came through unchanged. */
static void echo_schema(struct script *s)
{
    struct json_view tools = script_list(s, MCP_TOOLS_LIST, "tools"), schema = JSON_VIEW_NONE;
    struct str arguments = STR_INIT;

    for (struct json_walk w = json_walk(tools); json_walk_next(&w);) {
        if (!schema.at) {
            schema = json_view_get(w.value, "inputSchema");
            continue;
        }
        str_puts(&arguments, "{\"schema\":");
        json_view_put(&arguments, schema);
        str_putc(&arguments, '}');
        script_call(s, json_view_get(w.value, "name"), str_cstr(&arguments));
        break;
    }
    str_deinit(&arguments);
}

static const struct {
    const char *name; /* or its beginning, if it ends with "/" */
    void (*play)(struct script *s);
} scenarios[] = {
    {"tools_call", call_add},
    {"elicitation-sep1034-client-defaults", call_plain},
    {"sse-retry", call_plain},
    {"sep-2322-client-request-state", call_plain},
    {"http-standard-headers", use_everything},
    {"http-custom-headers", call_listed},
    {"http-invalid-tool-headers", call_plain},
    {"request-metadata", call_plain},
    {"json-schema-2020-12-preservation", echo_schema},
    {"auth/", call_plain},
};

int main(int argc, char **argv)
{
    const char *name = getenv("MCP_CONFORMANCE_SCENARIO");
    void (*play)(struct script * s) = list_only;
    struct script s;
    int fault;

    if (argc < 2 || !name) {
        fprintf(stderr, "usage: MCP_CONFORMANCE_SCENARIO=NAME conformance_client URL\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        const char *scenario = scenarios[i].name;
        size_t n = strlen(scenario);

        if (strcmp(scenario, name) == 0 ||
            (scenario[n - 1] == '/' && strncmp(scenario, name, n) == 0))
            play = scenarios[i].play;
    }
    script_open(&s, argv[argc - 1], name, getenv("MCP_CONFORMANCE_PROTOCOL_VERSION"),
                getenv("MCP_CONFORMANCE_CONTEXT"));
    if (script_connect(&s))
        play(&s);
    fault = s.n_faults;
    script_close(&s);
    return fault ? 1 : 0;
}
