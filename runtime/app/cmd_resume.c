/* cmd_resume.c - resume: continues runs and evaluations that were interrupted or are waiting.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan.h"
#include "runtime/api/troupe_repair.h"
#include "runtime/app/app_ask.h"
#include "runtime/app/app_eval.h"
#include "runtime/app/app_run.h"
#include "runtime/app/app_trace.h"
#include "runtime/app/app_watch.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

struct head {
    char kind[16];
    enum run_status status;
    struct json *config;
};

static bool read_head(void *ctx, const struct run_row *r)
{
    struct head *h = ctx;

    snprintf(h->kind, sizeof(h->kind), "%s", r->kind);
    h->status = r->status;
    h->config = r->config ? jv_deep_copy(r->config) : NULL;
    return true;
}

/* `list`: where the document goes instead of standard output, or NULL. */
static enum status resume_run(struct app *a, const char *uuid, struct json *list, int *code,
                              struct error *err)
{
    struct app_drive d;
    struct troupe_run *run = NULL;
    enum status st;

    app_drive_init(&d, a);
    d.list = list;
    if (!option_flag(a->options, OPT_ALL))
        app_drive_asks(&d);
    st = troupe_run_take(a->troupe, uuid, &d.options, &run, err);
    if (!st)
        *code = app_drive(&d, run);
    app_drive_deinit(&d);
    return st;
}

/* A run that has ended ok has nothing left to do, so its result is printed again: the caller who
 * resumes after a crash need not know whether the run had ended before. */
static bool print_row(void *ctx, const struct run_row *r)
{
    struct app_drive *d = ctx;
    const struct troupe_result result = {.status = r->status,
                                         .output = r->output ? jv_deep_copy(r->output) : NULL,
                                         .n_steps = r->n_steps,
                                         .tok_in = r->tok_in,
                                         .tok_out = r->tok_out,
                                         .cost_nano = r->cost_nano,
                                         .wall_ms = r->ended_ms - r->created_ms};

    d->unwritten = app_drive_print(d, r->uuid, &result) != EXIT_OK;
    jv_unref(result.output);
    return false;
}

static enum status print_ended(struct app *a, struct store_reader *q, const char *uuid,
                               struct json *list, int *code, struct error *err)
{
    struct app_drive d;
    enum status st;

    app_drive_init(&d, a);
    d.list = list;
    st = query_run(q, uuid, print_row, &d, err);
    *code = d.unwritten ? EXIT_FAILED : EXIT_OK;
    app_drive_deinit(&d);
    return st;
}

static enum status resume_one(struct app *a, struct store_reader *q, const char *uuid,
                              struct json *list, int *code, struct error *err)
{
    struct head h = {0};
    enum status st = query_run(q, uuid, read_head, &h, err);

    if (!st && h.status == RUN_OK && strcmp(h.kind, "run") == 0) {
        st = print_ended(a, q, uuid, list, code, err);
    } else if (!st && run_status_is_final(h.status)) {
        st = error_set(err, STATUS_USAGE, "%s has ended (%s)", uuid, run_status_word(h.status));
        if (strcmp(h.kind, "run") == 0 && run_status_is_repairable(h.status))
            error_hint(err, "`troupe resume %s --from-failed` tries the failed steps again", uuid);
        else
            error_hint(err, "`troupe replay %s --live` forks a new run from it", uuid);
    } else if (!st && strcmp(h.kind, "run") == 0) {
        st = resume_run(a, uuid, list, code, err);
    } else if (!st && strcmp(h.kind, "eval") == 0) {
        st = app_resume_eval(a, uuid, h.config, list, code, err);
    } else if (!st) {
        st = error_set(err, STATUS_USAGE, "%s (%s) cannot be resumed", uuid, h.kind);
        error_hint(err, "`troupe show %s` shows it", uuid);
    }
    jv_unref(h.config);
    return st;
}

/* ---- --from-failed */

static const char **texts_of(const struct app *a, enum option_id id, int32_t *n)
{
    const char **list;

    *n = option_count(a->options, id);
    list = xcalloc((size_t)*n + 1, sizeof(*list));
    for (int32_t i = 0; i < *n; i++)
        list[i] = option_text_at(a->options, id, i);
    return list;
}

/* Prints the finished steps that need a decision, each with its reason. */
static int print_disagreement(struct app *a, const struct json *disagree, const struct error *err)
{
    struct error headline = *err;
    struct str list = STR_INIT;
    struct json *doc;

    headline.hint[0] = '\0'; /* it follows the list */
    app_print_error(a, NULL, &headline);
    for (size_t i = 0; i < jv_size(disagree); i++) {
        const struct json *one = jv_at(disagree, i);

        str_printf(&list, "  %s: %s\n", jv_get_string(jv_get(one, "path"), ""),
                   jv_get_string(jv_get(one, "reason"), ""));
    }
    str_printf(&list, "  %s\n", err->hint);
    log_text(a->log, LOG_INFO, NULL, str_cstr(&list), list.len);
    str_deinit(&list);
    if (a->json) {
        doc = jv_object();
        jv_set_adopt(doc, "error", app_error_json(err));
        jv_set_adopt(doc, "steps", jv_deep_copy(disagree));
        app_print_json(doc);
    }
    return EXIT_CONFIG;
}

static enum status repair_with(struct app *a, const char *uuid, struct troupe_repair *how,
                               int *code, struct error *err)
{
    struct json *disagree = NULL;
    struct troupe_run *run = NULL;
    struct app_drive d;
    enum status st;

    app_drive_init(&d, a);
    st = troupe_run_repair(a->troupe, uuid, how, &d.options, &disagree, &run, err);
    if (!st)
        *code = app_drive(&d, run);
    else if (disagree)
        *code = print_disagreement(a, disagree, err);
    app_drive_deinit(&d);
    st = disagree ? STATUS_OK : st;
    jv_unref(disagree);
    return st;
}

static enum status repair_run(struct app *a, const char *uuid, int *code, struct error *err)
{
    const char *file = option_text(a->options, OPT_BLUEPRINT);
    struct troupe_repair how = {0};
    struct plan *plan = NULL;
    struct store *s;
    enum status st = file ? blueprint_load(file, &plan, err) : STATUS_OK;
    const char **var = texts_of(a, OPT_VAR, &how.n_vars);
    const char **redo = texts_of(a, OPT_REDO, &how.n_redo);
    const char **keep = texts_of(a, OPT_KEEP, &how.n_keep);

    how.plan = plan;
    how.var = var;
    how.redo = redo;
    how.keep = keep;
    if (!st)
        st = app_store(a, false, &s, err);
    if (!st)
        st = repair_with(a, uuid, &how, code, err);
    plan_free(plan);
    free(var);
    free(redo);
    free(keep);
    return st;
}

/* ---- all */

struct found {
    char (*uuid)[37];
    size_t n;
};

static bool collect(void *ctx, const struct run_row *r)
{
    struct found *f = ctx;
    bool known = strcmp(r->kind, "run") == 0 || strcmp(r->kind, "eval") == 0;

    if (!known || r->owned)
        return true;
    f->uuid = xrealloc(f->uuid, (f->n + 1) * sizeof(*f->uuid));
    snprintf(f->uuid[f->n++], sizeof(*f->uuid), "%s", r->uuid);
    return true;
}

/* The oldest first. One that cannot go on is reported, and the others go on. */
static enum status resume_all(struct app *a, struct store_reader *q, int *code, struct error *err)
{
    struct json *list = a->json ? jv_array() : NULL, *doc;
    struct found f = {0};
    enum status st = query_runs(q, RUN_STATUS_OPEN, 0, collect, &f, err);

    for (size_t i = f.n; !st && i-- > 0 && !*a->interrupted;) {
        struct error own = ERROR_INIT;
        int one = EXIT_OK;
        if (resume_one(a, q, f.uuid[i], list, &one, &own)) {
            error_note(&own, "run %s", f.uuid[i]);
            app_print_error(a, f.uuid[i], &own);
            one = app_exit_of(own.status);
        }
        *code = one ? one : *code;
    }
    if (!st && f.n == 0)
        log_write(a->log, LOG_INFO, "nothing to resume");
    if (!st && a->json) {
        doc = app_document("resume");
        jv_set_adopt(doc, "runs", jv_ref(list));
        *code = app_print_json(doc) ? EXIT_FAILED : *code;
    }
    jv_unref(list);
    free(f.uuid);
    return st;
}

static enum status check_repair_options(const struct app *a, struct error *err)
{
    static const enum option_id repairs[] = {OPT_BLUEPRINT, OPT_VAR, OPT_REDO, OPT_KEEP};

    if (option_flag(a->options, OPT_FROM_FAILED))
        return option_flag(a->options, OPT_ALL)
                   ? error_set(err, STATUS_USAGE, "--from-failed repairs one run: give its id")
                   : STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(repairs); i++)
        if (option_is_set(a->options, repairs[i]))
            return error_set(err, STATUS_USAGE,
                             "--blueprint, --var, --redo and --keep are for repairs: add "
                             "--from-failed");
    return STATUS_OK;
}

static int resume_main(void *app)
{
    struct app *a = app;
    const char *which = options_arg(a->options, 0);
    bool all = option_flag(a->options, OPT_ALL), watch = option_flag(a->options, OPT_WATCH);
    struct store *s;
    struct store_reader *q;
    char uuid[37];
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = STATUS_OK;

    if (all && which)
        st = error_set(&err, STATUS_USAGE, "give either RUN or --all, not both");
    if (!st && watch && !all)
        st = error_set(&err, STATUS_USAGE, "--watch needs --all");
    if (!st)
        st = check_repair_options(a, &err);
    if (!st)
        st = app_store(a, false, &s, &err);
    if (!st)
        st = app_reader(a, &q, &err);
    if (!st)
        st = app_trace_open(a, &err);
    if (!st && watch)
        return app_watch(a);
    if (!st && all) {
        st = resume_all(a, q, &code, &err);
    } else if (!st) {
        st = query_resolve_run(q, which ? which : "last", uuid, &err);
        if (!st && option_flag(a->options, OPT_FROM_FAILED))
            st = repair_run(a, uuid, &code, &err);
        else if (!st)
            st = resume_one(a, q, uuid, NULL, &code, &err);
    }
    return st ? app_fail(a, &err) : code;
}

static const enum option_id resume_options[] = {
    OPT_TRUST_PROJECT, OPT_ALL,     OPT_WATCH,  OPT_IN_FLIGHT, OPT_FROM_FAILED,
    OPT_BLUEPRINT,     OPT_VAR,     OPT_REDO,   OPT_KEEP,      OPT_STREAM,
    OPT_TIMEOUT,       OPT_ROOT,    OPT_DEVICE, OPT_THREADS,   OPT_KV_MEMORY,
    OPT_CONTEXT,       OPT_CPU_ISA, OPT_MODEL,  OPT_OTLP_URL,  OPT_OTLP_HEADERS,
    OPT_OTLP_CONTENT,  OPT_END};
const struct command_spec cmd_resume = {
    "resume",
    "work",
    "[RUN [--from-failed] | --all [--watch]]",
    "continue runs and evaluations that were interrupted or are waiting",
    "Without RUN: the newest run. Recorded steps and episodes are not done again. The "
    "blueprint and the inputs come\nfrom the run's record. A model with other weights than "
    "the recorded ones is refused.\n--from-failed continues a run that ended in error, "
    "timeout or budget. Finished steps are kept if path, inputs\nand definition still match"
    " the blueprint; failed steps get a new attempt. Steps that no longer match are\nlisted"
    " and need --redo or --keep (exit code 78 until then). A step that reads a redone one "
    "follows if its inputs\nthen differ; if it may have an effect, it is listed too. --model may "
    "name another model.\n--watch keeps the deadlines of all runs and takes answers that other "
    "commands give. It ends when only\nquestions without a deadline are open, and lists them.",
    resume_options,
    0,
    1,
    resume_main};
