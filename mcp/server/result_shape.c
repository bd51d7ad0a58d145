/* result_shape.c - see result_shape.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/result_shape.h"

#include <string.h>

#include "mcp/server/message_text.h"
#include "runtime/base/memory.h"

static struct json_view view(const char *json)
{
    return json_view_of(json, strlen(json));
}

/* Which complete results say how long they may be kept. Source: 2026-07-28, "Caching". */
static bool is_cacheable(enum mcp_method m)
{
    switch (m) {
    case MCP_DISCOVER:
    case MCP_TOOLS_LIST:
    case MCP_PROMPTS_LIST:
    case MCP_RESOURCES_LIST:
    case MCP_RESOURCES_TEMPLATES_LIST:
    case MCP_RESOURCES_READ:
        return true;
    default:
        return false;
    }
}

static const char *type_of(enum mcp_answer_kind kind)
{
    switch (kind) {
    case MCP_INPUT_REQUIRED:
        return "\"input_required\"";
    case MCP_TASK:
        return "\"task\"";
    default:
        return "\"complete\"";
    }
}

/* `_meta` of the result with what the server adds; nothing appended: it is left out. */
static struct json_view put_meta(struct str *out, struct json_view meta,
                                 const struct result_facts *f)
{
    struct json_change add[2];
    size_t n = 0;

    if (f->server_info.at && !json_view_get(meta, MCP_META_SERVER).at)
        add[n++] = (struct json_change){.key = MCP_META_SERVER, .value = f->server_info};
    if (f->subscription.at)
        add[n++] = (struct json_change){.key = MCP_META_SUBSCRIPTION, .value = f->subscription};
    if (n == 0)
        return meta;
    json_view_put_changed(out, meta, add, n);
    return message_part(out);
}

void result_put_modern(struct str *out, const struct mcp_answer *a, const struct result_facts *f)
{
    struct json_change change[5];
    struct str meta = STR_INIT;
    size_t n = 0;

    change[n++] = (struct json_change){.key = "resultType", .value = view(type_of(a->kind))};
    change[n] = (struct json_change){
        .key = "_meta", .value = put_meta(&meta, json_view_get(a->result, "_meta"), f)};
    n += change[n].value.at ? 1 : 0;
    if (a->kind == MCP_COMPLETE && is_cacheable(f->method)) {
        if (json_view_int(json_view_get(a->result, "ttlMs"), -1) < 0)
            change[n++] = (struct json_change){.key = "ttlMs", .value = view("0")};
        if (!json_view_is(json_view_get(a->result, "cacheScope"), "public"))
            change[n++] = (struct json_change){.key = "cacheScope", .value = view("\"private\"")};
    }
    if (f->revisions.at && f->method == MCP_DISCOVER)
        change[n++] = (struct json_change){.key = "supportedVersions", .value = f->revisions};
    json_view_put_changed(out, a->result, change, n);
    out->failed |= !str_ok(&meta);
    str_deinit(&meta);
}

void result_put_legacy(struct str *out, const struct mcp_answer *a, enum mcp_method method)
{
    static const struct json_change without_info = {.key = MCP_META_SERVER};
    struct json_view meta = json_view_get(a->result, "_meta");
    struct json_change change[4];
    struct str rest = STR_INIT;
    size_t n = 0;

    change[n++] = (struct json_change){.key = "resultType"};
    if (is_cacheable(method)) {
        change[n++] = (struct json_change){.key = "ttlMs"};
        change[n++] = (struct json_change){.key = "cacheScope"};
    }
    if (json_view_get(meta, MCP_META_SERVER).at) {
        json_view_put_changed(&rest, meta, &without_info, 1);
        change[n++] = (struct json_change){
            .key = "_meta", .value = rest.len > 2 ? message_part(&rest) : JSON_VIEW_NONE};
    }
    json_view_put_changed(out, a->result, change, n);
    out->failed |= !str_ok(&rest);
    str_deinit(&rest);
}

void result_put_initialize(struct str *out, struct json_view discovered, enum mcp_revision r)
{
    static const struct json_change modern_only = {.key = "extensions"};
    struct json_view info = json_view_get(json_view_get(discovered, "_meta"), MCP_META_SERVER),
                     instructions = json_view_get(discovered, "instructions");

    str_printf(out, "{\"protocolVersion\":\"%s\",\"capabilities\":", mcp_revision_name(r));
    json_view_put_changed(out, json_view_get(discovered, "capabilities"), &modern_only, 1);
    str_puts(out, ",\"serverInfo\":");
    json_view_put(out, info.at ? info : view("{\"name\":\"troupe\",\"version\":\"\"}"));
    if (instructions.at) {
        str_puts(out, ",\"instructions\":");
        json_view_put(out, instructions);
    }
    str_putc(out, '}');
}

void result_put_subscribed(struct str *out, struct json_view params, struct json_view id)
{
    const struct result_facts f = {.subscription = id};
    struct str meta = STR_INIT;
    struct json_change change = {.key = "_meta"};

    change.value = put_meta(&meta, json_view_get(params, "_meta"), &f);
    json_view_put_changed(out, params, &change, 1);
    out->failed |= !str_ok(&meta);
    str_deinit(&meta);
}
