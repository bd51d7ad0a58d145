/* client.c - the life of a client: its states, its link, its events.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client_call.h"
#include "mcp/client/client_internal.h"
#include "mcp/client/client_lists.h"

/* ---- the link */

static void tidy(void *ctx)
{
    struct mcp_client *c = ctx;
    struct client_link **at = &c->leaving;

    loop_timer_free(c->tidy);
    c->tidy = NULL;
    while (*at) {
        struct client_link *l = *at;

        if (l->is_over) {
            *at = l->next;
            l->ops->free(l);
        } else {
            at = &l->next;
        }
    }
}

static void put_aside(struct mcp_client *c)
{
    c->link->next = c->leaving;
    c->leaving = c->link;
    c->link = NULL;
}

static void on_link_down(void *ctx, struct client_link *l, const struct error *err)
{
    struct mcp_client *c = ctx;

    l->is_over = true;
    if (!c->tidy)
        c->tidy = loop_timer_new(c->spec.loop, 0, tidy, c);
    if (l == c->link) {
        put_aside(c);
        client_set_down(c, err);
    }
}

static void on_line(void *ctx, const char *text, size_t n)
{
    struct mcp_client *c = ctx;

    if (c->spec.events.line)
        c->spec.events.line(c->spec.events.ctx, true, text, n);
}

/* A link that was left says nothing more: it is stopping. */
static void on_settled(void *ctx)
{
    struct mcp_client *c = ctx;

    if (c->state == MCP_CLIENT_STARTING)
        client_set_ready(c);
}

void client_leave_link(struct mcp_client *c)
{
    struct client_link *l = c->link;

    if (!l)
        return;
    put_aside(c);
    l->ops->stop(l);
}

enum status client_open_link(struct mcp_client *c, enum mcp_transport t, struct error *err)
{
    const struct client_link_events events = {.ctx = c,
                                              .message = client_receive,
                                              .ended = client_ended,
                                              .settled = on_settled,
                                              .down = on_link_down,
                                              .line = on_line};
    struct client_link *l = t == MCP_OVER_STDIO  ? link_stdio_new(&c->spec, &events)
                            : t == MCP_OVER_HTTP ? link_http_new(&c->spec, &events)
                                                 : link_sse_new(&c->spec, &events);
    enum status st = l->ops->start(l, err);

    assert(!c->link);
    if (st) {
        l->ops->free(l);
        return st;
    }
    c->link = l;
    c->transport = t;
    return STATUS_OK;
}

/* ---- states */

static void set_state(struct mcp_client *c, enum mcp_client_state state)
{
    c->state = state;
    if (c->spec.events.state)
        c->spec.events.state(c->spec.events.ctx, state);
}

void client_agree(struct mcp_client *c, enum mcp_revision r, struct json_view about)
{
    assert(c->state == MCP_CLIENT_STARTING);
    str_clear(&c->about);
    json_view_put(&c->about, about);
    c->revision = r;
    client_link_use(c->link, r);
}

void client_set_ready(struct mcp_client *c)
{
    assert(c->state == MCP_CLIENT_STARTING && c->revision != MCP_REVISION_N);
    c->level = MCP_LOG_NONE;
    c->headers_known = false;
    param_headers_clear(c->headers);
    c->eras_known = client_is_modern(c) ? MCP_ERA_MODERN : MCP_ERA_LEGACY;
    set_state(c, MCP_CLIENT_READY);
    if (c->state == MCP_CLIENT_READY)
        client_listen_ready(c);
    if (c->state == MCP_CLIENT_READY)
        client_calls_go(c);
}

/* Callbacks may do anything but free the client: a start among them waits until all is closed. */
static void close_all(struct mcp_client *c, const struct error *err)
{
    c->is_closing = true;
    client_leave_link(c);
    client_lists_cancel(c->headers_lists);
    c->headers_lists = NULL;
    client_listen_lost(c);
    client_requests_fail(c, err);
    client_calls_fail(c, err);
    client_listen_fail(c, err);
    c->is_closing = false;
}

void client_set_down(struct mcp_client *c, const struct error *err)
{
    struct error copy = *err;

    if (c->state == MCP_CLIENT_DOWN)
        return;
    if (c->state == MCP_CLIENT_STARTING)
        c->eras_known = 0; /* what was known may be so no more */
    c->state = MCP_CLIENT_DOWN;
    c->probe = NULL;
    str_clear(&c->fault);
    str_puts(&c->fault, copy.status ? copy.message : "");
    if (!copy.status)
        (void)error_set(&copy, STATUS_CANCELLED, "the connection was closed");
    close_all(c, &copy);
    set_state(c, MCP_CLIENT_DOWN);
    if (c->starts_again && c->state == MCP_CLIENT_DOWN)
        mcp_client_start(c);
}

void mcp_client_start(struct mcp_client *c)
{
    if (c->state != MCP_CLIENT_NEW && c->state != MCP_CLIENT_DOWN)
        return;
    c->starts_again = c->is_closing;
    if (c->is_closing)
        return;
    str_clear(&c->fault);
    str_clear(&c->about);
    client_salvage_forget(c);
    c->revision = MCP_REVISION_N;
    c->has_reinitialized = false;
    c->counts.starts++;
    set_state(c, MCP_CLIENT_STARTING);
    if (c->state == MCP_CLIENT_STARTING)
        client_probe(c);
}

void mcp_client_stop(struct mcp_client *c)
{
    const struct error none = ERROR_INIT;

    client_set_down(c, &none);
}

/* ---- the handler */

static void start(void *ctx, struct mcp_exchange *x)
{
    struct mcp_client *c = ctx;

    mcp_exchange_ref(x);
    if (c->state == MCP_CLIENT_NEW)
        mcp_client_start(c);
    if (x->method == MCP_LISTEN)
        client_listen_start(c, x);
    else
        client_call_start(c, x);
    mcp_exchange_unref(x);
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    struct mcp_client *c = ctx;

    if (x->method == MCP_LISTEN)
        client_listen_cancel(c, x);
    else
        client_call_cancel(c, x);
}

static void caller_gone(void *ctx, struct mcp_caller *caller)
{
    client_calls_of_gone(ctx, caller);
}

static void roots_changed(void *ctx, struct mcp_caller *caller)
{
    struct mcp_client *c = ctx;
    struct str text = STR_INIT;

    (void)caller;
    if (c->state != MCP_CLIENT_READY || client_is_modern(c) ||
        !(c->spec.abilities & MCP_CAN_LIST_ROOTS))
        return;
    rpc_write_notification(&text, mcp_method_facts(MCP_ROOTS_CHANGED)->name, JSON_VIEW_NONE);
    client_send_text(c, MCP_ROOTS_CHANGED, &text);
    str_deinit(&text);
}

const struct mcp_handler *mcp_client_handler(struct mcp_client *c)
{
    return &c->handler;
}

/* ---- the beginning and the end */

static void set_limits(struct mcp_client_limits *l)
{
#define DEFAULT(member, value)                                                                     \
    if (l->member == 0)                                                                            \
        l->member = (value);
    DEFAULT(probe_ms, 10000)
    DEFAULT(initialize_ms, 30000)
    DEFAULT(call_ms, 300000)
    DEFAULT(park_ms, 600000)
    DEFAULT(kept_ms, 60000)
    DEFAULT(stop_ms, 3000)
    DEFAULT(quiet_ms, 50)
    DEFAULT(message_bytes, (size_t)16 << 20)
    DEFAULT(calls, 1024)
    DEFAULT(parks, 32)
    DEFAULT(park_bytes, (size_t)64 << 10)
    DEFAULT(kept_bytes, (size_t)32 << 20)
#undef DEFAULT
}

static const char *copy_text(struct arena *a, const char *text)
{
    return text ? arena_strdup(a, text) : NULL;
}

static const char *const *copy_list(struct arena *a, const char *const *list)
{
    const char **copy;
    size_t n = 0;

    if (!list)
        return NULL;
    while (list[n])
        n++;
    copy = arena_alloc(a, (n + 1) * sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_strdup(a, list[i]);
    return copy;
}

static void copy_spec(struct mcp_client *c, const struct mcp_client_spec *from)
{
    struct mcp_client_spec *s = &c->spec;
    struct http_field *fields;
    struct mcp_client_auth *auth;

    *s = *from;
    s->seams = from->seams ? from->seams : seams_real();
    s->name = copy_text(c->texts, from->name);
    s->argv = copy_list(c->texts, from->argv);
    s->env = copy_list(c->texts, from->env);
    s->folder = copy_text(c->texts, from->folder);
    s->url = copy_text(c->texts, from->url);
    s->client_name = copy_text(c->texts, from->client_name ? from->client_name : "troupe");
    s->client_version = copy_text(c->texts, from->client_version ? from->client_version : "0");
    s->eras = from->eras ? from->eras : MCP_ERA_BOTH;
    if (!from->abilities)
        s->abilities =
            MCP_CAN_ELICIT_FORM | MCP_CAN_ELICIT_URL | MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS;
    if (from->roots.at) {
        s->roots.at = arena_strndup(c->texts, from->roots.at, from->roots.n);
        s->abilities |= MCP_CAN_LIST_ROOTS;
    }
    fields = arena_alloc(c->texts, ((size_t)from->n_fields + 1) * sizeof(*fields));
    for (int32_t i = 0; i < from->n_fields; i++)
        fields[i] = (struct http_field){arena_strdup(c->texts, from->fields[i].name),
                                        arena_strdup(c->texts, from->fields[i].value)};
    s->fields = fields;
    if (from->auth) {
        auth = arena_alloc(c->texts, sizeof(*auth));
        *auth = *from->auth;
        s->auth = auth;
    }
    set_limits(&s->limits);
}

static void put_info(struct mcp_client *c)
{
    str_puts(&c->info, "{\"name\":");
    str_put_json_string(&c->info, c->spec.client_name, strlen(c->spec.client_name));
    str_puts(&c->info, ",\"version\":");
    str_put_json_string(&c->info, c->spec.client_version, strlen(c->spec.client_version));
    str_putc(&c->info, '}');
}

enum status mcp_client_new(const struct mcp_client_spec *spec, struct mcp_client **out,
                           struct error *err)
{
    const struct mcp_caller_spec self = {.principal = "", .revision = MCP_NEWEST};
    struct mcp_client *c;

    if (!spec->name || (spec->transport == MCP_OVER_STDIO && (!spec->argv || !spec->argv[0])))
        return error_set(err, STATUS_USAGE, "an MCP server needs a name and a command");
    if (spec->transport != MCP_OVER_STDIO && (!spec->url || !spec->http))
        return error_set(err, STATUS_USAGE, "the MCP server %s needs a URL", spec->name);
    c = xcalloc(1, sizeof(*c));
    c->texts = arena_new(4096);
    copy_spec(c, spec);
    c->handler = (struct mcp_handler){.ctx = c,
                                      .start = start,
                                      .cancel = cancel,
                                      .caller_gone = caller_gone,
                                      .roots_changed = roots_changed};
    c->transport = spec->transport;
    c->revision = MCP_REVISION_N;
    c->next_id = 1;
    c->about = c->fault = c->info = c->left_out = STR_INIT;
    put_info(c);
    c->requests = map_new();
    c->rounds = map_new();
    c->headers = param_headers_new();
    c->self = mcp_caller_new(&self);
    c->listen = client_listen_new(c);
    c->changes = client_changes_new(c);
    *out = c;
    return STATUS_OK;
}

static void free_links(struct client_link *l)
{
    while (l) {
        struct client_link *next = l->next;

        l->ops->free(l);
        l = next;
    }
}

void mcp_client_free(struct mcp_client *c)
{
    if (!c)
        return;
    c->spec.events = (struct mcp_client_events){0};
    mcp_client_stop(c);
    assert(c->state == MCP_CLIENT_DOWN && !c->link);
    free_links(c->leaving);
    loop_timer_free(c->tidy);
    client_listen_free(c->listen);
    client_changes_free(c->changes);
    client_rounds_free(c);
    map_free(c->requests, NULL);
    param_headers_free(c->headers);
    mcp_caller_unref(c->self);
    str_deinit(&c->about);
    client_salvage_forget(c);
    str_deinit(&c->left_out);
    str_deinit(&c->fault);
    str_deinit(&c->info);
    arena_free(c->texts);
    free(c);
}
