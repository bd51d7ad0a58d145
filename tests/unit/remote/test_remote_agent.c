/* Agents with a tool over a remote model: conversations, streams, token ids, budgets in dollars.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/agent.h"
#include "tests/unit/remote/remote_bench.h"
#include "tests/unit/store/store_fixture.h"
#include "tools/registry.h"

struct scene {
    struct store_fixture *store;
    struct remote_bench b;
    struct tool_registry *tools;
    struct tool *echo;
    struct agent_host *host;
    struct agent_role role;
    struct agent_task task;
    struct json *input;
    struct agent *agent;
    struct agent_result result;
    struct json *output;
    bool over;
    struct str text; /* streamed */
    int32_t n_parts;
};

static int setup(void **state)
{
    struct scene *s = xcalloc(1, sizeof(*s));
    struct tool_registry_options to = {.seams = seams_real()};
    struct agent_host_options ho = {.seams = seams_real()};
    void *store = NULL;

    if (fixture_setup(&store))
        return -1;
    s->store = store;
    s->text = STR_INIT;
    remote_bench_init(&s->b);
    ho.loop = s->b.loop;
    assert_ok(agent_host_new(&ho, &s->host, why));
    assert_ok(tool_registry_new(&to, &s->tools, why));
    s->echo = tool_registry_find(s->tools, "echo");
    s->input = jv_string("Go.");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    void *store = s->store;

    jv_unref(s->output);
    jv_unref(s->input);
    str_deinit(&s->text);
    agent_host_free(s->host);
    tool_registry_free(s->tools);
    remote_bench_deinit(&s->b);
    free(s);
    return fixture_teardown(&store);
}

static void prepare(struct scene *s)
{
    remote_bench_open(&s->b);
    s->role = (struct agent_role){.name = "clerk",
                                  .prompt = "Be brief.",
                                  .model = s->b.model,
                                  .tools = &s->echo,
                                  .n_tools = 1,
                                  .sampling = SAMPLING_DEFAULT};
    s->task = (struct agent_task){.role = &s->role, .scope = {.path = "ask"}, .input = s->input};
}

static void on_done(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct scene *s = ctx;

    s->result = *r;
    s->output = r->output ? jv_ref(r->output) : NULL;
    s->over = true;
    agent_free(a);
    loop_stop(s->b.loop);
}

static void on_text(void *ctx, const char *path, const char *text, size_t n)
{
    struct scene *s = ctx;

    assert_memory_equal(path, "ask/turn:", 9);
    str_append(&s->text, text, n);
    s->n_parts++;
}

static void play(struct scene *s)
{
    jv_unref(s->output);
    s->output = NULL;
    s->over = false;
    assert_ok(agent_start(s->host, &s->task, on_done, s, &s->agent, why));
    while (!s->over) {
        bench_pass(&s->b, 20);
        if (s->task.scope.run) {
            journal_flush(s->task.scope.run);
            store_drain_replies(store_reply_box(s->store->store));
        }
    }
}

#define USAGE(p, c)                                                                                \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" #p ",\"completion_tokens\":" #c "}}\n\n"
#define CALL_ECHO                                                                                  \
    SSE_TEXT("I ")                                                                                 \
    SSE_TEXT("ask.")                                                                               \
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_x\",\"function\":" \
    "{\"name\":\"echo\",\"arguments\":\"{\\\"text\\\"\"}}]}}]}\n\n"                                \
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"    \
    "\":\\\"there\\\"}\"}}]}}]}\n\n"                                                               \
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" USAGE(100, 20) SSE_DONE
#define ANSWER(text) SSE_TEXT(text) SSE_STOP USAGE(200, 10) SSE_DONE

static void script(struct scene *s, const char *body)
{
    http_memory_reply(s->b.memory,
                      &(struct http_memory_reply){.body = body, .piece_bytes = 50, .piece_ms = 1});
}

static void an_agent_calls_a_tool_and_answers(void **state)
{
    struct scene *s = *state;
    const char *second;

    prepare(s);
    s->task.on_text = on_text;
    script(s, CALL_ECHO);
    script(s, ANSWER("done"));
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    assert_string_equal(jv_get_string(s->output, ""), "done");
    assert_int_equal(s->result.tok_in, 300);
    assert_int_equal(s->result.tok_out, 30);
    assert_int_equal(s->result.calls, 1);
    assert_string_equal(str_cstr(&s->text), "I ask.done"); /* as it came */
    assert_true(s->n_parts >= 3);
    assert_non_null(strstr(http_memory_request(s->b.memory, 0)->body, "\"name\":\"echo\""));
    second = http_memory_request(s->b.memory, 1)->body;
    assert_non_null(strstr(second,
                           "{\"role\":\"assistant\",\"content\":\"I ask.\",\"tool_calls\":[{"
                           "\"id\":\"call_x\",\"type\":\"function\",\"function\":{\"name\":"
                           "\"echo\",\"arguments\":\"{\\\"text\\\":\\\"there\\\"}\"}}]}"));
    assert_non_null(strstr(second, "\"role\":\"tool\""));
    assert_non_null(strstr(second, "\"tool_call_id\":\"call_x\""));
    assert_int_equal(s->result.cost_nano, -1);
}

static void an_answer_that_is_not_streamed_is_shown_at_its_end(void **state)
{
    struct scene *s = *state;

    s->b.spec.stream = false;
    prepare(s);
    s->task.on_text = on_text;
    script(s, "{\"choices\":[{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}");
    play(s);
    assert_string_equal(jv_get_string(s->output, ""), "whole");
    assert_string_equal(str_cstr(&s->text), "whole");
    assert_int_equal(s->n_parts, 1);
}

static void an_unreadable_call_is_reported_to_the_model(void **state)
{
    struct scene *s = *state;
    const char *second;

    prepare(s);
    script(s, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\","
              "\"function\":{\"name\":\"echo\",\"arguments\":\"{\\\"text\\\": oops}\"}}]},"
              "\"finish_reason\":\"tool_calls\"}]}\n\n");
    script(s, ANSWER("sorry"));
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    assert_string_equal(jv_get_string(s->output, ""), "sorry");
    second = http_memory_request(s->b.memory, 1)->body;
    assert_non_null(strstr(second, "echo {\\\"text\\\": oops}")); /* what it said */
    assert_non_null(strstr(second, "a call needs a name and an object of arguments; arguments:1"));
}

static void an_error_ends_the_agent_with_what_the_caller_may_do(void **state)
{
    struct scene *s = *state;

    prepare(s);
    http_memory_reply(s->b.memory, &(struct http_memory_reply){.code = 401, .body = "who?"});
    play(s);
    assert_int_equal(s->result.state, STEP_ERROR);
    assert_true(s->result.not_retryable);
    assert_non_null(strstr(s->result.err.message, "model strong: the server wants a key (401)"));
}

static void the_deadline_of_an_agent_ends_its_call(void **state)
{
    struct scene *s = *state;

    prepare(s);
    http_memory_reply(s->b.memory, &(struct http_memory_reply){.fault = HTTP_MEMORY_NO_ANSWER});
    s->task.scope.deadline_ms = seams_wall_ms(seams_real()) + 200;
    play(s);
    assert_int_equal(s->result.state, STEP_TIMEOUT);
}

static void a_schema_reaches_a_server_that_enforces_it(void **state)
{
    struct scene *s = *state;
    struct json *schema = fixture_json("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
                                       "\"integer\"}},\"required\":[\"n\"]}");

    s->b.spec.strict_schema = true;
    prepare(s);
    s->task.schema = schema;
    script(s, ANSWER("no json"));
    script(s, ANSWER("{\\\"n\\\":3}"));
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    assert_int_equal(jv_get_int(jv_get(s->output, "n"), 0), 3);
    assert_non_null(strstr(http_memory_request(s->b.memory, 0)->body, "\"response_format\""));
    jv_unref(schema);
}

/* ---- dollars: 3 for a million tokens read, 15 for a million sampled */

static void with_prices(struct scene *s)
{
    s->b.spec.price_input = 3;
    s->b.spec.price_cached = 0.3;
    s->b.spec.price_output = 15;
    prepare(s);
}

static void calls_cost_what_the_server_counted(void **state)
{
    struct scene *s = *state;
    struct budget budget = {.cost_nano_limit = 1000000000};

    with_prices(s);
    s->task.scope.budget = &budget;
    script(s, CALL_ECHO);
    script(s, SSE_TEXT("done") SSE_STOP
           "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":10,"
           "\"prompt_tokens_details\":{\"cached_tokens\":100}}}\n\n" SSE_DONE);
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    /* 100 * 3 + 20 * 15, then 100 * 3 + 100 * 0.3 + 10 * 15 millionths of a dollar */
    assert_int_equal(s->result.cost_nano, 600000 + 480000);
    assert_int_equal(budget.cost_nano, 600000 + 480000);
}

static void a_budget_in_dollars_cuts_and_ends(void **state)
{
    struct scene *s = *state;
    struct budget budget = {.cost_nano_limit = 3000000};
    const char *body;
    long long asked;

    with_prices(s);
    s->task.scope.budget = &budget;
    script(s, CALL_ECHO);
    script(s, ANSWER("done"));
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    /* max_tokens is what the rest of the budget can pay, after the estimate of the prompt */
    body = strstr(http_memory_request(s->b.memory, 0)->body, "\"max_tokens\":");
    asked = strtoll(body + strlen("\"max_tokens\":"), NULL, 10);
    assert_in_range(asked, 100, 199);
    assert_int_equal(budget.cost_nano, 600000 + 750000);
    /* what is left does not pay the prompt of another call */
    budget.cost_nano_limit = budget.cost_nano + 10000;
    play(s);
    assert_int_equal(s->result.state, STEP_BUDGET);
    assert_non_null(strstr(s->result.err.message, "dollars is used up"));
    assert_int_equal(http_memory_n_requests(s->b.memory), 2);
}

static void a_budget_in_dollars_needs_a_price(void **state)
{
    struct scene *s = *state;
    struct budget budget = {.cost_nano_limit = 1000000000};

    prepare(s);
    s->task.scope.budget = &budget;
    play(s);
    assert_int_equal(s->result.state, STEP_ERROR);
    assert_true(s->result.not_retryable);
    assert_non_null(strstr(s->result.err.message, "the price of model strong is not known"));
}

static void a_failed_call_gives_its_reserve_back(void **state)
{
    struct scene *s = *state;
    struct budget budget = {.cost_nano_limit = 1000000000};

    with_prices(s);
    s->task.scope.budget = &budget;
    http_memory_reply(s->b.memory, &(struct http_memory_reply){.code = 400});
    play(s);
    assert_int_equal(s->result.state, STEP_ERROR);
    assert_int_equal(budget.cost_nano, 0);
}

/* ---- token ids */

#define IDS(prompt, text, calls, ids, logp)                                                        \
    "{\"prompt_token_ids\":[" prompt "],\"choices\":[{\"message\":{\"content\":\"" text "\"" calls \
    "},\"token_ids\":[" ids "],\"logprobs\":{\"content\":[" logp                                   \
    "]},\"finish_reason\":\"stop\"}]}"
#define ECHO_CALL                                                                                  \
    ",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"echo\",\"arguments\":{\"text\":\"a\"" \
    "}}}]"
#define L(x) "{\"logprob\":" #x "}"

struct seen {
    int32_t n;
    char text[4][128];
};

static bool put_step(void *ctx, const struct step_row *row)
{
    struct seen *seen = ctx;
    const struct token_record *t = row->tokens;
    struct str out = STR_INIT;

    if (strcmp(row->kind, "model") != 0)
        return true;
    str_puts(&out, row->path);
    if (t) {
        str_printf(&out, " <- %s %d:", t->parent ? t->parent : "-", (int)t->prefix_len);
        for (int32_t i = 0; i < t->n_delta; i++)
            str_printf(&out, " %d", (int)t->delta[i]);
        str_puts(&out, " |");
        for (int32_t i = 0; i < t->n_ids; i++)
            str_printf(&out, " %d %g", (int)t->ids[i], (double)t->logp[i]);
    }
    snprintf(seen->text[seen->n++], sizeof(seen->text[0]), "%s", str_cstr(&out));
    str_deinit(&out);
    return true;
}

static void read_back(struct scene *s, struct seen *seen)
{
    struct store_reader *q = NULL;

    *seen = (struct seen){.n = 0};
    assert_ok(journal_sync(s->task.scope.run, why));
    assert_ok(store_reader_open(s->store->store, &q, why));
    assert_ok(query_steps(q, run_uuid(s->task.scope.run), NULL, -1, true, put_step, seen, why));
    store_reader_close(q);
}

/* A model that gives ids, and a run that records them. */
static void prepare_recorded(struct scene *s)
{
    s->b.spec.ids = REMOTE_IDS_VLLM;
    prepare(s);
    (void)fixture_open(s->store);
    s->task.scope.run = fixture_run(s->store->store);
}

static void token_ids_are_recorded_where_the_server_gives_them(void **state)
{
    struct scene *s = *state;
    struct seen seen;

    prepare_recorded(s);
    script(s, IDS("1,2,3", "", ECHO_CALL, "4,5", L(-0.5) "," L(-1)));
    /* goes on from all that was before */
    script(s, IDS("1,2,3,4,5,6", "", ECHO_CALL, "7", L(-2)));
    /* the server took something of the history away */
    script(s, IDS("1,2,3,4,9,9", "", ECHO_CALL, "7", L(-2)));
    /* without ids: text alone */
    script(s, "{\"choices\":[{\"message\":{\"content\":\"end\"},\"finish_reason\":\"stop\"}]}");
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    assert_string_equal(jv_get_string(s->output, ""), "end");
    read_back(s, &seen);
    assert_int_equal(seen.n, 4);
    assert_string_equal(seen.text[0], "ask/turn:0/model:0 <- - 0: 1 2 3 | 4 -0.5 5 -1");
    assert_string_equal(seen.text[1], "ask/turn:1/model:0 <- ask/turn:0/model:0 5: 6 | 7 -2");
    assert_string_equal(seen.text[2], "ask/turn:2/model:0 <- ask/turn:1/model:0 4: 9 9 | 7 -2");
    assert_string_equal(seen.text[3], "ask/turn:3/model:0");
    run_close(s->task.scope.run);
    fixture_close(s->store);
}

/* After a call without ids, a chain begins again. */
static void a_call_without_ids_ends_a_chain(void **state)
{
    struct scene *s = *state;
    struct seen seen;

    prepare_recorded(s);
    script(s, IDS("1,2,3", "", ECHO_CALL, "4,5", L(-0.5) "," L(-1)));
    script(s, IDS("1,2,3,4,5,6", "", ECHO_CALL, "7", "")); /* no log-probs */
    script(s, IDS("1,2,3,4,5,6,7,8", "end", "", "9", L(-2)));
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    read_back(s, &seen);
    assert_int_equal(seen.n, 3);
    assert_string_equal(seen.text[1], "ask/turn:1/model:0");
    assert_string_equal(seen.text[2], "ask/turn:2/model:0 <- - 0: 1 2 3 4 5 6 7 8 | 9 -2");
    run_close(s->task.scope.run);
    fixture_close(s->store);
}

/* A resumed agent takes its replies from the journal, and its chain goes on. */
static void a_resumed_agent_goes_on_with_its_chain(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    char uuid[37];

    prepare_recorded(s);
    snprintf(uuid, sizeof(uuid), "%s", run_uuid(s->task.scope.run));
    script(s, IDS("1,2,3", "", ECHO_CALL, "4,5", L(-0.5) "," L(-1)));
    http_memory_reply(s->b.memory, &(struct http_memory_reply){.fault = HTTP_MEMORY_NO_ANSWER});
    assert_ok(agent_start(s->host, &s->task, on_done, s, &s->agent, why));
    while (http_memory_n_requests(s->b.memory) < 2)
        bench_pass(&s->b, 5);
    agent_interrupt(s->agent);
    while (!s->over)
        bench_pass(&s->b, 5);
    assert_int_equal(s->result.state, STEP_STARTED);
    run_close(s->task.scope.run);
    fixture_close(s->store);
    (void)fixture_open(s->store);
    assert_ok(run_take(s->store->store, uuid, &s->task.scope.run, why));
    script(s, IDS("1,2,3,4,5,6", "end", "", "7", L(-2)));
    play(s);
    assert_int_equal(s->result.state, STEP_OK);
    assert_int_equal(http_memory_n_requests(s->b.memory), 3);
    read_back(s, &seen);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.text[1], "ask/turn:1/model:0 <- ask/turn:0/model:0 5: 6 | 7 -2");
    run_close(s->task.scope.run);
    fixture_close(s->store);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_agent_calls_a_tool_and_answers),
        T(an_answer_that_is_not_streamed_is_shown_at_its_end),
        T(an_unreadable_call_is_reported_to_the_model),
        T(an_error_ends_the_agent_with_what_the_caller_may_do),
        T(the_deadline_of_an_agent_ends_its_call),
        T(a_schema_reaches_a_server_that_enforces_it),
        T(calls_cost_what_the_server_counted),
        T(a_budget_in_dollars_cuts_and_ends),
        T(a_budget_in_dollars_needs_a_price),
        T(a_failed_call_gives_its_reserve_back),
        T(token_ids_are_recorded_where_the_server_gives_them),
        T(a_call_without_ids_ends_a_chain),
        T(a_resumed_agent_goes_on_with_its_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
