/* test_http_server.c - the server on real sockets: clients that are many, slow, gone or broken.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "runtime/base/rng.h"
#include "runtime/loop/loop.h"
#include "server_world.h"
#include "tests/support/check.h"

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->pid)
        world_stop(w);
    free(w);
    return 0;
}

static void post(const struct world *w, int fd, const char *path, const char *body, size_t n)
{
    char text[256];
    int k = snprintf(text, sizeof(text),
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %zu\r\n\r\n", path,
                     w->port, n);

    client_send(fd, text, (size_t)k);
    client_send(fd, body, n);
}

static void requests_share_a_connection(void **state)
{
    struct world *w = *state;
    struct str body = STR_INIT;
    struct http_counts n;
    int fd;

    world_start(w);
    fd = client_open(w);
    for (int i = 0; i < 3; i++) {
        client_get(w, fd, "/healthz");
        assert_int_equal(client_reply(fd, &body), 200);
        assert_string_equal(str_cstr(&body), "{}");
        post(w, fd, "/echo", "[1,2]", 5);
        assert_int_equal(client_reply(fd, &body), 200);
        assert_string_equal(str_cstr(&body), "[1,2]");
        client_get(w, fd, "/missing");
        assert_int_equal(client_reply(fd, &body), 404);
    }
    n = world_ask(w, WORLD_COUNTS).counts;
    assert_int_equal(n.accepted, 1);
    assert_int_equal(n.connections, 1);
    assert_int_equal(n.total, 9);
    assert_int_equal(n.requests, 0);
    assert_true(n.bytes_in > 400 && n.bytes_out > 400);
    close(fd);
    world_wait(w, counts.connections, 0);
    str_deinit(&body);
}

static void large_bodies_go_both_ways(void **state)
{
    struct world *w = *state;
    struct str body = STR_INIT;
    char *big = malloc(2000000);
    int fd;

    for (int i = 0; i < 2000000; i++)
        big[i] = (char)('a' + i % 23);
    world_start(w);
    fd = client_open(w);
    for (int i = 0; i < 2; i++) {
        post(w, fd, "/echo", big, 2000000);
        assert_int_equal(client_reply(fd, &body), 200);
        assert_int_equal(body.len, 2000000);
        assert_memory_equal(body.data, big, 2000000);
    }
    client_get(w, fd, "/big");
    usleep(100000); /* the server has to wait for the reader */
    assert_int_equal(client_reply(fd, &body), 200);
    assert_int_equal(body.len, 5000000);
    close(fd);
    free(big);
    str_deinit(&body);
}

/* The reply must not be lost because the client still sends: the server reads on for a while, and
 * only then closes. */
static void a_refusal_arrives_while_the_body_is_sent(void **state)
{
    struct world *w = *state;
    char *big = calloc(1, 8000000);
    int fd;

    w->o.limits.linger_ms = 700;
    world_start(w);
    fd = client_open(w);
    post(w, fd, "/echo", big, 8000000);
    assert_int_equal(client_reply(fd, NULL), 413);
    close(fd);
    fd = client_open(w);
    client_send(fd, "bad\r\n\r\n", 7);
    assert_int_equal(client_reply(fd, NULL), 400);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(send(fd, big, 1000, MSG_NOSIGNAL), 1000);
        usleep(20000);
    }
    assert_int_equal(world_ask(w, WORLD_COUNTS).counts.connections, 0); /* it lingers, unknown */
    usleep(1000000);
    (void)send(fd, big, 1000, MSG_NOSIGNAL);
    usleep(50000);
    assert_int_equal(send(fd, big, 1000, MSG_NOSIGNAL), -1);
    close(fd);
    free(big);
}

static bool token_ok(void *ctx, const char *token, size_t n, const char **subject)
{
    (void)ctx;
    *subject = "ann";
    return n == 6 && memcmp(token, "secret", 6) == 0;
}

static void hosts_origins_and_tokens_are_checked(void **state)
{
    static const struct {
        int code;
        const char *line, *host, *fields; /* the port follows the host */
    } c[] = {
        {200, "GET /healthz", "127.0.0.1:", ""},
        {200, "GET /healthz", "localhost:", ""},
        {400, "GET /healthz", "evil.example:", ""},
        {400, "GET /healthz", "127.0.0.1:1", ""},
        {403, "GET /healthz", "127.0.0.1:", "Origin: http://evil.example\r\n"},
        {401, "GET /echo", "127.0.0.1:", ""},
        {401, "GET /echo", "127.0.0.1:", "Authorization: Bearer x\r\n"},
        {200, "GET /echo", "127.0.0.1:", "Authorization: Bearer secret\r\n"},
        {411, "POST /echo", "127.0.0.1:", "Transfer-Encoding: chunked\r\n"},
    };
    struct world *w = *state;

    w->o.access.token = token_ok;
    world_start(w);
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char text[200];
        int fd = client_open(w);

        (void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: %s%d\r\n%s\r\n", c[i].line,
                       c[i].host, w->port, c[i].fields);
        client_send(fd, text, strlen(text));
        assert_int_equal(client_reply(fd, NULL), c[i].code);
        close(fd);
    }
}

/* ---- caps */

static void idle_connections_give_way_to_new_ones(void **state)
{
    struct world *w = *state;
    int fds[60];

    w->o.limits.max_connections = 20;
    world_start(w);
    for (int i = 0; i < 60; i++) {
        fds[i] = client_open(w);
        assert_true(fds[i] >= 0);
    }
    assert_int_equal(client_healthz(w), 200);
    assert_true(world_ask(w, WORLD_COUNTS).counts.connections <= 20);
    assert_true(client_is_closed(fds[0], 1000));
    for (int i = 0; i < 60; i++)
        close(fds[i]);
}

static void with_all_connections_busy_new_ones_are_refused(void **state)
{
    struct world *w = *state;
    int fds[20];

    w->o.limits.max_connections = 20;
    world_start(w);
    for (int i = 0; i < 20; i++) {
        fds[i] = client_open(w);
        client_get(w, fds[i], "/later");
    }
    world_wait(w, counts.requests, 20);
    assert_int_equal(client_healthz(w), 503);
    assert_int_equal(world_ask(w, WORLD_COUNTS).counts.rejected, 1);
    (void)world_ask(w, WORLD_REPLY);
    for (int i = 0; i < 20; i++)
        assert_int_equal(client_reply(fds[i], NULL), 200);
    assert_int_equal(client_healthz(w), 200);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
}

/* Some descriptors are kept for disk and child processes. */
static void connections_leave_some_descriptors(void **state)
{
    struct world *w = *state;
    int fds[200];

    w->max_fds = 400;
    world_start(w);
    for (int i = 0; i < 200; i++)
        fds[i] = client_open(w);
    assert_int_equal(client_healthz(w), 200);
    for (int i = 0; i < 200; i++)
        client_get(w, fds[i], "/later");
    world_wait(w, counts.requests, 200);
    for (int i = 0; i < 200; i++)
        close(fds[i]);
    world_wait(w, counts.connections, 0);
    assert_int_equal(world_ask(w, WORLD_COUNTS).gone, 200);
}

static void the_listener_survives_without_descriptors(void **state)
{
    struct world *w = *state;
    struct world_answer before, after;
    int fd;

    w->max_fds = 200;
    world_start(w);
    (void)world_ask(w, WORLD_EAT_FDS);
    fd = client_open(w); /* waits in the backlog */
    client_get(w, fd, "/healthz");
    before = world_ask(w, WORLD_COUNTS);
    usleep(500000);
    after = world_ask(w, WORLD_COUNTS);
    assert_int_equal(after.counts.accepted, 0);
    assert_true(after.cpu_us - before.cpu_us < 50000); /* it does not spin */
    (void)world_ask(w, WORLD_FREE_FDS);
    assert_int_equal(client_reply(fd, NULL), 200);
    assert_int_equal(client_healthz(w), 200);
    close(fd);
}

/* An address of this machine off loopback; 0: it has none. */
static in_addr_t own_address(void)
{
    struct ifaddrs *all = NULL;
    in_addr_t found = 0;

    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP) &&
            !(i->ifa_flags & IFF_LOOPBACK))
            found = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr;
    freeifaddrs(all);
    return found;
}

static void an_address_off_loopback_has_so_many_connections(void **state)
{
    struct world *w = *state;
    int fds[4];

    w->address = own_address();
    if (!w->address)
        skip();
    w->o.address = "0.0.0.0";
    w->o.limits.max_connections_per_peer = 3;
    world_start(w);
    for (int i = 0; i < 3; i++) {
        fds[i] = client_open(w);
        client_get(w, fds[i], "/later");
    }
    world_wait(w, counts.requests, 3);
    assert_int_equal(client_healthz(w), 503);
    close(fds[0]);
    world_wait(w, counts.connections, 2);
    assert_int_equal(client_healthz(w), 200);
    w->address = 0; /* loopback has no such cap */
    for (int i = 0; i < 5; i++)
        assert_int_equal(client_healthz(w), 200);
    close(fds[1]);
    close(fds[2]);
}

/* ---- clients that leave, stall or drip */

static void a_client_that_leaves_is_noticed(void **state)
{
    struct world *w = *state;
    int fd;

    world_start(w);
    fd = client_open(w);
    client_get(w, fd, "/later");
    world_wait(w, counts.requests, 1);
    close(fd);
    world_wait(w, gone, 1);
    fd = client_open(w);
    client_get(w, fd, "/events");
    assert_true(client_wait_for(fd, "\r\n\r\n"));
    shutdown(fd, SHUT_WR); /* half-open counts as left */
    world_wait(w, gone, 2);
    close(fd);
    fd = client_open(w);
    client_get(w, fd, "/events");
    world_wait(w, counts.streams, 1);
    close(fd);
    world_wait(w, counts.streams, 0);
    assert_int_equal(world_ask(w, WORLD_COUNTS).counts.aborted, 3);
}

static void events_arrive_at_once_and_comments_when_idle(void **state)
{
    struct world *w = *state;
    int64_t start;
    int fd;

    w->o.limits.keep_alive_ms = 200;
    world_start(w);
    fd = client_open(w);
    client_get(w, fd, "/events");
    assert_true(client_wait_for(fd, "text/event-stream"));
    start = client_ms();
    (void)world_ask(w, WORLD_EVENT);
    assert_true(client_wait_for(fd, "data: now\n\n"));
    assert_true(client_ms() - start < 150);
    assert_true(client_wait_for(fd, ":\n\n"));
    assert_true(client_wait_for(fd, ":\n\n"));
    assert_true(client_ms() - start >= 300);
    close(fd);
}

#ifdef __SANITIZE_THREAD__
#define GROWTH 12 /* its shadow has several bytes for each of ours */
#else
#define GROWTH 4
#endif

static void stalled_readers_use_bounded_memory_and_are_cut(void **state)
{
    struct world *w = *state;
    struct world_answer before, after;
    int fds[20], small = 4096;

    w->o.limits.stall_ms = 1500;
    world_start(w);
    before = world_ask(w, WORLD_COUNTS);
    for (int i = 0; i < 20; i++) {
        fds[i] = client_open(w);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        client_get(w, fds[i], "/flood");
    }
    world_wait(w, counts.streams, 20);
    usleep(300000);
    after = world_ask(w, WORLD_COUNTS);
    assert_int_equal(after.counts.streams, 20);
    /* The backlog of 256 KiB, what it grew from, and what the sanitizer adds. */
    assert_true(after.rss_bytes - before.rss_bytes < 20 * GROWTH * (256 << 10));
    assert_int_equal(client_healthz(w), 200);
    world_wait(w, gone, 20);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
}

/* libwebsockets spins if it has bytes to send and bytes to read. */
static void a_stalled_reader_that_sends_costs_no_time(void **state)
{
    struct world *w = *state;
    struct world_answer before, after;
    char junk[1000] = {0};
    int fd, small = 4096;

    world_start(w);
    fd = client_open(w);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_get(w, fd, "/flood");
    world_wait(w, counts.streams, 1);
    usleep(100000);
    client_send(fd, junk, sizeof(junk));
    before = world_ask(w, WORLD_COUNTS);
    usleep(500000);
    after = world_ask(w, WORLD_COUNTS);
    assert_true(after.cpu_us - before.cpu_us < 30000);
    close(fd);
    world_wait(w, counts.connections, 0);
}

static void dripping_clients_are_cut_in_time(void **state)
{
    enum { N = 500 };
    struct world *w = *state;
    int64_t start, worst = 0;
    int fds[N], closed = 0;

    w->o.limits.head_ms = 2000;
    world_start(w);
    start = client_ms();
    for (int i = 0; i < N; i++) {
        fds[i] = client_open(w);
        client_send(fds[i], "GET /healthz HTTP/1.1\r\nX: ", 25);
    }
    while (client_ms() - start < 3500) {
        int64_t t = client_ms();

        if (t - start < 1500) /* drips */
            for (int i = 0; i < N; i++)
                client_send(fds[i], "y", 1);
        t = client_ms();
        assert_int_equal(client_healthz(w), 200);
        if (client_ms() - t > worst)
            worst = client_ms() - t;
        usleep(50000);
    }
    assert_true(worst < 1000);
    for (int i = 0; i < N; i++)
        closed += client_is_closed(fds[i], 1000);
    assert_int_equal(closed, N);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    world_wait(w, counts.connections, 0);
}

/* Requests, halves of them, and ends of all kinds at any moment, drawn by a seed. */
static void random_clients_leave_nothing_behind(void **state)
{
    enum { N = 24 };
    static const char *const paths[] = {"/healthz", "/later", "/events", "/flood",
                                        "/missing", "/big",   "/later"};
    struct linger reset = {1, 0};
    struct world *w = *state;
    int fds[N];

    world_start(w);
    memset(fds, -1, sizeof(fds));
    for (uint32_t i = 0; i < 6000; i++) {
        struct rng_block b = rng_philox(5, i, 0, 0, 0);
        const uint32_t *r = b.word;
        int *fd = &fds[r[0] % N];

        if (*fd < 0)
            *fd = client_open(w);
        switch (r[1] % 9) {
        case 0:
            close(*fd);
            *fd = -1;
            break;
        case 1:
            setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            close(*fd);
            *fd = -1;
            break;
        case 2:
            client_send(*fd, "GET /healthz HTT", r[2] % 17);
            break;
        case 3:
            shutdown(*fd, SHUT_WR);
            break;
        case 4:
            (void)world_ask(w, r[2] % 4 ? WORLD_EVENT : WORLD_REPLY);
            break;
        default:
            client_get(w, *fd, paths[r[2] % ARRAY_LEN(paths)]);
        }
    }
    for (int i = 0; i < N; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    world_wait(w, counts.connections, 0);
    world_wait(w, counts.streams, 0);
    world_wait(w, counts.requests, 0);
    assert_int_equal(client_healthz(w), 200);
}

/* ---- the end */

static void a_draining_server_ends_what_has_begun(void **state)
{
    struct world *w = *state;
    int busy, idle;

    world_start(w);
    busy = client_open(w);
    idle = client_open(w);
    client_get(w, idle, "/healthz");
    assert_int_equal(client_reply(idle, NULL), 200);
    client_get(w, busy, "/later");
    world_wait(w, counts.requests, 1);
    (void)world_ask(w, WORLD_DRAIN);
    assert_true(client_is_closed(idle, 1000));
    assert_int_equal(client_open(w), -1);
    (void)world_ask(w, WORLD_REPLY);
    assert_int_equal(client_reply(busy, NULL), 200);
    assert_true(client_is_closed(busy, 1000));
    close(busy);
    close(idle);
}

static void a_server_ends_with_connections_open(void **state)
{
    struct world *w = *state;
    int fds[4];

    world_start(w);
    for (int i = 0; i < 4; i++)
        fds[i] = client_open(w);
    client_get(w, fds[0], "/later");
    client_get(w, fds[1], "/events");
    client_get(w, fds[2], "/flood");
    client_send(fds[3], "GET /", 5);
    world_wait(w, counts.requests, 3);
    world_stop(w);
    w->pid = 0;
    for (int i = 0; i < 4; i++) {
        assert_true(client_is_closed(fds[i], 1000));
        close(fds[i]);
    }
}

static void addresses_that_cannot_be_used_are_errors(void **state)
{
    static const struct {
        const char *address;
        int32_t port;
        enum status status;
        const char *message;
    } c[] = {
        {"localhost", 0, STATUS_CONFIG, "localhost is not an IP address"},
        {"127.1", 0, STATUS_CONFIG, "127.1 is not an IP address"},
        {"127.0.0.1", 65536, STATUS_CONFIG, "port 65536 is not between 0 and 65535"},
        {"192.0.2.1", 0, STATUS_IO, "the address cannot be used"},
        {"127.0.0.1", -1, STATUS_CONFIG, "not between"},
        /* the port of `first` */
        {"127.0.0.1", 0, STATUS_FAILED, "another program uses this port"},
    };
    struct http_server_options o = {.seams = seams_real()};
    struct http_server *first = NULL, *second = NULL;
    struct loop *l = NULL;

    (void)state;
    assert_int_equal(loop_new(seams_real(), &l, NULL), STATUS_OK);
    assert_int_equal(http_server_new(l, &o, &first, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct error err = ERROR_INIT;

        o.address = c[i].address;
        o.port = i + 1 == ARRAY_LEN(c) ? http_server_port(first) : c[i].port;
        assert_int_equal(http_server_new(l, &o, &second, &err), c[i].status);
        if (!strstr(err.message, c[i].message))
            fail_msg("case %zu: %s", i, err.message);
    }
    /* Two at a time, and IPv6. */
    o.address = "::1";
    o.port = 0;
    assert_int_equal(http_server_new(l, &o, &second, NULL), STATUS_OK);
    http_server_free(first);
    http_server_free(second);
    loop_free(l);
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

/* What libwebsockets leaves behind neither keeps the loop running nor disturbs the next server. */
static void the_loop_goes_on_without_the_server(void **state)
{
    struct http_server_options o = {.seams = seams_real()};
    struct loop *l = NULL;

    (void)state;
    assert_int_equal(loop_new(seams_real(), &l, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        struct http_server *s = NULL;
        struct loop_timer *t;

        assert_int_equal(http_server_new(l, &o, &s, NULL), STATUS_OK);
        t = loop_timer_new(l, 30, stop_loop, l);
        loop_run(l);
        loop_timer_free(t);
        http_server_free(s);
        loop_run(l); /* returns, since nothing is left */
    }
    loop_free(l);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(requests_share_a_connection),
        T(large_bodies_go_both_ways),
        T(a_refusal_arrives_while_the_body_is_sent),
        T(hosts_origins_and_tokens_are_checked),
        T(idle_connections_give_way_to_new_ones),
        T(with_all_connections_busy_new_ones_are_refused),
        T(connections_leave_some_descriptors),
        T(an_address_off_loopback_has_so_many_connections),
        T(the_listener_survives_without_descriptors),
        T(a_client_that_leaves_is_noticed),
        T(events_arrive_at_once_and_comments_when_idle),
        T(stalled_readers_use_bounded_memory_and_are_cut),
        T(a_stalled_reader_that_sends_costs_no_time),
        T(dripping_clients_are_cut_in_time),
        T(random_clients_leave_nothing_behind),
        T(a_draining_server_ends_what_has_begun),
        T(a_server_ends_with_connections_open),
        T(addresses_that_cannot_be_used_are_errors),
        T(the_loop_goes_on_without_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
