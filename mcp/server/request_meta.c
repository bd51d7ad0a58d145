/* request_meta.c - see request_meta.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/request_meta.h"

#include "mcp/server/message_text.h"
#include "runtime/base/memory.h"

bool request_meta_is_modern(struct json_view params)
{
    struct json_view meta = json_view_get(params, "_meta");

    return json_view_get(meta, MCP_META_VERSION).at ||
           json_view_get(meta, MCP_META_CAPABILITIES).at;
}

static bool is_token(struct json_view v)
{
    enum jv_kind kind = json_view_kind(v);

    return (kind == JV_STRING || kind == JV_INT) && v.n <= RPC_ID_MAX;
}

struct json_view request_meta_token(struct json_view params)
{
    struct json_view token = json_view_get(json_view_get(params, "_meta"), "progressToken");

    return is_token(token) ? token : JSON_VIEW_NONE;
}

enum status request_meta_read(struct json_view params, struct request_meta *out, struct error *err)
{
    enum { VERSION, CAPABILITIES, CLIENT, LEVEL, TOKEN, N_KEYS };
    static const char *const keys[N_KEYS] = {MCP_META_VERSION, MCP_META_CAPABILITIES,
                                             MCP_META_CLIENT, MCP_META_LOG_LEVEL, "progressToken"};
    struct json_view meta = json_view_get(params, "_meta"), got[N_KEYS], level, token;
    struct request_meta m;

    json_view_pick(meta, keys, N_KEYS, got);
    level = got[LEVEL];
    token = got[TOKEN];
    m = (struct request_meta){.version = got[VERSION],
                              .capabilities = got[CAPABILITIES],
                              .client_info = got[CLIENT],
                              .token = token};
    if (json_view_kind(meta) != JV_OBJECT)
        return error_set(err, STATUS_INVALID,
                         "\"_meta\" is missing in params; it needs \"" MCP_META_VERSION
                         "\" and \"" MCP_META_CAPABILITIES "\"");
    if (json_view_kind(m.version) != JV_STRING)
        return error_set(err, STATUS_INVALID, "_meta needs \"" MCP_META_VERSION "\", a string");
    if (json_view_kind(m.capabilities) != JV_OBJECT)
        return error_set(err, STATUS_INVALID,
                         "_meta needs \"" MCP_META_CAPABILITIES "\", an object");
    if (m.client_info.at && json_view_kind(m.client_info) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "\"" MCP_META_CLIENT "\" must be an object");
    m.log_level = mcp_log_level_find(level);
    if (level.at && m.log_level == MCP_LOG_NONE)
        return error_set(err, STATUS_INVALID, "\"" MCP_META_LOG_LEVEL "\" is not a log level");
    if (token.at && !is_token(token))
        return error_set(err, STATUS_INVALID, "\"progressToken\" must be a string or an integer");
    m.revision = mcp_revision_find(m.version);
    *out = m;
    return STATUS_OK;
}

void request_meta_put_rest(struct str *out, struct json_view params)
{
    static const struct json_change without[] = {
        {.key = MCP_META_VERSION},   {.key = MCP_META_CLIENT}, {.key = MCP_META_CAPABILITIES},
        {.key = MCP_META_LOG_LEVEL}, {.key = "progressToken"},
    };
    struct json_change meta = {.key = "_meta", .value = json_view_get(params, "_meta")};
    struct str rest;

    if (!params.at)
        return;
    if (json_view_kind(meta.value) != JV_OBJECT) {
        json_view_put(out, params);
        return;
    }
    str_init(&rest, meta.value.n + 2);
    json_view_put_changed(&rest, meta.value, without, ARRAY_LEN(without));
    meta.value = rest.len > 2 ? message_part(&rest) : JSON_VIEW_NONE; /* not {} */
    json_view_put_changed(out, params, &meta, 1);
    out->failed |= !str_ok(&rest);
    str_deinit(&rest);
}
