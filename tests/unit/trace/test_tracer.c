/* test_tracer.c - spans go to a collector in memory: batches, tries, drops, the flush at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/trace/tracer.h"
#include "runtime/trace/tracer_headers.h"
#include "tests/support/check.h"
#include "tests/support/http_memory.h"

struct world {
    struct loop *loop;
    struct http_memory *memory;
    struct http_client *client;
    struct log *log;
    int ends[2]; /* of the log */
    struct tracer_options o;
    struct tracer *tracer;
    const char *headers;
    int n_flushed;
};

static enum status give_headers(void *ctx, struct str *out, struct error *err)
{
    struct world *w = ctx;

    if (!w->headers)
        return error_set(err, STATUS_CONFIG, "there is no such variable");
    str_puts(out, w->headers);
    return STATUS_OK;
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct error err = ERROR_INIT;

    assert_int_equal(loop_new(seams_real(), &w->loop, &err), STATUS_OK);
    w->memory = http_memory_new(w->loop);
    w->client = http_client_with(w->loop, NULL, http_memory_ops(w->memory));
    assert_int_equal(pipe(w->ends), 0);
    w->log = log_new(w->ends[1], LOG_INFO, false);
    w->headers = "";
    w->o = (struct tracer_options){.loop = w->loop,
                                   .client = w->client,
                                   .seams = seams_real(),
                                   .log = w->log,
                                   .url = "http://collector.example:4318/",
                                   .version = "1.2",
                                   .headers = give_headers,
                                   .ctx = w,
                                   .delay_ms = 1,
                                   .retry_ms = 1,
                                   .max_tries = 3};
    *state = w;
    return 0;
}

static void open_tracer(struct world *w)
{
    struct error err = ERROR_INIT;

    assert_int_equal(tracer_new(&w->o, &w->tracer, &err), STATUS_OK);
}

static int teardown(void **state)
{
    struct world *w = *state;

    tracer_free(w->tracer);
    http_client_free(w->client);
    loop_run(w->loop);
    http_memory_free(w->memory);
    loop_free(w->loop);
    log_free(w->log);
    close(w->ends[0]);
    close(w->ends[1]);
    free(w);
    return 0;
}

static void send_spans(struct world *w, int n)
{
    static int number;

    for (int i = 0; i < n; i++) {
        struct trace_span s = {.name = "x", .kind = TRACE_INTERNAL, .context.sampled = true};

        s.context.trace[0] = 1;
        s.context.span[7] = (uint8_t)++number;
        tracer_send(w->tracer, &s);
    }
}

static void flushed(void *ctx)
{
    struct world *w = ctx;

    w->n_flushed++;
    loop_stop(w->loop);
}

/* Sends all that is queued, at most for ms. */
static void flush(struct world *w, int64_t ms)
{
    tracer_flush(w->tracer, ms, flushed, w);
    assert_int_equal(w->n_flushed, 0);
    loop_run(w->loop);
    assert_int_equal(w->n_flushed, 1);
    w->n_flushed = 0;
}

/* Lines in the log that contain `word`. */
static int logged(struct world *w, const char *word)
{
    struct pollfd p = {.fd = w->ends[0], .events = POLLIN};
    char bytes[8192];
    ssize_t n = poll(&p, 1, 0) > 0 ? read(w->ends[0], bytes, sizeof(bytes) - 1) : 0;
    int found = 0;

    bytes[n > 0 ? n : 0] = 0;
    for (const char *at = bytes; (at = strstr(at, word)); at++)
        found++;
    return found;
}

/* The spans of the i-th request, whose shape is checked. */
static size_t spans_of(struct world *w, int32_t i)
{
    const struct http_memory_request *q = http_memory_request(w->memory, i);
    struct json *doc = NULL, *part, *scope;
    struct error err = ERROR_INIT;
    size_t n;

    assert_non_null(q);
    assert_string_equal(q->method, "POST");
    assert_string_equal(q->url, "http://collector.example:4318/v1/traces");
    assert_string_equal(http_field_value(q->fields, q->n_fields, "content-type"),
                        "application/json");
    if (jv_parse(q->body, q->body_bytes, "body", &doc, &err))
        fail_msg("%s: %s in %s", err.where, err.message, q->body);
    part = jv_at(jv_get(doc, "resourceSpans"), 0);
    assert_string_equal(
        jv_get_string(
            jv_get(jv_get(jv_at(jv_get(jv_get(part, "resource"), "attributes"), 1), "value"),
                   "stringValue"),
            ""),
        "1.2");
    scope = jv_at(jv_get(part, "scopeSpans"), 0);
    n = jv_size(jv_get(scope, "spans"));
    assert_string_equal(jv_get_string(jv_get(jv_at(jv_get(scope, "spans"), 0), "name"), ""), "x");
    jv_unref(doc);
    return n;
}

static void reply(struct world *w, int times, int code, const char *body)
{
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){
                          .times = times, .code = code, .type = "application/json", .body = body});
}

#define assert_counts(w, s, d, f)                                                                  \
    do {                                                                                           \
        struct tracer_counts c_ = tracer_counts((w)->tracer);                                      \
        assert_int_equal(c_.sent, s);                                                              \
        assert_int_equal(c_.dropped, d);                                                           \
        assert_int_equal(c_.failed, f);                                                            \
        assert_int_equal(c_.queued, 0);                                                            \
    } while (0)

static void spans_go_out_in_batches(void **state)
{
    struct world *w = *state;

    w->o.max_batch = 4;
    w->headers = "Authorization=Bearer%20abc , x-tenant = t ";
    open_tracer(w);
    reply(w, -1, 200, "{}");
    send_spans(w, 10);
    flush(w, 5000);
    assert_int_equal(http_memory_n_requests(w->memory), 3);
    assert_int_equal(spans_of(w, 0), 4);
    assert_int_equal(spans_of(w, 1), 4);
    assert_int_equal(spans_of(w, 2), 2);
    const struct http_memory_request *q = http_memory_request(w->memory, 0);
    assert_string_equal(http_field_value(q->fields, q->n_fields, "authorization"), "Bearer abc");
    assert_string_equal(http_field_value(q->fields, q->n_fields, "x-tenant"), "t");
    assert_counts(w, 10, 0, 0);
    assert_int_equal(logged(w, "\n"), 0);
}

static void a_batch_is_sent_without_a_flush(void **state)
{
    struct world *w = *state;

    open_tracer(w);
    reply(w, -1, 200, "");
    send_spans(w, 2);
    loop_run(w->loop); /* ends when nothing keeps it running */
    assert_int_equal(http_memory_n_requests(w->memory), 1);
    assert_counts(w, 2, 0, 0);
}

static void a_batch_is_tried_again_with_the_same_spans(void **state)
{
    struct world *w = *state;

    open_tracer(w);
    reply(w, 1, 503, "busy");
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.fault = HTTP_MEMORY_REFUSE, .times = 1});
    reply(w, -1, 200, "{}");
    send_spans(w, 3);
    flush(w, 5000);
    assert_int_equal(spans_of(w, 0), 3);
    assert_counts(w, 3, 0, 2);
    assert_string_equal(
        http_memory_request(w->memory, 0)->body,
        http_memory_request(w->memory, http_memory_n_requests(w->memory) - 1)->body);
    assert_int_equal(logged(w, "warning: "), 1);
}

static void what_cannot_succeed_is_dropped_at_once(void **state)
{
    struct world *w = *state;

    open_tracer(w);
    reply(w, 1, 400, "no");
    reply(w, -1, 200, "{}");
    send_spans(w, 2);
    flush(w, 5000);
    assert_counts(w, 0, 2, 1);
    assert_int_equal(http_memory_n_requests(w->memory), 1);
    w->headers = NULL;
    send_spans(w, 1);
    flush(w, 5000);
    assert_counts(w, 0, 3, 2);
    assert_int_equal(logged(w, "warning: "), 1);
}

static void a_dead_collector_is_one_warning(void **state)
{
    struct world *w = *state;

    w->o.max_queue = 8;
    w->o.max_batch = 4;
    open_tracer(w);
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.fault = HTTP_MEMORY_REFUSE, .times = -1});
    for (int i = 0; i < 5; i++) {
        send_spans(w, 20); /* more than the queue holds */
        flush(w, 2000);
    }
    assert_counts(w, 0, 100, 30); /* two batches a time, three tries each */
    assert_int_equal(logged(w, "warning: "), 1);
}

static void a_collector_that_hangs_does_not_delay_the_end(void **state)
{
    struct world *w = *state;

    open_tracer(w);
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.fault = HTTP_MEMORY_NO_ANSWER, .times = -1});
    send_spans(w, 3);
    flush(w, 20);
    assert_counts(w, 0, 3, 0);
    flush(w, 5000); /* nothing is left: at once */
}

static void rejected_spans_are_counted(void **state)
{
    struct world *w = *state;

    open_tracer(w);
    reply(w, 1, 200, "{\"partialSuccess\": {\"rejectedSpans\": \"2\", \"errorMessage\": \"old\"}}");
    reply(w, 1, 200, "{\"partialSuccess\": {\"rejectedSpans\": 99}}");
    reply(w, 1, 200, "not JSON");
    send_spans(w, 3);
    flush(w, 5000);
    assert_counts(w, 1, 2, 0);
    assert_int_equal(
        logged(w, "warning: traces cannot be sent to http://collector.example:4318: old"), 1);
    send_spans(w, 3);
    flush(w, 5000);
    assert_counts(w, 1, 5, 0);
    send_spans(w, 1);
    flush(w, 5000);
    assert_counts(w, 2, 5, 0);
}

static void spans_that_are_not_sampled_are_not_sent(void **state)
{
    struct world *w = *state;
    struct trace_span s = {.name = "x", .kind = TRACE_INTERNAL};

    open_tracer(w);
    tracer_send(w->tracer, &s);
    tracer_send(NULL, &s);
    flush(w, 5000);
    assert_int_equal(http_memory_n_requests(w->memory), 0);
    assert_counts(w, 0, 0, 0);
}

static void options_that_cannot_work_are_refused(void **state)
{
    static const char *const bad[] = {"no equals", "=v", "a=b,c"};
    struct world *w = *state;
    struct tracer_headers h = {.n = 0};
    struct error err = ERROR_INIT;

    w->o.url = "collector:4318";
    assert_int_equal(tracer_new(&w->o, &w->tracer, &err), STATUS_USAGE);
    assert_null(w->tracer);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(tracer_headers_parse(bad[i], &h, &err), STATUS_CONFIG);
    assert_int_equal(
        tracer_headers_parse("a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=1,k=2,l=3,m=4,n=5,o=6,p=7", &h,
                             &err),
        STATUS_CONFIG);
    assert_int_equal(tracer_headers_parse(" , a=%zz%41%2 ,", &h, &err), STATUS_OK);
    assert_int_equal(h.n, 2);
    assert_string_equal(h.field[1].name, "a");
    assert_string_equal(h.field[1].value, "%zzA%2");
    tracer_headers_deinit(&h);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(spans_go_out_in_batches),
        T(a_batch_is_sent_without_a_flush),
        T(a_batch_is_tried_again_with_the_same_spans),
        T(what_cannot_succeed_is_dropped_at_once),
        T(a_dead_collector_is_one_warning),
        T(a_collector_that_hangs_does_not_delay_the_end),
        T(rejected_spans_are_counted),
        T(spans_that_are_not_sampled_are_not_sent),
        T(options_that_cannot_work_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
