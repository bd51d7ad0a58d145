/* hub_instance.c - an instance of a source: starts, runs jobs, ends, rests.
 *
 *   IDLE -> STARTING -> READY -> RESTING -> IDLE        an end, or a start that failed, rests
 *              |          |
 *              +----------+-> IDLE                      closed by the hub: unused, or removed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_source_internal.h"
#include "runtime/base/memory.h"

struct hub_instance *instance_new(struct hub_source *s, const char *key, struct mcp_caller *owner)
{
    struct hub_instance *i = xcalloc(1, sizeof(*i));

    i->source = s;
    i->key = xstrdup(key);
    i->owner = owner ? mcp_caller_ref(owner) : NULL;
    i->refs = 1;
    i->used_us = seams_mono_us(s->seams);
    return i;
}

struct hub_instance *hub_instance_ref(struct hub_instance *i)
{
    i->refs++;
    return i;
}

void hub_instance_unref(struct hub_instance *i)
{
    if (--i->refs > 0)
        return;
    assert(i->state == HUB_IDLE || i->state == HUB_RESTING);
    assert(!i->waiting.first && !i->running.first);
    if (i->free_data)
        i->free_data(i->data);
    mcp_caller_unref(i->owner);
    free(i->key);
    free(i);
}

static void set_state(struct hub_instance *i, enum hub_instance_state state)
{
    bool was_ready = i->state == HUB_READY, is_ready = state == HUB_READY;
    struct hub_source *s = i->source;

    i->state = state;
    i->since_us = seams_mono_us(s->seams);
    if (was_ready != is_ready && s->on_state)
        s->on_state(s->ctx, s, i, is_ready);
}

/* ---- events of the link */

static void rest(struct hub_instance *i, const struct error *err)
{
    struct hub_source *s = i->source;
    int64_t now = seams_mono_us(s->seams), gap = s->limits.gap_ms;

    if (i->state == HUB_READY && now - i->since_us >= s->limits.sound_ms * 1000)
        i->failures = 0;
    for (int32_t k = 0; k < i->failures && gap < s->limits.max_gap_ms; k++)
        gap *= 2;
    if (gap > s->limits.max_gap_ms)
        gap = s->limits.max_gap_ms;
    i->failures++;
    i->next_us = now + gap * 1000;
    s->ends++;
    free(s->trouble);
    s->trouble = xstrdup(err->message);
    log_write(s->log, LOG_WARN, "server %s: %s; it is not started again for %lld ms", s->name,
              err->message, (long long)gap);
    set_state(i, HUB_RESTING);
}

static void refuse_all(struct hub_instance *i, const struct error *err)
{
    while (i->waiting.first) {
        struct hub_job *j = i->waiting.first;

        job_list_remove(&i->waiting, j);
        j->instance = NULL;
        j->refused(j->ctx, j, err);
        hub_instance_unref(i); /* the caller has a reference of its own */
    }
}

static void let_go(struct hub_instance *i)
{
    struct hub_conn *conn = i->conn;

    i->conn = NULL;
    conn->instance = NULL;
    if (conn->link.close)
        source_bury(i->source, conn);
    else
        free(conn);
}

static void link_down(void *ctx, const struct error *err)
{
    struct hub_conn *conn = ctx;
    struct hub_instance *i = conn->instance;

    if (!i)
        return;
    if (i->opening) {
        i->early_down = true;
        i->down = *err;
        return;
    }
    i->refs++;
    let_go(i);
    rest(i, err);
    refuse_all(i, err);
    hub_instance_unref(i);
}

static void become_ready(struct hub_instance *i)
{
    set_state(i, HUB_READY);
    instance_pump(i);
}

static void link_ready(void *ctx)
{
    struct hub_conn *conn = ctx;
    struct hub_instance *i = conn->instance;

    if (!i || i->state != HUB_STARTING)
        return;
    if (i->opening)
        i->early_ready = true;
    else
        become_ready(i);
}

/* ---- starting and stopping */

void instance_start(struct hub_instance *i)
{
    struct hub_source *s = i->source;
    struct hub_conn *conn = xcalloc(1, sizeof(*conn));
    const struct hub_link_events events = {.ctx = conn, .ready = link_ready, .down = link_down};
    struct error err = ERROR_INIT;
    enum status st;

    assert(i->state == HUB_IDLE);
    conn->source = s;
    conn->instance = i;
    i->conn = conn;
    set_state(i, HUB_STARTING);
    s->starts++;
    i->opening = true;
    i->early_ready = i->early_down = false;
    st = s->opener.open(s->opener.ctx, i->owner, &events, &conn->link, &err);
    i->opening = false;
    if (st)
        conn->link = (struct hub_link){0};
    if (st || i->early_down) {
        i->refs++;
        let_go(i);
        rest(i, st ? &err : &i->down);
        refuse_all(i, st ? &err : &i->down);
        hub_instance_unref(i);
        return;
    }
    source_want_tick(s);
    if (i->early_ready)
        become_ready(i);
}

void instance_stop(struct hub_instance *i, const struct error *err)
{
    i->refs++;
    if (i->state == HUB_STARTING || i->state == HUB_READY) {
        let_go(i);
        set_state(i, HUB_IDLE);
    }
    refuse_all(i, err);
    hub_instance_unref(i);
}

void instance_wake(struct hub_instance *i)
{
    if (i->state == HUB_RESTING && seams_mono_us(i->source->seams) >= i->next_us)
        set_state(i, HUB_IDLE);
}

/* ---- jobs */

/* A job that starts may finish at once, leave, and pump again: the list is read again each time. */
void instance_pump(struct hub_instance *i)
{
    i->refs++;
    while (i->source && i->state == HUB_READY && i->waiting.first &&
           i->running.n < i->source->limits.max_in_flight) {
        struct hub_job *j = i->waiting.first;

        job_list_remove(&i->waiting, j);
        job_list_append(&i->running, j);
        j->started = true;
        mcp_exchange_start(j->exchange, &i->conn->link.handler);
    }
    hub_instance_unref(i);
}

static void start_is_late(struct hub_instance *i)
{
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_TIMEOUT, "it was not ready after %lld ms",
              (long long)i->source->limits.start_ms);
    i->refs++;
    let_go(i);
    rest(i, &err);
    refuse_all(i, &err);
    hub_instance_unref(i);
}

static void waiting_is_late(struct hub_instance *i, int64_t now_us)
{
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_TIMEOUT, "server %s had no room for the request for %lld ms",
              i->source->name, (long long)i->source->limits.call_ms);
    while (i->waiting.first && i->waiting.first->until_us <= now_us) {
        struct hub_job *j = i->waiting.first;

        job_list_remove(&i->waiting, j);
        j->instance = NULL;
        j->refused(j->ctx, j, &err);
        hub_instance_unref(i);
    }
}

/* Jobs are in the order of their start, which is not that of their time limits: each is looked at.
 * A cancelled one may leave at once, and others with it. */
static void running_is_late(struct hub_instance *i, int64_t now_us)
{
    const struct hub_source_limits *l = &i->source->limits;
    struct hub_job *j = i->running.first;

    while (j) {
        if (j->until_us <= now_us && !j->timed_out_ms) {
            bool in_all = now_us - j->began_us >= l->total_ms * 1000;

            j->timed_out_ms = in_all ? l->total_ms : l->call_ms;
            mcp_exchange_cancel(j->exchange);
            j = i->running.first;
        } else {
            j = j->next;
        }
    }
}

bool instance_tick(struct hub_instance *i, int64_t now_us)
{
    const struct hub_source_limits *l = &i->source->limits;
    bool busy;

    i->refs++;
    if (i->state == HUB_STARTING && now_us - i->since_us >= l->start_ms * 1000)
        start_is_late(i);
    waiting_is_late(i, now_us);
    running_is_late(i, now_us);
    if (i->source && i->state == HUB_READY && !i->running.n && !i->waiting.n && l->idle_ms > 0 &&
        now_us - i->used_us >= l->idle_ms * 1000) {
        struct error err = ERROR_INIT;

        error_set(&err, STATUS_CANCELLED, "the server was not used");
        instance_stop(i, &err);
        if (i->owner)
            source_remove(i->source, i);
    }
    busy = i->source && (i->state == HUB_STARTING || i->running.n > 0 || i->waiting.n > 0 ||
                         (i->state == HUB_READY && l->idle_ms > 0));
    hub_instance_unref(i);
    return busy;
}
