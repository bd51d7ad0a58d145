/* troupe.c - opens store, reader, models, tools and loop, and drives the runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "mcp/hub/hub_tool.h"
#include "models/remote/remote_model.h"
#include "runtime/api/troupe_internal.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_client.h"
#include "runtime/loop/loop.h"
#include "runtime/store/journal.h"
#include "tools/environments/env_tools.h"

enum status troupe_http_client(struct troupe *t, struct http_client **out, struct error *err)
{
    const struct http_client_options o = {.seams = t->seams};
    struct loop *loop;
    enum status st = STATUS_OK;

    if (!t->client)
        st = troupe_loop(t, &loop, err);
    if (!st && !t->client)
        st = http_client_new(loop, &o, &t->client, err);
    if (!st)
        *out = t->client;
    return st;
}

/* The servers of remote models; for model_set_servers. */
static enum status open_servers(void *ctx, struct remote_servers **out, struct error *err)
{
    struct troupe *t = ctx;
    struct http_client *client;
    enum status st = t->servers ? STATUS_OK : troupe_http_client(t, &client, err);

    if (st)
        return st;
    if (!t->servers) {
        t->servers = remote_servers_new(t->loop, client, t->seams);
        remote_servers_log(t->servers, t->log);
    }
    *out = t->servers;
    return STATUS_OK;
}

void troupe_observe(struct troupe *t, struct troupe_observer *o)
{
    o->next = t->observers;
    t->observers = o;
}

void troupe_unobserve(struct troupe *t, struct troupe_observer *o)
{
    struct troupe_observer **link = &t->observers;

    while (*link && *link != o)
        link = &(*link)->next;
    if (*link)
        *link = o->next;
}

void troupe_each_engine(const struct troupe *t,
                        void (*fn)(void *ctx, const struct model *m, struct engine *e), void *ctx)
{
    model_set_each_engine(t->models, fn, ctx);
}

void troupe_each_server(const struct troupe *t,
                        void (*fn)(void *ctx, const struct remote_server_state *s), void *ctx)
{
    if (t->servers)
        remote_servers_each(t->servers, fn, ctx);
}

const struct remote_specs *troupe_remote(const struct troupe *t)
{
    return t->remote;
}

struct troupe *troupe_new(const struct troupe_options *o)
{
    struct troupe *t = xcalloc(1, sizeof(*t));

    t->seams = o->seams;
    t->log = o->log;
    t->remote = o->model.remote;
    t->asked_to_end = o->interrupted;
    t->models = model_set_new(&o->model, o->log);
    model_set_servers(t->models, open_servers, t);
    return t;
}

void troupe_set_log(struct troupe *t, struct log *log)
{
    t->log = log;
    model_set_log(t->models, log);
    if (t->servers)
        remote_servers_log(t->servers, log);
}

void troupe_set_interrupted(struct troupe *t, const volatile int *asked)
{
    t->asked_to_end = asked;
}

void troupe_free(struct troupe *t)
{
    if (!t)
        return;
    for (struct troupe_waiting *w = t->waiting, *next; w; w = next) {
        next = w->next;
        w->drop(w);
    }
    troupe_mcp_free(t);
    model_set_free(t->models);
    remote_servers_free(t->servers);
    http_client_free(t->client);
    store_reader_close(t->reader);
    store_close(t->store); /* its last replies are handled here */
    store_close(t->look);
    loop_box_free(t->replies);
    loop_free(t->loop);
    free(t);
}

/* ---- the store */

enum status troupe_open_store(struct troupe *t, const struct store_options *o, struct error *err)
{
    enum status st = STATUS_OK;

    if (!t->store && !(t->look && o->read_only))
        st = store_open(o, o->read_only ? &t->look : &t->store, err);
    if (st && st != STATUS_BUSY && st != STATUS_CONFIG && st != STATUS_CORRUPT && err &&
        !err->hint[0])
        error_hint(err, "choose a writable file with --store FILE or TROUPE_STORE");
    if (!st && t->store && t->replies)
        store_set_reply_box(t->store, loop_box_mailbox(t->replies));
    return st;
}

struct store *troupe_store(const struct troupe *t)
{
    return t->store ? t->store : t->look;
}

enum status troupe_reader(struct troupe *t, struct store_reader **out, struct error *err)
{
    enum status st = t->reader ? STATUS_OK : store_reader_open(troupe_store(t), &t->reader, err);

    if (!st)
        *out = t->reader;
    return st;
}

/* ---- models and tools */

enum status troupe_model(struct troupe *t, const char *name, struct model **out, struct error *err)
{
    return model_set_open(t->models, name, out, err);
}

struct engine *troupe_model_engine(const struct troupe *t, const struct model *m)
{
    return model_set_engine(t->models, m);
}

enum status troupe_tools(struct troupe *t, const char *root, struct tool_registry **out,
                         struct error *err)
{
    struct tool_registry_options o = {.root = root, .seams = t->seams};
    struct tool_registry *r = NULL;
    enum status st = tool_registry_new(&o, &r, err);

    if (!st)
        st = env_register_tools(r, err);
    if (!st && troupe_hub(t))
        st = hub_tools_update(troupe_hub(t), r, err);
    if (st) {
        tool_registry_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}

/* ---- the loop */

/* Handles the replies of the store. Runners post their own writes. */
static void on_replies(void *ctx, struct mail *all)
{
    (void)ctx;
    store_take_replies(all);
}

enum status troupe_loop(struct troupe *t, struct loop **out, struct error *err)
{
    enum status st = t->loop ? STATUS_OK : loop_new(t->seams, &t->loop, err);

    if (st)
        return st;
    if (!t->replies) {
        t->replies = loop_box_new(t->loop, on_replies, t);
        if (t->store)
            store_set_reply_box(t->store, loop_box_mailbox(t->replies));
    }
    *out = t->loop;
    return STATUS_OK;
}

bool troupe_is_idle(const struct troupe *t)
{
    return !t->first;
}

enum status troupe_drive(struct troupe *t, struct error *err)
{
    struct loop *loop;
    enum status st = troupe_loop(t, &loop, err);

    if (!st && (t->first || t->watching))
        loop_run(loop);
    return st;
}
