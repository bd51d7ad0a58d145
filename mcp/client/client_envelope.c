/* client_envelope.c - see client_envelope.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_envelope.h"

#include <string.h>

#include "mcp/rpc/rpc.h"
#include "runtime/base/memory.h"

static struct json_view lend(const struct str *s)
{
    return s->len > 0 ? json_view_str(s) : JSON_VIEW_NONE;
}

static void put_string(struct str *out, const char *text)
{
    str_put_json_string(out, text, strlen(text));
}

/* ---- params */

/* Those of the caller that a hop can carry. */
static void put_capabilities(struct str *out, struct json_view capabilities)
{
    static const char *const carried[] = {"elicitation", "sampling", "roots", "extensions"};
    const char *comma = "";

    str_putc(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(carried); i++) {
        struct json_view v = json_view_get(capabilities, carried[i]);

        if (json_view_kind(v) != JV_OBJECT)
            continue;
        str_printf(out, "%s\"%s\":", comma, carried[i]);
        json_view_put(out, v);
        comma = ",";
    }
    str_putc(out, '}');
}

void envelope_modern(struct str *out, struct json_view params, const struct envelope *e)
{
    struct str version = STR_INIT, capabilities = STR_INIT, level = STR_INIT, token = STR_INIT,
               meta = STR_INIT;

    put_string(&version, mcp_revision_name(e->revision));
    put_capabilities(&capabilities, e->capabilities);
    if (e->log_level != MCP_LOG_NONE)
        put_string(&level, mcp_log_level_name(e->log_level));
    if (e->progress_token)
        str_put_i64(&token, e->progress_token);
    json_view_put_changed(&meta, json_view_get(params, "_meta"),
                          (struct json_change[]){{MCP_META_VERSION, lend(&version)},
                                                 {MCP_META_CAPABILITIES, lend(&capabilities)},
                                                 {MCP_META_CLIENT, e->client_info},
                                                 {MCP_META_LOG_LEVEL, lend(&level)},
                                                 {"progressToken", lend(&token)}},
                          5);
    if (str_ok(&meta))
        json_view_put_changed(out, params, &(struct json_change){"_meta", lend(&meta)}, 1);
    else
        out->failed = true;
    str_deinit(&version);
    str_deinit(&capabilities);
    str_deinit(&level);
    str_deinit(&token);
    str_deinit(&meta);
}

void envelope_legacy(struct str *out, struct json_view params, int64_t progress_token)
{
    struct str meta = STR_INIT, token = STR_INIT;
    bool is_empty;

    if (progress_token)
        str_put_i64(&token, progress_token);
    json_view_put_changed(&meta, json_view_get(params, "_meta"),
                          (struct json_change[]){{MCP_META_VERSION, JSON_VIEW_NONE},
                                                 {MCP_META_CAPABILITIES, JSON_VIEW_NONE},
                                                 {MCP_META_CLIENT, JSON_VIEW_NONE},
                                                 {MCP_META_LOG_LEVEL, JSON_VIEW_NONE},
                                                 {"progressToken", lend(&token)}},
                          5);
    is_empty = meta.len <= 2;
    if (params.at || !is_empty)
        json_view_put_changed(
            out, params,
            (struct json_change[]){{"_meta", is_empty ? JSON_VIEW_NONE : lend(&meta)},
                                   {"inputResponses", JSON_VIEW_NONE},
                                   {"requestState", JSON_VIEW_NONE}},
            3);
    if (!str_ok(&meta))
        out->failed = true;
    str_deinit(&meta);
    str_deinit(&token);
}

void envelope_abilities(struct str *out, unsigned abilities)
{
    bool form = abilities & MCP_CAN_ELICIT_FORM, url = abilities & MCP_CAN_ELICIT_URL;
    const char *comma = "";

    str_putc(out, '{');
    if (form || url) {
        str_printf(out, "\"elicitation\":{%s%s%s}", form ? "\"form\":{}" : "",
                   form && url ? "," : "", url ? "\"url\":{}" : "");
        comma = ",";
    }
    if (abilities & (MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS)) {
        str_printf(out, "%s\"sampling\":{%s}", comma,
                   abilities & MCP_CAN_SAMPLE_TOOLS ? "\"tools\":{}" : "");
        comma = ",";
    }
    if (abilities & MCP_CAN_LIST_ROOTS)
        str_printf(out, "%s\"roots\":{}", comma);
    str_putc(out, '}');
}

void envelope_note(struct str *out, enum mcp_method note, struct json_view params)
{
    struct json_view meta = json_view_get(params, "_meta");
    struct str kept = STR_INIT;

    if (json_view_get(meta, MCP_META_SUBSCRIPTION).at)
        json_view_put_changed(&kept, meta,
                              &(struct json_change){MCP_META_SUBSCRIPTION, JSON_VIEW_NONE}, 1);
    else if (meta.at)
        json_view_put(&kept, meta);
    json_view_put_changed(
        out, params,
        (struct json_change[]){{"_meta", kept.len > 2 ? lend(&kept) : JSON_VIEW_NONE},
                               {"progressToken", JSON_VIEW_NONE}},
        note == MCP_PROGRESS ? 2 : 1);
    if (!str_ok(&kept))
        out->failed = true;
    str_deinit(&kept);
}

/* ---- results */

/* Does the answer to this method carry ttlMs and cacheScope? */
static bool is_cached(enum mcp_method m)
{
    return m == MCP_DISCOVER || m == MCP_TOOLS_LIST || m == MCP_PROMPTS_LIST ||
           m == MCP_RESOURCES_LIST || m == MCP_RESOURCES_TEMPLATES_LIST || m == MCP_RESOURCES_READ;
}

static enum status check_input(enum mcp_method m, unsigned can, struct json_view result,
                               struct error *err)
{
    struct json_view requests = json_view_get(result, "inputRequests"),
                     state = json_view_get(result, "requestState");

    if (m != MCP_TOOLS_CALL && m != MCP_PROMPTS_GET && m != MCP_RESOURCES_READ)
        return error_set(err, STATUS_INVALID, "the server asks for input in the answer to %s",
                         mcp_method_facts(m)->name);
    if (!requests.at && !state.at)
        return error_set(err, STATUS_INVALID,
                         "the server's \"input_required\" has neither inputRequests nor "
                         "requestState");
    if ((requests.at && json_view_kind(requests) != JV_OBJECT) ||
        (state.at && json_view_kind(state) != JV_STRING))
        return error_set(err, STATUS_INVALID,
                         "the server's inputRequests must be an object, its requestState a string");
    for (struct json_walk w = json_walk(requests); json_walk_next(&w);) {
        struct json_view name = json_view_get(w.value, "method");
        enum mcp_method asked = mcp_method_find(name);
        unsigned needed =
            asked == MCP_METHOD_N ? 0 : mcp_ability_for(asked, json_view_get(w.value, "params"));

        if (!needed || !(can & needed))
            return error_set(err, STATUS_INVALID,
                             "the server asks for %.*s, which its client did not offer",
                             (int)(name.n < 64 ? name.n : 64), name.at ? name.at : "nothing");
    }
    return STATUS_OK;
}

static struct json_view with_cache(enum mcp_method m, struct json_view result, struct str *out)
{
    struct json_change changes[2];
    size_t n = 0;

    if (!is_cached(m))
        return result;
    if (json_view_int(json_view_get(result, "ttlMs"), -1) < 0)
        changes[n++] = (struct json_change){"ttlMs", {.at = "0", .n = 1}};
    if (!json_view_is(json_view_get(result, "cacheScope"), "public") &&
        !json_view_is(json_view_get(result, "cacheScope"), "private"))
        changes[n++] = (struct json_change){"cacheScope", {.at = "\"private\"", .n = 9}};
    if (n == 0)
        return result;
    json_view_put_changed(out, result, changes, n);
    return str_ok(out) ? json_view_str(out) : result;
}

enum status envelope_answer(enum mcp_method m, bool is_modern, unsigned can,
                            struct json_view result, struct str *out, struct mcp_answer *a,
                            struct error *err)
{
    struct json_view type = is_modern ? json_view_get(result, "resultType") : JSON_VIEW_NONE;
    enum status st;

    if (!type.at || json_view_is(type, "complete")) {
        *a = (struct mcp_answer){.kind = MCP_COMPLETE, .result = with_cache(m, result, out)};
        return STATUS_OK;
    }
    if (json_view_is(type, "input_required")) {
        st = check_input(m, can, result, err);
        if (!st)
            *a = (struct mcp_answer){.kind = MCP_INPUT_REQUIRED, .result = result};
        return st;
    }
    if (json_view_is(type, "task") && m == MCP_TOOLS_CALL && (can & MCP_CAN_TASKS)) {
        *a = (struct mcp_answer){.kind = MCP_TASK, .result = result};
        return STATUS_OK;
    }
    return error_set(
        err, STATUS_INVALID, "the server's answer has the resultType %.*s, which %s",
        (int)(type.n < 64 ? type.n : 64), type.at,
        json_view_is(type, "task") ? "its client did not offer to take" : "is not known");
}
