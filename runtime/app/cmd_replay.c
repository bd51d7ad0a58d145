/* cmd_replay.c - replay: runs a run again on its recorded results and compares; --live forks it.
 *
 * Results of models, tools and people are copied into a new run (in a scratch store, or with --live
 * in the same store, up to PATH). The program does everything else again, so a difference means
 * that it no longer does what it recorded. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/troupe_fork.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_run.h"
#include "runtime/app/show.h"
#include "runtime/base/memory.h"

struct source {
    char kind[16];
    bool running;  /* it has not ended: its record is not complete */
    bool repaired; /* its record mixes more than one blueprint, model or input */
};

static bool copy_head(void *ctx, const struct run_row *row)
{
    struct source *s = ctx;

    snprintf(s->kind, sizeof(s->kind), "%s", row->kind);
    s->repaired = jv_size(jv_get(row->config, "history")) > 0;
    s->running = row->status == RUN_RUNNING || row->status == RUN_INTERRUPTED;
    return true;
}

/* A second runtime with a scratch store, which is deleted afterwards. */
static enum status open_scratch(struct app *a, char dir[64], struct troupe **out, struct error *err)
{
    const struct troupe_options to = {.seams = a->seams,
                                      .log = a->log,
                                      .model = app_model_options(a),
                                      .interrupted = a->interrupted};
    char path[96];
    enum status st;

    snprintf(dir, 64, "/tmp/troupe-replay-XXXXXX");
    if (!mkdtemp(dir)) {
        dir[0] = 0;
        return error_errno(err, 0, "cannot make a scratch folder in /tmp");
    }
    snprintf(path, sizeof(path), "%s/store.db", dir);
    const struct store_options o = {
        .path = path, .durability = STORE_NORMAL, .create = true, .seams = a->seams};
    *out = troupe_new(&to);
    st = troupe_open_store(*out, &o, err);
    return st;
}

static void remove_scratch(const char *dir)
{
    static const char *const files[] = {"store.db",        "store.db-wal",  "store.db-shm",
                                        "STORE.lock",      "STORE.owners",  "store.db.lock",
                                        "store.db.owners", "store.db.calls"};
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Loads both runs and prints what differs. */
static int compare(struct app *a, struct store_reader *q, const char *uuid, struct store_reader *q2,
                   const char *copy, struct error *err)
{
    struct show_view one = {.app = a, .run.tokens = true}, two = {.app = a, .run.tokens = true};
    struct str report = STR_INIT;
    struct json *list = NULL;
    int64_t n = 0;
    int code = EXIT_OK;
    enum status st = show_load(&one, q, uuid, NULL, -1, err);

    if (!st)
        st = show_load(&two, q2, copy, NULL, -1, err);
    if (st) {
        code = app_fail(a, err);
    } else {
        n = show_diff(&one, &two, &report, &list);
        if (a->json) {
            struct json *doc = app_document("replay");
            jv_set_string(doc, "run", uuid);
            jv_set_int(doc, "steps", (int64_t)jv_size(one.run.steps));
            jv_set_int(doc, "different", n);
            jv_set_adopt(doc, "differences", jv_ref(list));
            jv_set_string(doc, "report", str_cstr(&report));
            code = app_print_json(doc);
        } else {
            code = app_print(&report);
        }
        code = n && !code ? EXIT_NOT_OK : code;
    }
    jv_unref(list);
    str_deinit(&report);
    show_deinit(&one);
    show_deinit(&two);
    return code;
}

/* The copy is driven in the scratch store; a->troupe keeps the original open. */
static int replay_recorded(struct app *a, struct app_drive *d, struct troupe_fork *fork)
{
    struct troupe *original = a->troupe, *scratch = NULL;
    struct store_reader *q2 = NULL;
    struct troupe_run *run = NULL;
    char dir[64] = "", copy[37] = "";
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = open_scratch(a, dir, &scratch, &err);

    if (!st)
        st = troupe_run_fork(scratch, fork, &d->options, &run, &err);
    if (!st) {
        snprintf(copy, sizeof(copy), "%s", troupe_run_uuid(run));
        d->quiet = true;
        a->troupe = scratch;
        (void)app_drive(d, run); /* how it ends is compared too */
        a->troupe = original;
        st = troupe_reader(scratch, &q2, &err);
    }
    code = st ? app_fail(a, &err) : compare(a, fork->from, fork->uuid, q2, copy, &err);
    troupe_free(scratch);
    if (dir[0])
        remove_scratch(dir);
    return code;
}

static enum status check_options(const struct app *a, struct error *err)
{
    if (!option_is_set(a->options, OPT_FROM) || option_flag(a->options, OPT_LIVE))
        return STATUS_OK;
    error_set(err, STATUS_USAGE, "--from is for a fork, and a replay is always of the whole run");
    error_hint(err, "add --live to start a new run at this step");
    return STATUS_USAGE;
}

static enum status check_source(struct app *a, const struct source *source, const char *uuid,
                                struct error *err)
{
    if (strcmp(source->kind, "run") != 0)
        return error_set(err, STATUS_USAGE,
                         "%s is not a run of a blueprint; `troupe show` shows it", uuid);
    if (source->repaired && !option_flag(a->options, OPT_LIVE)) {
        error_set(err, STATUS_USAGE, "%s was repaired, so it cannot be replayed as one run", uuid);
        error_hint(err, "`troupe replay %s --live --from PATH` forks it", uuid);
        return STATUS_USAGE;
    }
    if (source->running && !option_flag(a->options, OPT_LIVE)) {
        error_set(err, STATUS_USAGE, "%s has not ended, so its record is not complete", uuid);
        error_hint(err, "finish it first with `troupe resume %s`", uuid);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static int replay_main(void *app)
{
    struct app *a = app;
    struct app_drive d;
    struct source source = {.running = false};
    struct troupe_run *run = NULL;
    char uuid[37];
    struct troupe_fork fork = {.uuid = uuid,
                               .path = option_text(a->options, OPT_FROM),
                               .live = option_flag(a->options, OPT_LIVE)};
    struct error err = ERROR_INIT;
    int code;
    struct store *store;
    enum status st = check_options(a, &err);

    if (!st && fork.live)
        st = app_store(a, false, &store, &err);
    if (!st)
        st = app_reader(a, &fork.from, &err);

    app_drive_init(&d, a);
    if (!st)
        st = query_resolve_run(fork.from, options_arg(a->options, 0), uuid, &err);
    if (!st)
        st = query_run(fork.from, uuid, copy_head, &source, &err);
    if (!st)
        st = check_source(a, &source, uuid, &err);
    if (!st && fork.live)
        st = troupe_run_fork(a->troupe, &fork, &d.options, &run, &err);
    if (st)
        code = app_fail(a, &err);
    else
        code = fork.live ? app_drive(&d, run) : replay_recorded(a, &d, &fork);
    app_drive_deinit(&d);
    return code;
}

static const enum option_id replay_options[] = {
    OPT_TRUST_PROJECT, OPT_FROM,    OPT_LIVE,   OPT_ROOT,    OPT_DEVICE, OPT_THREADS, OPT_KV_MEMORY,
    OPT_CONTEXT,       OPT_CPU_ISA, OPT_STREAM, OPT_TIMEOUT, OPT_MODEL,  OPT_END};
const struct command_spec cmd_replay = {
    "replay",
    "work",
    "RUN",
    "replay a run with its recorded results and compare; --live forks a new run",
    "Replies of models, tools and people come from the record; everything else is done again. The "
    "exit code is 3\nwhen a step differs. --live --from PATH starts a new run: it keeps the "
    "results "
    "of the steps before PATH, in the\norder of the blueprint, and runs the rest. A run that was "
    "repaired is not replayed; a fork of it is.",
    replay_options,
    1,
    1,
    replay_main};
