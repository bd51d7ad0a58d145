/* cmd_show.c - show: the tree of steps of a run or an episode, with tokens and conversations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/app/show.h"
#include "runtime/app/table.h"
#include "runtime/base/memory.h"

/* Splits RUN/PATH and finds the run. *path is NULL without one; else points into the argument. */
static enum status resolve(struct app *a, const char *what, char uuid[37], const char **path,
                           struct store_reader **q, struct error *err)
{
    const char *slash = strchr(what, '/');
    char *prefix = slash ? xstrndup(what, (size_t)(slash - what)) : xstrdup(what);
    enum status st = app_reader(a, q, err);

    if (!st)
        st = query_resolve_run(*q, prefix, uuid, err);
    free(prefix);
    *path = slash ? slash + 1 : NULL;
    return st;
}

static int print_view(struct app *a, struct show_view *v)
{
    struct str out = STR_INIT;
    int code;

    if (a->json)
        return app_print_json(run_view_document(&v->run));
    show_text(v, &out);
    code = app_print(&out);
    str_deinit(&out);
    return code;
}

static int diff_main(struct app *a, struct show_view *v, struct store_reader *q, const char *uuid,
                     struct error *err)
{
    struct show_view other = *v;
    char uuid2[37];
    struct str out = STR_INIT;
    struct json *list = NULL;
    int64_t n_different = 0;
    int code;
    enum status st = query_resolve_run(q, option_text(a->options, OPT_DIFF), uuid2, err);

    if (!st)
        st = show_load(v, q, uuid, NULL, -1, err);
    if (st)
        return app_fail(a, err);
    st = show_load(&other, q, uuid2, NULL, -1, err);
    if (st)
        return app_fail(a, err);
    n_different = show_diff(v, &other, &out, &list);
    if (a->json) {
        struct json *doc = app_document("diff");
        jv_set_string(doc, "run", uuid);
        jv_set_string(doc, "other", uuid2);
        jv_set_int(doc, "different", n_different);
        jv_set_adopt(doc, "differences", jv_ref(list));
        jv_set_string(doc, "report", str_cstr(&out));
        code = app_print_json(doc);
    } else {
        code = app_print(&out);
    }
    jv_unref(list);
    str_deinit(&out);
    show_deinit(&other);
    return n_different && !code ? EXIT_NOT_OK : code;
}

static int show_main(void *app)
{
    struct app *a = app;
    struct show_view v = {.app = a};
    struct store_reader *q = NULL;
    const char *path;
    char uuid[37];
    struct error err = ERROR_INIT;
    int code;
    enum status st = resolve(a, options_arg(a->options, 0), uuid, &path, &q, &err);

    if (st)
        return app_fail(a, &err);
    v.run.tokens = option_flag(a->options, OPT_TOKENS);
    v.run.messages = option_flag(a->options, OPT_MESSAGES);
    if (option_is_set(a->options, OPT_DIFF)) {
        v.run.tokens = true;
        code = diff_main(a, &v, q, uuid, &err);
    } else if (option_flag(a->options, OPT_FOLLOW)) {
        code = show_follow(&v, q, uuid, path);
    } else {
        st = show_load(&v, q, uuid, path, -1, &err);
        code = st ? app_fail(a, &err) : print_view(a, &v);
    }
    show_deinit(&v);
    return code;
}

static const enum option_id show_options[] = {OPT_TOKENS, OPT_MESSAGES, OPT_DIFF, OPT_FOLLOW,
                                              OPT_END};
const struct command_spec cmd_show = {
    "show",
    "look",
    "RUN[/PATH]",
    "show a run as a tree of steps",
    "--tokens adds the exact ids of each model call (prompt and sampled), their log-probabilities "
    "and masks, the tool\ncalls and the verdict. An evaluation is a run too: PATH names one of "
    "its episodes (row[0]/episode[3]). The\n\"episode\" in that document is input for `troupe env "
    "verify`.",
    show_options,
    1,
    1,
    show_main};
