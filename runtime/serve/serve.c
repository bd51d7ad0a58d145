/* serve.c - starts, drains and frees the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/server/server.h"
#include "runtime/api/troupe_watch.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/loop/loop.h"
#include "runtime/serve/api_events.h"
#include "runtime/serve/serve_metrics.h"
#include "runtime/serve/serve_note.h"
#include "runtime/serve/serve_oauth.h"
#include "runtime/serve/v1.h"

#define MAX_QUEUE 256 /* replies below /v1 under way or waiting */
#define LOOK_MS   20  /* while it stops */
#define STORE_MS  500 /* between looks at the store */
#define FLUSH_MS  500 /* for the last bytes of replies, once nothing is under way */

/* ---- who can reach it */

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

enum status serve_check(const struct serve_options *o, struct error *err)
{
    enum status st;

    if (is_loopback(o->address) || (o->token_file && (o->tls_cert || o->behind_proxy)))
        return STATUS_OK;
    if (!o->token_file) {
        st = error_set(err, STATUS_CONFIG, "others can reach %s: it needs a token", o->address);
        error_hint(err, "leave out --no-token");
    } else {
        st = error_set(err, STATUS_CONFIG, "others can reach %s: it needs TLS", o->address);
        error_hint(err, "give --tls-cert and --tls-key, or --behind-proxy if a proxy encrypts");
    }
    return st;
}

static enum status open_agents(struct serve *s, struct error *err)
{
    const struct agent_host_options o = {.loop = s->loop, .seams = s->o.seams};

    return agent_host_new(&o, &s->agents, err);
}

/* An offer that no run could serve is an error now, not of each request. */
static enum status check_offers(const struct serve *s, struct error *err)
{
    const struct serve_config *c = s->o.config;
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < c->n_offers; i++) {
        const struct serve_offer *o = &c->offer[i];
        struct error why = ERROR_INIT;

        st = troupe_plan_check(s->troupe, o->plan, s->o.run, &why);
        if (st && o->is_agent) { /* its place is in a text that nobody wrote */
            st = error_at(err, error_as_config(st, &why), o->where, 0, 0, "%s: %.*s", o->name,
                          (int)strcspn(why.message, "\n"), why.message);
            error_hint(err, "%s", why.hint);
        } else if (st) {
            *err = why;
        }
    }
    return st;
}

/* ---- the runs of the store */

static void on_text(void *ctx, struct troupe_run *r, const char *path, const char *text, size_t n)
{
    struct serve *s = ctx;

    api_events_text(s->events, troupe_run_uuid(r), path, text, n);
}

static bool wants_text(void *ctx, struct troupe_run *r)
{
    struct serve *s = ctx;

    return api_events_has(s->events, troupe_run_uuid(r));
}

static void on_stuck(void *ctx, const char *uuid, const struct error *err)
{
    struct serve *s = ctx;

    log_write_run(s->o.log, LOG_WARN, uuid, NULL, "run %s cannot go on and %s: %s", uuid,
                  err->status == STATUS_DISK_FULL ? "is tried again" : "stays as it is",
                  err->message);
}

/* Runs that are continued keep their models: those of the options are for new ones. */
static enum status watch_runs(struct serve *s, struct error *err)
{
    struct troupe_watch_options o = {
        .at_once = s->o.runs_at_once, .run = *s->o.run, .on_stuck = on_stuck, .ctx = s};

    o.run.model = NULL;
    o.run.n_models = 0;
    o.run.listener =
        (struct troupe_listener){.ctx = s, .on_text = on_text, .wants_text = wants_text};
    return troupe_watch_start(s->troupe, &o, &s->watch, err);
}

static void look_at_store(void *ctx)
{
    struct serve *s = ctx;
    struct error err = ERROR_INIT;

    if (!store_can_record(troupe_store(s->troupe), &err))
        return;
    loop_timer_free(s->store_timer);
    s->store_timer = NULL;
    log_write(s->o.log, LOG_WARN, "nothing more can be recorded, so the server stops: %s",
              err.message);
    if (s->o.on_lost)
        s->o.on_lost(s->o.ctx, &err);
}

static void make_url(struct serve *s)
{
    bool is_v6 = strchr(s->o.address, ':') != NULL;
    struct str url = STR_INIT;

    str_printf(&url, "%s://%s%s%s:%d", s->o.tls_cert ? "https" : "http", is_v6 ? "[" : "",
               s->o.address, is_v6 ? "]" : "", http_server_port(s->http));
    s->url = str_take(&url);
}

enum status serve_start(const struct serve_options *o, struct serve **out, struct error *err)
{
    struct serve *s = xcalloc(1, sizeof(*s));
    struct http_server_options h;
    enum status st = serve_check(o, err);

    s->o = *o;
    s->troupe = o->troupe;
    s->max_queue = o->max_queue > 0 ? o->max_queue : MAX_QUEUE;
    s->metrics = serve_metrics_new(s->troupe);
    for (int32_t i = 1; serve_route_at(i); i++)
        serve_metrics_add_route(s->metrics, serve_route_at(i)->path);
    s->began_ms = seams_wall_ms(o->seams);
    s->random_seed = seams_random_u64(o->seams);
    s->events = api_events_new(s);
    troupe_set_interrupted(s->troupe, &s->stopping); /* not at the signal: runs have the grace */
    if (!st)
        st = troupe_loop(s->troupe, &s->loop, err);
    if (!st)
        st = serve_tokens_open(s, err);
    if (!st)
        st = serve_oauth_open(s, err);
    if (!st)
        st = open_agents(s, err);
    if (!st)
        st = serve_models_open(s, err);
    if (!st)
        st = check_offers(s, err);
    if (!st)
        st = serve_mcp_open(s, err);
    if (st)
        goto fail;
    h = (struct http_server_options){
        .address = o->address,
        .port = o->port,
        .tls_cert = o->tls_cert,
        .tls_key = o->tls_key,
        .access = {.token = s->tokens ? serve_access_token : NULL,
                   .ctx = s,
                   .challenge = serve_access_challenge,
                   .host = o->host,
                   .n_hosts = o->n_hosts,
                   .origin = o->origin,
                   .n_origins = o->n_origins},
        .limits = o->limits,
        .handler = {.ctx = s,
                    .route = serve_route,
                    .serve = serve_dispatch,
                    .error_body = serve_error_body,
                    .error_id = serve_error_id,
                    .ended = serve_ended},
        .seams = o->seams,
        .log = o->log,
    };
    st = http_server_new(s->loop, &h, &s->http, err);
    if (!st)
        st = watch_runs(s, err);
    if (st)
        goto fail;
    s->store_timer = loop_timer_every(s->loop, STORE_MS, look_at_store, s);
    make_url(s);
    *out = s;
    return STATUS_OK;

fail:
    serve_free(s);
    return st;
}

const char *serve_url(const struct serve *s)
{
    return s->url;
}

/* ---- the end: drain, then stop, then wait until nothing is under way */

static int64_t now_ms(const struct serve *s)
{
    return seams_mono_us(s->o.seams) / 1000;
}

/* A reply that has ended may still have bytes to send: then its connection is open. */
static bool is_under_way(const struct serve *s)
{
    return s->http && (s->n_calls > 0 || http_server_counts(s->http).connections > 0);
}

/* Each step of the end waits for the one before it. */
static void look(void *ctx)
{
    struct serve *s = ctx;

    if (!s->stopping) {
        if (is_under_way(s) && now_ms(s) < s->until_ms)
            return;
        s->stopping = 1;
        s->until_ms = now_ms(s) + FLUSH_MS;
        v1_model_calls_stop(s);
        troupe_interrupt(s->troupe); /* runs that somebody waits for end with an error */
    }
    if (!troupe_is_idle(s->troupe))
        return;
    if (s->mcp && !s->mcp_stopped) { /* runs have ended by themselves: they are not cancelled */
        s->mcp_stopped = true;
        mcp_server_stop(s->mcp);
        s->until_ms = now_ms(s) + FLUSH_MS;
    }
    if (is_under_way(s) && now_ms(s) < s->until_ms)
        return;
    if (s->http) {
        mcp_server_free(s->mcp);
        s->mcp = NULL;
        http_server_free(s->http); /* on_gone cancels what is left */
        s->http = NULL;
    }
    if (s->n_calls > 0)
        return;
    loop_timer_free(s->timer);
    s->timer = NULL;
    s->on_drained(s->drained_ctx);
}

void serve_drain(struct serve *s, int64_t grace_ms, void (*on_drained)(void *ctx), void *ctx)
{
    if (s->draining)
        return;
    log_write(s->o.log, LOG_INFO, "stopping; %d request%s under way", s->n_calls,
              plural_s(s->n_calls));
    s->draining = true;
    s->on_drained = on_drained;
    s->drained_ctx = ctx;
    http_server_drain(s->http);
    if (s->mcp)
        mcp_server_drain(s->mcp);
    api_events_end(s->events);
    s->until_ms = now_ms(s) + grace_ms;
    s->timer = loop_timer_every(s->loop, LOOK_MS, look, s);
}

void serve_free(struct serve *s)
{
    if (!s)
        return;
    loop_timer_free(s->timer);
    loop_timer_free(s->store_timer);
    troupe_watch_free(s->watch);
    mcp_server_free(s->mcp);
    http_server_free(s->http);
    api_events_free(s->events);
    agent_host_free(s->agents);
    serve_models_close(s);
    serve_oauth_close(s);
    serve_tokens_close(s);
    troupe_set_interrupted(s->troupe, NULL);
    serve_metrics_free(s->metrics);
    free(s->url);
    free(s);
}
