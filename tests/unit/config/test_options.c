/* test_options.c - flags, environment and files: precedence, checks, and words for each mistake.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/config/options.h"
#include "runtime/config/sections.h"
#include "tests/support/temp_dir.h"

static const enum option_id run_options[] = {
    OPT_MODEL,   OPT_VAR,     OPT_SEED,      OPT_LR,          OPT_DEVICE,
    OPT_THREADS, OPT_TIMEOUT, OPT_KV_MEMORY, OPT_TEMPERATURE, OPT_END};
static const struct command_spec run_spec = {
    "run", "work", "BLUEPRINT", "runs a workflow", NULL, run_options, 1, 1, NULL};
static const struct command_spec list_spec = {
    "models list", "models", "", "lists models", NULL, NULL, 0, 0, NULL};
static const struct command_spec *const commands[] = {&run_spec, &list_spec};

static enum status parse(const char *line, struct options **o, const struct command_spec **c,
                         struct error *err)
{
    static _Thread_local char text[512];
    char program[] = "troupe", *argv[32] = {program}, *save = NULL;
    int argc = 1;

    snprintf(text, sizeof(text), "%s", line);
    for (char *w = strtok_r(text, " ", &save); w && argc < 31; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return options_parse(argc, argv, commands, 2, o, c, err);
}

static void values_are_typed_and_positions_kept(void **state)
{
    struct options *o = NULL;
    const struct command_spec *c = NULL;

    (void)state;
    assert_int_equal(
        parse("run a.yaml --model embedded --model judge=x --seed 18446744073709551615 "
              "--timeout 2m --kv-memory=3k --lr 1e-4",
              &o, &c, NULL),
        STATUS_OK);
    assert_ptr_equal(c, &run_spec);
    assert_string_equal(options_arg(o, 0), "a.yaml");
    assert_int_equal(option_count(o, OPT_MODEL), 2);
    assert_string_equal(option_text_at(o, OPT_MODEL, 1), "judge=x");
    assert_true(option_seed(o, OPT_SEED) == UINT64_MAX);
    assert_int_equal(option_int(o, OPT_TIMEOUT), 120000);
    assert_int_equal(option_int(o, OPT_KV_MEMORY), 3072);
    assert_true(option_number(o, OPT_LR) == 1e-4);
    assert_string_equal(option_text(o, OPT_DEVICE), "cpu");
    assert_string_equal(option_origin(o, OPT_DEVICE), "default");
    assert_string_equal(option_origin(o, OPT_LR), "flag");
    options_free(o);
}

static void a_number_may_be_a_list(void **state)
{
    static const char *const lines[] = {"run a", "run a --temperature 0.5",
                                        "run a --temperature 0,0.5,1e1"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct options *o = NULL;
        const struct command_spec *c = NULL;
        struct error err = ERROR_INIT;
        double t[2] = {-1, -1};

        assert_int_equal(parse(lines[i], &o, &c, &err), STATUS_OK);
        assert_int_equal(option_numbers(o, OPT_TEMPERATURE, t, 2), i == 2 ? 3 : i);
        assert_true(t[0] == (i == 0 ? -1 : i == 1 ? .5 : 0) && t[1] == (i == 2 ? .5 : -1));
        assert_true(option_number(o, OPT_TEMPERATURE) == (i == 1 ? .5 : 0));
        assert_int_equal(option_one(o, OPT_TEMPERATURE, &err), i == 2 ? STATUS_USAGE : STATUS_OK);
        options_free(o);
    }
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *line, *message, *hint;
    } cases[] = {
        {"rum a", "unknown command `rum`", "`troupe run`"},
        {"models lits", "unknown command `models lits`", "did you mean `troupe models list`?"},
        {"modles lits", "unknown command `modles`", "did you mean `troupe models list`?"},
        {"modles x", "unknown command `modles`", "did you mean `troupe models`?"},
        {"models zzz", "unknown command `models zzz`",
         "`troupe help models` explains its commands: list"},
        {"run a --timeout 5", "--timeout: \"5\" is not a duration with its unit (ms, s, m, h, d)",
         ""},
        {"run a --threads 1e3", "is not a whole number", ""},
        {"models", "`troupe models` needs a subcommand", "commands: list"},
        {"run", "`troupe run` needs BLUEPRINT", "troupe help run"},
        {"run a b", "does not take \"b\"", ""},
        {"run a --sede 3", "takes no option --sede", "--seed"},
        {"run a --seed", "--seed needs a value", ""},
        {"run a --seed -3", "not a whole number from 0", "seed of the run"},
        {"run a --seed 1 --seed 2", "--seed is given twice", ""},
        {"run a --threads 99999", "out of range", ""},
        {"run a --threads 1x", "not a whole number", ""},
        {"run a --device gpu", "not cpu|cuda", ""},
        {"run a --device cudo", "not cpu|cuda", "did you mean cuda?"},
        {"run a --timeout soon", "not a duration", ""},
        {"run a --lr nan", "not a number", ""},
        {"run a --temperature 0,x", "\"0,x\" is not a number or a list such as 0,1", ""},
        {"run a --temperature 0,,1", "is not a number", ""},
        {"run a --temperature 0,", "is not a number", ""},
        {"run a --temperature ,", "is not a number", ""},
        {"run a --temperature 0,-1", "-1 is out of range (0 to 100)", ""},
        {"run a --horizon 3", "takes no option --horizon", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct options *o = NULL;
        const struct command_spec *c = NULL;
        struct error err = ERROR_INIT;
        assert_int_equal(parse(cases[i].line, &o, &c, &err), STATUS_USAGE);
        if (!strstr(err.message, cases[i].message) || !strstr(err.hint, cases[i].hint))
            fail_msg("%s: got \"%s\" / \"%s\"", cases[i].line, err.message, err.hint);
        assert_null(o);
    }
}

static void put(const char *path, const char *text)
{
    temp_put(path, text, strlen(text));
}

static void flag_beats_environment_beats_file(void **state)
{
    char dir[64];
    struct options *o = NULL;
    const struct command_spec *c = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    temp_dir(dir);
    assert_int_equal(chdir(dir), 0);
    setenv("XDG_CONFIG_HOME", dir, 1);
    assert_int_equal(dir_make("troupe", NULL), STATUS_OK);
    put("troupe/config.yaml", "threads: 7\ncpu_isa: plain\ndevice: cuda\n");
    put("troupe.yaml", "threads: 5\ncpu-isa: avx2\n");
    setenv("TROUPE_THREADS", "3", 1);
    assert_int_equal(parse("run a --threads 1", &o, &c, NULL), STATUS_OK);
    assert_int_equal(option_int(o, OPT_THREADS), 1);
    options_free(o);
    assert_int_equal(parse("run a", &o, &c, NULL), STATUS_OK);
    assert_int_equal(option_int(o, OPT_THREADS), 3);
    assert_string_equal(option_origin(o, OPT_THREADS), "TROUPE_THREADS");
    assert_string_equal(option_text(o, OPT_CPU_ISA), "avx2");
    assert_string_equal(option_text(o, OPT_DEVICE), "cuda");
    options_free(o);
    unsetenv("TROUPE_THREADS");
    assert_int_equal(parse("run a", &o, &c, NULL), STATUS_OK);
    assert_int_equal(option_int(o, OPT_THREADS), 5);
    options_free(o);

    put("troupe.yaml", "thread: 5\n");
    assert_int_equal(parse("run a", &o, &c, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.where, "troupe.yaml:1:1"));
    assert_non_null(strstr(err.message, "threads"));
    put("troupe.yaml", "threads: many\n");
    assert_int_equal(parse("run a", &o, &c, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "troupe.yaml:1:10"));
    assert_int_equal(chdir("/"), 0);
    temp_dir_remove(dir);
}

/* Each file may have each section; the owner gets the node and the folder of the file. */
static void a_file_may_have_sections(void **state)
{
    char dir[64], here[4096];
    struct options *o = NULL;
    const struct command_spec *c = NULL;
    struct section s;
    struct error err = ERROR_INIT;

    (void)state;
    temp_dir(dir);
    assert_int_equal(chdir(dir), 0);
    assert_non_null(getcwd(here, sizeof(here)));
    setenv("XDG_CONFIG_HOME", dir, 1);
    assert_int_equal(dir_make("troupe", NULL), STATUS_OK);
    put("troupe/config.yaml", "models: {b: {url: u}}\n");
    put("troupe.yaml", "threads: 5\nmodels:\n  a: {url: x}\n");
    assert_int_equal(parse("run a", &o, &c, NULL), STATUS_OK);
    assert_true(options_section(o, SECTION_MODELS, 0, &s));
    assert_non_null(yaml_get(s.node, "a"));
    assert_string_equal(s.folder, here);
    assert_true(options_section(o, SECTION_MODELS, 1, &s));
    assert_non_null(yaml_get(s.node, "b"));
    assert_non_null(strstr(s.folder, "/troupe"));
    assert_false(options_section(o, SECTION_MODELS, 2, &s));
    assert_false(options_section(o, SECTION_SERVE, 0, &s));
    options_free(o);

    put("troupe.yaml", "models: fast\n");
    assert_int_equal(parse("run a", &o, &c, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.where, "troupe.yaml:1:9"));
    put("troupe.yaml", "model_s: {}\n");
    assert_int_equal(parse("run a", &o, &c, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "models"));
    assert_int_equal(chdir("/"), 0);
    temp_dir_remove(dir);
}

static void documents_name_every_command_and_option(void **state)
{
    struct str s = STR_INIT;

    (void)state;
    help_overview(commands, 2, &s);
    assert_non_null(strstr(str_cstr(&s), "models list"));
    str_clear(&s);
    help_command(&run_spec, &s);
    for (const enum option_id *id = run_options; *id != OPT_END; id++)
        assert_non_null(strstr(str_cstr(&s), option_spec(*id)->name));
    str_clear(&s);
    help_man(commands, 2, "1", &s);
    assert_non_null(strstr(str_cstr(&s), ".TH TROUPE"));
    str_clear(&s);
    str_clear(&s);
    assert_true(help_group("models", commands, 2, &s));
    assert_non_null(strstr(str_cstr(&s), "lists models"));
    assert_false(help_group("model", commands, 2, &s));
    assert_false(help_group("run", commands, 2, &s));
    str_deinit(&s);
}

/* A command's own default and words, from the D lines of options.def. */
static void a_command_may_have_a_default_of_its_own(void **state)
{
    static const enum option_id ids[] = {OPT_UPDATES, OPT_LR, OPT_CLIP, OPT_END};
    static const struct command_spec sft = {"train sft", "", "", "", NULL, ids, 0, 0, NULL},
                                     grpo = {"train grpo", "", "", "", NULL, ids, 0, 0, NULL};
    static const struct command_spec *const both[] = {&sft, &grpo};
    static const int64_t updates[] = {1000, 60};
    static const double lr[] = {2e-3, 1e-4};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char program[] = "troupe", train[] = "train", kind[2][8] = {"sft", "grpo"};
        char *argv[] = {program, train, kind[i], NULL};
        struct options *o = NULL;
        const struct command_spec *c = NULL;
        struct str s = STR_INIT;

        assert_int_equal(options_parse(3, argv, both, 2, &o, &c, NULL), STATUS_OK);
        assert_ptr_equal(c, both[i]);
        assert_int_equal(option_int(o, OPT_UPDATES), updates[i]);
        assert_true(option_number(o, OPT_LR) == lr[i] && option_number(o, OPT_CLIP) == 1);
        assert_false(option_is_set(o, OPT_UPDATES));
        help_command(c, &s);
        assert_non_null(strstr(str_cstr(&s), i ? "steps [60]" : "steps [1000]"));
        assert_non_null(strstr(str_cstr(&s), i ? "warm-up [1e-4]" : "warm-up [2e-3]"));
        str_deinit(&s);
        options_free(o);
    }
}

static void help_is_asked_for_in_three_ways(void **state)
{
    static const struct command_spec help = {"help", "", "[COMMAND]", "", NULL, NULL, 0, 2, NULL};
    static const struct command_spec *const all[] = {&run_spec, &list_spec, &help};
    static char lines[][3][8] = {{"--help", "run", ""}, {"-h", "run", ""}, {"help", "run", ""}};

    (void)state;
    for (int i = 0; i < 6; i++) {
        char program[] = "troupe", models[] = "models", *argv[4] = {program};
        struct options *o = NULL;
        const struct command_spec *c = NULL;

        argv[1] = i < 3 ? lines[i][0] : i < 5 ? models : lines[0][0];
        argv[2] = i < 3 ? lines[i][1] : lines[i < 5 ? i - 3 : 0][0];
        assert_int_equal(options_parse(i < 5 ? 3 : 2, argv, all, 3, &o, &c, NULL), STATUS_OK);
        assert_ptr_equal(c, &help);
        if (i < 5)
            assert_string_equal(options_arg(o, 0), i < 3 ? "run" : "models");
        assert_int_equal(options_n_args(o), i < 5);
        options_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_typed_and_positions_kept),
        cmocka_unit_test(a_number_may_be_a_list),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(flag_beats_environment_beats_file),
        cmocka_unit_test(a_file_may_have_sections),
        cmocka_unit_test(documents_name_every_command_and_option),
        cmocka_unit_test(a_command_may_have_a_default_of_its_own),
        cmocka_unit_test(help_is_asked_for_in_three_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
