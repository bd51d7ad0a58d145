/* test_plan.c - blueprints that are read, and what is said of those that are not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"

static int make_folder(void **state)
{
    (void)state;
    blueprint_dir_make();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    blueprint_dir_remove();
    return 0;
}

static enum status load(const char *text, struct plan **out, struct error *err)
{
    return blueprint_load(blueprint_dir_write("main.yaml", text, strlen(text)), out, err);
}

#define HEAD  "schema: blueprint/v1\n"
#define AGENT "agents: {planner: {}}\n"

static const char whole[] = HEAD
    "inputs:\n"
    "  topic: {type: string, required: true, description: what about}\n"
    "  n: {type: integer, default: 4}\n"
    "models: {small: embedded, judge: \"http://localhost:8000/v1#qwen3\"}\n"
    "agents:\n"
    "  planner: {role: plan, model: small, prompt: file://planner.md, tools: [echo, calculator],\n"
    "    budget: {steps: 12, wall: 90s}, temperature: 0.5, max_tokens: 64}\n"
    "  writer: {model: judge}\n"
    "budget: {tokens: 200000, steps: 60, wall: 10m}\n"
    "steps:\n"
    "  plan: {agent: planner, in: {topic: \"${inputs.topic}\"}, schema: file://plan.json}\n"
    "  approve: {human: {prompt: \"Run ${plan}?\", options: [yes, edit, no], timeout: 24h, "
    "on_timeout: no}}\n"
    "  research: {map: \"${plan.queries}\", max_parallel: 4, agent: writer, in: {q: "
    "\"${item}\"}, retry: {max: 3, backoff: 2}, timeout: 60s, effect: read}\n"
    "  gaps: {loop: {until: \"size(gaps.missing) == 0\", max: 2}, agent: planner}\n"
    "  both:\n"
    "    parallel:\n"
    "      branches:\n"
    "        left: {value: [1, \"${inputs.n}\"]}\n"
    "        right: {do: {one: {value: 1}, two: {value: \"${one + 1}\"}}}\n"
    "  choose:\n"
    "    if:\n"
    "      cond: size(research) > 1 && state.gaps == 'ok'\n"
    "      then: {big: {value: big}}\n"
    "      else: {small: {value: \"${both.right}\"}}\n"
    "  deep: {blueprint: file://sub/inner.yaml, in: {x: \"${inputs.n}\"}}\n"
    "  play: {agent: planner, env: {name: ledger, horizon: \"${inputs.n}\", noise: 0.1, seed: 5}}\n"
    "  verify: {tool: echo, in: {text: \"${research}\"}, on_error: continue}\n"
    "output: \"${verify}\"\n";

static void write_parts(void)
{
    static const char inner[] = HEAD "inputs: {x: {type: integer, required: true}}\n"
                                     "steps: {y: {value: \"${inputs.x * 2}\"}}\n";

    blueprint_dir_write("planner.md", "You plan.\n", 10);
    blueprint_dir_write("plan.json", "{\"type\": \"object\"}", 18);
    blueprint_dir_write("sub/inner.yaml", inner, strlen(inner));
}

static void check_whole(const struct plan *p)
{
    const struct plan_step *s = p->step;

    assert_string_equal(p->name, "main");
    assert_int_equal(p->n_inputs, 2);
    assert_true(p->input[0].required);
    assert_int_equal(jv_get_int(p->input[1].otherwise, 0), 4);
    assert_int_equal(p->n_agents, 2);
    assert_string_equal(p->agent[0].prompt, "You plan.\n");
    assert_string_equal(plan_agent_model(p, &p->agent[0]), "embedded");
    assert_string_equal(plan_agent_model(p, &p->agent[1]), "http://localhost:8000/v1#qwen3");
    assert_int_equal(p->agent[0].n_tools, 2);
    assert_int_equal(p->agent[0].budget.wall_ms, 90000);
    assert_int_equal(p->budget.wall_ms, 600000);
    assert_int_equal(p->n_steps, 9);
    assert_int_equal(s[0].kind, PLAN_AGENT);
    assert_non_null(s[0].schema);
    assert_int_equal(s[1].kind, PLAN_HUMAN);
    assert_int_equal(s[1].timeout_ms, 24 * 3600 * 1000);
    assert_string_equal(jv_get_string(s[1].on_timeout, ""), "no");
    assert_int_equal(jv_size(s[1].reject), 1);
    assert_int_equal(s[2].kind, PLAN_MAP);
    assert_int_equal(s[2].max_parallel, 4);
    assert_int_equal(s[2].child->kind, PLAN_AGENT);
    assert_int_equal(s[2].child->retry.max, 3);
    assert_int_equal(s[2].child->timeout_ms, 60000);
    assert_int_equal(s[2].child->effect, EFFECT_READ);
    assert_int_equal(s[3].kind, PLAN_LOOP);
    assert_int_equal(s[3].max_rounds, 2);
    assert_int_equal(s[4].n_children, 2);
    assert_int_equal(s[4].child[1].n_children, 2);
    assert_int_equal(s[5].n_otherwise, 1);
    assert_string_equal(s[6].sub->name, "inner");
    assert_string_equal(s[7].env->name, "ledger");
    assert_string_equal(s[8].on_error, "continue");
    assert_int_equal(s[8].line, 28);
    assert_int_equal(s[8].column, 11);
}

static void a_whole_blueprint_is_read(void **state)
{
    struct plan *p = NULL;

    (void)state;
    write_parts();
    assert_ok(load(whole, &p, why));
    check_whole(p);
    plan_free(p);
}

static void the_effective_configuration_gives_the_same_plan(void **state)
{
    struct plan *p = NULL, *again = NULL;
    struct str moved = STR_INIT;

    (void)state;
    write_parts();
    assert_int_equal(load(whole, &p, NULL), STATUS_OK);
    /* Nothing is read from the disk any more. */
    blueprint_dir_path("planner.md", &moved);
    assert_int_equal(unlink(str_cstr(&moved)), 0);
    assert_int_equal(blueprint_from_effective(p->effective, &again, NULL), STATUS_OK);
    check_whole(again);
    assert_memory_equal(&p->hash, &again->hash, sizeof(p->hash));
    str_deinit(&moved);
    plan_free(p);
    plan_free(again);
}

struct bad {
    const char *text, *where, *message; /* the message's first line; "..." matches any end */
};

static bool is_message(const char *got, const char *expected)
{
    size_t n = strlen(expected);

    if (n > 3 && strcmp(expected + n - 3, "...") == 0)
        return strncmp(got, expected, n - 3) == 0;
    return strcmp(got, expected) == 0;
}

static const struct bad bad_files[] = {
    {"steps: {a: {value: 1}}\n", "1:1", "a blueprint must begin with `schema: blueprint/v1`"},
    {"schema: blueprint/v2\n", "1:9",
     "unknown schema \"blueprint/v2\"; this program reads blueprint/v1"},
    {"[1]\n", "1:1", "a blueprint must be a mapping of keys to values, got a list"},
    {HEAD "stepz: {}\n", "2:1",
     "unknown key \"stepz\"; did you mean \"steps\"? Allowed: schema, inputs, models, agents, "
     "budget, "
     "steps, output"},
    {HEAD "steps: {a: {value: 1}}\nsteps: {}\n", "3:1",
     "duplicate key \"steps\", first given on line 2"},
    {HEAD "steps:\n\ta: {value: 1}\n", "3:1",
     "a tab is used for indentation; YAML allows only spaces"},
    {HEAD, "1:1", "a blueprint needs `steps`"},
    {HEAD "steps: {}\n", "2:8", "a list of steps must not be empty"},
    {HEAD "steps: 5\n", "2:8", "`steps` must be a mapping of keys to values, got integer \"5\""},
    {HEAD "steps: {a: 5}\n", "2:12", "step `a` must be a mapping, as in {agent: planner}"},
    {HEAD "steps: {1a: {value: 1}}\n", "2:9",
     "\"1a\" cannot be the id of a step: use letters, digits and _, at most 64, not a digit first"},
    {HEAD "steps: {item: {value: 1}}\n", "2:9",
     "`item` is a reserved word and cannot be the id of a step"},
    {HEAD "steps: {a: {agnet: x}}\n", "2:13",
     "unknown key \"agnet\"; did you mean \"agent\"? Allowed: agent, tool, human, map, loop, if, "
     "parallel, blueprint, value, do, wait, resource, prompt, in, history, schema, env, talk, "
     "on_length, "
     "retry, timeout, "
     "budget, "
     "on_error, "
     "effect, "
     "max_parallel"},
    {HEAD "steps: {a: {retry: {max: 1}}}\n", "2:12",
     "step `a` has no kind; the kinds are: agent, tool, human, map, loop, if, parallel, blueprint, "
     "value, "
     "do, wait, resource, prompt"},
    {HEAD "steps: {a: {value: 1, tool: echo}}\n", "2:13",
     "a step has one kind, but this one has `value` and `tool`"},
    {HEAD "steps: {a: {map: 2, loop: {max: 1}, value: 1}}\n", "2:21",
     "a step has one kind, but this one has `loop` and `map`; put one of them into `do`"},
    {HEAD "steps: {a: {map: 3}}\n", "2:12",
     "`map` of step `a` has nothing to repeat: add `agent`, `tool`, `do` or another kind"},
    {HEAD "steps: {a: {value: 1, retry: {max: 2}}}\n", "2:23",
     "`retry` is not for a step of kind `value`; it is for `agent`, `tool`, `if`, `parallel`, "
     "`blueprint`, `do`, `resource`, `prompt`"},
    {HEAD "steps: {a: {map: 3, value: 1, max_paralel: 2}}\n", "2:31",
     "unknown key \"max_paralel\"; did you mean \"max_parallel\"? Allowed: map, max_parallel, "
     "value, "
     "on_error"},
    {HEAD "steps: {a: {map: abc, value: 1}}\n", "2:18",
     "`map` takes a list, a number of items, or ${...} for one of these"},
    {HEAD "steps: {a: {map: 2, max_parallel: 0, value: 1}}\n", "2:35",
     "`max_parallel` takes an integer from 1 to 4096, got integer \"0\""},
    {HEAD AGENT "steps: {a: {agent: plannr}}\n", "3:20",
     "unknown agent `plannr`; did you mean `planner`?"},
    {HEAD "steps: {a: {agent: x}}\n", "2:20", "unknown agent `x`; it is not in `agents`"},
    {HEAD "agents: {a: {model: embeded}}\nsteps: {a: {value: 1}}\n", "2:21",
     "unknown model `embeded`; did you mean `embedded`?"},
    {HEAD "agents: {a: {temperature: hot}}\nsteps: {a: {value: 1}}\n", "2:27",
     "`temperature` takes a number from 0 to 10, got text \"hot\""},
    {HEAD "agents: {a: {prompt: \"Hi ${inputs.x}\"}}\nsteps: {a: {value: 1}}\n", "2:22",
     "a prompt cannot contain ${...}; pass values with `in` of the step"},
    {HEAD "agents: {a: {tools: echo}}\nsteps: {a: {value: 1}}\n", "2:21",
     "`tools` takes a list of names"},
    {HEAD AGENT "steps: {a: {agent: planner, env: {name: leger}}}\n", "3:41",
     "unknown environment `leger`; did you mean `ledger`? The environments are: ledger..."},
    {HEAD AGENT "steps: {a: {agent: planner, env: {horizon: 3}}}\n", "3:34", "`env` needs `name`"},
    {HEAD AGENT "steps: {a: {agent: planner, timeout: 60}}\n", "3:38",
     "`timeout` takes a duration with its unit (ms, s, m, h, d), as in 90s, got integer \"60\""},
    {HEAD AGENT "steps: {a: {agent: planner, retry: {backoff: 2}}}\n", "3:36",
     "`retry` needs `max`: the number of tries after the first"},
    {HEAD AGENT "steps: {a: {agent: planner, retry: {max: many}}}\n", "3:42",
     "`max` takes an integer from 0 to 100, got text \"many\""},
    {HEAD AGENT "steps: {a: {agent: planner, effect: onse}}\n", "3:37",
     "`effect` takes one of none, read, idempotent, once, got text \"onse\"; did you mean "
     "\"once\"?"},
    {HEAD AGENT "steps: {a: {agent: planner, on_error: [x]}}\n", "3:39",
     "`on_error` takes one of fail, continue, got a list"},
    {HEAD AGENT "steps: {a: {agent: planner, schema: {type: object, propertees: {}}}}\n", "3:37",
     NULL},
    {HEAD "steps: {a: {tool: echo, in: [1]}}\n", "2:29",
     "`in` of a tool must be a mapping of arguments"},
    {HEAD "steps: {a: {resource: [x]}}\n", "2:23", "`resource` takes text"},
    {HEAD "steps: {a: {resource: x, in: {y: 1}}}\n", "2:26",
     "`in` is not for a step of kind `resource`; it is for `agent`, `tool`, `blueprint`, "
     "`prompt`"},
    {HEAD "steps: {a: {prompt: x, in: [1]}}\n", "2:28",
     "`in` of a prompt must be a mapping of arguments"},
    {HEAD "steps: {a: {prompt: x, in: {y: \"${nobody}\"}}}\n", "2:35",
     "unknown name `nobody`; the names are inputs, state, exhausted and the steps above"},
    {HEAD "steps: {a: {human: {options: [a]}}}\n", "2:20", "`human` needs `prompt`: the question"},
    {HEAD "steps: {a: {human: {prompt: x, options: [a], on_timeout: b}}}\n", "2:58",
     "`on_timeout` is not one of `options`"},
    {HEAD "steps: {a: {human: {prompt: x, options: [a], reject: [b]}}}\n", "2:55",
     "`reject` names an answer that is not one of `options`"},
    {HEAD "steps: {a: {human: {prompt: x, option: [a]}}}\n", "2:32",
     "unknown key \"option\"; did you mean \"options\"? Allowed: prompt, options, reject, timeout, "
     "on_timeout"},
    {HEAD "steps: {a: {loop: {until: \"true\"}, value: 1}}\n", "2:19",
     "`loop` needs `max`: the largest number of rounds"},
    {HEAD "steps: {a: {loop: {max: 2, on_max: fail}, value: 1}}\n", "2:36",
     "`on_max` needs `until`: a loop without it ends at `max`"},
    {HEAD "steps: {a: {loop: {max: 2, until: \"true\", on_max: stop}, value: 1}}\n", "2:51",
     "`on_max` takes one of continue, fail, got text \"stop\""},
    {HEAD "steps: {exhausted: {value: 1}}\n", "2:9",
     "`exhausted` is a reserved word and cannot be the id of a step"},
    {HEAD AGENT "steps: {a: {agent: planner, history: hello}}\n", "3:38",
     "`history` takes a list of messages {role, content}, or ${...} for one"},
    {HEAD AGENT "steps: {a: {agent: planner, history: [], env: {name: ledger}}}\n", "3:38",
     "`history` is not for agents with an `env`"},
    {HEAD AGENT "steps: {a: {agent: planner, talk: true, schema: {type: object}}}\n", "3:49",
     "`schema` is not for an agent with `talk`"},
    {HEAD AGENT "steps: {a: {agent: planner, talk: true, env: {name: ledger}}}\n", "3:46",
     "`env` is not for an agent with `talk`"},
    {HEAD AGENT "steps: {a: {agent: planner, talk: true, retry: {max: 1}}}\n", "3:48",
     "`retry` is not for an agent with `talk`"},
    {HEAD AGENT "steps: {a: {agent: planner, talk: maybe}}\n", "3:35",
     "`talk` takes true or false, got text \"maybe\""},
    {HEAD "steps: {a: {value: 1, history: []}}\n", "2:23",
     "`history` is not for a step of kind..."},
    {HEAD AGENT "steps: {a: {agent: planner, history: \"${inputs.no}\"}}\n", "3:48",
     "unknown input `no`; this blueprint has no inputs"},
    {HEAD "steps: {a: {wait: 5s}}\n", "2:19",
     "`wait` must be a mapping of keys to values, got text \"5s\""},
    {HEAD "steps: {a: {wait: {}}}\n", "2:19",
     "`wait` takes one of `for` (a duration) and `until` (a time)"},
    {HEAD "steps: {a: {wait: {for: 1s, until: \"2030-01-01T00:00:00Z\"}}}\n", "2:19",
     "`wait` takes one of `for` (a duration) and `until` (a time)"},
    {HEAD "steps: {a: {wait: {for: 5}}}\n", "2:25",
     "`for` takes a duration with its unit (ms, s, m, h, d), as in 90s, up to 366d, got 5"},
    {HEAD "steps: {a: {wait: {for: 400d}}}\n", "2:25",
     "`for` takes a duration with its unit (ms, s, m, h, d), as in 90s, up to 366d, got \"400d\""},
    {HEAD "steps: {a: {wait: {until: \"2030-02-30T00:00:00Z\"}}}\n", "2:27",
     "`until` takes a time of RFC 3339, as in 2030-03-01T08:00:00Z, got \"2030-02-30T00:00:00Z\""},
    {HEAD "steps: {a: {wait: {for: 1s}, retry: {max: 1}}}\n", "2:30",
     "`retry` is not for a step of kind `wait`; it is for `agent`, `tool`, `if`, `parallel`, "
     "`blueprint`, `do`, `resource`, `prompt`"},
    {HEAD "steps: {a: {wait: {for: \"${b}\"}}}\n", "2:28",
     "unknown name `b`; the names are inputs, state, exhausted and the steps above"},
    {HEAD "steps: {a: {if: {cond: \"true\"}}}\n", "2:17", "`if` needs `cond` and `then`"},
    {HEAD "steps: {a: {parallel: {a: {value: 1}}}}\n", "2:24",
     "unknown key \"a\". Allowed: branches"},
    {HEAD "steps: {a: {blueprint: x.yaml}}\n", "2:24", "`blueprint` takes file://NAME.yaml"},
    {HEAD "steps: {a: {blueprint: file://none.yaml}}\n", "2:24",
     "cannot open none.yaml: No such file or directory"},
    {HEAD "steps: {a: {blueprint: file://../x.yaml}}\n", "2:24",
     "../x.yaml is outside the folder of the blueprint"},
    {HEAD "steps: {a: {blueprint: file:///etc/passwd}}\n", "2:24",
     "file:// takes a path relative to the folder of the blueprint, got /etc/passwd"},
    {HEAD "steps: {a: {blueprint: file://main.yaml}}\n", "2:24",
     "blueprints are nested deeper than 8 levels; does one run itself?"},
    {HEAD "steps: {a: {value: \"${1 +}\"}}\n", "2:26", "expected a value, got `}`"},
    {HEAD "steps: {a: {value: \"x ${b.c}\"}}\n", "2:25",
     "unknown name `b`; the names are inputs, state, exhausted and the steps above"},
    {HEAD "steps: {first: {value: 1}, a: {value: \"${firts}\"}}\n", "2:42",
     "unknown name `firts`; did you mean `first`?"},
    {HEAD "steps:\n  a: {value: \"${b}\"}\n  b: {value: 1}\n", "3:17",
     "step `b` is not visible here: a step sees the steps above it, not those below it or "
     "inside another step"},
    {HEAD "steps:\n  a: {do: {x: {value: 1}}}\n  b: {value: \"${x}\"}\n", "4:17",
     "step `x` is not visible here: a step sees the steps above it, not those below it or "
     "inside another step"},
    {HEAD "steps: {a: {value: \"${a}\"}}\n", "2:23",
     "step `a` is not visible here: a step sees the steps above it, not those below it or "
     "inside another step"},
    {HEAD "steps:\n  a: {value: 1}\n  b: {do: {a: {value: 1}}}\n", "4:15",
     "duplicate id `a`: another step visible here has it"},
    {HEAD "inputs: {topic: {type: string}}\nsteps: {a: {value: \"on ${inputs.tpoic}\"}}\n", "3:33",
     "unknown input `tpoic`; did you mean `topic`?"},
    {HEAD "steps: {ask: {value: 1}, a: {value: \"x ${state.aks}\"}}\n", "2:48",
     "`state` has no step `aks`; did you mean `ask`?"},
    {HEAD "steps: {a: {value: \"${exhausted.b}\"}, b: {value: 1}}\n", "2:33",
     "`exhausted` has no step `b` here; it has the steps above"},
    {HEAD "steps: {a: {value: 1}}\noutput: \"x ${exhausted.a}\"\n", "3:24",
     "step `a` is not a loop: only a loop has `exhausted`"},
    {HEAD "steps: {a: {loop: {max: 2}, value: 1}, b: {value: \"${exhausted['a'] || state.a == "
          "'ok'}\"}, c: {map: 2, value: \"${exhausted.b}\"}}\n",
     "2:124", "step `b` is not a loop: only a loop has `exhausted`"},
    {HEAD "steps: {a: {loop: {max: 2}, value: 1}, b: {value: 1}}\noutput: \"${exhausted.a || "
          "exhausted.b}\"\n",
     "3:37", "step `b` is not a loop: only a loop has `exhausted`"},
    {HEAD "steps: {a: {loop: {max: 2}, value: \"${exhausted.a}\"}}\n", "2:49",
     "`exhausted.a` exists only after the loop `a`"},
    {HEAD "steps: {l: {loop: {until: \"l\", max: 2}, value: \"${round + 1}\"}}\n", "2:27",
     "`until` must be true or false, got integer"},
    {HEAD "steps: {l: {loop: {until: \"size(l) + 0.5\", max: 2}, value: \"${round + 1}\"}}\n",
     "2:27", "`until` must be true or false, got number"},
    {HEAD "steps: {a: {value: \"no ${1}\"}, b: {if: {cond: a, then: {c: {value: 1}}}}}\n", "2:47",
     "`cond` must be true or false, got string"},
    {HEAD "inputs: {n: {type: array}}\nsteps: {b: {if: {cond: \"${inputs.n}\", then: {c: {value: "
          "1}}}}}\n",
     "3:24", "`cond` must be true or false, got array"},
    {HEAD "inputs: {topic: {type: string}}\nsteps: {a: {value: \"${inputs['zzzz']}\"}}\n", "3:23",
     "unknown input `zzzz`; the inputs are: topic"},
    {HEAD "steps: {a: {loop: {until: \"has(inputs.x)\", max: 2}, value: 1}}\n", "2:39",
     "unknown input `x`; this blueprint has no inputs"},
    {HEAD "steps: {index: {value: 1}}\n", "2:9",
     "`index` is a reserved word and cannot be the id of a step"},
    {HEAD "steps: {memory: {value: 1}}\n", "2:9",
     "`memory` is a reserved word and cannot be the id of a step"},
    {HEAD "steps: {a: {value: \"${index}\"}}\n", "2:23", "`index` exists only inside a `map`"},
    {HEAD "steps: {a: {value: \"${item}\"}}\n", "2:23", "`item` exists only inside a `map`"},
    {HEAD "steps: {a: {value: \"${round}\"}}\n", "2:23", "`round` exists only inside a `loop`"},
    {HEAD "steps: {a: {value: 1}}\noutput: \"${c}\"\n", "3:12",
     "unknown name `c`; the names are inputs, state, exhausted and the steps above"},
    {HEAD "inputs: {x: {default: 1}}\nsteps: {a: {value: 1}}\n", "2:13", "input `x` needs `type`"},
    {HEAD "inputs: {x: {type: int}}\nsteps: {a: {value: 1}}\n", "2:20",
     "`type` takes one of string, integer, number, boolean, array, object, got text \"int\"; did "
     "you mean \"integer\"?"},
    {HEAD "inputs: {x: {type: integer, default: a}}\nsteps: {a: {value: 1}}\n", "2:38",
     "input `x` is of type integer, got string"},
    {HEAD "inputs: {x: {type: integer, default: 1, required: true}}\nsteps: {a: {value: 1}}\n",
     "2:38", "input `x` is required, so it cannot have a default"},
    {HEAD "budget: {tokens: 0}\nsteps: {a: {value: 1}}\n", "2:18",
     "`tokens` takes an integer from 1 to 1000000000000000, got integer \"0\""},
    {HEAD "budget: {cost: 0}\nsteps: {a: {value: 1}}\n", "2:16",
     "`cost` takes dollars above 0, as in 0.50"},
    {HEAD "budget: {cost: -1}\nsteps: {a: {value: 1}}\n", "2:16",
     "`cost` takes a number from 0 to 1e+06, got integer \"-1\""},
    {HEAD "budget: {dollars: 1}\nsteps: {a: {value: 1}}\n", "2:10",
     "unknown key \"dollars\". Allowed: tokens, steps, calls, wall, cost"},
    {HEAD "steps: {a: {value: &x [1]}, b: {value: *x}}\n", "2:40",
     "aliases to mappings and sequences are not supported"},
    {HEAD "steps: {a: {value: !!str 1}}\n", "2:20", "tags (!) are not supported"},
};

static void a_bad_file_is_refused_at_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
        const struct bad *b = &bad_files[i];
        struct plan *p = NULL;
        struct error err = ERROR_INIT;
        const char *place;
        char *end;

        if (!load(b->text, &p, &err))
            fail_msg("taken: %s", b->text);
        place = strstr(err.where, "main.yaml:");
        assert_non_null(place);
        end = strchr(err.message, '\n');
        if (end)
            *end = '\0';
        if (strcmp(place + strlen("main.yaml:"), b->where) != 0 ||
            (b->message && !is_message(err.message, b->message)))
            fail_msg("%s\ngave %s: %s\nnot  %s: %s", b->text, err.where, err.message, b->where,
                     b->message);
        assert_int_equal(err.status, STATUS_CONFIG);
    }
}

static void a_message_shows_the_line_and_a_caret(void **state)
{
    struct plan *p = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(load(HEAD "steps:\n  a: {value: \"n ${inputs.x +}\"}\n", &p, &err),
                     STATUS_CONFIG);
    assert_string_equal(err.message, "expected a value, got `}`\n"
                                     "      a: {value: \"n ${inputs.x +}\"}\n"
                                     "                                ^");
}

static void a_file_has_a_greatest_size_and_depth(void **state)
{
    struct str s = STR_INIT;
    struct plan *p = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    str_puts(&s, HEAD "steps: {a: {value: 1}}\n#");
    while (s.len < 65536)
        str_putc(&s, 'x');
    assert_int_equal(load(str_cstr(&s), &p, &err), STATUS_OK);
    plan_free(p);
    str_putc(&s, 'x');
    assert_int_equal(load(str_cstr(&s), &p, &err), STATUS_CONFIG);
    assert_string_equal(err.message, "65537 bytes of YAML; at most 65536 are allowed");
    for (int depth = 32; depth <= 33; depth++) {
        str_clear(&s);
        str_puts(&s, HEAD "steps: {a: {value: ");
        for (int i = 3; i < depth; i++)
            str_putc(&s, '[');
        for (int i = 3; i < depth; i++)
            str_putc(&s, ']');
        str_puts(&s, "}}\n");
        if (depth == 32) {
            assert_int_equal(load(str_cstr(&s), &p, &err), STATUS_OK);
            plan_free(p);
        } else {
            assert_int_equal(load(str_cstr(&s), &p, &err), STATUS_CONFIG);
            assert_non_null(strstr(err.message, "nested deeper than 32 levels"));
        }
    }
    str_deinit(&s);
}

static void includes_stay_in_the_folder(void **state)
{
    static const char text[] =
        HEAD "agents: {a: {prompt: file://link.md}}\nsteps: {x: {value: 1}}\n";
    struct str link = STR_INIT;
    struct plan *p = NULL;
    struct error err = ERROR_INIT;
    char *big = calloc(1, 300000);

    (void)state;
    blueprint_dir_path("link.md", &link);
    assert_int_equal(symlink("/etc/hostname", str_cstr(&link)), 0);
    assert_int_equal(load(text, &p, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "link.md is outside the folder of the blueprint"));
    assert_int_equal(unlink(str_cstr(&link)), 0);
    memset(big, 'x', 299999);
    blueprint_dir_write("link.md", big, 299999);
    assert_int_equal(load(text, &p, &err), STATUS_CONFIG);
    blueprint_dir_write("link.md", "ok\n\xc3\xa4\xff\xfe", 7);
    assert_int_equal(load(text, &p, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "link.md:2:2: not UTF-8 text"));
    free(big);
    str_deinit(&link);
}

static void a_fault_in_an_included_blueprint_names_that_file(void **state)
{
    static const char inner[] = HEAD "steps: {y: {vaule: 1}}\n";
    struct plan *p = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    blueprint_dir_write("inner.yaml", inner, strlen(inner));
    assert_int_equal(load(HEAD "steps: {a: {blueprint: file://inner.yaml}}\n", &p, &err),
                     STATUS_CONFIG);
    assert_non_null(strstr(err.where, "/inner.yaml:2:13"));
}

static void a_blueprint_inside_gets_its_inputs(void **state)
{
    static const char inner[] =
        HEAD "inputs: {x: {type: integer, required: true}, y: {type: string, default: a}}\n"
             "steps: {z: {value: 1}}\n";
    static const struct bad cases[] = {
        {HEAD "steps: {a: {blueprint: file://inner.yaml}}\n", "2:24", "is missing"},
        {HEAD "steps: {a: {blueprint: file://inner.yaml, in: {y: b}}}\n", "2:47", "is missing"},
        {HEAD "steps: {a: {blueprint: file://inner.yaml, in: {x: 1, z: b}}}\n", "2:54",
         "unknown key \"z\""},
    };

    (void)state;
    blueprint_dir_write("inner.yaml", inner, strlen(inner));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan *p = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(load(cases[i].text, &p, &err), STATUS_CONFIG);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_non_null(strstr(err.where, cases[i].where));
    }
}

static void a_missing_blueprint_cannot_be_used(void **state)
{
    struct plan *p = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(blueprint_load("/nowhere/x.yaml", &p, &err), STATUS_CONFIG);
    assert_string_equal(err.message,
                        "cannot open blueprint /nowhere/x.yaml: No such file or directory");
}

struct input_case {
    const char *given, *complete, *message;
};

static void inputs_are_checked_and_completed(void **state)
{
    static const struct input_case cases[] = {
        {"{\"s\":\"a\",\"i\":1}", "{\"s\":\"a\",\"i\":1,\"d\":0.5,\"o\":null}", NULL},
        {"{\"s\":\"a\",\"i\":1,\"d\":2,\"o\":{\"x\":1}}",
         "{\"s\":\"a\",\"i\":1,\"d\":2,\"o\":{\"x\":1}}", NULL},
        {"{\"s\":\"a\",\"i\":1,\"d\":null,\"o\":null}",
         "{\"s\":\"a\",\"i\":1,\"d\":0.5,\"o\":null}", NULL},
        {"{\"s\":\"a\",\"i\":null}", NULL, "input `i` is of type integer, got null"},
        {"{\"s\":\"a\"}", NULL, "input `i` (integer) is missing"},
        {"{\"s\":1,\"i\":1}", NULL, "input `s` is of type string, got integer"},
        {"{\"s\":\"a\",\"i\":1.5}", NULL, "input `i` is of type integer, got number"},
        {"{\"s\":\"a\",\"i\":1,\"zz\":1}", NULL, "unknown input `zz`; the inputs are: s, i, d, o"},
        {"[]", NULL, "inputs must be an object, got array"},
    };
    struct plan *p = NULL;

    (void)state;
    assert_int_equal(load(HEAD "inputs:\n  s: {type: string, required: true}\n"
                               "  i: {type: integer, required: true}\n"
                               "  d: {type: number, default: 0.5}\n  o: {type: object}\n"
                               "steps: {a: {value: 1}}\n",
                          &p, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *given = NULL, *all = NULL;
        struct error err = ERROR_INIT;
        char *text;

        assert_int_equal(jv_parse(cases[i].given, strlen(cases[i].given), "given", &given, NULL),
                         STATUS_OK);
        if (cases[i].message) {
            assert_int_equal(plan_inputs(p, given, &all, &err), STATUS_USAGE);
            assert_string_equal(err.message, cases[i].message);
        } else {
            assert_int_equal(plan_inputs(p, given, &all, &err), STATUS_OK);
            text = jv_dump(all);
            assert_string_equal(text, cases[i].complete);
            free(text);
        }
        jv_unref(all);
        jv_unref(given);
    }
    plan_free(p);
}

static void an_input_on_the_command_line_has_its_type(void **state)
{
    static const struct {
        const char *given, *name, *value; /* value NULL: refused */
    } cases[] = {
        {"s=12", "s", "\"12\""}, {"i=12", "i", "12"},        {"d=0.25", "d", "0.25"},
        {"b=true", "b", "true"}, {"l=[1, 2]", "l", "[1,2]"}, {"i=1.5", "i", NULL},
        {"i=abc", "i", NULL},    {"b=yes", "b", NULL},       {"zz=1", "zz", NULL},
    };
    struct plan *p = NULL;

    (void)state;
    assert_int_equal(load(HEAD "inputs: {s: {type: string}, i: {type: integer}, d: {type: number}, "
                               "b: {type: boolean}, l: {type: array}}\nsteps: {a: {value: 1}}\n",
                          &p, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *v = jv_object();
        enum status st = plan_input_assign(p, cases[i].given, v, NULL);
        char *text = st ? NULL : jv_dump(jv_get(v, cases[i].name));

        assert_int_equal(st, cases[i].value ? STATUS_OK : STATUS_USAGE);
        if (text)
            assert_string_equal(text, cases[i].value);
        free(text);
        jv_unref(v);
    }
    plan_free(p);
}

static enum status only_present_models(void *ctx, const struct plan *p, const struct plan_agent *a,
                                       bool in_env, struct error *err)
{
    (void)ctx;
    (void)in_env;
    if (strcmp(plan_agent_model(p, a), "./absent") == 0)
        return error_set(err, STATUS_NOT_FOUND, "it is not there");
    return STATUS_OK;
}

static void tools_effects_and_questions_are_checked_where_it_runs(void **state)
{
    static const struct {
        const char *text;
        bool unattended;
        const char *message; /* NULL: fine */
    } cases[] = {
        {HEAD "steps: {a: {tool: echo, in: {text: x}}}\n", false, NULL},
        {HEAD "steps: {a: {tool: ecko, in: {text: x}}}\n", false,
         "unknown tool `ecko`; did you mean `echo`?"},
        {HEAD "agents: {p: {tools: [calculater]}}\nsteps: {a: {value: 1}}\n", false,
         "unknown tool `calculater`; did you mean `calculator`?"},
        {HEAD "steps: {a: {map: 2, do: {b: {if: {cond: \"true\", then: {c: {tool: zzzzzzz}}}}}}}\n",
         false, "unknown tool `zzzzzzz`; `troupe tools list` lists all tools"},
        {HEAD "steps: {a: {tool: echo}}\n", false, "wrong arguments for tool `echo`: in"},
        {HEAD "steps: {a: {tool: echo, in: {}}}\n", false, "tool `echo` needs the argument `text`"},
        {HEAD "steps: {a: {tool: echo, in: {text: 5}}}\n", false,
         "wrong arguments for tool `echo`: text: expected string, got integer 5"},
        {HEAD "steps: {a: {tool: echo, in: {text: \"${1}\"}}}\n", false, NULL},
        {HEAD "steps: {a: {tool: echo, in: \"${parse_json('{}')}\"}}\n", false, NULL},
        {HEAD "steps: {a: {tool: echo, in: {text: x, txet: \"${1}\"}}}\n", false,
         "tool `echo` has no argument `txet`; did you mean `text`?"},
        {HEAD "steps: {a: {tool: echo, in: {text: x, zzzz: \"${1}\"}}}\n", false,
         "tool `echo` has no argument `zzzz`; it takes \"text\""},
        {HEAD "agents: {p: {}}\nsteps: {a: {agent: p, effect: once}}\n", false,
         "`effect: once` is not allowed on a step of kind `agent`: the calls inside it declare "
         "their own effects"},
        {HEAD "steps: {a: {do: {b: {value: 1}}, effect: idempotent}}\n", false,
         "`effect: idempotent` is not allowed on a step of kind `do`"},
        {HEAD "agents: {p: {}}\nsteps: {a: {agent: p, effect: read, retry: {max: 1}}}\n", false,
         NULL},
        {HEAD "steps: {a: {tool: echo, in: {text: x}, effect: once}}\n", false, NULL},
        {HEAD "agents: {p: {model: ./absent}}\nsteps: {a: {map: 2, agent: p}}\n", false,
         "the model of agent `p` cannot be used in step `a`: it is not there"},
        {HEAD "agents: {p: {model: ./absent}, q: {}}\nsteps: {a: {agent: q}}\n", false, NULL},
        {HEAD "steps: {a: {human: {prompt: x}}}\n", false, NULL},
        {HEAD "steps: {a: {human: {prompt: x}}}\n", true,
         "nobody can answer step `a` here: it needs `on_timeout`"},
        {HEAD "steps: {a: {human: {prompt: x, on_timeout: y}}}\n", true, NULL},
    };
    struct tool_registry *tools = NULL;

    (void)state;
    assert_int_equal(tool_registry_new(&(struct tool_registry_options){0}, &tools, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan_check c = {
            .tools = tools, .unattended = cases[i].unattended, .model = only_present_models};
        struct plan *p = NULL;
        struct error err = ERROR_INIT;
        enum status st;

        if (load(cases[i].text, &p, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        st = blueprint_check(p, &c, &err);
        assert_int_equal(st, cases[i].message ? STATUS_CONFIG : STATUS_OK);
        if (cases[i].message)
            assert_memory_equal(err.message, cases[i].message, strlen(cases[i].message));
        if (cases[i].message && strstr(cases[i].message, "has no argument"))
            assert_non_null(strstr(err.where, ":2:39")); /* the key */
        plan_free(p);
    }
    tool_registry_free(tools);
}

static void assert_arguments(const struct plan_step *s, const struct json *vars, const char *want)
{
    struct json *in = NULL;
    char *text;

    assert_int_equal(plan_value_eval(s->in, vars, &in, NULL), STATUS_OK);
    text = jv_dump(in);
    assert_string_equal(text, want);
    free(text);
    jv_unref(in);
}

/* `resource` and `prompt` are steps of kind tool. */
static void content_of_mcp_servers_is_a_call_of_a_tool(void **state)
{
    static const char text[] =
        HEAD "inputs: {x: {type: string}}\n"
             "steps:\n"
             "  a: {resource: \"troupe://notes/${inputs.x}\", timeout: 5s}\n"
             "  b: {map: 2, prompt: notes__sum_up, in: {length: \"${index}\"}}\n"
             "  c: {prompt: notes__plain}\n";
    static const char values[] = "{\"inputs\":{\"x\":\"all\"},\"index\":1}";
    struct json *vars = NULL;
    struct plan *p = NULL;
    const struct plan_step *body;

    (void)state;
    assert_int_equal(load(text, &p, NULL), STATUS_OK);
    assert_int_equal(jv_parse(values, strlen(values), "vars", &vars, NULL), STATUS_OK);
    assert_int_equal(p->step[0].kind, PLAN_TOOL);
    assert_string_equal(p->step[0].tool, "mcp_resource");
    assert_int_equal(p->step[0].timeout_ms, 5000);
    assert_arguments(&p->step[0], vars, "{\"uri\":\"troupe://notes/all\"}");
    body = p->step[1].child;
    assert_int_equal(body->kind, PLAN_TOOL);
    assert_string_equal(body->tool, "mcp_prompt");
    assert_arguments(body, vars, "{\"name\":\"notes__sum_up\",\"arguments\":{\"length\":1}}");
    assert_arguments(&p->step[2], vars, "{\"name\":\"notes__plain\"}");
    jv_unref(vars);
    plan_free(p);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_whole_blueprint_is_read),
        IN_FOLDER(the_effective_configuration_gives_the_same_plan),
        IN_FOLDER(content_of_mcp_servers_is_a_call_of_a_tool),
        IN_FOLDER(a_bad_file_is_refused_at_its_place),
        IN_FOLDER(a_message_shows_the_line_and_a_caret),
        IN_FOLDER(a_file_has_a_greatest_size_and_depth),
        IN_FOLDER(includes_stay_in_the_folder),
        IN_FOLDER(a_fault_in_an_included_blueprint_names_that_file),
        IN_FOLDER(a_blueprint_inside_gets_its_inputs),
        IN_FOLDER(a_missing_blueprint_cannot_be_used),
        IN_FOLDER(inputs_are_checked_and_completed),
        IN_FOLDER(an_input_on_the_command_line_has_its_type),
        IN_FOLDER(tools_effects_and_questions_are_checked_where_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
