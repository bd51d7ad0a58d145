/* header_check.c - see header_check.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/header_check.h"

#include <string.h>

#include "mcp/rpc/header_text.h"
#include "mcp/rpc/mcp.h"
#include "runtime/base/text.h"

static bool is_number(const char *text, struct json_view value)
{
    int64_t a, b = json_view_int(value, INT64_MIN);
    double d;

    if (text_to_i64(text, &a) && b != INT64_MIN)
        return a == b;
    return text_to_double(text, &d) && d == json_view_number(value, d + 1);
}

bool header_check_is(const char *field, struct json_view value)
{
    struct str held = STR_INIT, text = STR_INIT;
    bool same = header_text_read(field, &held);

    switch (json_view_kind(value)) {
    case JV_STRING:
        same = same && json_view_text(value, &text) && held.len == text.len &&
               memcmp(str_cstr(&held), str_cstr(&text), text.len) == 0;
        break;
    case JV_INT:
    case JV_REAL:
        same = same && strlen(str_cstr(&held)) == held.len && is_number(str_cstr(&held), value);
        break;
    case JV_BOOL:
        same =
            same && strcmp(str_cstr(&held), json_view_bool(value, false) ? "true" : "false") == 0;
        break;
    default:
        same = false;
    }
    str_deinit(&held);
    str_deinit(&text);
    return same;
}

const char *header_check_field(const struct http_request *q, const char *name, bool *twice)
{
    const char *value = NULL;

    *twice = false;
    for (int32_t i = 0; i < q->n_fields; i++) {
        if (strcmp(q->fields[i].name, name) != 0)
            continue;
        *twice = *twice || value;
        value = q->fields[i].value;
    }
    return value;
}

/* `field` repeats `value`, which the body calls `what`. */
static bool agrees(const struct http_request *q, const char *name, const char *field,
                   struct json_view value, struct error *err)
{
    bool twice;
    const char *held = header_check_field(q, name, &twice);

    if (!held)
        (void)error_set(err, STATUS_INVALID, "the header %s is missing", field);
    else if (twice)
        (void)error_set(err, STATUS_INVALID, "the header %s is there twice", field);
    else if (!header_check_is(held, value))
        (void)error_set(err, STATUS_INVALID, "the header %s does not agree with the body", field);
    else
        return true;
    return false;
}

bool header_check_agrees(const struct http_request *q, const struct rpc_message *m,
                         struct json_view version, struct error *err)
{
    enum mcp_method method = mcp_method_find(m->method);
    const char *member = method < MCP_METHOD_N ? mcp_method_facts(method)->name_member : NULL;
    struct json_view name = member ? json_view_get(m->params, member) : JSON_VIEW_NONE;

    if (!agrees(q, "mcp-protocol-version", "MCP-Protocol-Version", version, err) ||
        !agrees(q, "mcp-method", "Mcp-Method", m->method, err))
        return false;
    return json_view_kind(name) != JV_STRING || agrees(q, "mcp-name", "Mcp-Name", name, err);
}
