/* completion.c - shell completion, from the tables of commands and options.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/config/options.h"

static void put_flags(const struct command_spec *c, struct str *out)
{
    for (const enum option_id *id = c->options; id && *id != OPT_END; id++)
        str_printf(out, "--%s ", option_spec(*id)->name);
    str_puts(out, "--store --json --quiet --verbose --help");
}

static void put_bash(const struct command_spec *const *commands, int32_t n, struct str *out)
{
    str_puts(out, "_troupe() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
                  "  case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    for (int32_t i = 0; i < n; i++)
        if (strchr(commands[i]->name, ' ')) {
            str_printf(out, "    '%s') words='", commands[i]->name);
            put_flags(commands[i], out);
            str_puts(out, "';;\n");
        }
    for (int32_t i = 0; i < n; i++)
        if (!strchr(commands[i]->name, ' ')) {
            str_printf(out, "    '%s '*) words='", commands[i]->name);
            put_flags(commands[i], out);
            str_puts(out, "';;\n");
        }
    str_puts(out, "  esac\n  if [ \"$COMP_CWORD\" = 1 ]; then words='");
    for (int32_t i = 0; i < n; i++) {
        size_t first = strcspn(commands[i]->name, " ");
        if (i > 0 && strncmp(commands[i - 1]->name, commands[i]->name, first) == 0 &&
            commands[i - 1]->name[first] == ' ')
            continue;
        str_append(out, commands[i]->name, first);
        str_putc(out, ' ');
    }
    str_puts(out, "'; fi\n  if [ \"$COMP_CWORD\" = 2 ]; then case ${COMP_WORDS[1]} in\n");
    for (int32_t i = 0; i < n; i++) {
        const char *space = strchr(commands[i]->name, ' ');
        if (space)
            str_printf(out, "    %.*s) words=\"$words %s\";;&\n", (int)(space - commands[i]->name),
                       commands[i]->name, space + 1);
    }
    str_puts(out,
             "  esac; fi\n  case $cur in -*) ;; *) COMPREPLY=($(compgen -f -- \"$cur\"));; esac\n"
             "  COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
             "complete -o filenames -F _troupe troupe\n");
}

static void put_fish(const struct command_spec *const *commands, int32_t n, struct str *out)
{
    for (int32_t i = 0; i < n; i++) {
        const struct command_spec *c = commands[i];
        const char *space = strchr(c->name, ' ');
        int first = (int)strcspn(c->name, " ");
        if (space)
            str_printf(out,
                       "complete -c troupe -n '__fish_seen_subcommand_from %.*s' -a %s -d '%s'\n",
                       first, c->name, space + 1, c->summary);
        str_printf(out, "complete -c troupe -n __fish_use_subcommand -a %.*s\n", first, c->name);
        for (const enum option_id *id = c->options; id && *id != OPT_END; id++)
            str_printf(out, "complete -c troupe -n '__fish_seen_subcommand_from %.*s' -l %s\n",
                       first, c->name, option_spec(*id)->name);
    }
}

bool help_completion(const char *shell, const struct command_spec *const *commands, int32_t n,
                     struct str *out)
{
    if (strcmp(shell, "bash") == 0) {
        put_bash(commands, n, out);
    } else if (strcmp(shell, "zsh") == 0) {
        str_puts(out, "#compdef troupe\nautoload -U +X bashcompinit && bashcompinit\n");
        put_bash(commands, n, out);
    } else if (strcmp(shell, "fish") == 0) {
        put_fish(commands, n, out);
    } else {
        return false;
    }
    return true;
}
