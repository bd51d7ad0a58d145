/* client_memory_link.c - link_stdio_new of a world in memory: see client_world.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_world.h"
#include "mcp/client/client_link.h"
#include "mcp/rpc/rpc.h"

struct letter {
    struct fake_link *link;
    struct letter *next;
    struct str text;
};

struct fake_link {
    struct client_link link;
    struct world *world;
    struct letter *first, **last;
    struct loop_timer *timer, *stop;
    bool is_stopping;
    struct fake_link *next;
};

static void deliver(void *ctx)
{
    struct fake_link *l = ctx;
    struct world *w = l->world;

    loop_timer_free(l->timer);
    l->timer = NULL;
    if (w->is_deaf) {
        l->timer = loop_timer_new(w->loop, 1, deliver, l);
        return;
    }
    while (l->first && !l->is_stopping) {
        struct letter *letter = l->first;
        struct rpc_message m;
        enum rpc_code code;

        l->first = letter->next;
        if (!l->first)
            l->last = &l->first;
        assert_ok(
            rpc_read(str_cstr(&letter->text), letter->text.len, STR_MAX_DEFAULT, &m, &code, why));
        if (w->serves_all) {
            w->serve(w, &m);
        } else if (m.method.at && json_view_is(m.method, "server/discover")) {
            if (w->is_modern)
                world_reply(w, &m, NULL);
            else
                world_say(w,
                          "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":-32601,\"message\":"
                          "\"no\"}}",
                          (int)m.id.n, m.id.at);
        } else if (m.method.at && json_view_is(m.method, "initialize") && !w->is_modern) {
            world_reply(w, &m, NULL);
        } else if (w->serve) {
            w->serve(w, &m);
        }
        str_deinit(&letter->text);
        free(letter);
    }
}

static enum status start(struct client_link *l, struct error *err)
{
    (void)l;
    (void)err;
    return STATUS_OK;
}

static enum status send(struct client_link *link, const struct client_send *m, struct error *err)
{
    struct fake_link *l = CONTAINER_OF(link, struct fake_link, link);
    struct letter *letter = xcalloc(1, sizeof(*letter));

    (void)err;
    letter->text = STR_INIT;
    str_append(&letter->text, m->text, m->n);
    *l->last = letter;
    l->last = &letter->next;
    str_append(&l->world->sent, m->text, m->n);
    str_putc(&l->world->sent, '\n');
    l->world->n_sent++;
    if (!l->timer)
        l->timer = loop_timer_new(l->world->loop, 0, deliver, l);
    return STATUS_OK;
}

static int32_t pid(const struct client_link *l)
{
    (void)l;
    return 77;
}

static void on_stop(void *ctx)
{
    struct fake_link *l = ctx;
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_CANCELLED, "stopped");
    l->link.events.down(l->link.events.ctx, &l->link, &err);
}

static void stop(struct client_link *link)
{
    struct fake_link *l = CONTAINER_OF(link, struct fake_link, link);

    if (l->is_stopping)
        return;
    l->is_stopping = true;
    l->stop = loop_timer_new(l->world->loop, 0, on_stop, l);
}

static void free_(struct client_link *link)
{
    struct fake_link *l = CONTAINER_OF(link, struct fake_link, link);

    while (l->first) {
        struct letter *letter = l->first;

        l->first = letter->next;
        str_deinit(&letter->text);
        free(letter);
    }
    loop_timer_free(l->timer);
    loop_timer_free(l->stop);
    if (l->world->link == l)
        l->world->link = NULL;
    free(l);
}

struct client_link *link_stdio_new(const struct mcp_client_spec *spec,
                                   const struct client_link_events *events)
{
    static const struct client_link_ops ops = {
        .start = start, .send = send, .pid = pid, .stop = stop, .free = free_};
    struct fake_link *l = xcalloc(1, sizeof(*l));

    l->link = (struct client_link){.ops = &ops, .events = *events};
    l->world = spec->events.ctx;
    l->last = &l->first;
    l->world->link = l;
    l->world->n_links++;
    return &l->link;
}

void world_say_bytes(struct world *w, const char *bytes, size_t n)
{
    struct fake_link *l = w->link;

    if (l && !l->is_stopping)
        (void)l->link.events.message(l->link.events.ctx, 0, bytes, n);
}

void world_say(struct world *w, const char *fmt, ...)
{
    struct str text = STR_INIT;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    world_say_bytes(w, str_cstr(&text), text.len);
    str_deinit(&text);
}

void world_reply(struct world *w, const struct rpc_message *m, const char *result)
{
    struct str text = STR_INIT;

    if (result)
        str_puts(&text, result);
    else if (w->is_modern)
        str_printf(&text,
                   "{\"supportedVersions\":[\"2025-11-25\",\"2026-07-28\"],\"capabilities\":{%s},"
                   "\"ttlMs\":1000,\"cacheScope\":\"public\",\"resultType\":\"complete\","
                   "\"_meta\":{\"" MCP_META_SERVER "\":{\"name\":\"new\",\"version\":\"1\"}}}",
                   w->about);
    else
        str_printf(&text,
                   "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{%s},\"serverInfo\":"
                   "{\"name\":\"old\",\"version\":\"1\"},\"instructions\":\"be kind\"}",
                   w->about);
    world_say(w, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}", (int)m->id.n, m->id.at,
              str_cstr(&text));
    str_deinit(&text);
}

void world_link_dies(struct world *w, const char *why)
{
    struct fake_link *l = w->link;
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_IO, "%s", why);
    l->is_stopping = true;
    l->link.events.down(l->link.events.ctx, &l->link, &err);
}
