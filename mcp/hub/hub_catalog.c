/* hub_catalog.c - see hub_catalog.h. The search itself is tool_search.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_index.h"
#include "mcp/hub/hub_internal.h"
#include "runtime/base/memory.h"

#define SEARCH          "search_tools"
#define CALL            "call_tool"
#define HITS            5
#define HITS_MAX        20
#define BYTES_PER_TOKEN 4 /* as tool_search.h estimates */

static bool is_of(const struct hub *h, const struct mcp_exchange *x, const char *name)
{
    const struct hub_view *v = hub_view_of(h, x->caller);

    return x->method == MCP_TOOLS_CALL && v && hub_view_budget(v, h->o.views) > 0 &&
           json_view_is(json_view_get(x->params, "name"), name);
}

bool hub_catalog_is_search(const struct hub *h, const struct mcp_exchange *x)
{
    return is_of(h, x, SEARCH);
}

bool hub_catalog_is_call(const struct hub *h, const struct mcp_exchange *x)
{
    return is_of(h, x, CALL);
}

bool hub_catalog_is_needed(const struct hub *h, const struct mcp_caller *c,
                           const struct hub_row *rows, size_t n)
{
    const struct hub_view *v = hub_view_of(h, c);
    int64_t budget = v ? hub_view_budget(v, h->o.views) : 0, bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += (int64_t)rows[i].entry->object.n;
    return budget > 0 && bytes / BYTES_PER_TOKEN > budget;
}

static const char search_text[] =
    "{\"name\":\"" SEARCH "\",\"description\":\"Finds tools by words of what they do. There are "
    "more tools than this list has; call one with " CALL
    ".\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"query\":{\"type\":\"string\",\"description\":\"words of what the tool does, or its "
    "name\"},\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20,\"default\":5}},"
    "\"required\":[\"query\"]},\"annotations\":{\"readOnlyHint\":true}}";
static const char call_text[] =
    "{\"name\":\"" CALL "\",\"description\":\"Calls a tool that " SEARCH
    " has found, by its name.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"name\":{\"type\":\"string\",\"description\":\"the name of the tool\"},"
    "\"arguments\":{\"type\":\"object\",\"description\":\"its arguments, as its inputSchema "
    "says\"}},\"required\":[\"name\"]}}";

const struct hub_own_tool *hub_catalog_tools(size_t *n)
{
    static const struct hub_own_tool tools[] = {
        {SEARCH, {.object = {search_text, sizeof(search_text) - 1}}},
        {CALL, {.object = {call_text, sizeof(call_text) - 1}}},
    };

    *n = ARRAY_LEN(tools);
    return tools;
}

/* ---- search_tools */

/* Name, description and schema of one tool: what a model needs to call it. */
static void put_found(const struct hub_row *row, struct str *out)
{
    struct json_view schema = json_view_get(row->entry->object, "inputSchema");

    str_puts(out, "{\"name\":");
    str_put_json_string(out, row->shown, strlen(row->shown));
    str_puts(out, ",\"description\":");
    if (row->description)
        str_put_json_string(out, row->description, strlen(row->description));
    else if (json_view_get(row->entry->object, "description").at)
        json_view_put(out, json_view_get(row->entry->object, "description"));
    else
        str_puts(out, "\"\"");
    str_puts(out, ",\"inputSchema\":");
    if (schema.at)
        json_view_put(out, schema);
    else
        str_puts(out, "{\"type\":\"object\"}");
    str_putc(out, '}');
}

enum status hub_catalog_search(struct hub_indexes *indexes, struct json_view params,
                               const struct hub_listed *tools, struct str *out, struct error *err)
{
    struct json_view arguments = json_view_get(params, "arguments");
    int64_t limit = json_view_int(json_view_get(arguments, "limit"), HITS);
    struct tool_search_hit hits[HITS_MAX];
    const struct tool_search *search = NULL;
    struct str query, found;
    size_t n_hits = 0;
    enum status st;

    str_init(&query, 8192);
    str_init(&found, out->max / 2);
    if (!json_view_text(json_view_get(arguments, "query"), &query) || !str_ok(&query))
        st = error_set(err, STATUS_INVALID, SEARCH " needs a \"query\": words of what a tool does");
    else
        st = hub_index_of(indexes, tools, &search, err);
    if (!st)
        st = tool_search_query(search, str_cstr(&query),
                               (size_t)(limit < 1          ? 1
                                        : limit > HITS_MAX ? HITS_MAX
                                                           : limit),
                               hits, &n_hits, err);
    if (!st) {
        str_puts(&found, "{\"tools\":[");
        for (size_t i = 0; i < n_hits; i++) {
            str_puts(&found, i ? "," : "");
            put_found(&tools->row[hits[i].doc], &found);
        }
        str_puts(&found, "]}");
        str_puts(out, "{\"content\":[{\"type\":\"text\",\"text\":");
        str_put_json_string(out, str_cstr(&found), found.len);
        str_printf(out, "}],\"structuredContent\":%s}", str_cstr(&found));
    }
    str_deinit(&query);
    str_deinit(&found);
    return st;
}

/* ---- call_tool */

enum status hub_catalog_unwrap(struct json_view params, struct str *out, struct error *err)
{
    struct json_view arguments = json_view_get(params, "arguments");
    struct json_view name = json_view_get(arguments, "name");
    struct json_view inner = json_view_get(arguments, "arguments");

    if (json_view_kind(name) != JV_STRING || json_view_is(name, CALL) || json_view_is(name, SEARCH))
        return error_set(err, STATUS_INVALID,
                         CALL " needs the \"name\" of a tool that " SEARCH " has found");
    if (inner.at && json_view_kind(inner) != JV_OBJECT)
        return error_set(
            err, STATUS_INVALID,
            "the \"arguments\" of the tool must be an object, as its inputSchema says");
    json_view_put_changed(out, params,
                          (const struct json_change[]){{.key = "name", .value = name},
                                                       {.key = "arguments", .value = inner}},
                          2);
    return str_ok(out) ? STATUS_OK : error_set(err, STATUS_LIMIT, "the request is too large");
}
