/* endpoint_reply.c - plain replies of the endpoint, and the media types that a client takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "mcp/server/http_endpoint.h"

void endpoint_message(struct http_call *http, int status, struct json_view message,
                      const char *session)
{
    const struct http_field field = {"MCP-Session-Id", session};
    struct str line = STR_INIT;
    struct http_reply r = {
        .code = status, .type = "application/json", .fields = &field, .n_fields = session ? 1 : 0};

    json_view_put_line(&line, message);
    message = message_text(&line);
    r.code = str_ok(&line) ? status : 500;
    r.body = message.at;
    r.body_bytes = message.n;
    http_call_on_gone(http, NULL, NULL);
    http_call_reply(http, &r);
    str_deinit(&line);
}

void endpoint_error(struct http_call *http, int status, struct json_view id, int64_t code,
                    const char *message)
{
    struct str text = STR_INIT;

    rpc_write_error(&text, id, code, message, JSON_VIEW_NONE);
    endpoint_message(http, status, message_text(&text), NULL);
    str_deinit(&text);
}

void endpoint_empty(struct http_call *http, int status)
{
    http_call_on_gone(http, NULL, NULL);
    http_call_reply(http, &(struct http_reply){.code = status});
}

static bool covers(const char *range, size_t n, const char *type)
{
    size_t family = (size_t)(strchr(type, '/') - type) + 1;

    if (n == 3 && memcmp(range, "*/*", 3) == 0)
        return true;
    if (n == family + 1 && range[family] == '*')
        return strncasecmp(range, type, family) == 0;
    return n == strlen(type) && strncasecmp(range, type, n) == 0;
}

bool http_accepts(const struct http_request *q, const char *type)
{
    for (int32_t i = 0; i < q->n_fields; i++) {
        const char *at = q->fields[i].value;

        if (strcmp(q->fields[i].name, "accept") != 0)
            continue;
        while (*at) {
            size_t whole = strcspn(at, ","), n = strcspn(at, ",; \t");

            if (covers(at, n, type))
                return true;
            at += whole;
            at += strspn(at, ", \t");
        }
    }
    return false;
}
