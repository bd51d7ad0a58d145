/* help.c - the overview, and the help of a command and of a group.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/config/options_internal.h"

#define HELP_COLUMNS 100
#define HELP_INDENT  34 /* where the text of an option begins */

static void put_usage(const struct command_spec *c, struct str *out)
{
    str_printf(out, "troupe %s%s%s", c->name, *c->args ? " " : "", c->args);
}

static void put_line(const struct command_spec *c, struct str *out)
{
    char left[64];
    int n = snprintf(left, sizeof(left), "%s %s", c->name, c->args);

    str_printf(out, n <= 28 ? "  %-28s  %s\n" : "  %s\n                                %s\n", left,
               c->summary);
}

void help_overview(const struct command_spec *const *commands, int32_t n, struct str *out)
{
    const char *group = "";

    str_puts(out, "troupe: agents that share one model, work through tools and learn from it\n\n"
                  "usage: troupe COMMAND [ARGUMENTS] [OPTIONS]\n");
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(group, commands[i]->group) != 0) {
            group = commands[i]->group;
            str_printf(out, "\n%s\n", group);
        }
        put_line(commands[i], out);
    }
    str_puts(out, "\nRun `troupe help COMMAND` for more information on a command.\n"
                  "A model is given with --model: embedded (inside the program), a folder, a GGUF "
                  "file, a model\n"
                  "that `models get` fetched, hf:ORG/NAME or script:FILE. A RUN is a unique prefix "
                  "of a run's\n"
                  "id, or `last`.\n");
}

/* Wraps `text` to HELP_COLUMNS with an indent of `indent`; the first line starts at column `at`. */
static void put_wrapped(const char *text, int indent, int at, struct str *out)
{
    while (*text) {
        int n = (int)strcspn(text, " ");

        if (at > indent && at + 1 + n > HELP_COLUMNS) {
            str_printf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            str_putc(out, ' ');
            at++;
        }
        str_append(out, text, (size_t)n);
        at += n;
        text += n;
        text += strspn(text, " ");
    }
    str_putc(out, '\n');
}

static void put_option(const struct command_spec *c, enum option_id id, struct str *out)
{
    const struct option_spec s = option_for(c, id);
    struct str text = STR_INIT;
    char left[160];
    int n = snprintf(left, sizeof(left), "  --%s%s%s", s.name, s.metavar ? " " : "",
                     s.metavar ? s.metavar : "");

    str_puts(out, left);
    if (n + 2 > HELP_INDENT) /* too long for text on the same line */
        str_printf(out, "\n%*s", HELP_INDENT, "");
    else
        str_printf(out, "%*s", HELP_INDENT - n, "");
    str_printf(&text, "%s%s%s%s", s.help, s.otherwise ? " [" : "", s.otherwise ? s.otherwise : "",
               s.otherwise ? "]" : "");
    put_wrapped(str_cstr(&text), HELP_INDENT, HELP_INDENT, out);
    str_deinit(&text);
}

void help_command(const struct command_spec *c, struct str *out)
{
    str_puts(out, "usage: ");
    put_usage(c, out);
    str_printf(out, " [OPTIONS]\n\n%s\n", c->summary);
    if (c->details)
        str_printf(out, "\n%s\n", c->details);
    if (c->options && *c->options != OPT_END) {
        str_puts(out, "\noptions [default in brackets]\n");
        for (const enum option_id *id = c->options; *id != OPT_END; id++)
            put_option(c, *id, out);
    }
    str_puts(out, "\ngeneral options\n");
    for (const enum option_id *id = options_general; *id != OPT_END; id++)
        put_option(c, *id, out);
}

bool help_group(const char *word, const struct command_spec *const *commands, int32_t n,
                struct str *out)
{
    size_t first = strlen(word);
    bool any = false;

    for (int32_t i = 0; i < n; i++) {
        if (strncmp(commands[i]->name, word, first) != 0 || commands[i]->name[first] != ' ')
            continue;
        if (!any)
            str_printf(out, "usage: troupe %s COMMAND [ARGUMENTS] [OPTIONS]\n\n", word);
        any = true;
        put_line(commands[i], out);
    }
    if (any)
        str_printf(out, "\nRun `troupe help %s COMMAND` for more information on a command.\n",
                   word);
    return any;
}
