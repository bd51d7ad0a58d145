/* cmd_config.c - config: every option that files may set, its value and where it came from.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/app/table.h"
#include "runtime/base/json.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/yaml.h"

static int find_option(const char *name, struct error *err)
{
    const char *names[OPT_N];
    size_t n = 0;

    for (int id = 0; id < OPT_N; id++) {
        const struct option_spec *s = option_spec((enum option_id)id);
        if (!(s->flags & OPTION_IN_FILE))
            continue;
        if (strcmp(s->name, name) == 0)
            return id;
        names[n++] = s->name;
    }
    const char *near = nearest_word(name, names, n);
    error_set(err, STATUS_USAGE, "unknown setting \"%s\"", name);
    error_hint(err, "%s%s%s`troupe config` lists all settings", near ? "did you mean " : "",
               near ? near : "", near ? "? " : "");
    return -1;
}

/* A value as JSON: numbers as such; sizes and times with a unit, and lists, as text. */
static struct json *value_json(enum option_id id, const char *text)
{
    struct json *v = NULL;

    switch (option_spec(id)->type) {
    case OPTION_INT:
    case OPTION_NUMBER:
    case OPTION_NUMBERS:
    case OPTION_DURATION:
    case OPTION_BYTES:
    case OPTION_SEED:
        if (text && jv_parse(text, strlen(text), "value", &v, NULL) == STATUS_OK &&
            (jv_kind(v) == JV_INT || jv_kind(v) == JV_REAL))
            return v;
        jv_unref(v);
        break;
    default:
        break;
    }
    return text ? jv_string(text) : jv_null();
}

static int print_setting(const char *name, enum option_id id, const char *text)
{
    struct json *doc = app_document("setting");

    jv_set_adopt(doc, name, value_json(id, text));
    return app_print_json(doc);
}

/* The value; of the store also the one that a search finds. */
static const char *setting_text(const struct app *a, enum option_id id, char path[APP_PATH_MAX])
{
    const char *text = option_text(a->options, id);
    struct error ignored = ERROR_INIT;

    if (text || id != OPT_STORE || app_store_path(a, path, APP_PATH_MAX, &ignored))
        return text;
    return path;
}

static int list(struct app *a)
{
    char path[APP_PATH_MAX];
    static const char *const columns[] = {"setting", "value", "from", "what it does"};
    struct table *t = table_new(columns, 4);
    struct json *doc = app_document("config"), *values = jv_object();
    struct str out = STR_INIT;
    int code;

    for (int id = 0; id < OPT_N; id++) {
        const struct option_spec *s = option_spec((enum option_id)id);
        if (!(s->flags & OPTION_IN_FILE))
            continue;
        const char *value = setting_text(a, (enum option_id)id, path);
        const char *cells[] = {s->name, value ? value : "-",
                               option_origin(a->options, (enum option_id)id), s->help};
        table_row(t, cells);
        if (value)
            jv_set_adopt(values, s->name, value_json((enum option_id)id, value));
    }
    jv_set_adopt(doc, "values", values);
    if (a->json) {
        code = app_print_json(jv_ref(doc));
    } else {
        table_write(t, &out);
        code = app_print(&out);
    }
    jv_unref(doc);
    str_deinit(&out);
    table_free(t);
    return code;
}

/* Rewrites the user's file with one line changed; other lines stay as they are. */
static enum status set_value(struct app *a, const char *name, const char *value, struct error *err)
{
    char path[1200], *old = NULL, *slash;
    size_t n = 0, len = strlen(name);
    struct str text = STR_INIT;
    struct yaml *check = NULL;
    bool found = false;
    enum status st;

    st = options_user_file(path, sizeof(path), err);
    if (st)
        return st;
    if (file_exists(path)) {
        st = file_read(path, 65536, &old, &n, err);
        if (st)
            return st;
    }
    for (char *line = old, *end; line && *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            found = true;
            str_printf(&text, "%s: %s\n", name, value);
        } else {
            str_append(&text, line, (size_t)(end - line));
        }
    }
    if (!found)
        str_printf(&text, "%s: %s\n", name, value);
    st = yaml_parse(str_cstr(&text), text.len, path, &check, err);
    yaml_free(check);
    slash = strrchr(path, '/');
    if (!st && slash) {
        *slash = 0;
        st = dir_make(path, err);
        *slash = '/';
    }
    if (!st)
        st = file_write_atomic(a->seams, path, str_cstr(&text), text.len, err);
    if (!st)
        log_write(a->log, LOG_INFO, "%s: %s = %s", path, name, value);
    free(old);
    str_deinit(&text);
    return st;
}

static int config_main(void *app)
{
    struct app *a = app;
    const char *verb = options_arg(a->options, 0), *name = options_arg(a->options, 1),
               *value = options_arg(a->options, 2);
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    char path[APP_PATH_MAX];
    int id, code = EXIT_OK;

    if (!verb)
        return list(a);
    if (strcmp(verb, "get") == 0 && name && !value) {
        id = find_option(name, &err);
        if (id < 0)
            return app_fail(a, &err);
        const char *text = setting_text(a, (enum option_id)id, path);
        if (a->json)
            return print_setting(name, (enum option_id)id, text);
        str_printf(&out, "%s\n", text ? text : "");
        code = app_print(&out);
        str_deinit(&out);
        return code;
    }
    if (strcmp(verb, "set") == 0 && name && value) {
        id = find_option(name, &err);
        if (id < 0 || option_check((enum option_id)id, value, &err) ||
            set_value(a, name, value, &err))
            return app_fail(a, &err);
        return a->json ? print_setting(name, (enum option_id)id, value) : EXIT_OK;
    }
    error_set(&err, STATUS_USAGE, "usage: troupe config [get NAME | set NAME VALUE]");
    return app_fail(a, &err);
}

const struct command_spec cmd_config = {
    "config",
    "host",
    "[get OPTION | set OPTION VALUE]",
    "show settings and where they come from, or change the user's file",
    "OPTION is the name of an option without its dashes: `troupe config set threads 4`.\nThe "
    "first of these that has a value counts: the flag, TROUPE_NAME in the environment, "
    "./troupe.yaml,\nthe user's file, the default.",
    NULL,
    0,
    3,
    config_main};
