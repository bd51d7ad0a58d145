/* rpc.c - see rpc.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/rpc.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 200 /* of a message, where its id may be */

static enum status invalid(enum rpc_code *code, struct error *err, const char *message)
{
    *code = RPC_INVALID_REQUEST;
    return error_set(err, STATUS_INVALID, "%s", message);
}

static bool is_id(struct json_view v)
{
    enum jv_kind kind = json_view_kind(v);

    return (kind == JV_STRING || kind == JV_INT) && v.n <= RPC_ID_MAX;
}

static enum status read_error(struct json_view error, struct rpc_message *out, enum rpc_code *code,
                              struct error *err)
{
    struct json_view number = json_view_get(error, "code");

    out->kind = RPC_ERROR;
    out->message = json_view_get(error, "message");
    out->data = json_view_get(error, "data");
    if (json_view_kind(number) != JV_INT || json_view_kind(out->message) != JV_STRING)
        return invalid(code, err, "an error needs an integer \"code\" and a string \"message\"");
    out->code = json_view_int(number, RPC_INTERNAL_ERROR);
    return STATUS_OK;
}

static enum status read_answer(struct json_view error, struct rpc_message *out, enum rpc_code *code,
                               struct error *err)
{
    if (error.at && out->result.at)
        return invalid(code, err, "a message has either \"result\" or \"error\"");
    if (out->method.at)
        return invalid(code, err, "a message has either \"method\" or an answer");
    if (error.at)
        return read_error(error, out, code, err);
    out->kind = RPC_RESULT;
    if (!out->id.at)
        return invalid(code, err, "a result needs the \"id\" of its request");
    if (json_view_kind(out->result) != JV_OBJECT)
        return invalid(code, err, "\"result\" must be an object");
    return STATUS_OK;
}

static enum status read_call(struct rpc_message *out, bool has_id, enum rpc_code *code,
                             struct error *err)
{
    out->kind = has_id ? RPC_REQUEST : RPC_NOTIFICATION;
    if (json_view_kind(out->method) != JV_STRING)
        return invalid(code, err, "\"method\" must be a string");
    if (has_id && !out->id.at)
        return invalid(code, err, "\"id\" must be a string or an integer");
    if (out->params.at && json_view_kind(out->params) != JV_OBJECT)
        return invalid(code, err, "\"params\" must be an object");
    return STATUS_OK;
}

enum status rpc_read(const char *bytes, size_t n, size_t max_bytes, struct rpc_message *out,
                     enum rpc_code *code, struct error *err)
{
    enum { ID, JSONRPC, METHOD, PARAMS, RESULT, ERROR, N_KEYS };
    static const char *const keys[N_KEYS] = {"id",     "jsonrpc", "method",
                                             "params", "result",  "error"};
    struct json_view v, got[N_KEYS];
    enum status st;

    *out = (struct rpc_message){0};
    st = json_view_open(bytes, n, max_bytes, "message", &v, err);
    if (st) {
        *code = st == STATUS_REJECTED || st == STATUS_LIMIT ? RPC_INVALID_REQUEST : RPC_PARSE_ERROR;
        return st;
    }
    if (json_view_kind(v) != JV_OBJECT)
        return invalid(code, err,
                       json_view_kind(v) == JV_ARRAY ? "batches are not part of MCP"
                                                     : "a message must be a JSON object");
    json_view_pick(v, keys, N_KEYS, got);
    if (is_id(got[ID]))
        out->id = got[ID];
    if (!json_view_is(got[JSONRPC], "2.0"))
        return invalid(code, err, "\"jsonrpc\" must be \"2.0\"");
    out->method = got[METHOD];
    out->params = got[PARAMS];
    out->result = got[RESULT];
    if (got[RESULT].at || got[ERROR].at)
        return read_answer(got[ERROR], out, code, err);
    return read_call(out, got[ID].at != NULL, code, err);
}

int64_t rpc_peek_id(const char *bytes, size_t n)
{
    char head[HEAD_BYTES + 1];
    char *inside;
    const char *at;

    n = n < HEAD_BYTES ? n : HEAD_BYTES;
    memcpy(head, bytes, n);
    head[n] = '\0';
    inside = n > 0 && head[0] == '{' ? strchr(head + 1, '{') : head;
    if (inside) /* what is in a member of the message is not of the message */
        *inside = '\0';
    at = strstr(head, "\"id\":");
    if (!at || !strstr(head, "\"jsonrpc\"") || strstr(head, "\"method\""))
        return 0;
    at += strlen("\"id\":");
    while (*at == ' ')
        at++;
    return *at >= '0' && *at <= '9' ? strtoll(at, NULL, 10) : 0;
}

/* ---- writing */

#define AROUND_BYTES 64 /* of a message, besides its parts */

static void begin(struct str *out, struct json_view id, size_t more_bytes)
{
    str_expect(out, AROUND_BYTES + id.n + more_bytes);
    str_puts(out, "{\"jsonrpc\":\"2.0\"");
    if (id.at) {
        str_puts(out, ",\"id\":");
        json_view_put(out, id);
    }
}

static void put_method(struct str *out, const char *method, struct json_view params)
{
    str_puts(out, ",\"method\":");
    str_put_json_string(out, method, strlen(method));
    if (params.at) {
        str_puts(out, ",\"params\":");
        json_view_put(out, params);
    }
    str_putc(out, '}');
}

void rpc_write_request(struct str *out, struct json_view id, const char *method,
                       struct json_view params)
{
    begin(out, id, params.n);
    put_method(out, method, params);
}

void rpc_write_notification(struct str *out, const char *method, struct json_view params)
{
    begin(out, JSON_VIEW_NONE, params.n);
    put_method(out, method, params);
}

void rpc_write_result(struct str *out, struct json_view id, struct json_view result)
{
    begin(out, id, result.n);
    str_puts(out, ",\"result\":");
    if (result.at)
        json_view_put(out, result);
    else
        str_puts(out, "{}");
    str_putc(out, '}');
}

void rpc_write_error(struct str *out, struct json_view id, int64_t code, const char *message,
                     struct json_view data)
{
    begin(out, id.at ? id : (struct json_view){.at = "null", .n = 4}, data.n);
    str_puts(out, ",\"error\":{\"code\":");
    str_put_i64(out, code);
    str_puts(out, ",\"message\":");
    str_put_json_string(out, message, strlen(message));
    if (data.at) {
        str_puts(out, ",\"data\":");
        json_view_put(out, data);
    }
    str_puts(out, "}}");
}

enum rpc_code rpc_code_of(enum status st)
{
    switch (st) {
    case STATUS_INVALID:
    case STATUS_USAGE:
    case STATUS_NOT_FOUND:
    case STATUS_LIMIT:
    case STATUS_REJECTED:
        return RPC_INVALID_PARAMS;
    case STATUS_UNSUPPORTED:
        return RPC_METHOD_NOT_FOUND;
    default:
        return RPC_INTERNAL_ERROR;
    }
}
