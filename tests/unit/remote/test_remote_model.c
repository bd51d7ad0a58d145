/* Remote models over a server in memory: what is sent, what comes back, and how calls end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/remote/remote_bench.h"

#define CANARY "sk-canary-0123456789abcdef"

static int setup(void **state)
{
    struct remote_bench *b = xcalloc(1, sizeof(*b));

    remote_bench_init(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    remote_bench_deinit(*state);
    free(*state);
    return 0;
}

static void reply(struct remote_bench *b, struct http_memory_reply r)
{
    http_memory_reply(b->memory, &r);
}

static void expect_hi(const struct remote_ask *a)
{
    if (a->call.status)
        fail_msg("%s: %s", status_name(a->call.status), a->call.err.message);
    assert_string_equal(a->call.text, "hi");
    assert_int_equal(a->call.finish, FINISH_STOP);
}

static void expect_error(const struct remote_ask *a, enum status st, const char *word,
                         bool not_retryable)
{
    if (a->call.status != st || !strstr(a->call.err.message, word) ||
        a->call.not_retryable != not_retryable)
        fail_msg("%s, \"%s\", not_retryable %d", status_name(a->call.status), a->call.err.message,
                 a->call.not_retryable);
    assert_int_equal(a->call.finish, FINISH_ERROR);
    assert_int_equal(a->call.err.status, st);
    assert_null(a->call.text);
    assert_null(a->call.tool_calls);
}

static void a_call_sends_its_request_and_streams_its_answer(void **state)
{
    struct remote_bench *b = *state;
    const struct http_memory_request *q;
    struct remote_ask a;

    setenv("TROUPE_TEST_KEY", CANARY, 1);
    b->spec.key = xstrdup("${env:TROUPE_TEST_KEY}");
    b->spec.headers = jv_object();
    jv_set_string(b->spec.headers, "X-Team", "red");
    b->spec.price_input = 3;
    b->spec.price_output = 15;
    remote_bench_open(b);
    reply(b, (struct http_memory_reply){.type = "text/event-stream",
                                        .body = SSE_HI
                                        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,"
                                        "\"completion_tokens\":10}}\n\n",
                                        .piece_bytes = 1});
    ask(b, &a);
    expect_hi(&a);
    assert_string_equal(str_cstr(&a.news), "hi");
    /* the usage after [DONE] does not count */
    assert_true(a.call.usage.estimated);
    assert_true(a.call.first_us > 0 && a.call.done_us >= a.call.first_us);
    q = http_memory_request(b->memory, 0);
    assert_string_equal(q->method, "POST");
    assert_string_equal(q->url, BENCH_URL "/chat/completions");
    assert_string_equal(http_field_value(q->fields, q->n_fields, "authorization"),
                        "Bearer " CANARY);
    assert_string_equal(http_field_value(q->fields, q->n_fields, "content-type"),
                        "application/json");
    assert_string_equal(http_field_value(q->fields, q->n_fields, "x-team"), "red");
    assert_null(http_field_value(q->fields, q->n_fields, "traceparent"));
    assert_non_null(strstr(q->body, "\"messages\":[{\"role\":\"user\",\"content\":\"say hi\"}]"));
    assert_string_equal(b->model->info.kind, "remote");
    assert_string_equal(b->model->info.name, "strong");
    assert_false(b->model->info.takes_ids);
    ask_end(&a);
    reply(b, (struct http_memory_reply){
                 .body = SSE_TEXT("hi") SSE_STOP
                 "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":10,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":400}}}\n\n" SSE_DONE});
    ask(b, &a);
    expect_hi(&a);
    /* without a price for cached tokens they cost as others: 1000 * 3 + 10 * 15 dollars for 1e6 */
    assert_int_equal(a.call.usage.cost_nano, 3150000);
    ask_end(&a);
}

static void a_traced_call_says_its_trace(void **state)
{
    static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct remote_bench *b = *state;
    const struct http_memory_request *q;
    struct remote_ask a;

    remote_bench_open(b);
    reply(b, (struct http_memory_reply){.type = "text/event-stream", .body = SSE_HI});
    ask_begin(b, &a);
    assert_true(trace_context_parse(parent, &a.call.trace));
    ask_start(&a);
    ask_wait(b);
    expect_hi(&a);
    q = http_memory_request(b->memory, 0);
    assert_string_equal(http_field_value(q->fields, q->n_fields, "traceparent"), parent);
    ask_end(&a);
}

static void an_answer_that_is_not_streamed_counts_too(void **state)
{
    static const char body[] = "{\"choices\":[{\"message\":{\"content\":\"hi\"},"
                               "\"finish_reason\":\"stop\"}]}";
    struct remote_bench *b = *state;
    struct remote_ask a;

    remote_bench_open(b);
    reply(b, (struct http_memory_reply){
                 .type = "text/event-stream", .body = body, .times = 2, .piece_bytes = 3});
    ask(b, &a); /* although it was asked to stream, and says that it does */
    expect_hi(&a);
    assert_int_equal(a.news.len, 0); /* the agent shows it with the answer */
    assert_int_equal(a.call.usage.cost_nano, -1);
    ask_end(&a);
    reply(b, (struct http_memory_reply){.type = "application/json", .body = SSE_HI});
    b->model->ops->close(b->model);
    b->spec.stream = false;
    remote_bench_open(b);
    ask(b, &a);
    expect_hi(&a);
    ask_end(&a);
    ask(b, &a); /* streamed, although it was not asked to */
    expect_hi(&a);
    ask_end(&a);
}

/* Every error is followed by the right answer; the call gives it. */
static void what_may_pass_is_tried_again(void **state)
{
    static const struct http_field soon[] = {{"retry-after", "0"}};
    static const struct http_memory_reply first[] = {
        {.code = 500, .body = "oops"},
        {.code = 503, .body = "{\"error\":{\"message\":\"Loading model\"}}"},
        {.code = 429, .body = "slow down", .fields = soon, .n_fields = 1},
        {.code = 408},
        {.fault = HTTP_MEMORY_REFUSE},
        {.fault = HTTP_MEMORY_DROP},
        {.body = SSE_HI, .fault = HTTP_MEMORY_CUT, .at = 0},
        {.body = ": nothing\n\n"},
        {.body = "data: {\"error\":{\"message\":\"engine died\",\"code\":500}}\n\n"},
        {.body = "data: garbage\n\n"},
        {.body = "{\"choices\":[]}"},
        {.body = " "},
    };
    struct remote_bench *b = *state;

    remote_bench_open(b);
    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        struct remote_ask a;

        reply(b, first[i]);
        reply(b, (struct http_memory_reply){.body = SSE_HI});
        ask(b, &a);
        if (a.call.status)
            fail_msg("%zu: %s", i, a.call.err.message);
        expect_hi(&a);
        assert_string_equal(str_cstr(&a.news), "hi");
        assert_int_equal(http_memory_n_requests(b->memory), 2 * (int)i + 2);
        ask_end(&a);
    }
}

static void what_would_not_pass_is_not_tried_again(void **state)
{
    static const struct http_field moved[] = {{"location", "https://evil.example/v1?k=" CANARY}};
    static const struct {
        struct http_memory_reply reply;
        enum status status;
        const char *word;
    } cases[] = {
        {{.code = 400, .body = "{\"error\":{\"message\":\"bad\"}}"}, STATUS_INVALID, "bad"},
        {{.code = 401, .body = "no"}, STATUS_FAILED, "wants a key"},
        {{.code = 404, .body = "no"}, STATUS_NOT_FOUND, "no model \"m\""},
        {{.code = 501, .body = "no"}, STATUS_FAILED, "501"},
        {{.code = 400,
          .body = "{\"error\":{\"message\":\"x\",\"type\":\"exceed_context_size_error\","
                  "\"n_prompt_tokens\":9,\"n_ctx\":4}}"},
         STATUS_LIMIT,
         "9 tokens, but the context of the model is 4"},
        {{.code = 302, .fields = moved, .n_fields = 1}, STATUS_FAILED, "https://evil.example/v1 "},
        {{.body = "<html><title>Welcome</title></html>", .type = "text/html"},
         STATUS_INVALID,
         "<html>"},
        {{.body = SSE_TEXT("x") "data: {\"choices\":[{\"delta\":{},\"finish_reason\":"
                                "\"content_filter\"}]}\n\n"},
         STATUS_FAILED,
         "filter"},
    };
    struct remote_bench *b = *state;

    remote_bench_open(b);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct remote_ask a;

        reply(b, cases[i].reply);
        ask(b, &a);
        expect_error(&a, cases[i].status, cases[i].word, true);
        assert_int_equal(http_memory_n_requests(b->memory), (int)i + 1);
        assert_null(strstr(a.call.err.message, CANARY));
        ask_end(&a);
    }
}

static void tries_end_and_the_last_error_is_given(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    b->spec.max_tries = 2;
    remote_bench_open(b);
    reply(b, (struct http_memory_reply){.code = 500, .body = "first"});
    reply(b, (struct http_memory_reply){.code = 502, .body = "last"});
    ask(b, &a);
    expect_error(&a, STATUS_FAILED, "last", false);
    assert_int_equal(http_memory_n_requests(b->memory), 2);
    assert_true(a.call.done_us >= 240000); /* half of the first wait */
    ask_end(&a);
}

static void a_long_wait_that_the_server_asks_for_is_the_callers(void **state)
{
    static const struct http_field late[] = {{"retry-after", "3600"}},
                                   soon[] = {{"retry-after-ms", "700"}},
                                   part[] = {{"retry-after", "0.9"}};
    struct remote_bench *b = *state;
    struct remote_ask a;

    remote_bench_open(b);
    reply(b, (struct http_memory_reply){.code = 429, .fields = late, .n_fields = 1});
    ask(b, &a);
    expect_error(&a, STATUS_BUSY, "429", false);
    assert_int_equal(a.call.retry_after_ms, 3600000);
    assert_int_equal(http_memory_n_requests(b->memory), 1);
    ask_end(&a);
    reply(b, (struct http_memory_reply){.code = 429, .fields = soon, .n_fields = 1});
    reply(b, (struct http_memory_reply){.body = SSE_HI});
    ask(b, &a);
    expect_hi(&a);
    assert_true(a.call.done_us >= 700000);
    ask_end(&a);
    reply(b, (struct http_memory_reply){.code = 503, .fields = part, .n_fields = 1});
    reply(b, (struct http_memory_reply){.body = SSE_HI});
    ask(b, &a);
    expect_hi(&a);
    assert_true(a.call.done_us >= 900000);
    ask_end(&a);
    /* a deadline before the wait is over */
    reply(b, (struct http_memory_reply){.code = 429, .fields = part, .n_fields = 1});
    ask_begin(b, &a);
    a.call.deadline_ms = seams_wall_ms(seams_real()) + 500;
    ask_start(&a);
    ask_wait(b);
    expect_error(&a, STATUS_BUSY, "429", false);
    assert_int_equal(a.call.retry_after_ms, 900);
    ask_end(&a);
}

static void text_that_was_streamed_is_not_taken_back(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    remote_bench_open(b);
    reply(b, (struct http_memory_reply){.body = SSE_TEXT("hel")});
    reply(b, (struct http_memory_reply){.body = SSE_HI});
    ask(b, &a);
    expect_error(&a, STATUS_IO, "cut off", false);
    assert_string_equal(str_cstr(&a.news), "hel");
    assert_int_equal(http_memory_n_requests(b->memory), 1);
    ask_end(&a);
    /* nobody listens: it is tried again */
    reply(b, (struct http_memory_reply){.body = SSE_TEXT("hel")});
    ask_begin(b, &a);
    a.call.on_text = NULL;
    ask_start(&a);
    ask_wait(b);
    expect_hi(&a);
    ask_end(&a);
}

/* The whole answer is there once its finish reason is. */
static size_t end_of_answer(const char *body)
{
    return (size_t)(strstr(body, "finish_reason") - body) +
           strlen("finish_reason\":\"stop\"}]}\n\n");
}

static void an_answer_cut_at_any_byte_is_whole_or_an_error(void **state)
{
    struct remote_bench *b = *state;
    size_t end = end_of_answer(SSE_HI);

    b->spec.max_tries = 1;
    remote_bench_open(b);
    for (size_t at = 0; at < sizeof(SSE_HI) - 1; at++) {
        struct remote_ask a;

        reply(b, (struct http_memory_reply){
                     .body = SSE_HI, .fault = HTTP_MEMORY_CUT, .at = at, .piece_bytes = 7});
        /* failures in a row would open the circuit */
        if (at % 3 == 0)
            circuit_worked(remote_server_circuit(b->servers->first));
        ask(b, &a);
        if (at < end)
            expect_error(&a, STATUS_IO, "", false);
        else
            expect_hi(&a);
        ask_end(&a);
    }
}

static void an_answer_that_stalls_at_any_byte_ends(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a[sizeof(SSE_HI)];
    size_t end = end_of_answer(SSE_HI);

    b->spec.max_tries = 1;
    b->spec.idle_ms = 300;
    b->spec.first_byte_ms = 300;
    b->spec.max_concurrent = 1000;
    remote_bench_open(b);
    for (size_t at = 0; at < sizeof(SSE_HI) - 1; at++) {
        reply(b, (struct http_memory_reply){
                     .body = SSE_HI, .fault = HTTP_MEMORY_STALL, .at = at, .piece_bytes = 11});
        ask_begin(b, &a[at]);
        ask_start(&a[at]);
    }
    ask_wait(b);
    for (size_t at = 0; at < sizeof(SSE_HI) - 1; at++) {
        if (at < end)
            expect_error(&a[at], STATUS_IO, "", false);
        else
            expect_hi(&a[at]); /* after a while, without waiting for the end */
        ask_end(&a[at]);
    }
}

static void a_stream_that_stays_open_after_its_end_is_not_waited_for(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    remote_bench_open(b); /* silent for 60 seconds is fine elsewhere */
    http_memory_reply(
        b->memory, &(struct http_memory_reply){
                       .body = SSE_HI "x", .fault = HTTP_MEMORY_STALL, .at = sizeof(SSE_HI) - 1});
    ask(b, &a);
    expect_hi(&a);
    assert_in_range(a.call.done_us, 1900000, 30000000);
    ask_end(&a);
}

static void a_server_that_says_nothing_times_out(void **state)
{
    static const enum http_memory_fault faults[] = {HTTP_MEMORY_NO_ANSWER, HTTP_MEMORY_HANG};
    struct remote_bench *b = *state;

    b->spec.max_tries = 1;
    b->spec.first_byte_ms = 200;
    remote_bench_open(b);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct remote_ask a;

        reply(b, (struct http_memory_reply){.fault = faults[i]});
        ask_begin(b, &a);
        a.call.deadline_ms = i == 1 ? seams_wall_ms(seams_real()) + 200 : 0;
        ask_start(&a);
        ask_wait(b);
        expect_error(&a, i == 1 ? STATUS_TIMEOUT : STATUS_IO, "", false);
        ask_end(&a);
    }
}

/* Comments keep the idle time from passing; the whole call has a time of its own. */
static void a_server_that_sends_only_comments_ends(void **state)
{
    struct remote_bench *b = *state;
    struct str body = STR_INIT;
    struct remote_ask a;

    b->spec.idle_ms = 1000;
    b->spec.timeout_ms = 400;
    remote_bench_open(b);
    for (int i = 0; i < 2000; i++)
        str_puts(&body, ": still here\n\n");
    reply(b, (struct http_memory_reply){
                 .body = str_cstr(&body), .piece_bytes = 14, .piece_ms = 20, .times = -1});
    ask(b, &a);
    expect_error(&a, STATUS_IO, "not complete after 400ms", false);
    assert_int_equal(a.call.fault, MODEL_FAULT_LATE);
    assert_in_range(a.call.done_us, 390000, 20000000);
    assert_int_equal(http_memory_n_requests(b->memory), 1);
    ask_end(&a);
    str_deinit(&body);
}

/* The same table as that of codes (test_remote_error.c), for what has no code. */
static void whose_fault_it_is_without_a_code(void **state)
{
    static const struct {
        struct http_memory_reply reply;
        enum model_fault whose;
    } cases[] = {
        {{.fault = HTTP_MEMORY_REFUSE}, MODEL_FAULT_DOWN},
        {{.fault = HTTP_MEMORY_NO_ANSWER}, MODEL_FAULT_LATE},
        {{.fault = HTTP_MEMORY_DROP}, MODEL_FAULT_ANSWER},
        {{.body = SSE_HI, .fault = HTTP_MEMORY_CUT, .at = 20}, MODEL_FAULT_ANSWER},
        {{.body = SSE_HI, .fault = HTTP_MEMORY_STALL, .at = 20}, MODEL_FAULT_LATE},
        {{.body = SSE_TEXT("h")}, MODEL_FAULT_ANSWER},
        {{.body = "data: garbage\n\n"}, MODEL_FAULT_ANSWER},
        {{.body = "<html></html>"}, MODEL_FAULT_ANSWER},
        {{.body = "{\"choices\":[]}"}, MODEL_FAULT_ANSWER},
        {{.body = SSE_TEXT("h") "data: {\"error\":{\"message\":\"slow\",\"code\":429}}\n\n"},
         MODEL_FAULT_RATE},
        {{.body = SSE_TEXT("h") "data: {\"error\":{\"message\":\"died\"}}\n\n"},
         MODEL_FAULT_ANSWER},
        {{.body = SSE_TEXT("h") "data: {\"choices\":[{\"delta\":{},\"finish_reason\":"
                                "\"content_filter\"}]}\n\n" SSE_DONE},
         MODEL_FAULT_FILTER},
    };
    struct remote_bench *b = *state;

    b->spec.max_tries = 1;
    b->spec.first_byte_ms = b->spec.idle_ms = 300;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct remote_ask a;

        remote_bench_open(b); /* a server of its own: no circuit is open */
        reply(b, cases[i].reply);
        ask(b, &a);
        if (a.call.fault != cases[i].whose)
            fail_msg("%zu: %d: %s", i, (int)a.call.fault, a.call.err.message);
        ask_end(&a);
        b->model->ops->close(b->model);
        b->model = NULL;
    }
}

static void a_flood_is_an_error(void **state)
{
    struct remote_bench *b = *state;
    struct str body = STR_INIT;
    struct remote_ask a;

    remote_bench_open(b);
    for (int i = 0; i < 4000; i++)
        str_puts(&body, SSE_TEXT("0123456789 0123456789 0123456789 0123456789"));
    reply(b, (struct http_memory_reply){.body = str_cstr(&body), .piece_bytes = 5000});
    ask(b, &a);
    expect_error(&a, STATUS_LIMIT, "far above max_tokens", true);
    assert_int_equal(a.call.fault, MODEL_FAULT_ANSWER);
    ask_end(&a);
    str_clear(&body);
    str_puts(&body, "data: ");
    for (int i = 0; i < 17 << 10; i++) { /* one event of 17 MiB */
        static const char block[1025] = {[0 ... 1023] = 'x'};

        str_append(&body, block, 1024);
    }
    reply(b, (struct http_memory_reply){.body = str_cstr(&body), .piece_bytes = 1 << 20});
    ask(b, &a);
    expect_error(&a, STATUS_LIMIT, "", true);
    assert_int_equal(a.call.fault, MODEL_FAULT_ANSWER);
    ask_end(&a);
    str_deinit(&body);
}

static void no_secret_is_in_an_error(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"Incorrect API key provided: " CANARY "\"}}",
        "you sent: Authorization: Bearer " CANARY,
        "<title>" CANARY "</title>",
        "key canary-0123456 is bad", /* a part of it */
        "data: {\"error\":\"" CANARY "\"}\n\n",
        "{\"token\":\"tok-in-a-header-987654\"}",
    };
    static const int codes[] = {400, 401, 500, 200};
    struct remote_bench *b = *state;

    setenv("TROUPE_TEST_KEY", CANARY, 1);
    setenv("TROUPE_TEST_TOKEN", "tok-in-a-header-987654", 1);
    b->spec.key = xstrdup("${env:TROUPE_TEST_KEY}");
    b->spec.headers = jv_object();
    jv_set_string(b->spec.headers, "x-token", "${env:TROUPE_TEST_TOKEN}");
    b->spec.max_tries = 1;
    remote_bench_open(b);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        for (size_t k = 0; k < ARRAY_LEN(codes); k++) {
            struct remote_ask a;

            reply(b, (struct http_memory_reply){.code = codes[k], .body = bodies[i]});
            circuit_worked(remote_server_circuit(b->servers->first));
            ask(b, &a);
            assert_int_equal(a.call.finish, FINISH_ERROR);
            if (strstr(a.call.err.message, "canary") || strstr(a.call.err.hint, "canary") ||
                strstr(a.call.err.message, "tok-in-a"))
                fail_msg("%s", a.call.err.message);
            if (codes[k] == 401)
                assert_non_null(strstr(a.call.err.message, "${env:TROUPE_TEST_KEY}"));
            ask_end(&a);
        }
    }
}

static void a_secret_that_cannot_be_resolved_is_named(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    unsetenv("TROUPE_TEST_NONE");
    b->spec.key = xstrdup("${env:TROUPE_TEST_NONE}");
    remote_bench_open(b);
    ask(b, &a);
    expect_error(&a, STATUS_FAILED, "${env:TROUPE_TEST_NONE}: the variable is not set", true);
    assert_int_equal(http_memory_n_requests(b->memory), 0);
    ask_end(&a);
    /* a line break would be another header */
    setenv("TROUPE_TEST_NONE", "a\r\nX-Evil: 1", 1);
    ask(b, &a);
    expect_error(&a, STATUS_FAILED, "line break", true);
    assert_int_equal(http_memory_n_requests(b->memory), 0);
    ask_end(&a);
}

static void addresses_of_the_own_network_need_leave(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    http_memory_host(b->memory, "model.example", "10.1.2.3");
    remote_bench_open(b);
    ask(b, &a);
    expect_error(&a, STATUS_FAILED, "10.1.2.3 is not allowed", true);
    assert_non_null(strstr(a.call.err.message, "allow_local: true"));
    assert_int_equal(http_memory_n_requests(b->memory), 0);
    ask_end(&a);
    b->model->ops->close(b->model);
    b->spec.allow_local = true;
    remote_bench_open(b);
    reply(b, (struct http_memory_reply){.body = SSE_HI});
    ask(b, &a);
    expect_hi(&a);
    ask_end(&a);
    http_memory_host(b->memory, "model.example", "169.254.169.254");
    ask(b, &a);
    expect_error(&a, STATUS_FAILED, "metadata", true);
    ask_end(&a);
}

static void refused_log_probs_are_left_out_and_remembered(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;
    int32_t ids[100];
    float logp[100];

    b->spec.ids = REMOTE_IDS_VLLM;
    remote_bench_open(b);
    assert_true(b->model->info.gives_ids);
    reply(b, (struct http_memory_reply){
                 .code = 400,
                 .body = "{\"error\":{\"message\":\"logprobs is not supported with tools + stream"
                         "\"}}"});
    reply(b, (struct http_memory_reply){.body = SSE_HI, .times = 2});
    for (int i = 0; i < 2; i++) {
        ask_begin(b, &a);
        a.call.ids = ids;
        a.call.logp = logp;
        ask_start(&a);
        ask_wait(b);
        expect_hi(&a);
        assert_int_equal(a.call.n_ids, 0);
        ask_end(&a);
    }
    assert_int_equal(http_memory_n_requests(b->memory), 3);
    assert_non_null(strstr(http_memory_request(b->memory, 0)->body, "\"logprobs\":true"));
    assert_null(strstr(http_memory_request(b->memory, 1)->body, "logprobs"));
    assert_null(strstr(http_memory_request(b->memory, 2)->body, "logprobs"));
}

static void a_session_forks_and_closes_without_a_call(void **state)
{
    struct remote_bench *b = *state;
    const struct model_session_options adapter = {.adapter = "x"};
    struct model_session *s = NULL, *t = NULL;
    struct error err = ERROR_INIT;

    remote_bench_open(b);
    assert_int_equal(b->model->ops->session_open(b->model, &adapter, &s, &err), STATUS_UNSUPPORTED);
    assert_int_equal(b->model->ops->session_open(b->model, NULL, &s, &err), STATUS_OK);
    assert_int_equal(b->model->ops->session_fork(b->model, s, &t, &err), STATUS_OK);
    b->model->ops->session_close(b->model, s);
    b->model->ops->session_close(b->model, t);
}

static void the_hash_names_the_model_and_no_secret(void **state)
{
    struct remote_bench *b = *state;
    struct sha256 one, other;

    remote_bench_open(b);
    one = b->model->info.hash;
    b->model->ops->close(b->model);
    b->spec.key = xstrdup("plain-secret"); /* a plain value is left out of the hash */
    remote_bench_open(b);
    other = b->model->info.hash;
    b->model->ops->close(b->model);
    free(b->spec.key);
    b->spec.key = xstrdup("another-secret");
    remote_bench_open(b);
    assert_memory_equal(&other, &b->model->info.hash, sizeof(other));
    b->model->ops->close(b->model);
    free(b->spec.model);
    b->spec.model = xstrdup("n");
    remote_bench_open(b);
    assert_memory_not_equal(&other, &b->model->info.hash, sizeof(other));
    assert_memory_not_equal(&one, &b->model->info.hash, sizeof(other));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_call_sends_its_request_and_streams_its_answer),
        T(a_traced_call_says_its_trace),
        T(an_answer_that_is_not_streamed_counts_too),
        T(what_may_pass_is_tried_again),
        T(what_would_not_pass_is_not_tried_again),
        T(tries_end_and_the_last_error_is_given),
        T(a_long_wait_that_the_server_asks_for_is_the_callers),
        T(text_that_was_streamed_is_not_taken_back),
        T(an_answer_cut_at_any_byte_is_whole_or_an_error),
        T(an_answer_that_stalls_at_any_byte_ends),
        T(a_stream_that_stays_open_after_its_end_is_not_waited_for),
        T(a_server_that_says_nothing_times_out),
        T(a_server_that_sends_only_comments_ends),
        T(whose_fault_it_is_without_a_code),
        T(a_flood_is_an_error),
        T(no_secret_is_in_an_error),
        T(a_secret_that_cannot_be_resolved_is_named),
        T(addresses_of_the_own_network_need_leave),
        T(refused_log_probs_are_left_out_and_remembered),
        T(a_session_forks_and_closes_without_a_call),
        T(the_hash_names_the_model_and_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
