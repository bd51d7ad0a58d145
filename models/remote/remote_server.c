/* remote_server.c - see remote_server.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/remote_server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

struct remote_server {
    struct remote_servers *all;
    struct remote_server *next;
    char *origin;
    int32_t refs, max_concurrent; /* 0: REMOTE_MAX_CONCURRENT */
    struct remote_turn *first;
    bool letting; /* let_go is at work further down the stack */
    bool no_ids;
    struct circuit circuit;
    struct remote_counts counts;
};

struct remote_servers *remote_servers_new(struct loop *l, struct http_client *client,
                                          const struct seams *seams)
{
    struct remote_servers *s = xcalloc(1, sizeof(*s));

    s->loop = l;
    s->client = client;
    s->seams = seams;
    s->box = loop_box_new(l, remote_notes_handle, s);
    return s;
}

void remote_servers_log(struct remote_servers *s, struct log *log)
{
    s->log = log;
}

void remote_servers_drain(struct remote_servers *s)
{
    remote_notes_handle(s, mailbox_take(loop_box_mailbox(s->box)));
}

void remote_servers_free(struct remote_servers *s)
{
    if (!s)
        return;
    remote_servers_drain(s); /* sessions that were closed after the loop's last turn */
    assert(!s->first);
    loop_box_free(s->box);
    free(s);
}

struct remote_server *remote_server_ref(struct remote_servers *all, const char *origin,
                                        int32_t max_concurrent)
{
    struct remote_server *s = all->first;

    while (s && strcmp(s->origin, origin) != 0)
        s = s->next;
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->all = all;
        s->origin = xstrdup(origin);
        s->next = all->first;
        all->first = s;
    }
    s->refs++;
    if (max_concurrent > 0 && (s->max_concurrent == 0 || max_concurrent < s->max_concurrent))
        s->max_concurrent = max_concurrent;
    return s;
}

void remote_server_unref(struct remote_server *s)
{
    struct remote_server **link;

    if (!s || --s->refs > 0)
        return;
    assert(!s->first && s->counts.active == 0);
    link = &s->all->first;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    free(s->origin);
    free(s);
}

static int32_t most(const struct remote_server *s)
{
    return s->max_concurrent > 0 ? s->max_concurrent : REMOTE_MAX_CONCURRENT;
}

static void let_go(struct remote_server *s)
{
    if (s->letting)
        return;
    s->letting = true;
    while (s->first && s->counts.active < most(s)) {
        struct remote_turn *t = s->first;

        s->first = t->next;
        t->waits = false;
        s->counts.waiting--;
        s->counts.active++;
        t->go(t);
    }
    s->letting = false;
}

void remote_server_enter(struct remote_server *s, struct remote_turn *t)
{
    struct remote_turn **link = &s->first;

    while (*link && (*link)->priority >= t->priority)
        link = &(*link)->next;
    t->next = *link;
    *link = t;
    t->waits = true;
    s->counts.waiting++;
    let_go(s);
}

void remote_server_forget(struct remote_server *s, struct remote_turn *t)
{
    struct remote_turn **link = &s->first;

    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    t->waits = false;
    s->counts.waiting--;
}

void remote_server_leave(struct remote_server *s)
{
    assert(s->counts.active > 0);
    s->counts.active--;
    let_go(s);
}

struct remote_servers *remote_server_all(const struct remote_server *s)
{
    return s->all;
}

const char *remote_server_origin(const struct remote_server *s)
{
    return s->origin;
}

struct circuit *remote_server_circuit(struct remote_server *s)
{
    return &s->circuit;
}

bool *remote_server_no_ids(struct remote_server *s)
{
    return &s->no_ids;
}

struct remote_counts *remote_server_counts(struct remote_server *s)
{
    return &s->counts;
}

int64_t remote_server_now_ms(const struct remote_server *s)
{
    return seams_mono_us(s->all->seams) / 1000;
}

void remote_servers_each(const struct remote_servers *all,
                         void (*fn)(void *ctx, const struct remote_server_state *state), void *ctx)
{
    for (const struct remote_server *s = all->first; s; s = s->next)
        fn(ctx, &(struct remote_server_state){.origin = s->origin,
                                              .active = s->counts.active,
                                              .waiting = s->counts.waiting,
                                              .sent = s->counts.sent,
                                              .failed = s->counts.failed,
                                              .is_open = s->circuit.open_ms > 0});
}
