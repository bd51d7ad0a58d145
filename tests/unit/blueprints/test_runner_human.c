/* test_runner_human.c - questions: they stand in the store, an answer reaches its own branch, and
 * every one has an end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/question.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/run_bench.h"

#define HEAD "schema: blueprint/v1\n"
#define ASK  "human: {prompt: \"Run ${x}?\", options: [yes, edit, no]"

static const char gate[] = HEAD "steps:\n  x: {value: it}\n  ask: {" ASK "}}\n"
                                "  then: {tool: flaky, in: {fail: 0}}\n"
                                "output: \"${ask}\"\n";

static void an_answer_lets_the_run_go_on(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    run_bench_run(b, gate, NULL);
    assert_string_equal(b->status, "waiting");
    assert_int_equal(run_bench_effects(b, "flaky"), 0);
    run_bench_step(b, "ask", &step);
    assert_string_equal(str_cstr(&step), "waiting 0 1");
    /* Without an answer it waits on. */
    run_bench_resume(b, false);
    assert_string_equal(b->status, "waiting");
    run_bench_answer(b, "ask", "\"edit\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "\"edit\"");
    assert_int_equal(run_bench_effects(b, "flaky"), 1);
    run_bench_step(b, "x", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    str_deinit(&step);
}

static bool on_wait(void *ctx, const struct wait_row *w)
{
    struct str *out = ctx;

    str_printf(out, "%s %s ", w->path, w->kind);
    jv_write(w->prompt, 0, out);
    str_putc(out, '\n');
    return true;
}

static void the_question_is_a_row_that_says_what_is_asked(void **state)
{
    struct run_bench *b = *state;
    struct store_reader *q = NULL;
    struct str rows = STR_INIT;

    run_bench_run(b, HEAD "steps:\n  x: {value: it}\n  ask: {" ASK ", on_timeout: no}}\n", NULL);
    assert_int_equal(store_reader_open(b->store, &q, NULL), STATUS_OK);
    assert_int_equal(query_waits(q, b->uuid, on_wait, &rows, NULL), STATUS_OK);
    assert_string_equal(str_cstr(&rows),
                        "ask human {\"text\":\"Run it?\",\"options\":[\"yes\",\"edit\","
                        "\"no\"],\"default\":\"no\"}\n");
    store_reader_close(q);
    str_deinit(&rows);
}

static void no_is_a_gate(void **state)
{
    struct run_bench *b = *state;

    run_bench_run(b, gate, NULL);
    run_bench_answer(b, "ask", "\"no\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "rejected");
    assert_string_equal(b->error, "ask: the answer was \"no\"");
    assert_int_equal(run_bench_effects(b, "flaky"), 0);
    /* Unless the file says otherwise. */
    run_bench_run(b, HEAD "steps: {x: {value: 1}, ask: {" ASK ", reject: []}}}\n", NULL);
    run_bench_answer(b, "ask", "\"no\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "\"no\"");
    /* Or takes it by name. */
    run_bench_run(b,
                  HEAD "steps: {x: {value: 1}, ask: {" ASK "}, on_error: continue}}\n"
                       "output: \"${state.ask}\"\n",
                  NULL);
    run_bench_answer(b, "ask", "\"no\"");
    run_bench_resume(b, false);
    assert_string_equal(b->output, "\"rejected\"");
}

static void an_answer_that_is_no_option_leaves_the_question_standing(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    run_bench_run(b, gate, NULL);
    run_bench_answer(b, "ask", "\"maybe\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "waiting");
    run_bench_step(b, "ask", &step);
    assert_string_equal(str_cstr(&step), "waiting 1 1");
    run_bench_answer(b, "ask", "\"yes\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    str_deinit(&step);
}

static void a_deadline_takes_the_default(void **state)
{
    static const struct {
        const char *more, *status, *output;
    } cases[] = {
        {", timeout: 100ms, on_timeout: yes", "ok", "\"yes\""},
        {", timeout: 100ms, on_timeout: no", "rejected", NULL},
        {", timeout: 100ms", "timeout", NULL},
    };
    struct run_bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int stay = 0; stay < 2; stay++) {
            struct str text = STR_INIT;

            str_printf(&text, HEAD "steps: {x: {value: 1}, ask: {" ASK "%s}}}\n", cases[i].more);
            b->stay = stay != 0;
            run_bench_run(b, str_cstr(&text), NULL);
            if (!b->stay) {
                assert_string_equal(b->status, "waiting");
                usleep(120 * 1000);
                run_bench_resume(b, false);
            }
            assert_string_equal(b->status, cases[i].status);
            if (cases[i].output)
                assert_string_equal(b->output, cases[i].output);
            str_deinit(&text);
        }
    }
}

static void each_branch_has_its_own_question(void **state)
{
    struct run_bench *b = *state;

    run_bench_run(b, HEAD "steps: {x: {value: 1}, all: {map: 3, " ASK "}}}\n", NULL);
    assert_string_equal(b->status, "waiting");
    run_bench_answer(b, "all[2]", "\"edit\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "waiting");
    run_bench_answer(b, "all[0]", "\"yes\"");
    run_bench_answer(b, "all[1]", "\"yes\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "[\"yes\",\"yes\",\"edit\"]");
}

static void other_branches_work_while_one_waits(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    run_bench_run(
        b,
        HEAD "agents: {a: {}}\nsteps:\n  x: {value: 1}\n  both:\n    parallel:\n      branches:\n"
             "        ask: {" ASK "}}\n"
             "        work: {agent: a, in: {say: done, ms: 100}}\n",
        NULL);
    assert_string_equal(b->status, "waiting");
    run_bench_step(b, "both/work", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    run_bench_answer(b, "both/ask", "\"yes\"");
    run_bench_resume(b, false);
    assert_string_equal(b->output, "{\"ask\":\"yes\",\"work\":\"done\"}");
    assert_int_equal(run_bench_effects(b, "agent"), 1);
    str_deinit(&step);
}

static void answer_yes(struct run_bench *b)
{
    run_bench_answer(b, "ask", "\"yes\"");
}

static void who_stays_takes_the_answer_as_it_comes(void **state)
{
    struct run_bench *b = *state;

    b->stay = true;
    b->while_running = answer_yes;
    run_bench_run(b, gate, NULL);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "\"yes\"");
}

static void a_waiting_run_can_be_cancelled(void **state)
{
    struct run_bench *b = *state;

    b->stay = true;
    b->stop_after_ms = 50;
    run_bench_run(b, gate, NULL);
    assert_string_equal(b->status, "cancelled");
}

static void a_call_of_an_agent_may_ask(void **state)
{
    struct run_bench *b = *state;

    run_bench_run(b, HEAD "agents: {a: {}}\nsteps: {a: {agent: a, in: {say: 1, wait: true}}}\n",
                  NULL);
    assert_string_equal(b->status, "waiting");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "waiting");
    run_bench_note(b, "answered");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "1");
}

static void an_unattended_run_needs_defaults(void **state)
{
    struct run_bench *b = *state;

    b->unattended = true;
    run_bench_run(b, gate, NULL);
    assert_string_equal(b->status, "config");
    assert_non_null(strstr(b->error, "nobody can answer step `ask` here"));
    b->stay = true;
    run_bench_run(
        b, HEAD "steps: {x: {value: 1}, ask: {" ASK ", timeout: 50ms, on_timeout: yes}}}\n", NULL);
    assert_string_equal(b->output, "\"yes\"");
}

static void an_unattended_run_has_nobody_to_talk_with(void **state)
{
    struct run_bench *b = *state;

    b->unattended = true;
    run_bench_run(b,
                  HEAD "agents: {chat: {model: m}}\n"
                       "steps: {a: {agent: chat, in: {say: 1}, talk: true}}\n",
                  NULL);
    assert_string_equal(b->status, "config");
    assert_non_null(strstr(b->error, "nobody can talk with the agent of step `a` here"));
}

static void cut_short(struct run_bench *b)
{
    runner_cut_short(b->runner);
}

/* The agent that talks ends what it does; the other one is not touched. */
static void a_person_cuts_short_the_agent_that_talks(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->while_running = cut_short;
    run_bench_run(b,
                  HEAD "agents: {chat: {model: m}, other: {model: m}}\n"
                       "steps:\n"
                       "  both:\n"
                       "    parallel:\n"
                       "      branches:\n"
                       "        talks: {agent: chat, in: {hang: true, say: so far}, talk: true}\n"
                       "        works: {agent: other, in: {hang: true}, timeout: 600ms,"
                       " on_error: continue}\n"
                       "output: \"${both.talks}\"\n",
                  NULL);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "\"so far\"");
    run_bench_step(b, "both/works", &step);
    assert_string_equal(str_cstr(&step), "timeout 0 1");
    str_deinit(&step);
    b->while_running = NULL;
}

static void an_answer_from_the_command_line_is_one_of_the_options(void **state)
{
    static const struct {
        const char *prompt, *text, *answer;
    } cases[] = {
        {"{\"options\":[\"yes\",2,true]}", "yes", "\"yes\""},
        {"{\"options\":[\"yes\",2,true]}", "2", "2"},
        {"{\"options\":[\"yes\",2,true]}", "true", "true"},
        {"{\"options\":[\"yes\",2,true]}", "no", NULL},
        {"{\"text\":\"name?\"}", "2", "\"2\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *prompt = NULL, *answer = NULL;
        struct error err = ERROR_INIT;
        enum status st;
        char *text;

        assert_int_equal(jv_parse(cases[i].prompt, strlen(cases[i].prompt), "p", &prompt, NULL),
                         STATUS_OK);
        st = question_read_answer(prompt, cases[i].text, &answer, &err);
        assert_int_equal(st, cases[i].answer ? STATUS_OK : STATUS_USAGE);
        text = st ? NULL : jv_dump(answer);
        if (st)
            assert_string_equal(err.message, "\"no\" is not one of the answers: yes, 2, true");
        else
            assert_string_equal(text, cases[i].answer);
        free(text);
        jv_unref(answer);
        jv_unref(prompt);
    }
}

int main(void)
{
#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, run_bench_setup, run_bench_teardown)
    const struct CMUnitTest tests[] = {
        ON_BENCH(an_answer_lets_the_run_go_on),
        ON_BENCH(the_question_is_a_row_that_says_what_is_asked),
        ON_BENCH(no_is_a_gate),
        ON_BENCH(an_answer_that_is_no_option_leaves_the_question_standing),
        ON_BENCH(a_deadline_takes_the_default),
        ON_BENCH(each_branch_has_its_own_question),
        ON_BENCH(other_branches_work_while_one_waits),
        ON_BENCH(who_stays_takes_the_answer_as_it_comes),
        ON_BENCH(a_waiting_run_can_be_cancelled),
        ON_BENCH(a_call_of_an_agent_may_ask),
        ON_BENCH(an_unattended_run_needs_defaults),
        ON_BENCH(an_unattended_run_has_nobody_to_talk_with),
        ON_BENCH(a_person_cuts_short_the_agent_that_talks),
        ON_BENCH(an_answer_from_the_command_line_is_one_of_the_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
