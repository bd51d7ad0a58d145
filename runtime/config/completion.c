/* completion.c - candidates for a command line, from the tables of commands and options.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/config/completion.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "runtime/config/options_internal.h"

#define KIND_MAX 40
#define ARGS_MAX 4 /* positional words that are considered */

void completion_offer(struct completion *c, const char *word, const char *about)
{
    if (strncmp(word, c->typed, strlen(c->typed)) != 0)
        return;
    str_append(c->out, c->head, c->head_n);
    str_puts(c->out, word);
    if (about)
        str_printf(c->out, "\t%s", about);
    str_putc(c->out, '\n');
}

/* The first words of all commands, each once. */
static void offer_commands(struct completion *c)
{
    for (int32_t i = 0; i < c->n_commands; i++) {
        const char *name = c->commands[i]->name;
        size_t n = strcspn(name, " ");
        char word[KIND_MAX];

        if (i > 0 && strncmp(c->commands[i - 1]->name, name, n) == 0 &&
            c->commands[i - 1]->name[n] == ' ')
            continue;
        snprintf(word, sizeof(word), "%.*s", (int)n, name);
        completion_offer(c, word, name[n] ? NULL : c->commands[i]->summary);
    }
}

static bool offer_second_words(struct completion *c, const char *first)
{
    size_t n = strlen(first);
    bool any = false;

    for (int32_t i = 0; i < c->n_commands; i++) {
        const char *name = c->commands[i]->name;

        if (strncmp(name, first, n) != 0 || name[n] != ' ')
            continue;
        completion_offer(c, name + n + 1, c->commands[i]->summary);
        any = true;
    }
    return any;
}

static void offer_settings(struct completion *c)
{
    for (int id = 0; id < OPT_N; id++)
        if (option_spec((enum option_id)id)->flags & OPTION_IN_FILE)
            completion_offer(c, option_spec((enum option_id)id)->name,
                             option_spec((enum option_id)id)->help);
}

/* One alternative of a METAVAR, n bytes: "ENV", "RUN[/PATH]", "cpu". */
static void offer_kind(struct completion *c, const char *text, size_t n)
{
    char word[KIND_MAX];
    size_t len = 0;

    while (len < n && len + 1 < sizeof(word) && text[len] != '[' && text[len] != ',' &&
           text[len] != '.' && (len == 0 || !isdigit((unsigned char)text[len]) || islower(*text)))
        len++;
    snprintf(word, sizeof(word), "%.*s", (int)len, text);
    if (islower((unsigned char)word[0]))
        completion_offer(c, word, NULL);
    else if (!isupper((unsigned char)word[0]))
        return; /* an option in the usage, or a sample: "1,2,3" */
    else if (strcmp(word, "FILE") == 0 || strcmp(word, "BLUEPRINT") == 0)
        c->files = true;
    else if (strcmp(word, "DIR") == 0)
        c->folders = true;
    else if (strcmp(word, "COMMAND") == 0)
        offer_commands(c);
    else if (strcmp(word, "OPTION") == 0)
        offer_settings(c);
    else
        c->names(c, word);
}

/* "ENV|BLUEPRINT" */
static void offer_alternatives(struct completion *c, const char *text, size_t n)
{
    while (n > 0) {
        const char *bar = memchr(text, '|', n);
        size_t len = bar ? (size_t)(bar - text) : n;

        offer_kind(c, text, len);
        len += bar != NULL;
        text += len;
        n -= len;
    }
}

/* Skips the text before the part to complete: "a,b," of a list, "ROLE=" of a model. */
static void skip_head(struct completion *c, const char *metavar)
{
    const char *last = NULL;

    if (strstr(metavar, ",..."))
        last = strrchr(c->typed, ',');
    else if (strncmp(metavar, "[ROLE=]", 7) == 0 && !strchr(c->typed, '/'))
        last = strchr(c->typed, '=');
    if (last) {
        c->head_n += (size_t)(last + 1 - c->typed);
        c->typed = last + 1;
    }
}

static void offer_values(struct completion *c, enum option_id id)
{
    const struct option_spec s = option_for(c->command, id);
    const char *metavar = s.metavar ? s.metavar : "true|false";

    if (c->head_n == 0)
        c->head = c->typed;
    skip_head(c, metavar);
    if (strncmp(metavar, "[ROLE=]", 7) == 0)
        metavar += 7;
    offer_alternatives(c, metavar, strlen(metavar));
    if (s.type == OPTION_PATH && !c->files)
        c->folders = true;
}

/* Positional word number `at` of "[get OPTION | set OPTION VALUE]", for each sequence whose
 * lower-case words are on the line. */
static void offer_argument(struct completion *c, const char *const *args, int32_t at)
{
    const char *text = c->command->args;
    bool fits = true;

    for (int32_t i = 0;; i++) {
        text += strspn(text, " [");
        size_t n = strcspn(text, " ");
        if (n == 0)
            return;
        size_t len = n > 3 && strncmp(text + n - 3, "...", 3) == 0 ? n - 3 : n;
        bool repeats = len < n && i < at;

        if (text[len - 1] == ']' && !memchr(text, '[', len))
            len--;
        if (n == 1 && *text == '|') {
            i = -1;
            fits = true;
        } else if (fits && (i == at || repeats)) {
            offer_alternatives(c, text, len);
        } else if (i < at && i < ARGS_MAX && islower((unsigned char)*text)) {
            fits &= strlen(args[i]) == len && strncmp(args[i], text, len) == 0;
        }
        text += n;
    }
}

static void offer_options(struct completion *c)
{
    const enum option_id *lists[] = {c->command->options, options_general};

    for (int k = 0; k < 2; k++)
        for (const enum option_id *id = lists[k]; id && *id != OPT_END; id++) {
            const struct option_spec s = option_for(c->command, *id);
            char word[KIND_MAX];

            snprintf(word, sizeof(word), "--%s", s.name);
            completion_offer(c, word, s.help);
        }
}

/* The option of "--name" or "--name=...": the command's, if two have this name; OPT_N for none. */
static enum option_id option_named(const struct command_spec *command, const char *word)
{
    size_t n = strcspn(word + 2, "=");
    enum option_id found = OPT_N;

    for (int id = 0; id < OPT_N; id++) {
        const struct option_spec *s = option_spec((enum option_id)id);

        if (strlen(s->name) != n || strncmp(s->name, word + 2, n) != 0)
            continue;
        if (found == OPT_N || options_list_has(command->options, (enum option_id)id))
            found = (enum option_id)id;
    }
    return found;
}

/* Completes after the command's own words. */
static void complete_rest(struct completion *c, int32_t from)
{
    const char *args[ARGS_MAX];
    int32_t n_args = 0;
    bool only_args = false;
    const char *equals;

    for (int32_t i = from; i < c->n_words - 1; i++) {
        const char *w = c->words[i];

        if (only_args || strncmp(w, "--", 2) != 0) {
            if (n_args < ARGS_MAX)
                args[n_args] = w;
            if (n_args++ == 0 && strncmp(c->command->args, "ENV", 3) == 0)
                c->env = w;
            continue;
        }
        only_args = w[2] == 0;
        enum option_id id = only_args ? OPT_N : option_named(c->command, w);
        if (id == OPT_N || option_spec(id)->type == OPTION_FLAG)
            continue;
        const char *value = strchr(w, '=');
        if (!value && ++i == c->n_words - 1) {
            offer_values(c, id);
            return;
        }
        value = value ? value + 1 : c->words[i];
        c->env = id == OPT_ENV ? value : c->env;
        c->store = id == OPT_STORE ? value : c->store;
    }
    equals = strncmp(c->typed, "--", 2) == 0 ? strchr(c->typed, '=') : NULL;
    if (equals && !only_args) {
        enum option_id id = option_named(c->command, c->typed);
        c->head_n = (size_t)(equals + 1 - c->typed);
        c->typed = equals + 1;
        if (id != OPT_N)
            offer_values(c, id);
    } else if (c->typed[0] == '-' && !only_args) {
        offer_options(c);
    } else {
        offer_argument(c, args, n_args);
    }
}

static void complete(struct completion *c)
{
    if (c->n_words > 1 && strcmp(c->words[0], "help") == 0 && c->typed[0] != '-') {
        if (c->n_words == 2)
            offer_commands(c);
        else if (c->n_words == 3)
            (void)offer_second_words(c, c->words[1]);
        return;
    }
    if (c->n_words == 1) {
        offer_commands(c);
        completion_offer(c, "--help", NULL);
        completion_offer(c, "--version", NULL);
        return;
    }
    if (c->n_words == 2 && offer_second_words(c, c->words[0]))
        return;
    for (int32_t i = 0; i < c->n_commands; i++) {
        const char *name = c->commands[i]->name;
        size_t n = strlen(c->words[0]);

        if (strncmp(name, c->words[0], n) != 0 ||
            !(name[n] == 0 ||
              (name[n] == ' ' && c->n_words > 2 && strcmp(name + n + 1, c->words[1]) == 0)))
            continue;
        c->command = c->commands[i];
        complete_rest(c, name[n] ? 2 : 1);
        return;
    }
}

void completion_run(struct completion *c)
{
    if (c->n_words == 0)
        return;
    c->typed = c->head = c->words[c->n_words - 1];
    complete(c);
    if (c->files)
        str_puts(c->out, ":files\n");
    else if (c->folders)
        str_puts(c->out, ":folders\n");
}
