/* test_plan_compare.c - when a result of one blueprint is still one of another, and which paths a
 * blueprint has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan_compare.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"

#define HEAD   "schema: blueprint/v1\n"
#define AGENTS "agents: {w: {prompt: a, tools: [echo]}, v: {}}\n"

static struct plan *load(const char *text)
{
    struct str path = STR_INIT;
    struct plan *p = NULL;

    blueprint_dir_write("main.yaml", text, strlen(text));
    blueprint_dir_path("main.yaml", &path);
    assert_ok(blueprint_load(str_cstr(&path), &p, why));
    str_deinit(&path);
    return p;
}

static const struct {
    const char *was, *now, *reason; /* of step `s`; NULL: the same */
} pairs[] = {
    {HEAD "steps: {s: {tool: echo, in: {text: a}}}\n",
     HEAD
     "steps: {s: {tool: echo, in: {text: b}, retry: {max: 1}, timeout: 1s, on_error: continue}}\n",
     NULL},
    {HEAD "steps: {s: {tool: echo}}\n", HEAD "steps: {s: {tool: calculator}}\n", "it was `echo`"},
    {HEAD "steps: {s: {tool: echo}}\n", HEAD "steps: {s: {value: 1}}\n", "it was a step `tool`"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD "agents: {w: {prompt: a, tools: [echo], model: ./m}}\nsteps: {s: {agent: w}}\n", NULL},
    {HEAD AGENTS "steps: {s: {agent: w}}\n", HEAD AGENTS "steps: {s: {agent: v}}\n", "it was `w`"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD "agents: {w: {prompt: b, tools: [echo]}}\nsteps: {s: {agent: w}}\n",
     "`prompt` of agent `w` differs"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD "agents: {w: {prompt: a, tools: [calculator]}}\nsteps: {s: {agent: w}}\n",
     "`tools` of agent `w` differs"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD "agents: {w: {prompt: a, tools: [echo], temperature: 1}}\nsteps: {s: {agent: w}}\n",
     "`temperature` of agent `w` differs"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD "agents: {w: {prompt: a, tools: [echo], max_tokens: 9}}\nsteps: {s: {agent: w}}\n",
     "`max_tokens` of agent `w` differs"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD "agents: {w: {prompt: a, tools: [echo], role: x}}\nsteps: {s: {agent: w}}\n",
     "`role` of agent `w` differs"},
    {HEAD AGENTS "steps: {s: {agent: w}}\n",
     HEAD AGENTS "steps: {s: {agent: w, schema: {type: object}}}\n", "its schema differs"},
    {HEAD "steps: {s: {human: {prompt: p, options: [yes, no]}}}\n",
     HEAD "steps: {s: {human: {prompt: p, options: [yes, no], reject: []}}}\n",
     "its `reject` differs"},
};

static void a_result_stays_where_the_definition_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct plan *was = load(pairs[i].was), *now = load(pairs[i].now);
        struct str reason = STR_INIT;
        bool differs = plan_step_differs(plan_place_in(was, was->step, was->n_steps, "s"),
                                         plan_place_in(now, now->step, now->n_steps, "s"), &reason);

        assert_int_equal(differs, pairs[i].reason != NULL);
        assert_string_equal(str_cstr(&reason), pairs[i].reason ? pairs[i].reason : "");
        str_deinit(&reason);
        plan_free(was);
        plan_free(now);
    }
}

static void a_path_leads_to_a_step_or_to_none(void **state)
{
    static const char inner[] = HEAD "steps: {own: {do: {deep: {value: 1}}}}\n";
    static const struct {
        const char *path;
        bool there;
    } cases[] = {
        {"a", true},         {"a@2", true},       {"a/b", false},       {"ab", false},
        {"m", true},         {"m[3]", true},      {"m[3]/x", true},     {"m[3]@1/x@2", true},
        {"m/x", false},      {"m[3]/y", false},   {"l[0]", true},       {"l[0][1]", false},
        {"i/t", true},       {"i/e", true},       {"i@1/e", true},      {"i/z", false},
        {"p/left", true},    {"p/left/x", false}, {"s/own/deep", true}, {"s/deep", false},
        {"s[0]/own", false}, {"", false},
    };
    struct plan *p;

    (void)state;
    blueprint_dir_write("inner.yaml", inner, strlen(inner));
    p = load(HEAD "steps:\n  a: {value: 1}\n  m: {map: 4, do: {x: {value: 1}}}\n"
                  "  l: {loop: {max: 2}, value: 1}\n"
                  "  i: {if: {cond: \"true\", then: {t: {value: 1}}, else: {e: {value: 2}}}}\n"
                  "  p: {parallel: {branches: {left: {value: 1}}}}\n"
                  "  s: {blueprint: file://inner.yaml}\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (plan_has_path(p, cases[i].path) != cases[i].there)
            fail_msg("%s", cases[i].path);
    }
    plan_free(p);
}

static int open_folder(void **state)
{
    (void)state;
    return blueprint_dir_make() ? 0 : -1;
}

static int close_folder(void **state)
{
    (void)state;
    blueprint_dir_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_stays_where_the_definition_does),
        cmocka_unit_test(a_path_leads_to_a_step_or_to_none),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
