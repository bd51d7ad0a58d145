/* cmd_help.c - help and version: from the tables of commands and options.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/base/json.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

static const struct command_spec *find_command(const struct app *a, const char *first,
                                               const char *second)
{
    size_t len = strlen(first);

    for (int32_t i = 0; i < a->n_commands; i++) {
        const char *name = a->commands[i]->name;
        if (second ? strncmp(name, first, len) == 0 && name[len] == ' ' &&
                         strcmp(name + len + 1, second) == 0
                   : strcmp(name, first) == 0)
            return a->commands[i];
    }
    return NULL;
}

static int help_main(void *app)
{
    struct app *a = app;
    const char *first = options_arg(a->options, 0), *second = options_arg(a->options, 1);
    const struct command_spec *c = first ? find_command(a, first, second) : NULL;
    struct str s = STR_INIT;
    struct error err = ERROR_INIT;
    int code;

    if (first && !c && (second || !help_group(first, a->commands, a->n_commands, &s))) {
        str_deinit(&s);
        error_set(&err, STATUS_USAGE, "unknown command `%s%s%s`", first, second ? " " : "",
                  second ? second : "");
        char near[64];
        bool is_near = command_nearest(first, second, a->commands, a->n_commands, near);
        error_hint(&err, "%s%s%s`troupe help` lists all commands",
                   is_near ? "did you mean `troupe help " : "", is_near ? near : "",
                   is_near ? "`? " : "");
        return app_fail(a, &err);
    }
    if (option_flag(a->options, OPT_MAN))
        help_man(a->commands, a->n_commands, APP_VERSION, &s);
    else if (c)
        help_command(c, &s);
    else if (!first)
        help_overview(a->commands, a->n_commands, &s);
    code = app_print(&s);
    str_deinit(&s);
    return code;
}

static const enum option_id help_options[] = {OPT_MAN, OPT_END};
const struct command_spec cmd_help = {
    "help",   "host",       "[COMMAND]", "explain a command or a group of commands, or list all",
    NULL,     help_options, 0,           2,
    help_main};

static int version_main(void *app)
{
    struct app *a = app;
    struct str s = STR_INIT;
    int code;

    if (a->json) {
        struct json *doc = app_document("version");
        jv_set_string(doc, "version", APP_VERSION);
        return app_print_json(doc);
    }
    str_puts(&s, "troupe " APP_VERSION "\n");
    code = app_print(&s);
    str_deinit(&s);
    return code;
}

const struct command_spec cmd_version = {"version", "host", "", "print the version", NULL,
                                         NULL,      0,      0,  version_main};
