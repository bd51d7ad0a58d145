/* serve.h - `troupe serve`: the runtime over HTTP.
 *
 * One process offers models, agents and blueprints as an OpenAI-compatible server (/v1), runs of
 * its store (/api), metrics and health. It drives the deadlines, timers, retries and answers of all
 * runs of the store, as `troupe resume --all --watch` does; other processes may use the store
 * meanwhile. Nothing is acknowledged before it is durable. Everything is on the loop's thread.
 *
 * A route is one file route_*.c plus one line in route.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_H
#define TROUPE_RUNTIME_SERVE_SERVE_H

#include "runtime/api/troupe.h"
#include "runtime/http/http_server.h"
#include "runtime/serve/serve_config.h"
#include "runtime/trace/tracer.h"

struct serve;

struct serve_options {
    struct troupe *troupe; /* its store is open for writing */
    const struct serve_config *config;
    const char *address;
    int32_t port;
    const char *tls_cert, *tls_key;
    const char *const *host;   /* (n_hosts) further names for Host */
    const char *const *origin; /* (n_origins) */
    int32_t n_hosts, n_origins;
    const char *token_file; /* SHA-256 of the tokens, one line each; NULL: no token is needed */
    bool behind_proxy;      /* a proxy encrypts: TLS is not demanded */
    struct http_limits limits;
    int32_t max_queue; /* replies below /v1 under way and waiting; more: 429. 0: 256 */
    const char *model; /* the default model */
    const struct troupe_run_options *run; /* of new runs */
    int32_t runs_at_once;                 /* that are driven; 0: TROUPE_WATCH_AT_ONCE */
    struct log *log;
    const struct seams *seams;
    struct tracer *tracer; /* lent; NULL: requests are not traced */
    /* Nothing more can be recorded (store_can_record): what is acknowledged from now on would be
     * lost, so the caller drains and ends; a start after it opens the store again. Once. */
    void (*on_lost)(void *ctx, const struct error *err);
    void *ctx;
};
/* STATUS_CONFIG: an address that others can reach, without a token or without TLS. */
MUST_CHECK enum status serve_check(const struct serve_options *o, struct error *err);
/* Checks and listens. */
MUST_CHECK enum status serve_start(const struct serve_options *o, struct serve **out,
                                   struct error *err);
const char *serve_url(const struct serve *s); /* "http://127.0.0.1:8080" */
/* Reads certificate, key and tokens again (SIGHUP); the tokens follow their file by themselves,
 * too. What cannot be read stays as it was; the log says so. */
void serve_reload(struct serve *s);
/* Accepts nothing more and waits for the requests under way, at most grace_ms, until the last byte
 * of their replies is sent; then stops all runs of the troupe for a later resume, cancels the rest
 * and closes all connections. on_drained: the server may be freed. */
void serve_drain(struct serve *s, int64_t grace_ms, void (*on_drained)(void *ctx), void *ctx);
/* After on_drained; NULL is allowed. */
void serve_free(struct serve *s);

#endif
