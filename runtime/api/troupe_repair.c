/* troupe_repair.c - see troupe_repair.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/repair.h"
#include "runtime/api/troupe_run.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/store/query.h"

/* The run as it ended. */
struct ended {
    char kind[16];
    enum run_status status;
    uint64_t seed;
    struct json *config;
    char *root;        /* as it was begun; may be NULL */
    struct plan *plan; /* as it was begun or last repaired */
};

static bool read_row(void *ctx, const struct run_row *row)
{
    struct ended *e = ctx;

    snprintf(e->kind, sizeof(e->kind), "%s", row->kind);
    e->status = row->status;
    e->seed = row->seed;
    e->config = row->config ? jv_deep_copy(row->config) : NULL;
    e->root = row->root ? xstrdup(row->root) : NULL;
    return false;
}

static enum status can_be_repaired(const struct ended *e, const char *uuid, struct error *err)
{
    if (strcmp(e->kind, "run") != 0)
        return error_set(err, STATUS_USAGE, "%s is not a run of a blueprint (%s)", uuid, e->kind);
    if (run_status_is_repairable(e->status))
        return STATUS_OK;
    if (run_status_is_final(e->status)) {
        error_set(err, STATUS_USAGE, "run %s has ended: %s", uuid, run_status_word(e->status));
        error_hint(err, "--from-failed repairs runs that ended in error, timeout or budget");
    } else {
        error_set(err, STATUS_USAGE, "run %s has not ended", uuid);
        error_hint(err, "`troupe resume %s` continues it", uuid);
    }
    return STATUS_USAGE;
}

/* A path is done again or kept, not both. */
static enum status check_decisions(const struct troupe_repair *how, struct error *err)
{
    for (int32_t i = 0; i < how->n_keep; i++)
        for (int32_t k = 0; k < how->n_redo; k++)
            if (strcmp(how->keep[i], how->redo[k]) == 0)
                return error_set(err, STATUS_USAGE, "--keep and --redo both name %s", how->keep[i]);
    return STATUS_OK;
}

/* ---- inputs */

/* The recorded inputs that the blueprint still has, overridden by the given ones. */
static enum status make_inputs(struct troupe_run *r, const struct json *recorded,
                               const struct troupe_repair *how, struct error *err)
{
    struct json *given = jv_object();
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < r->plan->n_inputs; i++) {
        struct json *value = jv_get(recorded, r->plan->input[i].name);

        if (value)
            jv_set_adopt(given, r->plan->input[i].name, jv_deep_copy(value));
    }
    for (int32_t i = 0; !st && i < how->n_vars; i++)
        st = plan_input_assign(r->plan, how->var[i], given, err);
    if (!st)
        st = plan_inputs(r->plan, given, &r->inputs, err);
    jv_unref(given);
    return st;
}

/* ---- steps that no longer match */

static enum status name_them(const struct json *disagree, const char *uuid, struct error *err)
{
    size_t n = jv_size(disagree);

    error_set(err, STATUS_CONFIG, "%zu finished step%s of run %.8s need%s a decision", n,
              plural_s((int64_t)n), uuid, n == 1 ? "s" : "");
    error_hint(err,
               "for each step, give --redo PATH to do it again or --keep PATH to keep its result");
    return STATUS_CONFIG;
}

/* ---- the record */

static struct json *words_of(const char *const *list, int32_t n)
{
    struct json *words = jv_array();

    for (int32_t i = 0; i < n; i++)
        jv_append_adopt(words, jv_string(list[i]));
    return words;
}

/* Takes the run and writes the decisions to disk before a step runs. If the process dies in
 * between, the run ends as before and can be repaired again. */
static enum status reopen(struct troupe_run *r, const char *uuid, const struct ended *e,
                          const struct troupe_repair *how, const struct repair *repair,
                          const char *root, struct error *err)
{
    struct json *changed = jv_object(), *entry = jv_object(), *config;
    struct str source = STR_INIT;
    enum status st = run_reopen(r->t->store, uuid, &r->run, err);

    if (!st) {
        snprintf(r->uuid, sizeof(r->uuid), "%s", uuid);
        jv_set_adopt(changed, "plan", jv_deep_copy(r->plan->effective));
        jv_set_adopt(changed, "inputs", jv_deep_copy(r->inputs));
        run_models_describe(r->models, r->plan, changed);
        jv_set_int(entry, "at_ms", seams_wall_ms(r->t->seams));
        jv_set_string(entry, "status", run_status_word(e->status));
        jv_set_adopt(entry, "redo", words_of(how->redo, how->n_redo));
        jv_set_adopt(entry, "keep", words_of(how->keep, how->n_keep));
        config = repair_config(e->config, changed, repair, entry);
        run_set_config(r->run, config, root, troupe_run_source(r->plan, &source));
        st = journal_sync(r->run, err);
        jv_unref(config);
    }
    str_deinit(&source);
    jv_unref(entry);
    jv_unref(changed);
    return st;
}

static bool other_model(void *ctx, const struct plan *p, const struct plan_agent *a)
{
    const struct troupe_run *r = ctx;

    return run_models_differ(r->models, p, a);
}

static enum status compare(struct troupe_run *r, struct store_reader *q, const char *uuid,
                           const struct ended *e, const struct troupe_repair *how,
                           struct repair *out, struct error *err)
{
    return repair_compare(&(struct repair_spec){.reader = q,
                                                .uuid = uuid,
                                                .seed = e->seed,
                                                .was = e->plan,
                                                .now = r->plan,
                                                .inputs = r->inputs,
                                                .rules = jv_get(e->config, "repair"),
                                                .tools = r->tools,
                                                .seams = r->t->seams,
                                                .other_model = other_model,
                                                .ctx = r,
                                                .redo = how->redo,
                                                .n_redo = (size_t)how->n_redo,
                                                .keep = how->keep,
                                                .n_keep = (size_t)how->n_keep},
                          out, err);
}

static enum status prepare(struct troupe_run *r, const struct ended *e,
                           const struct troupe_repair *how, const char *root, struct error *err)
{
    enum status st = STATUS_OK;

    r->plan = how->plan;
    if (!r->plan) {
        st = blueprint_from_effective(jv_get(e->config, "plan"), &r->own_plan, err);
        r->plan = r->own_plan;
    }
    if (!st)
        st = make_inputs(r, jv_get(e->config, "inputs"), how, err);
    if (!st)
        run_models_recorded(r->models, e->config, true);
    return st ? st : troupe_run_check(r, root, err);
}

static void log_decided(struct log *log, const struct repair *r)
{
    struct str words = STR_INIT;

    str_printf(&words, "%lld finished step%s %s kept, %lld get%s a new attempt",
               (long long)r->n_kept, plural_s(r->n_kept), r->n_kept == 1 ? "is" : "are",
               (long long)r->n_again, r->n_again == 1 ? "s" : "");
    if (r->n_follow > 0)
        str_printf(&words, ", %lld if %s inputs change", (long long)r->n_follow,
                   r->n_follow == 1 ? "its" : "their");
    log_write(log, LOG_INFO, "%s", str_cstr(&words));
    str_deinit(&words);
}

static enum status repair(struct troupe_run *r, struct store_reader *q, const char *uuid,
                          struct ended *e, const struct troupe_repair *how, const char *given_root,
                          struct json **disagree, struct error *err)
{
    struct repair decided = {0};
    char *root = NULL;
    enum status st = blueprint_from_effective(jv_get(e->config, "plan"), &e->plan, err);

    if (!st)
        st = troupe_run_root(given_root, e->root, &root, err);
    if (!st)
        st = prepare(r, e, how, root, err);
    if (!st)
        st = compare(r, q, uuid, e, how, &decided, err);
    if (!st && jv_size(decided.disagree) > 0) {
        *disagree = jv_ref(decided.disagree);
        st = name_them(decided.disagree, uuid, err);
    }
    if (!st)
        st = reopen(r, uuid, e, how, &decided, root, err);
    if (!st)
        log_decided(r->t->log, &decided);
    repair_deinit(&decided);
    free(root);
    return st;
}

enum status troupe_run_repair(struct troupe *t, const char *uuid, const struct troupe_repair *how,
                              const struct troupe_run_options *o, struct json **disagree,
                              struct troupe_run **out, struct error *err)
{
    struct troupe_run *r = troupe_run_prepare(t, o);
    struct ended e = {.config = NULL};
    struct store_reader *q = NULL;
    enum status st = check_decisions(how, err);

    *disagree = NULL;
    if (!st)
        st = troupe_reader(t, &q, err);
    if (!st)
        st = query_run(q, uuid, read_row, &e, err);
    if (!st)
        st = can_be_repaired(&e, uuid, err);
    if (!st)
        st = repair(r, q, uuid, &e, how, o->root, disagree, err);
    run_models_recorded(r->models, NULL, false);
    jv_unref(e.config);
    free(e.root);
    plan_free(e.plan);
    if (st) {
        troupe_run_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}
