/* test_mcp_client.c - finding out the era; calls, their ids and answers; what goes wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_world.h"
#include "mcp/client/client_lists.h"
#include "mcp/rpc/rpc.h"

#define CALL "{\"name\":\"echo\",\"arguments\":{\"x\":1}}"

static void echo(struct world *w, const struct rpc_message *m)
{
    if (m->id.at && m->method.at)
        world_reply(w, m, "{\"content\":[]}");
}

static void ready(struct world *w, bool is_modern)
{
    world_init(w, is_modern);
    w->serve = echo;
    world_start(w);
    mcp_client_start(w->client);
    world_until_int(w->loop, (const int *)&w->state, MCP_CLIENT_READY);
    assert_int_equal(w->state, MCP_CLIENT_READY);
}

/* ---- the era */

static void a_modern_server_is_asked_with_its_metadata(void **state)
{
    struct world w;
    struct asked a;
    struct mcp_client_facts f;
    const char *call;

    (void)state;
    ready(&w, true);
    f = mcp_client_facts(w.client);
    assert_int_equal(f.revision, MCP_2026_07_28);
    assert_true(json_view_is(json_view_get(f.server_info, "name"), "new"));
    world_ask_spec(&w, &a,
                   (struct mcp_exchange_spec){
                       .method = MCP_TOOLS_CALL, .wants_progress = true, .log_level = MCP_LOG_INFO},
                   "{\"name\":\"echo\",\"_meta\":{\"traceparent\":\"00-1\"}}", NULL);
    world_answer(&w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    call = world_sent(&w, "tools/call");
    assert_non_null(strstr(call, "\"traceparent\":\"00-1\""));
    assert_non_null(strstr(call, "\"" MCP_META_VERSION "\":\"2026-07-28\""));
    assert_non_null(strstr(call, "\"" MCP_META_CAPABILITIES "\":" ALL_CAPABILITIES));
    assert_non_null(strstr(call, "\"" MCP_META_CLIENT "\":{\"name\":\"test\",\"version\":\"1\"}"));
    assert_non_null(strstr(call, "\"" MCP_META_LOG_LEVEL "\":\"info\""));
    assert_non_null(strstr(call, "\"progressToken\":2"));
    assert_int_equal(world_count(&w.sent, "initialize"), 0);
    asked_deinit(&a);
    world_deinit(&w);
}

static void a_legacy_server_is_initialized_once_in_the_same_process(void **state)
{
    struct world w;
    struct asked a;

    (void)state;
    ready(&w, false);
    assert_int_equal(mcp_client_facts(w.client).revision, MCP_2025_06_18);
    assert_int_equal(w.n_links, 1);
    world_ask(&w, &a, MCP_DISCOVER, NULL);
    world_answer(&w, &a);
    assert_string_equal(str_cstr(&a.result),
                        "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{"
                        "\"listChanged\":true}},\"instructions\":\"be kind\",\"_meta\":{"
                        "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"old\",\"version\":"
                        "\"1\"}},\"ttlMs\":0,\"cacheScope\":\"private\"}");
    asked_deinit(&a);
    world_ask(&w, &a, MCP_TOOLS_CALL,
              "{\"name\":\"echo\",\"_meta\":{\"io.modelcontextprotocol/logLevel\":\"info\"},"
              "\"inputResponses\":{}}");
    world_answer(&w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_non_null(world_sent(&w, "\"params\":{\"name\":\"echo\"}}"));
    assert_int_equal(world_count(&w.sent, "\"initialize\""), 1);
    assert_int_equal(world_count(&w.sent, "notifications/initialized"), 1);
    asked_deinit(&a);
    world_deinit(&w);
}

/* Some servers take longer than the probe to start, and answer discover in the end. */
static void no_answer_to_discover_is_legacy_and_a_late_one_is_dropped(void **state)
{
    struct world w;
    struct asked a;

    (void)state;
    world_init(&w, false);
    w.spec.limits.probe_ms = 10;
    w.is_deaf = true;
    world_start(&w);
    mcp_client_start(w.client);
    world_wait(w.loop, 30);
    w.is_deaf = false; /* now it reads both requests, and answers both */
    world_until_int(w.loop, (const int *)&w.state, MCP_CLIENT_READY);
    w.serve = echo;
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_int_equal(mcp_client_facts(w.client).revision, MCP_2025_06_18);
    assert_true(mcp_client_counts(w.client).late >= 1);
    assert_int_equal(world_count(&w.sent, "\"initialize\""), 1);
    assert_int_equal(w.n_links, 1);
    asked_deinit(&a);
    world_deinit(&w);
}

static void serve_discover_errors(struct world *w, const struct rpc_message *m)
{
    static const char *const errors[] = {
        "{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2026-07-28\"],"
        "\"requested\":"
        "\"x\"}}",
        "{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2025-11-25\"]}}",
    };

    if (!m->id.at)
        return;
    w->about = "";
    if (json_view_is(m->method, "initialize")) {
        w->is_modern = false;
        world_reply(w, m, NULL);
    } else if (world_count(&w->sent, "server/discover") == 1) {
        world_say(w, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":%s}", (int)m->id.n, m->id.at,
                  errors[*(int *)w->ctx]);
    } else {
        world_reply(w, m, NULL);
    }
}

static void the_newest_revision_in_common_is_taken(void **state)
{
    static const struct {
        int error;
        enum mcp_revision expected;
    } cases[] = {{0, MCP_2026_07_28}, {1, MCP_2025_06_18}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        int error = cases[i].error;

        world_init(&w, true);
        w.serve = serve_discover_errors;
        w.serves_all = true;
        w.ctx = &error;
        world_start(&w);
        mcp_client_start(w.client);
        world_until_int(w.loop, (const int *)&w.state, MCP_CLIENT_READY);
        assert_int_equal(mcp_client_facts(w.client).revision, cases[i].expected);
        world_deinit(&w);
    }
}

static void serve_either(struct world *w, const struct rpc_message *m)
{
    bool speaks_legacy = *(bool *)w->ctx, is_initialize = json_view_is(m->method, "initialize");

    if (!m->id.at)
        return;
    w->about = "";
    w->is_modern = !is_initialize;
    if (is_initialize && !speaks_legacy)
        world_say(w,
                  "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":-32601,\"message\":\"\"}}",
                  (int)m->id.n, m->id.at);
    else
        world_reply(w, m, NULL);
}

/* For a connection of one legacy client. */
static void where_legacy_is_preferred_initialize_comes_first(void **state)
{
    (void)state;
    for (int speaks_legacy = 0; speaks_legacy < 2; speaks_legacy++) {
        bool can = speaks_legacy;
        struct world w;

        world_init(&w, true);
        w.spec.prefers_legacy = true;
        w.serve = serve_either;
        w.serves_all = true;
        w.ctx = &can;
        world_start(&w);
        mcp_client_start(w.client);
        world_until_int(w.loop, (const int *)&w.state, MCP_CLIENT_READY);
        assert_int_equal(mcp_client_facts(w.client).revision,
                         speaks_legacy ? MCP_2025_06_18 : MCP_2026_07_28);
        assert_int_equal(world_count(&w.sent, "\"initialize\""), 1);
        assert_int_equal(world_count(&w.sent, "server/discover"), !speaks_legacy);
        assert_int_equal(w.n_links, 1);
        world_deinit(&w);
    }
}

static void a_server_that_ends_in_the_probe_is_down_and_can_start_again(void **state)
{
    struct world w;
    struct asked a;

    (void)state;
    world_init(&w, false);
    w.serve = echo;
    world_start(&w);
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL); /* starts it */
    world_link_dies(&w, "it has ended with exit code 1");
    assert_true(a.is_done);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_string_equal(str_cstr(&a.message), "server: it has ended with exit code 1");
    assert_int_equal(w.state, MCP_CLIENT_DOWN);
    assert_string_equal(mcp_client_facts(w.client).fault, "it has ended with exit code 1");
    asked_deinit(&a);
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL); /* does not start it */
    assert_true(a.is_done);
    asked_deinit(&a);
    mcp_client_start(w.client);
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL); /* waits */
    world_answer(&w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    asked_deinit(&a);
    world_deinit(&w);
}

/* ---- answers never cross */

#define CLIENTS 32
#define ROUNDS  320

struct crowd {
    struct str waiting[CLIENTS * 2]; /* answers, sent in a random order */
    int n;
    uint64_t seed;
};

static void serve_crowd(struct world *w, const struct rpc_message *m)
{
    struct crowd *c = w->ctx;
    struct str *s;

    if (!m->id.at || !m->method.at)
        return;
    s = &c->waiting[c->n++];
    *s = STR_INIT;
    str_printf(s, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"nonce\":", (int)m->id.n,
               m->id.at);
    json_view_put(s, json_view_get(json_view_get(m->params, "arguments"), "nonce"));
    str_puts(s, "}}");
    while (c->n == CLIENTS) {
        while (c->n > 0) {
            int i;

            c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
            i = (int)((c->seed >> 33) % (uint64_t)c->n);
            world_say_bytes(w, str_cstr(&c->waiting[i]), c->waiting[i].len);
            if (c->seed >> 62 == 0) /* twice */
                world_say_bytes(w, str_cstr(&c->waiting[i]), c->waiting[i].len);
            str_deinit(&c->waiting[i]);
            c->waiting[i] = c->waiting[--c->n];
        }
    }
}

/* anthropics/claude-code#79241: 32 clients, one token, the same ids. */
static void each_of_32_clients_gets_its_own_answer_10000_times(void **state)
{
    struct world w;
    struct crowd crowd = {.seed = 7};
    int n = 0;

    (void)state;
    ready(&w, true);
    w.serve = serve_crowd;
    w.ctx = &crowd;
    for (int round = 0; round < ROUNDS; round++) {
        struct asked a[CLIENTS];
        char text[CLIENTS][96], expected[96];

        for (int i = 0; i < CLIENTS; i++) {
            (void)snprintf(text[i], sizeof(text[i]),
                           "{\"name\":\"echo\",\"arguments\":{\"nonce\":\"%d-%d\"}}", round, i);
            world_ask(&w, &a[i], MCP_TOOLS_CALL, text[i]);
        }
        for (int i = 0; i < CLIENTS; i++) {
            world_answer(&w, &a[i]);
            (void)snprintf(expected, sizeof(expected), "{\"nonce\":\"%d-%d\"}", round, i);
            assert_string_equal(str_cstr(&a[i].result), expected);
            asked_deinit(&a[i]);
            n++;
        }
        str_clear(&w.sent);
    }
    assert_true(n >= 10000);
    assert_true(mcp_client_counts(w.client).late > 1000); /* those that came twice */
    assert_int_equal(mcp_client_counts(w.client).open, 0);
    world_deinit(&w);
}

static void answers_that_nobody_waits_for_are_dropped(void **state)
{
    static const struct {
        const char *text;
        int late, unknown, garbage;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 1, 0, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}", 0, 1, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}", 0, 1, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":-5,\"error\":{\"code\":1,\"message\":\"\"}}", 0, 1, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}", 0, 1, 0},
        {"starting up...", 0, 0, 1},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}", 0, 0, 1},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\xfe\"}", 0, 0, 1},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]", 0, 0, 1},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"result\":{}}", 0, 0, 1},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[[[[[[", 0, 0, 1},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":"
         "4,\"progress\":1}}",
         1, 0, 0},
    };
    struct world w;
    struct asked a;

    (void)state;
    ready(&w, true);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mcp_client_counts before = mcp_client_counts(w.client), after;

        world_say(&w, "%s", cases[i].text);
        after = mcp_client_counts(w.client);
        assert_int_equal(after.late - before.late, cases[i].late);
        assert_int_equal(after.unknown - before.unknown, cases[i].unknown);
        assert_int_equal(after.garbage - before.garbage, cases[i].garbage);
    }
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    asked_deinit(&a);
    world_deinit(&w);
}

/* ---- lists with an entry that is not valid */

static void serve_text(struct world *w, const struct rpc_message *m)
{
    if (m->id.at && m->method.at)
        world_say(w, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}", (int)m->id.n, m->id.at,
                  (const char *)w->ctx);
}

static void a_broken_entry_costs_a_list_that_entry_alone(void **state)
{
    static const struct {
        enum mcp_method method;
        const char *text, *left, *name;
    } cases[] = {
        {MCP_TOOLS_LIST,
         "\"result\":{\"tools\":[{\"name\":\"bad\",\"description\":\"\\u0000\"},{\"name\":"
         "\"good\"}],\"nextCursor\":\"c\"}",
         "\"good\"}],\"nextCursor\":\"c\"", "tool bad: "},
        {MCP_RESOURCES_LIST,
         "\"result\":{\"resources\":[{\"uri\":\"u:1\"},{\"uri\":\"u:\\ud800\"}]}", "\"u:1\"}",
         "resource u:\\ud800: "},
        {MCP_PROMPTS_LIST,
         "\"result\":{\"prompts\":[{\"name\":\"p\",\"name\":\"q\"},{\"name\":\"r\"}]}", "\"r\"}]",
         "prompt p: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        struct asked a;

        ready(&w, false);
        w.serve = serve_text;
        w.ctx = (void *)cases[i].text;
        for (int again = 0; again < 2; again++) {
            world_ask(&w, &a, cases[i].method, "{}");
            world_answer(&w, &a);
            assert_int_equal(a.kind, MCP_COMPLETE);
            if (!strstr(str_cstr(&a.result), cases[i].left))
                fail_msg("%s", str_cstr(&a.result));
            asked_deinit(&a);
        }
        assert_int_equal(world_count(&w.lines, cases[i].name), 1); /* in the log once */
        assert_int_equal(json_view_size(mcp_client_facts(w.client).left_out), 1);
        world_deinit(&w);
    }
}

/* ---- results and errors */

static void results_and_errors_are_those_of_the_core(void **state)
{
    static const struct {
        bool is_modern;
        enum mcp_method method;
        const char *text;
        enum mcp_answer_kind kind;
        const char *expected; /* result, or message */
        int64_t code;
    } cases[] = {
        {true, MCP_TOOLS_CALL, "\"result\":{\"a\":1}", MCP_COMPLETE, "{\"a\":1}", 0},
        {true, MCP_TOOLS_CALL, "\"result\":{\"resultType\":\"complete\"}", MCP_COMPLETE,
         "{\"resultType\":\"complete\"}", 0},
        {true, MCP_TOOLS_CALL, "\"result\":{\"resultType\":\"later\"}", MCP_ERROR,
         "server: the server's answer has the resultType \"later\", which is not known", -32603},
        {true, MCP_TOOLS_CALL, "\"result\":{\"resultType\":\"task\",\"taskId\":\"1\"}", MCP_ERROR,
         "server: the server's answer has the resultType \"task\", which its client did not offer "
         "to "
         "take",
         -32603},
        {true, MCP_TOOLS_CALL,
         "\"result\":{\"resultType\":\"input_required\",\"requestState\":\"s\"}",
         MCP_INPUT_REQUIRED, "{\"resultType\":\"input_required\",\"requestState\":\"s\"}", 0},
        {true, MCP_TOOLS_LIST,
         "\"result\":{\"resultType\":\"input_required\",\"requestState\":\"s\"}", MCP_ERROR,
         "server: the server asks for input in the answer to tools/list", -32603},
        {true, MCP_TOOLS_CALL,
         "\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":\"x\"}"
         "}}",
         MCP_ERROR, "server: the server asks for \"x\", which its client did not offer", -32603},
        {false, MCP_TOOLS_LIST, "\"result\":{\"tools\":[]}", MCP_COMPLETE,
         "{\"tools\":[],\"ttlMs\":0,\"cacheScope\":\"private\"}", 0},
        {false, MCP_TOOLS_CALL, "\"result\":{\"resultType\":\"later\"}", MCP_COMPLETE,
         "{\"resultType\":\"later\"}", 0},
        {false, MCP_RESOURCES_READ, "\"error\":{\"code\":-32002,\"message\":\"none\"}", MCP_ERROR,
         "none", -32602},
        {false, MCP_TOOLS_CALL,
         "\"error\":{\"code\":-32042,\"message\":\"open\",\"data\":{\"elicitations\":[{\"mode\":"
         "\"url\",\"url\":\"https://a\"}]}}",
         MCP_INPUT_REQUIRED,
         "{\"resultType\":\"input_required\",\"inputRequests\":{\"url-1\":{\"method\":"
         "\"elicitation/"
         "create\",\"params\":{\"mode\":\"url\",\"url\":\"https://a\"}}}}",
         0},
        {false, MCP_TASKS_GET, "\"result\":{}", MCP_ERROR,
         "server: the server has no tasks/get: it speaks 2025-06-18", -32601},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        struct asked a;
        char text[512];

        ready(&w, cases[i].is_modern);
        w.serve = serve_text;
        (void)snprintf(text, sizeof(text), "%s", cases[i].text);
        w.ctx = text;
        world_ask(&w, &a, cases[i].method, CALL);
        world_answer(&w, &a);
        assert_string_equal(a.kind == MCP_ERROR ? str_cstr(&a.message) : str_cstr(&a.result),
                            cases[i].expected);
        assert_int_equal(a.kind, cases[i].kind);
        assert_int_equal(a.code, cases[i].code);
        asked_deinit(&a);
        world_deinit(&w);
    }
}

/* ---- cancel, time, progress */

static void silent(struct world *w, const struct rpc_message *m)
{
    (void)w;
    (void)m;
}

/* lynnswap/XcodeMCPKit#210, PrefectHQ/fastmcp#4124. */
static void a_cancel_reaches_the_server_at_once_with_our_id(void **state)
{
    static const enum mcp_method methods[] = {MCP_TOOLS_CALL, MCP_RESOURCES_READ, MCP_PROMPTS_GET};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(methods); i++) {
        struct world w;
        struct asked a, other;
        char expected[128];
        int64_t id;
        const char *call;

        ready(&w, i % 2 == 0);
        w.serve = silent;
        world_ask(&w, &other, MCP_TOOLS_CALL, CALL);
        world_ask(&w, &a, methods[i / 2], "{\"name\":\"slow\",\"uri\":\"a:b\"}");
        call = world_sent(&w, "slow");
        id = json_view_int(json_view_get(json_view_of(call, strcspn(call, "\n")), "id"), -1);
        mcp_exchange_cancel(a.x);
        /* Nothing had to turn for it. */
        assert_true(a.is_done);
        assert_true(a.is_cancelled);
        (void)snprintf(expected, sizeof(expected),
                       "\"notifications/cancelled\",\"params\":{\"requestId\":%d}}", (int)id);
        assert_non_null(world_sent(&w, expected));
        assert_int_equal(world_count(&w.sent, "notifications/cancelled"), 1);
        assert_false(other.is_done);
        assert_int_equal(mcp_client_counts(w.client).open, 1);
        asked_deinit(&a);
        asked_deinit(&other);
        world_deinit(&w);
    }
}

static void a_call_without_an_answer_ends_and_progress_gives_it_time(void **state)
{
    struct world w;
    struct asked a;

    (void)state;
    world_init(&w, false);
    w.spec.limits.call_ms = 60;
    world_start(&w);
    w.serve = silent;
    world_ask_spec(&w, &a,
                   (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .wants_progress = true},
                   CALL, NULL);
    world_until_int(w.loop, (const int *)&w.state, MCP_CLIENT_READY);
    for (int i = 0; i < 5; i++) {
        world_wait(w.loop, 30);
        world_say(&w,
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                  "\"progressToken\":3,\"progress\":%d}}",
                  i);
        assert_false(a.is_done);
    }
    world_answer(&w, &a);
    assert_int_equal(a.n_notes, 5);
    assert_string_equal(strrchr(str_cstr(&a.notes), '{'), "{\"progress\":4}\n");
    assert_string_equal(str_cstr(&a.message),
                        "server: server gave no answer to tools/call in 60 ms");
    assert_non_null(world_sent(&w, "\"params\":{\"requestId\":3}"));
    asked_deinit(&a);
    world_deinit(&w);
}

static void the_deadline_of_an_exchange_counts_too(void **state)
{
    struct world w;
    struct asked a;

    (void)state;
    ready(&w, true);
    w.serve = silent;
    world_ask_spec(&w, &a,
                   (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL,
                                              .deadline_ms = seams_wall_ms(seams_real()) + 20},
                   CALL, NULL);
    world_answer(&w, &a);
    assert_string_equal(str_cstr(&a.message), "the deadline of the request passed");
    asked_deinit(&a);
    world_deinit(&w);
}

static void all_calls_end_when_the_server_dies(void **state)
{
    struct world w;
    struct asked a[3], listen;

    (void)state;
    ready(&w, false);
    w.serve = silent;
    for (int i = 0; i < 3; i++)
        world_ask(&w, &a[i], MCP_TOOLS_CALL, CALL);
    world_ask(&w, &listen, MCP_LISTEN, "{\"notifications\":{\"toolsListChanged\":true}}");
    world_link_dies(&w, "gone");
    for (int i = 0; i < 3; i++) {
        assert_true(a[i].is_done);
        assert_string_equal(str_cstr(&a[i].message), "server: gone");
        asked_deinit(&a[i]);
    }
    assert_true(listen.is_done);
    asked_deinit(&listen);
    assert_int_equal(w.state, MCP_CLIENT_DOWN);
    world_deinit(&w);
}

static void start_again(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct world *w = ctx;

    (void)x;
    assert_int_equal(a->kind, MCP_ERROR);
    mcp_client_start(w->client);
}

/* The first call that fails starts the client again: the others end all the same. */
static void a_start_in_the_course_of_the_end_waits_for_it(void **state)
{
    struct world w;
    struct asked a;
    struct mcp_exchange *x;

    (void)state;
    ready(&w, false);
    w.serve = silent;
    x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = MCP_TOOLS_CALL, .caller = w.caller, .events = {.ctx = &w, .done = start_again}});
    mcp_exchange_start(x, mcp_client_handler(w.client));
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL);
    world_link_dies(&w, "gone");
    assert_true(a.is_done);
    assert_int_equal(mcp_client_counts(w.client).open, 0);
    assert_int_equal(w.state, MCP_CLIENT_STARTING);
    world_until_int(w.loop, (const int *)&w.n_links, 2);
    world_wait(w.loop, 5);
    assert_int_equal(w.state, MCP_CLIENT_READY);
    mcp_exchange_unref(x);
    asked_deinit(&a);
    world_deinit(&w);
}

/* ---- requests of the server outside calls; log levels */

static void requests_outside_calls_are_answered_or_refused(void **state)
{
    static const char roots[] = "[{\"uri\":\"file:///a\"}]";
    static const struct {
        const char *ask, *answer;
    } cases[] = {
        {"\"ping\"", "\"id\":\"s1\",\"result\":{}}"},
        {"\"roots/list\"", "\"id\":\"s1\",\"result\":{\"roots\":[{\"uri\":\"file:///a\"}]}}"},
        {"\"elicitation/create\",\"params\":{\"message\":\"?\"}",
         "\"id\":\"s1\",\"error\":{\"code\":-32601,"},
        {"\"sampling/createMessage\",\"params\":{}", "\"id\":\"s1\",\"error\":{\"code\":-32601,"},
        {"\"no/such\"", "\"id\":\"s1\",\"error\":{\"code\":-32601,"},
    };
    struct world w;

    (void)state;
    world_init(&w, false);
    w.spec.roots = json_view_of(roots, strlen(roots));
    world_start(&w);
    mcp_client_start(w.client);
    world_until_int(w.loop, (const int *)&w.state, MCP_CLIENT_READY);
    assert_non_null(strstr(world_sent(&w, "\"initialize\""), "\"roots\":{}"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&w.sent);
        world_say(&w, "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":%s}", cases[i].ask);
        assert_non_null(world_sent(&w, cases[i].answer));
    }
    mcp_client_handler(w.client)->roots_changed(w.client, w.caller);
    assert_non_null(world_sent(&w, "notifications/roots/list_changed"));
    world_deinit(&w);
}

static void the_log_level_is_the_loudest_that_is_wanted(void **state)
{
    struct world w;
    struct asked a;

    (void)state;
    world_init(&w, false);
    w.about = "\"logging\":{}";
    w.serve = echo;
    world_start(&w);
    world_ask(&w, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&w, &a);
    asked_deinit(&a);
    assert_null(world_sent(&w, "logging/setLevel"));
    world_ask_spec(&w, &a,
                   (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .log_level = MCP_LOG_ERROR},
                   CALL, NULL);
    world_answer(&w, &a);
    asked_deinit(&a);
    assert_non_null(world_sent(&w, "{\"level\":\"error\"}"));
    world_ask_spec(&w, &a,
                   (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .log_level = MCP_LOG_DEBUG},
                   CALL, NULL);
    world_answer(&w, &a);
    asked_deinit(&a);
    assert_non_null(world_sent(&w, "{\"level\":\"debug\"}"));
    world_ask_spec(&w, &a,
                   (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .log_level = MCP_LOG_ERROR},
                   CALL, NULL);
    w.serve = silent;
    world_say(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
                  "\"info\",\"data\":1}}");
    world_say(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
                  "\"error\",\"data\":2}}");
    assert_string_equal(str_cstr(&a.notes), "{\"level\":\"error\",\"data\":2}\n");
    asked_deinit(&a);
    world_say(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
                  "\"info\",\"data\":3}}");
    assert_string_equal(str_cstr(&w.messages), "{\"level\":\"info\",\"data\":3}\n");
    assert_int_equal(world_count(&w.sent, "logging/setLevel"), 2);
    world_deinit(&w);
}

/* ---- lists */

struct fetched {
    bool is_done;
    enum status st;
    size_t n;
    char message[768];
};

static void on_fetched(void *ctx, enum status st, struct json_view items, int64_t ttl_ms,
                       bool is_private, const struct error *err)
{
    struct fetched *f = ctx;

    (void)ttl_ms;
    (void)is_private;
    f->is_done = true;
    f->st = st;
    f->n = json_view_size(items);
    (void)snprintf(f->message, sizeof(f->message), "%s", err->message);
}

/* Page 1 has the cursor "1", and so on up to *ctx pages; after it the last cursor again and again
 * if it is negative. */
static void serve_pages(struct world *w, const struct rpc_message *m)
{
    int last = *(int *)w->ctx, n;
    struct str text = STR_INIT, cursor = STR_INIT;

    if (!m->id.at || !m->method.at)
        return;
    (void)json_view_text(json_view_get(m->params, "cursor"), &cursor);
    n = atoi(str_cstr(&cursor)) + 1;
    str_puts(&text, "{\"tools\":[");
    for (int i = 0; i < 100; i++)
        str_printf(&text, "%s{\"name\":\"t%d-%d\",\"inputSchema\":{}}", i ? "," : "", n, i);
    str_puts(&text, "]");
    if (n < abs(last) || last < 0)
        str_printf(&text, ",\"nextCursor\":\"%d\"", n < abs(last) ? n : abs(last) - 1);
    str_puts(&text, ",\"ttlMs\":5,\"cacheScope\":\"public\"}");
    world_reply(w, m, str_cstr(&text));
    str_deinit(&text);
    str_deinit(&cursor);
}

static void all_pages_of_a_list_are_fetched_within_limits(void **state)
{
    static const struct {
        int last;
        int32_t max_pages, max_items;
        enum status st;
        size_t n;
        const char *message;
    } cases[] = {
        {1, 0, 0, STATUS_OK, 100, ""},
        {50, 0, 0, STATUS_OK, 5000, ""},
        {50, 49, 0, STATUS_LIMIT, 0, "the server's list has more than 49 pages"},
        {50, 0, 4999, STATUS_LIMIT, 0, "the server lists more than 4999 tools"},
        {-3, 0, 0, STATUS_INVALID, 0,
         "the server's list does not end: a page has the cursor of an earlier one"},
        {1000000, 60, 0, STATUS_LIMIT, 0, "the server's list has more than 60 pages"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        struct fetched f = {0};
        int last = cases[i].last;

        ready(&w, false);
        w.serve = serve_pages;
        w.ctx = &last;
        (void)client_lists_start(
            &(struct client_lists_spec){.loop = w.loop,
                                        .handler = mcp_client_handler(w.client),
                                        .caller = w.caller,
                                        .method = MCP_TOOLS_LIST,
                                        .max_pages = cases[i].max_pages,
                                        .max_items = cases[i].max_items,
                                        .ctx = &f,
                                        .done = on_fetched});
        world_until(w.loop, &f.is_done);
        assert_int_equal(f.st, cases[i].st);
        assert_int_equal(f.n, cases[i].n);
        assert_string_equal(f.message, cases[i].message);
        world_deinit(&w);
    }
}

static void a_list_can_be_given_up(void **state)
{
    struct world w;
    struct fetched f = {0};
    struct client_lists *l;

    (void)state;
    ready(&w, false);
    w.serve = silent;
    for (int i = 0; i < 2; i++) {
        l = client_lists_start(&(struct client_lists_spec){.loop = w.loop,
                                                           .handler = mcp_client_handler(w.client),
                                                           .caller = w.caller,
                                                           .method = MCP_TOOLS_LIST,
                                                           .ctx = &f,
                                                           .done = on_fetched});
        if (i)
            world_wait(w.loop, 5); /* asked */
        client_lists_cancel(l);
    }
    world_wait(w.loop, 5);
    assert_false(f.is_done);
    assert_int_equal(mcp_client_counts(w.client).open, 0);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_modern_server_is_asked_with_its_metadata),
        cmocka_unit_test(a_legacy_server_is_initialized_once_in_the_same_process),
        cmocka_unit_test(no_answer_to_discover_is_legacy_and_a_late_one_is_dropped),
        cmocka_unit_test(the_newest_revision_in_common_is_taken),
        cmocka_unit_test(where_legacy_is_preferred_initialize_comes_first),
        cmocka_unit_test(a_server_that_ends_in_the_probe_is_down_and_can_start_again),
        cmocka_unit_test(each_of_32_clients_gets_its_own_answer_10000_times),
        cmocka_unit_test(answers_that_nobody_waits_for_are_dropped),
        cmocka_unit_test(a_broken_entry_costs_a_list_that_entry_alone),
        cmocka_unit_test(results_and_errors_are_those_of_the_core),
        cmocka_unit_test(a_cancel_reaches_the_server_at_once_with_our_id),
        cmocka_unit_test(a_call_without_an_answer_ends_and_progress_gives_it_time),
        cmocka_unit_test(the_deadline_of_an_exchange_counts_too),
        cmocka_unit_test(all_calls_end_when_the_server_dies),
        cmocka_unit_test(a_start_in_the_course_of_the_end_waits_for_it),
        cmocka_unit_test(requests_outside_calls_are_answered_or_refused),
        cmocka_unit_test(the_log_level_is_the_loudest_that_is_wanted),
        cmocka_unit_test(all_pages_of_a_list_are_fetched_within_limits),
        cmocka_unit_test(a_list_can_be_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
