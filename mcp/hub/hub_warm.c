/* hub_warm.c - waits for the tool lists of servers: see hub_tool.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_internal.h"
#include "mcp/hub/hub_tool.h"
#include "runtime/base/memory.h"

struct warm_part {
    struct hub_warm *warm;
    struct hub_server *server;
    struct hub_want want;
    bool waits;
};

struct hub_warm {
    struct warm_part *part; /* (n) */
    size_t n, n_waiting;
    struct loop_timer *timer;
    void (*done)(void *ctx);
    void *ctx;
    bool starting;
};

void hub_warm_drop(struct hub_warm *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++) {
        if (w->part[i].waits)
            hub_want_drop(&w->part[i].want);
    }
    loop_timer_free(w->timer);
    free(w->part);
    free(w);
}

static void finish(void *ctx)
{
    struct hub_warm *w = ctx;
    void (*done)(void *ctx) = w->done;
    void *done_ctx = w->ctx;

    hub_warm_drop(w);
    done(done_ctx);
}

static void part_came(void *ctx, struct hub_want *want, struct hub_list *list,
                      const struct error *err)
{
    struct warm_part *p = ctx;

    (void)want;
    (void)err; /* hub_peer.c has logged it */
    p->waits = false;
    p->warm->n_waiting--;
    if (list) {
        hub_learn(p->server, HUB_TOOLS, list);
        hub_change_shown(p->server, HUB_TOOLS, list->version);
    }
    if (p->warm->n_waiting == 0 && !p->warm->starting)
        finish(p->warm);
}

static bool is_wanted(const char *name, const char *const *server, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(server[i], name) == 0)
            return true;
    }
    return server == NULL;
}

struct hub_warm *hub_warm(struct hub *h, const char *const *server, size_t n, int64_t ms,
                          void (*done)(void *ctx), void *ctx)
{
    struct hub_warm *w = xcalloc(1, sizeof(*w));

    w->done = done;
    w->ctx = ctx;
    w->part = xcalloc(h->n_servers + 1, sizeof(*w->part));
    w->starting = true;
    for (size_t i = 0; i < h->n_servers; i++) {
        struct hub_server *s = h->server[i];
        struct hub_instance *one;
        struct warm_part *p = &w->part[w->n];

        if (!is_wanted(hub_source_name(s->source), server, n))
            continue;
        one = hub_instance_for(s, NULL);
        if (!one)
            continue;
        w->n++;
        w->n_waiting++;
        *p = (struct warm_part){.warm = w, .server = s, .waits = true};
        p->want = (struct hub_want){.done = part_came, .ctx = p};
        hub_peer_want(hub_peer_of(one), HUB_TOOLS, &p->want);
    }
    w->starting = false;
    w->timer = loop_timer_new(h->loop, w->n_waiting ? ms : 0, finish, w);
    return w;
}
