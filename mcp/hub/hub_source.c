/* hub_source.c - see hub_source.h: the source, which instance serves whom, and its jobs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_source_internal.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"

#define TICK_MS 100

static void defaults(struct hub_source_limits *l, bool per_client)
{
    const struct hub_source_limits d = {.max_in_flight = 32,
                                        .max_waiting = 256,
                                        .max_instances = 64,
                                        .start_ms = 30000,
                                        .call_ms = 60000,
                                        .total_ms = 3600000,
                                        .idle_ms = per_client ? 300000 : 0,
                                        .gap_ms = 1000,
                                        .max_gap_ms = 60000,
                                        .sound_ms = 60000};

    l->max_in_flight = l->max_in_flight ? l->max_in_flight : d.max_in_flight;
    l->max_waiting = l->max_waiting ? l->max_waiting : d.max_waiting;
    l->max_instances = l->max_instances ? l->max_instances : d.max_instances;
    l->start_ms = l->start_ms ? l->start_ms : d.start_ms;
    l->call_ms = l->call_ms ? l->call_ms : d.call_ms;
    if (!l->total_ms)
        l->total_ms = l->call_ms > d.total_ms ? l->call_ms : d.total_ms;
    l->idle_ms = l->idle_ms ? l->idle_ms : d.idle_ms;
    l->gap_ms = l->gap_ms ? l->gap_ms : d.gap_ms;
    l->max_gap_ms = l->max_gap_ms ? l->max_gap_ms : d.max_gap_ms;
    l->sound_ms = l->sound_ms ? l->sound_ms : d.sound_ms;
}

struct hub_source *hub_source_new(struct loop *l, const struct seams *seams, struct log *log,
                                  const struct hub_source_spec *spec)
{
    struct hub_source *s = xcalloc(1, sizeof(*s));

    s->loop = l;
    s->seams = seams;
    s->log = log;
    s->name = xstrdup(spec->name);
    s->per_client = spec->per_client;
    s->limits = spec->limits;
    s->opener = spec->opener;
    s->on_state = spec->on_state;
    s->ctx = spec->ctx;
    defaults(&s->limits, s->per_client);
    return s;
}

static void close_dead(void *ctx)
{
    struct hub_conn *conn = ctx, **at = &conn->source->dead;

    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    loop_timer_free(conn->timer);
    conn->link.close(conn->link.ctx);
    free(conn);
}

void source_bury(struct hub_source *s, struct hub_conn *conn)
{
    conn->next = s->dead;
    s->dead = conn;
    conn->timer = loop_timer_new(s->loop, 0, close_dead, conn);
}

void hub_source_free(struct hub_source *s)
{
    struct error err = ERROR_INIT;

    if (!s)
        return;
    s->on_state = NULL;
    error_set(&err, STATUS_CANCELLED, "server %s is no longer served", s->name);
    while (s->first) {
        instance_stop(s->first, &err);
        source_remove(s, s->first);
    }
    while (s->dead)
        close_dead(s->dead);
    loop_timer_free(s->tick);
    if (s->opener.free)
        s->opener.free(s->opener.ctx);
    free(s->trouble);
    free(s->name);
    free(s);
}

void hub_source_set_limits(struct hub_source *s, const struct hub_source_limits *limits)
{
    s->limits = *limits;
    defaults(&s->limits, s->per_client);
    for (struct hub_instance *i = s->first, *next; i; i = next) {
        bool gone;

        next = i->next;
        if (next)
            next->refs++;
        instance_pump(i); /* there may be more room */
        gone = next && !next->source;
        if (next)
            hub_instance_unref(next);
        if (gone)
            break;
    }
    if (s->first)
        source_want_tick(s);
}

void *hub_source_opener(const struct hub_source *s)
{
    return s->opener.ctx;
}

const char *hub_source_name(const struct hub_source *s)
{
    return s->name;
}

bool hub_source_is_per_client(const struct hub_source *s)
{
    return s->per_client;
}

bool hub_source_offers(const struct hub_source *s, const char *tool)
{
    return !s->opener.offers || s->opener.offers(s->opener.ctx, tool);
}

enum effect hub_source_effect(const struct hub_source *s, const char *tool)
{
    return s->opener.effect ? s->opener.effect(s->opener.ctx, tool) : EFFECT_ONCE;
}

/* ---- time */

static void tick(void *ctx)
{
    struct hub_source *s = ctx;
    int64_t now = seams_mono_us(s->seams);
    bool busy = false;

    for (struct hub_instance *i = s->first, *next; i; i = next) {
        next = i->next;
        if (next)
            next->refs++;
        busy = instance_tick(i, now) || busy;
        if (next) {
            bool gone = !next->source; /* it was removed meanwhile */

            hub_instance_unref(next);
            if (gone)
                break;
        }
    }
    if (!busy) {
        loop_timer_free(s->tick);
        s->tick = NULL;
    }
}

void source_want_tick(struct hub_source *s)
{
    if (!s->tick)
        s->tick = loop_timer_every(s->loop, TICK_MS, tick, s);
}

/* ---- instances */

void source_remove(struct hub_source *s, struct hub_instance *i)
{
    struct hub_instance **at = &s->first;

    while (*at && *at != i)
        at = &(*at)->next;
    assert(*at == i);
    *at = i->next;
    s->n_instances--;
    i->source = NULL;
    hub_instance_unref(i);
}

/* A client without a session says with each request who it is. */
static char *key_of(const struct hub_source *s, const struct mcp_caller *caller)
{
    struct str key = STR_INIT;

    if (s->per_client && caller) {
        str_printf(&key, "%s\n%s", caller->principal, caller->session);
        if (!*caller->session && caller->client_info.at) {
            struct sha256 digest = sha256_of(caller->client_info.at, caller->client_info.n);
            char hex[65];

            sha256_hex(&digest, hex);
            str_printf(&key, "\n%s", hex);
        }
    }
    return key.data ? str_take(&key) : xstrdup("");
}

static struct hub_instance *find(struct hub_source *s, const char *key)
{
    struct hub_instance *i = s->first;

    while (i && strcmp(i->key, key) != 0)
        i = i->next;
    return i;
}

/* The list is in the order of use: the last one without work makes room. */
static bool make_room(struct hub_source *s)
{
    struct hub_instance *victim = NULL;
    struct error err = ERROR_INIT;

    if (s->n_instances < s->limits.max_instances)
        return true;
    for (struct hub_instance *i = s->first; i; i = i->next) {
        if (i->owner && !i->running.n && !i->waiting.n)
            victim = i;
    }
    if (!victim)
        return false;
    error_set(&err, STATUS_CANCELLED, "the server makes room for another client");
    instance_stop(victim, &err);
    source_remove(s, victim);
    return true;
}

struct hub_instance *hub_source_instance(struct hub_source *s, struct mcp_caller *caller)
{
    char *key = key_of(s, caller);
    struct hub_instance *i = find(s, key), **at = &s->first;

    if (i) {
        while (*at != i)
            at = &(*at)->next;
        *at = i->next;
    } else if (make_room(s)) {
        i = instance_new(s, key, *key ? caller : NULL);
        s->n_instances++;
    }
    if (i) {
        i->next = s->first;
        s->first = i;
    }
    free(key);
    return i;
}

void hub_source_each(struct hub_source *s, void (*fn)(struct hub_instance *i))
{
    for (struct hub_instance *i = s->first; i; i = i->next)
        fn(i);
}

void hub_source_caller_gone(struct hub_source *s, const struct mcp_caller *caller)
{
    struct error err = ERROR_INIT;
    struct hub_instance *i;
    char *key;

    if (!s->per_client)
        return;
    key = key_of(s, caller);
    i = find(s, key);
    if (i) {
        error_set(&err, STATUS_CANCELLED, "the client has gone");
        instance_stop(i, &err);
        source_remove(s, i);
    }
    free(key);
}

struct hub_source *hub_instance_source(struct hub_instance *i)
{
    return i->source;
}

const struct mcp_handler *hub_instance_handler(struct hub_instance *i)
{
    return i->state == HUB_READY ? &i->conn->link.handler : NULL;
}

void **hub_instance_data(struct hub_instance *i)
{
    return &i->data;
}

void hub_instance_on_free(struct hub_instance *i, void (*fn)(void *data))
{
    i->free_data = fn;
}

struct hub_counts hub_source_counts(const struct hub_source *s)
{
    struct hub_counts c = {.starts = s->starts, .ends = s->ends, .instances = s->n_instances};

    for (const struct hub_instance *i = s->first; i; i = i->next) {
        c.in_flight += i->running.n;
        c.waiting += i->waiting.n;
    }
    return c;
}

struct hub_facts hub_source_facts(const struct hub_source *s)
{
    const struct hub_link *link = s->first && s->first->conn ? &s->first->conn->link : NULL;

    if (link && link->facts)
        return link->facts(link->ctx);
    return (struct hub_facts){.revision = MCP_REVISION_N};
}

void hub_source_state_text(const struct hub_source *s, struct str *out)
{
    static const char *const words[] = {"stopped", "starting", "ready", "resting"};
    const struct hub_instance *i = s->first;
    enum hub_instance_state state = i ? i->state : HUB_IDLE;

    str_puts(out, words[state]);
    if (state == HUB_RESTING || (state == HUB_IDLE && s->trouble))
        str_printf(out, ": %s", s->trouble);
}

/* ---- jobs */

void job_list_append(struct job_list *l, struct hub_job *j)
{
    j->next = NULL;
    j->prev = l->last;
    if (l->last)
        l->last->next = j;
    else
        l->first = j;
    l->last = j;
    l->n++;
}

void job_list_remove(struct job_list *l, struct hub_job *j)
{
    if (j->prev)
        j->prev->next = j->next;
    else
        l->first = j->next;
    if (j->next)
        j->next->prev = j->prev;
    else
        l->last = j->prev;
    j->next = j->prev = NULL;
    l->n--;
}

static void refuse(struct hub_job *j, enum status st, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void refuse(struct hub_job *j, enum status st, const char *fmt, ...)
{
    struct error err = ERROR_INIT;
    char words[sizeof(err.message)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    error_set(&err, st, "%s", words);
    j->instance = NULL;
    j->refused(j->ctx, j, &err);
}

/* From its beginning or its last progress. */
static void set_limit(const struct hub_source *s, struct hub_job *j, int64_t now_us)
{
    int64_t end_us = j->began_us + s->limits.total_ms * 1000;

    j->until_us = now_us + s->limits.call_ms * 1000;
    j->until_us = j->until_us < end_us ? j->until_us : end_us;
}

void hub_job_submit(struct hub_job *j, struct hub_instance *i)
{
    struct hub_source *s = i->source;
    int64_t now = seams_mono_us(s->seams);

    assert(j->exchange->state == MCP_EXCHANGE_NEW);
    j->started = false;
    j->timed_out_ms = 0;
    instance_wake(i);
    if (i->state == HUB_RESTING) {
        refuse(j, STATUS_BUSY, "server %s is not running (%s); it is started again in %lld ms",
               s->name, s->trouble ? s->trouble : "it ended",
               (long long)((i->next_us - now) / 1000 + 1));
        return;
    }
    if (i->waiting.n >= s->limits.max_waiting) {
        refuse(j, STATUS_BUSY, "server %s has too many requests (%d wait); try again later",
               s->name, i->waiting.n);
        return;
    }
    j->instance = i;
    j->began_us = now;
    set_limit(s, j, now);
    i->used_us = now;
    i->refs++;
    job_list_append(&i->waiting, j);
    source_want_tick(s);
    if (i->state == HUB_IDLE)
        instance_start(i);
    else if (i->state == HUB_READY)
        instance_pump(i);
}

void hub_job_progress(struct hub_job *j)
{
    const struct hub_source *s = j->instance ? j->instance->source : NULL;

    if (s)
        set_limit(s, j, seams_mono_us(s->seams));
}

void hub_job_leave(struct hub_job *j)
{
    struct hub_instance *i = j->instance;

    if (!i)
        return;
    j->instance = NULL;
    job_list_remove(j->started ? &i->running : &i->waiting, j);
    if (i->source) {
        i->used_us = seams_mono_us(i->source->seams);
        instance_pump(i);
    }
    hub_instance_unref(i);
}
