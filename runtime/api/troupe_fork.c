/* troupe_fork.c - see troupe_fork.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_fork.h"

#include <stdlib.h>
#include <string.h>

#include "blueprints/replay.h"
#include "runtime/api/troupe_run.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

#define FLUSH_EVERY 256 /* steps in one transaction */

struct copy {
    struct run *to;
    const char *from;
    const struct replay *replay; /* NULL: the copy goes on live */
    bool reached;
    int64_t n;
};

static bool is_result(const struct step_row *s)
{
    static const char *const kinds[] = {"model", "tool", "human", "wait"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(s->kind, kinds[i]) == 0)
            return s->state != STEP_STARTED && s->state != STEP_WAITING;
    return false;
}

/* Is `path` the step `from`, or below it? */
static bool at_or_below(const char *path, const char *from)
{
    size_t n = strlen(from);

    return strncmp(path, from, n) == 0 &&
           (path[n] == 0 || path[n] == '/' || path[n] == '[' || path[n] == '@');
}

static bool copy_step(void *ctx, const struct step_row *s)
{
    struct copy *c = ctx;

    if (c->from && at_or_below(s->path, c->from))
        c->reached = true;
    if (c->reached || !(c->replay ? replay_takes(c->replay, s) : is_result(s)))
        return !c->reached;
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
    journal_intend(c->to, &intent);
    if (s->tokens)
        journal_tokens(c->to, s->tokens);
    if (s->state != STEP_STARTED)
        journal_finish(c->to, &result);
    if (++c->n % FLUSH_EVERY == 0)
        journal_flush(c->to);
    return true;
}

struct head {
    struct json *config;
    uint64_t seed;
    int32_t prompt_format;
    char *root;
};

static bool copy_head(void *ctx, const struct run_row *row)
{
    struct head *h = ctx;

    h->config = row->config ? jv_deep_copy(row->config) : NULL;
    h->seed = row->seed;
    h->prompt_format = row->prompt_format;
    h->root = row->root ? xstrdup(row->root) : NULL;
    return false;
}

/* Fills the row of r and takes it again, like a resumed run. */
static enum status copy_steps(struct troupe_run *r, const struct troupe_fork *fork,
                              struct error *err)
{
    struct copy c = {.to = r->run, .from = fork->path, .replay = r->replay};
    enum status st = query_steps(fork->from, fork->uuid, NULL, -1, true, copy_step, &c, err);

    if (!st)
        st = journal_sync(r->run, err);
    if (!st && fork->path && !c.reached)
        st = error_set(err, STATUS_NOT_FOUND, "the run has no step %s", fork->path);
    run_close(r->run);
    r->run = NULL;
    if (st) {
        struct error ignored = ERROR_INIT;

        if (store_remove_run(r->t->store, r->uuid, &ignored)) /* half a copy is not a run */
            error_clear(&ignored);
        return st;
    }
    return troupe_run_hold(r, r->uuid, err);
}

enum status troupe_run_fork(struct troupe *t, const struct troupe_fork *fork,
                            const struct troupe_run_options *o, struct troupe_run **out,
                            struct error *err)
{
    struct troupe_run *r = troupe_run_prepare(t, o);
    struct head h = {.config = NULL};
    char *root = NULL;
    enum status st = query_run(fork->from, fork->uuid, copy_head, &h, err);

    if (!st)
        st = blueprint_from_effective(jv_get(h.config, "plan"), &r->own_plan, err);
    if (!st) {
        r->plan = r->own_plan;
        r->inputs = jv_ref(jv_get(h.config, "inputs"));
        run_models_recorded(r->models, h.config, fork->live);
        if (!fork->live && !fork->path)
            st = replay_load(fork->from, fork->uuid, &r->replay, err);
    }
    if (!st)
        st = troupe_run_root(o->root, h.root, &root, err);
    if (!st)
        st = troupe_run_check(r, root, err);
    if (!st)
        st = troupe_run_create(r, "run", h.seed, h.prompt_format, root, NULL, err);
    if (!st)
        st = copy_steps(r, fork, err);
    free(root);
    free(h.root);
    jv_unref(h.config);
    run_models_recorded(r->models, NULL, false);
    if (st) {
        troupe_run_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}
