/* test_runner_wait.c - steps `wait`, what a runner that stays has open, and loops that are
 * exhausted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"
#include "tests/unit/blueprints/run_bench.h"

#define HEAD "schema: blueprint/v1\n"
#define ASK  "human: {prompt: go, options: [yes, no]"

static void sleep_ms(int64_t ms)
{
    usleep((useconds_t)(ms * 1000));
}

static int64_t now(void)
{
    return seams_wall_ms(seams_real());
}

/* ---- waits */

static const char pause_text[] = HEAD "steps:\n  first: {tool: flaky, in: {fail: 0}}\n"
                                      "  pause: {wait: {for: 800ms}}\n"
                                      "  then: {tool: flaky, in: {fail: 0}}\n";

static void a_wait_passes_without_a_process(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;
    int64_t due;

    run_bench_run(b, pause_text, NULL);
    assert_string_equal(b->status, "waiting");
    due = b->result.next_due_ms;
    assert_in_range(due, now(), now() + 800);
    run_bench_step(b, "pause", &step);
    assert_string_equal(str_cstr(&step), "waiting 0 1");
    /* Before its time it waits on, for the same time. */
    run_bench_reopen(b);
    run_bench_resume(b, false);
    assert_string_equal(b->status, "waiting");
    assert_int_equal(b->result.next_due_ms, due);
    assert_int_equal(run_bench_effects(b, "flaky"), 1);
    sleep_ms(due - now() + 1);
    run_bench_reopen(b);
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_true(b->result.wall_ms < 700); /* straight on */
    assert_int_equal(run_bench_effects(b, "flaky"), 2);
    str_deinit(&step);
}

static void who_stays_for_waits_counts_from_the_first_start(void **state)
{
    struct run_bench *b = *state;
    int64_t due;

    run_bench_run(b, pause_text, NULL);
    due = b->result.next_due_ms;
    sleep_ms(400);
    b->stay_for_waits = true;
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_in_range(now(), due, due + 390); /* not another 800 ms from the resume on */
}

static void an_interrupted_wait_goes_on(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;
    int64_t began = now();

    b->stay_for_waits = true;
    b->stop_after_ms = 100;
    b->stop_keep = true;
    run_bench_run(b, pause_text, NULL);
    assert_string_equal(b->status, "interrupted");
    b->stop_after_ms = 0;
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_in_range(now() - began, 800, 1300);
    run_bench_step(b, "pause", &step);
    assert_string_equal(str_cstr(&step), "ok 0 2");
    str_deinit(&step);
}

static void waits_end_with_what_is_around_them(void **state)
{
    static const struct {
        const char *text, *status, *path, *step;
    } cases[] = {
        {HEAD "steps: {a: {do: {p: {wait: {for: 1h}}}, timeout: 100ms}}\n", "timeout", "a/p",
         "cancelled 0 1"},
        {HEAD "steps: {a: {parallel: {branches: {p: {wait: {for: 1h}}, q: {tool: flaky, in: "
              "{fail: 9}}}}}}\n",
         "error", "a/p", "cancelled 0 1"},
        {HEAD "budget: {wall: 100ms}\nsteps: {a: {wait: {for: 1h}}}\n", "timeout", "a",
         "cancelled 0 1"},
    };
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->stay = true;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        run_bench_run(b, cases[i].text, NULL);
        assert_string_equal(b->status, cases[i].status);
        run_bench_step(b, cases[i].path, &step);
        assert_string_equal(str_cstr(&step), cases[i].step);
    }
    assert_string_equal(b->error, "the wall budget of 100ms is used up");
    str_deinit(&step);
}

static void a_timeout_around_a_question_counts_while_the_run_waits(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    run_bench_run(b,
                  HEAD "steps: {a: {do: {ask: {" ASK "}}, t: {tool: flaky, in: {fail: 0}}}, "
                       "timeout: 300ms}}\n",
                  NULL);
    assert_string_equal(b->status, "waiting");
    assert_in_range(b->result.next_due_ms, now() - 300, now() + 300);
    sleep_ms(310);
    run_bench_resume(b, false);
    assert_string_equal(b->status, "timeout");
    run_bench_step(b, "a/ask", &step);
    assert_string_equal(str_cstr(&step), "cancelled 0 2");
    assert_int_equal(run_bench_effects(b, "flaky"), 0);
    str_deinit(&step);
}

/* ---- staying */

static const char both[] =
    HEAD "steps: {a: {parallel: {branches: {w: {wait: {for: 100ms}}, ask: {" ASK "}}}}}}\n";

static void who_stays_for_waits_leaves_a_question(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->stay_for_waits = true;
    run_bench_run(b, both, NULL);
    assert_string_equal(b->status, "waiting");
    assert_true(b->result.next_due_ms > now() + (int64_t)6 * 24 * 3600 * 1000);
    run_bench_step(b, "a/w", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    str_deinit(&step);
}

static struct runner_open seen;

static void look_and_leave(struct run_bench *b)
{
    runner_look(b->runner, &seen);
    runner_suspend(b->runner);
}

static void who_stays_can_see_what_is_open_and_leave(void **state)
{
    struct run_bench *b = *state;

    b->stay = true;
    b->while_running = look_and_leave;
    run_bench_run(b,
                  HEAD "agents: {a: {}}\nsteps: {a: {parallel: {branches: {w: {wait: {for: 1h}}, "
                       "ask: {" ASK "}}, x: {agent: a, in: {say: 1, ms: 600}},\n"
                       "  y: {tool: flaky, in: {fail: 1}, retry: {max: 1}}}}}}\n",
                  NULL);
    assert_int_equal(seen.n_working, 2); /* the agent, and the retry to come */
    assert_int_equal(seen.n_waits, 1);
    assert_int_equal(seen.n_questions, 1);
    assert_int_equal(seen.n_unlimited, 0);
    assert_in_range(seen.next_due_ms, now() - 1000, now() + 500); /* the retry's */
    assert_string_equal(b->status, "waiting");                    /* once the work was done */
    assert_int_equal(run_bench_effects(b, "flaky"), 2);
}

/* ---- loops */

static void a_loop_whose_condition_never_held_is_exhausted(void **state)
{
    static const struct {
        const char *loop, *output;
    } cases[] = {
        {"{until: \"a > 5\", max: 3}", "[\"ok\",true,2]"},
        {"{until: \"a > 5\", max: 3, on_max: continue}", "[\"ok\",true,2]"},
        {"{until: \"a > 1\", max: 3}", "[\"ok\",false,2]"}, /* in the last round */
        {"{until: \"a > 0\", max: 3}", "[\"ok\",false,1]"},
        {"{max: 3}", "[\"ok\",false,2]"},
    };
    struct run_bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = STR_INIT;

        str_printf(&text,
                   HEAD "steps: {a: {loop: %s, value: \"${round}\"}}\n"
                        "output: [\"${state.a}\", \"${exhausted.a}\", \"${a}\"]\n",
                   cases[i].loop);
        run_bench_run(b, str_cstr(&text), NULL);
        assert_string_equal(b->status, "ok");
        assert_string_equal(b->output, cases[i].output);
        str_deinit(&text);
    }
}

/* What the journal has of a loop gives `exhausted` back. */
static void exhausted_and_waits_inside_a_blueprint_survive_a_resume(void **state)
{
    static const char inner[] =
        HEAD "steps:\n  try: {loop: {until: \"try > 5\", max: 2}, value: \"${round}\"}\n"
             "  pause: {wait: {for: 200ms}}\n"
             "  after: {tool: flaky, in: {fail: 0}}\n"
             "output: {gave_up: \"${exhausted.try}\", last: \"${try}\"}\n";
    struct run_bench *b = *state;

    blueprint_dir_write("inner.yaml", inner, strlen(inner));
    run_bench_run(b, HEAD "steps: {a: {blueprint: file://inner.yaml}}\n", NULL);
    assert_string_equal(b->status, "waiting");
    sleep_ms(210);
    run_bench_reopen(b);
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "{\"gave_up\":true,\"last\":1}");
    assert_int_equal(run_bench_effects(b, "flaky"), 1);
}

int main(void)
{
#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, run_bench_setup, run_bench_teardown)
    const struct CMUnitTest tests[] = {
        ON_BENCH(a_wait_passes_without_a_process),
        ON_BENCH(who_stays_for_waits_counts_from_the_first_start),
        ON_BENCH(an_interrupted_wait_goes_on),
        ON_BENCH(waits_end_with_what_is_around_them),
        ON_BENCH(a_timeout_around_a_question_counts_while_the_run_waits),
        ON_BENCH(who_stays_for_waits_leaves_a_question),
        ON_BENCH(who_stays_can_see_what_is_open_and_leave),
        ON_BENCH(a_loop_whose_condition_never_held_is_exhausted),
        ON_BENCH(exhausted_and_waits_inside_a_blueprint_survive_a_resume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
