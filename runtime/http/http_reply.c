/* http_reply.c - heads of replies, replies with one body, and errors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_conn_internal.h"

#define SKIP_MAX   ((int64_t)64 << 10)
#define FIELDS_MAX 3 /* of an error, without its id */

static struct http_conn *conn_of(struct http_call *c)
{
    return CONTAINER_OF(c, struct http_conn, call);
}

/* A line break in a value would begin a field of its own. */
static void put_value(struct str *out, const char *value)
{
    for (const char *p = value; *p; p++)
        str_putc(out, (unsigned char)*p < ' ' && *p != '\t' ? ' ' : *p);
}

static void put_field(struct str *out, const char *name, const char *value)
{
    str_puts(out, name);
    str_append(out, ": ", 2);
    put_value(out, value);
    str_append(out, "\r\n", 2);
}

/* Tokens are in a field that pages set themselves, so that no reply needs the credentials mode, and
 * "*" is every field (Fetch standard, 3.2). */
static void put_cors(const struct http_conn *c, struct str *out)
{
    const char *origin = http_gate_listed_origin(&c->shared->gate, c->q);

    if (!origin)
        return;
    put_field(out, "Access-Control-Allow-Origin", origin);
    put_field(out, "Access-Control-Expose-Headers", "*");
    put_field(out, "Vary", "Origin");
}

void http_reply_head(struct http_conn *c, const struct http_reply *r, int64_t length)
{
    struct str *out = &c->out;
    size_t before = out->len;

    c->code = r->code;
    str_append(out, "HTTP/1.1 ", 9);
    str_put_i64(out, r->code);
    str_putc(out, ' ');
    str_puts(out, http_status_text(r->code));
    str_append(out, "\r\nDate: ", 8);
    str_puts(out, http_date(c->shared));
    str_append(out, "\r\n", 2);
    if (r->type)
        put_field(out, "Content-Type", r->type);
    for (int32_t i = 0; i < r->n_fields; i++)
        put_field(out, r->fields[i].name, r->fields[i].value);
    put_cors(c, out);
    if (length >= 0 && r->code != 204 && r->code != 304) {
        str_append(out, "Content-Length: ", 16);
        str_put_i64(out, length);
        str_append(out, "\r\n", 2);
    } else if (length < 0 && c->is_chunked) {
        str_puts(out, "Transfer-Encoding: chunked\r\n");
    }
    if (!c->keep_alive)
        str_puts(out, "Connection: close\r\n");
    else if (c->q && c->q->is_1_0)
        str_puts(out, "Connection: keep-alive\r\n");
    str_append(out, "\r\n", 2);
    c->reply_bytes += (int64_t)(out->len - before);
}

static void reply(struct http_conn *c, const struct http_reply *r)
{
    bool was_empty = http_unsent_bytes(c) == 0;

    if (c->state != CONN_DONE) {
        if (c->shared->is_draining)
            c->keep_alive = false;
        http_reply_head(c, r, (int64_t)r->body_bytes);
        if (!c->is_head && r->code != 204 && r->code != 304) {
            str_append(&c->out, r->body, r->body_bytes);
            c->reply_bytes += (int64_t)r->body_bytes;
        }
        http_conn_wrote(c, was_empty);
    }
    http_conn_replied(c);
}

/* The body of an error, and the reply. */
static void reply_fail(struct http_conn *c, int code, const char *message,
                       const struct http_field *fields, int32_t n_fields)
{
    const struct http_handler *h = &c->shared->o.handler;
    struct http_field all[FIELDS_MAX + 1];
    char id[HTTP_ERROR_ID_BYTES] = "";
    struct str body = STR_INIT;

    assert(n_fields <= FIELDS_MAX);
    for (int32_t i = 0; i < n_fields; i++)
        all[i] = fields[i];
    if (!message)
        message = http_status_text(code);
    if (h->error_id) {
        h->error_id(h->ctx, c->q, code, message, id);
        all[n_fields++] = (struct http_field){"X-Request-Id", id};
    }
    if (h->error_body) {
        h->error_body(h->ctx, c->q, code, message, &body);
    } else {
        str_puts(&body, "{\"error\":{\"message\":");
        str_put_json_string(&body, message, strlen(message));
        str_puts(&body, "}}\n");
    }
    reply(c, &(struct http_reply){.code = code,
                                  .type = "application/json",
                                  .fields = all,
                                  .n_fields = n_fields,
                                  .body = str_cstr(&body),
                                  .body_bytes = body.len});
    str_deinit(&body);
}

/* The connection goes on after a refusal if the body is known to come, and is short: whether it has
 * come yet makes no difference. */
static void skip_body(struct http_conn *c)
{
    if (c->q && c->state == CONN_HEAD && c->q->body_bytes <= SKIP_MAX &&
        (c->q->body_bytes == 0 || !c->q->expects_100)) {
        c->skip = c->q->body_bytes;
        return;
    }
    c->keep_alive = false;
    c->how = HTTP_CLOSE_LINGER;
}

void http_reply_error(struct http_conn *c, int code, const char *message, const char *challenge,
                      const char *allow)
{
    struct http_field fields[FIELDS_MAX];
    int32_t n = 0;

    skip_body(c);
    if (challenge)
        fields[n++] = (struct http_field){"WWW-Authenticate", challenge};
    if (allow)
        fields[n++] = (struct http_field){"Allow", allow};
    if (code == 503 || code == 429)
        fields[n++] = (struct http_field){"Retry-After", "1"};
    reply_fail(c, code, message, fields, n);
}

void http_reply_preflight(struct http_conn *c)
{
    const char *asked =
        http_field_value(c->q->fields, c->q->n_fields, "access-control-request-headers");
    const struct http_field fields[] = {
        {"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
        {"Access-Control-Max-Age", "600"},
        {"Access-Control-Allow-Headers", asked}};

    skip_body(c);
    reply(c, &(struct http_reply){.code = 204, .fields = fields, .n_fields = asked ? 3 : 2});
}

/* ---- for handlers */

const struct http_request *http_call_request(const struct http_call *c)
{
    return CONTAINER_OF(c, const struct http_conn, call)->q;
}

void http_call_note(struct http_call *c, void *note)
{
    conn_of(c)->note = note;
}

void *http_call_noted(const struct http_call *c)
{
    return CONTAINER_OF(c, const struct http_conn, call)->note;
}

void http_call_on_gone(struct http_call *c, void (*fn)(void *ctx), void *ctx)
{
    c->on_gone = fn;
    c->gone_ctx = ctx;
}

void http_call_reply(struct http_call *call, const struct http_reply *r)
{
    reply(conn_of(call), r);
}

void http_call_reply_json(struct http_call *call, int code, const char *json, size_t n)
{
    reply(conn_of(call),
          &(struct http_reply){
              .code = code, .type = "application/json", .body = json, .body_bytes = n});
}

void http_call_fail(struct http_call *call, int code, const char *message)
{
    struct http_field retry = {"Retry-After", "1"};

    reply_fail(conn_of(call), code, message, &retry, code == 503 || code == 429);
}
