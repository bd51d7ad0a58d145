/* http_client_curl.c - libcurl's multi interface on the event loop.
 *
 * libcurl says which sockets and which time it waits for, and is called when they are ready. Inside
 * those calls (`inside`) it must not be called for another transfer: what is cancelled then is only
 * marked, and what is to go on reading waits for the timer `work`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_client.h"
#include "runtime/http/http_client_curl.h"
#include "runtime/loop/loop.h"

struct curl_client {
    struct loop *loop;
    CURLM *multi;
    struct name_lookups *names;
    struct transfer *all;
    struct loop_timer *timer; /* libcurl's */
    struct loop_timer *work;
    char *ca_file;
    bool inside;
    bool unwatched; /* there is a transfer that is */
};

struct watched {
    struct curl_client *client;
    curl_socket_t fd;
    struct loop_fd *watch;
};

/* ---- transfers that have ended */

static void remove_transfer(struct transfer *t)
{
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    (void)curl_multi_remove_handle(t->client->multi, t->easy);
    transfer_free(t);
}

static void remove_dead(struct curl_client *c)
{
    struct transfer *next;

    for (struct transfer *t = c->all; t; t = next) {
        next = t->next;
        if (t->dead)
            remove_transfer(t);
    }
}

/* on_end may cancel and start others. */
static void end_transfer(struct transfer *t, CURLcode rc)
{
    enum status st = transfer_result(t, rc);
    struct http_hop hop = t->hop;
    struct error err = t->err;

    remove_transfer(t);
    hop.on_end(hop.ctx, st, &err);
}

/* Those whose socket could not be watched. */
static void end_unwatched(struct curl_client *c)
{
    struct transfer *t = c->all;

    while (c->unwatched && t) {
        if (t->unwatched) {
            end_transfer(t, CURLE_OK);
            t = c->all; /* the list may be another */
        } else {
            t = t->next;
        }
    }
    c->unwatched = false;
}

/* After each call of libcurl. */
static void settle(struct curl_client *c)
{
    const CURLMsg *m;
    int left;

    remove_dead(c);
    end_unwatched(c);
    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct transfer *t = NULL;

        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK)
            end_transfer(t, m->data.result);
    }
}

static void act(struct curl_client *c, curl_socket_t fd, int events)
{
    int running;

    c->inside = true;
    (void)curl_multi_socket_action(c->multi, fd, events, &running);
    c->inside = false;
    settle(c);
}

/* ---- what libcurl waits for */

static void on_time(void *ctx)
{
    struct curl_client *c = ctx;

    loop_timer_free(c->timer);
    c->timer = NULL;
    act(c, CURL_SOCKET_TIMEOUT, 0);
}

static int set_time(CURLM *multi, long ms, void *ctx)
{
    struct curl_client *c = ctx;

    (void)multi;
    loop_timer_free(c->timer);
    c->timer = ms < 0 ? NULL : loop_timer_new(c->loop, ms, on_time, c);
    return 0;
}

static void on_ready(void *ctx, int ready)
{
    const struct watched *w = ctx;

    act(w->client, w->fd,
        (ready & LOOP_READ ? CURL_CSELECT_IN : 0) | (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void mark_unwatched(struct curl_client *c, CURL *easy)
{
    struct transfer *t = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) != CURLE_OK || !t || t->st)
        return;
    t->st = error_set(&t->err, STATUS_NO_MEMORY, "%s: its socket cannot be watched", t->origin);
    t->unwatched = c->unwatched = true;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct curl_client *c = ctx;
    struct watched *w = assigned;

    if (what == CURL_POLL_REMOVE) {
        if (w)
            loop_fd_free(w->watch);
        free(w);
        return 0;
    }
    if (!w) {
        w = mem_alloc(1, sizeof(*w));
        if (!w || loop_fd_new(c->loop, fd, on_ready, w, &w->watch, NULL)) {
            free(w);
            mark_unwatched(c, easy);
            return 0; /* after another value libcurl does nothing for any transfer */
        }
        w->client = c;
        w->fd = fd;
        (void)curl_multi_assign(c->multi, fd, w);
    }
    loop_fd_want(w->watch,
                 (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
    return 0;
}

/* ---- what the client calls */

static enum status start(void *ctx, const struct http_hop *hop, void **out, struct error *err)
{
    struct curl_client *c = ctx;
    struct transfer *t;
    enum status st = transfer_new(hop, c->ca_file, &t, err);

    if (st)
        return st;
    if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
        transfer_free(t);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a request");
    }
    t->client = c;
    t->next = c->all;
    t->link = &c->all;
    if (t->next)
        t->next->link = &t->next;
    c->all = t;
    *out = t;
    return STATUS_OK;
}

static void cancel(void *ctx, void *started)
{
    const struct curl_client *c = ctx;
    struct transfer *t = started;

    if (c->inside)
        t->dead = true;
    else
        remove_transfer(t);
}

static void go_on(void *ctx)
{
    struct curl_client *c = ctx;

    loop_timer_free(c->work);
    c->work = NULL;
    c->inside = true;
    for (struct transfer *t = c->all; t; t = t->next) {
        if (t->dead || t->paused || !t->held)
            continue;
        t->held = false;
        (void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
    c->inside = false;
    settle(c);
}

static void set_paused(void *ctx, void *started, bool yes)
{
    struct curl_client *c = ctx;
    struct transfer *t = started;

    t->paused = yes;
    if (!yes && t->held && !c->work)
        c->work = loop_timer_new(c->loop, 0, go_on, c);
}

static void *look_up(void *ctx, const char *host, name_found found, void *arg)
{
    const struct curl_client *c = ctx;

    return name_lookup_start(c->names, host, found, arg);
}

static void stop_look_up(void *ctx, void *started)
{
    (void)ctx;
    name_lookup_cancel(started);
}

static void free_client(void *ctx)
{
    struct curl_client *c = ctx;

    while (c->all)
        remove_transfer(c->all);
    if (c->multi)
        (void)curl_multi_cleanup(c->multi);
    name_lookups_free(c->names);
    loop_timer_free(c->timer);
    loop_timer_free(c->work);
    free(c->ca_file);
    free(c);
    curl_global_cleanup();
}

enum status http_client_curl(struct loop *l, const struct http_client_options *o,
                             struct http_fetch_ops *out, struct error *err)
{
    struct curl_client *c;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, STATUS_FAILED, "libcurl cannot be used");
    c = xcalloc(1, sizeof(*c));
    c->loop = l;
    c->names = name_lookups_new(l);
    c->ca_file = o && o->ca_file ? xstrdup(o->ca_file) : NULL;
    c->multi = curl_multi_init();
    if (!c->multi) {
        free_client(c);
        return error_set(err, STATUS_NO_MEMORY, "no memory for an HTTP client");
    }
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_time);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    *out = (struct http_fetch_ops){
        .ctx = c,
        .free = free_client,
        .start = start,
        .cancel = cancel,
        .pause = set_paused,
        .look_up = look_up,
        .stop_look_up = stop_look_up,
    };
    return STATUS_OK;
}
