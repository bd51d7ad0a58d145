/* test_command_help.c - what the help of each command says is what the command gets.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app.h"
#include "tests/support/check.h"

#define C(name) extern const struct command_spec name;
#include "runtime/app/commands.def"
#undef C

static const struct command_spec *const commands[] = {
#define C(name) &name,
#include "runtime/app/commands.def"
#undef C
};
#define N_COMMANDS ((int32_t)(sizeof(commands) / sizeof(commands[0])))

/* The options of a command line that gives nothing but the words it must; `more` may be NULL. */
static struct options *parse(const struct command_spec *c, const char *more)
{
    char program[] = "troupe", word[] = "x", name[64], option[200], *argv[16] = {program, name};
    int argc = 2;
    struct options *o = NULL;
    const struct command_spec *got = NULL;
    struct error err = ERROR_INIT;

    snprintf(name, sizeof(name), "%s", c->name);
    if (strchr(name, ' ')) {
        argv[argc++] = strchr(name, ' ') + 1;
        *strchr(name, ' ') = 0;
    }
    for (int32_t i = 0; i < c->min_args; i++)
        argv[argc++] = word;
    if (more) {
        snprintf(option, sizeof(option), "%s", more);
        argv[argc++] = option;
    }
    if (options_parse(argc, argv, commands, N_COMMANDS, &o, &got, &err))
        fail_msg("%s %s: %s", c->name, more ? more : "", err.message);
    assert_ptr_equal(got, c);
    return o;
}

/* The text between brackets at the end of the option's paragraph; false when there is none. */
static bool printed_default(const char *help, const char *name, char *out, size_t n)
{
    char flag[80];
    const char *at, *end, *open = NULL;

    snprintf(flag, sizeof(flag), "\n  --%s", name);
    at = strstr(help, flag);
    while (at && at[strlen(flag)] != ' ' && at[strlen(flag)] != '\n')
        at = strstr(at + 1, flag);
    assert_non_null(at);
    end = strstr(at + 1, "\n  --");
    if (strstr(at, "\n\n") && (!end || strstr(at, "\n\n") < end))
        end = strstr(at, "\n\n");
    end = end ? end : at + strlen(at);
    while (end[-1] == '\n')
        end--;
    if (end[-1] != ']')
        return false;
    for (const char *c = at; c < end; c++)
        if (*c == '[' && (c[-1] == ' ' || c[-1] == '\n'))
            open = c;
    assert_non_null(open);
    snprintf(out, n, "%.*s", (int)(end - 1 - open - 1), open + 1);
    return true;
}

static void check_option(const struct command_spec *c, enum option_id id, const char *help)
{
    const char *name = option_spec(id)->name;
    struct options *plain = parse(c, NULL), *said;
    char text[100] = "", flag[200];

    if (!printed_default(help, name, text, sizeof(text))) {
        if (option_text(plain, id))
            fail_msg("%s: --%s is %s, and the help does not say so", c->name, name,
                     option_text(plain, id));
        options_free(plain);
        return;
    }
    snprintf(flag, sizeof(flag), "--%s=%s", name, text);
    said = parse(c, flag);
    if (!option_text(plain, id) || strcmp(option_text(plain, id), option_text(said, id)) != 0 ||
        option_int(plain, id) != option_int(said, id) ||
        option_seed(plain, id) != option_seed(said, id) ||
        option_number(plain, id) != option_number(said, id))
        fail_msg("%s: --%s says [%s], in force is %s", c->name, name, text,
                 option_text(plain, id) ? option_text(plain, id) : "nothing");
    options_free(said);
    options_free(plain);
}

static void each_printed_default_is_the_one_in_force(void **state)
{
    (void)state;
    for (int32_t i = 0; i < N_COMMANDS; i++) {
        struct str help = STR_INIT;

        help_command(commands[i], &help);
        for (const enum option_id *id = commands[i]->options; id && *id != OPT_END; id++)
            check_option(commands[i], *id, str_cstr(&help));
        str_deinit(&help);
    }
}

/* A line in options.def for a command or an option that is not there says nothing to anybody. */
static void each_default_of_a_command_is_of_one_that_takes_it(void **state)
{
    static const struct {
        const char *command;
        enum option_id id;
    } own[] = {
#define O(id, name, type, otherwise, metavar, min, max, flags, help)
#define D(command, id, otherwise, metavar, help) {command, OPT_##id},
#include "runtime/config/options.def"
#undef D
#undef O
    };

    (void)state;
    for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++) {
        bool found = false;

        for (int32_t i = 0; i < N_COMMANDS; i++)
            for (const enum option_id *id = commands[i]->options; id && *id != OPT_END; id++)
                found |= strcmp(commands[i]->name, own[k].command) == 0 && *id == own[k].id;
        if (!found)
            fail_msg("`%s` does not take --%s", own[k].command, option_spec(own[k].id)->name);
    }
}

static int no_settings_of_the_user(void **state)
{
    (void)state;
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    for (int id = 0; id < OPT_N; id++) {
        char name[80] = "TROUPE_";
        size_t n = strlen(name);

        for (const char *c = option_spec((enum option_id)id)->name; *c; c++)
            name[n++] = *c == '-' ? '_' : (char)(*c - ('a' - 'A') * (*c >= 'a' && *c <= 'z'));
        name[n] = 0;
        unsetenv(name);
    }
    return chdir("/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_printed_default_is_the_one_in_force),
        cmocka_unit_test(each_default_of_a_command_is_of_one_that_takes_it),
    };

    return cmocka_run_group_tests(tests, no_settings_of_the_user, NULL);
}
