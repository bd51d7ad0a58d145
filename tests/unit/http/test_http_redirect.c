/* test_http_redirect.c - each redirect is a new request under all rules; nothing of the caller
 * crosses to another origin.
 *
 * The server is in memory, so that names and addresses can be any; one test uses sockets.
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
#include "runtime/http/http_redirect.h"

static const struct http_field caller_fields[] = {
    {"Authorization", "Bearer secret"}, {"Content-Type", "text/plain"}, {"X-Key", "k"}};

/* "name,name" of what a request had. */
static void names_of(const struct http_memory_request *q, char out[128])
{
    out[0] = '\0';
    for (int32_t i = 0; i < q->n_fields; i++)
        (void)snprintf(out + strlen(out), 128 - strlen(out), "%s%s", i ? "," : "",
                       q->fields[i].name);
}

#define ALL     "authorization,content-type,x-key"
#define NO_BODY "authorization,x-key"

/* From https://a.example/d/x. */
static const struct {
    int code;
    enum http_method method;
    const char *location;
    const char *url, *next_method, *fields, *body; /* of the next request; url NULL: none */
    enum status st;
} rows[] = {
    {301, HTTP_GET, "/y", "https://a.example/y", "GET", ALL, "", STATUS_OK},
    {302, HTTP_GET, "y?z#f", "https://a.example/d/y?z", "GET", ALL, "", STATUS_OK},
    {303, HTTP_GET, "https://a.example:443/y", "https://a.example/y", "GET", ALL, "", STATUS_OK},
    {307, HTTP_HEAD, "y", "https://a.example/d/y", "HEAD", ALL, "", STATUS_OK},
    {303, HTTP_HEAD, "y", "https://a.example/d/y", "HEAD", ALL, "", STATUS_OK},
    {301, HTTP_POST, "/y", "https://a.example/y", "GET", NO_BODY, "", STATUS_OK},
    {302, HTTP_POST, "/y", "https://a.example/y", "GET", NO_BODY, "", STATUS_OK},
    {303, HTTP_POST, "/y", "https://a.example/y", "GET", NO_BODY, "", STATUS_OK},
    {303, HTTP_DELETE, "/y", "https://a.example/y", "GET", NO_BODY, "", STATUS_OK},
    {307, HTTP_POST, "/y", "https://a.example/y", "POST", ALL, "body", STATUS_OK},
    {308, HTTP_PUT, "/y", "https://a.example/y", "PUT", ALL, "body", STATUS_OK},
    {301, HTTP_PUT, "/y", "https://a.example/y", "PUT", ALL, "body", STATUS_OK},
    /* another origin: by name, port, scheme */
    {302, HTTP_GET, "https://b.example/y", "https://b.example/y", "GET", "", "", STATUS_OK},
    {302, HTTP_GET, "//b.example/y", "https://b.example/y", "GET", "", "", STATUS_OK},
    {302, HTTP_GET, "https://a.example:444/y", "https://a.example:444/y", "GET", "", "", STATUS_OK},
    {302, HTTP_GET, "https://x.a.example/y", "https://x.a.example/y", "GET", "", "", STATUS_OK},
    {303, HTTP_POST, "https://b.example/y", "https://b.example/y", "GET", "", "", STATUS_OK},
    {307, HTTP_POST, "https://b.example/y", NULL, "", "", "", STATUS_REJECTED},
    {308, HTTP_DELETE, "https://b.example/y", NULL, "", "", "", STATUS_REJECTED},
    {301, HTTP_PUT, "https://b.example/y", NULL, "", "", "", STATUS_REJECTED},
    /* refused places */
    {302, HTTP_GET, "http://a.example/y", NULL, "", "", "", STATUS_REJECTED},
    {302, HTTP_GET, "https://127.0.0.1/y", NULL, "", "", "", STATUS_REJECTED},
    {302, HTTP_GET, "https://169.254.169.254/latest/", NULL, "", "", "", STATUS_REJECTED},
    {302, HTTP_GET, "https://[fd00:ec2::254]/latest/", NULL, "", "", "", STATUS_REJECTED},
    {302, HTTP_GET, "https://[::ffff:10.0.0.1]/", NULL, "", "", "", STATUS_REJECTED},
    {302, HTTP_GET, "https://inside.example/", NULL, "", "", "", STATUS_REJECTED},
    {302, HTTP_GET, "https://gone.example/", NULL, "", "", "", STATUS_NOT_FOUND},
    /* places that are not valid */
    {302, HTTP_GET, "file:///etc/passwd", NULL, "", "", "", STATUS_INVALID},
    {302, HTTP_GET, "gopher://b.example/", NULL, "", "", "", STATUS_INVALID},
    {302, HTTP_GET, "https://user:secret@b.example/", NULL, "", "", "", STATUS_INVALID},
    {302, HTTP_GET, "https://0x7f.1/", NULL, "", "", "", STATUS_INVALID},
    {302, HTTP_GET, "https://2130706433/", NULL, "", "", "", STATUS_INVALID},
    {302, HTTP_GET, "/a b", NULL, "", "", "", STATUS_INVALID},
    {302, HTTP_GET, "\\\\b.example/", NULL, "", "", "", STATUS_INVALID},
};

static void check_row(struct world *w, size_t i)
{
    const struct http_field location = {"location", rows[i].location};
    const struct http_memory_request *next;
    struct got g = {.code = 0};
    bool has_body = rows[i].method != HTTP_GET && rows[i].method != HTTP_HEAD;
    char names[128];

    http_memory_host(w->memory, "inside.example", "10.0.0.7");
    http_memory_host(w->memory, "gone.example", NULL);
    http_memory_reply(
        w->memory, &(struct http_memory_reply){
                       .code = rows[i].code, .fields = &location, .n_fields = 1, .body = "moved"});
    http_memory_reply(w->memory, &(struct http_memory_reply){.body = "here"});
    bench_fetch(w->bench, &g,
                (struct http_fetch_spec){.url = "https://a.example/d/x",
                                         .method = rows[i].method,
                                         .fields = caller_fields,
                                         .n_fields = 3,
                                         .body = has_body ? "body" : NULL,
                                         .body_bytes = has_body ? 4 : 0,
                                         .policy = &w->bench->policy,
                                         .max_redirects = 3});
    next = http_memory_request(w->memory, 1);
    if (g.st != rows[i].st || !next != !rows[i].url)
        fail_msg("row %zu: %s: %s", i, status_name(g.st), g.err.message);
    assert_null(strstr(g.err.message, "secret"));
    assert_int_equal(g.n_heads, rows[i].url ? 1 : 0);
    if (next) {
        names_of(next, names);
        if (strcmp(next->url, rows[i].url) != 0 || strcmp(next->method, rows[i].next_method) != 0 ||
            strcmp(names, rows[i].fields) != 0 || strcmp(next->body, rows[i].body) != 0)
            fail_msg("row %zu: %s %s {%s} {%s}", i, next->method, next->url, names, next->body);
        assert_int_equal(g.code, 200);
        assert_string_equal(str_cstr(&g.body), rows[i].method == HTTP_HEAD ? "" : "here");
    }
    got_deinit(&g);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *w = NULL;

        assert_int_equal(setup(&w), 0);
        check_row(w, i);
        assert_int_equal(teardown(&w), 0);
    }
}

static void fetch(struct world *w, struct got *g, int32_t max_redirects)
{
    bench_fetch(w->bench, g,
                (struct http_fetch_spec){.url = "https://a.example/1",
                                         .fields = caller_fields,
                                         .n_fields = 3,
                                         .policy = &w->bench->policy,
                                         .max_redirects = max_redirects});
}

static void test_how_many(void **state)
{
    struct world *w = *state;
    const struct http_field location = {"location", "/again"};
    struct got none = {.code = 0}, three = {.code = 0};

    http_memory_reply(w->memory, &(struct http_memory_reply){
                                     .code = 302, .fields = &location, .n_fields = 1, .times = -1});
    fetch(w, &none, 0);
    assert_int_equal(none.st, STATUS_OK); /* an answer like any other */
    assert_int_equal(none.code, 302);
    assert_string_equal(str_cstr(&none.fields), "location: /again\n");
    assert_int_equal(http_memory_n_requests(w->memory), 1);
    fetch(w, &three, 3);
    assert_int_equal(three.st, STATUS_LIMIT);
    assert_int_equal(three.n_heads, 0);
    assert_int_equal(http_memory_n_requests(w->memory), 1 + 4);
    got_deinit(&none);
    got_deinit(&three);
}

/* Away and back: what was left out stays out. */
static void test_there_and_back(void **state)
{
    struct world *w = *state;
    const struct http_field away = {"location", "https://b.example/"},
                            back = {"location", "https://a.example/2"};
    struct got g = {.code = 0};

    http_memory_reply(
        w->memory, &(struct http_memory_reply){
                       .url = "https://a.example/1", .code = 302, .fields = &away, .n_fields = 1});
    http_memory_reply(
        w->memory, &(struct http_memory_reply){
                       .url = "https://b.example/", .code = 302, .fields = &back, .n_fields = 1});
    http_memory_reply(w->memory, &(struct http_memory_reply){.body = "home"});
    fetch(w, &g, 5);
    assert_int_equal(g.st, STATUS_OK);
    assert_string_equal(str_cstr(&g.body), "home");
    assert_int_equal(http_memory_request(w->memory, 0)->n_fields, 3);
    assert_int_equal(http_memory_request(w->memory, 1)->n_fields, 0);
    assert_int_equal(http_memory_request(w->memory, 2)->n_fields, 0);
    got_deinit(&g);
}

/* 300 and 304 are not redirects, nor is a 302 without Location. */
static void test_what_is_none(void **state)
{
    static const int codes[] = {300, 304, 305, 302};
    struct world *w = *state;
    const struct http_field location = {"location", "/again"};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct got g = {.code = 0};

        http_memory_reply(
            w->memory,
            &(struct http_memory_reply){
                .code = codes[i], .fields = &location, .n_fields = codes[i] == 302 ? 0 : 1});
        fetch(w, &g, 3);
        assert_int_equal(g.st, STATUS_OK);
        assert_int_equal(g.code, codes[i]);
        got_deinit(&g);
    }
    assert_int_equal(http_memory_n_requests(w->memory), (int)ARRAY_LEN(codes));
}

/* ---- over sockets */

static bool serve(void *ctx, struct peer_conn *c, const struct peer_request *q)
{
    char head[512];

    if (strcmp(q->path, "/echo") == 0)
        return peer_answer(c, q->text, strlen(q->text));
    (void)snprintf(
        head, sizeof(head),
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 5\r\n\r\nmoved",
        (const char *)ctx);
    return peer_puts(c, head);
}

static void test_over_sockets(void **state)
{
    char location[128] = "/echo", url[128];
    struct peer *one = peer_new("127.0.0.1", 0, NULL, NULL, serve, location);
    struct peer *two = peer_new("127.0.0.1", 0, NULL, NULL, serve, location);
    struct bench *b = bench_new(NULL);
    const struct http_field field = {"Authorization", "Bearer secret"};

    (void)state;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", peer_port(one));
    for (int i = 0; i < 3; i++) {
        struct got g = {.code = 0};

        if (i == 1)
            (void)snprintf(location, sizeof(location), "http://127.0.0.1:%d/echo", peer_port(two));
        if (i == 2)
            (void)snprintf(location, sizeof(location), "http://10.0.0.1:%d/echo", peer_port(two));
        bench_fetch(b, &g,
                    (struct http_fetch_spec){
                        .url = url, .fields = &field, .n_fields = 1, .max_redirects = 1});
        assert_int_equal(g.st, i == 2 ? STATUS_REJECTED : STATUS_OK);
        assert_int_equal(strstr(str_cstr(&g.body), "secret") != NULL, i == 0);
        if (i < 2)
            assert_int_equal(g.n_heads, 1);
        got_deinit(&g);
    }
    assert_int_equal(peer_n_requests(two), 1);
    bench_free(b);
    peer_free(one);
    peer_free(two);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        T(test_how_many),
        T(test_there_and_back),
        T(test_what_is_none),
        cmocka_unit_test(test_over_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
