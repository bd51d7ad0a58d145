/* options.c - argv against the table of commands.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"
#include "runtime/config/options_internal.h"

const enum option_id options_general[] = {OPT_STORE,      OPT_JSON, OPT_QUIET, OPT_VERBOSE,
                                          OPT_LOG_FORMAT, OPT_HELP, OPT_END};

void options_free(struct options *o)
{
    if (!o)
        return;
    for (int id = 0; id < OPT_N; id++) {
        for (int32_t i = 0; i < o->value[id].n; i++)
            free(o->value[id].text[i]);
        free(o->value[id].text);
        free(o->value[id].origin);
    }
    for (size_t i = 0; i < CONFIG_FILES; i++) {
        yaml_free(o->file[i].yaml);
        free(o->file[i].folder);
    }
    free(o->arg);
    free(o);
}

int32_t options_n_args(const struct options *o)
{
    return o->n_args;
}

const char *options_arg(const struct options *o, int32_t i)
{
    return i < o->n_args ? o->arg[i] : NULL;
}

bool options_list_has(const enum option_id *list, enum option_id id)
{
    for (; list && *list != OPT_END; list++)
        if (*list == id)
            return true;
    return false;
}

/* The command that argv begins with; *n_words is the number of its words. */
static const struct command_spec *find_command(int argc, char **argv,
                                               const struct command_spec *const *commands,
                                               int32_t n, int *n_words)
{
    char two[128];

    if (argc > 2) {
        snprintf(two, sizeof(two), "%s %s", argv[1], argv[2]);
        for (int32_t i = 0; i < n; i++)
            if (strcmp(commands[i]->name, two) == 0) {
                *n_words = 2;
                return commands[i];
            }
    }
    for (int32_t i = 0; i < n; i++)
        if (strcmp(commands[i]->name, argv[1]) == 0) {
            *n_words = 1;
            return commands[i];
        }
    return NULL;
}

/* Is it the first word of commands with two words? */
static bool is_group(const char *word, const struct command_spec *const *commands, int32_t n)
{
    size_t first = strlen(word);

    for (int32_t i = 0; i < n; i++)
        if (strncmp(commands[i]->name, word, first) == 0 && commands[i]->name[first] == ' ')
            return true;
    return false;
}

/* `troupe models list`, `troupe models show`, ...: the hint after a word that begins them. */
static void hint_subcommands(const char *word, const struct command_spec *const *commands,
                             int32_t n, struct error *err)
{
    struct str list = STR_INIT;
    size_t first = strlen(word);

    for (int32_t i = 0; i < n; i++)
        if (strncmp(commands[i]->name, word, first) == 0 && commands[i]->name[first] == ' ')
            str_printf(&list, "%s%s", list.len ? ", " : "", commands[i]->name + first + 1);
    error_hint(err, "`troupe help %s` explains its commands: %s", word, str_cstr(&list));
    str_deinit(&list);
}

/* Word k (0 or 1) of the name of a command, copied to `out`; false: it has no such word. */
static bool word_of(const struct command_spec *c, int k, char out[32])
{
    const char *space = strchr(c->name, ' ');

    if (k == 1 && !space)
        return false;
    snprintf(out, 32, "%.*s", k == 0 && space ? (int)(space - c->name) : 31,
             k == 0 ? c->name : space + 1);
    return true;
}

/* The nearest word k of all commands, or of those whose first word is `group`. */
static bool nearest_at(const char *said, int k, const char *group,
                       const struct command_spec *const *commands, int32_t n, char out[32])
{
    char(*words)[32] = xcalloc((size_t)n, sizeof(*words)), first[32];
    const char **names = xcalloc((size_t)n, sizeof(*names)), *near;
    size_t count = 0;

    for (int32_t i = 0; i < n; i++)
        if ((!group || (word_of(commands[i], 0, first) && strcmp(first, group) == 0)) &&
            word_of(commands[i], k, words[count])) {
            names[count] = words[count];
            count++;
        }
    near = nearest_word(said, names, count);
    if (near)
        snprintf(out, 32, "%s", near);
    free(names);
    free(words);
    return near != NULL;
}

bool command_nearest(const char *first, const char *second,
                     const struct command_spec *const *commands, int32_t n, char out[64])
{
    char word[32], sub[32];
    bool group;

    if (!nearest_at(first, 0, NULL, commands, n, word))
        return false;
    group = is_group(word, commands, n);
    if (group && second && nearest_at(second, 1, word, commands, n, sub)) {
        snprintf(out, 64, "%s %s", word, sub);
        return true;
    }
    snprintf(out, 64, "%s", word);
    return strcmp(word, first) != 0;
}

static enum status unknown_command(int argc, char **argv,
                                   const struct command_spec *const *commands, int32_t n,
                                   struct error *err)
{
    const char *second = argc > 2 && argv[2][0] != '-' ? argv[2] : NULL;
    char near[64];
    bool group = is_group(argv[1], commands, n);
    enum status st;

    if (argv[1][0] == '-') {
        st = error_set(err, STATUS_USAGE, "expected a command, not \"%s\"", argv[1]);
        error_hint(err, "options come after the command; `troupe help` lists all commands");
        return st;
    }
    if (group && !second) {
        st = error_set(err, STATUS_USAGE, "`troupe %s` needs a subcommand", argv[1]);
        hint_subcommands(argv[1], commands, n, err);
        return st;
    }
    st = error_set(err, STATUS_USAGE, "unknown command `%s%s%s`", argv[1], group ? " " : "",
                   group ? second : "");
    if (command_nearest(argv[1], second, commands, n, near))
        error_hint(err, "did you mean `troupe %s`? `troupe help` lists all commands", near);
    else if (group)
        hint_subcommands(argv[1], commands, n, err);
    else
        error_hint(err, "`troupe help` lists all commands");
    return st;
}

static enum status unknown_option(const struct command_spec *c, const char *name, size_t n,
                                  struct error *err)
{
    const char *names[OPT_N];
    char said[64];
    size_t count = 0;
    enum status st;

    snprintf(said, sizeof(said), "%.*s", (int)n, name);
    for (int id = 0; id < OPT_N; id++)
        if (options_list_has(options_general, (enum option_id)id) ||
            options_list_has(c->options, (enum option_id)id))
            names[count++] = option_spec((enum option_id)id)->name;
    const char *near = nearest_word(said, names, count);
    st = error_set(err, STATUS_USAGE, "`troupe %s` takes no option --%s", c->name, said);
    if (near)
        error_hint(err, "did you mean --%s?", near);
    else
        error_hint(err, "`troupe help %s` lists its options", c->name);
    return st;
}

/* argv[*i] is "--name", "--name=value" or "--name value". */
static enum status take_option(struct options *o, const struct command_spec *c, int argc,
                               char **argv, int *i, struct error *err)
{
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t n = eq ? (size_t)(eq - name) : strlen(name);
    int id = 0;
    char where[80];
    const char *text;
    enum status st;

    /* Two options of different commands may have the same name. */
    while (id < OPT_N && (strncmp(option_spec((enum option_id)id)->name, name, n) != 0 ||
                          option_spec((enum option_id)id)->name[n] != 0 ||
                          !(options_list_has(options_general, (enum option_id)id) ||
                            options_list_has(c->options, (enum option_id)id))))
        id++;
    if (id == OPT_N)
        return unknown_option(c, name, n, err);
    const struct option_spec *s = option_spec((enum option_id)id);
    snprintf(where, sizeof(where), "--%s", s->name);
    if (s->type == OPTION_FLAG)
        text = eq ? eq + 1 : "true";
    else if (eq)
        text = eq + 1;
    else if (*i + 1 < argc)
        text = argv[++*i];
    else
        return error_set(err, STATUS_USAGE, "--%s needs a value (%s)", s->name, s->metavar);
    if (o->value[id].n > 0 && !(s->flags & OPTION_REPEATS))
        return error_set(err, STATUS_USAGE, "--%s is given twice", s->name);
    st = option_take(o, (enum option_id)id, text, where, err);
    if (!st && !o->value[id].origin)
        o->value[id].origin = xstrdup("flag");
    return st;
}

static enum status check_args(const struct options *o, const struct command_spec *c,
                              struct error *err)
{
    if (option_flag(o, OPT_HELP))
        return STATUS_OK;
    if (o->n_args < c->min_args) {
        (void)error_set(err, STATUS_USAGE, "`troupe %s` needs %s", c->name, c->args);
        error_hint(err, "see `troupe help %s`", c->name);
        return STATUS_USAGE;
    }
    if (o->n_args > c->max_args)
        return error_set(err, STATUS_USAGE,
                         "`troupe %s` does not take \"%s\"; usage: troupe %s%s%s", c->name,
                         o->arg[c->max_args], c->name, *c->args ? " " : "", c->args);
    return STATUS_OK;
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The command that argv names; `--help run` and `env --help` are `help run` and `help env`. */
static const struct command_spec *named_command(struct options *o, int argc, char **argv,
                                                const struct command_spec *const *commands,
                                                int32_t n, int *n_words)
{
    char version[] = "version", help[] = "help", *alone[] = {argv[0], help};
    const struct command_spec *c;

    if (asks_help(argv[1])) {
        c = find_command(2, alone, commands, n, n_words);
        *n_words = 1;
        return c;
    }
    if (strcmp(argv[1], "--version") == 0) {
        alone[1] = version;
        return find_command(2, alone, commands, n, n_words);
    }
    c = find_command(argc, argv, commands, n, n_words);
    if (!c && argc > 2 && asks_help(argv[2]) && is_group(argv[1], commands, n)) {
        c = find_command(2, alone, commands, n, n_words);
        *n_words = 2;
        if (c)
            o->arg[o->n_args++] = argv[1];
    }
    return c;
}

/* Help, version and completion work whatever a settings file contains, and `config set` is a way to
 * correct one. */
static bool ignores_faults_of_settings(const struct options *o, const struct command_spec *c)
{
    static const char *const names[] = {"help", "version", "completion"};
    const char *first = options_arg(o, 0);

    if (!c || option_flag(o, OPT_HELP))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(c->name, names[i]) == 0)
            return true;
    return strcmp(c->name, "config") == 0 && first && strcmp(first, "set") == 0;
}

static enum status read_settings(struct options *o, struct error *err)
{
    struct error ignored = ERROR_INIT;
    enum status st;

    if (ignores_faults_of_settings(o, o->command)) {
        (void)!options_read_environment(o, &ignored);
        (void)!options_read_files(o, &ignored);
        return STATUS_OK;
    }
    st = options_read_environment(o, err);
    return st ? st : options_read_files(o, err);
}

enum status options_parse(int argc, char **argv, const struct command_spec *const *commands,
                          int32_t n_commands, struct options **out,
                          const struct command_spec **command, struct error *err)
{
    struct options *o = xcalloc(1, sizeof(*o));
    const struct command_spec *c = NULL;
    int words = 0;
    enum status st = STATUS_OK;
    bool only_args = false;

    o->arg = xcalloc((size_t)argc + 1, sizeof(*o->arg));
    if (argc > 1)
        c = named_command(o, argc, argv, commands, n_commands, &words);
    if (argc > 1 && !c && !asks_help(argv[1]))
        st = unknown_command(argc, argv, commands, n_commands, err);
    o->command = c;
    for (int i = words + 1; c && !st && i < argc; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (!only_args && strncmp(argv[i], "--", 2) == 0)
            st = take_option(o, c, argc, argv, &i, err);
        else if (!only_args && strcmp(argv[i], "-h") == 0)
            st = option_take(o, OPT_HELP, "true", "-h", err);
        else if (!only_args && argv[i][0] == '-' && isalpha((unsigned char)argv[i][1]))
            st = unknown_option(c, argv[i] + 1, strlen(argv[i] + 1), err);
        else
            o->arg[o->n_args++] = argv[i];
    }
    if (!st && c)
        st = check_args(o, c, err);
    if (!st)
        st = read_settings(o, err);
    if (!st)
        st = options_defaults(o, err);
    if (st) {
        options_free(o);
        return st;
    }
    *out = o;
    *command = c;
    return STATUS_OK;
}
