/* test_http_memory.c - the client over the server in memory: addresses, faults by seed, and that
 * the server in memory itself does what its header says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory_world.h"

#define TEXT "data: one\n\ndata: two\n\ndata: three\n\n"

/* ---- addresses */

static const struct {
    const char *addresses;
    const char *connects_to; /* NULL: nothing */
    enum status st;
    const char *says;
} hosts[] = {
    {"8.8.8.8", "8.8.8.8", STATUS_OK, ""},
    {"2606:4700:4700::1111 8.8.8.8", "2606:4700:4700::1111", STATUS_OK, ""},
    {"10.0.0.1 8.8.8.8", "8.8.8.8", STATUS_OK, ""}, /* only what is allowed */
    {"127.0.0.1", NULL, STATUS_REJECTED, "https://host.example: address 127.0.0.1"},
    {"::1 127.0.0.1", NULL, STATUS_REJECTED, "loopback"},
    {"169.254.169.254", NULL, STATUS_REJECTED, "metadata"},
    {"64:ff9b::a9fe:a9fe", NULL, STATUS_REJECTED, "metadata"},
    {NULL, NULL, STATUS_NOT_FOUND, "no host host.example"},
};

static void test_addresses_of_a_name(void **state)
{
    struct world *w = *state;
    int32_t n = 0;

    http_memory_reply(w->memory, &(struct http_memory_reply){.body = "x", .times = -1});
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct got g = {.code = 0};

        http_memory_host(w->memory, "host.example", hosts[i].addresses);
        bench_fetch(
            w->bench, &g,
            (struct http_fetch_spec){.url = "https://host.example/", .policy = &w->bench->policy});
        if (g.st != hosts[i].st || !strstr(g.err.message, hosts[i].says))
            fail_msg("%s: %s", hosts[i].addresses, g.err.message);
        assert_int_equal(g.sent, hosts[i].connects_to != NULL);
        if (hosts[i].connects_to)
            assert_string_equal(http_memory_request(w->memory, n++)->address, hosts[i].connects_to);
        assert_int_equal(http_memory_n_requests(w->memory), n);
        got_deinit(&g);
    }
}

/* The addresses that are left share what is left of connect_ms. */
static void test_addresses_that_do_not_answer(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0}, none = {.code = 0};

    http_memory_host(w->memory, "host.example", "8.8.8.1 8.8.8.2 8.8.8.3");
    http_memory_reply(w->memory, &(struct http_memory_reply){.fault = HTTP_MEMORY_HANG});
    http_memory_reply(w->memory, &(struct http_memory_reply){.fault = HTTP_MEMORY_REFUSE});
    http_memory_reply(w->memory, &(struct http_memory_reply){.body = "third"});
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.fault = HTTP_MEMORY_HANG, .times = -1});
    bench_fetch(w->bench, &g,
                (struct http_fetch_spec){.url = "https://host.example/", .connect_ms = 150});
    assert_int_equal(g.st, STATUS_OK);
    assert_string_equal(str_cstr(&g.body), "third");
    assert_string_equal(http_memory_request(w->memory, 2)->address, "8.8.8.3");
    bench_fetch(w->bench, &none,
                (struct http_fetch_spec){.url = "https://host.example/", .connect_ms = 150});
    assert_int_equal(none.st, STATUS_TIMEOUT);
    assert_false(none.sent);
    assert_int_equal(http_memory_n_requests(w->memory), 6);
    got_deinit(&g);
    got_deinit(&none);
}

/* ---- the server in memory */

static void test_which_reply(void **state)
{
    struct world *w = *state;
    const struct http_field field = {"X-A", "1"};
    static const struct {
        const char *url, *body;
        int code;
        const char *answer;
    } requests[] = {
        {"https://h/a", "q", 200, "once"},   {"https://h/a", "q", 404, NULL},
        {"https://h/b", "q", 201, "twice"},  {"https://h/b?x", "q", 201, "twice"},
        {"https://h/b", "q", 404, NULL},     {"https://h/c", "the word", 200, "word"},
        {"https://h/c", "another", 429, ""}, {"https://h/c", "another", 429, ""},
    };

    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.method = "GET", .body = "not a POST"});
    http_memory_reply(w->memory, &(struct http_memory_reply){.url = "https://h/a", .body = "once"});
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){
                          .url = "https://h/b", .times = 2, .code = 201, .body = "twice"});
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.body_contains = "word", .body = "word"});
    http_memory_reply(w->memory,
                      &(struct http_memory_reply){.url = "https://h/c", .times = -1, .code = 429});
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct got g = {.code = 0};
        const struct http_memory_request *q;

        bench_fetch(w->bench, &g,
                    (struct http_fetch_spec){.url = requests[i].url,
                                             .method = HTTP_POST,
                                             .fields = &field,
                                             .n_fields = 1,
                                             .body = requests[i].body,
                                             .body_bytes = strlen(requests[i].body)});
        assert_int_equal(g.st, STATUS_OK);
        assert_int_equal(g.code, requests[i].code);
        if (requests[i].answer)
            assert_string_equal(str_cstr(&g.body), requests[i].answer);
        q = http_memory_request(w->memory, (int32_t)i);
        assert_string_equal(q->method, "POST");
        assert_string_equal(q->url, requests[i].url);
        assert_string_equal(q->body, requests[i].body);
        assert_string_equal(http_field_value(q->fields, q->n_fields, "x-a"), "1");
        got_deinit(&g);
    }
    assert_null(http_memory_request(w->memory, (int32_t)ARRAY_LEN(requests)));
}

static const struct {
    enum http_memory_fault fault;
    size_t at;
    enum status st;
    bool sent;
    int n_heads;
    size_t bytes;
} faults[] = {
    {HTTP_MEMORY_WHOLE, 0, STATUS_OK, true, 1, sizeof(TEXT) - 1},
    {HTTP_MEMORY_REFUSE, 0, STATUS_IO, false, 0, 0},
    {HTTP_MEMORY_HANG, 0, STATUS_TIMEOUT, false, 0, 0},
    {HTTP_MEMORY_NO_ANSWER, 0, STATUS_TIMEOUT, true, 0, 0},
    {HTTP_MEMORY_DROP, 0, STATUS_IO, true, 0, 0},
    {HTTP_MEMORY_CUT, 0, STATUS_IO, true, 1, 0},
    {HTTP_MEMORY_CUT, 5, STATUS_IO, true, 1, 5},
    {HTTP_MEMORY_CUT, 1000, STATUS_IO, true, 1, sizeof(TEXT) - 1},
    {HTTP_MEMORY_STALL, 0, STATUS_TIMEOUT, true, 1, 0},
    {HTTP_MEMORY_STALL, 5, STATUS_TIMEOUT, true, 1, 5},
    {HTTP_MEMORY_STALL, 1000, STATUS_TIMEOUT, true, 1, sizeof(TEXT) - 1},
};

static void test_each_fault(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct got g = {.code = 0};

        http_memory_reply(w->memory,
                          &(struct http_memory_reply){
                              .fault = faults[i].fault, .at = faults[i].at, .body = TEXT});
        bench_fetch(w->bench, &g,
                    (struct http_fetch_spec){
                        .url = "https://h/", .connect_ms = 30, .first_byte_ms = 30, .idle_ms = 30});
        if (g.st != faults[i].st || g.sent != faults[i].sent || g.n_heads != faults[i].n_heads ||
            g.body.len != faults[i].bytes)
            fail_msg("row %zu: %s, %zu bytes: %s", i, status_name(g.st), g.body.len, g.err.message);
        assert_memory_equal(str_cstr(&g.body), TEXT, g.body.len);
        got_deinit(&g);
    }
}

static void test_pieces_and_waits(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0}, h = {.code = 0};

    http_memory_reply(w->memory, &(struct http_memory_reply){
                                     .body = TEXT, .piece_bytes = 4, .piece_ms = 3, .head_ms = 20});
    http_memory_reply(w->memory, &(struct http_memory_reply){.body = TEXT, .head_ms = 1000});
    bench_fetch(w->bench, &g, (struct http_fetch_spec){.url = "https://h/", .idle_ms = 100});
    assert_int_equal(g.st, STATUS_OK);
    assert_string_equal(str_cstr(&g.body), TEXT);
    assert_int_equal(g.n_pieces, (sizeof(TEXT) - 1 + 3) / 4);
    bench_fetch(w->bench, &h, (struct http_fetch_spec){.url = "https://h/", .first_byte_ms = 20});
    assert_int_equal(h.st, STATUS_TIMEOUT);
    got_deinit(&g);
    got_deinit(&h);
}

static bool pause_each(struct got *g)
{
    http_fetch_pause(g->fetch, true);
    return true;
}

static void go_on(void *ctx)
{
    struct got *g = ctx;

    if (!g->n_done)
        http_fetch_pause(g->fetch, false);
}

static void test_pausing(void **state)
{
    struct world *w = *state;
    struct got g = {.on_piece = pause_each};
    struct loop_timer *t = loop_timer_every(w->bench->loop, 3, go_on, &g);

    http_memory_reply(w->memory, &(struct http_memory_reply){.body = TEXT, .piece_bytes = 5});
    bench_fetch(w->bench, &g, (struct http_fetch_spec){.url = "https://h/"});
    loop_timer_free(t);
    assert_int_equal(g.st, STATUS_OK);
    assert_string_equal(str_cstr(&g.body), TEXT);
    got_deinit(&g);
}

/* ---- faults by seed */

static void serve(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out)
{
    (void)ctx;
    out->type = "text/event-stream";
    out->body = strcmp(q->method, "GET") == 0 ? TEXT : "no";
}

/* What came of 200 requests, as text. */
static void play(uint64_t seed, struct str *out)
{
    void *state = NULL;
    struct world *w;

    assert_int_equal(setup(&state), 0);
    w = state;
    http_memory_serve(w->memory, serve, NULL);
    http_memory_chaos(w->memory, &(struct http_memory_chaos){.seed = seed,
                                                             .split_bytes = 7,
                                                             .refuse_percent = 10,
                                                             .drop_percent = 10,
                                                             .cut_percent = 20});
    for (int i = 0; i < 200; i++) {
        struct got g = {.code = 0};

        bench_fetch(w->bench, &g, (struct http_fetch_spec){.url = "https://h/"});
        assert_memory_equal(str_cstr(&g.body), TEXT, g.body.len);
        assert_true(g.st == STATUS_IO || (g.st == STATUS_OK && g.body.len == sizeof(TEXT) - 1));
        str_printf(out, "%s%c%d/%zu ", g.st ? "io" : "ok", g.sent ? '+' : '-', g.n_pieces,
                   g.body.len);
        got_deinit(&g);
    }
    assert_int_equal(teardown(&state), 0);
}

static int count(const struct str *s, const char *what)
{
    int n = 0;

    for (const char *at = str_cstr(s); (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void test_faults_by_seed(void **state)
{
    struct str one = STR_INIT, again = STR_INIT, other = STR_INIT;

    (void)state;
    play(1, &one);
    play(1, &again);
    play(2, &other);
    assert_string_equal(str_cstr(&one), str_cstr(&again));
    assert_string_not_equal(str_cstr(&one), str_cstr(&other));
    /* 10 % refused; 35 % dropped or cut; the rest whole. Bounds: three standard deviations. */
    assert_in_range(count(&one, "io-"), 7, 33);
    assert_in_range(count(&one, "ok+"), 106, 150);
    str_deinit(&one);
    str_deinit(&again);
    str_deinit(&other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_addresses_of_a_name),
        T(test_addresses_that_do_not_answer),
        T(test_which_reply),
        T(test_each_fault),
        T(test_pieces_and_waits),
        T(test_pausing),
        cmocka_unit_test(test_faults_by_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
