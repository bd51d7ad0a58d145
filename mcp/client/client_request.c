/* client_request.c - requests to the server: our ids, their deadlines, how they end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>

#include "mcp/client/client_internal.h"
#include "mcp/rpc/rpc.h"
#include "runtime/http/http_fields.h"

#define KEY_BYTES    24 /* of an id as text */
#define UNSENT_LINES 10 /* that are shown */

/* Its digits, from the last one on: the same for the same id. */
static const char *key_of(int64_t id, char key[KEY_BYTES])
{
    char *at = key;

    for (uint64_t rest = (uint64_t)id; at == key || rest > 0; rest /= 10)
        *at++ = (char)('0' + rest % 10);
    *at = '\0';
    return key;
}

struct client_request *client_request_find(struct mcp_client *c, int64_t id)
{
    char key[KEY_BYTES];

    return map_get(c->requests, key_of(id, key));
}

static void forget(struct client_request *r)
{
    struct mcp_client *c = r->client;
    char key[KEY_BYTES];

    (void)map_remove(c->requests, key_of(r->id, key));
    loop_timer_free(r->timer);
    r->timer = NULL;
    if (c->link)
        client_link_drop(c->link, r->id);
}

void client_request_end(struct client_request *r, const struct client_reply *reply)
{
    forget(r);
    r->done(r->ctx, reply);
    free(r);
}

void client_send_text(struct mcp_client *c, enum mcp_method method, const struct str *text)
{
    const struct client_send send = {.method = method, .text = str_cstr(text), .n = text->len};
    struct error err = ERROR_INIT;

    if (!c->link)
        return;
    if (!str_ok(text))
        (void)error_set(&err, STATUS_LIMIT, "it is too long");
    else
        (void)!c->link->ops->send(c->link, &send, &err);
    if (err.status && ++c->counts.unsent <= UNSENT_LINES)
        client_line(c, "a message was not sent: %s", err.message);
}

void client_send_result(struct mcp_client *c, struct json_view id, struct json_view result)
{
    struct str text = STR_INIT;

    rpc_write_result(&text, id, result);
    client_send_text(c, MCP_METHOD_N, &text);
    str_deinit(&text);
}

void client_refuse(struct mcp_client *c, struct json_view id, int64_t code, const char *message)
{
    struct str text = STR_INIT;

    c->counts.refused++;
    rpc_write_error(&text, id, code, message, JSON_VIEW_NONE);
    client_send_text(c, MCP_METHOD_N, &text);
    str_deinit(&text);
}

/* A modern server over HTTP learns it from the end of the stream; a legacy one, and a process, from
 * a notification with our id. */
static void send_cancel(struct client_request *r)
{
    struct mcp_client *c = r->client;
    struct str params = STR_INIT, text = STR_INIT;

    if (!c->link || r->method == MCP_INITIALIZE || r->method == MCP_DISCOVER ||
        (c->link->is_http && client_is_modern(c)))
        return;
    str_puts(&params, "{\"requestId\":");
    str_put_i64(&params, r->id);
    str_putc(&params, '}');
    rpc_write_notification(&text, mcp_method_facts(MCP_CANCELLED)->name, json_view_str(&params));
    client_send_text(c, MCP_CANCELLED, &text);
    str_deinit(&params);
    str_deinit(&text);
}

void client_request_drop(struct client_request *r, bool cancel)
{
    if (!r)
        return;
    if (cancel)
        send_cancel(r);
    forget(r);
    free(r);
}

static void on_limit(void *ctx)
{
    struct client_request *r = ctx;
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_TIMEOUT, "%s gave no answer to %s in %lld ms",
                    r->client->spec.name, mcp_method_facts(r->method)->name,
                    (long long)r->limit_ms);
    send_cancel(r);
    client_request_end(r, &(struct client_reply){.err = &err});
}

void client_request_limit(struct client_request *r, bool counts)
{
    loop_timer_free(r->timer);
    r->timer = counts && r->limit_ms > 0
                   ? loop_timer_new(r->client->spec.loop, r->limit_ms, on_limit, r)
                   : NULL;
}

static enum status send(struct client_request *r, const struct client_request_spec *spec,
                        struct error *err)
{
    struct mcp_client *c = r->client;
    struct client_send message = {.id = r->id, .method = spec->method, .name = spec->name};
    struct str text = STR_INIT, id = STR_INIT;
    enum status st;

    str_put_i64(&id, r->id);
    rpc_write_request(&text, json_view_str(&id), mcp_method_facts(spec->method)->name,
                      spec->params);
    message.text = str_cstr(&text);
    message.n = text.len;
    if (spec->fields) {
        message.fields = spec->fields->list;
        message.n_fields = spec->fields->n;
    }
    st = str_ok(&text) ? c->link->ops->send(c->link, &message, err)
                       : error_set(err, STATUS_LIMIT, "the request is too long");
    str_deinit(&text);
    str_deinit(&id);
    return st;
}

enum status client_request_send(struct mcp_client *c, const struct client_request_spec *spec,
                                struct client_request **out, struct error *err)
{
    struct client_request *r;
    char key[KEY_BYTES];
    enum status st;

    if (!c->link)
        return error_set(err, STATUS_FAILED, "%s is not connected", c->spec.name);
    r = xcalloc(1, sizeof(*r));
    *r = (struct client_request){.client = c,
                                 .id = c->next_id++,
                                 .method = spec->method,
                                 .limit_ms = spec->limit_ms,
                                 .call = spec->call,
                                 .ctx = spec->ctx,
                                 .done = spec->done,
                                 .note = spec->note};
    st = send(r, spec, err);
    if (st) {
        free(r);
        return st;
    }
    c->counts.requests++;
    (void)map_put(c->requests, key_of(r->id, key), r);
    client_request_limit(r, true);
    *out = r;
    return STATUS_OK;
}

void client_requests_fail(struct mcp_client *c, const struct error *err)
{
    const char *key;
    void *value;

    assert(!c->link);
    for (size_t i = 0; map_next(c->requests, &i, &key, &value); i = 0)
        client_request_end(value, &(struct client_reply){.err = err});
}
