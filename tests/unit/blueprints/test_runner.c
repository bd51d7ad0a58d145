/* test_runner.c - each kind of step, and what retries, time-outs, budgets and failures do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"
#include "tests/unit/blueprints/run_bench.h"

#define HEAD   "schema: blueprint/v1\n"
#define AGENTS "agents: {a: {}}\n"

struct run_case {
    const char *text, *inputs, *status, *output, *error;
};

/* "..." at the beginning of `expected` matches any text. */
static bool is_error(const char *got, const char *expected)
{
    size_t n = strlen(got), end = strlen(expected);

    if (strncmp(expected, "...", 3) != 0)
        return strcmp(got, expected) == 0;
    return n >= end - 3 && strcmp(got + n - (end - 3), expected + 3) == 0;
}

static void check(struct run_bench *b, const struct run_case *c)
{
    run_bench_run(b, c->text, c->inputs);
    if (strcmp(b->status, c->status) != 0)
        fail_msg("%s\nended %s (%s), not %s", c->text, b->status, b->error, c->status);
    if (c->output && (!b->output || strcmp(b->output, c->output) != 0))
        fail_msg("%s\ngave %s, not %s", c->text, b->output ? b->output : "nothing", c->output);
    if (c->error && !is_error(b->error, c->error))
        fail_msg("%s\nsaid \"%s\", not \"%s\"", c->text, b->error, c->error);
}

static const struct run_case kinds[] = {
    {HEAD "steps: {a: {value: 1}}\n", NULL, "ok", "1", NULL},
    {HEAD "inputs: {n: {type: integer, default: 2}}\n"
          "steps: {a: {value: \"${inputs.n + 1}\"}, b: {value: {x: \"${a}\", y: [\"${a * 2}\"]}}}\n"
          "output: \"${b.y[0] + b.x}\"\n",
     "{\"n\":4}", "ok", "15", NULL},
    {HEAD "steps: {a: {tool: echo, in: {text: hi}}}\noutput: \"${state.a}\"\n", NULL, "ok",
     "\"ok\"", NULL},
    {HEAD AGENTS "steps: {a: {agent: a, in: {say: [1, 2]}}}\n", NULL, "ok", "[1,2]", NULL},
    {HEAD AGENTS "steps: {a: {agent: a, env: {name: ledger, horizon: 3, noise: 0.25}}}\n"
                 "output: \"${a.verdict}\"\n",
     NULL, "ok", "{\"horizon\":3,\"seed\":7,\"noise\":0.25,\"success\":true}", NULL},
    {HEAD AGENTS "steps: {a: {map: 3, agent: a, env: {name: ledger}}}\n"
                 "output: [\"${a[0].verdict.seed}\", \"${a[2].verdict.seed}\"]\n",
     NULL, "ok", "[7,9]", NULL},
    {HEAD "steps: {a: {map: [x, y], value: \"${item}!\"}}\n", NULL, "ok", "[\"x!\",\"y!\"]", NULL},
    {HEAD "steps: {a: {map: 0, value: 1}}\n", NULL, "ok", "[]", NULL},
    {HEAD "steps: {a: {map: [x, y], value: \"${string(index) + item}\"}}\n", NULL, "ok",
     "[\"0x\",\"1y\"]", NULL},
    {HEAD "steps: {a: {map: 2, do: {b: {map: [x, y], value: \"${index}\"}, "
          "c: {value: [\"${index}\", \"${b}\"]}}}}\n",
     NULL, "ok", "[[0,[0,1]],[1,[0,1]]]", NULL},
    {HEAD "steps: {a: {map: [[1, 2], [3]], do: {b: {map: \"${item}\", value: \"${item * 10}\"}, "
          "c: {value: \"${size(b)}\"}}}}\n",
     NULL, "ok", "[2,1]", NULL},
    {HEAD "steps: {a: {loop: {until: \"a >= 4\", max: 10}, value: \"${a == null ? 1 : a * 2}\"}}\n",
     NULL, "ok", "4", NULL},
    {HEAD "steps: {a: {loop: {max: 3}, value: \"${round}\"}}\n", NULL, "ok", "2", NULL},
    {HEAD "inputs: {t: {type: string, default: \"2001-02-03T04:05:06.5+01:00\"}}\n"
          "steps: {a: {wait: {until: \"${inputs.t}\"}}}\n",
     NULL, "ok", "\"2001-02-03T03:05:06.500Z\"", NULL},
    {HEAD "steps: {a: {loop: {until: \"${round == 1}\", max: 9}, do: {b: {value: 5}, "
          "c: {value: \"${b + round}\"}}}}\n",
     NULL, "ok", "6", NULL},
    {HEAD "steps: {a: {if: {cond: \"1 < 2\", then: {b: {value: yes}}, else: {c: {value: no}}}}}\n",
     NULL, "ok", "\"yes\"", NULL},
    {HEAD "steps: {a: {if: {cond: \"1 > 2\", then: {b: {value: yes}}, else: {c: {value: no}}}}}\n",
     NULL, "ok", "\"no\"", NULL},
    {HEAD "steps: {a: {if: {cond: \"false\", then: {b: {value: yes}}}}}\n", NULL, "ok", "null",
     NULL},
    {HEAD "steps: {a: {parallel: {branches: {x: {value: 1}, y: {do: {p: {value: 2}, q: {value: "
          "\"${p + 1}\"}}}}}}}\n",
     NULL, "ok", "{\"x\":1,\"y\":3}", NULL},
    {HEAD "steps: {a: {do: {b: {value: 1}, c: {value: \"${b}\"}}}, d: {value: \"${a}\"}}\n", NULL,
     "ok", "1", NULL},
};

#define RECALL "inputs: {h: {type: array}}\n" AGENTS "steps: {a: {agent: a, in: {recall: true}"

static const struct run_case histories[] = {
    {HEAD RECALL ", history: \"${inputs.h}\"}}\n",
     "{\"h\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"\"}]}",
     "ok", "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"\"}]",
     NULL},
    {HEAD RECALL ", history: [{role: user, content: \"${string(1 + 1)}\"}]}}\n", NULL, "ok",
     "[{\"role\":\"user\",\"content\":\"2\"}]", NULL},
    {HEAD RECALL ", history: \"${inputs.h}\"}}\n", "{\"h\":[]}", "ok", "[]", NULL},
    {HEAD RECALL ", history: \"${inputs.h}\"}}\n", NULL, "ok", "\"none\"", NULL}, /* null */
    {HEAD RECALL ", history: null}}\n", NULL, "ok", "\"none\"", NULL},
    {HEAD RECALL "}}\n", NULL, "ok", "\"none\"", NULL},
    {HEAD RECALL ", history: \"${'x' + 'y'}\"}}\n", NULL, "error", NULL,
     "...`history` must be a list of messages, not a value of type string"},
    {HEAD RECALL ", history: \"${inputs.h}\"}}\n",
     "{\"h\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"system\",\"content\":\"x\"}]}",
     "error", NULL,
     "...`history`: item 1 is not a message {role: user or assistant, content: TEXT}"},
    {HEAD RECALL ", history: \"${inputs.h}\"}}\n", "{\"h\":[{\"role\":\"user\",\"content\":[]}]}",
     "error", NULL,
     "...`history`: item 0 is not a message {role: user or assistant, content: TEXT}"},
    {HEAD RECALL ", history: \"${inputs.h}\"}}\n",
     "{\"h\":[{\"role\":\"user\",\"content\":\"\",\"name\":\"x\"}]}", "error", NULL,
     "...`history`: item 0 is not a message {role: user or assistant, content: TEXT}"},
};

static void an_agent_gets_the_history_of_its_step(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(histories); i++)
        check(*state, &histories[i]);
}

static void every_kind_of_step_gives_its_value(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        check(*state, &kinds[i]);
}

static void a_blueprint_inside_has_names_of_its_own(void **state)
{
    static const char inner[] =
        HEAD "inputs: {x: {type: integer, required: true}, y: {type: string, default: z}}\n" AGENTS
             "steps: {a: {agent: a, in: {say: \"${inputs.x * 2}\"}}}\n"
             "output: {twice: \"${a}\", y: \"${inputs.y}\"}\n";
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    blueprint_dir_write("inner.yaml", inner, strlen(inner));
    check(b, &(struct run_case){HEAD "steps: {a: {blueprint: file://inner.yaml, in: {x: 21}}}\n",
                                NULL, "ok", "{\"twice\":42,\"y\":\"z\"}", NULL});
    run_bench_step(b, "a/a", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    check(b, &(struct run_case){
                 HEAD "steps: {a: {blueprint: file://inner.yaml, in: {x: \"${'t'}\"}}}\n", NULL,
                 "error", NULL, "a: input `x` is of type integer, got string"});
    str_deinit(&step);
}

static const struct run_case failures[] = {
    {HEAD "steps: {a: {tool: flaky, in: {fail: 9}}, b: {value: 1}}\n", NULL, "error", NULL,
     "a: not yet"},
    {HEAD "steps: {a: {tool: calculator, in: \"${parse_json('{}')}\"}}\n", NULL, "error", NULL,
     NULL},
    {HEAD AGENTS "steps: {a: {agent: a, in: {fail: 1}}}\n", NULL, "error", NULL,
     "a: failed as requested"},
    {HEAD AGENTS "steps: {a: {do: {b: {map: 2, agent: a, in: {fail: 1}}}}}\n", NULL, "error", NULL,
     "a/b[0]: failed as requested"},
    {HEAD "steps: {a: {value: \"${{}.x}\"}}\n", NULL, "error", NULL, NULL},
    {HEAD
     "steps: {a: {value: \"${parse_json('1')}\"}, b: {if: {cond: a, then: {c: {value: 1}}}}}\n",
     NULL, "error", NULL, NULL},
    {HEAD "steps: {a: {map: \"${'abc'}\", value: 1}}\n", NULL, "error", NULL, NULL},
    {HEAD "steps: {a: {map: \"${100001}\", value: 1}}\n", NULL, "error", NULL, NULL},
    {HEAD "steps: {a: {loop: {until: \"a > 5\", max: 3, on_max: fail}, value: \"${round}\"}}\n",
     NULL, "error", NULL, "a: `until` did not hold in 3 rounds"},
    {HEAD "steps: {a: {value: soon}, b: {wait: {until: \"${a}\"}}}\n", NULL, "error", NULL, NULL},
    /* A failure that is taken by name. */
    {HEAD "steps: {a: {tool: flaky, in: {fail: 9}, on_error: continue}}\n", NULL, "ok",
     "{\"status\":\"error\",\"error\":\"not yet\"}", NULL},
    {HEAD "steps:\n  a: {tool: flaky, in: {fail: 9}, on_error: continue}\n"
          "  b: {if: {cond: \"state.a == 'error'\", then: {c: {value: \"got ${a.error}\"}}}}\n",
     NULL, "ok", "\"got not yet\"", NULL},
    {HEAD "steps: {a: {map: [0, 9, 0], max_parallel: 1, tool: flaky, in: {fail: \"${item}\"}, "
          "on_error: continue}}\noutput: \"${a[1].status}\"\n",
     NULL, "ok", "\"error\"", NULL},
    {HEAD "steps: {a: {value: \"${1 / 0}\", on_error: continue}}\noutput: \"${state.a}\"\n", NULL,
     "ok", "\"error\"", NULL},
    {HEAD "steps: {a: {value: 1}}\noutput: \"${a.b}\"\n", NULL, "error", NULL, NULL},
};

static void a_failed_step_never_reads_as_done(void **state)
{
    struct run_bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        b->n_flaky = 0;
        check(b, &failures[i]);
        if (strcmp(failures[i].status, "error") == 0)
            assert_null(b->output);
    }
}

static void the_first_failure_stops_the_others(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    check(b, &(struct run_case){HEAD AGENTS "steps:\n  a:\n    parallel:\n      branches:\n"
                                            "        x: {agent: a, in: {hang: true}}\n"
                                            "        y: {agent: a, in: {fail: 1, ms: 20}}\n"
                                            "        z: {do: {p: {agent: a, in: {hang: true}}}}\n"
                                            "  b: {value: 1}\n",
                                NULL, "error", NULL, "a/y: failed as requested"});
    run_bench_step(b, "a/x", &step);
    assert_string_equal(str_cstr(&step), "cancelled 0 1");
    run_bench_step(b, "a/z/p", &step);
    assert_string_equal(str_cstr(&step), "cancelled 0 1");
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "error 0 1");
    run_bench_step(b, "b", &step);
    assert_string_equal(str_cstr(&step), "none");
    str_deinit(&step);
}

static void a_map_keeps_to_its_limit_and_its_order(void **state)
{
    struct run_bench *b = *state;

    check(b,
          &(struct run_case){HEAD AGENTS "steps: {a: {map: 9, max_parallel: 3, agent: a, in: {say: "
                                         "\"${item}\", ms: \"${(9 - item) * 2}\"}}}\n",
                             NULL, "ok", "[0,1,2,3,4,5,6,7,8]", NULL});
    assert_int_equal(b->most_active, 3);
}

static void a_retried_step_has_its_attempt_in_the_paths_below(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    check(b, &(struct run_case){
                 HEAD AGENTS "steps:\n"
                             "  a: {agent: a, in: {fail: 1, say: 1}, retry: {max: 2, backoff: 1}}\n"
                             "  b: {do: {c: {tool: flaky, in: {fail: 1}}}, retry: {max: 1}}\n",
                 NULL, "ok", "2", NULL});
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "ok 1 1");
    assert_int_equal(run_bench_effects(b, "agent a"), 2);
    assert_int_equal(run_bench_effects(b, "agent a@1"), 1);
    run_bench_step(b, "b", &step);
    assert_string_equal(str_cstr(&step), "ok 1 1");
    run_bench_step(b, "b/c", &step);
    assert_string_equal(str_cstr(&step), "error 0 1");
    run_bench_step(b, "b@1/c", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    str_deinit(&step);
}

static void retries_are_counted(void **state)
{
    struct run_bench *b = *state;

    check(b, &(struct run_case){
                 HEAD "steps: {a: {tool: flaky, in: {fail: 5}, retry: {max: 1, backoff: 1}}}\n",
                 NULL, "error", NULL, "a: not yet"});
    assert_int_equal(run_bench_effects(b, "flaky a"), 2);
}

static void nor_is_it_tried_again_after_a_resume(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    run_bench_run(b,
                  HEAD "steps:\n  both:\n    parallel:\n      branches:\n"
                       "        a: {tool: echo, in: {text: \"${5}\"}, retry: {max: 3, backoff: 1}, "
                       "on_error: continue}\n"
                       "        d: {do: {t: {tool: flaky, in: \"${[1]}\"}}, retry: {max: 3, "
                       "backoff: 1}, on_error: continue}\n"
                       "        ask: {human: {prompt: go, options: [yes]}}\n",
                  NULL);
    assert_string_equal(b->status, "waiting");
    for (int i = 0; i < 2; i++) {
        run_bench_step(b, "both/a", &step);
        assert_string_equal(str_cstr(&step), "error 0 1");
        run_bench_step(b, "both/d", &step);
        assert_string_equal(str_cstr(&step), "error 0 1");
        run_bench_resume(b, false);
        assert_string_equal(b->status, "waiting");
    }
    str_deinit(&step);
}

static const struct run_case timeouts[] = {
    {HEAD "steps: {a: {tool: slow, timeout: 30ms}}\n", NULL, "timeout", NULL,
     "a: the step ran out of time"},
    {HEAD AGENTS "steps: {a: {agent: a, in: {hang: true}, timeout: 30ms}}\n", NULL, "timeout", NULL,
     "a: the step ran out of time"},
    {HEAD AGENTS "steps: {a: {do: {b: {map: 3, agent: a, in: {hang: true}}}, timeout: 30ms}}\n",
     NULL, "timeout", NULL, "a: the step ran out of time"},
    {HEAD "budget: {wall: 30ms}\nsteps: {a: {tool: slow}}\n", NULL, "timeout", NULL, NULL},
    {HEAD "steps: {a: {tool: slow, budget: {wall: 30ms}}}\n", NULL, "timeout", NULL, NULL},
    {HEAD "steps: {a: {tool: slow, timeout: 30ms, on_error: continue}}\noutput: \"${state.a}\"\n",
     NULL, "ok", "\"timeout\"", NULL},
    /* A tool that cannot be cancelled is left behind. */
    {HEAD "steps: {a: {tool: blind, in: {late: true}, effect: read, timeout: 30ms}}\n", NULL,
     "timeout", NULL, "a: the step ran out of time"},
};

static void a_step_ends_when_its_time_is_over(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(timeouts); i++)
        check(*state, &timeouts[i]);
}

static void a_timeout_is_tried_again_as_the_effect_allows(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    check(b, &(struct run_case){HEAD "steps: {a: {tool: slow, timeout: 20ms, retry: {max: 1, "
                                     "backoff: 1}}}\n",
                                NULL, "timeout", NULL, NULL});
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "timeout 1 1");
    /* idempotent: under the same key */
    check(b, &(struct run_case){HEAD "steps: {a: {tool: slow_send, timeout: 20ms, retry: {max: 1, "
                                     "backoff: 1}}}\n",
                                NULL, "timeout", NULL, NULL});
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "timeout 0 2");
    str_deinit(&step);
}

/* What the same arguments can never change is tried once; what may pass is tried again. */
static void only_what_can_change_is_tried_again(void **state)
{
    static const char *const cases[][2] = {
        {"steps: {a: {tool: flaky, in: \"${[1]}\", retry: {max: 3, backoff: 1}}}\n", "error 0 1"},
        {"steps: {a: {tool: calculator, in: {expression: \"1 / 0\"}, retry: {max: 3, backoff: "
         "1}}}\n",
         "error 0 1"},
        {"steps: {a: {tool: flaky, in: {fail: 9}, retry: {max: 1, backoff: 1}}}\n", "error 1 1"},
        /* what is around it */
        {"steps: {a: {do: {v: {value: 1}, t: {tool: flaky, in: \"${[v]}\"}}, retry: {max: 1}}}\n",
         "error 0 1"},
        {"steps: {a: {if: {cond: \"${true}\", then: {l: {loop: {max: 2}, do: {t: {tool: flaky, in: "
         "\"${[1]}\"}}}}}, retry: {max: 1}}}\n",
         "error 0 1"},
        {"steps: {a: {parallel: {branches: {e: {tool: echo, in: {text: x}}, m: {map: 2, value: "
         "\"${1 / index}\"}}}, retry: {max: 1, backoff: 1}}}\n",
         "error 0 1"},
        {"steps: {a: {do: {l: {loop: {max: 2, until: \"${l > 9}\", on_max: fail}, value: "
         "\"${round}\"}}, retry: {max: 1}}}\n",
         "error 0 1"},
        /* what came before it may come out otherwise */
        {"steps: {a: {do: {e: {tool: echo, in: {text: x}}, t: {tool: flaky, in: \"${[e]}\"}}, "
         "retry: {max: 1, backoff: 1}}}\n",
         "error 1 1"},
        {"steps: {a: {do: {l: {loop: {max: 2, until: \"${false}\", on_max: fail}, tool: echo, in: "
         "{text: x}}}, retry: {max: 1, backoff: 1}}}\n",
         "error 1 1"},
    };
    struct run_bench *b = *state;
    struct str step = STR_INIT, text = STR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&text);
        str_puts(&text, HEAD);
        str_puts(&text, cases[i][0]);
        check(b, &(struct run_case){str_cstr(&text), NULL, "error", NULL, NULL});
        run_bench_step(b, "a", &step);
        assert_string_equal(str_cstr(&step), cases[i][1]);
    }
    str_deinit(&step);
    str_deinit(&text);
}

static void a_once_call_whose_time_is_over_asks(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    /* Its tool knows. */
    check(b, &(struct run_case){HEAD "steps: {a: {tool: pay, in: {to: x, late: true}, timeout: "
                                     "20ms, retry: {max: 3}}}\n",
                                NULL, "ok", "\"x\"", NULL});
    assert_int_equal(run_bench_effects(b, "pay "), 1);
    /* Only a human can. */
    check(b, &(struct run_case){HEAD "steps: {a: {tool: blind, in: {to: x, late: true}, timeout: "
                                     "20ms}}\n",
                                NULL, "waiting", NULL, NULL});
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "waiting 0 1");
    run_bench_answer(b, "a", "\"done\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_int_equal(run_bench_effects(b, "blind "), 1);
    str_deinit(&step);
}

static const struct run_case budgets[] = {
    {HEAD AGENTS "budget: {tokens: 100}\n"
                 "steps: {a: {agent: a, in: {spend: 60}}, b: {agent: a, in: {spend: 60}}, "
                 "c: {agent: a, in: {spend: 1}}}\n",
     NULL, "budget", NULL, "c: the budget of 100 tokens is used up"},
    {HEAD AGENTS "budget: {tokens: 100}\n"
                 "steps: {a: {agent: a, in: {spend: 100}}, b: {value: 1}}\n",
     NULL, "ok", "1", NULL},
    {HEAD "budget: {calls: 2}\nsteps: {a: {map: 5, max_parallel: 1, tool: echo, in: {text: x}}}\n",
     NULL, "budget", NULL, "a[2]: the budget of 2 tool calls is used up"},
    {HEAD "steps: {a: {do: {b: {map: 5, max_parallel: 1, tool: echo, in: {text: x}}}, budget: "
          "{steps: 3}, on_error: continue}, c: {tool: echo, in: {text: y}}}\n"
          "output: \"${state.a}\"\n",
     NULL, "ok", "\"budget\"", NULL},
    {HEAD AGENTS "budget: {tokens: 1000}\nsteps: {a: {do: {b: {map: 3, max_parallel: 1, agent: a, "
                 "in: {spend: 400}}}, budget: {tokens: 500}}}\n",
     NULL, "budget", NULL, "a/b[2]: the budget of 500 tokens is used up"},
    {HEAD AGENTS "budget: {cost: 0.5}\n"
                 "steps: {a: {agent: a, in: {pay: 300000000}}, b: {agent: a, in: {pay: "
                 "300000000}}}\n",
     NULL, "budget", NULL,
     "b: the budget of 0.5 dollars is used up: 0.3 are spent or reserved, and the next model call "
     "may cost 0.3"},
    {HEAD AGENTS "budget: {cost: 1}\nsteps: {a: {do: {b: {map: 3, max_parallel: 1, agent: a, "
                 "in: {pay: 400000000}}}, budget: {cost: 0.9}}}\n",
     NULL, "budget", NULL,
     "a/b[2]: the budget of 0.9 dollars is used up: 0.8 are spent or reserved, and the next model "
     "call may cost 0.4"},
    {HEAD "agents: {a: {role: r, budget: {cost: 0.2}}}\n"
          "steps: {a: {agent: a, in: {pay: 150000000}}, b: {agent: a, in: {pay: 250000000}}}\n",
     NULL, "budget", NULL,
     "b: the budget of 0.2 dollars is used up: 0 are spent or reserved, and the next model call "
     "may cost 0.25"},
};

static void a_spent_budget_ends_the_step_that_wants_more(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++)
        check(*state, &budgets[i]);
}

static void what_was_spent_counts_after_a_resume(void **state)
{
    static const char *const texts[] = {
        HEAD AGENTS
        "budget: {tokens: 100}\nsteps: {a: {agent: a, in: {spend: 60}}, b: {agent: a, in: "
        "{spend: 60, ms: 300}}, c: {agent: a, in: {spend: 1}}}\n",
        HEAD AGENTS
        "steps: {x: {do: {a: {agent: a, in: {spend: 60}}, b: {agent: a, in: {spend: 60, "
        "ms: 300}}, c: {agent: a, in: {spend: 1}}}, budget: {tokens: 100}}}\n"};
    struct run_bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        b->stop_after_ms = 60;
        b->stop_keep = true;
        run_bench_run(b, texts[i], NULL);
        assert_string_equal(b->status, "interrupted");
        b->stop_after_ms = 0;
        run_bench_resume(b, false);
        assert_string_equal(b->status, "budget");
        assert_non_null(strstr(b->error, "c: the budget of 100 tokens is used up"));
    }
}

static bool take_cost(void *ctx, const struct run_row *row)
{
    *(int64_t *)ctx = row->cost_nano;
    return false;
}

static int64_t cost_of(const struct run_bench *b)
{
    struct store_reader *q = NULL;
    struct error err = ERROR_INIT;
    int64_t nano = -1;

    assert_int_equal(store_reader_open(b->store, &q, &err), STATUS_OK);
    assert_int_equal(query_run(q, b->uuid, take_cost, &nano, &err), STATUS_OK);
    store_reader_close(q);
    return nano;
}

static void the_cost_of_a_run_is_in_its_row(void **state)
{
    struct run_bench *b = *state;

    run_bench_run(b,
                  HEAD AGENTS "steps: {a: {agent: a, in: {pay: 1500, spend: 1}}, b: {agent: a, "
                              "in: {pay: 2}}}\n",
                  NULL);
    assert_string_equal(b->status, "ok");
    assert_int_equal(cost_of(b), 1502);
    /* one that is not known makes the sum not known */
    run_bench_run(b,
                  HEAD AGENTS "steps: {a: {agent: a, in: {pay: 1500}}, b: {agent: a, in: {pay: "
                              "-1, spend: 1}}}\n",
                  NULL);
    assert_int_equal(cost_of(b), 0);
    /* after a resume it goes on */
    b->stop_after_ms = 60;
    b->stop_keep = true;
    run_bench_run(b,
                  HEAD AGENTS "budget: {cost: 1}\nsteps: {a: {agent: a, in: {pay: 600000000}}, "
                              "b: {agent: a, in: {ms: 300}}, c: {agent: a, in: {pay: "
                              "600000000}}}\n",
                  NULL);
    assert_string_equal(b->status, "interrupted");
    b->stop_after_ms = 0;
    run_bench_resume(b, false);
    assert_string_equal(b->status, "budget");
    assert_non_null(strstr(b->error, "c: the budget of 1 dollars"));
    assert_int_equal(cost_of(b), 600000000);
}

static void fill_the_disk(struct run_bench *b)
{
    atomic_store(&b->full, 1);
}

static void a_full_disk_ends_the_work_and_loses_nothing(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->while_running = fill_the_disk;
    run_bench_run(b,
                  HEAD AGENTS
                  "steps: {a: {agent: a, in: {say: 1}}, b: {loop: {max: 100}, agent: a, "
                  "in: {say: \"${round}\", ms: 50}}}\n",
                  NULL);
    assert_string_equal(b->status, "interrupted");
    assert_int_equal(b->result.err.status, STATUS_DISK_FULL);
    assert_true(run_bench_effects(b, "agent b") < 50); /* it did not work on for nothing */
    atomic_store(&b->full, 0);
    b->while_running = NULL;
    run_bench_reopen(b);
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    str_deinit(&step);
}

static void a_run_has_a_greatest_number_of_steps(void **state)
{
    struct run_bench *b = *state;

    b->max_steps = 50;
    check(b,
          &(struct run_case){HEAD "steps: {a: {loop: {max: 10}, do: {b: {map: 10, value: 1}}}}\n",
                             NULL, "error", NULL, NULL});
    assert_non_null(strstr(b->error, "the run has more than 50 steps"));
}

static void values_do_not_grow_without_bound(void **state)
{
    static const struct run_case cases[] = {
        {HEAD "steps: {a: {loop: {max: 70}, value: [\"${a}\"]}}\n", NULL, "error", NULL, NULL},
        {HEAD "steps: {a: {loop: {max: 40}, value: [\"${a}\", \"${a}\"]}}\n", NULL, "error", NULL,
         NULL},
        {HEAD "steps: {a: {loop: {max: 40}, value: \"${a == null ? 'xx' : a + a}\"}}\n", NULL,
         "error", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(*state, &cases[i]);
}

static void a_cancelled_run_records_what_it_cancelled(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->stop_after_ms = 50;
    check(b, &(struct run_case){HEAD AGENTS
                                "steps: {a: {map: 2, agent: a, in: {hang: true}}, b: {value: 1}}\n",
                                NULL, "cancelled", NULL, NULL});
    run_bench_step(b, "a[1]", &step);
    assert_string_equal(str_cstr(&step), "cancelled 0 1");
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "cancelled 0 1");
    str_deinit(&step);
}

static void end_its_time(struct run_bench *b)
{
    runner_time_out(b->runner, "time limit of 5 s reached");
    runner_time_out(b->runner, "again");
    runner_cancel(b->runner); /* too late to be what ends it */
}

static void the_time_of_the_run_is_over_in_the_words_of_who_says_so(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->while_running = end_its_time;
    check(b, &(struct run_case){HEAD AGENTS "steps: {a: {agent: a, in: {hang: true}}}\n", NULL,
                                "timeout", NULL, "time limit of 5 s reached"});
    assert_int_equal(b->result.err.status, STATUS_TIMEOUT);
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "cancelled 0 1");
    str_deinit(&step);
    b->while_running = NULL;
}

static void cancel_elsewhere(struct run_bench *b)
{
    assert_int_equal(store_cancel(b->store, b->uuid, NULL), STATUS_OK);
}

static void another_process_may_cancel(void **state)
{
    struct run_bench *b = *state;

    b->while_running = cancel_elsewhere;
    check(b, &(struct run_case){HEAD "steps: {a: {tool: slow}}\n", NULL, "cancelled", NULL, NULL});
}

static void an_interrupted_run_goes_on_where_it_was(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    b->stop_after_ms = 60;
    b->stop_keep = true;
    check(b,
          &(struct run_case){HEAD AGENTS "steps: {a: {agent: a, in: {say: 1}}, b: {agent: a, in: "
                                         "{say: 2, ms: 300}}}\noutput: [\"${a}\", \"${b}\"]\n",
                             NULL, "interrupted", NULL, NULL});
    run_bench_step(b, "b", &step);
    assert_string_equal(str_cstr(&step), "started 0 1");
    b->stop_after_ms = 0;
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output, "[1,2]");
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "ok 0 1");
    run_bench_step(b, "b", &step);
    assert_string_equal(str_cstr(&step), "ok 0 2");
    str_deinit(&step);
}

static void a_changed_blueprint_is_refused(void **state)
{
    static const char changed[] = HEAD AGENTS "steps: {a: {agent: a, in: {say: 9}}, b: {agent: a, "
                                              "in: {say: 2}}}\n";
    struct run_bench *b = *state;

    b->stop_after_ms = 60;
    b->stop_keep = true;
    check(b,
          &(struct run_case){HEAD AGENTS "steps: {a: {agent: a, in: {say: 1}}, b: {agent: a, in: "
                                         "{say: 2, ms: 300}}}\n",
                             NULL, "interrupted", NULL, NULL});
    b->stop_after_ms = 0;
    blueprint_dir_write("main.yaml", changed, strlen(changed));
    run_bench_resume(b, true);
    assert_string_equal(b->status, "error");
    assert_int_equal(b->result.err.status, STATUS_CONFIG);
    assert_non_null(strstr(b->error, "step `a` ("));
    assert_non_null(strstr(b->error, "was begun with other inputs than it has now"));
    /* Its steps are as they were: with the stored plan it ends well. */
    b->has_ended = true;
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
}

/* An agent whose record does not fit what comes out now: the run ends, and its steps are as they
 * were. */
static void a_record_that_does_not_fit_changes_no_step(void **state)
{
    struct run_bench *b = *state;
    struct str step = STR_INIT;

    check(b, &(struct run_case){HEAD AGENTS "steps: {a: {agent: a, in: {say: 1, misfit: true}, "
                                            "retry: {max: 2}, on_error: continue}}\n",
                                NULL, "error", NULL, "not as it was recorded"});
    assert_int_equal(b->result.err.status, STATUS_CONFIG);
    assert_non_null(strstr(b->result.err.hint, " --from-failed --redo a`"));
    run_bench_step(b, "a", &step);
    assert_string_equal(str_cstr(&step), "started 0 1");
    str_deinit(&step);
    run_bench_note(b, "fits");
    b->has_ended = true;
    run_bench_resume(b, false);
    assert_string_equal(b->status, "ok");
}

static void what_is_missing_fails_before_the_first_step(void **state)
{
    static const struct run_case cases[] = {
        {HEAD "inputs: {x: {type: integer, required: true}}\nsteps: {a: {value: 1}}\n", NULL,
         "usage", NULL, "input `x` (integer) is missing"},
        {HEAD "agents: {a: {model: ./none}}\nsteps: {a: {agent: a}}\n", NULL, "not_found", NULL,
         "no model ./none"},
        {HEAD "steps: {a: {tool: sent}}\n", NULL, "config", NULL, NULL},
        /* What already happened would happen again under another key. */
        {HEAD "steps: {a: {do: {b: {tool: send, in: {to: x}}}, retry: {max: 1}}}\n", NULL, "config",
         NULL, NULL},
        {HEAD "steps: {a: {do: {b: {tool: send, in: {to: x}}}, retry: {max: 1}, effect: read}}\n",
         NULL, "ok", "\"x\"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(*state, &cases[i]);
}

static void progress_is_told_in_order(void **state)
{
    struct run_bench *b = *state;

    b->trace = true;
    check(b,
          &(struct run_case){HEAD "steps: {a: {do: {b: {value: 1}}}, c: {tool: flaky, in: {fail: "
                                  "9}, on_error: continue}}\n",
                             NULL, "ok", NULL, NULL});
    assert_string_equal(str_cstr(&b->steps), "a do started\na/b value started\na/b value ok\n"
                                             "a do ok\nc tool started\nc tool error\n");
}

int main(void)
{
#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, run_bench_setup, run_bench_teardown)
    const struct CMUnitTest tests[] = {
        ON_BENCH(every_kind_of_step_gives_its_value),
        ON_BENCH(an_agent_gets_the_history_of_its_step),
        ON_BENCH(a_blueprint_inside_has_names_of_its_own),
        ON_BENCH(a_failed_step_never_reads_as_done),
        ON_BENCH(the_first_failure_stops_the_others),
        ON_BENCH(a_map_keeps_to_its_limit_and_its_order),
        ON_BENCH(a_retried_step_has_its_attempt_in_the_paths_below),
        ON_BENCH(retries_are_counted),
        ON_BENCH(nor_is_it_tried_again_after_a_resume),
        ON_BENCH(a_step_ends_when_its_time_is_over),
        ON_BENCH(a_timeout_is_tried_again_as_the_effect_allows),
        ON_BENCH(only_what_can_change_is_tried_again),
        ON_BENCH(a_once_call_whose_time_is_over_asks),
        ON_BENCH(a_spent_budget_ends_the_step_that_wants_more),
        ON_BENCH(what_was_spent_counts_after_a_resume),
        ON_BENCH(the_cost_of_a_run_is_in_its_row),
        ON_BENCH(a_full_disk_ends_the_work_and_loses_nothing),
        ON_BENCH(a_run_has_a_greatest_number_of_steps),
        ON_BENCH(values_do_not_grow_without_bound),
        ON_BENCH(a_cancelled_run_records_what_it_cancelled),
        ON_BENCH(the_time_of_the_run_is_over_in_the_words_of_who_says_so),
        ON_BENCH(another_process_may_cancel),
        ON_BENCH(an_interrupted_run_goes_on_where_it_was),
        ON_BENCH(a_changed_blueprint_is_refused),
        ON_BENCH(a_record_that_does_not_fit_changes_no_step),
        ON_BENCH(what_is_missing_fails_before_the_first_step),
        ON_BENCH(progress_is_told_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
