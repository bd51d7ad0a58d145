/* test_serve_config.c - the section `serve:`: what is offered, and where each mistake is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_config.h"
#include "tests/support/temp_dir.h"

static char folder[64];

static int make_folder(void **state)
{
    static const char report[] = "schema: blueprint/v1\n"
                                 "inputs: {question: {type: string, required: true}, "
                                 "n: {type: integer, default: 2}}\n"
                                 "steps: {a: {value: \"${inputs.question}\"}}\n";
    static const char several[] =
        "schema: blueprint/v1\n"
        "inputs: {a: {type: string}, b: {type: array}, c: {type: number}}\n"
        "steps: {a: {value: \"${inputs.a}\"}}\n";
    static const char both[] = "schema: blueprint/v1\n"
                               "inputs: {a: {type: string, required: true}, "
                               "b: {type: integer, required: true}}\n"
                               "steps: {a: {value: \"${inputs.a}\"}}\n";
    static const char count[] = "schema: blueprint/v1\n"
                                "inputs: {n: {type: integer, required: true}}\n"
                                "steps: {a: {value: \"${inputs.n}\"}}\n";
    static const char none[] = "schema: blueprint/v1\nsteps: {a: {value: 1}}\n";
    static const char wrong[] = "schema: blueprint/v1\nsteps: {a: {agent: nobody}}\n";

    (void)state;
    temp_dir(folder);
    temp_dir_put(folder, "report.yaml", report, strlen(report));
    temp_dir_put(folder, "several.yaml", several, strlen(several));
    temp_dir_put(folder, "both.yaml", both, strlen(both));
    temp_dir_put(folder, "count.yaml", count, strlen(count));
    temp_dir_put(folder, "none.yaml", none, strlen(none));
    temp_dir_put(folder, "wrong.yaml", wrong, strlen(wrong));
    temp_dir_put(folder, "prompt.md", "From a file.", 12);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

/* Adds a section, whose text is the whole of a file. */
static enum status add(struct serve_config *c, const char *text, struct error *err)
{
    struct yaml *y = NULL;
    enum status st;

    assert_ok(yaml_parse(text, strlen(text), "troupe.yaml", &y, why));
    st = serve_config_add(c, y, yaml_root(y), folder, err);
    yaml_free(y);
    return st;
}

static void what_is_offered(void **state)
{
    struct serve_config c = {.offer = NULL};
    const struct serve_offer *o;

    (void)state;
    assert_ok(add(&c,
                  "models: [strong, ./local]\n"
                  "agents:\n"
                  "  helper: {prompt: file://prompt.md, model: strong, tools: [calculator],\n"
                  "           budget: {calls: 20}, temperature: 0.5}\n"
                  "  plain: {}\n"
                  "blueprints:\n"
                  "  report: {file: report.yaml}\n"
                  "  all: {file: several.yaml, input: b}\n"
                  "  none: {file: none.yaml}\n",
                  why));
    assert_int_equal(c.n_models, 2);
    assert_string_equal(c.model[0].id, "strong");
    assert_string_equal(c.model[1].id, "./local");
    assert_string_equal(c.model[1].folder, folder);
    assert_string_equal(c.model[1].where, "troupe.yaml:1:18");
    assert_int_equal(c.n_offers, 5);
    o = serve_config_find(&c, "agent/helper");
    assert_non_null(o);
    assert_true(o->is_agent);
    assert_string_equal(o->input, "question");
    assert_string_equal(o->where, "troupe.yaml:3:11");
    assert_int_equal(o->plan->n_steps, 1);
    assert_string_equal(o->plan->agent[0].name, "helper");
    assert_non_null(o->plan->step[0].history);
    assert_string_equal(o->plan->agent[0].model, "strong");
    assert_string_equal(o->plan->agent[0].prompt, "From a file.");
    assert_int_equal(o->plan->agent[0].budget.calls, 20);
    assert_int_equal(o->plan->agent[0].n_tools, 1);
    assert_non_null(serve_config_find(&c, "agent/plain"));
    o = serve_config_find(&c, "blueprint/report");
    assert_non_null(o);
    assert_false(o->is_agent);
    assert_string_equal(o->input, "question"); /* the only required one */
    assert_string_equal(serve_config_find(&c, "blueprint/all")->input, "b");
    assert_null(serve_config_find(&c, "blueprint/none")->input);
    for (int32_t i = 0; i < c.n_offers; i++)
        assert_null(c.offer[i].api_only);
    assert_null(serve_config_find(&c, "helper"));
    assert_null(serve_config_find(&c, "blueprint/helper"));
    assert_null(serve_config_find(&c, "agent/"));
    serve_config_deinit(&c);
    assert_int_equal(c.n_offers, 0);
}

/* Every valid blueprint is offered: for /v1 too if a message alone can start it. */
static void what_a_message_cannot_start_is_for_the_api_only(void **state)
{
    static const struct {
        const char *file, *why;
    } cases[] = {
        {"several.yaml", "it has 3 inputs, and `input` does not name the one for the message"},
        {"both.yaml", "it has 2 inputs, and `input` does not name the one for the message"},
        {"count.yaml", "its input \"n\" is of type integer, not string or array"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct serve_config c = {.offer = NULL};
        char text[80];

        snprintf(text, sizeof(text), "blueprints: {a: {file: %s}}\n", cases[i].file);
        assert_ok(add(&c, text, why));
        assert_int_equal(c.n_offers, 1);
        assert_non_null(c.offer[0].api_only);
        assert_string_equal(c.offer[0].api_only, cases[i].why);
        assert_null(c.offer[0].input);
        serve_config_deinit(&c);
    }
}

/* No models at all is something else than no list. */
static void an_empty_list_of_models_is_a_list(void **state)
{
    struct serve_config c = {.offer = NULL};

    (void)state;
    assert_ok(add(&c, "agents: {a: {}}\n", why));
    assert_null(c.models_where);
    assert_ok(add(&c, "models: []\n", why));
    assert_string_equal(c.models_where, "troupe.yaml:1:9");
    assert_ok(add(&c, "models: [x]\n", why)); /* of a less important file */
    assert_int_equal(c.n_models, 0);
    assert_string_equal(c.models_where, "troupe.yaml:1:9");
    serve_config_deinit(&c);
}

static void the_more_important_file_counts(void **state)
{
    struct serve_config c = {.offer = NULL};

    (void)state;
    assert_ok(add(&c, "agents: {a: {prompt: first}}\n", why));
    assert_ok(add(&c, "models: [x]\nagents: {a: {prompt: second}, b: {prompt: second}}\n", why));
    assert_ok(add(&c, "models: [y]\n", why));
    assert_int_equal(c.n_offers, 2);
    assert_string_equal(serve_config_find(&c, "agent/a")->plan->agent[0].prompt, "first");
    assert_string_equal(serve_config_find(&c, "agent/b")->plan->agent[0].prompt, "second");
    assert_int_equal(c.n_models, 1);
    assert_string_equal(c.model[0].id, "x");
    serve_config_deinit(&c);
}

static void each_mistake_has_its_place(void **state)
{
    static const struct {
        const char *text, *where, *message; /* the first line begins so */
    } cases[] = {
        {"model: x\n", "troupe.yaml:1:1", "unknown key \"model\"; did you mean \"models\"?"},
        {"models: strong\n", "troupe.yaml:1:9", "expected a list of models"},
        {"models: {a: b}\n", "troupe.yaml:1:9", "expected a list of models"},
        {"models: [a, [b]]\n", "troupe.yaml:1:13", "expected the name of a model"},
        {"models: [a, \"\"]\n", "troupe.yaml:1:13", "expected the name of a model"},
        {"agents: [a]\n", "troupe.yaml:1:9", "expected a mapping of names"},
        {"agents: {a: b}\n", "troupe.yaml:1:13", "expected a mapping, as in {model: NAME, "},
        {"agents: {a/b: {}}\n", "troupe.yaml:1:10", "a name is 1 to 64 letters, digits, "},
        {"agents: {\"\": {}}\n", "troupe.yaml:1:10", "a name is 1 to 64 letters, digits, "},
        {"agents:\n  a: {promt: x}\n", "troupe.yaml:2:6", "agent a: unknown key \"promt\""},
        {"agents:\n  a: {tools: 3}\n", "troupe.yaml:2:6", "agent a: `tools` takes a list of names"},
        {"agents:\n  a: {prompt: file://no.md}\n", "troupe.yaml:2:6", "agent a: "},
        {"agents:\n  a: {budget: {call: 2}}\n", "troupe.yaml:2:6", "agent a: unknown key \"call\""},
        {"blueprints: 5\n", "troupe.yaml:1:13", "expected a mapping of names"},
        {"blueprints: {a: no.yaml}\n", "troupe.yaml:1:17",
         "expected a mapping, as in {file: BLUEPRINT}"},
        {"blueprints:\n  a: {}\n", "troupe.yaml:2:6", "a blueprint needs `file`"},
        {"blueprints:\n  a: {file: [x]}\n", "troupe.yaml:2:6", "a blueprint needs `file`"},
        {"blueprints:\n  a: {file: no.yaml}\n", "troupe.yaml:2:13", "cannot open blueprint"},
        {"blueprints:\n  a: {file: report.yaml, output: x}\n", "troupe.yaml:2:26",
         "unknown key \"output\""},
        {"blueprints:\n  a: {file: report.yaml, input: q}\n", "troupe.yaml:2:33",
         "the blueprint has no input \"q\""},
        {"blueprints:\n  a: {file: report.yaml, input: [q]}\n", "troupe.yaml:2:33",
         "`input` takes the name of an input"},
        {"blueprints:\n  a: {file: report.yaml, input: n}\n", "troupe.yaml:2:33",
         "a message cannot start the blueprint: its input \"question\" is required, too; without "
         "`input` it is offered for /api/runs only"},
        {"blueprints:\n  a: {file: several.yaml, input: c}\n", "troupe.yaml:2:34",
         "a message cannot start the blueprint: its input \"c\" is of type number, not string"},
        {"blueprints:\n  a: {file: both.yaml, input: b}\n", "troupe.yaml:2:31",
         "a message cannot start the blueprint: its input \"a\" is required, too"},
        {"blueprints:\n  a: {file: count.yaml, input: n}\n", "troupe.yaml:2:32",
         "a message cannot start the blueprint: its input \"n\" is of type integer, not string"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct serve_config c = {.offer = NULL};
        struct error err = ERROR_INIT;

        assert_int_equal(add(&c, cases[i].text, &err), STATUS_CONFIG);
        if (strcmp(err.where, cases[i].where) != 0 ||
            strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s\n%s: %s", cases[i].text, err.where, err.message);
        assert_int_equal(c.n_offers, 0);
        serve_config_deinit(&c);
    }
}

static void a_mistake_in_a_blueprint_has_its_place_there(void **state)
{
    struct serve_config c = {.offer = NULL};
    struct error err = ERROR_INIT;
    char where[128];

    (void)state;
    assert_int_equal(add(&c, "blueprints: {a: {file: wrong.yaml}}\n", &err), STATUS_CONFIG);
    snprintf(where, sizeof(where), "%s/wrong.yaml:2:20", folder);
    assert_string_equal(err.where, where);
    serve_config_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_offered),
        cmocka_unit_test(what_a_message_cannot_start_is_for_the_api_only),
        cmocka_unit_test(an_empty_list_of_models_is_a_list),
        cmocka_unit_test(the_more_important_file_counts),
        cmocka_unit_test(each_mistake_has_its_place),
        cmocka_unit_test(a_mistake_in_a_blueprint_has_its_place_there),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
