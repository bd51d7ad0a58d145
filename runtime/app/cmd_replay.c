/* cmd_replay.c - replay: runs a run again on its recorded results and compares; --live forks it.
 *
 * Results of models, tools and people are copied into a run of its own (in a scratch store, or with
 * --live in the same store, up to PATH); everything above them is done again by the program, so a
 * difference means that the program no longer does what it recorded.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blueprints/plan.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_run.h"
#include "runtime/app/show.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

struct replay {
    struct app *app;
    struct run *to;
    const char *from; /* --from PATH: this step and what began after it is not copied */
    bool reached;
    int64_t copied;
};

static bool is_result(const struct step_row *s)
{
    static const char *const kinds[] = {"model", "tool", "human"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(s->kind, kinds[i]) == 0)
            return s->state != STEP_STARTED && s->state != STEP_WAITING;
    return false;
}

/* Is `path` the step `from`, or beneath it? */
static bool at_or_below(const char *path, const char *from)
{
    size_t n = strlen(from);

    return strncmp(path, from, n) == 0 &&
           (path[n] == 0 || path[n] == '/' || path[n] == '[' || path[n] == '@');
}

static bool copy_step(void *ctx, const struct step_row *s)
{
    struct replay *r = ctx;

    if (r->from && at_or_below(s->path, r->from))
        r->reached = true;
    if (r->reached || !is_result(s))
        return !r->reached;
    struct step_intent intent = {.path = s->path,
                                 .attempt = s->attempt,
                                 .kind = s->kind,
                                 .name = s->name,
                                 .effect = s->effect,
                                 .args = s->args,
                                 .in_hash = s->in_hash};
    struct step_result result = {.path = s->path,
                                 .attempt = s->attempt,
                                 .state = s->state,
                                 .out = s->out,
                                 .err = s->err,
                                 .tok_in = s->tok_in,
                                 .tok_out = s->tok_out};
    journal_intend(r->to, &intent);
    if (s->tokens)
        journal_tokens(r->to, s->tokens);
    journal_finish(r->to, &result);
    if (++r->copied % 256 == 0)
        journal_flush(r->to);
    return true;
}

struct source {
    struct json *config;
    uint64_t seed;
    char kind[16], name[256];
    int32_t prompt_format;
    bool running; /* it has not ended: what it recorded is not all */
};

static bool copy_head(void *ctx, const struct run_row *row)
{
    struct source *s = ctx;

    s->config = row->config ? jv_deep_copy(row->config) : NULL;
    s->seed = row->seed;
    snprintf(s->kind, sizeof(s->kind), "%s", row->kind);
    snprintf(s->name, sizeof(s->name), "%s", row->name);
    s->running = row->status == RUN_RUNNING || row->status == RUN_INTERRUPTED;
    s->prompt_format = row->prompt_format;
    return true;
}

/* A fork may go on with another --model: its configuration says so, with the weights. */
static enum status take_models(struct app *a, struct json *config, struct error *err)
{
    struct json *models = jv_get(config, "models"), *weights = jv_get(config, "weights");
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < option_count(a->options, OPT_MODEL); i++) {
        const char *given = option_text_at(a->options, OPT_MODEL, i),
                   *eq = app_model_role_end(given);
        const char *name = eq ? eq + 1 : given;
        struct model *m;

        st = app_model(a, name, &m, err);
        if (!st && models)
            jv_append_adopt(models, jv_string(given));
        if (!st && weights)
            app_note_weights(weights, name, m);
    }
    return st;
}

/* A new run in `store` that holds the recorded results; taken as a resumed run takes it. */
static enum status copy_run(struct replay *r, struct store_reader *q, const char *uuid,
                            struct store *store, const struct source *source, char copy[37],
                            struct run **out, struct error *err)
{
    struct run_spec spec = {.kind = "run",
                            .name = source->name,
                            .config = source->config,
                            .seed = source->seed,
                            .prompt_format = source->prompt_format};
    enum status st = run_create(store, &spec, &r->to, err);

    if (st)
        return st;
    snprintf(copy, 37, "%s", run_uuid(r->to));
    st = query_steps(q, uuid, NULL, -1, true, copy_step, r, err);
    if (!st)
        st = journal_sync(r->to, err);
    if (!st && r->from && !r->reached)
        st = error_set(err, STATUS_NOT_FOUND, "the run has no step %s", r->from);
    run_close(r->to);
    if (!st) {
        st = run_take(store, copy, out, err);
    } else {
        struct error ignored = ERROR_INIT;
        if (store_remove_run(store, copy, &ignored)) /* half a copy is nobody's run */
            error_clear(&ignored);
    }
    return st;
}

static enum status open_scratch(struct app *a, char dir[64], struct store **out, struct error *err)
{
    char path[96];

    snprintf(dir, 64, "/tmp/troupe-replay-XXXXXX");
    if (!mkdtemp(dir))
        return error_errno(err, 0, "cannot make a scratch folder %s", dir);
    snprintf(path, sizeof(path), "%s/store.db", dir);
    struct store_options o = {
        .path = path, .durability = STORE_NORMAL, .create = true, .seams = a->seams};
    return store_open(&o, out, err);
}

static void remove_scratch(const char *dir)
{
    static const char *const files[] = {"store.db",       "store.db-wal", "store.db-shm",
                                        "STORE.lock",     "STORE.owners", "store.db.lock",
                                        "store.db.owners"};
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
    struct show_view one = {.app = a, .tokens = true}, two = {.app = a, .tokens = true};
    struct str report = STR_INIT;
    int64_t n = 0;
    int code = EXIT_OK;
    enum status st = show_load(&one, q, uuid, NULL, -1, err);

    if (!st)
        st = show_load(&two, q2, copy, NULL, -1, err);
    if (st) {
        code = app_fail(a, err);
    } else {
        n = show_diff(&one, &two, &report);
        if (a->json) {
            struct json *doc = app_document("replay");
            jv_set_string(doc, "run", uuid);
            jv_set_int(doc, "steps", (int64_t)jv_size(one.steps));
            jv_set_int(doc, "different", n);
            jv_set_string(doc, "report", str_cstr(&report));
            app_print_json(doc);
        } else {
            app_print(&report);
        }
        code = n ? EXIT_NOT_OK : EXIT_OK;
    }
    str_deinit(&report);
    show_deinit(&one);
    show_deinit(&two);
    return code;
}

static int replay_recorded(struct app *a, struct replay *r, const struct source *source,
                           struct store_reader *q, const char *uuid, struct plan *plan)
{
    struct store *original = a->store, *scratch = NULL;
    struct store_reader *q2 = NULL;
    struct run *run = NULL;
    char dir[64] = "", copy[37];
    struct error err = ERROR_INIT;
    int code;
    enum status st = open_scratch(a, dir, &scratch, &err);

    if (!st)
        st = copy_run(r, q, uuid, scratch, source, copy, &run, &err);
    if (!st) {
        a->store = scratch; /* the driver records into the copy's store */
        code = app_drive_run(a, plan, run, jv_get(source->config, "inputs"), false, NULL);
        a->store = original;
        st = store_reader_open(scratch, &q2, &err);
    }
    code = st ? app_fail(a, &err) : compare(a, q, uuid, q2, copy, &err);
    store_reader_close(q2);
    store_close(scratch);
    if (dir[0])
        remove_scratch(dir);
    return code;
}

static int replay_main(void *app)
{
    struct app *a = app;
    struct replay r = {.app = a, .from = option_text(a->options, OPT_FROM)};
    struct source source = {0};
    struct store *store = NULL;
    struct store_reader *q = NULL;
    struct plan *plan = NULL;
    struct run *run = NULL;
    char uuid[37], copy[37];
    struct error err = ERROR_INIT;
    int code;
    enum status st =
        option_flag(a->options, OPT_LIVE) ? app_store(a, false, &store, &err) : STATUS_OK;

    if (!st)
        st = app_reader(a, &q, &err);
    if (!st)
        st = query_resolve_run(q, options_arg(a->options, 0), uuid, &err);
    if (!st)
        st = query_run(q, uuid, copy_head, &source, &err);
    if (!st && strcmp(source.kind, "run") != 0)
        st = error_set(&err, STATUS_USAGE, "%s is not a blueprint's run; `troupe show` looks at it",
                       uuid);
    if (!st && source.running && !option_flag(a->options, OPT_LIVE)) {
        st = error_set(&err, STATUS_USAGE, "%s has not ended: there is no whole run to compare",
                       uuid);
        error_hint(&err, "`troupe resume %s` ends it first", uuid);
    }
    if (!st)
        st = blueprint_from_effective(jv_get(source.config, "plan"), &plan, &err);
    if (!st && option_flag(a->options, OPT_LIVE))
        st = take_models(a, source.config, &err);
    if (!st && option_flag(a->options, OPT_LIVE))
        st = copy_run(&r, q, uuid, store, &source, copy, &run, &err);
    if (st)
        code = app_fail(a, &err);
    else if (run)
        code = app_drive_run(a, plan, run, jv_get(source.config, "inputs"), true, NULL);
    else
        code = replay_recorded(a, &r, &source, q, uuid, plan);
    plan_free(plan);
    jv_unref(source.config);
    return code;
}

static const enum option_id replay_options[] = {
    OPT_FROM,    OPT_LIVE,    OPT_ROOT,   OPT_DEVICE,  OPT_THREADS, OPT_KV_MEMORY,
    OPT_CONTEXT, OPT_CPU_ISA, OPT_STREAM, OPT_TIMEOUT, OPT_MODEL,   OPT_END};
const struct command_spec cmd_replay = {
    "replay",
    "work",
    "RUN",
    "runs again on the recorded results and compares; --live forks a new run",
    "Recorded replies of models, tools and people are taken as they are; all else is done again. "
    "Exit code "
    "3 when a\nstep differs. --live with --from PATH begins a new run that keeps what was recorded "
    "before "
    "PATH and goes on live.",
    replay_options,
    1,
    1,
    replay_main};
