/* test_completion.c - what may follow on a command line, by the kind of each place.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/config/completion.h"
#include "tests/support/check.h"

static const enum option_id eval_ids[] = {OPT_MODEL,  OPT_DEVICE, OPT_FAULTS, OPT_DATA,
                                          OPT_EXPERT, OPT_STREAM, OPT_ROOT,   OPT_END};
static const struct command_spec
    eval_spec = {"eval", "", "ENV|BLUEPRINT", "measures", NULL, eval_ids, 1, 1, NULL},
    run_spec = {"run", "", "BLUEPRINT", "runs", NULL, eval_ids, 1, 1, NULL},
    show_spec = {"show", "", "RUN[/PATH]", "shows", NULL, NULL, 1, 1, NULL},
    resume_spec = {"resume", "", "[RUN | --all]", "goes on", NULL, NULL, 0, 1, NULL},
    plot_spec = {"plot", "", "DIR|RUN...", "draws", NULL, NULL, 1, 9, NULL},
    list_spec = {"models list", "", "", "lists models", NULL, NULL, 0, 0, NULL},
    models_spec = {"models show", "", "M", "shows a model", NULL, NULL, 1, 1, NULL},
    config_spec = {"config", "",  "[get OPTION | set OPTION VALUE]", "settings", NULL, NULL, 0,
                   3,        NULL},
    script_spec = {"completion", "", "bash|zsh", "prints", NULL, NULL, 1, 1, NULL},
    help_spec = {"help", "", "[COMMAND]", "explains", NULL, NULL, 0, 2, NULL};
static const struct command_spec *const commands[] = {
    &run_spec,  &eval_spec,   &show_spec,   &resume_spec, &plot_spec,
    &list_spec, &models_spec, &config_spec, &script_spec, &help_spec};

static void names(struct completion *c, const char *kind)
{
    char word[64];

    if (strcmp(kind, "RUN") == 0) {
        completion_offer(c, "0192aa", "a run");
        completion_offer(c, "last", NULL);
    } else if (strcmp(kind, "ENV") == 0) {
        completion_offer(c, "ledger", "orders");
        completion_offer(c, "courier", "parcels");
    } else if (strcmp(kind, "M") == 0) {
        completion_offer(c, "embedded", NULL);
        c->folders = true;
    } else if (c->env) {
        snprintf(word, sizeof(word), "%s-of-%s", kind, c->env);
        completion_offer(c, word, NULL);
    }
    if (c->store)
        completion_offer(c, c->store, NULL);
}

/* Words are parted by one blank; a blank at the end is an empty last word. */
static void complete(const char *line, struct str *out)
{
    char text[200];
    const char *words[20];
    int32_t n = 0;
    struct completion c = {.commands = commands,
                           .n_commands = (int32_t)(sizeof(commands) / sizeof(*commands)),
                           .words = words,
                           .names = names,
                           .out = out};

    snprintf(text, sizeof(text), "%s", line);
    for (char *at = text; at; n++) {
        char *blank = strchr(at, ' ');
        if (blank)
            *blank++ = 0;
        words[n] = at;
        at = blank;
    }
    c.n_words = n;
    completion_run(&c);
}

static void each_place_offers_what_fits(void **state)
{
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"", "run\truns\neval\tmeasures\nshow\tshows\nresume\tgoes on\nplot\tdraws\nmodels\n"
             "config\tsettings\ncompletion\tprints\nhelp\texplains\n--help\n--version\n"},
        {"e", "eval\tmeasures\n"},
        {"--v", "--version\n"},
        {"models ", "list\tlists models\nshow\tshows a model\n"},
        {"models sh", "show\tshows a model\n"},
        {"models nothing ", ""},
        {"nothing ", ""},
        {"eval ", "ledger\torders\ncourier\tparcels\n:files\n"},
        {"eval le", "ledger\torders\n:files\n"},
        {"eval ledger ", ""},
        {"run ", ":files\n"},
        {"show ", "0192aa\ta run\nlast\n"},
        {"show 01", "0192aa\ta run\n"},
        {"resume l", "last\n"},
        {"plot out ", "0192aa\ta run\nlast\n:folders\n"},
        {"models show e", "embedded\n:folders\n"},
        {"eval ledger --dev", "--device\tdevice that the model runs on\n"},
        {"eval ledger --device ", "cpu\ncuda\n"},
        {"eval ledger --device=c", "--device=cpu\n--device=cuda\n"},
        {"eval ledger --device cu", "cuda\n"},
        {"eval --device cuda le", "ledger\torders\n:files\n"},
        {"eval --stream le", "ledger\torders\n:files\n"},
        {"eval ledger --model ", "embedded\n:folders\n"},
        {"eval ledger --model judge=em", "judge=embedded\n:folders\n"},
        {"eval ledger --model=judge=em", "--model=judge=embedded\n:folders\n"},
        {"eval ledger --faults ", "FAULT-of-ledger\n"},
        {"eval ledger --faults a,F", "a,FAULT-of-ledger\n"},
        {"eval ledger --expert ", "EXPERT-of-ledger\n"},
        {"eval --expert ", ""},
        {"eval ledger --data ", ":files\n"},
        {"eval ledger --root ", ":folders\n"},
        {"show --store x.db x", "x.db\n"},
        {"show --store=x.db x", "x.db\n"},
        {"show -- l", "last\n"},
        {"show -- --", ""},
        {"eval ledger --nothing x", ""},
        {"config ", "get\nset\n"},
        {"config get cpu",
         "cpu-isa\tCPU instruction set of the kernels (all give the same bits)\n"},
        {"config set cpu",
         "cpu-isa\tCPU instruction set of the kernels (all give the same bits)\n"},
        {"completion ", "bash\nzsh\n"},
        {"help sh", "show\tshows\n"},
        {"help models l", "list\tlists models\n"},
        {"help models list ", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str out = STR_INIT;

        complete(cases[i].line, &out);
        if (strcmp(str_cstr(&out), cases[i].want) != 0)
            fail_msg("\"%s\": got\n%s", cases[i].line, str_cstr(&out));
        str_deinit(&out);
    }
}

static void shells_have_scripts(void **state)
{
    (void)state;
    assert_non_null(completion_script("bash"));
    assert_non_null(completion_script("zsh"));
    assert_non_null(completion_script("fish"));
    assert_null(completion_script("dos"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_offers_what_fits),
        cmocka_unit_test(shells_have_scripts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
