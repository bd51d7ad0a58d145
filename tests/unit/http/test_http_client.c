/* test_http_client.c - requests to a server on a loopback address: what is sent, what comes back,
 * and where requests may go.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http_peer.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_fetch_ops.h"

struct world {
    struct site site;
    atomic_int step; /* what the client has got, for the server to wait for */
};

static void wait_for(struct world *w, int step)
{
    for (int i = 0; i < 2000 && atomic_load(&w->step) < step; i++)
        peer_sleep(2);
}

static bool serve(void *ctx, struct peer_conn *c, const struct peer_request *q)
{
    struct world *w = ctx;

    if (strcmp(q->path, "/echo") == 0) {
        char head[128];

        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                       strlen(q->text));
        return peer_puts(c, head) && (strcmp(q->method, "HEAD") == 0 || peer_puts(c, q->text));
    }
    if (strcmp(q->path, "/stream") == 0) {
        (void)peer_puts(
            c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A:  b \r\n\r\n3\r\none\r\n");
        wait_for(w, 1);
        (void)peer_puts(c, "3\r\ntwo\r\n");
        wait_for(w, 2);
        return peer_puts(c, "5;ext=1\r\nthree\r\n0\r\nX-Trailer: t\r\n\r\n");
    }
    if (strcmp(q->path, "/html") == 0) {
        (void)peer_puts(
            c, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>no</html>");
        return false;
    }
    if (strcmp(q->path, "/early") == 0)
        return peer_puts(
            c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
               "HTTP/1.1 204 No Content\r\nX-Folded: a\r\n b\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n");
    if (strcmp(q->path, "/drop_second") == 0)
        return peer_n_requests(w->site.peer) == 1 && peer_answer(c, "first", 5);
    return peer_answer(c, q->path, strlen(q->path));
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    site_open(&w->site, serve, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    site_close(&w->site);
    free(w);
    return 0;
}

static const struct {
    enum http_method method;
    const char *body;
    const char *begins, *contains, *without;
} sent[] = {
    {HTTP_GET, "", "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:", "\r\nx-key: v\r\n", "content-length"},
    {HTTP_GET, "", "GET /echo HTTP/1.1\r\n", "\r\nx-empty:", "accept-encoding"},
    {HTTP_POST, "{\"a\":1}", "POST /echo HTTP/1.1\r\n", "Content-Length: 7\r\n", "expect"},
    {HTTP_POST, "{\"a\":1}", "POST /echo HTTP/1.1\r\n", "\r\n\r\n{\"a\":1}", "content-type"},
    {HTTP_POST, "", "POST /echo HTTP/1.1\r\n", "Content-Length: 0\r\n", "content-type"},
    {HTTP_PUT, "x", "PUT /echo HTTP/1.1\r\n", "Content-Length: 1\r\n", "user-agent"},
    {HTTP_PATCH, "x", "PATCH /echo HTTP/1.1\r\n", "\r\n\r\nx", "cookie"},
    {HTTP_DELETE, "", "DELETE /echo HTTP/1.1\r\n", "x-key: v", "content-length"},
    {HTTP_DELETE, "x", "DELETE /echo HTTP/1.1\r\n", "\r\n\r\nx", "transfer-encoding"},
    {HTTP_OPTIONS, "", "OPTIONS /echo HTTP/1.1\r\n", "x-key: v", "authorization"},
};

static void test_what_is_sent(void **state)
{
    struct world *w = *state;
    const struct http_field fields[] = {{"X-Key", " v "}, {"x-empty", ""}};
    char url[256];

    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        struct got g = {.code = 0};

        bench_fetch(w->site.bench, &g,
                    (struct http_fetch_spec){.url = site_url(&w->site, "/echo", url),
                                             .method = sent[i].method,
                                             .fields = fields,
                                             .n_fields = 2,
                                             .body = sent[i].body,
                                             .body_bytes = strlen(sent[i].body)});
        assert_int_equal(g.st, STATUS_OK);
        assert_int_equal(g.code, 200);
        assert_true(g.sent);
        if (strncmp(str_cstr(&g.body), sent[i].begins, strlen(sent[i].begins)) != 0 ||
            !strstr(str_cstr(&g.body), sent[i].contains) ||
            strcasestr(str_cstr(&g.body), sent[i].without))
            fail_msg("row %zu: %s", i, str_cstr(&g.body));
        got_deinit(&g);
    }
    assert_int_equal(peer_n_connections(w->site.peer), 1); /* kept and used again */
}

static void test_head_has_no_body(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    char url[256];

    bench_fetch(w->site.bench, &g,
                (struct http_fetch_spec){
                    .url = site_url(&w->site, "/echo", url), .method = HTTP_HEAD, .max_body = 1});
    assert_int_equal(g.st, STATUS_OK);
    assert_int_equal(g.code, 200);
    assert_int_equal(g.body.len, 0);
    got_deinit(&g);
}

static void test_a_large_body(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    size_t n = 900000;
    char *body = xmalloc(n), url[256];

    memset(body, 'x', n);
    bench_fetch(w->site.bench, &g,
                (struct http_fetch_spec){.url = site_url(&w->site, "/echo", url),
                                         .method = HTTP_POST,
                                         .body = body,
                                         .body_bytes = n});
    assert_int_equal(g.st, STATUS_OK);
    assert_true(g.body.len > n);
    assert_memory_equal(str_cstr(&g.body) + g.body.len - n, body, n);
    got_deinit(&g);
    free(body);
}

static bool count_piece(struct got *g)
{
    struct world *w = g->ctx;

    atomic_fetch_add(&w->step, 1);
    return true;
}

/* The server sends each piece after the client got the one before. */
static void test_pieces_come_at_once(void **state)
{
    struct world *w = *state;
    struct got g = {.on_piece = count_piece, .ctx = w};
    char url[256];

    bench_fetch(w->site.bench, &g,
                (struct http_fetch_spec){.url = site_url(&w->site, "/stream", url)});
    assert_int_equal(g.st, STATUS_OK);
    assert_string_equal(str_cstr(&g.body), "onetwothree");
    assert_int_equal(g.n_pieces, 3);
    assert_non_null(strstr(str_cstr(&g.fields), "x-a: b\n"));
    assert_null(strstr(str_cstr(&g.fields), "trailer"));
    got_deinit(&g);
}

static void test_any_code_is_an_answer(void **state)
{
    struct world *w = *state;
    struct got html = {.code = 0}, early = {.code = 0};
    char url[256];

    bench_fetch(w->site.bench, &html,
                (struct http_fetch_spec){.url = site_url(&w->site, "/html", url)});
    assert_int_equal(html.st, STATUS_OK);
    assert_int_equal(html.code, 502);
    assert_string_equal(str_cstr(&html.body), "<html>no</html>");
    assert_string_equal(str_cstr(&html.fields), "content-type: text/html\n");
    bench_fetch(w->site.bench, &early,
                (struct http_fetch_spec){.url = site_url(&w->site, "/early", url)});
    assert_int_equal(early.st, STATUS_OK);
    assert_int_equal(early.code, 204);
    assert_int_equal(early.n_heads, 1);
    assert_string_equal(str_cstr(&early.fields), "x-folded: a b\nx-twice: 1\nx-twice: 2\n");
    got_deinit(&html);
    got_deinit(&early);
}

static void test_a_hundred_at_once(void **state)
{
    struct world *w = *state;
    struct got *all = xcalloc(100, sizeof(*all));
    struct http_client_options few = {.max_connections = 10};
    struct bench *b = bench_new(&few);
    char url[256];

    for (int round = 0; round < 2; round++) {
        struct bench *use = round ? b : w->site.bench;

        memset(all, 0, 100 * sizeof(*all));
        for (int i = 0; i < 100; i++) {
            char path[16];

            (void)snprintf(path, sizeof(path), "/%d", i);
            bench_start(use, &all[i],
                        (struct http_fetch_spec){.url = site_url(&w->site, path, url)});
        }
        bench_run(use);
        for (int i = 0; i < 100; i++) {
            (void)snprintf(url, sizeof(url), "/%d", i);
            assert_int_equal(all[i].st, STATUS_OK);
            assert_string_equal(str_cstr(&all[i].body), url);
            got_deinit(&all[i]);
        }
    }
    bench_free(b);
    free(all);
}

static void test_no_more_connections_than_allowed(void **state)
{
    struct world *w = *state;
    struct http_client_options few = {.max_connections = 3};
    struct bench *b = bench_new(&few);
    struct got all[20] = {{.code = 0}};
    char url[256];

    for (int i = 0; i < 20; i++)
        bench_start(b, &all[i], (struct http_fetch_spec){.url = site_url(&w->site, "/x", url)});
    bench_run(b);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(all[i].st, STATUS_OK);
        got_deinit(&all[i]);
    }
    assert_true(peer_most_at_once(w->site.peer) <= 3);
    bench_free(b);
}

/* ---- where requests may go */

static const struct {
    struct http_fetch_spec spec;
    enum status st;
    const char *says;
} refused_at_once[] = {
    {{.url = "http://example.com/"}, STATUS_REJECTED, "only https"},
    {{.url = "ftp://example.com/"}, STATUS_USAGE, "neither https"},
    {{.url = "https://u:p@example.com/"}, STATUS_USAGE, "user or a password"},
    {{.url = "https://127.0.0.1/"}, STATUS_REJECTED, "loopback"},
    {{.url = "https://[::ffff:127.0.0.1]/"}, STATUS_REJECTED, "loopback"},
    {{.url = "https://169.254.169.254/latest/"}, STATUS_REJECTED, "metadata"},
    {{.url = "https://[fd00:ec2::254]/"}, STATUS_REJECTED, "metadata"},
    {{.url = "https://example.com/", .method = HTTP_OTHER}, STATUS_USAGE, "method"},
    {{.url = "https://example.com/", .body = "x", .body_bytes = 1}, STATUS_USAGE, "no body"},
    {{.url = "https://example.com/",
      .fields = &(const struct http_field){"Host", "other"},
      .n_fields = 1},
     STATUS_USAGE,
     "host"},
    {{.url = "https://example.com/",
      .fields = &(const struct http_field){"Content-Length", "5"},
      .n_fields = 1},
     STATUS_USAGE,
     "content-length"},
    {{.url = "https://example.com/",
      .fields = &(const struct http_field){"X", "secret\r\nHost: other"},
      .n_fields = 1},
     STATUS_USAGE,
     "control character"},
    {{.url = "https://example.com/",
      .fields = &(const struct http_field){"X: y", "z"},
      .n_fields = 1},
     STATUS_USAGE,
     "not a token"},
};

static void test_what_never_starts(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(refused_at_once); i++) {
        struct http_fetch *f = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(
            http_fetch_start(w->site.bench->client, &refused_at_once[i].spec, &f, &err),
            refused_at_once[i].st);
        assert_int_equal(err.status, refused_at_once[i].st);
        if (!strstr(err.message, refused_at_once[i].says) || strstr(err.message, "secret"))
            fail_msg("row %zu: %s", i, err.message);
        assert_null(f);
    }
}

static void test_a_name_of_this_machine(void **state)
{
    struct world *w = *state;
    struct address_policy http_only = {.allow_http = true};
    struct got no = {.code = 0}, yes = {.code = 0};
    char url[256];

    (void)snprintf(url, sizeof(url), "http://localhost:%d/x", peer_port(w->site.peer));
    bench_fetch(w->site.bench, &no, (struct http_fetch_spec){.url = url, .policy = &http_only});
    assert_int_equal(no.st, STATUS_REJECTED);
    assert_false(no.sent);
    assert_non_null(strstr(no.err.message, "loopback"));
    assert_non_null(strstr(no.err.message, "http://localhost"));
    assert_int_equal(peer_n_connections(w->site.peer), 0);
    bench_fetch(w->site.bench, &yes, (struct http_fetch_spec){.url = url});
    assert_int_equal(yes.st, STATUS_OK);
    got_deinit(&no);
    got_deinit(&yes);
}

static void test_a_name_that_does_not_exist(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};

    bench_fetch(w->site.bench, &g,
                (struct http_fetch_spec){.url = "https://no-such-host.invalid/"});
    /* Without a name server it cannot be known. */
    assert_true(g.st == STATUS_NOT_FOUND || g.st == STATUS_IO || g.st == STATUS_TIMEOUT);
    assert_false(g.sent);
    assert_non_null(strstr(g.err.message, "no-such-host.invalid"));
    got_deinit(&g);
}

/* ---- addresses of a name, given by the test; libcurl connects */

struct names {
    struct http_fetch_ops curl;
    struct loop *loop;
    const char *addresses[4]; /* of the next look-ups */
    int n;
    name_found found;
    void *arg;
    struct loop_timer *timer;
};

static void give_names(void *ctx)
{
    struct names *n = ctx;
    char address[2][LOOKUP_TEXT] = {"", ""};
    struct error err = ERROR_INIT;
    int count = sscanf(n->addresses[n->n++], "%47s %47s", address[0], address[1]);

    loop_timer_free(n->timer);
    n->found(n->arg, STATUS_OK, address, count, &err);
}

static void *look_up(void *ctx, const char *host, name_found found, void *arg)
{
    struct names *n = ctx;

    (void)host;
    n->found = found;
    n->arg = arg;
    n->timer = loop_timer_new(n->loop, 0, give_names, n);
    return n;
}

static void stop_look_up(void *ctx, void *started)
{
    (void)ctx;
    (void)started;
}

static enum status start(void *ctx, const struct http_hop *hop, void **out, struct error *err)
{
    struct names *n = ctx;

    return n->curl.start(n->curl.ctx, hop, out, err);
}

static void cancel(void *ctx, void *started)
{
    struct names *n = ctx;

    n->curl.cancel(n->curl.ctx, started);
}

static void pause_it(void *ctx, void *started, bool yes)
{
    struct names *n = ctx;

    n->curl.pause(n->curl.ctx, started, yes);
}

static void free_names(void *ctx)
{
    struct names *n = ctx;

    n->curl.free(n->curl.ctx);
}

static void use_names(struct bench *b, struct names *n)
{
    const struct http_fetch_ops ops = {.ctx = n,
                                       .free = free_names,
                                       .start = start,
                                       .cancel = cancel,
                                       .pause = pause_it,
                                       .look_up = look_up,
                                       .stop_look_up = stop_look_up};

    n->loop = b->loop;
    http_client_free(b->client);
    assert_int_equal(http_client_curl(b->loop, NULL, &n->curl, NULL), STATUS_OK);
    b->client = http_client_with(b->loop, NULL, &ops);
}

/* A kept connection to an address is not used for a request that must go to another. */
static void test_kept_connections_belong_to_an_address(void **state)
{
    struct world *w = *state;
    struct peer *other = peer_new("127.0.0.2", peer_port(w->site.peer), NULL, NULL, serve, w);
    struct names names = {.addresses = {"127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"}};
    char url[256];

    use_names(w->site.bench, &names);
    (void)snprintf(url, sizeof(url), "http://name.example:%d/echo", peer_port(w->site.peer));
    for (int i = 0; i < 4; i++) {
        struct got g = {.code = 0};

        bench_fetch(w->site.bench, &g, (struct http_fetch_spec){.url = url});
        assert_int_equal(g.st, STATUS_OK);
        assert_non_null(strstr(str_cstr(&g.body), "\r\nHost: name.example:"));
        got_deinit(&g);
        assert_int_equal(peer_n_requests(w->site.peer), i / 2 + 1);
        assert_int_equal(peer_n_requests(other), (i + 1) / 2);
    }
    assert_int_equal(peer_n_connections(w->site.peer), 1);
    assert_int_equal(peer_n_connections(other), 1);
    peer_free(other);
}

/* Nothing listens at the first; the second answers. What is refused is never tried. */
static void test_the_next_address_is_tried(void **state)
{
    struct world *w = *state;
    struct names names = {.addresses = {"127.0.0.9 127.0.0.1", "10.0.0.1 127.0.0.1", "10.0.0.1"}};
    char url[256];

    use_names(w->site.bench, &names);
    (void)snprintf(url, sizeof(url), "http://name.example:%d/x", peer_port(w->site.peer));
    for (int i = 0; i < 3; i++) {
        struct got g = {.code = 0};

        bench_fetch(w->site.bench, &g, (struct http_fetch_spec){.url = url});
        assert_int_equal(g.st, i == 2 ? STATUS_REJECTED : STATUS_OK);
        if (i == 2)
            assert_non_null(strstr(g.err.message, "10.0.0.0/8"));
        got_deinit(&g);
    }
}

/* ---- connections */

static void test_nothing_listens(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    char url[256];

    (void)site_url(&w->site, "/x", url);
    peer_free(w->site.peer);
    w->site.peer = NULL;
    bench_fetch(w->site.bench, &g, (struct http_fetch_spec){.url = url});
    assert_int_equal(g.st, STATUS_IO);
    assert_false(g.sent);
    assert_non_null(strstr(g.err.message, "127.0.0.1"));
    got_deinit(&g);
}

/* A kept connection is closed just as a request was sent: a GET is repeated, a POST may have had
 * its effect. */
static void test_a_post_is_not_repeated(void **state)
{
    struct world *w = *state;
    struct got first = {.code = 0}, second = {.code = 0};
    char url[256];

    bench_fetch(w->site.bench, &first,
                (struct http_fetch_spec){.url = site_url(&w->site, "/drop_second", url)});
    assert_int_equal(first.st, STATUS_OK);
    bench_fetch(
        w->site.bench, &second,
        (struct http_fetch_spec){.url = url, .method = HTTP_POST, .body = "x", .body_bytes = 1});
    assert_int_equal(second.st, STATUS_IO);
    assert_true(second.sent);
    assert_int_equal(peer_n_requests(w->site.peer), 2);
    got_deinit(&first);
    got_deinit(&second);
}

static void test_the_environment_has_no_say(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    char url[256];

    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    bench_fetch(w->site.bench, &g, (struct http_fetch_spec){.url = site_url(&w->site, "/x", url)});
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
    assert_int_equal(g.st, STATUS_OK);
    got_deinit(&g);
}

/* Nothing is under way: kept connections do not keep the loop running. */
static void test_the_loop_ends(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    char url[256];

    bench_start(w->site.bench, &g, (struct http_fetch_spec){.url = site_url(&w->site, "/x", url)});
    g.left = NULL; /* nobody stops it */
    w->site.bench->left = 0;
    loop_run(w->site.bench->loop);
    assert_int_equal(g.n_done, 1);
    assert_int_equal(g.st, STATUS_OK);
    got_deinit(&g);
}

static void test_no_memory(void **state)
{
    struct world *w = *state;
    const struct http_field field = {"x", "y"};
    bool started = false;

    for (uint64_t n = 1; n < 50 && !started; n++) {
        struct http_fetch_spec spec = {
            .url = "https://example.com/", .fields = &field, .n_fields = 1};
        struct http_fetch *f = NULL;
        enum status st;

        mem_fail_after(n);
        st = http_fetch_start(w->site.bench->client, &spec, &f, NULL);
        mem_fail_after(0);
        started = st == STATUS_OK;
        assert_true(started || (st == STATUS_NO_MEMORY && !f));
        if (started)
            http_fetch_cancel(f);
    }
    assert_true(started);
}

/* Each allocation of a request under way fails once: it ends, and the next one works. */
static void test_no_memory_on_the_way(void **state)
{
    struct world *w = *state;
    const struct http_field field = {"x", "y"};
    int n_failed = 0;
    char url[256];

    for (uint64_t n = 1; n < 25; n++) {
        struct got bad = {.code = 0}, good = {.code = 0};

        bench_start(w->site.bench, &bad,
                    (struct http_fetch_spec){
                        .url = site_url(&w->site, "/html", url), .fields = &field, .n_fields = 1});
        mem_fail_after(n);
        bench_run(w->site.bench);
        mem_fail_after(0);
        n_failed += bad.st != STATUS_OK;
        assert_int_equal(bad.n_done, 1);
        if (bad.st != STATUS_OK && bad.st != STATUS_NO_MEMORY && bad.st != STATUS_IO)
            fail_msg("%d: %s %s", (int)n, status_name(bad.st), bad.err.message);
        bench_fetch(w->site.bench, &good,
                    (struct http_fetch_spec){.url = site_url(&w->site, "/x", url)});
        assert_int_equal(good.st, STATUS_OK);
        got_deinit(&bad);
        got_deinit(&good);
    }
    assert_true(n_failed > 4);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_is_sent),
        T(test_head_has_no_body),
        T(test_a_large_body),
        T(test_pieces_come_at_once),
        T(test_any_code_is_an_answer),
        T(test_a_hundred_at_once),
        T(test_no_more_connections_than_allowed),
        T(test_what_never_starts),
        T(test_a_name_of_this_machine),
        T(test_a_name_that_does_not_exist),
        T(test_kept_connections_belong_to_an_address),
        T(test_the_next_address_is_tried),
        T(test_nothing_listens),
        T(test_a_post_is_not_repeated),
        T(test_the_environment_has_no_say),
        T(test_the_loop_ends),
        T(test_no_memory),
        T(test_no_memory_on_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
