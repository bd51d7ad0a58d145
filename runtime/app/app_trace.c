/* app_trace.c - see app_trace.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_trace.h"

#include <stdlib.h>

#include "runtime/api/run_trace.h"
#include "runtime/base/memory.h"
#include "runtime/config/secret.h"
#include "runtime/loop/loop.h"

#define HEADERS "OTEL_EXPORTER_OTLP_HEADERS"

struct app_trace {
    const char *headers; /* a reference; NULL: the variable, if it is set */
    struct tracer *tracer;
    struct run_trace *runs;
    struct loop *loop;
};

/* Read for each request, so that no copy stays in memory, and a file may change. */
static enum status give_headers(void *ctx, struct str *out, struct error *err)
{
    const struct app_trace *t = ctx;
    const char *value = getenv(HEADERS);

    if (t->headers)
        return secret_resolve(t->headers, ".", out, err);
    str_puts(out, value ? value : "");
    return STATUS_OK;
}

static enum status open_tracer(struct app *a, struct app_trace *t, const char *url,
                               struct error *err)
{
    struct tracer_options o = {.seams = a->seams,
                               .log = a->log,
                               .url = url,
                               .version = APP_VERSION,
                               .headers = give_headers,
                               .ctx = t};
    enum status st = troupe_loop(a->troupe, &t->loop, err);

    if (!st)
        st = troupe_http_client(a->troupe, &o.client, err);
    o.loop = t->loop;
    return st ? st : tracer_new(&o, &t->tracer, err);
}

enum status app_trace_open(struct app *a, struct error *err)
{
    const char *url = option_text(a->options, OPT_OTLP_URL);
    struct app_trace *t;
    enum status st;

    if (!url)
        url = getenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (a->trace || !url || !*url)
        return STATUS_OK;
    t = xcalloc(1, sizeof(*t));
    t->headers = option_text(a->options, OPT_OTLP_HEADERS);
    if (t->headers && !secret_is_reference(t->headers))
        st = error_set(err, STATUS_USAGE,
                       "--otlp-headers: expected a reference, as in ${env:NAME} or ${file:PATH}");
    else
        st = open_tracer(a, t, url, err);
    if (st) {
        error_note(err, "the collector of traces");
        free(t);
        return st;
    }
    t->runs = run_trace_new(a->troupe, t->tracer, option_flag(a->options, OPT_OTLP_CONTENT));
    a->trace = t;
    return STATUS_OK;
}

struct tracer *app_tracer(const struct app *a)
{
    return a->trace ? a->trace->tracer : NULL;
}

static void on_flushed(void *ctx)
{
    loop_stop(ctx);
}

void app_trace_close(struct app *a)
{
    struct app_trace *t = a->trace;

    if (!t)
        return;
    tracer_flush(t->tracer, APP_TRACE_MS, on_flushed, t->loop);
    loop_run(t->loop);
    run_trace_free(t->runs);
    tracer_free(t->tracer);
    free(t);
    a->trace = NULL;
}
