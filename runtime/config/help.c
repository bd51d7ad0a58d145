/* help.c - overview, help of a command and the manual page, from the tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/config/options.h"

static const enum option_id general[] = {OPT_STORE,   OPT_JSON, OPT_QUIET,
                                         OPT_VERBOSE, OPT_HELP, OPT_END};

static void put_usage(const struct command_spec *c, struct str *out)
{
    str_printf(out, "troupe %s%s%s", c->name, *c->args ? " " : "", c->args);
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
        char left[64];
        snprintf(left, sizeof(left), "%s %s", commands[i]->name, commands[i]->args);
        str_printf(out, "  %-28s  %s\n", left, commands[i]->summary);
    }
    str_puts(
        out,
        "\n`troupe help COMMAND` explains one. A model is always --model: embedded (inside the\n"
        "program), a folder, hf:ORG/NAME or script:FILE. A RUN is a unique prefix of its id, or "
        "`last`.\n");
}

static void put_option(const struct option_spec *s, struct str *out)
{
    char left[80];

    snprintf(left, sizeof(left), "--%s%s%s", s->name, s->metavar ? " " : "",
             s->metavar ? s->metavar : "");
    str_printf(out, "  %-30s  %s", left, s->help);
    if (s->otherwise && strcmp(s->otherwise, "0") != 0)
        str_printf(out, " [%s]", s->otherwise);
    str_putc(out, '\n');
}

void help_command(const struct command_spec *c, struct str *out)
{
    str_puts(out, "usage: ");
    put_usage(c, out);
    str_printf(out, " [OPTIONS]\n\n%s\n", c->summary);
    if (c->details)
        str_printf(out, "\n%s\n", c->details);
    if (c->options && *c->options != OPT_END) {
        str_puts(out, "\noptions\n");
        for (const enum option_id *id = c->options; *id != OPT_END; id++)
            put_option(option_spec(*id), out);
    }
    str_puts(out, "\ngeneral options\n");
    for (const enum option_id *id = general; *id != OPT_END; id++)
        put_option(option_spec(*id), out);
}

/* Text with roff's special characters escaped. */
static void put_roff(const char *text, struct str *out)
{
    bool line_start = true;

    for (; *text; text++) {
        if (*text == '\\')
            str_puts(out, "\\e");
        else if (*text == '-')
            str_puts(out, "\\-");
        else if (line_start && (*text == '.' || *text == '\''))
            str_printf(out, "\\&%c", *text);
        else
            str_putc(out, *text);
        line_start = *text == '\n';
    }
}

static void put_roff_options(const enum option_id *id, struct str *out)
{
    for (; id && *id != OPT_END; id++) {
        const struct option_spec *s = option_spec(*id);
        str_puts(out, ".TP\n.B ");
        put_roff("--", out);
        put_roff(s->name, out);
        if (s->metavar) {
            str_putc(out, ' ');
            put_roff(s->metavar, out);
        }
        str_putc(out, '\n');
        put_roff(s->help, out);
        str_putc(out, '\n');
    }
}

void help_man(const struct command_spec *const *commands, int32_t n, const char *version,
              struct str *out)
{
    str_printf(out, ".TH TROUPE 1 \"\" \"troupe %s\" \"Troupe manual\"\n.SH NAME\n", version);
    str_puts(out, "troupe \\- agents that share one model, work through tools and learn\n"
                  ".SH SYNOPSIS\n.B troupe\nCOMMAND [ARGUMENTS] [OPTIONS]\n.SH COMMANDS\n");
    for (int32_t i = 0; i < n; i++) {
        const struct command_spec *c = commands[i];
        str_puts(out, ".SS ");
        put_roff("troupe ", out);
        put_roff(c->name, out);
        str_putc(out, ' ');
        put_roff(c->args, out);
        str_putc(out, '\n');
        put_roff(c->summary, out);
        str_putc(out, '\n');
        if (c->details) {
            str_puts(out, ".PP\n");
            put_roff(c->details, out);
            str_putc(out, '\n');
        }
        put_roff_options(c->options, out);
    }
    str_puts(out, ".SH GENERAL OPTIONS\n");
    put_roff_options(general, out);
    str_puts(out,
             ".SH EXIT STATUS\n0 done; 1 failure; 2 wrong use; 3 the run ended in something "
             "other than ok; 4 the run waits for an answer; 75 in use elsewhere; 78 configuration, "
             "blueprint or store cannot be used; 124 time limit; 130 interrupted; 143 terminated.\n"
             ".SH FILES\n./troupe.yaml, $XDG_CONFIG_HOME/troupe/config.yaml, .troupe/store.db\n");
}
