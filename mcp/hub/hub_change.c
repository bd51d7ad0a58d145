/* hub_change.c - servers that report changes of their lists.
 *
 * A report starts a pause; then the list is fetched again, once, and clients that listen hear
 * of it only if it is another one. While reports turn out to be none, the pause grows: a server
 * that reports a change whenever its list is read makes no loop, and a storm of reports costs two
 * fetches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "mcp/hub/hub_internal.h"

#define PAUSE_MS     50
#define MAX_PAUSE_MS 60000

void hub_change_init(struct hub_server *s)
{
    for (int k = 0; k < HUB_LIST_N; k++) {
        s->change[k].server = s;
        s->change[k].kind = (enum hub_list_kind)k;
        s->change[k].pause_ms = PAUSE_MS;
    }
}

void hub_change_deinit(struct hub_server *s)
{
    for (int k = 0; k < HUB_LIST_N; k++) {
        loop_timer_free(s->change[k].timer);
        if (s->change[k].looking)
            hub_want_drop(&s->change[k].want);
    }
}

static void fetched(void *ctx, struct hub_want *w, struct hub_list *list, const struct error *err)
{
    struct hub_change *c = ctx;

    (void)w;
    (void)err;
    c->looking = false;
    if (!list)
        return;
    hub_learn(c->server, c->kind, list);
    if (list->version == c->version) {
        c->pause_ms = c->pause_ms * 4 < MAX_PAUSE_MS ? c->pause_ms * 4 : MAX_PAUSE_MS;
        return;
    }
    c->pause_ms = PAUSE_MS;
    c->version = list->version;
    hub_notify_list(c->server->hub, c->server, c->kind);
}

static void look(void *ctx)
{
    struct hub_change *c = ctx;
    struct hub_instance *i;

    loop_timer_free(c->timer);
    c->timer = NULL;
    if (hub_source_is_per_client(c->server->source)) {
        hub_notify_list(c->server->hub, c->server, c->kind); /* each client has a list of its own */
        return;
    }
    i = hub_instance_for(c->server, NULL);
    if (!i || c->looking)
        return;
    c->want = (struct hub_want){.done = fetched, .ctx = c};
    c->looking = true;
    hub_peer_want(hub_peer_of(i), c->kind, &c->want);
}

void hub_change_reported(struct hub_server *s, enum hub_list_kind kind)
{
    struct hub_change *c = &s->change[kind];

    if (!c->timer && c->version)
        c->timer = loop_timer_new(s->hub->loop, c->pause_ms, look, c);
}

void hub_change_shown(struct hub_server *s, enum hub_list_kind kind, uint64_t version)
{
    s->change[kind].version = version;
}
