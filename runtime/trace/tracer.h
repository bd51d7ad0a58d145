/* tracer.h - sends spans to a collector: OTLP over HTTP, as JSON.
 *
 * Spans wait in a queue with a limit, and go out in batches, one request at a time. A batch that
 * cannot be sent is tried again with growing waits, then dropped; a span for which the queue has no
 * place is dropped too, and both are counted. Nothing here waits or fails for the caller. While the
 * collector does not answer, there is one warning.
 *
 * The loop's thread. No timer or request is open while the queue is empty.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_TRACE_TRACER_H
#define TROUPE_RUNTIME_TRACE_TRACER_H

#include "runtime/base/log.h"
#include "runtime/base/seams.h"
#include "runtime/http/http_client.h"
#include "runtime/trace/trace_span.h"

struct tracer;

/* A zero is the default in brackets. */
struct tracer_options {
    struct loop *loop;
    struct http_client *client; /* lent for its life, as all else but url and version */
    const struct seams *seams;
    struct log *log;
    const char *url; /* of the collector, "http://127.0.0.1:4318"; /v1/traces is added */
    const char *version;
    /* The value of OTEL_EXPORTER_OTLP_HEADERS ("name=value,name=value", values percent-encoded),
     * asked for before each request and wiped after it. May be NULL. */
    enum status (*headers)(void *ctx, struct str *out, struct error *err);
    void *ctx;
    int32_t max_queue;   /* [2048] spans */
    int32_t max_batch;   /* [512] */
    int64_t delay_ms;    /* [1000] from the first span of a batch until it is sent */
    int64_t retry_ms;    /* [1000] the first wait; then twice as long each time, up to 30 times */
    int32_t max_tries;   /* [5] of a batch */
    int64_t deadline_ms; /* [10000] of one request */
};
/* STATUS_USAGE: the URL is not one of http or https. */
MUST_CHECK enum status tracer_new(const struct tracer_options *o, struct tracer **out,
                                  struct error *err);
/* What is in the queue is dropped. Before the client and the loop. NULL is allowed. */
void tracer_free(struct tracer *t);
/* The time for spans: since the epoch, in microseconds; it rises as long as nobody sets the clock.
 */
int64_t tracer_now_us(struct tracer *t);
/* Queues a copy, unless the context is not sampled. t NULL: nothing. */
void tracer_send(struct tracer *t, const struct trace_span *s);
/* Sends what is queued without delay; `done` follows when nothing is left, or after max_ms, when
 * the rest is dropped. Once; never inside this call. */
void tracer_flush(struct tracer *t, int64_t max_ms, void (*done)(void *ctx), void *ctx);

struct tracer_counts {
    int64_t sent, dropped; /* spans since the start */
    int64_t failed;        /* requests */
    int32_t queued;        /* spans now, with those under way */
};
struct tracer_counts tracer_counts(const struct tracer *t);

#endif
