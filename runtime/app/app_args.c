/* app_args.c - see app_args.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_args.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"

#define MAX_ARGS  128
#define MAX_BYTES ((size_t)1 << 20)

static bool is_in(enum option_id id, const enum option_id *list)
{
    for (; *list != OPT_END; list++)
        if (*list == id)
            return true;
    return false;
}

/* A model is a folder if that folder exists; "new" and "embedded" are always names. */
static bool is_path(enum option_id id, const char *text)
{
    if (id == OPT_MODEL)
        return strcmp(text, "new") != 0 && strcmp(text, "embedded") != 0;
    return option_spec(id)->type == OPTION_PATH || id == OPT_HOLDOUT;
}

static void put_text(struct json *args, enum option_id id, const char *text, bool whole_paths)
{
    struct str arg = STR_INIT;
    char whole[PATH_MAX];

    if (whole_paths && is_path(id, text) && realpath(text, whole))
        text = whole;
    str_printf(&arg, "--%s=%s", option_spec(id)->name, text);
    jv_append_adopt(args, jv_string(str_cstr(&arg)));
    str_deinit(&arg);
}

static void put_option(const struct options *o, enum option_id id, bool whole_paths,
                       struct json *args)
{
    char number[64];

    switch (option_spec(id)->type) {
    case OPTION_FLAG:
        if (option_flag(o, id)) {
            (void)snprintf(number, sizeof(number), "--%s", option_spec(id)->name);
            jv_append_adopt(args, jv_string(number));
        }
        return;
    case OPTION_INT:
    case OPTION_BYTES:
        (void)snprintf(number, sizeof(number), "%lld", (long long)option_int(o, id));
        break;
    case OPTION_DURATION:
        (void)snprintf(number, sizeof(number), "%lldms", (long long)option_int(o, id));
        break;
    case OPTION_SEED:
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)option_seed(o, id));
        break;
    case OPTION_NUMBER:
        (void)snprintf(number, sizeof(number), "%.17g", option_number(o, id));
        break;
    default:
        for (int32_t i = 0; i < option_count(o, id); i++)
            put_text(args, id, option_text_at(o, id, i), whole_paths);
        if (option_count(o, id) == 0)
            put_text(args, id, option_text(o, id), whole_paths);
        return;
    }
    put_text(args, id, number, whole_paths);
}

enum status app_args_write(const struct app *a, const enum option_id *without, const char *file,
                           struct error *err)
{
    struct json *doc = jv_object(), *args = jv_array();
    struct str text = STR_INIT;
    enum status st;

    jv_set_string(doc, "version", APP_VERSION);
    jv_set_string(doc, "command", a->command->name);
    for (const enum option_id *id = a->command->options; *id != OPT_END; id++)
        if (option_is_set(a->options, *id) && !is_in(*id, without))
            put_option(a->options, *id, true, args);
    jv_set_adopt(doc, "args", args);
    jv_write(doc, 2, &text);
    str_putc(&text, '\n');
    st = file_write_atomic(a->seams, file, str_cstr(&text), text.len, err);
    str_deinit(&text);
    jv_unref(doc);
    return st;
}

/* "train grpo" -> two words of argv, in `words`. */
static int split_command(char *words, char **argv)
{
    char *blank = strchr(words, ' ');

    argv[0] = words;
    if (!blank)
        return 1;
    *blank = 0;
    argv[1] = blank + 1;
    return 2;
}

/* Is this the option of "--NAME=VALUE" or "--NAME"? */
static bool is_of(const char *arg, enum option_id id)
{
    const char *name = option_spec(id)->name;
    size_t n = strlen(name);

    return strncmp(arg, "--", 2) == 0 && strncmp(arg + 2, name, n) == 0 &&
           (arg[2 + n] == 0 || arg[2 + n] == '=');
}

static bool is_flag(const struct options *now, enum option_id id)
{
    return now && strcmp(option_origin(now, id), "flag") == 0;
}

/* The arguments of the file without the overridden ones, then those of this invocation. */
static struct json *merge(const struct json *stored, const struct options *now,
                          const enum option_id *here)
{
    struct json *args = jv_array();

    for (size_t i = 0; i < jv_size(stored); i++) {
        const char *arg = jv_get_string(jv_at(stored, i), "");
        bool ours = false;

        for (int id = 0; id < OPT_N && !ours; id++)
            ours = is_of(arg, (enum option_id)id) &&
                   (is_in((enum option_id)id, here) || is_flag(now, (enum option_id)id));
        if (!ours)
            jv_append_adopt(args, jv_string(arg));
    }
    for (int id = 0; id < OPT_N; id++)
        if (is_flag(now, (enum option_id)id))
            put_option(now, (enum option_id)id, false, args);
    return args;
}

enum status app_args_read(const struct app *a, const char *file, const enum option_id *here,
                          struct options **out, const struct command_spec **command,
                          struct error *err)
{
    char *argv[MAX_ARGS + 4] = {(char *)(uintptr_t) "troupe"}, *words = NULL;
    struct json *doc = NULL, *args = NULL;
    int argc = 1;
    enum status st = jv_parse_file(file, MAX_BYTES, &doc, err);

    if (st)
        return st;
    args = merge(jv_get(doc, "args"), a->options, here);
    if (!jv_get_string(jv_get(doc, "command"), NULL) || jv_size(args) > MAX_ARGS)
        st = error_set(err, STATUS_CORRUPT, "%s does not name the command that was run", file);
    if (!st) {
        words = xstrdup(jv_get_string(jv_get(doc, "command"), ""));
        argc += split_command(words, argv + 1);
        for (size_t i = 0; i < jv_size(args); i++)
            argv[argc++] = (char *)(uintptr_t)jv_get_string(jv_at(args, i), "");
        st = options_parse(argc, argv, a->commands, a->n_commands, out, command, err);
        if (st)
            error_note(err, "%s", file);
    }
    free(words);
    jv_unref(args);
    jv_unref(doc);
    return st;
}
