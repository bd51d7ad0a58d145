/* test_mcp_client_listen.c - many listeners share one subscription, in both eras; bursts of
 * changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_world.h"
#include "mcp/client/client_lists.h"
#include "mcp/rpc/rpc.h"

static void serve(struct world *w, const struct rpc_message *m)
{
    if (!m->id.at || !m->method.at || json_view_is(m->method, "subscriptions/listen"))
        return;
    world_reply(w, m, "{\"tools\":[]}");
}

static void ready(struct world *w, bool is_modern, const char *about)
{
    world_init(w, is_modern);
    w->about = about;
    w->serve = serve;
    world_start(w);
    mcp_client_start(w->client);
    world_until_int(w->loop, (const int *)&w->state, MCP_CLIENT_READY);
}

static void listen_to(struct world *w, struct asked *a, const char *notifications)
{
    char params[512];

    (void)snprintf(params, sizeof(params), "{\"notifications\":{%s}}", notifications);
    world_ask(w, a, MCP_LISTEN, params);
    world_wait(w->loop, 3);
}

static void change(struct world *w, const char *what)
{
    world_say(w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/list_changed\"}", what);
}

static void updated(struct world *w, const char *uri)
{
    world_say(w,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{"
              "\"uri\":\"%s\",\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":2}}}",
              uri);
}

#define TOOLS "\"toolsListChanged\":true"

static void legacy_listeners_share_subscriptions_and_the_last_one_ends_them(void **state)
{
    struct world w;
    struct asked a, b;

    (void)state;
    ready(&w, false,
          "\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true},\"prompts\":{}");
    listen_to(&w, &a,
              TOOLS ",\"promptsListChanged\":true,\"resourceSubscriptions\":[\"a:1\",\"a:2\"]");
    assert_string_equal(str_cstr(&a.notes), "{\"notifications\":{\"toolsListChanged\":true,"
                                            "\"resourceSubscriptions\":[\"a:1\",\"a:2\"]}}\n");
    listen_to(&w, &b, "\"resourceSubscriptions\":[\"a:2\"]");
    assert_int_equal(world_count(&w.sent, "resources/subscribe"), 2);
    updated(&w, "a:2");
    updated(&w, "a:1/part");
    updated(&w, "a:17");
    assert_int_equal(a.n_notes, 3);
    assert_int_equal(b.n_notes, 2);
    assert_non_null(strstr(str_cstr(&b.notes), "{\"uri\":\"a:2\"}\n"));
    mcp_exchange_cancel(a.x);
    assert_true(a.is_cancelled);
    assert_int_equal(world_count(&w.sent, "resources/unsubscribe"), 1);
    assert_non_null(world_sent(&w, "unsubscribe\",\"params\":{\"uri\":\"a:1\"}}"));
    mcp_exchange_cancel(b.x);
    assert_int_equal(world_count(&w.sent, "resources/unsubscribe"), 2);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&w);
}

static void serve_listen(struct world *w, const struct rpc_message *m)
{
    if (!m->id.at || !m->method.at)
        return;
    world_say(w,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
              "\"params\":{\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":%.*s},\"notifications\":%.*s}}",
              (int)m->id.n, m->id.at, (int)json_view_get(m->params, "notifications").n,
              json_view_get(m->params, "notifications").at);
}

static void modern_listeners_share_one_stream_that_grows(void **state)
{
    struct world w;
    struct asked a, b, c;

    (void)state;
    ready(&w, true, "");
    w.serve = serve_listen;
    listen_to(&w, &a, TOOLS);
    assert_string_equal(str_cstr(&a.notes), "{\"notifications\":{\"toolsListChanged\":true}}\n");
    listen_to(&w, &b, TOOLS); /* nothing more is wanted */
    assert_int_equal(world_count(&w.sent, "subscriptions/listen"), 1);
    assert_int_equal(b.n_notes, 1);
    listen_to(&w, &c, "\"resourceSubscriptions\":[\"a:1\"]");
    assert_int_equal(world_count(&w.sent, "subscriptions/listen"), 2);
    assert_non_null(world_sent(&w, "\"notifications\":{\"toolsListChanged\":true,"
                                   "\"resourceSubscriptions\":[\"a:1\"]}"));
    assert_non_null(world_sent(&w, "\"notifications/cancelled\",\"params\":{\"requestId\":2}"));
    assert_int_equal(c.n_notes, 1);
    change(&w, "tools");
    updated(&w, "a:1");
    world_until_int(w.loop, &w.n_changed, 2);
    assert_int_equal(a.n_notes, 2);
    assert_int_equal(b.n_notes, 2);
    assert_int_equal(c.n_notes, 2);
    assert_int_equal(b.last_note, MCP_TOOLS_CHANGED);
    assert_int_equal(c.last_note, MCP_RESOURCE_UPDATED);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    assert_non_null(world_sent(&w, "\"notifications/cancelled\",\"params\":{\"requestId\":"));
    world_deinit(&w);
}

static void refuse_listen(struct world *w, const struct rpc_message *m)
{
    if (m->id.at && m->method.at)
        world_say(
            w, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":-32601,\"message\":\"no\"}}",
            (int)m->id.n, m->id.at);
}

/* Kuadrant/mcp-gateway#1484. */
static void a_server_without_subscriptions_stays_connected(void **state)
{
    struct world w;
    struct asked a, b;

    (void)state;
    ready(&w, true, "");
    w.serve = refuse_listen;
    listen_to(&w, &a, TOOLS);
    assert_string_equal(str_cstr(&a.notes), "{\"notifications\":{}}\n");
    listen_to(&w, &b, TOOLS);
    assert_int_equal(b.n_notes, 1);
    world_wait(w.loop, 100);
    assert_int_equal(world_count(&w.sent, "subscriptions/listen"), 1);
    assert_int_equal(w.state, MCP_CLIENT_READY);
    assert_int_equal(mcp_client_counts(w.client).starts, 1);
    assert_false(a.is_done);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&w);
}

/* NousResearch/hermes-agent PR#115502. */
static void a_burst_of_changes_is_one(void **state)
{
    struct world w;
    struct asked a, b;

    (void)state;
    ready(&w, false, "\"tools\":{\"listChanged\":true}");
    listen_to(&w, &a, TOOLS);
    listen_to(&w, &b, TOOLS);
    for (int i = 0; i < 1000; i++)
        change(&w, "tools");
    world_until_int(w.loop, &w.n_changed, 1);
    world_wait(w.loop, 150);
    assert_int_equal(w.n_changed, 1);
    assert_int_equal(a.n_notes, 2);
    assert_int_equal(b.n_notes, 2);
    assert_int_equal(mcp_client_counts(w.client).changes, 1000);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&w);
}

struct storm {
    struct world *w;
    int n;
};

static void on_storm(void *ctx)
{
    struct storm *s = ctx;

    for (int i = 0; i < 10 && s->n < 1000; i++, s->n++)
        change(s->w, "tools");
}

static void a_storm_of_a_second_is_two_at_most(void **state)
{
    struct world w;
    struct storm s = {.w = &w};
    struct loop_timer *t;

    (void)state;
    ready(&w, false, "\"tools\":{\"listChanged\":true}");
    t = loop_timer_every(w.loop, 10, on_storm, &s);
    world_until_int(w.loop, &s.n, 1000);
    world_wait(w.loop, 200);
    loop_timer_free(t);
    assert_in_range(w.n_changed, 1, 2);
    world_deinit(&w);
}

struct loop_maker {
    struct world w;
    int n_lists;
};

static void serve_change_on_list(struct world *w, const struct rpc_message *m)
{
    if (!m->id.at || !m->method.at)
        return;
    change(w, "tools");
    world_reply(w, m, "{\"tools\":[]}");
}

static void on_fetched(void *ctx, enum status st, struct json_view items, int64_t ttl_ms,
                       bool is_private, const struct error *err)
{
    struct loop_maker *m = ctx;

    (void)st;
    (void)items;
    (void)ttl_ms;
    (void)is_private;
    (void)err;
    m->n_lists++;
}

static void refresh(void *ctx, enum mcp_method note, struct json_view params)
{
    struct loop_maker *m = ctx;

    (void)note;
    (void)params;
    (void)client_lists_start(&(struct client_lists_spec){.loop = m->w.loop,
                                                         .handler = mcp_client_handler(m->w.client),
                                                         .caller = m->w.caller,
                                                         .method = MCP_TOOLS_LIST,
                                                         .ctx = m,
                                                         .done = on_fetched});
}

/* Each refresh makes the server say that its list has changed. */
static void a_list_that_changes_when_it_is_read_makes_no_loop(void **state)
{
    struct loop_maker m = {.n_lists = 0};

    (void)state;
    world_init(&m.w, false);
    m.w.serve = serve_change_on_list;
    m.w.spec.limits.quiet_ms = 5;
    m.w.spec.events.changed = refresh;
    /* The world is the first member: its events get the same pointer. */
    world_start(&m.w);
    mcp_client_start(m.w.client);
    world_until_int(m.w.loop, (const int *)&m.w.state, MCP_CLIENT_READY);
    change(&m.w, "tools");
    world_wait(m.w.loop, 1500);
    /* 5, 10, 20, ... 640 ms: without the gaps it would be some 250. */
    assert_in_range(m.n_lists, 3, 10);
    world_deinit(&m.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_listeners_share_subscriptions_and_the_last_one_ends_them),
        cmocka_unit_test(modern_listeners_share_one_stream_that_grows),
        cmocka_unit_test(a_server_without_subscriptions_stays_connected),
        cmocka_unit_test(a_burst_of_changes_is_one),
        cmocka_unit_test(a_storm_of_a_second_is_two_at_most),
        cmocka_unit_test(a_list_that_changes_when_it_is_read_makes_no_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
