/* cmd_inbox.c - inbox: the open questions of all runs; answer: answers one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/api/troupe_wait.h"
#include "runtime/app/app.h"
#include "runtime/app/wait_text.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

static void put_all(struct app *a, const struct json *waits, struct str *out)
{
    int64_t now_ms = seams_wall_ms(a->seams);
    const char *last = "";

    for (size_t i = 0; i < jv_size(waits); i++) {
        const struct json *w = jv_at(waits, i);
        const char *run = jv_get_string(jv_get(w, "run"), "");

        if (strcmp(last, run) != 0)
            str_printf(out, "%s%s (%s)\n", i ? "\n" : "", run,
                       jv_get_string(jv_get(w, "name"), ""));
        wait_put_text(w, run, true, now_ms, out);
        last = run;
    }
}

static int inbox_main(void *app)
{
    struct app *a = app;
    struct store_reader *q;
    struct json *waits = NULL, *doc;
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    int code;
    enum status st = app_reader(a, &q, &err);

    if (!st)
        st = troupe_inbox(a->troupe, 0, &waits, &err);
    if (!st && !a->json)
        put_all(a, waits, &out);
    if (st) {
        code = app_fail(a, &err);
    } else if (a->json) {
        doc = app_document("inbox");
        jv_set_adopt(doc, "waits", jv_ref(waits));
        code = app_print_json(doc);
    } else {
        code = app_print(&out);
        if (jv_size(waits) == 0)
            log_write(a->log, LOG_INFO, "no run is waiting for an answer");
    }
    jv_unref(waits);
    str_deinit(&out);
    return code;
}

const struct command_spec cmd_inbox = {"inbox",
                                       "work",
                                       "",
                                       "list the open questions and approvals of all runs",
                                       "Each is shown with its deadline, its default when nobody "
                                       "answers, and the command that answers it.",
                                       NULL,
                                       0,
                                       0,
                                       inbox_main};

static int answer_main(void *app)
{
    struct app *a = app;
    const char *what = options_arg(a->options, 0), *slash = strchr(what, '/');
    char *prefix = slash ? xstrndup(what, (size_t)(slash - what)) : xstrdup(what), uuid[37];
    struct store *s;
    struct store_reader *q;
    struct error err = ERROR_INIT;
    enum status st = app_store(a, false, &s, &err);

    if (!st)
        st = app_reader(a, &q, &err);
    if (!st)
        st = query_resolve_run(q, prefix, uuid, &err);
    if (!st)
        st = troupe_answer(a->troupe, uuid, slash ? slash + 1 : NULL, options_arg(a->options, 1),
                           &err);
    free(prefix);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO,
              "answered; if no process drives the run, `troupe resume %s` continues it", uuid);
    return app_print_done(a, "answer", "run", uuid);
}

const struct command_spec cmd_answer = {
    "answer",
    "work",
    "RUN[/PATH] VALUE",
    "answer a question or approval",
    "VALUE is one of the question's options, or any text if it has none. Without PATH the run must "
    "have only\none open question.",
    NULL,
    2,
    2,
    answer_main};
