/* hub_rewrite.c - see hub_rewrite.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_rewrite.h"

#include <string.h>

void hub_rewrite_uri(struct json_view uri, const struct hub_uris *u, struct str *out)
{
    struct str own, shown;

    str_init(&own, uri.n + 1);
    str_init(&shown, 4 * uri.n + 1024);
    if (u->show && json_view_text(uri, &own) && str_ok(&own)) {
        u->show(u->ctx, str_cstr(&own), own.len, &shown);
        str_put_json_string(out, str_cstr(&shown), shown.len);
    } else {
        json_view_put(out, uri);
    }
    str_deinit(&own);
    str_deinit(&shown);
}

/* An object with a "uri": a link, the contents of a resource. */
static void put_with_uri(struct json_view object, const struct hub_uris *u, struct str *out)
{
    struct json_view uri = json_view_get(object, "uri");
    struct str text = STR_INIT;

    if (json_view_kind(uri) == JV_STRING) {
        hub_rewrite_uri(uri, u, &text);
        json_view_put_changed(
            out, object, &(struct json_change){.key = "uri", .value = json_view_str(&text)}, 1);
    } else {
        json_view_put(out, object);
    }
    str_deinit(&text);
}

/* A content block: a link has its own uri, an embedded resource one in "resource". */
static void put_block(struct json_view block, const struct hub_uris *u, struct str *out)
{
    struct json_view resource = json_view_get(block, "resource");
    struct str text = STR_INIT;

    if (json_view_kind(resource) == JV_OBJECT) {
        put_with_uri(resource, u, &text);
        json_view_put_changed(
            out, block, &(struct json_change){.key = "resource", .value = json_view_str(&text)}, 1);
    } else if (json_view_is(json_view_get(block, "type"), "resource_link")) {
        put_with_uri(block, u, out);
    } else {
        json_view_put(out, block);
    }
    str_deinit(&text);
}

/* A prompt's message: {role, content: block}. */
static void put_message(struct json_view message, const struct hub_uris *u, struct str *out)
{
    struct str text = STR_INIT;

    put_block(json_view_get(message, "content"), u, &text);
    json_view_put_changed(
        out, message, &(struct json_change){.key = "content", .value = json_view_str(&text)}, 1);
    str_deinit(&text);
}

static void put_array(struct json_view array, const struct hub_uris *u, struct str *out,
                      void (*put)(struct json_view v, const struct hub_uris *u, struct str *out))
{
    const char *comma = "";

    str_putc(out, '[');
    for (struct json_walk w = json_walk(array); json_walk_next(&w);) {
        str_puts(out, comma);
        put(w.value, u, out);
        comma = ",";
    }
    str_putc(out, ']');
}

static bool has_uri(struct json_view v)
{
    return memmem(v.at, v.n, "uri", 3) != NULL || memmem(v.at, v.n, "\\u", 2) != NULL;
}

void hub_rewrite_result(enum mcp_method method, struct json_view result, const struct hub_uris *u,
                        struct str *out)
{
    static const struct {
        enum mcp_method method;
        const char *member;
        void (*put)(struct json_view v, const struct hub_uris *u, struct str *out);
    } places[] = {{MCP_TOOLS_CALL, "content", put_block},
                  {MCP_PROMPTS_GET, "messages", put_message},
                  {MCP_RESOURCES_READ, "contents", put_with_uri}};

    for (size_t i = 0; u->show && i < sizeof(places) / sizeof(places[0]); i++) {
        struct json_view array;
        struct str text = STR_INIT;

        if (places[i].method != method)
            continue;
        array = json_view_get(result, places[i].member);
        if (json_view_kind(array) != JV_ARRAY || !has_uri(array))
            break;
        put_array(array, u, &text, places[i].put);
        json_view_put_changed(
            out, result,
            &(struct json_change){.key = places[i].member, .value = json_view_str(&text)}, 1);
        str_deinit(&text);
        return;
    }
    json_view_put(out, result);
}

struct json_view hub_rewrite_meta(struct json_view result, struct str *text)
{
    struct json_view meta = json_view_get(result, "_meta");
    struct str rest = STR_INIT;
    struct json_change change = {.key = "_meta"};

    if (!json_view_get(meta, MCP_META_SERVER).at)
        return result;
    json_view_put_changed(&rest, meta, &(struct json_change){.key = MCP_META_SERVER}, 1);
    if (json_view_size(json_view_str(&rest)) > 0)
        change.value = json_view_str(&rest);
    json_view_put_changed(text, result, &change, 1);
    str_deinit(&rest);
    return json_view_str(text);
}
