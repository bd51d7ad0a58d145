/* troupe_fork.c - see troupe_fork.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_fork.h"

#include <stdlib.h>

#include "runtime/api/fork_copy.h"
#include "runtime/api/troupe_run.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

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
                              const struct json *config, struct error *err)
{
    enum status st = fork_copy(r->run,
                               &(struct fork_copy){.from = fork->from,
                                                   .uuid = fork->uuid,
                                                   .plan = r->plan,
                                                   .config = config,
                                                   .path = fork->path,
                                                   .replay = r->replay},
                               err);

    if (!st)
        st = journal_sync(r->run, err);
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
        if (!fork->live)
            r->recorded_tools = jv_ref(jv_get(h.config, "mcp_tools"));
        if (!fork->live)
            st = replay_load(fork->from, fork->uuid, &r->replay, err);
    }
    if (!st)
        st = troupe_run_root(o->root, h.root, &root, err);
    if (!st)
        st = troupe_run_check(r, root, err);
    if (!st)
        st = troupe_run_create(r, "run", h.seed, h.prompt_format, root, NULL, err);
    if (!st)
        st = copy_steps(r, fork, h.config, err);
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
