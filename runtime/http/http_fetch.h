/* http_fetch.h - one request under way, for http_client.c and http_fetch.c.
 *
 * A fetch is in one list: `waiting` until a connection is free, `active`, or `ended` until its
 * on_done was called. What begins or ends is done by the client's pump, on a turn of its own, so
 * never inside a callback of what moves the bytes. The deadline of a fetch is one timer, which is
 * only moved forward when it fires.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_FETCH_H
#define TROUPE_RUNTIME_HTTP_HTTP_FETCH_H

#include "runtime/http/http_client.h"
#include "runtime/http/http_fetch_ops.h"
#include "runtime/http/http_fields.h"
#include "runtime/http/http_url.h"

enum phase { WAITING, CONNECTING, EXPECTING_HEAD, READING_BODY, ENDED };

struct http_fetch {
    struct http_fetch *next, *prev;
    struct fetch_list *list;
    struct http_client *client;
    struct http_fetch_spec spec; /* callbacks, body and limits */
    struct http_url url;         /* of this hop */
    struct http_fields fields;
    struct http_hop hop;
    void *look_up, *started;                         /* what is under way below; NULL: nothing */
    char address[LOOKUP_ADDRESSES_MAX][LOOKUP_TEXT]; /* allowed ones */
    int32_t n_addresses, next_address;
    enum phase phase;
    struct loop_timer *timer;
    int64_t timer_us;                          /* when it fires */
    int64_t start_us, hop_us, try_us, byte_us; /* begin of all, of this hop, of this address */
    int64_t body_bytes;
    int32_t n_redirects;
    bool sent, hop_sent, paused;
    bool in_callback, cancelled; /* cancelled inside a callback: freed after it */
    enum status st;
    struct error err;
};

struct fetch_list {
    struct http_fetch *first, *last;
};

struct http_client {
    struct loop *loop;
    const struct seams *seams;
    struct http_fetch_ops ops;
    struct fetch_list waiting, active, ended;
    int32_t n_active, max_active;
    struct loop_timer *pump;
};

/* In http_client.c. */
void fetch_stop_below(struct http_fetch *f); /* what is under way below */
void fetch_stop_timer(struct http_fetch *f);
/* on_done follows with this status; f->err says why. */
void fetch_end(struct http_fetch *f, enum status st);
void fetch_wait_again(struct http_fetch *f); /* as the first of those that wait */
/* After a callback of the caller: false when it cancelled the fetch, which is gone. */
bool fetch_survived(struct http_fetch *f);

/* In http_fetch.c. */
int64_t fetch_now_us(const struct http_fetch *f);
void fetch_set_timer(struct http_fetch *f); /* for the deadline that comes first */
void fetch_begin(struct http_fetch *f);     /* a connection is free: looks up, connects, reads */

#endif
